/* pgoutput_test - messages of logical replication, made by hand; cut, stretched and scrambled */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "pgoutput.h"

#define B(literal) STR(literal)

static struct arena arena;

static int decode(struct str bytes, struct pgoutput *m)
{
	/* a copy of just this size: a sanitizer then sees every byte that is read too far */
	char *copy = malloc(bytes.len + !bytes.len);
	struct arena a = { 0 };
	struct err e;
	int rc;

	memcpy(copy, bytes.data, bytes.len);
	rc = pgoutput_decode((struct str){ copy, bytes.len }, &a, m, &e);
	free(copy);
	arena_release(&a);
	return rc;
}

static struct pgoutput good(struct str bytes)
{
	struct pgoutput m;
	struct err e = { 0 };

	if (pgoutput_decode(bytes, &arena, &m, &e) != OK)
		fail_msg("%s", e.msg);
	return m;
}

static void is_text(struct str s, const char *want)
{
	if (!str_eqz(s, want))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), want);
}

#define LSN "\0\0\0\x16\xb3\x74\xd8\x48"
#define TIME "\0\2\x76\x9d\0\0\0\1"

static const struct str begin = B("B" LSN TIME "\0\0\3\x15");
static const struct str commit = B("C\0" LSN LSN TIME);
static const struct str relation = B("R\0\0\x40\1public\0staff\0d\0\2"
				     "\1id\0\0\0\0\x17\xff\xff\xff\xff"
				     "\0first name\0\0\0\0\x19\xff\xff\xff\xff");
static const struct str insert = B("I\0\0\x40\1N\0\3t\0\0\0\2"
				   "42n"
				   "t\0\0\0\0");
static const struct str update = B("U\0\0\x40\1N\0\2t\0\0\0\1"
				   "7u");
static const struct str update_key = B("U\0\0\x40\1K\0\2t\0\0\0\1"
				       "6nN\0\2t\0\0\0\1"
				       "7u");
static const struct str update_full = B("U\0\0\x40\1O\0\1t\0\0\0\1"
					"6N\0\1n");
static const struct str delete_key = B("D\0\0\x40\1K\0\2t\0\0\0\1"
				       "7n");
static const struct str truncate = B("T\0\0\0\2\1\0\0\x40\1\0\0\x40\2");

static const struct str *const all[] = { &begin, &commit, &relation, &insert, &update, &update_key,
					 &update_full, &delete_key, &truncate };

static void test_transactions(void **unused)
{
	struct pgoutput m = good(begin);

	(void)unused;
	assert_int_equal(m.kind, PGOUTPUT_BEGIN);
	assert_true(m.lsn == 0x16b374d848);
	assert_int_equal(m.xid, 0x315);
	m = good(commit);
	assert_int_equal(m.kind, PGOUTPUT_COMMIT);
	assert_true(m.lsn == 0x16b374d848);
	assert_int_equal(good(B("Y whatever it says")).kind, PGOUTPUT_TYPE);
	assert_int_equal(good(B("O" LSN "name\0")).kind, PGOUTPUT_ORIGIN);
}

static void test_relation(void **unused)
{
	struct pgoutput m = good(relation);

	(void)unused;
	assert_int_equal(m.relation, 0x4001);
	assert_int_equal(m.column_count, 2);
	is_text(m.columns[0], "id");
	is_text(m.columns[1], "first name");
}

static void test_changes(void **unused)
{
	struct pgoutput m = good(insert);

	(void)unused;
	assert_int_equal(m.relation, 0x4001);
	assert_int_equal(m.tuple.count, 3);
	assert_int_equal(m.tuple.values[0].kind, 't');
	is_text(m.tuple.values[0].text, "42");
	assert_int_equal(m.tuple.values[1].kind, 'n');
	assert_int_equal(m.tuple.values[2].kind, 't'); /* an empty text is none the less a text */
	is_text(m.tuple.values[2].text, "");
	m = good(update);
	assert_int_equal(m.old_kind, 0);
	assert_int_equal(m.tuple.values[1].kind, 'u');
	m = good(update_key);
	assert_int_equal(m.old_kind, 'K');
	is_text(m.old.values[0].text, "6");
	is_text(m.tuple.values[0].text, "7");
	assert_int_equal(good(update_full).old_kind, 'O');
	m = good(delete_key);
	assert_int_equal(m.old_kind, 'K');
	is_text(m.old.values[0].text, "7");
	m = good(truncate);
	assert_int_equal(m.relation_count, 2);
	assert_int_equal(m.relations[1], 0x4002);
}

/* Every message, cut anywhere or with a byte too many, is an error. */
static void test_cut(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct buf longer = { 0 };
		struct pgoutput m;

		for (size_t len = 0; len < all[i]->len; len++)
			if (decode((struct str){ all[i]->data, len }, &m) != BAD_DATA)
				fail_msg("message %zu, %zu bytes of it", i, len);
		buf_addstr(&longer, *all[i]);
		buf_addch(&longer, 0);
		assert_int_equal(decode(buf_str(&longer), &m), BAD_DATA);
		buf_release(&longer);
	}
}

static void test_hostile(void **unused)
{
	static const struct str bad[] = {
		B(""),
		B("X"),
		B("I\0\0\0\1K\0\0"),
		B("I\0\0\0\1N\0\1b\0\0\0\0"),
		B("I\0\0\0\1N\xff\xff"),
		B("I\0\0\0\1N\0\1t\xff\xff\xff\xffx"),
		B("I\0\0\0\1N\0\1t\x7f\xff\xff\xffx"),
		B("T\xff\xff\xff\xff\0"),
		B("T\x40\0\0\1\0\0\0\0\1"),
		B("R\0\0\0\1no end"),
		B("R\0\0\0\1a\0b\0d\xff\xff"),
		B("D\0\0\0\1N\0\0"),
		B("U\0\0\0\1K\0\0K\0\0"),
	};
	struct pgoutput m;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (decode(bad[i], &m) != BAD_DATA)
			fail_msg("case %zu", i);
}

/* Bytes of good messages changed at random: decoded or refused, as a sanitizer sees. */
static void test_scrambled(void **unused)
{
	unsigned seed = 7;

	(void)unused;
	for (int round = 0; round < 200000; round++) {
		struct str from = *all[(size_t)round % (sizeof(all) / sizeof(all[0]))];
		struct buf b = { 0 };
		struct pgoutput m;

		buf_addstr(&b, from);
		for (int n = round % 3; n >= 0; n--) {
			seed = seed * 1664525u + 1013904223u;
			b.data[(seed >> 8) % b.len] = (char)(seed >> 24);
		}
		decode(buf_str(&b), &m);
		buf_release(&b);
	}
}

static void test_frames(void **unused)
{
	struct pgoutput_frame f;
	struct buf b = { 0 };
	struct err e;

	(void)unused;
	assert_int_equal(pgoutput_unframe(B("w" LSN LSN TIME "Bxyz"), &f, &e), OK);
	is_text(f.message, "Bxyz");
	assert_int_equal(pgoutput_unframe(B("k" LSN TIME "\1"), &f, &e), OK);
	assert_null(f.message.data);
	assert_true(f.wal_end == 0x16b374d848 && f.reply);
	assert_int_equal(pgoutput_unframe(B("k" LSN TIME), &f, &e), BAD_DATA);
	assert_int_equal(pgoutput_unframe(B("w" LSN LSN "\0"), &f, &e), BAD_DATA);
	assert_int_equal(pgoutput_unframe(B("z" LSN), &f, &e), BAD_DATA);
	assert_int_equal(pgoutput_unframe(B(""), &f, &e), BAD_DATA);
	pgoutput_add_status(&b, 0x16b374d848, 1, true);
	assert_int_equal(b.len, 34);
	assert_memory_equal(b.data, "r" LSN LSN LSN "\0\0\0\0\0\0\0\1\1", 34);
	buf_release(&b);
}

static void test_lsn(void **unused)
{
	static const char *const bad[] = { "", "1", "1/", "/1", "1/x", "1/123456789",
					   "1/1 ", "a:b", " 1/1", "1/ 1", "+1/1", "-1/1",
					   "1/-1", "0x1/1", "1/0x1", "123456789/1" };
	struct buf b = { 0 };
	uint64_t lsn = 5;

	(void)unused;
	assert_true(pgoutput_parse_lsn("16/B374D848", &lsn) && lsn == 0x16b374d848);
	pgoutput_add_lsn(&b, lsn);
	is_text(buf_str(&b), "16/B374D848");
	buf_release(&b);
	assert_true(pgoutput_parse_lsn("FFFFFFFF/FFFFFFFF", &lsn) && lsn == UINT64_MAX);
	assert_false(pgoutput_parse_lsn(NULL, &lsn));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (pgoutput_parse_lsn(bad[i], &lsn))
			fail_msg("\"%s\"", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_relation),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_scrambled),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_lsn),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_release(&arena);
	return failed;
}
