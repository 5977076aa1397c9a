"""The SVG of bench.py: one row a case, one dot an allocator, on a logarithmic axis of ratios."""
import math
from html import escape

COLOURS = {
    "glibc": "#8d99a6", "jemalloc": "#c9a227", "tcmalloc": "#4f9d69", "mimalloc": "#3d6fb4",
    "mi-heaps": "#8fb3dd", "rxpool": "#c8322b", "rxpool-malloc": "#e58a7b",
}
OURS = ("rxpool", "rxpool-malloc")
LEFT, RIGHT, WIDTH, ROW = 240, 150, 1000, 24
LIMIT = 12  # ratios beyond lie on the edge, with the figure beside them
STYLE = """
text { font: 13px 'Helvetica Neue', Helvetica, Arial, sans-serif; fill: #22272e; }
.title { font-size: 22px; font-weight: 600; }
.panel { font-size: 15px; font-weight: 600; }
.faint { font-size: 11px; fill: #6b7580; }
"""


class Canvas:
    """SVG elements from top to bottom; `y` is where the next one goes."""

    def __init__(self):
        self.parts, self.y = [], 0

    def text(self, x, y, words, css="", anchor="start"):
        self.parts.append('<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>'
                          % (x, y, css, anchor, escape(words)))

    def line(self, x1, y1, x2, y2, colour, width=1.0, extra=""):
        self.parts.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" '
                          'stroke-width="%.1f" %s/>' % (x1, y1, x2, y2, colour, width, extra))

    def band(self, y, height, colour):
        self.parts.append('<rect x="0" y="%.1f" width="%d" height="%.1f" fill="%s"/>'
                          % (y, WIDTH, height, colour))

    def mark(self, x, y, key, tip):
        shape = ('<rect x="%.1f" y="%.1f" width="10" height="10" rx="1.5" transform="rotate(45 %.1f %.1f)" '
                 % (x - 5, y - 5, x, y) if key in OURS else '<circle cx="%.1f" cy="%.1f" r="5" ' % (x, y))
        self.parts.append(shape + 'fill="%s" stroke="#fff" stroke-width="1"><title>%s</title></%s>'
                          % (COLOURS[key], escape(tip), "rect" if key in OURS else "circle"))


def ticks(low, high):
    """Ratios to mark between two bounds, always with 1."""
    return [t for t in (0.1, 0.2, 0.33, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 50, 100)
            if low * 0.999 <= t <= high * 1.001]


def amount(value, unit):
    """A figure as people read it: 636058 ns is 636 µs."""
    if unit == "ns" and value >= 1000:
        value, unit = value / 1000, "µs"
    return ("%.1f %s" if value < 100 else "%.0f %s") % (value, unit)


def draw_panel(canvas, title, items, allocators, summary, figure, unit, reference):
    """Rows of `figure` relative to the reference allocator's; a row without one is left out."""
    rows = []
    for item in items:
        row = {k: r for k, r in summary[item.name].items() if r.get(figure, 0) > 0}
        if reference.key in row:
            rows.append((item, row, row[reference.key][figure]))
    if not rows:
        return
    ratios = [r[figure] / base for _, row, base in rows for r in row.values()]
    low, high = min(ratios + [0.75]) / 1.1, min(max(ratios + [1.5]) * 1.1, LIMIT)

    def x_of(ratio):
        unit_x = math.log(min(max(ratio, low), high) / low) / math.log(high / low)
        return LEFT + unit_x * (WIDTH - LEFT - RIGHT)

    canvas.y += 36
    canvas.text(24, canvas.y, title, "panel")
    canvas.text(WIDTH - 24, canvas.y, "%s =" % reference.label, "faint", "end")
    top = canvas.y + 30
    bottom = top + ROW * len(rows)
    for i in range(0, len(rows), 2):
        canvas.band(top + i * ROW, ROW, "#f5f7f9")
    for t in ticks(low, high):
        canvas.line(x_of(t), top, x_of(t), bottom, "#5b6673" if t == 1 else "#d5dbe1",
                    1.2 if t == 1 else 1)
        canvas.text(x_of(t), top - 7, "%g×" % t, "faint", "middle")
    for i, (item, row, base) in enumerate(rows):
        draw_row(canvas, top + i * ROW + ROW / 2, item, row, base, allocators, figure, unit, x_of)
    canvas.y = bottom


def draw_row(canvas, y, item, row, base, allocators, figure, unit, x_of):
    canvas.text(24, y + 4.5, item.text)
    canvas.text(WIDTH - 24, y + 4.5, amount(base, unit), "faint", "end")
    beyond = sorted(r[figure] / base for r in row.values() if r.get(figure, 0) / base > LIMIT)
    if beyond:
        canvas.text(x_of(LIMIT) + 9, y + 4, ", ".join("%.0f×" % b for b in beyond) + " →", "faint")
    # Ours last, so that they lie on top.
    for a in sorted((a for a in allocators if a.key in row), key=lambda a: a.key in OURS):
        r = row[a.key]
        first, last = (v / base for v in r[figure + "_spread"])
        canvas.line(x_of(first), y, x_of(last), y, COLOURS[a.key], 3,
                    'stroke-opacity="0.45" stroke-linecap="round"')
        canvas.mark(x_of(r[figure] / base), y, a.key, "%s: %s, %.2f of the reference"
                    % (a.label, amount(r[figure], unit), r[figure] / base))


def draw_legend(canvas, allocators):
    x = 29
    for a in allocators:
        canvas.mark(x, canvas.y, a.key, a.label)
        canvas.text(x + 11, canvas.y + 4.5, a.label)
        x += 32 + 7.2 * len(a.label)
    canvas.y += 8


def draw(facts, allocators, cases, users, summary):
    """The whole picture as text."""
    by_key = {a.key: a for a in allocators}
    peer = by_key.get("mimalloc", by_key["glibc"])
    canvas = Canvas()
    canvas.y = 40
    canvas.text(24, canvas.y, "rxpool beside its peers", "title")
    canvas.y += 22
    canvas.text(24, canvas.y, "medians; bars are the middle half of the rounds; left is better; "
                "rxpool counts every byte by tag in every figure, its peers do not", "faint")
    canvas.y += 28
    draw_legend(canvas, allocators)
    draw_panel(canvas, "Time for an allocation and a free", cases, allocators, summary, "ns", "ns", peer)
    # Below a mebibyte the figure is the allocator's first chunk, whatever the case did.
    sized = [c for c in cases if summary[c.name].get(peer.key, {}).get("peak_mib", 0) >= 1]
    draw_panel(canvas, "Peak memory above the start", sized, allocators, summary, "peak_mib", "MiB", peer)
    plain = by_key["glibc"]
    draw_panel(canvas, "Real programs: time", users, allocators, summary, "seconds", "s", plain)
    draw_panel(canvas, "Real programs: peak memory", users, allocators, summary, "rss_mib", "MiB", plain)
    canvas.y += 34
    for line in ("%s, %d processors, Linux %s, load %.1f at the start, %.1f at the end; %s" % (
            facts["processor"] or "unknown processor", facts["processors"], facts["kernel"],
            facts["load_at_start"], facts["load_at_end"], facts["compiler"]),
                 ", ".join(dict.fromkeys(facts["versions"].values())),
                 "%s; revision %s; %s" % (facts["date"], facts["revision"], facts["command"])):
        canvas.text(24, canvas.y, line[:170], "faint")
        canvas.y += 16
    height = canvas.y + 22
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
            '<style>%s</style><rect width="100%%" height="100%%" fill="#fff"/>\n%s\n</svg>\n'
            % (WIDTH, height, WIDTH, height, STYLE, "\n".join(canvas.parts)))
