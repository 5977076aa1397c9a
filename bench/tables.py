"""Results of bench.py as Markdown that also reads well on a terminal."""


def amount(value, unit):
    """A figure as people read it: 636058 ns is 636 µs."""
    if unit == "ns":
        for larger in ("µs", "ms", "s"):
            if abs(value) < 1000:
                break
            value, unit = value / 1000, larger
    if unit == "s" and abs(value) < 0.1:
        value, unit = value * 1000, "ms"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return "%.*f %s" % (digits, value, unit)


def spread(row, figure, unit):
    """Half of the middle half of the rounds, in per cent of the median; "" where there was one round, and where
    a page more or less is much."""
    first, last = row[figure + "_spread"]
    if len(row["runs"]) < 2 or row[figure] <= 0 or (unit == "MiB" and row[figure] < 1):
        return ""
    return " ±%.0f%%" % (50 * (last - first) / row[figure])


def cell(row, figure, unit, best):
    if row is None:
        return "-"
    if "error" in row:
        return "failed"
    if figure not in row:
        return "-"
    text = amount(row[figure], unit)
    return "**%s**%s" % (text, spread(row, figure, unit)) if row[figure] == best else text + spread(row, figure, unit)


def markdown(head, rows):
    """A table whose columns line up; the first is flush left, the others right."""
    widths = [max(len(line[i]) for line in [head] + rows) for i in range(len(head))]

    def line(cells):
        return "| %s |" % " | ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                     for i, (c, w) in enumerate(zip(cells, widths)))
    rule = "|%s|" % "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths))
    return "\n".join([line(head), rule] + [line(r) for r in rows])


def table(title, items, allocators, summary, figure, unit, mark_best=True):
    """Medians, one column a contender, the best of each row in bold; rows without the figure are left out."""
    rows = []
    for item in items:
        row = summary[item.name]
        values = [r[figure] for r in row.values() if figure in r]
        if values or any("error" in r for r in row.values()):
            best = min(values) if values and mark_best else None
            rows.append([item.text.strip() if not item.text.startswith("  ") else "· " + item.text.strip()]
                        + [cell(row.get(a.key), figure, unit, best) for a in allocators])
    if not rows:
        return ""
    return "### %s\n\n%s\n" % (title, markdown([""] + [a.label for a in allocators], rows))


def idle_table(allocators, summary):
    """What a process holds after one allocation, above what it holds on glibc."""
    row = summary.get("idle", {})
    base = row.get("glibc", {})
    if "private_kib" not in base:
        return ""
    here = [a for a in allocators if "private_kib" in row.get(a.key, {})]
    rows = [[title] + ["%.0f" % (row[a.key][f] - base[f]) for a in here]
            for title, f in (("pages of its own, KiB", "private_kib"),
                             ("resident, with pages of files, KiB", "resident_kib"))]
    return "### One block and nothing else, above the same on glibc\n\n%s\n" % markdown(
        [""] + [a.label for a in here], rows)


def provenance(facts):
    lines = []
    for key, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(v for v in dict.fromkeys(value.values()) if v)
        lines.append("- %s: %s" % (key.replace("_", " "), value))
    return "### How it was measured\n\n" + "\n".join(lines) + "\n"
