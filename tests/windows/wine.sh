#!/bin/sh
# Runs a Windows program under Wine, without a display and in a prefix of its own. All of its output
# comes on stdout once it has ended: Wine's own processes live on, and would keep the caller's pipe open.
#
#   wine.sh PREFIX --prepare            makes the prefix anew
#   wine.sh PREFIX PROGRAM [ARGUMENT]...
set -u
WINEPREFIX=$1
shift
# No messages of Wine's own; no installers of what no test needs.
export WINEPREFIX WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
unset DISPLAY WAYLAND_DISPLAY
if [ "$1" = --prepare ]; then
    rm -rf "$WINEPREFIX"
    set -- wineboot --init
fi
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT
wine "$@" >"$said" 2>&1 </dev/null
status=$?
cat "$said"
exit $status
