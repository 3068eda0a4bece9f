/* copy_write_test - JSON values as fields of COPY's text format */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "copy_write.h"

static int convert(struct buf *b, const char *type, const char *json, size_t len, struct err *e)
{
	struct pg_type t = pg_type_parse(str_of(type));
	struct field f;

	assert_int_equal(scan_value((struct str){ json, len }, &f, e), OK);
	return copy_write(b, &f, &t, e);
}

static void check(const char *type, const char *json, const char *copy)
{
	/* a copy of exactly the text's length, so that a sanitizer sees any byte read behind it */
	size_t len = strlen(json);
	char *exact = malloc(len ? len : 1);
	struct buf b = { 0 };
	struct err e;

	memcpy(exact, json, len);
	assert_int_equal(convert(&b, type, exact, len, &e), OK);
	assert_string_equal(b.data ? b.data : "", copy);
	buf_release(&b);
	free(exact);
}

static void check_refused(const char *type, const char *json, const char *why)
{
	struct buf b = { 0 };
	struct err e;

	assert_int_equal(convert(&b, type, json, strlen(json), &e), BAD_DATA);
	assert_non_null(strstr(e.msg, why));
	buf_release(&b);
}

static void null_and_absent_are_sql_null(void **state)
{
	struct field absent = { .kind = F_ABSENT };
	struct pg_type text = pg_type_parse(STR("text"));
	struct buf b = { 0 };
	struct err e;

	(void)state;
	check("text", "null", "\\N");
	check("int4[]", "null", "\\N");
	check("jsonb", "null", "\\N");
	assert_int_equal(copy_write(&b, &absent, &text, &e), OK);
	assert_string_equal(b.data, "\\N");
	buf_release(&b);
}

static void numbers_and_booleans_keep_their_text(void **state)
{
	(void)state;
	check("numeric", "-12345678901234567890.1230e+5", "-12345678901234567890.1230e+5");
	check("text", "1.0", "1.0");
	check("bool", "true", "true");
	check("bool", "false", "false");
	check("float8", "\"-Infinity\"", "-Infinity");
}

static void strings_are_unescaped_for_json_and_escaped_for_copy(void **state)
{
	(void)state;
	check("text", "\"\"", "");
	check("text", "\"plain 'text', \xc3\xa9\"", "plain 'text', \xc3\xa9");
	check("text", "\"\\\\N\"", "\\\\N");
	check("text", "\"\\\\.\"", "\\\\.");
	check("text", "\"a\\tb\\nc\\rd\"", "a\\tb\\nc\\rd");
	check("text", "\"\\b\\f\\u000b\\u001f\\u007f\"", "\b\f\v\x1f\x7f");
	check("text", "\"\\\"\\/\\\\\"", "\"/\\\\");
	check("text", "\"\\u0009\\u000a\\u000D\\u005c\\u0022\"", "\\t\\n\\r\\\\\"");
	check("text", "\"\\u00e9\\u20AC\\uD83D\\ude00x\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x");
	check("bytea", "\"\\\\x00ff\"", "\\\\x00ff");
}

static void what_text_cannot_hold_is_refused(void **state)
{
	(void)state;
	check_refused("text", "\"a\\u0000b\"", "\\u0000");
	check_refused("text", "\"\\ud83d\"", "surrogate");
	check_refused("text", "\"\\ud83d\\u0041\"", "surrogate");
	check_refused("text", "\"\\udc00\"", "surrogate");
	check_refused("text[]", "[\"\\u0000\"]", "\\u0000");
	check_refused("int4[]", "[[[[[[[1]]]]]]]", "more than 6 dimensions");
}

static void json_columns_take_the_json_text(void **state)
{
	(void)state;
	check("json", "{\"a\" :\t\"x\\n\\\"\"}", "{\"a\" :\\t\"x\\\\n\\\\\"\"}");
	check("jsonb", "\"str\\u0041\"", "\"str\\\\u0041\"");
	check("json", "[1, null]", "[1, null]");
	check("json", "true", "true");
	check("text", "{\"a\":[1,\"\\\\\"]}", "{\"a\":[1,\"\\\\\\\\\"]}");
}

static void verbatim_json_is_unwrapped(void **state)
{
	(void)state;
	check("json", "{\"@json\":\"null\"}", "null");
	check("json", "{ \"@json\" : \"{ \\\"a\\\":\\n1}\" }", "{ \"a\":\\n1}");
	check("json", "{\"@json\":\"\\\"\\\\u0000\\\"\"}", "\"\\\\u0000\"");
	/* more members, or no string: an object like any other */
	check("json", "{\"@json\":\"1\",\"b\":2}", "{\"@json\":\"1\",\"b\":2}");
	check("jsonb", "{\"@json\":1}", "{\"@json\":1}");
	check("text", "{\"@json\":\"1\"}", "{\"@json\":\"1\"}");
}

static void arrays_become_array_literals(void **state)
{
	(void)state;
	check("int4[]", "[]", "{}");
	check("int4[]", "[ ]", "{}");
	check("int4[]", "[1, -2,null]", "{\"1\",\"-2\",NULL}");
	check("int4[]", "[[1,2],[3,4]]", "{{\"1\",\"2\"},{\"3\",\"4\"}}");
	check("bool[]", "[true,false]", "{\"true\",\"false\"}");
	check("text[]", "[\"\",\"NULL\",null,\"a,b{}\"]", "{\"\",\"NULL\",NULL,\"a,b{}\"}");
	check("text[]", "[\"q\\\"b\\\\\"]", "{\"q\\\\\"b\\\\\\\\\"}");
	check("text[]", "[\"t\\tn\\nr\\r\"]", "{\"t\\tn\\nr\\r\"}");
	check("box[]", "[\"(2,2),(1,1)\",\"(4,4),(3,3)\"]", "{\"(2,2),(1,1)\";\"(4,4),(3,3)\"}");
	check("text[]", "\"[2:3]={a,b}\"", "[2:3]={a,b}");
}

static void json_arrays_hold_json_elements(void **state)
{
	(void)state;
	check("json[]", "[1,\"s\",{\"a\":\"\\n\"},null,{\"@json\":\"[1]\"},{\"@json\":\"null\"}]",
	      "{\"1\",\"\\\\\"s\\\\\"\",\"{\\\\\"a\\\\\":\\\\\"\\\\\\\\n\\\\\"}\",NULL,\"[1]\","
	      "\"null\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_and_absent_are_sql_null),
		cmocka_unit_test(numbers_and_booleans_keep_their_text),
		cmocka_unit_test(strings_are_unescaped_for_json_and_escaped_for_copy),
		cmocka_unit_test(what_text_cannot_hold_is_refused),
		cmocka_unit_test(json_columns_take_the_json_text),
		cmocka_unit_test(verbatim_json_is_unwrapped),
		cmocka_unit_test(arrays_become_array_literals),
		cmocka_unit_test(json_arrays_hold_json_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
