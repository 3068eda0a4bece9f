/* copy_write.h - a JSON value as a field of COPY's text format.
 *
 * The last step of a row before the server, and a hot path: what needs no escaping is copied as
 * it is, the rest is unescaped from JSON and escaped for COPY in one pass.
 *
 *     null, absent      \N
 *     number            its text, digit for digit; for an integer column 2.0 is 2
 *     true, false       true, false
 *     string            its characters; for an array column: PostgreSQL's own array text
 *     array             for an array column {a,b,...}, every element that is text in quotes
 *     object, array     for any other column: the JSON text
 * json and jsonb columns take any value as its JSON text, but {"@json":"text"}, which is text
 * itself: so SQL's NULL (null) and JSON's ({"@json":"null"}) differ. See starpipe-wire(5). */
#ifndef STARPIPE_COPY_WRITE_H
#define STARPIPE_COPY_WRITE_H

#include "buf.h"
#include "err.h"
#include "pgtype.h"
#include "scan.h"

/* Append f for a column of type t. BAD_DATA for what PostgreSQL has no text for: U+0000, half a
 * surrogate pair, an array of more than six dimensions. The caller adds tabs, the line break and,
 * to a failure, the column's name. */
int copy_write(struct buf *b, const struct field *f, const struct pg_type *t, struct err *e);

#endif
