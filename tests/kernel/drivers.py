#!/usr/bin/env python3
"""Loads drivers under Wine and judges what they wrote to their logs.

usage: drivers.py WINE-COMMAND PREFIX FOLDER prepare
       drivers.py WINE-COMMAND PREFIX FOLDER misuse CASES.H REPORTS.MD ADOPT.MD
       drivers.py WINE-COMMAND PREFIX FOLDER minirdr NAME SOURCE-FOLDER...
       drivers.py WINE-COMMAND PREFIX FOLDER ratio
       drivers.py WINE-COMMAND PREFIX FOLDER says NAME WORD [CASE]
       drivers.py WINE-COMMAND PREFIX FOLDER refused

FOLDER has load.exe and the drivers. prepare makes the prefix, where the first load takes its time.
"""
import os
import re
import shutil
import subprocess
import sys

LOAD_SECONDS = 120


class Wine:
    def __init__(self, command, prefix, folder):
        self.command, self.prefix, self.folder = command, prefix, folder

    def run(self, *words):
        done = subprocess.run([self.command, self.prefix, *words], stdout=subprocess.PIPE,
                              universal_newlines=True, timeout=LOAD_SECONDS, check=False)
        return done.returncode, done.stdout

    def start(self, name, cases=()):
        """Loads NAME.sys for each of the cases; answers load.exe's status and words, and the log's text."""
        log = os.path.join(self.folder, name + ".log")
        if os.path.exists(log):
            os.remove(log)
        status, said = self.run(os.path.join(self.folder, "load.exe"), name,
                                os.path.join(self.folder, name + ".sys"), "Z:" + log.replace("/", "\\"), *cases)
        text = ""
        if os.path.exists(log):
            text = open(log, encoding="utf-8", errors="replace").read().replace("\r\n", "\n")
        return status, said, text

    def load(self, name, cases=()):
        """The same; answers the log's text, or ends with Wine's own words."""
        status, said, text = self.start(name, cases)
        if status != 0:
            sys.exit("%s.sys: load.exe answered %d:\n%s--- the log:\n%s" % (name, status, said, text))
        return text


def prepare(wine):
    status, said = wine.run("--prepare")
    if status != 0:
        sys.exit("no prefix: %s" % said)
    # What made the prefix leaves services behind that start no driver.
    subprocess.run(["wineserver", "-k", "-w"], env=dict(os.environ, WINEPREFIX=wine.prefix), check=False)
    wine.run("--keep-server")
    wine.load("warmest")
    print("drivers can be loaded")


# --- misuse: the reports of docs/REPORTS.md ----------------------------------------------------------

NEVER_FREED = ("overrun_never_freed", "sweep")  # the twin too: a program's exit says nothing of that, a driver's unload does
NEAR = 0x8000  # an address so near to a named one belongs to the same block


def normal(text):
    """What is the same from run to run, and the same in a program and in a driver."""
    text = text.replace("detected by: exit", "detected by: RxPoolUnload")
    text = re.sub(r"not freed at exit", "not freed at RxPoolUnload", text)
    named = [int(a, 16) for a in re.findall(r"^(?:block|oldest|address): (0x[0-9a-f]+)", text, re.M)]

    def address(match):
        value = int(match.group(0), 16)
        return "0xADDRESS" if any(abs(value - a) < NEAR for a in named if a) else match.group(0)

    text = re.sub(r"\b0x[0-9A-Fa-f]+\b", address, text)
    text = re.sub(r"thread \d+", "thread N", text)
    text = re.sub(r"\d+ ms ago", "N ms ago", text)
    text = re.sub(r"allocation \d+", "allocation N", text)
    text = re.sub(r"^damage: offset -[1-4], [1-4] bytes?: .*", "damage: CHECK", text, flags=re.M)
    # A block that had to be moved in its memory has more guard bytes behind it.
    text = re.sub(r"^  0x\w+  (?:bd ){16}\|.{16}\|\n", "", text, flags=re.M)
    # A driver's options come from the driver.
    text = re.sub(r"^replay: .*\n", "", text, flags=re.M)
    # A place without file and line is an address in the code, which a program names by its module.
    text = re.sub(r"^detected at: (?!\S+\.c:\d+$).*\n", "", text, flags=re.M)
    text = re.sub(r"(BAD_POOL_CALLER \(0x0{14}9[BCD], .*, )0x[0-9A-F]{16}\)", r"\1CODE)", text)
    text = re.sub(r"^(  0xADDRESS  (?:[0-9a-f]{2} ){12}).*\|....(?:Aloc|Free|Sign).{8}\|$", r"\1CHECK", text,
                  flags=re.M)
    # There is no search: lost and held ones are one list.
    text = re.sub(r"^(?:lost|held): ", "leak: ", text, flags=re.M)
    text = re.sub(r"^(\*\*\* LEAKS: .*), lost: .*", r"\1", text, flags=re.M)
    return re.sub(r"^(leak: .*) \(\d+ (?:through|by) [a-z ]+\)$", r"\1", text, flags=re.M)


def reports(text):
    return [r for r in re.split(r"^(?=\*\*\* )", text, flags=re.M) if r.strip()]


def documented(path):
    """The fenced text of each heading `### NAME`."""
    found = {}
    for part in re.split(r"^### ", open(path, encoding="utf-8").read(), flags=re.M)[1:]:
        fenced = re.search(r"^```\n(.*?)^```", part, re.M | re.S)
        if fenced:
            found.setdefault(part.split("\n", 1)[0], fenced.group(1))
    return found


def judge(name, said, document):
    """Why the misuse's log is not as documented; None when it is.

    Where a program would have stopped the driver goes on: only as many reports as are documented count, and
    a list of leaks only where one is.
    """
    want, have = reports(normal(document)), reports(normal(said))
    if not any(r.startswith("*** LEAKS") for r in want):
        have = [r for r in have if not r.startswith("*** LEAKS")]
    if have[:len(want)] == want:
        return None
    return "%s: the report is not as documented\n--- documented\n%s--- given\n%s" % (name, "".join(want), "".join(have))


SHOWN = "overrun_text"  # the case whose report the other document shows


def shown(path):
    """The report that the page for authors of drivers shows."""
    return re.search(r"^```\n0: kd> g\n(.*?)^```", open(path, encoding="utf-8").read(), re.M | re.S).group(1)


def misuse(wine, cases_file, document, adopt):
    texts, bad = documented(document), []
    cases = re.findall(r'^CASE\((\w+), "(.*)"\)$', open(cases_file, encoding="utf-8").read(), re.M)
    words = ["%s %d %s:on_error=log" % (name, misuse, options) for name, options in cases for misuse in (0, 1)]
    log = wine.load("misuse", words)
    runs = re.findall(r"^== (\w+) ([01])\nanswer: (-?\d+)\n(.*?)== unloaded\n", log, re.M | re.S)
    if len(runs) != len(words):
        bad.append("%d of %d cases are in the log" % (len(runs), len(words)))
    for name, misused, answer, said in runs:
        if misused == "1":
            bad.append(judge(name, said, texts[name]) if name in texts else "%s: no report is documented" % name)
        elif answer != "0" or (said and name not in NEVER_FREED):
            bad.append("%s: the correct twin answered %s and said:\n%s" % (name, answer, said))
        if name == SHOWN and misused == "1" and normal(said) != normal(shown(adopt)):
            bad.append("%s shows another report than this: %s" % (adopt, said))
    bad = [b for b in bad if b]
    print("\n".join(bad + ["%d misuses and their twins, %d not as documented" % (len(cases), len(bad))]))
    sys.exit(1 if bad or not cases else 0)


# --- minirdr and ratio ------------------------------------------------------------------------------

def minirdr(wine, name, folders):
    tree = os.path.join(wine.folder, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    for number, folder in enumerate(folders):
        shutil.copytree(folder, os.path.join(tree, str(number)))
    files = directories = size = 0
    for folder, _, names in os.walk(tree):
        directories += 1
        files += len(names)
        size += sum(os.path.getsize(os.path.join(folder, n)) for n in names)
    log = wine.load(name, ["Z:" + tree.replace("/", "\\")])
    print(log)
    for line in ("found: %d files, %d directories\n" % (files, directories),
                 "compared: %d files, %d bytes equal to a plain read, 0 different" % (files, size),
                 "damaged blocks: 0; leaks: 0\n", "minirdr: passed\n"):
        if line not in log:
            sys.exit("the log does not have: %s" % line)
    if "***" in log:
        sys.exit("something was reported")


def ratio(wine):
    log = wine.load("ratio")
    print(log)
    per_block = re.search(r"^registry: (\d+) bytes a block", log, re.M)
    if not per_block or int(per_block.group(1)) > 96:
        sys.exit("more than 96 bytes of registry a block")
    if "leaks: 0; registry: 0 bytes left\n" not in log or "ratio" not in log:
        sys.exit("the driver left something behind, or measured nothing")


def says(wine, name, word, cases):
    log = wine.load(name, cases)
    print(log)
    if not re.search(r"^%s: passed" % re.escape(word), log, re.M):
        sys.exit("%s.sys did not pass" % name)


def refused(wine):
    """A driver that cannot be loaded: the step is named, with Wine's own words, and nothing is tried again."""
    cut = os.path.join(wine.folder, "cut.sys")
    with open(os.path.join(wine.folder, "warm.sys"), "rb") as whole, open(cut, "wb") as f:
        f.write(whole.read(1000))
    for name, cases, which in (("nosuch", (), "nosuch"), ("cut", (), "cut"),
                               ("misuse", ("no-such-case 1",), "no-such-case 1")):
        status, said, _ = wine.start(name, cases)
        print(said, end="")
        if status != 1 or not re.fullmatch(r"load: %s: start: error \d+: \w[^\n]*\w\.?\s+" % which, said):
            sys.exit("%s.sys: status %d, and not one line with the step and Wine's words" % (name, status))
    os.remove(cut)
    wine.load("warmest")  # the service manager is as it was


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    wine = Wine(*sys.argv[1:4])
    command, words = sys.argv[4], sys.argv[5:]
    if command == "prepare":
        prepare(wine)
    elif command == "misuse" and len(words) == 3:
        misuse(wine, *words)
    elif command == "minirdr" and len(words) > 1:
        minirdr(wine, words[0], words[1:])
    elif command == "refused":
        refused(wine)
    elif command == "ratio":
        ratio(wine)
    elif command == "says" and len(words) > 1:
        says(wine, words[0], words[1], words[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
