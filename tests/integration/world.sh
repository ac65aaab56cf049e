#!/bin/sh
# The examples of the ECS world, and the workloads of the benchmark program that measure it.
. "$(dirname "$0")/../support/program.sh"

# prints TEXT: that was the output, and standard error is empty.
prints() {
    [ "$(cat "$scratch/out")" = "$1" ] || fails "$said: printed '$(head -c 500 "$scratch/out")'"
    [ ! -s "$scratch/err" ] || fails "$said: said on standard error: $(head -c 500 "$scratch/err")"
}

# Boids: the requested number of frames, each a complete picture with every boid in it.
for place in '*=ecs' 'shepherd=thread' 'shepherd=thread:2' 'shepherd=process'; do
    rm -rf "$scratch/flock"
    mkdir "$scratch/flock"
    runs 0 boids "$scratch/flock" 500 4 --seed 7 --place "$place"
    prints '500 boids in 4 frames'
    for frame in 0 1 2 3; do
        file=$scratch/flock/frame-000$frame.svg
        boids=$(tr -cd M <"$file" | wc -c)
        [ "$boids" -eq 500 ] || fails "$said: $boids boids in frame $frame"
        [ "$(head -c 4 "$file")" = '<svg' ] || fails "$said: frame $frame does not begin as one"
        [ "$(tail -n 1 "$file")" = '</svg>' ] || fails "$said: frame $frame has no end"
    done
    [ "$(ls "$scratch/flock" | wc -l)" -eq 4 ] || fails "$said: not 4 frames"
done

# On one executor the same seed gives the same pictures.
for again in 1 2; do
    mkdir "$scratch/again-$again"
    runs 0 boids "$scratch/again-$again" 500 4 --seed 7
done
diff -r "$scratch/again-1" "$scratch/again-2" >/dev/null || fails "$said: other pictures each time"

runs 2 boids
says 'DIRECTORY'
runs 2 boids "$scratch" many
says 'DIRECTORY'
runs 1 boids "$scratch/nowhere" 10 2
says "cannot write $scratch/nowhere/frame-0000.svg"
runs 1 boids "$scratch" 10 2 --place 'flock=thread'
says "place 'flock' on ecs"

# The loop: steps are of one size, so the result is the same wherever the referee lives.
runs 0 game_loop 300 60
balls=$(cat "$scratch/out")
for place in '*=ecs' 'referee=thread' 'referee=process'; do
    TROUPE_PLACE=$place
    export TROUPE_PLACE
    runs 0 game_loop 300 60
    prints "$balls"
done
unset TROUPE_PLACE
[ "$(tr -cd '0-9 \n' <"$scratch/out" | awk 'NR == 1 {print $2} NR == 2 {print $1}' | uniq | wc -l)" -eq 1 ] ||
    fails "$said: the referee has not seen what there was: $balls"
runs 0 game_loop 300 5 --times
grep -q '^bounce .* us a frame' "$scratch/out" || fails "$said: no times of 'bounce'"
runs 2 game_loop none
says 'usage'

# The workloads: each entity was visited, and is as it was before.
if [ -x "$bin/troupe-bench" ]; then
    for workload in query component; do
        runs 0 troupe-bench "$workload" --messages 30000 --runs 1 --json
        grep -q '"checksum":449985000' "$scratch/out" || fails "$said: $(cat "$scratch/out")"
        runs 2 troupe-bench "$workload" --messages 100 --place '*=thread'
        says 'entities of the world'
    done
fi
exit "$failed"
