#!/usr/bin/env bash
# layers.sh ROOT: the layers of runtime/src, and what each may include. Prints each include that goes upwards, and each
# circle of headers that include each other. That no files call each other in a circle is for scripts/circles.sh.
set -u
[ $# = 1 ] || { sed -n 2,3p "$0"; exit 2; }
cd "$1" || exit 1

find runtime/src backends/ecs -name '*.[ch]' -print0 | sort -z | xargs -0 awk '
function base(path) { # runtime/src/wire/zmq.h: wire/zmq
    sub(/^runtime\/src\//, "", path)
    sub(/\.[ch]$/, "", path)
    return path
}
function complain(text) {
    print text
    failed = 1
}
# Visit a module, depth first: one that is reached again while it is being visited closes a circle.
function visit(module, path,    n, i, next_of) {
    if (state[module] == 2) return
    if (state[module] == 1) {
        complain("circle of includes:" substr(path, index(path, " " module " ")) module)
        return
    }
    state[module] = 1
    n = split(uses[module], next_of, " ")
    for (i = 1; i <= n; i++) visit(next_of[i], path module " ")
    state[module] = 2
}
BEGIN {
    # Each folder, and what lies below it.
    below["base"] = ""
    below["wire"] = "base"
    below["config"] = "base"
    below["shared"] = "base wire"
    below["channel"] = below["shared"] " shared"
    below["actor"] = below["channel"] " channel"
    below["loop"] = below["actor"] " actor"
    below["api"] = below["loop"] " loop"
    below["observe"] = below["loop"] " loop"
    below["node"] = below["loop"] " loop api observe config"
    below["main"] = below["node"] " node"
    for (folder in below) allowed[folder] = " " below[folder] " " folder " "
}
FNR == 1 {
    is_runtime = FILENAME ~ /^runtime\/src\//
    module = base(FILENAME)
    modules[module] = 1
    split(module, part, "/")
    folder = part[1]
    if (is_runtime && !(folder in below)) complain(FILENAME ": runtime/src/" folder "/ is no layer: see scripts/layers.sh")
}
match($0, /^#[ ]*include "[^"]+"/) {
    header = substr($0, RSTART, RLENGTH)
    sub(/^[^"]*"/, "", header)
    sub(/"$/, "", header)
    if (header ~ /^troupe\//) next
    if (is_runtime) {
        split(header, part, "/")
        if (header !~ /\//) complain(FILENAME ":" FNR ": include \"FOLDER/" header "\"")
        else if (index(allowed[folder], " " part[1] " ") == 0)
            complain(FILENAME ":" FNR ": " folder "/ lies below " part[1] "/ and may not include it")
        target = base(header)
    } else {
        target = header ~ /\// ? base(header) : "backends/ecs/" base(header)
    }
    if (FILENAME !~ /\.h$/) next
    if (target != module && index(uses[module] " ", " " target " ") == 0) uses[module] = uses[module] " " target
}
END {
    for (module in modules) visit(module, " ")
    exit failed
}' || exit 1 # xargs has a status of its own
