/* copy_read.h - a field of COPY's text format as a JSON value of the wire: starpipe-wire(5).
 *
 * The first step of a row behind the server, and a hot path: one pass from COPY's escapes to
 * JSON's. Exactness comes from copying PostgreSQL's own text digit by digit. */
#ifndef STARPIPE_COPY_READ_H
#define STARPIPE_COPY_READ_H

#include "buf.h"
#include "err.h"
#include "pgtype.h"

/* Append the value. field is what stands between two tabs; \N is null. BAD_DATA for bytes that
 * are not UTF-8 (a database in SQL_ASCII). */
int copy_read(struct buf *b, const struct pg_type *t, struct str field, struct err *e);

/* The same for text that COPY has not escaped, of a value that is not NULL. */
int copy_read_plain(struct buf *b, const struct pg_type *t, struct str text, struct err *e);

/* The value for a column of type json or jsonb whose text, not escaped, is json. */
void copy_read_json(struct buf *b, struct str json);

/* The same field's text as it was before COPY escaped it. */
void copy_plain(struct buf *b, struct str field);

#endif
