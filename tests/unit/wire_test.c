/* wire_test - a frame is whole or it is an error, wherever it is cut */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire.h"

#define FRAME \
	"{\"@table\":\"a\",\"columns\":[{\"name\":\"x\",\"type\":\"int4\"},{\"name\":\"@y\"," \
	"\"type\":\"text\"}]," \
	"\"key\":[\"x\"]}\n" \
	"{\"x\":1,\"@y\":\"one\"}\n" \
	"{\"@table\":\"b\",\"columns\":[{\"name\":\"@z\",\"type\":\"text[]\"}],\"mode\":" \
	"\"changes\"}\n" \
	"{\"@@z\":[\"q\"]}\n" \
	"{\"@table\":\"a\"}\n" \
	"{\"x\":2}\n" \
	"{\"@delete\":\"a\",\"key\":{\"x\":1}}\n" \
	"{\"@state\":{\"n\":[1, 2]}}\n"
#define END "{\"@end\":{\"rows\":{\"a\":2,\"b\":1}}}\n"

struct seen {
	int rows, tables, deletes, ends, fields;
	char state[64];
};

/* Read text to its end; what came is in seen. Returns the last return code. */
static int read_all(struct str text, const char *bare, struct seen *seen, struct err *e)
{
	FILE *f = tmpfile();
	struct wire_reader r;
	enum wire_event event = WIRE_TABLE;
	int rc;

	*seen = (struct seen){ 0 };
	assert_non_null(f);
	assert_int_equal(fwrite(text.data, 1, text.len, f), text.len);
	fflush(f);
	lseek(fileno(f), 0, SEEK_SET);
	wire_open(&r, fileno(f), "input", bare, 1000);
	while ((rc = wire_next(&r, &event, e)) == OK && event != WIRE_EOF) {
		seen->tables += event == WIRE_TABLE;
		seen->deletes += event == WIRE_DELETE;
		seen->ends += event == WIRE_END;
		seen->rows += event == WIRE_ROW;
		if (event == WIRE_ROW && (rc = wire_fields(&r, e)) != OK)
			break;
		if (event == WIRE_ROW)
			seen->fields += r.fields[0].kind != F_ABSENT;
		if (event == WIRE_STATE)
			snprintf(seen->state, sizeof(seen->state), "%.*s", STR_ARG(r.line));
	}
	wire_release(&r);
	fclose(f);
	return rc;
}

static void a_whole_frame_is_read(void **state)
{
	struct seen s;
	struct err e;

	(void)state;
	assert_int_equal(read_all(STR(FRAME END), NULL, &s, &e), OK);
	assert_int_equal(s.rows, 3);
	assert_int_equal(s.fields, 3);
	assert_int_equal(s.tables, 3);
	assert_int_equal(s.deletes, 1);
	assert_int_equal(s.ends, 1);
	assert_string_equal(s.state, "{\"n\":[1, 2]}");
}

static void a_frame_cut_at_any_byte_never_ends_well(void **state)
{
	static const char text[] = FRAME END;
	struct seen s;
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		assert_int_equal(read_all((struct str){ text, n }, NULL, &s, &e), CUT_SHORT);
		assert_int_equal(s.ends, 0);
	}
}

static void counts_must_agree(void **state)
{
	struct seen s;
	struct err e;

	(void)state;
	assert_int_equal(read_all(STR(FRAME "{\"@end\":{\"rows\":{\"a\":1,\"b\":1}}}\n"), NULL, &s,
				  &e),
			 CUT_SHORT);
	assert_int_equal(read_all(STR(FRAME "{\"@end\":{\"rows\":{\"a\":2}}}\n"), NULL, &s, &e),
			 CUT_SHORT);
	assert_int_equal(read_all(STR(FRAME "{\"@end\":{\"rows\":{\"c\":2}}}\n"), NULL, &s, &e),
			 BAD_DATA);
	assert_int_equal(read_all(STR(FRAME END "{\"x\":1}\n"), NULL, &s, &e), BAD_DATA);
}

static void what_is_no_frame_is_refused(void **state)
{
	static const char *const bad[] = {
		"{\"x\":1}\n",
		"{\"@what\":1}\n",
		"{\"@table\":\"a\"}\n",
		"{\"@table\":\"a\",\"columns\":[{\"name\":\"x\"}]}\n",
		"{\"@table\":\"a\",\"columns\":[{\"name\":\"x\",\"type\":\"t\"},{\"name\":\"x\","
		"\"type\":\"t\"}]}\n",
		"{\"@table\":\"a\",\"columns\":[{\"name\":\"x\",\"type\":\"t\"}],\"key\":[\"y\"]}"
		"\n",
		"{\"@table\":\"a\",\"columns\":[],\"mode\":\"some\"}\n",
		"{\"@table\":\"a\",\"columns\":[{\"name\":\"x\",\"type\":\"t\"}]}\n{\"y\":1}\n",
		"{\"@table\":\"a\",\"columns\":[{\"name\":\"x\",\"type\":\"t\"}]}\n"
		"{\"@table\":\"a\",\"columns\":[{\"name\":\"y\",\"type\":\"t\"}]}\n",
		"{\"@delete\":\"a\",\"key\":{}}\n",
		"{\"@state\":1}\n",
	};
	struct seen s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_all(str_of(bad[i]), NULL, &s, &e), BAD_DATA);
		assert_non_null(strstr(e.msg, "input: line "));
	}
}

static void a_line_longer_than_the_limit_is_an_error(void **state)
{
	struct buf b = { 0 };
	struct seen s;
	struct err e;

	(void)state;
	buf_addz(&b, "{\"x\":\"");
	for (int i = 0; i < 2000; i++)
		buf_addch(&b, 'x');
	buf_addz(&b, "\"}\n");
	assert_int_equal(read_all(buf_str(&b), "t", &s, &e), BAD_DATA);
	buf_release(&b);
}

static void bare_rows_are_taken_where_their_table_is_named(void **state)
{
	struct seen s;
	struct err e;

	(void)state;
	assert_int_equal(read_all(STR("{\"x\":1}\n\n{\"x\":2}\n"), "t", &s, &e), OK);
	assert_int_equal(s.rows, 2);
	assert_int_equal(s.tables, 1);
	assert_int_equal(read_all(STR(""), "t", &s, &e), OK);
	assert_int_equal(read_all(STR("{\"x\":1}\n{\"x\":2}"), "t", &s, &e), OK);
	assert_int_equal(s.rows, 2);
	assert_int_equal(read_all(STR("{\"x\":1}\n{\"x\":2"), "t", &s, &e), CUT_SHORT);
	assert_int_equal(read_all(STR("{\"x\":1}\n{\"@end\":{}}\n"), "t", &s, &e), BAD_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_frame_is_read),
		cmocka_unit_test(a_frame_cut_at_any_byte_never_ends_well),
		cmocka_unit_test(counts_must_agree),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(a_line_longer_than_the_limit_is_an_error),
		cmocka_unit_test(bare_rows_are_taken_where_their_table_is_named),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
