#!/bin/sh
# Exhausts the models of the remote-free protocol, then takes the guards out one at a time and demands
# that the model notices. Usage: model/run.sh WORKDIR [all|hold|break]
set -eu

models=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: model/run.sh WORKDIR [all|hold|break]}
part=${2:-all}
failures=0
optimise=-O0 # a model is compiled for longer than it runs

case $part in
all | hold | break) ;;
*) echo "run.sh: part \"$part\": all, hold or break is valid" >&2; exit 2 ;;
esac
command -v spin >/dev/null || { echo "skipped: spin is not installed"; exit 77; }
mkdir -p "$work"
cd "$work"

# Prints "holds", "fails" or "unfinished" for MODEL [-D...]; pan's own words stay in pan.out.
verdict() {
    model=$1
    shift
    # -E: threads that vanish in a fork never end; the models assert what must be true instead.
    ends=
    case "$*" in *FORK*) ends=-E ;; esac
    spin -a "$@" "$models/$model" >spin.out 2>&1 || { cat spin.out >&2; exit 1; }
    ${CC:-cc} $optimise -w -DSAFETY -DMEMLIM=1500 -o pan pan.c
    ./pan -m400000 -w22 $ends >pan.out 2>&1 || true
    if ! grep -q 'errors: 0$' pan.out; then
        echo fails
    elif grep -q -e 'Search not completed' -e 'max search depth' pan.out; then
        echo unfinished
    else
        echo holds
    fi
}

expect() {
    want=$1
    shift
    got=$(verdict "$@")
    states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.out)
    echo "$got (expected: $want) $* [$states states]"
    [ "$got" = "$want" ] || { failures=$((failures + 1)); cat pan.out; }
}

if [ "$part" != break ]; then
    expect holds slab.pml
    expect holds slab.pml -DPUSHERS=1 -DTHREADS=1 -DALLOCS=6
    expect holds slab.pml -DCAP=3 -DALLOCS=3
    expect holds slab.pml -DCAP=3 -DMARK=2 -DALLOCS=4 -DTHREADS=1
    expect holds slab.pml -DFORK=1
    expect holds slab.pml -DFORK=2
    expect holds notify.pml
    expect holds share.pml
    expect holds reader.pml -DSTEPS=2 -DSTEPS2=0
    optimise=-O2 # but for this one
    expect holds reader.pml -DSTEPS=1 -DSTEPS2=1
    optimise=-O0
fi
if [ "$part" != hold ]; then
    for guard in COLLECT_STORE FULL_STORE NEVER_NOTIFY NOTIFY_TWICE NOTIFY_BLIND EVENT \
        RETIRE_NOTIFIED ORPHAN_STALE ORPHAN_UNLOCKED ORPHAN_UNCHECKED EXIT_UNCHECKED \
        EXIT_UNDRAINED; do
        expect fails slab.pml "-DBREAK_$guard"
    done
    expect fails slab.pml -DPUSHERS=1 -DTHREADS=1 -DALLOCS=6 -DBREAK_DRY_NOTIFIED
    expect fails slab.pml -DFORK=1 -DBREAK_CHILD_UNWALKED
    expect fails slab.pml -DFORK=2 -DBREAK_ORPHAN_UNCHECKED
    for guard in TAKE NEXT_LATE STALE_LINK; do
        expect fails notify.pml "-DBREAK_$guard"
    done
    for guard in SHARE_UNMARKED LEADER_FIRST; do
        expect fails share.pml "-DBREAK_$guard"
    done
    for guard in READER_ORDER READER_GENERATION READER_FOLD FOLD_UNMARKED; do
        expect fails reader.pml -DSTEPS=2 -DSTEPS2=0 "-DBREAK_$guard"
    done
fi
[ "$failures" -eq 0 ] || { echo "$failures not as expected"; exit 1; }
