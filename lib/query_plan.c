/* query_plan - makes a query's nodes of its parse tree */
#include "query_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"
#include "func.h"
#include "mem.h"
#include "query_exec.h"

struct compiler {
	const struct star *star;
	query_lookup lookup;
	void *lookup_arg;
	query_uses uses;
	void *uses_arg;
	struct arena *arena;
	struct run *run;
	struct query_sink sink;
};

static int compile(struct compiler *c, const struct json *node, struct query **out, struct err *e);

/* --- the tables of a FROM --- */

static void *zalloc(struct compiler *c, size_t size)
{
	return memset(arena_alloc(c->arena, size), 0, size);
}

static const char *string_at(const struct json *list, size_t i)
{
	return json_string(json_get(json_get(json_at(list, i), "String"), "sval"));
}

static int not_here(struct compiler *c, const struct json *node, const char *what, struct err *e)
{
	star_error(c->star, star_at(node), e, "%s is not supported", what);
	return err_hint(e, USAGE, "starpipe-star(5) lists what a star's SELECT may hold.");
}

/* The scope's columns of a relation, by its kind. aliases: FROM x AS a(b, c). */
static void name_columns(struct compiler *c, struct scope_table *t, const char *alias, size_t count,
			 const struct json *aliases)
{
	t->alias = alias;
	t->count = count;
	t->columns = zalloc(c, count * sizeof(*t->columns));
	for (size_t i = 0; i < count; i++)
		t->columns[i].name = string_at(aliases, i);
}

static void source_columns(struct compiler *c, struct scope_table *t, const struct wire_table *w)
{
	for (size_t i = 0; i < w->column_count; i++) {
		if (!t->columns[i].name)
			t->columns[i].name = w->columns[i].name;
		t->columns[i].type = sqltype_of_wire(&w->columns[i].type, w->columns[i].type_name);
	}
	(void)c;
}

static int from_table(struct compiler *c, const struct json *node, struct relation *r,
		      struct scope_table *t, struct err *e)
{
	const struct json *aliases = json_get(json_get(node, "alias"), "colnames");
	const char *alias = json_string(json_get(json_get(node, "alias"), "aliasname"));

	r->name = json_string(json_get(node, "relname"));
	if (json_get(node, "schemaname"))
		return not_here(c, node, "a schema in FROM", e);
	if (!alias)
		alias = r->name;
	for (size_t i = 0; i < c->star->file_count; i++)
		if (strcmp(c->star->files[i].name, r->name) == 0)
			r->file = &c->star->files[i];
	if (r->file) {
		r->kind = REL_FILE;
		name_columns(c, t, alias, r->file->column_count, aliases);
		for (size_t i = 0; i < t->count; i++) {
			struct wire_column *w = &r->file->columns[i];

			if (!t->columns[i].name)
				t->columns[i].name = w->name;
			t->columns[i].type = sqltype_of_wire(&w->type, w->type_name);
		}
		return OK;
	}
	r->kind = REL_SOURCE;
	r->table = c->lookup ? c->lookup(c->lookup_arg, r->name) : NULL;
	if (c->uses)
		c->uses(c->uses_arg, r->name, NULL, true);
	name_columns(c, t, alias, r->table ? r->table->column_count : 0, aliases);
	t->open = !r->table;
	if (r->table)
		source_columns(c, t, r->table);
	return OK;
}

static int from_query(struct compiler *c, const struct json *node, struct relation *r,
		      struct scope_table *t, struct err *e)
{
	const struct json *alias = json_get(node, "alias");
	int rc;

	if (json_get(node, "lateral"))
		return not_here(c, node, "LATERAL", e);
	if (!alias)
		return not_here(c, node, "a SELECT in FROM without a name", e);
	r->kind = REL_QUERY;
	rc = compile(c, json_get(json_get(node, "subquery"), "SelectStmt"), &r->query, e);
	if (rc != OK)
		return rc;
	name_columns(c, t, json_string(json_get(alias, "aliasname")), r->query->count,
		     json_get(alias, "colnames"));
	t->open = r->query->any_count;
	for (size_t i = 0; i < t->count; i++) {
		if (!t->columns[i].name)
			t->columns[i].name = r->query->names[i];
		t->columns[i].type = r->query->types[i];
	}
	r->query->sink.arg = r;
	r->query->sink.row = r->index == 0 ? exec_take_driving : exec_take_joined;
	return OK;
}

/* generate_series(start, stop[, step]) over integers, dates and timestamps, of constants. */
static int from_series(struct compiler *c, const struct json *node, struct relation *r,
		       struct scope_table *t, struct err *e)
{
	const struct json *list = json_get(json_at(json_get(node, "functions"), 0), "List");
	const struct json *call = json_get(json_at(json_get(list, "items"), 0), "FuncCall");
	const struct json *args = json_get(call, "args"), *alias = json_get(node, "alias");
	const struct json *names = json_get(call, "funcname");
	struct scope none = { .star = c->star, .arena = c->arena };
	struct sqltype type;
	int rc;

	if (!call || strcmp(string_at(names, json_count(names) - 1), "generate_series") != 0 ||
	    json_count(json_get(node, "functions")) > 1 || json_get(node, "ordinality") ||
	    json_count(args) < 2 || json_count(args) > 3)
		return not_here(c, call ? call : node,
				"a function other than generate_series in FROM", e);
	r->kind = REL_SERIES;
	r->series_count = json_count(args);
	r->series = zalloc(c, 3 * sizeof(*r->series));
	for (size_t i = 0; i < r->series_count; i++)
		if ((rc = expr_bind(&none, json_at(args, i), &r->series[i], e)) != OK)
			return rc;
	type = r->series[0]->type.base == PG_UNKNOWN ? r->series[1]->type : r->series[0]->type;
	if (type.base >= PG_DATE && type.base <= PG_TIMESTAMPTZ && type.base != PG_TIME &&
	    r->series_count == 3) {
		/* PostgreSQL prefers timestamptz where a date does not say which */
		type = sqltype_of(type.base == PG_TIMESTAMP ? PG_TIMESTAMP : PG_TIMESTAMPTZ);
		rc = expr_cast(&none, r->series[2], sqltype_of(PG_INTERVAL), CAST_IMPLICIT,
			       &r->series[2], e);
	} else if (type.base == PG_INT4 || type.base == PG_INT8) {
		for (size_t i = 0; i < r->series_count; i++)
			if (r->series[i]->type.base == PG_INT8)
				type = sqltype_of(PG_INT8);
		rc = r->series_count < 3 ? OK :
		     expr_cast(&none, r->series[2], type, CAST_IMPLICIT, &r->series[2], e);
	} else {
		return not_here(c, call, "generate_series over these types", e);
	}
	for (size_t i = 0; i < 2 && rc == OK; i++)
		rc = expr_cast(&none, r->series[i], type, CAST_IMPLICIT, &r->series[i], e);
	if (rc != OK)
		return rc;
	name_columns(c, t, json_string(json_get(alias, "aliasname")), 1,
		     json_get(alias, "colnames"));
	if (!t->alias)
		t->alias = "generate_series";
	if (!t->columns[0].name)
		t->columns[0].name = t->alias;
	t->columns[0].type = type;
	return OK;
}

/* --- joins --- */

static struct expr *and_with(struct compiler *c, struct expr *a, struct expr *b)
{
	struct expr *x;

	if (!a)
		return b;
	x = zalloc(c, sizeof(*x));
	*x = (struct expr){ .kind = EX_AND, .type = sqltype_of(PG_BOOL), .at = b->at, .count = 2 };
	x->args = zalloc(c, 2 * sizeof(*x->args));
	x->args[0] = a;
	x->args[1] = b;
	return x;
}

static void add_key(struct compiler *c, struct relation *r, struct expr *outer, struct expr *own)
{
	struct expr **keys = zalloc(c, (r->key_count + 1) * sizeof(*keys));
	struct expr **own_keys = zalloc(c, (r->key_count + 1) * sizeof(*keys));

	if (r->key_count) {
		memcpy(keys, r->keys, r->key_count * sizeof(*keys));
		memcpy(own_keys, r->own_keys, r->key_count * sizeof(*keys));
	}
	keys[r->key_count] = outer;
	own_keys[r->key_count++] = own;
	r->keys = keys;
	r->own_keys = own_keys;
}

/* A part of an ON: an equality of both sides, or a condition on one of them. */
static int add_condition(struct compiler *c, struct select *s, struct relation *r, struct expr *x,
			 struct err *e)
{
	uint64_t own = (uint64_t)1 << r->index, all = expr_tables(x);
	bool equality =
		x->kind == EX_CALL && x->count == 2 && x->func && strcmp(x->func->name, "=") == 0;

	if (equality) {
		uint64_t left = expr_tables(x->args[0]), right = expr_tables(x->args[1]);

		if (right == own && left && !(left & own)) {
			add_key(c, r, x->args[0], x->args[1]);
			return OK;
		}
		if (left == own && right && !(right & own)) {
			add_key(c, r, x->args[1], x->args[0]);
			return OK;
		}
	}
	if (all == own || all == 0) {
		r->filter = and_with(c, r->filter, x);
		return OK;
	}
	if (!r->left) {
		s->where = and_with(c, s->where, x);
		return OK;
	}
	star_error(c->star, x->at, e,
		   "a LEFT JOIN takes equalities of both sides, and conditions on the "
		   "table it joins");
	return err_hint(e, USAGE, "Put a condition on the other tables into WHERE.");
}

static int bind_condition(struct compiler *c, struct select *s, const struct json *node,
			  struct expr **x, struct err *e)
{
	int rc = expr_bind(&s->scope, node, x, e);

	if (rc == OK && (*x)->type.base != PG_BOOL && (*x)->type.base != PG_ANY)
		rc = (*x)->type.base == PG_UNKNOWN ?
		     expr_cast(&s->scope, *x, sqltype_of(PG_BOOL), CAST_IMPLICIT, x, e) :
		     star_error(c->star, (*x)->at, e, "a condition must be boolean");
	return rc;
}

/* What WHERE says of the driver alone is looked at before any join. */
static void add_filter(struct compiler *c, struct select *s, struct expr *x)
{
	if (expr_tables(x) <= 1)
		s->before = and_with(c, s->before, x);
	else
		s->where = and_with(c, s->where, x);
}

/* a AND b AND c, part by part: of the ON of r, or with r NULL of the WHERE. */
static int add_conditions(struct compiler *c, struct select *s, struct relation *r,
			  const struct json *node, struct err *e)
{
	const struct json *bool_expr = json_get(node, "BoolExpr"),
			  *args = json_get(bool_expr, "args");
	const char *op = json_string(json_get(bool_expr, "boolop"));
	struct expr *x;
	int rc = OK;

	if (op && strcmp(op, "AND_EXPR") == 0) {
		for (size_t i = 0; i < json_count(args) && rc == OK; i++)
			rc = add_conditions(c, s, r, json_at(args, i), e);
		return rc;
	}
	if ((rc = bind_condition(c, s, node, &x, e)) != OK || !c->lookup)
		return rc;
	if (r)
		return add_condition(c, s, r, x, e);
	add_filter(c, s, x);
	return OK;
}

/* A bare column of one of the tables from first up to (not with) last. */
static int using_column(struct compiler *c, struct select *s, size_t first, size_t last,
			const char *name, size_t at, struct expr **out, struct err *e)
{
	bool open = false;
	size_t found = 0;

	for (size_t t = first; t < last; t++) {
		struct scope_table *st = &s->scope.tables[t];

		open = open || st->open;
		for (size_t i = 0; i < st->count; i++) {
			struct scope_column *col = &st->columns[i];
			struct expr *x;

			if (strcmp(col->name, name) != 0 || col->merged)
				continue;
			x = zalloc(c, sizeof(*x));
			*x = (struct expr){ .kind = EX_COLUMN,
					    .type = col->type,
					    .at = at,
					    .table = t,
					    .column = i };
			col->used = true;
			*out = x;
			found++;
		}
		if (st->open && s->scope.on_open)
			s->scope.on_open(s->scope.arg, last - first == 1 ? t : s->scope.count,
					 name);
	}
	if (found == 1)
		return OK;
	*out = NULL;
	return found == 0 && open ?
		       OK :
		       star_error(c->star, at, e,
				  found ? "column \"%s\" of USING is in more than one table" :
					  "column \"%s\" of USING does not exist in both tables",
				  name);
}

static int join_using(struct compiler *c, struct select *s, struct relation *r,
		      const struct json *names, size_t at, struct err *e)
{
	for (size_t i = 0; i < json_count(names); i++) {
		const char *name = string_at(names, i);
		struct expr *left, *own, *equal;
		int rc;

		if ((rc = using_column(c, s, 0, r->index, name, at, &left, e)) != OK ||
		    (rc = using_column(c, s, r->index, r->index + 1, name, at, &own, e)) != OK)
			return rc;
		if (own)
			s->scope.tables[r->index].columns[own->column].merged = true;
		if (!left || !own)
			continue;
		if ((rc = expr_equal(&s->scope, left, own, at, &equal, e)) != OK)
			return rc;
		add_key(c, r, equal->args[0], equal->args[1]);
	}
	return OK;
}

/* Is the table's key among the columns it is joined by? */
static bool joined_by_key(const struct relation *r)
{
	const struct wire_table *t = r->table;

	for (size_t k = 0; t && k < t->key_count; k++) {
		size_t i = 0;

		while (i < r->key_count && !(r->own_keys[i]->kind == EX_COLUMN &&
					     r->own_keys[i]->column == t->key[k]))
			i++;
		if (i == r->key_count)
			return false;
	}
	return t && t->key_count > 0;
}

static int from_item(struct compiler *c, struct select *s, const struct json *node, struct err *e)
{
	struct relation *r = &s->rels[s->scope.count];
	struct scope_table *t = &s->scope.tables[s->scope.count];
	const struct json *n;
	int rc;

	if (s->scope.count == MAX_TABLES)
		return not_here(c, node, "a FROM of so many tables", e);
	*r = (struct relation){ .in = s, .index = s->scope.count };
	if ((n = json_get(node, "RangeVar")))
		rc = from_table(c, n, r, t, e);
	else if ((n = json_get(node, "RangeSubselect")))
		rc = from_query(c, n, r, t, e);
	else if ((n = json_get(node, "RangeFunction")))
		rc = from_series(c, n, r, t, e);
	else
		rc = not_here(c, node, "this item of FROM", e);
	if (rc != OK)
		return rc;
	for (size_t i = 0; i < s->scope.count; i++)
		if (strcmp(s->scope.tables[i].alias, t->alias) == 0)
			return star_error(c->star, star_at(n), e,
					  "table \"%s\" is twice in FROM: give one an alias",
					  t->alias);
	s->scope.count++;
	return OK;
}

static int from_join(struct compiler *c, struct select *s, const struct json *node, struct err *e)
{
	const struct json *join = json_get(node, "JoinExpr"), *right = json_get(join, "rarg");
	const char *type = json_string(json_get(join, "jointype"));
	struct relation *r;
	int rc;

	if (!join)
		return from_item(c, s, node, e);
	if (json_get(right, "JoinExpr"))
		return not_here(c, right, "a join in parentheses", e);
	if ((strcmp(type, "JOIN_INNER") != 0 && strcmp(type, "JOIN_LEFT") != 0) ||
	    json_get(join, "isNatural") ||
	    (!json_get(join, "quals") && !json_get(join, "usingClause"))) {
		star_error(c->star, star_at(json_member(right, 0, &type)), e,
			   "this kind of join is not supported");
		return err_hint(e, USAGE, "Use JOIN or LEFT JOIN with ON or USING.");
	}
	if ((rc = from_join(c, s, json_get(join, "larg"), e)) != OK ||
	    (rc = from_item(c, s, right, e)) != OK)
		return rc;
	r = &s->rels[s->scope.count - 1];
	r->left = strcmp(type, "JOIN_LEFT") == 0;
	rc = json_get(join, "usingClause") ?
	     join_using(c, s, r, json_get(join, "usingClause"), s->scope.count, e) :
	     add_conditions(c, s, r, json_get(join, "quals"), e);
	if (rc != OK || !c->lookup)
		return rc;
	r->unique = joined_by_key(r);
	if (r->key_count)
		return OK;
	star_error(c->star, star_at(json_member(right, 0, &type)), e, "this join has no equality");
	return err_hint(e, USAGE, "Join on a.x = b.y.");
}

/* --- SELECT, VALUES, UNION --- */

static void tell_open(void *arg, size_t table, const char *column)
{
	struct compiler *c = ((void **)arg)[0];
	struct select *s = ((void **)arg)[1];

	if (!c->uses)
		return;
	if (table < s->scope.count && s->rels[table].kind == REL_SOURCE)
		c->uses(c->uses_arg, s->rels[table].name, column, true);
	else if (table >= s->scope.count)
		for (size_t i = 0; i < s->scope.count; i++)
			if (s->rels[i].kind == REL_SOURCE)
				c->uses(c->uses_arg, s->rels[i].name, column, false);
}

static const char *target_name(const struct json *target)
{
	const struct json *val = json_get(target, "val"), *n, *list;
	const char *name = json_string(json_get(target, "name"));

	while (!name && (n = json_get(val, "TypeCast"))) {
		if (json_get(json_get(n, "arg"), "A_Const")) {
			list = json_get(json_get(n, "typeName"), "names");
			return string_at(list, json_count(list) - 1);
		}
		val = json_get(n, "arg");
	}
	if (!name && (n = json_get(val, "ColumnRef"))) {
		list = json_get(n, "fields");
		name = string_at(list, json_count(list) - 1);
	}
	if (!name && (n = json_get(val, "FuncCall"))) {
		list = json_get(n, "funcname");
		name = string_at(list, json_count(list) - 1);
	}
	if (!name)
		name = json_get(val, "CaseExpr")     ? "case" :
		       json_get(val, "CoalesceExpr") ? "coalesce" :
						       "?column?";
	return name;
}

static void add_target(struct compiler *c, struct query *q, struct expr *x, const char *name)
{
	size_t n = q->count;

	if ((n & (n - 1)) == 0) { /* a power of two: full */
		struct expr **targets = zalloc(c, (2 * n + 1) * sizeof(*targets));
		char **names = zalloc(c, (2 * n + 1) * sizeof(*names));

		if (n) {
			memcpy(targets, q->select->targets, n * sizeof(*targets));
			memcpy(names, q->names, n * sizeof(*names));
		}
		q->select->targets = targets;
		q->names = names;
	}
	q->select->targets[n] = x;
	q->names[n] = (char *)(uintptr_t)name;
	q->count = n + 1;
}

/* * and table.*: all columns, the right side of a USING once. */
static int add_star(struct compiler *c, struct query *q, const char *alias, size_t at,
		    struct err *e)
{
	struct scope *sc = &q->select->scope;
	bool found = false;

	for (size_t t = 0; t < sc->count; t++) {
		struct scope_table *st = &sc->tables[t];

		if (alias && strcmp(alias, st->alias) != 0)
			continue;
		found = true;
		q->any_count = q->any_count || st->open;
		for (size_t i = 0; i < st->count; i++) {
			struct expr *x;

			if (!alias && st->columns[i].merged)
				continue;
			x = zalloc(c, sizeof(*x));
			*x = (struct expr){ .kind = EX_COLUMN,
					    .type = st->columns[i].type,
					    .at = at,
					    .table = t,
					    .column = i };
			st->columns[i].used = true;
			add_target(c, q, x, st->columns[i].name);
		}
	}
	return found ? OK :
		       star_error(c->star, at, e, "table \"%s\" is not in this FROM",
				  alias ? alias : "*");
}

static int select_targets(struct compiler *c, struct query *q, const struct json *list,
			  struct err *e)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *target = json_get(json_at(list, i), "ResTarget");
		const struct json *ref = json_get(json_get(target, "val"), "ColumnRef");
		const struct json *fields = json_get(ref, "fields");
		size_t n = json_count(fields);
		struct expr *x;
		int rc;

		if (n && json_get(json_at(fields, n - 1), "A_Star")) {
			rc = add_star(c, q, n > 1 ? string_at(fields, 0) : NULL, star_at(ref), e);
		} else {
			rc = expr_bind(&q->select->scope, json_get(target, "val"), &x, e);
			if (rc == OK)
				add_target(c, q, x, target_name(target));
		}
		if (rc != OK)
			return rc;
	}
	return OK;
}

static int unsupported_clause(struct compiler *c, const struct json *node, struct err *e)
{
	static const struct { const char *key, *what;
	} clauses[] = {
		{ "groupClause", "GROUP BY" },	   { "havingClause", "HAVING" },
		{ "windowClause", "WINDOW" },	   { "sortClause", "ORDER BY" },
		{ "limitCount", "LIMIT" },	   { "limitOffset", "OFFSET" },
		{ "withClause", "WITH" },	   { "intoClause", "INTO" },
		{ "lockingClause", "FOR UPDATE" },
	};
	const struct json *first = json_get(json_at(json_get(node, "targetList"), 0), "ResTarget");

	for (size_t i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++)
		if (json_get(node, clauses[i].key))
			return not_here(c, first, clauses[i].what, e);
	return OK;
}

static int compile_select(struct compiler *c, const struct json *node, struct query *q,
			  struct err *e)
{
	const struct json *from = json_get(node, "fromClause"),
			  *distinct = json_get(node, "distinctClause"), *on;
	const char *kind;
	struct select *s = q->select = zalloc(c, sizeof(*s));
	void **tell = zalloc(c, 2 * sizeof(*tell));
	int rc;

	tell[0] = c;
	tell[1] = s;
	s->query = q;
	s->pending_end = &s->pending;
	s->rels = zalloc(c, (MAX_TABLES + 1) * sizeof(*s->rels));
	s->scope = (struct scope){
		.star = c->star, .arena = c->arena, .on_open = tell_open, .arg = tell
	};
	s->scope.tables = zalloc(c, (MAX_TABLES + 1) * sizeof(*s->scope.tables));
	if ((on = json_member(json_at(distinct, 0), 0, &kind)) != NULL) /* {} for DISTINCT alone */
		return not_here(c, on, "DISTINCT ON", e);
	if (json_count(from) > 1) {
		star_error(c->star, star_at(json_get(json_at(from, 1), "RangeVar")), e,
			   "a comma in FROM is not supported");
		return err_hint(e, USAGE, "Write JOIN ... ON instead.");
	}
	if (json_count(from) && (rc = from_join(c, s, json_at(from, 0), e)) != OK)
		return rc;
	if (json_get(node, "whereClause") &&
	    (rc = add_conditions(c, s, NULL, json_get(node, "whereClause"), e)) != OK)
		return rc;
	return select_targets(c, q, json_get(node, "targetList"), e);
}

static int compile_values(struct compiler *c, const struct json *lists, struct query *q,
			  struct err *e)
{
	struct scope none = { .star = c->star, .arena = c->arena };

	q->value_count = json_count(lists);
	q->values = zalloc(c, q->value_count * sizeof(*q->values));
	q->count = json_count(json_get(json_get(json_at(lists, 0), "List"), "items"));
	q->names = zalloc(c, q->count * sizeof(*q->names));
	for (size_t i = 0; i < q->count; i++) {
		q->names[i] = zalloc(c, 32);
		snprintf(q->names[i], 32, "column%zu", i + 1);
	}
	for (size_t r = 0; r < q->value_count; r++) {
		const struct json *items = json_get(json_get(json_at(lists, r), "List"), "items");

		if (json_count(items) != q->count)
			return star_error(c->star, 0, e,
					  "VALUES lists must all be the same length");
		q->values[r] = zalloc(c, q->count * sizeof(struct expr *));
		for (size_t i = 0; i < q->count; i++) {
			int rc = expr_bind(&none, json_at(items, i), &q->values[r][i], e);

			if (rc != OK)
				return rc;
		}
	}
	return OK;
}

/* Make the results of q of these types. A SELECT's list and VALUES convert by themselves, so that
 * an untyped literal takes the type it is wanted as; what is behind DISTINCT converts afterwards.
 */
static int convert(struct compiler *c, struct query *q, const struct sqltype *types,
		   enum cast_context context, struct err *e)
{
	struct scope self = { .star = c->star, .arena = c->arena, .tables = &q->self, .count = 1 };
	int rc = OK;

	if (q->select && !q->distinct) {
		for (size_t i = 0; i < q->count && rc == OK; i++)
			rc = expr_cast(&q->select->scope, q->select->targets[i], types[i], context,
				       &q->select->targets[i], e);
	} else if (q->values) {
		for (size_t r = 0; r < q->value_count && rc == OK; r++)
			for (size_t i = 0; i < q->count && rc == OK; i++)
				rc = expr_cast(&self, q->values[r][i], types[i], context,
					       &q->values[r][i], e);
	} else {
		q->convert = zalloc(c, q->count * sizeof(*q->convert));
		for (size_t i = 0; i < q->count && rc == OK; i++) {
			struct expr *x = zalloc(c, sizeof(*x));

			*x = (struct expr){ .kind = EX_COLUMN,
					    .type = q->types[i],
					    .column = i,
					    .at = q->select ? q->select->targets[i]->at :
							      q->self.count };
			rc = expr_cast(&self, x, types[i], context, &q->convert[i], e);
		}
	}
	/* what is distinct is told by the types before the conversion */
	for (size_t i = 0; i < q->count && rc == OK && !q->convert; i++)
		q->types[i] = types[i];
	return rc;
}

/* The types of VALUES columns and UNION columns: what their parts have in common. */
static int common_types(struct compiler *c, struct query *q, struct err *e)
{
	for (size_t i = 0; i < q->count; i++) {
		size_t n = q->values ? q->value_count : 2;
		struct sqltype *types = zalloc(c, n * sizeof(*types)), a, b;
		struct buf names = { 0 };
		int rc;

		for (size_t r = 0; r < n; r++)
			types[r] = q->values ? q->values[r][i]->type :
				   r	     ? q->right->types[i] :
					       q->left->types[i];
		if (sqltype_common(types, n, &q->types[i], &a, &b))
			continue;
		sqltype_add_name(&names, a);
		buf_addz(&names, " and ");
		sqltype_add_name(&names, b);
		rc = star_error(c->star, q->values ? q->values[0][i]->at : 0, e,
				"%s types %s cannot be matched", q->values ? "VALUES" : "UNION",
				names.data);
		buf_release(&names);
		return rc;
	}
	return OK;
}

static int compile_union(struct compiler *c, const struct json *node, struct query *q,
			 struct err *e)
{
	struct sqltype *types;
	int rc;

	if (strcmp(json_string(json_get(node, "op")), "SETOP_UNION") != 0)
		return not_here(c, NULL, "INTERSECT or EXCEPT", e);
	q->distinct = !json_true(json_get(node, "all"));
	if ((rc = compile(c, json_get(node, "larg"), &q->left, e)) != OK ||
	    (rc = compile(c, json_get(node, "rarg"), &q->right, e)) != OK)
		return rc;
	q->any_count = q->left->any_count || q->right->any_count;
	if (q->left->count != q->right->count && !q->any_count)
		return star_error(c->star,
				  q->right->select && q->right->count ?
					  q->right->select->targets[0]->at :
					  0,
				  e, "each part of a UNION needs the same number of columns");
	q->count = q->left->count;
	q->names = q->left->names;
	q->types = types = zalloc(c, q->count * sizeof(*types));
	for (size_t i = 0; i < q->count; i++)
		types[i] = sqltype_of(PG_ANY);
	if (q->any_count)
		return OK;
	if ((rc = common_types(c, q, e)) != OK ||
	    (rc = convert(c, q->left, types, CAST_IMPLICIT, e)) != OK ||
	    (rc = convert(c, q->right, types, CAST_IMPLICIT, e)) != OK)
		return rc;
	q->left->sink = q->right->sink = (struct query_sink){ .arg = q, .row = exec_take_part };
	return OK;
}

/* What is still an untyped literal becomes text, unless the caller gives it a type. */
static int settle(struct compiler *c, struct query *q, struct err *e)
{
	struct sqltype *types = zalloc(c, q->count * sizeof(*types));
	bool unknown = false;

	for (size_t i = 0; i < q->count; i++) {
		types[i] = q->types[i];
		if (types[i].base == PG_UNKNOWN) {
			types[i] = sqltype_of(PG_TEXT);
			unknown = true;
		}
	}
	return unknown ? convert(c, q, types, CAST_IMPLICIT, e) : OK;
}

static int compile(struct compiler *c, const struct json *node, struct query **out, struct err *e)
{
	struct query *q = zalloc(c, sizeof(*q));
	const char *op = json_string(json_get(node, "op"));
	int rc;

	*out = q;
	q->arena = c->arena;
	q->run = c->run;
	q->sink = q->reject = c->sink;
	if ((rc = unsupported_clause(c, node, e)) != OK)
		return rc;
	if (json_get(node, "valuesLists")) {
		rc = compile_values(c, json_get(node, "valuesLists"), q, e);
		q->types = zalloc(c, q->count * sizeof(*q->types));
		if (rc == OK)
			rc = common_types(c, q, e);
		if (rc == OK && q->value_count > 1)
			rc = convert(c, q, q->types, CAST_IMPLICIT, e);
		else if (rc == OK)
			for (size_t i = 0; i < q->count; i++)
				q->types[i] = q->values[0][i]->type;
	} else if (op && strcmp(op, "SETOP_NONE") != 0) {
		rc = compile_union(c, node, q, e);
	} else {
		rc = compile_select(c, node, q, e);
		q->types = zalloc(c, q->count * sizeof(*q->types));
		for (size_t i = 0; i < q->count && rc == OK; i++)
			q->types[i] = q->select->targets[i]->type;
		if (rc == OK && json_get(node, "distinctClause")) {
			rc = settle(c, q, e);
			q->distinct = true;
		}
	}
	if (rc != OK)
		return rc;
	q->fields = zalloc(c, (q->count + 1) * sizeof(*q->fields));
	q->converted = zalloc(c, (q->count + 1) * sizeof(*q->converted));
	q->offsets = zalloc(c, (q->count + 1) * sizeof(*q->offsets));
	return OK;
}

static int wrong_count(const struct star *s, const struct star_insert *in, size_t have,
		       struct err *e)
{
	return star_error(s, in->at, e, "the SELECT gives %zu columns where %zu are to be filled",
			  have, in->column_count);
}

int plan_query(const struct star *s, const struct star_insert *in, query_lookup lookup,
	       void *lookup_arg, struct query_sink sink, struct query **out, struct err *e)
{
	struct compiler c = { .star = s, .lookup = lookup, .lookup_arg = lookup_arg, .sink = sink };
	struct sqltype *types;
	struct query *q = NULL;
	int rc;

	c.arena = xcalloc(1, sizeof(*c.arena));
	c.run = xcalloc(1, sizeof(*c.run));
	c.run->step = 1;
	rc = compile(&c, in->select, &q, e);
	*out = q;
	q->root = true;
	q->insert = in;
	if (rc != OK || q->any_count)
		return rc;
	if (q->count != in->column_count)
		return wrong_count(s, in, q->count, e);
	types = zalloc(&c, q->count * sizeof(*types));
	for (size_t i = 0; i < q->count; i++) {
		const struct wire_column *col = &in->into->wire->columns[in->columns[i]];

		types[i] = sqltype_of_wire(&col->type, col->type_name);
	}
	return convert(&c, q, types, CAST_ASSIGNMENT, e);
}

int plan_sources(const struct star *s, const struct star_insert *in, query_uses uses, void *arg,
		 struct query **out, struct err *e)
{
	struct compiler c = { .star = s, .uses = uses, .uses_arg = arg };
	int rc;

	c.arena = xcalloc(1, sizeof(*c.arena));
	c.run = xcalloc(1, sizeof(*c.run));
	rc = compile(&c, in->select, out, e);
	(*out)->root = true;
	return rc;
}
