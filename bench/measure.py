"""Runs small cases and programs, every contender in turn, and sums up what they took."""
import os
import statistics
import subprocess
import sys

SECOND = 1000


def base_environment():
    """What a run starts from: nothing that turns an allocator's knobs."""
    return {k: v for k, v in os.environ.items()
            if not k.startswith(("LD_", "RXPOOL_", "MALLOC_", "MIMALLOC_", "TCMALLOC_", "TBB_", "GLIBC_"))}


def words_of(text):
    return dict(word.partition("=")[::2] for word in text.split())


def last_line(text, status):
    return (text.strip().splitlines() or ["exit status %d" % status])[-1]


def free_memory_mib():
    with open("/proc/meminfo", encoding="utf-8") as f:
        return next(int(line.split()[1]) // 1024 for line in f if line.startswith("MemAvailable"))


def run_case(case, allocator, build, speed, rest, wall):
    """One process; a dict of its figures, or a string that says why there are none."""
    pairs, live = case.size(speed)
    command = [os.path.join(build, "bin", allocator.program), case.program_case, str(pairs), str(live),
               str(case.tags), str(case.threads), str(rest if case.settles else 0)]
    # One thread stays on one processor; more may not.
    cpus = sorted(os.sched_getaffinity(0))
    pin = (lambda: os.sched_setaffinity(0, cpus[-1:])) if case.threads == 1 else None
    try:
        result = subprocess.run(command, env={**base_environment(), **allocator.settings()}, capture_output=True,
                                text=True, preexec_fn=pin, timeout=600)
    except subprocess.TimeoutExpired:
        return "no answer in 600 s"
    if result.returncode != 0:
        return last_line(result.stderr, result.returncode)
    words = words_of(result.stdout)
    server = os.path.realpath(words.pop("server"))
    if allocator.served not in server:
        return "malloc came from " + server
    f = {k: float(v) for k, v in words.items()}
    out = {"ns": f["wall_ns"] if wall or case.threads > 1 else f["cpu_ns"],
           "wall_ns": f["wall_ns"], "cpu_ns": f["cpu_ns"],
           "peak_mib": (f["peak_kib"] - f["start_kib"]) / 1024,
           "freed_mib": (f["freed_kib"] - f["start_kib"]) / 1024,
           "private_kib": f["private_kib"], "resident_kib": f["freed_kib"], "live": live}
    if case.settles:
        out["rested_mib"] = (f["rested_kib"] - f["start_kib"]) / 1024
    return out


def launch(build, settings, command, folder, files, timeout=1800):
    """Starts `command` through bench-launch. Returns the process and the descriptor of its report."""
    read, write = os.pipe()
    variables = ["%s=%s" % pair for pair in settings.items()]
    # Absolute, so that a program that changes its folder finds its libraries.
    process = subprocess.Popen([os.path.join(build, "bin", "bench-launch"), str(write), *variables, "--", *command],
                               env=base_environment(), pass_fds=[write], cwd=folder, stdin=subprocess.DEVNULL,
                               **files)
    os.close(write)
    process.limit = timeout
    return process, read


def report_of(process, read):
    """Waits; the figures of the command, or a string where it did not end well."""
    try:
        process.wait(process.limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        os.close(read)
        return "no answer in %d s" % process.limit
    with os.fdopen(read, encoding="utf-8") as f:
        words = {k: int(v) for k, v in words_of(f.read()).items()}
    if not words:
        return "could not be started"
    return {"wall_s": words["wall_ns"] / 1e9, "cpu_s": words["cpu_ns"] / 1e9, "rss_mib": words["peak_kib"] / 1024,
            "faults": words["faults"], "status": words["status"]}


def rounds_of(items, allocators, rounds, run):
    """Runs run(item, allocator, round) for every pair, interleaved: a round is every contender once, and starts
    with another one each time. {item name: {allocator key: [results]}}"""
    out = {item.name: {} for item in items}
    wanted = {item.name: min(max(rounds, item.least if rounds > 5 else 0), item.most) for item in items}
    most = max(wanted.values(), default=0)
    for r in range(most):
        turn = allocators[r % len(allocators):] + allocators[:r % len(allocators)]
        for item in items:
            if r >= wanted[item.name]:
                continue
            for a in turn:
                if a.key not in item.skip:
                    out[item.name].setdefault(a.key, []).append(run(item, a, r))
            if sys.stderr.isatty():
                print("\r  round %d of %d: %-32s" % (r + 1, most, item.name), end="", file=sys.stderr)
        if not sys.stderr.isatty():
            print("round %d of %d done, load %.1f" % (r + 1, most, os.getloadavg()[0]), file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r%60s\r" % "", end="", file=sys.stderr)
    return out


def quartiles(values):
    values = sorted(values)
    return [values[len(values) // 4], values[-1 - len(values) // 4]]


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
            # A figure may be missing from some runs: what takes a rest is not taken in every round.
            for figure in dict.fromkeys(k for r in runs for k in r if not isinstance(r[k], str)):
                values = [r[figure] for r in runs if figure in r]
                row[figure] = statistics.median(values)
                row[figure + "_spread"] = quartiles(values)
            out[name][key] = row
    return out
