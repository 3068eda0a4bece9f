/* snapshot - a source database at one moment */
#include "snapshot.h"

#include <stdlib.h>

#include "log.h"
#include "mem.h"

enum { XID_FIRST = 3, XID_REACH = 2000000000 }; /* 2^31 and a margin for what begins meanwhile */

/* A restore or a failover begins a new timeline, on which old transaction numbers may mean other
 * rows. A standby's own timeline is the one it has replayed. */
static const char where_sql[] =
	"SELECT system_identifier, current_database(), pg_current_snapshot(), pg_is_in_recovery(),"
	"  CASE WHEN pg_is_in_recovery()"
	"    THEN (SELECT greatest(timeline_id, min_recovery_end_timeline)"
	"            FROM pg_control_checkpoint(), pg_control_recovery())"
	"    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END"
	"  FROM pg_control_system()";

/* With row security an error instead of rows that are quietly missing. */
static const char begin_sql[] =
	"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off";

int snapshot_begin(struct snapshot *s, PGconn *conn, const char *schema, const char *exported,
		   struct err *e)
{
	struct buf sql = { 0 };
	PGresult *res = NULL;
	int rc;

	if (exported) {
		buf_addz(&sql, "SET TRANSACTION SNAPSHOT ");
		pg_add_literal(&sql, str_of(exported));
	}
	rc = pgio_begin(conn, begin_sql, sql.data, e);
	buf_release(&sql);
	if (rc != OK || (rc = pgio_exec(conn, where_sql, &res, e)) != OK)
		return rc;
	s->system = xstrdup(pgio_value(res, 0, 0));
	s->database = xstrdup(pgio_value(res, 0, 1));
	s->text = xstrdup(pgio_value(res, 0, 2));
	s->standby = pgio_value(res, 0, 3)[0] == 't';
	s->timeline = strtoll(pgio_value(res, 0, 4), NULL, 10);
	s->schema = xstrdup(schema);
	PQclear(res);
	if (!pgsnapshot_parse(s->text, &s->at))
		return err_set(e, FAILED, "cannot make out the snapshot \"%s\"", s->text);
	return OK;
}

void snapshot_release(struct snapshot *s)
{
	free(s->system);
	free(s->database);
	free(s->schema);
	free(s->text);
	PQclear(s->attached);
	*s = (struct snapshot){ 0 };
}

/* --- an earlier state --- */

static bool same(const struct json *state, const char *key, const char *value)
{
	const char *was = json_string(json_get(state, key));

	return was && strcmp(was, value) == 0;
}

int snapshot_check_state(const struct json *state, struct err *e)
{
	if (same(state, "source", "postgresql"))
		return OK;
	err_set(e, BAD_DATA, "the state is not one of pg-extract's");
	return err_hint(e, BAD_DATA, "Which loader wrote it, and from what source?");
}

const char *snapshot_elsewhere(const struct snapshot *s, const struct json *state)
{
	int64_t timeline = 0;

	json_int(json_get(state, "timeline"), &timeline);
	if (!same(state, "system", s->system))
		return "is of another database cluster";
	if (!same(state, "database", s->database) || !same(state, "schema", s->schema))
		return "is of another database or schema";
	if (timeline != s->timeline)
		return "is of another timeline: the database was restored or failed over";
	return NULL;
}

/* Why the state cannot be used; NULL if it can. */
static const char *unusable(const struct snapshot *s, const struct json *state,
			    const struct pgsnapshot *then)
{
	const char *why = snapshot_elsewhere(s, state);

	if (why)
		return why;
	if (!then->xmin)
		return "has no snapshot";
	if (then->xmax > s->at.xmax)
		return "is ahead of the database, which must have been restored";
	if (s->at.xmax - then->xmin >= XID_REACH)
		return "is too many transactions back";
	return NULL;
}

/* How far back xmin is from where age() counts in this transaction. */
static int read_age(PGconn *conn, uint64_t xmin, int64_t *age, struct err *e)
{
	uint32_t xid = (uint32_t)xmin < XID_FIRST ? XID_FIRST : (uint32_t)xmin;
	char text[16];
	const char *params[] = { text };
	PGresult *res;
	int rc;

	snprintf(text, sizeof(text), "%u", xid);
	if ((rc = pgio_query(conn, "SELECT age($1::xid)", 1, params, &res, e)) != OK)
		return rc;
	*age = strtoll(pgio_value(res, 0, 0), NULL, 10);
	PQclear(res);
	return OK;
}

/* A table that is attached as a partition, or made to inherit, brings rows that are older than
 * that: they are read whole. A new and empty one is no trouble. */
static int read_attached(struct snapshot *s, PGconn *conn, struct err *e)
{
	static const char sql[] =
		"WITH RECURSIVE new(relid, inhparent) AS ("
		"  SELECT inhrelid, inhparent FROM pg_inherits i"
		"   WHERE age(i.xmin) BETWEEN 0 AND $2),"
		" above(relid, root) AS (SELECT relid, inhparent FROM new"
		"  UNION SELECT a.relid, i.inhparent FROM above a"
		"    JOIN pg_inherits i ON i.inhrelid = a.root),"
		" below(relid, leaf) AS (SELECT relid, relid FROM new"
		"  UNION SELECT b.relid, i.inhrelid FROM below b"
		"    JOIN pg_inherits i ON i.inhparent = b.leaf)"
		" SELECT c.relname, array_agg(DISTINCT leaf) FROM above JOIN below USING (relid)"
		"  JOIN pg_class c ON c.oid = root JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE n.nspname = $1 GROUP BY 1";
	char age[24];
	const char *params[] = { s->schema, age };

	snprintf(age, sizeof(age), "%lld", (long long)s->age);
	return pgio_query(conn, sql, 2, params, &s->attached, e);
}

void snapshot_count(struct snapshot *s, const struct json *state)
{
	if (!json_int(json_get(state, "generation"), &s->generation))
		s->generation = 0;
	s->generation += !s->since;
}

int snapshot_since(struct snapshot *s, PGconn *conn, const struct json *state, struct err *e)
{
	struct pgsnapshot then;
	const char *why;
	int rc = snapshot_check_state(state, e);

	if (rc != OK)
		return rc;
	pgsnapshot_parse(json_string(json_get(state, "snapshot")), &then);
	why = unusable(s, state, &then);
	if (why && s->standby && then.xmax > s->at.xmax && same(state, "system", s->system)) {
		err_set(e, TRY_LATER, "the standby has not come as far as the state yet");
		return err_hint(e, TRY_LATER, "Run again later, or read from the primary.");
	}
	if (why)
		log_notice("the state %s: extracting all rows", why);
	else
		s->since = state;
	snapshot_count(s, state);
	if (!why && (rc = read_age(conn, then.xmin, &s->age, e)) == OK)
		rc = read_attached(s, conn, e);
	return rc;
}

/* --- tables --- */

static const char *attached(const struct snapshot *s, const char *table)
{
	for (int i = 0; s->attached && i < PQntuples(s->attached); i++)
		if (strcmp(pgio_value(s->attached, i, 0), table) == 0)
			return pgio_value(s->attached, i, 1);
	return NULL;
}

/* Tells whether it still is the same table, and has the columns it had. */
static void fingerprint(const struct wire_table *t, char text[26])
{
	uint64_t h = 0;

	for (size_t i = 0; i < t->column_count; i++)
		h = str_hash(str_of(t->columns[i].type_name),
			     str_hash(str_of(t->columns[i].name), h));
	snprintf(text, 26, "%08x-%016llx", t->oid, (unsigned long long)h);
}

/* Tables to read whole: those asked for, and those whose rows have no xmin of this cluster, views
 * and what is kept elsewhere. */
static const char whole_sql[] =
	"SELECT unnest($2::text[]) UNION ALL"
	" SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE n.nspname = $1 AND (c.relkind IN ('v', 'f') OR c.relkind = 'p' AND EXISTS ("
	"   SELECT FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid"
	"    WHERE l.relkind = 'f'))";

static bool listed(const PGresult *res, const char *name)
{
	for (int i = 0; i < PQntuples(res); i++)
		if (strcmp(pgio_value(res, i, 0), name) == 0)
			return true;
	return false;
}

static bool unchanged(const struct snapshot *s, const struct wire_table *t)
{
	const char *was = json_string(json_get(json_get(s->since, "tables"), t->name));
	char now[26];
	const char *why;

	fingerprint(t, now);
	if (was && strcmp(was, now) == 0)
		return true;
	why = !was			     ? "is not in the state" :
	      strncmp(was, now, 8) != 0	     ? "is another than the one in the state" :
					       "has other columns than in the state";
	log_notice("table \"%s\" %s: extracting all its rows", t->name, why);
	return false;
}

int snapshot_modes(const struct snapshot *s, PGconn *conn, const struct catalog *c,
		   const char *const *full, size_t full_count, struct err *e)
{
	const char *params[] = { s->schema, NULL };
	struct buf names = { 0 };
	PGresult *whole;
	int rc;

	for (size_t i = 0; i < full_count; i++)
		if (!catalog_find(c, full[i]))
			return err_set(e, USAGE, "--full %s is none of the tables to extract",
				       full[i]);
	if (!s->since)
		return OK;
	pg_add_array(&names, full, full_count);
	params[1] = names.data;
	rc = pgio_query(conn, whole_sql, 2, params, &whole, e);
	buf_release(&names);
	if (rc != OK)
		return rc;
	for (size_t i = 0; i < c->count; i++)
		if (!listed(whole, c->tables[i]->name) && unchanged(s, c->tables[i]))
			c->tables[i]->mode = WIRE_CHANGES;
	PQclear(whole);
	return OK;
}

static const struct wire_column *cursor_of(const struct snapshot *s, const struct wire_table *t)
{
	size_t i = s->cursor ? wire_column_index(t, str_of(s->cursor)) : t->column_count;

	return i < t->column_count ? &t->columns[i] : NULL;
}

static bool is_time(const struct wire_column *c)
{
	return !c->type.array && (c->type.base == PG_DATE || c->type.base == PG_TIMESTAMP ||
				  c->type.base == PG_TIMESTAMPTZ);
}

static bool is_number(const struct wire_column *c)
{
	return !c->type.array && c->type.base >= PG_INT2 && c->type.base <= PG_NUMERIC;
}

/* "column" >= newest - overlap: what an index can find. It only narrows where to look, the xmin
 * decides. */
static int add_cursor(const struct snapshot *s, const struct wire_table *t,
		      const struct wire_column *c, struct buf *sql, struct err *e)
{
	const char *newest =
		json_string(json_get(json_get(json_get(s->since, "cursors"), t->name), c->name));

	if (!newest)
		return OK;
	if (!s->overlap && !is_time(c)) {
		err_set(e, USAGE, "table \"%s\": --cursor %s is of type %s", t->name, c->name,
			c->type_name);
		return err_hint(e, USAGE, "Say with --overlap how far back to look, in its units.");
	}
	buf_addz(sql, " AND (");
	pg_add_ident(sql, str_of(c->name));
	buf_addz(sql, " >= ");
	pg_add_literal(sql, str_of(newest));
	buf_addz(sql, "::");
	pg_type_add_sql(sql, str_of(c->type_name));
	buf_addz(sql, " - ");
	pg_add_literal(sql, str_of(s->overlap ? s->overlap : "1 day"));
	buf_addz(sql, is_time(c) ? "::interval" : "::numeric");
	if (!c->notnull) {
		buf_addz(sql, " OR ");
		pg_add_ident(sql, str_of(c->name));
		buf_addz(sql, " IS NULL");
	}
	buf_addch(sql, ')');
	return OK;
}

/* Nearly every row is old, so that the first comparison decides. */
int snapshot_add_filter(const struct snapshot *s, const struct wire_table *t, struct buf *sql,
			struct err *e)
{
	const struct wire_column *c = cursor_of(s, t);
	const char *whole = attached(s, t->name);
	int rc = OK;

	buf_addf(sql, " WHERE age(xmin) <= %lld AND age(xmin) >= 0", (long long)s->age);
	if (c)
		rc = add_cursor(s, t, c, sql, e);
	if (whole) {
		buf_addz(sql, " OR tableoid = ANY (");
		pg_add_literal(sql, str_of(whole));
		buf_addch(sql, ')');
	}
	return rc;
}

/* --- the state --- */

/* The greatest value of the cursor, but not one of the future: a single wrong date would hide all
 * rows below it for years. */
static int add_newest(const struct snapshot *s, PGconn *conn, const struct wire_table *t,
		      const struct wire_column *c, struct buf *state, struct err *e)
{
	struct buf sql = { 0 };
	PGresult *res;
	int rc;

	if (!is_time(c) && !is_number(c))
		return err_set(e, USAGE,
			       "table \"%s\": --cursor %s is of type %s, neither a time nor a "
			       "number",
			       t->name, c->name, c->type_name);
	buf_addz(&sql, is_time(c) ? "SELECT least(max(" : "SELECT (max(");
	pg_add_ident(&sql, str_of(c->name));
	buf_addz(&sql, is_time(c) ? "), now()::" : ")");
	if (is_time(c))
		pg_type_add_sql(&sql, str_of(c->type_name));
	buf_addz(&sql, ")::text FROM ");
	pg_add_qualified(&sql, s->schema, t->name);
	buf_addz(&sql, " HAVING max(");
	pg_add_ident(&sql, str_of(c->name));
	buf_addz(&sql, ") IS NOT NULL"); /* least() would give now() for an empty table */
	rc = pgio_exec(conn, sql.data, &res, e);
	buf_release(&sql);
	if (rc != OK)
		return err_wrap(e, rc, "table \"%s\"", t->name);
	buf_addch(state, '{');
	if (PQntuples(res)) {
		json_add_string(state, str_of(c->name));
		buf_addch(state, ':');
		json_add_string(state, str_of(pgio_value(res, 0, 0)));
	}
	buf_addch(state, '}');
	PQclear(res);
	return OK;
}

static void add_member(struct buf *state, const char *lead, const char *value)
{
	buf_addz(state, lead);
	json_add_string(state, str_of(value));
}

void snapshot_add_place(const struct snapshot *s, struct buf *state)
{
	add_member(state, "{\"source\":\"postgresql\",\"system\":", s->system);
	buf_addf(state, ",\"timeline\":%lld", (long long)s->timeline);
	add_member(state, ",\"database\":", s->database);
	add_member(state, ",\"schema\":", s->schema);
	if (s->generation)
		buf_addf(state, ",\"generation\":%lld", (long long)s->generation);
}

void snapshot_add_tables(const struct catalog *c, struct buf *state)
{
	char text[26];

	buf_addz(state, ",\"tables\":{");
	for (size_t i = 0; i < c->count; i++) {
		fingerprint(c->tables[i], text);
		add_member(state, i ? "," : "", c->tables[i]->name);
		add_member(state, ":", text);
	}
	buf_addch(state, '}');
}

int snapshot_add_state(const struct snapshot *s, PGconn *conn, const struct catalog *c,
		       struct buf *state, struct err *e)
{
	size_t cursors = 0;
	int rc = OK;

	snapshot_add_place(s, state);
	add_member(state, ",\"snapshot\":", s->text);
	if (s->since)
		add_member(state, ",\"since\":", json_string(json_get(s->since, "snapshot")));
	snapshot_add_tables(c, state);
	for (size_t i = 0; i < c->count && rc == OK; i++) {
		const struct wire_column *column = cursor_of(s, c->tables[i]);

		if (!column)
			continue;
		add_member(state, cursors++ ? "," : ",\"cursors\":{", c->tables[i]->name);
		buf_addch(state, ':');
		rc = add_newest(s, conn, c->tables[i], column, state, e);
	}
	buf_addz(state, cursors ? "}}" : "}");
	if (rc == OK && s->cursor && !cursors)
		rc = err_set(e, USAGE, "no table has a column \"%s\"", s->cursor);
	return rc;
}
