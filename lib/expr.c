/* expr - bind and evaluate SQL expressions */
#include "expr.h"

#include "func.h"
#include "mem.h"

#include <stdlib.h>

/* --- nodes --- */

static struct expr *new_expr(const struct scope *s, enum expr_kind kind, enum pg_base base,
			     size_t at, size_t count)
{
	struct expr *x = arena_alloc(s->arena, sizeof(*x));

	*x = (struct expr){ .kind = kind, .type = sqltype_of(base), .at = at, .count = count };
	x->args = arena_alloc(s->arena, (count ? count : 1) * sizeof(*x->args));
	return x;
}

static const char *string_at(const struct json *list, size_t i)
{
	return json_string(json_get(json_get(json_at(list, i), "String"), "sval"));
}

static int need_type(const struct scope *s, const struct expr *x, enum pg_base base,
		     const char *what, struct err *e)
{
	struct buf name = { 0 };
	int rc = OK;

	if (x->type.base != base && x->type.base != PG_ANY) {
		sqltype_add_name(&name, x->type);
		rc = star_error(s->star, x->at, e, "%s must be boolean, not %s", what, name.data);
	}
	buf_release(&name);
	return rc;
}

/* --- folding --- */

static bool is_const(const struct expr *x)
{
	return x->kind == EX_CONST && x->type.base != PG_UNKNOWN;
}

static bool is_null(const struct expr *x)
{
	return is_const(x) && x->value.null;
}

/* The value of a deciding operand: what AND and OR need not look behind. */
static bool decides(const struct expr *x, const struct expr *arg)
{
	return is_const(arg) && !arg->value.null && arg->value.b == (x->kind == EX_OR);
}

/* What is already known of x, as PostgreSQL's planner would simplify it (eval_const_expressions):
 * a call of constants, a call on NULL, a CASE or AND that a constant decides. It matters beyond
 * speed, because what is cut away cannot fail. A constant that fails is left to the rows. */
static struct expr *fold(const struct scope *s, struct expr *x)
{
	struct eval ctx = { NULL, s->arena };
	struct err ignored;
	struct expr *c;
	bool all = true, null = false;

	if (x->type.base == PG_ANY)
		return x;
	for (size_t i = 0; i < x->count; i++) {
		all = all && is_const(x->args[i]);
		null = null || is_null(x->args[i]);
		if ((x->kind == EX_AND || x->kind == EX_OR) && decides(x, x->args[i]))
			return x->args[i];
	}
	while (x->kind == EX_CASE && x->count > 1 && is_const(x->args[0])) {
		if (!x->args[0]->value.null && x->args[0]->value.b)
			return x->args[1];
		x->args += 2;
		x->count -= 2;
	}
	if (x->kind == EX_CASE && x->count == 1)
		return x->args[0];
	null = null &&
	       ((x->kind == EX_CALL && x->func && !x->func->variadic) || x->kind == EX_CAST);
	if (!all && !null)
		return x;
	c = new_expr(s, EX_CONST, x->type.base, x->at, 0);
	c->type = x->type;
	c->value.null = true;
	if (!null && expr_eval(x, &ctx, &c->value, &ignored) != OK)
		return x;
	return c;
}

/* --- conversions --- */

static int no_cast(const struct scope *s, const struct expr *x, struct sqltype to, struct err *e)
{
	struct buf from_name = { 0 }, to_name = { 0 };

	sqltype_add_name(&from_name, x->type);
	sqltype_add_name(&to_name, to);
	star_error(s->star, x->at, e, "%s cannot become %s here", from_name.data, to_name.data);
	if (sqltype_castable(x->type, to, CAST_EXPLICIT))
		err_hint(e, USAGE, "If it is meant, write the cast: ...::%s.", to_name.data);
	buf_release(&from_name);
	buf_release(&to_name);
	return USAGE;
}

/* An untyped literal is read as the type it is needed as, once. */
static int cast_literal(const struct scope *s, struct expr *x, struct sqltype to,
			enum cast_context context, struct expr **out, struct err *e)
{
	struct expr *c = new_expr(s, EX_CONST, to.base, x->at, 0);
	struct sqltype plain = to;
	int rc = OK;

	plain.mods[0] = plain.mods[1] = -1;
	c->type = to;
	c->value = x->value;
	if (!x->value.null) {
		rc = value_from_text(&c->value, plain, x->value.s, s->arena, e);
		if (rc == OK)
			rc = value_cast(&c->value, plain, to, context, s->arena, e);
	}
	*out = c;
	return rc == OK ? OK : err_locate(e, USAGE, s->star->path, s->star->text.data, x->at);
}

int expr_cast(const struct scope *s, struct expr *x, struct sqltype to, enum cast_context context,
	      struct expr **out, struct err *e)
{
	bool same = sqltype_same(x->type, to);
	struct expr *c;

	*out = x;
	if (same &&
	    (to.mods[0] < 0 || (x->type.mods[0] == to.mods[0] && x->type.mods[1] == to.mods[1])))
		return OK;
	if (!sqltype_castable(x->type, to, context))
		return no_cast(s, x, to, e);
	if (x->kind == EX_CONST && x->type.base == PG_UNKNOWN && to.base != PG_ANY)
		return cast_literal(s, x, to, context, out, e);
	if (to.base == PG_ANY)
		return OK;
	c = new_expr(s, EX_CAST, to.base, x->at, 1);
	c->type = to;
	c->args[0] = x;
	c->context = context;
	*out = fold(s, c);
	return OK;
}

/* A literal that nothing has given a type is text. */
static int settle(const struct scope *s, struct expr **x, struct err *e)
{
	return (*x)->type.base == PG_UNKNOWN ?
	       expr_cast(s, *x, sqltype_of(PG_TEXT), CAST_IMPLICIT, x, e) : OK;
}

/* Bring the args to their common type, which becomes x's. */
static int unify(const struct scope *s, struct expr *x, const char *what, struct err *e)
{
	struct sqltype *types = arena_alloc(s->arena, x->count * sizeof(*types)), a, b;
	struct buf names = { 0 };
	int rc = OK;

	for (size_t i = 0; i < x->count; i++)
		types[i] = x->args[i]->type;
	if (!sqltype_common(types, x->count, &x->type, &a, &b)) {
		sqltype_add_name(&names, a);
		buf_addz(&names, " and ");
		sqltype_add_name(&names, b);
		rc = star_error(s->star, x->at, e, "%s types %s cannot be matched", what,
				names.data);
		buf_release(&names);
		return rc;
	}
	for (size_t i = 0; i < x->count && rc == OK; i++)
		rc = expr_cast(s, x->args[i], x->type, CAST_IMPLICIT, &x->args[i], e);
	return rc;
}

/* --- columns and constants --- */

static int ambiguous(const struct scope *s, size_t at, const char *name, struct err *e)
{
	star_error(s->star, at, e, "column \"%s\" is in more than one table", name);
	return err_hint(e, USAGE, "Put the table's name in front: table.%s.", name);
}

/* How many tables with that alias have a column of that name; the last one is returned. */
static size_t find_column(const struct scope *s, const char *alias, const char *name, size_t *table,
			  size_t *column, bool *alias_known)
{
	size_t found = 0;

	for (size_t t = 0; t < s->count; t++) {
		struct scope_table *st = &s->tables[t];

		if (alias && strcmp(alias, st->alias) != 0)
			continue;
		*alias_known = true;
		for (size_t c = 0; c < st->count; c++)
			if (strcmp(st->columns[c].name, name) == 0 &&
			    (alias || !st->columns[c].merged)) {
				found++;
				*table = t;
				*column = c;
			}
	}
	return found;
}

/* The table of an open scope that a name must belong to: the only open one, else none. */
static size_t open_table(const struct scope *s, const char *alias)
{
	size_t found = s->count, open = 0;

	for (size_t t = 0; t < s->count; t++)
		if (s->tables[t].open && (!alias || strcmp(alias, s->tables[t].alias) == 0)) {
			found = t;
			open++;
		}
	return open == 1 ? found : open ? s->count : s->count + 1;
}

static int bind_column(const struct scope *s, const struct json *node, struct expr **out,
		       struct err *e)
{
	const struct json *fields = json_get(node, "fields");
	size_t n = json_count(fields), table = 0, column = 0, found;
	const char *alias = n == 2 ? string_at(fields, 0) : NULL;
	const char *name = string_at(fields, n - 1);
	size_t at = star_at(node);
	bool alias_known = false;
	struct expr *x;

	if (n > 2)
		return star_error(s->star, at, e, "write table.column, without a schema");
	if (!name)
		return star_error(s->star, at, e, "* stands only alone in a SELECT's list");
	found = find_column(s, alias, name, &table, &column, &alias_known);
	if (found > 1)
		return ambiguous(s, at, name, e);
	*out = x = new_expr(s, EX_COLUMN, PG_ANY, at, 0);
	if (found == 1) {
		s->tables[table].columns[column].used = true;
		x->type = s->tables[table].columns[column].type;
		x->table = table;
		x->column = column;
		return OK;
	}
	table = open_table(s, alias);
	if (table <= s->count) { /* types come later */
		x->table = table;
		if (s->on_open)
			s->on_open(s->arg, table, name);
		return OK;
	}
	if (alias && !alias_known)
		return star_error(s->star, at, e, "table \"%s\" is not in this FROM", alias);
	return star_error(s->star, at, e, "column \"%s\" does not exist", name);
}

/* 12 is an integer, a bigint or a numeric, by its size; 1.5 a numeric. */
static int bind_const(const struct scope *s, const struct json *node, struct expr **out,
		      struct err *e)
{
	struct expr *x = new_expr(s, EX_CONST, PG_UNKNOWN, star_at(node), 0);
	const char *text = json_string(json_get(json_get(node, "fval"), "fval"));
	int64_t n;
	int rc = OK;

	*out = x;
	if (json_true(json_get(node, "isnull"))) {
		x->value.null = true;
	} else if (star_int(s->star, node, &n)) {
		x->type = sqltype_of(PG_INT4);
		x->value.i = n;
	} else if (text && str_to_i64(str_of(text), INT64_MIN, INT64_MAX, &x->value.i)) {
		x->type = sqltype_of(PG_INT8);
	} else if (text) {
		x->type = sqltype_of(PG_NUMERIC);
		rc = value_from_text(&x->value, x->type, str_of(text), s->arena, e);
	} else if (json_get(node, "boolval")) {
		x->type = sqltype_of(PG_BOOL);
		x->value.b = json_true(json_get(json_get(node, "boolval"), "boolval"));
	} else if (json_get(node, "sval")) {
		text = json_string(json_get(json_get(node, "sval"), "sval"));
		x->value.s = arena_copy(s->arena, str_of(text ? text : ""));
	} else {
		rc = star_error(s->star, x->at, e, "bit strings are not supported");
	}
	return rc;
}

/* --- operators and functions --- */

static int no_function(const struct scope *s, size_t at, struct err *e)
{
	err_locate(e, USAGE, s->star->path, s->star->text.data, at);
	return USAGE;
}

/* The call of a function on bound arguments, as it stands. */
static int bind_call(const struct scope *s, const char *name, struct expr **args, size_t count,
		     size_t at, struct expr **out, struct err *e)
{
	struct sqltype *types = arena_alloc(s->arena, (count ? count : 1) * sizeof(*types));
	struct expr *x = new_expr(s, EX_CALL, PG_ANY, at, count);
	int rc = OK;

	for (size_t i = 0; i < count; i++)
		types[i] = args[i]->type;
	*out = x;
	if (func_find(name, types, count, &x->func, e) != OK)
		return no_function(s, at, e);
	for (size_t i = 0; i < count && rc == OK; i++) {
		size_t k = x->func && i >= x->func->count ? x->func->count - 1 : i;
		enum pg_base want = x->func ? x->func->args[k] : PG_ANY;

		x->args[i] = args[i];
		if (want == PG_ANY)
			rc = settle(s, &x->args[i], e);
		else if (args[i]->type.base != want)
			rc = expr_cast(s, args[i], sqltype_of(want), CAST_IMPLICIT, &x->args[i], e);
	}
	if (x->func)
		x->type = sqltype_of(x->func->result);
	return rc;
}

static int call(const struct scope *s, const char *name, struct expr **args, size_t count,
		size_t at, struct expr **out, struct err *e)
{
	int rc = bind_call(s, name, args, count, at, out, e);

	if (rc == OK)
		*out = fold(s, *out);
	return rc;
}

static int bind_list(const struct scope *s, const struct json *list, struct expr **args,
		     struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < json_count(list) && rc == OK; i++)
		rc = expr_bind(s, json_at(list, i), &args[i], e);
	return rc;
}

/* Bind a list into a new node of that kind. */
static int bind_node(const struct scope *s, enum expr_kind kind, enum pg_base base,
		     const struct json *list, size_t at, struct expr **out, struct err *e)
{
	*out = new_expr(s, kind, base, at, json_count(list));
	return bind_list(s, list, (*out)->args, e);
}

static struct expr *two(const struct scope *s, enum expr_kind kind, struct expr *a, struct expr *b,
			size_t at)
{
	struct expr *x = new_expr(s, kind, PG_BOOL, at, 2);

	x->args[0] = a;
	x->args[1] = b;
	return x;
}

static int compare(const struct scope *s, const char *sign, struct expr *a, struct expr *b,
		   size_t at, struct expr **out, struct err *e)
{
	struct expr *args[2] = { a, b };

	return call(s, sign, args, 2, at, out, e);
}

int expr_equal(const struct scope *s, struct expr *left, struct expr *right, size_t at,
	       struct expr **out, struct err *e)
{
	struct expr *sides[2] = { left, right };

	return bind_call(s, "=", sides, 2, at, out, e);
}

/* a IN (b, c): a = b OR a = c; NOT IN: a <> b AND a <> c. */
static int bind_in(const struct scope *s, const struct json *node, struct expr *left,
		   const char *sign, struct expr **out, struct err *e)
{
	const struct json *items = json_get(json_get(json_get(node, "rexpr"), "List"), "items");
	struct expr *x = new_expr(s, strcmp(sign, "=") == 0 ? EX_OR : EX_AND, PG_BOOL,
				  star_at(node), json_count(items));
	int rc = bind_list(s, items, x->args, e);

	for (size_t i = 0; i < x->count && rc == OK; i++)
		rc = compare(s, sign, left, x->args[i], x->at, &x->args[i], e);
	if (rc == OK)
		*out = fold(s, x);
	return rc;
}

static int bind_between(const struct scope *s, const struct json *node, struct expr *left,
			bool negated, struct expr **out, struct err *e)
{
	const struct json *items = json_get(json_get(json_get(node, "rexpr"), "List"), "items");
	struct expr *ends[2], *low, *high;
	size_t at = star_at(node);
	int rc;

	if ((rc = bind_list(s, items, ends, e)) != OK ||
	    (rc = compare(s, negated ? "<" : ">=", left, ends[0], at, &low, e)) != OK ||
	    (rc = compare(s, negated ? ">" : "<=", left, ends[1], at, &high, e)) != OK)
		return rc;
	*out = fold(s, two(s, negated ? EX_OR : EX_AND, low, high, at));
	return OK;
}

/* NULLIF and IS DISTINCT FROM: built on the = of their sides. NULLIF gives its first side as that =
 * takes it: NULLIF(1, 2.2) is numeric. */
static int bind_with_equal(const struct scope *s, enum expr_kind kind, struct expr *a,
			   struct expr *b, size_t at, struct expr **out, struct err *e)
{
	struct expr *sides[2] = { a, b }, *equal, *x;
	int rc = bind_call(s, "=", sides, 2, at, &equal, e);

	if (rc != OK)
		return rc;
	x = new_expr(s, kind, PG_BOOL, at, 2);
	x->args[0] = equal->args[0];
	x->args[1] = equal->args[1];
	x->func = equal->func;
	if (kind == EX_NULLIF)
		x->type = x->args[0]->type;
	if (kind == EX_NULLIF && (is_null(x->args[0]) || is_null(x->args[1])))
		*out = x->args[0]; /* no need to compute the other side, which may fail */
	else
		*out = fold(s, x);
	return OK;
}

static int bind_operator(const struct scope *s, const struct json *node, struct expr **out,
			 struct err *e)
{
	const char *kind = json_string(json_get(node, "kind"));
	const struct json *names = json_get(node, "name"), *l = json_get(node, "lexpr");
	const char *sign = string_at(names, json_count(names) - 1);
	struct expr *args[2];
	size_t at = star_at(node);
	bool in = strcmp(kind, "AEXPR_IN") == 0;
	bool between = strcmp(kind, "AEXPR_BETWEEN") == 0,
	     not_between = strcmp(kind, "AEXPR_NOT_BETWEEN") == 0;
	int rc = OK;

	if (json_count(names) > 1 && strcmp(string_at(names, 0), "pg_catalog") != 0)
		return star_error(s->star, at, e, "only PostgreSQL's own operators are known here");
	if (l && (rc = expr_bind(s, l, &args[0], e)) != OK)
		return rc;
	if (in)
		return bind_in(s, node, args[0], sign, out, e);
	if (between || not_between)
		return bind_between(s, node, args[0], not_between, out, e);
	if ((rc = expr_bind(s, json_get(node, "rexpr"), &args[l ? 1 : 0], e)) != OK)
		return rc;
	if (strcmp(kind, "AEXPR_DISTINCT") == 0)
		return bind_with_equal(s, EX_DISTINCT, args[0], args[1], at, out, e);
	if (strcmp(kind, "AEXPR_NOT_DISTINCT") == 0)
		return bind_with_equal(s, EX_NOT_DISTINCT, args[0], args[1], at, out, e);
	if (strcmp(kind, "AEXPR_NULLIF") == 0)
		return bind_with_equal(s, EX_NULLIF, args[0], args[1], at, out, e);
	if (strcmp(kind, "AEXPR_OP") != 0 && strcmp(kind, "AEXPR_LIKE") != 0 &&
	    strcmp(kind, "AEXPR_ILIKE") != 0)
		return star_error(s->star, at, e, "this operator is not supported");
	return call(s, sign, args, l ? 2 : 1, at, out, e);
}

static int changing(const struct scope *s, size_t at, const char *name, const char *behind,
		    struct err *e)
{
	star_error(s->star, at, e, "%s%s may give another result at every run", name, behind);
	return err_hint(e, USAGE, "Take it from a column of the source.");
}

/* CURRENT_DATE and its like: functions without parentheses, SVFOP_CURRENT_TIMESTAMP_N to the
 * parser. */
static int bind_sql_value(const struct scope *s, const struct json *node, struct err *e)
{
	const char *op = json_string(json_get(node, "op"));
	struct str name = str_of(op + strlen("SVFOP_"));
	struct buf b = { 0 };

	if (name.len > 2 && memcmp(name.data + name.len - 2, "_N", 2) == 0)
		name.len -= 2;
	buf_addstr(&b, name);
	changing(s, star_at(node), b.data, "", e);
	buf_release(&b);
	return USAGE;
}

/* The functions whose result does not depend on their arguments alone. */
static bool depends_on_more(const char *name)
{
	static const char *const names[] = { "now",
					     "random",
					     "clock_timestamp",
					     "nextval",
					     "timeofday",
					     "statement_timestamp",
					     "transaction_timestamp",
					     "gen_random_uuid" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int bind_function(const struct scope *s, const struct json *node, struct expr **out,
			 struct err *e)
{
	const struct json *names = json_get(node, "funcname"), *list = json_get(node, "args");
	const char *name = string_at(names, json_count(names) - 1);
	size_t at = star_at(node), count = json_count(list);
	struct expr **args = arena_alloc(s->arena, (count + 1) * sizeof(*args));
	int rc;

	if (json_count(names) > 2 ||
	    (json_count(names) == 2 && strcmp(string_at(names, 0), "pg_catalog") != 0))
		return star_error(s->star, at, e, "only PostgreSQL's own functions are known here");
	if (json_get(node, "func_variadic"))
		return star_error(s->star, at, e, "VARIADIC is not supported");
	if (json_get(node, "agg_order") || json_get(node, "agg_filter") || json_get(node, "over") ||
	    json_get(node, "agg_star") || json_get(node, "agg_distinct"))
		return star_error(s->star, at, e,
				  "a star has no aggregates and no window functions");
	if (depends_on_more(name))
		return changing(s, at, name, "()", e);
	if (!func_known(name)) {
		star_error(s->star, at, e, "function %s() is not supported", name);
		return err_hint(e, USAGE, "starpipe-star(5) lists the functions.");
	}
	if ((rc = bind_list(s, list, args, e)) != OK)
		return rc;
	return call(s, name, args, count, at, out, e);
}

/* --- the rest of the grammar --- */

static int bind_cast(const struct scope *s, const struct json *node, struct expr **out,
		     struct err *e)
{
	struct buf name = { 0 };
	struct pg_type t;
	struct expr *x;
	int rc;

	if ((rc = star_type_name(s->star, json_get(node, "typeName"), &name, e)) != OK ||
	    (rc = expr_bind(s, json_get(node, "arg"), &x, e)) != OK)
		goto done;
	t = pg_type_parse(buf_str(&name));
	if (t.array || t.base == PG_OTHER)
		rc = star_error(s->star, star_at(json_get(node, "typeName")), e,
				"a cast to %s is not supported", name.data);
	else
		rc = expr_cast(s, x, sqltype_of_wire(&t, NULL), CAST_EXPLICIT, out, e);
done:
	buf_release(&name);
	return rc;
}

/* Results sit at 1, 3, ... and the ELSE at the end: they are unified in a row of their own, the
 * ELSE first, as PostgreSQL looks at them. */
static int unify_case(const struct scope *s, struct expr *x, size_t n, struct err *e)
{
	struct expr *row = new_expr(s, EX_CASE, PG_ANY, x->at, n + 1);
	int rc;

	row->args[0] = x->args[2 * n];
	for (size_t i = 0; i < n; i++)
		row->args[i + 1] = x->args[2 * i + 1];
	if ((rc = unify(s, row, "CASE", e)) != OK)
		return rc;
	x->args[2 * n] = row->args[0];
	for (size_t i = 0; i < n; i++)
		x->args[2 * i + 1] = row->args[i + 1];
	x->type = row->type;
	return OK;
}

static int bind_case(const struct scope *s, const struct json *node, struct expr **out,
		     struct err *e)
{
	const struct json *whens = json_get(node, "args"), *other = json_get(node, "defresult");
	size_t n = json_count(whens);
	struct expr *x = new_expr(s, EX_CASE, PG_ANY, star_at(node), 2 * n + 1), *of = NULL;
	int rc = OK;

	if (json_get(node, "arg"))
		rc = expr_bind(s, json_get(node, "arg"), &of, e);
	for (size_t i = 0; i < n && rc == OK; i++) {
		const struct json *when = json_get(json_at(whens, i), "CaseWhen");

		rc = expr_bind(s, json_get(when, "expr"), &x->args[2 * i], e);
		if (rc == OK && of)
			rc = compare(s, "=", of, x->args[2 * i], star_at(when), &x->args[2 * i], e);
		else if (rc == OK)
			rc = expr_cast(s, x->args[2 * i], sqltype_of(PG_BOOL), CAST_IMPLICIT,
				       &x->args[2 * i], e);
		if (rc == OK)
			rc = expr_bind(s, json_get(when, "result"), &x->args[2 * i + 1], e);
	}
	if (rc != OK)
		return rc;
	x->args[2 * n] = new_expr(s, EX_CONST, PG_UNKNOWN, x->at, 0);
	x->args[2 * n]->value.null = true;
	if (other && (rc = expr_bind(s, other, &x->args[2 * n], e)) != OK)
		return rc;
	if ((rc = unify_case(s, x, n, e)) == OK)
		*out = fold(s, x);
	return rc;
}

static int bind_bool(const struct scope *s, const struct json *node, struct expr **out,
		     struct err *e)
{
	const char *op = json_string(json_get(node, "boolop"));
	bool and = strcmp(op, "AND_EXPR") == 0, or = strcmp(op, "OR_EXPR") == 0;
	struct expr *x;
	int rc = bind_node(s, and ? EX_AND : or ? EX_OR : EX_NOT, PG_BOOL, json_get(node, "args"),
			   star_at(node), out, e);

	x = *out;
	for (size_t i = 0; i < x->count && rc == OK; i++) {
		rc = need_type(s, x->args[i],
			       x->args[i]->type.base == PG_UNKNOWN ? PG_UNKNOWN : PG_BOOL,
			       and? "what stands beside AND" : or ? "what stands beside OR" :
								    "what stands behind NOT",
			       e);
		if (rc == OK)
			rc = expr_cast(s, x->args[i], sqltype_of(PG_BOOL), CAST_IMPLICIT,
				       &x->args[i], e);
	}
	if (rc == OK)
		*out = fold(s, x);
	return rc;
}

static int bind_test(const struct scope *s, const struct json *node, struct expr **out,
		     struct err *e)
{
	static const struct { const char *name; enum expr_kind kind; } tests[] = {
		{ "IS_NULL", EX_IS_NULL }, { "IS_NOT_NULL", EX_IS_NOT_NULL },
		{ "IS_TRUE", EX_IS_TRUE }, { "IS_NOT_TRUE", EX_IS_NOT_TRUE },
		{ "IS_FALSE", EX_IS_FALSE }, { "IS_NOT_FALSE", EX_IS_NOT_FALSE },
		{ "IS_UNKNOWN", EX_IS_NULL }, { "IS_NOT_UNKNOWN", EX_IS_NOT_NULL },
	};
	const char *of_null = json_string(json_get(node, "nulltesttype"));
	const char *name = of_null ? of_null : json_string(json_get(node, "booltesttype"));
	struct expr *x;
	size_t i = 0;
	int rc;

	while (strcmp(tests[i].name, name) != 0)
		i++;
	*out = x = new_expr(s, tests[i].kind, PG_BOOL, star_at(node), 1);
	rc = expr_bind(s, json_get(node, "arg"), &x->args[0], e);
	if (rc == OK)
		rc = of_null ? settle(s, &x->args[0], e) :
		     expr_cast(s, x->args[0], sqltype_of(PG_BOOL), CAST_IMPLICIT, &x->args[0], e);
	if (rc == OK)
		*out = fold(s, x);
	return rc;
}

static int bind_choice(const struct scope *s, const struct json *node, enum expr_kind kind,
		       const char *what, struct expr **out, struct err *e)
{
	int rc = bind_node(s, kind, PG_ANY, json_get(node, "args"), star_at(node), out, e);

	if (rc == OK)
		rc = unify(s, *out, what, e);
	if (rc == OK && kind != EX_COALESCE && (*out)->type.base != PG_ANY &&
	    !value_comparable((*out)->type))
		rc = star_error(s->star, star_at(node), e, "%s cannot compare these", what);
	return rc;
}

int expr_bind(const struct scope *s, const struct json *node, struct expr **out, struct err *e)
{
	const char *kind = NULL;
	const struct json *n = json_member(node, 0, &kind);
	const char *op;

	if (!kind)
		return star_error(s->star, 0, e, "an expression is missing");
	if (strcmp(kind, "ColumnRef") == 0)
		return bind_column(s, n, out, e);
	if (strcmp(kind, "A_Const") == 0)
		return bind_const(s, n, out, e);
	if (strcmp(kind, "A_Expr") == 0)
		return bind_operator(s, n, out, e);
	if (strcmp(kind, "FuncCall") == 0)
		return bind_function(s, n, out, e);
	if (strcmp(kind, "SQLValueFunction") == 0)
		return bind_sql_value(s, n, e);
	if (strcmp(kind, "TypeCast") == 0)
		return bind_cast(s, n, out, e);
	if (strcmp(kind, "CaseExpr") == 0)
		return bind_case(s, n, out, e);
	if (strcmp(kind, "BoolExpr") == 0)
		return bind_bool(s, n, out, e);
	if (strcmp(kind, "NullTest") == 0 || strcmp(kind, "BooleanTest") == 0)
		return bind_test(s, n, out, e);
	if (strcmp(kind, "CoalesceExpr") == 0)
		return bind_choice(s, n, EX_COALESCE, "COALESCE", out, e);
	if (strcmp(kind, "MinMaxExpr") == 0) {
		op = json_string(json_get(n, "op"));
		return op && strcmp(op, "IS_LEAST") == 0 ?
			       bind_choice(s, n, EX_LEAST, "LEAST", out, e) :
			       bind_choice(s, n, EX_GREATEST, "GREATEST", out, e);
	}
	star_error(s->star, star_at(n), e, "this kind of expression is not supported (%s)", kind);
	return err_hint(e, USAGE, "starpipe-star(5) lists what a star's SELECT may hold.");
}

uint64_t expr_tables(const struct expr *x)
{
	uint64_t bits = x->kind == EX_COLUMN && x->table < 64 ? (uint64_t)1 << x->table : 0;

	for (size_t i = 0; i < x->count; i++)
		bits |= expr_tables(x->args[i]);
	return bits;
}

/* --- evaluation --- */

/* The row's field of a column, or NULL where a LEFT JOIN found nothing or the key is absent. */
static const struct field *column_field(const struct expr *x, const struct eval *ctx)
{
	const struct field *row = ctx->rows[x->table];

	if (!row || row[x->column].kind == F_NULL || row[x->column].kind == F_ABSENT)
		return NULL;
	return &row[x->column];
}

static int check_memory(const struct eval *ctx, int rc, struct err *e)
{
	return rc != OK || ctx->arena->bytes <= EVAL_MEMORY ?
	       rc : err_set(e, BAD_DATA, "its values take more than 512 MB of memory");
}

static int eval_call(const struct expr *x, const struct eval *ctx, struct value *out, struct err *e)
{
	struct value few[FUNC_MAX_ARGS + 1], *args = few;
	struct sqltype few_types[FUNC_MAX_ARGS + 1], *types = few_types;
	struct func_call c = { x->type, NULL, x->count, ctx->arena };
	bool null = false;
	int rc = OK;

	if (x->count > FUNC_MAX_ARGS) {
		args = arena_alloc(ctx->arena, x->count * sizeof(*args));
		types = arena_alloc(ctx->arena, x->count * sizeof(*types));
	}
	c.args = types;
	for (size_t i = 0; i < x->count && rc == OK; i++) {
		types[i] = x->args[i]->type;
		rc = expr_eval(x->args[i], ctx, &args[i], e);
		null = null || (rc == OK && args[i].null);
	}
	/* all are evaluated first: an error in one is an error even beside a NULL */
	out->null = null && !x->func->variadic;
	if (rc != OK || out->null)
		return rc;
	return check_memory(ctx, x->func->run(&c, args, out, e), e);
}

/* AND and OR: the first operand that decides ends it, a NULL only if none does. */
static int eval_and_or(const struct expr *x, const struct eval *ctx, struct value *out,
		       struct err *e)
{
	bool decides = x->kind == EX_OR, unknown = false;

	for (size_t i = 0; i < x->count; i++) {
		struct value v;
		int rc = expr_eval(x->args[i], ctx, &v, e);

		if (rc != OK)
			return rc;
		if (v.null) {
			unknown = true;
		} else if (v.b == decides) {
			*out = (struct value){ .b = decides };
			return OK;
		}
	}
	*out = (struct value){ .null = unknown, .b = !decides };
	return OK;
}

static int eval_case(const struct expr *x, const struct eval *ctx, struct value *out, struct err *e)
{
	for (size_t i = 0; i + 1 < x->count; i += 2) {
		struct value v;
		int rc = expr_eval(x->args[i], ctx, &v, e);

		if (rc != OK)
			return rc;
		if (!v.null && v.b)
			return expr_eval(x->args[i + 1], ctx, out, e);
	}
	return expr_eval(x->args[x->count - 1], ctx, out, e);
}

static int eval_choice(const struct expr *x, const struct eval *ctx, struct value *out,
		       struct err *e)
{
	*out = (struct value){ .null = true };
	for (size_t i = 0; i < x->count; i++) {
		struct value v;
		int rc = expr_eval(x->args[i], ctx, &v, e), c;

		if (rc != OK)
			return rc;
		if (v.null)
			continue;
		c = out->null || x->kind == EX_COALESCE ? 0 : value_compare(x->type, &v, out);
		if (out->null || (x->kind == EX_LEAST && c < 0) ||
		    (x->kind == EX_GREATEST && c > 0))
			*out = v;
		if (x->kind == EX_COALESCE)
			break;
	}
	return OK;
}

/* IS [NOT] DISTINCT FROM and NULLIF. */
static int eval_with_equal(const struct expr *x, const struct eval *ctx, struct value *out,
			   struct err *e)
{
	struct sqltype types[2] = { x->args[0]->type, x->args[1]->type };
	struct func_call c = { sqltype_of(PG_BOOL), types, 2, ctx->arena };
	struct value sides[2], equal = { .b = false };
	int rc;

	if ((rc = expr_eval(x->args[0], ctx, &sides[0], e)) != OK ||
	    (rc = expr_eval(x->args[1], ctx, &sides[1], e)) != OK)
		return rc;
	if (!sides[0].null && !sides[1].null)
		rc = x->func->run(&c, sides, &equal, e);
	else if (x->kind != EX_NULLIF)
		equal.b = sides[0].null && sides[1].null;
	if (rc != OK)
		return rc;
	if (x->kind == EX_NULLIF) {
		*out = equal.b ? (struct value){ .null = true } : sides[0];
		return OK;
	}
	*out = (struct value){ .b = equal.b == (x->kind == EX_NOT_DISTINCT) };
	return OK;
}

static int eval_test(const struct expr *x, const struct eval *ctx, struct value *out, struct err *e)
{
	struct value v;
	int rc = expr_eval(x->args[0], ctx, &v, e);

	if (rc != OK)
		return rc;
	*out = (struct value){ 0 };
	switch (x->kind) {
	case EX_IS_NULL: out->b = v.null; break;
	case EX_IS_NOT_NULL: out->b = !v.null; break;
	case EX_IS_TRUE: out->b = !v.null && v.b; break;
	case EX_IS_NOT_TRUE: out->b = v.null || !v.b; break;
	case EX_IS_FALSE: out->b = !v.null && !v.b; break;
	case EX_IS_NOT_FALSE: out->b = v.null || v.b; break;
	default: /* EX_NOT */
		out->null = v.null;
		out->b = !v.null && !v.b;
	}
	return OK;
}

int expr_eval(const struct expr *x, const struct eval *ctx, struct value *out, struct err *e)
{
	const struct field *f;
	int rc;

	switch (x->kind) {
	case EX_CONST:
		*out = x->value;
		return OK;
	case EX_COLUMN:
		f = column_field(x, ctx);
		out->null = !f;
		return f ? value_from_field(out, x->type, f, ctx->arena, e) : OK;
	case EX_CAST:
		rc = expr_eval(x->args[0], ctx, out, e);
		if (rc == OK && !out->null)
			rc = value_cast(out, x->args[0]->type, x->type, x->context, ctx->arena, e);
		return check_memory(ctx, rc, e);
	case EX_CALL: return eval_call(x, ctx, out, e);
	case EX_AND: case EX_OR: return eval_and_or(x, ctx, out, e);
	case EX_CASE: return eval_case(x, ctx, out, e);
	case EX_COALESCE: case EX_LEAST: case EX_GREATEST: return eval_choice(x, ctx, out, e);
	case EX_NULLIF:
	case EX_DISTINCT:
	case EX_NOT_DISTINCT: return eval_with_equal(x, ctx, out, e);
	default: return eval_test(x, ctx, out, e);
	}
}

int expr_add_json(const struct expr *x, const struct eval *ctx, struct buf *b, bool *is_null,
		  struct err *e)
{
	bool column = x->kind == EX_COLUMN;
	const struct field *f = column ? column_field(x, ctx) : NULL;
	struct value v;
	int rc;

	if (f && f->escaped && sqltype_is_int(x->type.base)) { /* 2.0 goes out as 2 */
		column = false;
		f = NULL;
	}
	if (column) {
		*is_null = !f;
		rc = f ? value_check_field(x->type, f, e) : OK;
	} else {
		rc = expr_eval(x, ctx, &v, e);
		*is_null = rc == OK && v.null;
	}
	if (rc != OK)
		return rc;
	if (*is_null)
		buf_add(b, "null", 4);
	else if (f && f->kind == F_STRING) /* the quotes stand around the slice */
		buf_add(b, f->text.data - 1, f->text.len + 2);
	else if (f)
		buf_addstr(b, f->text);
	else
		value_add_json(b, x->type, &v);
	return OK;
}
