#!/usr/bin/env python3
"""Instructions of the engine's paths, under callgrind, held to what src/ex/fast.h and cold.h state.

usage: count.py PROGRAM VALGRIND DIRECTORY
"""
import os
import subprocess
import sys

# (path, function, instructions stated, instructions that rarer paths may add on average)
STATED = [
    ("own", "ExAllocatePoolWithTag", 30, 0.5),
    ("own", "ExFreePool", 27, 0.5),
    ("mixed", "ExAllocatePoolWithTag", 46, 18),
    ("mixed", "ExFreePool", 41, 0.5),
    ("remote", "ExFreePool", 95, 1),
]
PAIRS = 256 * 2400


def counted(program, valgrind, directory, path, function, pairs):
    out = os.path.join(directory, "callgrind.out")
    command = [valgrind, "--tool=callgrind", "--toggle-collect=" + function, "--callgrind-out-file=" + out,
               program, path, str(pairs)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit("%s failed:\n%s" % (" ".join(command), run.stderr))
    with open(out, encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(("totals:", "summary:")))


def main():
    program, valgrind, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    bad = 0
    for path, function, stated, more in STATED:
        # The difference of two lengths is free of the start.
        first, second = (counted(program, valgrind, directory, path, function, n) for n in (PAIRS, 2 * PAIRS))
        each = (second - first) / PAIRS
        wrong = not stated - 0.5 <= each <= stated + more
        bad += wrong
        print("%-7s %-22s %6.2f instructions, stated %d, with rarer paths at most %g%s"
              % (path, function, each, stated, stated + more, "   WRONG" if wrong else ""))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
