/* csvrow.h - rows of a table as rows of CSV, and back.
 *
 * A value's text is what PostgreSQL reads and prints. NULL is nothing at all, or a text of one's
 * own; the empty text is quoted. Columns that the warehouse generates are not there. */
#ifndef STARPIPE_CSVROW_H
#define STARPIPE_CSVROW_H

#include "arena.h"
#include "csvio.h"
#include "scan.h"
#include "sqltype.h"
#include "wire.h"

struct csvrow {
	const struct wire_table *table;
	const char *null_text; /* or NULL: nothing at all */
	char delimiter;
	struct sqltype *types;
	struct arena values;
	struct buf copy, plain;
};

/* Borrows the table and the text. */
void csvrow_init(struct csvrow *c, const struct wire_table *t, char delimiter,
		 const char *null_text);
void csvrow_release(struct csvrow *c);

/* Append the columns' names, or a row, each with its line break. Failures name the column; a row
 * without columns is one. */
void csvrow_add_header(const struct csvrow *c, struct buf *b);
int csvrow_add(struct csvrow *c, const struct field *fields, struct buf *b, struct err *e);

/* Append a row as a line of JSON. */
int csvrow_add_json(struct csvrow *c, const struct csv_cell *cells, size_t count, struct buf *b,
		    struct err *e);

#endif
