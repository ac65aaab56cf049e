# What the integration scripts begin with: `. "$(dirname "$0")/../support/program.sh"`. Ends with $failed.
set -eu
export LC_ALL=C
unset TROUPE_PLACE TROUPE_LIMIT TROUPE_LAUNCH
bin=${TROUPE_BIN_DIR:?is to name the directory of the examples}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# fails TEXT: says what does not hold.
fails() {
    echo "FAILED: $*" >&2
    failed=1
}

# runs STATUS PROGRAM ARGUMENT...: it ends with that status; what it said is in $scratch/out and err.
runs() {
    expected=$1
    program=$2
    shift 2
    said="$program $*"
    status=0
    timeout -k 5 40 "$bin/$program" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    [ "$status" -eq "$expected" ] ||
        fails "$said: exit status $status, not $expected: $(head -c 500 "$scratch/err")"
}

# says TEXT: it did, on standard error.
says() {
    grep -q -F -e "$1" "$scratch/err" || fails "$said: no '$1' in: $(head -c 500 "$scratch/err")"
}
