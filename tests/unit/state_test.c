/* state_test - which of two states is the later one */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "state.h"

#define PG(more) \
	"{\"source\":\"postgresql\",\"system\":\"7\",\"database\":\"d\",\"timeline\":1," more "}"
#define LAKE(id, n) "{\"source\":\"lake\",\"lake\":\"" id "\",\"step\":" n "}"

static const struct {
	const char *state, *than;
	enum state_order order;
} cases[] = {
	{ PG("\"snapshot\":\"10:20:\""), PG("\"snapshot\":\"10:20:\""), STATE_SAME },
	{ PG("\"snapshot\":\"9:20:9\""), PG("\"snapshot\":\"10:20:\""), STATE_OLDER },
	{ PG("\"snapshot\":\"10:21:10,12\""), PG("\"snapshot\":\"10:20:10\""), STATE_NEWER },
	{ PG("\"snapshot\":\"10:20:10,12\""), PG("\"snapshot\":\"10:20:10\""), STATE_OLDER },
	/* beyond 2^32: xid8 has the epoch in it */
	{ PG("\"snapshot\":\"4294967300:4294967301:\""), PG("\"snapshot\":\"99:100:\""),
	  STATE_NEWER },
	{ PG("\"lsn\":\"0/FFFFFFFF\""), PG("\"lsn\":\"1/0\""), STATE_OLDER },
	{ PG("\"lsn\":\"1/0\""), PG("\"lsn\":\"1/0\""), STATE_SAME },
	{ PG("\"lsn\":\"1/0\""), PG("\"snapshot\":\"10:20:\""), STATE_OTHER },
	{ "{\"source\":\"postgresql\",\"system\":\"8\",\"database\":\"d\",\"snapshot\":\"1:1:\"}",
	  PG("\"snapshot\":\"10:20:\""), STATE_OTHER },
	/* a restored database begins again at earlier numbers */
	{ PG("\"generation\":1,\"snapshot\":\"10:10:\""), PG("\"snapshot\":\"20:20:\""),
	  STATE_NEWER },
	{ LAKE("a", "9"), LAKE("a", "10"), STATE_OLDER },
	{ LAKE("a", "11"), LAKE("b", "10"), STATE_OTHER },
	{ LAKE("a", "1"), PG("\"lsn\":\"1/0\""), STATE_OTHER },
	{ "", LAKE("a", "1"), STATE_OTHER },
	{ "{}", LAKE("a", "1"), STATE_OTHER },
};

static void test_order(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str state = str_of(cases[i].state), than = str_of(cases[i].than);
		enum state_order back = cases[i].order == STATE_OLDER ? STATE_NEWER :
					cases[i].order == STATE_NEWER ? STATE_OLDER :
									cases[i].order;

		if (state_order(state, than) != cases[i].order ||
		    state_order(than, state) != back)
			fail_msg("case %zu: %s against %s", i, cases[i].state, cases[i].than);
	}
}

static void test_follows(void **unused)
{
	(void)unused;
	assert_true(state_follows(str_of(PG("\"snapshot\":\"20:20:\",\"since\":\"10:20:\"")),
				  str_of(PG("\"snapshot\":\"10:20:\""))));
	assert_false(state_follows(str_of(PG("\"snapshot\":\"20:20:\",\"since\":\"9:20:\"")),
				   str_of(PG("\"snapshot\":\"10:20:\""))));
	assert_false(state_follows(str_of(PG("\"snapshot\":\"20:20:\"")),
				   str_of(PG("\"snapshot\":\"10:20:\""))));
	assert_true(state_follows(str_of(PG("\"lsn\":\"0/20\",\"since\":\"0/10\"")),
				  str_of(PG("\"lsn\":\"0/10\""))));
	assert_true(state_follows(str_of(LAKE("a", "3,\"since\":2")), str_of(LAKE("a", "2"))));
	assert_false(state_follows(str_of(LAKE("b", "3,\"since\":2")), str_of(LAKE("a", "2"))));
}

static bool skips(const char *state, const char *known)
{
	return state_skips(str_of(state), str_of(known));
}

static void test_skips(void **unused)
{
	(void)unused;
	assert_true(skips(PG("\"snapshot\":\"20:20:\",\"since\":\"10:20:10\""),
			  PG("\"snapshot\":\"10:19:\"")));
	assert_false(skips(PG("\"snapshot\":\"20:20:\",\"since\":\"10:20:10\""),
			   PG("\"snapshot\":\"10:20:10\"")));
	assert_false(skips(PG("\"snapshot\":\"20:20:\",\"since\":\"10:20:10\""),
			   PG("\"snapshot\":\"30:30:\"")));
	assert_true(skips(PG("\"lsn\":\"0/20\",\"since\":\"0/10\""), PG("\"lsn\":\"0/9\"")));
	assert_false(skips(PG("\"lsn\":\"0/20\",\"since\":\"0/10\""), PG("\"lsn\":\"0/10\"")));
	assert_true(skips(LAKE("a", "3,\"since\":2"), LAKE("a", "1")));
	assert_false(skips(LAKE("a", "3,\"since\":2"), LAKE("a", "2")));
	assert_true(skips(LAKE("a", "3,\"since\":2"), LAKE("b", "2")));
	/* of another database, of an earlier life of it */
	assert_true(skips("{\"source\":\"postgresql\",\"system\":\"7\",\"database\":\"e\","
			  "\"timeline\":1,\"snapshot\":\"9:9:\",\"since\":\"8:8:\"}",
			  PG("\"snapshot\":\"20:20:\"")));
	assert_true(skips(PG("\"generation\":1,\"snapshot\":\"9:9:\",\"since\":\"8:8:\""),
			  PG("\"snapshot\":\"8:8:\"")));
	/* what cannot be told */
	assert_false(skips(PG("\"snapshot\":\"20:20:\""), PG("\"snapshot\":\"10:19:\"")));
	assert_false(skips(LAKE("a", "3,\"since\":2"), "{}"));
	assert_false(skips(LAKE("a", "3,\"since\":2"), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order),
					    cmocka_unit_test(test_follows),
					    cmocka_unit_test(test_skips) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
