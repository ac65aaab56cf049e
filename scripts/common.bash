# Sourced by ./run, ./check and .ci/run: what is missing gets installed, a preset gets built, tests get
# counted. Needs bash and what every Debian has. What is said here goes to standard error.
#
# $root is the folder of the project; the caller sets it.
# shellcheck shell=bash disable=SC2154

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$0: $*"
    exit 1
}

# The one line that is written over, where there is a terminal to write it on.
progress() {
    if [ -t 2 ]; then
        printf '\r\033[K%.79s' "$*" >&2
    fi
}

# quietly TITLE LOG COMMAND...: run it with its output in LOG, and show the end of that when it fails.
quietly() {
    local title=$1 log=$2 line status
    shift 2
    mkdir -p "$(dirname "$log")" || return 1
    progress "$title"
    if [ -t 2 ]; then
        "$@" </dev/null 2>&1 | tee "$log" | while IFS= read -r line; do
            progress "$title  $line"
        done
        status=${PIPESTATUS[0]}
        progress ''
    else
        "$@" </dev/null >"$log" 2>&1
        status=$?
    fi
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" >&2
        say "$title failed; the whole log is $log"
    fi
    return "$status"
}

# --- What is missing ------------------------------------------------------------------------------

# missing_packages PURPOSE: Debian's names of what is not there, for `run`, `check` or `ci`. Asks for
# the thing itself and not for its package, so that another way of having it is as good.
missing_packages() {
    local purpose=$1
    command -v cc >/dev/null || echo gcc
    [ -e /usr/include/stdio.h ] || echo libc6-dev
    command -v cmake >/dev/null || echo cmake
    command -v ninja >/dev/null || echo ninja-build
    command -v pkg-config >/dev/null || echo pkg-config
    has_library libzmq || echo libzmq3-dev
    has_library libczmq || echo libczmq-dev
    has_library jansson || echo libjansson-dev
    [ "$purpose" != run ] || return 0

    has_library criterion || echo libcriterion-dev
    command -v g++ >/dev/null || echo g++
    command -v valgrind >/dev/null || echo valgrind
    [ "$purpose" != check ] || return 0

    command -v clang >/dev/null || echo clang
    has_libfuzzer || echo libclang-rt-dev
    command -v clang-format >/dev/null || echo clang-format
    command -v clang-tidy >/dev/null || echo clang-tidy
    command -v doxygen >/dev/null || echo doxygen
}

has_library() {
    pkg-config --exists "$1" 2>/dev/null
}

# What clang links into fuzz targets and sanitized programs comes in a package of its own.
has_libfuzzer() {
    [ -e "$(clang -print-file-name="libclang_rt.fuzzer-$(uname -m).a" 2>/dev/null)" ]
}

# setup PURPOSE: install what is missing, asking for nothing. Returns at once when nothing is.
setup() {
    local purpose=$1 packages as_root=() log="$root/build/setup.log"
    packages=$(missing_packages "$purpose" | tr '\n' ' ')
    packages=${packages% }
    [ -n "$packages" ] || return 0

    command -v apt-get >/dev/null ||
        die "these are missing, and there is no apt-get to install them: $packages"
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null ||
            die "these are missing, and installing them takes root. Once, as root:" \
                "apt-get install --no-install-recommends $packages"
        as_root=(sudo -n)
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y
        -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold)

    say "installing: $packages"
    # Old lists name versions that mirrors no longer have. A list that cannot be fetched is no failure
    # as long as the packages can.
    quietly 'package lists' "$log" "${apt[@]}" update || say 'going on with the lists at hand'
    # shellcheck disable=SC2086 # packages are words
    quietly 'packages' "$log" "${apt[@]}" install --no-install-recommends $packages ||
        die "could not install: $packages"
    packages=$(missing_packages "$purpose" | tr '\n' ' ')
    [ -z "$packages" ] || die "installed, but still not found: $packages"
}

# --- Building -------------------------------------------------------------------------------------

# build PRESET: configure where it is due, then build what changed. Two at a time wait for each other.
build() {
    local preset=$1 folder="$root/build/$1" log="$root/build/$1.log" status
    mkdir -p "$root/build" || die "cannot write to $root: copy the tree to where you may"
    exec 9>"$root/build/$preset.lock" || die "cannot write to $root/build"
    flock 9
    (
        exec 9>&-
        cd "$root" || exit 1
        # A build folder that came along in a copy of the tree belongs to the original.
        if ! grep -q -s -x -F "CMAKE_HOME_DIRECTORY:INTERNAL=$(pwd -P)" "$folder/CMakeCache.txt"; then
            rm -rf "$folder"
        fi
        # ninja notices every changed CMake file by itself, but the presets.
        if [ ! -e "$folder/.configured" ] || [ CMakePresets.json -nt "$folder/.configured" ]; then
            [ -t 2 ] || say "building build/$preset"
            quietly "configuring $preset" "$log" cmake --preset "$preset" || exit 1
            touch "$folder/.configured"
        fi
        quietly "building $preset" "$log" cmake --build "$folder"
    )
    status=$?
    exec 9>&-
    return "$status"
}

# --- Counting tests -------------------------------------------------------------------------------

passed=0
failed=0

# run_tests PRESET [CTEST-FLAG...]: run the tests of a built preset and add them to $passed, $failed.
# Its output goes to standard output. Fails when one did, or when there was none, or after
# $suite_seconds where the caller sets that.
run_tests() {
    local preset=$1 junit="$root/build/$1/junit.xml" status all here_passed here_skipped style=() limit=()
    shift
    rm -f "$junit"
    [ ! -t 1 ] || style=(--progress)
    [ -z "${suite_seconds-}" ] || limit=(timeout --kill-after=10 "$suite_seconds")
    (cd "$root" && "${limit[@]}" ctest --preset "$preset" "${style[@]}" --output-junit "$junit" "$@")
    status=$?
    if [ ! -e "$junit" ]; then
        failed=$((failed + 1))
        return 1
    fi
    all=$(grep -c '<testcase ' "$junit")
    here_passed=$(grep -c '<testcase [^>]*status="run"' "$junit")
    here_skipped=$(grep -c '<skipped ' "$junit")
    [ "$here_skipped" -eq 0 ] || say "$preset: $here_skipped skipped"
    passed=$((passed + here_passed))
    failed=$((failed + all - here_passed - here_skipped))
    if [ "$all" -eq 0 ]; then
        say "$preset: there was no test to run"
        return 1
    fi
    return "$status"
}
