/* numeric - exact decimals on GMP */
#include "numeric.h"

#include <gmp.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "mem.h"

enum {
	MAX_WHOLE_DIGITS = 131072, /* of PostgreSQL's numeric, either side of the point */
	MAX_SCALE = 16383,
	MIN_SIGNIFICANT = 16,      /* digits a quotient has at least */
	MAX_QUOTIENT_SCALE = 1000
};

static mpz_t s1, s2, s3; /* scratch; results are copied out */

static void need_scratch(void)
{
	static bool ready;

	if (!ready) {
		mpz_inits(s1, s2, s3, NULL);
		ready = true;
	}
}

/* A read-only view of n's coefficient. */
static mpz_srcptr view(const struct numeric *n, mpz_t v)
{
	return mpz_roinit_n(v, n->limbs, n->size);
}

static void store(struct numeric *r, mpz_srcptr z, int scale, struct arena *a)
{
	size_t limbs = mpz_size(z);
	unsigned long *copy = arena_alloc(a, (limbs ? limbs : 1) * sizeof(*copy));

	memcpy(copy, mpz_limbs_read(z), limbs * sizeof(*copy));
	*r = (struct numeric){ NUM_FINITE, scale, mpz_sgn(z) < 0 ? -(int)limbs : (int)limbs, copy };
}

static int overflow(struct err *e)
{
	return err_set(e, BAD_DATA, "value overflows numeric format");
}

/* z * 10^-scale, where it has no more digits before the point than PostgreSQL's numeric. */
static int keep(struct numeric *r, mpz_srcptr z, int scale, struct arena *a, struct err *e)
{
	size_t most = MAX_WHOLE_DIGITS + (size_t)scale, digits = most;
	mpz_t limit;
	bool fits;

	if (mpz_size(z) > MAX_WHOLE_DIGITS / 20) /* a limb holds 19.3 digits: GMP is to count */
		digits = mpz_sizeinbase(z, 10);
	fits = digits <= most;
	if (digits == most + 1) { /* or one less, it says */
		mpz_init(limit);
		mpz_ui_pow_ui(limit, 10, most);
		fits = mpz_cmpabs(z, limit) < 0;
		mpz_clear(limit);
	}
	if (!fits)
		return overflow(e);
	store(r, z, scale, a);
	return OK;
}

static void special(struct numeric *r, enum numeric_kind kind)
{
	*r = (struct numeric){ .kind = kind };
}

static void mul_pow10(mpz_ptr z, mpz_srcptr x, unsigned long power)
{
	mpz_t ten; /* s3 may be z: compute apart */

	mpz_init(ten);
	mpz_ui_pow_ui(ten, 10, power);
	mpz_mul(z, x, ten);
	mpz_clear(ten);
}

/* z = x / 10^power, rounded. */
static void div_pow10(mpz_ptr z, mpz_srcptr x, unsigned long power, enum numeric_rounding how)
{
	mpz_t ten;

	mpz_init(ten);
	mpz_ui_pow_ui(ten, 10, power);
	if (how == ROUND_HALF_AWAY) {
		mpz_t half;

		mpz_init(half);
		mpz_fdiv_q_2exp(half, ten, 1);
		if (mpz_sgn(x) < 0)
			mpz_sub(half, x, half);
		else
			mpz_add(half, x, half);
		mpz_tdiv_q(z, half, ten);
		mpz_clear(half);
	} else if (how == ROUND_TRUNC) {
		mpz_tdiv_q(z, x, ten);
	} else if (how == ROUND_CEIL) {
		mpz_cdiv_q(z, x, ten);
	} else {
		mpz_fdiv_q(z, x, ten);
	}
	mpz_clear(ten);
}

/* --- text --- */

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct str trim(struct str s)
{
	while (s.len && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

static bool is_word(struct str s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.data, word, s.len) == 0;
}

static bool parse_special(struct numeric *n, struct str s)
{
	bool neg = s.len && s.data[0] == '-';
	struct str bare = s;

	if (is_word(s, "nan")) {
		special(n, NUM_NAN);
		return true;
	}
	if (s.len && (s.data[0] == '-' || s.data[0] == '+'))
		bare = (struct str){ s.data + 1, s.len - 1 };
	if (!is_word(bare, "infinity") && !is_word(bare, "inf"))
		return false;
	special(n, neg ? NUM_MINUS_INF : NUM_PLUS_INF);
	return true;
}

/* Digits with at most one point into digits (a C string); false if there is none. */
static bool split_digits(struct str s, size_t *i, struct buf *digits, int64_t *fraction)
{
	bool point = false;
	size_t count = 0;

	for (; *i < s.len; (*i)++) {
		char c = s.data[*i];

		if (c == '.' && !point) {
			point = true;
		} else if (c >= '0' && c <= '9') {
			buf_addch(digits, c);
			count++;
			*fraction += point;
		} else {
			break;
		}
	}
	return count > 0;
}

int numeric_parse(struct numeric *n, struct str text, struct arena *a, struct err *e)
{
	struct str s = trim(text);
	struct buf digits = { 0 };
	int64_t fraction = 0, exponent = 0;
	bool neg = s.len && s.data[0] == '-';
	size_t i = s.len && (neg || s.data[0] == '+');
	int rc = OK;

	need_scratch();
	if (parse_special(n, s))
		return OK;
	if (!split_digits(s, &i, &digits, &fraction))
		goto invalid;
	if (i < s.len && (s.data[i] | 0x20) == 'e') {
		struct str rest = { s.data + i + 1, s.len - i - 1 };

		if (!str_to_i64(rest, -100000000, 100000000, &exponent))
			goto invalid;
		i = s.len;
	}
	if (i < s.len)
		goto invalid;
	fraction -= exponent;
	if (fraction > MAX_SCALE || (int64_t)digits.len - fraction > MAX_WHOLE_DIGITS + 5000) {
		rc = overflow(e);
		goto done;
	}
	mpz_set_str(s1, digits.data, 10);
	if (neg)
		mpz_neg(s1, s1);
	if (fraction < 0) {
		mul_pow10(s1, s1, (unsigned long)-fraction);
		fraction = 0;
	}
	rc = keep(n, s1, (int)fraction, a, e);
	goto done;
invalid:
	rc = err_set(e, BAD_DATA, "invalid input syntax for type numeric: \"%.*s\"",
		     text.len > 200 ? 200 : (int)text.len, text.data);
done:
	buf_release(&digits);
	return rc;
}

void numeric_format(const struct numeric *n, struct buf *out)
{
	static const char *const names[] = { "", "NaN", "Infinity", "-Infinity" };
	mpz_t v;
	char *digits, *d;
	size_t len, scale = (size_t)n->scale;

	if (n->kind != NUM_FINITE) {
		buf_addz(out, names[n->kind]);
		return;
	}
	d = digits = mpz_get_str(NULL, 10, view(n, v));
	if (*d == '-') {
		buf_addch(out, '-');
		d++;
	}
	len = strlen(d);
	if (len <= scale) {
		buf_addch(out, '0');
	} else {
		buf_add(out, d, len - scale);
	}
	if (scale) {
		buf_addch(out, '.');
		for (size_t i = len; i < scale; i++)
			buf_addch(out, '0');
		buf_addz(out, len > scale ? d + len - scale : d);
	}
	free(digits);
}

void numeric_add_key(const struct numeric *n, struct buf *out)
{
	numeric_format(n, out);
	if (n->kind != NUM_FINITE || n->scale == 0)
		return;
	while (out->data[out->len - 1] == '0')
		out->len--;
	if (out->data[out->len - 1] == '.')
		out->len--;
	out->data[out->len] = '\0';
}

/* --- integers and doubles --- */

void numeric_from_i64(struct numeric *n, int64_t i, struct arena *a)
{
	need_scratch();
	mpz_set_si(s1, i); /* a long has 64 bits wherever this is built */
	store(n, s1, 0, a);
}

bool numeric_to_i64(const struct numeric *n, int64_t *i)
{
	mpz_t v;

	need_scratch();
	if (n->kind != NUM_FINITE)
		return false;
	div_pow10(s1, view(n, v), (unsigned long)n->scale, ROUND_HALF_AWAY);
	if (!mpz_fits_slong_p(s1))
		return false;
	*i = mpz_get_si(s1);
	return true;
}

double numeric_to_double(const struct numeric *n)
{
	struct buf b = { 0 };
	double d;

	numeric_format(n, &b);
	d = strtod(b.data, NULL);
	buf_release(&b);
	return d;
}

/* --- comparison and arithmetic --- */

/* Both coefficients at the larger scale, in s1 and s2. */
static int align(const struct numeric *x, const struct numeric *y)
{
	int scale = x->scale > y->scale ? x->scale : y->scale;
	mpz_t v;

	need_scratch();
	mul_pow10(s1, view(x, v), (unsigned long)(scale - x->scale));
	mul_pow10(s2, view(y, v), (unsigned long)(scale - y->scale));
	return scale;
}

/* Where special values stand in the order: -Infinity, numbers, Infinity, NaN. */
static int rank(const struct numeric *n)
{
	static const int ranks[] = { 0, 2, 1, -1 };

	return ranks[n->kind];
}

int numeric_cmp(const struct numeric *x, const struct numeric *y)
{
	mpz_t v, w;
	int c;

	if (x->kind != NUM_FINITE || y->kind != NUM_FINITE)
		return rank(x) - rank(y);
	if (x->scale == y->scale) {
		c = mpz_cmp(view(x, v), view(y, w));
	} else {
		align(x, y);
		c = mpz_cmp(s1, s2);
	}
	return (c > 0) - (c < 0);
}

static bool add_special(struct numeric *r, const struct numeric *x, const struct numeric *y)
{
	if (x->kind == NUM_FINITE && y->kind == NUM_FINITE)
		return false;
	if (x->kind == NUM_NAN || y->kind == NUM_NAN ||
	    (x->kind != NUM_FINITE && y->kind != NUM_FINITE && x->kind != y->kind))
		special(r, NUM_NAN);
	else
		special(r, x->kind != NUM_FINITE ? x->kind : y->kind);
	return true;
}

int numeric_add(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e)
{
	int scale;

	if (add_special(r, x, y))
		return OK;
	scale = align(x, y);
	mpz_add(s1, s1, s2);
	return keep(r, s1, scale, a, e);
}

int numeric_sub(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e)
{
	struct numeric minus;

	numeric_neg(&minus, y);
	return numeric_add(r, x, &minus, a, e);
}

static int sign(const struct numeric *n)
{
	return n->kind == NUM_FINITE   ? (n->size > 0) - (n->size < 0) :
	       n->kind == NUM_PLUS_INF ? 1 :
					 -1;
}

int numeric_mul(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e)
{
	int scale = x->scale + y->scale;
	mpz_t v, w;

	need_scratch();
	if (x->kind != NUM_FINITE || y->kind != NUM_FINITE) {
		int s = x->kind == NUM_NAN || y->kind == NUM_NAN ? 0 : sign(x) * sign(y);

		special(r, s == 0 ? NUM_NAN : s > 0 ? NUM_PLUS_INF : NUM_MINUS_INF);
		return OK;
	}
	mpz_mul(s1, view(x, v), view(y, w));
	if (scale > MAX_SCALE) {
		div_pow10(s1, s1, (unsigned long)(scale - MAX_SCALE), ROUND_HALF_AWAY);
		scale = MAX_SCALE;
	}
	return keep(r, s1, scale, a, e);
}

/* PostgreSQL keeps numbers in groups of four digits. The weight is the place of the first
 * non-zero group before the point (0 for 1 to 9999), first its value. */
static int first_group(const struct numeric *n, int *first)
{
	struct buf b = { 0 };
	const char *d;
	int whole, weight, start;

	*first = 0;
	if (n->size == 0)
		return 0;
	numeric_format(n, &b);
	d = b.data + (*b.data == '-');
	whole = (int)strcspn(d, ".");
	start = (int)strspn(d, "0.");      /* of the first significant digit, in the text */
	if (start < whole)
		weight = (whole - start - 1) / 4;
	else
		weight = -((start - whole - 1) / 4) - 1;
	for (int i = 0; i < 4; i++) { /* digits weight*4+3 .. weight*4, counted from the point */
		int place = weight * 4 + 3 - i;
		int at = place >= 0 ? whole - 1 - place : whole - place;

		*first = *first * 10 + (at >= 0 && (size_t)at < strlen(d) ? d[at] - '0' : 0);
	}
	buf_release(&b);
	return weight;
}

/* select_div_scale() in numeric.c. */
static int quotient_scale(const struct numeric *x, const struct numeric *y)
{
	int fx, fy, weight = first_group(x, &fx);
	int scale;

	weight -= first_group(y, &fy);
	if (fx <= fy)
		weight--;
	scale = MIN_SIGNIFICANT - weight * 4;
	if (scale < x->scale)
		scale = x->scale;
	if (scale < y->scale)
		scale = y->scale;
	if (scale < 0)
		scale = 0;
	return scale > MAX_QUOTIENT_SCALE ? MAX_QUOTIENT_SCALE : scale;
}

static int division_by_zero(struct err *e)
{
	return err_set(e, BAD_DATA, "division by zero");
}

int numeric_div(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e)
{
	mpz_t v, w;
	long shift;
	int scale;

	need_scratch();
	if (x->kind != NUM_FINITE || y->kind != NUM_FINITE) {
		if (x->kind == NUM_NAN || y->kind == NUM_NAN || (x->kind && y->kind)) {
			special(r, NUM_NAN);
		} else if (x->kind) {
			if (y->size == 0)
				return division_by_zero(e);
			special(r, sign(x) * sign(y) > 0 ? NUM_PLUS_INF : NUM_MINUS_INF);
		} else {
			numeric_from_i64(r, 0, a);
		}
		return OK;
	}
	if (y->size == 0)
		return division_by_zero(e);
	scale = quotient_scale(x, y);
	shift = (long)scale + y->scale - x->scale;
	mul_pow10(s1, view(x, v), (unsigned long)(shift > 0 ? shift : 0));
	mul_pow10(s2, view(y, w), (unsigned long)(shift < 0 ? -shift : 0));
	/* round half away: (2|x| + |y|) / 2|y| */
	mpz_set(s3, s2);
	mpz_abs(s3, s3);
	mpz_mul_2exp(s1, s1, 1);
	if (mpz_sgn(s1) < 0)
		mpz_sub(s1, s1, s3);
	else
		mpz_add(s1, s1, s3);
	mpz_mul_2exp(s2, s2, 1);
	mpz_tdiv_q(s1, s1, s2);
	return keep(r, s1, scale, a, e);
}

int numeric_mod(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e)
{
	int scale;

	if (x->kind != NUM_FINITE || y->kind == NUM_NAN) {
		if (x->kind != NUM_NAN && y->kind == NUM_FINITE && y->size == 0)
			return division_by_zero(e);
		special(r, NUM_NAN);
		return OK;
	}
	if (y->kind != NUM_FINITE) {
		*r = *x;
		return OK;
	}
	if (y->size == 0)
		return division_by_zero(e);
	scale = align(x, y);
	mpz_tdiv_r(s1, s1, s2);
	store(r, s1, scale, a);
	return OK;
}

void numeric_neg(struct numeric *r, const struct numeric *x)
{
	*r = *x;
	r->size = -x->size;
	if (x->kind == NUM_PLUS_INF)
		r->kind = NUM_MINUS_INF;
	else if (x->kind == NUM_MINUS_INF)
		r->kind = NUM_PLUS_INF;
}

void numeric_abs(struct numeric *r, const struct numeric *x)
{
	if (x->kind != NUM_NAN && sign(x) < 0)
		numeric_neg(r, x);
	else
		*r = *x;
}

int numeric_round(struct numeric *r, const struct numeric *x, int digits,
		  enum numeric_rounding how, struct arena *a, struct err *e)
{
	mpz_t v;

	need_scratch();
	if (digits > MAX_SCALE)
		digits = MAX_SCALE;
	if (digits < -MAX_WHOLE_DIGITS)
		digits = -MAX_WHOLE_DIGITS;
	if (x->kind != NUM_FINITE) {
		*r = *x;
		return OK;
	}
	if (digits >= x->scale) {
		mul_pow10(s1, view(x, v), (unsigned long)(digits - x->scale));
	} else {
		div_pow10(s1, view(x, v), (unsigned long)(x->scale - digits), how);
		if (digits < 0)
			mul_pow10(s1, s1, (unsigned long)-digits);
	}
	return keep(r, s1, digits > 0 ? digits : 0, a, e);
}

int numeric_limit(struct numeric *r, const struct numeric *x, int precision, int scale,
		  struct arena *a, struct err *e)
{
	mpz_t v;
	int rc;

	if (x->kind == NUM_NAN) {
		*r = *x;
		return OK;
	}
	if (x->kind == NUM_FINITE) {
		if ((rc = numeric_round(r, x, scale, ROUND_HALF_AWAY, a, e)) != OK)
			return rc;
		mpz_ui_pow_ui(s1, 10, (unsigned long)precision);
		if (scale < 0)
			mul_pow10(s1, s1, (unsigned long)-scale);
		if (mpz_cmpabs(view(r, v), s1) < 0)
			return OK;
	}
	return err_set(e, BAD_DATA, "numeric field overflow: the value does not fit numeric(%d,%d)",
		       precision, scale);
}
