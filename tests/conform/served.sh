#!/bin/sh
# No more is declared than is served: every function that the public NT headers and ntrxdef.h declare is
# exported by the library.
# Usage: served.sh INCLUDE_DIR LIBRARY
set -eu
include=$1
library=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As the preprocessor leaves them in the checked build, with the macros that stand before functions undone.
printf '#include <ntifs.h>\n#include <pseh/pseh2.h>\n#include <ntrxdef.h>\n' >"$work/all.c"
${CC:-cc} -E -P -DDBG=1 -I"$include/rxpool/nt" -I"$include/rxpool" "$work/all.c" |
    tr '\n' ' ' | tr ';' '\n' | grep 'visibility("default")' |
    sed 's/__attribute__ *(([^()]*([^()]*)[^()]*))//g; s/__attribute__ *(([^()]*))//g' |
    sed -n 's/^[^(]*[ *]\([A-Za-z_][A-Za-z0-9_]*\) *(.*/\1/p' | sort -u >"$work/declared"
nm -D --defined-only "$library" | awk '{print $NF}' | sed 's/@.*//' | sort -u >"$work/exported"

count=$(wc -l <"$work/declared")
echo "$count functions declared"
[ "$count" -gt 90 ]
missing=$(comm -23 "$work/declared" "$work/exported")
if [ -n "$missing" ]; then
    echo "declared, and not exported by $library:"
    echo "$missing"
    exit 1
fi
