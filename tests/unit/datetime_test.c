/* datetime_test - dates and times against values that PostgreSQL 15 gave */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datetime.h"

static void timestamps_go_in_and_out(void **state)
{
	static const char *const pairs[][2] = {
		{ "2024-02-29T10:11:12.5", "2024-02-29 10:11:12.5" },
		{ "2024-02-29", "2024-02-29 00:00:00" },
		{ "2000-01-01 24:00:00", "2000-01-02 00:00:00" },
		{ "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC" },
		{ "0001-12-31T23:59:59.999999 BC", "0001-12-31 23:59:59.999999 BC" },
		{ "294276-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999" },
		{ "4714-11-24 00:00:00 BC", "4714-11-24 00:00:00 BC" },
		{ "20240229 1:02", "2024-02-29 01:02:00" },
		{ "2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00.123457" },
		{ "infinity", "infinity" }, { "-infinity", "-infinity" },
		{ "epoch", "1970-01-01 00:00:00" },
	};
	static const char *const bad[] = {
		"",	      "x",	     "2023-02-29",   "2024-13-01", "2024-01-01 25:00",
		"01/02/2024", "2024-01-01x", "294277-01-01", "0000-01-01", "2024-01-01 10:61:00",
		"24-01-01"
	};
	struct buf b = { 0 };
	struct err e;
	int64_t ts;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(timestamp_parse(&ts, str_of(pairs[i][0]), false, &e), OK);
		buf_reset(&b);
		timestamp_format(&b, ts, ' ', false);
		assert_string_equal(b.data, pairs[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(timestamp_parse(&ts, str_of(bad[i]), false, &e), BAD_DATA);
	assert_int_equal(timestamp_parse(&ts, STR("2024-06-01 12:00:00.5+05:30"), true, &e), OK);
	buf_reset(&b);
	timestamp_format(&b, ts, 'T', true);
	assert_string_equal(b.data, "2024-06-01T06:30:00.5Z");
	buf_release(&b);
}

static void every_day_is_the_one_behind_its_neighbour(void **state)
{
	struct buf b = { 0 };
	struct err e;
	int64_t back;

	(void)state;
	for (int64_t day = -2451545; day < 3000000; day += 997) {
		buf_reset(&b);
		date_format(&b, day);
		assert_int_equal(date_parse(&back, buf_str(&b), &e), OK);
		assert_true(back == day);
	}
	buf_release(&b);
}

static void months_end_on_their_last_day(void **state)
{
	static const struct {
		const char *ts, *interval, *sum;
	} rows[] = {
		{ "2024-01-31", "1 month", "2024-02-29 00:00:00" },
		{ "2023-03-31", "-1 mons", "2023-02-28 00:00:00" },
		{ "2024-02-29", "1 year", "2025-02-28 00:00:00" },
		{ "2024-12-31", "2 mons 1 day 01:00", "2025-03-01 01:00:00" },
		{ "0001-01-01", "-1 day", "0001-12-31 00:00:00 BC" },
	};
	struct buf b = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct interval iv;
		int64_t ts;

		assert_int_equal(timestamp_parse(&ts, str_of(rows[i].ts), false, &e), OK);
		assert_int_equal(interval_parse(&iv, str_of(rows[i].interval), &e), OK);
		assert_int_equal(timestamp_add(&ts, ts, &iv, &e), OK);
		buf_reset(&b);
		timestamp_format(&b, ts, ' ', false);
		assert_string_equal(b.data, rows[i].sum);
	}
	buf_release(&b);
}

static void intervals_print_as_postgresql_does(void **state)
{
	static const char *const pairs[][2] = {
		{ "1 year 2 months", "1 year 2 mons" }, { "-1 day 2 hours", "-1 days +02:00:00" },
		{ "90 minutes", "01:30:00" }, { "1.5 days", "1 day 12:00:00" }, { "0", "00:00:00" },
		{ "1 mon -1 day", "1 mon -1 days" }, { "-00:00:00.5", "-00:00:00.5" },
		{ "3 weeks ago", "-21 days" }, { "100:00:00", "100:00:00" },
		{ "-2147483648 mons", "-178956970 years -8 mons" },
		{ "-9223372036854.775808 secs", "-2562047788:00:54.775808" },
	};
	static const char *const bad[] = {
		"1 moon", "", "ago", "1 day 2 days", "1 hour 02:03:04", "00:60:00", "00:00:61",
		"2147483648 mons", "2147483647 days 1 week", "178956970 years 8 mons",
		"-2147483648 days ago", "2562047788:00:54.775808", "9223372036854.775807 sec 1 us",
	};
	struct buf b = { 0 };
	struct interval iv;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(interval_parse(&iv, str_of(pairs[i][0]), &e), OK);
		buf_reset(&b);
		interval_format(&b, &iv);
		assert_string_equal(b.data, pairs[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(interval_parse(&iv, str_of(bad[i]), &e), BAD_DATA);
	buf_release(&b);
}

static void weeks_and_quarters_belong_to_their_years(void **state)
{
	static const struct {
		const char *ts, *pattern, *text;
	} rows[] = {
		{ "2021-01-03", "IYYY-\"W\"IW-ID", "2020-W53-7" },
		{ "2024-12-30", "IYYY-\"W\"IW-ID", "2025-W01-1" },
		{ "2024-03-31", "Q", "1" },
		{ "2024-04-01", "Q", "2" },
		{ "2024-12-31", "Q DDD", "4 366" },
		{ "2024-02-29", "FMDay, FMMonth FMDDth", "Thursday, February 29th" },
		{ "2024-05-01", "Day|Month|", "Wednesday|May      |" },
		{ "0044-03-15 BC", "YYYY BC", "0044 BC" },
		{ "2024-02-29 13:05:09.045", "HH12:MI:SS.MS PM", "01:05:09.045 PM" },
	};
	struct buf b = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct datetime d;
		int64_t ts;

		assert_int_equal(timestamp_parse(&ts, str_of(rows[i].ts), false, &e), OK);
		datetime_of_timestamp(&d, ts);
		buf_reset(&b);
		datetime_to_char(&b, &d, str_of(rows[i].pattern));
		assert_string_equal(b.data, rows[i].text);
	}
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timestamps_go_in_and_out),
		cmocka_unit_test(every_day_is_the_one_behind_its_neighbour),
		cmocka_unit_test(months_end_on_their_last_day),
		cmocka_unit_test(intervals_print_as_postgresql_does),
		cmocka_unit_test(weeks_and_quarters_belong_to_their_years),
	};

	return cmocka_run_group_tests_name("datetime", tests, NULL, NULL);
}
