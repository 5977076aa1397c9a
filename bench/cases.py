"""The rows of bench.py that one of the small programs runs: what micro.c is asked for."""

# A heap per tag says nothing new where there is one tag; the direct calls have no realloc.
ONE_TAG = ("mi-heaps",)
NO_REALLOC = ("mi-heaps", "rxpool")
# Peers know no tags: beyond 256 their rows say nothing that those of fewer tags did not.
PEERS = ("glibc", "jemalloc", "tcmalloc", "mimalloc", "tbbmalloc", "rxpool-malloc")
TAGS = (1, 16, 256, 1024, 10000)
MILLION = 1000000


class Case:
    """One row. `group` is what the command line may name; `program_case` what micro.c calls it. `settles`:
    memory is looked at again a second after the end. `least` and `most`: rounds, whatever is asked for.
    `live` of a growing buffer is how many MiB it grows to; `quick` divides the work of a quick run."""

    def __init__(self, group, text, pairs, live=1, tags=1, threads=1, skip=(), program_case=None,
                 name=None, settles=False, least=0, most=1000, scaled=True,
                 quick=20):
        self.group, self.text, self.pairs = group, text, pairs
        self.live, self.tags, self.threads, self.skip = live, tags, threads, skip
        self.program_case = program_case or group
        self.name = name or self.program_case + ("-tags-%d" % tags if tags > 1 else "")
        self.settles, self.least, self.most, self.scaled, self.quick = settles, least, most, scaled, quick

    def size(self, speed):
        """Pairs and live blocks at a speed: full, quick or tiny."""
        if speed == "tiny" and self.program_case == "growth":
            return 1, 1
        if not self.scaled:
            return self.pairs, self.live
        if speed == "tiny":
            return max(min(self.pairs // 10000, 2000), self.threads), max(min(self.live, 1000), self.threads)
        if speed == "quick":
            return max(self.pairs // self.quick, min(self.pairs // 2, 1000)), self.live
        return self.pairs, self.live

    def memory_mib(self):
        """About what the case needs at its peak."""
        return 0 if self.group in ("large", "random-large") else self.live * 0.0004


def tagged(group, text, pairs, live=1, name=None, settles=False):
    """The same case with 1 to 10,000 tags."""
    out = []
    for tags in TAGS:
        label = text if tags == 1 else "  the same under {:,} tags".format(tags)
        skip = ONE_TAG if tags == 1 else PEERS if tags > 256 else ()
        out.append(Case(group, label, pairs, live, tags, skip=skip, settles=settles,
                        name=(name or group) + ("-tags-%d" % tags if tags > 1 else "")))
    return out


def working_set(live, text, **more):
    return Case("replace", "replace one of " + text, 5 * MILLION, live, skip=ONE_TAG, name="replace-%d" % live,
                **more)


CASES = [
    *tagged("same", "the same 64-byte block again", 20 * MILLION),
    *tagged("fifo", "1,000 blocks, first in first out", 5 * MILLION),
    Case("fifo", "  every size as likely as any", 5 * MILLION, skip=ONE_TAG, program_case="fifo-even"),
    *tagged("lifo", "1,000 blocks, last in first out", 5 * MILLION),
    Case("lifo", "  every size as likely as any", 5 * MILLION, skip=ONE_TAG, program_case="lifo-even"),
    working_set(1000, "1,000 at random"),
    working_set(10000, "10,000"),
    *tagged("replace", "replace one of 100,000", 5 * MILLION, 100000, "replace-100000", settles=True),
    working_set(MILLION, "1,000,000", settles=True, most=5),
    working_set(10 * MILLION, "10,000,000", most=3),
    Case("medium", "replace one of 1,000 of 2,000 to 32,000 bytes", 5 * MILLION, 1000, skip=ONE_TAG),
    Case("medium", "  the same under 16 tags", 5 * MILLION, 1000, tags=16),
    Case("handover", "allocated here, freed by another thread", 3 * MILLION, threads=2, skip=ONE_TAG, least=15,
         quick=4),
    Case("handover", "  the same under 16 tags", 3 * MILLION, threads=2, tags=16, least=15, quick=4),
    Case("handover", "  the same under 256 tags", 3 * MILLION, threads=2, tags=256, quick=4),
    *[Case("threads", "100,000 blocks, %d thread%s" % (n, "s" * (n > 1)), 10 * MILLION, 100000, threads=n,
           skip=ONE_TAG, name="threads-%d" % n, settles=n == 16, quick=4) for n in (1, 2, 4, 16, 64)],
    Case("zeroed", "zeroed, 16 B to 64 KiB, written", 300000, 1000, skip=ONE_TAG),
    Case("zeroed", "zeroed, 64 KiB to 4 MiB, touched", 4000, 64, skip=ONE_TAG, program_case="zeroed-large",
         settles=True),
    Case("large", "64 KiB to 4 MiB, touched", 4000, 64, skip=ONE_TAG, settles=True),
    Case("large", "5 to 25 MiB, 500 times, touched", 500, 20, skip=ONE_TAG, program_case="random-large",
         settles=True, most=5),
    Case("realloc", "realloc from 16 B to 1 MiB", 200000, skip=NO_REALLOC),
    Case("realloc", "one buffer grows to 256 MiB", 1, 256, skip=NO_REALLOC, program_case="growth", name="growth-once",
         scaled=False),
    Case("realloc", "  again and again, one at a time", 20, 256, skip=NO_REALLOC, program_case="growth",
         name="growth-repeated", most=3),
    Case("idle", "one block, nothing else", 1, skip=ONE_TAG, program_case="same", name="idle", scaled=False),
]

CHECKED_CASES = [
    Case("same", "the same 64-byte block again", 20 * MILLION, quick=4),
    Case("fifo", "1,000 blocks, first in first out", 10 * MILLION, quick=4),
    Case("replace", "replace one of 100,000", 5 * MILLION, 100000, name="replace-100000", quick=4),
    Case("live", "10,000,000 blocks of 64 bytes", MILLION, 10 * MILLION, skip=("special",), most=2),
]
