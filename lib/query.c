/* query - a star's SELECTs, run over a stream */
#include "query.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "csvio.h"
#include "expr.h"
#include "func.h"
#include "map.h"
#include "mem.h"

enum { MAX_TABLES = 60 }; /* in one FROM: expr_tables has a bit for each */

enum relation_kind { REL_SOURCE, REL_FILE, REL_QUERY, REL_SERIES };

struct stored {
	struct stored *next;
	uint64_t step; /* in which it came */
	bool gone;     /* it came to say that there is no such row */
	struct field fields[];
};

struct pending {
	struct pending *next;
	struct str line;                 /* the source row it came from, for a reject */
	const struct wire_table *table;
	struct field fields[];
};

/* What all parts of one query share while a row is on its way. */
struct run {
	struct arena values;
	struct str line;
	const struct wire_table *table;
	uint64_t step;     /* from 1 */
};

/* One table of a FROM. */
struct relation {
	enum relation_kind kind;
	const char *name;
	struct select *in;
	size_t index;                    /* in its FROM; 0 drives */
	struct wire_table *table;        /* REL_SOURCE, once announced */
	const struct star_file *file;
	struct query *query;
	struct expr **series;            /* start, stop, step */
	size_t series_count;
	bool left;
	struct expr **keys, **own_keys;  /* the joined sides, equal in number */
	size_t key_count;
	struct expr *filter;             /* what ON says of this table alone */
	bool unique;                     /* the joined columns hold the table's key */
	struct map rows;                 /* key -> struct stored * */
};

struct select {
	struct query *query;
	struct relation *rels;
	struct scope scope;
	struct expr *before, *where;     /* on the driver alone; on all */
	struct expr **targets;
	struct pending *pending, **pending_end;
	struct arena kept;               /* rows stored and pending */
	struct buf key;
	bool follows;                    /* changes: rows of the driver are in refs, too */
	bool all_touched;                /* a joined table was emptied in this step */
	bool by_parent;                  /* the row now driven came not itself, its parent did */
};

/* A SELECT, a VALUES list or a UNION of two queries, and what is done with its results. */
struct query {
	struct select *select;
	struct expr ***values;           /* rows of expressions */
	size_t value_count;
	struct query *left, *right;      /* UNION */
	char **names;
	struct sqltype *types;
	size_t count;
	bool any_count;                  /* a * over columns not known yet */
	bool distinct;
	struct map seen;
	enum wire_mode mode;             /* in the step... */
	uint64_t mode_step;              /* ...of this number */
	struct expr **convert;           /* from the types above to the taker's */
	struct scope_table self;         /* the scope of convert: our own columns */
	struct buf text, converted_text; /* one row as it is rendered */
	struct field *fields, *converted;
	size_t *offsets;
	struct query_sink sink, reject;  /* of our results; of the whole query's rejects */
	struct arena *arena;             /* of all nodes; the root owns it */
	struct run *run;
	bool root;
	struct star_insert const *insert;
	bool *identity;                  /* which results are the target's key and the driver's
					    alike; NULL if none tell whose result a row is */
	const struct refs *refs;
};

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
static int emit(struct query *q, const struct field *fields, struct err *e);
static int drive(struct select *s, const struct field *fields, bool final, struct err *e);

/* --- compiling: the tables of a FROM --- */

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

static int take_joined(void *arg, const struct field *fields, struct err *e);
static int take_driving(void *arg, const struct field *fields, struct err *e);

static int from_query(struct compiler *c, const struct json *node, struct relation *r,
		      struct scope_table *t, struct err *e)
{
	const struct json *alias = json_get(node, "alias");
	int rc;

	if (json_get(node, "lateral"))
		return not_here(c, node, "LATERAL", e);
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
	r->query->sink.row = r->index == 0 ? take_driving : take_joined;
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

/* --- compiling: joins --- */

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

/* --- compiling: SELECT, VALUES, UNION --- */

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
	size_t n = q->count + 1;
	struct expr **targets = zalloc(c, n * sizeof(*targets));
	char **names = zalloc(c, n * sizeof(*names));

	if (q->count) {
		memcpy(targets, q->select->targets, q->count * sizeof(*targets));
		memcpy(names, q->names, q->count * sizeof(*names));
	}
	targets[q->count] = x;
	names[q->count] = (char *)(uintptr_t)name;
	q->select->targets = targets;
	q->names = names;
	q->count = n;
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
			  *distinct = json_get(node, "distinctClause");
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
	if (json_count(distinct) > 0 && json_count(json_at(distinct, 0)) > 0)
		return not_here(c, json_at(distinct, 0), "DISTINCT ON", e);
	if (json_count(from) > 1) {
		star_error(c->star, star_at(json_get(json_at(from, 1), "RangeVar")), e,
			   "a comma in FROM is not supported");
		return err_hint(e, USAGE, "Write JOIN ... ON instead.");
	}
	if ((rc = unsupported_clause(c, node, e)) != OK)
		return rc;
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
		char *name = zalloc(c, 32);

		memcpy(name, "column", 6);
		name[6] = (char)('1' + i % 9);
		if (i >= 9)
			name[7] = (char)('0' + i % 10);
		q->names[i] = name;
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

static int take_part(void *arg, const struct field *fields, struct err *e)
{
	return emit(arg, fields, e);
}

static int compile_union(struct compiler *c, const struct json *node, struct query *q,
			 struct err *e)
{
	struct sqltype *types;
	int rc;

	if (strcmp(json_string(json_get(node, "op")), "SETOP_UNION") != 0)
		return not_here(c, NULL, "INTERSECT or EXCEPT", e);
	q->distinct = !json_true(json_get(node, "all"));
	if ((rc = unsupported_clause(c, node, e)) != OK ||
	    (rc = compile(c, json_get(node, "larg"), &q->left, e)) != OK ||
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
	if (q->any_count)
		return OK;
	if ((rc = common_types(c, q, e)) != OK ||
	    (rc = convert(c, q->left, types, CAST_IMPLICIT, e)) != OK ||
	    (rc = convert(c, q->right, types, CAST_IMPLICIT, e)) != OK)
		return rc;
	q->left->sink = q->right->sink = (struct query_sink){ .arg = q, .row = take_part };
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

/* A deleted row's result can be named where the driver's key is all of the target's. */
static void identify(struct compiler *c, struct query *q)
{
	const struct star_insert *in = q->insert;
	const struct wire_table *w = in->into->wire, *driver;
	size_t key[64], n = query_key(q, key, 64, &driver);

	if (n == 0 || q->distinct || !w->load || (w->key_count && w->key_count != n))
		return;
	for (size_t k = 0; k < w->key_count; k++) {
		size_t i = 0;

		while (i < n && key[i] != w->key[k])
			i++;
		if (i == n)
			return;
	}
	q->identity = zalloc(c, q->count * sizeof(*q->identity));
	for (size_t i = 0; i < q->count; i++)
		for (size_t k = 0; k < n; k++)
			q->identity[i] = q->identity[i] || in->columns[i] == key[k];
}

int query_compile(const struct star *s, const struct star_insert *in, query_lookup lookup,
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
	rc = convert(&c, q, types, CAST_ASSIGNMENT, e);
	if (rc == OK)
		identify(&c, q);
	return rc;
}

int query_sources(const struct star *s, const struct star_insert *in, query_uses uses, void *arg,
		  struct err *e)
{
	struct compiler c = { .star = s, .uses = uses, .uses_arg = arg };
	struct query *q = NULL;
	int rc;

	c.arena = xcalloc(1, sizeof(*c.arena));
	c.run = xcalloc(1, sizeof(*c.run));
	rc = compile(&c, in->select, &q, e);
	q->root = true;
	query_free(q);
	return rc;
}

/* --- visiting --- */

/* Everything below q, the deepest first: what has no query under it feeds what has. */
static int visit(struct query *q, int (*f)(struct query *, void *, struct err *), void *arg,
		 struct err *e)
{
	int rc = OK;

	if (q->left)
		rc = visit(q->left, f, arg, e);
	if (q->right && rc == OK)
		rc = visit(q->right, f, arg, e);
	for (size_t i = 0; q->select && i < q->select->scope.count && rc == OK; i++)
		if (q->select->rels[i].query)
			rc = visit(q->select->rels[i].query, f, arg, e);
	return rc == OK ? f(q, arg, e) : rc;
}

static int release(struct query *q, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	map_release(&q->seen);
	buf_release(&q->text);
	buf_release(&q->converted_text);
	for (size_t i = 0; q->select && i < q->select->scope.count; i++)
		map_release(&q->select->rels[i].rows);
	if (q->select) {
		arena_release(&q->select->kept);
		buf_release(&q->select->key);
	}
	return OK;
}

void query_free(struct query *q)
{
	struct arena *arena;
	struct run *run;
	struct err ignored;

	if (!q)
		return;
	arena = q->arena; /* q itself is in it */
	run = q->run;
	visit(q, release, NULL, &ignored);
	arena_release(&run->values);
	arena_release(arena);
	free(run);
	free(arena);
}

/* visit for those who change nothing */
static void look(const struct query *q, int (*f)(struct query *, void *, struct err *), void *arg)
{
	struct err ignored;

	visit((struct query *)(uintptr_t)q, f, arg, &ignored);
}

struct telling {
	query_uses uses;
	void *arg;
};

static int tell_joins(struct query *q, void *arg, struct err *e)
{
	struct telling *t = arg;

	(void)e;
	for (size_t i = 0; q->select && q->select->scope.count > 1 && i < q->select->scope.count;
	     i++)
		if (q->select->rels[i].kind == REL_SOURCE)
			t->uses(t->arg, q->select->rels[i].name, NULL, true);
	return OK;
}

void query_joins(const struct query *q, query_uses uses, void *arg)
{
	struct telling t = { uses, arg };

	look(q, tell_joins, &t);
}

static int find_changes(struct query *q, void *arg, struct err *e)
{
	const char **name = arg;

	(void)e;
	for (size_t i = 0; q->select && i < q->select->scope.count; i++) {
		const struct relation *r = &q->select->rels[i];

		if (r->table && r->table->mode == WIRE_CHANGES)
			*name = r->name;
	}
	return OK;
}

static int find_lost_changes(struct query *q, void *arg, struct err *e)
{
	struct select *s = q->select;

	if (!s || s->scope.count < 2 || s->follows)
		return OK;
	find_changes(q, arg, e);
	for (size_t i = 0; i < s->scope.count; i++)
		if (s->rels[i].query)
			look(s->rels[i].query, find_changes, arg);
	return OK;
}

const char *query_lost_changes(const struct query *q)
{
	const char *name = NULL;

	look(q, find_lost_changes, &name);
	return name;
}

static int find_mode(struct query *q, void *arg, struct err *e)
{
	enum wire_mode *mode = arg;

	(void)e;
	if (q->select && q->select->scope.count && q->select->rels[0].table &&
	    q->select->rels[0].table->mode == WIRE_CHANGES)
		*mode = WIRE_CHANGES;
	return OK;
}

enum wire_mode query_mode(const struct query *q)
{
	enum wire_mode mode = WIRE_FULL;

	look(q, find_mode, &mode);
	return mode;
}

struct reading {
	const struct wire_table *table;
	bool found;
};

static int find_table(struct query *q, void *arg, struct err *e)
{
	struct reading *r = arg;

	(void)e;
	for (size_t i = 0; q->select && i < q->select->scope.count; i++)
		r->found = r->found ||
			   (q->select->rels[i].table && q->select->rels[i].table == r->table);
	return OK;
}

bool query_reads(const struct query *q, const struct wire_table *t)
{
	struct reading r = { t, false };

	look(q, find_table, &r);
	return r.found;
}

size_t query_key(const struct query *q, size_t *columns, size_t max,
		 const struct wire_table **driver)
{
	const struct wire_table *t =
		q->select && q->select->scope.count ? q->select->rels[0].table : NULL;
	size_t n = 0;

	*driver = t;
	for (size_t k = 0; t && k < t->key_count; k++) {
		size_t i = 0;

		for (; i < q->count; i++) {
			const struct expr *x = q->select->targets[i];

			while (x->kind == EX_CAST)
				x = x->args[0];
			if (x->kind == EX_COLUMN && x->table == 0 && x->column == t->key[k])
				break;
		}
		if (i == q->count || n == max)
			return 0;
		columns[n++] = q->insert->columns[i];
	}
	return n;
}

/* --- running: results --- */

static struct field field_of(struct str json)
{
	struct field f = { .text = json };

	switch (json.data[0]) {
	case '"':
		f.kind = F_STRING;
		f.text = (struct str){ json.data + 1, json.len - 2 };
		f.escaped = memchr(f.text.data, '\\', f.text.len) != NULL;
		break;
	case 'n': f.kind = F_NULL; break;
	case 't': f.kind = F_TRUE; break;
	case 'f': f.kind = F_FALSE; break;
	case '[': f.kind = F_ARRAY; break;
	case '{': f.kind = F_OBJECT; break;
	default: f.kind = F_NUMBER;
	}
	return f;
}

/* Cut rendered text into fields; offsets has count + 1 entries. */
static void cut(const struct buf *text, const size_t *offsets, size_t count, struct field *fields)
{
	for (size_t i = 0; i < count; i++)
		fields[i] = field_of(
			(struct str){ text->data + offsets[i], offsets[i + 1] - offsets[i] });
}

static int render(struct query *q, struct expr *const *targets, const struct eval *ctx,
		  struct buf *text, struct field *fields, struct err *e)
{
	bool is_null;
	int rc;

	buf_reset(text);
	for (size_t i = 0; i < q->count; i++) {
		q->offsets[i] = text->len;
		if ((rc = expr_add_json(targets[i], ctx, text, &is_null, e)) != OK)
			return err_wrap(e, rc, "column \"%s\"", q->names[i]);
	}
	q->offsets[q->count] = text->len;
	cut(text, q->offsets, q->count, fields);
	return OK;
}

/* The key of these expressions for hashing; *null if one of them is NULL. */
static int add_keys(struct buf *key, struct expr *const *keys, size_t count, const struct eval *ctx,
		    bool *null, struct err *e)
{
	buf_reset(key);
	*null = false;
	for (size_t i = 0; i < count; i++) {
		struct value v;
		int rc = expr_eval(keys[i], ctx, &v, e);

		if (rc != OK)
			return rc;
		*null = *null || v.null;
		value_add_key(key, keys[i]->type, &v);
	}
	return OK;
}

static int is_new(struct query *q, const struct field *fields, bool *fresh, struct err *e)
{
	const struct field *row = fields;
	struct eval ctx = { &row, &q->run->values };
	struct buf key = { 0 };
	int rc = OK, added = 0;

	for (size_t i = 0; i < q->count && rc == OK; i++) {
		struct expr x = { .kind = EX_COLUMN, .type = q->types[i], .column = i };
		struct value v;

		if ((rc = expr_eval(&x, &ctx, &v, e)) == OK)
			value_add_key(&key, x.type, &v);
	}
	if (rc == OK)
		map_add(&q->seen, buf_str(&key), &added);
	*fresh = added;
	buf_release(&key);
	return rc;
}

/* Announcements stand before a step's rows. */
static enum wire_mode mode_of(struct query *q)
{
	if (q->mode_step != q->run->step)
		q->mode = query_mode(q);
	q->mode_step = q->run->step;
	return q->mode;
}

/* A result of q on its way out. Of changes every version goes out: a row that was A, then B and A
 * again must end as A. */
static int emit(struct query *q, const struct field *fields, struct err *e)
{
	const struct field *row = fields;
	struct eval ctx = { &row, &q->run->values };
	bool fresh = true;
	int rc = q->distinct && mode_of(q) == WIRE_FULL ? is_new(q, fields, &fresh, e) : OK;

	if (rc != OK || !fresh)
		return rc;
	if (q->convert) {
		if ((rc = render(q, q->convert, &ctx, &q->converted_text, q->converted, e)) != OK)
			return rc;
		row = q->converted;
	}
	return q->sink.row(q->sink.arg, row, e);
}

/* --- running: joins --- */

/* A condition of several parts ends at the first that is not true, NULL included. */
static int is_true(const struct expr *x, const struct eval *ctx, bool *yes, struct err *e)
{
	struct value v;
	int rc = OK;

	if (x && x->kind == EX_AND) {
		*yes = true;
		for (size_t i = 0; i < x->count && rc == OK && *yes; i++)
			rc = is_true(x->args[i], ctx, yes, e);
		return rc;
	}
	rc = x ? expr_eval(x, ctx, &v, e) : OK;
	*yes = rc == OK && (!x || (!v.null && v.b));
	return rc;
}

/* A row's bad data makes it a reject; anything else ends the run. */
static int reject(struct select *s, int rc, struct err *e)
{
	if (rc != BAD_DATA)
		return rc;
	return s->query->reject.reject(s->query->reject.arg, s->query->run->table,
				       s->query->run->line, e);
}

/* Tell the taker that a driving row, of which the key is enough, has no result any more. */
static int emit_gone(struct query *q, const struct field *driving, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { driving };
	struct eval ctx = { rows, &q->run->values };
	bool is_null;
	int rc = OK;

	buf_reset(&q->text);
	for (size_t i = 0; i < q->count && rc == OK; i++) {
		q->offsets[i] = q->text.len;
		if (q->identity[i])
			rc = expr_add_json(q->select->targets[i], &ctx, &q->text, &is_null, e);
		else
			buf_addz(&q->text, "null");
	}
	q->offsets[q->count] = q->text.len;
	if (rc != OK)
		return rc;
	cut(&q->text, q->offsets, q->count, q->fields);
	return q->sink.gone(q->sink.arg, q->fields, e);
}

/* A changed row that no longer meets the conditions has left the results. */
static int left_out(struct select *s, const struct field *driving, struct err *e)
{
	struct query *q = s->query;

	if (!q->identity || s->rels[0].table->mode == WIRE_FULL)
		return OK;
	return emit_gone(q, driving, e);
}

static int finish(struct select *s, const struct field **rows, struct err *e)
{
	struct query *q = s->query;
	struct eval ctx = { rows, &q->run->values };
	bool yes;
	int rc = is_true(s->where, &ctx, &yes, e);

	if (rc == OK && !yes)
		return left_out(s, rows[0], e);
	if (rc != OK)
		return rc;
	if ((rc = render(q, s->targets, &ctx, &q->text, q->fields, e)) != OK)
		return rc;
	return emit(q, q->fields, e);
}

enum purpose { LOOK, LOOK_TOUCHED, EMIT };
enum walked { PASSED, WAITS, TOUCHED };

static int no_match(const struct select *s, const struct relation *r, bool null, struct err *e)
{
	struct buf on = { 0 };
	int rc;

	for (size_t i = 0; i < r->key_count; i++)
		if (r->own_keys[i]->kind == EX_COLUMN)
			buf_addf(&on, "%s%s", i ? ", " : "",
				 s->scope.tables[r->index].columns[r->own_keys[i]->column].name);
	rc = err_set(e, BAD_DATA,
		     null ? "its key for table \"%s\" (%s) is NULL" :
			    "it has no match in table \"%s\" (%s)",
		     r->name ? r->name : s->scope.tables[r->index].alias, on.data ? on.data : "");
	buf_release(&on);
	return err_hint(e, rc, "A LEFT JOIN would keep such rows; --rejects FILE collects them.");
}

/* A driving row without a match in an inner join: it has left the results, and unless it is only
 * its parent that went, it is a reject. */
static int unmatched(struct select *s, const struct relation *r, bool null,
		     const struct field *driving, struct err *e)
{
	int rc = left_out(s, driving, e);

	return rc != OK || (s->by_parent && s->query->identity) ? rc : no_match(s, r, null, e);
}

/* Join rows[0..at) with table at and all behind it, to emit the results, or only to look: whether
 * every match that there will ever be is known (else *result is WAITS), or whether one of them came
 * in this step (TOUCHED). */
static int walk(struct select *s, size_t at, const struct field **rows, bool final,
		enum purpose purpose, enum walked *result, struct err *e)
{
	struct eval ctx = { rows, &s->query->run->values };
	struct relation *r = &s->rels[at];
	struct map_entry *entry;
	struct stored *m;
	bool null;
	int rc;

	if (at >= s->scope.count)
		return purpose == EMIT ? finish(s, rows, e) : OK;
	if ((rc = add_keys(&s->key, r->keys, r->key_count, &ctx, &null, e)) != OK)
		return rc;
	entry = null ? NULL : map_find(&r->rows, buf_str(&s->key));
	m = entry ? entry->value : NULL;
	if (purpose == LOOK_TOUCHED && m && m->step == s->query->run->step) {
		*result = TOUCHED;
		return OK;
	}
	if (m && m->gone)
		m = NULL;
	if (!null && !final && r->kind != REL_FILE && r->kind != REL_SERIES && !(m && r->unique)) {
		*result = WAITS;
		return OK;
	}
	if (!m && r->left) {
		rows[at] = NULL;
		return walk(s, at + 1, rows, final, purpose, result, e);
	}
	if (!m)
		return purpose == EMIT ? unmatched(s, r, null, rows[0], e) : OK;
	for (; m && rc == OK && *result == PASSED; m = m->next) {
		rows[at] = m->fields;
		rc = walk(s, at + 1, rows, final, purpose, result, e);
	}
	return rc;
}

static struct field copy_field(struct arena *a, const struct field *f)
{
	struct field copy = *f;

	if (f->kind == F_STRING) { /* with its quotes: expr_add_json copies them along */
		struct str whole = { f->text.data - 1, f->text.len + 2 };

		copy.text.data = arena_copy(a, whole).data + 1;
	} else if (f->kind != F_ABSENT) {
		copy.text = arena_copy(a, f->text);
	}
	return copy;
}

/* The columns of a table that are used, copied. */
static void copy_row(struct select *s, size_t table, const struct field *from, struct field *to)
{
	const struct scope_table *t = &s->scope.tables[table];

	for (size_t i = 0; i < t->count; i++) {
		to[i] = (struct field){ .kind = F_ABSENT };
		if (t->columns[i].used)
			to[i] = copy_field(&s->kept, &from[i]);
	}
}

static void wait_for_step(struct select *s, const struct field *fields)
{
	size_t count = s->scope.tables[0].count;
	struct pending *p = arena_alloc(&s->kept, sizeof(*p) + count * sizeof(struct field));

	p->next = NULL;
	p->table = s->query->run->table;
	p->line = arena_copy(&s->kept, s->query->run->line);
	copy_row(s, 0, fields, p->fields);
	*s->pending_end = p;
	s->pending_end = &p->next;
}

static int join(struct select *s, const struct field *fields, bool final, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { fields };
	struct eval ctx = { rows, &s->query->run->values };
	enum walked result = PASSED;
	bool yes;
	int rc = is_true(s->before, &ctx, &yes, e);

	if (rc == OK && !yes) /* a parent changes nothing about that */
		return s->by_parent ? OK : left_out(s, fields, e);
	if (rc == OK && s->scope.count > 1 && !final)
		rc = walk(s, 1, rows, final, LOOK, &result, e);
	if (rc == OK && result == WAITS)
		wait_for_step(s, fields);
	if (rc != OK || result == WAITS)
		return rc;
	return walk(s, 1, rows, final, EMIT, &result, e);
}

static int drive(struct select *s, const struct field *fields, bool final, struct err *e)
{
	int rc = join(s, fields, final, e);

	return rc == OK ? OK : reject(s, rc, e);
}

static int take_driving(void *arg, const struct field *fields, struct err *e)
{
	struct relation *r = arg;

	return drive(r->in, fields, false, e);
}

/* Keep a row of a joined table: the columns that are used. One that is gone, or does not meet the
 * join's own condition, is kept as such where changes are followed. */
static int store(struct relation *r, const struct field *fields, bool gone, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { 0 };
	struct run *run = r->in->query->run;
	struct eval ctx = { rows, &run->values };
	struct scope_table *t = &r->in->scope.tables[r->index];
	struct map_entry *entry;
	struct stored *m;
	bool null, yes = false;
	int rc = OK, added;

	rows[r->index] = fields;
	if (!gone && (rc = is_true(r->filter, &ctx, &yes, e)) != OK)
		return rc;
	if (!yes && !r->in->follows)
		return OK;
	if ((rc = add_keys(&r->in->key, r->own_keys, r->key_count, &ctx, &null, e)) != OK || null)
		return rc;
	m = arena_alloc(&r->in->kept, sizeof(*m) + (yes ? t->count : 0) * sizeof(struct field));
	if (yes)
		copy_row(r->in, r->index, fields, m->fields);
	m->gone = !yes;
	m->step = run->step;
	entry = map_add(&r->rows, buf_str(&r->in->key), &added);
	m->next = r->unique ? NULL :
			      entry->value; /* a newer version of the same row takes its place */
	entry->value = m;
	return OK;
}

static int take_joined(void *arg, const struct field *fields, struct err *e)
{
	return store(arg, fields, false, e);
}

/* --- running: the stream --- */

struct feeding {
	const struct wire_table *table;
	const struct field *fields;
	struct str line;
	bool drives;
};

static int feed(struct query *q, void *arg, struct err *e)
{
	struct feeding *f = arg;
	struct select *s = q->select;
	int rc = OK;

	for (size_t i = 0; s && i < s->scope.count && rc == OK; i++) {
		if (s->rels[i].table != f->table || !f->table || (i == 0) != f->drives)
			continue;
		if (i == 0) {
			rc = s->follows ? OK : drive(s, f->fields, false, e);
		} else {
			rc = store(&s->rels[i], f->fields, false, e);
			if (rc == BAD_DATA)
				rc = q->reject.reject(q->reject.arg, f->table, f->line, e);
		}
	}
	return rc;
}

int query_row(struct query *q, const struct wire_table *t, const struct field *fields,
	      struct str line, struct err *e)
{
	struct feeding f = { t, fields, line, false };
	int rc;

	q->run->table = t;
	q->run->line = line;
	rc = visit(q, feed, &f, e);
	f.drives = true;
	if (rc == OK)
		rc = visit(q, feed, &f, e);
	arena_reset(&q->run->values);
	return rc;
}

/* --- running: changes --- */

/* Every joined table must be joined by its key and nothing else: then a row that has changed takes
 * the place of the one that was. */
static bool can_follow(const struct select *s)
{
	bool can = s->scope.count > 1 && s->rels[0].table && s->rels[0].table->key_count;

	for (size_t i = 1; i < s->scope.count; i++) {
		const struct relation *r = &s->rels[i];

		can = can && (r->table ? r->unique && r->key_count == r->table->key_count :
					 r->kind == REL_FILE || r->kind == REL_SERIES);
	}
	return can;
}

/* The rows of earlier runs, which this step has not touched. */
static int load_joined(struct relation *r, struct err *e)
{
	struct refs_table *t = refs_find(r->in->query->refs, r->name);
	int rc = OK;

	for (size_t i = 0; t && i < t->count && rc == OK; i++)
		if (t->rows[i]->line && (rc = refs_scan(t, t->rows[i], e)) == OK)
			rc = store(r, t->fields, false, e);
	arena_reset(&r->in->query->run->values);
	return rc;
}

static int follow(struct query *q, void *arg, struct err *e)
{
	struct select *s = q->select;
	int rc = OK;

	if (!s || !can_follow(s))
		return OK;
	q->refs = arg;
	s->follows = true;
	q->run->step = 0;
	for (size_t i = 1; i < s->scope.count && rc == OK; i++)
		if (s->rels[i].table)
			rc = load_joined(&s->rels[i], e);
	q->run->step = 1;
	return rc;
}

int query_follow(struct query *q, const struct refs *r, struct err *e)
{
	return visit(q, follow, (void *)(uintptr_t)r, e);
}

static int drive_row(struct select *s, const struct refs_table *t, const struct refs_row *row,
		     bool parents, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { t->fields };
	struct run *run = s->query->run;
	enum walked result = PASSED;
	int rc = refs_scan(t, row, e);

	s->by_parent = !row->touched;
	if (rc == OK && s->by_parent && parents)
		rc = walk(s, 1, rows, true, LOOK_TOUCHED, &result, e);
	run->line = (struct str){ row->line, row->len };
	run->table = s->rels[0].table;
	if (rc == OK && (row->touched || result == TOUCHED || s->all_touched))
		rc = drive(s, t->fields, true, e);
	s->by_parent = false;
	arena_reset(&run->values);
	return rc;
}

/* Driving rows that came in this step, or whose parents did. */
static int drive_changes(struct select *s, struct err *e)
{
	const struct refs *refs = s->query->refs;
	struct refs_table *t = refs_find(refs, s->rels[0].name);
	bool parents = s->all_touched;
	int rc = OK;

	for (size_t i = 1; i < s->scope.count; i++) {
		struct refs_table *joined =
			s->rels[i].table ? refs_find(refs, s->rels[i].name) : NULL;

		parents = parents || (joined && joined->touched);
	}
	for (size_t i = 0; t && i < t->count && rc == OK; i++)
		if (t->rows[i]->line && (parents || t->rows[i]->touched))
			rc = drive_row(s, t, t->rows[i], parents, e);
	s->all_touched = false;
	return rc;
}

struct deleting {
	const struct wire_table *table;
	const struct field *fields; /* NULL: all */
};

static int delete_joined(struct relation *r, const struct deleting *d, struct err *e)
{
	if (d->fields)
		return store(r, d->fields, true, e);
	map_release(&r->rows);
	r->in->all_touched = true;
	return OK;
}

static int delete(struct query *q, void *arg, struct err *e)
{
	const struct deleting *d = arg;
	struct select *s = q->select;
	int rc = OK;

	for (size_t i = 0; s && i < s->scope.count && rc == OK; i++) {
		if (!d->table || s->rels[i].table != d->table)
			continue;
		if (i > 0)
			rc = delete_joined(&s->rels[i], d, e);
		else if (q->identity)
			rc = d->fields ? emit_gone(q, d->fields, e) :
					 q->sink.gone(q->sink.arg, NULL, e);
	}
	return rc;
}

int query_delete(struct query *q, const struct wire_table *t, const struct field *fields,
		 struct err *e)
{
	struct deleting d = { t, fields };
	int rc = visit(q, delete, &d, e);

	arena_reset(&q->run->values);
	return rc;
}

/* --- running: the end of a step --- */

static int step(struct query *q, void *arg, struct err *e)
{
	struct select *s = q->select;
	int rc = OK;

	(void)arg;
	for (struct pending *p = s ? s->pending : NULL; p && rc == OK; p = p->next) {
		q->run->table = p->table;
		q->run->line = p->line;
		rc = drive(s, p->fields, true, e);
		arena_reset(&q->run->values);
	}
	if (s) {
		s->pending = NULL;
		s->pending_end = &s->pending;
	}
	if (rc == OK && s && s->follows)
		rc = drive_changes(s, e);
	return rc;
}

/* What was distinct in one step may come again in the next, after something else. */
static int forget(struct query *q, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	map_release(&q->seen);
	return OK;
}

int query_step(struct query *q, struct err *e)
{
	int rc = visit(q, step, NULL, e);

	look(q, forget, NULL);
	q->run->step++;
	return rc;
}

/* --- running: rows that are there from the start --- */

/* Hand a row made here to its relation. */
static int offer(struct relation *r, const struct field *fields, struct err *e)
{
	return r->index == 0 ? drive(r->in, fields, false, e) : store(r, fields, false, e);
}

struct file_reading {
	struct relation *r;
	struct field *fields;
	struct buf line;
	size_t *offsets;
};

static int file_row(void *arg, const struct csv_cell *cells, size_t count, uint64_t row,
		    struct err *e)
{
	struct file_reading *f = arg;
	const struct star_file *file = f->r->file;
	struct arena *a = &f->r->in->query->run->values;
	int rc = OK;

	if (row == 1 && file->header)
		return OK;
	if (count != file->column_count)
		return err_set(e, BAD_DATA, "%s: row %llu has %zu columns where %zu are declared",
			       file->path, (unsigned long long)row, count, file->column_count);
	buf_reset(&f->line);
	for (size_t i = 0; i < count && rc == OK; i++) {
		struct sqltype t =
			sqltype_of_wire(&file->columns[i].type, file->columns[i].type_name);
		struct sqltype plain = t;
		struct value v = { .null = cells[i].null };

		plain.mods[0] = plain.mods[1] = -1;
		f->offsets[i] = f->line.len;
		if (!v.null && (rc = value_from_text(&v, plain, cells[i].text, a, e)) == OK)
			rc = value_cast(&v, plain, t, CAST_ASSIGNMENT, a, e);
		if (rc != OK)
			return err_wrap(e, rc, "%s: row %llu: column \"%s\"", file->path,
					(unsigned long long)row, file->columns[i].name);
		if (v.null)
			buf_addz(&f->line, "null");
		else
			value_add_json(&f->line, t, &v);
	}
	f->offsets[count] = f->line.len;
	cut(&f->line, f->offsets, count, f->fields);
	rc = offer(f->r, f->fields, e);
	arena_reset(a);
	return rc;
}

static int start_file(struct relation *r, struct err *e)
{
	const struct star_file *file = r->file;
	struct file_reading f = { .r = r };
	int fd = open(file->path, O_RDONLY), rc;

	if (fd < 0)
		return err_errno(e, "could not open reference file %s", file->path);
	f.fields = xcalloc(file->column_count, sizeof(*f.fields));
	f.offsets = xcalloc(file->column_count + 1, sizeof(*f.offsets));
	rc = csvio_read(fd, file->path, file->delimiter, WIRE_MAX_ROW, file_row, &f, e);
	close(fd);
	free(f.fields);
	free(f.offsets);
	buf_release(&f.line);
	return rc;
}

static int series_next(const struct relation *r, struct sqltype t, struct value *v,
		       const struct value *by, bool *more, struct err *e)
{
	int64_t next;

	if (sqltype_is_int(t.base)) {
		int64_t step = r->series_count > 2 ? by->i : 1;

		*more = !__builtin_add_overflow(v->i, step, &next);
	} else {
		int rc = timestamp_add(&next, v->i, &by->iv, e);

		if (rc != OK)
			return rc;
	}
	v->i = next;
	return OK;
}

static int start_series(struct relation *r, struct err *e)
{
	struct eval ctx = { NULL, &r->in->query->run->values };
	struct sqltype t = r->in->scope.tables[r->index].columns[0].type;
	struct value v, stop, by = { 0 }, zero = { 0 };
	struct buf line = { 0 };
	bool more = true, down = false;
	int rc;

	if ((rc = expr_eval(r->series[0], &ctx, &v, e)) != OK ||
	    (rc = expr_eval(r->series[1], &ctx, &stop, e)) != OK ||
	    (r->series_count > 2 && (rc = expr_eval(r->series[2], &ctx, &by, e)) != OK))
		return rc;
	if (v.null || stop.null || by.null)
		return OK;
	if (r->series_count > 2) {
		int c = sqltype_is_int(t.base) ? (by.i > 0) - (by.i < 0) :
						 interval_cmp(&by.iv, &zero.iv);

		if (c == 0)
			return star_error(r->in->scope.star, r->series[2]->at, e,
					  "step size cannot equal zero");
		down = c < 0;
	}
	while (more && rc == OK && (down ? v.i >= stop.i : v.i <= stop.i)) {
		struct field f;

		buf_reset(&line);
		value_add_json(&line, t, &v);
		f = field_of(buf_str(&line));
		rc = offer(r, &f, e);
		if (rc == OK)
			rc = series_next(r, t, &v, &by, &more, e);
	}
	buf_release(&line);
	return rc;
}

/* Joined files and series come before anything drives. */
static int start_joined(struct query *q, void *arg, struct err *e)
{
	bool drives = *(bool *)arg;
	struct select *s = q->select;
	int rc = OK;

	for (size_t i = 0; s && i < s->scope.count && rc == OK; i++) {
		if ((i == 0) != drives)
			continue;
		if (s->rels[i].kind == REL_FILE)
			rc = start_file(&s->rels[i], e);
		else if (s->rels[i].kind == REL_SERIES)
			rc = start_series(&s->rels[i], e);
	}
	if (drives && s && s->scope.count == 0) /* a SELECT without FROM is one row */
		rc = drive(s, NULL, false, e);
	for (size_t r = 0; drives && r < q->value_count && rc == OK; r++) {
		struct eval ctx = { NULL, &q->run->values };

		if ((rc = render(q, q->values[r], &ctx, &q->text, q->fields, e)) == OK)
			rc = emit(q, q->fields, e);
	}
	return rc;
}

int query_start(struct query *q, struct err *e)
{
	bool drives = false;
	int rc = visit(q, start_joined, &drives, e);

	drives = true;
	if (rc == OK)
		rc = visit(q, start_joined, &drives, e);
	arena_reset(&q->run->values);
	return rc;
}
