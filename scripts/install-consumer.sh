#!/usr/bin/env bash
# install-consumer.sh BUILD SOURCES: install BUILD into a fresh prefix, move it elsewhere, and build and
# run the program in SOURCES against it as README.md says, once through CMake's find_package and once
# through pkg-config. Each program must find the library without LD_LIBRARY_PATH.
set -e -u

build=$1
sources=$2
cmake=${CMAKE:-cmake}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset LD_LIBRARY_PATH

quietly() { # quietly COMMAND...: show what it said when it fails
    "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
}
check() { # check HOW PROGRAM: it runs, and with the library of the same version
    local said
    said=$("$2")
    echo "$1: $said"
    [ "$said" = "guest runs with $version" ] || { echo "expected: guest runs with $version"; exit 1; }
}
check_shared() { # check_shared HOW PROGRAM: likewise, with the library of this installation
    local found
    check "$@"
    found=$(ldd "$2" | awk -v name="libtroupe.so.${version%.*}" '$1 == name { print $3 }')
    [ "$(realpath "$found")" = "$library" ] || { echo "it uses '$found' and not $library"; exit 1; }
}

quietly "$cmake" --install "$build" --prefix "$scratch/first"
mv "$scratch/first" "$scratch/prefix" # an installed tree is relocatable
prefix=$scratch/prefix
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name troupe.pc)")
export PKG_CONFIG_PATH
version=$(pkg-config --modversion troupe)
library=$(realpath "$(pkg-config --variable=libdir troupe)/libtroupe.so")

quietly "$cmake" -G Ninja -S "$sources" -B "$scratch/package" -DCMAKE_PREFIX_PATH="$prefix" \
    -DTROUPE_VERSION="$version"
quietly "$cmake" --build "$scratch/package"
quietly "$cmake" --install "$scratch/package" --prefix "$scratch/consumer"
for folder in package consumer/bin; do
    check_shared "find_package, shared, $folder" "$scratch/$folder/consumer"
    check "find_package, static, $folder" "$scratch/$folder/consumer_static"
done

# shellcheck disable=SC2046 # flags are words
quietly "${CC:-cc}" -std=c17 "$sources/consumer.c" -o "$scratch/program" \
    $(pkg-config --cflags --libs troupe) -Wl,-rpath,"$(pkg-config --variable=libdir troupe)"
check_shared 'pkg-config, shared' "$scratch/program"
