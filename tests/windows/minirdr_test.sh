#!/bin/sh
# The example as a Windows program, on a tree made for it: it finds what find(1) and the program for Linux find.
# usage: minirdr_test.sh PREFIX MINIRDR.EXE SOURCES [MINIRDR]
set -eu
wine="$(cd "$(dirname "$0")" && pwd)/wine.sh $1"
minirdr=$2
sources=$3
linux=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
output=$work/output
: >"$output"

fail() {
    sed 's/^/    /' "$output" >&2
    echo "FAIL: $*" >&2
    exit 1
}

# says PATTERN: some line of the output, commas left out, is it.
says() {
    tr -d ,'\r' <"$output" | grep -qE "$1" || fail "no line matches: $1"
}

run() {
    status=0
    # shellcheck disable=SC2086 # words
    $wine "$minirdr" "$2" >"$output" || status=$?
    [ "$status" = "$1" ] || fail "minirdr $2: status $status, not $1"
}

# What a run's lines say of the tree, in one form.
figures() {
    tr -d '\r' <"$1" | grep -E '^(found|compared|opens|leaks|throughput): ' |
        sed -E -e 's/; work items: .*//' -e 's/ in [0-9.]+ s: .*//'
}

mkdir -p "$work/tree/sub/empty"
for size in 0 1 15 16 4064 4095 4096 4097 65535 65536 65537 300001; do
    head -c "$size" /dev/urandom >"$work/tree/sub/$size"
done
i=0
while [ "$i" -lt 300 ]; do
    echo "$i" >"$work/tree/many.$i"
    i=$((i + 1))
done
cp -R "$sources/src" "$sources/include" "$work/tree"

files=$(find "$work/tree" -type f -printf x | wc -c)
directories=$(find "$work/tree" -type d -printf x | wc -c)
bytes=$(find "$work/tree" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
run 0 "Z:$work/tree"
says "^found: $files files $directories directories 0 links"
says "^compared: $files files equal to a plain read 0 different 0 changed or resized 0 not read\$"
says "^opens: $((2 * files + directories)) $files of them shared"
says '^leaks: none$'
says "^throughput: $files files $directories directories $bytes bytes in "
for tag in RxSc RxNr RxVn RxFc RxNf RxSo RxFx RxIr RxWq RxDc RxRb RxMs; do
    says "^ $tag +(Paged|Nonp) +[1-9][0-9]* "
done
tr -d , <"$output" | awk '/^ Rx/ { rows++; if ($3 != $4 || $5 != 0 || $6 != 0) bad = 1 }
    END { exit bad || rows < 12 }' || fail "a row of the table does not balance"

cat "$output"
if [ -x "$linux" ]; then
    "$linux" --threads=2 "$work/tree" >"$work/linux" 2>&1 || fail "$linux: status $?"
    figures "$output" >"$work/here"
    figures "$work/linux" >"$work/there"
    [ "$(wc -l <"$work/here")" = 5 ] || fail "not five lines of figures"
    diff "$work/there" "$work/here" >&2 || fail "the program for Linux says otherwise"
    echo "as $linux has it"
else
    echo "SKIP: no program for Linux to compare with: $linux is not built"
fi

run 2 "Z:$work/nowhere"
says 'nowhere: cannot be opened: status 0xC0000034$'
run 1 "Z:$work/tree/sub/16"
