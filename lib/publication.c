/* publication - what a publication of PostgreSQL publishes */
#include "publication.h"

#include <stdlib.h>

#include "mem.h"

/* A replica identity by index is the index's columns; a deferrable primary key is none. */
static const char relations_sql[] =
	"SELECT c.relname, r.oid, p.schemaname, p.tablename,"
	"  p.rowfilter, r.relkind = 'p', r.relreplident = 'f',"
	"  to_json(ARRAY(SELECT a.attname FROM pg_attribute a"
	"    WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped"
	"      AND a.attgenerated = '' AND a.attname = ANY(p.attnames))),"
	"  to_json(ARRAY(SELECT a.attname FROM pg_index i"
	"      CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)"
	"      JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.attnum"
	"    WHERE i.indrelid = r.oid AND i.indisvalid AND i.indimmediate"
	"      AND CASE r.relreplident WHEN 'd' THEN indisprimary WHEN 'i' THEN indisreplident END"
	"      AND k.n <= i.indnkeyatts ORDER BY k.n))"
	"  FROM pg_publication_tables p JOIN pg_namespace rn ON rn.nspname = p.schemaname"
	"  JOIN pg_class r ON r.relnamespace = rn.oid AND r.relname = p.tablename"
	"  JOIN pg_class c ON c.oid = coalesce(pg_partition_root(r.oid), r.oid)"
	"  JOIN pg_namespace cn ON cn.oid = c.relnamespace"
	" WHERE p.pubname = $1 AND cn.nspname = $2 ORDER BY r.oid";

int publication_check(PGconn *conn, const char *name, struct err *e)
{
	PGresult *res;
	int rc = pgio_query(conn, "SELECT FROM pg_publication WHERE pubname = $1", 1, &name, &res,
			    e);

	if (rc != OK)
		return rc;
	if (PQntuples(res) == 0) {
		struct buf ident = { 0 };

		pg_add_ident(&ident, str_of(name));
		rc = err_set(e, FAILED, "there is no publication \"%s\" in this database", name);
		err_hint(e, rc, "CREATE PUBLICATION %s FOR ALL TABLES;", ident.data);
		buf_release(&ident);
	}
	PQclear(res);
	return rc;
}

/* --- which tables --- */

static bool among(const char *const *names, size_t count, const char *name)
{
	size_t i = 0;

	while (i < count && strcmp(names[i], name) != 0)
		i++;
	return i < count;
}

/* Distinct names of the tables to read; they are the result's. */
static size_t choose(const PGresult *res, const char *const *tables, size_t count,
		     const char *const *except, size_t except_count, const char **names)
{
	size_t n = 0;

	for (int i = 0; i < PQntuples(res); i++) {
		const char *name = pgio_value(res, i, 0);

		if ((count ? among(tables, count, name) : name[0] != '_') &&
		    !among(except, except_count, name) && !among(names, n, name))
			names[n++] = name;
	}
	return n;
}

static int not_published(const char *publication, const char *schema, const char *table,
			 struct err *e)
{
	struct buf sql = { 0 };

	err_set(e, FAILED, "table \"%s\" is not in publication \"%s\"", table, publication);
	buf_addz(&sql, "ALTER PUBLICATION ");
	pg_add_ident(&sql, str_of(publication));
	buf_addz(&sql, " ADD TABLE ");
	pg_add_qualified(&sql, schema, table);
	err_hint(e, FAILED, "%s;", sql.data);
	buf_release(&sql);
	return FAILED;
}

static int check_chosen(const char *publication, const char *schema, const char *const *tables,
			size_t count, const char *const *names, size_t n, struct err *e)
{
	for (size_t i = 0; i < count; i++)
		if (!among(names, n, tables[i]))
			return not_published(publication, schema, tables[i], e);
	if (n)
		return OK;
	err_set(e, FAILED, "publication \"%s\" has no tables of schema \"%s\" to read", publication,
		schema);
	return err_hint(e, FAILED, "See pg_publication_tables, or name another schema.");
}

static int read_relations(struct publication *p, const PGresult *res, const struct catalog *c,
			  struct err *e)
{
	struct buf name = { 0 };
	int rc = OK;

	p->relations = xcalloc((size_t)PQntuples(res), sizeof(*p->relations));
	for (int i = 0; i < PQntuples(res) && rc == OK; i++) {
		struct published *r = &p->relations[p->count];

		if (!(r->table = catalog_find(c, pgio_value(res, i, 0))))
			continue;
		p->count++;
		r->oid = (uint32_t)strtoul(pgio_value(res, i, 1), NULL, 10);
		pg_add_qualified(&name, pgio_value(res, i, 2), pgio_value(res, i, 3));
		r->name = name.data;
		name = (struct buf){ 0 };
		if (!PQgetisnull(res, i, 4))
			r->filter = xstrdup(pgio_value(res, i, 4));
		r->partitioned = *pgio_value(res, i, 5) == 't';
		r->identity_full = *pgio_value(res, i, 6) == 't';
		rc = json_parse(str_of(pgio_value(res, i, 7)), &r->columns, e);
		if (rc == OK)
			rc = json_parse(str_of(pgio_value(res, i, 8)), &r->identity, e);
	}
	return rc;
}

/* --- columns and keys --- */

static bool has_name(const struct json *names, const char *name)
{
	for (size_t i = 0; i < json_count(names); i++) {
		const char *at = json_string(json_at(names, i));

		if (at && strcmp(at, name) == 0)
			return true;
	}
	return false;
}

static bool publishes(const struct publication *p, const struct wire_table *t, const char *column)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->relations[i].table == t && !has_name(p->relations[i].columns, column))
			return false;
	return true;
}

static struct wire_table *published_part(const struct publication *p, const struct wire_table *t)
{
	struct wire_table *part = xcalloc(1, sizeof(*part));

	part->name = xstrdup(t->name);
	part->index = t->index;
	part->oid = t->oid;
	part->columns = xcalloc(t->column_count, sizeof(*part->columns));
	for (size_t i = 0; i < t->column_count; i++) {
		const struct wire_column *c = &t->columns[i];

		if (publishes(p, t, c->name))
			part->columns[part->column_count++] =
				(struct wire_column){ .name = xstrdup(c->name),
						      .type_name = xstrdup(c->type_name),
						      .notnull = c->notnull };
	}
	wire_table_finish(part);
	part->key = xcalloc(t->column_count, sizeof(*part->key));
	for (size_t i = 0; i < t->key_count; i++) {
		size_t k = wire_column_index(part, str_of(t->columns[t->key[i]].name));

		if (k < part->column_count)
			part->key[part->key_count++] = k;
	}
	if (part->key_count < t->key_count) /* half a key is none */
		part->key_count = 0;
	return part;
}

static bool has_columns(const struct wire_table *t, char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (wire_column_index(t, str_of(names[i])) == t->column_count)
			return false;
	return true;
}

/* Those foreign keys whose columns are announced at both ends; the others stay behind. */
static void move_foreign(const struct catalog *c, struct wire_table *from, struct wire_table *to)
{
	size_t stay = 0;

	to->foreign = xcalloc(from->foreign_count, sizeof(*to->foreign));
	for (size_t i = 0; i < from->foreign_count; i++) {
		struct wire_foreign f = from->foreign[i];

		if (has_columns(to, f.columns, f.count) &&
		    has_columns(catalog_find(c, f.table), f.parent_columns, f.count))
			to->foreign[to->foreign_count++] = f;
		else
			from->foreign[stay++] = f;
	}
	from->foreign_count = stay;
}

/* Put in every table's place what is published of it. */
static void trim(struct publication *p, struct catalog *c)
{
	struct wire_table **whole = c->tables;

	c->tables = xcalloc(c->count + 1, sizeof(*c->tables));
	for (size_t i = 0; i < c->count; i++)
		c->tables[i] = published_part(p, whole[i]);
	for (size_t i = 0; i < p->count; i++)
		p->relations[i].table = catalog_find(c, p->relations[i].table->name);
	for (size_t i = 0; i < c->count; i++)
		move_foreign(c, whole[i], c->tables[i]);
	for (size_t i = 0; i < c->count; i++)
		wire_table_free(whole[i]);
	free(whole);
}

static int no_key(const struct published *r, struct err *e)
{
	err_set(e, FAILED,
		"table %s has no key by which the log could name a row that is gone", r->name);
	return err_hint(e, FAILED,
			"Give it a primary key, or ALTER TABLE %s REPLICA IDENTITY USING INDEX "
			"...; or leave it out with --exclude.",
			r->name);
}

/* The key is the first relation's identity; with the identity FULL it stays the catalog's. */
static int take_key(const struct published *r, bool first, struct err *e)
{
	struct wire_table *t = r->table;

	if (r->identity_full)
		return t->key_count ? OK : no_key(r, e);
	if (json_count(r->identity) == 0)
		return no_key(r, e);
	if (first) {
		t->key_count = 0;
		for (size_t i = 0; i < json_count(r->identity); i++) {
			const char *name = json_string(json_at(r->identity, i));
			size_t k = name ? wire_column_index(t, str_of(name)) : t->column_count;

			if (k == t->column_count || t->key_count == t->column_count)
				return no_key(r, e);
			t->key[t->key_count++] = k;
		}
	}
	for (size_t i = 0; i < t->key_count; i++)
		if (!has_name(r->identity, t->columns[t->key[i]].name))
			return err_set(e, FAILED,
				       "table %s has another replica identity than the other "
				       "partitions of \"%s\"",
				       r->name, t->name);
	return OK;
}

static int take_keys(struct publication *p, const struct catalog *c, struct err *e)
{
	bool *seen = xcalloc(c->count + 1, sizeof(*seen));
	int rc = OK;

	for (size_t i = 0; i < p->count && rc == OK; i++) {
		const struct published *r = &p->relations[i];

		rc = take_key(r, !seen[r->table->index], e);
		seen[r->table->index] |= !r->identity_full;
	}
	free(seen);
	return rc;
}

int publication_read(PGconn *conn, const char *name, const char *schema, const char *const *tables,
		     size_t count, const char *const *except, size_t except_count,
		     struct catalog *c, struct publication *p, struct err *e)
{
	const char *params[] = { name, schema }, **names = NULL;
	PGresult *res = NULL;
	size_t n;
	int rc = pgio_query(conn, relations_sql, 2, params, &res, e);

	if (rc != OK)
		return rc;
	p->name = name;
	names = xcalloc((size_t)PQntuples(res), sizeof(*names));
	n = choose(res, tables, count, except, except_count, names);
	if ((rc = check_chosen(name, schema, tables, count, names, n, e)) == OK &&
	    (rc = catalog_read(conn, schema, names, n, NULL, 0, c, e)) == OK &&
	    (rc = read_relations(p, res, c, e)) == OK) {
		trim(p, c);
		rc = take_keys(p, c, e);
	}
	free(names);
	PQclear(res);
	return rc;
}

struct published *publication_find(const struct publication *p, uint32_t oid)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (p->relations[mid].oid == oid)
			return &p->relations[mid];
		if (p->relations[mid].oid < oid)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* What inherits from a table is a relation of its own. */
void publication_add_from(struct buf *sql, const struct published *r)
{
	buf_addf(sql, "%s%s", r->partitioned ? "" : "ONLY ", r->name);
}

void publication_add_select(struct buf *sql, const struct published *r)
{
	catalog_add_select(sql, r->table);
	publication_add_from(sql, r);
	if (r->filter)
		buf_addf(sql, " WHERE %s", r->filter);
}

void publication_release(struct publication *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->relations[i].name);
		free(p->relations[i].filter);
		json_free(p->relations[i].columns);
		json_free(p->relations[i].identity);
	}
	free(p->relations);
	*p = (struct publication){ 0 };
}
