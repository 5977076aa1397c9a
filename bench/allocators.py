"""The contenders of bench.py: what is run, what is preloaded, and the options that it gets."""
import os
import subprocess


class Allocator:
    """One contender. `program` runs the small cases (None: it has no part in them), `preload` is the library
    under it and under real programs, `prefix` a command in front of theirs. `served` must be part of the path
    that malloc came from, so that a library that was not loaded is not measured as if it were."""

    def __init__(self, key, label, program, preload=None, package=None, served="libc.so", options="", prefix=()):
        self.key, self.label, self.program = key, label, program
        self.preload, self.package, self.served = preload, package, served
        self.options, self.prefix = options, tuple(prefix)
        self.path = None  # of the library to preload, once found

    def settings(self):
        """Environment variables that make a program run on this allocator."""
        out = {}
        if self.path:
            out["LD_PRELOAD"] = self.path
        if self.options:
            out["RXPOOL_OPTIONS"] = self.options
        return out


GLIBC = Allocator("glibc", "glibc", "bench-malloc", "libc.so.6", "libc6")
DROP_IN = Allocator("rxpool-malloc", "rxpool drop-in", "bench-malloc", "librxpool-malloc.so",
                    served="librxpool-malloc")
DIRECT = Allocator("rxpool", "rxpool", "bench-ex")
# glibc's own library is preloaded too: some programs are linked with another malloc.
PEERS = [
    GLIBC,
    Allocator("jemalloc", "jemalloc", "bench-malloc", "libjemalloc.so.2", "libjemalloc2", "libjemalloc"),
    Allocator("tcmalloc", "tcmalloc", "bench-malloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4",
              "libtcmalloc"),
    Allocator("mimalloc", "mimalloc", "bench-malloc", "libmimalloc.so.2", "libmimalloc2.0", "libmimalloc"),
    Allocator("tbbmalloc", "tbbmalloc", "bench-malloc", "libtbbmalloc_proxy.so.2", "libtbbmalloc2",
              "libtbbmalloc"),
]
MICRO = PEERS + [
    Allocator("mi-heaps", "mimalloc, heap per tag", "bench-heaps", None, "libmimalloc2.0"),
    DIRECT,
    DROP_IN,
]
PROGRAMS = PEERS + [
    DROP_IN,
    Allocator("rxpool-module", "rxpool drop-in, by module", None, "librxpool-malloc.so",
              served="librxpool-malloc", options="by=module"),
]

# Of `--checked`. What detects errors is measured against glibc without it, and the pool against its free build.
CHECKED_MICRO = [
    DIRECT,
    Allocator("special", "rxpool, 1 guard page in 5,000", "bench-ex", options="special=1/5000"),
    Allocator("checked", "rxpool, checked", "bench-checked"),
]
ASAN = Allocator("asan", "AddressSanitizer", None, package="gcc")
CHECKED_PROGRAMS = [
    GLIBC,
    DROP_IN,
    Allocator("run-checked", "rxpool run --checked", None, prefix=("rxpool", "run", "--checked", "--")),
    Allocator("valgrind", "valgrind", None, package="valgrind",
              prefix=("valgrind", "-q", "--trace-children=yes")),
]


def guards_pages(build):
    """Whether this build puts blocks on guard pages when asked: 2,000 small ones then take a page each."""
    program = os.path.join(build, "bin", "bench-ex")
    peaks = []
    for options in ("", "special=*"):
        answer = subprocess.run([program, "live", "10", "2000", "1"], capture_output=True, text=True,
                                env={**os.environ, "RXPOOL_OPTIONS": options})
        peaks.append(next((int(w.partition("=")[2]) for w in answer.stdout.split() if w.startswith("peak_kib")), 0))
    return peaks[1] - peaks[0] > 4096


def command_in(build, name):
    """Where a command is: of this build, or in PATH; None where it is not."""
    own = os.path.join(build, "bin", name)
    if os.path.exists(own):
        return own
    return next((p for p in (os.path.join(d, name) for d in os.get_exec_path()) if os.access(p, os.X_OK)), None)


def find(allocators, build):
    """Fills in where each library and command is; returns those that can run and the labels of the others."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    installed = {line.split()[0]: line.split("=> ")[-1] for line in reversed(listing.splitlines()) if "=>" in line}
    there, absent = [], []
    for a in allocators:
        ok = a.program is None or os.path.exists(os.path.join(build, "bin", a.program))
        if a.preload:
            own = os.path.join(build, "lib", a.preload)
            a.path = own if os.path.exists(own) else installed.get(a.preload)
            ok = ok and a.path is not None
        if a.key == "mi-heaps":
            ok = ok and "libmimalloc.so.2" in installed
        if a.options.startswith("special"):
            ok = ok and guards_pages(build)
        if a.prefix:
            first = command_in(build, a.prefix[0])
            ok = ok and first is not None
            a.prefix = (first, *a.prefix[1:])
        (there if ok else absent).append(a)
    return there, [a.label for a in absent]
