/* json.h - JSON documents (by yajl, the only place that includes it) and JSON text.
 *
 * Documents are for what is small: control lines, configuration, replies, parse trees. Rows are
 * read by scan.h, which copies nothing.
 *
 * A struct json is a node of a parsed document; json_free frees the whole document through its
 * root. Every accessor takes NULL and a node of another kind and then says "not there" (NULL,
 * false, 0), so that paths can be chained without checks. */
#ifndef STARPIPE_JSON_H
#define STARPIPE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct json;

enum {
	JSON_MOST_BYTES = 64 << 20, /* of a document; it takes up to 48 times its bytes of memory */
	JSON_MOST_DEPTH = 200       /* of arrays and objects in each other */
};

/* BAD_DATA, with the reason on one line, for what RFC 8259 does not call one JSON text, for bytes
 * that are not UTF-8, text that a string of C or PostgreSQL cannot hold (U+0000, half a surrogate
 * pair), and more than the most above: yajl sees nothing of what is wrong in one of these ways.
 * text need not be NUL-terminated. *doc is NULL then. */
int json_parse(struct str text, struct json **doc, struct err *e);

/* The same with limits of one's own. Whoever walks the document by recursion chooses the depth
 * for it; json_free recurses with less than 100 bytes of stack a level. */
int json_parse_within(struct str text, size_t most_bytes, size_t most_depth, struct json **doc,
		      struct err *e);
void json_free(struct json *doc);

const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t i);
size_t json_count(const struct json *array);    /* of its elements */
size_t json_members(const struct json *object); /* how many it has */

/* The i-th member of an object; *key is valid as long as the document, and NULL where there is no
 * such member. */
const struct json *json_member(const struct json *object, size_t i, const char **key);

const char *json_string(const struct json *j);  /* NULL unless a string */
const char *json_number(const struct json *j);  /* its text; NULL unless a number */
bool json_int(const struct json *j, int64_t *n);
bool json_is_array(const struct json *j);
bool json_true(const struct json *j);
bool json_null(const struct json *j);           /* the value null, that is: it is there */

/* Text of a string value: quoted, with what JSON wants escaped. s must be valid UTF-8. */
void json_add_string(struct buf *b, struct str s);

/* The inside of a string (scan.h's field) with its escapes resolved. A lone surrogate or, as
 * PostgreSQL's text cannot hold it, U+0000 is BAD_DATA. s has passed the scanner. */
int json_unescape(struct buf *b, struct str s, struct err *e);

/* The same for the one escape that s starts with: out gets its UTF-8, *used says how many bytes
 * of s it was. */
int json_unescape_one(struct str s, char out[4], size_t *out_len, size_t *used, struct err *e);

#endif
