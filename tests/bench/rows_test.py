#!/usr/bin/env python3
"""Runs the bench at tiny sizes and reads what it wrote: every row and figure that docs/BENCH.md names is there.

usage: rows_test.py --build DIR --out DIR [--checked]
"""
import argparse
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "bench.py")
TAGGED = ["the same under %s tags" % n for n in ("16", "256", "1,024", "10,000")]
EVEN = ["every size as likely as any"]
REPLACE = ["replace one of 1,000 at random", "replace one of 10,000", "replace one of 100,000", *TAGGED,
           "replace one of 1,000,000", "replace one of 10,000,000"]
THREADS = ["100,000 blocks, %d thread%s" % (n, "s" * (n > 1)) for n in (1, 2, 4, 16, 64)]
SMALL = ["the same 64-byte block again", *TAGGED, "1,000 blocks, first in first out", *TAGGED, *EVEN,
         "1,000 blocks, last in first out", *TAGGED, *EVEN, *REPLACE,
         "replace one of 1,000 of 2,000 to 32,000 bytes", TAGGED[0],
         "allocated here, freed by another thread", *TAGGED[:2], *THREADS, "zeroed, 16 B to 64 KiB, written",
         "zeroed, 64 KiB to 4 MiB, touched", "64 KiB to 4 MiB, touched", "5 to 25 MiB, 500 times, touched",
         "realloc from 16 B to 1 MiB", "one buffer grows to 256 MiB", "again and again, one at a time"]
SETTLED = [REPLACE[2], *TAGGED, REPLACE[-2], THREADS[3], "zeroed, 64 KiB to 4 MiB, touched",
           "64 KiB to 4 MiB, touched", "5 to 25 MiB, 500 times, touched"]
PROGRAMS = {
    "python3": "python3 compiles its library", "sqlite3": "sqlite3, a table and its index",
    "redis-server": "redis-server under its benchmark", "git": "git log, blame, pack-objects",
    "perl": "perl, a hash of lists", "lua5.4": "lua, short-lived tables", "cc1": "cc1 -O2, gcc's C compiler",
    "z3": "z3, swaps in arrays", "minisat": "minisat, random clauses",
}
WORK = ["the corpus' " + name for name in ("tables", "texts", "trees")]
CHECKED = ["the same 64-byte block again", "1,000 blocks, first in first out", "replace one of 100,000",
           "10,000,000 blocks of 64 bytes"]
GOALS, CHECKED_GOALS = 30, 7
FACTS = ("command", "date", "revision", "processor", "processors", "memory", "kernel", "compiler", "time", "rounds",
         "load_at_start", "load_at_end", "versions", "programs")


def expected(checked, programs):
    if checked:
        return {"Programs: time": programs + WORK, "Programs: peak memory": programs + WORK,
                "Time for an allocation and a free": CHECKED, "Peak memory above the start": CHECKED}
    return {
        "Time for an allocation and a free": SMALL, "Peak memory above the start": SMALL,
        "Memory when everything is freed, above the start": SETTLED,
        "The same a second later, after one more call": SETTLED,
        "One block and nothing else, above the same on glibc": [
            "pages of its own, KiB", "resident, with pages of files, KiB"],
        "Real programs: time": programs + ["2 starts of a process"],
        "Real programs: peak memory": programs + ["2 starts of a process"],
    }


def tables_of(text):
    """{title: (column heads, [row cells])} of Markdown tables under ### titles."""
    out = {}
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in body.splitlines()
                if line.startswith("|") and not line.startswith("|-")]
        if rows:
            out[title] = (rows[0], rows[1:])
    return out


def is_figure(cell):
    return re.match(r"^(\*\*)?-?\d[\d.]*( (ns|µs|ms|s|MiB))?(\*\*)?( ±\d+%)?$", cell) is not None


def problems(text, wanted, goals):
    """What is missing, or is no figure."""
    found, out = tables_of(text), []
    for title, rows in wanted.items():
        if title not in found:
            out.append("no table %r" % title)
            continue
        names = [row[0].removeprefix("· ") for row in found[title][1]]
        if names != rows:
            out.append("%s: rows are\n  %s\nwhere these were expected:\n  %s"
                       % (title, "\n  ".join(names), "\n  ".join(rows)))
        for row in found[title][1]:
            if not any(is_figure(c) for c in row[1:]) or not all(is_figure(c) or c == "-" for c in row[1:]):
                out.append("%s: %s" % (title, " | ".join(row)))
    measured = [r for r in found.get("Goals", ([], []))[1] if len(r) == 7]
    if len(measured) != goals:
        out.append("%d goals, where %d were expected" % (len(measured), goals))
    return out


def check_record(folder, name, goals):
    out = []
    with open(os.path.join(folder, name + ".json"), encoding="utf-8") as f:
        record = json.load(f)
    out += ["provenance without " + key for key in FACTS if not record["provenance"].get(key) and
            not key.startswith("load")]
    if len(record["goals"]) != goals:
        out.append("%d goals in the JSON" % len(record["goals"]))
    for case, rows in record["cases"].items():
        for key, row in rows.items():
            if not row.get("runs") or not (row.get("ns") or row.get("seconds")):
                out.append("JSON: no figure of %s, %s" % (case, key))
    marks = len(ET.parse(os.path.join(folder, name + ".svg")).getroot().findall(".//{*}title"))
    if marks < 30:
        out.append("the picture has %d marks" % marks)
    return out


def main():
    parser = argparse.ArgumentParser()
    for name in ("build", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--checked", action="store_true")
    arguments = parser.parse_args()
    out = os.path.join(arguments.out, "checked" if arguments.checked else "rows")
    # One peer is enough here, and valgrind takes too long.
    only = "glibc,rxpool,rxpool-malloc," + ("checked,run-checked" if arguments.checked else "mi-heaps,rxpool-module")
    command = [sys.executable, BENCH, "--tiny", "--only", only, "--build", arguments.build, "--out", out]
    answer = subprocess.run(command + ["--checked"] * arguments.checked, capture_output=True, text=True)
    wrong = [] if answer.returncode == 0 else ["exit status %d\n%s%s" % (
        answer.returncode, answer.stdout[-2000:], answer.stderr[-2000:])]
    absent = re.findall(r"^not here, left out: (.*)$", answer.stdout, re.M)
    for name in {n for line in absent for n in line.split("; ")}:
        print("skipped bench: %s is not installed" % name)
    programs = [text for name, text in PROGRAMS.items() if not any(name in line.split("; ") for line in absent)]
    wanted = expected(arguments.checked, programs)
    goals = CHECKED_GOALS if arguments.checked else GOALS
    if not wrong:
        name = "checked" if arguments.checked else "table"
        with open(os.path.join(out, name + ".md"), encoding="utf-8") as f:
            text = f.read()
        wrong += problems(text, wanted, goals)
        wrong += check_record(out, "checked" if arguments.checked else "bench", goals)
        # This test must notice what it is for.
        lines = [line for line in text.splitlines() if "replace one of 100,000 " not in line]
        if not problems("\n".join(lines), wanted, goals):
            wrong.append("a missing row was not noticed")
    print("\n".join(wrong) or "every row is there")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
