/* func - operators and functions */
#define _GNU_SOURCE /* memmem: linear, whatever is looked for */
#include "func.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <wctype.h>

#include "json.h"

#define RUN(name) \
	static int name(const struct func_call *c, const struct value *args, struct value *out, \
			struct err *e)
#define UNUSED (void)c, (void)args, (void)out, (void)e

/* --- comparison: the result of three-way comparison decides --- */

static int order(const struct func_call *c, const struct value *args)
{
	return value_compare(c->args[0], &args[0], &args[1]);
}

RUN(run_eq) { UNUSED; out->b = order(c, args) == 0; return OK; }
RUN(run_ne) { UNUSED; out->b = order(c, args) != 0; return OK; }
RUN(run_lt) { UNUSED; out->b = order(c, args) < 0; return OK; }
RUN(run_le) { UNUSED; out->b = order(c, args) <= 0; return OK; }
RUN(run_gt) { UNUSED; out->b = order(c, args) > 0; return OK; }
RUN(run_ge) { UNUSED; out->b = order(c, args) >= 0; return OK; }

/* --- integers; the result's type says which range holds --- */

static int in_range(const struct func_call *c, bool overflow, struct value *out, struct err *e)
{
	static const int64_t limits[] = {
		[PG_INT2] = INT16_MAX, [PG_INT4] = INT32_MAX, [PG_INT8] = INT64_MAX
	};
	int64_t max = limits[c->type.base];

	if (!overflow && out->i <= max && out->i >= -max - 1)
		return OK;
	return err_set(e, BAD_DATA, "%s out of range", c->type.base == PG_INT2 ? "smallint" :
		       c->type.base == PG_INT4 ? "integer" : "bigint");
}

RUN(int_add) { return in_range(c, __builtin_add_overflow(args[0].i, args[1].i, &out->i), out, e); }
RUN(int_sub) { return in_range(c, __builtin_sub_overflow(args[0].i, args[1].i, &out->i), out, e); }
RUN(int_mul) { return in_range(c, __builtin_mul_overflow(args[0].i, args[1].i, &out->i), out, e); }
RUN(int_neg) { return in_range(c, __builtin_sub_overflow((int64_t)0, args[0].i, &out->i), out, e); }

RUN(int_div)
{
	if (args[1].i == 0)
		return err_set(e, BAD_DATA, "division by zero");
	if (args[1].i == -1)
		return int_neg(c, args, out, e);
	out->i = args[0].i / args[1].i;
	return OK;
}

RUN(int_mod)
{
	UNUSED;
	if (args[1].i == 0)
		return err_set(e, BAD_DATA, "division by zero");
	out->i = args[1].i == -1 ? 0 : args[0].i % args[1].i;
	return OK;
}

RUN(int_abs)
{
	out->i = args[0].i;
	return args[0].i < 0 ? int_neg(c, args, out, e) : OK;
}

RUN(same) { UNUSED; *out = args[0]; return OK; }

/* --- numeric --- */

static struct numeric *new_numeric(const struct func_call *c, struct value *out)
{
	struct numeric *n = arena_alloc(c->arena, sizeof(*n));

	out->n = n;
	return n;
}

RUN(num_add) { return numeric_add(new_numeric(c, out), args[0].n, args[1].n, c->arena, e); }
RUN(num_sub) { return numeric_sub(new_numeric(c, out), args[0].n, args[1].n, c->arena, e); }
RUN(num_mul) { return numeric_mul(new_numeric(c, out), args[0].n, args[1].n, c->arena, e); }
RUN(num_div) { return numeric_div(new_numeric(c, out), args[0].n, args[1].n, c->arena, e); }
RUN(num_mod) { return numeric_mod(new_numeric(c, out), args[0].n, args[1].n, c->arena, e); }
RUN(num_neg) { UNUSED; numeric_neg(new_numeric(c, out), args[0].n); return OK; }
RUN(num_abs) { UNUSED; numeric_abs(new_numeric(c, out), args[0].n); return OK; }

static int round_to(const struct func_call *c, const struct value *args, struct value *out,
		    enum numeric_rounding how, struct err *e)
{
	int digits = c->count > 1 ? (int)args[1].i : 0; /* an int4 */

	return numeric_round(new_numeric(c, out), args[0].n, digits, how, c->arena, e);
}

RUN(num_round) { return round_to(c, args, out, ROUND_HALF_AWAY, e); }
RUN(num_trunc) { return round_to(c, args, out, ROUND_TRUNC, e); }
RUN(num_ceil) { return round_to(c, args, out, ROUND_CEIL, e); }
RUN(num_floor) { return round_to(c, args, out, ROUND_FLOOR, e); }
RUN(float_abs) { UNUSED; out->f = fabs(args[0].f); return OK; }
RUN(float_neg) { UNUSED; out->f = -args[0].f; return OK; }

/* --- dates and times --- */

RUN(date_plus_int) { UNUSED; return date_add_days(&out->i, args[0].i, args[1].i, e); }
RUN(int_plus_date) { UNUSED; return date_add_days(&out->i, args[1].i, args[0].i, e); }
RUN(date_minus_int) { UNUSED; return date_add_days(&out->i, args[0].i, -args[1].i, e); }
RUN(date_minus_date) { UNUSED; return date_diff(&out->i, args[0].i, args[1].i, e); }

RUN(date_plus_time) { UNUSED; return timestamp_at(&out->i, args[0].i, args[1].i, e); }

RUN(time_plus_date)
{
	struct value swapped[2] = { args[1], args[0] };

	return date_plus_time(c, swapped, out, e);
}

static int add_interval(const struct func_call *c, size_t at, const struct value *ts,
			struct interval iv, struct value *out, struct err *e)
{
	int64_t base = ts->i;
	int rc = c->args[at].base == PG_DATE ? timestamp_from_date(&base, ts->i, e) : OK;

	return rc == OK ? timestamp_add(&out->i, base, &iv, e) : rc;
}

RUN(ts_plus_interval) { return add_interval(c, 0, &args[0], args[1].iv, out, e); }
RUN(interval_plus_ts) { return add_interval(c, 1, &args[1], args[0].iv, out, e); }

RUN(ts_minus_interval)
{
	struct interval minus;
	int rc = interval_neg(&minus, &args[1].iv, e);

	return rc == OK ? add_interval(c, 0, &args[0], minus, out, e) : rc;
}

static int64_t within_day(int64_t usecs)
{
	usecs %= USECS_PER_DAY;
	return usecs < 0 ? usecs + USECS_PER_DAY : usecs;
}

RUN(time_plus_interval)
{
	UNUSED;
	out->i = within_day(args[0].i + args[1].iv.usecs % USECS_PER_DAY);
	return OK;
}
RUN(time_minus_interval)
{
	UNUSED;
	out->i = within_day(args[0].i - args[1].iv.usecs % USECS_PER_DAY);
	return OK;
}
RUN(time_minus_time)
{
	UNUSED;
	out->iv = (struct interval){ 0, 0, args[0].i - args[1].i };
	return OK;
}
RUN(ts_minus_ts) { UNUSED; return timestamp_diff(&out->iv, args[0].i, args[1].i, e); }
RUN(iv_add) { UNUSED; return interval_add(&out->iv, &args[0].iv, &args[1].iv, e); }
RUN(iv_sub) { UNUSED; return interval_sub(&out->iv, &args[0].iv, &args[1].iv, e); }
RUN(iv_neg) { UNUSED; return interval_neg(&out->iv, &args[0].iv, e); }

/* The calendar fields of an argument; false for an infinity, which has none. */
static bool datetime_of(const struct func_call *c, size_t at, const struct value *v,
			struct datetime *d)
{
	switch (c->args[at].base) {
	case PG_INTERVAL:
		datetime_of_interval(d, &v->iv);
		return true;
	case PG_TIME:
		datetime_of_interval(d, &(struct interval){ 0, 0, v->i });
		d->type = DT_TIME;
		return true;
	case PG_DATE:
		if (v->i == DATE_INFINITY || v->i == DATE_MINUS_INFINITY)
			return false;
		datetime_of_date(d, v->i);
		return true;
	default:
		if (v->i == TS_INFINITY || v->i == TS_MINUS_INFINITY)
			return false;
		datetime_of_timestamp(d, v->i);
		d->type = c->args[at].base == PG_TIMESTAMPTZ ? DT_TIMESTAMPTZ : DT_TIMESTAMP;
		return true;
	}
}

/* What an infinity's fields are: infinite where they grow with time, else unknown. */
static int extract_infinite(const struct func_call *c, const struct value *args, struct value *out,
			    struct err *e)
{
	static const char *const growing[] = { "year",	     "years",  "decade",  "century",
					       "millennium", "julian", "isoyear", "epoch" };
	struct datetime any;
	struct datetime_field f;
	int rc;
	bool plus = args[1].i == TS_INFINITY || args[1].i == DATE_INFINITY;

	datetime_of_timestamp(&any, 0);
	any.type = c->args[1].base == PG_DATE ? DT_DATE : DT_TIMESTAMP;
	if ((rc = datetime_extract(&any, args[0].s, &f, e)) != OK)
		return rc;
	for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++)
		if (str_eqz(args[0].s, growing[i]))
			return numeric_parse(new_numeric(c, out),
					     plus ? STR("Infinity") : STR("-Infinity"), c->arena,
					     e);
	out->null = true;
	return OK;
}

RUN(extract)
{
	struct numeric whole, part;
	struct datetime_field f;
	struct datetime d;
	int rc;

	if (!datetime_of(c, 1, &args[1], &d))
		return extract_infinite(c, args, out, e);
	if ((rc = datetime_extract(&d, args[0].s, &f, e)) != OK)
		return rc;
	numeric_from_i64(&whole, f.whole, c->arena);
	numeric_from_i64(&part, f.number, c->arena);
	part.scale = f.scale;
	return numeric_add(new_numeric(c, out), &whole, &part, c->arena, e);
}

RUN(date_part)
{
	int rc = extract(c, args, out, e);

	if (rc == OK && !out->null)
		out->f = numeric_to_double(out->n);
	return rc;
}

RUN(date_trunc)
{
	struct datetime d;
	int rc;

	if (c->args[1].base == PG_INTERVAL) {
		datetime_of_interval(&d, &args[1].iv);
		if ((rc = datetime_trunc(&d, args[0].s, e)) == OK)
			out->iv = (struct interval){ (int32_t)(d.year * 12 + d.month), d.day,
						     ((d.hour * 60LL + d.minute) * 60 + d.second) *
								     USECS_PER_SEC +
							     d.usec };
		return rc;
	}
	if (!datetime_of(c, 1, &args[1], &d)) {
		out->i = args[1].i;
		return OK;
	}
	rc = datetime_trunc(&d, args[0].s, e);
	return rc == OK ? timestamp_of_datetime(&out->i, &d, e) : rc;
}

static int too_long(struct err *e)
{
	return err_set(e, BAD_DATA, "a text of more than 256 MB");
}

/* Has room for what is added to b? Asked before, so that no text is made that is too long. */
static bool has_room(const struct buf *b, size_t more)
{
	return more <= VALUE_MAX_TEXT && b->len <= VALUE_MAX_TEXT - more;
}

static int take_text(const struct func_call *c, struct buf *b, struct value *out, struct err *e)
{
	int rc = has_room(b, 0) ? OK : too_long(e);

	if (rc == OK)
		out->s = arena_copy(c->arena, buf_str(b));
	buf_release(b);
	return rc;
}

RUN(to_char)
{
	struct buf b = { 0 };
	struct datetime d;

	UNUSED;
	if (args[1].s.len == 0 || !datetime_of(c, 0, &args[0], &d)) {
		out->null = true;
		return OK;
	}
	datetime_to_char(&b, &d, args[1].s);
	return take_text(c, &b, out, e);
}

/* --- text; positions count characters --- */

/* Characters from..to, both counted from 0, to exclusive, clipped. */
static struct str slice(struct str s, int64_t from, int64_t to)
{
	size_t a, b;

	if (from < 0)
		from = 0;
	if (to <= from)
		return (struct str){ s.data, 0 };
	a = str_offset(s, from);
	b = a + str_offset((struct str){ s.data + a, s.len - a }, to - from);
	return (struct str){ s.data + a, b - a };
}

/* One character by the rules of C.UTF-8, PostgreSQL's in a database with that LC_CTYPE. */
static locale_t utf8_locale(void)
{
	static locale_t loc;

	if (!loc)
		loc = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return loc;
}

static uint32_t decode(const char *p, size_t n)
{
	uint32_t c = n == 1 ? (unsigned char)*p : (unsigned char)*p & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

static void encode(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_addch(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addch(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_addch(b, (char)(0xe0 | c >> 12));
		} else {
			buf_addch(b, (char)(0xf0 | c >> 18));
			buf_addch(b, (char)(0x80 | (c >> 12 & 63)));
		}
		buf_addch(b, (char)(0x80 | (c >> 6 & 63)));
	}
	buf_addch(b, (char)(0x80 | (c & 63)));
}

/* change_case: 'l'ower, 'u'pper or 'i'nitcap. */
static void change_case(struct buf *b, struct str s, char how)
{
	locale_t loc = utf8_locale();
	bool in_word = false;

	for (size_t i = 0, n; i < s.len; i += n) {
		uint32_t ch;
		bool up;

		n = utf8_len((unsigned char)s.data[i]);
		ch = decode(s.data + i, n);
		up = how == 'u' || (how == 'i' && !in_word);
		in_word = loc ? iswalnum_l((wint_t)ch, loc) : false;
		if (loc)
			ch = (uint32_t)(up ? towupper_l((wint_t)ch, loc) :
					     towlower_l((wint_t)ch, loc));
		encode(b, ch);
	}
}

static int recase(const struct func_call *c, const struct value *args, struct value *out, char how,
		  struct err *e)
{
	struct buf b = { 0 };

	change_case(&b, args[0].s, how);
	return take_text(c, &b, out, e);
}

RUN(lower) { return recase(c, args, out, 'l', e); }
RUN(upper) { return recase(c, args, out, 'u', e); }
RUN(initcap) { return recase(c, args, out, 'i', e); }
RUN(length) { UNUSED; out->i = (int64_t)str_chars(args[0].s); return OK; }
RUN(octet_length) { UNUSED; out->i = (int64_t)args[0].s.len; return OK; }

RUN(bpchar_length)
{
	struct str s = args[0].s;

	UNUSED;
	while (s.len && s.data[s.len - 1] == ' ')
		s.len--;
	out->i = (int64_t)str_chars(s);
	return OK;
}

/* One bit for each character, of which those of one call's set are 1: a long set costs no more than
 * a short one. */
static unsigned char trimmed[0x110000 / 8];

static size_t next_char(struct str s, size_t i, uint32_t *ch)
{
	size_t n = utf8_len((unsigned char)s.data[i]);

	*ch = decode(s.data + i, n);
	return n;
}

static void mark_trimmed(struct str set, bool on)
{
	uint32_t ch;

	for (size_t i = 0; i < set.len;) {
		i += next_char(set, i, &ch);
		if (on)
			trimmed[ch / 8] |= (unsigned char)(1u << ch % 8);
		else
			trimmed[ch / 8] = 0;
	}
}

static bool is_trimmed(struct str s, size_t i, size_t *n)
{
	uint32_t ch;

	*n = next_char(s, i, &ch);
	return trimmed[ch / 8] >> ch % 8 & 1;
}

static int trim(const struct func_call *c, const struct value *args, struct value *out, bool left,
		bool right)
{
	struct str s = args[0].s, set = c->count > 1 ? args[1].s : STR(" ");
	size_t n;

	mark_trimmed(set, true);
	while (left && s.len && is_trimmed(s, 0, &n))
		s = (struct str){ s.data + n, s.len - n };
	while (right && s.len) {
		size_t i = s.len - 1;

		while (i > 0 && (s.data[i] & 0xc0) == 0x80)
			i--;
		if (!is_trimmed(s, i, &n))
			break;
		s.len = i;
	}
	mark_trimmed(set, false);
	out->s = s;
	return OK;
}

RUN(btrim) { UNUSED; return trim(c, args, out, true, true); }
RUN(ltrim) { UNUSED; return trim(c, args, out, true, false); }
RUN(rtrim) { UNUSED; return trim(c, args, out, false, true); }

RUN(left)
{
	int64_t n = args[1].i;

	UNUSED;
	out->s = slice(args[0].s, 0, n >= 0 ? n : (int64_t)str_chars(args[0].s) + n);
	return OK;
}

RUN(right)
{
	int64_t all = (int64_t)str_chars(args[0].s), n = args[1].i;

	UNUSED;
	out->s = slice(args[0].s, n >= 0 ? all - n : -n, all);
	return OK;
}

RUN(substring)
{
	int64_t from = args[1].i - 1, to = INT64_MAX;

	UNUSED;
	if (c->count > 2) {
		if (args[2].i < 0)
			return err_set(e, BAD_DATA, "negative substring length not allowed");
		to = from + args[2].i;
	}
	out->s = slice(args[0].s, from, to);
	return OK;
}

static const char *find(struct str s, struct str what)
{
	return memmem(s.data, s.len, what.data, what.len);
}

RUN(replace)
{
	struct str s = args[0].s, what = args[1].s;
	struct buf b = { 0 };
	const char *hit;

	UNUSED;
	while (what.len && (hit = find(s, what)) && has_room(&b, args[2].s.len)) {
		buf_add(&b, s.data, (size_t)(hit - s.data));
		buf_addstr(&b, args[2].s);
		s = (struct str){ hit + what.len, s.len - (size_t)(hit - s.data) - what.len };
	}
	if (what.len && find(s, what)) {
		buf_release(&b);
		return too_long(e);
	}
	buf_addstr(&b, s);
	return take_text(c, &b, out, e);
}

RUN(strpos)
{
	const char *hit = find(args[0].s, args[1].s);

	UNUSED;
	out->i = !hit ? 0 :
			(int64_t)str_chars(
				(struct str){ args[0].s.data, (size_t)(hit - args[0].s.data) }) +
				 1;
	return OK;
}

RUN(split_part)
{
	struct str s = args[0].s, sep = args[1].s;
	int64_t want = args[2].i, fields = 1;
	const char *hit;

	UNUSED;
	if (want == 0)
		return err_set(e, BAD_DATA, "field position must not be zero");
	if (!sep.len || !find(s, sep)) {
		out->s = want == 1 || want == -1 ? s : STR("");
		return OK;
	}
	if (want < 0) { /* from the end: count the fields first */
		struct str rest = s;

		while ((hit = find(rest, sep))) {
			fields++;
			rest = (struct str){ hit + sep.len,
					     rest.len - (size_t)(hit - rest.data) - sep.len };
		}
		want = fields + want + 1;
	}
	for (int64_t i = 1; want > 0; i++) {
		hit = find(s, sep);
		if (i == want) {
			out->s = (struct str){ s.data, hit ? (size_t)(hit - s.data) : s.len };
			return OK;
		}
		if (!hit)
			break;
		s = (struct str){ hit + sep.len, s.len - (size_t)(hit - s.data) - sep.len };
	}
	out->s = STR("");
	return OK;
}

RUN(concat_two)
{
	struct buf b = { 0 };

	UNUSED;
	for (size_t i = 0; i < 2; i++) {
		if (c->args[i].base == PG_BOOL)
			buf_addz(&b, args[i].b ? "true" : "false");
		else
			value_add_text(&b, c->args[i], &args[i]);
	}
	return take_text(c, &b, out, e);
}

/* concat(): NULLs are left out; values as their output functions write them. */
RUN(concat)
{
	struct buf b = { 0 };

	UNUSED;
	for (size_t i = 0; i < c->count && has_room(&b, 0); i++)
		if (!args[i].null)
			value_add_text(&b, c->args[i], &args[i]);
	return take_text(c, &b, out, e);
}

static int pad(const struct func_call *c, const struct value *args, struct value *out, bool before,
	       struct err *e)
{
	struct str s = args[0].s, fill = c->count > 2 ? args[2].s : STR(" ");
	int64_t have = (int64_t)str_chars(s), want = args[1].i < 0 ? 0 : args[1].i;
	int64_t chars = (int64_t)str_chars(fill);
	struct buf b = { 0 };
	size_t all, done = 0, start;

	if (have >= want || !fill.len) {
		out->s = have > want ? slice(s, 0, want) : s;
		return OK;
	}
	all = (size_t)((want - have) / chars) * fill.len + str_offset(fill, (want - have) % chars);
	if (all > VALUE_MAX_TEXT || s.len > VALUE_MAX_TEXT - all)
		return too_long(e);
	buf_need(&b, s.len + all);
	if (!before)
		buf_addstr(&b, s);
	for (start = b.len; done < all; done = b.len - start) { /* what is there, once more */
		size_t n = done ? done : fill.len;

		buf_add(&b, done ? b.data + start : fill.data, n < all - done ? n : all - done);
	}
	if (before)
		buf_addstr(&b, s);
	return take_text(c, &b, out, e);
}

RUN(lpad) { return pad(c, args, out, true, e); }
RUN(rpad) { return pad(c, args, out, false, e); }

/* a few seconds; a pattern's parts are not looked for in linear time */
enum { LIKE_MAX_STEPS = 1 << 30 };

/* LIKE, with one place to go back to: the last %. */
static int like(struct str s, struct str p, bool *match, struct err *e)
{
	size_t i = 0, k = 0, back_i = 0, back_k = 0;
	bool back = false;

	*match = false;
	for (size_t steps = 0; i < s.len; steps++) {
		if (steps > LIKE_MAX_STEPS)
			return err_set(e, BAD_DATA, "the LIKE pattern takes too long");
		if (k < p.len && p.data[k] == '%') {
			back = true;
			back_k = ++k;
			back_i = i;
			continue;
		}
		if (k < p.len && p.data[k] == '_') {
			i += utf8_len((unsigned char)s.data[i]);
			k++;
			continue;
		}
		if (k < p.len && p.data[k] == '\\' && k + 1 == p.len)
			return err_set(e, BAD_DATA,
				       "LIKE pattern must not end with escape character");
		if (k < p.len && p.data[k + (p.data[k] == '\\')] == s.data[i]) {
			k += 1 + (p.data[k] == '\\');
			i++;
			continue;
		}
		if (!back)
			return OK;
		back_i += utf8_len((unsigned char)s.data[back_i]);
		i = back_i;
		k = back_k;
	}
	while (k < p.len && p.data[k] == '%')
		k++;
	*match = k == p.len;
	return OK;
}

RUN(run_like) { UNUSED; return like(args[0].s, args[1].s, &out->b, e); }

RUN(run_not_like)
{
	int rc = like(args[0].s, args[1].s, &out->b, e);

	UNUSED;
	out->b = !out->b;
	return rc;
}

RUN(run_ilike)
{
	struct buf s = { 0 }, p = { 0 };
	int rc;

	UNUSED;
	change_case(&s, args[0].s, 'l');
	change_case(&p, args[1].s, 'l');
	rc = like(buf_str(&s), buf_str(&p), &out->b, e);
	buf_release(&s);
	buf_release(&p);
	return rc;
}

RUN(run_not_ilike)
{
	int rc = run_ilike(c, args, out, e);

	out->b = !out->b;
	return rc;
}

/* --- JSON --- */

/* The member or element as it stands; kind F_ABSENT if there is none. */
static int json_step(const struct func_call *c, const struct value *args, struct field *f,
		     struct err *e)
{
	struct buf have = { 0 };
	struct field v = { 0 };
	struct str key, doc;
	size_t at = 0;
	int64_t i = 0, n = 0;
	bool by_name = c->args[1].base != PG_INT4;
	int rc = scan_value(args[0].s, f, e);

	/* to jsonb a scalar is an array of one */
	if (rc == OK && !by_name && c->args[0].base == PG_JSONB && f->kind != F_OBJECT &&
	    f->kind != F_ARRAY && (args[1].i == 0 || args[1].i == -1))
		return OK;
	if (rc != OK || f->kind != (by_name ? F_OBJECT : F_ARRAY)) {
		f->kind = F_ABSENT;
		return rc;
	}
	doc = f->text;
	f->kind = F_ABSENT;
	if (!by_name && args[1].i < 0)
		while ((rc = scan_element(doc, &at, &v, e)) == OK && v.kind != F_ABSENT)
			n++;
	at = 0;
	if (!by_name) {
		while ((rc = scan_element(doc, &at, &v, e)) == OK && v.kind != F_ABSENT)
			if (i++ == args[1].i + (args[1].i < 0 ? n : 0)) {
				*f = v;
				break;
			}
		return rc;
	}
	/* the last of several members of one name counts */
	while ((rc = scan_member(doc, &at, &key, &v, e)) == OK && v.kind != F_ABSENT) {
		buf_reset(&have);
		rc = json_unescape(&have, (struct str){ key.data + 1, key.len - 2 }, e);
		if (rc == OK && str_eq(buf_str(&have), args[1].s))
			*f = v;
	}
	buf_release(&have);
	return rc;
}

RUN(json_get_json)
{
	struct field f;
	int rc = json_step(c, args, &f, e);

	out->null = f.kind == F_ABSENT;
	out->s = f.kind == F_STRING ? (struct str){ f.text.data - 1, f.text.len + 2 } : f.text;
	return rc;
}

RUN(json_get_text)
{
	struct field f;
	struct buf b = { 0 };
	int rc = json_step(c, args, &f, e);

	out->null = f.kind == F_ABSENT || f.kind == F_NULL;
	out->s = f.text;
	if (rc == OK && f.kind == F_STRING && f.escaped) {
		rc = json_unescape(&b, f.text, e);
		if (rc == OK)
			return take_text(c, &b, out, e);
		buf_release(&b);
	}
	return rc;
}

/* --- the table --- */

#define COMPARE(type) \
	{ "=", PG_BOOL, { type, type }, 2, false, run_eq }, \
		{ "<>", PG_BOOL, { type, type }, 2, false, run_ne }, \
		{ "<", PG_BOOL, { type, type }, 2, false, run_lt }, \
		{ "<=", PG_BOOL, { type, type }, 2, false, run_le }, \
		{ ">", PG_BOOL, { type, type }, 2, false, run_gt }, \
	{ \
		">=", PG_BOOL, { type, type }, 2, false, run_ge \
	}
/* across two integer types nothing need be converted: both are an int64_t here */
#define COMPARE_INT(a, b) \
	{ "=", PG_BOOL, { a, b }, 2, false, run_eq }, \
		{ "<>", PG_BOOL, { a, b }, 2, false, run_ne }, \
		{ "<", PG_BOOL, { a, b }, 2, false, run_lt }, \
		{ "<=", PG_BOOL, { a, b }, 2, false, run_le }, \
		{ ">", PG_BOOL, { a, b }, 2, false, run_gt }, \
	{ \
		">=", PG_BOOL, { a, b }, 2, false, run_ge \
	}
#define ARITHMETIC(result, a, b) \
	{ "+", result, { a, b }, 2, false, int_add }, \
		{ "-", result, { a, b }, 2, false, int_sub }, \
		{ "*", result, { a, b }, 2, false, int_mul }, \
	{ \
		"/", result, { a, b }, 2, false, int_div \
	}
#define ON_INT(type) \
	{ "%", type, { type, type }, 2, false, int_mod }, \
		{ "mod", type, { type, type }, 2, false, int_mod }, \
		{ "-", type, { type }, 1, false, int_neg }, \
		{ "+", type, { type }, 1, false, same }, \
	{ \
		"abs", type, { type }, 1, false, int_abs \
	}
#define ON_TIME(type) \
	{ "extract", PG_NUMERIC, { PG_TEXT, type }, 2, false, extract }, \
	{ "date_part", PG_FLOAT8, { PG_TEXT, type }, 2, false, date_part }
#define ON_JSON(type) \
	{ "->", type, { type, PG_TEXT }, 2, false, json_get_json }, \
	{ "->", type, { type, PG_INT4 }, 2, false, json_get_json }, \
	{ "->>", PG_TEXT, { type, PG_TEXT }, 2, false, json_get_text }, \
	{ "->>", PG_TEXT, { type, PG_INT4 }, 2, false, json_get_text }

static const struct func table[] = {
	COMPARE(PG_INT4),
	COMPARE(PG_INT2),
	COMPARE(PG_INT8),
	COMPARE_INT(PG_INT2, PG_INT4),
	COMPARE_INT(PG_INT4, PG_INT2),
	COMPARE_INT(PG_INT2, PG_INT8),
	COMPARE_INT(PG_INT8, PG_INT2),
	COMPARE_INT(PG_INT4, PG_INT8),
	COMPARE_INT(PG_INT8, PG_INT4),
	COMPARE(PG_NUMERIC),
	COMPARE(PG_FLOAT4),
	COMPARE(PG_FLOAT8),
	COMPARE(PG_TEXT),
	COMPARE(PG_BPCHAR),
	COMPARE(PG_BOOL),
	COMPARE(PG_DATE),
	COMPARE(PG_TIME),
	COMPARE(PG_TIMESTAMP),
	COMPARE(PG_TIMESTAMPTZ),
	COMPARE(PG_INTERVAL),
	COMPARE(PG_BYTEA),
	ARITHMETIC(PG_INT2, PG_INT2, PG_INT2),
	ARITHMETIC(PG_INT4, PG_INT4, PG_INT4),
	ARITHMETIC(PG_INT8, PG_INT8, PG_INT8),
	ARITHMETIC(PG_INT4, PG_INT2, PG_INT4),
	ARITHMETIC(PG_INT4, PG_INT4, PG_INT2),
	ARITHMETIC(PG_INT8, PG_INT2, PG_INT8),
	ARITHMETIC(PG_INT8, PG_INT8, PG_INT2),
	ARITHMETIC(PG_INT8, PG_INT4, PG_INT8),
	ARITHMETIC(PG_INT8, PG_INT8, PG_INT4),
	ON_INT(PG_INT2),
	ON_INT(PG_INT4),
	ON_INT(PG_INT8),
	{ "+", PG_NUMERIC, { PG_NUMERIC, PG_NUMERIC }, 2, false, num_add },
	{ "-", PG_NUMERIC, { PG_NUMERIC, PG_NUMERIC }, 2, false, num_sub },
	{ "*", PG_NUMERIC, { PG_NUMERIC, PG_NUMERIC }, 2, false, num_mul },
	{ "/", PG_NUMERIC, { PG_NUMERIC, PG_NUMERIC }, 2, false, num_div },
	{ "%", PG_NUMERIC, { PG_NUMERIC, PG_NUMERIC }, 2, false, num_mod },
	{ "mod", PG_NUMERIC, { PG_NUMERIC, PG_NUMERIC }, 2, false, num_mod },
	{ "-", PG_NUMERIC, { PG_NUMERIC }, 1, false, num_neg },
	{ "+", PG_NUMERIC, { PG_NUMERIC }, 1, false, same },
	{ "-", PG_FLOAT8, { PG_FLOAT8 }, 1, false, float_neg },
	{ "abs", PG_NUMERIC, { PG_NUMERIC }, 1, false, num_abs },
	{ "abs", PG_FLOAT8, { PG_FLOAT8 }, 1, false, float_abs },
	{ "round", PG_NUMERIC, { PG_NUMERIC }, 1, false, num_round },
	{ "round", PG_NUMERIC, { PG_NUMERIC, PG_INT4 }, 2, false, num_round },
	{ "trunc", PG_NUMERIC, { PG_NUMERIC }, 1, false, num_trunc },
	{ "trunc", PG_NUMERIC, { PG_NUMERIC, PG_INT4 }, 2, false, num_trunc },
	{ "ceil", PG_NUMERIC, { PG_NUMERIC }, 1, false, num_ceil },
	{ "ceiling", PG_NUMERIC, { PG_NUMERIC }, 1, false, num_ceil },
	{ "floor", PG_NUMERIC, { PG_NUMERIC }, 1, false, num_floor },
	{ "+", PG_DATE, { PG_DATE, PG_INT4 }, 2, false, date_plus_int },
	{ "+", PG_DATE, { PG_INT4, PG_DATE }, 2, false, int_plus_date },
	{ "-", PG_DATE, { PG_DATE, PG_INT4 }, 2, false, date_minus_int },
	{ "-", PG_INT4, { PG_DATE, PG_DATE }, 2, false, date_minus_date },
	{ "+", PG_TIMESTAMP, { PG_DATE, PG_TIME }, 2, false, date_plus_time },
	{ "+", PG_TIMESTAMP, { PG_TIME, PG_DATE }, 2, false, time_plus_date },
	{ "+", PG_TIMESTAMP, { PG_DATE, PG_INTERVAL }, 2, false, ts_plus_interval },
	{ "+", PG_TIMESTAMP, { PG_INTERVAL, PG_DATE }, 2, false, interval_plus_ts },
	{ "-", PG_TIMESTAMP, { PG_DATE, PG_INTERVAL }, 2, false, ts_minus_interval },
	{ "+", PG_TIMESTAMP, { PG_TIMESTAMP, PG_INTERVAL }, 2, false, ts_plus_interval },
	{ "+", PG_TIMESTAMP, { PG_INTERVAL, PG_TIMESTAMP }, 2, false, interval_plus_ts },
	{ "-", PG_TIMESTAMP, { PG_TIMESTAMP, PG_INTERVAL }, 2, false, ts_minus_interval },
	{ "-", PG_INTERVAL, { PG_TIMESTAMP, PG_TIMESTAMP }, 2, false, ts_minus_ts },
	{ "+", PG_TIMESTAMPTZ, { PG_TIMESTAMPTZ, PG_INTERVAL }, 2, false, ts_plus_interval },
	{ "+", PG_TIMESTAMPTZ, { PG_INTERVAL, PG_TIMESTAMPTZ }, 2, false, interval_plus_ts },
	{ "-", PG_TIMESTAMPTZ, { PG_TIMESTAMPTZ, PG_INTERVAL }, 2, false, ts_minus_interval },
	{ "-", PG_INTERVAL, { PG_TIMESTAMPTZ, PG_TIMESTAMPTZ }, 2, false, ts_minus_ts },
	{ "+", PG_TIME, { PG_TIME, PG_INTERVAL }, 2, false, time_plus_interval },
	{ "-", PG_TIME, { PG_TIME, PG_INTERVAL }, 2, false, time_minus_interval },
	{ "-", PG_INTERVAL, { PG_TIME, PG_TIME }, 2, false, time_minus_time },
	{ "+", PG_INTERVAL, { PG_INTERVAL, PG_INTERVAL }, 2, false, iv_add },
	{ "-", PG_INTERVAL, { PG_INTERVAL, PG_INTERVAL }, 2, false, iv_sub },
	{ "-", PG_INTERVAL, { PG_INTERVAL }, 1, false, iv_neg },
	ON_TIME(PG_DATE),
	ON_TIME(PG_TIME),
	ON_TIME(PG_TIMESTAMP),
	ON_TIME(PG_TIMESTAMPTZ),
	ON_TIME(PG_INTERVAL),
	{ "date_trunc", PG_TIMESTAMP, { PG_TEXT, PG_TIMESTAMP }, 2, false, date_trunc },
	{ "date_trunc", PG_TIMESTAMPTZ, { PG_TEXT, PG_TIMESTAMPTZ }, 2, false, date_trunc },
	{ "date_trunc", PG_INTERVAL, { PG_TEXT, PG_INTERVAL }, 2, false, date_trunc },
	{ "to_char", PG_TEXT, { PG_TIMESTAMP, PG_TEXT }, 2, false, to_char },
	{ "to_char", PG_TEXT, { PG_TIMESTAMPTZ, PG_TEXT }, 2, false, to_char },
	{ "to_char", PG_TEXT, { PG_INTERVAL, PG_TEXT }, 2, false, to_char },
	{ "lower", PG_TEXT, { PG_TEXT }, 1, false, lower },
	{ "upper", PG_TEXT, { PG_TEXT }, 1, false, upper },
	{ "initcap", PG_TEXT, { PG_TEXT }, 1, false, initcap },
	{ "length", PG_INT4, { PG_TEXT }, 1, false, length },
	{ "length", PG_INT4, { PG_BPCHAR }, 1, false, bpchar_length },
	{ "char_length", PG_INT4, { PG_TEXT }, 1, false, length },
	{ "char_length", PG_INT4, { PG_BPCHAR }, 1, false, bpchar_length },
	{ "character_length", PG_INT4, { PG_TEXT }, 1, false, length },
	{ "character_length", PG_INT4, { PG_BPCHAR }, 1, false, bpchar_length },
	{ "octet_length", PG_INT4, { PG_TEXT }, 1, false, octet_length },
	{ "btrim", PG_TEXT, { PG_TEXT }, 1, false, btrim },
	{ "btrim", PG_TEXT, { PG_TEXT, PG_TEXT }, 2, false, btrim },
	{ "ltrim", PG_TEXT, { PG_TEXT }, 1, false, ltrim },
	{ "ltrim", PG_TEXT, { PG_TEXT, PG_TEXT }, 2, false, ltrim },
	{ "rtrim", PG_TEXT, { PG_TEXT }, 1, false, rtrim },
	{ "rtrim", PG_TEXT, { PG_TEXT, PG_TEXT }, 2, false, rtrim },
	{ "left", PG_TEXT, { PG_TEXT, PG_INT4 }, 2, false, left },
	{ "right", PG_TEXT, { PG_TEXT, PG_INT4 }, 2, false, right },
	{ "substring", PG_TEXT, { PG_TEXT, PG_INT4 }, 2, false, substring },
	{ "substring", PG_TEXT, { PG_TEXT, PG_INT4, PG_INT4 }, 3, false, substring },
	{ "substr", PG_TEXT, { PG_TEXT, PG_INT4 }, 2, false, substring },
	{ "substr", PG_TEXT, { PG_TEXT, PG_INT4, PG_INT4 }, 3, false, substring },
	{ "replace", PG_TEXT, { PG_TEXT, PG_TEXT, PG_TEXT }, 3, false, replace },
	{ "strpos", PG_INT4, { PG_TEXT, PG_TEXT }, 2, false, strpos },
	{ "position", PG_INT4, { PG_TEXT, PG_TEXT }, 2, false, strpos },
	{ "split_part", PG_TEXT, { PG_TEXT, PG_TEXT, PG_INT4 }, 3, false, split_part },
	{ "lpad", PG_TEXT, { PG_TEXT, PG_INT4 }, 2, false, lpad },
	{ "lpad", PG_TEXT, { PG_TEXT, PG_INT4, PG_TEXT }, 3, false, lpad },
	{ "rpad", PG_TEXT, { PG_TEXT, PG_INT4 }, 2, false, rpad },
	{ "rpad", PG_TEXT, { PG_TEXT, PG_INT4, PG_TEXT }, 3, false, rpad },
	{ "concat", PG_TEXT, { PG_ANY }, 1, true, concat },
	{ "||", PG_TEXT, { PG_TEXT, PG_TEXT }, 2, false, concat_two },
	{ "||", PG_TEXT, { PG_TEXT, PG_ANY }, 2, false, concat_two },
	{ "||", PG_TEXT, { PG_ANY, PG_TEXT }, 2, false, concat_two },
	{ "~~", PG_BOOL, { PG_TEXT, PG_TEXT }, 2, false, run_like },
	{ "!~~", PG_BOOL, { PG_TEXT, PG_TEXT }, 2, false, run_not_like },
	{ "~~", PG_BOOL, { PG_BPCHAR, PG_TEXT }, 2, false, run_like },
	{ "!~~", PG_BOOL, { PG_BPCHAR, PG_TEXT }, 2, false, run_not_like },
	{ "~~*", PG_BOOL, { PG_TEXT, PG_TEXT }, 2, false, run_ilike },
	{ "!~~*", PG_BOOL, { PG_TEXT, PG_TEXT }, 2, false, run_not_ilike },
	ON_JSON(PG_JSON),
	ON_JSON(PG_JSONB),
};
enum { FUNCS = sizeof(table) / sizeof(table[0]), MAX_CANDIDATES = 64 };

/* uuid has no base of its own; it compares as its text does. */
static const struct func on_uuid[] = {
	{ "=", PG_BOOL, { PG_OTHER, PG_OTHER }, 2, false, run_eq },
	{ "<>", PG_BOOL, { PG_OTHER, PG_OTHER }, 2, false, run_ne },
	{ "<", PG_BOOL, { PG_OTHER, PG_OTHER }, 2, false, run_lt },
	{ "<=", PG_BOOL, { PG_OTHER, PG_OTHER }, 2, false, run_le },
	{ ">", PG_BOOL, { PG_OTHER, PG_OTHER }, 2, false, run_gt },
	{ ">=", PG_BOOL, { PG_OTHER, PG_OTHER }, 2, false, run_ge },
};

/* --- the choice --- */

bool func_known(const char *name)
{
	for (size_t i = 0; i < FUNCS; i++)
		if (strcmp(table[i].name, name) == 0)
			return true;
	return false;
}

static bool takes(const struct func *f, size_t count)
{
	return f->variadic ? count >= f->count : count == f->count;
}

static enum pg_base arg_of(const struct func *f, size_t i)
{
	return f->args[i < f->count ? i : f->count - 1];
}

/* What ranks a candidate for an argument. */
enum score { EXACT, PREFERRED };

static size_t score(const struct func *f, const struct sqltype *args, size_t count, enum score by)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		enum pg_base want = arg_of(f, i);

		n += args[i].base == want || (by == PREFERRED && sqltype_preferred(want) &&
		     args[i].base != PG_UNKNOWN);
	}
	return n;
}

static bool fits(const struct func *f, const struct sqltype *args, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum pg_base want = arg_of(f, i);

		if (want == PG_ANY ? sqltype_is_array(args[i]) :
		    args[i].base == PG_OTHER ||
			    !sqltype_castable(args[i], sqltype_of(want), CAST_IMPLICIT))
			return false;
	}
	return true;
}

static size_t keep_best(const struct func **c, size_t n, const struct sqltype *args, size_t count,
			enum score by)
{
	size_t best = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		best = score(c[i], args, count, by) > best ? score(c[i], args, count, by) : best;
	for (size_t i = 0; i < n; i++)
		if (score(c[i], args, count, by) == best)
			c[kept++] = c[i];
	return kept;
}

/* Untyped literals: a string where any candidate takes one, else the one category they agree on;
 * in it the preferred type, if some candidate takes that. */
static size_t settle_unknown(const struct func **c, size_t n, const struct sqltype *args,
			     size_t count)
{
	for (size_t i = 0; i < count && n > 1; i++) {
		char category = 0;
		bool preferred = false;
		size_t kept = 0;

		if (args[i].base != PG_UNKNOWN)
			continue;
		for (size_t k = 0; k < n; k++) {
			char own = sqltype_category(arg_of(c[k], i));

			if (own == 'S')
				category = 'S';
			else if (category == 0)
				category = own;
			else if (category != 'S' && category != own)
				category = '?';
		}
		if (category == '?')
			return n;
		for (size_t k = 0; k < n; k++)
			preferred = preferred || (sqltype_category(arg_of(c[k], i)) == category &&
						  sqltype_preferred(arg_of(c[k], i)));
		for (size_t k = 0; k < n; k++)
			if (sqltype_category(arg_of(c[k], i)) == category &&
			    (!preferred || sqltype_preferred(arg_of(c[k], i))))
				c[kept++] = c[k];
		n = kept;
	}
	return n;
}

static int none(const char *name, const struct sqltype *args, size_t count, bool several,
		struct err *e)
{
	bool sign = !((name[0] | 0x20) >= 'a' && (name[0] | 0x20) <= 'z');
	struct buf b = { 0 };

	if (sign && count == 2) {
		sqltype_add_name(&b, args[0]);
		buf_addf(&b, " %s ", name);
		sqltype_add_name(&b, args[1]);
	} else {
		buf_addf(&b, "%s(", name);
		for (size_t i = 0; i < count; i++) {
			buf_addz(&b, i ? ", " : "");
			sqltype_add_name(&b, args[i]);
		}
		buf_addch(&b, ')');
	}
	err_set(e, FAILED, several ? "%s could mean several things" : "%s is not supported",
		b.data);
	buf_release(&b);
	return err_hint(e, FAILED,
			several ? "Cast one side to say which is meant." :
				  "Cast to types it takes; starpipe-star(5) lists them. To compute "
				  "with floats, cast them to numeric.");
}

static const struct func *exact(const char *name, const struct sqltype *args, size_t count)
{
	for (size_t i = 0; i < FUNCS; i++)
		if (!table[i].variadic && table[i].count == count &&
		    strcmp(table[i].name, name) == 0 &&
		    score(&table[i], args, count, EXACT) == count)
			return &table[i];
	return NULL;
}

static const struct func *for_uuid(const char *name, const struct sqltype *args, size_t count)
{
	bool uuid = count == 2 && args[0].base == PG_OTHER && strcmp(args[0].name, "uuid") == 0 &&
		    sqltype_same(args[0], args[1]);

	for (size_t i = 0; uuid && i < sizeof(on_uuid) / sizeof(on_uuid[0]); i++)
		if (strcmp(on_uuid[i].name, name) == 0)
			return &on_uuid[i];
	return NULL;
}

int func_find(const char *name, const struct sqltype *args, size_t count, const struct func **f,
	      struct err *e)
{
	const struct func *c[MAX_CANDIDATES];
	struct sqltype assumed[2];
	size_t n = 0;
	bool any = false;

	if ((*f = exact(name, args, count)) || (*f = for_uuid(name, args, count)))
		return OK;
	if (count == 2 && (args[0].base == PG_UNKNOWN) != (args[1].base == PG_UNKNOWN)) {
		assumed[0] = assumed[1] = args[args[0].base == PG_UNKNOWN];
		if ((*f = exact(name, assumed, count)))
			return OK;
	}
	for (size_t i = 0; i < FUNCS && n < MAX_CANDIDATES; i++)
		if (strcmp(table[i].name, name) == 0 && takes(&table[i], count) &&
		    fits(&table[i], args, count))
			c[n++] = &table[i];
	for (size_t i = 0; i < count; i++)
		any = any || args[i].base == PG_ANY;
	if (n == 0)
		return none(name, args, count, false, e);
	if (any && n > 1) {
		*f = NULL;
		return OK;
	}
	if (n > 1)
		n = keep_best(c, n, args, count, EXACT);
	if (n > 1)
		n = keep_best(c, n, args, count, PREFERRED);
	if (n > 1)
		n = settle_unknown(c, n, args, count);
	if (n != 1)
		return none(name, args, count, true, e);
	*f = c[0];
	return OK;
}
