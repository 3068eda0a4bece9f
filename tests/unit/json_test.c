/* json_test - documents: what is not shown to yajl, and what is found in one */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json.h"
#include "mem.h"

static struct err e;

static void refused(struct str text, const char *why)
{
	struct json *doc;

	assert_int_equal(json_parse(text, &doc, &e), BAD_DATA);
	assert_null(doc);
	if (!strstr(e.msg, why) || strchr(e.msg, '\n'))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

static void nested(struct buf *b, size_t depth)
{
	buf_reset(b);
	for (size_t i = 0; i < depth; i++)
		buf_addch(b, '[');
	for (size_t i = 0; i < depth; i++)
		buf_addch(b, ']');
}

/* yajl_tree_free recurses */
static void depth_is_bounded(void **state)
{
	struct buf b = { 0 };
	struct json *doc;

	(void)state;
	nested(&b, JSON_MOST_DEPTH);
	assert_int_equal(json_parse(buf_str(&b), &doc, &e), OK);
	json_free(doc);
	nested(&b, JSON_MOST_DEPTH + 1);
	refused(buf_str(&b), "byte 201: nested too deeply");
	nested(&b, 5000000);
	refused(buf_str(&b), "nested too deeply");
	assert_int_equal(json_parse_within(STR("[[1]]"), 5, 1, &doc, &e), BAD_DATA);
	buf_release(&b);
}

/* CVE-2022-24795: a buffer whose size doubles beyond 32 bits. The bytes are not even looked at. */
static void length_is_bounded(void **state)
{
	struct json *doc;

	(void)state;
	refused((struct str){ "[", (size_t)3 << 30 }, "longer than 67108864 bytes");
	assert_int_equal(json_parse_within(STR("[1,2]"), 4, 9, &doc, &e), BAD_DATA);
	assert_int_equal(json_parse_within(STR("[1,2]"), 5, 9, &doc, &e), OK);
	json_free(doc);
}

/* CVE-2017-16516: what follows half a surrogate pair was read without a look at the end */
static void halves_of_characters_are_refused(void **state)
{
	static const char *const halves[] = {
		"[\"\\ud800\"]",       "[\"\\uD800",	    "[\"\\ud800\\\"]",
		"[\"\\ud800\\u\"]",    "[\"\\ud800\\u12\"]", "[\"\\ud800\\ud800\"]",
		"[\"\\ude42\\ud83d\"]", "{\"\\udc00\":1}",    "[\"\\ud800\\n\"]",
		"[\"\\ud800\\u0041\"]"
	};
	struct json *doc;

	(void)state;
	for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
		char *copy = xstrndup(halves[i], strlen(halves[i])); /* its end is the heap's */

		assert_int_equal(json_parse(str_of(copy), &doc, &e), BAD_DATA);
		free(copy);
	}
	refused(STR("[\"\\ud800\\u0041\"]"), "byte 4: half a surrogate pair");
	assert_int_equal(json_parse(STR("[\"\\ud83d\\ude42\"]"), &doc, &e), OK);
	assert_string_equal(json_string(json_at(doc, 0)), "\xf0\x9f\x99\x82");
	json_free(doc);
}

/* CVE-2023-33460: a document that was not whole stayed in memory */
static void what_is_refused_is_freed(void **state)
{
	static const char *const broken[] = { "[", "{\"a\":[1,\"b\"", "{\"a\":{\"b\":[}", "[1,]",
					      "{" };
	struct json *doc;
	size_t before = 0;

	(void)state;
	for (int n = 0; n < 10000; n++) {
		for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
			assert_int_equal(json_parse(str_of(broken[i]), &doc, &e), BAD_DATA);
		if (n == 10)
			before = mallinfo2().uordblks;
	}
	assert_true(mallinfo2().uordblks <= before + 1024);
}

static void only_what_rfc_8259_calls_json_is_taken(void **state)
{
	(void)state;
	refused(STR(""), "");
	refused(STR("  "), "");
	refused(STR("[1] x"), "byte 5: text behind the value");
	refused(STR("{}nul"), "text behind the value");
	refused(STR("1nul"), "");
	refused(STR("[1]]"), "text behind the value");
	refused(STR("]"), "not a JSON value");
	refused(STR("[1}"), "");
	refused(STR("[/* 1 */]"), "not a JSON value");
	refused(STR("[\v]"), "not a JSON value");
	refused(STR("[\"a\nb\"]"), "a control character in a string");
	refused(STR("[\"a\0b\"]"), "a control character in a string");
	refused(STR("[1\0]"), "not a JSON value");
	refused(STR("[\"\\u0000\"]"), "text cannot hold the character");
	refused(STR("[\"\\u00g0\"]"), "four hexadecimal digits");
	refused(STR("[\"\xed\xa0\x80\"]"), "byte 3: invalid UTF-8");
	refused(STR("[\"\xc0\x80\"]"), "invalid UTF-8");
	refused(STR("[\"\\"), "ends too early");
	refused(STR("[01]"), "");
	refused(STR("[\"\\x\"]"), "");
}

/* Nothing is found that is not there, and a name never stays unset. */
static void a_node_of_another_kind_has_nothing(void **state)
{
	const char *texts[] = { "[1,\"a\",null]", "{\"a\":1}", "\"a\"", "7", "null", "true" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *key = "unset";
		struct json *doc;
		int64_t n = 5;

		assert_int_equal(json_parse(str_of(texts[i]), &doc, &e), OK);
		assert_int_equal(json_count(doc), i == 0 ? 3 : 0);
		assert_int_equal(json_members(doc), i == 1 ? 1 : 0);
		assert_int_equal(json_at(doc, 0) != NULL, i == 0);
		assert_int_equal(json_member(doc, 0, &key) != NULL, i == 1);
		if (i == 1)
			assert_string_equal(key, "a");
		else
			assert_null(key);
		assert_null(json_member(doc, 3, &key));
		assert_null(key);
		assert_int_equal(json_get(doc, "a") != NULL, i == 1);
		assert_int_equal(json_int(doc, &n), i == 3);
		json_free(doc);
	}
	assert_int_equal(json_count(NULL) + json_members(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(length_is_bounded),
		cmocka_unit_test(halves_of_characters_are_refused),
		cmocka_unit_test(what_is_refused_is_freed),
		cmocka_unit_test(only_what_rfc_8259_calls_json_is_taken),
		cmocka_unit_test(a_node_of_another_kind_has_nothing),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
