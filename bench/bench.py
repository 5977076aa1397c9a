#!/usr/bin/env python3
"""Side by side: the pool against the allocators installed here. `./dev bench` builds and starts it.

Every round runs every allocator in turn, each run a fresh process, and each round starts with another one,
so that a machine that slows down slows all of them down. Figures are medians over the rounds; the JSON
holds every single one, and what is needed to repeat them. Results: table.txt, bench.json, bench.svg.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree holds what people wrote
import plot
import programs

HERE = os.path.dirname(os.path.abspath(__file__))


class Allocator:
    """One contender: the program that calls it, the library preloaded under it, and its package."""

    def __init__(self, key, label, program, preload=None, package=None):
        self.key, self.label, self.program = key, label, program
        self.preload, self.package = preload, package
        self.path = None  # of the library to preload, once found


ALLOCATORS = [
    Allocator("glibc", "glibc", "bench-malloc", None, "libc6"),
    Allocator("jemalloc", "jemalloc", "bench-malloc", "libjemalloc.so.2", "libjemalloc2"),
    Allocator("tcmalloc", "tcmalloc", "bench-malloc", "libtcmalloc_minimal.so.4",
              "libtcmalloc-minimal4"),
    Allocator("mimalloc", "mimalloc", "bench-malloc", "libmimalloc.so.2", "libmimalloc2.0"),
    Allocator("mi-heaps", "mimalloc, heap per tag", "bench-heaps", None, "libmimalloc2.0"),
    Allocator("rxpool", "rxpool", "bench-ex"),
    Allocator("rxpool-malloc", "rxpool drop-in", "bench-malloc", "librxpool-malloc.so"),
]


class Case:
    """One row: a case of micro.c with its numbers. Sizes are log-uniform from 16 to 1,024 bytes unless the
    text says another. `group` is what the command line may name."""

    def __init__(self, group, text, pairs, live=1, tags=1, threads=1, skip=(), even=False):
        self.group, self.text, self.pairs = group, text, pairs
        self.live, self.tags, self.threads, self.skip = live, tags, threads, skip
        self.program_case = group + ("-even" if even else "")
        self.name = self.program_case + ("-%d" % live if group == "replace" else "")
        self.name += "-tags-%d" % tags if tags > 1 else ""


# A heap per tag says nothing new where there is one tag; bench-heaps and bench-ex have no realloc.
ONE_TAG = ("mi-heaps",)
NO_REALLOC = ("mi-heaps", "rxpool")
CASES = [
    Case("same", "same 64-byte block again", 20000000, skip=ONE_TAG),
    Case("same", "same block, 16 tags", 20000000, tags=16),
    Case("fifo", "1,000 first in first out", 5000000, skip=ONE_TAG),
    Case("fifo", "the same, sizes even", 5000000, skip=ONE_TAG, even=True),
    Case("fifo", "first in first out, 16 tags", 5000000, tags=16),
    Case("fifo", "first in first out, 256 tags", 5000000, tags=256),
    Case("lifo", "1,000 last in first out", 5000000, skip=ONE_TAG),
    Case("lifo", "the same, sizes even", 5000000, skip=ONE_TAG, even=True),
    Case("lifo", "last in first out, 16 tags", 5000000, tags=16),
    Case("lifo", "last in first out, 256 tags", 5000000, tags=256),
    Case("replace", "replace one of 1,000", 5000000, 1000, skip=ONE_TAG),
    Case("replace", "replace one of 10,000", 5000000, 10000, skip=ONE_TAG),
    Case("replace", "replace one of 100,000", 5000000, 100000, skip=ONE_TAG),
    Case("replace", "of 100,000, 16 tags", 5000000, 100000, tags=16),
    Case("replace", "of 100,000, 256 tags", 5000000, 100000, tags=256),
    Case("replace", "of 100,000, 1,024 tags", 5000000, 100000, tags=1024),
    Case("replace", "of 100,000, 10,000 tags", 5000000, 100000, tags=10000),
    Case("replace", "replace one of 1,000,000", 5000000, 1000000, skip=ONE_TAG),
    Case("handover", "allocated here, freed there", 3000000, threads=2, skip=ONE_TAG),
    Case("threads", "two threads replace, 10,000", 10000000, 10000, threads=2, skip=ONE_TAG),
    Case("zeroed", "zeroed, 16 B to 64 KiB", 300000, 1000, skip=ONE_TAG),
    Case("large", "64 KiB to 4 MiB, touched", 4000, 64, skip=ONE_TAG),
    Case("realloc", "realloc from 16 B to 1 MiB", 200000, skip=NO_REALLOC),
]


def find_libraries(build):
    """Fills in where each library is; returns the allocators that can run and the names of the others."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    installed = {line.split()[0]: line.split("=> ")[-1] for line in listing.splitlines() if "=>" in line}
    there, absent = [], []
    for a in ALLOCATORS:
        if a.preload:
            own = os.path.join(build, "lib", a.preload)
            a.path = own if os.path.exists(own) else installed.get(a.preload)
        wanted = a.path if a.preload else a.key != "mi-heaps" or "libmimalloc.so.2" in installed
        program = os.path.exists(os.path.join(build, "bin", a.program))
        (there if wanted and program else absent).append(a)
    return there, [a.label for a in absent]


def environment(allocator):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LD_", "RXPOOL_", "MALLOC_"))}
    if allocator.path:
        env["LD_PRELOAD"] = allocator.path
    return env


def run_case(case, allocator, build, scale):
    """One process; a dict of its figures, or a string that says why there are none."""
    pairs = max(case.pairs // scale, 1000)
    command = [os.path.join(build, "bin", allocator.program), case.program_case, str(pairs), str(case.live),
               str(case.tags)]
    # One thread stays on one processor; two may not.
    cpus = sorted(os.sched_getaffinity(0))
    pin = (lambda: os.sched_setaffinity(0, cpus[-1:])) if case.threads == 1 else None
    try:
        result = subprocess.run(command, env=environment(allocator), capture_output=True, text=True,
                                preexec_fn=pin, timeout=300)
    except subprocess.TimeoutExpired:
        return "no answer in 300 s"
    if result.returncode != 0 or len(result.stdout.split()) != 4:
        return (result.stderr.strip() or "exit status %d" % result.returncode).splitlines()[-1]
    ns, start, peak, after = (float(word) for word in result.stdout.split())
    return {"ns": ns, "peak_mib": (peak - start) / 1024, "after_mib": (after - start) / 1024}


def rounds_of(items, allocators, rounds, run):
    """Runs run(item, allocator) for every pair, interleaved. {item name: {allocator key: [results]}}"""
    out = {item.name: {} for item in items}
    for r in range(rounds):
        turn = allocators[r % len(allocators):] + allocators[:r % len(allocators)]
        for item in items:
            for a in turn:
                if a.key not in item.skip:
                    out[item.name].setdefault(a.key, []).append(run(item, a))
            print("\r  round %d of %d: %-32s" % (r + 1, rounds, item.name), end="", file=sys.stderr)
    print("\r%60s\r" % "", end="", file=sys.stderr)
    return out


def summarize(results):
    """Medians and quartiles of each figure; failures become {"error": ...}."""
    out = {}
    for name, by_allocator in results.items():
        out[name] = {}
        for key, runs in by_allocator.items():
            errors = [r for r in runs if isinstance(r, str)]
            if errors:
                out[name][key] = {"error": errors[0]}
                continue
            row = {"runs": runs}
            for figure in (k for k in runs[0] if not isinstance(runs[0][k], str)):
                values = sorted(r[figure] for r in runs)
                row[figure] = statistics.median(values)
                row[figure + "_spread"] = [values[len(values) // 4], values[-1 - len(values) // 4]]
            out[name][key] = row
    return out


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=HERE).stdout.strip()
    except OSError:
        return ""


def read_first(path, start=""):
    try:
        with open(path, encoding="utf-8") as f:
            return next((line.strip() for line in f if line.startswith(start)), "")
    except OSError:
        return ""


def provenance(arguments, allocators):
    versions = {}
    for a in allocators:
        if a.package:
            versions[a.key] = command_output("dpkg-query", "-W", "-f", "${Package} ${Version}", a.package)
    return {
        "command": " ".join(["./dev", "bench"] + arguments),
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "revision": command_output("git", "describe", "--always", "--dirty"),
        "processor": read_first("/proc/cpuinfo", "model name").partition(": ")[2],
        "processors": len(os.sched_getaffinity(0)),
        "memory": read_first("/proc/meminfo", "MemTotal").partition(":")[2].strip(),
        "kernel": platform.release(),
        "huge_pages": read_first("/sys/kernel/mm/transparent_hugepage/enabled"),
        "compiler": command_output("gcc", "--version").split("\n")[0],
        "load_at_start": os.getloadavg()[0],
        "versions": versions,
    }


def cell(row, figure, form):
    if row is None:
        return "-"
    return "failed" if "error" in row else form % row[figure]


def table(title, items, allocators, summary, figure, form):
    """Rows of medians, one column an allocator."""
    width = max(len(i.text) for i in items) + 2
    lines = [title, " " * width + "".join("%14s" % a.key for a in allocators)]
    for item in items:
        row = summary[item.name]
        lines.append(item.text.ljust(width)
                     + "".join("%14s" % cell(row.get(a.key), figure, form) for a in allocators))
    return "\n".join(lines) + "\n"


def parse(arguments):
    groups = list(dict.fromkeys(c.group for c in CASES)) + ["programs"]
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases: " + ", ".join(groups))
    parser.add_argument("--quick", action="store_true",
                        help="3 short rounds: shows that it works, no figure to quote")
    parser.add_argument("--rounds", type=int, default=0, help="rounds (default 9; quick: 3)")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="build/bench", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in groups:
            parser.error("%s: no such case; valid: %s" % (name, ", ".join(groups)))
    if options.rounds < 0:
        parser.error("--rounds: at least 1")
    options.names = options.names or groups
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


def main():
    options = parse(sys.argv[1:])
    build = os.path.abspath(options.build)
    os.makedirs(options.out, exist_ok=True)
    allocators, absent = find_libraries(build)
    if absent:
        print("not here, left out: " + ", ".join(absent))
    facts = provenance([a for a in sys.argv[1:] if a not in ("--build", options.build, "--out",
                                                             options.out)], allocators)
    if facts["load_at_start"] > 0.5:
        print("warning: the machine is busy (load %.1f): compare within a row only"
              % facts["load_at_start"])
    cases = [c for c in CASES if c.group in options.names]
    summary = summarize(rounds_of(cases, allocators, options.rounds, lambda c, a: run_case(
        c, a, build, 20 if options.quick else 1)))
    texts = []
    if cases:
        texts = [table("ns for an allocation and a free (medians of %d rounds)" % options.rounds,
                       cases, allocators, summary, "ns", "%.1f"),
                 table("peak memory, MiB above the start", cases, allocators, summary, "peak_mib", "%.1f"),
                 table("memory when all is freed, MiB above the start", cases, allocators, summary,
                       "after_mib", "%.1f")]
    users = []
    if "programs" in options.names:
        # Real programs call malloc: the direct calls have no place here.
        contenders = [a for a in allocators if a.program == "bench-malloc"]
        users = programs.available(options.out, options.quick)
        measured = summarize(rounds_of(users, contenders, max(options.rounds // 2, 2), lambda p, a:
                                       p.run(environment(a))))
        programs.compare_outputs(measured)
        summary.update(measured)
        texts += [table("real programs, seconds", users, contenders, summary, "seconds", "%.2f"),
                  table("real programs, peak MiB", users, contenders, summary, "rss_mib", "%.1f")]
    facts["load_at_end"] = os.getloadavg()[0]
    finish(options, facts, allocators, cases, users, summary, texts)


def finish(options, facts, allocators, cases, users, summary, texts):
    """Prints and writes the results; exit status 1 when a run failed."""
    text = "\n".join(texts) + "\n" + "\n".join(
        "%s: %s" % (k, v if not isinstance(v, dict) else ", ".join(v.values())) for k, v in facts.items())
    print(text)
    paths = {name: os.path.join(options.out, name) for name in ("table.txt", "bench.json", "bench.svg")}
    with open(paths["table.txt"], "w", encoding="utf-8") as f:
        f.write(text + "\n")
    with open(paths["bench.json"], "w", encoding="utf-8") as f:
        json.dump({"version": 1, "provenance": facts, "cases": summary}, f, indent=1)
    with open(paths["bench.svg"], "w", encoding="utf-8") as f:
        f.write(plot.draw(facts, allocators, cases, users, summary))
    print("\nwritten: " + " ".join(paths.values()))
    failures = [(case, key, row["error"]) for case, rows in summary.items()
                for key, row in rows.items() if "error" in row]
    for failure in failures:
        print("FAILED: %s, %s: %s" % failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
