/* parquet_stats - the statistics of one column of one row group */
#include "parquet_stats.h"

#include <math.h>

/* --- gathering --- */

static void bound(struct parquet_bound *b, struct str v)
{
	b->len = v.len < STAT_BYTES ? v.len : STAT_BYTES;
	b->exact = v.len <= STAT_BYTES;
	if (b->len)
		memcpy(b->bytes, v.data, b->len);
}

/* A decimal is big-endian two's complement: its first byte alone has a sign. */
static int compare_bytes(const struct parquet_leaf *l, struct str a, struct str b)
{
	if (l->logical == PQ_DECIMAL && a.data[0] != b.data[0])
		return (signed char)a.data[0] - (signed char)b.data[0];
	return str_cmp(a, b);
}

/* First bytes compare as the whole does, or are equal: then the shorter is the lesser, and a
 * value that was cut is not the bound itself. */
void parquet_stats_bytes(struct parquet_stats *s, const struct parquet_leaf *l, struct str v)
{
	struct str first = { v.data, v.len < STAT_BYTES ? v.len : STAT_BYTES };
	bool exact = v.len <= STAT_BYTES;
	int order;

	if (!s->any) {
		bound(&s->low, v);
		bound(&s->high, v);
		s->any = true;
		return;
	}
	order = compare_bytes(l, first, (struct str){ (char *)s->low.bytes, s->low.len });
	if (order < 0)
		bound(&s->low, v);
	else if (order == 0)
		s->low.exact |= exact;
	order = compare_bytes(l, first, (struct str){ (char *)s->high.bytes, s->high.len });
	if (order > 0)
		bound(&s->high, v);
	else if (order == 0)
		s->high.exact &= exact;
}

void parquet_stats_float(struct parquet_stats *s, double v)
{
	if (isnan(v)) {
		s->nans++;
		return;
	}
	if (!s->any || v < s->fmin)
		s->fmin = v;
	if (!s->any || v > s->fmax)
		s->fmax = v;
	s->any = true;
}

/* --- in the footer --- */

/* A text is cut between characters, and the greatest gets greater by it: its last character that
 * has a next one is replaced by that. False: there is nothing greater. */
static bool raise_text(struct parquet_bound *b)
{
	while (b->len) {
		size_t n = 1;
		uint32_t ch;

		while (n < b->len && n < 4 && (b->bytes[b->len - n] & 0xc0) == 0x80)
			n++;
		b->len -= n;
		ch = b->bytes[b->len];
		ch = n == 1 ? ch : ch & (0xffu >> (n + 1));
		for (size_t i = 1; i < n; i++)
			ch = ch << 6 | (b->bytes[b->len + i] & 63);
		if (++ch == 0xd800) /* surrogates are no characters */
			ch = 0xe000;
		if (ch > 0x10ffff || (ch == 0x80 && n == 1) || (ch == 0x800 && n == 2) ||
		    (ch == 0x10000 && n == 3)) {
			if (ch > 0x10ffff || b->len + n + 1 > STAT_BYTES)
				continue;
			n++; /* the next character is longer, and there is room */
		}
		for (size_t i = n; i-- > 1; ch >>= 6)
			b->bytes[b->len + i] = (unsigned char)(0x80 | (ch & 63));
		b->bytes[b->len] = (unsigned char)(n == 1 ? ch : (0xf00u >> n & 0xff) | ch);
		b->len += n;
		return true;
	}
	return false;
}

static bool raise_bytes(struct parquet_bound *b)
{
	while (b->len && b->bytes[b->len - 1] == 0xff)
		b->len--;
	if (b->len)
		b->bytes[b->len - 1]++;
	return b->len > 0;
}

/* Drop a character whose end was cut off. */
static void trim_text(struct parquet_bound *b)
{
	struct str s = { (char *)b->bytes, b->len };

	b->len = str_bad_utf8(s);
}

static struct str plain_int(const struct parquet_leaf *l, const int64_t *v)
{
	size_t width = parquet_width(l);

	return (struct str){ (const char *)v, width ? width : 1 }; /* little-endian */
}

/* The sign of zero says nothing of the values': the lesser and the greater of both. */
static struct str plain_float(const struct parquet_leaf *l, double v, double zero, double *wide,
			      float *narrow)
{
	*wide = v == 0 ? zero : v;
	*narrow = (float)*wide;
	return l->type == PQ_DOUBLE ? (struct str){ (char *)wide, 8 } :
					   (struct str){ (char *)narrow, 4 };
}

static void put_bounds(struct thrift_out *o, const struct parquet_stats *s,
		       const struct parquet_leaf *l)
{
	struct parquet_bound low = s->low, high = s->high;
	bool text = l->logical == PQ_STRING, bytes = l->type >= PQ_BYTES;
	bool has_max = true;
	double wide;
	float narrow;

	if (bytes) {
		if (!low.exact && text)
			trim_text(&low);
		if (!high.exact && text)
			trim_text(&high);
		if (!high.exact)
			has_max = text ? raise_text(&high) : raise_bytes(&high);
		if (has_max)
			thrift_put_binary(o, 5, (struct str){ (char *)high.bytes, high.len });
		thrift_put_binary(o, 6, (struct str){ (char *)low.bytes, low.len });
		if (has_max)
			thrift_put_bool(o, 7, high.exact);
		thrift_put_bool(o, 8, low.exact);
	} else if (l->type == PQ_FLOAT || l->type == PQ_DOUBLE) {
		thrift_put_binary(o, 5, plain_float(l, s->fmax, 0.0, &wide, &narrow));
		thrift_put_binary(o, 6, plain_float(l, s->fmin, -0.0, &wide, &narrow));
		thrift_put_bool(o, 7, true);
		thrift_put_bool(o, 8, true);
	} else {
		thrift_put_binary(o, 5, plain_int(l, &s->max));
		thrift_put_binary(o, 6, plain_int(l, &s->min));
		thrift_put_bool(o, 7, true);
		thrift_put_bool(o, 8, true);
	}
}

void parquet_stats_put(struct thrift_out *o, int id, const struct parquet_stats *s,
		       const struct parquet_leaf *l)
{
	thrift_put_struct(o, id);
	thrift_put_i64(o, 3, (int64_t)s->nulls);
	if (s->any)
		put_bounds(o, s, l);
	if (l->type == PQ_FLOAT || l->type == PQ_DOUBLE)
		thrift_put_i64(o, 9, (int64_t)s->nans);
	thrift_end(o);
}
