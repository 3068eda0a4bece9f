/* numeric_test - decimals against values that PostgreSQL 15 gave */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "numeric.h"

static struct arena arena;

static struct numeric num(const char *text)
{
	struct numeric n;
	struct err e;

	assert_int_equal(numeric_parse(&n, str_of(text), &arena, &e), OK);
	return n;
}

static void expect(const struct numeric *n, const char *text)
{
	struct buf b = { 0 };

	numeric_format(n, &b);
	assert_string_equal(b.data, text);
	buf_release(&b);
}

static void text_goes_in_and_out(void **state)
{
	static const char *const pairs[][2] = {
		{ "0", "0" }, { "-0.00", "0.00" }, { " 3.40 ", "3.40" }, { "1e5", "100000" },
		{ "1.5e-3", "0.0015" }, { ".5", "0.5" }, { "5.", "5" }, { "+7", "7" },
		{ "nan", "NaN" }, { "-inf", "-Infinity" }, { "Infinity", "Infinity" },
		{ "-123456789012345678901234567890.1", "-123456789012345678901234567890.1" },
	};
	static const char *const bad[] = {
		"", ".", "1.2.3", "1e", "x", "1 2", "--1", "1e999999999"
	};
	struct numeric n;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		n = num(pairs[i][0]);
		expect(&n, pairs[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(numeric_parse(&n, str_of(bad[i]), &arena, &e), BAD_DATA);
}

static void quotients_have_postgresqls_scale(void **state)
{
	static const char *const rows[][3] = {
		{ "1", "3", "0.33333333333333333333" },
		{ "2", "3", "0.66666666666666666667" },
		{ "10", "4", "2.5000000000000000" },
		{ "-7", "2", "-3.5000000000000000" },
		{ "1", "1000000", "0.000001000000000000000000" },
		{ "123456789.5", "0.001", "123456789500.00000000" },
		{ "0", "5",
		  "0"
		  "."
		  "00000000000000000000" },
		{ "1", "Infinity", "0" },
		{ "Infinity", "-2", "-Infinity" },
		{ "NaN", "0", "NaN" },
	};
	struct numeric r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct numeric x = num(rows[i][0]), y = num(rows[i][1]);

		assert_int_equal(numeric_div(&r, &x, &y, &arena, &e), OK);
		expect(&r, rows[i][2]);
	}
	r = num("0");
	assert_int_equal(numeric_div(&r, &r, &r, &arena, &e), BAD_DATA);
	assert_string_equal(e.msg, "division by zero");
}

static void rounding_is_half_away_from_zero(void **state)
{
	static const struct {
		const char *in;
		int digits;
		enum numeric_rounding how;
		const char *out;
	} rows[] = {
		{ "2.5", 0, ROUND_HALF_AWAY, "3" }, { "-2.5", 0, ROUND_HALF_AWAY, "-3" },
		{ "0.005", 2, ROUND_HALF_AWAY, "0.01" }, { "1250", -2, ROUND_HALF_AWAY, "1300" },
		{ "1.5", 4, ROUND_HALF_AWAY, "1.5000" }, { "-1.5", 0, ROUND_TRUNC, "-1" },
		{ "-1.5", 0, ROUND_FLOOR, "-2" }, { "-1.5", 0, ROUND_CEIL, "-1" },
		{ "1.2", 0, ROUND_CEIL, "2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct numeric x = num(rows[i].in), r;
		struct err e;

		assert_int_equal(
			numeric_round(&r, &x, rows[i].digits, rows[i].how, &arena, &e), OK);
		expect(&r, rows[i].out);
	}
}

static void there_is_no_room_beyond_131072_digits(void **state)
{
	struct numeric most = num("1e131071"), ten = num("10"), r;
	struct err e;

	(void)state;
	assert_int_equal(numeric_mul(&r, &most, &ten, &arena, &e), BAD_DATA);
	assert_string_equal(e.msg, "value overflows numeric format");
	assert_int_equal(numeric_sub(&r, &most, &ten, &arena, &e), OK);
	assert_int_equal(numeric_mul(&r, &r, &ten, &arena, &e), OK);
	assert_int_equal(numeric_add(&r, &r, &ten, &arena, &e), OK);
	assert_int_equal(numeric_round(&r, &r, -131071, ROUND_CEIL, &arena, &e), BAD_DATA);
	assert_int_equal(numeric_parse(&r, STR("1e131072"), &arena, &e), BAD_DATA);
	assert_int_equal(numeric_parse(&r, STR("1e-16384"), &arena, &e), BAD_DATA);
	arena_release(&arena);
}

static void equal_numbers_have_equal_keys(void **state)
{
	static const char *const same[][2] = { { "1.50", "1.5" },
					       { "100", "1e2" },
					       { "0.000", "0" } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct numeric x = num(same[i][0]), y = num(same[i][1]);
		struct buf a = { 0 }, b = { 0 };

		assert_int_equal(numeric_cmp(&x, &y), 0);
		numeric_add_key(&x, &a);
		numeric_add_key(&y, &b);
		assert_string_equal(a.data, b.data);
		buf_release(&a);
		buf_release(&b);
	}
}

static void special_values_are_ordered(void **state)
{
	static const char *const up[] = { "-Infinity", "-1e50",	   "-0.1", "0",
					  "0.1",       "Infinity", "NaN" };

	(void)state;
	for (size_t i = 0; i < 7; i++)
		for (size_t k = 0; k < 7; k++) {
			struct numeric x = num(up[i]), y = num(up[k]);
			int c = numeric_cmp(&x, &y);

			assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
		}
}

static void a_number_fits_its_precision_or_is_refused(void **state)
{
	struct numeric x = num("99.995"), r;
	struct err e;
	int64_t i;

	(void)state;
	assert_int_equal(numeric_limit(&r, &x, 5, 2, &arena, &e), OK);
	expect(&r, "100.00");
	assert_int_equal(numeric_limit(&r, &x, 4, 2, &arena, &e), BAD_DATA);
	assert_true(numeric_to_i64(&x, &i));
	assert_int_equal(i, 100);
	x = num("9223372036854775807.5");
	assert_false(numeric_to_i64(&x, &i));
	x = num("-9223372036854775808");
	assert_true(numeric_to_i64(&x, &i));
	assert_true(i == INT64_MIN);
}

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_goes_in_and_out),
		cmocka_unit_test(quotients_have_postgresqls_scale),
		cmocka_unit_test(rounding_is_half_away_from_zero),
		cmocka_unit_test(there_is_no_room_beyond_131072_digits),
		cmocka_unit_test(equal_numbers_have_equal_keys),
		cmocka_unit_test(special_values_are_ordered),
		cmocka_unit_test(a_number_fits_its_precision_or_is_refused),
	};

	return cmocka_run_group_tests_name("numeric", tests, NULL, release);
}
