#!/usr/bin/env bash
# circles.sh FOLDER: the object files of the library, in a build that has one for each source, call each other in no
# circle. Prints each circle, with a function that ties each step.
set -u
[ $# = 1 ] || { sed -n 2,3p "$0"; exit 2; }
cd "$1" || exit 1
mapfile -d '' objects < <(find . -name '*.c.o' -print0)
if [ ${#objects[@]} = 0 ] || [[ ${objects[*]} == *unity_* ]]; then
    echo "$1: not the folder of a build with one object file for each source, such as that of the preset dev" >&2
    exit 2
fi

printf '%s\0' "${objects[@]}" | xargs -0 nm -A | awk '
function short(path) {
    sub(/^\.\//, "", path)
    sub(/:.*$/, "", path)
    sub(/^runtime\/src\//, "", path)
    sub(/\.c\.o$/, "", path)
    return path
}
# Visit a file, depth first: one that is reached again while it is being visited closes a circle.
function visit(file, path,    n, i, callees) {
    if (state[file] == 2) return
    if (state[file] == 1) {
        print "circle of calls:" substr(path, index(path, " " file " ")) file
        failed = 1
        return
    }
    state[file] = 1
    n = split(calls[file], callees, " ")
    for (i = 1; i <= n; i++) visit(callees[i], path file " (" by[file, callees[i]] ") ")
    state[file] = 2
}
{ file = short($1); kind = $(NF - 1); name = $NF; files[file] = 1 }
kind ~ /^[TDBR]$/ { home[name] = file }
kind == "U" { users[++count] = file; used[count] = name }
END {
    for (i = 1; i <= count; i++) {
        to = home[used[i]]
        if (to == "" || to == users[i] || (users[i], to) in by) continue
        by[users[i], to] = used[i]
        calls[users[i]] = calls[users[i]] " " to
    }
    for (file in files) visit(file, " ")
    exit failed
}'
