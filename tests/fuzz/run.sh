#!/bin/sh
# Runs each fuzz target of a build of the preset fuzz for so many seconds, all at a time, and says what came of it.
#
#   run.sh BUILD SECONDS
#
# The corpus grows in BUILD/corpus/TARGET from what tests/fuzz/seeds/TARGET holds; inputs that fail are left in
# BUILD/findings/TARGET. The fuzzer is started anew every few minutes: what is set aside is never reused, so the
# process grows.
set -u

build=$1 seconds=$2
here=$(dirname "$0")
slice=300

# fuzz TARGET: until the time is over or an input fails.
fuzz() {
    corpus=$build/corpus/$1 findings=$build/findings/$1 end=$(($(date +%s) + seconds))
    mkdir -p "$corpus" "$findings"
    : >"$build/$1.log"
    while left=$((end - $(date +%s))) && [ $left -gt 0 ]; do
        [ $left -lt $slice ] || left=$slice
        nice "$build/tests/fuzz/fuzz_$1" -max_total_time=$left -max_len=2048 -timeout=60 -report_slow_units=60 -rss_limit_mb=0 \
            -print_final_stats=1 -artifact_prefix="$findings/" "$corpus" "$here/seeds/$1" \
            >>"$build/$1.log" 2>&1 || return 1
    done
}

# say TARGET: executions of all slices, branches seen, inputs that failed.
say() {
    executions=$(sed -n 's/^stat::number_of_executed_units: //p' "$build/$1.log" |
        awk '{ n += $1 } END { print n + 0 }')
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$build/$1.log" | sort -n | tail -n 1)
    found=$(find "$build/findings/$1" -type f | wc -l)
    echo "fuzz: $1: $executions executions in $seconds s, $coverage branches, $found inputs failed"
    [ "$found" -eq 0 ] || echo "fuzz: $1: see $build/findings/$1 and $build/$1.log"
    [ "$found" -eq 0 ]
}

rm -rf "$build/findings"
status=0
for target in ops corrupt; do
    fuzz $target &
done
wait
for target in ops corrupt; do
    say $target || status=1
done
exit $status
