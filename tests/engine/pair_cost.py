#!/usr/bin/env python3
"""Holds what an allocation and a free cost in instructions, the checked build's eviction of an older block included.

usage: pair_cost.py PROGRAM SIZE MOST

PROGRAM N SIZE makes N pairs; the difference of two runs under callgrind is exact, whatever the machine is doing.
The time of day is a system call there, and so not counted. Skipped (77) where valgrind is missing.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

FEWER, MORE = 20000, 30000


def instructions(program, pairs, size):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + os.path.join(folder, "out"),
                              program, str(pairs), size], stderr=subprocess.PIPE, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"{program}: no count: {run.stderr[-500:]}")
    return int(found.group(1))


def main():
    program, size, most = sys.argv[1], sys.argv[2], float(sys.argv[3])
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 77
    pair = (instructions(program, MORE, size) - instructions(program, FEWER, size)) / (MORE - FEWER)
    print(f"{os.path.basename(program)}, {size} bytes: {pair:.1f} instructions a pair; at most {most:.0f}")
    return 0 if 0 < pair <= most else 1


sys.exit(main())
