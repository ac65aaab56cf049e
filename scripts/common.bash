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

# --- Tests ----------------------------------------------------------------------------------------

passed=0
failed=0
skipped=0

# Which tests list_tests and run_tests are about: of a kind, and with names that match an extended regular
# expression. Empty: all.
test_kind=''
test_names=''

# list_tests PRESET: a line each, the entry of ctest that runs it and its name. An entry that is no Criterion
# program is one test.
list_tests() {
    local preset=$1 kind=() entry name program
    [ -z "$test_kind" ] || kind=(-L "^$test_kind\$")
    (cd "$root" && ctest --preset "$preset" -N "${kind[@]}") |
        sed -n -E 's/^ *Test +#[0-9]+: ([^ ]+).*/\1/p' |
        while read -r entry; do
            program="$root/build/$preset/tests/${entry%%.*}_test_${entry#*.}"
            if [ -x "$program" ]; then
                # It lists `mailbox: 2 tests`, and below that `├── is_empty_at_first`.
                ASAN_OPTIONS=detect_leaks=0 "$program" --list | awk -v entry="$entry" -v kind="${entry%%.*}" '
                    / tests?$/ { suite = substr($1, 1, length($1) - 1); next }
                    { print entry, kind "." suite "." $2 }'
            else
                echo "$entry $entry"
            fi
        done |
        while read -r entry name; do
            # As tests/support/report.c chooses.
            [[ -z $test_names || $name =~ $test_names ]] && echo "$entry $name"
        done
}

# run_tests PRESET: run the tests of a built preset and add them to $passed, $failed, $skipped. Its output goes
# to standard output. Fails when one did, or when there was none, or after $suite_seconds where the caller
# sets that.
run_tests() {
    local preset=$1 folder="$root/build/$1" entries status options=(-j "$(nproc)")
    if [ -n "$test_kind$test_names" ]; then
        entries=$(list_tests "$preset" | cut -d ' ' -f 1 | sort -u | sed 's/\./\\./g' | paste -s -d '|')
        if [ -z "$entries" ]; then
            say "there is no test${test_kind:+ of kind $test_kind}${test_names:+ whose name matches $test_names}"
            return 1
        fi
        options+=(-R "^($entries)\$")
    fi
    [ ! -t 1 ] || options+=(--progress)
    rm -rf "$folder/junit.xml" "$folder/tests/results"
    (
        cd "$root" || exit 1
        unset TROUPE_TEST_NAMES
        [ -z "$test_names" ] || export TROUPE_TEST_NAMES=$test_names
        limit=()
        [ -z "${suite_seconds-}" ] || limit=(timeout --kill-after=10 "$suite_seconds")
        "${limit[@]}" ctest --preset "$preset" --output-junit "$folder/junit.xml" "${options[@]}"
    )
    status=$?
    echo
    count_tests "$folder"
    return "$status"
}

# count_tests FOLDER: name the tests that did not pass, and count all: entries of ctest from its report, but
# tests of a Criterion program from what scripts/run-criterion left.
count_tests() {
    local folder=$1 results="$1/tests/results" entry state counts
    if [ ! -e "$folder/junit.xml" ]; then
        echo "FAILED: ctest itself, before it was done"
        failed=$((failed + 1))
        return
    fi
    while read -r entry state; do
        counts=(0 0 0)
        if [ -e "$results/$entry.counts" ]; then
            read -r -a counts <"$results/$entry.counts"
            cat "$results/$entry.notes"
        elif [ "$state" = run ]; then
            counts=(1 0 0)
        elif [ "$state" = skipped ]; then
            counts=(0 0 1)
            echo "SKIPPED: $entry"
        fi
        # A program that is not there, or one whose tests passed, and yet ctest did not like its output.
        if [[ $state != run && $state != skipped && ${counts[1]} -eq 0 ]]; then
            counts[1]=1
            echo "FAILED: $entry"
        fi
        passed=$((passed + counts[0]))
        failed=$((failed + counts[1]))
        skipped=$((skipped + counts[2]))
    done < <(ctest_states "$folder/junit.xml")
}

# ctest_states FILE: a line for each entry in a report of ctest, its name and `run`, `skipped`, or what else
# became of it.
ctest_states() {
    awk '
        /<testcase / {
            if (name != "") print name, state
            match($0, / name="[^"]*"/)
            name = substr($0, RSTART + 7, RLENGTH - 8)
            match($0, / status="[^"]*"/)
            state = substr($0, RSTART + 9, RLENGTH - 10)
        }
        /<skipped message="SKIP_/ { state = "skipped" }
        END { if (name != "") print name, state }' "$1"
}
