#!/bin/sh
# stop.sh LIBRARY PROGRAM MISUSE: the misuse must end in stop 0xC2 and SIGABRT, and not go on;
# under on_error=log it must give the same report and go on.
library=$1 program=$2 misuse=$3
# shellcheck disable=SC3045 # every sh of the systems that have LD_PRELOAD knows -c
ulimit -c 0

fail() {
    echo "$misuse: $1"
    echo "$report"
    exit 1
}

report=$(LD_PRELOAD=$library "$program" "$misuse" 2>&1)
status=$?
[ $status -eq 134 ] || fail "status $status, expected 134 (SIGABRT)"
case $report in
"*** STOP: 0x000000C2 BAD_POOL_CALLER (0x"*) ;;
*) fail "the report does not begin with the stop line" ;;
esac
case $report in *"
what: free of an address that is "*"
called from: /"*"/malloc_program_misuse+0x"*) ;;
*) fail "the report does not say what happened, or where" ;;
esac
case $report in *"went on"*) fail "went on after the stop" ;; esac

report=$(RXPOOL_OPTIONS=on_error=log LD_PRELOAD=$library "$program" "$misuse" 2>&1)
status=$?
[ $status -eq 0 ] || fail "status $status under on_error=log, expected 0"
case $report in
*"*** STOP: 0x000000C2"*"went on"*) ;;
*) fail "no report, or it did not go on" ;;
esac
