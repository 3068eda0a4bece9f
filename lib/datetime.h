/* datetime.h - PostgreSQL's dates, times and intervals as plain integers, with its semantics in a
 * session with TimeZone UTC, DateStyle ISO and IntervalStyle postgres.
 *
 *   date         days since 2000-01-01, DATE_INFINITY and DATE_MINUS_INFINITY
 *   timestamp(tz) microseconds since 2000-01-01 00:00 (UTC), with infinities of its own
 *   time         microseconds since midnight, 24:00:00 allowed
 *   interval     months, days and microseconds, each with its sign
 *
 * Text in: ISO 8601 (2024-02-29, 2024-02-29T10:11:12.5+01, blank for T, " BC", infinity, epoch,
 * yyyymmdd) and PostgreSQL's interval words. What is not understood is BAD_DATA, never a guess. */
#ifndef STARPIPE_DATETIME_H
#define STARPIPE_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define DATE_INFINITY ((int64_t)INT32_MAX)
#define DATE_MINUS_INFINITY ((int64_t)INT32_MIN)
#define TS_INFINITY INT64_MAX
#define TS_MINUS_INFINITY INT64_MIN
#define USECS_PER_DAY 86400000000LL
#define USECS_PER_SEC 1000000LL

struct interval {
	int32_t months, days;
	int64_t usecs;
};

int date_parse(int64_t *date, struct str text, struct err *e);
int time_parse(int64_t *usecs, struct str text, struct err *e);
/* zone: a timestamptz, whose zone is applied (none means UTC); else a zone is read and ignored, as
 * PostgreSQL does for timestamp */
int timestamp_parse(int64_t *ts, struct str text, bool zone, struct err *e);
int interval_parse(struct interval *iv, struct str text, struct err *e);

/* ISO text; sep is ' ' for SQL and 'T' for the wire; zone: +00 for SQL, Z for the wire. */
void date_format(struct buf *b, int64_t date);
void time_format(struct buf *b, int64_t usecs);
void timestamp_format(struct buf *b, int64_t ts, char sep, bool zone);
void interval_format(struct buf *b, const struct interval *iv);

/* timestamp(3), time(3): round to so many digits of a second. */
int timestamp_round(int64_t *ts, int digits, struct err *e);
int64_t usecs_round(int64_t usecs, int digits);

int timestamp_from_date(int64_t *ts, int64_t date, struct err *e);
int timestamp_at(int64_t *ts, int64_t date, int64_t usecs, struct err *e); /* date + time */
int64_t date_from_timestamp(int64_t ts);       /* infinities map */
int64_t time_from_timestamp(int64_t ts);       /* of a finite one */
int64_t time_from_interval(const struct interval *iv);

int date_add_days(int64_t *r, int64_t date, int64_t days, struct err *e);
int date_diff(int64_t *days, int64_t a, int64_t b, struct err *e);
int timestamp_add(int64_t *r, int64_t ts, const struct interval *iv, struct err *e);
int timestamp_diff(struct interval *r, int64_t a, int64_t b, struct err *e);
int interval_neg(struct interval *r, const struct interval *iv, struct err *e);
int interval_add(struct interval *r, const struct interval *a, const struct interval *b,
		 struct err *e);
int interval_sub(struct interval *r, const struct interval *a, const struct interval *b,
		 struct err *e);
int interval_mul(struct interval *r, const struct interval *a, int64_t n, struct err *e);
int interval_cmp(const struct interval *a, const struct interval *b);
/* equal text for equal intervals (1 month = 30 days) */
void interval_add_key(struct buf *b, const struct interval *iv);

/* What extract, date_trunc and to_char look at. */
struct datetime {
	int64_t year;          /* astronomical: 1 BC is 0 */
	int month, day;        /* 1.. ; 0 in an interval or a time */
	int64_t hour;          /* may pass 23 in an interval */
	int minute, second, usec;
	int64_t day_number;    /* days since 2000-01-01 */
	enum { DT_DATE, DT_TIME, DT_TIMESTAMP, DT_TIMESTAMPTZ, DT_INTERVAL } type;
};

void datetime_of_timestamp(struct datetime *d, int64_t ts);
void datetime_of_date(struct datetime *d, int64_t date);
void datetime_of_interval(struct datetime *d, const struct interval *iv);
int timestamp_of_datetime(int64_t *ts, const struct datetime *d, struct err *e);

/* extract(field from d) as whole + number * 10^-scale, for the seconds of the longest interval are
 * no int64_t of microseconds; USAGE-like failure text is PostgreSQL's. */
struct datetime_field {
	int64_t whole, number;
	int scale;
};
int datetime_extract(const struct datetime *d, struct str field, struct datetime_field *f,
		     struct err *e);
int datetime_trunc(struct datetime *d, struct str field, struct err *e);

/* to_char's template patterns, always English. */
void datetime_to_char(struct buf *b, const struct datetime *d, struct str pattern);

#endif
