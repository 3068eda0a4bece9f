/* pgsnapshot_test - the text of snapshots, and of what only looks like it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pgsnapshot.h"

static struct pgsnapshot parse(const char *text)
{
	struct pgsnapshot s;

	if (!pgsnapshot_parse(text, &s))
		fail_msg("\"%s\" is refused", text);
	return s;
}

static void a_snapshot_is_read(void **unused)
{
	struct pgsnapshot s = parse("10:20:10,12,19");

	(void)unused;
	assert_true(s.xmin == 10 && s.xmax == 20 && s.running_count == 3);
	s = parse("749:749:");
	assert_true(s.xmin == 749 && s.xmax == 749 && s.running_count == 0);
	s = parse("1084:1083:"); /* as slots export them */
	assert_true(s.xmin == 1084 && s.xmax == 1084 && s.running_count == 0);
	assert_true(pgsnapshot_sees(&s, 1083) && !pgsnapshot_sees(&s, 1084));
	s = parse("9223372036854775808:18446744073709551615:18446744073709551614");
	assert_true(s.xmin == (uint64_t)1 << 63 && s.xmax == UINT64_MAX && s.running_count == 1);
}

static void what_postgresql_does_not_write_is_refused(void **unused)
{
	static const char *const bad[] = {
		"", "10", "10:", "10:20", ":20:", "10::", "::", "0:20:", "10:0:",
		" 10:20:", "10: 20:", "10:20: 10", "10:20: ", "+10:20:", "10:-20:", "0x10:20:",
		"010:20:", "10:20:10,", "10:20:,10", "10:20:10,,12", "10:20:10;12", "10:20:10 ",
		"10:20:9", "10:20:20", "10:20:12,11", "10:20:12,12", "10:20:0", "ten:20:",
		"10:18446744073709551616:", "10:99999999999999999999:",
	};
	struct pgsnapshot s;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (pgsnapshot_parse(bad[i], &s) || s.xmin || s.xmax || s.running_count)
			fail_msg("\"%s\" is taken", bad[i]);
	assert_false(pgsnapshot_parse(NULL, &s));
}

static void it_sees_what_had_ended(void **unused)
{
	struct pgsnapshot s = parse("10:20:10,12,19");

	(void)unused;
	for (uint32_t xid = 3; xid < 30; xid++)
		assert_int_equal(pgsnapshot_sees(&s, xid),
				 xid < 20 && xid != 10 && xid != 12 && xid != 19);
}

/* 2^32 + 5 is number 5 of its epoch: 4294967290 came shortly before it. */
static void numbers_without_an_epoch_go_round(void **unused)
{
	struct pgsnapshot s = parse("4294967290:4294967301:4294967290,4294967300");

	(void)unused;
	assert_true(pgsnapshot_sees(&s, 4294967289));
	assert_false(pgsnapshot_sees(&s, 4294967290));
	assert_true(pgsnapshot_sees(&s, 4294967291));
	assert_true(pgsnapshot_sees(&s, 3));
	assert_false(pgsnapshot_sees(&s, 4));
	assert_false(pgsnapshot_sees(&s, 5));
	assert_false(pgsnapshot_sees(&s, 6));
	assert_true(pgsnapshot_sees(&s, 3000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_is_read),
		cmocka_unit_test(what_postgresql_does_not_write_is_refused),
		cmocka_unit_test(it_sees_what_had_ended),
		cmocka_unit_test(numbers_without_an_epoch_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
