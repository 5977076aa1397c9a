#!/usr/bin/env python3
"""Copies a compilation database, leaving out the files whose path contains one of the arguments, and those
that another database has.

usage: without-files.py [--not-in OTHER.json]... PART ... <compile_commands.json >SHORTER.json
"""
import json
import os
import sys


def path(command):
    return os.path.realpath(os.path.join(command["directory"], command["file"]))


def main():
    parts, others, words = [], set(), iter(sys.argv[1:])
    for word in words:
        if word == "--not-in":
            with open(next(words), encoding="utf-8") as f:
                others.update(path(c) for c in json.load(f))
        else:
            parts.append(word)
    commands = [c for c in json.load(sys.stdin)
                if path(c) not in others and not any(part in c["file"] for part in parts)]
    json.dump(commands, sys.stdout, indent=2)


main()
