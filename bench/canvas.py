"""SVG pieces for plot.py: text, marks, a chart of lines, a panel of ratios."""
import math
from html import escape

from tables import amount

COLOURS = {
    "glibc": "#7a8691", "jemalloc": "#b8860b", "tcmalloc": "#2e8b57", "mimalloc": "#2f66b0",
    "tbbmalloc": "#8a5fb0", "mi-heaps": "#7fb0e6", "rxpool": "#d0241f", "rxpool-malloc": "#f08a5d",
    "rxpool-module": "#f5b99a", "checked": "#7d1128", "run-checked": "#7d1128", "special": "#c46a9b",
    "valgrind": "#2f66b0", "asan": "#2e8b57", "peer": "#3b444d",
}
OURS = ("rxpool", "rxpool-malloc", "rxpool-module", "checked", "run-checked", "special")
WIDTH, MARGIN = 1080, 28
LEFT, RIGHT, ROW = 316, 206, 23  # of a panel: room for the rows' names, and for the reference
LEAST, LIMIT = 0.4, 8  # ratios beyond lie on the edge, with the figure beside them
INK, FAINT, GRID = "#1f2429", "#66707a", "#dfe4e9"
STYLE = """
text { font: 13px 'DejaVu Sans', 'Helvetica Neue', Helvetica, Arial, sans-serif; fill: #1f2429; }
.title { font-size: 25px; font-weight: bold; }
.panel { font-size: 15px; font-weight: bold; }
.faint { font-size: 11px; fill: #66707a; }
.small { font-size: 11px; }
"""


class Canvas:
    """SVG elements from top to bottom; `y` is where the next one goes."""

    def __init__(self):
        self.parts, self.y = [], 0

    def text(self, x, y, words, css="", anchor="start", colour=None):
        style = ' style="fill:%s"' % colour if colour else ""
        self.parts.append('<text x="%.1f" y="%.1f" class="%s" text-anchor="%s"%s>%s</text>'
                          % (x, y, css, anchor, style, escape(words)))

    def line(self, x1, y1, x2, y2, colour, width=1.0, extra=""):
        self.parts.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" '
                          'stroke-width="%.1f" %s/>' % (x1, y1, x2, y2, colour, width, extra))

    def box(self, x, y, width, height, colour, extra=""):
        self.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" %s/>'
                          % (x, y, width, height, colour, extra))

    def path(self, points, colour, width, extra=""):
        self.parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="%.1f" '
                          'stroke-linejoin="round" stroke-linecap="round" %s/>'
                          % (" ".join("%.1f,%.1f" % p for p in points), colour, width, extra))

    def mark(self, x, y, key, tip, size=5.0):
        """A diamond for ours, a dot for a peer; browsers show `tip`."""
        if key in OURS:
            self.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" transform="rotate(45 %.1f '
                              '%.1f)" fill="%s" stroke="#fff"><title>%s</title></rect>'
                              % (x - size, y - size, 2 * size, 2 * size, x, y, COLOURS[key], escape(tip)))
        else:
            self.parts.append('<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s" stroke="#fff"><title>%s</title>'
                              '</circle>' % (x, y, size, COLOURS[key], escape(tip)))

    def svg(self, height):
        return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
                '<style>%s</style><rect width="100%%" height="100%%" fill="#fff"/>\n%s\n</svg>\n'
                % (WIDTH, height, WIDTH, height, STYLE, "\n".join(self.parts)))


def nice_ticks(low, high):
    """1, 2 and 5 times powers of ten between two bounds."""
    out, power = [], 10.0 ** math.floor(math.log10(low))
    while power <= high:
        out += [power * m for m in (1, 2, 5) if low * 0.999 <= power * m <= high * 1.001]
        power *= 10
    return out


def apart(labels, least, bottom):
    """Moves (y, ...) labels down until none is closer than `least` to another, then up from the bottom."""
    labels = sorted(labels)
    for i in range(1, len(labels)):
        labels[i][0] = max(labels[i][0], labels[i - 1][0] + least)
    limit = bottom
    for label in reversed(labels):
        label[0] = min(label[0], limit)
        limit = label[0] - least
    return labels


class Series:
    """One line of a chart; `values` has None where nothing was measured."""

    def __init__(self, key, label, values, dashed=False):
        self.key, self.label, self.values, self.dashed = key, label, values, dashed

    def points(self):
        return [(i, v) for i, v in enumerate(self.values) if v]


def chart(canvas, left, top, width, height, title, subtitle, ticks, series, unit):
    """Lines over evenly spaced ticks, on a logarithmic scale, each named at its end."""
    series = [s for s in series if s.points()]
    ticks = ticks[:max(s.points()[-1][0] for s in series) + 1]
    values = [v for s in series for _, v in s.points()]
    low, high = min(values) / 1.15, max(values) * 1.15
    x0, x1, y0, y1 = left + 52, left + width - 112, top + 52, top + height - 26

    def x_of(i):
        return x0 + (x1 - x0) * (i / max(len(ticks) - 1, 1))

    def y_of(v):
        return y1 - (y1 - y0) * math.log(v / low) / math.log(high / low)

    canvas.text(left, top + 14, title, "panel")
    canvas.text(left, top + 32, subtitle, "faint")
    for t in nice_ticks(low, high):
        canvas.line(x0, y_of(t), x1, y_of(t), GRID)
        canvas.text(x0 - 7, y_of(t) + 4, "%g%s" % (t, unit), "faint", "end")
    for i, t in enumerate(ticks):
        canvas.line(x_of(i), y1, x_of(i), y1 + 4, FAINT)
        canvas.text(x_of(i), y1 + 18, t, "faint", "middle")
    canvas.line(x0, y1, x1, y1, FAINT)
    labels = []
    for s in sorted(series, key=lambda s: s.key in OURS):
        points = [(x_of(i), y_of(v)) for i, v in s.points()]
        ours = s.key in OURS
        canvas.path(points, COLOURS[s.key], 3 if ours else 1.8, 'stroke-dasharray="5 4"' if s.dashed else "")
        for (x, y), (i, v) in zip(points, s.points()):
            if not s.dashed:
                canvas.mark(x, y, s.key, "%s, %s: %.1f%s" % (s.label, ticks[i], v, unit), 3.2 if ours else 2.8)
        labels.append([points[-1][1], points[-1][0], s])
    for y, x, s in apart(labels, 13.5, y1):
        canvas.text(max(x, x1 if len(s.points()) == len(ticks) else x) + 9, y + 4, s.label, "small",
                    colour=COLOURS[s.key])


def panel(canvas, title, note, items, allocators, summary, figure, unit, reference):
    """Rows of `figure` over what reference(row) answers, a (key, value); a row without one is left out."""
    rows = []
    for item in items:
        row = {k: r for k, r in summary.get(item.name, {}).items() if r.get(figure, 0) > 0}
        base = reference(row)
        if base is not None:
            rows.append((item, row, base))
    if not rows:
        return
    ratios = [r[figure] / base for _, row, (_, base) in rows for r in row.values()]
    low, high = max(min(ratios + [0.8]) / 1.08, LEAST), min(max(ratios + [1.5]) * 1.08, LIMIT)

    def x_of(ratio):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(min(max(ratio, low), high) / low) / math.log(high / low)

    canvas.y += 44
    canvas.text(MARGIN, canvas.y, title, "panel")
    canvas.text(WIDTH - MARGIN, canvas.y, note, "faint", "end")
    top = canvas.y + 32
    bottom = top + ROW * len(rows)
    for i in range(0, len(rows), 2):
        canvas.box(MARGIN - 8, top + i * ROW, WIDTH - 2 * MARGIN + 16, ROW, "#f5f7f9", 'rx="3"')
    # Left of 1 is better than the reference: worth a colour of its own.
    if low < 1:
        canvas.box(x_of(low), top, x_of(1) - x_of(low), bottom - top, "#2e8b57", 'fill-opacity="0.07"')
    for t in (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10):
        if low <= t <= high * 1.001:
            canvas.line(x_of(t), top, x_of(t), bottom, FAINT if t == 1 else GRID, 1.4 if t == 1 else 1)
            canvas.text(x_of(t), top - 8, "%g×" % t, "faint", "middle")
    for i, (item, row, base) in enumerate(rows):
        panel_row(canvas, top + i * ROW + ROW / 2, item, row, base, allocators, figure, unit, x_of, low, high)
    canvas.y = bottom


def panel_row(canvas, y, item, row, base, allocators, figure, unit, x_of, low, high):
    key, value = base
    labels = {a.key: a.label for a in allocators}
    indent = 14 if item.text.startswith("  ") else 0
    canvas.text(MARGIN + indent, y + 4.5, item.text.strip(), "", colour=FAINT if indent else INK)
    canvas.text(WIDTH - MARGIN, y + 4, "%s %s" % (amount(value, unit), labels.get(key, key)), "faint", "end")
    # What lies beyond the edges is told in figures.
    for words, edge, step, anchor in (("%.0f×", high, 30, "start"), ("%.2f×", low, -36, "end")):
        beyond = sorted((r[figure] / value, k) for k, r in row.items()
                        if (r[figure] / value - edge) * step > edge * 0.01)
        for i, (ratio, k) in enumerate(beyond[:2]):
            canvas.text(x_of(edge) + math.copysign(9, step) + i * step, y + 4, words % ratio, "small", anchor,
                        COLOURS[k])
    # Ours last, so that they lie on top.
    for a in sorted((a for a in allocators if a.key in row), key=lambda a: a.key in OURS):
        r = row[a.key]
        first, last = (v / value for v in r[figure + "_spread"])
        canvas.line(x_of(first), y, x_of(last), y, COLOURS[a.key], 3.5, 'stroke-opacity="0.4" stroke-linecap="round"')
        canvas.mark(x_of(r[figure] / value), y, a.key, "%s: %s, %.2f of the reference"
                    % (a.label, amount(r[figure], unit), r[figure] / value))


def bars(canvas, left, top, width, height, title, subtitle, rows, unit):
    """Horizontal bars, one group a (label, key, [(value, opacity)]); on a linear scale."""
    canvas.text(left, top + 14, title, "panel")
    canvas.text(left, top + 32, subtitle, "faint")
    high = max(v for _, _, values in rows for v, _ in values) or 1
    x0, x1 = left + 118, left + width - 70
    step = (height - 62) / len(rows)
    for i, (label, key, values) in enumerate(rows):
        y = top + 48 + i * step
        canvas.text(x0 - 9, y + step / 2 + 3, label, "small", "end", COLOURS[key])
        thick = (step - 6) / len(values)
        for j, (value, opacity) in enumerate(values):
            length = max((x1 - x0) * max(value, 0) / high, 1)
            canvas.box(x0, y + 2 + j * thick, length, thick - 1.5, COLOURS[key], 'rx="1.5" fill-opacity="%g"' % opacity)
            canvas.text(x0 + length + 6, y + j * thick + thick / 2 + 5, "%.*f%s" % (value < 10, value, unit), "faint")
