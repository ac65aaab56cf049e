#!/bin/sh
# Errors of a command line are explained on standard error, with exit status 2.
. "$(dirname "$0")/../support/program.sh"

# points RULE COLUMN: a caret is under that character of the rule, counted from 1.
points() {
    under=$(awk -v rule="$1" '
        at && (caret = index($0, "^")) { print caret - at + 1; exit }
        { at = ($0 ~ /^ / ? index($0, rule) : 0) }' "$scratch/err")
    [ "$under" = "$2" ] ||
        fails "$said: caret under '$under', not under $2: $(head -c 500 "$scratch/err")"
}

# refuses RULE COLUMN TEXT: hello refuses the rule, with a caret under that character.
refuses() {
    runs 2 hello --place "$1"
    says "$3"
    points "$1" "$2"
    runs 2 hello "--place=$1"
    points "$1" "$2"
    TROUPE_PLACE=$1 runs 2 hello
    says TROUPE_PLACE
    points "$1" "$2"
}

refuses '*=martian' 3 "unknown backend 'martian'"
refuses 'greeter' 8 "'='"
refuses '=ecs' 1 'pattern'
refuses '*=' 3 'name of a backend'
refuses '*=thread:' 10 'count'
refuses '*=thread:0' 10 'count'
refuses '*=thread:1025' 10 'count'
refuses '*=thread:many' 10 'count'
refuses '*=thread:2x' 11 'nothing may follow'
refuses '*=ecs:2' 7 'remove the count'
refuses '*=thread+' 10 'transport'
refuses '*=thread+pigeon' 10 'transport'
refuses '*=process:0' 11 'count'
refuses '*=process+pigeon' 11 'transport'

# The first wrong rule is shown.
runs 2 hello --place '*=ecs' --place 'greeter=ipc' --place '*=martian'
says "'ipc'"
points 'greeter=ipc' 9

# Every backend works with every transport, without a change of the program.
for rule in '*=ecs+ipc' '*=ecs+tcp' '*=thread+ipc' '*=thread:2+tcp' 'greeter=process' '*=process' \
    '*=process:2' '*=process+ipc' '*=process+tcp'; do
    runs 0 hello --place "$rule"
    [ "$(cat "$scratch/out")" = hello ] || fails "$said: printed $(cat "$scratch/out")"
    [ ! -s "$scratch/err" ] || fails "$said: said on standard error: $(cat "$scratch/err")"
done

# A rule that matches nothing is a warning.
runs 0 hello --place 'nobody=thread' --place '*=ecs'
says "warning"
says "'nobody=thread'"
[ "$(cat "$scratch/out")" = hello ] || fails "$said: printed $(cat "$scratch/out")"
TROUPE_PLACE='nobody=thread;greeter=thread' runs 0 hello
says "'nobody=thread'"
if grep -q 'greeter=thread' "$scratch/err"; then
    fails "$said: warned of a rule that matched"
fi

# Flags.
for flag in --place --seed --mailbox --dead-letters; do
    runs 2 hello "$flag"
    says "$flag needs a value"
done
for number in x '' 0 -1 1x 0x10 ' 1' 99999999999999999999999; do
    runs 2 hello --seed "$number"
    says "--seed '$number'"
    runs 2 hello --mailbox "$number"
    says "--mailbox '$number'"
done
runs 2 hello --mailbox 4294967296
says '--mailbox'
runs 0 hello --mailbox 4294967295
runs 0 hello --seed 18446744073709551615
runs 2 hello --dead-letters quiet
says "'quiet'"
runs 0 hello --dead-letters silent
runs 0 hello --dead-letters=log
runs 2 hello word
says "unknown argument 'word'"
runs 2 hello --stat
says "'--stat'"
runs 2 hello -- --stats
says "'--stats'"
runs 2 ring --lengthy
says 'ACTORS'

# With --help, the usage is no error.
runs 0 hello --help
for text in --place --seed --mailbox --dead-letters --stats --audit ecs thread; do
    grep -q -e "$text" "$scratch/out" || fails "$said: no '$text' in the usage"
done
[ ! -s "$scratch/err" ] || fails "$said: said on standard error: $(cat "$scratch/err")"

# The counters name executors, and they balance.
runs 0 hello --stats --place 'greeter=thread'
says '(greeter)'
says '(ecs)'
says 'accepted 2 = handled 2 + dead 0 + unknown 0 + waiting 0'
if grep -q 'NOT BALANCE' "$scratch/err"; then
    fails "$said: the counters do not balance: $(cat "$scratch/err")"
fi
for place in greeter=ecs greeter=thread greeter=process; do
    runs 0 hello --audit --place "$place"
    says 'accepted 2 = handled 2 + dead 0 + unknown 0 + waiting 0'
    says 'the counters balance'
done
exit "$failed"
