#!/bin/sh
# Runs a Windows program under Wine, without a display and in a prefix of its own. All of its output
# comes on stdout once it has ended: Wine's own processes live on, and would keep the caller's pipe open.
#
#   wine.sh PREFIX --prepare            makes the prefix anew
#   wine.sh PREFIX --keep-server        for the programs that follow
#   wine.sh PREFIX PROGRAM [ARGUMENT]...
set -u
WINEPREFIX=$1
shift
# No messages of Wine's own; no installers of what no test needs.
export WINEPREFIX WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
unset DISPLAY WAYLAND_DISPLAY

# Wine's server ends a while after its last program, and refuses one that comes at that moment: between two
# tests, on a busy machine. So it waits for longer than a test takes.
keep_server() {
    wineserver -p60 >/dev/null 2>&1 </dev/null
}

case $1 in
--keep-server)
    keep_server
    exit
    ;;
--prepare)
    [ ! -d "$WINEPREFIX" ] || wineserver -k -w >/dev/null 2>&1 </dev/null
    rm -rf "$WINEPREFIX"
    mkdir -p "$WINEPREFIX"
    keep_server
    set -- wineboot --init
    ;;
esac
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT
wine "$@" >"$said" 2>&1 </dev/null
status=$?
cat "$said"
exit $status
