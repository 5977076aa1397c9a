"""The picture of bench.py: what tags, threads and live blocks cost, then every case beside its best peer."""
from canvas import MARGIN, WIDTH, Canvas, Series, bars, chart, panel
from cases import TAGS
from ratios import PEERS

THREADS = (1, 2, 4, 16, 64)
WORKING_SETS = (1000, 10000, 100000, 1000000, 10000000)
COLUMN = (WIDTH - 2 * MARGIN - 24) / 2
HEIGHT = 268


def best_of(figure, keys=PEERS):
    """The reference of a panel: the least of the peers' medians."""
    def reference(row):
        there = [(row[k][figure], k) for k in keys if k in row]
        return (min(there)[1], min(there)[0]) if there else None
    return reference


def figure_of(summary, case, key, figure="ns"):
    return summary.get(case, {}).get(key, {}).get(figure)


def tag_lines(summary, labels):
    names = ["replace-100000" + ("-tags-%d" % n if n > 1 else "") for n in TAGS]
    lines = [Series(key, labels[key], [figure_of(summary, n, key) for n in names])
             for key in ("rxpool", "mi-heaps") if key in labels]
    best = [min((v for v in (figure_of(summary, n, p) for p in PEERS) if v), default=None) for n in names]
    # Peers do not know tags: where they were not run again, they cost what they did.
    last = None
    for i, value in enumerate(best):
        last = best[i] = value or last
    return lines + [Series("peer", "best without", best, dashed=True)]


def lines_over(summary, labels, names, turn=lambda v: v, skip=("mi-heaps",)):
    return [Series(key, label, [turn(v) if (v := figure_of(summary, n, key)) else None for n in names])
            for key, label in labels.items() if key not in skip]


def charts(canvas, allocators, summary):
    labels = {a.key: a.label.replace("mimalloc, heap per tag", "mimalloc heaps") for a in allocators}
    drawn = [
        ("What tags cost", "ns for an allocation and a free, one of 100,000 blocks replaced, by number of tags",
         ["{:,}".format(n) for n in TAGS], tag_lines(summary, labels), ""),
        ("What live blocks cost", "ns for an allocation and a free, a random block replaced, by live blocks",
         ["1,000", "10,000", "100,000", "1 M", "10 M"],
         lines_over(summary, labels, ["replace-%d" % n for n in WORKING_SETS]), ""),
        ("What threads bring", "million allocations and frees a second, 100,000 blocks in all, by threads",
         [str(n) for n in THREADS],
         lines_over(summary, labels, ["threads-%d" % n for n in THREADS], lambda ns: 1000 / ns), ""),
    ]
    top, column = canvas.y + 26, 0
    for title, subtitle, ticks, series, unit in drawn:
        if sum(len(s.points()) > 1 for s in series):
            chart(canvas, MARGIN + column % 2 * (COLUMN + 24), top + column // 2 * (HEIGHT + 22), COLUMN, HEIGHT, title,
                  subtitle, ticks, series, unit)
            column += 1
    rows = memory_rows(allocators, summary, labels)
    if rows:
        bars(canvas, MARGIN + column % 2 * (COLUMN + 24), top + column // 2 * (HEIGHT + 22), COLUMN, HEIGHT,
             "What memory stays", "MiB: the peak of a million blocks; below it, a second after all were freed",
             rows, "")
        column += 1
    canvas.y = top + (column + 1) // 2 * (HEIGHT + 22) - 14 if column else canvas.y


def memory_rows(allocators, summary, labels):
    case = summary.get("replace-1000000", {})
    return [(labels[a.key], a.key, [(case[a.key]["peak_mib"], 0.35), (case[a.key]["rested_mib"], 1)])
            for a in allocators if "rested_mib" in case.get(a.key, {})]


def draw_legend(canvas, allocators):
    x = MARGIN + 6
    for a in allocators:
        if x + 24 + 7.4 * len(a.label) > WIDTH - MARGIN:
            x, canvas.y = MARGIN + 6, canvas.y + 22
        canvas.mark(x, canvas.y, a.key, a.label)
        canvas.text(x + 12, canvas.y + 4.5, a.label)
        x += 38 + 7.4 * len(a.label)


def head(canvas, title, note, allocators):
    canvas.y = 46
    canvas.text(MARGIN, canvas.y, title, "title")
    canvas.y += 24
    canvas.text(MARGIN, canvas.y, note, "faint")
    canvas.y += 30
    draw_legend(canvas, allocators)


def foot(canvas, facts):
    canvas.y += 40
    versions = ", ".join(v for v in dict.fromkeys(facts["versions"].values()) if v)
    for line in ("%s, %d processors, Linux %s, load %.1f at the start, %.1f at the end; %s" % (
            facts["processor"] or "unknown processor", facts["processors"], facts["kernel"],
            facts["load_at_start"], facts["load_at_end"], facts["compiler"]),
                 versions, "%s; revision %s; %s" % (facts["date"], facts["revision"], facts["command"])):
        canvas.text(MARGIN, canvas.y, line[:160], "faint")
        canvas.y += 16
    return canvas.svg(canvas.y + 12)


def draw(facts, allocators, cases, users, summary):
    """The whole picture as text."""
    shown = [a for a in allocators if a.key != "rxpool-module" or users]
    canvas = Canvas()
    head(canvas, "rxpool beside its peers", "medians; bars are the middle half of the rounds; rxpool counts every byte "
         "by tag in every figure, its peers do not", shown)
    charts(canvas, [a for a in shown if a.program], summary)
    note = "1× is the best peer of the row, named at the right; left is better"
    # The charts show what more tags cost; a line of its own for each would say it again.
    timed = [c for c in cases if c.tags <= 256 and c.name != "idle" and not c.name.startswith("threads-")]
    panel(canvas, "Time for an allocation and a free", note, timed, shown, summary, "ns", "ns", best_of("ns"))
    # Below a mebibyte the figure is the allocator's first chunk, whatever the case did.
    sized = [c for c in timed if figure_of(summary, c.name, "glibc", "peak_mib") and
             summary[c.name]["glibc"]["peak_mib"] >= 2]
    panel(canvas, "Peak memory above the start", note, sized, shown, summary, "peak_mib", "MiB", best_of("peak_mib"))
    panel(canvas, "Real programs: time", note, users, shown, summary, "seconds", "s", best_of("seconds"))
    panel(canvas, "Real programs: peak memory", note, users, shown, summary, "rss_mib", "MiB", best_of("rss_mib"))
    return foot(canvas, facts)


def draw_checked(facts, allocators, cases, users, summary):
    """The picture of --checked: what it costs to look for errors."""
    canvas = Canvas()
    head(canvas, "What checking costs", "medians; bars are the middle half of the rounds; left is better", allocators)
    note = "1× is %s"
    panel(canvas, "Programs: time", note % "glibc, without checks", users, allocators, summary, "seconds", "s",
          best_of("seconds", ("glibc",)))
    panel(canvas, "Programs: peak memory", note % "glibc, without checks", users, allocators, summary, "rss_mib",
          "MiB", best_of("rss_mib", ("glibc",)))
    panel(canvas, "Time for an allocation and a free", note % "the free build", cases, allocators, summary, "ns", "ns",
          best_of("ns", ("rxpool",)))
    return foot(canvas, facts)
