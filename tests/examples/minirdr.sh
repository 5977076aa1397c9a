#!/bin/sh
# minirdr.sh PART PROGRAM: runs the example redirector and holds what it says against find(1).
set -eu

fail() {
    [ ! -s "$output" ] || sed 's/^/    /' "$output" >&2
    echo "FAIL: $*" >&2
    exit 1
}

part=$1
minirdr=$2
work=$(mktemp -d)
output=$work/output
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
: >"$output"

# run STATUS ARGUMENT ...: runs it, and its exit status is STATUS.
run() {
    expected=$1
    shift
    status=0
    "$@" >"$output" 2>&1 || status=$?
    [ "$status" = "$expected" ] || fail "$*: status $status, not $expected"
}

# says PATTERN: some line of the output, commas left out, is it.
says() {
    tr -d , <"$output" | grep -qE "$1" || fail "no line matches: $1"
}

# count DIR FIND-TEST ...: how many names of the tree pass.
count() {
    find "$@" -printf x | wc -c
}

# agrees DIR: the output's figures are what find says of DIR, all of it equal, balanced and freed.
agrees() {
    files=$(count "$1/" -type f)
    directories=$(count "$1/" -type d)
    links=$(count "$1/" -type l)
    others=$(count "$1/" ! -type f ! -type d ! -type l)
    bytes=$(find "$1/" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')
    says "^found: $files files $directories directories $links links not followed $others sockets"
    says "^compared: $files files equal to a plain read 0 different 0 changed or resized 0 not read\$"
    says '^leaks: none$'
    says "^throughput: $files files $directories directories $bytes bytes in [0-9.]+ s: "
    says "^opens: $((2 * files + directories)) $files of them shared"
    balanced
}

# The table has the redirector's tags, and each row's allocations are its frees.
balanced() {
    for tag in RxSc RxNr RxVn RxFc RxNf RxSo RxFx RxIr RxWq RxDc RxRb RxMs; do
        says "^ $tag +(Paged|Nonp) +[1-9][0-9]* "
    done
    tr -d , <"$output" | awk '/^ Rx/ { rows++; if ($3 != $4 || $5 != 0 || $6 != 0) bad = 1 }
        END { exit bad || rows < 12 }' || fail "a row of the table does not balance"
}

# Sizes around pages and the read size, names that are not UTF-8 or look like something else.
plant() {
    mkdir -p "$work/tree/sub/empty"
    for size in 0 1 15 16 4064 4095 4096 4097 65535 65536 65537 300001; do
        head -c "$size" /dev/urandom >"$work/tree/sub/$size"
    done
    for name in '\377\376' 'back\\slash' 'gr\303\274n' '\360\235\204\236' '\355\262\200' \
        '\357\201\234' 'new\nline' ' '; do
        # shellcheck disable=SC2059 # the names are formats
        printf "$name" >"$work/tree/sub/$(printf "$name")"
    done
    mkdir "$work/tree/$(printf '\303')"
    echo inside >"$work/tree/$(printf '\303')/file"
    (
        cd "$work/tree"
        i=0
        while [ "$i" -lt 900 ]; do
            echo "$i" >"many.$i"
            i=$((i + 1))
        done
    )
}

case $part in
tree)
    plant
    run 0 "$minirdr" "$work/tree"
    agrees "$work/tree"
    says '^reading .*/tree on [0-9]+ threads$'
    for threads in 1 7; do
        run 0 "$minirdr" --threads="$threads" "$work/tree"
        agrees "$work/tree"
    done
    run 0 "$minirdr" "$work/tree/sub/empty"
    says '^found: 0 files 1 directories '
    says '^leaks: none$'
    ;;
hostile)
    plant
    (
        # Paths longer than PATH_MAX: 100 levels of 64 characters.
        cd "$work/tree"
        name=deep$(printf '%060d' 0)
        for _ in 0 1 2 3 4 5 6 7 8 9; do
            for _ in 0 1 2 3 4 5 6 7 8 9; do
                mkdir "$name"
                cd -P "./$name"
                echo here >file
            done
        done
    )
    ln -s . "$work/tree/loop"
    ln -s /nowhere "$work/tree/dangling"
    mkfifo "$work/tree/fifo"
    run 0 "$minirdr" "$work/tree"
    agrees "$work/tree"

    # No file may be read by everybody's right to read everything.
    as=
    if [ "$(id -u)" = 0 ]; then
        as="setpriv --reuid=65534 --regid=65534 --clear-groups"
        chmod 755 "$work"
        if ! $as test -x "$minirdr" 2>/dev/null; then
            echo "skipped: unreadable files (root, and no other user can run $minirdr)"
            exit 77
        fi
    fi
    mkdir "$work/tree/locked"
    echo no >"$work/tree/locked/never seen"
    echo no >"$work/tree/sub/secret"
    chmod 0 "$work/tree/locked" "$work/tree/sub/secret"
    # shellcheck disable=SC2086 # $as is words
    run 0 $as "$minirdr" "$work/tree"
    says '^not read: locked: Permission denied$'
    says '^not read: sub/secret: Permission denied$'
    says ' 2 not read$'
    says '^leaks: none$'
    balanced
    ;;
system)
    if [ ! -d /usr/include ]; then
        echo "skipped: no /usr/include"
        exit 77
    fi
    run 0 "$minirdr"
    says '^reading /usr/include on '
    agrees /usr/include
    ;;
memory)
    # Where memory ends early, names go unread and the status says so; nothing is lost or leaked.
    plant
    for limit in 64K 512K 1M 2M; do
        RXPOOL_OPTIONS=limit=$limit run 1 "$minirdr" "$work/tree"
        says '^leaks: none$'
        says '(^not read: .*: Cannot allocate memory|status 0xC000009A)$'
    done
    ;;
usage)
    echo file >"$work/file"
    run 2 "$minirdr" "$work/nowhere"
    says "^minirdr: $work/nowhere: No such file or directory\$"
    [ "$(wc -l <"$output")" = 1 ] || fail "more than one line"
    run 2 "$minirdr" "$work/file"
    says "^minirdr: $work/file: Not a directory\$"
    run 2 "$minirdr" "$work" "$work"
    says 'one DIR at most$'
    for threads in 0 65 x ''; do
        run 2 "$minirdr" --threads="$threads" "$work"
        says 'not a number from 1 to 64$'
    done
    run 2 "$minirdr" --nonsense
    run 0 "$minirdr" --help
    ;;
*)
    fail "no such part: $part"
    ;;
esac
