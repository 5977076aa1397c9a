#!/usr/bin/env python3
"""Every report that a document shows must be one that a test produces.

usage: documents.py ROOT

The reports of docs/REPORTS.md are what the tests compare with: each heading `### NAME` with a report needs
a case NAME under tests/. Every other document may show only those, but for addresses, thread numbers and
times.
"""
import glob
import os
import re
import sys

BEGINS = ("*** STOP", "*** WARNING", "*** LEAKS", "*** FAIL RECORD")


def normal(report):
    report = re.sub(r"0x0000[5-7][0-9A-F]{11}\b|0x[5-7][0-9a-f]{11}\b", "0xADDRESS", report)
    report = re.sub(r"thread \d+", "thread N", report)
    return re.sub(r"\d+ ms ago", "N ms ago", report)


def blocks(path):
    """Yields (heading, first line number, text) of what is set apart as it stands: ``` or .nf to .fi."""
    heading, start, lines = "", 0, []
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        if line.startswith("```") or line in (".nf", ".fi"):
            if start and line in ("```", ".fi"):
                yield heading, start, "\n".join(lines)
                start = 0
            else:
                start, lines = number, []
        elif start:
            lines.append(line.replace("\\-", "-").replace("\\e", "\\") if ".md" not in path else line)
        elif line.startswith("### "):
            heading = line[4:]


def reports(path):
    return [(h, n, normal(text)) for h, n, text in blocks(path) if text.startswith(BEGINS)]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: documents.py ROOT")
    root = sys.argv[1]
    cases = {os.path.splitext(os.path.basename(p))[0] for p in glob.glob(root + "/tests/**/*.*", recursive=True)}
    reference = os.path.join(root, "docs/REPORTS.md")
    tested = reports(reference)
    bad = ["%s:%d: no test produces the report of %s" % (reference, n, h) for h, n, _ in tested if h not in cases]
    shown = 0
    for path in sorted(glob.glob(root + "/*.md") + glob.glob(root + "/docs/*.md") + glob.glob(root + "/man/*")):
        if path == reference:
            continue
        for _, number, text in reports(path):
            shown += 1
            if text not in {t for _, _, t in tested}:
                bad.append("%s:%d: this report is not one of docs/REPORTS.md" % (path, number))
    print("\n".join(bad + ["%d reports tested, %d shown elsewhere" % (len(tested), shown)]))
    sys.exit(1 if bad or not tested or not shown else 0)


if __name__ == "__main__":
    main()
