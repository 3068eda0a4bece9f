/* pgtype - the names of PostgreSQL's types */
#include "pgtype.h"

#include <regex.h>
#include <stdlib.h>

#include "mem.h"

/* The first row of a base is its name on the wire. */
static const struct {
	const char *name;
	enum pg_base base;
} names[] = {
	{ "bool", PG_BOOL },               { "boolean", PG_BOOL },
	{ "int2", PG_INT2 },               { "smallint", PG_INT2 },
	{ "int4", PG_INT4 },               { "integer", PG_INT4 },         { "int", PG_INT4 },
	{ "int8", PG_INT8 },               { "bigint", PG_INT8 },
	{ "numeric", PG_NUMERIC },         { "decimal", PG_NUMERIC },
	{ "float4", PG_FLOAT4 },           { "real", PG_FLOAT4 },
	{ "float8", PG_FLOAT8 },           { "double precision", PG_FLOAT8 },
	{ "text", PG_TEXT },
	{ "varchar", PG_VARCHAR },         { "character varying", PG_VARCHAR },
	{ "bpchar", PG_BPCHAR },           { "character", PG_BPCHAR },
	{ "date", PG_DATE },
	{ "time", PG_TIME },               { "time without time zone", PG_TIME },
	{ "timestamp", PG_TIMESTAMP },     { "timestamp without time zone", PG_TIMESTAMP },
	{ "timestamptz", PG_TIMESTAMPTZ }, { "timestamp with time zone", PG_TIMESTAMPTZ },
	{ "interval", PG_INTERVAL },
	{ "bytea", PG_BYTEA },
	{ "json", PG_JSON },
	{ "jsonb", PG_JSONB },
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* Split "numeric(10,2)[]" into its name, what is in the parentheses, and whether [] follows.
 * Words behind the parentheses (timestamp(3) without time zone) are joined to the name. */
static bool split(struct str s, struct buf *base, struct str *mods)
{
	const char *open;
	bool array = false;

	while (s.len > 2 && s.data[s.len - 2] == '[' && s.data[s.len - 1] == ']') {
		s.len -= 2;
		array = true;
	}
	*mods = (struct str){ 0 };
	open = memchr(s.data, '(', s.len);
	if (open) {
		const char *close = memchr(open, ')', (size_t)(s.data + s.len - open));

		if (close) {
			*mods = (struct str){ open + 1, (size_t)(close - open - 1) };
			buf_add(base, s.data, (size_t)(open - s.data));
			buf_add(base, close + 1, (size_t)(s.data + s.len - close - 1));
			return array;
		}
	}
	buf_addstr(base, s);
	return array;
}

struct pg_type pg_type_parse(struct str name)
{
	struct pg_type t = { PG_OTHER, false, { -1, -1 }, ',' };
	struct buf base = { 0 };
	struct str mods, rest;

	t.array = split(name, &base, &mods);
	for (size_t i = 0; i < NAMES && t.base == PG_OTHER; i++)
		if (str_eqz(buf_str(&base), names[i].name))
			t.base = names[i].base;
	if (base.len >= 8 && memcmp(base.data, "interval", 8) == 0)
		t.base = PG_INTERVAL;
	if (str_eqz(buf_str(&base), "box"))
		t.delimiter = ';';
	rest = mods;
	for (int i = 0; i < 2 && rest.len; i++) {
		const char *comma = memchr(rest.data, ',', rest.len);
		struct str one = { rest.data, comma ? (size_t)(comma - rest.data) : rest.len };
		int64_t n;

		if (str_to_i64(one, -1000, 1 << 30, &n))
			t.mods[i] = (int)n;
		rest = (struct str){ one.data + one.len + 1, rest.len - one.len - (comma != NULL) };
	}
	if (t.base == PG_NUMERIC && t.mods[0] >= 0 && mods.len && !memchr(mods.data, ',', mods.len))
		t.mods[1] = 0; /* numeric(5) is numeric(5,0) */
	buf_release(&base);
	return t;
}

void pg_type_add_name(struct buf *b, const struct pg_type *t)
{
	size_t i = 0;

	while (i < NAMES && names[i].base != t->base)
		i++;
	if (i < NAMES)
		buf_addz(b, names[i].name);
	if (t->mods[0] >= 0)
		buf_addf(b, t->base == PG_NUMERIC ? "(%d,%d)" : "(%d)", t->mods[0], t->mods[1]);
	if (t->array)
		buf_addz(b, "[]");
}

/* Names come from a stream: what is not quoted in SQL must not be able to say anything else. */
static bool is_numbers(struct str s)
{
	static const char allowed[] = "0123456789-, ";

	for (size_t i = 0; i < s.len; i++)
		if (!memchr(allowed, s.data[i], sizeof(allowed) - 1))
			return false;
	return true;
}

/* A keyword with a syntax of its own, which cannot be quoted. */
static bool is_interval(struct str name)
{
	static const char syntax[] =
		"^interval( (year|month|day|hour|minute|second)( to (month|hour|minute|second))?)?"
		"(\\([0-9]+\\))?(\\[\\])*$";
	char *text = xstrndup(name.data, name.len);
	regex_t regex;
	bool matches = regcomp(&regex, syntax, REG_EXTENDED | REG_NOSUB) == 0 &&
		       regexec(&regex, text, 0, NULL, 0) == 0;

	regfree(&regex);
	free(text);
	return matches;
}

void pg_type_add_sql(struct buf *b, struct str name)
{
	struct buf base = { 0 };
	struct str mods;
	bool array = split(name, &base, &mods);
	struct pg_type t = pg_type_parse(name);

	if (!is_numbers(mods) || (t.base == PG_INTERVAL && !is_interval(name))) {
		pg_add_ident(b, name); /* there is no such type, and the server will say so */
	} else if (t.base == PG_INTERVAL) {
		buf_addstr(b, name);
	} else {
		buf_addz(b, "pg_catalog.");
		if (t.base != PG_OTHER) {
			struct pg_type plain = { t.base, false, { -1, -1 }, ',' };

			buf_addch(b, '"');
			pg_type_add_name(b, &plain);
			buf_addch(b, '"');
		} else {
			pg_add_ident(b, buf_str(&base));
		}
		if (mods.len)
			buf_addf(b, "(%.*s)", STR_ARG(mods));
		if (array)
			buf_addz(b, "[]");
	}
	buf_release(&base);
}

void pg_add_ident(struct buf *b, struct str name)
{
	buf_addch(b, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '"')
			buf_addch(b, '"');
		buf_addch(b, name.data[i]);
	}
	buf_addch(b, '"');
}

void pg_add_qualified(struct buf *b, const char *schema, const char *table)
{
	pg_add_ident(b, str_of(schema));
	buf_addch(b, '.');
	pg_add_ident(b, str_of(table));
}

void pg_add_literal(struct buf *b, struct str text)
{
	bool escapes = text.len && memchr(text.data, '\\', text.len);

	buf_addz(b, escapes ? "E'" : "'");
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\'' || text.data[i] == '\\')
			buf_addch(b, text.data[i]);
		buf_addch(b, text.data[i]);
	}
	buf_addch(b, '\'');
}

void pg_add_array(struct buf *b, const char *const *texts, size_t count)
{
	buf_addch(b, '{');
	for (size_t i = 0; i < count; i++) {
		buf_addz(b, i ? ",\"" : "\"");
		for (const char *p = texts[i]; *p; p++) {
			if (*p == '"' || *p == '\\')
				buf_addch(b, '\\');
			buf_addch(b, *p);
		}
		buf_addch(b, '"');
	}
	buf_addch(b, '}');
}
