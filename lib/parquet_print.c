/* parquet_print - values of Parquet as JSON of the wire */
#include "parquet_print.h"

#include <math.h>

#include "copy_read.h"
#include "hash.h"
#include "json.h"
#include "value.h"

enum { MAX_LIMBS = 8, JULIAN_1970 = 2440588, DATES = 366 * 10000 };

static int out_of_range(const char *what, struct err *e)
{
	return err_set(e, BAD_DATA, "a %s is out of PostgreSQL's range", what);
}

/* --- numbers --- */

static int add_int(struct buf *b, const struct parquet_leaf *l, int64_t v, struct err *e)
{
	if (l->logical == PQ_INTEGER && l->bits < 32 &&
	    (v < -(1 << (l->bits - 1)) || v >= 1 << (l->bits - 1)))
		return out_of_range("number", e);
	buf_add_i64(b, v);
	return OK;
}

static int add_unsigned(struct buf *b, const struct parquet_leaf *l, int64_t v, struct err *e)
{
	uint64_t u = l->type == PQ_INT32 ? (uint32_t)v : (uint64_t)v;

	if (l->bits < 64 && u >> l->bits)
		return out_of_range("number", e);
	buf_add_u64(b, u);
	return OK;
}

/* digits with a point before the last scale of them */
static void add_scaled(struct buf *b, bool neg, const char *digits, size_t count, int scale)
{
	size_t behind = (size_t)scale;

	if (neg)
		buf_addch(b, '-');
	if (count > behind)
		buf_add(b, digits, count - behind);
	else
		buf_addch(b, '0');
	if (!behind)
		return;
	buf_addch(b, '.');
	for (size_t i = count; i < behind; i++)
		buf_addch(b, '0');
	buf_add(b, count > behind ? digits + count - behind : digits,
		count > behind ? behind : count);
}

static void add_small_decimal(struct buf *b, int scale, int64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	for (; u; u /= 10)
		digits[--at] = (char)('0' + u % 10);
	add_scaled(b, v < 0, digits + at, sizeof(digits) - at, scale);
}

/* Big-endian two's complement of up to 32 bytes: nine digits at a time from the least. */
static int add_decimal(struct buf *b, int scale, struct str s, struct err *e)
{
	uint32_t limbs[MAX_LIMBS] = { 0 };
	char digits[MAX_LIMBS * 10 + 9];
	size_t at = sizeof(digits);
	bool neg = s.len && (s.data[0] & 0x80), zero = false;
	uint64_t carry = neg;

	if (s.len == 0 || s.len > sizeof(limbs))
		return err_set(e, BAD_DATA, "a decimal has %zu bytes", s.len);
	for (size_t i = 0; i < sizeof(limbs); i++) {
		unsigned char c = i < s.len ? (unsigned char)s.data[s.len - 1 - i] : neg ? 0xff :
											   0;

		limbs[i / 4] |= (uint32_t)(neg ? (unsigned char)~c : c) << i % 4 * 8;
	}
	for (size_t i = 0; i < MAX_LIMBS && carry; i++, carry >>= 32) {
		carry += limbs[i];
		limbs[i] = (uint32_t)carry;
	}
	while (!zero) {
		uint64_t rest = 0;

		zero = true;
		for (size_t i = MAX_LIMBS; i-- > 0;) {
			rest = rest << 32 | limbs[i];
			limbs[i] = (uint32_t)(rest / 1000000000);
			rest %= 1000000000;
			zero &= limbs[i] == 0;
		}
		for (int i = 0; i < 9; i++, rest /= 10)
			digits[--at] = (char)('0' + rest % 10);
	}
	while (at < sizeof(digits) && digits[at] == '0')
		at++;
	add_scaled(b, neg, digits + at, sizeof(digits) - at, scale);
	return OK;
}

static void add_float(struct buf *b, double d, enum pg_base base)
{
	struct value v = { .f = d };

	value_add_json(b, sqltype_of(base), &v);
}

static void add_float_bits(struct buf *b, const struct parquet_leaf *l, int64_t bits)
{
	uint32_t low = (uint32_t)bits;
	double d;
	float f;

	if (l->type == PQ_FLOAT) {
		memcpy(&f, &low, sizeof(f));
		add_float(b, (double)f, PG_FLOAT4);
	} else {
		memcpy(&d, &bits, sizeof(d));
		add_float(b, d, PG_FLOAT8);
	}
}

/* IEEE 754's binary16 */
static void add_half(struct buf *b, struct str s)
{
	unsigned h = (unsigned char)s.data[0] | (unsigned)(unsigned char)s.data[1] << 8;
	int exponent = h >> 10 & 31, fraction = h & 1023;
	double d = exponent == 31 ? (fraction ? NAN : INFINITY) :
		   exponent == 0  ? ldexp(fraction, -24) :
				    ldexp(fraction + 1024, exponent - 25);

	add_float(b, h & 0x8000 ? -d : d, PG_FLOAT4);
}

/* --- dates and times --- */

static char *put2(char *p, int64_t v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

/* Years 1 to 9999 by themselves (Howard Hinnant's civil_from_days), others as datetime has them.
 * days since 1970. */
static bool add_plain_date(struct buf *b, int64_t days)
{
	int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
	char text[10], *p = text;

	if (days < -719162 || days > 2932896)
		return false;
	p = put2(p, year / 100);
	p = put2(p, year % 100);
	*p++ = '-';
	p = put2(p, month);
	*p++ = '-';
	put2(p, doy - (153 * mp + 2) / 5 + 1);
	buf_add(b, text, sizeof(text));
	return true;
}

/* hh:mm:ss and a fraction of so many digits without zeros at its end */
static void add_clock(struct buf *b, int64_t seconds, int64_t fraction, int digits)
{
	char text[8 + 10], *p = text;

	p = put2(p, seconds / 3600);
	*p++ = ':';
	p = put2(p, seconds / 60 % 60);
	*p++ = ':';
	p = put2(p, seconds % 60);
	if (fraction) {
		*p++ = '.';
		for (int i = digits; i-- > 0; fraction /= 10)
			p[i] = (char)('0' + fraction % 10);
		for (p += digits; p[-1] == '0'; p--)
			;
	}
	buf_add(b, text, (size_t)(p - text));
}

static int add_date(struct buf *b, int64_t days, struct err *e)
{
	int64_t pg = days == PQ_DATE_INFINITY  ? DATE_INFINITY :
		     days == -PQ_DATE_INFINITY ? DATE_MINUS_INFINITY :
						 days - PQ_UNIX_DAYS;

	buf_addch(b, '"');
	if (!add_plain_date(b, days)) {
		/* 4713-01-01 BC to 5874897-12-31 */
		if (days < -2440588 || (days > 2145042905 && days != PQ_DATE_INFINITY))
			if (days != -PQ_DATE_INFINITY)
				return out_of_range("date", e);
		date_format(b, pg);
	}
	buf_addch(b, '"');
	return OK;
}

/* What the unit is a part of: a second. */
static int64_t units(const struct parquet_leaf *l, int *digits)
{
	*digits = l->unit == PQ_MILLIS ? 3 : l->unit == PQ_MICROS ? 6 :
								    9;
	return l->unit == PQ_MILLIS ? 1000 : l->unit == PQ_MICROS ? 1000000 :
								    1000000000;
}

static int add_time(struct buf *b, const struct parquet_leaf *l, int64_t v, struct err *e)
{
	int digits;
	int64_t unit = units(l, &digits);

	if (v < 0 || v > 86400 * unit) /* 24:00:00 is a time */
		return out_of_range("time", e);
	buf_addch(b, '"');
	add_clock(b, v / unit, v % unit, digits);
	buf_addch(b, '"');
	return OK;
}

/* Microseconds where PostgreSQL's own formatting is needed: years before 1 and after 9999. */
static int add_far_timestamp(struct buf *b, int64_t usecs, bool utc, struct err *e)
{
	int64_t pg;

	if (usecs == PQ_TIMESTAMP_INFINITY || usecs == -PQ_TIMESTAMP_INFINITY)
		pg = usecs > 0 ? TS_INFINITY : TS_MINUS_INFINITY;
	else if (__builtin_sub_overflow(usecs, PQ_UNIX_DAYS * USECS_PER_DAY, &pg) ||
		 pg < -211813488000000000)
		return out_of_range("timestamp", e);
	timestamp_format(b, pg, 'T', utc);
	return OK;
}

static int add_timestamp(struct buf *b, const struct parquet_leaf *l, int64_t v, struct err *e)
{
	int digits, rc = OK;
	int64_t unit = units(l, &digits), seconds = v / unit, fraction = v % unit, days, usecs;

	if (fraction < 0) {
		fraction += unit;
		seconds--;
	}
	days = seconds / 86400 - (seconds % 86400 < 0);
	buf_addch(b, '"');
	if (days > -DATES && days < DATES && add_plain_date(b, days)) {
		buf_addch(b, 'T');
		add_clock(b, seconds - days * 86400, fraction, digits);
		if (l->utc)
			buf_addch(b, 'Z');
	} else if (l->unit == PQ_MILLIS && __builtin_mul_overflow(v, 1000, &usecs)) {
		rc = out_of_range("timestamp", e);
	} else {
		rc = add_far_timestamp(b, l->unit == PQ_MILLIS ? usecs : v, l->utc, e);
	}
	buf_addch(b, '"');
	return rc;
}

/* Nanoseconds of a Julian day, as Spark and Impala wrote timestamps once. */
static int add_int96(struct buf *b, struct str s, struct err *e)
{
	static const struct parquet_leaf micros = { .unit = PQ_MICROS };
	uint64_t nanos = load_le64(s.data);
	int64_t days = (int64_t)load_le32(s.data + 8) - JULIAN_1970, usecs;

	if (nanos > INT64_MAX || __builtin_mul_overflow(days, USECS_PER_DAY, &usecs) ||
	    __builtin_add_overflow(usecs, (int64_t)(nanos / 1000), &usecs))
		return out_of_range("timestamp", e);
	return add_timestamp(b, &micros, usecs, e);
}

static void add_interval(struct buf *b, struct str s)
{
	struct interval iv = { (int32_t)load_le32(s.data), (int32_t)load_le32(s.data + 4),
			       (int64_t)load_le32(s.data + 8) * 1000 };

	buf_addch(b, '"');
	interval_format(b, &iv);
	buf_addch(b, '"');
}

/* --- text --- */

static void add_hex(struct buf *b, struct str s)
{
	buf_need(b, s.len * 2);
	to_hex((const unsigned char *)s.data, s.len, b->data + b->len);
	b->len += s.len * 2;
}

static void add_uuid(struct buf *b, struct str s)
{
	static const size_t parts[] = { 4, 2, 2, 2, 6 };

	buf_addch(b, '"');
	for (size_t i = 0, at = 0; i < 5; at += parts[i++]) {
		if (i)
			buf_addch(b, '-');
		add_hex(b, (struct str){ s.data + at, parts[i] });
	}
	buf_addch(b, '"');
}

static void add_number(struct buf *b, struct str s)
{
	struct field f;
	struct err ignored;

	if (scan_value(s, &f, &ignored) == OK && f.kind == F_NUMBER && f.text.len == s.len)
		buf_addstr(b, s);
	else
		json_add_string(b, s); /* NaN */
}

static int add_array(struct buf *b, struct str s, struct err *e)
{
	struct field f;

	if (scan_value(s, &f, e) != OK || (f.kind != F_ARRAY && f.kind != F_STRING) ||
	    memchr(s.data, '\n', s.len))
		return err_set(e, BAD_DATA, "it is not the JSON of an array");
	buf_addstr(b, s);
	return OK;
}

int parquet_print_int(struct buf *b, const struct parquet_form_of *f, int64_t v, struct err *e)
{
	switch (f->form) {
	case PQF_BOOL: buf_addz(b, v ? "true" : "false"); return OK;
	case PQF_UNSIGNED: return add_unsigned(b, f->leaf, v, e);
	case PQF_FLOAT: add_float_bits(b, f->leaf, v); return OK;
	case PQF_DECIMAL: add_small_decimal(b, f->leaf->scale, v); return OK;
	case PQF_DATE: return add_date(b, v, e);
	case PQF_TIME: return add_time(b, f->leaf, v, e);
	case PQF_TIMESTAMP: return add_timestamp(b, f->leaf, v, e);
	default: return add_int(b, f->leaf, v, e);
	}
}

int parquet_print_bytes(struct buf *b, const struct parquet_form_of *f, struct str s,
			struct err *e)
{
	switch (f->form) {
	case PQF_DECIMAL: return add_decimal(b, f->leaf->scale, s, e);
	case PQF_INT96: return add_int96(b, s, e);
	case PQF_HALF: add_half(b, s); return OK;
	case PQF_UUID: add_uuid(b, s); return OK;
	case PQF_INTERVAL: add_interval(b, s); return OK;
	case PQF_BYTES:
		buf_addz(b, "\"\\\\x");
		add_hex(b, s);
		buf_addch(b, '"');
		return OK;
	default: break;
	}
	if (str_bad_utf8(s) < s.len)
		return err_set(e, BAD_DATA, "a text is not UTF-8");
	if (f->form == PQF_ARRAY)
		return add_array(b, s, e);
	if (f->form == PQF_NUMBER)
		add_number(b, s);
	else if (f->form == PQF_JSON)
		copy_read_json(b, s);
	else
		json_add_string(b, s);
	return OK;
}
