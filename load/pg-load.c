/* pg-load - rows into tables of a PostgreSQL warehouse, a step in one transaction */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "opt.h"
#include "out.h"
#include "pgio.h"
#include "progress.h"
#include "state.h"
#include "target.h"
#include "wire.h"

static const char *dbname, *schema = "public", *source = "default", *table_name, *state_out;
static const char *empty = "ok", *on_delete_name;
static enum target_delete on_delete;
static bool framed, show_state;
static uint64_t max_row = WIRE_MAX_ROW;

static const struct opt opts[] = {
	{ 'd', "dbname", "conninfo", OPT_STRING, &dbname,
	  "connection string or URI of the warehouse" },
	{ 0, "schema", "name", OPT_STRING, &schema, "load into this schema (default: public)" },
	{ 0, "source", "name", OPT_STRING, &source,
	  "keep state and lock under this name (default: default)" },
	{ 0, "table", "name", OPT_STRING, &table_name, "take bare rows, for this table" },
	{ 0, "framed", NULL, OPT_FLAG, &framed, "insist on a frame" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "refuse longer lines (default: 256M)" },
	{ 0, "on-delete", "how", OPT_STRING, &on_delete_name,
	  "ignore, mark or delete (default: mark in a history, else delete)" },
	{ 0, "empty", "what", OPT_STRING, &empty,
	  "a stream without rows is ok, or skip: exit 99 (default: ok)" },
	{ 0, "state-out", "file", OPT_STRING, &state_out, "write the state here after the commit" },
	{ 0, "show-state", NULL, OPT_FLAG, &show_state, "print the last committed state and exit" },
	OPT_END
};

static const struct tool tool = {
	"pg-load",
	"[-d conninfo] [--schema name] [--source name] [--table name | --framed]\n"
	" [--max-row size] [--on-delete how] [--empty what] [--state-out file]\n"
	"[-d conninfo] [--schema name] [--source name] --show-state",
	"Loads rows from standard input into tables of a PostgreSQL warehouse.", opts
};

struct load {
	PGconn *conn;
	struct wire_reader in;
	struct copy_in copy;
	struct target **targets;     /* by the tables' order of announcement */
	size_t count, cap;
	bool in_step;                /* a transaction is open */
	bool pending;                /* @state came: the step is whole once another line follows */
	struct buf state, receipt;   /* of the last committed step */
	struct buf new_state;        /* the pending one */
	struct target_counts counts;
	uint64_t changes;            /* rows and deletes that came */
	uint64_t rows, steps;        /* committed */
	bool follows;                /* the step begins where the last one ended */
};

/* --- state --- */

/* One column of our row in starpipe_state as text; nothing when there is no such row or table. */
static int read_state(struct load *l, const char *column, struct buf *text, struct err *e)
{
	struct buf sql = { 0 };
	PGresult *res = NULL;
	bool there;
	int rc = pgio_find_table(l->conn, schema, "starpipe_state", PGIO_OWN, &there, e);

	if (rc == OK && there) {
		buf_addf(&sql, "SELECT %s FROM ", column);
		pg_add_qualified(&sql, schema, "starpipe_state");
		buf_addz(&sql, " WHERE source = $1");
		rc = pgio_query(l->conn, sql.data, 1, &source, &res, e);
	}
	if (res && PQntuples(res) == 1)
		buf_addz(text, pgio_value(res, 0, 0));
	PQclear(res);
	buf_release(&sql);
	return rc == OK ? OK : err_wrap(e, rc, "starpipe_state");
}

/* The text is json, not jsonb: a state is its producer's, byte for byte. */
static const char create_state_sql[] =
	"CREATE TABLE %s (source text PRIMARY KEY, steps int8 NOT NULL, state json,"
	" receipt jsonb NOT NULL, committed_at timestamptz NOT NULL)";
static const char write_state_sql[] =
	"INSERT INTO %s AS s VALUES ($1, 1, $2, $3, clock_timestamp()) ON CONFLICT (source) DO "
	"UPDATE"
	" SET steps = s.steps + 1, state = coalesce(excluded.state, s.state),"
	" receipt = excluded.receipt, committed_at = excluded.committed_at";

static int write_state(struct load *l, const struct buf *receipt, struct err *e)
{
	const char *params[] = { source, l->pending ? l->new_state.data : NULL, receipt->data };
	struct buf name = { 0 }, sql = { 0 };
	bool there;
	int rc;

	pg_add_qualified(&name, schema, "starpipe_state");
	if ((rc = pgio_find_table(l->conn, schema, "starpipe_state", PGIO_OWN, &there, e)) != OK)
		goto done;
	if (!there) {
		buf_addf(&sql, create_state_sql, name.data);
		if ((rc = pgio_exec(l->conn, sql.data, NULL, e)) != OK)
			goto done;
		buf_reset(&sql);
	}
	buf_addf(&sql, write_state_sql, name.data);
	rc = pgio_query(l->conn, sql.data, 3, params, NULL, e);
done:
	buf_release(&name);
	buf_release(&sql);
	return rc == OK ? OK : err_wrap(e, rc, "starpipe_state");
}

static int print_state(struct load *l, struct err *e)
{
	struct buf text = { 0 };
	struct out out;
	int rc = read_state(l, "state", &text, e);

	if (rc == OK) {
		/* never nothing: whoever reads an empty file cannot tell a first run from a failure
		 */
		out_init(&out, STDOUT_FILENO, "standard output");
		buf_addz(&out.buf, text.len ? text.data : "{}");
		buf_addch(&out.buf, '\n');
		rc = out_close(&out, e);
		out_release(&out);
	}
	buf_release(&text);
	return rc;
}

/* --- the connection --- */

/* who: what is known of it, or nothing. */
static int lost_race(const char *who, struct err *e)
{
	return err_set(e, LOST_RACE,
		       "another pg-load has loaded source \"%s\" into schema \"%s\" meanwhile, "
		       "or still does%s: nothing was changed",
		       source, schema, who);
}

/* Who has taken the advisory lock $1? And may that role write the table $2 of schema $3, or make
 * it? */
static const char holder_sql[] =
	"SELECT a.pid, a.usename, a.application_name, a.backend_start::timestamptz(0),"
	"  coalesce(has_table_privilege(a.usesysid, to_regclass($2)::oid, 'INSERT'),"
	"           has_schema_privilege(a.usesysid, to_regnamespace($3)::oid, 'CREATE'),"
	"           has_database_privilege(a.usesysid, l.database, 'CREATE'))"
	"  FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid"
	" WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
	"   AND a.datname = current_database() AND l.database = a.datid"
	"   AND (l.classid::int8 << 32 | l.objid::int8) = hashtextextended($1, 0)";
enum { H_PID, H_ROLE, H_APPLICATION, H_SINCE, H_MAY };

/* Any role can take an advisory lock, and keep it. One that could not load does not load. */
static int tell_holder(struct load *l, const char *name, struct err *e)
{
	struct buf table = { 0 }, ident = { 0 }, who = { 0 };
	const char *params[3] = { name };
	PGresult *res = NULL;
	int rc;

	pg_add_qualified(&table, schema, "starpipe_state");
	pg_add_ident(&ident, str_of(schema));
	params[1] = table.data;
	params[2] = ident.data;
	if ((rc = pgio_query(l->conn, holder_sql, 3, params, &res, e)) != OK)
		goto done;
	buf_addz(&who, "");
	if (PQntuples(res))
		buf_addf(&who, "process %s of role \"%s\", application \"%s\", since %s",
			 pgio_value(res, 0, H_PID), pgio_value(res, 0, H_ROLE),
			 pgio_value(res, 0, H_APPLICATION),
			 PQgetisnull(res, 0, H_SINCE) ? "the server only knows when" :
							pgio_value(res, 0, H_SINCE));
	if (*pgio_value(res, 0, H_MAY) == 'f') {
		rc = err_set(e, FAILED,
			     "the lock of source \"%s\" in schema \"%s\" is held by %s: it is "
			     "no pg-load, for the role may not write starpipe_state",
			     source, schema, who.data);
		err_hint(e, rc, "SELECT pg_terminate_backend(%s);", pgio_value(res, 0, H_PID));
	} else {
		struct buf in_brackets = { 0 };

		buf_addf(&in_brackets, who.len ? " (%s)" : "%s", who.data);
		rc = lost_race(in_brackets.data, e);
		buf_release(&in_brackets);
	}
done:
	PQclear(res);
	buf_release(&table);
	buf_release(&ident);
	buf_release(&who);
	return rc;
}

/* Held to the end of the session. The wait is for the server, which takes a moment to notice that
 * a killed pg-load is gone. */
static int lock(struct load *l, const char *name, struct err *e)
{
	static const char sql[] = "SELECT pg_advisory_lock(hashtextextended($1, 0))";
	PGresult *res;
	int rc = pgio_simple(l->conn, "BEGIN; SET LOCAL lock_timeout = '3s'", NULL, e);
	bool late = false;

	if (rc != OK)
		return rc;
	res = PQexecParams(l->conn, sql, 1, NULL, &name, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_TUPLES_OK) {
		const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

		late = state && strcmp(state, "55P03") == 0;
		if (!late)
			rc = pgio_failed(l->conn, res, e, "take the lock");
	}
	PQclear(res);
	if (rc == OK)
		rc = pgio_exec(l->conn, late ? "ROLLBACK" : "COMMIT", NULL, e);
	return rc == OK && late ? tell_holder(l, name, e) : rc;
}

/* Whoever commits while we wait has won. */
static int take_lock(struct load *l, struct err *e)
{
	struct buf name = { 0 }, before = { 0 }, after = { 0 };
	int rc;

	buf_addf(&name, "starpipe %zu %s %s", strlen(schema), schema, source);
	if ((rc = read_state(l, "steps", &before, e)) != OK ||
	    (rc = lock(l, name.data, e)) != OK || (rc = read_state(l, "steps", &after, e)) != OK)
		goto done;
	if (!str_eq(buf_str(&before), buf_str(&after)))
		rc = lost_race("", e);
done:
	buf_release(&name);
	buf_release(&before);
	buf_release(&after);
	return rc;
}

/* A step's rows are sorted and hashed by key; the default of 4 MB is for web pages. */
static const char sort_memory_sql[] =
	"SELECT set_config(name, '64MB', false) FROM pg_settings"
	" WHERE name = 'work_mem' AND setting::int8 < 65536";

static int connect_warehouse(struct load *l, struct err *e)
{
	int rc = pgio_connect(dbname, &l->conn, e);

	if (rc != OK)
		return rc;
	rc = pgio_look_in(l->conn, schema, e);
	if (rc == OK)
		rc = pgio_exec(l->conn, sort_memory_sql, NULL, e);
	/* a long merge ends soon after its client was killed; not every server can do that */
	PQclear(pgio_one(l->conn, "SELECT set_config(name, '1s', false) FROM pg_settings"
				  " WHERE name = 'client_connection_check_interval'"));
	return rc;
}

/* --- a step --- */

static int ensure_schema(struct load *l, struct err *e)
{
	struct buf sql = { 0 };
	PGresult *res = NULL;
	int rc = pgio_query(l->conn, "SELECT FROM pg_namespace WHERE nspname = $1", 1, &schema,
			    &res, e);

	if (rc == OK && PQntuples(res) == 0) {
		buf_addz(&sql, "CREATE SCHEMA ");
		pg_add_ident(&sql, str_of(schema));
		rc = pgio_exec(l->conn, sql.data, NULL, e);
	}
	PQclear(res);
	buf_release(&sql);
	return rc == OK ? OK : err_wrap(e, rc, "schema \"%s\"", schema);
}

static int begin_step(struct load *l, struct err *e)
{
	int rc;

	if (l->in_step)
		return OK;
	if ((rc = pgio_exec(l->conn, "BEGIN", NULL, e)) != OK)
		return rc;
	l->in_step = true;
	return ensure_schema(l, e);
}

/* The current table's target. */
static int open_target(struct load *l, struct target **target, struct err *e)
{
	const struct wire_table *table = l->in.table;
	struct target *t;
	int rc;

	while (l->count <= table->index) {
		GROW(l->targets, l->count, l->cap);
		l->targets[l->count] = xcalloc(1, sizeof(**l->targets));
		l->targets[l->count++]->on_delete = on_delete;
	}
	*target = t = l->targets[table->index];
	if (!t->open &&
	    ((rc = copy_in_pause(&l->copy, e)) != OK || (rc = begin_step(l, e)) != OK))
		return rc;
	return target_open(t, l->conn, schema, table, l->in.bare, e);
}

/* The same, ready for rows. */
static int stage_target(struct load *l, struct target **target, struct err *e)
{
	const struct wire_table *table = l->in.table;
	int rc;

	if (table->index < l->count && l->targets[table->index]->staged) {
		*target = l->targets[table->index];
		return OK;
	}
	if ((rc = open_target(l, target, e)) != OK || (rc = copy_in_pause(&l->copy, e)) != OK ||
	    (rc = target_stage(*target, l->conn, e)) != OK)
		return rc;
	copy_in_add_table(&l->copy, &(*target)->copy);
	return OK;
}

static struct target *open_parent(const struct load *l, const struct wire_foreign *f)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->targets[i]->open && strcmp(l->targets[i]->merge.table->name, f->table) == 0)
			return l->targets[i];
	return NULL;
}

/* Give t its place, behind its parents; of a cycle somebody has to come first. */
static void place(const struct load *l, struct target *t, struct target **order, size_t *count)
{
	const struct wire_table *w = t->merge.table;

	if (!t->open || t->place)
		return;
	t->place = SIZE_MAX;
	for (size_t i = 0; i < w->foreign_count; i++) {
		struct target *parent = open_parent(l, &w->foreign[i]);

		if (parent)
			place(l, parent, order, count);
	}
	order[(*count)++] = t;
	t->place = *count;
}

/* After all rows are in, so that the order of tables does not matter to them. A parent that is
 * merged after its child, in a cycle, has its key checked at the end of the next steps, too. */
static int add_foreign_keys(struct load *l, struct target *t, struct err *e)
{
	const struct wire_table *w = t->merge.table;
	int rc = OK;

	for (size_t i = 0; rc == OK && t->merge.fresh && i < w->foreign_count; i++) {
		const struct target *parent = open_parent(l, &w->foreign[i]);

		rc = target_add_foreign(t, l->conn, &w->foreign[i],
					parent && parent->place > t->place, e);
	}
	return rc;
}

static int delete_all(struct load *l, struct target *const *order, size_t count, struct err *e)
{
	uint64_t before;
	bool kept;
	int rc = OK;

	do {
		before = l->counts.deleted;
		kept = false;
		for (size_t i = count; rc == OK && i-- > 0;) {
			rc = target_delete(order[i], l->conn, &l->counts, e);
			kept = kept || order[i]->kept;
		}
	} while (rc == OK && kept && l->counts.deleted > before);
	/* now all keys must be right; with a check still to come no table gets a column */
	if (rc == OK)
		rc = pgio_exec(l->conn, "SET CONSTRAINTS ALL IMMEDIATE", NULL, e);
	for (size_t i = 0; rc == OK && i < count; i++)
		rc = target_keep(order[i], l->conn, &l->counts, e);
	return rc;
}

static int merge_all(struct load *l, struct err *e)
{
	struct target **order = xcalloc(l->count, sizeof(*order));
	size_t count = 0;
	int rc = pgio_exec(l->conn, "SET CONSTRAINTS ALL DEFERRED", NULL, e);

	for (size_t i = 0; i < l->count; i++)
		place(l, l->targets[i], order, &count);
	for (size_t i = 0; rc == OK && i < count; i++)
		rc = target_merge(order[i], l->conn, !l->follows, &l->counts, e);
	for (size_t i = 0; rc == OK && i < count; i++)
		rc = add_foreign_keys(l, order[i], e);
	if (rc == OK)
		rc = delete_all(l, order, count, e);
	free(order);
	return rc;
}

/* Without the state, which stands in a column of its own. */
static void add_receipt(struct load *l, struct buf *b)
{
	const struct target_counts *n = &l->counts;
	uint64_t written = n->inserted + n->updated; /* more than came if keys are not unique */

	buf_addz(b, "{\"tool\":\"pg-load\",\"source\":");
	json_add_string(b, str_of(source));
	buf_addf(b, ",\"steps\":%llu,\"rows\":{", (unsigned long long)l->steps);
	for (size_t i = 0; i < l->count; i++) {
		buf_addz(b, i ? "," : "");
		json_add_string(b, str_of(l->targets[i]->merge.table->name));
		buf_addf(b, ":%llu", (unsigned long long)l->targets[i]->all_rows);
	}
	buf_addf(b,
		 "},\"inserted\":%llu,\"updated\":%llu,\"unchanged\":%llu,\"deleted\":%llu,"
		 "\"bytes\":%llu,\"seconds\":%.3f}",
		 (unsigned long long)n->inserted, (unsigned long long)n->updated,
		 (unsigned long long)(l->rows > written ? l->rows - written : 0),
		 (unsigned long long)n->deleted, (unsigned long long)l->in.bytes,
		 progress_seconds());
}

static int after_commit(struct load *l, struct err *e)
{
	int rc = OK;

	l->in_step = false;
	for (size_t i = 0; i < l->count; i++)
		target_close(l->targets[i]);
	if (!l->pending)
		return OK;
	l->pending = false;
	buf_reset(&l->state);
	buf_addstr(&l->state, buf_str(&l->new_state));
	if (state_out) {
		buf_addch(&l->new_state, '\n');
		rc = file_write_atomic(state_out, buf_str(&l->new_state), e);
	}
	return rc == OK ? OK : err_wrap(e, rc, "the warehouse is committed, but");
}

/* The state is of another source than the committed one: what to type. */
static void tell_sources(struct err *e)
{
	struct buf table = { 0 };

	pg_add_qualified(&table, schema, "starpipe_state");
	err_hint(e, BAD_DATA,
		 "Is what is read the right one? Rows of another source take another --source. To "
		 "leave this one for good: DELETE FROM %s WHERE source = '%s';",
		 table.data, source);
	buf_release(&table);
}

/* Our lock keeps the committed state from moving until this step is committed, too. A step that
 * does not begin where that one ended may bring some of it again. */
static int check_forward(struct load *l, struct err *e)
{
	struct buf committed = { 0 };
	int rc = l->pending ? read_state(l, "state", &committed, e) : OK;

	if (rc == OK && l->pending)
		rc = state_check_forward(buf_str(&l->new_state), buf_str(&committed),
					 "the warehouse", e);
	if (rc == BAD_DATA && !*e->hint)
		tell_sources(e);
	l->follows = l->pending && state_follows(buf_str(&l->new_state), buf_str(&committed));
	buf_release(&committed);
	return rc;
}

static int commit_step(struct load *l, struct err *e)
{
	struct buf receipt = { 0 };
	int rc;

	if ((rc = begin_step(l, e)) != OK || (rc = copy_in_flush(&l->copy, e)) != OK ||
	    (rc = check_forward(l, e)) != OK || (rc = merge_all(l, e)) != OK)
		goto done;
	for (size_t i = 0; i < l->count; i++) {
		l->rows += l->targets[i]->rows;
		l->targets[i]->all_rows += l->targets[i]->rows;
	}
	l->steps++;
	add_receipt(l, &receipt);
	if ((rc = write_state(l, &receipt, e)) != OK ||
	    (rc = pgio_exec(l->conn, "COMMIT", NULL, e)) != OK)
		goto done;
	buf_reset(&l->receipt);
	buf_addstr(&l->receipt, buf_str(&receipt));
	rc = after_commit(l, e);
done:
	buf_release(&receipt);
	return rc;
}

/* --- the stream --- */

static int on_row(struct load *l, struct err *e)
{
	size_t bytes = l->in.line.len + 1;
	struct target *t;
	int rc;

	l->changes++;
	if ((rc = stage_target(l, &t, e)) != OK || (rc = target_row(t, &l->in, e)) != OK ||
	    (rc = copy_in_row(&l->copy, &t->copy, l->in.line_no, e)) != OK)
		return rc;
	progress_add(1, bytes);
	return OK;
}

static int take_delete(struct load *l, struct err *e)
{
	struct target *t;
	int rc;

	l->changes++;
	if ((rc = open_target(l, &t, e)) != OK || t->on_delete == TARGET_IGNORE)
		return rc;
	if (!t->deletes) {
		if ((rc = stage_target(l, &t, e)) != OK ||
		    (rc = copy_in_pause(&l->copy, e)) != OK ||
		    (rc = target_stage_deletes(t, l->conn, e)) != OK)
			return rc;
		copy_in_add_table(&l->copy, &t->gone);
	}
	if (l->in.line.len == 0) {
		rc = copy_in_settle(&l->copy, &t->copy, e);
		return rc == OK ? target_truncated(t, l->conn, l->in.line_no, e) : rc;
	}
	rc = target_deleted_row(t, &l->in, e);
	return rc == OK ? copy_in_row(&l->copy, &t->gone, l->in.line_no, e) : rc;
}

static int on_state(struct load *l, struct err *e)
{
	buf_reset(&l->new_state);
	buf_addstr(&l->new_state, l->in.line);
	l->pending = true;
	return begin_step(l, e);
}

static int load_stream(struct load *l, struct err *e)
{
	enum wire_event event;
	struct target *t;
	int rc;

	do {
		if ((rc = wire_next(&l->in, &event, e)) != OK)
			return rc;
		/* the only step of a stream is committed when @end has verified its counts */
		if (l->pending && event != WIRE_END && (rc = commit_step(l, e)) != OK)
			return rc;
		switch (event) {
		case WIRE_TABLE: rc = open_target(l, &t, e); break;
		case WIRE_ROW: rc = on_row(l, e); break;
		case WIRE_STATE: rc = on_state(l, e); break;
		case WIRE_END: rc = commit_step(l, e); break;
		case WIRE_EOF: rc = l->in_step ? commit_step(l, e) : OK; break;
		case WIRE_DELETE: rc = take_delete(l, e); break;
		}
	} while (rc == OK && event != WIRE_EOF);
	return rc;
}

/* What was committed, also when a later step failed. */
static int print_receipt(struct load *l, struct err *e)
{
	struct out out;
	int rc;

	if (l->receipt.len == 0)
		add_receipt(l, &l->receipt);
	out_init(&out, STDOUT_FILENO, "standard output");
	buf_add(&out.buf, l->receipt.data, l->receipt.len - 1);
	if (l->state.len) {
		buf_addz(&out.buf, ",\"state\":");
		buf_addstr(&out.buf, buf_str(&l->state));
	}
	buf_addz(&out.buf, "}\n");
	rc = out_close(&out, e);
	out_release(&out);
	return rc;
}

static void say_done(const struct load *l)
{
	log_info("loaded %llu rows (%llu bytes) in %.1f s: %llu inserted, %llu updated, %llu "
		 "deleted",
		 (unsigned long long)l->rows, (unsigned long long)l->in.bytes,
		 progress_seconds(), (unsigned long long)l->counts.inserted,
		 (unsigned long long)l->counts.updated, (unsigned long long)l->counts.deleted);
}

static int load_and_tell(struct load *l, struct err *e)
{
	struct err second;
	int rc = take_lock(l, e);

	if (rc == OK)
		rc = load_stream(l, e);
	if (rc != OK) {
		if (l->receipt.len)
			print_receipt(l, &second);
		return rc;
	}
	if ((rc = print_receipt(l, e)) != OK)
		return rc;
	say_done(l);
	return l->changes == 0 && strcmp(empty, "skip") == 0 ? NOTHING_NEW : OK;
}

static void release(struct load *l)
{
	PQfinish(l->conn); /* rolls back what is not committed */
	for (size_t i = 0; i < l->count; i++) {
		target_release(l->targets[i]);
		free(l->targets[i]);
	}
	free(l->targets);
	copy_in_release(&l->copy);
	wire_release(&l->in);
	buf_release(&l->state);
	buf_release(&l->receipt);
	buf_release(&l->new_state);
}

static bool choose_delete(const char *name)
{
	static const char *const names[] = { [TARGET_IGNORE] = "ignore", [TARGET_MARK] = "mark",
					     [TARGET_DELETE] = "delete" };

	for (size_t i = TARGET_IGNORE; i <= TARGET_DELETE; i++)
		if (strcmp(name, names[i]) == 0)
			on_delete = (enum target_delete)i;
	return on_delete != TARGET_DEFAULT;
}

static int run(int argc, char **argv, struct err *e)
{
	struct load l = { 0 };
	int operand, rc;

	if ((rc = opt_parse(&tool, argc, argv, &operand, e)) != OK)
		return rc;
	if (operand < argc)
		return opt_misuse(e, "unexpected operand \"%s\"", argv[operand]);
	if (framed && table_name)
		return opt_misuse(e, "--framed and --table, for bare rows, exclude each other");
	if (strcmp(empty, "ok") != 0 && strcmp(empty, "skip") != 0)
		return opt_misuse(e, "--empty is ok or skip, not \"%s\"", empty);
	if (on_delete_name && !choose_delete(on_delete_name))
		return opt_misuse(e, "--on-delete is ignore, mark or delete, not \"%s\"",
				  on_delete_name);
	if (strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0)
		return opt_misuse(e, "schema \"%s\" is PostgreSQL's own", schema);
	if (!*schema || strlen(schema) > PG_NAME_MAX)
		return opt_misuse(e, "a schema's name has 1 to 63 bytes, \"%s\" has not", schema);
	if ((rc = connect_warehouse(&l, e)) != OK)
		goto done;
	if (show_state) {
		rc = print_state(&l, e);
		goto done;
	}
	wire_open(&l.in, STDIN_FILENO, "standard input", table_name, max_row);
	l.copy = (struct copy_in){ .conn = l.conn, .input = l.in.name };
	rc = load_and_tell(&l, e);
done:
	release(&l);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e;

	return log_exit(run(argc, argv, &e), &e);
}
