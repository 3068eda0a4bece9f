/* catalog - the tables of a PostgreSQL schema */
#include "catalog.h"

#include <stdlib.h>

#include "mem.h"

/* The wire's name of a type, for a type's oid and modifier in alias x(oid, mod). A domain becomes
 * its base; an array of something user-made an array of text, or, where its elements stand apart by
 * something else than commas, the text of all of it. */
#define TYPE_NAME \
	"(WITH RECURSIVE base(oid, mod) AS (" \
	"   SELECT x.oid, x.mod" \
	"   UNION ALL" \
	"   SELECT t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.mod END" \
	"     FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')," \
	" leaf AS (SELECT format_type(t.oid, b.mod) AS full_name," \
	"     e.oid IS NOT NULL AND (e.typdelim = ',' OR e.oid = 'box'::regtype) AS is_array," \
	"     coalesce(e.typname, t.typname) AS name, coalesce(e.typtype, t.typtype) AS type," \
	"     coalesce(e.typnamespace, t.typnamespace) AS schema" \
	"   FROM base b JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'" \
	"   LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' AND t.typlen = -1" \
	"        AND t.typname NOT IN ('int2vector', 'oidvector'))" \
	" SELECT CASE WHEN schema <> 'pg_catalog'::regnamespace OR type NOT IN ('b', 'r', 'm')" \
	"             THEN 'text'" \
	"             WHEN name = 'interval' THEN regexp_replace(full_name, '\\[\\]$', '')" \
	"             ELSE name || coalesce(substring(full_name from '\\([-0-9,]*\\)'), '')" \
	"        END || CASE WHEN is_array THEN '[]' ELSE '' END FROM leaf)"

static const char tables_sql[] =
	"SELECT c.oid, c.relname, greatest(c.reltuples, 0)"
	"  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE n.nspname = $1 AND CASE WHEN $2::text[] = '{}'"
	"   THEN c.relkind IN ('r', 'p') AND NOT c.relispartition AND left(c.relname, 1) <> '_'"
	"   ELSE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY($2::text[]) END"
	"   AND c.relname <> ALL($3::text[])"
	" ORDER BY c.relname COLLATE \"C\"";

static const char columns_sql[] =
	"SELECT a.attname, " TYPE_NAME ", a.attnotnull"
	"  FROM pg_attribute a, LATERAL (SELECT a.atttypid AS oid, a.atttypmod AS mod) x"
	" WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/* The primary key, else the index that the replica identity names. */
static const char key_sql[] =
	"SELECT a.attname FROM (SELECT indexrelid, indkey, indnkeyatts FROM pg_index"
	"   WHERE indrelid = $1::oid AND (indisprimary OR indisreplident)"
	"   ORDER BY indisprimary DESC LIMIT 1) i"
	"  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)"
	"  JOIN pg_attribute a ON a.attrelid = $1::oid AND a.attnum = k.attnum"
	" WHERE k.n <= i.indnkeyatts ORDER BY k.n";

static const char foreign_sql[] =
	"SELECT f.conname, p.relname, a.attname, b.attname"
	"  FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid"
	"  CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(own, parent, n)"
	"  JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own"
	"  JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.parent"
	" WHERE f.contype = 'f' AND f.conrelid = $1::oid"
	"   AND p.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = $1::oid)"
	" ORDER BY f.conname, f.oid, k.n";

/* --- one table --- */

/* A server that names types as none does must not make a stream that no reader takes. */
static int check_type(const struct wire_table *t, const struct wire_column *c, struct err *e)
{
	const char *why = pg_type_problem(str_of(c->type_name));

	if (!why)
		return OK;
	return err_set(e, BAD_DATA, "table \"%s\": column \"%s\": type \"%s\" %s", t->name, c->name,
		       c->type_name, why);
}

static int read_columns(PGconn *conn, const char *oid, struct wire_table *t, struct err *e)
{
	PGresult *res;
	int rc = pgio_query(conn, columns_sql, 1, &oid, &res, e);

	if (rc != OK)
		return rc;
	t->column_count = (size_t)PQntuples(res);
	t->columns = xcalloc(t->column_count, sizeof(*t->columns));
	for (int i = 0; i < PQntuples(res); i++) {
		t->columns[i] = (struct wire_column){ .name = xstrdup(pgio_value(res, i, 0)),
						      .type_name = xstrdup(pgio_value(res, i, 1)),
						      .notnull = *pgio_value(res, i, 2) == 't' };
		if (rc == OK)
			rc = check_type(t, &t->columns[i], e);
	}
	PQclear(res);
	return rc;
}

static int read_key(PGconn *conn, const char *oid, struct wire_table *t, struct err *e)
{
	PGresult *res;
	int rc = pgio_query(conn, key_sql, 1, &oid, &res, e);

	if (rc != OK)
		return rc;
	t->key = xcalloc((size_t)PQntuples(res), sizeof(*t->key));
	for (int i = 0; i < PQntuples(res) && rc == OK; i++) {
		size_t c = wire_column_index(t, str_of(pgio_value(res, i, 0)));

		if (c == t->column_count)
			rc = err_set(e, FAILED, "the key of table \"%s\" is none of its columns",
				     t->name);
		else
			t->key[t->key_count++] = c;
	}
	PQclear(res);
	return rc;
}

static int read_foreign(PGconn *conn, const char *oid, struct wire_table *t, struct err *e)
{
	PGresult *res;
	const char *last = "";
	int rc = pgio_query(conn, foreign_sql, 1, &oid, &res, e);

	if (rc != OK)
		return rc;
	t->foreign = xcalloc((size_t)PQntuples(res), sizeof(*t->foreign));
	for (int i = 0; i < PQntuples(res); i++) {
		struct wire_foreign *f;

		if (strcmp(last, pgio_value(res, i, 0)) != 0) {
			f = &t->foreign[t->foreign_count++];
			f->table = xstrdup(pgio_value(res, i, 1));
			last = pgio_value(res, i, 0);
		}
		f = &t->foreign[t->foreign_count - 1];
		f->columns = xrealloc(f->columns, (f->count + 1) * sizeof(char *));
		f->parent_columns = xrealloc(f->parent_columns, (f->count + 1) * sizeof(char *));
		f->columns[f->count] = xstrdup(pgio_value(res, i, 2));
		f->parent_columns[f->count++] = xstrdup(pgio_value(res, i, 3));
	}
	PQclear(res);
	return OK;
}

/* --- the set --- */

struct wire_table *catalog_find(const struct catalog *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->tables[i]->name, name) == 0)
			return c->tables[i];
	return NULL;
}

/* A key into a table that is not in the stream says nothing to a reader of the stream. */
static void drop_outside(struct catalog *c, struct wire_table *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->foreign_count; i++) {
		struct wire_foreign f = t->foreign[i];

		if (catalog_find(c, f.table)) {
			t->foreign[kept++] = f;
			continue;
		}
		for (size_t k = 0; k < f.count; k++) {
			free(f.columns[k]);
			free(f.parent_columns[k]);
		}
		free(f.columns);
		free(f.parent_columns);
		free(f.table);
	}
	t->foreign_count = kept;
}

/* Depth first along the foreign keys; a cycle is cut where it was entered. */
static void place(struct catalog *c, struct wire_table *t, char *state, struct wire_table **out,
		  size_t *n)
{
	if (state[t->index])
		return;
	state[t->index] = 1;
	for (size_t i = 0; i < t->foreign_count; i++)
		place(c, catalog_find(c, t->foreign[i].table), state, out, n);
	out[(*n)++] = t;
}

static void sort_parents_first(struct catalog *c)
{
	struct wire_table **out = xcalloc(c->count, sizeof(*out));
	char *state = xcalloc(c->count, 1);
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		c->tables[i]->index = i;
	for (size_t i = 0; i < c->count; i++)
		place(c, c->tables[i], state, out, &n);
	for (size_t i = 0; i < c->count; i++)
		out[i]->index = i;
	free(state);
	free(c->tables);
	c->tables = out;
}

static int missing(PGconn *conn, const char *schema, const char *name, struct err *e)
{
	const char *params[] = { schema, name };
	PGresult *res = NULL;
	struct err ignored;

	err_set(e, FAILED, "table \"%s\" is not in schema \"%s\"", name, schema);
	if (pgio_query(conn,
		       "SELECT string_agg(relname, ', ' ORDER BY relname)"
		       "  || CASE WHEN max(n) > 12 THEN format(' and %s more', max(n) - 12)"
		       "       ELSE '' END"
		       "  FROM (SELECT relname, count(*) OVER () AS n FROM pg_class"
		       "  WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)"
		       "    AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition"
		       "  ORDER BY lower(relname) <> lower($2), relname LIMIT 12) t",
		       2, params, &res, &ignored) == OK) {
		if (PQgetisnull(res, 0, 0))
			err_hint(e, FAILED,
				 "The schema has no tables, or there is none of that name: see "
				 "--schema.");
		else
			err_hint(e, FAILED, "There are: %s.", pgio_value(res, 0, 0));
		PQclear(res);
	}
	return FAILED;
}

int catalog_check_names(PGconn *conn, const char *schema, const char *const *names, size_t count,
			struct err *e)
{
	struct buf array = { 0 };
	PGresult *res = NULL;
	const char *params[] = { schema, NULL };
	int rc;

	pg_add_array(&array, names, count);
	params[1] = array.data;
	rc = pgio_query(conn,
			"SELECT name FROM unnest($2::text[]) AS name WHERE NOT EXISTS (SELECT "
			"FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace "
			"WHERE nspname = $1 AND relname = name) LIMIT 1",
			2, params, &res, e);
	if (rc == OK && PQntuples(res) > 0)
		rc = missing(conn, schema, pgio_value(res, 0, 0), e);
	PQclear(res);
	buf_release(&array);
	return rc;
}

int catalog_read(PGconn *conn, const char *schema, const char *const *names, size_t count,
		 const char *const *except, size_t except_count, struct catalog *c, struct err *e)
{
	struct buf wanted = { 0 }, left_out = { 0 };
	PGresult *res = NULL;
	const char *params[3];
	int rc;

	pg_add_array(&wanted, names, count);
	pg_add_array(&left_out, except, except_count);
	params[0] = schema;
	params[1] = wanted.data;
	params[2] = left_out.data;
	rc = pgio_query(conn, tables_sql, 3, params, &res, e);
	if (rc != OK)
		goto done;
	c->tables = xcalloc((size_t)PQntuples(res) + 1, sizeof(*c->tables));
	for (int i = 0; i < PQntuples(res) && rc == OK; i++) {
		struct wire_table *t = c->tables[c->count++] = xcalloc(1, sizeof(*t));
		const char *oid = pgio_value(res, i, 0);

		t->name = xstrdup(pgio_value(res, i, 1));
		t->oid = (uint32_t)strtoul(oid, NULL, 10);
		c->rows += strtod(pgio_value(res, i, 2), NULL);
		if ((rc = read_columns(conn, oid, t, e)) == OK &&
		    (rc = read_key(conn, oid, t, e)) == OK)
			rc = read_foreign(conn, oid, t, e);
		wire_table_finish(t);
	}
	for (size_t i = 0; i < count && rc == OK; i++)
		if (!catalog_find(c, names[i]))
			rc = missing(conn, schema, names[i], e);
	for (size_t i = 0; i < c->count && rc == OK; i++)
		drop_outside(c, c->tables[i]);
	if (rc == OK)
		sort_parents_first(c);
done:
	PQclear(res);
	buf_release(&wanted);
	buf_release(&left_out);
	return rc;
}

/* --- a query --- */

static int type_of(PGconn *conn, Oid oid, int mod, char **name, struct err *e)
{
	char oid_text[16], mod_text[16];
	const char *params[] = { oid_text, mod_text };
	PGresult *res;
	int rc;

	snprintf(oid_text, sizeof(oid_text), "%u", oid);
	snprintf(mod_text, sizeof(mod_text), "%d", mod);
	rc = pgio_query(conn,
			"SELECT " TYPE_NAME " FROM (SELECT $1::oid AS oid, $2::int4 AS mod) x", 2,
			params, &res, e);
	if (rc != OK)
		return rc;
	*name = xstrdup(pgio_value(res, 0, 0));
	PQclear(res);
	return OK;
}

int catalog_look_in(PGconn *conn, const char *schema, struct err *e)
{
	struct buf sql = { 0 };
	int rc;

	buf_addz(&sql, "SET LOCAL search_path = pg_catalog, ");
	pg_add_ident(&sql, str_of(schema));
	buf_addz(&sql, ", pg_temp");
	rc = pgio_exec(conn, sql.data, NULL, e);
	buf_release(&sql);
	return rc;
}

int catalog_of_query(PGconn *conn, const char *schema, const char *sql, const char *name,
		     struct catalog *c, struct err *e)
{
	struct wire_table *t = xcalloc(1, sizeof(*t));
	PGresult *res = NULL, *about = NULL;
	int rc = catalog_look_in(conn, schema, e);

	c->tables = xcalloc(1, sizeof(*c->tables));
	c->tables[c->count++] = t;
	t->name = xstrdup(name);
	if (rc != OK)
		goto done;
	res = PQprepare(conn, "", sql, 0, NULL);
	if (PQresultStatus(res) == PGRES_COMMAND_OK)
		about = PQdescribePrepared(conn, "");
	if (!about || PQresultStatus(about) != PGRES_COMMAND_OK) {
		rc = pgio_failed(conn, about ? about : res, e, "prepare the query");
		goto done;
	}
	if ((rc = pgio_exec(conn, "SET LOCAL search_path = pg_catalog, pg_temp", NULL, e)) != OK)
		goto done;
	if (PQnfields(about) == 0) {
		rc = err_set(e, USAGE,
			     "the query gives no rows: it must be a SELECT, VALUES, TABLE or WITH");
		goto done;
	}
	t->columns = xcalloc((size_t)PQnfields(about), sizeof(*t->columns));
	for (int i = 0; i < PQnfields(about) && rc == OK; i++) {
		struct wire_column *col = &t->columns[t->column_count++];

		col->name = xstrdup(PQfname(about, i));
		if (wire_column_index(t, str_of(col->name)) < t->column_count - 1)
			rc = err_set(e, USAGE, "the query gives two columns named \"%s\"",
				     col->name);
		else
			rc = type_of(conn, PQftype(about, i), PQfmod(about, i), &col->type_name, e);
		if (rc == OK)
			rc = check_type(t, col, e);
	}
	if (rc == OK)
		wire_table_finish(t);
done:
	PQclear(res);
	PQclear(about);
	return rc;
}

void catalog_add_select(struct buf *sql, const struct wire_table *t)
{
	buf_addz(sql, "SELECT ");
	for (size_t i = 0; i < t->column_count; i++) {
		buf_addz(sql, i ? "," : "");
		pg_add_ident(sql, str_of(t->columns[i].name));
	}
	buf_addz(sql, " FROM ");
}

void catalog_release(struct catalog *c)
{
	for (size_t i = 0; i < c->count; i++)
		wire_table_free(c->tables[i]);
	free(c->tables);
	*c = (struct catalog){ 0 };
}
