/* scan.h - the row scanner: one line of JSON into the slices of its values, nothing copied.
 *
 * This is the hot path of every tool that reads rows, so it is ours: it checks the whole line
 * against RFC 8259 (grammar, escapes, UTF-8), and finds columns by guessing that keys come in the
 * order announced, which costs one comparison; any other order works too. A differential fuzzer
 * holds it against yajl.
 *
 * Slices point into the line and are valid as long as it is. */
#ifndef STARPIPE_SCAN_H
#define STARPIPE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "str.h"

enum field_kind { F_ABSENT, F_NULL, F_FALSE, F_TRUE, F_NUMBER, F_STRING, F_ARRAY, F_OBJECT };

struct field {
	struct str text;  /* a string's inside, without the quotes; else the JSON text itself */
	unsigned char kind;
	bool escaped;     /* a string with a backslash in it: see json_unescape; a number with a
			     point or an exponent: see str_to_whole */
};

/* The columns to look for, made once per table. Borrows the names. */
struct scan_keys {
	struct str *quoted; /* each name as it stands in a line: "name" with escapes and quotes */
	size_t count;
};

void scan_keys_init(struct scan_keys *k, const char *const *names, size_t count);
void scan_keys_release(struct scan_keys *k);

/* Fill fields[0..k->count). A key that is not among k, or comes twice, and a line that is not one
 * JSON object is BAD_DATA; the message has the byte's position where there is one. A field that
 * did not come is F_ABSENT with an empty text. A first key
 * with a doubled @ counts as the name with one (starpipe-wire(5)). */
int scan_row(struct str line, const struct scan_keys *k, struct field *fields, struct err *e);

/* Split any JSON object's members: *at starts at 0; keys come with quotes. Returns OK with
 * value->kind F_ABSENT behind the last. The line is checked as far as it was read. */
int scan_member(struct str object, size_t *at, struct str *key, struct field *value, struct err *e);

/* The same for an array's elements. */
int scan_element(struct str array, size_t *at, struct field *value, struct err *e);

/* Is text one JSON value, and what kind? BAD_DATA otherwise. Blanks around it are not part. */
int scan_value(struct str text, struct field *value, struct err *e);

/* Eight bytes of a string at once: one that is a quote, a backslash, below 0x20 or above 0x7f sets
 * its high bit. Bytes behind the first such one may err. */
static inline uint64_t scan_special_bytes(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101u, highs = ones * 0x80;
	uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';

	return ((quote - ones) | (slash - ones) | (x - ones * 0x20) | x) & highs;
}

#endif
