/* pgtype_fuzz - any name of a type, into SQL that PostgreSQL's own parser reads
 *
 * Whatever the name, what comes out is one type of one column of one statement. What may be such a
 * type keeps its meaning when it is printed as the wire names it. */
#include <pg_query.h>
#include <stdlib.h>

#include "json.h"
#include "pgtype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is it one CREATE TABLE, with one column of that name and no word more than its type? */
static bool is_one_column(const char *tree)
{
	struct json *doc = NULL;
	struct err e;
	const struct json *stmts, *create, *column;
	bool one;

	if (json_parse(str_of(tree), &doc, &e) != OK)
		return false;
	stmts = json_get(doc, "stmts");
	create = json_get(json_get(json_at(stmts, 0), "stmt"), "CreateStmt");
	column = json_get(json_at(json_get(create, "tableElts"), 0), "ColumnDef");
	one = json_count(stmts) == 1 && json_count(json_get(create, "tableElts")) == 1 &&
	      json_string(json_get(column, "colname")) && json_get(column, "typeName") &&
	      !json_get(column, "constraints") && !json_get(column, "raw_default") &&
	      !json_get(column, "collClause");
	json_free(doc);
	return one;
}

static void check_name(const struct pg_type *t)
{
	struct buf again = { 0 };
	struct pg_type u;

	pg_type_add_name(&again, t);
	u = pg_type_parse(buf_str(&again));
	if (u.base != t->base || u.array != t->array || u.mods[0] != t->mods[0] ||
	    u.mods[1] != t->mods[1])
		abort();
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str name = { (const char *)data, size };
	struct pg_type t = pg_type_parse(name);
	struct buf sql = { 0 };
	PgQueryParseResult parsed;

	if (pg_type_problem(name)) {
		if (t.base != PG_OTHER || t.mods[0] >= 0)
			abort();
	} else if (t.base != PG_OTHER && t.base != PG_INTERVAL) {
		check_name(&t);
	}
	/* text is UTF-8 and without NUL before it comes here; an identifier is not empty */
	if (size == 0 || memchr(data, 0, size) || str_bad_utf8(name) < size)
		return 0;
	buf_addz(&sql, "CREATE TABLE t (c ");
	pg_type_add_sql(&sql, name);
	buf_addch(&sql, ')');
	parsed = pg_query_parse(sql.data);
	if (parsed.error || !is_one_column(parsed.parse_tree))
		abort();
	pg_query_free_parse_result(parsed);
	buf_release(&sql);
	return 0;
}
