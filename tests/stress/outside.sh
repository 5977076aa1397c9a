#!/bin/sh
# The table as `rxpool stat PID --json` shows it from another process: while the stress test runs, diff is
# never negative and totals never fall; where it has stopped, every figure is the model's.
# Usage: outside.sh STRESS RXPOOL WORKDIR
set -eu

stress=$1 rxpool=$2 work=$3
mkdir -p "$work"
rm -f "$work/model"
RXPOOL_OPTIONS=attach=user "$stress" --seconds 10 --tags 100,10000 --stop "$work/model" >"$work/stress.out" 2>&1 &
pid=$!
trap 'kill -KILL $pid 2>/dev/null || true' EXIT
python3 - "$rxpool" "$pid" "$work" <<'PYTHON'
import json, os, signal, subprocess, sys, time

rxpool, pid, work = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def table():
    got = subprocess.run([rxpool, "stat", str(pid), "--json"], capture_output=True, text=True)
    if got.returncode == 3 and "ptrace rules" in got.stderr:
        print("skipped: this system does not let one process read another:", got.stderr.strip())
        os.kill(pid, signal.SIGKILL)
        sys.exit(77)
    if got.returncode:
        global refused
        refused = got.stderr.strip()
        return None
    return {row["tag"]: row for row in json.loads(got.stdout)["pools"]}


def stopped():
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"


reads, last, refused = 0, {}, ""
while not stopped():
    rows = table()
    if rows is None:  # before the first block
        time.sleep(0.01)
        continue
    reads += 1
    for tag, row in rows.items():
        assert row["diff"] >= 0 and row["diff"] == row["allocs"] - row["frees"], row
        before = last.get(tag, row)
        assert row["allocs"] >= before["allocs"] and row["frees"] >= before["frees"], (before, row)
    last = rows
assert reads >= 2, f"only {reads} reads while it ran: {refused}"

rows = table()
with open(f"{work}/model") as file:
    model = {line.split()[0]: [int(word) for word in line.split()[1:]] for line in file}
for tag, (allocs, frees, size) in model.items():
    row = rows[tag]
    got = [row["allocs"], row["frees"], row["bytes"]]
    assert got == [allocs, frees, size], f"{tag}: table {got}, model {[allocs, frees, size]}"
os.kill(pid, signal.SIGCONT)
print(f"{reads} reads while it ran; {len(model)} tags exact where it stopped")
PYTHON
