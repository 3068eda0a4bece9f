/* scan_test - the row scanner against yajl, over documents made, cut and mutated */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json.h"
#include "mem.h"
#include "scan.h"

static uint64_t seed = 88172645463325252u;

static unsigned pick(unsigned n) /* xorshift64 */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void add_random_string(struct buf *b)
{
	static const char *const pieces[] = { "a",
					      "Zq",
					      " ",
					      "\\n",
					      "\\\"",
					      "\\\\",
					      "\\/",
					      "\\u00e9",
					      "\\ud83d\\ude42",
					      "\xc3\xa9",
					      "\xf0\x9f\x99\x82",
					      "\xed\x9f\xbf",
					      "0" };

	buf_addch(b, '"');
	for (unsigned n = pick(6); n; n--)
		buf_addz(b, pieces[pick(sizeof(pieces) / sizeof(pieces[0]))]);
	buf_addch(b, '"');
}

static void add_random(struct buf *b, unsigned depth)
{
	static const char *const scalars[] = { "null", "true",	"false", "0",	 "-0",
					       "12",   "-3.25", "1e9",	 "2E-7", "0.0" };
	unsigned kind = pick(depth ? 6 : 4);

	if (kind < 2) {
		buf_addz(b, scalars[pick(sizeof(scalars) / sizeof(scalars[0]))]);
	} else if (kind < 4) {
		add_random_string(b);
	} else {
		buf_addch(b, kind == 4 ? '[' : '{');
		for (unsigned n = pick(4), i = 0; i < n; i++) {
			buf_addz(b, i ? "," : "");
			if (kind == 5) {
				add_random_string(b);
				buf_addz(b, pick(2) ? ":" : " : ");
			}
			add_random(b, depth - 1);
		}
		buf_addch(b, kind == 4 ? ']' : '}');
	}
}

static bool we_accept(struct str s)
{
	struct field f;
	struct err e;

	return scan_value(s, &f, &e) == OK;
}

/* Both judge alike, but for texts that the scanner does not look at: it refuses them where they
 * are wanted. */
static void agree(struct str s)
{
	struct json *doc;
	struct err e;
	bool ours = we_accept(s), theirs = json_parse(s, &doc, &e) == OK;

	json_free(doc);
	if (ours == theirs || (ours && strstr(e.msg, "half a surrogate pair")))
		return;
	fail_msg("scan %s what yajl %s: %.*s", ours ? "accepts" : "refuses",
		 theirs ? "accepts" : "refuses", STR_ARG(s));
}

static void made_documents_are_accepted_and_broken_ones_judged_as_yajl_does(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int n = 0; n < 3000; n++) {
		char *copy;

		buf_reset(&b);
		add_random(&b, 5);
		assert_true(we_accept(buf_str(&b)));
		agree(buf_str(&b));
		if (b.len > 200)
			continue;
		copy = xstrndup(b.data, b.len);
		for (size_t cut = 0; cut < b.len; cut++) {
			/* a heap block of that very size: reading behind it is seen by the
			 * sanitizer */
			char *part = xstrndup(b.data, cut);

			agree((struct str){ part, cut });
			free(part);
		}
		for (size_t i = 0; i < b.len; i++) {
			static const char bytes[] = "\"\\{}[],:0-e. tnu\x01\x80\xff";

			copy[i] = bytes[pick(sizeof(bytes) - 1)];
			agree((struct str){ copy, b.len });
			copy[i] = b.data[i];
		}
		free(copy);
	}
	buf_release(&b);
}

static const char *const names[] = { "id", "name", "@at", "q\"uote" };

static int scan(const char *line, struct field *f, struct err *e)
{
	struct scan_keys k;
	int rc;

	scan_keys_init(&k, names, 4);
	rc = scan_row(str_of(line), &k, f, e);
	scan_keys_release(&k);
	return rc;
}

static void keys_come_in_any_order_and_spelling(void **state)
{
	struct field f[4];
	struct err e;

	(void)state;
	assert_int_equal(scan("{\"id\":1,\"name\":\"x\",\"@at\":null,\"q\\\"uote\":[1]}", f, &e),
			 OK);
	assert_int_equal(scan(" { \"name\" : \"x\" , \"n\\u0061me2\":1}", f, &e), BAD_DATA);
	assert_int_equal(scan("{\"n\\u0061me\":\"y\",\"id\":-2}", f, &e), OK);
	assert_int_equal(f[0].kind, F_NUMBER);
	assert_true(str_eqz(f[0].text, "-2"));
	assert_true(str_eqz(f[1].text, "y"));
	assert_int_equal(f[2].kind, F_ABSENT);
	assert_int_equal(scan("{\"@@at\":true}", f, &e), OK);
	assert_int_equal(f[2].kind, F_TRUE);
	assert_int_equal(scan("{}", f, &e), OK);
}

static void rows_that_are_not_rows_are_refused(void **state)
{
	static const char *const bad[] = { "",
					   "[]",
					   "1",
					   "{\"id\":1,\"id\":2}",
					   "{\"other\":1}",
					   "{\"id\":1}x",
					   "{\"id\":}",
					   "{\"id\" 1}",
					   "{\"id\":1,}",
					   "{id:1}",
					   "{\"id\":01}",
					   "{\"id\":.5}",
					   "{\"id\":1.}",
					   "{\"id\":\"a\tb\"}",
					   "{\"id\":\"\\x\"}",
					   "{\"id\":\"\\u12g4\"}",
					   "{\"id\":\"\xff\"}",
					   "{\"id\":nul}",
					   "{\"id\":+1}" };
	struct field f[4];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(scan(bad[i], f, &e), BAD_DATA);
		assert_true(e.msg[0]);
	}
}

static void depth_is_bounded(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_addch(&b, '[');
	assert_false(we_accept(buf_str(&b)));
	buf_release(&b);
}

static void escapes_resolve_to_utf8(void **state)
{
	struct buf b = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(json_unescape(&b, STR("a\\n\\u00e9\\ud83d\\ude42\\/"), &e), OK);
	assert_string_equal(b.data, "a\n\xc3\xa9\xf0\x9f\x99\x82/");
	assert_int_equal(json_unescape(&b, STR("\\ud83d"), &e), BAD_DATA);
	assert_int_equal(json_unescape(&b, STR("\\ude42\\ud83d"), &e), BAD_DATA);
	assert_int_equal(json_unescape(&b, STR("\\u0000"), &e), BAD_DATA);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_documents_are_accepted_and_broken_ones_judged_as_yajl_does),
		cmocka_unit_test(keys_come_in_any_order_and_spelling),
		cmocka_unit_test(rows_that_are_not_rows_are_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(escapes_resolve_to_utf8),
	};

	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
