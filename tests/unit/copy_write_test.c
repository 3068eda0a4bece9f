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

static void six_dimensions_are_the_most(void **state)
{
	(void)state;
	check("int4[]", "[[[[[[1]]]]]]", "{{{{{{\"1\"}}}}}}");
	check("text[]", "[[\"a\",null],[null,\"\"]]", "{{\"a\",NULL},{NULL,\"\"}}");
	check("box[]", "[[\"(1,1),(0,0)\"],[null]]", "{{\"(1,1),(0,0)\"};{NULL}}");
	check_refused("json[]", "[[[[[[[null]]]]]]]", "more than 6 dimensions");
}

static void what_other_columns_get_is_json_text(void **state)
{
	(void)state;
	check("text", "[1,\"a\\tb\"]", "[1,\"a\\\\tb\"]");
	check("int4", "{\"a\":1}", "{\"a\":1}");
	check("text[]", "{\"a\":\"\\\\\"}", "{\"a\":\"\\\\\\\\\"}");
	check("text[]", "[{\"a\":\"b\"},1.50,true]",
	      "{\"{\\\\\"a\\\\\":\\\\\"b\\\\\"}\",\"1.50\",\"true\"}");
}

static void json_text_in_an_array_is_unwrapped_and_quoted(void **state)
{
	(void)state;
	check("jsonb[]", "[{\"@json\":\"{\\\"a\\\":1}\"}]", "{\"{\\\\\"a\\\\\":1}\"}");
	check("json[]", "[{\"@json\":1},[\"x\"]]",
	      "{\"{\\\\\"@json\\\\\":1}\",{\"\\\\\"x\\\\\"\"}}");
	check_refused("json", "{\"@json\":\"\\ud800\"}", "surrogate");
}

static void a_field_is_appended(void **state)
{
	struct pg_type text = pg_type_parse(STR("text"));
	struct field f = { .text = STR("b"), .kind = F_STRING };
	struct buf b = { 0 };
	struct err e;

	(void)state;
	buf_addz(&b, "a\t");
	assert_int_equal(copy_write(&b, &f, &text, &e), OK);
	assert_string_equal(b.data, "a\tb");
	buf_release(&b);
}

/* --- any text comes back, read as PostgreSQL reads it --- */

/* The characters that mean something to JSON, COPY or an array, and some that do not. */
static const char *const letters[] = {
	"a", "N", "n", "\"", "\\", "\n", "\r", "\t", "\b", "\f", "\v",
	"{", "}", ",", ";", " ", ".", "/", "\x01", "\x7f",
	"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"
};

/* One of the ways in which JSON can write it. */
static void add_json_letter(struct buf *b, const char *c, int way)
{
	static const char special[] = "\b\f\n\r\t\"\\/", names[] = "bfnrt\"\\/";
	const char *at = strchr(special, *c);

	if (strcmp(c, "\xf0\x9f\x98\x80") == 0 && way)
		buf_addz(b, "\\ud83d\\uDE00");
	else if (strcmp(c, "\xe2\x82\xac") == 0 && way)
		buf_addz(b, "\\u20aC");
	else if (at && way)
		buf_addf(b, "\\%c", names[at - special]);
	else if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\')
		buf_addf(b, "\\u%04x", (unsigned)*c);
	else
		buf_addz(b, c);
}

/* What COPY makes of a field. */
static void read_copy(struct buf *text, const char *p)
{
	for (; *p; p++) {
		assert_null(strchr("\n\r\t", *p));
		if (*p != '\\') {
			buf_addch(text, *p);
			continue;
		}
		p++;
		assert_non_null(strchr("\\nrt", *p));
		buf_addch(text, *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p == 't' ? '\t' : *p);
	}
}

/* What array_in makes of a literal with one quoted element. */
static void read_element(struct buf *text, const char *p)
{
	assert_int_equal(strncmp(p, "{\"", 2), 0);
	for (p += 2; *p != '"'; p++) {
		p += *p == '\\';
		assert_int_not_equal(*p, '\0');
		buf_addch(text, *p);
	}
	assert_string_equal(p, "\"}");
}

static void round_trip(const struct buf *text, const struct buf *json, bool array)
{
	struct buf all = { 0 }, copy = { 0 }, literal = { 0 }, back = { 0 };
	struct err e;

	buf_addf(&all, array ? "[\"%s\"]" : "\"%s\"", json->len ? json->data : "");
	assert_int_equal(convert(&copy, array ? "text[]" : "text", all.data, all.len, &e), OK);
	buf_addz(&literal, "");
	read_copy(&literal, copy.data ? copy.data : "");
	if (array)
		read_element(&back, literal.data);
	else
		buf_addz(&back, literal.data);
	assert_true(str_eq(buf_str(&back), buf_str(text)));
	buf_release(&all);
	buf_release(&copy);
	buf_release(&literal);
	buf_release(&back);
}

static void any_text_comes_back_from_a_field_and_from_an_array(void **state)
{
	const size_t count = sizeof(letters) / sizeof(letters[0]);
	struct buf text = { 0 }, json = { 0 };

	(void)state;
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		buf_reset(&text);
		buf_reset(&json);
		for (long n = random() % 12; n > 0; n--) {
			const char *c = letters[(size_t)random() % count];

			buf_addz(&text, c);
			add_json_letter(&json, c, random() % 2);
		}
		round_trip(&text, &json, false);
		round_trip(&text, &json, true);
	}
	buf_release(&text);
	buf_release(&json);
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
		cmocka_unit_test(six_dimensions_are_the_most),
		cmocka_unit_test(what_other_columns_get_is_json_text),
		cmocka_unit_test(json_text_in_an_array_is_unwrapped_and_quoted),
		cmocka_unit_test(a_field_is_appended),
		cmocka_unit_test(any_text_comes_back_from_a_field_and_from_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
