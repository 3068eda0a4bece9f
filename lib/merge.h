/* merge.h - the SQL that creates a warehouse table and brings a step's rows into it.
 *
 * Text only, nothing is run here. A step's rows stand in a stage: a temporary table with the
 * target's own column types, so that PostgreSQL converts every value exactly once, and with the
 * input's line numbers, which tell the order of the rows. Columns of a stage are called line and
 * c0, c1, ...: by position in the announcement, so that no name of the user's can be in the way.
 *
 * Rows are compared as they are stored (PostgreSQL's *<>, "record image"), not by their type's
 * =: a numeric that goes from 1.0 to 1.00 is a change, and json, xml and point have no = at all. */
#ifndef STARPIPE_MERGE_H
#define STARPIPE_MERGE_H

#include <stdbool.h>

#include "buf.h"
#include "wire.h"

enum merge_kind {
	MERGE_UPSERT,  /* one row per key, the last one wins */
	MERGE_HISTORY, /* one row per version of a key, numbered by a column the warehouse generates
			*/
	MERGE_REPLACE  /* no key: the step's rows are the table's contents */
};

struct merge {
	enum merge_kind kind;
	const char *schema;
	const struct wire_table *table;
	const size_t *key;  /* indexes of columns; borrowed, as all of this */
	size_t key_count;
	size_t surrogate;   /* MERGE_HISTORY: the generated column */
	const bool *loaded; /* which columns rows bring: not what the warehouse generates */
	bool fresh;         /* the table was created in this transaction, it is empty */
};

/* CREATE TABLE, without its key: an index is built faster behind the first rows than with them. */
void merge_add_create(struct buf *b, const struct merge *m);

/* ADD PRIMARY KEY; with an index for the newest version of a key where there is history. Empty
 * for MERGE_REPLACE. */
void merge_add_primary_key(struct buf *b, const struct merge *m);

/* ALTER TABLE ... ADD FOREIGN KEY, named by PostgreSQL's rule: table_column_fkey. */
void merge_add_foreign(struct buf *b, const struct merge *m, const struct wire_foreign *f,
		       bool deferrable);

/* ALTER TABLE ... ADD COLUMN: what to type when the table lacks column i. */
void merge_add_column(struct buf *b, const struct merge *m, size_t i);

/* CREATE TEMP TABLE, dropped at the commit. */
void merge_add_stage(struct buf *b, const struct merge *m);

/* COPY ... FROM STDIN: fields are the line number and the loaded columns, in order. */
void merge_add_copy(struct buf *b, const struct merge *m);

/* MERGE_UPSERT: drop from the stage all but the last row of each key. */
void merge_add_prune(struct buf *b, const struct merge *m);

/* Rows that are new: keys (upsert), versions (history) or all (replace). */
void merge_add_insert(struct buf *b, const struct merge *m);

/* MERGE_UPSERT: rows that differ. An empty text when the key is all there is. */
void merge_add_update(struct buf *b, const struct merge *m);

/* MERGE_REPLACE: a query for one boolean: do table and stage differ? */
void merge_add_differ(struct buf *b, const struct merge *m);

#endif
