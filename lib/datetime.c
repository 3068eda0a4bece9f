/* datetime - PostgreSQL's dates, times and intervals */
#include "datetime.h"

#include <stdlib.h>
#include <strings.h>

enum {
	MIN_YEAR = -4712,              /* 4713 BC */
	MAX_DATE_YEAR = 5874897,
	MONTHS_PER_YEAR = 12,
	EPOCH_1970 = -10957,           /* 1970-01-01 in days since 2000-01-01 */
};
/* timestamps reach from 4714-11-24 BC to 294276-12-31 */
#define MIN_TIMESTAMP (-211813488000000000LL)
#define END_TIMESTAMP 9223371331200000000LL
#define MIN_DATE (-2451545LL)
#define END_DATE 2145031949LL /* 5874898-01-01 */

/* --- the calendar: proleptic Gregorian, by Howard Hinnant's "chrono-compatible low-level date
 * algorithms"; days here count from 2000-01-01 instead of 1970-01-01 --- */

static int64_t days_from_civil(int64_t y, int m, int d)
{
	int64_t era, yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468 + EPOCH_1970;
}

static void civil_from_days(int64_t days, int64_t *y, int *m, int *d)
{
	int64_t z = days - EPOCH_1970 + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp + (mp < 10 ? 3 : -9));
	*y = yoe + era * 400 + (*m <= 2);
}

static bool leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int month_days(int64_t y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return m == 2 && leap(y) ? 29 : days[m - 1];
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t floor_mod(int64_t a, int64_t b)
{
	return a % b + (a % b < 0 ? b : 0);
}

/* Monday is 1, Sunday 7; 2000-01-01 was a Saturday. */
static int iso_weekday(int64_t day)
{
	return (int)floor_mod(day + 5, 7) + 1;
}

/* The year and week of ISO 8601: a week belongs to the year its Thursday is in. */
static int iso_week(int64_t day, int64_t *year)
{
	int64_t thursday = day - iso_weekday(day) + 4;
	int m, d;

	civil_from_days(thursday, year, &m, &d);
	return (int)(thursday - days_from_civil(*year, 1, 1)) / 7 + 1;
}

/* --- reading --- */

struct reader {
	const char *p, *end;
	struct str all;
	const char *type;
	struct err *e;
};

static int bad_syntax(const struct reader *r)
{
	return err_set(r->e, BAD_DATA, "invalid input syntax for type %s: \"%.*s\"", r->type,
		       r->all.len > 100 ? 100 : (int)r->all.len, r->all.data);
}

static int out_of_range(const struct reader *r)
{
	return err_set(r->e, BAD_DATA, "date/time field value out of range: \"%.*s\"",
		       r->all.len > 100 ? 100 : (int)r->all.len, r->all.data);
}

static struct reader reader_of(struct str text, const char *type, struct err *e)
{
	struct reader r = { text.data, text.data + text.len, text, type, e };

	while (r.p < r.end && *r.p == ' ')
		r.p++;
	while (r.end > r.p && r.end[-1] == ' ')
		r.end--;
	return r;
}

static size_t digits_ahead(const struct reader *r)
{
	size_t n = 0;

	while (r->p + n < r->end && r->p[n] >= '0' && r->p[n] <= '9')
		n++;
	return n;
}

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static int take_number(struct reader *r, size_t digits)
{
	int n = 0;

	while (digits--)
		n = n * 10 + (*r->p++ - '0');
	return n;
}

static bool take_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || strncasecmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* A fraction of a second behind its point, rounded to microseconds. */
static int64_t take_fraction(struct reader *r)
{
	int64_t usecs = 0, unit = 100000;
	size_t n = digits_ahead(r);

	for (size_t i = 0; i < n; i++, r->p++) {
		int d = *r->p - '0';

		if (i < 6)
			usecs += d * unit;
		else if (i == 6)
			usecs += d >= 5;
		unit /= 10;
	}
	return usecs;
}

/* hh:mm[:ss[.ffffff]] */
static int take_time(struct reader *r, int64_t *usecs)
{
	size_t n = digits_ahead(r);
	int h, m, s = 0;
	int64_t fraction = 0;

	if (n < 1 || n > 2)
		return bad_syntax(r);
	h = take_number(r, n);
	if (!take(r, ':') || digits_ahead(r) != 2)
		return bad_syntax(r);
	m = take_number(r, 2);
	if (take(r, ':')) {
		if (digits_ahead(r) != 2)
			return bad_syntax(r);
		s = take_number(r, 2);
		if (take(r, '.'))
			fraction = take_fraction(r);
	}
	*usecs = ((h * 60LL + m) * 60 + s) * USECS_PER_SEC + fraction;
	/* PostgreSQL takes 24:00:00 and a leap second's :60, nothing beyond the day */
	return m > 59 || s > 60 || *usecs > USECS_PER_DAY ? out_of_range(r) : OK;
}

/* Z, UTC, +hh, +hhmm, +hh:mm[:ss], as seconds east. */
static int take_zone(struct reader *r, int64_t *seconds)
{
	bool minus = r->p < r->end && *r->p == '-';
	size_t n;
	int h, m = 0, s = 0;

	*seconds = 0;
	while (take(r, ' '))
		;
	minus = r->p < r->end && *r->p == '-';
	if (take_word(r, "UTC") || take_word(r, "GMT") || take_word(r, "Z"))
		return OK;
	if (!take(r, '+') && !take(r, '-'))
		return OK;
	n = digits_ahead(r);
	if (n != 1 && n != 2 && n != 4)
		return bad_syntax(r);
	h = take_number(r, n == 4 ? 2 : n);
	if (n == 4)
		m = take_number(r, 2);
	else if (take(r, ':')) {
		if (digits_ahead(r) != 2)
			return bad_syntax(r);
		m = take_number(r, 2);
		if (take(r, ':') && digits_ahead(r) == 2)
			s = take_number(r, 2);
	}
	if (h > 15 || m > 59 || s > 59)
		return err_set(r->e, BAD_DATA, "time zone displacement out of range: \"%.*s\"",
			       STR_ARG(r->all));
	*seconds = (h * 60LL + m) * 60 + s;
	if (minus)
		*seconds = -*seconds;
	return OK;
}

/* yyyy-mm-dd or yyyymmdd; the year of a BC date is turned at the end. */
static int take_date(struct reader *r, int64_t *y, int *m, int *d)
{
	size_t n = digits_ahead(r), k;

	if (n == 8) {
		*y = take_number(r, 4);
		*m = take_number(r, 2);
		*d = take_number(r, 2);
		return OK;
	}
	if (n < 3 || n > 7) /* shorter could be a day or a month first */
		return bad_syntax(r);
	*y = take_number(r, n);
	if (!take(r, '-') || (k = digits_ahead(r)) < 1 || k > 2)
		return bad_syntax(r);
	*m = take_number(r, k);
	if (!take(r, '-') || (k = digits_ahead(r)) < 1 || k > 2)
		return bad_syntax(r);
	*d = take_number(r, k);
	return OK;
}

/* Date, optional time, optional zone, optional BC, and nothing else. */
static int take_timestamp(struct reader *r, int64_t *day, int64_t *usecs, int64_t *zone)
{
	int64_t y = 0;
	int m = 0, d = 0, rc;

	*usecs = *zone = 0;
	if ((rc = take_date(r, &y, &m, &d)) != OK)
		return rc;
	if (r->end - r->p > 1 &&
	    (*r->p == 'T' || *r->p == 't' || (*r->p == ' ' && r->p[1] >= '0' && r->p[1] <= '9'))) {
		r->p++;
		if ((rc = take_time(r, usecs)) != OK || (rc = take_zone(r, zone)) != OK)
			return rc;
	}
	while (take(r, ' '))
		;
	if (take_word(r, "BC")) {
		if (y == 0)
			return out_of_range(r);
		y = 1 - y;
	} else if (y == 0) {
		return out_of_range(r);
	}
	while (take(r, ' '))
		;
	if (r->p != r->end)
		return bad_syntax(r);
	if (m < 1 || m > 12 || d < 1 || d > month_days(y, m) || y < MIN_YEAR - 1 ||
	    y > MAX_DATE_YEAR)
		return out_of_range(r);
	*day = days_from_civil(y, m, d);
	return OK;
}

static int special_date(const struct reader *r)
{
	struct str s = { r->p, (size_t)(r->end - r->p) };

	if (s.len == 8 && strncasecmp(s.data, "infinity", 8) == 0)
		return 1;
	if (s.len == 9 && strncasecmp(s.data, "-infinity", 9) == 0)
		return -1;
	return s.len == 5 && strncasecmp(s.data, "epoch", 5) == 0 ? 2 : 0;
}

int date_parse(int64_t *date, struct str text, struct err *e)
{
	struct reader r = reader_of(text, "date", e);
	int64_t usecs, zone;
	int special = special_date(&r), rc;

	if (special) {
		*date = special == 2 ? EPOCH_1970 :
			special > 0  ? DATE_INFINITY :
				       DATE_MINUS_INFINITY;
		return OK;
	}
	if ((rc = take_timestamp(&r, date, &usecs, &zone)) != OK)
		return rc;
	if (*date < MIN_DATE || *date >= END_DATE)
		return err_set(e, BAD_DATA, "date out of range: \"%.*s\"", STR_ARG(text));
	return OK;
}

int timestamp_parse(int64_t *ts, struct str text, bool zone, struct err *e)
{
	struct reader r = reader_of(text, zone ? "timestamp with time zone" : "timestamp", e);
	int64_t day, usecs, offset;
	int special = special_date(&r), rc;

	if (special) {
		*ts = special == 2 ? EPOCH_1970 * USECS_PER_DAY :
		      special > 0 ? TS_INFINITY : TS_MINUS_INFINITY;
		return OK;
	}
	if ((rc = take_timestamp(&r, &day, &usecs, &offset)) != OK)
		return rc;
	if (__builtin_mul_overflow(day, USECS_PER_DAY, ts) ||
	    __builtin_add_overflow(*ts, usecs, ts) ||
	    (zone && __builtin_sub_overflow(*ts, offset * USECS_PER_SEC, ts)) ||
	    *ts < MIN_TIMESTAMP || *ts >= END_TIMESTAMP)
		return err_set(e, BAD_DATA, "timestamp out of range: \"%.*s\"", STR_ARG(text));
	return OK;
}

int time_parse(int64_t *usecs, struct str text, struct err *e)
{
	struct reader r = reader_of(text, "time", e);
	int64_t zone, day;
	int rc;

	/* a date in front is read and dropped, as PostgreSQL does */
	if (digits_ahead(&r) > 2)
		return take_timestamp(&r, &day, usecs, &zone);
	if ((rc = take_time(&r, usecs)) != OK || (rc = take_zone(&r, &zone)) != OK)
		return rc;
	if (take(&r, ' ')) {
		bool pm = take_word(&r, "PM");

		if (!pm && !take_word(&r, "AM"))
			return bad_syntax(&r);
		if (*usecs >= 13 * 3600 * USECS_PER_SEC)
			return out_of_range(&r);
		*usecs =
			*usecs % (12 * 3600 * USECS_PER_SEC) + (pm ? 12 * 3600 * USECS_PER_SEC : 0);
	}
	return r.p == r.end ? OK : bad_syntax(&r);
}

/* --- intervals in and out --- */

/* the fields of an interval, as bits */
enum {
	F_MICROSECOND = 1, F_MILLISECOND = 2, F_SECOND = 4, F_MINUTE = 8, F_HOUR = 16, F_DAY = 32,
	F_WEEK = 64, F_MONTH = 128, F_YEAR = 256, F_DECADE = 512, F_CENTURY = 1024,
	F_CLOCK = F_MICROSECOND | F_MILLISECOND | F_SECOND | F_MINUTE | F_HOUR
};

static const struct unit {
	const char *name;
	unsigned field;
	int months, days;
	int64_t usecs;
} units[] = {
	{ "microsecond", F_MICROSECOND, 0, 0, 1 },
	{ "millisecond", F_MILLISECOND, 0, 0, 1000 },
	{ "second", F_SECOND, 0, 0, USECS_PER_SEC },
	{ "sec", F_SECOND, 0, 0, USECS_PER_SEC },
	{ "s", F_SECOND, 0, 0, USECS_PER_SEC },
	{ "minute", F_MINUTE, 0, 0, 60 * USECS_PER_SEC },
	{ "min", F_MINUTE, 0, 0, 60 * USECS_PER_SEC },
	{ "hour", F_HOUR, 0, 0, 3600 * USECS_PER_SEC },
	{ "h", F_HOUR, 0, 0, 3600 * USECS_PER_SEC },
	{ "day", F_DAY, 0, 1, 0 },
	{ "d", F_DAY, 0, 1, 0 },
	{ "week", F_WEEK, 0, 7, 0 },
	{ "month", F_MONTH, 1, 0, 0 },
	{ "mon", F_MONTH, 1, 0, 0 },
	{ "year", F_YEAR, 12, 0, 0 },
	{ "y", F_YEAR, 12, 0, 0 },
	{ "decade", F_DECADE, 120, 0, 0 },
	{ "century", F_CENTURY, 1200, 0, 0 },
	{ "centurie", F_CENTURY, 1200, 0, 0 },
};

static const struct unit *take_unit(struct reader *r)
{
	size_t n = 0;

	while (r->p + n < r->end && ((r->p[n] | 0x20) >= 'a' && (r->p[n] | 0x20) <= 'z'))
		n++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if ((n == len || (n == len + 1 && (r->p[len] | 0x20) == 's')) &&
		    strncasecmp(r->p, units[i].name, len) == 0) {
			r->p += n;
			return &units[i];
		}
	}
	return NULL;
}

static int interval_overflow(const struct reader *r)
{
	return err_set(r->e, BAD_DATA, "interval field value out of range: \"%.*s\"",
		       r->all.len > 100 ? 100 : (int)r->all.len, r->all.data);
}

/* *total += sign * n */
static bool add_signed(int64_t *total, int64_t sign, int64_t n)
{
	return !(sign < 0 ? __builtin_sub_overflow(*total, n, total) :
			    __builtin_add_overflow(*total, n, total));
}

/* The ":05[:06.7]" behind an hour. */
static int take_minutes(struct reader *r, int64_t sign, int64_t hours, struct interval *iv)
{
	int minutes, seconds = 0;
	int64_t fraction = 0;

	r->p++;
	if (digits_ahead(r) != 2)
		return bad_syntax(r);
	minutes = take_number(r, 2);
	if (take(r, ':')) {
		if (digits_ahead(r) != 2)
			return bad_syntax(r);
		seconds = take_number(r, 2);
		if (take(r, '.'))
			fraction = take_fraction(r);
	}
	if (minutes > 59 || seconds > 60 ||
	    __builtin_mul_overflow(hours, 3600 * USECS_PER_SEC, &hours) ||
	    !add_signed(&iv->usecs, sign, hours) ||
	    !add_signed(&iv->usecs, sign, (minutes * 60 + seconds) * USECS_PER_SEC + fraction))
		return interval_overflow(r);
	return OK;
}

/* What an interval's part gives is given once: "1 day 2 days" is no interval. */
static bool is_first(unsigned *given, unsigned fields)
{
	bool first = !(*given & fields);

	*given |= fields;
	return first;
}

/* One "3 days", "-04:05:06.7", "1.5 hours". given: the fields that others gave, as bits. */
static int take_interval_part(struct reader *r, struct interval *iv, unsigned *given)
{
	bool minus = r->p < r->end && *r->p == '-';
	int64_t sign = minus ? -1 : 1, fraction = 0, n = 0, months = iv->months, days = iv->days;
	const struct unit *u;
	size_t digits;

	if (!take(r, '-'))
		take(r, '+');
	digits = digits_ahead(r);
	if (digits > 15)
		return bad_syntax(r);
	while (digits_ahead(r))
		n = n * 10 + (*r->p++ - '0');
	if (digits && r->p < r->end && *r->p == ':')
		return is_first(given, F_CLOCK) ? take_minutes(r, sign, n, iv) : bad_syntax(r);
	if (take(r, '.')) {
		if (!digits_ahead(r))
			return bad_syntax(r);
		fraction = take_fraction(r);
	} else if (!digits) {
		return bad_syntax(r);
	}
	while (take(r, ' '))
		;
	u = r->p == r->end ? &units[2] : take_unit(r); /* a bare number is seconds */
	if (!u || (fraction && u->months) || !is_first(given, u->field))
		return bad_syntax(r);
	/* n has 15 digits at most; the fraction of a day becomes a time */
	if (!add_signed(&months, sign, n * u->months) || months != (int32_t)months ||
	    !add_signed(&days, sign, n * u->days) || days != (int32_t)days ||
	    __builtin_mul_overflow(n, u->usecs, &n) || !add_signed(&iv->usecs, sign, n) ||
	    !add_signed(&iv->usecs, sign,
			u->days ? fraction * u->days * (USECS_PER_DAY / USECS_PER_SEC) :
				  fraction * u->usecs / USECS_PER_SEC))
		return interval_overflow(r);
	iv->months = (int32_t)months;
	iv->days = (int32_t)days;
	return OK;
}

int interval_parse(struct interval *iv, struct str text, struct err *e)
{
	struct reader r = reader_of(text, "interval", e);
	unsigned given = 0;
	int rc;

	*iv = (struct interval){ 0 };
	if (r.p == r.end)
		return bad_syntax(&r);
	while (r.p < r.end) {
		if (given && take_word(&r, "ago"))
			return r.p == r.end ? interval_neg(iv, iv, e) : bad_syntax(&r);
		if ((rc = take_interval_part(&r, iv, &given)) != OK)
			return rc;
		while (take(&r, ' '))
			;
	}
	return OK;
}

static void add_padded(struct buf *b, uint64_t n, int width)
{
	char digits[24], *end = digits + sizeof(digits), *p = end;

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	while (end - p < width)
		*--p = '0';
	buf_add(b, p, (size_t)(end - p));
}

/* The least integer has no positive counterpart of its own. */
static uint64_t magnitude(int64_t n)
{
	return n < 0 ? -(uint64_t)n : (uint64_t)n;
}

static void add_clock(struct buf *b, uint64_t usecs)
{
	uint64_t fraction = usecs % USECS_PER_SEC, seconds = usecs / USECS_PER_SEC;
	int width = 6;

	add_padded(b, seconds / 3600, 2);
	buf_addch(b, ':');
	add_padded(b, seconds / 60 % 60, 2);
	buf_addch(b, ':');
	add_padded(b, seconds % 60, 2);
	if (!fraction)
		return;
	while (fraction % 10 == 0) {
		fraction /= 10;
		width--;
	}
	buf_addch(b, '.');
	add_padded(b, fraction, width);
}

/* "1 year 2 mons -3 days +04:05:06.7": a part behind a negative one shows its sign. */
void interval_format(struct buf *b, const struct interval *iv)
{
	const struct { int64_t n; const char *name; } parts[] = {
		{ iv->months / 12, "year" }, { iv->months % 12, "mon" }, { iv->days, "day" },
	};
	bool first = true, before_negative = false;

	for (size_t i = 0; i < 3; i++) {
		if (!parts[i].n)
			continue;
		buf_addf(b, "%s%s%lld %s%s", first ? "" : " ",
			 before_negative && parts[i].n > 0 ? "+" : "", (long long)parts[i].n,
			 parts[i].name, parts[i].n == 1 ? "" : "s");
		before_negative = parts[i].n < 0;
		first = false;
	}
	if (!first && !iv->usecs)
		return;
	if (!first)
		buf_addch(b, ' ');
	if (iv->usecs < 0)
		buf_addch(b, '-');
	else if (before_negative)
		buf_addch(b, '+');
	add_clock(b, magnitude(iv->usecs));
}

/* --- writing --- */

static void add_date(struct buf *b, int64_t day, bool *bc)
{
	int64_t y;
	int m, d;

	civil_from_days(day, &y, &m, &d);
	*bc = y <= 0;
	add_padded(b, magnitude(*bc ? 1 - y : y), 4);
	buf_addch(b, '-');
	add_padded(b, (uint64_t)m, 2);
	buf_addch(b, '-');
	add_padded(b, (uint64_t)d, 2);
}

void date_format(struct buf *b, int64_t date)
{
	bool bc = false;

	if (date == DATE_INFINITY)
		buf_addz(b, "infinity");
	else if (date == DATE_MINUS_INFINITY)
		buf_addz(b, "-infinity");
	else
		add_date(b, date, &bc);
	if (bc)
		buf_addz(b, " BC");
}

void time_format(struct buf *b, int64_t usecs)
{
	add_clock(b, magnitude(usecs));
}

void timestamp_format(struct buf *b, int64_t ts, char sep, bool zone)
{
	int64_t day = floor_div(ts, USECS_PER_DAY);
	bool bc;

	if (ts == TS_INFINITY || ts == TS_MINUS_INFINITY) {
		buf_addz(b, ts == TS_INFINITY ? "infinity" : "-infinity");
		return;
	}
	add_date(b, day, &bc);
	buf_addch(b, sep);
	add_clock(b, (uint64_t)floor_mod(ts, USECS_PER_DAY));
	if (zone)
		buf_addz(b, sep == 'T' ? "Z" : "+00");
	if (bc)
		buf_addz(b, " BC");
}

/* --- conversions and arithmetic --- */

int64_t usecs_round(int64_t usecs, int digits)
{
	int64_t unit = 1;

	if (usecs == TS_INFINITY || usecs == TS_MINUS_INFINITY)
		return usecs;
	for (int i = digits; i < 6; i++)
		unit *= 10;
	return usecs >= 0 ? (usecs + unit / 2) / unit * unit : -((-usecs + unit / 2) / unit * unit);
}

int timestamp_from_date(int64_t *ts, int64_t date, struct err *e)
{
	if (date == DATE_INFINITY || date == DATE_MINUS_INFINITY) {
		*ts = date == DATE_INFINITY ? TS_INFINITY : TS_MINUS_INFINITY;
		return OK;
	}
	if (date >= END_TIMESTAMP / USECS_PER_DAY)
		return err_set(e, BAD_DATA, "date out of range for timestamp");
	*ts = date * USECS_PER_DAY;
	return OK;
}

static int check_timestamp(int64_t ts, struct err *e)
{
	return ts >= MIN_TIMESTAMP && ts < END_TIMESTAMP ?
	       OK : err_set(e, BAD_DATA, "timestamp out of range");
}

int timestamp_at(int64_t *ts, int64_t date, int64_t usecs, struct err *e)
{
	int rc = timestamp_from_date(ts, date, e);

	if (rc != OK || *ts == TS_INFINITY || *ts == TS_MINUS_INFINITY)
		return rc;
	*ts += usecs;
	return check_timestamp(*ts, e);
}

int timestamp_round(int64_t *ts, int digits, struct err *e)
{
	*ts = usecs_round(*ts, digits);
	return *ts == TS_INFINITY || *ts == TS_MINUS_INFINITY ? OK : check_timestamp(*ts, e);
}

int64_t date_from_timestamp(int64_t ts)
{
	return ts == TS_INFINITY ? DATE_INFINITY : ts == TS_MINUS_INFINITY ? DATE_MINUS_INFINITY :
	       floor_div(ts, USECS_PER_DAY);
}

int64_t time_from_timestamp(int64_t ts)
{
	return floor_mod(ts, USECS_PER_DAY);
}

int64_t time_from_interval(const struct interval *iv)
{
	return floor_mod(iv->usecs, USECS_PER_DAY);
}

int date_add_days(int64_t *r, int64_t date, int64_t days, struct err *e)
{
	*r = date;
	if (date == DATE_INFINITY || date == DATE_MINUS_INFINITY)
		return OK;
	*r = date + days;
	return *r < MIN_DATE || *r >= END_DATE ? err_set(e, BAD_DATA, "date out of range") : OK;
}

static bool endless(int64_t date)
{
	return date == DATE_INFINITY || date == DATE_MINUS_INFINITY;
}

int date_diff(int64_t *days, int64_t a, int64_t b, struct err *e)
{
	*days = a - b;
	return endless(a) || endless(b) ? err_set(e, BAD_DATA, "cannot subtract infinite dates") :
					  OK;
}

/* day + days, at the time of day that ts has. */
static int at_day(int64_t *r, int64_t ts, int64_t day, int64_t days, struct err *e)
{
	if (__builtin_mul_overflow(day + days, USECS_PER_DAY, r) ||
	    __builtin_add_overflow(*r, floor_mod(ts, USECS_PER_DAY), r))
		*r = TS_INFINITY;
	return check_timestamp(*r, e);
}

/* Months first (a day that the month lacks becomes its last), then days, then time; each step
 * within the range of timestamps. */
int timestamp_add(int64_t *r, int64_t ts, const struct interval *iv, struct err *e)
{
	int64_t y, months;
	int m, d, rc = OK;

	*r = ts;
	if (ts == TS_INFINITY || ts == TS_MINUS_INFINITY)
		return OK;
	if (iv->months) {
		civil_from_days(floor_div(ts, USECS_PER_DAY), &y, &m, &d);
		months = y * MONTHS_PER_YEAR + m - 1 + iv->months;
		y = floor_div(months, MONTHS_PER_YEAR);
		m = (int)(months - y * MONTHS_PER_YEAR) + 1;
		if (d > month_days(y, m))
			d = month_days(y, m);
		rc = at_day(r, ts, days_from_civil(y, m, d), 0, e);
	}
	if (iv->days && rc == OK)
		rc = at_day(r, *r, floor_div(*r, USECS_PER_DAY), iv->days, e);
	if (rc == OK && __builtin_add_overflow(*r, iv->usecs, r))
		*r = TS_INFINITY;
	return rc == OK ? check_timestamp(*r, e) : rc;
}

int timestamp_diff(struct interval *r, int64_t a, int64_t b, struct err *e)
{
	int64_t diff;

	if (a == TS_INFINITY || a == TS_MINUS_INFINITY || b == TS_INFINITY ||
	    b == TS_MINUS_INFINITY)
		return err_set(e, BAD_DATA, "cannot subtract infinite timestamps");
	if (__builtin_sub_overflow(a, b, &diff))
		return err_set(e, BAD_DATA, "interval out of range");
	*r = (struct interval){ 0, (int32_t)(diff / USECS_PER_DAY), diff % USECS_PER_DAY };
	return OK;
}

int interval_neg(struct interval *r, const struct interval *iv, struct err *e)
{
	static const struct interval zero = { 0 };

	return interval_sub(r, &zero, iv, e);
}

int interval_add(struct interval *r, const struct interval *a, const struct interval *b,
		 struct err *e)
{
	return __builtin_add_overflow(a->months, b->months, &r->months) ||
	       __builtin_add_overflow(a->days, b->days, &r->days) ||
	       __builtin_add_overflow(a->usecs, b->usecs, &r->usecs) ?
	       err_set(e, BAD_DATA, "interval out of range") : OK;
}

int interval_sub(struct interval *r, const struct interval *a, const struct interval *b,
		 struct err *e)
{
	return __builtin_sub_overflow(a->months, b->months, &r->months) ||
	       __builtin_sub_overflow(a->days, b->days, &r->days) ||
	       __builtin_sub_overflow(a->usecs, b->usecs, &r->usecs) ?
	       err_set(e, BAD_DATA, "interval out of range") : OK;
}

int interval_mul(struct interval *r, const struct interval *a, int64_t n, struct err *e)
{
	return __builtin_mul_overflow(a->months, n, &r->months) ||
	       __builtin_mul_overflow(a->days, n, &r->days) ||
	       __builtin_mul_overflow(a->usecs, n, &r->usecs) ?
	       err_set(e, BAD_DATA, "interval out of range") : OK;
}

/* An interval's length where a month has 30 days and a day 24 hours: days and the rest. */
static void interval_span(const struct interval *iv, int64_t *days, int64_t *usecs)
{
	*days = (int64_t)iv->months * 30 + iv->days + floor_div(iv->usecs, USECS_PER_DAY);
	*usecs = floor_mod(iv->usecs, USECS_PER_DAY);
}

int interval_cmp(const struct interval *a, const struct interval *b)
{
	int64_t da, db, ua, ub;

	interval_span(a, &da, &ua);
	interval_span(b, &db, &ub);
	return da != db ? (da > db) - (da < db) : (ua > ub) - (ua < ub);
}

void interval_add_key(struct buf *b, const struct interval *iv)
{
	int64_t days, usecs;

	interval_span(iv, &days, &usecs);
	buf_addf(b, "%lld:%lld", (long long)days, (long long)usecs);
}

/* --- fields --- */

static void set_clock(struct datetime *d, int64_t usecs)
{
	d->hour = usecs / (3600 * USECS_PER_SEC);
	d->minute = (int)(usecs / (60 * USECS_PER_SEC) % 60);
	d->second = (int)(usecs / USECS_PER_SEC % 60);
	d->usec = (int)(usecs % USECS_PER_SEC);
}

void datetime_of_timestamp(struct datetime *d, int64_t ts)
{
	*d = (struct datetime){ .type = DT_TIMESTAMP };
	d->day_number = floor_div(ts, USECS_PER_DAY);
	civil_from_days(d->day_number, &d->year, &d->month, &d->day);
	set_clock(d, floor_mod(ts, USECS_PER_DAY));
}

void datetime_of_date(struct datetime *d, int64_t date)
{
	*d = (struct datetime){ .type = DT_DATE, .day_number = date };
	civil_from_days(date, &d->year, &d->month, &d->day);
}

void datetime_of_interval(struct datetime *d, const struct interval *iv)
{
	*d = (struct datetime){ .type = DT_INTERVAL,
				.year = iv->months / 12,
				.month = iv->months % 12,
				.day = iv->days };
	set_clock(d, iv->usecs);
}

static int64_t clock_of(const struct datetime *d)
{
	return ((d->hour * 60LL + d->minute) * 60 + d->second) * USECS_PER_SEC + d->usec;
}

int timestamp_of_datetime(int64_t *ts, const struct datetime *d, struct err *e)
{
	*ts = days_from_civil(d->year, d->month, d->day) * USECS_PER_DAY + clock_of(d);
	return check_timestamp(*ts, e);
}

static bool is(struct str field, const char *name)
{
	size_t n = strlen(name);

	return (field.len == n || (field.len == n + 1 && (field.data[n] | 0x20) == 's')) &&
	       strncasecmp(field.data, name, n) == 0;
}

static const char *type_name(const struct datetime *d)
{
	static const char *const names[] = { "date", "time without time zone",
					     "timestamp without time zone",
					     "timestamp with time zone", "interval" };

	return names[d->type];
}

static int not_supported(const struct datetime *d, struct str field, struct err *e)
{
	return err_set(e, BAD_DATA, "unit \"%.*s\" not supported for type %s", STR_ARG(field),
		       type_name(d));
}

static int64_t century_of(int64_t year)
{
	return year > 0 ? (year + 99) / 100 : -((99 - (year - 1)) / 100);
}

static int64_t millennium_of(int64_t year)
{
	return year > 0 ? (year + 999) / 1000 : -((999 - (year - 1)) / 1000);
}

/* year and what is counted from it; a year before 1 is shown as -1, -2, ... */
static bool extract_year(const struct datetime *d, struct str field, int64_t *n)
{
	bool interval = d->type == DT_INTERVAL;

	if (is(field, "year"))
		*n = d->year > 0 || interval ? d->year : d->year - 1;
	else if (is(field, "month"))
		*n = d->month;
	else if (is(field, "day"))
		*n = d->day;
	else if (is(field, "quarter"))
		*n = interval ? d->month / 3 + 1 : (d->month - 1) / 3 + 1;
	else if (is(field, "decade"))
		*n = interval ? d->year / 10 : floor_div(d->year, 10);
	else if (is(field, "century") || is(field, "centurie"))
		*n = interval ? d->year / 100 : century_of(d->year);
	else if (is(field, "millennium") || is(field, "millennia"))
		*n = interval ? d->year / 1000 : millennium_of(d->year);
	else
		return false;
	return true;
}

/* what only a day of the calendar has */
static bool extract_day(const struct datetime *d, struct str field, int64_t *n)
{
	int64_t year;

	if (is(field, "dow"))
		*n = iso_weekday(d->day_number) % 7;
	else if (is(field, "isodow"))
		*n = iso_weekday(d->day_number);
	else if (is(field, "doy"))
		*n = d->day_number - days_from_civil(d->year, 1, 1) + 1;
	else if (is(field, "week"))
		*n = iso_week(d->day_number, &year);
	else if (is(field, "isoyear")) {
		iso_week(d->day_number, &year);
		*n = year > 0 ? year : year - 1;
	} else {
		return false;
	}
	return true;
}

static bool extract_clock(const struct datetime *d, struct str field, int64_t *n, int *scale)
{
	int64_t usecs = d->second * USECS_PER_SEC + d->usec;

	if (is(field, "hour"))
		*n = d->hour;
	else if (is(field, "minute") || is(field, "min"))
		*n = d->minute;
	else if (is(field, "second") || is(field, "sec"))
		*n = usecs, *scale = 6;
	else if (is(field, "millisecond") || is(field, "msec"))
		*n = usecs, *scale = 3;
	else if (is(field, "microsecond") || is(field, "usec"))
		*n = usecs;
	else
		return false;
	return true;
}

static bool extract_epoch(const struct datetime *d, struct str field, struct datetime_field *f)
{
	bool calendar = d->type != DT_TIME && d->type != DT_INTERVAL;

	if (is(field, "julian") && calendar) {
		f->whole = d->day_number + 2451545; /* only for a date: else it has a fraction */
		return d->type == DT_DATE;
	}
	if (!is(field, "epoch"))
		return false;
	if (calendar)
		f->whole = (d->day_number - EPOCH_1970) * 86400;
	else if (d->type == DT_INTERVAL) /* a year has 365.25 days here, a month 30 */
		f->whole = d->year * 31557600 + (d->month * 30LL + d->day) * 86400;
	if (d->type != DT_DATE) {
		f->number = clock_of(d);
		f->scale = 6;
	}
	return true;
}

int datetime_extract(const struct datetime *d, struct str field, struct datetime_field *f,
		     struct err *e)
{
	bool calendar = d->type != DT_TIME && d->type != DT_INTERVAL;

	*f = (struct datetime_field){ 0 };
	if ((d->type != DT_TIME && extract_year(d, field, &f->number)) ||
	    (calendar && extract_day(d, field, &f->number)) ||
	    (d->type != DT_DATE && extract_clock(d, field, &f->number, &f->scale)) ||
	    extract_epoch(d, field, f))
		return OK;
	if (d->type == DT_TIMESTAMPTZ && (is(field, "timezone") || is(field, "timezone_hour") ||
					  is(field, "timezone_minute")))
		return OK;
	return not_supported(d, field, e);
}

int datetime_trunc(struct datetime *d, struct str field, struct err *e)
{
	static const char *const steps[] = {
		"microsecond", "millisecond", "second", "minute", "hour",    "day",
		"month",       "quarter",     "year",	"decade", "century", "millennium"
	};
	size_t n = sizeof(steps) / sizeof(steps[0]), i = 0;
	bool interval = d->type == DT_INTERVAL;
	int64_t y;

	if (is(field, "week") && !interval) {
		civil_from_days(d->day_number - iso_weekday(d->day_number) + 1, &d->year, &d->month,
				&d->day);
		field = STR("day");
	}
	while (i < n && !is(field, steps[i]))
		i++;
	if (i == n)
		return not_supported(d, field, e);
	if (i == 1)
		d->usec = d->usec / 1000 * 1000;
	if (i >= 2)
		d->usec = 0;
	if (i >= 3)
		d->second = 0;
	if (i >= 4)
		d->minute = 0;
	if (i >= 5)
		d->hour = 0;
	if (i >= 6)
		d->day = interval ? 0 : 1;
	if (i == 7)
		d->month = interval ? d->month / 3 * 3 : (d->month - 1) / 3 * 3 + 1;
	if (i >= 8)
		d->month = interval ? 0 : 1;
	if (i == 9)
		d->year = interval ? d->year / 10 * 10 : floor_div(d->year, 10) * 10;
	if (i >= 10) { /* 2001 starts a century, and 1 BC ends one */
		y = i == 10 ? 100 : 1000;
		d->year = interval ? d->year / y * y : floor_div(d->year - 1, y) * y + 1;
	}
	return OK;
}

/* --- to_char --- */

static const char *const months[] = { "January",   "February", "March",	   "April",
				      "May",	   "June",     "July",	   "August",
				      "September", "October",  "November", "December" };
static const char *const weekdays[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
					"Saturday", "Sunday" };
static const char *const romans[] = { "I",   "II",   "III", "IV", "V",	"VI",
				      "VII", "VIII", "IX",  "X",  "XI", "XII" };

enum letters { AS_IT_IS, LOWER, UPPER };

/* A name padded with blanks to width, or as it is under FM. */
static void add_name(struct buf *b, const char *name, size_t len, enum letters letters,
		     size_t width)
{
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (letters == LOWER && c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		else if (letters == UPPER && c >= 'a' && c <= 'z')
			c = (char)(c - 32);
		buf_addch(b, c);
	}
	for (size_t i = len; i < width; i++)
		buf_addch(b, ' ');
}

static void add_number(struct buf *b, int64_t n, int width, bool fill)
{
	if (n < 0)
		buf_addch(b, '-');
	add_padded(b, magnitude(n), fill ? width : 1);
}

static const char *ordinal(int64_t n)
{
	n = n < 0 ? -n : n;
	if (n % 100 >= 11 && n % 100 <= 13)
		return "th";
	return n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
}

/* The patterns, the longest first where one starts another. Names whose letters' case matters
 * stand in all their forms. */
static const char *const patterns[] = {
	"MONTH", "Month", "month", "SSSSS", "Y,YYY", "SSSS", "IYYY", "IDDD", "A.M.", "P.M.", "a.m.",
	"p.m.",	 "B.C.",  "A.D.",  "b.c.",  "a.d.",  "YYYY", "YYY",  "IYY",  "HH24", "HH12", "DAY",
	"Day",	 "day",	  "DDD",   "MON",   "Mon",   "mon",  "FF1",  "FF2",  "FF3",  "FF4",  "FF5",
	"FF6",	 "TZH",	  "TZM",   "YY",    "IY",    "ID",   "IW",   "HH",   "MI",   "MM",   "MS",
	"SS",	 "US",	  "DD",	   "DY",    "Dy",    "dy",   "WW",   "CC",   "AM",   "PM",   "am",
	"pm",	 "BC",	  "AD",	   "bc",    "ad",    "RM",   "rm",   "TZ",   "tz",   "OF",   "Y",
	"I",	 "D",	  "W",	   "Q",	    "J",
};

static bool matches(struct str rest, const char *pattern)
{
	size_t n = strlen(pattern);

	if (rest.len < n)
		return false;
	/* the patterns of numbers take either case */
	for (size_t i = 0; i < n; i++)
		if (rest.data[i] != pattern[i])
			return false;
	return true;
}

/* Names, meridians, eras: true if p was one. */
static bool add_words(struct buf *b, const struct datetime *d, const char *p, bool fill)
{
	enum letters letters = p[0] >= 'a' ? LOWER : p[1] >= 'a' ? AS_IT_IS : UPPER;
	bool interval = d->type == DT_INTERVAL || d->type == DT_TIME;
	const char *month = d->month >= 1 ? months[d->month - 1] : "";
	const char *weekday = interval ? "" : weekdays[iso_weekday(d->day_number) - 1];
	const char *word;

	if (strcasecmp(p, "month") == 0) {
		add_name(b, month, strlen(month), letters, fill ? 9 : 0);
	} else if (strcasecmp(p, "mon") == 0) {
		add_name(b, month, *month ? 3 : 0, letters, 0);
	} else if (strcasecmp(p, "day") == 0) {
		add_name(b, weekday, strlen(weekday), letters, fill ? 9 : 0);
	} else if (strcasecmp(p, "dy") == 0) {
		add_name(b, weekday, *weekday ? 3 : 0, letters, 0);
	} else if (strcasecmp(p, "rm") == 0) {
		word = d->month >= 1 ? romans[d->month - 1] : "";
		add_name(b, word, strlen(word), letters == LOWER ? LOWER : AS_IT_IS, fill ? 4 : 0);
	} else if (strcasecmp(p, "am") == 0 || strcasecmp(p, "pm") == 0) {
		add_name(b, d->hour % 24 >= 12 ? "PM" : "AM", 2, letters, 0);
	} else if (strcasecmp(p, "a.m.") == 0 || strcasecmp(p, "p.m.") == 0) {
		add_name(b, d->hour % 24 >= 12 ? "P.M." : "A.M.", 4, p[0] >= 'a' ? LOWER : UPPER,
			 0);
	} else if (strcasecmp(p, "bc") == 0 || strcasecmp(p, "ad") == 0) {
		add_name(b, d->year <= 0 ? "BC" : "AD", 2, letters, 0);
	} else if (strcasecmp(p, "b.c.") == 0 || strcasecmp(p, "a.d.") == 0) {
		add_name(b, d->year <= 0 ? "B.C." : "A.D.", 4, p[0] >= 'a' ? LOWER : UPPER, 0);
	} else if (strcmp(p, "TZ") == 0 || strcmp(p, "tz") == 0) {
		if (d->type == DT_TIMESTAMPTZ)
			add_name(b, "UTC", 3, letters, 0);
	} else if (strcmp(p, "OF") == 0 || strcmp(p, "TZH") == 0) {
		buf_addz(b, "+00");
	} else if (strcmp(p, "TZM") == 0) {
		buf_addz(b, "00");
	} else {
		return false;
	}
	return true;
}

/* The number a pattern stands for and its width; patterns are told by their letters. */
static int64_t number_of(const struct datetime *d, const char *p, int *width)
{
	int64_t shown = d->year > 0 || d->type == DT_INTERVAL ? d->year : 1 - d->year, iso = 0;
	int64_t day_of_year = d->month ? d->day_number - days_from_civil(d->year, 1, 1) : 0;
	int week = 0, divide = 1;

	*width = (int)strlen(p);
	if (d->type != DT_INTERVAL && d->type != DT_TIME)
		week = iso_week(d->day_number, &iso);
	if (p[0] == 'F') {
		*width = p[2] - '0';
		for (int i = *width; i < 6; i++)
			divide *= 10;
		return d->usec / divide;
	}
	if (strcmp(p, "YYYY") == 0)
		return shown;
	if (strcmp(p, "YYY") == 0)
		return shown % 1000;
	if (strcmp(p, "YY") == 0)
		return shown % 100;
	if (strcmp(p, "Y") == 0)
		return shown % 10;
	if (strcmp(p, "IYYY") == 0)
		return iso > 0 ? iso : 1 - iso;
	if (strcmp(p, "IYY") == 0)
		return iso % 1000;
	if (strcmp(p, "IY") == 0)
		return iso % 100;
	if (strcmp(p, "I") == 0)
		return iso % 10;
	if (strcmp(p, "IW") == 0)
		return week;
	if (strcmp(p, "IDDD") == 0) {
		*width = 3;
		return (week - 1) * 7 + iso_weekday(d->day_number);
	}
	if (strcmp(p, "ID") == 0) {
		*width = 1;
		return iso_weekday(d->day_number);
	}
	if (strcmp(p, "D") == 0)
		return iso_weekday(d->day_number) % 7 + 1;
	if (strcmp(p, "DDD") == 0)
		return day_of_year + 1;
	if (strcmp(p, "WW") == 0)
		return day_of_year / 7 + 1;
	if (strcmp(p, "W") == 0)
		return (d->day - 1) / 7 + 1;
	if (strcmp(p, "Q") == 0)
		return (d->month - 1) / 3 + 1;
	if (strcmp(p, "J") == 0)
		return d->day_number + 2451545;
	if (strcmp(p, "CC") == 0)
		return d->type == DT_INTERVAL ? d->year / 100 : century_of(d->year);
	if (strcmp(p, "MM") == 0)
		return d->month;
	if (strcmp(p, "DD") == 0)
		return d->day;
	if (strcmp(p, "HH24") == 0) {
		*width = 2;
		return d->hour;
	}
	if (p[0] == 'H') {
		*width = 2;
		return d->hour % 12 == 0 ? 12 : d->hour % 12;
	}
	if (strcmp(p, "MI") == 0)
		return d->minute;
	if (strcmp(p, "SS") == 0)
		return d->second;
	if (strcmp(p, "MS") == 0) {
		*width = 3;
		return d->usec / 1000;
	}
	if (strcmp(p, "US") == 0) {
		*width = 6;
		return d->usec;
	}
	*width = 1; /* SSSS, SSSSS */
	return d->hour * 3600 + d->minute * 60 + d->second;
}

/* One pattern at the start of rest; 0 if there is none. */
static size_t add_pattern(struct buf *b, const struct datetime *d, struct str rest, bool fill)
{
	size_t i = 0, n = sizeof(patterns) / sizeof(patterns[0]), used;
	char up[8];
	int64_t number;
	int width;

	while (i < n && !matches(rest, patterns[i]))
		i++;
	if (i == n) { /* numbers' patterns may be written in small letters */
		size_t len = rest.len < 7 ? rest.len : 7;

		for (size_t k = 0; k < len; k++)
			up[k] = (char)(rest.data[k] >= 'a' && rest.data[k] <= 'z' ?
					       rest.data[k] - 32 :
					       rest.data[k]);
		for (i = 0; i < n && !matches((struct str){ up, len }, patterns[i]); i++)
			;
	}
	if (i == n)
		return 0;
	used = strlen(patterns[i]);
	if (add_words(b, d, patterns[i], fill))
		return used;
	if (strcmp(patterns[i], "Y,YYY") == 0) {
		number = d->year > 0 || d->type == DT_INTERVAL ? d->year : 1 - d->year;
		buf_addf(b, "%lld,%03lld", (long long)(number / 1000), (long long)(number % 1000));
	} else {
		number = number_of(d, patterns[i], &width);
		/* fractions keep their zeros under FM too */
		add_number(b, number, width,
			   fill || patterns[i][0] == 'F' || strcmp(patterns[i], "US") == 0 ||
				   strcmp(patterns[i], "MS") == 0);
	}
	if (rest.len >= used + 2 &&
	    (memcmp(rest.data + used, "th", 2) == 0 || memcmp(rest.data + used, "TH", 2) == 0)) {
		add_name(b, ordinal(number), 2, rest.data[used] == 'T' ? UPPER : AS_IT_IS, 0);
		used += 2;
	}
	return used;
}

void datetime_to_char(struct buf *b, const struct datetime *d, struct str pattern)
{
	size_t i = 0;

	while (i < pattern.len) {
		struct str rest = { pattern.data + i, pattern.len - i };
		bool fill = true;
		size_t used;

		while (rest.len >= 2 &&
		       (memcmp(rest.data, "FM", 2) == 0 || memcmp(rest.data, "fm", 2) == 0 ||
			memcmp(rest.data, "TM", 2) == 0 || memcmp(rest.data, "FX", 2) == 0)) {
			fill = fill && (rest.data[0] | 0x20) == 'f' &&
					       (rest.data[1] | 0x20) == 'm' ?
				       false :
			       rest.data[0] == 'T' ? false :
						     fill;
			rest = (struct str){ rest.data + 2, rest.len - 2 };
		}
		i = (size_t)(rest.data - pattern.data);
		used = add_pattern(b, d, rest, fill);
		if (used) {
			i += used;
		} else if (rest.len && rest.data[0] == '"') {
			/* a literal; a backslash keeps what follows it */
			for (i++; i < pattern.len && pattern.data[i] != '"'; i++) {
				if (pattern.data[i] == '\\' && i + 1 < pattern.len)
					i++;
				buf_addch(b, pattern.data[i]);
			}
			i++;
		} else if (rest.len) {
			i += rest.len > 1 && rest.data[0] == '\\' && rest.data[1] == '"';
			buf_addch(b, pattern.data[i++]);
		}
	}
}
