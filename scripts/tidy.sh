#!/usr/bin/env bash
# tidy.sh ROOT: how the tree is kept, as far as grep can tell. Says where and what to do about it.
set -u
cd "$1" || exit 1

failed=0
complain() { # complain REMEDY: standard input has the places, one a line
    local place
    while IFS= read -r place; do
        echo "$place: $1"
        failed=1
    done
}
sources() { # sources FOLDER...: C files in those of them that exist
    local folder
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -name '*.[ch]' -print0
    done
}
places() { # places PATTERN FOLDER...: file:line of each match
    local pattern=$1
    shift
    sources "$@" | xargs -0 -r grep -n -H -E -- "$pattern" | cut -d: -f1,2
}

# libzmq is met in few files, so that there are few to suspect and few to replace. Tests may show what
# libzmq itself does.
allowed='^(runtime/src/wire/(zmq|guard)\.c|bench/floor[^/]*):'
complain 'include <zmq.h> in wire/zmq.c, wire/guard.c or bench/floor* only' < <(
    places '#[[:space:]]*include[[:space:]]*[<"]zmq\.h' runtime backends actors bench |
        grep -v -E "$allowed"
)

# Of czmq we use what reads launch files; the rest installs signal handlers, or aborts.
complain 'include <czmq.h> in config/launch_file.c only' < <(
    places '#[[:space:]]*include[[:space:]]*[<"]czmq\.h' runtime backends actors bench |
        grep -v -E '^runtime/src/config/launch_file\.c:'
)

complain 'public headers speak of troupe_ names only' < <(places '\<trp_|\<TRP_' runtime/include backends/ecs/include)

# The runtime asks for traits; which backends there are is said in backends/.
complain 'the runtime names no backend: ask for a trait, or say it in backends/builtin.c' < <(
    places '"(ecs|thread|process)"' runtime/src
)

for backend in backends/*/; do
    name=$(basename "$backend")
    complain "a backend includes no header of another" < <(
        sources "$backend" | xargs -0 -r grep -n -H -E '#[[:space:]]*include[[:space:]]*"' |
            grep -E "\"(\.\./)*(backends/)?(ecs|thread|process)/" |
            grep -v -E "\"(\.\./)*(backends/)?$name/" | cut -d: -f1,2
    )
done

complain 'leftover XXX: do it, or write down why not' < <(
    places '\<XXX\>' runtime backends actors bench tests
)

# A header opens with its guard after its @file, so that both are where a reader looks.
while IFS= read -r -d '' header; do
    grep -q '@file troupe/' "$header" || complain 'a public header opens with @file' <<<"$header:1"
    grep -q '^#ifndef TROUPE_.*_H$' "$header" || complain 'a header has its guard' <<<"$header:1"
done < <(sources runtime/include backends/ecs/include)

# The README shows the first example as it is, and its map has a line for each folder at the top.
if [ -f README.md ] && [ -f actors/examples/hello.c ]; then
    sed '1,/^```c$/d; /^```$/,$d' README.md | diff -u actors/examples/hello.c - ||
        complain 'copy actors/examples/hello.c into the block' <<<README.md
fi
if [ -f README.md ]; then
    for folder in */; do
        [ "$folder" != build/ ] || continue
        grep -q -F "\`$folder\`" README.md || grep -q -E "^${folder%/}/ " README.md ||
            complain 'give it a line in the map of README.md' <<<"$folder"
    done
fi

# What each layer may include, and which words are not used any more.
bash scripts/layers.sh . || failed=1
bash scripts/words.sh . || failed=1

exit $failed
