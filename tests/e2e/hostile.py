#!/usr/bin/env python3
"""Hostile streams, lakes, files and tables into every reader: none may reach what is not its own.

usage: hostile.py      (PG* variables name a server as superuser; database "hostile" and role "canary" are remade)

SEED is that of the run, CASES how many cases there are, ONLY the number of a single one: a case depends
on SEED and its number alone. Each makes an input that an attacker could own, gives it to the tools that
read such input, loads what comes out, and then looks:

- a tool ends by an exit code that its page has, never by a signal, and within bounds of time and memory;
- standard error has no control characters and no line that the input has forged;
- what a tool wrote as a stream is one, if it says that all is well;
- no text got into SQL as syntax: no such error, not even in the server's log, and the SQL of a hint is one statement;
- the canaries are as they were: a table, a role and all else outside the target schema, and a folder of files.

The inputs of a case that fails stay in a folder that is named."""
import glob, hashlib, json, os, random, re, resource, select, shlex, shutil, subprocess, sys, tempfile, time, unicodedata

SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
CASES = int(os.environ.get("CASES") or 2000)
ONLY = os.environ.get("ONLY")
DB = "hostile"
READERS = ("jsonl2csv", "csv2jsonl", "jsonl2parquet", "parquet2jsonl", "star-transform", "s3-put", "s3-get", "pg-load", "pg-extract")
CODES = {0, 2, 65, 73, 75, 76, 77}
NO_CODE = re.compile(r"has no tables that this role can see|No such file|File name too long")  # what may end in 1
MEMORY, FACTOR = 64 << 20, 64  # what a tool may take: so much, and so many times its input
CPU_SECONDS, WALL_SECONDS = 5, 30
FORGED = "canary-line"  # stands where an input begins a line that should be a tool's alone


CASE_FILES = r"\d+\.(out|err)|in\.(jsonl|csv|parquet)|again\.jsonl|lake|out\.parquet|star\.sql|store|store\.lock|rejects|state|state-out|source\.sql"


class Failure(Exception):
    pass


# --- what hostile text looks like ---

def statements(folder):
    """What an attacker would like to run."""
    owned = folder + "/owned"
    return ["UPDATE public.canary SET v = 'owned'", "DROP TABLE public.canary", "DELETE FROM public.canary", "CREATE TABLE public.owned ()",
            "ALTER ROLE canary SUPERUSER", "CREATE ROLE owned SUPERUSER", "GRANT postgres TO canary", "GRANT ALL ON public.canary TO PUBLIC",
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO canary", "COPY (SELECT 1) TO PROGRAM 'cat >%s'" % owned, "CREATE SCHEMA owned",
            "CREATE FUNCTION public.owned() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DO $x$ BEGIN DROP TABLE public.canary; END $x$",
            "SELECT lo_create(4711)", "ALTER DATABASE hostile SET search_path = owned", "COMMIT; TRUNCATE public.canary"]


OPENERS = ["\n", "\n", '"', '""', "'", "''", '\\"', "\\'", "$$", "$a$", "*/", ")", "]", "\\.\n", "\n\\.\n", ";", "\r\n", "\v", "\f", "\t", "`", "$(",
           "\0", "\ud800", "\u2019", "\u02bc", "\uff07", "\uff02", "\u201d", "\u2028", "\x85", "\xa0", "\x7f", "\x1b[2J", "\x1b]0;owned\a", "%s%n", "%00", "\\000", "E'\\"]
CLOSERS = ["", ")", "))", ")))", "2))", "2)", ",2))", " int))", " int)", "))::text", "]", "]))", " text);", ")) VALUES (1)", " = 1)"]
TAILS = ["--", "/*", "", "\n", "$$", "'", '"', "\\", "--\n", "\0"]
ODD_NAMES = ["", ".", "..", "../owned", "../../owned", "/etc/owned", ".hidden", "_commits", "_delta_log", "a/b", "a//b", "a\\b", "%2e%2e%2fowned", "a=b", "a%2Fb",
             "xmin", "ctid", "tableoid", "oid", "select", "user", "canary", "pg_class", "public.canary", '"public"."canary"', "@table", "@", "@@x", "@json", "_deleted",
             "starpipe_state", "current_t", "-rf", "--help", "-", "~", "*", "?", " ", "\t", "\n", "NULL", "null", "true", "0", "gone", "stage", "n", "x" * 63, "x" * 64, "ä" * 32,
             "é" * 31 + "xx", "日" * 21, "\u202eevil", "e\u0301", "\ufeffa", "{TARGET}", "{KEY}", "{COLUMNS}", "%s", "$1", "\\x41", "\\N", "'", '"', '""', "\\", "'; --"]
BASES = ["bool", "int2", "int4", "int8", "numeric", "float4", "float8", "text", "varchar", "bpchar", "date", "time", "timestamp", "timestamptz", "interval", "bytea",
         "json", "jsonb", "uuid", "inet", "bit", "varbit", "oid", "name", "point", "xml", "box", "timetz", "char", "decimal", "integer", "character varying"]
GOOD_TYPES = ["int4", "int4", "text", "text", "numeric", "numeric(10,2)", "varchar(5)", "timestamp", "timestamptz", "date", "jsonb", "json", "bool", "text[]", "int4[]", "bytea", "interval",
              "uuid", "float8", "time", "bit(3)", "bpchar(4)", "int8"]
MODS = ["--", "-", "10,--", "10,2--", "--,2", "-- ", "- -", "1 0", "10,", ",2", ",", "", " ", "10,2,3", "-1", "0", "1001", "1000,-1001", "1000,1000", "10,2)", "10,2)(3", "/*", "*/", "1/**/0",
        "1e3", "0x10", "1_0", "99999999999999999999", "1000000000", "2147483648", "-2147483649", "'1'", "\n1", "1\n", "1\0", "$1", "1;", "7", "10485761", "1::int", "(1)", "(SELECT 1)", "+5",
        "\u0661", "10,\u2212 2", "2)[", "1))", "10\\", "10--\n"]
ODD_TYPES = ["", " ", "\n", "[]", "()", "(1)", "[][]", "int4[", "int4]", "int4[3]", "int4 []", "int4[-1]", "int4[]]", "int4[][][][][][][]", "int4[1:2]", "int4[--]", "int4\n[]", "text[--\n]",
             "interval year to month", "interval day to second(2)", "interval second(3)", "interval --", "interval day to --", "interval(3)--", "interval\n", "interval year", "interval '1'", "interval year to second(99)[]",
             "interval (3)", "interval(3) day", "interval[--", "intervalx", "interval/**/", "interval\0", "timestamp(3) without time zone", "timestamp(3) with time zone", "timestamp(3)--without time zone",
             "timestamp(3) with time zone--", "timestamp with time zone", "double precision", "double  precision", "bit varying(3)", "national character(3)", "pg_catalog.int4", "public.canary", "canary",
             '"int4"', '"int4', 'int4"', '"text"', "text COLLATE \"C\"", "text DEFAULT now()", "text REFERENCES canary", "text CHECK (true)", "serial", "bigserial", "int4 PRIMARY KEY", "record", "void", "trigger",
             "cstring", "internal", "unknown", "any", "anyelement", "anyarray", "_int4", "regclass", "regprocedure", "pg_class", "tsquery", "tsvector", "jsonpath", "pg_lsn", "txid_snapshot", "int4range", "SETOF int4", "canary%ROWTYPE",
             "public.canary.v%TYPE", "TEXT", "Int4", "int4::text", "int4;", "int4--", "int4 -- ", "int4/*", "$1", "?", ":x", "\\x", "te\0xt", "text\u0000", "x" * 64, "x" * 5000, "int4" + "[]" * 3000]
VALUES = {  # values of the wire, some good, most not
    "bool": ["true", "false", '"t"', "1", '"yes"'],
    "number": ["0", "-0", "1", "1.10", "1e400", "-1e-400", "1e99999999999", "123456789012345678901234567890.5", "9" * 5000, '"NaN"', '"Infinity"', '"-Infinity"', '"1"', '"1,0"', '"0x1F"', "01", "+1", "1.",
               ".5", "1e", "-", '"1\\u0000"', "2147483648", "-9223372036854775809", '"1e1000000000"', '"--1"', '" 1"', "1e16383", "1e131072", "1e-16384"],
    "date": ['"2024-02-29"', '"2023-02-29"', '"infinity"', '"-infinity"', '"0044-03-15 BC"', '"294277-01-01"', '"5874898-01-01"', '"99999999999999-01-01"', '"2024-02-29T12:00:00"', '"2024-02-29T12:00:00Z"',
             '" BC"', '"BC"', '"T"', '"Z"', '"-"', '"2024"', '"now"', '"epoch"', '"today"', '"2024-02-29T25:00:00"', '"12:00:00"', '"24:00:00"', '"2024-02-29 BC BC"', '"2024-02-29T12:00:00 BC"', '"2024-02-29T12:00:00.1234567890123"',
             '"1 mon"', '"178000001 years"', '"P1Y"', '"-2562047788:00:54.775808"', '"9223372036854775807 days"', '"\\u0000"'],
    "json": ["{}", "[]", "null", '{"@json":"null"}', '{"@json":"{"}', '{"@json":1}', '{"@json":"x","y":1}', '{"@table":"t"}', '{"a":1,"a":2}', '"\\u0000"', '{"\\u0000":1}', '"\\ud800"', "[" * 300 + "]" * 300,
             "[" * 20000 + "]" * 20000, '{"a":' * 5000 + "1" + "}" * 5000, '{"@json":"\\n{\\"@end\\":1}"}', '{"@json":"' + "[" * 9000 + '"}', "[1,,2]", "{,}", '{"a"}', "{1:2}", "[1 2]", "nul", "tru"],
    "array": ["[]", "[null]", "[[1],[2]]", "[[1],[2,3]]", "[1,[2]]", '["a","b"]', '["{","}","\\"","\\\\",",",";"]', '"{1,2}"', '"{1,2"', '"[2:3]={1,2}"', '"[2147483647:2147483648]={1}"', '[{"@json":"[1]"}]', "[" * 7 + "1" + "]" * 7, "[" * 900 + "]" * 900,
              '"{' + "{" * 2000 + '"', "[[]]", "[[],[]]", '["NULL"]'],
    "bytea": ['"\\\\x"', '"\\\\x00ff"', '"\\\\x0"', '"\\\\xzz"', '"\\\\"', '"\\\\000"', '"x"'],
    "other": ['"(1,2)"', '"(2,2),(1,1)"', '"00000000-0000-0000-0000-000000000000"', '"1.2.3.4/33"', '"101"', '"<a>"', '"<!DOCTYPE a [<!ENTITY x SYSTEM \\"file:///etc/passwd\\">]><a>&x;</a>"', '"{(1,1),(1,1);(2,2),(2,2)}"'],
}
ALL_VALUES = [v for vs in VALUES.values() for v in vs]
WRONG = ["null", "true", "false", "0", "1", "-1", "1.5", "1e400", "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775808", "4611686018427387904", "1" + "0" * 4000, '""', '"x"', '"\\u0000"',
         "[]", "{}", "[null]", "[1]", '["x"]', "[[]]", "[{}]", '{"x":1}', '{"rows":1}', '{"":null}', "[" * 100 + "]" * 100, '{"a":' * 100 + "1" + "}" * 100, "[" * 60000 + "]" * 60000, '{"a":' * 30000 + "{}" + "}" * 30000,
         "[" * 60000, "NaN", "01", "'x'", ""]


class Raw(str):
    """Text that stands in JSON as it is."""


def js(v, ascii=True):
    """JSON of dicts, lists of pairs in a tuple (keys may be there twice), and Raw."""
    if isinstance(v, Raw):
        return str(v)
    if isinstance(v, dict):
        v = tuple(v.items())
    if isinstance(v, tuple):
        return "{" + ",".join(js(k, ascii) + ":" + js(x, ascii) for k, x in v) + "}"
    if isinstance(v, list):
        return "[" + ",".join(js(x, ascii) for x in v) + "]"
    return json.dumps(v, ensure_ascii=ascii)


def to_bytes(s):
    return s.encode("utf-8", "surrogatepass")


def ident(s):
    return '"' + s.replace('"', '""') + '"'


def quote(s):
    return "'" + s.replace("'", "''") + "'" if "\\" not in s else "E'" + s.replace("\\", "\\\\").replace("'", "''") + "'"


# --- the server and its canaries ---

class Server:
    """A psql that stays: a query costs no process."""

    def __init__(self):
        self.targets, self.psql, self.log, self.before = [], None, None, None
        run_sql("postgres", "SET client_min_messages = error; DROP DATABASE IF EXISTS %s WITH (FORCE); DROP ROLE IF EXISTS canary; DROP ROLE IF EXISTS owned;" % DB)
        run_sql("postgres", "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';" % DB)
        run_sql(DB, "CREATE ROLE canary; CREATE SCHEMA src; CREATE TABLE public.canary (k int PRIMARY KEY, v text); INSERT INTO public.canary SELECT g, 'alive' FROM generate_series(1, 5) g;")
        log = os.path.join(os.environ.get("PGHOST", ""), "log")
        if os.access(log, os.R_OK):
            self.log = open(log, "rb")
            self.log.seek(0, 2)
        self.connect()
        self.before, self.catalog = self.snapshot(), self.whole_catalog()

    def connect(self):
        self.psql = subprocess.Popen(["psql", "-XqAt", "-d", DB], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.query("SET client_min_messages = error; SET search_path = pg_catalog; SET lock_timeout = '20s'")

    def query(self, sql, must=True):
        self.psql.stdin.write(sql + "\n;\n\\echo @@@\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line == "@@@\n":
                return "".join(lines)
            if line.startswith(("ERROR:", "FATAL:")) and must:
                raise Failure(line)
            lines.append(line)
        raise Failure("psql ended")

    def snapshot(self):
        """All that is not the target schema's own."""
        own = "n.nspname = ANY (%s::text[]) OR n.nspname ~ '^pg_(toast|temp)'" % (
            "ARRAY[" + ",".join(quote(t) for t in ["src"] + self.targets) + "]")
        return self.query("""SELECT x FROM (
            SELECT 'row '||t::text||' '||xmin||ctid FROM public.canary t
            UNION ALL SELECT 'relation '||c.oid||' '||n.nspname||'.'||relname||relkind::text||relowner||coalesce(relacl::text,'')||relrowsecurity||relhastriggers FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid >= 16384 AND NOT (%s)
            UNION ALL SELECT 'type '||c.oid||n.nspname||'.'||typname FROM pg_type c JOIN pg_namespace n ON n.oid = typnamespace WHERE c.oid >= 16384 AND NOT (%s)
            UNION ALL SELECT 'schema '||n.nspname||n.nspowner||coalesce(n.nspacl::text,'') FROM pg_namespace n WHERE NOT (%s)
            UNION ALL SELECT 'function '||oid||proname FROM pg_proc WHERE oid >= 16384
            UNION ALL SELECT 'operator '||oid||oprname FROM pg_operator WHERE oid >= 16384
            UNION ALL SELECT 'cast '||oid FROM pg_cast WHERE oid >= 16384
            UNION ALL SELECT 'trigger '||oid||tgname FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT 'rule '||oid||rulename FROM pg_rewrite WHERE oid >= 16384 AND rulename <> '_RETURN'
            UNION ALL SELECT 'event trigger '||evtname FROM pg_event_trigger
            UNION ALL SELECT 'policy '||polname FROM pg_policy
            UNION ALL SELECT 'role '||r::text FROM pg_authid r
            UNION ALL SELECT 'member '||m::text FROM pg_auth_members m
            UNION ALL SELECT 'default '||d::text FROM pg_default_acl d
            UNION ALL SELECT 'setting '||s::text FROM pg_db_role_setting s
            UNION ALL SELECT 'database '||datname||coalesce(datacl::text,'') FROM pg_database
            UNION ALL SELECT 'object '||oid FROM pg_largeobject_metadata
            UNION ALL SELECT 'extension '||extname FROM pg_extension
            UNION ALL SELECT 'server '||srvname FROM pg_foreign_server
            UNION ALL SELECT 'publication '||pubname FROM pg_publication
            UNION ALL SELECT 'slot '||slot_name FROM pg_replication_slots
            UNION ALL SELECT 'prepared '||gid FROM pg_prepared_xacts
            UNION ALL SELECT 'comment '||description FROM pg_description WHERE objoid = to_regclass('public.canary')
            ) AS s(x) ORDER BY x COLLATE "C" """ % (own, own, own), must=not self.before)  # without the table it is an error, which differs, too

    def whole_catalog(self):
        """PostgreSQL's own functions and relations, too: once, at the end."""
        return self.query("SELECT md5(string_agg(p::text, '' ORDER BY oid)) FROM pg_proc p WHERE oid < 16384; SELECT md5(string_agg(relname||relkind::text||relowner||coalesce(relacl::text,''), '' ORDER BY oid)) FROM pg_class WHERE oid < 16384;")

    def drop_targets(self):
        for t in self.targets:
            self.query("DROP SCHEMA IF EXISTS %s CASCADE" % ident(t))
        self.targets = []

    def new_log(self):
        return self.log.read().decode("utf-8", "replace") if self.log else ""


def run_sql(db, sql):
    p = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", db], input=sql.encode(), capture_output=True)
    return p.returncode, p.stdout.decode(), p.stderr.decode("utf-8", "replace")


SQL_SYNTAX = re.compile(r'syntax error at (?:or near|end of input)(?!.*(?:jsonpath|tsquery))|unterminated (?:quoted|/\*|dollar|bit|hex)|cannot insert multiple commands')

# --- running tools ---

class Run:
    """One process of a tool, its input and what came of it."""

    def __init__(self, case, tool, args, stdin=None, out=None):
        self.case, self.tool, self.args = case, tool, args
        n = case.runs = case.runs + 1
        self.stdin, self.out = stdin, out or "%d.out" % n
        self.err = "%d.err" % n
        self.size = sum(os.path.getsize(os.path.join(case.folder, f)) for f in [stdin] + case.inputs if f and os.path.exists(os.path.join(case.folder, f)))
        with open(os.path.join(case.folder, stdin) if stdin else os.devnull, "rb") as i, open(os.path.join(case.folder, self.out), "wb") as o, open(os.path.join(case.folder, self.err), "wb") as e:
            self.process = subprocess.Popen([tool] + args, stdin=i, stdout=o, stderr=e, cwd=case.folder)

    def command(self):
        return " ".join(shlex.quote(a) for a in [self.tool] + self.args) + (" <%s" % self.stdin if self.stdin else "")

    def wait(self):
        fd = os.pidfd_open(self.process.pid)
        late = not select.select([fd], [], [], WALL_SECONDS * SLOW)[0]
        if late:
            self.process.kill()
        os.close(fd)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.rc = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.stderr = open(os.path.join(self.case.folder, self.err), "rb").read()
        if late:
            self.fail("hangs", "killed after %d seconds" % (WALL_SECONDS * SLOW))
        else:
            self.check(usage)
        return self

    def fail(self, what, detail=""):
        self.case.fail("%s: %s" % (self.tool, what), detail, self)

    def check(self, usage):
        text = self.stderr.decode("utf-8", "replace")
        if self.rc < 0 or "Sanitizer" in text or "runtime error" in text or self.rc == 99:
            self.fail("crashes with %d" % self.rc, text[:1500])
        elif self.rc not in CODES and not (self.rc == 1 and NO_CODE.search(text)):
            self.fail("exit code %d" % self.rc, text[:300])
        if SQL_SYNTAX.search(text) and self.tool != "star-transform":
            self.fail("text got into SQL as syntax", text[:600])
        self.check_stderr(text)
        if self.tool in ("pg-load", "s3-put"):
            self.check_receipt()
        if usage.ru_maxrss * 1024 > MEMORY + FACTOR * self.size and not SANITIZED:
            self.fail("takes memory", "%d MiB for %d bytes of input" % (usage.ru_maxrss >> 10, self.size))
        if usage.ru_utime + usage.ru_stime > CPU_SECONDS * SLOW:
            self.fail("takes time", "%.1f s for %d bytes of input" % (usage.ru_utime + usage.ru_stime, self.size))

    def check_stderr(self, text):
        if self.rc < 0 or "Sanitizer" in text:
            return
        try:
            self.stderr.decode()
        except UnicodeDecodeError:
            self.fail("messages that are no UTF-8", repr(self.stderr[:300]))
        if "json" in self.args:
            return self.check_json(text)
        excerpt = self.tool == "star-transform" and "star.sql" in text
        control = [c for c in text if c != "\n" and unicodedata.category(c) == "Cc" and not (excerpt and c == "\t")]
        if control:
            self.fail("control characters in a message", "%r in %r" % (control[0], text[:300]))
        for line in text.split("\n")[:-1]:
            if FORGED in line and re.match("[a-z0-9-]+: error: " + FORGED, line):
                self.fail("a forged line", repr(text[:300]))
            elif not line.startswith(self.tool + ": ") and not (excerpt and line.startswith("  ")):
                self.fail("a line without the tool's name", repr(text[:300]))
        if text and not text.endswith("\n"):
            self.fail("a message without an end", repr(text[-300:]))

    def check_receipt(self):
        lines = open(self.path(), "rb").read().split(b"\n")
        try:
            good = lines[-1] == b"" and len(lines) <= 2 and all(isinstance(json.loads(l, parse_int=str), dict) for l in lines[:-1])
        except RecursionError:
            good = True
        except ValueError:
            good = False
        if not good:
            self.fail("a receipt that is no line of JSON", repr(b"\n".join(lines)[:300]))

    def check_json(self, text):
        for line in text.split("\n")[:-1]:
            try:
                o = json.loads(line)
            except ValueError:
                o = {}
            if o.get("tool") != self.tool:
                self.fail("a message that is no JSON", repr(line[:300]))

    def hint(self):
        m = re.search(r"^%s: hint: (ALTER .*|CREATE .*)$" % self.tool, self.stderr.decode("utf-8", "replace"), re.M)
        return m and m.group(1)

    def path(self):
        return os.path.join(self.case.folder, self.out)

    def is_stream(self):
        """What came out, if all went well, is a stream by another reader's eyes."""
        if self.rc != 0:
            return
        tables, current, ended = {}, None, None
        data = open(self.path(), "rb").read()
        if not data.endswith(b"\n"):
            return self.fail("writes no whole line", repr(data[-100:]))
        for line in data[:-1].split(b"\n"):
            if ended is not None:
                return self.fail("writes lines after @end", repr(line[:200]))
            try:
                pairs = [(k, v) for k, v in json.loads(line, object_pairs_hook=list, parse_int=str, parse_float=str)] if line.startswith(b"{") else None
            except RecursionError:
                pairs = [("x", None)]
            except ValueError as e:
                return self.fail("writes no JSON", "%s: %r" % (e, line[:200]))
            names = [k for k, _ in pairs] if pairs is not None else ["no object"]
            if not line.startswith(b"{") or len(set(names)) != len(names):
                return self.fail("writes no row, or one with a column twice", repr(line[:200]))
            first = names[0] if names else ""
            if not first.startswith("@") or first.startswith("@@"):
                if current is None:
                    return self.fail("writes a row of no table", repr(line[:200]))
                tables[current] += 1
            elif first in ("@table", "@delete"):
                current = pairs[0][1]
                if not isinstance(current, str):
                    return self.fail("writes a table that is no name", repr(line[:200]))
                if first == "@table" and len(names) > 1:
                    tables.setdefault(current, 0)
                if current not in tables:
                    return self.fail("writes a table before its announcement", repr(line[:200]))
            elif first == "@end":
                ended = dict(dict(pairs)["@end"]).get("rows")
            elif first != "@state":
                return self.fail("writes an unknown control line", repr(line[:200]))
        if ended is None or dict(ended) != {t: str(n) for t, n in tables.items()}:
            self.fail("writes a wrong end", "%r, counted %r" % (ended, tables))


# --- a case ---

class Case:
    def __init__(self, number, templates):
        self.number, self.templates = number, templates
        self.r = random.Random("%d %d" % (SEED, number))
        self.folder = os.path.join(ROOT, "case%d" % number)
        self.canary = os.path.join(ROOT, "canary")
        os.mkdir(self.folder)
        self.statements = statements(self.canary)
        self.runs, self.inputs, self.failures, self.kept = 0, [], [], set()

    def fail(self, what, detail, run=None):
        self.failures.append((what, detail, run.command() if run else ""))

    def pick(self, items):
        return items[self.r.randrange(len(items))]

    def chance(self, p):
        return self.r.random() < p

    def write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as f:
            f.write(data if isinstance(data, bytes) else to_bytes(data))
        return name

    # pieces

    def breakout(self, opener=None):
        """Text that leaves what it was put into and goes on as a statement."""
        s = self.pick(OPENERS) if opener is None else opener
        if self.chance(0.2):
            s = self.pick(OPENERS) + s
        return "%s%s; %s;%s" % (s, self.pick(CLOSERS), self.pick(self.statements), self.pick(TAILS))

    def hostile_name(self):
        x = self.r.random()
        if x < 0.35:
            return self.breakout()
        if x < 0.45:
            return "x\n%s: error: %s" % (self.pick(READERS), FORGED)
        if x < 0.52:
            return self.pick(["$(touch %s/owned)", "`touch %s/owned`", "'; touch %s/owned; '", "x\ntouch %s/owned\n", "%s/owned", "../../canary/owned", "file://%s/owned"]).replace("%s", self.canary)
        if x < 0.9:
            return self.pick(ODD_NAMES)
        return "".join(self.pick(OPENERS + list("ab1 _")) for _ in range(self.r.randint(1, 12)))

    def name(self, p, good):
        return self.hostile_name() if self.chance(p) else good

    def hostile_type(self):
        x = self.r.random()
        if x < 0.35:
            return "%s(%s)%s" % (self.pick(BASES), self.pick(MODS), self.pick(["", "", "[]", "[][]", "[--]", " --", "\n"]))
        if x < 0.65:
            return self.pick(ODD_TYPES)
        if x < 0.75:
            return self.pick(BASES) + self.breakout()
        if x < 0.85:
            return "%s(%s" % (self.pick(BASES), self.breakout(self.pick(["10)", "10,--\n", "10", ")", "\n"])))
        return "%s(%s)" % (self.pick(BASES), "".join(self.pick("0123456789-,- ()[];'\"\n\\$/*+.:eE\t\0") for _ in range(self.r.randint(1, 12))))

    def hostile_text(self):
        return self.pick([self.breakout, self.hostile_name, self.hostile_type, lambda: self.pick(OPENERS) * self.r.randint(1, 50), lambda: self.pick(TAILS) * 20])()

    def value(self, kind):
        """A value of the wire, Raw."""
        x = self.r.random()
        if x < 0.15:
            return Raw(js(self.hostile_text(), self.chance(0.8)))
        if x < 0.25:
            return Raw(self.pick(WRONG))
        if x < 0.35:
            return Raw(self.pick(ALL_VALUES))
        base = re.match("[a-z0-9]*", kind).group()
        key = ("array" if kind.endswith("]") else "number" if base in ("int2", "int4", "int8", "numeric", "float4", "float8", "oid") else "date" if re.match("date|time|interval", base) else
               "json" if base.startswith("json") else base if base in ("bool", "bytea") else "other" if base in ("uuid", "bit", "inet", "point", "box") else None)
        return Raw(self.pick(VALUES[key])) if key else self.hostile_text() if self.chance(0.5) else self.pick(["a", "", "x", "ä", "long " * 20])

    def good_value(self, kind, n):
        base = re.match("[a-z0-9]*", kind).group()
        if kind.endswith("]"):
            return []
        return {"int2": n, "int4": n, "int8": n, "numeric": n, "float8": n, "float4": n, "bool": True, "date": "2024-02-29", "time": "12:00:00", "timestamp": "2024-02-29T12:00:00", "timestamptz": "2024-02-29T12:00:00Z",
                "interval": "1 day", "json": {"a": n}, "jsonb": {"a": n}, "bytea": "\\x00", "uuid": "00000000-0000-0000-0000-00000000000%d" % (n % 10), "bit": "101", "varbit": "1"}.get(base, "v%d" % n)

    # streams

    def announcement(self, names=0.0, types=0.0, table=None):
        columns = [{"name": self.name(names, "c%d" % i), "type": self.hostile_type() if self.chance(types) else self.pick(GOOD_TYPES)} for i in range(self.r.randint(1, 5))]
        if types and self.chance(0.4):  # a type that comments out what follows, up to the line break of the next name
            columns[:0] = [{"name": "c", "type": "%s(%s)" % (self.pick(["numeric", "varchar", "timestamp", "bit", "x"]), self.pick(["--", "10,--", "1--", "--1", "-- -"]))},
                           {"name": "\n2)); %s; --" % self.pick(self.statements) if self.chance(0.4) else self.breakout("\n"), "type": "text"}]
        for c in columns:
            if self.chance(0.15):
                c["notnull"] = True
            if self.chance(0.06):
                c["generated"] = self.pick(["serial", "identity", "identity", self.hostile_text()])
        t = {"@table": table or self.name(names, "t"), "columns": columns}
        if self.chance(0.7):
            t["key"] = list(dict.fromkeys(self.pick(columns)["name"] for _ in range(self.pick([1, 1, 2]))))
        if self.chance(0.2):
            t["foreign"] = [{"columns": [self.pick(columns)["name"]], "table": self.name(0.5, t["@table"]), "references": [self.pick(columns)["name"]]}]
        t["mode"] = self.pick(["full", "full", "changes"])
        if self.chance(0.4) and "key" in t:
            t["load"] = self.pick(["upsert", "history"])
        return t

    def row(self, table, n, hostile):
        pairs = []
        for c in table["columns"]:
            if "generated" in c:
                continue
            k, v = c["name"], self.value(c["type"]) if self.chance(hostile) else self.good_value(c["type"], n)
            if self.chance(hostile * 0.1):
                continue
            pairs.append(("@" + k if not pairs and k.startswith("@") else k, v))
            if self.chance(hostile * 0.05):
                pairs.append((k, v))
        if self.chance(hostile * 0.1):
            pairs.append((self.hostile_name(), 1))
        if self.chance(hostile * 0.1):
            self.r.shuffle(pairs)
        return tuple(pairs)

    def stream(self, names=0.0, types=0.0, values=0.0, count=None, tables=None):
        """Lines of a whole stream, each an object for js(), by what they are."""
        lines, counts = [], {}
        for t in range(tables or self.pick([1, 1, 1, 2])):
            a = self.announcement(names, types, None if t == 0 or self.chance(names) else "t%d" % t)
            if a["@table"] in counts:
                continue
            lines.append(a)
            n = self.r.randint(0, 4) if count is None else count
            for i in range(n):
                lines.append(self.row(a, i, values))
            counts[a["@table"]] = n
            if a.get("key") and self.chance(0.15):
                lines.append({"@delete": a["@table"], "key": {k: self.good_value("int4", i) for i, k in enumerate(a["key"])}})
        if self.chance(0.8):
            lines.append({"@state": self.state()})
        lines.append({"@end": {"rows": counts}})
        return lines

    def state(self):
        return {"source": "postgresql", "system": "7123456789012345678", "timeline": 1, "database": 5, "schema": "public", "generation": 0, "snapshot": "749:749:", "tables": {"t": ["16385", "abc"]}}

    def text(self, lines):
        return b"".join(to_bytes(js(l, self.chance(0.7))) + b"\n" for l in lines)

    def spoil(self, v, depth=0):
        """The same document with one member gone, null, of another kind, or there twice."""
        if isinstance(v, dict) and v and (depth == 0 or self.chance(0.75)):
            k = self.pick(list(v))
            x = self.r.random()
            if x < 0.5 and isinstance(v[k], (dict, list)) and v[k]:
                return {**v, k: self.spoil(v[k], depth + 1)}
            if x < 0.65:
                return {n: m for n, m in v.items() if n != k}
            if x < 0.72:
                return tuple(v.items()) + ((k, Raw(self.pick(WRONG))),)
            if x < 0.78:
                return tuple((self.hostile_name() if n == k else n, m) for n, m in v.items())
            return {**v, k: Raw(self.pick(WRONG)) if self.chance(0.7) else self.hostile_text()}
        if isinstance(v, list) and v and self.chance(0.75):
            i = self.r.randrange(len(v))
            return v[:i] + [self.spoil(v[i], depth + 1)] + v[i + 1:]
        return Raw(self.pick(WRONG))

    def mangle(self, data):
        """Bytes changed, lost, twice or new."""
        b = bytearray(data)
        for _ in range(self.pick([1, 1, 2, 5])):
            i, j = sorted(self.r.randrange(len(b) + 1) for _ in range(2))
            j = min(j, i + self.pick([1, 1, 4, 50, 1000]))
            piece = self.pick([bytes(b[i:j]) * 2, b"", bytes([self.r.randrange(256)]), b"\n", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\\u0000", b"{", b"}", b'"', b"[" * 1000, b"9" * 400, b"\r\n", b"\xef\xbb\xbf", b"@", b"\\"])
            b[i:j] = piece
        return bytes(b)

    # what reads them

    def load(self, stdin, *more):
        target = "t"
        SERVER.targets = [target]
        return Run(self, "pg-load", ["-d", "dbname=" + DB, "--schema", target] + list(more), stdin)

    def feed(self, data, star=None):
        """A stream into everything that reads one, and what comes out of that into what reads it."""
        self.write("in.jsonl", data)
        formats = self.pick([["--format", "jsonl"], ["--format", "csv"], ["--format", "parquet", "--numeric-as", "string"], ["--delta", "--numeric-as", "string"], ["--compress", "gzip"], ["--partition-by", "c0"]])
        runs = [self.load("in.jsonl", *self.pick([[], [], ["--state-out", "state-out"], ["--on-delete", "mark"], ["--on-delete", "delete"], ["--log", "json"]])),
                Run(self, "jsonl2csv", self.pick([[], ["--table", "t"], ["--framed"]]), "in.jsonl"),
                Run(self, "jsonl2parquet", ["--numeric-as", "string"] + self.pick([[], ["--deletes"], ["--table", "t"]]), "in.jsonl", "out.parquet"),
                Run(self, "s3-put", formats + ["file://%s/lake/" % self.folder], "in.jsonl")]
        if star:
            self.write("star.sql", star)
            runs.append(Run(self, "star-transform", self.pick([[], ["--store", "store"], ["--rejects", "rejects"]]) + ["star.sql"], "in.jsonl"))
        load, csv, parquet, put = [r.wait() for r in runs][:4]
        if star:
            runs[4].is_stream()
        self.try_hint(load)
        back = []
        if parquet.rc == 0:
            back.append(Run(self, "parquet2jsonl", ["out.parquet"]))
        if csv.rc == 0:
            back.append(Run(self, "csv2jsonl", ["--table", "t"], csv.out))
        if put.rc == 0:
            back.append(Run(self, "s3-get", ["file://%s/lake/" % self.folder]))
        for r in back:
            r.wait().is_stream()
            if r.rc != 0 and (r.tool == "parquet2jsonl" or "string" in formats and r.tool == "s3-get"):  # there all values were checked
                r.fail("cannot read what was just written", r.stderr.decode("utf-8", "replace")[:300])
        if load.rc == 0 and self.chance(0.3):  # a second one into tables that are there
            self.write("again.jsonl", self.pick([lambda: data, lambda: self.text(self.alter())])())
            again = self.load("again.jsonl").wait()
            self.try_hint(again)
        elif back and self.chance(0.3):
            r = self.pick(back)
            if r.rc == 0:
                self.try_hint(self.load(r.out).wait())

    def alter(self):
        """The stream of the case with a column more."""
        lines = [dict(l) if isinstance(l, dict) else l for l in self.lines]
        for l in lines:
            if isinstance(l, dict) and isinstance(l.get("columns"), list):
                l["columns"] = l["columns"] + [{"name": self.hostile_name(), "type": self.hostile_type()}]
        return lines

    def try_hint(self, run):
        """A hint that is SQL is for copying: it is one statement, and nothing that stands in it runs."""
        sql = run.hint()
        if not sql or "..." in sql:
            return
        self.check_log()
        rc, _, err = run_sql(DB, "BEGIN;\n" + sql + "\n;ROLLBACK;")
        SERVER.new_log()
        if SQL_SYNTAX.search(err):
            run.fail("SQL of a hint that is none", "%r: %s" % (sql[:300], err[:200]))

    def check_log(self):
        log = SERVER.new_log()
        m = SQL_SYNTAX.search(log)
        if m:
            self.fail("server: text got into SQL as syntax", log[max(0, m.start() - 200):m.end() + 600])

    def star(self, lines):
        """A star over the first table."""
        a = next((l for l in lines if isinstance(l, dict) and isinstance(l.get("columns"), list)), None)
        names = [c["name"] for c in a["columns"]] if a else []
        if not a or any("\0" in n or not n or "\ud800" in n for n in names + [a["@table"]]):
            return "CREATE TABLE d (a text PRIMARY KEY);\nINSERT INTO d SELECT c0::text FROM t;\n"
        return "CREATE TABLE d (k text PRIMARY KEY%s);\nINSERT INTO d SELECT %s FROM %s AS s;\n" % (
            "".join(", %s text" % ident("x" + n) for n in names), ", ".join("s.%s::text" % ident(n) for n in names[:1] + names), ident(a["@table"]))

    # kinds of cases

    def case_names(self):
        self.lines = self.stream(names=0.6)
        self.feed(self.text(self.lines), self.star(self.lines))

    def case_types(self):
        self.lines = self.stream(types=0.7, names=0.1)
        self.feed(self.text(self.lines), self.star(self.lines))

    def case_values(self):
        self.lines = self.stream(values=0.4, count=self.r.randint(1, 4))
        self.feed(self.text(self.lines), self.star(self.lines))

    def case_control(self):
        self.lines = lines = self.stream(count=1)
        if self.chance(0.3):
            lines.insert(-1, {"@delete": lines[0]["@table"], "key": {"c0": 1}})
        star = self.star(lines)
        controls = [i for i, l in enumerate(lines) if isinstance(l, dict)]
        i = self.pick(controls)
        lines = lines[:i] + [self.spoil(lines[i])] + lines[i + 1:]
        if self.chance(0.2):
            i = self.pick(range(len(lines)))
            lines.insert(i, self.pick([{"@unknown": 1}, {"@": 1}, {"@table": "t", "x": 1}, {"@end": {"rows": [1]}}, {"@state": Raw(self.pick(WRONG))}, {"@end": Raw(self.pick(WRONG))}, {"@delete": Raw(self.pick(WRONG))},
                                       {"@delete": "t", "key": Raw(self.pick(WRONG))}, {"@table": Raw(self.pick(WRONG))}, Raw(self.pick(WRONG)), {"@delete": "t", "key": {self.hostile_name(): 1}}]))
        self.feed(self.text(lines), star)

    def case_fixed(self):
        """A control line alone."""
        line = self.pick([{"@end": {"rows": Raw(self.pick(WRONG))}}, {"@end": Raw(self.pick(WRONG))}, {"@state": Raw(self.pick(WRONG))}, {"@table": Raw(self.pick(WRONG))}, {"@table": "t", "columns": Raw(self.pick(WRONG))},
                          {"@table": "t", "columns": [Raw(self.pick(WRONG))]}, {"@delete": "t", "key": Raw(self.pick(WRONG))}, {"@delete": Raw(self.pick(WRONG))}, Raw(self.pick(WRONG))])
        before = [{"@table": "t", "columns": [{"name": "a", "type": "int4"}], "key": ["a"], "mode": "full"}, {"a": 1}] if self.chance(0.6) else []
        lines = before + ([line, {"@end": {"rows": {"t": 1} if before else {}}}] if self.chance(0.5) else [line])
        self.lines = []
        self.feed(self.text(lines), self.star(self.lines))

    def case_bytes(self):
        self.lines = self.stream(count=2)
        self.feed(self.mangle(self.text(self.lines)), self.star(self.lines))

    def case_bare(self):
        """Rows without a frame, of which a key may be anything."""
        rows = [tuple((self.name(0.5, "c%d" % i), self.value(self.pick(GOOD_TYPES))) for i in range(self.r.randint(0, 4))) for _ in range(self.r.randint(1, 3))]
        rows.append(rows[0])
        self.write("in.jsonl", self.text(rows))
        table = self.name(0.3, "t").replace("\0", "") or "t"
        table = table.encode("utf-8", "replace").decode()
        runs = [self.load("in.jsonl", "--table", table), Run(self, "jsonl2csv", [], "in.jsonl"), Run(self, "jsonl2parquet", ["--table", "t"], "in.jsonl"),
                Run(self, "s3-put", ["--table", table, "file://%s/lake/" % self.folder], "in.jsonl")]
        for r in runs:
            r.wait()
        self.try_hint(runs[0])

    def case_large(self):
        """Much of one thing, below 2 MB."""
        n = self.pick([1601, 5000, 20000])
        kind = self.pick(["columns", "tables", "keys", "digits", "text", "name", "amplify", "members", "foreign"])
        t = {"@table": "t", "columns": [{"name": "c0", "type": "int4"}, {"name": "c1", "type": "text"}], "key": ["c0"], "mode": "full"}
        rows = [{"c0": 1}]
        if kind == "columns":
            t["columns"] += [{"name": "x%d" % i, "type": "int4"} for i in range(n)]
        elif kind == "keys":
            t["key"] = ["c0"] * n
        elif kind == "digits":
            t["columns"][0]["type"] = self.pick(["numeric", "float8", "int8", "numeric(10,2)"])
            rows = [{"c0": Raw(self.pick(["1", "0.", "1e", "-"]) + "0" * n * 10 + "1")}]
        elif kind == "text":
            rows = [{"c0": 1, "c1": self.pick(OPENERS) * n}]
        elif kind == "name":
            t["columns"][1]["name"] = self.pick(OPENERS + ["x"]) * n
        elif kind == "amplify":
            t["columns"][1]["type"] = self.pick(["bpchar(%d)", "varchar(%d)", "bit(%d)", "varbit(%d)", "numeric(%d)", "numeric(1000,%d)", "character(%d)[]"]) % self.pick([10485760, 10485761, 1000000000, 1 << 30])
            rows = [{"c0": 1, "c1": self.pick([1, "1", ["1", "2"]])}]
        elif kind == "members":
            rows = [tuple(("c%d" % i, i) for i in range(n))]
        elif kind == "foreign":
            t["foreign"] = [{"columns": ["c0"], "table": "t", "references": ["c0"]}] * (n // 10)
        lines = [t] + rows
        counts = {"t": len(rows)}
        if kind == "tables":
            lines += [{"@table": "t%d" % i, "columns": [{"name": "a", "type": "int4"}], "mode": "full"} for i in range(300)]
            counts.update({"t%d" % i: 0 for i in range(300)})
        self.lines = lines + [{"@end": {"rows": counts}}]
        self.feed(self.text(self.lines), "CREATE TABLE d (a text PRIMARY KEY, b text);\nINSERT INTO d SELECT c0::text, %s FROM t;\n" % ("c1::bpchar(%d)::text" % (1 << 30) if kind == "amplify" else "c1"))

    def case_state(self):
        """A state file that an attacker wrote, for all that read one."""
        state = self.state() if self.chance(0.6) else {"source": "lake", "lake": "20261121T080156.667Z-a4224bd028e8", "step": 2, "id": "20261121T080701.214Z-0f3c5e7a9b12", "since": 1}
        if self.chance(0.3) and state["source"] == "postgresql":
            state = json.loads(self.templates.state)
        data = self.pick([lambda: to_bytes(js(self.spoil(state))), lambda: self.mangle(to_bytes(js(state))), lambda: to_bytes(self.pick(WRONG)),
                          lambda: to_bytes(js({**state, "snapshot": self.pick(["1:1:" + "1," * 20000, "::", "9" * 400 + ":1:", "5:1:", "1:18446744073709551616:", "749:749:'; " + self.pick(self.statements)]), "schema": self.hostile_name(), "cursors": {"t": self.hostile_text()}}))])()
        self.write("state", data)
        self.inputs.append("state")
        runs = [Run(self, "pg-extract", ["-d", "dbname=" + DB, "--schema", "src0", "--state", "state"] + self.pick([[], ["--cursor", "c0", "--overlap", "1"]])),
                Run(self, "s3-get", ["--state", "state", "file://%s/" % self.templates.lake["jsonl"]])]
        for r in runs:
            r.wait().is_stream()
        lines = [{"@table": "t", "columns": [{"name": "a", "type": "int4"}], "mode": "full"}, Raw('{"@state":%s}' % data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode().replace("\n", " ")), {"@end": {"rows": {"t": 0}}}]
        self.lines = lines
        self.feed(self.text(lines))

    # lakes

    def lake(self, form):
        shutil.copytree(self.templates.lake[form], os.path.join(self.folder, "lake"))
        return "file://%s/lake/" % self.folder

    def lake_files(self, pattern):
        return sorted(glob.glob(os.path.join(self.folder, "lake", pattern), recursive=True))

    def record(self):
        """The lake's last commit record, its file and its document."""
        path = self.lake_files("_commits/*.json")[-1]
        return path, json.load(open(path))

    def read_lake(self, url, delta=False, forged=False):
        for f in self.lake_files("**"):
            if os.path.isfile(f):
                self.inputs.append(f)
        get = Run(self, "s3-get", self.pick([[], [], ["--table", "t0"]]) + [url])
        show = Run(self, "s3-put", ["--show-state", url])
        get.wait().is_stream()
        show.wait()
        out = open(get.path(), "rb").read()
        if forged and any(l.startswith(b'{"@') and FORGED.encode() in l for l in out.split(b"\n")):
            get.fail("passes on a control line of an object", repr(out[:600]))
        if "--table" in get.args and any(l.startswith(b'{"@table":') and not l.startswith(b'{"@table":"t0"') for l in out.split(b"\n")):
            get.fail("passes on another table than --table", repr(out[:600]))
        load = self.load(get.out)
        put = Run(self, "s3-put", (["--delta", "--numeric-as", "string"] if delta else []) + [url], self.templates.stream)
        load.wait()
        put.wait()
        self.try_hint(load)

    def case_record(self):
        form = self.pick(["jsonl", "csv", "parquet", "delta"])
        url = self.lake(form)
        path, record = self.record()
        x = self.r.random()
        if x < 0.45:
            data = to_bytes(js(self.spoil(record)))
        elif x < 0.55:
            data = self.mangle(open(path, "rb").read())
        elif x < 0.8:
            o = self.pick(record["objects"])
            o.update(self.pick([
                {"path": self.pick(["../../canary/file", "/" + self.canary + "/file", self.canary + "/file", "t0/../../../canary/file", "", "/", ".", "..", "t0", "_commits/00000000000000000001.json", "x\0y", "a" * 5000, "%2e%2e/canary/file", "../case%d/in.jsonl" % self.number])},
                {"path": self.hostile_name()}, {"sha256": "0" * 64}, {"sha256": self.hostile_text()}, {"bytes": Raw(self.pick(WRONG))}, {"rows": Raw(self.pick(WRONG))}, {"table": self.hostile_name()},
                {"encoding": self.pick(["gzip", "zstd", self.hostile_text()])}, {"format": self.pick(["csv", "parquet", "jsonl", self.hostile_text()])}]))
            data = to_bytes(js(record))
        else:
            record["tables"] = [self.announcement(0.6, 0.5) for _ in range(self.r.randint(1, 3))]
            for t in record["tables"]:
                t["rows"] = 0
            if self.chance(0.5):
                record["objects"] = []
            elif self.chance(0.5):
                record["tables"][0]["@table"] = record["objects"][0]["table"]
            record["state"] = self.pick([record.get("state"), self.spoil(self.state())])
            data = to_bytes(js(record))
        with open(path, "wb") as f:
            f.write(data)
        if self.chance(0.15):  # more records
            for n in self.pick([[3], [2, 4], [1 << 62], [999999999999999999], [10**19]]):
                with open(os.path.join(self.folder, "lake", "_commits", "%020d.json" % n), "wb") as f:
                    f.write(data)
        self.read_lake(url, form == "delta")

    def case_object(self):
        """An object with lines that are not its own; its writer may or may not have written the record."""
        form = self.pick(["jsonl", "jsonl", "csv", "parquet"])
        url = self.lake(form)
        path, record = self.record()
        o = self.pick(record["objects"])
        file = os.path.join(self.folder, "lake", o["path"])
        data = open(file, "rb").read()
        forged = self.announcement(0.2, 0.2, FORGED)
        line = lambda: to_bytes(js(self.pick([{"@table": FORGED, "columns": [{"name": "a", "type": "int4"}], "mode": "full"}, {"@table": FORGED}, {"@state": {"source": FORGED}}, {"@state": {"source": "lake", "step": 9, "id": FORGED}},
                                              {"@end": {"rows": {}}, "x": FORGED}, {"@delete": FORGED}, {"@delete": "t1", "key": {"c0": FORGED}}, forged, {"@" + FORGED: 1}]))) + b"\n"
        if form == "jsonl" and self.chance(0.8):
            data = self.pick([lambda: line() + data, lambda: data + line(), lambda: line() + line() + data, lambda: data.replace(b"\n", b"\n" + line(), 1), lambda: line()])()
        else:
            data = self.mangle(data) if data else b"x"
        with open(file, "wb") as f:
            f.write(data)
        if self.chance(0.5):
            o["sha256"], o["bytes"] = hashlib.sha256(data).hexdigest(), len(data)
            if self.chance(0.5):
                o["rows"] = sum(1 for l in data.split(b"\n") if l)
            with open(path, "wb") as f:
                f.write(to_bytes(js(record)))
        self.read_lake(url, forged=True)

    def case_delta(self):
        url = self.lake("delta")
        logs = self.lake_files("t0/_delta_log/*.json")
        path = self.pick(logs)
        lines = [json.loads(l) for l in open(path)]
        x = self.r.random()
        if x < 0.5:
            i = self.r.randrange(len(lines))
            data = b"".join(to_bytes(js(self.spoil(l) if n == i else l)) + b"\n" for n, l in enumerate(lines))
        elif x < 0.7:
            data = self.mangle(open(path, "rb").read())
        else:
            for l in lines:
                if "metaData" in l:
                    schema = json.loads(l["metaData"]["schemaString"])
                    l["metaData"]["schemaString"] = self.pick([js(self.spoil(schema)), self.pick(WRONG), self.hostile_text()])
                    l["metaData"]["partitionColumns"] = self.pick([[], [self.hostile_name()], Raw(self.pick(WRONG))])
                if "add" in l:
                    l["add"]["path"] = self.pick([self.hostile_name(), "../../../canary/file", l["add"]["path"]])
                if "txn" in l:
                    l["txn"]["version"] = Raw(self.pick(WRONG))
            data = b"".join(to_bytes(js(l)) + b"\n" for l in lines)
        with open(path, "wb") as f:
            f.write(data)
        folder = os.path.dirname(path)
        if self.chance(0.4):
            with open(os.path.join(folder, "_last_checkpoint"), "wb") as f:
                f.write(to_bytes(self.pick([js({"version": Raw(self.pick(WRONG)), "size": 1}), self.pick(WRONG), js({"version": self.pick([0, 1, 20, 10**18, 2**63 - 1, -1]), "size": 1, "parts": self.pick([None, 1, 10**9])})])))
        if self.chance(0.3):
            v = self.pick([1, 2, 20, 10**18, 2**63 - 1, 99999999999999999999])
            kind = self.pick(["%020d.json", "%020d.checkpoint.parquet", "%020d.checkpoint.0000000001.0000000003.parquet"])
            with open(os.path.join(folder, kind % v), "wb") as f:
                f.write(data if kind.endswith("json") else self.mangle(open(self.templates.parquet, "rb").read()))
        self.read_lake(url, True)

    # files

    def case_parquet(self):
        data = open(self.templates.parquet, "rb").read()
        x = self.r.random()
        if x < 0.6:  # the metadata says another thing of the same length
            start = data.index(b'{"@table":"tttt')
            end = data.index(b'"mode":"full"}', start) + len(b'"mode":"full"}')
            for _ in range(50):
                t = self.announcement(0.5, 0.5)
                if self.chance(0.5):
                    t = self.spoil(t)
                new = to_bytes(js(t, self.chance(0.8)))
                if self.chance(0.2):
                    new += self.pick([b"\n", b"\r\n", b"\0"]) + to_bytes(js({"@state": {"source": FORGED}}))
                if len(new) <= end - start:
                    break
            else:
                new = b"{}"
            data = data[:start] + new + b" " * (end - start - len(new)) + data[end:]
            if self.chance(0.2):
                data = data.replace(b'"source":"postgresql"', self.pick([b'"source":\n"ostgresql"', b'"source":[["stgre"]]', b'"source":"\\"\\u0000re"']), 1)
        elif x < 0.8:  # its footer
            tail = max(4, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
            b = bytearray(data)
            for _ in range(self.pick([1, 1, 2, 8])):
                b[self.r.randrange(tail, len(b))] = self.r.randrange(256)
            data = bytes(b)
        else:
            data = self.mangle(data)
        self.write("in.parquet", data)
        self.inputs.append("in.parquet")
        args = self.pick([["in.parquet"], ["--table", "t", "in.parquet"], ["--no-verify", "in.parquet"], ["-"]])
        r = Run(self, "parquet2jsonl", args, "in.parquet" if args == ["-"] else None).wait()
        r.is_stream()
        out = open(r.path(), "rb").read()
        if any(l.startswith(b'{"@') and FORGED.encode() in l[:60] for l in out.split(b"\n")):
            r.fail("passes on a control line of the metadata", repr(out[:600]))
        Run(self, "parquet2jsonl", ["--rows", "in.parquet"]).wait()
        self.try_hint(self.load(r.out).wait())

    def case_cells(self):
        """PostgreSQL's text of a value where JSON has another: what is copied, not converted, forges columns and lines."""
        kind = self.pick(["text[]", "int4[]", "json", "jsonb", "numeric", "bool", "interval", "timestamp", "point", "box[]"])
        cell = self.pick(["{1}", "1", "true", "[1]", "{", "2024-01-01 00:00:00", "(1,2)", ""]) + self.pick(['}\n{"@delete":"t","key":{"x":"%s"}}\n{"a":1', ',"b":"%s"', '}\n{"@state":{"x":"%s"}}\n{"b":1', '","b":"%s', "{%s", "}"]).replace("%s", FORGED)
        if self.chance(0.3):
            cell = self.mangle(to_bytes(cell)).decode("utf-8", "ignore")
        self.write("in.csv", 'a,b\n"%s",x\n' % cell.replace('"', '""'))
        r = Run(self, "csv2jsonl", ["--table", "t", "--types", "a " + kind], "in.csv").wait()
        r.is_stream()
        if r.rc == 0 and len(open(r.path(), "rb").read().splitlines()) != 3:
            r.fail("writes lines that a cell has forged", repr(open(r.path(), "rb").read()[:300]))
        self.load(r.out).wait()

    def case_csv(self):
        cell = lambda s: '"' + s.replace('"', '""') + '"' if self.chance(0.8) else s
        n = self.r.randint(1, 4)
        text = "\n".join(",".join(cell(f()) for _ in range(n)) for f in [lambda: self.name(0.6, "c%d" % self.r.randrange(9))] + [self.hostile_text] * self.r.randint(0, 3)) + "\n"
        data = to_bytes(text)
        if self.chance(0.3):
            data = self.mangle(data)
        self.write("in.csv", data)
        option = lambda s: s.replace("\0", "").encode("utf-8", "replace").decode()
        args = ["--table", option(self.name(0.4, "t")) or "t"]
        if self.chance(0.3):
            args += ["--types", option("c0 %s" % self.hostile_type())]
        if self.chance(0.2):
            args += ["--columns", option(",".join(self.name(0.5, "c%d" % i).replace(",", "") for i in range(n)))]
        r = Run(self, "csv2jsonl", args, "in.csv").wait()
        r.is_stream()
        Run(self, "csv2jsonl", [], "in.csv").wait()
        self.try_hint(self.load(r.out).wait())

    def case_star(self):
        """A star file, which people write, but perhaps not the one who runs it."""
        e = self.pick(["1" + "+1" * 30000, "(" * 3000 + "1" + ")" * 3000, "-" * 3000 + "1", "- " * 20000 + "1", "NOT " * 5000 + "true", "CASE WHEN true THEN " * 1000 + "1" + " END" * 1000, "'" + "x" * 100000 + "'", "c1::bpchar(1000000000)", "lpad('x', 1000000000)",
                       "repeat('x', 1000000000)", "replace(replace(replace(c1, '', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxxxxxxxxxxxx'), 'x', '%s')" % ("x" * 10000), "interval '178000000 years' + interval '178000000 years'", "c1::numeric(2000)", "1e131071 * 10", "pg_sleep(9)", "pg_read_file('/etc/passwd')",
                       "'a' || '" + self.breakout().replace("\0", "").replace("\ud800", "") + "'", "lower(" * 2000 + "c1" + ")" * 2000, "'[' || c1::json", "c0 IN (" + "1," * 20000 + "1)", "to_char(timestamp '2024-01-01', '%s')" % ("YYYY" * 20000), "9223372036854775807 + 1", "(-2147483648) / -1", "-9223372036854775808 % -1"])
        star = self.pick([
            "CREATE TABLE d (a text PRIMARY KEY, b text);\nINSERT INTO d SELECT c0, %s FROM t;\n" % e,
            "CREATE TABLE d (a text PRIMARY KEY, b text);\nINSERT INTO d SELECT c0, 'x' FROM t WHERE %s IS NOT NULL;\n" % e,
            "CREATE TABLE d OF canary;\n", "CREATE TABLE d (a int PRIMARY KEY REFERENCES nowhere (x));\n", "CREATE TABLE d (a int) INHERITS (c);\n", "CREATE TABLE d (LIKE c);\n", "CREATE TABLE d (a %s PRIMARY KEY);\nINSERT INTO d SELECT c0 FROM t;\n" % self.pick(["canary", "int4[][]", "public.x", "numeric(2000)", "varchar(0)", "text COLLATE \"C\"", "setof int", "int4[99999999999999]"]),
            "CREATE FOREIGN TABLE r (a text, b int) SERVER s OPTIONS (filename '%s', format 'csv');\nCREATE TABLE d (a text PRIMARY KEY REFERENCES r);\nINSERT INTO d SELECT a FROM r;\n" % self.pick(["/etc/passwd", "../canary/file", "nowhere", "/dev/zero", "/proc/self/mem", "."]),
            "CREATE TABLE d (a text PRIMARY KEY);\nINSERT INTO d " + "SELECT c0::text FROM t UNION " * 2000 + "SELECT c0::text FROM t;\n", "CREATE TABLE d (a text PRIMARY KEY);\nINSERT INTO d SELECT c0 FROM " + "(SELECT * FROM " * 500 + "t" + ") x" * 500 + ";\n",
            "CREATE TABLE d (a text PRIMARY KEY);\nINSERT INTO d SELECT t.c0::text FROM t" + "".join(" LEFT JOIN t j%d ON j%d.c0 = t.c0" % (i, i) for i in range(self.pick([70, 300]))) + ";\n",
            "CREATE TABLE d (%s);\nINSERT INTO d SELECT %s FROM t;\n" % (", ".join("c%d int" % i for i in range(5000)), ", ".join("1" for _ in range(5000))),
            "CREATE TABLE %s (a int PRIMARY KEY);\nINSERT INTO d SELECT nix FROM t;\n" % ident(self.hostile_name().replace("\0", "").replace("\ud800", "") or "x"),
            "SELECT 1; DROP TABLE canary;\n", "COPY canary TO PROGRAM 'touch %s/owned';\n" % self.canary, "CREATE TABLE d (a int PRIMARY KEY DEFAULT (SELECT 1));\n", "-- " + "x" * 5000 + "\x1b[2J", ";" * 5000, "\0", "\xff\n"])
        self.write("star.sql", star)
        if self.chance(0.2):
            self.write("star.sql", self.mangle(to_bytes(star)))
        self.inputs.append("star.sql")
        lines = [{"@table": "t", "columns": [{"name": "c0", "type": "int4"}, {"name": "c1", "type": "text"}], "key": ["c0"], "mode": "full"}, {"c0": 1, "c1": "x" * 100}, {"c0": 2}, {"@end": {"rows": {"t": 2}}}]
        self.write("in.jsonl", self.text(lines))
        runs = [Run(self, "star-transform", ["star.sql"], "in.jsonl")] + [Run(self, "star-transform", [o, "star.sql"]) for o in ("--check", "--ddl", "--tables", "--graph")]
        for r in runs:
            r.wait()
        runs[0].is_stream()
        self.load(runs[0].out).wait()

    # a store that somebody else may have written

    def case_store(self):
        star = "CREATE TABLE d (a int PRIMARY KEY, b text);\nINSERT INTO d SELECT t.c0, u.c1 FROM t LEFT JOIN u ON u.c0 = t.c1;\n"
        self.write("star.sql", star)
        lines = [{"@table": n, "columns": [{"name": "c0", "type": "int4"}, {"name": "c1", "type": "int4" if n == "t" else "text"}], "key": ["c0"], "mode": "full"} for n in "tu"]
        lines = [lines[0], {"c0": 1, "c1": 1}, lines[1], {"c0": 1, "c1": "x"}, {"@state": self.state()}, {"@end": {"rows": {"t": 1, "u": 1}}}]
        self.write("in.jsonl", self.text(lines))
        Run(self, "star-transform", ["--store", "store", "star.sql"], "in.jsonl").wait()
        data = open(os.path.join(self.folder, "store"), "rb").read() if os.path.exists(os.path.join(self.folder, "store")) else b""
        kept = [json.loads(l) for l in data.splitlines()]
        i = self.r.randrange(len(kept) or 1)
        x = self.r.random()
        if kept and x < 0.6:
            new = self.text(kept[:i] + [self.spoil(kept[i])] + kept[i + 1:])
        elif kept and x < 0.8:
            new = self.text(kept[:i] + [self.pick([{"@delete": "t", "key": {"c0": 1}}, {"@delete": "t"}, {"@delete": Raw(self.pick(WRONG))}, {"@table": "z"}, self.announcement(0.5, 0.5), {"c0": Raw(self.pick(WRONG))}])] + kept[i:])
        else:
            new = self.mangle(data or b"{}")
        self.write("store", new)
        self.inputs.append("store")
        lines[0]["mode"] = lines[2]["mode"] = "changes"
        self.write("in.jsonl", self.text(lines))
        Run(self, "star-transform", ["--store", "store", "star.sql"], "in.jsonl").wait().is_stream()

    # a source server

    def case_server(self):
        """Tables that the owner of a source could make, from there into everything."""
        valid = lambda s: (s.replace("\0", "").replace("\ud800", "").encode()[:63].decode("utf-8", "ignore")) or "x"
        schema = valid(self.name(0.3, "src1"))
        schema = "src1" if re.match("pg_|public$|t$|src", schema) else schema
        SERVER.targets = [schema, "t"]
        name, s, sql = valid(self.name(0.6, "tab")), ident(schema), []
        columns = list(dict.fromkeys(valid(self.name(0.6, "c%d" % i)) for i in range(self.r.randint(1, 5))))
        columns = [c for c in columns if c not in ("xmin", "ctid", "tableoid", "oid", "cmin", "cmax", "xmax")] or ["a"]
        kinds = []
        for i, c in enumerate(columns):
            kind = self.pick(["text", "text", "int", "numeric(10,2)", "enum", "domain", "composite", "jsonb", "interval day to second(2)", "text[]", "timestamp", "bit(3)"])
            if kind in ("enum", "domain", "composite"):
                n = "%s.%s" % (s, ident(valid(self.hostile_name())[:50] + str(i)))
                sql.append({"enum": "CREATE TYPE %s AS ENUM (%s)" % (n, quote(valid(self.hostile_text())[:60])), "domain": "CREATE DOMAIN %s AS text" % n, "composite": "CREATE TYPE %s AS (%s text)" % (n, ident(valid(self.hostile_name())))}[kind])
                kind = n
            kinds.append(kind)
        keys = self.pick([[], columns[:1], columns[:2]])
        keys = [k for k in keys if kinds[columns.index(k)] in ("text", "int", "numeric(10,2)")]
        t = "%s.%s" % (s, ident(name))
        sql.append("CREATE TABLE %s (%s%s)" % (t, ", ".join("%s %s" % (ident(c), k) for c, k in zip(columns, kinds)), ", PRIMARY KEY (%s)" % ", ".join(ident(k) for k in keys) if keys else ""))
        sql.append("COMMENT ON TABLE %s IS %s" % (t, quote(valid(self.breakout()))))
        for c in columns:
            sql.append("COMMENT ON COLUMN %s.%s IS %s" % (t, ident(c), quote(valid(self.hostile_text()))))
        for _ in range(self.r.randint(0, 3)):
            cells = [quote(self.hostile_text().replace("\0", "").replace("\ud800", "")) if k == "text" else str(self.r.randint(0, 9999)) if k in ("int", "numeric(10,2)") else "NULL" for k in kinds]
            sql.append("INSERT INTO %s VALUES (%s)" % (t, ", ".join(cells)))
        sql = [x.replace("\r", "") for x in sql]
        SERVER.query("DROP SCHEMA IF EXISTS %s CASCADE" % s)
        self.write("source.sql", "CREATE SCHEMA %s;\n" % s + ";\n".join(sql) + ";\n")
        SERVER.query("CREATE SCHEMA %s;\n%s" % (s, "\n;\n".join(sql)), must=False)
        SERVER.new_log()  # not every name goes with every other
        extract = Run(self, "pg-extract", ["-d", "dbname=" + DB, "--schema", schema] + self.pick([[], [name], ["--cursor", columns[0]]])).wait()
        extract.is_stream()
        if extract.rc == 0 and os.path.getsize(extract.path()):
            data = open(extract.path(), "rb").read()
            self.lines = [json.loads(l) for l in data.splitlines()]
            keep = SERVER.targets
            self.feed(data, self.star(self.lines))
            SERVER.targets = keep
            state = [l["@state"] for l in self.lines if "@state" in l]
            if state:
                self.write("state", js(state[0]))
                Run(self, "pg-extract", ["-d", "dbname=" + DB, "--schema", schema, "--state", "state"]).wait().is_stream()


KINDS = ["names"] * 5 + ["types"] * 5 + ["control"] * 5 + ["values"] * 4 + ["record"] * 4 + ["parquet"] * 3 + ["bytes"] * 2 + ["object"] * 3 + ["state"] * 2 + ["csv"] * 2 + ["cells"] * 2 + ["delta"] * 3 + [
    "server"] * 3 + ["fixed"] * 2 + ["bare"] * 2 + ["star"] * 2 + ["store"] * 2 + ["large"]


class Templates:
    """Good lakes and files, of which cases make bad ones."""

    def __init__(self):
        folder = os.path.join(ROOT, "templates")
        os.mkdir(folder)
        stream = lambda n: "".join(js(l) + "\n" for l in [
            {"@table": "t0", "columns": [{"name": "c0", "type": "int4", "notnull": True}, {"name": "c1", "type": "text"}, {"name": "c2", "type": "numeric(10,2)"}], "key": ["c0"], "mode": "full"}, {"c0": 1, "c1": "a", "c2": 1}, {"c0": 2},
            {"@table": "t1", "columns": [{"name": "c0", "type": "text"}], "mode": "full"}, {"c0": "x"}, {"@state": {"source": "test", "n": n}}, {"@end": {"rows": {"t0": 2, "t1": 1}}}])
        self.stream = os.path.join(folder, "next.jsonl")
        with open(self.stream, "w") as f:
            f.write(stream(3))
        self.lake = {}
        for form, options in {"jsonl": [], "csv": ["--format", "csv"], "parquet": ["--format", "parquet"], "delta": ["--delta", "--numeric-as", "string"]}.items():
            self.lake[form] = os.path.join(folder, form)
            for n in range(1, 3):
                subprocess.run(["s3-put"] + options + ["file://%s/" % self.lake[form]], input=stream(n).encode(), check=True, stdout=subprocess.DEVNULL)
        self.parquet = os.path.join(folder, "t.parquet")
        lines = [{"@table": "t" * 300, "columns": [{"name": "c0", "type": "int4", "notnull": True}, {"name": "c1" + "x" * 400, "type": "text"}], "key": ["c0"], "mode": "full"}, {"c0": 1}, {"c0": 2},
                 {"@state": {"source": "postgresql", "snapshot": "749:749:"}}, {"@end": {"rows": {"t" * 300: 2}}}]
        with open(self.parquet, "wb") as f:
            subprocess.run(["jsonl2parquet", "--compress", "none"], input="".join(js(l) + "\n" for l in lines).encode(), check=True, stdout=f)
        run_sql(DB, "CREATE SCHEMA src0; CREATE TABLE src0.t (c0 int PRIMARY KEY, c1 text); INSERT INTO src0.t VALUES (1, 'a');")
        out = subprocess.run(["pg-extract", "-d", "dbname=" + DB, "--schema", "src0"], check=True, capture_output=True, text=True).stdout
        self.state = next(js(json.loads(l)["@state"]) for l in out.splitlines() if l.startswith('{"@state'))


def try_canaries(templates):
    """Each of the hostile statements would be seen if it ran: a test that cannot fail is none."""
    for sql in statements(os.path.join(ROOT, "canary")):
        after = SERVER.query("BEGIN; " + sql.replace("COMMIT; ", "") + ";").strip() + SERVER.snapshot()
        SERVER.query("ROLLBACK")
        if after == SERVER.before and files_of(os.path.join(ROOT, "canary")) == templates.canary_files:
            sys.exit("no canary sees: " + sql)
    set_canary_file(templates)


def files_of(folder):
    return sorted((e.name, e.stat(follow_symlinks=False).st_size, e.stat(follow_symlinks=False).st_mtime_ns, e.stat(follow_symlinks=False).st_mode) for e in os.scandir(folder))


def check_canaries(case):
    after = SERVER.snapshot()
    if after != SERVER.before:
        lines, were = set(after.splitlines()), set(SERVER.before.splitlines())
        case.fail("canary: the server is changed", "now %s, before %s" % (sorted(lines - were)[:5], sorted(were - lines)[:5]))
        raise Failure("canary")
    if files_of(case.canary) != case.templates.canary_files or sorted(os.listdir(ROOT)) != sorted(["canary", "templates", "kept", "case%d" % case.number]):
        case.fail("canary: a file is changed", "%s in %s" % (os.listdir(ROOT), os.listdir(case.canary)))
        raise Failure("canary")
    strange = [f for f in os.listdir(case.folder) if not re.fullmatch(CASE_FILES, f)] + [f for f in ("/owned", "/etc/owned") if os.path.exists(f)]
    if strange:
        case.fail("canary: files that nobody asked for", repr(strange))
    case.check_log()
    SERVER.drop_targets()


def run_case(number, templates):
    """True if it failed; then its folder is kept."""
    case = Case(number, templates)
    kind = ONLY_KIND or KINDS[number % len(KINDS)]
    try:
        getattr(case, "case_" + kind)()
        check_canaries(case)
    except Failure as f:
        if str(f) == "psql ended":
            case.fail("server: psql ended", "")
        start_again(templates)
    if case.failures:
        shutil.copytree(case.folder, os.path.join(KEPT, "case%d" % number), symlinks=True)
    shutil.rmtree(case.folder)
    return kind, case.failures


def start_again(templates):
    """After a canary died: the next case shall find one that lives."""
    global SERVER
    SERVER.psql.kill()
    SERVER = Server()
    run_sql(DB, "CREATE SCHEMA src0; CREATE TABLE src0.t (c0 int PRIMARY KEY, c1 text); INSERT INTO src0.t VALUES (1, 'a');")
    SERVER.before = SERVER.snapshot()
    set_canary_file(templates)


def set_canary_file(templates):
    folder = os.path.join(ROOT, "canary")
    shutil.rmtree(folder, ignore_errors=True)
    for name in set(os.listdir(ROOT)) - {"canary", "templates", "kept"}:
        if not name.startswith("case"):
            p = os.path.join(ROOT, name)
            shutil.rmtree(p) if os.path.isdir(p) else os.unlink(p)
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    with open(os.path.join(folder, "file"), "w") as f:
        f.write('{"c0":1}\n')
    os.chmod(os.path.join(folder, "file"), 0o666)
    templates.canary_files = files_of(folder)


def inputs(number):
    """Where a failed case's are, and the one of the most readers if it is short."""
    folder = os.path.join(KEPT, "case%d" % number)
    short = [f for f in glob.glob(folder + "/in.jsonl") if os.path.getsize(f) < 3000]
    return folder + "".join("\n    %r" % open(f, "rb").read() for f in short)


def main():
    print("seed %d" % SEED)
    templates = Templates()
    SERVER.before = SERVER.snapshot()
    set_canary_file(templates)
    try_canaries(templates)
    seen, failed, counts, began = {}, 0, {}, time.time()
    for n in [int(ONLY)] if ONLY else range(CASES):
        kind, failures = run_case(n, templates)
        counts[kind] = counts.get(kind, 0) + 1
        failed += bool(failures)
        for what, detail, command in failures:
            seen[what] = seen.get(what, 0) + 1
            if seen[what] <= SHOWN:
                print("case %d (%s): %s\n  %s\n  inputs: %s\n  command: %s\n  again: SEED=%d ONLY=%d%s KEEP=1 tests/lib/run.sh tests/e2e/hostile.bats" % (
                    n, kind, what, detail.strip().replace("\n", "\n  "), inputs(n), command, SEED, n, " KIND=" + kind if ONLY_KIND else ""), flush=True)
    if not ONLY and SERVER.whole_catalog() != SERVER.catalog:
        failed += 1
        print("canary: PostgreSQL's own functions or relations are changed")
    for what in sorted(seen):
        print("%5d times: %s" % (seen[what], what))
    print("%d cases (%s), %d failed, in %.0f s" % (sum(counts.values()), ", ".join("%d %s" % (counts[k], k) for k in sorted(counts)), failed, time.time() - began))
    if not os.listdir(KEPT):
        shutil.rmtree(ROOT)
    sys.exit(failed > 0)


SHOWN = int(os.environ.get("SHOWN") or 2)
ONLY_KIND = os.environ.get("KIND")
SANITIZED = b"__asan_init" in open(shutil.which("pg-load"), "rb").read() or bool(os.environ.get("VALGRIND"))
SLOW = 10 if SANITIZED else 1
resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 20, 256 << 20))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if not SANITIZED:
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
ROOT = tempfile.mkdtemp(prefix="hostile.")
os.chmod(ROOT, 0o755)
KEPT = os.path.join(ROOT, "kept")
os.mkdir(KEPT)
SERVER = Server()
main()
