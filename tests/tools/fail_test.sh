#!/bin/sh
# rxpool run --fail: which crashes it finds, what it says of them, and that what it says brings them back.
# usage: fail_test.sh RXPOOL CC INCLUDE
set -u
rxpool=$1 cc=$2 include=$3
lib=$(dirname "$rxpool")/../lib
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
unset RXPOOL_OPTIONS LD_PRELOAD
PATH=$(dirname "$rxpool"):$PATH
export PATH
bad=0

fail() {
    echo "FAILED $1"
    [ ! -e err ] || sed 's/^/    /' err
    bad=1
}

# check NAME WANTED-STATUS COMMAND...: out, err and the status.
check() {
    name=$1 wanted=$2
    shift 2
    "$@" >out 2>err
    got=$?
    [ "$got" = "$wanted" ] || fail "$name: status $got, not $wanted"
}

# says PATTERN, silent_on PATTERN: the last check's stderr.
says() {
    grep -q -e "$1" err || fail "$name: nothing matches '$1'"
}
silent_on() {
    ! grep -q -e "$1" err || fail "$name: something matches '$1'"
}

# replayed STATUS: every replay line, as a shell runs it, ends so.
replayed() {
    sed -n 's/^rxpool: replay: //p' err >replays
    [ -s replays ] || fail "$name: no replay"
    while read -r line; do
        sh -c "$line" >replay.out 2>replay.err <"${2:-/dev/null}"
        got=$?
        [ "$got" = "$1" ] || fail "$name: '$line' ended with $got, not $1"
    done <replays
}

# --- a command that waits: seconds, in which the others run; looked at below ---------------------------

cat >waits.c <<'END'
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    void *p = malloc(100);
    while (p == NULL)
        pause();
    free(p);
    return 0;
}
END
"$cc" -O0 -g -fno-builtin -o waits waits.c || exit 1
rxpool run --fail new-stack -- ./waits >waits.out 2>waits.err &
waiting=$!

# --- a list of lines, each in two blocks; the careless one looks at neither --------------------------

cat >list.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    struct line *next;
    char *text;
};

static struct line *free_all(struct line *l) {
    while (l != NULL) {
        struct line *next = l->next;
        free(l->text);
        free(l);
        l = next;
    }
    return NULL;
}

__attribute__((noinline)) static struct line *add(struct line *list, const char *text) {
    struct line *l = malloc(sizeof *l);
    if (CAREFUL && l == NULL)
        return free_all(list);
    l->next = list;
    l->text = malloc(strlen(text) + 1);
    if (CAREFUL && l->text == NULL)
        return free_all(l);
    strcpy(l->text, text);
    return l;
}

int main(void) {
    char text[100];
    struct line *list = NULL;
    unsigned lines = 0;
    for (; fgets(text, sizeof text, stdin) != NULL; lines++)
        if ((list = add(list, text)) == NULL)
            return 5;
    free_all(list);
    return lines == 10 ? 0 : 9;
}
END
for careful in 0 1; do
    "$cc" -O1 -g -fno-builtin -DCAREFUL=$careful -o list$careful list.c || exit 1
done
seq 10 >ten

check careless 1 rxpool run --fail new-stack -- ./list0 <ten
says '^rxpool: run 0: nothing failed: exit status 0$'
says '^rxpool: run [0-9]*: failed add at [^ ]*list.c:[0-9]* (list0+0x[0-9a-f]*): SIGSEGV$'
says ' 2 crashes; no new call stack is left$'
says '^rxpool: crash in run [0-9]*, failed add at [^ ]*list.c:[0-9]* (list0+0x[0-9a-f]*): SIGSEGV$'
says '^rxpool: replay: RXPOOL_OPTIONS=fail=@[0-9a-f]* rxpool run -- ./list0$'
replayed 139 ten
[ ! -s out ] || fail "careless: something on stdout"

check careful 0 rxpool run --fail new-stack -- ./list1 <ten
says 'failed add at [^ ]*list.c:[0-9]* (list1+0x[0-9a-f]*): exit status 5$'
says ' 0 crashes; no new call stack is left$'
silent_on 'replay\|crash in\|SIG'

# The same list each time: stdin is rewound; what cannot be is /dev/null.
silent_on 'exit status 9'
check "from a pipe" 0 sh -c 'cat ten | rxpool run --fail new-stack -- ./list1'
says 'nothing failed: exit status 9$'

check "every one in turn" 1 rxpool run --fail 1 --runs 1000 -- ./list0 <ten
says ' 20 crashes; it has no more allocations$'
replayed 139 ten
check "one" 1 rxpool run --fail 3 -- ./list0 <ten
says '^rxpool: 1 run, .*last one asked for$'
check "a percentage" 1 rxpool run --fail 20% --runs 10 -- ./list0 <ten
says '^rxpool: 10 runs, '
replayed 139 ten

# --- a file of stacks ---------------------------------------------------------------------------------

check "with a file" 1 rxpool run --fail new-stack --fail-file seen -- ./list0 <ten
check "with the same file" 0 rxpool run --fail new-stack --fail-file seen -- ./list0 <ten
says '^rxpool: run 1: nothing failed'
sed '$d' seen >less
check "with less of it" 0 rxpool run --fail new-stack --fail-file less --runs 5 -- ./list1 <ten
check "bounded" 0 rxpool run --fail new-stack --runs 1 -- ./list1 <ten
says '^rxpool: 1 run, 1 allocation failed, 0 crashes; that was the last one asked for$'

# --- stops, and filters of the user's own -------------------------------------------------------------

cat >twice.c <<'END'
#include <stdlib.h>
int main(void) {
    char *p = malloc(1000), *q = malloc(2000);
    if (p == NULL)
        exit(3);
    if (q == NULL)
        free(p);
    free(q);
    free(p);
    return 0;
}
END
"$cc" -O0 -g -fno-builtin -o twice twice.c || exit 1
check stop 1 rxpool run --checked --fail new-stack -- ./twice
says '^rxpool: run 2: failed main at [^ ]*twice.c:[0-9]* (twice+0x[0-9a-f]*): stop 0x000000C2 BAD_POOL_CALLER$'
says '^\*\*\* STOP: 0x000000C2'
says '^injected: 1 failure, the last at main at [^ ]*twice.c:3 (twice+0x[0-9a-f]*) (allocation 2)$'
says 'replay: RXPOOL_OPTIONS=fail=@[0-9a-f]* rxpool run --checked -- ./twice$'
replayed 134
check "with guard pages" 1 rxpool run --guard over --fail new-stack -- ./twice
says 'failed main at [^ ]*twice.c:[0-9]* (twice+0x[0-9a-f]*): stop 0x'
says 'replay: RXPOOL_OPTIONS=fail=@[0-9a-f]* rxpool run --guard over -- ./twice$'
replayed 134
check filtered 0 env RXPOOL_OPTIONS=fail_size=1-1K rxpool run --checked --fail new-stack -- ./twice
says ' 0 crashes; no new call stack is left$'

# --- commands of several processes --------------------------------------------------------------------

check "a shell's command" 1 env RXPOOL_OPTIONS=fail_size=2000 rxpool run --checked \
    --fail new-stack -- sh -c "./twice; exit 0"
says 'failed main at [^ ]*twice.c:[0-9]* (twice+0x[0-9a-f]*): stop 0x000000C2'

# --- a program on librxpool ---------------------------------------------------------------------------

cat >driver.c <<'END'
#include <ntifs.h>
#include <ntrxdef.h>
#include <string.h>
int main(void) {
    char *name = RxAllocatePoolWithTag(PagedPool, 100, 'nVxR');
    if (CAREFUL && name == NULL)
        return 1;
    memset(name, 0, 100);
    RxFreePool(name);
    return 0;
}
END
for careful in 0 1; do
    "$cc" -O1 -g -Wno-multichar -DDBG=1 -DCAREFUL=$careful -I"$include/rxpool/nt" -I"$include/rxpool" \
        -I"$include" -o driver$careful driver.c -L"$lib" -lrxpool -Wl,-rpath,"$lib" || exit 1
done
check driver 1 env RXPOOL_OPTIONS=fail_tag=Rx* rxpool run --fail new-stack -- ./driver0
says '^rxpool: run 1: failed driver.c:5: SIGSEGV$'
replayed 139
check "careful driver" 0 env RXPOOL_OPTIONS=fail_tag=Rx* rxpool run --fail new-stack -- ./driver1
says '^rxpool: run 1: failed driver.c:5: exit status 1$'

# --- ends that do not come ----------------------------------------------------------------------------

wait "$waiting"
name="a command that waits" got=$?
mv waits.err err
[ "$got" = 1 ] || fail "$name: status $got, not 1"
says 'failed main at [^ ]*waits.c:[0-9]* (waits+0x[0-9a-f]*): ended by rxpool, it took too long$'
check "little time" 0 rxpool run --fail new-stack --seconds 1 -- ./waits
says 'no time is left'
check "no end of its own" 1 rxpool run --fail new-stack --seconds 1 -- sleep 100
says 'has to end by itself'
check "crashes anyway" 1 rxpool run --fail new-stack -- sh -c 'kill -SEGV $$'
says 'run 0: nothing failed: SIGSEGV$'

# --- words --------------------------------------------------------------------------------------------

usage() {
    check "usage: $*" 2 rxpool run "$@"
    says 'valid: '
    [ "$(wc -l <err)" = 1 ] || fail "$name: $(wc -l <err) lines"
}
usage --fail sometimes true
usage --fail 0 true
usage --fail 101% true
usage --fail @xyz true
usage --fail 1:limit=1 true
usage --fail
usage --runs 3 true
usage --seconds 3 true
usage --fail-file x true
usage --fail 1 --runs 0 true
usage --fail 1 --runs x true
usage --fail 1 --seconds 0 true
usage --fail 1 --json x true
check "no such command" 127 rxpool run --fail 1 -- nosuchcommand
check "a file that cannot be" 2 rxpool run --fail new-stack --fail-file a:b -- true

exit $bad
