#!/bin/sh
# ctest: serial
# SIGINT and SIGTERM end the examples in order, within 2 s.
. "$(dirname "$0")/../support/program.sh"

# ends SIGNAL STATUS PROGRAM ARGUMENT...: the program, signalled after half a second, exits with that status.
ends() {
    name=$1
    expected=$2
    program=$3
    shift 3
    status=0
    start_ms=$(date +%s%3N)
    timeout --preserve-status -k 5 -s "$name" 0.5 "$bin/$program" "$@" \
        >"$scratch/out" 2>"$scratch/err" || status=$?
    took_ms=$(($(date +%s%3N) - start_ms))
    said="$program $* by $name"
    [ "$status" -eq "$expected" ] ||
        fails "$said: exit status $status, not $expected: $(head -c 500 "$scratch/err")"
    [ "$took_ms" -lt 2500 ] || fails "$said: it took $took_ms ms"
    [ ! -s "$scratch/err" ] || fails "$said: said on standard error: $(head -c 500 "$scratch/err")"
}

for place in '*=ecs' '*=thread:2'; do
    ends INT 130 ring 200000 --place "$place"
    ends TERM 143 ring 200000 --place "$place"
    ends INT 130 ping_pong 1000000000 --place "$place"
    ends TERM 143 ping_pong 1000000000 --place "$place"
done
ends INT 130 ping_pong 1000000000 --place 'pong=thread'
ends TERM 143 ping_pong 1000000000 --place '*=thread'
exit "$failed"
