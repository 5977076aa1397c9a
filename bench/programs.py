"""Real programs for bench.py: each is run under every contender, and must print the same under all."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import time

import inputs
import measure

# How much work each program gets: full, quick and checked (valgrind takes part), tiny (a test of the bench).
AMOUNTS = {
    "python": (150, 15, 3), "sqlite": (1000000, 100000, 2000), "redis": (100000, 10000, 300),
    "git": (400, 60, 3), "perl": (1000000, 100000, 1000), "lua": (3000000, 300000, 1000),
    "gcc": (300, 30, 2), "z3": (7, 6, 2), "minisat": (200000, 20000, 1000), "start": (200, 30, 2),
}
SPEEDS = ("full", "quick", "tiny")


class Program:
    """One real program: `command`. `counted`: it is part of the mean over real programs."""

    skip = ()
    least, most = 0, 1000

    def __init__(self, name, text, command, settings=None, folder=None, counted=True, status=0):
        self.name, self.text, self.command = name, text, command
        self.settings, self.folder, self.counted, self.status = settings or {}, folder, counted, status

    def needed(self):
        """Commands that have to be there."""
        return [self.command[0]]

    def run(self, build, allocator, wall):
        """One run: its figures and a digest of what it printed, or why there are none."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process, report = measure.launch(build, {**self.settings, **allocator.settings()},
                                             [*allocator.prefix, *self.command], self.folder,
                                             {"stdout": out, "stderr": err})
            figures = measure.report_of(process, report)
            return self.verdict(figures, digest_of(out), text_of(err), wall)

    def verdict(self, figures, digest, messages, wall):
        if isinstance(figures, str):
            return figures
        if figures["status"] != self.status:
            return measure.last_line(messages, figures["status"])
        if "ld.so" in messages:  # a library that could not be preloaded is left out with a message
            return next(line for line in messages.splitlines() if "ld.so" in line)
        figures["seconds"] = figures["wall_s"] if wall else figures["cpu_s"]
        return {**figures, "digest": digest}


class Redis(Program):
    """redis-server under its own benchmark, then a load whose result is compared."""

    def __init__(self, text, requests, load, folder):
        super().__init__("redis", text, ["redis-server"], folder=folder)
        self.requests, self.load = requests, load

    def needed(self):
        return ["redis-server", "redis-cli", "redis-benchmark"]

    def run(self, build, allocator, wall):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as err:
            socket = os.path.join(folder, "socket")
            process, report = measure.launch(
                build, allocator.settings(),
                [*allocator.prefix, "redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder, "--save",
                 "", "--enable-debug-command", "local", "--logfile", os.path.join(folder, "log")],
                folder, {"stdout": err, "stderr": err})
            try:
                seconds, answer = self.talk(socket, process)
            except (OSError, subprocess.SubprocessError) as problem:
                process.kill()
                answer, seconds = None, str(problem)
            figures = measure.report_of(process, report)
            if answer is None:
                return seconds
            if not isinstance(figures, str):
                figures["wall_s"] = seconds
            return self.verdict(figures, hashlib.sha256(answer).hexdigest()[:16], text_of(err), wall)

    def talk(self, socket, process):
        """Seconds that the client waited, and a digest of what the server holds then."""
        def cli(*words, **more):
            return subprocess.run(["redis-cli", "-s", socket, *words], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, timeout=600, **more).stdout
        give_up = time.monotonic() + 60
        while cli("ping").strip() != b"PONG":
            if time.monotonic() > give_up or process.poll() is not None:
                raise OSError("redis-server does not answer")
            time.sleep(0.02)
        begin = time.monotonic()
        subprocess.run(["redis-benchmark", "-s", socket, "-q", "-n", str(self.requests), "-P", "16", "-c", "20", "-r",
                        "5000", "-d", "300", "-t", "set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1200)
        # What the benchmark wrote is random: what is compared comes now.
        cli("flushall")
        with open(self.load, "rb") as load:
            cli("--pipe", stdin=load)
        seconds = time.monotonic() - begin
        answer = cli("debug", "digest") + cli("dbsize")
        cli("shutdown", "nosave")
        return seconds, answer


def digest_of(file):
    file.seek(0)
    return hashlib.sha256(file.read()).hexdigest()[:16]


def text_of(file):
    file.seek(0)
    return file.read().decode(errors="replace")


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def repository(folder, commits):
    """A git repository with that many commits; the same objects wherever it is made."""
    path = os.path.join(folder, "repository")
    if shutil.which("git"):
        shutil.rmtree(path, ignore_errors=True)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "trunk", path], check=True)
        subprocess.run(["git", "-C", path, "fast-import", "--quiet"], check=True,
                       input=inputs.history(commits).encode())
    return path


def distribution(name):
    """The distribution's program, where a shell's path leads to another version's wrapper script first."""
    path = os.path.join("/usr/bin", name)
    return path if os.path.exists(path) else name


def cc1():
    try:
        path = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True).stdout.strip()
    except OSError:
        path = ""
    return path if os.path.isabs(path) else "cc1"


GIT = """
git -C {path} log --stat -p -M trunk
git -C {path} blame trunk -- folder1/file3.txt
git -C {path} pack-objects --all --stdout -q --no-reuse-delta --no-reuse-object --threads=1 </dev/null
"""
START = "i=0; while [ $i -lt {n} ]; do /bin/true; i=$((i+1)); done; echo $i"


def wanted(folder, speed):
    n = {name: amounts[SPEEDS.index(speed)] for name, amounts in AMOUNTS.items()}
    git_settings = {"HOME": folder, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    return [
        # The interpreter's own small-block pool would hide the allocator.
        Program("python", "python3 compiles its library",
                [distribution("python3"), write(folder, "compile.py", inputs.PYTHON.format(n=n["python"]))],
                {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}),
        Program("sqlite", "sqlite3, a table and its index",
                ["sqlite3", ":memory:", ".read " + write(folder, "rows.sql", inputs.SQL.format(n=n["sqlite"]))]),
        Redis("redis-server under its benchmark", n["redis"],
              write(folder, "redis.txt", inputs.redis_commands(n["redis"] // 2)), folder),
        Program("git", "git log, blame, pack-objects",
                ["sh", write(folder, "git.sh", GIT.format(path=repository(folder, n["git"])))], git_settings),
        Program("perl", "perl, a hash of lists",
                ["perl", write(folder, "hash.pl", inputs.PERL.format(n=n["perl"]))], {"PERL_HASH_SEED": "0"}),
        Program("lua", "lua, short-lived tables",
                ["lua5.4", write(folder, "tables.lua", inputs.LUA.format(n=n["lua"]))]),
        Program("gcc", "cc1 -O2, gcc's C compiler",
                [cc1(), "-quiet", "-O2", "-w", write(folder, "program.c", inputs.c_source(n["gcc"])), "-o", "-"]),
        Program("z3", "z3, swaps in arrays", ["z3", write(folder, "swaps.smt2", inputs.swaps(n["z3"]))]),
        # 10: it found a solution, and prints it.
        Program("minisat", "minisat, random clauses",
                ["minisat", "-verb=0", write(folder, "random.cnf", inputs.cnf(n["minisat"])), "/dev/stdout"],
                status=10),
        Program("start", "{:,} starts of a process".format(n["start"]),
                ["sh", "-c", START.format(n=n["start"])], counted=False),
    ]


def available(out, speed):
    """The programs that this machine has, their inputs written under `out`, and the names of the others."""
    folder = os.path.abspath(os.path.join(out, "programs-" + speed))
    os.makedirs(folder, exist_ok=True)
    there, absent = [], []
    for p in wanted(folder, speed):
        missing = [c for c in p.needed() if not shutil.which(c)]
        if p.name == "git" and not shutil.which("git"):
            missing = ["git"]
        there += [] if missing else [p]
        absent += missing
    return there, absent


def corpus(folder):
    """The correct programs of some size among the tests: built as they are, and with AddressSanitizer."""
    plain, asan = (os.path.join(folder, kind, "work") for kind in ("plain", "asan"))
    if not os.path.exists(plain):
        return []
    names = subprocess.run([plain], capture_output=True, text=True, check=True).stdout.split()
    return [Work(name, plain, asan) for name in sorted(names)]


class Work(Program):
    """A program of the corpus: with AddressSanitizer it is another file."""

    def __init__(self, name, plain, asan):
        super().__init__("work-" + name, "the corpus' " + name, [plain, name, "good"])
        self.asan = [asan, name, "good"] if os.path.exists(asan) else None
        self.skip = () if self.asan else ("asan",)

    def run(self, build, allocator, wall):
        if allocator.key != "asan":
            return super().run(build, allocator, wall)
        twin = Program(self.name, self.text, self.asan, {"ASAN_OPTIONS": "detect_leaks=1"})
        return twin.run(build, allocator, wall)


def compare_outputs(measured):
    """A program that prints something else under one contender has failed there."""
    for rows in measured.values():
        digests = {key: {run["digest"] for run in row["runs"]} for key, row in rows.items() if "runs" in row}
        expected = digests.get("glibc")
        for key, seen in digests.items():
            if expected is not None and (seen != expected or len(seen) != 1):
                rows[key] = {"error": "printed something else than under glibc"}
