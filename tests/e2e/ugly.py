#!/usr/bin/env python3
"""Values at the ends of their types, and text that is none of them: star-transform computes what
PostgreSQL computes, or rejects the row where PostgreSQL fails.

usage: ugly.py      (PG* variables name a server; database "ugly" is remade)"""
import json, os, subprocess, sys, tempfile

INTERVALS = ["1 day", "-1 mon", "2147483647 mons", "-2147483648 mons", "2147483647 days", "-2147483648 days",
             "9223372036854.775807 secs", "-9223372036854.775807 secs", "-9223372036854.775808 secs",
             "2562047788:00:54.775807", "2562047788:00:54.775808", "1 day 2 days",
             "2147483647 days 1 week", "1 sec 2 ms", "1 hour 01:02:03", "00:60:00", "00:00:60", "00:00:61", "1 year ago",
             "-2147483648 mons ago", "2147483647 years", "178956970 years 7 mons", "ago", "", "x", "1 month 1 mon"]
NUMBERS = ["0", "1", "-1.5", "NaN", "1e131071", "1e131072", "1e-16383", "1e-16384", "123456789.987654321",
           "1e400", "1e-400", "99999999999999999999", "2000", "-2000", "2001", "-131072", "20000", "1e"]
TEXTS = ["abc", "naïve", "%a%", "aXbXc", "X", "", "\\", "a\\", "FMDay", '"lit"', 'FM"lit"DD', "é"]
TIMES = ["294246-12-31 23:59:59.999999", "4714-11-24 00:00:00 BC", "4713-01-01 BC", "2024-02-29", "infinity", "1000-01-01",
         "294276-01-01", " BC", "2024-01-01 BC", "BC", "2024-01-01BC", "294276-12-31", "5874897-12-31"]

ASKED = [
    (INTERVALS, INTERVALS, ["a::interval", "-(a::interval)", "a::interval + b::interval", "a::interval - b::interval",
                            "a::interval < b::interval", "a::interval = b::interval", "extract(epoch from a::interval)",
                            "extract(hour from a::interval)", "extract(year from a::interval)",
                            "date_trunc('hour', a::interval)", "date_trunc('year', a::interval)",
                            "timestamp '2024-02-29 01:02:03' + a::interval",
                            "date '2024-02-29' + a::interval",
                            "timestamp '2024-02-29' + (a::interval + b::interval)"]),
    (NUMBERS, NUMBERS, ["a::numeric + b::numeric", "a::numeric - b::numeric", "a::numeric * b::numeric",
                        "a::numeric / b::numeric", "a::numeric % b::numeric", "round(a::numeric, b::int)",
                        "trunc(a::numeric, b::int)", "ceil(a::numeric)", "a::float8", "a::float4", "a::numeric::float8",
                        "a::float8::float4", "a::numeric::float4", "a::numeric(10,2)", "a::int"]),
    (TEXTS, TEXTS, ["a LIKE b", "replace(a, b, 'yy')", "btrim(a, b)", "strpos(a, b)", "split_part(a, b, -2147483647)",
                    "split_part(a, b, 2147483647)", "split_part(a, b, -1)", "lpad(a, 7, b)", "lpad(a, 2147483647, b)",
                    "rpad(a, -2147483647, b)", "substring(a from 2147483647 for 2147483647)",
                    "substring(a from -2147483647 for 2147483647)", "left(a, -2147483647)", "right(a, -2147483647)",
                    "to_char(timestamp '2024-02-29 01:02:03', a)", "replace(lpad(a, 500, 'a'), 'a', lpad(b, 500, 'b'))"]),
    (TIMES, ["1 mon", "-1 day", "1000000 days", "-178000000 years", "2147483647 days", "00:00:00.000001"],
     ["a::timestamp + b::interval", "a::timestamp - b::interval", "date_trunc('millennium', a::timestamp)",
      "date_trunc('week', a::timestamp)", "extract(epoch from a::timestamp)", "a::date + time '24:00'", "a::date::timestamp",
      "a::date", "a::timestamp::date", "a::date + 2147483647", "a::date - (-2147483647)"]),
]
TRY = """CREATE FUNCTION pg_temp.try(e text, a text, b text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
    EXECUTE 'SELECT (' || e || ')::text FROM (SELECT $1 AS a, $2 AS b OFFSET 0) x' INTO r USING a, b;
    RETURN 'is ' || COALESCE(CASE WHEN length(r) > 100 THEN md5(r) ELSE r END, 'null');
EXCEPTION WHEN OTHERS THEN RETURN 'fails';
END $$;
"""


def quote(s):
    return "'" + s.replace("'", "''") + "'"


def psql(sql, db):
    p = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", db], input=sql, text=True, capture_output=True)
    if p.returncode:
        sys.exit("psql: " + p.stderr)
    return p.stdout


def by_postgresql(exprs, pairs):
    values = ",".join("(%d,%s,%s)" % (k, quote(a), quote(b)) for k, (a, b) in enumerate(pairs))
    asked = ",".join("(%d,%s)" % (i, quote(e)) for i, e in enumerate(exprs))
    out = psql("SET timezone = 'UTC';" + TRY + "SELECT json_build_array(i, k, pg_temp.try(e, a, b)) FROM (VALUES %s) v(k, a, b), "
               "(VALUES %s) q(i, e);" % (values, asked), "ugly")
    return {(i, k): r for i, k, r in map(json.loads, out.splitlines())}


def by_star(exprs, pairs):
    import hashlib
    star = "".join("CREATE TABLE t%d (k int PRIMARY KEY, r text); INSERT INTO t%d SELECT k, (%s)::text FROM x;\n" % (i, i, e)
                   for i, e in enumerate(exprs))
    columns = [{"name": "k", "type": "int4"}, {"name": "a", "type": "text"}, {"name": "b", "type": "text"}]
    lines = [json.dumps({"@table": "x", "columns": columns, "key": ["k"]})]
    lines += [json.dumps({"k": k, "a": a, "b": b}) for k, (a, b) in enumerate(pairs)] + [json.dumps({"@end": {"rows": {"x": len(pairs)}}})]
    got = {}
    with tempfile.TemporaryDirectory() as tmp:
        path, rejects = os.path.join(tmp, "star.sql"), os.path.join(tmp, "rejects")
        with open(path, "w") as f:
            f.write(star)
        p = subprocess.run(["star-transform", "--rejects", rejects, path], input="\n".join(lines) + "\n", text=True,
                           capture_output=True, timeout=120)
        if p.returncode:
            sys.exit("star-transform: " + p.stderr)
        table = None
        for line in p.stdout.splitlines():
            o = json.loads(line)
            if "@table" in o:
                table = int(o["@table"][1:])
            elif "k" in o:
                r = "null" if o["r"] is None else o["r"]
                got[table, o["k"]] = "is " + (hashlib.md5(r.encode()).hexdigest() if len(r) > 100 else r)
        for line in open(rejects):
            o = json.loads(line)
            got[int(o["target"][1:]), o["row"]["k"]] = "fails"
    return got


def main():
    psql("DROP DATABASE IF EXISTS ugly", "postgres")
    psql("CREATE DATABASE ugly TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'", "postgres")
    equal = stricter = bad = 0
    for left, right, exprs in ASKED:
        pairs = [(a, b) for a in left for b in right]
        theirs, ours = by_postgresql(exprs, pairs), by_star(exprs, pairs)
        for (i, k), want in sorted(theirs.items()):
            got = ours.get((i, k))
            if got == want:
                equal += 1
            elif got == "fails":
                stricter += 1
                if "-v" in sys.argv:
                    print("refused: %s with %r: PostgreSQL %s" % (exprs[i], pairs[k], want))
            else:
                bad += 1
                print("%s with %r: PostgreSQL %s, star-transform %s" % (exprs[i], pairs[k], want, got))
    print("%d equal, %d refused though PostgreSQL computes them, %d wrong" % (equal, stricter, bad))
    sys.exit(bad > 0)


main()
