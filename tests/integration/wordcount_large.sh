#!/bin/sh
# The word count of a file of 100 MB is right, and takes little memory: reading waits for counting.
#
# Its list of words is longer than a pipe holds. So once the first line is here and the others are not
# taken yet, it stands still with everything counted: then its peak memory is read, without a race.
#
# ctest: serial
set -eu
export LC_ALL=C
wordcount=${TROUPE_BIN_DIR:?is to name the directory of the examples}/../programs/wordcount
peak_kib_max=153600
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

if grep -q __asan_init "$wordcount"; then
    echo "skipped: built with a sanitizer, whose own memory would be measured"
    exit 77
fi

# A megabyte with 20,000 different words, then a hundred times that.
awk 'BEGIN {
    letters = "abcdefghijklmnopqrstuvwxyz"
    for (i = 0; i < 20000; i++) {
        word = "word"
        for (left = i; left > 0; left = int(left / 26)) word = word substr(letters, left % 26 + 1, 1)
        print word, "stands on line", i, "between", last, "and what comes next."
        last = word
    }
}' >part
i=0
while [ "$i" -lt 100 ]; do
    cat part
    i=$((i + 1))
done >large
tr -cs A-Za-z '\n' <part | tr A-Z a-z | grep . | sort | uniq -c | sort -k1,1nr -k2,2 |
    awk '{ print $2, $1 * 100 }' >expected

for place in '*=ecs' '*=thread' 'counter=thread:2'; do
    {
        status=0
        timeout -k 5 30 sh -c 'echo $$ >pid; exec "$@"' sh \
            "$wordcount" --top 1000000 --place "$place" large || status=$?
        echo "$status" >status
    } | {
        IFS= read -r first || first=
        awk '/^VmHWM:/ { print $2 }' "/proc/$(cat pid)/status" >peak || true
        printf '%s\n' "$first"
        cat
    } >out
    peak_kib=$(cat peak)
    if [ "$(cat status)" -ne 0 ]; then
        echo "FAILED: --place $place: exit status $(cat status)" >&2
        exit 1
    elif ! cmp -s expected out; then
        echo "FAILED: --place $place: not as the pipeline: $(diff expected out | head -n 4)" >&2
        exit 1
    elif [ "${peak_kib:-$((peak_kib_max + 1))}" -gt "$peak_kib_max" ]; then
        echo "FAILED: --place $place: took ${peak_kib:-unknown} KiB, not $peak_kib_max" >&2
        exit 1
    fi
    echo "--place $place: at most $peak_kib KiB"
done
