#!/bin/sh
# rxpool.exe under Wine: what it prints and the status it ends with.
# usage: tool_test.sh PREFIX RXPOOL.EXE HOLD.EXE
set -u
wine="$(cd "$(dirname "$0")" && pwd)/wine.sh $1"
rxpool=$2
hold=$3
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
unset RXPOOL_OPTIONS
bad=0

failed() {
    echo "FAILED $*"
    sed 's/^/    /' out
    bad=1
}

# check NAME STATUS PATTERN WORD...: rxpool with these words; a line of what it says matches.
check() {
    name=$1 wanted=$2 pattern=$3
    shift 3
    # shellcheck disable=SC2086 # words
    $wine "$rxpool" "$@" >out
    got=$?
    tr -d '\r' <out >said && mv said out
    if [ "$got" != "$wanted" ]; then
        failed "$name: status $got, not $wanted"
    elif ! grep -q -e "$pattern" out; then
        failed "$name: nothing matches $pattern"
    fi
}

has() {
    grep -q -e "$2" out || failed "$1: nothing matches $2"
}

lacks() {
    ! grep -q -e "$2" out || failed "$1: something matches $2"
}

usage() {
    check "usage: $*" 2 "valid: " "$@"
    [ "$(wc -l <out)" = 1 ] || failed "usage: $*: not one line"
}

head=' Tag  Type       Allocs        Frees        Diff          Bytes  Per Alloc  Mapped_Driver'
held=' Hold Paged         1234          234        1000        1024000       1024'
record='"pools":\[{"tag":"Hold","type":"Paged","allocs":1234,"frees":234,"diff":1000,"bytes":1024000,"per_alloc":1024},{"tag":"Nonp","type":"Nonp","allocs":1,"frees":0,"diff":1,"bytes":112,"per_alloc":112}\]}$'

# --- words that are not valid ---------------------------------------------------------------------

usage frobnicate
usage symbols
usage run
usage run --frob x
usage run --checked x
usage run --every 0 x
usage run --every x x
usage run --every
usage run --guard left x
usage stat
usage stat 1 2
usage stat --frob 1
usage stat 0
usage explain 0xC3
check "no word" 2 "^usage: rxpool run"
check "help" 0 "RXPOOL_OPTIONS is passed on" run --help
check "version" 0 "^rxpool [0-9]" --version
check "json nowhere" 2 "json Z:/nowhere/x" run --json Z:/nowhere/x "$hold"
RXPOOL_OPTIONS=colour=red
export RXPOOL_OPTIONS
check "bad options" 2 "RXPOOL_OPTIONS: 'colour'" run "$hold"
lacks "bad options" Total
unset RXPOOL_OPTIONS
check "explain" 0 "the freer's tag 'Fred'" explain C2 0xA 0x1000 0x31676154 0x64657246

# --- run ------------------------------------------------------------------------------------------

check "missing command" 127 "nosuch: no such command" run nosuch
: >plain.exe
check "no program" 126 "plain.exe cannot be run: " run ./plain.exe
check "returns" 7 "^$held\$" run "$hold" return
has "returns" "^rxpool: .*hold.exe ([0-9]*) at its end\$"
has "returns" "^$head\$"
check "exits" 9 "^ Total              1235          234        1001        1024112       1023" run "$hold" exit
check "stops" 2 "^$held\$" run "$hold" stop
has "stops" "STOP: 0x000000C2"
check "never allocates" 0 "never allocated" run "$hold" none
check "faults" 5 "no table of .*: it links no pool, or ended by a fault or by force" run "$hold" fault
check "json" 7 "^$held\$" run --json t.json "$hold" return
grep -q '^{"version":1,"pid":[0-9]*,'"$record" t.json || { cp t.json out; failed "json: not in its form"; }
check "words of the command" 7 '^\[c"d\\e\]$' run --json t.json -- "$hold" return --json 'a b' 'c"d\e'
has "words of the command" '^\[a b\]$'
has "words of the command" '^\[--json\]$'
check "guards" 7 "^ Hold Paged         1234 " run --guard exact "$hold" return
lacks "guards" "^$held\$"
RXPOOL_OPTIONS=special=Hold
export RXPOOL_OPTIONS
check "the user's options stay" 7 "^ Hold Paged         1234 " run "$hold" return
lacks "the user's options stay" "^$held\$"
unset RXPOOL_OPTIONS

# --- a process that runs --------------------------------------------------------------------------

# start END: hold in the background; its process id in $pid.
start() {
    # shellcheck disable=SC2086 # words
    $wine "$hold" "$1" "Z:$scratch/pid" >held &
    job=$!
    tries=0
    while [ ! -s pid ] && [ $tries -lt 600 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    pid=$(tr -d '\r' <pid)
}

finish() {
    rm pid
    wait $job
}

start wait
check "stat" 0 "^$held\$" stat "$pid"
has "stat" "^$head\$"
check "stat --json" 0 '^{"version":1,"pid":'"$pid,$record" stat --json "$pid"
finish
start idle
check "no pool" 3 "process $pid has no pool" stat "$pid"
finish
(while [ ! -s pid ]; do sleep 0.1; done; sleep 3; rm pid) &
check "periodic" 7 "hold.exe ([0-9]*) after [0-9]*\.[0-9] s" run --every 0.2 "$hold" wait "Z:$scratch/pid"
[ "$(grep -c "^$held\$" out)" -ge 2 ] || failed "periodic: one table"
check "no process" 3 "there is no process 2147483640" stat 2147483640
check "a dump" 3 "dumps are not read on Windows" stat ./plain.exe

[ $bad = 0 ] && echo "rxpool.exe: every check passed"
exit $bad
