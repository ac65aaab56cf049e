#!/bin/sh
# Launch files of a program: an error is reported with its line and column, exit status 2; and --dump-launch
# prints an equivalent file.
. "$(dirname "$0")/../support/program.sh"
cd "$scratch"

# refuses LINE COLUMN TEXT: app.zpl is refused at that place, with a caret under that column, and nothing
# is printed on standard output.
refuses() {
    for how in run dump environment; do
        case $how in
        run) runs 2 hello --launch app.zpl ;;
        dump) runs 2 hello --launch=app.zpl --dump-launch ;;
        environment) TROUPE_LAUNCH=app.zpl runs 2 hello ;;
        esac
        says "launch file app.zpl, line $1, column $2: "
        says "$3"
        under=$(awk '$0 ~ /^ *\^$/ { print index($0, "^") - 4 }' err)
        [ "$under" = "$2" ] || fails "$said: caret under '$under', not under $2: $(cat err)"
        [ ! -s out ] || fails "$said: printed $(head -c 200 out)"
    done
}

# values FILE: without comments.
values() {
    sed 's/ *#.*//; /^$/d' "$1"
}

# Files with errors.
printf 'plaec\n    rule = *=ecs\n' >app.zpl
refuses 1 1 "unknown section 'plaec'; known here are options, place, limit, actors"
printf 'options\n    seed = 1\n    sead = 2\n' >app.zpl
refuses 3 5 "unknown key 'sead'; known here are seed, mailbox"
printf '# rules\nplace\n    rule = w*=fibre:4\n' >app.zpl
refuses 3 15 "unknown backend 'fibre'"
printf 'limit\n    rule = "*=mem:64M,cpu:10h"\n' >app.zpl
refuses 2 27 'expected a time in s or m'
printf 'place\n  rule = *=ecs\n' >app.zpl
refuses 2 3 'four blanks'
printf 'place\n    rule = "*=ecs\n' >app.zpl
refuses 2 12 'is not closed'
printf 'actors\n    a\n        place = thread\n' >app.zpl
refuses 2 5 'has no behaviour'
printf 'actors\n    a\n        behaviour = greeter\n    a\n        behaviour = greeter\n' >app.zpl
refuses 4 5 'on line 2'
printf 'place\n    rule = a\0=ecs\n' >app.zpl
runs 2 hello --launch app.zpl
says 'line 2, column 13: control character 0x00'
printf 'actors\n    a\n        behaviour = greter\n' >app.zpl
runs 2 hello --launch app.zpl
says "line 3, column 21: unknown behaviour 'greter'; this program has"
printf 'options\n    args = word\n' >app.zpl
runs 2 hello --launch app.zpl
says 'app.zpl, line 2: this program takes no args'

# Files that do not exist, or are no launch files.
runs 2 hello --launch nowhere.zpl
says 'launch file nowhere.zpl cannot be read: No such file or directory'
runs 2 hello --launch .
says 'Is a directory'
head -c 1048577 /dev/zero | tr '\0' '\n' >large.zpl
runs 2 hello --launch large.zpl
says 'at most 1 MiB'
runs 2 hello --launch "$bin/hello"
says 'launch file '
runs 2 hello --launch
says '--launch needs a value'
runs 2 hello --limit '*=mem:64Q'
says 'limit rule (command line), character 9'
TROUPE_LIMIT='*=nice:1;*=nice:99' runs 2 hello
says 'limit rule (TROUPE_LIMIT), character 8'

# A correct one takes effect: its arguments, its rules and its actors.
printf 'once upon a time\n' >story
cat >app.zpl <<'END'
options
    args = 2 story                # of the first actor
place
    rule = counter=thread
    default = *=ecs
END
runs 0 wordcount --launch app.zpl --stats
says '(counter)'
mv out from-file
runs 0 wordcount 2 story
cmp -s out from-file || fails "$said: counts otherwise than by a launch file"
TROUPE_PLACE='counter=ecs' runs 0 wordcount --launch app.zpl --stats
if grep -q '(counter)' err; then
    fails "$said: the launch file went before the environment"
fi
says "'counter=thread' (app.zpl:4) matched no actor"
printf 'actors\n    second\n        behaviour = greeter\n        place = thread\n' >app.zpl
runs 0 hello --launch app.zpl --stats
says '(second)'
[ "$(cat out)" = hello ] || fails "$said: printed $(cat out)"
runs 0 hello --launch /dev/stdin --stats <app.zpl
says '(second)'

# The printed file says where each value is from, and is equivalent.
cat >app.zpl <<'END'
options
    mailbox-bytes = 65536K
limit
    rule = gre*=nice:1,cpus:0,1,2
    default = '#=core:0'
actors
    second
        behaviour = greeter
        args = "'two words' and more"
        place = thread
    third
        behaviour = greeter
        limits = mem:64M
END
TROUPE_PLACE='x=ecs; y = z=thread' runs 0 hello --launch app.zpl --dump-launch --seed 7 \
    --place 'second=thread:2' --limit '"=mem:1024K'
cp out first.zpl
for line in \
    "seed = 7                                # command line" \
    "mailbox = 10000                         # default" \
    "mailbox-bytes = 64M                     # app.zpl:2" \
    "rule = second=thread:2                  # command line" \
    "rule = x=ecs                            # environment TROUPE_PLACE" \
    "rule = gre*=nice:1,cpus:0,1,2           # app.zpl:4" \
    "default = '#=core:0'                    # app.zpl:5" \
    "args = '\"two words\" and more'       # app.zpl:9"; do
    grep -q -F -e "    $line" first.zpl || fails "$said: no '$line' in: $(cat first.zpl)"
done
runs 0 hello --launch first.zpl --dump-launch
cp out second.zpl
[ "$(values first.zpl)" = "$(values second.zpl)" ] ||
    fails "$said: says something else: $(diff first.zpl second.zpl)"
runs 0 hello --launch second.zpl
[ "$(cat out)" = hello ] || fails "$said: printed $(cat out)"

# What ZPL cannot express is not printed in part.
runs 2 hello --dump-launch --place "'\"#=ecs"
says 'cannot express this rule (command line)'
[ ! -s out ] || fails "$said: printed $(cat out)"
exit "$failed"
