"""Work for the real programs of bench.py, made here, so that it is the same on every machine. Every program
prints a digest, a count or a result, never a time."""
import random

PYTHON = """
import ast, hashlib, os
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
# A function of the program that cc1 compiles: loops, branches, structures, calls.
C_FUNCTION = """
struct s{i} {{ int key, count; double weight[{a}]; struct s{i} *next; }};
static int walk{i}(struct s{i} *list, const char *text, int limit) {{
    int sum = 0;
    for (struct s{i} *s = list; s != 0 && sum < limit; s = s->next) {{
        switch ((s->key ^ {b}) % 7) {{
        case 0: sum += s->count * {a}; break;
        case 1: for (int k = 0; k < {a}; k++) s->weight[k] = s->weight[k] * 0.5 + text[k]; break;
        case 2: if (text[s->count & 15] > {b} % 100) sum ^= s->key; else sum -= s->count / ({a} + 1); break;
        case 3: while (*text && *text != {b} % 90 + 32) text++; break;
        case 4: {{ int t[16]; for (int k = 0; k < 16; k++) t[k] = text[k] + k * s->key;
                  for (int k = 15; k > 0; k--) if (t[k] < t[k - 1]) {{ int x = t[k]; t[k] = t[k - 1]; t[k - 1] = x; }}
                  sum += t[0] + t[15]; break; }}
        default: sum += {call}; break;
        }}
    }}
    return sum;
}}
int use{i}(void *list, const char *text) {{ return walk{i}(list, text, {b}) + walk{i}(list, text + 1, {a}); }}
"""


def c_source(functions):
    out = []
    for i in range(functions):
        call = "use%d(s, text)" % (i - 1) if i % 3 else "(int)s->weight[0]"
        out.append(C_FUNCTION.format(i=i, a=i * 7 % 12 + 2, b=i * 7919 % 1009 + 100, call=call))
    return "".join(out)


def cnf(variables):
    """Random clauses, so few that a solver simplifies more than it searches: the time does not hang on luck."""
    source = random.Random(variables)
    clauses = int(variables * 2.5)
    lines = ["p cnf %d %d" % (variables, clauses)]
    for _ in range(clauses):
        chosen = source.sample(range(1, variables + 1), 3)
        lines.append(" ".join(str(v if source.random() < 0.5 else -v) for v in chosen) + " 0")
    return "\n".join(lines) + "\n"


def swaps(n):
    """Whether n swaps of array elements are the same when each is made the other way round: they are."""
    lines = ["(set-logic QF_ALIA)", "(declare-const s0 (Array Int Int))", "(define-fun t0 () (Array Int Int) s0)"]
    swap = ("(define-fun {a}{m} () (Array Int Int) (store (store {a}{k} {x}{k} (select {a}{k} {y}{k})) "
            "{y}{k} (select {a}{k} {x}{k})))")
    for k in range(n):
        lines.append("(declare-const i%d Int)(declare-const j%d Int)(assert (distinct i%d j%d))" % (k, k, k, k))
        lines.append(swap.format(a="s", k=k, m=k + 1, x="i", y="j"))
        lines.append(swap.format(a="t", k=k, m=k + 1, x="j", y="i"))
    lines.append("(assert (not (= s%d t%d)))(check-sat)" % (n, n))
    return "\n".join(lines) + "\n"


def history(commits):
    """Commits to a handful of files, as git fast-import reads them."""
    out, mark = [], 0
    files = {}
    for c in range(commits):
        for f in range(4):
            lines = files.setdefault(f, ["line %d of file %d" % (i, f) for i in range(300 * (f + 1))])
            for e in range(6):
                at = (c * 7919 + e * 104729 + f * 31) % len(lines)
                lines[at] = "line %d of file %d, changed in commit %d" % (at, f, c)
            lines.insert((c * 37) % len(lines), "inserted by %d" % c)
        out.append("commit refs/heads/trunk\ncommitter A <a@b> %d +0000\n" % (1700000000 + c * 60))
        message = "commit %d\n" % c
        out.append("data %d\n%s" % (len(message), message))
        for f, lines in files.items():
            text = "\n".join(lines) + "\n"
            out.append("M 100644 inline folder%d/file%d.txt\ndata %d\n%s\n" % (f % 2, f, len(text), text))
        mark += 1
    return "".join(out)


def redis_commands(n):
    """What redis-cli --pipe sends: keys of all types come, change and go."""
    out = []
    for i in range(n):
        out.append("SET key:%d value:%d:%0*d" % (i, i * 7919 % n, i % 300 + 1, i))
        out.append("ZADD scores %d member:%d\nHSET hash:%d field:%d %d" % (i % 1013, i, i % 50, i, i))
        out.append("RPUSH list:%d %d\nSADD set:%d %d\nAPPEND text:%d %0*d" % (i % 20, i, i % 10, i * 3, i % 500,
                                                                             i % 40 + 1, i))
        if i % 3 == 0:
            out.append("DEL key:%d\nLPOP list:%d" % (i // 2, i % 20))
    return "\n".join(out) + "\n"
