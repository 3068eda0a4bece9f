/* value - values of SQL expressions */
#include "value.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "json.h"

/* --- out of rows --- */

static int wrong_kind(struct sqltype t, const struct field *f, struct err *e)
{
	struct buf name = { 0 };
	int shown = f->text.len > 60 ? 60 : (int)f->text.len;
	int rc;

	sqltype_add_name(&name, t);
	rc = err_set(e, BAD_DATA, "invalid input for type %s: %s%.*s%s", name.data,
		     f->kind == F_STRING ? "\"" : "", shown, f->text.data,
		     f->kind == F_STRING ? "\"" : "");
	buf_release(&name);
	return rc;
}

/* A string's text with its escapes resolved: in place if there are none. */
static int field_text(struct str *out, const struct field *f, struct arena *a, struct err *e)
{
	struct buf b = { 0 };
	int rc = OK;

	*out = f->text;
	if (f->kind != F_STRING || !f->escaped)
		return OK;
	rc = json_unescape(&b, f->text, e);
	if (rc == OK)
		*out = arena_copy(a, buf_str(&b));
	buf_release(&b);
	return rc;
}

static int int_from_field(struct value *v, struct sqltype t, const struct field *f, struct err *e)
{
	static const int64_t limits[] = {
		[PG_INT2] = INT16_MAX, [PG_INT4] = INT32_MAX, [PG_INT8] = INT64_MAX
	};
	int64_t max = limits[t.base];

	if (f->kind == F_NUMBER && (f->escaped ? str_to_whole : str_to_i64)(f->text, -max - 1, max,
									     &v->i))
		return OK;
	return wrong_kind(t, f, e);
}

static int float_of(double *d, struct str s, struct sqltype t, struct err *e)
{
	char z[400], *end;

	if (s.len == 0 || s.len >= sizeof(z))
		return err_set(e, BAD_DATA, "invalid input syntax for type double precision");
	memcpy(z, s.data, s.len);
	z[s.len] = '\0';
	errno = 0;
	*d = t.base == PG_FLOAT4 ? (double)strtof(z, &end) : strtod(z, &end);
	if (*end || strpbrk(z, "xXpP"))
		return err_set(e, BAD_DATA,
			       "invalid input syntax for type double precision: \"%s\"", z);
	if (errno == ERANGE && (*d == 0 || isinf(*d)))
		return err_set(e, BAD_DATA, "\"%s\" is out of range for type %s", z,
			       t.base == PG_FLOAT4 ? "real" : "double precision");
	return OK;
}

static int bool_of(bool *b, struct str s, struct err *e)
{
	static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false",
										       "no", "off",
										       "0" };

	for (size_t i = 0; i < 4 && s.len; i++) { /* a beginning is enough, "o" apart */
		*b = s.len <= strlen(yes[i]) && strncasecmp(s.data, yes[i], s.len) == 0;
		if ((*b || (s.len <= strlen(no[i]) && strncasecmp(s.data, no[i], s.len) == 0)) &&
		    !(s.len == 1 && (s.data[0] | 0x20) == 'o'))
			return OK;
	}
	return err_set(e, BAD_DATA, "invalid input syntax for type boolean: \"%.*s\"", STR_ARG(s));
}

/* Of the types whose JSON is a string with text in it. */
static int from_string(struct value *v, struct sqltype t, struct str s, struct arena *a,
		       struct err *e)
{
	switch (t.base) {
	case PG_DATE: return date_parse(&v->i, s, e);
	case PG_TIME: return time_parse(&v->i, s, e);
	case PG_TIMESTAMP: return timestamp_parse(&v->i, s, false, e);
	case PG_TIMESTAMPTZ: return timestamp_parse(&v->i, s, true, e);
	case PG_INTERVAL: return interval_parse(&v->iv, s, e);
	case PG_FLOAT4: case PG_FLOAT8: return float_of(&v->f, s, t, e);
	case PG_NUMERIC: {
		struct numeric *n = arena_alloc(a, sizeof(*n));

		v->n = n;
		return numeric_parse(n, s, a, e);
	}
	default:
		v->s = s;
		return OK;
	}
}

/* A field as it stands in its row. */
static struct str as_json(const struct field *f)
{
	return f->kind == F_STRING ? (struct str){ f->text.data - 1, f->text.len + 2 } : f->text;
}

/* JSON that a line cannot hold as it is comes as {"@json":"text"}: see starpipe-wire(5). */
static int json_from_field(struct value *v, const struct field *f, struct arena *a, struct err *e)
{
	struct field inner;
	struct str key;
	size_t at = 0;
	int rc;

	v->s = as_json(f);
	if (f->kind != F_OBJECT || f->text.len < 10 || memcmp(f->text.data, "{\"@json\"", 8) != 0)
		return OK;
	if ((rc = scan_member(f->text, &at, &key, &inner, e)) != OK)
		return rc;
	if (inner.kind != F_STRING)
		return wrong_kind(sqltype_of(PG_JSON), f, e);
	rc = field_text(&v->s, &inner, a, e);
	return rc == OK ? scan_value(v->s, &inner, e) : rc;
}

int value_from_field(struct value *v, struct sqltype t, const struct field *f, struct arena *a,
		     struct err *e)
{
	struct str s;
	int rc;

	if (sqltype_is_int(t.base))
		return int_from_field(v, t, f, e);
	if (pg_is_json(t.base))
		return json_from_field(v, f, a, e);
	if (t.base == PG_OTHER && sqltype_is_array(t)) {
		v->s = as_json(f);
		return f->kind == F_ARRAY || f->kind == F_STRING ? OK : wrong_kind(t, f, e);
	}
	if (t.base == PG_BOOL) {
		v->b = f->kind == F_TRUE;
		return f->kind == F_TRUE || f->kind == F_FALSE ? OK : wrong_kind(t, f, e);
	}
	if (pg_is_number(t.base) && f->kind == F_NUMBER)
		return from_string(v, t, f->text, a, e);
	if (t.base != PG_OTHER && f->kind != F_STRING)
		return wrong_kind(t, f, e);
	if ((rc = field_text(&s, f, a, e)) != OK)
		return rc;
	return from_string(v, t, s, a, e);
}

int value_check_field(struct sqltype t, const struct field *f, struct err *e)
{
	struct value v;
	struct arena none = { 0 };
	int rc;

	switch (t.base) {
	case PG_TEXT: case PG_VARCHAR: case PG_BPCHAR: case PG_BYTEA:
		return f->kind == F_STRING ? OK : wrong_kind(t, f, e);
	case PG_OTHER: case PG_ANY:
		return OK;
	case PG_NUMERIC: case PG_FLOAT4: case PG_FLOAT8:
		if (f->kind == F_NUMBER)
			return OK;
		/* fall through */
	default:
		rc = value_from_field(&v, t, f, &none, e);
		arena_release(&none);
		return rc;
	}
}

/* --- from SQL text --- */

static int int_from_text(struct value *v, struct sqltype t, struct str s, struct err *e)
{
	static const struct { int64_t max; const char *name; } ints[] = {
		[PG_INT2] = { INT16_MAX, "smallint" }, [PG_INT4] = { INT32_MAX, "integer" },
		[PG_INT8] = { INT64_MAX, "bigint" },
	};
	struct str digits = s;
	int64_t max = ints[t.base].max;

	while (digits.len && strchr(" \t\n\r\v\f", digits.data[0]) && digits.data[0])
		digits = (struct str){ digits.data + 1, digits.len - 1 };
	while (digits.len && strchr(" \t\n\r\v\f", digits.data[digits.len - 1]) &&
	       digits.data[digits.len - 1])
		digits.len--;
	if (str_to_i64(digits, -max - 1, max, &v->i))
		return OK;
	for (size_t i = digits.len && (digits.data[0] == '-' || digits.data[0] == '+');
	     i < digits.len; i++)
		if (digits.data[i] < '0' || digits.data[i] > '9' )
			return err_set(e, BAD_DATA, "invalid input syntax for type %s: \"%.*s\"",
				       ints[t.base].name, STR_ARG(s));
	return err_set(e, BAD_DATA, digits.len ? "value \"%.*s\" is out of range for type %s" :
		       "invalid input syntax: \"%.*s\" for type %s", STR_ARG(s), ints[t.base].name);
}

static struct str trimmed(struct str s)
{
	while (s.len && (s.data[0] == ' ' || (s.data[0] >= '\t' && s.data[0] <= '\r')))
		s = (struct str){ s.data + 1, s.len - 1 };
	while (s.len && (s.data[s.len - 1] == ' ' ||
			 (s.data[s.len - 1] >= '\t' && s.data[s.len - 1] <= '\r')))
		s.len--;
	return s;
}

int value_from_text(struct value *v, struct sqltype t, struct str text, struct arena *a,
		    struct err *e)
{
	struct field f;
	struct value plain = { 0 };
	int rc;

	*v = plain;
	if (sqltype_is_int(t.base))
		return int_from_text(v, t, text, e);
	if (t.base == PG_BOOL)
		return bool_of(&v->b, trimmed(text), e);
	if (t.base == PG_FLOAT4 || t.base == PG_FLOAT8)
		return from_string(v, t, trimmed(text), a, e);
	if (sqltype_is_array(t)) { /* the wire has an array's text as a string, too */
		struct buf quoted = { 0 };

		json_add_string(&quoted, text);
		v->s = arena_copy(a, buf_str(&quoted));
		buf_release(&quoted);
		return OK;
	}
	if (pg_is_json(t.base)) {
		rc = scan_value(text, &f, e);
		v->s = text;
		if (rc == OK && t.base == PG_JSONB) /* its normal form is PostgreSQL's to make */
			rc = err_set(e, BAD_DATA, "text cannot become jsonb here: cast it to json");
		return rc;
	}
	return from_string(v, t, text, a, e);
}

/* --- out --- */

static double float_next(double d, double towards, enum pg_base base)
{
	return base == PG_FLOAT4 ? (double)nextafterf((float)d, (float)towards) :
				   nextafter(d, towards);
}

/* Is the decimal z exactly halfway between d and the next float? Halfway has one bit more than a
 * float, so a long double holds it, and printf has all of its digits: more than z has, if more than
 * one of its bits, of a float4 two, is behind the point. */
static bool is_halfway(const char *z, double d, enum pg_base base)
{
	long double given;
	size_t digits = strcspn(z, "e");

	if (fabs(d) < (base == PG_FLOAT4 ? 0x1p22 : 0x1p52))
		return false;
	given = strtold(z, NULL);
	for (int side = -1; side <= 1; side += 2) {
		double next = float_next(d, side * INFINITY, base);
		long double half = (long double)d / 2 + (long double)next / 2;
		char all[900];

		if (given != half)
			continue;
		snprintf(all, sizeof(all), "%.800Le", half);
		if (strncmp(all, z, digits) == 0 &&
		    strspn(all + digits, digits == 1 || (digits == 2 && *z == '-') ? ".0" : "0") ==
			    strcspn(all + digits, "e"))
			return true;
	}
	return false;
}

static bool reads_back(const char *z, double d, enum pg_base base)
{
	return (base == PG_FLOAT4 ? strtof(z, NULL) == (float)d : strtod(z, NULL) == d) &&
	       !is_halfway(z, d, base);
}

/* PostgreSQL's shortest form that reads back as the same number, but for one halfway to the next
 * (1e23 is 9.999999999999999e+22). A form of 15 digits, of float4 6, has all shorter ones in it,
 * as far as the floats have that many. */
static int shortest(char digits[40], double d, enum pg_base base)
{
	int precision, max = base == PG_FLOAT4 ? 9 : 17;
	bool full = fabs(d) >= (base == PG_FLOAT4 ? (double)FLT_MIN : DBL_MIN);
	char z[40], *exp;
	size_t n = 0;

	for (precision = !full ? 1 : base == PG_FLOAT4 ? 6 : 15; precision <= max; precision++) {
		snprintf(z, sizeof(z), "%.*e", precision - 1, d);
		if (reads_back(z, d, base))
			break;
	}
	exp = strchr(z, 'e');
	for (char *p = z; p < exp; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	digits[n] = '\0';
	return (int)strtol(exp + 1, NULL, 10);
}

/* The same for a float that is a whole number divided by a small power of ten, which is most of
 * them: both are exact, so their quotient is the float that their decimal reads as. */
static bool short_decimal(char digits[40], int *exponent, double d, enum pg_base base)
{
	static const double powers[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10 };
	double whole = 0, most = base == PG_FLOAT4 ? 1e6 : 1e15;
	size_t k = 0, n = 0, end;
	bool found = false;

	for (d = fabs(d); k < sizeof(powers) / sizeof(*powers) && d * powers[k] < most; k++) {
		whole = (double)(int64_t)(d * powers[k] + 0.5);
		found = base == PG_FLOAT4 ? (float)whole / (float)powers[k] == (float)d :
					    whole / powers[k] == d;
		if (found)
			break;
	}
	if (!found || whole >= most)
		return false;
	n = (size_t)snprintf(digits, 40, "%lld", (long long)whole);
	*exponent = (int)n - 1 - (int)k;
	for (end = n; end > 1 && digits[end - 1] == '0'; end--)
		;
	digits[end] = '\0';
	return true;
}

static void add_float(struct buf *b, double d, enum pg_base base)
{
	char digits[40];
	int exponent;
	size_t n;

	if (isnan(d) || isinf(d)) {
		buf_addz(b, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
		return;
	}
	if (!short_decimal(digits, &exponent, d, base))
		exponent = shortest(digits, d, base);
	n = strlen(digits);
	if (signbit(d))
		buf_addch(b, '-');
	if (exponent < -4 || exponent >= (base == PG_FLOAT4 ? 6 : 15)) {
		buf_addf(b, n > 1 ? "%c.%s" : "%c%s", digits[0], digits + 1);
		buf_addf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	} else if (exponent < 0) {
		buf_addz(b, "0.");
		for (int i = -1; i > exponent; i--)
			buf_addch(b, '0');
		buf_addz(b, digits);
	} else {
		for (int i = 0; i <= exponent; i++)
			buf_addch(b, (size_t)i < n ? digits[i] : '0');
		if (n > (size_t)exponent + 1) {
			buf_addch(b, '.');
			buf_addz(b, digits + exponent + 1);
		}
	}
}

static void add_plain(struct buf *b, struct sqltype t, const struct value *v, char sep)
{
	switch (t.base) {
	case PG_INT2: case PG_INT4: case PG_INT8: buf_add_i64(b, v->i); break;
	case PG_NUMERIC: numeric_format(v->n, b); break;
	case PG_FLOAT4: case PG_FLOAT8: add_float(b, v->f, t.base); break;
	case PG_DATE: date_format(b, v->i); break;
	case PG_TIME: time_format(b, v->i); break;
	case PG_TIMESTAMP: timestamp_format(b, v->i, sep, false); break;
	case PG_TIMESTAMPTZ: timestamp_format(b, v->i, sep, true); break;
	case PG_INTERVAL: interval_format(b, &v->iv); break;
	default: buf_addstr(b, v->s);
	}
}

static bool special_number(struct sqltype t, const struct value *v)
{
	return t.base == PG_NUMERIC ? v->n->kind != NUM_FINITE :
	       (t.base == PG_FLOAT4 || t.base == PG_FLOAT8) && !isfinite(v->f);
}

/* Would it be taken for the form that other JSON is wrapped in? */
static bool looks_wrapped(struct str s)
{
	struct err ignored;
	struct field f;
	struct str key;
	size_t at = 0;

	return s.data[0] == '{' && scan_member(s, &at, &key, &f, &ignored) == OK &&
	       f.kind != F_ABSENT && key.len >= 7 && memcmp(key.data, "\"@json", 6) == 0;
}

static void add_json_text(struct buf *b, struct str s)
{
	bool plain = s.len && s.data[0] != ' ' && s.data[s.len - 1] != ' ' && !str_eqz(s, "null") &&
		     !memchr(s.data, '\n', s.len) && !memchr(s.data, '\r', s.len) &&
		     !memchr(s.data, '\t', s.len) && !looks_wrapped(s);

	if (plain) {
		buf_addstr(b, s);
	} else {
		buf_addz(b, "{\"@json\":");
		json_add_string(b, s);
		buf_addch(b, '}');
	}
}

void value_add_json(struct buf *b, struct sqltype t, const struct value *v)
{
	if (t.base == PG_BOOL) {
		buf_addz(b, v->b ? "true" : "false");
	} else if (pg_is_json(t.base)) {
		add_json_text(b, v->s);
	} else if (sqltype_is_array(t)) {
		buf_addstr(b, v->s);
	} else if (sqltype_is_text(t.base) || t.base == PG_OTHER || t.base == PG_BYTEA) {
		json_add_string(b, v->s);
	} else if (pg_is_number(t.base) && !special_number(t, v)) {
		add_plain(b, t, v, 'T');
	} else {
		buf_addch(b, '"');
		add_plain(b, t, v, 'T');
		buf_addch(b, '"');
	}
}

void value_add_text(struct buf *b, struct sqltype t, const struct value *v)
{
	if (t.base == PG_BOOL)
		buf_addch(b, v->b ? 't' : 'f');
	else
		add_plain(b, t, v, ' ');
}

/* --- conversions --- */

static int no_int(struct sqltype to, struct err *e)
{
	return err_set(e, BAD_DATA, "%s out of range", to.base == PG_INT2 ? "smallint" :
		       to.base == PG_INT4 ? "integer" : "bigint");
}

static int to_int(struct value *v, enum pg_base from, struct sqltype to, struct err *e)
{
	static const int64_t limits[] = {
		[PG_INT2] = INT16_MAX, [PG_INT4] = INT32_MAX, [PG_INT8] = INT64_MAX
	};
	int64_t max = limits[to.base], i = v->i;

	if (from == PG_BOOL)
		i = v->b;
	if (from == PG_NUMERIC) {
		if (v->n->kind != NUM_FINITE)
			return err_set(e, BAD_DATA, "cannot convert %s to %s",
				       v->n->kind == NUM_NAN ? "NaN" : "infinity",
				       to.base == PG_INT2 ? "smallint" :
				       to.base == PG_INT4 ? "integer" :
							    "bigint");
		if (!numeric_to_i64(v->n, &i))
			return no_int(to, e);
	}
	if (from == PG_FLOAT4 || from == PG_FLOAT8) {
		double d = rint(v->f);

		if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0))
			return no_int(to, e);
		i = (int64_t)d;
	}
	if (i > max || i < -max - 1)
		return no_int(to, e);
	v->i = i;
	return OK;
}

static int to_numeric(struct value *v, enum pg_base from, struct arena *a, struct err *e)
{
	struct numeric *n;
	char z[64];

	if (from == PG_NUMERIC)
		return OK;
	n = arena_alloc(a, sizeof(*n));
	if (sqltype_is_int(from)) {
		numeric_from_i64(n, v->i, a);
	} else { /* PostgreSQL takes the digits a float is sure of */
		int rc;

		if (isinf(v->f))
			snprintf(z, sizeof(z), "%sInfinity", v->f < 0 ? "-" : "");
		else
			snprintf(z, sizeof(z), "%.*g", from == PG_FLOAT4 ? 6 : 15, v->f);
		if ((rc = numeric_parse(n, isnan(v->f) ? STR("NaN") : str_of(z), a, e)) != OK)
			return rc;
	}
	v->n = n;
	return OK;
}

static int to_float(struct value *v, enum pg_base from, struct sqltype to, struct err *e)
{
	double d = from == PG_NUMERIC	? numeric_to_double(v->n) :
		   sqltype_is_int(from) ? (double)v->i :
					  v->f;
	double narrow = to.base == PG_FLOAT4 ? (double)(float)d : d;

	bool number = from == PG_NUMERIC && v->n->kind == NUM_FINITE;

	if ((isinf(narrow) && !isinf(d)) || (isinf(d) && number))
		return err_set(e, BAD_DATA, "value out of range: overflow");
	if (narrow == 0 && (d != 0 || (number && v->n->size)))
		return err_set(e, BAD_DATA, "value out of range: underflow");
	v->f = narrow;
	return OK;
}

static struct str without_blanks(struct str s)
{
	while (s.len && s.data[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* varchar(n) and char(n): an explicit cast cuts, an assignment refuses to cut but blanks. */
static int limit_length(struct value *v, struct sqltype to, enum cast_context context,
			struct arena *a, struct err *e)
{
	size_t limit = (size_t)to.mods[0], chars = str_chars(v->s);

	if (chars > limit) {
		size_t keep = str_offset(v->s, (int64_t)limit);

		if (context != CAST_EXPLICIT && without_blanks(v->s).len > keep)
			return err_set(e, BAD_DATA, "value too long for type %s(%zu)",
				       to.base == PG_BPCHAR ? "character" : "character varying",
				       limit);
		v->s.len = keep;
	} else if (to.base == PG_BPCHAR && chars < limit) {
		char *padded = arena_alloc(a, v->s.len + limit - chars);

		memcpy(padded, v->s.data, v->s.len);
		memset(padded + v->s.len, ' ', limit - chars);
		v->s = (struct str){ padded, v->s.len + limit - chars };
	}
	return OK;
}

static int to_text(struct value *v, struct sqltype from, struct sqltype to,
		   enum cast_context context, struct arena *a, struct err *e)
{
	struct buf b = { 0 };

	if (from.base == PG_BPCHAR && to.base != PG_BPCHAR) {
		v->s = without_blanks(v->s);
	} else if (from.base == PG_BOOL) {
		v->s = v->b ? STR("true") : STR("false");
	} else if (!sqltype_is_text(from.base)) {
		value_add_text(&b, from, v);
		v->s = arena_copy(a, buf_str(&b));
		buf_release(&b);
	}
	return to.mods[0] >= 0 ? limit_length(v, to, context, a, e) : OK;
}

static int to_datetime(struct value *v, enum pg_base from, struct sqltype to, struct err *e)
{
	int rc = OK;

	if (to.base == PG_DATE) {
		v->i = from == PG_DATE ? v->i : date_from_timestamp(v->i);
	} else if (to.base == PG_TIME) {
		if (from == PG_INTERVAL)
			v->i = time_from_interval(&v->iv);
		else if (from != PG_TIME && (v->i == TS_INFINITY || v->i == TS_MINUS_INFINITY))
			v->null = true; /* an infinity has no time of day */
		else if (from != PG_TIME)
			v->i = time_from_timestamp(v->i);
	} else if (to.base == PG_INTERVAL) {
		if (from == PG_TIME)
			v->iv = (struct interval){ 0, 0, v->i };
	} else if (from == PG_DATE) {
		rc = timestamp_from_date(&v->i, v->i, e);
	}
	if (rc != OK || v->null || to.mods[0] < 0 || to.base == PG_INTERVAL)
		return rc;
	if (to.base == PG_TIMESTAMP || to.base == PG_TIMESTAMPTZ)
		return timestamp_round(&v->i, to.mods[0], e);
	v->i = usecs_round(v->i, to.mods[0]);
	return OK;
}

/* jsonb's own casts: a scalar of the right kind. */
static int from_jsonb(struct value *v, struct sqltype to, struct arena *a, struct err *e)
{
	struct field f;
	struct value n = { 0 };
	int rc = scan_value(v->s, &f, e);

	if (rc != OK)
		return rc;
	if (to.base == PG_BOOL && (f.kind == F_TRUE || f.kind == F_FALSE)) {
		v->b = f.kind == F_TRUE;
		return OK;
	}
	if (to.base == PG_BOOL || f.kind != F_NUMBER)
		return err_set(e, BAD_DATA, "cannot cast this jsonb to the type asked for");
	if ((rc = value_from_text(&n, sqltype_of(PG_NUMERIC), f.text, a, e)) != OK)
		return rc;
	*v = n;
	return value_cast(v, sqltype_of(PG_NUMERIC), to, CAST_EXPLICIT, a, e);
}

int value_cast(struct value *v, struct sqltype from, struct sqltype to, enum cast_context context,
	       struct arena *a, struct err *e)
{
	int rc;

	if (v->null)
		return OK;
	if (sqltype_is_text(to.base))
		return to_text(v, from, to, context, a, e);
	if (sqltype_is_text(from.base)) { /* char(n)'s blanks are not part of what is read */
		struct sqltype plain = sqltype_of(to.base);
		struct str s = from.base == PG_BPCHAR ? without_blanks(v->s) : v->s;

		if ((rc = value_from_text(v, plain, s, a, e)) != OK)
			return rc;
		from = plain;
	}
	if (from.base == PG_JSONB && (pg_is_number(to.base) || to.base == PG_BOOL))
		return from_jsonb(v, to, a, e);
	if (sqltype_is_int(to.base))
		return to_int(v, from.base, to, e);
	if (to.base == PG_BOOL) {
		if (from.base != PG_BOOL)
			v->b = v->i != 0;
		return OK;
	}
	if (to.base == PG_FLOAT4 || to.base == PG_FLOAT8)
		return to_float(v, from.base, to, e);
	if (to.base == PG_NUMERIC) {
		struct numeric *n;

		if ((rc = to_numeric(v, from.base, a, e)) != OK || to.mods[0] < 0)
			return rc;
		n = arena_alloc(a, sizeof(*n));
		rc = numeric_limit(n, v->n, to.mods[0], to.mods[1], a, e);
		v->n = n;
		return rc;
	}
	if (to.base >= PG_DATE && to.base <= PG_INTERVAL)
		return to_datetime(v, from.base, to, e);
	return OK;
}

/* --- comparison --- */

bool value_comparable(struct sqltype t)
{
	return t.base == PG_BOOL || pg_is_number(t.base) || sqltype_is_text(t.base) ||
	       (t.base >= PG_DATE && t.base <= PG_BYTEA) ||
	       (t.base == PG_OTHER && strcmp(t.name, "uuid") == 0);
}

static int compare_floats(double a, double b)
{
	if (isnan(a) || isnan(b))
		return !!isnan(a) - !!isnan(b);
	return (a > b) - (a < b);
}

int value_compare(struct sqltype t, const struct value *a, const struct value *b)
{
	switch (t.base) {
	case PG_BOOL: return a->b - b->b;
	case PG_NUMERIC: return numeric_cmp(a->n, b->n);
	case PG_FLOAT4: case PG_FLOAT8: return compare_floats(a->f, b->f);
	case PG_INTERVAL: return interval_cmp(&a->iv, &b->iv);
	case PG_BPCHAR: return str_cmp(without_blanks(a->s), without_blanks(b->s));
	case PG_INT2: case PG_INT4: case PG_INT8: case PG_DATE: case PG_TIME: case PG_TIMESTAMP:
	case PG_TIMESTAMPTZ: return (a->i > b->i) - (a->i < b->i);
	default: return str_cmp(a->s, b->s);
	}
}

static void add_key_bytes(struct buf *b, struct sqltype t, const struct value *v)
{
	struct value zero = { .f = 0 };

	if (t.base == PG_NUMERIC)
		numeric_add_key(v->n, b);
	else if (t.base == PG_INTERVAL)
		interval_add_key(b, &v->iv);
	else if (t.base == PG_BPCHAR)
		buf_addstr(b, without_blanks(v->s));
	else if ((t.base == PG_FLOAT4 || t.base == PG_FLOAT8) && v->f == 0)
		value_add_text(b, t, &zero); /* -0 equals 0 */
	else
		value_add_text(b, t, v);
}

void value_add_key(struct buf *b, struct sqltype t, const struct value *v)
{
	uint32_t len = UINT32_MAX;
	size_t at = b->len;

	buf_add(b, &len, sizeof(len));
	if (v->null)
		return;
	add_key_bytes(b, t, v);
	len = (uint32_t)(b->len - at - sizeof(len));
	memcpy(b->data + at, &len, sizeof(len));
}
