#!/bin/sh
# Each example prints what it promises, the same on every placement.
set -eu
export LC_ALL=C
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

for place in '*=ecs' '*=thread' '*=thread:2'; do
    prints hello hello --place "$place"
    prints '10000 rounds' ping_pong --place "$place"
    prints '50 actors passed the token on 5000 times' ring 50 --place "$place"
    prints "$fed" philosophers --seed 7 --place "$place"
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

# A small mailbox is enough for who keeps one message under way.
prints '1000 rounds' ping_pong 1000 --mailbox 2
prints '1000 rounds' ping_pong 1000 --mailbox 2 --place 'pong=thread'

refuses 2 'ROUNDS' ping_pong many
refuses 2 'ROUNDS' ping_pong 0
refuses 2 'ACTORS' ring -1
refuses 2 '' hello word-too-many
exit "$failed"
