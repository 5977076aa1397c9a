#!/usr/bin/env python3
"""Side by side: the pool against the allocators installed here. `./dev bench` builds and starts it.

docs/BENCH.md says what each row measures and how. Results: table.md, bench.json and bench.svg in build/bench;
with --checked, checked.md, checked.json and checked.svg.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree holds what people wrote
import allocators
import cases
import measure
import plot
import programs
import ratios
import tables

HERE = os.path.dirname(os.path.abspath(__file__))


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


def package_version(package):
    return command_output("dpkg-query", "-W", "-f", "${Package} ${Version}", package)


# Of the programs that are run; only what is installed is named.
PROGRAM_PACKAGES = ("python3", "sqlite3", "redis-server", "git", "perl", "lua5.4", "gcc", "z3", "minisat")


def provenance(words, contenders, options):
    versions = {a.key: package_version(a.package) for a in contenders if a.package}
    facts = {
        "command": " ".join(["./dev", "bench"] + words),
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "revision": command_output("git", "describe", "--always", "--dirty"),
        "processor": read_first("/proc/cpuinfo", "model name").partition(": ")[2],
        "processors": len(os.sched_getaffinity(0)),
        "memory": read_first("/proc/meminfo", "MemTotal").partition(":")[2].strip(),
        "kernel": platform.release(),
        "huge_pages": read_first("/sys/kernel/mm/transparent_hugepage/enabled"),
        "compiler": command_output("gcc", "--version").split("\n")[0],
        "time": "elapsed" if options.wall else "processor time; elapsed where more than one thread works",
        "rounds": options.rounds,
        "load_at_start": round(os.getloadavg()[0], 2),
        "versions": versions,
    }
    if "programs" in options.names:
        facts["programs"] = {p: package_version(p) for p in PROGRAM_PACKAGES}
    return facts


def contenders_of(checked):
    a = allocators
    small, loaded = (a.CHECKED_MICRO, a.CHECKED_PROGRAMS) if checked else (a.MICRO, a.PROGRAMS)
    return small + [c for c in loaded if c not in small] + [a.ASAN] * checked


def every_contender():
    return contenders_of(False) + [a for a in contenders_of(True) if a not in contenders_of(False)]


def groups_of(everything):
    return list(dict.fromkeys(c.group for c in everything))


def parse(arguments):
    groups = groups_of(cases.CASES) + ["programs"]
    checked = groups_of(cases.CHECKED_CASES) + ["programs", "corpus"]
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only these: " + ", ".join(groups) + "; with --checked: " + ", ".join(checked)
                        + "; also a single row's or program's name in the JSON")
    parser.add_argument("--quick", action="store_true",
                        help="3 rounds of less work, some minutes: rough figures, none to quote")
    parser.add_argument("--checked", action="store_true",
                        help="what checking costs: the checked build, guard pages, ASan and valgrind")
    parser.add_argument("--rounds", type=int, default=0, help="rounds (default 9; quick: 3)")
    parser.add_argument("--wall", action="store_true",
                        help="elapsed time everywhere; otherwise processor time where one thread works")
    parser.add_argument("--only", metavar="KEY,...", type=lambda keys: keys.split(","),
                        help="only these contenders: " + ", ".join(a.key for a in every_contender()))
    for hidden, default in (("--build", "build/release"), ("--out", "build/bench")):
        parser.add_argument(hidden, default=default, help=argparse.SUPPRESS)
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)  # for a test of the bench itself
    options = parser.parse_args(arguments)
    groups = checked if options.checked else groups
    rows = groups + [c.name for c in cases.CASES] + list(programs.AMOUNTS)
    for name in options.names:
        if name not in rows:
            parser.error("%s: no such case; valid: %s" % (name, ", ".join(groups)))
    keys = [a.key for a in every_contender()]
    for key in options.only or ():
        if key not in keys:
            parser.error("--only: %s: no such contender; valid: %s" % (key, ", ".join(keys)))
    if options.rounds < 0:
        parser.error("--rounds: at least 1")
    options.speed = "tiny" if options.tiny else "quick" if options.quick else "full"
    options.all = not options.names
    options.names = options.names or groups
    options.rounds = options.rounds or {"tiny": 1, "quick": 3, "full": 9}[options.speed]
    return options


def chosen_cases(options, everything):
    """The cases that were asked for; what memory or time do not allow is left out by name."""
    out = []
    for c in everything:
        if c.group not in options.names and c.name not in options.names:
            continue
        if options.speed == "quick" and c.live > 1000000 and options.all:
            print("left out of a quick run: %s (name it to have it)" % c.name)
        elif c.memory_mib() > measure.free_memory_mib() and options.speed != "tiny":
            print("left out, it takes %d MiB: %s" % (c.memory_mib(), c.name))
        else:
            out.append(c)
    return out


def chosen_programs(options, everything):
    return [p for p in everything if "programs" in options.names or p.name in options.names]


def run_cases(options, build, wanted, contenders):
    def run(case, allocator, number):
        # Nothing changes in a rest that it did not change before: three rounds will do.
        rest = (10 if options.tiny else measure.SECOND) if number < 3 else 0
        return measure.run_case(case, allocator, build, options.speed, rest, options.wall)
    return measure.summarize(measure.rounds_of(wanted, contenders, options.rounds, run))


def run_programs(options, build, wanted, contenders, rounds):
    out = measure.summarize(measure.rounds_of(wanted, contenders, rounds,
                                              lambda p, a, _: p.run(build, a, options.wall)))
    programs.compare_outputs(out)
    return out


def bench(options, build, facts, contenders):
    """The suite: small cases under all, programs under what can be preloaded."""
    wanted = chosen_cases(options, cases.CASES)
    micro = [a for a in contenders if a.program]
    summary = run_cases(options, build, wanted, micro)
    users, absent = programs.available(options.out, options.speed)
    users = chosen_programs(options, users)
    if users and absent:
        print("not here, left out: " + "; ".join(absent))
    loaded = [a for a in contenders if a.preload]
    summary.update(run_programs(options, build, users, loaded, max((options.rounds + 1) // 2, 1)))
    timed = [c for c in wanted if c.name != "idle"]
    texts = [
        tables.table("Time for an allocation and a free", timed, micro, summary, "ns", "ns"),
        tables.table("Peak memory above the start", timed, micro, summary, "peak_mib", "MiB"),
        tables.table("Memory when everything is freed, above the start", [c for c in timed if c.settles], micro,
                     summary, "freed_mib", "MiB"),
        tables.table("The same a second later, after one more call", timed, micro, summary, "rested_mib", "MiB"),
        tables.idle_table(micro, summary),
        tables.table("Real programs: time", users, loaded, summary, "seconds", "s"),
        tables.table("Real programs: peak memory", users, loaded, summary, "rss_mib", "MiB"),
    ]
    counted = users if "programs" in options.names else []
    goals = ratios.small_goals(summary) + ratios.large_goals(summary) + ratios.program_goals(summary, counted)
    facts["load_at_end"] = round(os.getloadavg()[0], 2)
    return summary, texts, goals, plot.draw(facts, contenders, wanted, users, summary)


def bench_checked(options, build, facts, contenders):
    """What checking costs: programs as they are, with checks, under valgrind, and those of the corpus under ASan."""
    wanted = [c for c in cases.CHECKED_CASES if options.all or c.group in options.names or c.name in options.names]
    micro = [a for a in contenders if a.program and a.program != "bench-malloc"]
    summary = run_cases(options, build, wanted, micro)
    # Under valgrind a program takes some fifty times as long.
    speed = "tiny" if options.tiny else "quick"
    users, absent = programs.available(options.out, speed)
    users = [p for p in chosen_programs(options, users) if p.counted]
    if users and absent:
        print("not here, left out: " + "; ".join(absent))
    corpus = os.path.join(build, "tests", "corpus")
    work = programs.corpus(corpus) if "corpus" in options.names else []
    loaded = [a for a in contenders if a.preload or a.prefix or a.key == "asan"]
    for p in users:
        p.skip = ("asan",)
    rounds = max((options.rounds + 1) // 2, 1)
    summary.update(run_programs(options, build, users + work, loaded, rounds))
    texts = [
        tables.table("Programs: time", users + work, loaded, summary, "seconds", "s", False),
        tables.table("Programs: peak memory", users + work, loaded, summary, "rss_mib", "MiB", False),
        tables.table("Time for an allocation and a free", wanted, micro, summary, "ns", "ns", False),
        tables.table("Peak memory above the start", wanted, micro, summary, "peak_mib", "MiB", False),
    ]
    goals = ratios.checked_goals(summary, users if "programs" in options.names else [], work)
    facts["load_at_end"] = round(os.getloadavg()[0], 2)
    return summary, texts, goals, plot.draw_checked(facts, contenders, wanted, users + work, summary)


def failures_of(summary):
    return ["%s, %s: %s" % (case, key, row["error"]) for case, rows in summary.items()
            for key, row in rows.items() if "error" in row]


def finish(options, facts, summary, texts, goals, picture):
    """Prints and writes the results; exit status 1 when a run failed."""
    # Who named rows wants to see those.
    goals = [g for g in goals if options.all or g.value is not None]
    text = "\n".join([t for t in texts if t] + [ratios.table(goals)] * bool(goals) + [tables.provenance(facts)])
    print(text)
    names = ("checked.md", "checked.json", "checked.svg") if options.checked else (
        "table.md", "bench.json", "bench.svg")
    record = {"version": 2, "provenance": facts, "goals": [g.record() for g in goals], "cases": summary}
    for name, content in zip(names, (text, json.dumps(record, indent=1), picture)):
        with open(os.path.join(options.out, name), "w", encoding="utf-8") as f:
            f.write(content)
    print("written: " + " ".join(os.path.join(options.out, name) for name in names))
    failures = failures_of(summary)
    for failure in failures:
        print("FAILED: " + failure)
    sys.exit(1 if failures else 0)


def main():
    words = sys.argv[1:]
    options = parse(words)
    build = os.path.abspath(options.build)
    os.makedirs(options.out, exist_ok=True)
    asked = [a for a in contenders_of(options.checked) if not options.only or a.key in options.only]
    contenders, absent = allocators.find(asked, build)
    if absent:
        print("not here, left out: " + "; ".join(absent))
    hidden = ("--build", options.build, "--out", options.out)
    facts = provenance([w for w in words if w not in hidden], contenders, options)
    if facts["load_at_start"] > 0.5:
        print("warning: the machine is busy (load %.1f): compare within a row only" % facts["load_at_start"])
    run = bench_checked if options.checked else bench
    finish(options, facts, *run(options, build, facts, contenders))


if __name__ == "__main__":
    main()
