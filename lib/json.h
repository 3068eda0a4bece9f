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

/* BAD_DATA with yajl's reason on one line. text need not be NUL-terminated. */
int json_parse(struct str text, struct json **doc, struct err *e);
void json_free(struct json *doc);

const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t i);
size_t json_count(const struct json *array_or_object);

/* The i-th member of an object; *key is valid as long as the document. */
const struct json *json_member(const struct json *object, size_t i, const char **key);

const char *json_string(const struct json *j);  /* NULL unless a string */
const char *json_number(const struct json *j);  /* its text; NULL unless a number */
bool json_int(const struct json *j, int64_t *n);
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
