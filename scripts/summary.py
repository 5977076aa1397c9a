#!/usr/bin/env python3
"""Adds up CTest's JUnit files and ends with the line "N passed, N failed, N skipped".

usage: summary.py NAME=FILE.xml | NAME=passed | NAME=failed ...

A cmocka program counts as the tests that it ran, every other program as one. Skips are printed with the
reason that the test gave: lines "SKIP: reason" or "skipped NAME: reason" in its output; in a program that
passes, each such line counts as a skip of its own. Exit status 1 when anything failed, when nothing ran, or
when a skip has no reason.
"""
import re
import sys
import xml.etree.ElementTree as ET

CMOCKA = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] ([A-Za-z_]\w*)\s*$", re.M)
REASON = re.compile(r"^\s*(?:SKIP|skip|SKIPPED|skipped)(?::|\s)\s*(\S.*?)\s*$", re.M)


def read(path):
    """Yields (test, 'passed' | 'failed' | 'skipped', reasons) for each test of one JUnit file."""
    if path in ("passed", "failed"):
        yield "the whole of it", path, []
        return
    for case in ET.parse(path).getroot().iter("testcase"):
        name, output = case.get("name"), case.findtext("system-out") or ""
        reasons = REASON.findall(output)
        status = case.get("status")
        if case.find("failure") is not None or case.find("error") is not None:
            status = "fail"
        if status in ("notrun", "disabled") or case.find("skipped") is not None:
            # "Not Run" for want of the program is a failure; SKIP_RETURN_CODE is a skip.
            missing = status == "notrun" and "Unable to find executable" in ET.tostring(case, "unicode")
            yield name, "failed" if missing else "skipped", reasons
            continue
        inner = {test: verdict for verdict, test in CMOCKA.findall(output)}
        verdicts = list(inner.items()) or [(None, "FAILED" if status == "fail" else "OK")]
        if status == "fail" and "FAILED" not in [v for _, v in verdicts]:
            verdicts.append((None, "FAILED"))
        if not inner:
            verdicts += [(why.split(":")[0], "SKIPPED") for why in reasons]
        for test, verdict in verdicts:
            full = name if test is None else "%s: %s" % (name, test)
            yield full, {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[verdict], reasons


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: summary.py NAME=FILE.xml | NAME=passed | NAME=failed ...")
    total = {"passed": 0, "failed": 0, "skipped": 0}
    unexplained = 0
    for argument in sys.argv[1:]:
        run, _, path = argument.partition("=")
        count = dict.fromkeys(total, 0)
        notes = []
        for test, verdict, reasons in read(path):
            count[verdict] += 1
            if verdict == "failed":
                notes.append("    FAILED  %s" % test)
            elif verdict == "skipped":
                unexplained += not reasons
                notes.append("    skipped %s: %s" % (test, "; ".join(reasons) or "NO REASON GIVEN"))
        print("%-10s %5d passed %5d failed %5d skipped"
              % (run, count["passed"], count["failed"], count["skipped"]))
        print("\n".join(notes), end="\n" if notes else "")
        for key in total:
            total[key] += count[key]
    if unexplained:
        print("%d skips without a reason: a skip prints \"SKIP: why\"" % unexplained)
    print("%d passed, %d failed, %d skipped" % (total["passed"], total["failed"], total["skipped"]))
    sys.exit(1 if total["failed"] or unexplained or not total["passed"] else 0)


if __name__ == "__main__":
    main()
