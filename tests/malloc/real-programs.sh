#!/bin/sh
# real-programs.sh LIBRARY small|full [PROGRAM ...]
# real-programs.sh --plain FOLDER small|full [PROGRAM ...]
#
# Runs real programs under the drop-in LIBRARY and without it, and compares what they made, to the
# byte. RXPOOL_OPTIONS is handed on. Prints a line for each program, skips with the reason; status 1
# when one differs. What they made without it is kept by --plain, for runs in whose environment
# RXPOOL_PLAIN names the folder.
# shellcheck disable=SC2317 # the functions of a program are called by its name
set -u
programs="python sqlite git gcc perl lua redis"
usage() {
    echo "usage: real-programs.sh LIBRARY|--plain FOLDER small|full [PROGRAM ...]   PROGRAM: $programs" >&2
    exit 2
}

sides="plain drop" keep=
if [ "${1-}" = --plain ] && [ $# -gt 2 ]; then
    sides=plain keep=$2
    rm -rf "$keep"
    mkdir -p "$keep" || exit 1
    shift 2
elif [ $# -gt 1 ] && [ -f "$1" ]; then
    library=$(realpath "$1")
    shift
else
    usage
fi
size=$1
shift
case $size in small | full) ;; *) usage ;; esac
[ $# -gt 0 ] && programs="$*"

source=$(realpath "$(dirname "$0")/../../src")
include=$(realpath "$source/../include")
work=$(mktemp -d) || exit 1
redis_pid=
cleanup() {
    [ -n "$redis_pid" ] && kill "$redis_pid" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
export LC_ALL=C HOME="$work" PYTHONHASHSEED=0 PERL_HASH_SEED=0 GIT_CONFIG_NOSYSTEM=1
export TMPDIR="$work"
unset LD_PRELOAD

pick() { # pick SMALL FULL: the figure for this run's size
    if [ "$size" = full ]; then echo "$2"; else echo "$1"; fi
}

# under SIDE COMMAND ...: with the drop-in where SIDE is "drop", without where it is "plain"
under() {
    if [ "$1" = drop ]; then
        shift
        env LD_PRELOAD="$library" "$@"
    else
        shift
        "$@"
    fi
}

now_ms() { date +%s%3N; }

# Each program has two functions: NAME_need says what is missing, and NAME_run SIDE runs it in the
# folder $work/NAME/SIDE, where the files that it leaves are its result.

python_need() {
    python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) || echo "no python3"
}
python_run() {
    lib=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    mkdir lib
    if [ "$size" = full ]; then
        (cd "$lib" && find . -name '*.py' ! -path './site-packages/*' ! -path './dist-packages/*' |
            tar cf - -T -) | tar xf - -C lib
    else
        cp -r "$lib/json" "$lib/email" "$lib/asyncio" "$lib"/a*.py lib
        find lib -name __pycache__ -prune -exec rm -rf {} +
    fi
    # Its own small-object allocator and, where that is small enough, everything through malloc.
    for allocator in pymalloc malloc; do
        # Files that are meant not to compile make the status 1: they do so on both sides.
        PYTHONMALLOC=$allocator under "$1" "$python" -m compileall -q -f -j "$(pick 1 2)" \
            --invalidation-mode unchecked-hash lib >messages 2>&1
        echo "$allocator: status $?" >>statuses
        sort messages >"messages.$allocator" # two processes write them
        rm messages
        find lib -name '*.pyc' -exec sha256sum {} + | sort -k 2 >"sums.$allocator"
    done
    [ "$(wc -l <sums.malloc)" -ge 30 ] && rm -rf lib
}

sqlite_need() { command -v sqlite3 >/dev/null || echo "no sqlite3"; }
sqlite_run() {
    under "$1" sqlite3 rows.db >answers <<EOF
PRAGMA journal_mode=MEMORY;
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, value REAL, blob BLOB);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $(pick 20000 1000000))
INSERT INTO t
SELECT i, printf('name %d of %x', i * 7919 % 10007, i), i * 1.5 / 7, zeroblob(i % 90) FROM n;
COMMIT;
CREATE INDEX by_name ON t(name);
SELECT count(*), sum(length(name)), sum(length(blob)), round(sum(value), 3) FROM t;
SELECT substr(name, 1, 7) AS g, count(*), max(id) FROM t GROUP BY g ORDER BY 2 DESC, 1 LIMIT 20;
SELECT a.id, b.id FROM t a JOIN t b ON b.name = a.name AND b.id <= a.id
WHERE a.id % 997 = 0 ORDER BY 1, 2;
SELECT group_concat(name, ',')
FROM (SELECT name FROM t WHERE id % 31 = 0 ORDER BY name DESC LIMIT 5000);
DELETE FROM t WHERE id % 3 = 0;
VACUUM;
PRAGMA integrity_check;
EOF
}

git_need() { command -v git >/dev/null || echo "no git"; }
git_run() {
    export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b
    under "$1" git init -q -b trunk repository && cd repository || return 1
    commit=0
    while [ "$commit" -lt "$(pick 25 300)" ]; do
        for file in 1 2 3 4 5 6; do
            seq "$commit" $((commit * file + 400)) >"file.$file"
        done
        export GIT_AUTHOR_DATE="$((1700000000 + commit * 60)) +0000"
        export GIT_COMMITTER_DATE="$GIT_AUTHOR_DATE"
        under "$1" git add . && under "$1" git commit -q -m "commit $commit" || return 1
        commit=$((commit + 1))
    done
    under "$1" git log --stat -p >../log || return 1
    under "$1" git -c pack.threads=1 gc -q --aggressive || return 1
    under "$1" git fsck --full --strict >../fsck 2>&1 || return 1
    under "$1" git blame file.3 >../blame && under "$1" git count-objects -v >../objects
    cd .. && rm -rf repository
}

gcc_need() { command -v gcc >/dev/null || echo "no gcc"; }
gcc_run() {
    # One copy for both sides: somebody may be working on the sources.
    [ ! -d "${RXPOOL_PLAIN:-}/engine" ] || [ -d "$work/engine" ] || cp -r "$RXPOOL_PLAIN/engine" "$work"
    [ -d "$work/engine" ] || { mkdir "$work/engine" && cp -r "$source" "$include" "$work/engine"; }
    sources=$work/engine/src headers=$work/engine/include
    for layer in $(pick "base" "base plat ex check stats malloc"); do
        for file in "$sources/$layer"/*.c; do
            case $file in *winuser.c | *ntkernel.c) continue ;; esac
            under "$1" gcc -O2 -g -ffile-prefix-map="$work=.." -ffile-prefix-map="$PWD=." \
                -std=gnu11 -D_GNU_SOURCE -I"$sources" \
                -I"$headers/rxpool/nt" -I"$headers/rxpool" -I"$headers" -Wno-multichar \
                -c "$file" -o "$layer-${file##*/}.o" || return 1
        done
    done
}

perl_need() { command -v perl >/dev/null || echo "no perl"; }
perl_run() {
    # shellcheck disable=SC2016 # the dollars are perl's
    under "$1" perl -e '
        my (%words, @lists); my $n = shift;
        for my $i (1 .. $n) {
            my $word = join "", map { chr(97 + ($i * $_ * 7919 >> 3) % 26) } 1 .. 3 + $i % 9;
            $words{$word} .= "$i,";
            push @{$lists[$i % 101]}, { id => $i, word => $word, text => "x" x ($i % 700) };
        }
        for my $word (sort keys %words) { print "$word $words{$word}\n" }
        for my $list (@lists) {
            my @sorted = sort { $a->{word} cmp $b->{word} || $a->{id} <=> $b->{id} } @$list;
            my $text = join "|", map { "$_->{word}$_->{text}" } @sorted;
            $text =~ s/(\w)(x+)/$1 . length $2/ge;
            print length $text, " ", substr($text, 0, 60), "\n";
        }' "$(pick 30000 600000)" >answers
}

lua_need() { lua=$(command -v lua5.4 || command -v lua) || echo "no lua"; }
lua_run() {
    cat >program.lua <<'EOF'
local n = tonumber(arg[1])
local words, tree = {}, {}
for i = 1, n do
    local word = ("%x-%s"):format(i * 7919 % 100003, ("y"):rep(i % 200))
    words[#words + 1] = word
    tree = { next = i % 1000 ~= 0 and tree or nil, word = word, call = function() return i end }
    if i % 5000 == 0 then collectgarbage() end
end
table.sort(words)
local sum = 0
for i, word in ipairs(words) do sum = (sum * 31 + #word + word:byte(1) + i) % 1000000007 end
print(#words, sum, tree.call(), table.concat(words, ",", 1, 50))
print(select(2, table.concat(words, " "):gsub("y+", "z")))
EOF
    under "$1" "$lua" program.lua "$(pick 30000 600000)" >answers
}

redis_need() {
    for command in redis-server redis-cli redis-benchmark; do
        command -v "$command" >/dev/null || echo "no $command"
    done
}
redis_cli() { redis-cli -s "$work/redis.socket" "$@"; }
redis_start() { # redis_start VARIABLE=VALUE
    env "$1" redis-server --port 0 --unixsocket "$work/redis.socket" --dir "$PWD" --save '' \
        --daemonize no --enable-debug-command local --logfile "$work/redis.log" &
    redis_pid=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        redis_cli ping >/dev/null 2>&1 && return 0
        sleep 0.3
    done
    cat "$work/redis.log"
    return 1
}
redis_run() {
    if [ "$1" = drop ]; then preload=$library; else preload=; fi
    redis_start "LD_PRELOAD=$preload" || return 1
    redis-benchmark -s "$work/redis.socket" -q -n "$(pick 5000 200000)" -P 16 -c 20 -r 5000 -d 300 \
        -t set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset \
        >"$work/redis-benchmark.$1" || return 1
    # What the benchmark wrote is random: the comparison is of what comes now.
    redis_cli flushall >/dev/null
    awk -v n="$(pick 5000 200000)" 'BEGIN {
        for (i = 0; i < n; i++) {
            printf "SET key:%d value:%d:%0*d\n", i, i * 7919 % n, i % 300, i
            printf "ZADD scores %d member:%d\nHSET hash:%d field:%d %d\n", i % 1013, i, i % 50, i, i
            printf "RPUSH list:%d %d\nSADD set:%d %d\n", i % 20, i, i % 10, i * 3
            if (i % 3 == 0) printf "DEL key:%d\nLPOP list:%d\n", i / 2, i % 20
        } }' | redis_cli --pipe >/dev/null || return 1
    {
        redis_cli debug digest
        redis_cli bgsave >/dev/null # by fork
        while redis_cli info persistence | grep -q '^rdb_bgsave_in_progress:1'; do sleep 0.1; done
        redis_cli info persistence | grep '^rdb_last_bgsave_status'
        redis_cli debug reload # writes everything, frees it, and reads it back
        redis_cli debug digest
    } >answers
    redis_cli shutdown nosave
    wait "$redis_pid"
    echo "status $?" >>answers
    redis_pid=
    rm -f dump.rdb
}

failed=0
for name in $programs; do
    type "${name}_run" >/dev/null 2>&1 || usage
    reason=$("${name}_need")
    if [ -n "$reason" ]; then
        echo "skipped  $name: $reason"
        continue
    fi
    "${name}_need" # again, outside the substitution, for the variables that it sets
    times=
    for side in $sides; do
        if [ "$side" = plain ] && [ -d "${RXPOOL_PLAIN:-}/$name" ]; then
            mkdir "$work/$name"
            cp -a "$RXPOOL_PLAIN/$name" "$work/$name/plain"
            continue
        fi
        mkdir -p "$work/$name/$side"
        begun=$(now_ms)
        (cd "$work/$name/$side" && "${name}_run" "$side") 2>"$work/$name.$side.stderr"
        status=$?
        times="$times $(($(now_ms) - begun)) ms $side"
        [ "$status" -eq 0 ] || break
    done
    if [ "$status" -ne 0 ]; then
        echo "FAILED   $name: status $status ($side)"
        head -n 20 "$work/$name.$side.stderr"
        failed=1
    elif [ -n "$keep" ]; then
        echo "kept     $name:$times"
        mv "$work/$name/plain" "$keep/$name"
    elif ! diff -r "$work/$name/plain" "$work/$name/drop" >"$work/$name.diff"; then
        echo "DIFFERS  $name"
        head -n 20 "$work/$name.diff"
        failed=1
    else
        echo "same     $name:$times"
    fi
    rm -rf "${work:?}/$name"
done
[ -z "$keep" ] || [ ! -d "$work/engine" ] || mv "$work/engine" "$keep"
exit $failed
