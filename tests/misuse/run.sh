#!/bin/sh
# Runs one case twice: the misuse must end with the report that docs/REPORTS.md shows for it, word for
# word but for addresses, thread numbers and times; its correct twin must say nothing.
#
#   run.sh NAME MISUSE TWIN SOURCE REPORTS.md          the test
#   run.sh --sample MISUSE SOURCE                      prints the report, for the document
set -u

fail() {
    printf '%s: %s\n' "$name" "$*" >&2
    exit 1
}

options_of() {
    sed -n '1s|^/\* options: \(.*\) \*/$|\1|p' "$1"
}

# What differs from run to run. The last four bytes of a header are its check word, over its address.
normal() {
    sed -E -e 's/0x0000[5-7][0-9A-F]{11}\b/0xADDRESS/g' -e 's/0x[5-7][0-9a-f]{11}\b/0xADDRESS/g' \
        -e 's/thread [0-9]+/thread N/g' -e 's/[0-9]+ ms ago/N ms ago/' \
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

said=$("$twin" 2>&1)
status=$?
[ $status -eq 0 ] || fail "the correct twin ended with status $status: $said"
[ -z "$said" ] || fail "the correct twin was not silent: $said"

expected=$(documented "$name" "$document")
[ -n "$expected" ] || fail "$document has no sample under '### $name'"
case $expected in
'*** STOP'* | *'
*** STOP'*) wanted=134 ;;
*) wanted=0 ;;
esac
said=$("$misuse" 2>&1)
status=$?
[ $status -eq $wanted ] || fail "status $status, not $wanted: $said"
said=$(printf '%s\n' "$said" | normal)
expected=$(printf '%s\n' "$expected" | normal)
[ "$said" = "$expected" ] || fail "the report is not as documented.
--- documented
$expected
--- given
$said"
