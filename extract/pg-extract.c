/* pg-extract - read tables of a PostgreSQL database as framed JSON Lines */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "catalog.h"
#include "changes.h"
#include "copy_read.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "opt.h"
#include "out.h"
#include "pgio.h"
#include "progress.h"
#include "publication.h"
#include "slot.h"
#include "snapshot.h"
#include "state.h"
#include "wire.h"

static const char *dbname, *schema = "public", *query, *query_table;
static const char *state_file, *cursor, *overlap, *slot_name, *publication;
static bool bare;
static struct opt_list excluded, full;
static uint64_t max_row = WIRE_MAX_ROW;

static const struct opt opts[] = {
	{ 'd', "dbname", "conninfo", OPT_STRING, &dbname,
	  "connection string or URI (else the PG* variables)" },
	{ 0, "schema", "name", OPT_STRING, &schema, "schema of the tables (default public)" },
	{ 0, "exclude", "table", OPT_LIST, &excluded, "leave this table out; may be repeated" },
	{ 0, "state", "file", OPT_STRING, &state_file,
	  "read what changed since this state, which a loader wrote" },
	{ 0, "full", "table", OPT_LIST, &full,
	  "read all rows of this table in spite of the state; may be repeated" },
	{ 0, "cursor", "column", OPT_STRING, &cursor,
	  "look for changes by this column's index where a table has it" },
	{ 0, "overlap", "interval", OPT_STRING, &overlap,
	  "how far the cursor may run behind (default 1 day)" },
	{ 0, "slot", "name", OPT_STRING, &slot_name,
	  "read changes and deletes from this logical replication slot, which is made if need be" },
	{ 0, "publication", "name", OPT_STRING, &publication,
	  "what the slot reads (default the slot's name)" },
	{ 'q', "query", "sql", OPT_STRING, &query,
	  "read the rows of this query instead of tables" },
	{ 0, "table", "name", OPT_STRING, &query_table, "the table that the query's rows are of" },
	{ 0, "rows", NULL, OPT_FLAG, &bare, "bare rows without a frame, of one table" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"pg-extract",
	"[-d conninfo] [--schema name] [--exclude table] [--max-row size]\n"
	" [--state file [--full table] [--cursor column [--overlap interval]]] [table ...]\n"
	"[-d conninfo] [--schema name] [--exclude table] [--max-row size]\n"
	" --slot name [--publication name] --state file [--full table] [table ...]\n"
	"[-d conninfo] [--schema name] [--max-row size] --rows table\n"
	"[-d conninfo] [--schema name] [--max-row size] [--rows] -q sql --table name",
	"Reads tables of a PostgreSQL database, in one snapshot, as framed JSON Lines.", opts
};

struct extract {
	PGconn *conn;
	struct catalog catalog;
	struct snapshot snapshot;
	struct slot slot;
	struct publication publication; /* of --slot */
	struct json *since; /* --state, or NULL for a first run */
	struct out out;
};

/* --- rows --- */

/* libpq reads a row whole, whatever its length: bound what it may allocate, so that a row beyond
 * the limit is an error and not the end of a small container. It asks for up to twice the row. */
static void bound_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) == 0 && max_row < (uint64_t)1 << 40) {
		limit.rlim_cur = (rlim_t)(4 * max_row + ((uint64_t)256 << 20));
		if (limit.rlim_max == RLIM_INFINITY || limit.rlim_cur < limit.rlim_max)
			setrlimit(RLIMIT_DATA, &limit);
	}
#endif
}

static int too_long(const struct wire_table *t, struct err *e)
{
	err_set(e, BAD_DATA, "row %llu of table \"%s\" is longer than %llu bytes",
		(unsigned long long)t->rows + 1, t->name, (unsigned long long)max_row);
	return err_hint(e, BAD_DATA, "Raise --max-row, or leave the column out with --query.");
}

/* One line of COPY as one line of JSON. */
static int add_row(struct buf *b, const struct wire_table *t, struct str line, struct err *e)
{
	const char *p = line.data, *end = line.data + line.len;
	int rc = OK;

	for (size_t c = 0; c < t->column_count && rc == OK; c++) {
		const char *tab =
			c + 1 < t->column_count ? memchr(p, '\t', (size_t)(end - p)) : end;

		if (!tab)
			return err_set(e, FAILED, "the server sent too few columns");
		buf_addstr(b, t->prefix[c]);
		rc = copy_read(b, &t->columns[c].type, (struct str){ p, (size_t)(tab - p) }, e);
		if (rc != OK)
			return err_wrap(e, rc, "table \"%s\": row %llu: column \"%s\"", t->name,
					(unsigned long long)t->rows + 1, t->columns[c].name);
		p = tab + 1;
	}
	buf_addz(b, t->column_count ? "}\n" : "{}\n");
	return OK;
}

static int add_select(const struct extract *x, struct buf *sql, const struct wire_table *t,
		      struct err *e)
{
	int rc = OK;

	buf_addz(sql, "COPY (");
	if (query) {
		size_t len = strlen(query);

		while (len && strchr("; \t\r\n", query[len - 1]))
			len--;
		buf_add(sql, query, len);
		buf_addch(sql, '\n'); /* a comment may end it */
	} else {
		catalog_add_select(sql, t);
		pg_add_qualified(sql, schema, t->name);
		if (t->mode == WIRE_CHANGES)
			rc = snapshot_add_filter(&x->snapshot, t, sql, e);
	}
	buf_addz(sql, ") TO STDOUT");
	return rc;
}

static int copy_ended(struct extract *x, const struct wire_table *t, int got, struct err *e)
{
	PGresult *res = PQgetResult(x->conn);
	char what[200];
	int rc = OK;

	snprintf(what, sizeof(what), "read table \"%.128s\"", t->name);
	if (got == -2 && (strstr(PQerrorMessage(x->conn), "message type \"d\"") ||
			  strstr(PQerrorMessage(x->conn), "memory")))
		rc = too_long(t, e); /* libpq could not allocate the row */
	else if (got == -2 || PQresultStatus(res) != PGRES_COMMAND_OK)
		rc = pgio_failed(x->conn, res, e, what);
	PQclear(res);
	/* after a failure the COPY may go on for ever: libpq has given up on a row, the server has
	 * not */
	while (rc == OK && (res = PQgetResult(x->conn)))
		PQclear(res);
	return rc;
}

static int copy_rows(struct extract *x, struct wire_table *t, const char *copy, struct err *e)
{
	PGresult *res = pgio_one(x->conn, copy);
	int rc = OK, got;
	char *row;

	if (PQresultStatus(res) != PGRES_COPY_OUT) {
		rc = pgio_failed(x->conn, res, e, "read the rows");
		PQclear(res);
		return err_wrap(e, rc, "table \"%s\"", t->name);
	}
	PQclear(res);
	while ((got = PQgetCopyData(x->conn, &row, 0)) > 0) {
		size_t start = x->out.buf.len, len = (size_t)got;

		if (len && row[len - 1] == '\n')
			len--;
		if (len > max_row)
			rc = too_long(t, e);
		else
			rc = add_row(&x->out.buf, t, (struct str){ row, len }, e);
		PQfreemem(row);
		if (rc == OK && x->out.buf.len - start > max_row + 1)
			rc = too_long(t, e);
		if (rc != OK) {
			x->out.buf.len = start;
			return rc;
		}
		t->rows++;
		progress_add(1, x->out.buf.len - start);
		if ((rc = out_more(&x->out, e)) != OK)
			return rc;
	}
	return copy_ended(x, t, got, e);
}

/* What of the table is published, relation by relation. */
static int copy_published(struct extract *x, struct wire_table *t, struct err *e)
{
	struct buf sql = { 0 };
	int rc = OK;

	for (size_t i = 0; i < x->publication.count && rc == OK; i++) {
		const struct published *r = &x->publication.relations[i];

		if (r->table != t)
			continue;
		buf_reset(&sql);
		buf_addz(&sql, "COPY (");
		publication_add_select(&sql, r);
		buf_addz(&sql, ") TO STDOUT");
		rc = copy_rows(x, t, sql.data, e);
	}
	buf_release(&sql);
	return rc;
}

static int copy_table(struct extract *x, struct wire_table *t, struct err *e)
{
	struct buf sql = { 0 };
	int rc;

	if (slot_name)
		return copy_published(x, t, e);
	rc = query ? catalog_look_in(x->conn, schema, e) : OK;
	if (rc == OK && (rc = add_select(x, &sql, t, e)) == OK)
		rc = copy_rows(x, t, sql.data, e);
	buf_release(&sql);
	return rc;
}

/* --- the stream --- */

/* Changes, and what was deleted from tables that are read whole behind them, for which the
 * transaction stays open. */
static int read_slot(struct extract *x, struct err *e)
{
	bool whole = false;
	int rc = OK;

	for (size_t i = 0; i < x->catalog.count; i++)
		whole = whole || x->catalog.tables[i]->mode == WIRE_FULL;
	if (!whole)
		rc = pgio_exec(x->conn, "COMMIT", NULL, e);
	if (rc == OK)
		rc = changes_read(&x->slot, x->conn, &x->publication, &x->out, max_row, e);
	return rc;
}

/* All tables are announced before the first row, so that a reader can plan its joins. */
static int extract_all(struct extract *x, struct err *e)
{
	static const struct catalog none;
	struct catalog *c = &x->catalog;
	struct buf state = { 0 };
	int rc = OK;

	if (!slot_name)
		rc = snapshot_add_state(&x->snapshot, x->conn, query ? &none : c, &state, e);
	for (size_t i = 0; i < c->count && rc == OK && !bare; i++)
		wire_add_table(&x->out.buf, c->tables[i]);
	if (rc == OK && slot_name && !x->slot.fresh)
		rc = read_slot(x, e);
	for (size_t i = 0; i < c->count && rc == OK; i++) {
		if (slot_name && c->tables[i]->mode == WIRE_CHANGES)
			continue;
		if (!bare && c->count > 1)
			wire_add_switch(&x->out.buf, c->tables[i]);
		rc = copy_table(x, c->tables[i], e);
	}
	if (rc == OK && slot_name)
		slot_add_state(&x->slot, c, &state);
	if (rc == OK && !bare) {
		wire_add_state(&x->out.buf, buf_str(&state));
		wire_add_end(&x->out.buf, c->tables, c->count);
	}
	buf_release(&state);
	return rc;
}

static int read_catalog(struct extract *x, char **tables, size_t count, struct err *e)
{
	int rc;

	if (query)
		return catalog_of_query(x->conn, schema, query, query_table, &x->catalog, e);
	/* a mistyped name would let out what was to be left out */
	rc = catalog_check_names(x->conn, schema, excluded.items, excluded.count, e);
	if (rc != OK)
		return rc;
	if (slot_name)
		rc = publication_read(x->conn, publication, schema, (const char *const *)tables,
				      count, excluded.items, excluded.count, &x->catalog,
				      &x->publication, e);
	else
		rc = catalog_read(x->conn, schema, (const char *const *)tables, count,
				  excluded.items, excluded.count, &x->catalog, e);
	if (rc != OK)
		return rc;
	if (bare && x->catalog.count != 1) {
		err_set(e, USAGE, "--rows takes one table, there are %zu", x->catalog.count);
		return err_hint(e, USAGE,
				"Name one, or leave --rows out: the frame tells tables apart.");
	}
	if (x->catalog.count == 0) {
		err_set(e, FAILED, "schema \"%s\" has no tables that this role can see", schema);
		return err_hint(e, FAILED, "Name another with --schema.");
	}
	rc = snapshot_modes(&x->snapshot, x->conn, &x->catalog, full.items, full.count, e);
	if (rc == OK && !x->snapshot.since)
		progress_expect((uint64_t)x->catalog.rows);
	return rc;
}

/* Begin where the last run ended, if there was one. */
static int begin(struct extract *x, struct err *e)
{
	int rc = state_file ? state_read(state_file, &x->since, e) : OK;

	if (rc != OK)
		return rc;
	if (state_file && !x->since)
		log_notice("no state yet: a first run, extracting all rows");
	if (slot_name)
		rc = slot_open(&x->slot, dbname, x->conn, schema, x->since, &x->snapshot, e);
	else if ((rc = snapshot_begin(&x->snapshot, x->conn, schema, NULL, e)) == OK && x->since)
		rc = snapshot_since(&x->snapshot, x->conn, x->since, e);
	return rc == BAD_DATA ? err_wrap(e, rc, "%s", state_file) : rc;
}

static int work(struct extract *x, char **tables, size_t count, struct err *e)
{
	int rc;

	x->snapshot = (struct snapshot){ .cursor = cursor, .overlap = overlap };
	x->slot = (struct slot){ .name = slot_name, .publication = publication };
	bound_memory();
	/* all but a slot's run is one transaction, so any pooler will do */
	rc = slot_name ? pgio_connect(dbname, &x->conn, e) :
			 pgio_connect_unset(dbname, &x->conn, e);
	if (rc != OK || (rc = begin(x, e)) != OK ||
	    (rc = read_catalog(x, tables, count, e)) != OK)
		return rc;
	if ((rc = extract_all(x, e)) != OK) {
		struct err second;

		/* what was read stands; without @end nobody takes it for the whole */
		out_flush(&x->out, &second);
		return rc;
	}
	return out_close(&x->out, e);
}

static void say_done(const struct extract *x)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < x->catalog.count; i++)
		rows += x->catalog.tables[i]->rows;
	log_info("read %llu rows (%llu bytes) in %.1f s", (unsigned long long)rows,
		 (unsigned long long)x->out.bytes, progress_seconds());
}

static int check_options(int tables, struct err *e)
{
	if (query && (tables || excluded.count))
		return opt_misuse(e, "--query takes no tables");
	if (query && !query_table && bare)
		query_table = "query"; /* bare rows have no name */
	if (!query != !query_table)
		return opt_misuse(e, "--query and --table go together");
	if (state_file && (query || bare))
		return opt_misuse(e, "--state goes with a frame of tables, not with --%s",
				  query ? "query" : "rows");
	if ((full.count || cursor) && !state_file)
		return opt_misuse(e, "--%s goes with --state", cursor ? "cursor" : "full");
	if (slot_name && (!state_file || cursor))
		return opt_misuse(e, "--slot goes with --state, and not with --cursor");
	if (publication && !slot_name)
		return opt_misuse(e, "--publication goes with --slot");
	if (!publication)
		publication = slot_name;
	if (overlap && !cursor)
		return opt_misuse(e, "--overlap goes with --cursor");
	return OK;
}

static int run(int argc, char **argv, struct err *e)
{
	struct extract x = { 0 };
	int operand, rc = opt_parse(&tool, argc, argv, &operand, e);

	if (rc != OK || (rc = check_options(argc - operand, e)) != OK)
		return rc;
	out_init(&x.out, STDOUT_FILENO, "standard output");
	rc = work(&x, argv + operand, (size_t)(argc - operand), e);
	progress_clear();
	if (rc == OK)
		say_done(&x);
	slot_release(&x.slot);
	PQfinish(x.conn);
	publication_release(&x.publication);
	catalog_release(&x.catalog);
	snapshot_release(&x.snapshot);
	json_free(x.since);
	out_release(&x.out);
	free(excluded.items);
	free(full.items);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
