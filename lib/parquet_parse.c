/* parquet_parse - values of the wire into columns of Parquet */
#include "parquet_parse.h"

#include "json.h"
#include "value.h"

#define UNIX_USECS (PQ_UNIX_DAYS * USECS_PER_DAY)

int parquet_output_init(struct parquet_output *o, const struct wire_column *c, bool numeric_text,
			enum block_codec codec, struct err *e)
{
	struct parquet_leaf leaf;
	int rc = parquet_leaf_of(&leaf, &o->form, c, numeric_text, e);

	if (rc != OK)
		return rc;
	o->type = sqltype_of_wire(&c->type, c->type_name);
	parquet_column_init(&o->column, &leaf, codec);
	return OK;
}

/* What is of its type, but of none of Parquet's, or not even that. */
static int no_value(const struct parquet_output *o, const struct field *f,
		    struct parquet_parser *p, struct err *e)
{
	struct value v;
	int rc = value_from_field(&v, o->type, f, &p->values, e);

	return rc != OK ? rc : err_set(e, BAD_DATA, "Parquet has no such value: %.*s",
				       f->text.len > 60 ? 60 : (int)f->text.len, f->text.data);
}

static bool digits_of(const char *p, int n, int *v)
{
	*v = 0;
	for (int i = 0; i < n; i++) {
		unsigned d = (unsigned char)p[i] - '0';

		if (d > 9)
			return false;
		*v = *v * 10 + (int)d;
	}
	return true;
}

/* Days since 1970-01-01 (Howard Hinnant's days_from_civil). */
static bool plain_date(const char *p, int *days)
{
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, m, d, era, of_era;

	if (!digits_of(p, 4, &y) || p[4] != '-' || !digits_of(p + 5, 2, &m) || p[7] != '-' ||
	    !digits_of(p + 8, 2, &d) || y < 1 || m < 1 || m > 12 || d < 1 || d > lengths[m - 1] ||
	    (m == 2 && d == 29 && (y % 4 || (y % 100 == 0 && y % 400))))
		return false;
	y -= m <= 2;
	era = y / 400;
	of_era = y - era * 400;
	*days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
		(153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1 - 719468;
	return true;
}

/* hh:mm:ss and up to six digits of a fraction, all of s. */
static bool plain_time(struct str s, int64_t *usecs)
{
	int h, m, sec, fraction = 0, digits = (int)s.len - 9;

	if (s.len < 8 || s.len == 9 || s.len > 15 || !digits_of(s.data, 2, &h) ||
	    s.data[2] != ':' ||
	    !digits_of(s.data + 3, 2, &m) || s.data[5] != ':' || !digits_of(s.data + 6, 2, &sec) ||
	    h > 23 || m > 59 || sec > 59)
		return false;
	if (digits > 0 && (s.data[8] != '.' || !digits_of(s.data + 9, digits, &fraction)))
		return false;
	for (int i = digits > 0 ? digits : 6; i < 6; i++)
		fraction *= 10;
	*usecs = ((h * 60 + m) * 60 + sec) * USECS_PER_SEC + fraction;
	return true;
}

static int put_date(struct parquet_output *o, const struct field *f,
		    struct parquet_parser *p, struct err *e)
{
	struct value v;
	int days, rc;

	if (f->kind == F_STRING && f->text.len == 10 && plain_date(f->text.data, &days)) {
		parquet_column_int(&o->column, days);
		return OK;
	}
	if ((rc = value_from_field(&v, o->type, f, &p->values, e)) != OK)
		return rc;
	parquet_column_int(&o->column, v.i == DATE_INFINITY       ? PQ_DATE_INFINITY :
				       v.i == DATE_MINUS_INFINITY ? -PQ_DATE_INFINITY :
								    v.i + PQ_UNIX_DAYS);
	return OK;
}

static int put_time(struct parquet_output *o, const struct field *f,
		    struct parquet_parser *p, struct err *e)
{
	struct value v;
	int rc;

	if ((f->kind != F_STRING || !plain_time(f->text, &v.i)) &&
	    (rc = value_from_field(&v, o->type, f, &p->values, e)) != OK)
		return rc;
	parquet_column_int(&o->column, v.i);
	return OK;
}

static bool plain_timestamp(struct str s, bool zone, int64_t *usecs)
{
	int days;

	if (s.len < 19 || s.data[10] != 'T')
		return false;
	if (zone && s.data[s.len - 1] == 'Z')
		s.len--;
	if (!plain_date(s.data, &days) ||
	    !plain_time((struct str){ s.data + 11, s.len - 11 }, usecs))
		return false;
	*usecs += days * USECS_PER_DAY;
	return true;
}

static int put_timestamp(struct parquet_output *o, const struct field *f,
			 struct parquet_parser *p, struct err *e)
{
	struct value v;
	int64_t usecs;
	int rc;

	if (f->kind == F_STRING &&
	    plain_timestamp(f->text, o->type.base == PG_TIMESTAMPTZ, &usecs)) {
		parquet_column_int(&o->column, usecs);
		return OK;
	}
	if ((rc = value_from_field(&v, o->type, f, &p->values, e)) != OK)
		return rc;
	if (v.i == TS_INFINITY || v.i == TS_MINUS_INFINITY)
		usecs = v.i == TS_INFINITY ? PQ_TIMESTAMP_INFINITY : -PQ_TIMESTAMP_INFINITY;
	else if (__builtin_add_overflow(v.i, UNIX_USECS, &usecs) || usecs == PQ_TIMESTAMP_INFINITY)
		return no_value(o, f, p, e);
	parquet_column_int(&o->column, usecs);
	return OK;
}

/* So few digits that they fit. */
static bool plain_int(struct str s, size_t most, int64_t *n)
{
	bool neg = s.data[0] == '-';
	int64_t v = 0;

	if (s.len > most)
		return false;
	for (size_t i = neg; i < s.len; i++) {
		unsigned d = (unsigned char)s.data[i] - '0';

		if (d > 9)
			return false;
		v = v * 10 + d;
	}
	*n = neg ? -v : v;
	return true;
}

static int put_int(struct parquet_output *o, const struct field *f,
		   struct parquet_parser *p, struct err *e)
{
	struct value v;
	int rc;

	if ((f->kind != F_NUMBER || o->type.base == PG_INT2 ||
	     !plain_int(f->text, o->type.base == PG_INT4 ? 9 : 18, &v.i)) &&
	    (rc = value_from_field(&v, o->type, f, &p->values, e)) != OK)
		return rc;
	parquet_column_int(&o->column, v.i);
	return OK;
}

/* A decimal of few digits is one exact number divided or multiplied by another: one rounding
 * (Clinger 1990). False where it is not so simple. */
static bool plain_float(struct str s, bool narrow, double *d)
{
	static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
					 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	uint64_t m = 0, most = narrow ? 1u << 24 : (uint64_t)1 << 53;
	int behind = 0;
	bool point = false;

	for (size_t i = s.data[0] == '-'; i < s.len; i++) {
		if (s.data[i] == '.') {
			point = true;
			continue;
		}
		if (s.data[i] > '9' || s.data[i] < '0' || m > most / 10)
			return false;
		m = m * 10 + (uint64_t)(s.data[i] - '0');
		behind += point;
	}
	if (m > most || behind > (narrow ? 10 : 22))
		return false;
	*d = narrow ? (double)((float)m / (float)powers[behind]) : (double)m / powers[behind];
	if (s.data[0] == '-')
		*d = -*d;
	return true;
}

static int put_float(struct parquet_output *o, const struct field *f,
		     struct parquet_parser *p, struct err *e)
{
	struct value v;
	int rc;

	if ((f->kind != F_NUMBER || !plain_float(f->text, o->type.base == PG_FLOAT4, &v.f)) &&
	    (rc = value_from_field(&v, o->type, f, &p->values, e)) != OK)
		return rc;
	parquet_column_float(&o->column, v.f);
	return OK;
}

/* The digits of -12.50 as a whole number at scale; false if they do not fit, or it has an
 * exponent. */
static bool plain_decimal(struct str s, int precision, int scale, __int128 *n)
{
	unsigned __int128 m = 0;
	int digits = 0, behind = 0;
	bool point = false, neg = s.len && s.data[0] == '-';

	for (size_t i = neg; i < s.len; i++) {
		unsigned d = (unsigned char)s.data[i] - '0';

		if (s.data[i] == '.') {
			point = true;
			continue;
		}
		if (d > 9)
			return false;
		if (point && behind == scale) {
			if (d)
				return false;
			continue;
		}
		behind += point;
		m = m * 10 + d;
		digits += digits || d;
		if (digits > precision)
			return false;
	}
	for (; behind < scale; behind++) {
		m *= 10;
		digits += digits > 0;
		if (digits > precision)
			return false;
	}
	*n = neg ? -(__int128)m : (__int128)m;
	return true;
}

/* The same where 18 digits are enough. */
static bool small_decimal(struct str s, int precision, int scale, int64_t *n)
{
	static const int64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
					  100000000, 1000000000 };
	bool neg = s.data[0] == '-';
	int64_t m = 0;
	size_t point = s.len;
	int behind;

	if (s.len > 18 || scale > 9)
		return false;
	for (size_t i = neg; i < s.len; i++) {
		unsigned d = (unsigned char)s.data[i] - '0';

		if (d <= 9)
			m = m * 10 + d;
		else if (s.data[i] == '.')
			point = i + 1;
		else
			return false;
	}
	behind = (int)(s.len - point);
	if (behind > scale || (int)s.len - neg - (behind > 0) + scale - behind > precision)
		return false;
	m *= powers[scale - behind];
	*n = neg ? -m : m;
	return true;
}

static int decimal_misfit(const struct parquet_output *o, struct str text, struct err *e)
{
	err_set(e, BAD_DATA, "%.*s does not fit DECIMAL(%d,%d)",
		text.len > 60 ? 60 : (int)text.len, text.data, o->column.leaf.precision,
		o->column.leaf.scale);
	return err_hint(e, BAD_DATA, "Write numbers as text with --numeric-as string.");
}

static int put_decimal(struct parquet_output *o, const struct field *f,
		       struct parquet_parser *p, struct err *e)
{
	const struct parquet_leaf *l = &o->column.leaf;
	char bytes[16];
	struct value v;
	__int128 n;
	int rc;

	if (l->type != PQ_FIXED && f->kind == F_NUMBER &&
	    small_decimal(f->text, l->precision, l->scale, &v.i)) {
		parquet_column_int(&o->column, v.i);
		return OK;
	}
	if (f->kind != F_NUMBER || !plain_decimal(f->text, l->precision, l->scale, &n)) {
		if ((rc = value_from_field(&v, o->type, f, &p->values, e)) != OK)
			return rc;
		buf_reset(&p->text);
		numeric_format(v.n, &p->text); /* without an exponent */
		if (v.n->kind != NUM_FINITE ||
		    !plain_decimal(buf_str(&p->text), l->precision, l->scale, &n))
			return decimal_misfit(o, f->text, e);
	}
	if (l->type != PQ_FIXED) {
		parquet_column_int(&o->column, (int64_t)n);
		return OK;
	}
	for (int i = l->type_length; i-- > 0; n >>= 8)
		bytes[i] = (char)n;
	parquet_column_bytes(&o->column, (struct str){ bytes, (size_t)l->type_length });
	return OK;
}

/* A string's characters; of anything else its JSON. */
static int text_of(struct parquet_parser *p, const struct field *f, struct str *s, struct err *e)
{
	int rc;

	*s = f->text;
	if (f->kind != F_STRING || !f->escaped)
		return OK;
	buf_reset(&p->text);
	rc = json_unescape(&p->text, f->text, e);
	*s = buf_str(&p->text);
	return rc;
}

static int put_text(struct parquet_output *o, const struct field *f,
		    struct parquet_parser *p, struct err *e)
{
	struct str s;
	int rc = value_check_field(o->type, f, e);

	if (rc == OK && (rc = text_of(p, f, &s, e)) == OK)
		parquet_column_bytes(&o->column, s);
	return rc;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 :
											 -1;
}

/* \x00ff */
static int put_bytes(struct parquet_output *o, const struct field *f,
		     struct parquet_parser *p, struct err *e)
{
	struct str s;
	size_t n = 0;
	char *to;
	int rc = text_of(p, f, &s, e);

	if (rc != OK)
		return rc;
	if (f->kind != F_STRING || s.len % 2 || s.len < 2 || s.data[0] != '\\' || s.data[1] != 'x')
		return err_set(e, BAD_DATA, "bytea is a string, \\x and hexadecimal digits");
	to = p->text.data; /* it was escaped: the text is the writer's own */
	for (size_t i = 2; i < s.len; i += 2) {
		int high = nibble(s.data[i]), low = nibble(s.data[i + 1]);

		if (high < 0 || low < 0)
			return err_set(e, BAD_DATA, "\"%c%c\" is no hexadecimal digits", s.data[i],
				       s.data[i + 1]);
		to[n++] = (char)(high << 4 | low);
	}
	parquet_column_bytes(&o->column, (struct str){ to, n });
	return OK;
}

/* JSON as its text; an array as the JSON that the wire has for it. */
static int put_json(struct parquet_output *o, const struct field *f,
		    struct parquet_parser *p, struct err *e)
{
	struct str s = f->text;
	struct value v;
	int rc = OK;

	if (o->form == PQF_JSON) {
		rc = value_from_field(&v, o->type, f, &p->values, e);
		s = v.s;
	} else if (f->kind == F_STRING) {
		s = (struct str){ s.data - 1, s.len + 2 };
	} else if (f->kind != F_ARRAY) {
		rc = no_value(o, f, p, e);
	}
	if (rc == OK)
		parquet_column_bytes(&o->column, s);
	return rc;
}

static int put_value(struct parquet_output *o, const struct field *f,
		     struct parquet_parser *p, struct err *e)
{
	if (f->kind == F_NULL || f->kind == F_ABSENT) {
		parquet_column_null(&o->column);
		return OK;
	}
	switch (o->form) {
	case PQF_BOOL:
		if (f->kind != F_TRUE && f->kind != F_FALSE)
			return no_value(o, f, p, e);
		parquet_column_bool(&o->column, f->kind == F_TRUE);
		return OK;
	case PQF_INT: return put_int(o, f, p, e);
	case PQF_FLOAT: return put_float(o, f, p, e);
	case PQF_DECIMAL: return put_decimal(o, f, p, e);
	case PQF_DATE: return put_date(o, f, p, e);
	case PQF_TIME: return put_time(o, f, p, e);
	case PQF_TIMESTAMP: return put_timestamp(o, f, p, e);
	case PQF_BYTES: return put_bytes(o, f, p, e);
	case PQF_JSON:
	case PQF_ARRAY: return put_json(o, f, p, e);
	default: return put_text(o, f, p, e);
	}
}

int parquet_parse_row(struct parquet_parser *p, struct parquet_output *outputs, size_t count,
		      const struct field *fields, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < count; i++) {
		struct parquet_output *o = &outputs[i];
		const struct field *f = &fields[o->field];

		p->bytes += f->text.len + 1;
		if ((rc = put_value(o, f, p, e)) == OK && parquet_column_full(&o->column))
			rc = parquet_column_cut(&o->column, e);
		if (rc != OK)
			return err_wrap(e, rc, "column \"%s\"", o->column.leaf.name);
	}
	if (p->values.bytes)
		arena_reset(&p->values);
	return OK;
}

void parquet_parser_release(struct parquet_parser *p)
{
	arena_release(&p->values);
	buf_release(&p->text);
}
