/* pgtype - the names of PostgreSQL's types */
#include "pgtype.h"

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

/* What modifiers a type takes, in PostgreSQL's own limits; bit, varbit and timetz are PG_OTHER. The
 * scale of a numeric, which may follow, has SCALE_MAX. */
static const struct {
	const char *name;
	int least, most;
} limits[] = {
	{ "numeric", 1, 1000 },      { "varchar", 1, 10485760 }, { "bpchar", 1, 10485760 },
	{ "time", 0, 6 },            { "timestamp", 0, 6 },      { "timestamptz", 0, 6 },
	{ "timetz", 0, 6 },          { "interval", 0, 6 },       { "bit", 1, 83886080 },
	{ "varbit", 1, 83886080 },
};
enum { LIMITS = sizeof(limits) / sizeof(limits[0]), SCALE_MAX = 1000 };

/* The words of an interval, a syntax of its own, which cannot be quoted. Those behind the gap end
 * in seconds: only they may be followed by a precision. */
static const char *const fields[] = {
	" year", " month", " day", " hour", " minute", " year to month", " day to hour",
	" day to minute", " hour to minute",
	"", " second", " day to second", " hour to second", " minute to second"
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]), FIELDS_PRECISE = 9 };

/* All that a name says. */
struct parsed {
	struct pg_type type;
	struct buf base;     /* the name without modifiers and [] */
	size_t fields;       /* an interval's */
	const char *problem; /* or NULL */
};

/* Split "numeric(10,2)[]" into its name, what is in the parentheses, and whether [] follows.
 * Words behind the parentheses (timestamp(3) without time zone) are joined to the name. mods.data
 * is NULL where there are no parentheses. */
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

/* One or two whole numbers: "10", "10,-2", "10, 2". */
static bool read_numbers(struct str mods, int numbers[2])
{
	const char *end = mods.data + mods.len, *comma = memchr(mods.data, ',', mods.len);
	const char *second = !comma ? end : comma + 1 + (comma + 1 < end && comma[1] == ' ');
	int64_t n, m = -1;

	if (!str_to_i64((struct str){ mods.data, (size_t)((comma ? comma : end) - mods.data) }, 0,
			INT32_MAX, &n) ||
	    (comma && !str_to_i64((struct str){ second, (size_t)(end - second) }, -SCALE_MAX,
				  SCALE_MAX, &m)))
		return false;
	numbers[0] = (int)n;
	numbers[1] = (int)m;
	return true;
}

static const char *name_of(enum pg_base base)
{
	for (size_t i = 0; i < NAMES; i++)
		if (names[i].base == base)
			return names[i].name;
	return NULL;
}

static const char *read_mods(struct parsed *p, struct str mods)
{
	const char *known = name_of(p->type.base), *name = known ? known : p->base.data;
	bool several = memchr(mods.data, ',', mods.len);
	int *n = p->type.mods;
	size_t i = 0;

	while (i < LIMITS && strcmp(limits[i].name, name) != 0)
		i++;
	if (i == LIMITS || (p->type.base == PG_INTERVAL && p->fields < FIELDS_PRECISE))
		return "takes nothing in parentheses";
	if (!read_numbers(mods, n) || (several && p->type.base != PG_NUMERIC))
		return "has something else than its numbers in parentheses";
	if (n[0] < limits[i].least || n[0] > limits[i].most)
		return "is beyond PostgreSQL's limits";
	if (p->type.base == PG_NUMERIC && !several)
		n[1] = 0; /* numeric(5) is numeric(5,0) */
	return NULL;
}

static bool read_interval(struct parsed *p)
{
	static const char keyword[] = "interval";

	if (p->base.len < sizeof(keyword) - 1 ||
	    memcmp(p->base.data, keyword, sizeof(keyword) - 1) != 0)
		return false;
	while (p->fields < FIELDS &&
	       strcmp(p->base.data + sizeof(keyword) - 1, fields[p->fields]) != 0)
		p->fields++;
	return p->fields < FIELDS;
}

/* Release p->base. */
static void parse(struct parsed *p, struct str name)
{
	struct pg_type *t = &p->type;
	struct str mods;

	*p = (struct parsed){ .type = { PG_OTHER, false, { -1, -1 }, ',' } };
	buf_addz(&p->base, "");
	t->array = split(name, &p->base, &mods);
	for (size_t i = 0; i < NAMES && t->base == PG_OTHER; i++)
		if (str_eqz(buf_str(&p->base), names[i].name))
			t->base = names[i].base;
	if (read_interval(p))
		t->base = PG_INTERVAL;
	if (str_eqz(buf_str(&p->base), "box"))
		t->delimiter = ';';
	if (p->base.len == 0)
		p->problem = "has no name";
	else if (p->base.len > PG_NAME_MAX)
		p->problem = "has a name that PostgreSQL would cut off";
	else if (mods.data)
		p->problem = read_mods(p, mods);
	if (p->problem) {
		t->base = PG_OTHER;
		t->mods[0] = t->mods[1] = -1;
	}
}

struct pg_type pg_type_parse(struct str name)
{
	struct parsed p;

	parse(&p, name);
	buf_release(&p.base);
	return p.type;
}

const char *pg_type_problem(struct str name)
{
	struct parsed p;

	parse(&p, name);
	buf_release(&p.base);
	return p.problem;
}

static void add_mods(struct buf *b, const struct pg_type *t)
{
	if (t->mods[0] >= 0)
		buf_addf(b, t->base == PG_NUMERIC ? "(%d,%d)" : "(%d)", t->mods[0], t->mods[1]);
	if (t->array)
		buf_addz(b, "[]");
}

void pg_type_add_name(struct buf *b, const struct pg_type *t)
{
	const char *name = name_of(t->base);

	if (name)
		buf_addz(b, name);
	add_mods(b, t);
}

void pg_type_add_sql(struct buf *b, struct str name)
{
	struct parsed p;

	parse(&p, name);
	if (p.problem) {
		pg_add_ident(b, name); /* nobody should ask; the server says that there is none */
	} else if (p.type.base == PG_INTERVAL) {
		buf_addf(b, "interval%s", fields[p.fields]);
		add_mods(b, &p.type);
	} else {
		const char *known = name_of(p.type.base);

		buf_addz(b, "pg_catalog.");
		pg_add_ident(b, known ? str_of(known) : buf_str(&p.base));
		add_mods(b, &p.type);
	}
	buf_release(&p.base);
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
