"""The project's goals beside what was measured: each row is a ratio within one run, or an amount of memory."""
import math
import statistics

import tables

PEERS = ("glibc", "jemalloc", "tcmalloc", "mimalloc", "tbbmalloc")


class Goal:
    """One row: `value` is None where a figure that it needs was not measured. `low` and `high` hold the middle
    half of the rounds' own ratios."""

    def __init__(self, text, value, reach, aim=None, against="", unit="", low=None, high=None):
        self.text, self.value, self.reach, self.aim = text, value, reach, aim
        self.against, self.unit, self.low, self.high = against, unit, low, high

    def record(self):
        return {"text": self.text, "value": self.value, "at_most": self.reach, "aim": self.aim,
                "against": self.against, "unit": self.unit, "low": self.low, "high": self.high}


def median(summary, case, key, figure):
    return summary.get(case, {}).get(key, {}).get(figure)


def ratio(summary, ours, theirs, figure="ns"):
    """(case, key) against (case, key): the ratio of the medians, and the middle half of the rounds' ratios."""
    a, b = (median(summary, *x, figure) for x in (ours, theirs))
    if a is None or not b:
        return None, None, None
    rounds = sorted(x[figure] / y[figure] for x, y in zip(summary[ours[0]][ours[1]]["runs"],
                                                         summary[theirs[0]][theirs[1]]["runs"])
                    if y.get(figure) and figure in x)
    return a / b, rounds[len(rounds) // 4], rounds[-1 - len(rounds) // 4]


def best_peer(summary, case, figure="ns", peers=PEERS):
    there = [(median(summary, case, p, figure), p) for p in peers
             if median(summary, case, p, figure) is not None]
    return min(there)[1] if there else None


def against(summary, text, case, reach, aim, peer=None, ours="rxpool", figure="ns"):
    """A row of one case against a peer, or against the best."""
    chosen = peer or best_peer(summary, case, figure)
    value, low, high = ratio(summary, (case, ours), (case, chosen), figure)
    return Goal(text, value, reach, aim, chosen or "the best peer", "×", low, high)


def of_one_tag(summary, text, case, tags, reach, aim, figure="ns"):
    value, low, high = ratio(summary, ("%s-tags-%d" % (case, tags), "rxpool"), (case, "rxpool"), figure)
    return Goal(text, value, reach, aim, "one tag", "×", low, high)


def geometric_mean(values):
    values = list(values)
    return math.exp(statistics.fmean(math.log(v) for v in values)) if values and min(values) > 0 else None


def mean_ratio(summary, items, key, base, figure):
    """Geometric mean of key's figure over base's; None when one of the programs is missing under either."""
    pairs = [(median(summary, i.name, key, figure), median(summary, i.name, base, figure)) for i in items]
    if not pairs or any(a is None or not b for a, b in pairs):
        return None
    return geometric_mean(a / b for a, b in pairs)


def thread_loss(summary, figure):
    """The part of the best throughput that is lost with more threads than those that give it."""
    times = [median(summary, "threads-%d" % n, "rxpool", figure) for n in (1, 2, 4, 16, 64)]
    if None in times:
        return None
    best = times.index(min(times))
    return 1 - times[best] / max(times[best:])


def left_after(summary):
    """The most that any case left behind a second after everything was freed."""
    values = [rows[key]["rested_mib"] for rows in summary.values() for key in ("rxpool", "rxpool-malloc")
              if "rested_mib" in rows.get(key, {})]
    return max(values) if values else None


def idle_cost(summary, key):
    ours, base = (median(summary, "idle", k, "private_kib") for k in (key, "glibc"))
    return None if ours is None or base is None else ours - base


def small_goals(s):
    rows = [
        against(s, "the same 64-byte block again", "same", 0.68, 0.60, "mimalloc"),
        against(s, "the same 64-byte block again", "same", 0.85, 0.75),
    ]
    for case, text in (("fifo", "1,000 in, out in order"), ("lifo", "1,000 in, out in reverse")):
        rows += [against(s, text, case, 1.10, 0.95),
                 against(s, text + ", 16 tags", case + "-tags-16", 1.45, 1.20)]
    rows += [
        against(s, "replace one of 100,000", "replace-100000", 1.05, 0.90),
        against(s, "replace one of 100,000, 16 tags", "replace-100000-tags-16", 1.20, 1.00),
        against(s, "replace one of 100,000, 256 tags", "replace-100000-tags-256", 1.60, 1.20),
        against(s, "replace one of 100,000, 256 tags", "replace-100000-tags-256", 0.55, 0.40, "mi-heaps"),
    ]
    for tags in (1024, 10000):
        name = "{:,} tags".format(tags)
        rows += [of_one_tag(s, "1,000 in, out in order, " + name, "fifo", tags, 1.40, 1.30),
                 of_one_tag(s, "replace one of 100,000, " + name, "replace-100000", tags, 1.60, 1.30),
                 of_one_tag(s, "replace one of 100,000, " + name + ", peak memory", "replace-100000", tags, 1.25,
                            1.15, "peak_mib")]
    return rows


def large_goals(s):
    return [
        against(s, "allocated here, freed by another thread", "handover", 0.60, 0.40),
        Goal("throughput lost by up to 64 threads", thread_loss(s, "wall_ns"), 0.10, 0.05, "the best count of threads"),
        Goal("the same, by processor time", thread_loss(s, "cpu_ns"), 0.10, 0.05, "the best count of threads"),
        against(s, "zeroed, 64 KiB to 4 MiB, touched", "zeroed-large", 1.00, 0.95),
        against(s, "one buffer grows to 256 MiB (drop-in)", "growth-once", 1.00, 0.95, ours="rxpool-malloc"),
        against(s, "such buffers again and again (drop-in)", "growth-repeated", 0.40, 0.25, ours="rxpool-malloc"),
        against(s, "5 to 25 MiB, 500 times, touched", "random-large", 1.00, 0.90),
        Goal("left a second after all was freed, the most", left_after(s), 2, 1, "the start", "MiB"),
        Goal("one block and nothing else", idle_cost(s, "rxpool"), 256, None, "glibc", "KiB"),
        Goal("one block and nothing else (drop-in)", idle_cost(s, "rxpool-malloc"), 256, None, "glibc", "KiB"),
    ]


def program_goals(s, programs):
    items = [p for p in programs if p.counted]
    means = {p: mean_ratio(s, items, p, "glibc", "seconds") for p in PEERS}
    there = [(v, p) for p, v in means.items() if v is not None]
    best = min(there)[1] if there else None
    ours = mean_ratio(s, items, "rxpool-malloc", best, "seconds") if best else None
    return [
        Goal("real programs, time, geometric mean", ours, 1.00, 0.97, best or "the best peer", "×"),
        Goal("real programs by module, time", mean_ratio(s, items, "rxpool-module", "rxpool-malloc", "seconds"), 1.03,
             None, "one row for the program", "×"),
        Goal("real programs, peak memory", mean_ratio(s, items, "rxpool-malloc", "mimalloc", "rss_mib"), 0.90, 0.80,
             "mimalloc", "×"),
        Goal("real programs, peak memory", mean_ratio(s, items, "rxpool-malloc", "glibc", "rss_mib"), 1.15, 1.05,
             "glibc", "×"),
    ]


HEADER_AND_GUARD = 48  # of a checked block of 64 bytes: 32 in front, 16 behind


def bytes_beyond(summary, size):
    """Bytes that the checked build holds for a live block, beyond `size`."""
    runs = summary.get("live", {}).get("checked", {}).get("runs")
    return runs and statistics.median(r["peak_mib"] * 1048576 / r["live"] for r in runs) - size


def added(ours, theirs):
    """Added time against added time, of two ratios to the unchecked program."""
    return None if ours is None or theirs is None or theirs <= 1 else max(ours - 1, 0) / (theirs - 1)


def checked_goals(s, programs, work):
    same, low, high = ratio(s, ("same", "checked"), ("same", "rxpool"))
    guarded = [ratio(s, (c, "special"), (c, "rxpool"))[0] for c in ("same", "fifo", "replace-100000")]
    time = mean_ratio(s, programs, "run-checked", "glibc", "seconds")
    return [
        Goal("the same 64-byte block again, checked", same, 8, None, "the free build", "×", low, high),
        Goal("real programs, checked, time, geometric mean", time, 1.35, None, "glibc", "×"),
        Goal("real programs, checked, peak memory", mean_ratio(s, programs, "run-checked", "glibc", "rss_mib"), 1.8,
             None, "glibc", "×"),
        Goal("time added to the corpus' programs", added(mean_ratio(s, work, "run-checked", "glibc", "seconds"),
                                                         mean_ratio(s, work, "asan", "glibc", "seconds")),
             0.5, None, "what ASan adds", "×"),
        Goal("time added to real programs", added(time, mean_ratio(s, programs, "valgrind", "glibc", "seconds")),
             0.1, None, "what valgrind adds", "×"),
        Goal("one guard page in 5,000 blocks, geometric mean",
             None if None in guarded else geometric_mean(guarded), 1.02, None, "the free build", "×"),
        Goal("the registry's bytes for one of 10,000,000 blocks", bytes_beyond(s, 64 + HEADER_AND_GUARD), 96, None,
             "", "bytes"),
    ]


def table(goals):
    """Markdown; `yes` means that the goal is reached."""
    rows = []
    for g in goals:
        def shown(value):
            return "-" if value is None else ("%.0f" if g.unit in ("KiB", "bytes") else "%.2f") % value
        unit = "" if g.unit in ("", "×") else " " + g.unit
        spread = "" if g.low is None else "%.2f to %.2f" % (g.low, g.high)
        verdict = "not measured" if g.value is None else "yes" if g.value <= g.reach else "no"
        rows.append([g.text, g.against, shown(g.value) + (unit if g.value is not None else ""), spread,
                     shown(g.reach) + unit, shown(g.aim), verdict])
    return "### Goals\n\n%s\n" % tables.markdown(
        ["", "against", "measured", "middle half of the rounds", "at most", "aim", "reached"], rows)
