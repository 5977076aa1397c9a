#!/usr/bin/env python3
"""What is wrong with an allocator, or with a run, ends a run of the bench: nothing of it becomes a figure.

usage: wrong_test.py --build DIR BAD_LIBRARY ...
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
import allocators
import cases
import measure
import programs


def allocator(preload, served):
    a = allocators.Allocator("x", "x", "bench-malloc", served=served)
    a.path = preload
    return a


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("bad", nargs="+")
    arguments = parser.parse_args()
    failed = []

    def expect(what, result, words):
        if not isinstance(result, str) or words not in result:
            failed.append("%s: %r, where %r was expected" % (what, result, words))

    case = next(c for c in cases.CASES if c.name == "replace-1000")
    for library in arguments.bad:
        name = os.path.basename(library)
        expect(name, measure.run_case(case, allocator(library, name), arguments.build, "tiny", 0, False),
               "a live block was overwritten")
    good = measure.run_case(case, allocator(None, "libc.so"), arguments.build, "tiny", 0, False)
    if isinstance(good, str):
        failed.append("glibc's own: " + good)
    expect("another library served", measure.run_case(case, allocator(None, "libjemalloc"), arguments.build, "tiny", 0,
                                                      False), "malloc came from")
    program = programs.Program("p", "p", ["sh", "-c", "echo $X"])
    expect("a library that is not there", program.run(arguments.build, allocator("/no/such.so", "x"), False), "ld.so")
    expect("a program that fails", programs.Program("p", "p", ["sh", "-c", "exit 3"]).run(
        arguments.build, allocator(None, "libc.so"), False), "exit status 3")
    rows = measure.summarize({"p": {"glibc": [{"digest": "a", "seconds": 1}], "x": [{"digest": "b", "seconds": 1}]}})
    programs.compare_outputs(rows)
    expect("another output", rows["p"]["x"].get("error"), "printed something else")
    print("\n".join(failed) or "%d wrong runs were found out" % (len(arguments.bad) + 4))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
