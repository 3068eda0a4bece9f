/* csvio.h - CSV in and out, by libcsv (csvio.c is the only place that includes it).
 *
 * RFC 4180 with PostgreSQL's reading of nothing: an unquoted empty field is NULL, a quoted one the
 * empty text. So an empty line is a row of one NULL, where rows have one column, and for the
 * others it is the caller's to pass over. CR LF, LF and a byte order mark are taken. Malformed
 * quoting, a row that is cut off and bytes that are not UTF-8, or 0, are BAD_DATA, naming the row
 * (the header is row 1). */
#ifndef STARPIPE_CSVIO_H
#define STARPIPE_CSVIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "str.h"

struct csv_cell {
	struct str text; /* valid for the call */
	bool null;
};

/* One row; what it returns other than OK ends the reading. */
typedef int (*csvio_row)(void *arg, const struct csv_cell *cells, size_t count, uint64_t row,
			 struct err *e);

static inline bool csvio_is_empty_line(const struct csv_cell *cells, size_t count)
{
	return count == 1 && cells[0].null;
}

/* Read fd to its end. name is for messages; max_row bounds a row's bytes, a longer one is BAD_DATA
 * before it is in memory. */
int csvio_read(int fd, const char *name, char delimiter, uint64_t max_row, csvio_row on_row,
	       void *arg, struct err *e);

/* The same piece by piece, for what is no file descriptor. A byte order mark must be in one piece;
 * an empty piece ends it. Close *c on failure too. */
struct csvio;
int csvio_open(struct csvio **c, const char *name, char delimiter, uint64_t max_row,
	       csvio_row on_row, void *arg, struct err *e);
int csvio_feed(struct csvio *c, struct str piece, struct err *e);
void csvio_close(struct csvio *c);

/* Append one field, quoted where it must be: the empty text too, so that it is not NULL. */
void csvio_add(struct buf *b, struct str text, char delimiter);

#endif
