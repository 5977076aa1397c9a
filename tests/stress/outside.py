#!/usr/bin/env python3
"""The table as `rxpool stat PID --json` shows it from another process: while the stress test runs, diff is
never negative and totals never fall, but for rows that say themselves that they are torn: of an account whose
slab's counts were on their way to it, in a thread that was held up there, for as long as the reader tried. These are
rare. Where it has stopped, every figure is the model's.
Usage: outside.py STRESS RXPOOL WORKDIR"""
import json
import os
import signal
import subprocess
import sys

stress, rxpool, work = sys.argv[1:]
os.makedirs(work, exist_ok=True)
process = subprocess.Popen(
    ["nice", stress, "--seconds", "10", "--tags", "100,10000", "--stop", f"{work}/model"],
    env=os.environ | {"RXPOOL_OPTIONS": "attach=user"}, stdout=subprocess.DEVNULL)


def table():
    """Rows by tag; None where the process has no table yet."""
    got = subprocess.run([rxpool, "stat", str(process.pid), "--json"], capture_output=True, text=True)
    if "ptrace rules" in got.stderr:
        print("skipped: this system does not let one process read another:", got.stderr.strip())
        sys.exit(77)
    return {row["tag"]: row for row in json.loads(got.stdout)["pools"]} if got.returncode == 0 else None


def stopped():
    with open(f"/proc/{process.pid}/stat") as file:
        state = file.read().rsplit(")", 1)[1].split()[0]
    assert state != "Z", "the stress test ended by itself"
    return state == "T"


def watch():
    reads, read, torn, last = 0, 0, 0, {}
    while not stopped():
        rows = table()
        if rows is None:
            continue
        reads += 1
        for tag, row in rows.items():
            assert row["diff"] >= 0 and row["diff"] == row["allocs"] - row["frees"], row
            read += 1
            if row.get("torn"):
                torn += 1
                continue
            before = last.get(tag, row)
            assert row["allocs"] >= before["allocs"] and row["frees"] >= before["frees"], (before, row)
            last[tag] = row
    assert torn * 100 <= read, f"{torn} of {read} rows were torn"
    assert reads >= 2, f"only {reads} reads while it ran"
    return reads


def compare():
    rows = table()
    with open(f"{work}/model") as file:
        model = {line.split()[0]: [int(word) for word in line.split()[1:]] for line in file}
    for tag, figures in model.items():
        got = [rows[tag]["allocs"], rows[tag]["frees"], rows[tag]["bytes"]]
        assert got == figures, f"{tag}: table {got}, model {figures}"
    return len(model)


try:
    READS = watch()
    TAGS = compare()
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0, "the stress test failed"
    print(f"{READS} reads while it ran; {TAGS} tags exact where it stopped")
finally:
    process.kill()
