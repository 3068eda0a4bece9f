/* merge.h - the SQL that creates a warehouse table and brings a step's rows into it.
 *
 * Text only, nothing is run here. A step's rows stand in a stage: a temporary table with the
 * target's own column types, so that PostgreSQL converts every value exactly once, and with the
 * input's line numbers, which tell the order of the rows. Columns of a stage are called line and
 * c0, c1, ...: by position in the announcement, so that no name of the user's can be in the way.
 *
 * Rows are compared as they are stored (PostgreSQL's *<>, "record image"), not by their type's
 * =: a numeric that goes from 1.0 to 1.00 is a change, and json, xml and point have no = at all.
 *
 * The keys of deleted rows stand in a temporary table of their own, only if there are any: gone,
 * with the line and the key's columns. To mark deletes means to make rows of the stage from them,
 * each a copy of the row before it with the column gone set, which goes to the target's column
 * _deleted: so a delete is one more version, merged as all are. */
#ifndef STARPIPE_MERGE_H
#define STARPIPE_MERGE_H

#include <stdbool.h>

#include "buf.h"
#include "wire.h"

#define MERGE_DELETED "_deleted" /* the column of a marked row */

enum merge_kind {
	MERGE_UPSERT,  /* one row per key, the last one wins */
	MERGE_HISTORY, /* one row per version of a key, numbered by a generated column */
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
	const struct pg_type *types; /* the warehouse's own */
	char *const *equals; /* per column the operator that its type's indexes compare by, as SQL
				names it whatever search_path is */
	bool fresh;         /* the table was created in this transaction, it is empty */
	bool marked;        /* it has the column _deleted */
	bool markers;       /* the stage has the column gone */
	const char *unless; /* " AND NOT EXISTS (...)": what keeps a row t from being deleted */
};

/* Each function appends a statement; most of them are a merge_sql. */
typedef void (*merge_sql)(struct buf *b, const struct merge *m);

/* CREATE TABLE, without its key: an index is built faster behind the first rows than with them. */
void merge_add_create(struct buf *b, const struct merge *m);

/* ADD PRIMARY KEY, empty for MERGE_REPLACE; and of MERGE_HISTORY the index by which the newest
 * version of a key is found, empty for others. */
void merge_add_primary_key(struct buf *b, const struct merge *m);
void merge_add_index(struct buf *b, const struct merge *m);

/* ALTER TABLE ... ADD FOREIGN KEY, named by PostgreSQL's rule: table_column_fkey. */
void merge_add_foreign(struct buf *b, const struct merge *m, const struct wire_foreign *f,
		       bool deferrable);

/* ALTER TABLE ... ADD COLUMN: what to type when the table lacks column i. NULL is allowed, as the
 * rows that are there have no value. */
void merge_add_column(struct buf *b, const struct merge *m, size_t i);

/* MERGE_HISTORY: the query for the newest version of each key that is not deleted. columns: those
 * of the result, as SQL. Sorted so that the index of the versions can serve. */
void merge_add_current(struct buf *b, const struct merge *m, const char *columns);

/* CREATE TEMP TABLE, dropped at the commit. */
void merge_add_stage(struct buf *b, const struct merge *m);

/* The same for the keys of deleted rows. */
void merge_add_gone(struct buf *b, const struct merge *m);

/* COPY ... FROM STDIN: fields are the line number and the loaded columns, in order. */
void merge_add_copy(struct buf *b, const struct merge *m);

/* COPY ... FROM STDIN of gone: the line number and the key. */
void merge_add_copy_gone(struct buf *b, const struct merge *m);

/* All keys of target and stage are gone by this line: the table was truncated. */
void merge_add_truncate(struct buf *b, const struct merge *m, uint64_t line);

/* Drop from the stage what a later line deletes. */
void merge_add_outdated(struct buf *b, const struct merge *m);

/* Give the stage its column gone (then set m->markers), and rows for deletes of known keys. */
void merge_add_gone_column(struct buf *b, const struct merge *m);
void merge_add_markers(struct buf *b, const struct merge *m);

/* Give the target its column _deleted (then set m->marked). */
void merge_add_deleted_column(struct buf *b, const struct merge *m);

/* DELETE what is gone: of a history all versions, else rows whose key does not come again. Behind
 * merge_add_outdated; for a history before merge_add_insert. */
void merge_add_delete(struct buf *b, const struct merge *m);

/* Behind it: a query that has a row if one was kept, and the UPDATE that marks them. */
void merge_add_kept(struct buf *b, const struct merge *m);
void merge_add_mark_kept(struct buf *b, const struct merge *m);

/* MERGE_UPSERT: drop from the stage all but the last row of each key. */
void merge_add_prune(struct buf *b, const struct merge *m);

/* A query that has a row if a key has several in the stage. */
void merge_add_several(struct buf *b, const struct merge *m);

/* MERGE_HISTORY: drop from the stage the versions of a key that the table ends with already, in
 * that order: a step that is loaded again. A step's only version of a key is merge_add_insert's. */
void merge_add_repeats(struct buf *b, const struct merge *m);

/* Rows that are new: keys (upsert), versions (history) or all (replace). */
void merge_add_insert(struct buf *b, const struct merge *m);

/* MERGE_UPSERT: rows that differ. An empty text when there is nothing that could. */
void merge_add_update(struct buf *b, const struct merge *m);

/* MERGE_REPLACE: a query that has a row if table and stage differ; and what empties the table. */
void merge_add_differ(struct buf *b, const struct merge *m);
void merge_add_empty(struct buf *b, const struct merge *m);

#endif
