#!/bin/sh
# The word count gives the answer of the classic pipeline, on every placement and for any bytes.
set -eu
export LC_ALL=C
wordcount=${TROUPE_BIN_DIR:?is to name the directory of the examples}/../programs/wordcount
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
failed=0

# fails TEXT: says what does not hold.
fails() {
    echo "FAILED: $*" >&2
    failed=1
}

# pipeline FILE...: what is to be printed for the files.
pipeline() {
    cat "$@" | tr -cs A-Za-z '\n' | tr A-Z a-z | grep . | sort | uniq -c |
        sort -k1,1nr -k2,2 | awk '{ print $2, $1 }' >expected
}

# counts CASE ARGUMENT...: the word count ends well and prints what is expected.
counts() {
    case=$1
    shift
    status=0
    timeout -k 5 20 "$wordcount" --top 1000000 "$@" >out 2>err || status=$?
    if [ "$status" -ne 0 ]; then
        fails "$case: exit status $status: $(head -c 500 err)"
    elif ! cmp -s expected out; then
        fails "$case: not as the pipeline: $(diff expected out | cut -c 1-80 | head -n 4)"
    fi
}

# counts_anywhere CASE PATH...: as counts(), on every placement.
counts_anywhere() {
    what=$1
    shift
    for place in '*=ecs' '*=thread' '*=thread:2' '*=process' 'counter=thread:3' 'counter=process:2' \
        'wordcount=thread'; do
        counts "$what with --place $place" --place "$place" "$@"
    done
}

# noise SEED BYTES: bytes by chance, the same for the same seed.
noise() {
    awk -v seed="$1" -v bytes="$2" 'BEGIN {
        srand(seed)
        for (i = 0; i < bytes; i++) printf "%c", 1 + int(rand() * 255)
    }' | tr '\001' '\000'
}

# letters LETTER COUNT: a word, or a piece of one.
letters() {
    head -c "$2" /dev/zero | tr '\000' "$1"
}

licences=/usr/share/common-licenses
if [ -d "$licences" ]; then
    pipeline "$licences"/*
    counts_anywhere 'licence texts' "$licences"
    head -n 3 expected >top && mv top expected
    counts 'the top' --top 3 "$licences"
    : >expected
    counts 'a top of none' --top 0 "$licences"
fi

noise 1 100000 >noise.1
noise 2 70000 >noise.2
pipeline noise.1 noise.2
counts_anywhere 'bytes by chance' noise.1 noise.2

# Blocks of the word count end at these lengths, or near.
for length in 1023 65536 131072 262143 262144 262145 524288 3000000; do
    letters W "$length"
    printf ' '
done >long
letters w 262144 >>long
pipeline long
counts_anywhere 'long words' long

printf 'one wo' >run.1
printf 'rd tw' >run.2
printf 'o' >run.3
: >run.4
printf 'x y' >run.5
printf ' z' >run.6
pipeline run.*
counts_anywhere 'files that end within a word' run.1 run.2 run.3 run.4 run.5 run.6

mkdir -p 'a tree/of some/depth' outside
printf 'Apples and pears\n' >'a tree/a file'
printf 'and APPLES\n' >'a tree/of some/depth/.hidden'
printf 'pears\n' >outside/pears
: >'a tree/empty'
ln -s ../outside/pears 'a tree/a link'
ln -s .. 'a tree/of some/round in circles'
ln -s 'a tree' 'a way in'
printf 'and 3\napples 2\npears 2\n' | sed 's/^and 3/and 2/' | sort -k2,2nr -k1,1 >expected
counts_anywhere 'a tree of directories' 'a tree'
counts 'a link to a directory' 'a way in'
: >expected
counts_anywhere 'an empty file' 'a tree/empty'

mkdir many
i=0
while [ "$i" -lt 600 ]; do
    printf 'file number %d of many\n' "$i" >"many/$i"
    i=$((i + 1))
done
pipeline many/*
counts_anywhere 'many files' many
counts 'many files, with one message to a mailbox' --mailbox 1 many
counts 'many files, with one message to a mailbox, on threads' --mailbox 1 --place '*=thread' many

# complains STATUS TEXT ARGUMENT...: it ends with that status, says that, and counts the rest.
complains() {
    expected_status=$1
    text=$2
    shift 2
    status=0
    timeout -k 5 20 "$wordcount" "$@" >out 2>err || status=$?
    if [ "$status" -ne "$expected_status" ]; then
        fails "$*: exit status $status, expected $expected_status"
    elif ! grep -qF -e "$text" err; then
        fails "$*: no '$text' in: $(head -c 500 err)"
    elif ! cmp -s expected out; then
        fails "$*: the rest is not counted: $(head -c 500 out)"
    fi
}

ln -s nowhere outside/dangling
mkfifo outside/fifo
printf 'pears 1\n' >expected
for place in '*=ecs' '*=thread' '*=process'; do
    complains 1 'no such file: No such file or directory' 'no such file' outside/pears \
        --place "$place"
    complains 1 'outside/dangling: No such file or directory' outside --place "$place"
    complains 1 'outside/fifo: not a regular file' outside --place "$place"
    complains 1 '/proc/self/mem: Input/output error' /proc/self/mem outside/pears --place "$place"
done
if [ "$(id -u)" -ne 0 ]; then
    printf 'secret\n' >closed && chmod 000 closed
    mkdir locked && chmod 000 locked
    complains 1 'closed: Permission denied' closed outside/pears
    complains 1 'locked: Permission denied' locked outside/pears
fi

: >expected
complains 2 'PATH'
complains 2 '--top' --top x outside/pears
complains 2 '--top' outside/pears --top
complains 2 'flag' --tip 3 outside/pears
printf 'fifo words\n' >outside/fifo &
printf 'fifo 1\nwords 1\n' >expected
counts 'a pipe' outside/fifo
if [ -c /dev/full ] && timeout -k 5 20 "$wordcount" outside/pears >/dev/full 2>err; then
    fails 'the exit status does not tell that nothing could be printed'
fi
exit "$failed"
