#!/bin/sh
# Runs one case twice: the misuse must end with the report that docs/REPORTS.md shows for it, word for
# word but for addresses, thread numbers, times, folders of modules and offsets in them; its correct twin
# must say nothing.
#
#   run.sh NAME MISUSE TWIN SOURCE REPORTS.md          the test
#   run.sh --sample MISUSE SOURCE                      prints the report, for the document
#
# For programs of another system, RXPOOL_RUNNER is the command that runs them, RXPOOL_STOPPED the status
# that a stop ends with (SIGABRT's else), and RXPOOL_ADDRESS what an address looks like (regular
# expression, behind 0x and leading zeros). RXPOOL_UNSEARCHED says that blocks are not searched for there,
# so that lost and held ones are one list.
set -u

fail() {
    printf '%s: %s\n' "$name" "$*" >&2
    exit 1
}

options_of() {
    sed -n '1s|^/\* options: \(.*\) \*/$|\1|p' "$1"
}

runner=${RXPOOL_RUNNER:-} stopped=${RXPOOL_STOPPED:-134}

# What differs from run to run. The last four bytes of a header are its check word, over its address, or the second four of
# a short one: some of them may be what the misuse writes there.
normal() {
    sed -E -e 's/0x0000[5-7][0-9A-F]{11}\b/0xADDRESS/g' -e 's/0x[5-7][0-9a-f]{11}\b/0xADDRESS/g' \
        ${RXPOOL_ADDRESS:+-e "s/0x0*($RXPOOL_ADDRESS)\\b/0xADDRESS/g"} -e 's/\r$//' \
        -e 's/thread [0-9]+/thread N/g' -e 's/[0-9]+ ms ago/N ms ago/' \
        -e 's/[^ ]*[\/\\]([^ \/\\]+)\+0x[0-9a-f]+/\1+OFFSET/' -e 's/\.exe\+OFFSET/+OFFSET/' \
        -e 's/^(lies in: .*\+)0x[0-9a-f]+$/\1OFFSET/' \
        -e 's/^(injected: .* at [^ ]*\+)0x[0-9a-f]+/\1OFFSET/' -e '/^injected: /s/\.exe\+/+/' \
        -e '/^replay: /s/@[0-9a-f]{16}/@HASH/g' \
        -e '/^oldest: /s/allocation [0-9]+/allocation N/' \
        -e 's/^damage: offset -[1-4], [1-4] bytes?: .*/damage: CHECK/' \
        -e 's/^(  0xADDRESS  (41 6c 6f 63|46 72 65 65) )([0-9a-f]{2} ){4}(.*) \|.{16}\|$/\1CHECK \4/' \
        -e '/\|....(Aloc|Free|Sign)....{5}\|$/s/^(  0xADDRESS  ([0-9a-f]{2} ){12}).*/\1CHECK/'
}

# The fenced text under the heading `### NAME`.
documented() {
    awk -v heading="### $1" '
        $0 == heading { found = 1; next }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' "$2"
}

if [ "$1" = --sample ]; then
    RXPOOL_OPTIONS=$(options_of "$3") "$2" 2>&1
    exit 0
fi

name=$1 misuse=$2 twin=$3 source=$4 document=$5
RXPOOL_OPTIONS=$(options_of "$source")
export RXPOOL_OPTIONS

# shellcheck disable=SC2086 # words
said=$($runner "$twin" 2>&1)
status=$?
[ $status -eq 0 ] || fail "the correct twin ended with status $status: $said"
[ -z "$said" ] || fail "the correct twin was not silent: $said"

unsearched() {
    sed -E -e 's/^(lost|held): /leak: /' -e 's/^(\*\*\* LEAKS: .*), lost: .*/\1/' \
        -e '/^leak: /s/ \([0-9]+ (through|by) [a-z ]+\)$//'
}

expected=$(documented "$name" "$document")
[ -z "${RXPOOL_UNSEARCHED:-}" ] || expected=$(printf '%s\n' "$expected" | unsearched)
[ -n "$expected" ] || fail "$document has no sample under '### $name'"
case $expected in
'*** STOP'* | '*** Assertion'* | *'
*** STOP'*) wanted=$stopped ;;
*) wanted=0 ;;
esac
case $RXPOOL_OPTIONS in *on_error=log* | *on_error=leak*) wanted=0 ;; esac
# shellcheck disable=SC2086
said=$($runner "$misuse" 2>&1)
status=$?
[ $status -eq "$wanted" ] || fail "status $status, not $wanted: $said"
said=$(printf '%s\n' "$said" | normal)
expected=$(printf '%s\n' "$expected" | normal)
[ "$said" = "$expected" ] || fail "the report is not as documented.
--- documented
$expected
--- given
$said"
