#!/usr/bin/env bash
# abi-symbols.sh LIBRARY HEADER...: the shared library shows troupe_* and nothing else, and every
# function that a public header declares.
set -u -o pipefail

library=$1
shift
shown=$(nm -D --defined-only "$library" | awk '{print $NF}' | sed 's/@.*//' | sort -u) || exit 1
# A declaration runs from TROUPE_API to its semicolon; the first name with a parenthesis is its own.
declared=$(
    cat "$@" | grep -v -E '^ *(/\*\*|\*|#)' | tr '\n' ' ' | grep -o -E 'TROUPE_API [^;]*;' |
        sed -E 's/[ *]*(troupe_[a-z0-9_]+)\(.*/ \1/; s/.* //' | sort -u
)

failed=0
for name in $shown; do
    case $name in
    troupe_*) ;;
    accept4) ;; # for libzmq: see runtime/src/wire/accept.h
    *)
        echo "$library shows $name: make it static, or name it troupe_... and declare it"
        failed=1
        ;;
    esac
done
for name in $declared; do
    if ! grep -q -x "$name" <<<"$shown"; then
        echo "$name is declared in a public header, and $library does not have it"
        failed=1
    fi
done
if [ -z "$declared" ]; then
    echo "no declarations found in: $*"
    failed=1
fi
exit $failed
