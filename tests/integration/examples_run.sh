#!/bin/sh
# Each example prints what it promises, the same on every placement.
set -eu
export LC_ALL=C
unset TROUPE_PLACE
bin=${TROUPE_BIN_DIR:?is to name the directory of the examples}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# fails TEXT: says what does not hold.
fails() {
    echo "FAILED: $*" >&2
    failed=1
}

# prints EXPECTED PROGRAM ARGUMENT...: it ends well, prints that, and nothing on standard error.
prints() {
    expected=$1
    shift
    program=$1
    shift
    status=0
    timeout -k 5 20 "$bin/$program" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    if [ "$status" -ne 0 ]; then
        fails "$program $*: exit status $status: $(head -c 500 "$scratch/err")"
    elif [ "$(head -c 500 "$scratch/out")" != "$expected" ]; then
        fails "$program $*: printed '$(head -c 500 "$scratch/out")', expected '$expected'"
    elif [ -s "$scratch/err" ]; then
        fails "$program $*: said on standard error: $(head -c 500 "$scratch/err")"
    fi
}

# refuses STATUS TEXT PROGRAM ARGUMENT...: it ends with that status, and says that on standard error.
refuses() {
    expected=$1
    text=$2
    program=$3
    shift 3
    status=0
    timeout -k 5 20 "$bin/$program" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    if [ "$status" -ne "$expected" ]; then
        fails "$program $*: exit status $status, expected $expected"
    elif ! grep -q -e "$text" "$scratch/err"; then
        fails "$program $*: no '$text' in: $(head -c 500 "$scratch/err")"
    fi
}

fed='philosopher 0 ate 20 times
philosopher 1 ate 20 times
philosopher 2 ate 20 times
philosopher 3 ate 20 times
philosopher 4 ate 20 times'

bounces='100 balls have bounced 7 times in 10 frames
the referee has seen 7 bounces'

# everywhere EXPECTED MIX PROGRAM ARGUMENT...: on each placement, the last of which is a mix.
everywhere() {
    lines=$1
    mix=$2
    shift 2
    for place in '*=ecs' '*=thread' '*=thread:2' '*=process' "$mix"; do
        prints "$lines" "$@" --place "$place"
    done
}

everywhere hello 'greeter=process' hello
everywhere '10000 rounds' 'pong=process' ping_pong
everywhere '50 actors passed the token on 5000 times' 'node=process:2' ring 50
everywhere "$fed" 'philosopher=process:2' philosophers --seed 7
everywhere 'task 500 ended the worker: error too hard
1000 tasks' 'worker=process' monitor
everywhere 'the office is not open yet
the office is open
number 1' 'clerk=process' names
everywhere 'the square of 7 is 49
no reply: not in time
no reply: no receiver' 'squarer=process' ask --dead-letters silent
everywhere 'the last of 1000000 numbers is now 1999998' 'doubler=process' big_body
everywhere 'the sum is 12502500' 'counter=process' batch
everywhere '4 clients stored 400 records' 'client=process' pinned_gateway
prints '4 clients stored 400 records' pinned_gateway

printf 'One two, TWO\n' >"$scratch/first"
printf 'two%sthree' "$(printf 'three %.0s' 1 2 3)" >"$scratch/second" # "twothree three three three"
everywhere 'three 3
two 2
one 1' 'counter=process:2' wordcount 3 "$scratch/first" "$scratch/second"
refuses 1 'nowhere: No such file or directory' wordcount 3 "$scratch/first" nowhere
refuses 1 'Is a directory' wordcount 3 "$scratch" --place '*=process'
refuses 2 'usage: wordcount' wordcount 3
refuses 2 'usage: wordcount' wordcount README.md 3

for TROUPE_PLACE in '*=ecs' '*=thread' '*=process'; do
    export TROUPE_PLACE
    prints 'plus 1 is 1
plus 2 is 3
plus 3 is 6' inbox
    if [ "$TROUPE_PLACE" != '*=ecs' ]; then
        TROUPE_PLACE="referee=${TROUPE_PLACE#??}"
    fi
    prints "$bounces" game_loop 100 10
done
unset TROUPE_PLACE

for place in 'shepherd=ecs' 'shepherd=thread' 'shepherd=process' 'shepherd=process:2'; do
    prints '100 boids in 3 frames' boids "$scratch" 100 3 --place "$place"
done

# Some here and some there.
prints hello hello --place 'greeter=thread'
prints hello hello --place 'start=thread'
prints '1000 rounds' ping_pong 1000 --place 'pong=thread'
prints '1000 rounds' ping_pong 1000 --place 'ping=thread:2' --place '*=ecs'
prints '100 actors passed the token on 10000 times' ring --place 'node=thread:2'
prints '1 actors passed the token on 100 times' ring 1
prints "$fed" philosophers --place 'philosopher=thread:2'
prints "$fed" philosophers --place 'waiter=thread'

# signals: each signal that is sent has its line, and SIGTERM ends the program in order.
mkfifo "$scratch/lines"
for place in '*=ecs' '*=thread' '*=process'; do
    "$bin/signals" --place "$place" >"$scratch/lines" 2>"$scratch/err" &
    exec 3<"$scratch/lines"
    program=$!
    for expected in 'settings read, 1 times so far' 'settings read, 2 times so far' 'asked to end'; do
        line=
        read -r line <&3 || true
        [ "$line" = "$expected" ] || fails "signals --place $place: '$line', not '$expected'"
        case $line in
        *1*) kill -HUP "$program" ;;
        *2*) kill -TERM "$program" ;;
        esac
    done
    exec 3<&-
    status=0
    wait "$program" || status=$?
    [ "$status" -eq 0 ] || fails "signals --place $place: exit status $status: $(cat "$scratch/err")"
done

# monitor: a worker's process that is killed from outside is replaced, and the counters balance.
"$bin/monitor" 20000 --place 'worker=process' --dead-letters silent --stats \
    >"$scratch/out" 2>"$scratch/err" &
program=$!
while kill -0 "$program" && ! grep -q killed "$scratch/out"; do
    # shellcheck disable=SC2046 # each child is a word
    kill -9 $(cat /proc/"$program"/task/*/children) || true
done 2>"$scratch/kills"
status=0
wait "$program" || status=$?
[ "$status" -eq 0 ] || fails "monitor: exit status $status: $(head -c 500 "$scratch/err")"
for line in '^task [0-9]* ended the worker: killed SIGKILL$' '^20000 tasks$'; do
    grep -q "$line" "$scratch/out" || fails "monitor: no '$line' in: $(head -c 500 "$scratch/out")"
done
awk '$1 == "system" {
    gsub(/[^0-9]+/, " ")
    balanced = $1 == $2 + $3 + $4 + $5
} END { exit !balanced }' "$scratch/err" ||
    fails "monitor: the counters do not balance: $(head -c 500 "$scratch/err")"

# A small mailbox is enough for who keeps one message under way.
prints '1000 rounds' ping_pong 1000 --mailbox 2
prints '1000 rounds' ping_pong 1000 --mailbox 2 --place 'pong=thread'

refuses 2 'ROUNDS' ping_pong many
refuses 2 'ROUNDS' ping_pong 0
refuses 2 'ACTORS' ring -1
refuses 2 '' hello word-too-many
exit "$failed"
