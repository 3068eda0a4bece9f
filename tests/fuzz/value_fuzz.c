/* value_fuzz - any row against every operator, function and cast that a star has
 *
 * The input's lines are the values of one row's columns, in the order of the table below. Nothing
 * may crash or take more memory than EVAL_MEMORY (expr.h) allows. What comes out is a value of the
 * type that the expression has: read again and written again, it is the same bytes; and computing
 * it twice gives the same. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "expr.h"
#include "mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct { const char *name, *type; } columns[] = {
	{ "a", "text" },       { "b", "text" },     { "c", "varchar(20)" }, { "p", "bpchar(5)" },
	{ "i", "int4" },       { "j", "int4" },     { "s", "int2" },        { "k", "int8" },
	{ "n", "numeric" },    { "m", "numeric" },  { "f", "float8" },      { "g", "float4" },
	{ "d", "date" },       { "d2", "date" },    { "t", "time" },        { "ts", "timestamp" },
	{ "ts2", "timestamp" }, { "tz", "timestamptz" }, { "v", "interval" }, { "v2", "interval" },
	{ "y", "bool" },       { "o", "json" },     { "q", "jsonb" },       { "u", "uuid" },
	{ "x", "bytea" },
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static const char *const types[] = {
	"text",	     "varchar(3)",   "char(4)",	   "int2",	"int4",	       "int8",
	"numeric",   "numeric(10,2)", "numeric(3,-2)", "float4", "float8",     "bool",
	"date",	     "time",	     "time(2)",	   "timestamp", "timestamp(0)", "timestamptz",
	"interval",  "json",	     "jsonb",	   "bytea",
};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

/* between any two columns that are no text */
static const char *const operators[] = { "+", "-", "*", "/", "%", "<" };
enum { OPERATORS = sizeof(operators) / sizeof(operators[0]), FIRST = 4 };

static const char *const more[] = {
	"-i", "-s", "-k", "-n", "-f", "-v", "abs(i)", "abs(k)", "abs(n)", "abs(f)", "mod(i,j)",
	"mod(n,m)",
	"round(n)", "round(n,i)", "trunc(n)", "trunc(n,i)", "ceil(n)", "floor(n)", "round(m,s)",
	"n*m*n*m", "n/m/n", "(n+m)*(n-m)", "n%(m*m)",
	"lower(a)", "upper(a)", "initcap(a)", "length(a)", "length(p)", "octet_length(a)",
	"btrim(a)", "btrim(a,b)", "ltrim(a,b)", "rtrim(a,b)", "left(a,i)", "right(a,i)",
	"substring(a,i)", "substring(a,i,j)", "substr(a,i,j)", "substring(a from i for j)",
	"replace(a,b,c)", "replace(a,b,a)", "strpos(a,b)", "position(a in b)", "split_part(a,b,i)",
	"lpad(a,i)", "lpad(a,i,b)", "rpad(a,i)", "rpad(a,i,b)", "concat(a,i,n,f,d,ts,tz,v,y,o)",
	"a LIKE b", "a NOT LIKE b", "a ILIKE b", "p LIKE b", "a||b||a||b", "a||i", "n||a", "y||a",
	"extract(epoch from d)", "extract(epoch from t)", "extract(epoch from ts)",
	"extract(epoch from tz)", "extract(epoch from v)", "date_part(a,v)", "date_part(a,ts)",
	"date_part('hour',v)", "extract(hour from v)", "extract(year from v)",
	"extract(microseconds from v)", "extract(century from d)", "extract(isoyear from ts)",
	"date_part('julian',d)", "date_part(a,d)", "date_part(a,t)", "date_part(a,tz)",
	"date_trunc(a,ts)", "date_trunc(a,tz)", "date_trunc(a,v)", "date_trunc('millennium',ts)",
	"date_trunc('week',ts)", "date_trunc('century',v)", "date_trunc('month',v)",
	"to_char(ts,a)", "to_char(tz,b)", "to_char(v,a)", "to_char(d,c)",
	"to_char(ts,'FMMonth Dth, YYYY BC IYYY-IW-ID DDD Q J CC HH12:MI:SS.US am SSSS TZ W RM')",
	"to_char(v,'YYYY,Y,YYY MM DD DDD HH24:MI:SS.MS SSSS RM')",
	"ts+v", "ts-v", "tz+v", "d+v", "d-v", "t+v", "t-v", "v+v2", "v-v2", "ts-ts2", "d-d2", "d+i",
	"d-i", "i+d", "d+t", "t+d", "t-t", "ts+v+v2", "ts-v-v2", "-(v-v2)", "ts2-(v+v2)",
	"o->a", "o->>a", "o->i", "o->>i", "q->a", "q->>a", "q->i", "q->>i", "q->a->>b",
	"(q->>i)::numeric",
	"CASE WHEN y THEN a WHEN i > j THEN b ELSE c END", "COALESCE(a,b,c)", "NULLIF(a,b)",
	"COALESCE(o,o)", "COALESCE(q,q)", "COALESCE(u,u)", "COALESCE(x,x)", "COALESCE(f,g)",
	"GREATEST(n,m)", "LEAST(f,g)", "GREATEST(v,v2)", "GREATEST(a,b)", "LEAST(ts,ts2,d)",
	"i IN (1,2,j)",
	"n BETWEEN m AND i", "a IS DISTINCT FROM b", "y AND a = b OR NOT y", "u = u", "x < x",
	"a::interval + b::interval", "a::timestamp + b::interval", "a::numeric * b::numeric",
	"a::date - b::date", "a::time - b::time", "a::json->>b", "a::numeric / b::numeric",
	"a::numeric % b::numeric", "a::float8::numeric", "a::float8::float4",
	"b::interval::text::interval",
	"a::timestamptz::text::timestamptz", "a::numeric::float8",
};
enum { MORE = sizeof(more) / sizeof(more[0]) };

static struct star star;
static struct arena forever;
static struct wire_table table = { .name = (char *)(uintptr_t)"x" };
static struct expr **exprs;
static size_t expr_count;

static void add_statement(struct buf *b)
{
	buf_addz(b, "CREATE TABLE r (v text); INSERT INTO r SELECT 0");
	for (size_t i = 0; i < COLUMNS; i++)
		for (size_t k = 0; k < TYPES; k++)
			buf_addf(b, ",%s::%s", columns[i].name, types[k]);
	for (size_t i = FIRST; i < COLUMNS; i++)
		for (size_t k = FIRST; k < COLUMNS; k++)
			for (size_t o = 0; o < OPERATORS; o++)
				buf_addf(b, ",%s %s %s", columns[i].name, operators[o],
					 columns[k].name);
	for (size_t i = 0; i < MORE; i++)
		buf_addf(b, ",%s", more[i]);
	buf_addz(b, " FROM x;");
}

static void read_statement(void)
{
	char path[] = "/tmp/value_fuzz.XXXXXX";
	int fd = mkstemp(path);
	struct buf b = { 0 };
	struct err e;

	add_statement(&b);
	if (fd < 0 || write(fd, b.data, b.len) != (ssize_t)b.len)
		abort();
	close(fd);
	if (star_read(&star, path, &e) != OK) {
		fprintf(stderr, "%s\n%s", e.msg, e.excerpt);
		abort();
	}
	unlink(path);
	buf_release(&b);
}

/* Bind what can be bound: not every operator takes every two types. */
static void start(void)
{
	static struct scope_column of_scope[COLUMNS];
	static struct scope_table in_scope = { .alias = "x", .columns = of_scope,
					       .count = COLUMNS };
	struct scope s = { .star = &star, .arena = &forever, .tables = &in_scope, .count = 1 };
	const struct json *list;
	struct err e;

	table.columns = xcalloc(COLUMNS, sizeof(*table.columns));
	table.column_count = COLUMNS;
	for (size_t i = 0; i < COLUMNS; i++) {
		table.columns[i].name = xstrdup(columns[i].name);
		table.columns[i].type_name = xstrdup(columns[i].type);
	}
	wire_table_finish(&table);
	for (size_t i = 0; i < COLUMNS; i++)
		of_scope[i] = (struct scope_column){
			columns[i].name, sqltype_of_wire(&table.columns[i].type, columns[i].type),
			false, false
		};
	read_statement();
	list = json_get(star.inserts[0].select, "targetList");
	exprs = xcalloc(json_count(list), sizeof(*exprs));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *target = json_get(json_at(list, i), "ResTarget");
		size_t named = json_count(list) - MORE;

		if (expr_bind(&s, json_get(target, "val"), &exprs[expr_count], &e) == OK)
			expr_count++;
		else if (i >= named)
			fprintf(stderr, "value_fuzz: not tried: %s: %s\n", more[i - named], e.msg);
	}
}

/* A column's value as JSON: as it stands if its type's JSON looks like that, else a string. */
static void add_field(struct buf *b, size_t column, struct str text)
{
	enum pg_base base = table.columns[column].type.base;
	struct field f;
	struct err e;
	bool bare = scan_value(text, &f, &e) == OK &&
		    ((pg_is_number(base) && f.kind == F_NUMBER) || pg_is_json(base) ||
		     (base == PG_BOOL && (f.kind == F_TRUE || f.kind == F_FALSE)));

	buf_addstr(b, table.prefix[column]);
	if (text.len == 0)
		buf_addz(b, "null");
	else if (bare)
		buf_addstr(b, text);
	else
		json_add_string(b, text);
}

static void add_row(struct buf *row, struct str in)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		const char *end = in.len ? memchr(in.data, '\n', in.len) : NULL;
		size_t n = end ? (size_t)(end - in.data) : in.len;

		add_field(row, i, (struct str){ in.data, n });
		n += end != NULL;
		in = (struct str){ in.data + n, in.len - n };
	}
	buf_addch(row, '}');
}

/* Numbers of 100,000 digits are as slow as they are long: the unit tests have some. */
static bool has_long_exponent(struct str in)
{
	bool exponent = false;
	size_t digits = 0;

	for (size_t i = 0; i < in.len && digits < 4; i++) {
		char c = in.data[i];

		exponent = (c | 0x20) == 'e' ||
			   (exponent && (c == '-' || c == '+' || (c >= '0' && c <= '9')));
		digits = exponent && c >= '0' && c <= '9' ? digits + 1 : 0;
	}
	return digits == 4;
}

/* Texts of 256 MB are as slow, two of them at once more than libFuzzer allows. */
static bool has_long_text(const struct field *fields)
{
	int64_t n;

	for (size_t i = 0; i < COLUMNS; i++)
		if (table.columns[i].type.base == PG_INT4 &&
		    str_to_i64(fields[i].text, 100000, VALUE_MAX_TEXT, &n))
			return true;
	return false;
}

static int compute(const struct expr *x, const struct eval *ctx, struct buf *b, bool *is_null)
{
	struct err e;
	int rc = expr_add_json(x, ctx, b, is_null, &e);

	if (rc == OK && ctx->arena->bytes > (size_t)2 * EVAL_MEMORY)
		abort();
	arena_reset(ctx->arena);
	return rc;
}

/* A value that was written is one of its type, and writing it again changes nothing. */
static void check_value(const struct expr *x, const struct buf *first, struct arena *a)
{
	struct buf again = { 0 };
	struct field f;
	struct value v = { 0 };
	struct err e;

	if (scan_value(buf_str(first), &f, &e) != OK || memchr(first->data, '\n', first->len))
		abort();
	if (x->kind == EX_COLUMN) /* copied as it stands, its type looked at */
		return;
	if (value_from_field(&v, x->type, &f, a, &e) != OK) {
		fprintf(stderr, "%s: %.*s\n", e.msg, 200, star.text.data + x->at);
		abort();
	}
	value_add_json(&again, x->type, &v);
	if (!str_eq(buf_str(first), buf_str(&again))) {
		fprintf(stderr, "%.300s is then %.300s\n", first->data, again.data);
		abort();
	}
	buf_release(&again);
	arena_reset(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct field fields[COLUMNS];
	const struct field *rows = fields;
	struct arena values = { 0 };
	struct eval ctx = { &rows, &values };
	struct buf row = { 0 }, first = { 0 }, second = { 0 };
	struct err e;

	if (!exprs)
		start();
	if (str_bad_utf8(in) < size || memchr(data, '\0', size) || has_long_exponent(in))
		return 0;
	add_row(&row, in);
	if (scan_row(buf_str(&row), &table.keys, fields, &e) != OK || has_long_text(fields))
		goto done;
	for (size_t i = 0; i < expr_count; i++) {
		bool is_null, null_again;

		buf_reset(&first);
		buf_reset(&second);
		if (compute(exprs[i], &ctx, &first, &is_null) != OK)
			continue;
		if (compute(exprs[i], &ctx, &second, &null_again) != OK || null_again != is_null ||
		    !str_eq(buf_str(&first), buf_str(&second)))
			abort();
		if (!is_null)
			check_value(exprs[i], &first, &values);
	}
done:
	arena_release(&values);
	buf_release(&row);
	buf_release(&first);
	buf_release(&second);
	return 0;
}
