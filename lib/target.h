/* target.h - a table of the stream and the warehouse table that it goes to.
 *
 * In the life of a step: target_open when the stream comes to the table, target_stage before its
 * first row, target_row for each row, copy_in_flush, target_merge, target_add_foreign,
 * target_delete, target_keep, and after the commit target_close. All of it inside one transaction
 * of the caller's. What the catalog says of an existing table rules: its types, its NOT NULLs;
 * columns are found by name. A history's view of its newest versions is kept beside it. Failures
 * name table, column and, where a row is to blame, its line. */
#ifndef STARPIPE_TARGET_H
#define STARPIPE_TARGET_H

#include "copy_in.h"
#include "merge.h"
#include "pgio.h"
#include "wire.h"

enum target_delete {
	TARGET_DEFAULT, /* mark in a history; of upserted rows delete those to which no row refers,
			   and mark the others */
	TARGET_IGNORE,
	TARGET_MARK,    /* keep the row, or append a version, with true in its column _deleted */
	TARGET_DELETE
};

struct target {
	struct merge merge;         /* merge.fresh: created in this step */
	struct copy_in_table copy, gone;
	enum target_delete on_delete; /* the caller's, before target_open */
	struct pg_type *types;      /* per column of the stream: the warehouse's */
	bool *loaded, *notnull;
	char **equals;              /* see merge */
	size_t *own_key;            /* bare rows: the warehouse table's primary key */
	bool known;                 /* the catalog was read */
	bool open;
	bool staged, deletes;       /* the step has rows of it, or deletes, or both */
	char *referrers;            /* SQL that tells whether other rows refer to one */
	bool kept;                  /* some of its rows were not deleted because of that */
	uint64_t rows;              /* of this step */
	uint64_t all_rows;          /* of all steps that are committed or about to be */
	size_t place;               /* the caller's: from 1, parents before children */
};

struct target_counts {
	uint64_t inserted, updated, deleted;
};

/* The table is there when this returns. schema and table are borrowed for the target's life. t is
 * zeroed, or was open before; also when the table was announced again, with another mode. */
int target_open(struct target *t, PGconn *conn, const char *schema, const struct wire_table *table,
		bool bare, struct err *e);

/* Make the place that rows are sent to. */
int target_stage(struct target *t, PGconn *conn, struct err *e);

/* Append the reader's current row to t->copy.rows. */
int target_row(struct target *t, struct wire_reader *r, struct err *e);

/* The same three for deletes: a place, also for rows; the reader's current key to t->gone.rows;
 * or all keys of table and stage, once copy_in has settled t->copy. */
int target_stage_deletes(struct target *t, PGconn *conn, struct err *e);
int target_deleted_row(struct target *t, struct wire_reader *r, struct err *e);
int target_truncated(struct target *t, PGconn *conn, uint64_t line_no, struct err *e);

/* Bring the step's rows into the table, and its deletes as far as they are versions; adds to
 * counts. again: versions that are there already may come again. */
int target_merge(struct target *t, PGconn *conn, bool again, struct target_counts *counts,
		 struct err *e);

/* Delete upserted rows: behind target_merge of all tables, children before parents. Where tables
 * refer to themselves or in a circle, a row that was kept may go the next time; in the end
 * target_keep marks the rest. */
int target_delete(struct target *t, PGconn *conn, struct target_counts *counts, struct err *e);
int target_keep(struct target *t, PGconn *conn, struct target_counts *counts, struct err *e);

/* One of the announced foreign keys, where the parent is there and has such a key. */
int target_add_foreign(struct target *t, PGconn *conn, const struct wire_foreign *f,
		       bool deferrable, struct err *e);

void target_close(struct target *t);
void target_release(struct target *t);

#endif
