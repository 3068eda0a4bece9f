/* copy_read_test - fields that no PostgreSQL sends, but who says that it is one? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "copy_read.h"
#include "mem.h"
#include "scan.h"

static void what_is_no_value_of_its_type_is_a_string(void **state)
{
	static const char *const types[] = { "timestamp", "timestamptz", "numeric",
					     "float8",    "int4",        "bool",
					     "int4[]",    "jsonb[]",     "text[]",
					     "json" };
	static const char *const texts[] = {
		" BC", "2024 BC", "\" 1", "a\" b\"", "1}\\n{\"@end\":9", "0x9", "-", "01",
		"1.", "1e", "{{{{{{{{1}", "{1\\\\", "{\"a", "{1,}", "{,}", "{1}}", "}", "{}{}",
		"{\"\\\\", ""
	};
	struct buf b = { 0 };
	struct field f;
	struct err e;

	(void)state;
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			struct pg_type type = pg_type_parse(str_of(types[t]));
			char *copy = xstrndup(texts[i], strlen(texts[i]));

			buf_reset(&b);
			assert_int_equal(copy_read(&b, &type, str_of(copy), &e), OK);
			if (scan_value(buf_str(&b), &f, &e) != OK || memchr(b.data, '\n', b.len))
				fail_msg("%s of \"%s\" is %s", types[t], texts[i], b.data);
			free(copy);
		}
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_value_of_its_type_is_a_string),
	};

	return cmocka_run_group_tests_name("copy_read", tests, NULL, NULL);
}
