#!/usr/bin/env python3
"""Runs the corpus of heap errors under detectors and says what each of them caught, when, and at what cost.

usage: compare.py --programs DIR [--asan DIR] [--rxpool DIR] [--detector NAME ...] [--set ours] [--class NAME ...]
                  [--rounds N] [--jobs N] [--out DIR] [--expect FILE]

--programs DIR  the corpus, as built; --asan DIR the same with AddressSanitizer
--rxpool DIR    where bin/rxpool and lib/librxpool-malloc.so are
--detector      only these (default: all whose software is installed); --set ours: only this project's
--class         only the programs of these classes
--rounds N      measure time and memory too, of correct programs of some size, N times
--jobs N        programs that run at a time (default: one a processor)
--out DIR       write heap-errors.json and heap-errors.md there
--expect FILE   a test: FILE lists what is missed, a line `DETECTOR CLASS.CASE reason` each. Everything else must be
                caught, and no correct twin may be stopped.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

TIMEOUT = 60
CLASSES = {
    "overflow": "write past the end (CWE-122)",
    "underwrite": "write in front (CWE-124)",
    "overread": "read past the end (CWE-126)",
    "underread": "read in front (CWE-127)",
    "use_after_free": "use after free (CWE-416)",
    "double_free": "double free (CWE-415)",
    "not_heap": "free of no heap block (CWE-590)",
    "not_start": "free not at the start (CWE-761)",
    "mismatch": "mismatched routines (CWE-762)",
    "objects": "the same in C++",
    "leak": "leak (CWE-401)",
    "uninitialised": "use of unwritten bytes (CWE-457)",
}
# The last mark of main.c before the end: the error was made; the case is over.
MOMENTS = {"": "at once", "e": "at free", "c": "at exit"}


def debian_version(package):
    answer = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return answer.stdout if answer.returncode == 0 else None


def first_file(*patterns):
    return next((name for p in patterns for name in sorted(glob.glob(p))), None)


class Detector:
    """How to run a program under it, and how its report begins."""

    def __init__(self, name, title, version, command=(), environment=None, report=(), asan=False):
        self.name, self.title, self.version = name, title, version
        self.command, self.environment = list(command), environment or {}
        self.report, self.asan, self.ours = report, asan, False


def ours(name, title, rxpool, *options):
    d = Detector(name, title, "this tree", [os.path.join(rxpool, "bin/rxpool"), "run", *options, "--"],
                 {"RXPOOL_OPTIONS": "leaks=1"}, ("*** STOP", "*** LEAKS", "*** WARNING"))
    d.ours = True
    return d


def detectors(arguments):
    debug = first_file("/usr/lib/*/libc_malloc_debug.so.0", "/lib64/libc_malloc_debug.so.0")
    mimalloc = first_file("/usr/lib/*/libmimalloc.so.2", "/usr/lib64/libmimalloc.so.2")
    glibc = platform.libc_ver()[1]
    everything = [
        Detector("none", "nothing", "glibc " + glibc, [], {"MALLOC_CHECK_": "0"}),
        Detector("glibc", "glibc's own checks", glibc, [],
                 {"LD_PRELOAD": debug, "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"}) if debug else None,
        Detector("mimalloc", "mimalloc", debian_version("libmimalloc2.0"), [],
                 {"LD_PRELOAD": mimalloc, "MIMALLOC_SHOW_ERRORS": "1"},
                 ("mimalloc: error", "mimalloc: assertion")) if mimalloc else None,
        Detector("asan", "AddressSanitizer", "gcc " + gcc_version(), [],
                 {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:alloc_dealloc_mismatch=1"},
                 ("==ERROR: ", "ERROR: LeakSanitizer"), asan=True) if arguments.asan else None,
        Detector("valgrind", "valgrind memcheck", valgrind_version(),
                 ["valgrind", "-q", "--leak-check=full", "--error-exitcode=99", "--exit-on-first-error=yes",
                  "--child-silent-after-fork=yes"],
                 {}, ("== Invalid", "== Mismatched")) if valgrind_version() else None,
    ]
    if arguments.rxpool:
        everything += [
            ours("checked", "rxpool run --checked, leaks=1", arguments.rxpool, "--checked"),
            ours("guard", "the same, --guard exact", arguments.rxpool, "--checked", "--guard", "exact"),
            ours("guard-under", "the same, --guard under", arguments.rxpool, "--checked", "--guard", "under"),
        ]
    return [d for d in everything if d and (not arguments.detector or d.name in arguments.detector)
            and (not arguments.set or d.ours)]


def tool_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return ""


def gcc_version():
    return tool_output("gcc", "-dumpfullversion").strip()


def valgrind_version():
    return tool_output("valgrind", "--version").strip().replace("valgrind-", "")


class Run:
    """One program under one detector."""

    def __init__(self, detector, program, case, kind):
        read, write = os.pipe()
        environment = {**os.environ, **detector.environment, "CORPUS_MARKS": str(write)}
        command = [*detector.command, program, case, kind]
        start = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                       env=environment, pass_fds=[write])
            os.close(write)
            try:
                self.status = process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                self.status = process.wait()
            self.seconds = time.monotonic() - start
            output.seek(0)
            self.output = output.read().decode(errors="replace")
        with os.fdopen(read) as marks:
            self.marks, _, peak = marks.read().partition("x")
        self.kilobytes = int(peak or 0)
        self.reported = any(sign in self.output for sign in detector.report)
        self.stopped = self.status != 0 or self.reported
        self.moment = MOMENTS[self.marks[-1:]] if self.stopped else None


def run_case(detector, folder, name, case):
    program = os.path.join(folder, name)
    good, bad = (Run(detector, program, case, kind) for kind in ("good", "bad"))
    return {
        "class": name, "case": case, "caught": bad.stopped and not good.stopped, "moment": bad.moment,
        "reported": bad.reported, "status": bad.status, "false_alarm": good.stopped,
        "said": (bad.output if not good.stopped else good.output)[:1500],
    }


def cases_of(program):
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()


def run_detector(detector, arguments, programs):
    folder = arguments.asan if detector.asan else arguments.programs
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        work = [pool.submit(run_case, detector, folder, name, case) for name, case in programs]
        return [w.result() for w in work]


def summary(results):
    caught = [r for r in results if r["caught"]]
    return {
        "caught": len(caught), "of": len(results),
        "at once": sum(r["moment"] == "at once" for r in caught),
        "at free": sum(r["moment"] == "at free" for r in caught),
        "at exit": sum(r["moment"] == "at exit" for r in caught),
        "false alarms": sum(r["false_alarm"] for r in results),
    }


def work(chosen, arguments):
    """Medians of correct programs of some size; a round is every detector once, so that all meet the same machine."""
    for d in chosen:
        d.work = {name: [] for name in cases_of(os.path.join(arguments.programs, "work"))}
    for _ in range(arguments.rounds):
        for d in chosen:
            program = os.path.join(arguments.asan if d.asan else arguments.programs, "work")
            for name, runs in d.work.items():
                runs.append(Run(d, program, name, "good"))
    return [{name: {key: statistics.median(getattr(r, key) for r in runs) for key in ("seconds", "kilobytes")}
             for name, runs in d.work.items()} for d in chosen]


def ratios(chosen, name, key):
    return ["%.2g" % (d["work"][name][key] / chosen[0]["work"][name][key]) for d in chosen]


def table(record):
    chosen = record["detectors"]
    lines = ["| | " + " | ".join(d["title"] for d in chosen) + " |", "|---|" + "---|" * len(chosen)]

    def row(title, values):
        lines.append("| %s | %s |" % (title, " | ".join(str(v) for v in values)))

    for name, title in CLASSES.items():
        of = sum(r["class"] == name for r in chosen[0]["results"])
        if of:
            row("%s: %d" % (title, of),
                [sum(r["caught"] for r in d["results"] if r["class"] == name) for d in chosen])
    row("**all: %d**" % chosen[0]["summary"]["of"], ["**%d**" % d["summary"]["caught"] for d in chosen])
    row("of these at once", [d["summary"]["at once"] for d in chosen])
    row("at the free or use that followed", [d["summary"]["at free"] for d in chosen])
    row("at exit", [d["summary"]["at exit"] for d in chosen])
    row("false alarms on %d correct twins" % chosen[0]["summary"]["of"],
        [d["summary"]["false alarms"] for d in chosen])
    if "work" in chosen[0]:
        for name in chosen[0]["work"]:
            row("time of %s, times the first column's" % name, ratios(chosen, name, "seconds"))
        for name in chosen[0]["work"]:
            row("peak memory of %s, likewise" % name, ratios(chosen, name, "kilobytes"))
    return "\n".join(lines) + "\n"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    return "%d cores %s, Linux %s" % (os.cpu_count(), model, platform.release())


def check(record, file):
    """What was promised and not seen."""
    missed, wrong = {}, []
    for line in open(file, encoding="utf-8"):
        words = line.split(None, 2)
        if words and not line.startswith("#"):
            missed[words[0], words[1]] = words[2]
    for d in record["detectors"]:
        for r in d["results"]:
            name = "%s.%s" % (r["class"], r["case"])
            listed = (d["name"], name) in missed
            if r["false_alarm"]:
                wrong.append("%s: %s: the correct twin was stopped:\n%s" % (d["name"], name, r["said"]))
            elif not r["caught"] and not listed:
                wrong.append("%s: %s: not caught\n%s" % (d["name"], name, r["said"]))
            elif r["caught"] and listed:
                print("%s: %s: caught, though listed as missed" % (d["name"], name))
    return wrong


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", required=True)
    for name in ("asan", "rxpool", "out", "expect"):
        parser.add_argument("--" + name)
    parser.add_argument("--detector", action="append")
    parser.add_argument("--set", choices=["ours"])
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--class", action="append", dest="classes", choices=CLASSES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def main():
    arguments = arguments_of()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    programs = [(name, case) for name in CLASSES if not arguments.classes or name in arguments.classes
                for case in cases_of(os.path.join(arguments.programs, name))]
    record = {"version": 1, "command": " ".join(sys.argv), "machine": machine(),
              "date": time.strftime("%Y-%m-%d"), "detectors": []}
    chosen = detectors(arguments)
    for d in chosen:
        results = run_detector(d, arguments, programs)
        record["detectors"].append({"name": d.name, "title": d.title, "version": d.version,
                                    "command": d.command, "environment": d.environment,
                                    "summary": summary(results), "results": results})
        print("%-16s %s" % (d.name, summary(results)), flush=True)
    if arguments.rounds:
        for d, figures in zip(record["detectors"], work(chosen, arguments)):
            d["work"] = figures
    if arguments.out:
        os.makedirs(arguments.out, exist_ok=True)
        with open(os.path.join(arguments.out, "heap-errors.json"), "w", encoding="utf-8") as f:
            json.dump(record, f, indent=1)
        with open(os.path.join(arguments.out, "heap-errors.md"), "w", encoding="utf-8") as f:
            f.write(table(record))
        print(table(record))
    wrong = check(record, arguments.expect) if arguments.expect else []
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
