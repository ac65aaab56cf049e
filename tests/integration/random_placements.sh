#!/bin/sh
# A program has the same result on every placement: the examples and all workloads of troupe-bench, with
# all actors on executor 0 and then under random placements, which mix
# backends, pools and transports.
#
#     TROUPE_TEST_SEED        selects the same placements again; printed first
#     TROUPE_TEST_PLACEMENTS  how many of them for each program; default 20
#     TROUPE_TEST_PLACES      the places to mix, instead of all; "ecs thread thread:2 process:2+tcp"
#
# ctest: timeout 300
set -euf
export LC_ALL=C
unset TROUPE_PLACE
bin=${TROUPE_BIN_DIR:?is to name the directory of the examples}
seed=${TROUPE_TEST_SEED:-$(date +%s)}
count=${TROUPE_TEST_PLACEMENTS:-20}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
picked=0
failed=0

echo "random_placements: seed $seed (TROUPE_TEST_SEED=$seed to run it again)" >&2

# fails TEXT: prints what failed.
fails() {
    echo "FAILED: $*" >&2
    failed=1
}

# every_place: all places to mix.
every_place() {
    for backend in ecs thread thread:1 thread:2 thread:3 process process:1 process:2 process:3; do
        for transport in '' +inproc +ipc +tcp; do
            echo "$backend$transport"
        done
    done
}

# possible PLACE: whether hello can live there. A place that is not implemented is left out; any other refusal
# is a failure.
possible() {
    status=0
    timeout -k 5 20 "$bin/hello" --place "*=$1" >"$scratch/out" 2>"$scratch/err" || status=$?
    if [ "$status" -eq 2 ] && grep -q 'not there yet' "$scratch/err"; then
        echo "random_placements: $1 is not there yet" >&2
        return 1
    elif [ "$status" -ne 0 ]; then
        fails "hello --place '*=$1': exit status $status: $(head -c 500 "$scratch/err")"
        return 1
    fi
}

for place in ${TROUPE_TEST_PLACES:-$(every_place)}; do
    if possible "$place"; then
        echo "$place"
    fi
done >"$scratch/places"
# The loop wrote into a file, not into a pipe, so its failures are known here.
[ "$failed" -eq 0 ] || exit 1

# pick NAME...: random placements for actors of these names, one a line.
pick() {
    picked=$((picked + 1))
    awk -v seed="$((seed + 1000003 * picked))" -v count="$count" -v names="$*" '
        BEGIN { srand(seed); name_count = split(names, name, " ") }
        { place[NR] = $1 }
        END {
            for (line = 1; line <= count; line++)
                for (i = 1; i <= name_count; i++)
                    printf "%s=%s%s", name[i], place[1 + int(rand() * NR)],
                        i < name_count ? ";" : "\n"
        }' "$scratch/places"
}

# result: the part of standard output that depends neither on the machine nor on the order of events.
result() {
    sed -E 's/.*"messages":([0-9]+).*"checksum":([0-9]+).*/\1 messages, checksum \2/' | sort
}

# beside_audit: the output of a program without its audit, which balances.
beside_audit() {
    awk '
        /^the counters balance$/ { balances = 1; next }
        /^(dead letters|channel|other channels|executor|other executors|system) / { next }
        /^(refused sends|frames sent|actors started) / { next }
        { print }
        END { if (!balances) print "(no audit that balances)" }'
}

# runs RULES PROGRAM ARGUMENT...: it exits with 0, in time, with counters that balance and with nothing else on
# standard error; its result is in $scratch/result. troupe-bench has no --audit.
runs() {
    rules=$1
    program=$2
    shift 2
    # On the command line, since the environment would reach every process by itself.
    IFS=';'
    for rule in $rules; do
        set -- "$@" --place "$rule"
    done
    unset IFS
    [ "$program" = troupe-bench ] || set -- "$@" --audit
    said="$program $*"
    status=0
    timeout -k 5 60 "$bin/$program" "$@" \
        >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    if [ "$program" != troupe-bench ]; then
        beside_audit <"$scratch/err" >"$scratch/beside" && mv "$scratch/beside" "$scratch/err"
    fi
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        fails "$said: it did not end within 60 s: $(head -c 500 "$scratch/err")"
    elif [ "$status" -ne 0 ]; then
        fails "$said: exit status $status: $(head -c 500 "$scratch/err")"
    elif [ -s "$scratch/err" ]; then
        fails "$said: said on standard error: $(head -c 500 "$scratch/err")"
    else
        result <"$scratch/out" >"$scratch/result"
        return 0
    fi
    return 1
}

# same_anywhere NAMES PROGRAM ARGUMENT...: the program, whose actors have these names, has the
# same result on executor 0 and under all placements.
same_anywhere() {
    names=$1
    shift
    runs '*=ecs' "$@" || return 0
    mv "$scratch/result" "$scratch/expected"
    if [ ! -s "$scratch/expected" ]; then
        fails "$said: printed nothing"
    fi
    # shellcheck disable=SC2086 # the names are words
    pick $names >"$scratch/placements"
    while read -r rules; do
        if runs "$rules" "$@" && ! cmp -s "$scratch/expected" "$scratch/result"; then
            fails "$said: '$(head -c 500 "$scratch/result")'," \
                "not '$(head -c 500 "$scratch/expected")'"
        fi
    done <"$scratch/placements"
}

# Words at the end of a file, and files of different sizes.
mkdir "$scratch/texts"
awk -v folder="$scratch/texts" -v seed="$seed" 'BEGIN {
    srand(seed)
    for (file = 1; file <= 12; file++)
        for (word = 0; word < (file == 7 ? 20000 : 300); word++)
            printf "%s%s",
                substr("abcdefghijklmnopqrstuvwxyz", 1 + int(rand() * 24), 1 + int(rand() * 3)),
                rand() < 0.9 ? " " : "" >(folder "/" file)
}'

same_anywhere 'start greeter' hello
same_anywhere 'ping pong' ping_pong 300
same_anywhere 'ring node' ring 8
same_anywhere 'waiter philosopher' philosophers --seed 7
# shellcheck disable=SC2046 # no path has a blank
same_anywhere 'wordcount counter' wordcount 1000000 $(find "$scratch/texts" -type f)

# bench NAMES WORKLOAD ARGUMENT...: the same for a workload: its messages and their checksum. One run
# warms up and one is counted.
bench() {
    names=$1
    shift
    same_anywhere "bench_root $names" troupe-bench --json --runs 1 "$@"
}

if [ -x "$bin/troupe-bench" ]; then
    bench 'ping pong' ping_pong --messages 300
    bench 'ring' ring --actors 8 --messages 300
    bench 'producer counter' counting --messages 30000
    bench 'source sink' fan_in --actors 5 --messages 30000
    bench 'source sink' fan_out --actors 5 --messages 30000
    bench 'big' big --actors 8 --messages 2000
    bench 'probe hall_echo flood hall_drain' lone --messages 300
    bench 'spawner spawned' spawn --actors 8
    bench 'starter spawned' start --actors 8
fi
exit "$failed"
