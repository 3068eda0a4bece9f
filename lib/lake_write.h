/* lake_write.h - rows into the objects of a lake, step by step.
 *
 * Objects are opened as rows come and closed at the commit; then the record follows that makes
 * the step exist. Memory, and with it the number of open objects, is bounded over all tables and
 * partitions: the largest gives up what it holds, and at last its object, and goes on in
 * another. */
#ifndef STARPIPE_LAKE_WRITE_H
#define STARPIPE_LAKE_WRITE_H

#include "encode.h"
#include "lake.h"

struct lake_layout {
	struct encoding encoding;
	const char *partition_by; /* a column; tables without it are not partitioned; or NULL */
	bool times_as_text;       /* in Parquet, for Delta tables have no times of day */
};

struct lake_writer;

/* Borrows both. */
struct lake_writer *lake_writer_new(struct lake *l, const struct lake_layout *how);

/* Tell of a table, rows or not, whenever the reader announces one or switches to it. All are of one
 * reader, told in the order of their indexes. Its mode is then that of the step. */
void lake_writer_table(struct lake_writer *w, const struct wire_table *t);

/* The reader's row, or @delete, of the table told last. */
int lake_writer_add(struct lake_writer *w, struct wire_reader *r, bool deleted, struct err *e);

/* Publish what was written since the last commit as one step. delta is what its record says of
 * Delta tables, or empty. LOST_RACE if another run was first. */
int lake_writer_commit(struct lake_writer *w, struct str state, struct str delta, struct err *e);

uint64_t lake_writer_objects(const struct lake_writer *w); /* published */
uint64_t lake_writer_bytes(const struct lake_writer *w);

/* Undo what is not committed, as far as it can be undone: open uploads are aborted. */
void lake_writer_free(struct lake_writer *w);

#endif
