#!/usr/bin/env python3
"""Random SELECTs over random rows: what star-transform makes of them must be what PostgreSQL makes
of them, value for value and digit for digit.

usage: differential.py COUNT [SEED]      (PG* variables name a server; database "differential" is remade)

Each SELECT is run by PostgreSQL into a table and by star-transform from a pg-extract of the same
source. Where PostgreSQL fails on a row, star-transform must reject one; what PostgreSQL cannot even
parse is not asked. The seed is printed, so that a failure can be had again."""
import json, os, random, subprocess, sys, tempfile

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 400
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
R = random.Random(SEED)
DB = "differential"

# --- the source: two tables, the second refers to the first by k ---

COLUMNS = {  # name: (type, generator of a literal)
    "i2": "smallint", "i4": "integer", "i8": "bigint", "n": "numeric", "n2": "numeric(10,2)",
    "t": "text", "v": "varchar(12)", "c": "char(6)", "b": "boolean", "d": "date", "tm": "time",
    "ts": "timestamp", "ts3": "timestamp(3)", "tz": "timestamptz", "iv": "interval", "j": "jsonb",
}
WORDS = ["", "a", "abc", "Abc def", "O'Keefe", "x,y", "naïve", "ÉCOLE", "日本語", "🙂 smile", "tab\there",
         "back\\slash", 'quo"te', "  padded  ", "100%", "a_b", "2024-02-29", "42", "-7", "%", "line\nbreak"]
KINDS = {"i2": "int", "i4": "int", "i8": "int", "n": "num", "n2": "num", "t": "text", "v": "text",
         "c": "text", "b": "bool", "d": "date", "tm": "time", "ts": "ts", "ts3": "ts", "tz": "tz",
         "iv": "iv", "j": "json"}


def quote(s):
    return ("E'" + s.replace("\\", "\\\\").replace("'", "''") + "'") if "\\" in s else "'" + s.replace("'", "''") + "'"


def text_value():
    return quote(R.choice(WORDS))


def date_text():
    return R.choice(["2024-02-29", "2023-12-31", "2000-01-01", "1999-03-28", "0001-01-01", "0044-03-15 BC",
                     "9999-12-31", "2022-11-03", "2025-03-07", "1970-01-01",
                     "2024-0%d-1%d" % (R.randint(1, 9), R.randint(0, 9))])


def time_text():
    return "%02d:%02d:%02d%s" % (R.randint(0, 23), R.randint(0, 59), R.randint(0, 59),
                                 R.choice(["", ".5", ".123", ".999999", ".000001"]))


def ts_text():
    d = date_text()
    return d.replace(" BC", " " + time_text() + " BC") if "BC" in d else d + " " + time_text()


def literal(k):
    if R.random() < 0.15:
        return "NULL"
    extreme = R.random() < 0.04  # rare, or most queries would do nothing but fail on them
    if k == "i2":
        return str(R.choice([32767, -32768] if extreme else [0, 1, -1, 7, 42, R.randint(-100, 100)]))
    if k == "i4":
        return str(R.choice([2147483647, -2147483648] if extreme else [0, 1, -1, 5, R.randint(-9999, 9999)]))
    if k == "i8":
        return str(R.choice([9223372036854775807, -9223372036854775808] if extreme else [0, 3, -3, R.randint(-10**9, 10**9)]))
    if k == "n":
        return R.choice(["12345678901234567890.123456789", "1e-20", "'NaN'", "1e30"] if extreme else [
            "0", "0.00", "1", "-1.50", "3.40", "0.5", "2.5", "-0.005", "99999.995",
            "%d.%02d" % (R.randint(-500, 500), R.randint(0, 99))])
    if k == "n2":
        return "%d.%02d" % (R.randint(-99999, 99999), R.randint(0, 99))
    if k == "t":
        return text_value()
    if k == "v":
        return "substr(%s,1,12)" % text_value()
    if k == "c":
        return "substr(%s,1,6)" % text_value()
    if k == "b":
        return R.choice(["true", "false"])
    if k == "d":
        return "'" + ("infinity" if extreme else date_text()) + "'"
    if k == "tm":
        return "'" + time_text() + "'"
    if k in ("ts", "ts3", "tz"):
        return "'" + ("-infinity" if extreme else ts_text()) + "'"
    if k == "iv":
        return "'" + R.choice(["1 day", "2 mons -3 days", "04:05:06.7", "-1 year 2 days 03:00", "0", "1 year 6 mons",
                               "100 days 25:00:00", "-00:00:01"]) + "'"
    if k == "j":
        return quote(R.choice(['{"a": 1, "b": "x"}', '{"a": {"c": [1, 2, null]}}', '[10, "zwei", null, true]', '"text"',
                               '{"a": null}', '{}', '12.50', '{"ä": "ü\\u00e9"}']))
    raise KeyError(k)


# --- random expressions, by the kind of their result ---

def col(kind, scope):
    names = [a + "." + c for a, cols in scope for c in cols if KINDS[c] == kind]
    return R.choice(names) if names else None


def field(*names):
    return R.choice(names)


def gen(kind, depth, scope):
    if depth <= 0 or R.random() < 0.18:
        c = col(kind, scope)
        if c and R.random() < 0.8:
            return c
        return constant(kind)
    g = lambda k: gen(k, depth - 1, scope)
    generic = [
        lambda: "coalesce(%s, %s)" % (g(kind), g(kind)),
        lambda: "CASE WHEN %s THEN %s ELSE %s END" % (g("bool"), g(kind), g(kind)),
        lambda: "CASE WHEN %s THEN %s END" % (g("bool"), g(kind)),
    ]
    if kind != "json":
        generic += [lambda: "nullif(%s, %s)" % (g(kind), g(kind)), lambda: "greatest(%s, %s)" % (g(kind), g(kind)),
                    lambda: "least(%s, %s, %s)" % (g(kind), g(kind), g(kind)),
                    lambda: "CASE %s WHEN %s THEN %s ELSE %s END" % (g("int"), g("int"), g(kind), g(kind))]
    return R.choice(MAKERS[kind](g) * 2 + generic)()


def constant(kind):
    return {"int": lambda: str(R.choice([0, 1, 2, -3, 10, 100])), "num": lambda: R.choice(["0.5", "1.25", "-2.00", "10.0", "3"]) + "::numeric",
            "text": text_value, "bool": lambda: R.choice(["true", "false", "NULL::boolean"]),
            "date": lambda: "date '%s'" % date_text(), "time": lambda: "time '%s'" % time_text(),
            "ts": lambda: "timestamp '%s'" % ts_text(), "tz": lambda: "timestamptz '%s'" % ts_text(),
            "iv": lambda: "interval '%s'" % R.choice(["1 day", "1 month", "2 hours", "-3 days 04:00", "1 year"]),
            "json": lambda: "o.j"}[kind]()


def divisor(sql):
    return sql if R.random() < 0.1 else "nullif(%s, 0)" % sql


WHEN = ["date", "ts", "tz"]
MAKERS = {
    "int": lambda g: [
        lambda: "(%s %s %s)" % (g("int"), R.choice("+-*"), g("int")), lambda: "(%s / %s)" % (g("int"), divisor(g("int"))),
        lambda: "(%s %% %s)" % (g("int"), divisor(g("int"))), lambda: "abs(%s)" % g("int"), lambda: "(- %s)" % g("int"),
        lambda: "length(%s)" % g("text"), lambda: "(%s - %s)" % (g("date"), g("date")),
        lambda: "extract(%s FROM %s)::int" % (field("year", "month", "day", "quarter", "dow", "isodow", "doy", "week"), g(R.choice(WHEN))),
        lambda: "round(%s)::int" % g("num"), lambda: "strpos(%s, %s)" % (g("text"), g("text")),
        lambda: "(%s)::int" % g("bool"), lambda: "(%s)::smallint" % g("int"), lambda: "(%s)::bigint" % g("num")],
    "num": lambda g: [
        lambda: "(%s %s %s)" % (g("num"), R.choice("+-*"), g("num")), lambda: "(%s / %s)" % (g("num"), divisor(g("num"))),
        lambda: "(%s %% %s)" % (g("num"), divisor(g("num"))), lambda: "round(%s, %d)" % (g("num"), R.randint(-2, 6)),
        lambda: "round(%s)" % g("num"), lambda: "abs(%s)" % g("num"), lambda: "(- %s)" % g("num"),
        lambda: "(%s * %s)" % (g("int"), g("num")), lambda: "(%s)::numeric" % g("int"),
        lambda: "(%s)::numeric(12,%d)" % (g("num"), R.randint(0, 4)), lambda: "trunc(%s)" % g("num"),
        lambda: "ceil(%s)" % g("num"), lambda: "floor(%s)" % g("num"),
        lambda: "extract(%s FROM %s)" % (field("year", "month", "day", "quarter", "isoyear", "week", "century", "decade",
                                               "millennium", "dow", "epoch"), g(R.choice(WHEN))),
        lambda: "extract(%s FROM %s)" % (field("hour", "minute", "second", "milliseconds", "microseconds", "epoch"),
                                         g(R.choice(["ts", "tz", "time"]))),
        lambda: "extract(%s FROM %s)" % (field("year", "month", "day", "hour", "epoch", "second"), g("iv"))],
    "text": lambda g: [
        lambda: "(%s || %s)" % (g("text"), g(R.choice(["text", "text", "int", "num", "date", "bool", "ts"]))),
        lambda: "(%s || %s)" % (g(R.choice(["int", "date", "num"])), g("text")),
        lambda: "lower(%s)" % g("text"), lambda: "upper(%s)" % g("text"), lambda: "trim(%s)" % g("text"),
        lambda: "ltrim(%s, %s)" % (g("text"), text_value()), lambda: "trim(both %s from %s)" % (text_value(), g("text")),
        lambda: "left(%s, %d)" % (g("text"), R.randint(-3, 8)), lambda: "right(%s, %d)" % (g("text"), R.randint(-3, 8)),
        lambda: "substring(%s from %d for %d)" % (g("text"), R.randint(-2, 5), R.randint(0, 6)),
        lambda: "substr(%s, %d)" % (g("text"), R.randint(-2, 5)),
        lambda: "replace(%s, %s, %s)" % (g("text"), text_value(), text_value()),
        lambda: "split_part(%s, %s, %s)" % (g("text"), R.choice(["' '", "','", "'a'"]), R.choice([1, 2, -1, 3])),
        lambda: "concat(%s, %s, %s)" % (g("text"), g(R.choice(["int", "bool", "date", "num"])), g("text")),
        lambda: "(%s)::text" % g(R.choice(["int", "num", "bool", "date", "time", "ts", "tz", "iv"])),
        lambda: "(%s)::varchar(5)" % g("text"), lambda: "lpad(%s, %d, %s)" % (g("text"), R.randint(0, 9), R.choice(["'0'", "'ab'", "'é'"])),
        lambda: "initcap(%s)" % g("text"),
        lambda: "to_char(%s, '%s')" % (g(R.choice(["ts", "tz", "date"])), R.choice([
            "YYYY-MM-DD HH24:MI:SS.US", "FMDay, DD FMMonth YYYY", "Day|Month|DY|Mon", "IYYY-IW-ID", "Q CC DDD J", "HH12:MI am",
            "\"Week\" WW of YY", "MS US SS", "Dth of FMmonth", "FMDD.FMMM.YYYY AD", "Y,YYY IDDD D W", "RM rm FMRM"])),
        lambda: "(%s ->> %s)" % (g("json"), R.choice(["'a'", "'b'", "0", "1", "-1", "'ä'"])),
        lambda: "(%s -> 'a' ->> 'c')" % g("json")],
    "bool": lambda g: [
        lambda: "(%s %s %s)" % ((k := R.choice(["int", "num", "text", "date", "ts", "tz", "time", "iv", "bool"]), g(k))[1], R.choice(["=", "<>", "<", "<=", ">", ">="]), g(k)),
        lambda: "(%s %s %s)" % (g("int"), R.choice(["=", "<", ">="]), g("num")), lambda: "(%s AND %s)" % (g("bool"), g("bool")),
        lambda: "(%s OR %s)" % (g("bool"), g("bool")), lambda: "(NOT %s)" % g("bool"),
        lambda: "(%s IS %sNULL)" % (g(R.choice(list(MAKERS))), R.choice(["", "NOT "])),
        lambda: "(%s IN (%s, %s, %s))" % (g("int"), g("int"), g("int"), g("int")),
        lambda: "(%s NOT IN (%s, %s))" % (g("text"), text_value(), text_value()),
        lambda: "(%s %sBETWEEN %s AND %s)" % (g("num"), R.choice(["", "NOT "]), g("num"), g("int")),
        lambda: "(%s %sLIKE %s)" % (g("text"), R.choice(["", "NOT "]), R.choice(["'%a%'", "'_b%'", "'A%'", "'%é%'", "'%'", "'100\\%'", "''"])),
        lambda: "(%s IS %sDISTINCT FROM %s)" % (g("num"), R.choice(["", "NOT "]), g("num")),
        lambda: "(%s IS %s%s)" % (g("bool"), R.choice(["", "NOT "]), R.choice(["TRUE", "FALSE", "UNKNOWN"])),
        lambda: "(%s = %s)" % (g("date"), g("ts"))],
    "date": lambda g: [lambda: "(%s + %s)" % (g("date"), R.randint(-400, 400)), lambda: "(%s - %d)" % (g("date"), R.randint(0, 400)),
                       lambda: "(%s)::date" % g(R.choice(["ts", "tz"])), lambda: "date_trunc('%s', %s)::date" % (field("month", "year", "week", "quarter", "decade"), g("ts"))],
    "time": lambda g: [lambda: "(%s)::time" % g(R.choice(["ts", "tz"])), lambda: "(%s + %s)" % (g("time"), g("iv"))],
    "ts": lambda g: [lambda: "(%s %s %s)" % (g("ts"), R.choice("+-"), g("iv")), lambda: "(%s + %s)" % (g("date"), g("iv")),
                     lambda: "(%s + %s)" % (g("date"), g("time")), lambda: "date_trunc('%s', %s)" % (
                         field("second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium", "milliseconds"), g("ts")),
                     lambda: "(%s)::timestamp(%d)" % (g("ts"), R.randint(0, 6)), lambda: "(%s)::timestamp" % g(R.choice(["date", "tz"]))],
    "tz": lambda g: [lambda: "(%s %s %s)" % (g("tz"), R.choice("+-"), g("iv")), lambda: "(%s)::timestamptz" % g(R.choice(["date", "ts"])),
                     lambda: "date_trunc('%s', %s)" % (field("day", "month", "hour"), g("tz"))],
    "iv": lambda g: [lambda: "(%s %s %s)" % (g("iv"), R.choice("+-"), g("iv")), lambda: "(%s - %s)" % (g("ts"), g("ts")),
                     lambda: "(- %s)" % g("iv"), lambda: "(%s - %s)" % (g("time"), g("time")), lambda: "date_trunc('%s', %s)" % (field("day", "month", "hour", "year"), g("iv"))],
    "json": lambda g: [lambda: "(%s -> %s)" % (g("json"), R.choice(["'a'", "'b'", "0", "2"]))],
}
TYPES = {"int": ["int", "bigint", "numeric", "text"], "num": ["numeric", "numeric(30,3)", "text"], "text": ["text", "varchar", "varchar(400)", "char(40)"],
         "bool": ["boolean", "text"], "date": ["date", "timestamp", "text"], "time": ["time", "time(2)"], "ts": ["timestamp", "timestamp(3)", "date", "time"],
         "tz": ["timestamptz", "timestamp", "text"], "iv": ["interval", "text"], "json": ["jsonb", "text"]}


def make_query(i):
    parent, child = ("p", list(COLUMNS)), ("o", list(COLUMNS))
    shape = R.choice(["plain", "plain", "plain", "inner", "left", "union", "distinct", "subquery", "values"])
    kinds = [R.choice(list(MAKERS)) for _ in range(R.randint(1, 4))]
    types = [R.choice(TYPES[k]) for k in kinds]
    depth = R.randint(1, 4)
    scope = [child] + ([parent] if shape in ("inner", "left") else [])
    if shape in ("union", "distinct", "subquery"):
        # of equal values that print differently (1.0, 1.00) any one may stand for all: leave them out
        kinds = [k if k not in ("json", "num", "iv") else "int" for k in kinds]
        types = [R.choice(TYPES[k]) for k in kinds]
    exprs = lambda s: ", ".join("%s AS x%d" % (gen(k, depth, s), n) for n, k in enumerate(kinds))
    where = " WHERE " + gen("bool", 2, scope) if R.random() < 0.5 else ""
    if shape == "inner":
        sql = "SELECT %s FROM o JOIN p ON p.k = o.pk%s" % (exprs(scope), where or "")
        sql += (" AND" if where else " WHERE") + " o.pk IS NOT NULL AND o.pk <> 99"
    elif shape == "left":
        sql = "SELECT %s FROM o LEFT JOIN p ON o.pk = p.k%s%s" % (exprs(scope), R.choice(["", " AND p.b"]), where)
    elif shape == "union":
        sql = "SELECT %s FROM o UNION %s SELECT %s FROM o%s" % (exprs(scope), R.choice(["", "ALL"]), exprs(scope), where)
    elif shape == "distinct":
        sql = "SELECT DISTINCT %s FROM o%s" % (exprs(scope), where)
    elif shape == "subquery":
        depth = 0  # PostgreSQL pushes the WHERE down: what would fail before it must not be there
        sql = "SELECT s.* FROM (SELECT %s FROM o UNION SELECT %s FROM o) s WHERE s.x0 IS NOT NULL" % (exprs(scope), exprs(scope))
    elif shape == "values":
        names = ", ".join("x%d" % n for n in range(len(kinds)))
        rows = ", ".join("(" + ", ".join("NULL" if R.random() < .1 else constant(k if k != "json" else "int") for k in kinds) + ")" for _ in range(3))
        kinds = [k if k != "json" else "int" for k in kinds]
        types = [R.choice(TYPES[k]) for k in kinds]
        sql = "SELECT %s FROM (VALUES %s) AS v(%s)" % (names, rows, names)
    else:
        sql = "SELECT %s FROM o%s" % (exprs(scope), where)
    ddl = "CREATE TABLE q%d (%s)" % (i, ", ".join("c%d %s" % (n, t) for n, t in enumerate(types)))
    return ddl, "INSERT INTO q%d %s" % (i, sql)


# --- running both ---

def psql(sql, db=DB, check=True):
    p = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=%d" % check, "-d", db], input=sql, text=True, capture_output=True)
    if check and p.returncode:
        sys.exit("psql: " + p.stderr)
    return p


def make_source():
    psql("DROP DATABASE IF EXISTS %s; " % DB, "postgres")
    psql("CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'" % DB, "postgres")
    cols = ", ".join("%s %s" % c for c in COLUMNS.items())
    sql = ["ALTER DATABASE %s SET timezone = 'UTC'; CREATE TABLE p (k int PRIMARY KEY, %s); CREATE TABLE o (k serial PRIMARY KEY, pk int, %s);" % (DB, cols, cols)]
    for k in range(1, 9):
        sql.append("INSERT INTO p VALUES (%d, %s);" % (k, ", ".join(literal(c) for c in COLUMNS)))
    for k in range(60):
        sql.append("INSERT INTO o(pk, %s) VALUES (%s, %s);" % (", ".join(COLUMNS), R.choice(["NULL", "99"] + [str(n) for n in range(1, 9)] * 3),
                                                              ", ".join(literal(c) for c in COLUMNS)))
    psql("\n".join(sql))


def valid_queries():
    """Statements PostgreSQL can parse and type."""
    made = []
    while len(made) < COUNT:
        batch = [make_query(len(made) + n) for n in range(50)]
        script = "".join("SAVEPOINT s;\n%s;\nEXPLAIN %s;\n\\echo @@ %d :SQLSTATE\nROLLBACK TO s;\n" % (d, q, n) for n, (d, q) in enumerate(batch))
        out = psql("BEGIN;\n\\set ON_ERROR_ROLLBACK off\n" + script + "ROLLBACK;", check=False).stdout
        states = {int(l.split()[1]): l.split()[2] for l in out.splitlines() if l.startswith("@@ ")}
        for n, (d, q) in enumerate(batch):
            if states.get(n) == "00000" and len(made) < COUNT:
                i = len(made)
                made.append(("CREATE TABLE q%d " % i + d.split(" ", 3)[3],
                             "INSERT INTO q%d " % i + q.split(" ", 3)[3]))
    return made


def rows_of(stream):
    tables, current = {}, None
    for line in stream.splitlines():
        if line.startswith('{"@'):
            o = json.loads(line)
            if "@table" in o:
                current = o["@table"]
                tables.setdefault(current, [])
        else:
            tables[current].append(line)
    return tables


def main():
    print("seed %d" % SEED)
    make_source()
    queries = valid_queries()
    psql("CREATE SCHEMA res; ALTER DATABASE %s SET search_path = public" % DB)
    script = "SET search_path = res, public;\n" + "".join(
        "%s;\n%s;\n\\echo @@ %d :SQLSTATE\n" % (d, q, i) for i, (d, q) in enumerate(queries))
    states = {int(l.split()[1]): l.split()[2] for l in psql(script, check=False).stdout.splitlines() if l.startswith("@@ ")}
    expected = rows_of(subprocess.run(["pg-extract", "-d", "dbname=" + DB, "--schema", "res"], capture_output=True, text=True, check=True).stdout)
    source = subprocess.run(["pg-extract", "-d", "dbname=" + DB], capture_output=True, check=True).stdout
    bad = same = refused = unordered = 0
    with tempfile.TemporaryDirectory() as tmp:
        for i, (d, q) in enumerate(queries):
            star, rejects = os.path.join(tmp, "q.sql"), os.path.join(tmp, "rejects")
            with open(star, "w") as f:
                f.write(d + ";\n" + q + ";\n")
            p = subprocess.run(["star-transform", "--rejects", rejects, star], input=source, capture_output=True)
            err, failed = p.stderr.decode(), os.path.exists(rejects) and os.path.getsize(rejects) > 0
            if states.get(i) != "00000":
                ok = failed or p.returncode in (2, 65)
                refused += ok
            else:
                got = sorted(rows_of(p.stdout.decode()).get("q%d" % i, []))
                ok = p.returncode == 0 and not failed and got == sorted(expected["q%d" % i])
                same += ok
            # SQL leaves open in which order the conditions of joins and WHERE are computed, so also
            # whether one that fails is computed at all: only the rows that come out must be equal.
            if not ok and " JOIN " in q and " WHERE " in q and (
                    states.get(i) != "00000" or p.returncode == 0 and failed and got == sorted(expected["q%d" % i])):
                unordered += 1
                ok = True
            if not ok:
                bad += 1
                print("not equal (SQLSTATE %s): %s;\n%s;" % (states.get(i), d, q))
                if states.get(i) == "00000" and p.returncode == 0:
                    want = sorted(expected["q%d" % i])
                    print("  PostgreSQL only: %s" % [r for r in want if r not in got][:3])
                    print("  star-transform only: %s" % [r for r in got if r not in want][:3])
                print("  " + err.strip())
                if failed:
                    print("  rejected: " + open(rejects).read()[:400])
            if os.path.exists(rejects):
                os.unlink(rejects)
    print("%d equal, %d failed in both, %d failed in one by the order of conditions, %d differ, of %d" %
          (same, refused, unordered, bad, len(queries)))
    sys.exit(bad > 0)


main()
