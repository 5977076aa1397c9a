#!/bin/sh
# Reports in words: `rxpool symbols`, and `rxpool run`, which does the same to a command's reports as
# they come.
# usage: symbols_test.sh RXPOOL CC CXX
set -u
rxpool=$1
cc=$2
cxx=$3
library=$(dirname "$rxpool")/../lib/librxpool-malloc.so
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
unset RXPOOL_OPTIONS LD_PRELOAD
mkdir folder
export TMPDIR="$scratch/folder"
bad=0

fail() {
    echo "FAILED $1: $2"
    sed 's/^/    /' out
    bad=1
}

# says NAME PATTERN: a line of the last output matches.
says() {
    grep -q -e "$2" out || fail "$1" "nothing matches $2"
}

ended() {
    [ "$2" = "$3" ] || fail "$1" "status $2, not $3"
}

cat >twice.c <<'TEXT'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *make_name(void) {
    return malloc(10);
}

void end_name(char *name) {
    free(name);
}

int main(int argc, char **argv) {
    char *name = make_name();
    end_name(name);
    end_name(name);
    if (argc > 1 && strcmp(argv[1], "sleep") == 0)
        sleep(20);
    if (argc > 1 && strcmp(argv[1], "kill") == 0)
        kill(getpid(), 9);
    return 5;
}
TEXT
sed -i 's/#include <unistd.h>/&\n#include <signal.h>/' twice.c

# --- a report, afterwards -------------------------------------------------------------------------

named() {
    says "$1" "^allocated at: make_name at .*twice\.c:7 ($2+0x[0-9a-f]*)$"
    says "$1" "^freed at: end_name at .*twice\.c:11 ($2+0x[0-9a-f]*)$"
    says "$1" "^detected at: end_name at .*twice\.c:11 ($2+0x[0-9a-f]*)$"
    says "$1" "^  #1 main at .*twice\.c:15 ($2+0x[0-9a-f]*)$"
    says "$1" "^  #1 main at .*twice\.c:16 ($2+0x[0-9a-f]*)$"
    says "$1" "^  #1 main at .*twice\.c:17 ($2+0x[0-9a-f]*)$"
}

report_of() {
    RXPOOL_OPTIONS=checked=1:on_error=log:stacks=1 LD_PRELOAD=$library "$@" 2>report
}

$cc -g -O0 -o twice twice.c || exit 1
report_of ./twice
"$rxpool" symbols report >out
ended "a file" $? 0
named "a file" twice
"$rxpool" symbols <report >out
named "standard input" twice
[ "$(wc -l <report)" = "$(wc -l <out)" ] || fail "lines" "$(wc -l <report) became $(wc -l <out)"
grep -v -e '+0x' report >left
grep -v -e '+0x' out | cmp -s - left || fail "other lines" "they changed"
"$rxpool" symbols out >again
cmp -s out again || fail "twice over" "the second time changed something"

$cc -g -O0 -no-pie -o fixed twice.c || exit 1
report_of ./fixed
"$rxpool" symbols report >out
named "a program that is not position-independent" fixed

cp twice stripped && strip stripped
report_of ./stripped
"$rxpool" symbols report >out
says "a stripped program" "^allocated at: /.*/stripped+0x[0-9a-f]*$"

cp twice symbols && strip -g symbols
report_of ./symbols
"$rxpool" symbols report >out
says "symbols alone" "^allocated at: make_name+0x[0-9a-f]* (symbols+0x[0-9a-f]*)$"

cp twice apart && objcopy --only-keep-debug apart apart.debug && strip apart &&
    objcopy --add-gnu-debuglink=apart.debug apart
report_of ./apart
"$rxpool" symbols report >out
named "a debug file of its own" apart

mv report gone && sed "s|$scratch/|/nowhere/|" gone >report
"$rxpool" symbols report >out
cmp -s report out || fail "a module that is not there" "its lines changed"

# --- shared objects, inlined functions, C++ ------------------------------------------------------

cat >inner.c <<'TEXT'
#include <stdlib.h>
static inline __attribute__((always_inline)) char *obtain(unsigned n) {
    char *p = malloc(n);
    p[n] = 1;
    return p;
}
void *inner(void) {
    return obtain(30);
}
TEXT
printf '#include <stdlib.h>\nvoid *inner(void);\nint main(void) {\n    free(inner());\n    return 0;\n}\n' >outer.c
$cc -g -O1 -fPIC -shared -o libinner.so inner.c && $cc -g -o outer outer.c ./libinner.so || exit 1
report_of ./outer
"$rxpool" symbols report >out
says "an inlined function of a shared object" \
    "^allocated at: obtain at .*inner\.c:3, inlined in inner at .*inner\.c:8 (libinner\.so+0x[0-9a-f]*)$"
says "who called a shared object" "^  #1 main at .*outer\.c:4 (outer+0x[0-9a-f]*)$"

cat >names.cc <<'TEXT'
namespace disk {
struct cache {
    explicit cache(int n);
    int *entries;
};
__attribute__((noinline)) cache::cache(int n) : entries(new int[n]) {
}
}
int main() {
    disk::cache c(3);
    c.entries[3] = 1;
    delete[] c.entries;
}
TEXT
$cxx -g -O0 -w -o names names.cc || exit 1
report_of ./names
"$rxpool" symbols report >out
says "C++" "^allocated at: disk::cache::cache(int) at .*names\.cc:6 (names+0x[0-9a-f]*)$"

# --- the command's own words ----------------------------------------------------------------------

"$rxpool" symbols nowhere >out 2>&1
ended "no such file" $? 3
"$rxpool" symbols a b >out 2>&1
ended "two files" $? 2
says "two files" "valid: rxpool symbols"
if [ -e /dev/full ]; then
    "$rxpool" symbols report >/dev/full 2>out
    ended "a full device" $? 1
fi

# --- rxpool run -----------------------------------------------------------------------------------

"$rxpool" run --checked ./twice >out 2>&1
ended "run" $? 134
says "run" "^allocated at: make_name at .*twice\.c:7 (twice+0x[0-9a-f]*)$"
says "run" "^detected at: end_name at .*twice\.c:11 (twice+0x[0-9a-f]*)$"
[ "$(sed -n 1p out | cut -c 1-9)" = "*** STOP:" ] || fail "run" "the report is not in front of the table"
[ "$(ls -A folder)" = "" ] || fail "run" "it left $(ls -A folder)"

RXPOOL_OPTIONS=on_error=log:stacks=1 "$rxpool" run --checked ./twice >out 2>&1
ended "run and go on" $? 5
named "run and go on" twice

RXPOOL_OPTIONS=on_error=log:stacks=1 "$rxpool" run --checked ./twice kill >out 2>&1
ended "a command that is killed" $? 137
named "a command that is killed" twice

RXPOOL_OPTIONS=on_error=log "$rxpool" run --checked sh -c './twice; ./twice; exit 4' >out 2>&1
ended "children" $? 4
[ "$(grep -c '^freed at: end_name at ' out)" = 2 ] || fail "children" "not a report of each"

RXPOOL_OPTIONS=on_error=log "$rxpool" run --checked ./twice sleep >out 2>&1 &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -q '^detected by: ' out && break
    sleep 0.5
done
says "as they come" "^detected at: end_name at "
says "as they come" "^detected by: free$"
grep -q 'at its end' out && fail "as they come" "the command had ended before"
kill -TERM $pid
wait $pid
ended "as they come" $? 143

# A process that outlives the command: its report comes on its own stderr.
RXPOOL_OPTIONS=on_error=log "$rxpool" run --checked \
    sh -c '(while [ ! -e over ]; do sleep 0.1; done; ./twice) 2>late >/dev/null &' >out 2>&1
touch over
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 0.5
    [ -s late ] && break
done
grep -q '^\*\*\* STOP' late || fail "a process that outlives the command" "its report is lost"

RXPOOL_OPTIONS=report=$scratch/mine:on_error=log "$rxpool" run --checked ./twice >out 2>&1
ended "a file that the user names" $? 5
grep -q '^freed at: /.*/twice+0x' mine || fail "a file that the user names" "no report in it"
grep -q 'STOP' out && fail "a file that the user names" "the report is on stderr too"

# Killed, it leaves nothing behind either.
"$rxpool" run --checked sleep 60 >out 2>&1 &
runner=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 0.2
    command=$(cat /proc/$runner/task/$runner/children)
    [ -n "$command" ] && grep -q '^sleep$' "/proc/${command% }/comm" && break
done
[ -n "$(ls -A "$TMPDIR")" ] || fail "killed" "there is nothing to remove"
kill -KILL $runner
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -z "$(ls -A "$TMPDIR")" ] && break
    sleep 0.1
done
[ -z "$(ls -A "$TMPDIR")" ] || fail "killed" "left: $(ls -A "$TMPDIR")"
kill "${command% }"

TMPDIR=/nowhere "$rxpool" run --checked ./twice >out 2>&1
says "no such TMPDIR" "^freed at: end_name at "

# --- without what knows places ---------------------------------------------------------------------

mkdir -p alone/bin
cp "$rxpool" alone/bin/
RXPOOL_LIB_DIR=$(dirname "$library") alone/bin/rxpool run --checked ./twice >out 2>&1
says "alone" "^rxpool: functions and lines are not known: "
says "alone" "^freed at: [^ ]*twice+0x[0-9a-f]*"
[ "$(grep -c 'are not known' out)" = 1 ] || fail "alone" "said more than once"

# --- tables ---------------------------------------------------------------------------------------

"$rxpool" run --by site --json site.json ./twice >out 2>&1
says "by site" "make_name at .*twice\.c:7 (twice+0x[0-9a-f]*)$"
grep -q '"site":"twice+0x[0-9a-f]*","place":"make_name at [^"]*twice.c:7"' site.json ||
    fail "by site, as JSON" "$(cat site.json)"

[ $bad = 0 ] && echo "symbols: every check passed"
exit $bad
