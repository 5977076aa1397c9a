#!/bin/sh
# reports.sh leak|hello PROGRAM: what a program with a fault must say, and how it must end.
set -eu

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# says PATTERN: some line of the program's output is it.
says() {
    grep -qE "$1" "$output" || { cat "$output" >&2; fail "no line matches: $1"; }
}

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
sh -c 'ulimit -c 0; exec "$1"' sh "$2" >"$output" 2>&1 || status=$?

case $1 in
leak)
    [ "$status" = 0 ] || fail "status $status"
    says '^leaks: 2$'
    says '^(lost|held): 1 block, 100 bytes tag Leak type Paged allocated at .*leak\.c:8$'
    says '^(lost|held): 1 block, 12288 bytes tag Leak type Nonp allocated at .*leak\.c:9$'
    if grep -q 'tag good' "$output"; then fail "a freed block is reported as leaked"; fi
    ;;
hello)
    [ "$status" = 134 ] || fail "status $status, not that of SIGABRT"
    says '^\*\*\* STOP: 0x0000013A KERNEL_MODE_HEAP_CORRUPTION \(0x0{15}6, '
    says '^block: 0x[0-9a-f]+ size 18 tag RxVn type Paged$'
    says '^allocated at: .*hello\.c:7$'
    says '^damage: offset 18, 1 byte: 00 '
    says '^detected at: .*hello\.c:10$'
    ;;
esac
