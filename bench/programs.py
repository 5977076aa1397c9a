"""Real programs for bench.py: each is run under every allocator, and must print the same under all."""
import hashlib
import os
import shutil
import sys
import tempfile
import time

# Work for the programs; {n} is the amount. Their output is a digest or a count, never a time.
PYTHON = """
import ast, hashlib, os, sys
top = os.path.dirname(os.__file__)
total = hashlib.sha256()
for name in sorted(n for n in os.listdir(top) if n.endswith(".py"))[:{n}]:
    with open(os.path.join(top, name), "rb") as f:
        tree = ast.parse(f.read(), name)
    total.update(compile(tree, name, "exec").co_code)
print(total.hexdigest())
"""
PERL = """
my ($n, %h, @words) = ({n});
for my $i (1 .. $n) {{ my $k = "key" . ($i * 7919 % 100003); push @{{$h{{$k}}}}, "v$i"; }}
for my $k (sort keys %h) {{ push @words, join(",", reverse @{{$h{{$k}}}}); }}
my $s = 0; for (@words) {{ $s = ($s * 31 + length $_) % 1000003; }} print "$s\\n";
"""
SQL = """
create table t(id integer primary key, name text, body blob);
with recursive c(i) as (select 1 union all select i + 1 from c where i < {n})
insert into t select i, 'name' || (i * 7919 % 100003), hex(i * i) from c;
create index n on t(name);
select count(*), sum(length(body)) from t where name > 'name5';
select group_concat(name) from (select name from t order by body limit 50);
"""
LUA = """
local t, sum = {{}}, 0
for i = 1, {n} do t[i % 20000 + 1] = {{ id = i, name = "n" .. i, list = {{ i, i + 1, i + 2 }} }} end
for _, v in pairs(t) do sum = (sum + v.id * 31 + #v.name + v.list[3]) % 1000003 end
print(sum)
"""


class Program:
    """One real program: `command`."""

    skip = ()

    def __init__(self, name, text, command, env=None):
        self.name, self.text, self.command, self.env = name, text, command, env or {}

    def run(self, env):
        """One run: wall seconds, peak RSS of the largest process, digest of what it printed."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.monotonic()
            pid = os.posix_spawnp(self.command[0], self.command, {**env, **self.env},
                                  file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                                                (os.POSIX_SPAWN_DUP2, err.fileno(), 2)])
            _, status, usage = os.wait4(pid, 0)
            seconds = time.monotonic() - start
            out.seek(0)
            err.seek(0)
            if status != 0:
                last = err.read().decode(errors="replace").strip().splitlines()[-1:] or [""]
                return "exit status %d %s" % (os.waitstatus_to_exitcode(status), last[0])
            return {"seconds": seconds, "rss_mib": usage.ru_maxrss / 1024,
                    "digest": hashlib.sha256(out.read()).hexdigest()[:16]}


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def available(out, quick):
    """The programs that this machine has, their inputs written under `out`."""
    folder = os.path.abspath(os.path.join(out, "programs"))
    os.makedirs(folder, exist_ok=True)
    n = 10 if quick else 1
    python = write(folder, "compile.py", PYTHON.format(n=max(150 // n, 10)))
    perl = write(folder, "hash.pl", PERL.format(n=1000000 // n))
    sql = write(folder, "rows.sql", SQL.format(n=1000000 // n))
    lua = write(folder, "tables.lua", LUA.format(n=3000000 // n))
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "micro.c")
    # The interpreter's own small-block pool would hide the allocator.
    wanted = [
        Program("python", "python3 compiles its library", ["python3", python], {"PYTHONMALLOC": "malloc"}),
        Program("sqlite", "sqlite3, a million rows", ["sqlite3", ":memory:", ".read " + sql]),
        Program("perl", "perl, a hash of lists", ["perl", perl], {"PERL_HASH_SEED": "0"}),
        Program("lua", "lua, short-lived tables", ["lua5.4", lua]),
        Program("gcc", "gcc -O2 compiles the bench", ["gcc", "-O2", "-S", "-o", "-", source]),
    ]
    there = [p for p in wanted if shutil.which(p.command[0])]
    for p in wanted:
        if p not in there:
            print("not here, left out: %s" % p.command[0], file=sys.stderr)
    return there


def compare_outputs(measured):
    """A program that prints something else under one allocator has failed there."""
    for rows in measured.values():
        digests = {key: {run["digest"] for run in row["runs"]} for key, row in rows.items() if "runs" in row}
        expected = digests.get("glibc")
        for key, seen in digests.items():
            if expected is not None and seen != expected:
                rows[key] = {"error": "printed something else than under glibc"}
