#!/usr/bin/env python3
"""Random stars over random sources that change: after each run the warehouse must hold what PostgreSQL
returns for the star's SELECTs over the source as it then is.

usage: following.py      (PG* variables name a server with wal_level=logical; database "following" is remade)

SEED is that of the first case, CASES how many there are, each with the next seed, ROUNDS how often the
source of each changes. Random are the source's tables, keys and references, the star's joins and
conditions, the transactions between two runs, and the way the rows take: straight by --state or --slot,
or through two lakes. Now and then a stage is killed, or runs ahead of a loader that never comes; then
all is run again. A case that fails leaves its star and its changes in a folder that is named.

A target whose key is not the key of its source may keep rows of the past; all others must be equal,
digit for digit, a history by its view of the newest versions."""
import os, random, shutil, signal, subprocess, sys, tempfile, time

SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
CASES = int(os.environ.get("CASES") or 12)
ROUNDS = int(os.environ.get("ROUNDS") or 6)
DB, SLOT = "following", "following"
VERBOSE = bool(os.environ.get("VERBOSE"))

TEXTS = ["", "a", "b", "abc", "Abc", "x'y", "ä", "a|b", 'q"t', "back\\slash", "tab\there", "日本"]
KEY_VALUES = {
    "int": ["%d" % n for n in range(1, 9)],
    "bigint": ["%d" % (n * 10**12) for n in range(-2, 5)],
    "text": ["a", "b", "ä", "A b", "x'y", "", "\\", "a|b", "1"],
    "numeric": ["1", "1.0", "1.00", "2.5", "2.50", "-3", "0", "0.0", "100", "1e2"],
    "date": ["2024-02-29", "1999-12-31", "0044-03-15 BC"],
    "uuid": ["00000000-0000-0000-0000-00000000000%d" % n for n in range(5)],
}
COLUMN_TYPES = ["int", "int", "text", "text", "numeric", "boolean", "date", "timestamp", "wide"]
PG_TYPES = {"wide": "text"}


class Failure(Exception):
    pass


def quote(s):
    return "'" + s.replace("'", "''") + "'"


class Table:
    """A source table: keys [(name, type)], columns [(name, type)], links to other tables."""

    def __init__(self, name):
        self.name, self.keys, self.columns, self.links = name, [], [], []


class Link:
    """Columns that hold the key of a parent."""

    def __init__(self, parent, names, safe):
        self.parent, self.names, self.safe = parent, names, safe  # safe: there is always a match


class Target:
    def __init__(self, name):
        self.name, self.ddl, self.inserts, self.columns = name, "", [], []
        self.fact, self.exact, self.key = False, True, []


class Case:
    def __init__(self, seed, folder):
        self.r, self.seed, self.folder = random.Random(seed), seed, folder
        self.log, self.round, self.altered = [], 0, 0
        self.way = self.pick(["state", "slot", "slot", "lakes"])
        self.by_slot = self.way == "slot" or self.way == "lakes" and self.chance(0.7)
        self.deletes = self.by_slot  # only the log tells them
        self.rejects = self.chance(0.4)  # rows of inner joins may lack their match
        self.formats = [self.pick(FORMATS), self.pick(FORMATS)]
        self.make_source()
        self.make_star()

    def pick(self, items):
        return items[self.r.randrange(len(items))]

    def chance(self, p):
        return self.r.random() < p

    # --- the source ---

    def make_source(self):
        self.tables = []
        for i in range(self.r.randint(2, 5)):
            t = Table("t%d" % i)
            kinds = self.pick([["int"], ["int"], ["text"], ["numeric"], ["int", "text"], ["bigint"], ["date", "numeric"], ["uuid"]])
            t.keys = [("k%d" % n, kind) for n, kind in enumerate(kinds)]
            t.columns = [("c%d" % n, self.pick(COLUMN_TYPES)) for n in range(self.r.randint(1, 4))]
            for p in self.tables:
                if self.chance(0.6) and len(t.links) < 3:
                    names = ["l%d_%d" % (len(t.links), n) for n in range(len(p.keys))]
                    t.links.append(Link(p, names, self.chance(0.6)))
            if self.chance(0.15):  # a parent in the same table
                t.links.append(Link(t, ["self_%d" % n for n in range(len(t.keys))], False))
            self.tables.append(t)

    def source_ddl(self):
        ddl = []
        for t in self.tables:
            items = ["%s %s" % k for k in t.keys] + ["%s %s" % (n, PG_TYPES.get(k, k)) for n, k in t.columns]
            for l in t.links:
                items += ["%s %s%s" % (n, k[1], " NOT NULL" if l.safe else "") for n, k in zip(l.names, l.parent.keys)]
            self.r.shuffle(items)
            items.append("PRIMARY KEY (%s)" % ", ".join(n for n, _ in t.keys))
            for l in t.links:
                if l.safe or self.chance(0.3) and l.parent is not t:
                    items.append("FOREIGN KEY (%s) REFERENCES %s ON UPDATE CASCADE ON DELETE %s DEFERRABLE INITIALLY %s" % (
                        ", ".join(l.names), l.parent.name, self.pick(["CASCADE", "NO ACTION"] if l.safe else ["CASCADE", "SET NULL", "NO ACTION"]),
                        self.pick(["DEFERRED", "DEFERRED", "IMMEDIATE"])))
            ddl.append("CREATE TABLE %s (\n  %s\n);" % (t.name, ",\n  ".join(items)))
            if self.chance(0.2):
                ddl.append("ALTER TABLE %s REPLICA IDENTITY FULL;" % t.name)
        return "\n".join(ddl) + "\n"

    # --- the star ---

    def expression(self, kind, scope, depth=1):
        """Over the columns of scope, [(alias.column, type)], that fails on no row."""
        have = [n for n, k in scope if k == kind or kind == "text" and k == "wide"]
        g = lambda k: self.expression(k, scope, depth - 1)
        if depth <= 0 or self.chance(0.4):
            any_text = "(%s)::text" % self.pick(scope)[0]
            return self.pick(have) if have else {
                "int": "length(%s)" % any_text, "text": any_text, "numeric": "(length(%s) * 1.50)" % any_text, "boolean": "(%s < 'b')" % any_text,
                "date": "date '2024-02-29'", "timestamp": "timestamp '2024-02-29 12:00:00'"}[kind]
        more = {
            "int": ["coalesce(%s, 0)" % g("int"), "length(%s)" % g("text"), "(%s + 1)" % g("int"), "(%s)::int" % g("boolean")],
            "text": ["coalesce(%s, '-')" % g("text"), "upper(%s)" % g("text"), "(%s || '/' || %s)" % (g("text"), g("text")),
                     "(%s)::text" % g(self.pick(["int", "numeric", "boolean", "date"])), "left(%s, 2)" % g("text")],
            "numeric": ["(%s * 2)" % g("numeric"), "round(%s, 1)" % g("numeric"), "(%s)::numeric" % g("int"), "coalesce(%s, 0.0)" % g("numeric")],
            "boolean": ["(%s > 3)" % g("int"), "(%s IS NOT NULL)" % g("text"), "(%s LIKE 'a%%')" % g("text"), "(NOT %s)" % g("boolean"),
                        "(%s < 2.5)" % g("numeric"), "(%s IS DISTINCT FROM %s)" % (g("int"), g("int"))],
            "date": ["(%s + 1)" % g("date"), "coalesce(%s, date '2000-01-01')" % g("date")],
            "timestamp": ["date_trunc('month', %s)" % g("timestamp"), "(%s)::timestamp" % g("date")],
        }[kind]
        return self.pick(more + ["CASE WHEN %s THEN %s ELSE %s END" % (g("boolean"), g(kind), g(kind))])

    def columns_of(self, t, alias):
        names = list(t.keys) + list(t.columns)
        for l in t.links:
            names += [(n, k[1]) for n, k in zip(l.names, l.parent.keys)]
        return [("%s.%s" % (alias, n), k) for n, k in names]

    def make_from(self, driver, joins):
        """FROM of a driver: the text, its scope, and the driver's columns."""
        text, scope = "%s d" % driver.name, self.columns_of(driver, "d")
        own, todo, n = list(scope), [("d", l, True) for l in driver.links], 0
        while todo and n < joins:
            alias, l, sure = todo.pop(self.r.randrange(len(todo)))
            a, n = "j%d" % n, n + 1
            inner = self.chance(0.6) if l.safe and sure else self.rejects and self.chance(0.7)
            on = ["%s.%s = %s.%s" % ((alias, x, a, k[0]) if self.chance(0.5) else (a, k[0], alias, x)) for x, k in zip(l.names, l.parent.keys)]
            restricted = self.chance(0.25) and (not inner or self.rejects)
            if restricted:
                on.append(self.expression("boolean", self.columns_of(l.parent, a)))
            self.r.shuffle(on)
            text += " %s %s %s ON %s" % ("JOIN" if inner else "LEFT JOIN", l.parent.name, a, " AND ".join(on))
            scope += self.columns_of(l.parent, a)
            todo += [(a, x, inner and sure and not restricted) for x in l.parent.links]
        if self.chance(0.15):
            text += " LEFT JOIN ref ON ref.code = %s" % self.expression("text", scope, 0)
            scope += [("ref.code", "text"), ("ref.name", "text"), ("ref.n", "int")]
        return text, scope, own

    def make_where(self, scope, own):
        parts = [self.expression("boolean", self.pick([own, scope]), 2) for _ in range(self.pick([0, 0, 1, 1, 2]))]
        return parts

    def joins(self):
        return self.pick([0, 1, 1, 2, 3])

    def make_target(self, i):
        shape = self.pick(["plain"] * 6 + ["split", "split", "pair", "union", "distinct", "values"])
        t = Target("s%d" % i)
        t.fact = shape in ("plain", "split") and self.chance(0.5)
        driver = self.pick(self.tables[-3:])
        kinds = [self.pick(["int", "text", "numeric", "boolean", "date", "timestamp"]) for _ in range(self.r.randint(1, 4))]
        wider = {"int": "bigint", "bigint": "numeric", "date": "timestamp", "uuid": "text"}
        if self.by_slot:
            wider["numeric"] = "text"  # 1.0 that becomes 1.00 is another key then
        casts = [wider.get(k, k) if self.chance(0.15) else k for _, k in driver.keys]
        key_columns = ["d.%s::%s" % (n, c) if c != k and self.chance(0.5) else "d.%s" % n for (n, k), c in zip(driver.keys, casts)]
        keys = [("x%d" % n, c) for n, c in enumerate(casts)]
        values = [("v%d" % n, k) for n, k in enumerate(kinds)]
        select = lambda scope: key_columns + [self.expression(k, scope, 2) for k in kinds]
        body = lambda cols, text, where: "SELECT %s FROM %s%s" % (", ".join(cols), text, " WHERE " + " AND ".join(where) if where else "")
        text, scope, own = self.make_from(driver, self.joins())
        where = self.make_where(scope, own)
        if shape == "split":  # two INSERTs share the rows among them
            by = self.expression("boolean", self.pick([own, scope]), 2)
            t.inserts = [body(select(scope), text, where + ["(%s) IS %sTRUE" % (by, n)]) for n in ("", "NOT ")]
            if self.chance(0.5):
                t.inserts.reverse()
        elif shape == "pair":  # two drivers, told apart in the key
            keys.append(("side", "int"))
            t.exact = False
            other = self.pick([x for x in self.tables if [k for _, k in x.keys] == [k for _, k in driver.keys]])
            for side, d in enumerate((driver, other)):
                text, scope, own = self.make_from(d, self.joins())
                cols = key_columns + [str(side)] + [self.expression(k, scope, 2) for k in kinds]
                t.inserts.append(body(cols, text, self.make_where(scope, own)))
        elif shape == "union":
            keys.append(("side", "int"))
            t.exact = False
            parts = []
            for side in range(2):
                text, scope, own = self.make_from(driver, self.joins())
                cols = select(scope)
                cols[len(driver.keys):len(driver.keys)] = [str(side)]
                parts.append(body(cols, text, self.make_where(scope, own)))
            t.inserts = [" UNION ALL ".join(parts) if self.chance(0.5) else " UNION ".join(parts)]
            if self.chance(0.3):
                t.inserts = ["SELECT u.* FROM (%s) AS u" % t.inserts[0]]
        elif shape == "distinct":  # a key of the results' own
            t.exact = False
            a = "left(%s, 40)" % self.expression("text", scope, 1)
            keys, values = [("x0", "text"), ("x1", "int")], [("v0", "text")]
            t.inserts = [body(["coalesce(%s, '')" % a, "7", "upper(coalesce(%s, ''))" % a], text, where).replace("SELECT", "SELECT DISTINCT", 1)]
        elif shape == "values":  # and some rows that are always there
            keys.append(("side", "int"))
            t.exact = False
            cols = select(scope)
            cols[len(driver.keys):len(driver.keys)] = ["0"]
            constants = [quote(KEY_VALUES[k][0]) for _, k in driver.keys] + ["1"] + ["NULL" for _ in kinds]
            t.inserts = [body(cols, text, where), "VALUES (%s)" % ", ".join(constants)]
        else:
            t.inserts = [body(select(scope), text, where)]
        t.columns, t.key = [n for n, _ in keys + values], [n for n, _ in keys]
        ddl = ["rec serial PRIMARY KEY"] if t.fact else []
        ddl += ["%s %s NOT NULL" % c for c in keys] + ["%s %s" % c for c in values]
        if not t.fact:
            ddl.append("PRIMARY KEY (%s)" % ", ".join(t.key))
        t.ddl = "CREATE TABLE %s (%s);" % (t.name, ", ".join(ddl))
        return t

    def make_star(self):
        self.targets = [self.make_target(i) for i in range(self.r.randint(1, 4))]
        self.ref = os.path.join(self.folder, "ref.csv")
        with open(self.ref, "w") as f:
            f.write("code,name,n\na,first,1\nb,second,2\n\"x'y\",third,3\n7,seven,7\n")
        os.chmod(self.ref, 0o644)
        star = "CREATE FOREIGN TABLE ref (code text, name text, n int) SERVER files OPTIONS (filename '%s', format 'csv', header 'true');\n" % self.ref
        star += "".join(t.ddl + "\n" for t in self.targets)
        inserts = ["INSERT INTO %s (%s)\n%s;\n" % (t.name, ", ".join(t.columns), s) for t in self.targets for s in t.inserts]
        self.star = star + "".join(inserts)
        self.star_file = os.path.join(self.folder, "star.sql")
        with open(self.star_file, "w") as f:
            f.write(self.star)

    # --- what happens in the source ---

    def literal(self, kind):
        if self.chance(0.2):
            return "NULL"
        return {"int": lambda: str(self.r.randint(-3, 9)), "text": lambda: quote(self.pick(TEXTS)),
                "numeric": lambda: self.pick(["0", "1", "1.0", "1.00", "2.5", "-0.05", "12345678901234567890.5", "1e3"]),
                "boolean": lambda: self.pick(["true", "false"]), "date": lambda: quote(self.pick(["2024-02-29", "2023-12-31", "0044-03-15 BC"])),
                "timestamp": lambda: quote(self.pick(["2024-02-29 01:02:03", "1999-12-31 23:59:59.999999"])),
                "wide": lambda: self.pick(["'short'", "(SELECT string_agg(md5((g + %d)::text), '') FROM generate_series(1, 120) g)" % self.r.randint(1, 3)]),
                }[kind]()

    def key_literals(self, t):
        return ["%s::%s" % (quote(self.pick(KEY_VALUES[k][:6] if self.chance(0.7) else KEY_VALUES[k])), k) for _, k in t.keys]

    def is_row(self, t, values, alias=""):
        return " AND ".join("%s%s = %s" % (alias, n, v) for (n, _), v in zip(t.keys, values))

    def link_values(self, t):
        """Assignments of a link: to a row that is there, to any key, or to none."""
        l = self.pick(t.links)
        values = self.key_literals(l.parent)
        if not l.safe and self.chance(0.2):
            values = ["NULL"] * len(values)
        return l, values

    def insert(self, t):
        """Where a link must have a match, the row comes only if there is one."""
        names, values, conditions = [n for n, _ in t.keys], self.key_literals(t), []
        for n, k in t.columns:
            names.append(n)
            values.append(self.literal(k))
        for l in t.links:
            keys = self.key_literals(l.parent)
            if not l.safe and self.chance(0.25):
                keys = ["NULL"] * len(keys)
            elif l.safe:
                conditions.append("EXISTS (SELECT FROM %s WHERE %s)" % (l.parent.name, self.is_row(l.parent, keys)))
            names += l.names
            values += keys
        update = ""
        if self.chance(0.2):
            n = self.pick(names[len(t.keys):])
            update = " (%s) DO UPDATE SET %s = excluded.%s" % (", ".join(k for k, _ in t.keys), n, n)
        return "INSERT INTO %s (%s) SELECT %s%s ON CONFLICT%s;" % (
            t.name, ", ".join(names), ", ".join(values), " WHERE " + " AND ".join(conditions) if conditions else "", update or " DO NOTHING")

    def update(self, t):
        sets, conditions = [], [self.is_row(t, self.key_literals(t)) if self.chance(0.8) else "true"]
        for n, k in t.columns:
            if self.chance(0.5):
                sets.append("%s = %s" % (n, self.literal(k) if self.chance(0.8) else n))
        if t.links and self.chance(0.5):
            l, values = self.link_values(t)
            sets += ["%s = %s" % a for a in zip(l.names, values)]
            if l.safe:
                conditions.append("EXISTS (SELECT FROM %s WHERE %s)" % (l.parent.name, self.is_row(l.parent, values)))
        return "UPDATE %s SET %s WHERE %s;" % (t.name, ", ".join(sets or ["%s = %s" % (t.keys[0][0], t.keys[0][0])]), " AND ".join(conditions))

    def change_key(self, t):
        """Another key, or, without deletes, another spelling of the same."""
        old, new = self.key_literals(t), self.key_literals(t)
        sets = ", ".join("%s = %s" % (n, v) for (n, _), v in zip(t.keys, new))
        if not self.deletes:
            return "UPDATE %s SET %s WHERE %s;" % (t.name, sets, self.is_row(t, new))
        return "UPDATE %s SET %s WHERE %s;" % (t.name, sets, self.is_row(t, old))

    def delete(self, t):
        return "DELETE FROM %s WHERE %s;" % (t.name, self.is_row(t, self.key_literals(t)) if self.chance(0.9) else "true")

    def back_again(self, t):
        """Gone and back, with the same key, in one transaction."""
        values = self.key_literals(t)
        return ("CREATE TEMP TABLE kept AS SELECT * FROM %s WHERE %s; DELETE FROM %s WHERE %s;\n%s\n"
                "INSERT INTO %s SELECT * FROM kept ON CONFLICT DO NOTHING; DROP TABLE kept;" % (
                    t.name, self.is_row(t, values), t.name, self.is_row(t, values), self.update(self.pick(self.tables)), t.name))

    def statement(self):
        t, x = self.pick(self.tables), self.r.random()
        if x < 0.35:
            return self.insert(t)
        if x < 0.75 or not self.deletes and x < 0.97:
            return self.update(t)
        if x < 0.80 or not self.deletes:
            return self.change_key(t)
        if x < 0.93:
            return self.delete(t)
        if x < 0.98:
            return self.back_again(t)
        # of a target with several sources nobody can tell which of its rows a truncate meant
        return "TRUNCATE %s CASCADE;" % t.name if all(len(s.inserts) == 1 for s in self.targets) else self.delete(t)

    def transaction(self):
        lines = ["\\set ON_ERROR_ROLLBACK %s" % self.pick(["on", "off"]), "BEGIN;"]
        for _ in range(self.pick([1, 1, 2, 3, 6])):
            lines.append(self.statement())
            if self.chance(0.1):
                lines += ["SAVEPOINT s;", self.statement(), self.pick(["ROLLBACK TO s;", "RELEASE s;"])]
        return "\n".join(lines + ["ROLLBACK;" if self.chance(0.08) else "COMMIT;"]) + "\n"

    def alter(self):
        """A table that is no longer what it was is read whole; what leaves meanwhile is not seen."""
        self.altered += 1
        for t in self.targets:
            t.exact = False
        self.deletes = False
        self.sql("ALTER TABLE %s ADD COLUMN z%d int DEFAULT %d;" % (self.pick(self.tables).name, self.altered, self.altered))

    def changes(self, count):
        return "".join(self.transaction() for _ in range(count))

    # --- running ---

    def sql(self, text, check=True, note=True):
        if note:
            self.log.append(text)
        p = subprocess.run(["psql", "-X", "-q", "-At", "-d", DB] + (["-v", "ON_ERROR_STOP=1"] if check else []),
                           input="SET search_path = src; SET client_min_messages = warning;\n" + text, text=True, capture_output=True)
        if check and p.returncode:
            raise Failure("psql: %s" % p.stderr)
        return p.stdout

    def pipe(self, stages, disturb=None):
        """Run stages; the statuses of all. disturb: a stage to kill, after some time."""
        procs, before = [], subprocess.DEVNULL
        errors = tempfile.TemporaryFile("w+")
        for i, stage in enumerate(stages):
            p = subprocess.Popen(["bash", "-c", "exec " + stage], stdin=before, stdout=subprocess.PIPE if i + 1 < len(stages) else subprocess.DEVNULL,
                                 stderr=errors, cwd=self.folder)
            if i:
                before.close()
            before = p.stdout
            procs.append(p)
        if disturb is not None:
            time.sleep(self.r.random() * 0.15)
            procs[disturb].send_signal(signal.SIGKILL)
        codes = [p.wait() for p in procs]
        errors.seek(0)
        return codes, errors.read()

    def stages(self):
        extract = "pg-extract -d dbname=%s --schema src %s" % (DB, "--slot %s " % SLOT if self.by_slot else "")
        star = "star-transform --store refs %s star.sql" % ("--rejects rejects" if self.rejects else "")
        load = "pg-load -d dbname=%s --schema dw" % DB
        if self.way != "lakes":
            return [[extract + "--state <(pg-load -d dbname=%s --schema dw --show-state)" % DB, star, load]]
        lakes = ["file://%s/lake%d/" % (self.folder, i) for i in range(2)]
        put = ["s3-put %s%s" % (f, l) for f, l in zip(self.formats, lakes)]
        return [[extract + "--state <(s3-put --show-state %s)" % lakes[0], put[0]],
                ["s3-get %s --state <(s3-put --show-state %s)" % tuple(lakes), star, put[1]],
                ["s3-get %s --state <(pg-load -d dbname=%s --schema dw --show-state)" % (lakes[1], DB), load]]

    def run_all(self):
        for stages in self.stages():
            if self.chance(0.12):  # a run whose end nobody sees
                disturb = self.r.randrange(len(stages))
                self.log.append("-- killed: %s" % stages[disturb])
                self.pipe(stages, disturb)
            elif self.chance(0.12):  # a loader that never comes
                self.log.append("-- without %s" % stages[-1])
                self.pipe(stages[:-1] + ["cat"])
            for tries in range(50):
                codes, errors = self.pipe(stages)
                # who was killed may still be there in the server
                if not any(codes) or not ("is at work" in errors or "being read" in errors):
                    break
                time.sleep(0.1)
            if VERBOSE and errors:
                print(errors)
            if any(codes):
                raise Failure("exit statuses %s: %s" % (codes, errors))

    def some_stages(self):
        """Lakes are filled and read on schedules of their own."""
        for stages in self.stages()[:self.r.randrange(len(self.stages()))]:
            self.log.append("-- only to %s" % stages[-1])
            codes, errors = self.pipe(stages)
            if any(codes):
                raise Failure("exit statuses %s: %s" % (codes, errors))

    def compare(self):
        gold = self.star.replace("CREATE FOREIGN TABLE", "CREATE FOREIGN TABLE IF NOT EXISTS")
        text = "DROP SCHEMA IF EXISTS gold CASCADE; CREATE SCHEMA gold; SET search_path = gold, src;\n" + gold
        for t in self.targets:
            have = "dw.%s%s" % ("current_" if t.fact else "", t.name)
            rows = lambda s: "SELECT ROW(%s)::text FROM %s AS t" % (", ".join("t." + c for c in t.columns), s)
            text += "SELECT '%s lacks ' || r FROM (%s EXCEPT ALL %s) AS x(r);\n" % (t.name, rows("gold." + t.name), rows(have))
            known = "" if t.exact else " WHERE (%s) IN (SELECT %s FROM gold.%s)" % (", ".join(t.key), ", ".join(t.key), t.name)
            text += "SELECT '%s has ' || r FROM (%s%s EXCEPT ALL %s) AS x(r);\n" % (t.name, rows(have), known, rows("gold." + t.name))
            if t.fact:
                version = "to_jsonb(t) - 'rec'"
                text += ("SELECT '%s has twice ' || v::text FROM (SELECT %s AS v, lag(%s) OVER (PARTITION BY %s ORDER BY rec) AS before FROM dw.%s AS t) AS x"
                         " WHERE v::text = before::text;\n" % (t.name, version, version, ", ".join(t.key), t.name))
        differs = self.sql(text, note=False)
        if differs:
            raise Failure("the warehouse differs:\n" + differs)

    def run(self):
        psql("postgres", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '%s'" % SLOT)
        psql(DB, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS src, dw, gold CASCADE; DROP PUBLICATION IF EXISTS %s; CREATE SCHEMA src" % SLOT)
        self.sql(self.source_ddl())
        if self.by_slot:
            self.sql("CREATE PUBLICATION %s FOR TABLES IN SCHEMA src;" % SLOT)
        self.sql(self.changes(12), check=False)
        for self.round in range(ROUNDS):
            self.log.append("-- round %d" % self.round)
            self.deletes = self.by_slot
            if self.round:
                if self.chance(0.05):
                    self.alter()
                self.sql(self.changes(self.r.randint(0, 5)), check=False)
                if self.chance(0.3):
                    self.some_stages()
                    self.sql(self.changes(self.r.randint(0, 5)), check=False)
            self.run_all()
            if self.way == "lakes" and self.deletes != self.by_slot:
                self.run_all()  # a reader of a lake stops where a table becomes another
            self.compare()


def psql(db, sql):
    subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", db, "-c", sql], check=True, stdout=subprocess.DEVNULL)


def run_case(seed):
    folder = tempfile.mkdtemp(prefix="following.")
    os.chmod(folder, 0o711)
    case = Case(seed, folder)
    try:
        case.run()
    except Failure as f:
        with open(os.path.join(folder, "changes.sql"), "w") as out:
            out.write("\n".join(case.log))
        print("seed %d, by %s%s, round %d: %s" % (seed, case.way, " with a slot" if case.by_slot else "", case.round, f))
        print("star.sql and changes.sql are in %s; again: SEED=%d CASES=1 ROUNDS=%d %s" % (folder, seed, ROUNDS, sys.argv[0]), flush=True)
        return False
    if VERBOSE:
        print("seed %d, by %s: %s" % (seed, case.way, case.star))
    shutil.rmtree(folder)
    return True


FORMATS = ["", "--compress gzip "]
if b"--format" in subprocess.run(["s3-put", "--help"], capture_output=True).stdout:
    FORMATS += ["--format parquet --numeric-as string "]


def main():
    print("seed %d" % SEED, flush=True)
    psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE)" % DB)
    psql("postgres", "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'" % DB)
    psql(DB, "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; ALTER DATABASE %s SET timezone = 'UTC';"
         "ALTER DATABASE %s SET synchronous_commit = on" % (DB, DB))  # a slot has what has reached the log
    bad = sum(not run_case(SEED + i) for i in range(CASES))
    print("%d cases, %d differ" % (CASES, bad))
    sys.exit(bad > 0)


main()
