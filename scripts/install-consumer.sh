#!/usr/bin/env bash
# install-consumer.sh BUILD SOURCES: install BUILD into a fresh prefix, move it elsewhere, and build and
# run the program in SOURCES against it, once through CMake's find_package and once through pkg-config.
set -e -u

build=$1
sources=$2
cmake=${CMAKE:-cmake}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$cmake" --install "$build" --prefix "$scratch/first" >"$scratch/install.log"
mv "$scratch/first" "$scratch/prefix" # an installed tree is relocatable
prefix=$scratch/prefix
pc=$(find "$prefix" -name troupe.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir troupe)

"$cmake" -G Ninja -S "$sources" -B "$scratch/package" -DCMAKE_PREFIX_PATH="$prefix" \
    >"$scratch/package.log" || { cat "$scratch/package.log"; exit 1; }
"$cmake" --build "$scratch/package" >"$scratch/package.log" || { cat "$scratch/package.log"; exit 1; }
for program in consumer consumer_static; do
    echo "find_package, $program: $("$scratch/package/$program")"
done

# shellcheck disable=SC2046 # flags are words
"${CC:-cc}" -std=c17 $(pkg-config --cflags troupe) "$sources/consumer.c" -o "$scratch/consumer" \
    $(pkg-config --libs troupe)
echo "pkg-config: $(LD_LIBRARY_PATH="$libdir" "$scratch/consumer")"
