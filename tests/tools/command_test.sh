#!/bin/sh
# The rxpool command: what it prints and the status it ends with.
# usage: command_test.sh RXPOOL CC
set -u
rxpool=$1
cc=$2
library=$(dirname "$rxpool")/../lib/librxpool-malloc.so
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
unset RXPOOL_OPTIONS LD_PRELOAD
bad=0

# check NAME WANTED-STATUS PATTERN COMMAND...: the status, and a line of stderr or stdout that matches.
check() {
    name=$1 wanted=$2 pattern=$3
    shift 3
    "$@" >out 2>err </dev/null
    got=$?
    if [ "$got" != "$wanted" ]; then
        echo "FAILED $name: status $got, not $wanted"
        sed 's/^/    /' err
        bad=1
    elif ! cat out err | grep -q -e "$pattern"; then
        echo "FAILED $name: nothing matches $pattern"
        cat out err | sed 's/^/    /'
        bad=1
    fi
}

# one_line NAME: the last check's stderr was one line.
one_line() {
    if [ "$(wc -l <err)" != 1 ]; then
        echo "FAILED $1: $(wc -l <err) lines on stderr, not one"
        bad=1
    fi
}

skip() {
    echo "SKIPPED $1: $2"
}

# --- words that are not valid ---------------------------------------------------------------------

usage() {
    check "usage: $*" 2 "valid: " "$rxpool" "$@"
    one_line "usage: $*"
}
usage frobnicate
usage run
usage run --by owner true
usage run --frob true
usage run --every 0 true
usage run --every x true
usage run --by
usage run --guard left true
usage stat
usage stat 1 2
usage stat --frob 1
usage stat 0
usage explain
usage explain 0xC3
usage explain 0xC2 zz
usage explain 0xC2 1 2 3 4 5
usage symbols 1 2
usage symbols --frob
check "bad options" 2 "RXPOOL_OPTIONS: 'colour'" env RXPOOL_OPTIONS=colour=red "$rxpool" run touch ran
[ ! -e ran ] || { echo "FAILED bad options: the command was started"; bad=1; }
check "json nowhere" 2 "json /nowhere/x" "$rxpool" run --json /nowhere/x true

# --- commands that cannot run ---------------------------------------------------------------------

cannot() {
    name=$1
    shift
    check "$name" "$@"
    one_line "$name"
}
cannot "missing command" 127 "no such command" "$rxpool" run nosuchcommand
cannot "missing path" 127 "no such command" "$rxpool" run ./nosuch
: >plain
cannot "not executable" 126 "cannot be run: Permission denied" "$rxpool" run ./plain
cannot "directory" 126 "no regular file" "$rxpool" run /
printf '#!/nowhere/sh\n' >lost && chmod +x lost
cannot "lost interpreter" 126 "interpreter" "$rxpool" run ./lost
echo 'int main(void) { return 0; }' >s.c
$cc -o s s.c || exit 1
if $cc -static -o static s.c 2>/dev/null; then
    cannot "static" 126 "linked statically" "$rxpool" run ./static
else
    skip "static" "no static C library"
fi
if [ "$(id -u)" = 0 ]; then
    cp /bin/true setuid && chown 65534 setuid && chmod 4755 setuid
    cannot "setuid" 126 "setuid" "$rxpool" run ./setuid
else
    skip "setuid" "only root can make one of another user"
fi
mkdir empty
cannot "no library" 126 "RXPOOL_LIB_DIR" env RXPOOL_LIB_DIR="$scratch/empty" "$rxpool" run true

# --- ends of a command ----------------------------------------------------------------------------

check "ls" 0 "Mllc Nonp .*  libc.so.6" "$rxpool" run ls /
check "own status" 7 "Total" "$rxpool" run sh -c 'exit 7'
check "signal" 143 "Total" "$rxpool" run sh -c 'kill -TERM $$'
check "kill" 137 "Total" "$rxpool" run sh -c 'kill -KILL $$'
check "words behind the command are its own" 0 "^--json$" "$rxpool" run -- echo --json
check "a stop and a continue" 5 "Total" "$rxpool" run sh -c '(sleep 0.3; kill -CONT $$) & kill -STOP $$; exit 5'
check "a command that handles a signal" 9 "Total" "$rxpool" run sh -c 'trap "exit 9" USR1; kill -USR1 $$; sleep 5'
check "exec" 0 "  ls$" "$rxpool" run sh -c 'exec ls /'
check "by tag" 0 "Mllc .*librxpool-malloc.so" "$rxpool" run --by tag ls /
check "guards" 0 "Mllc .*" "$rxpool" run --by tag --guard exact ls /
check "by site" 0 "[ (]libc.so.6+0x" "$rxpool" run --by site --json site.json ls /
grep -q '"module":"libc.so.6","site":"libc.so.6+0x' site.json || { echo "FAILED by site: json"; bad=1; }
check "no allocation" 0 "never allocated" "$rxpool" run ./s
check "the user's options stay" 0 "Mllc .*librxpool-malloc.so" env RXPOOL_OPTIONS=by=tag "$rxpool" run ls /
check "periodic" 0 "after 0\.[0-9] s" "$rxpool" run --every 0.2 -- sh -c 'ls / >/dev/null; sleep 1'
printf '#include <stdlib.h>\nvoid *p;\nint main(void) { p = malloc(5000); return 0; }\n' >ends.c
$cc -o ends ends.c || exit 1
check "stats=exit" 0 "Mllc Nonp  *1  *0  *1  *[0-9]*  *[0-9]*  ends" \
    env LD_PRELOAD="$library" RXPOOL_OPTIONS=by=module:stats=exit ./ends
env LD_PRELOAD="$library" RXPOOL_OPTIONS=stats=exit:report=table.txt ./ends
grep -q "pool table of process .* at its exit" table.txt || { echo "FAILED stats=exit: no file"; bad=1; }
printf '#!/bin/sh\nexit 4\n' >script && chmod +x script
check "script" 4 "Total" "$rxpool" run ./script
if command -v python3 >/dev/null; then
    check "_exit" 3 "libpython\|python3" "$rxpool" run --json t.json python3 -c 'import os; os._exit(3)'
    check "abort" 134 "Total" "$rxpool" run python3 -c 'import os; os.abort()'
    python3 -c '
import json, sys
record = json.load(open("t.json"))
assert record["version"] == 1 and record["pid"] > 0, record
assert record["pools"], record
for pool in record["pools"]:
    assert pool["tag"] == "Mllc" and pool["type"] == "Nonp" and pool["module"], pool
    assert pool["diff"] == pool["allocs"] - pool["frees"] >= 0, pool
    assert pool["per_alloc"] == (pool["bytes"] // pool["diff"] if pool["diff"] else 0), pool
' || { echo "FAILED json: not in its form"; bad=1; }
else
    skip "_exit, abort, json" "no python3"
fi

# --- stat -----------------------------------------------------------------------------------------

cat >hold.c <<'EOF'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    for (int i = 0; i < 1234; i++) {
        char *p = malloc(1000);
        *(char *volatile *)&p = p;
        if (i >= 1000)
            free(p);
    }
    close(0); /* tells by /proc/PID/fd that it is ready */
    if (argc > 1)
        abort();
    pause();
    return argv[0] == NULL;
}
EOF
$cc -o hold hold.c || exit 1
figures=' 1234  *234  *1000  *[0-9]*  *1[0-9][0-9][0-9]  hold'

RXPOOL_OPTIONS=by=module LD_PRELOAD=$library ./hold </dev/null &
pid=$!
while [ -e /proc/$pid/fd/0 ]; do sleep 0.05; done
check "stat" 0 "$figures" "$rxpool" stat $pid
check "stat --json" 0 '"module":"hold","allocs":1234,"frees":234,"diff":1000' "$rxpool" stat --json $pid
if [ -e /dev/full ]; then
    "$rxpool" stat $pid >/dev/full 2>err
    if [ $? != 1 ] || ! grep -q "standard output" err; then
        echo "FAILED stat: a full device"
        bad=1
    fi
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && setpriv --reuid 65534 true 2>/dev/null; then
    cannot "denied" 3 "CAP_SYS_PTRACE" setpriv --reuid 65534 --clear-groups --inh-caps=-all "$rxpool" stat $pid
else
    skip "denied" "needs root and setpriv"
fi
RXPOOL_OPTIONS=by=site LD_PRELOAD=$library ./hold </dev/null &
by_site=$!
while [ -e /proc/$by_site/fd/0 ]; do sleep 0.05; done
check "a site's function" 0 " main+0x[0-9a-f]* (hold+0x[0-9a-f]*)" "$rxpool" stat $by_site
if command -v gcore >/dev/null && gcore -o gcore $by_site >/dev/null 2>&1; then
    check "a site's function in a core" 0 " main+0x[0-9a-f]* (hold+0x[0-9a-f]*)" "$rxpool" stat "gcore.$by_site"
fi
kill $by_site
if command -v gcore >/dev/null; then
    if gcore -o gcore $pid >/dev/null 2>&1; then
        check "stat of gcore's core" 0 "$figures" "$rxpool" stat "gcore.$pid"
        check "json of gcore's core" 0 "\"pid\":$pid,.*\"allocs\":1234" "$rxpool" stat --json "gcore.$pid"
        head -c 100000 "gcore.$pid" >cut.core
        check "a core that is cut short" 3 "rxpool: " "$rxpool" stat cut.core
        one_line "a core that is cut short"
    else
        skip "gcore" "it may not attach here"
    fi
else
    skip "gcore" "gdb is not installed"
fi
kill $pid

sleep 60 &
pid=$!
check "no pool" 3 "has no pool" "$rxpool" stat $pid
one_line "no pool"
kill $pid
cannot "no process" 3 "no process" "$rxpool" stat 2147483647
cannot "no file" 3 "no file" "$rxpool" stat ./nosuch
cannot "no core" 3 "not a core file" "$rxpool" stat "$rxpool"

# shellcheck disable=SC3045 # where -c is not known, the test is skipped
if [ "$(cat /proc/sys/kernel/core_pattern)" = core ] && (ulimit -c unlimited) 2>/dev/null; then
    (ulimit -c unlimited; RXPOOL_OPTIONS=by=module LD_PRELOAD=$library ./hold abort >/dev/null 2>&1) 2>/dev/null
    for core in core*; do
        check "stat of the kernel's core" 0 "$figures" "$rxpool" stat "$core"
    done
else
    skip "the kernel's core" "core_pattern is not 'core', or core files may not be written"
fi

# --- explain --------------------------------------------------------------------------------------

check "explain" 0 "BAD_POOL_CALLER" "$rxpool" explain 0xC2
check "explain a case" 0 "the freer's tag 'Fred'" "$rxpool" explain C2 0xA 0x1000 0x31676154 0x64657246
check "explain by name" 0 "0x00000019" "$rxpool" explain bad_pool_header
check "explain the last parameter" 0 "single bit" "$rxpool" explain 0xC1 1 2 0 0x32
check "explain an unknown case" 0 "no case that is known" "$rxpool" explain 0xC2 0x7777

[ $bad = 0 ] && echo "rxpool: every check passed"
exit $bad
