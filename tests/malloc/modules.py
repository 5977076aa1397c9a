#!/usr/bin/env python3
"""Every module's row is exact at exit, whoever's blocks wait in the quarantine: usage: modules.py DROPIN PROGRAM"""
import os
import re
import subprocess
import sys

# Type, Allocs, Frees, Diff, and what is behind the numbers: the module.
ROW = re.compile(r"^ Mllc Nonp +(\d+) +(\d+) +(-?\d+) .* (\S+)$")


def main():
    dropin, program = sys.argv[1:]
    options = "checked=1:by=module:stats=exit"
    run = subprocess.run([program], stderr=subprocess.PIPE, text=True,
                         env=dict(os.environ, LD_PRELOAD=dropin, RXPOOL_OPTIONS=options))
    rows = {m.group(4): [int(n) for n in m.groups()[:3]] for m in map(ROW.match, run.stderr.splitlines()) if m}
    name = os.path.basename(program)
    if run.returncode != 0 or name not in rows or "libc.so.6" not in rows:
        sys.exit(f"no rows of {name} and libc.so.6: {run.stderr}")
    if rows[name][0] < 30000 or rows["libc.so.6"][0] < 3000:
        sys.exit(f"too few allocations: {run.stderr}")
    if any(diff != 0 for _, _, diff in rows.values()):
        sys.exit(f"blocks that were freed are counted as live, or the other way round: {run.stderr}")


main()
