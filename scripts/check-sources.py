#!/usr/bin/env python3
"""Checks rules of this project that no compiler knows.

usage: check-sources.py ROOT

Errors (exit status 1): an #include against the layer order of src/README.md; an #include of a private
header (src/) by a public one; trailing blanks and tabs in C sources. Warnings: files over 800 lines,
functions over 80 lines.
"""
import os
import re
import sys

# What a layer may include besides itself: the table of src/README.md.
LAYERS = {
    "base": set(),
    "plat": {"base"},
    "ex": {"base", "plat"},
    "check": {"base", "plat"},
    "rdbss": {"base", "plat", "check"},
    "malloc": {"base", "plat", "ex", "check"},
    "stats": {"base"},
}
# Single headers that a layer may include of a layer that it otherwise does not see.
HEADERS = {"stats": {"ex/layout.h"}}
# Layers to which the public NT headers are closed: base and plat know no rule of NT. A kernel is a platform
# too: its files see the kit.
NO_NT_HEADERS = {"base", "plat", "stats"}
NT_PLATFORM = "ntkernel"
NT_HEADERS = {"ntdef.h", "ntstatus.h", "wdm.h", "lookaside.h", "ntddk.h", "ntifs.h", "ntrxdef.h"}

FILE_LINES = 800
FUNCTION_LINES = 80
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
NOT_A_FUNCTION = re.compile(r"^(struct|union|enum|typedef|extern\s+\"C\"|namespace)\b[^()]*\{$")


def sources(root):
    for top in ("src", "include", "tools", "examples", "tests", "bench"):
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".c", ".h", ".cc", ".cpp")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def check_include(path, header, root):
    """One sentence that says which rule the include breaks, or None."""
    parts = path.split(os.sep)
    if parts[0] == "include":
        if header.split("/")[0] in LAYERS and os.path.exists(os.path.join(root, "src", header)):
            return "a public header includes the private %s" % header
        return None
    if parts[0] != "src" or len(parts) < 3:
        return None
    layer, target = parts[1], header.split("/")[0]
    if header in NT_HEADERS and layer in NO_NT_HEADERS and not parts[2].startswith(NT_PLATFORM):
        return "layer %s includes the NT header %s" % (layer, header)
    if target not in LAYERS or target == layer:
        return None
    if target not in LAYERS[layer] and header not in HEADERS.get(layer, ()):
        return "layer %s includes %s (it may include: %s)" % (
            layer, header, ", ".join(sorted(LAYERS[layer] | HEADERS.get(layer, set()))) or "nothing")
    return None


def long_functions(lines):
    """Yields (first line, length) of functions longer than the limit; braces at column 0 end them."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None:
            if line.endswith("{") and not line.startswith((" ", "#", "}", "/", "*")) \
                    and "=" not in line and not NOT_A_FUNCTION.match(line):
                start = number
            elif line.startswith("    ") and line.endswith(") {") and number > 1 \
                    and lines[number - 2][:1] not in (" ", "", "#"):
                start = number - 1  # a signature of two lines
        elif line.startswith("}"):
            if number - start + 1 > FUNCTION_LINES:
                yield start, number - start + 1
            start = None


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check-sources.py ROOT")
    root = sys.argv[1]
    errors = warnings = files = 0
    for path in sources(root):
        files += 1
        with open(os.path.join(root, path), encoding="utf-8") as f:
            lines = f.read().split("\n")
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            broken = check_include(path, include.group(1), root) if include else None
            if not broken and ("\t" in line or line != line.rstrip()):
                broken = "a tab or blanks at the end of a line"
            if broken:
                errors += 1
                print("%s:%d: error: %s" % (path, number, broken))
        if len(lines) > FILE_LINES:
            warnings += 1
            print("%s: warning: %d lines (over %d)" % (path, len(lines), FILE_LINES))
        for start, length in long_functions(lines):
            warnings += 1
            print("%s:%d: warning: a function of %d lines (over %d)"
                  % (path, start, length, FUNCTION_LINES))
    print("check-sources: %d files, %d errors, %d warnings" % (files, errors, warnings))
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
