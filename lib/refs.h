/* refs.h - the rows that a star's joins need between runs: star-transform's --store.
 *
 * A table of refs holds the newest version of every row of a source table, by its key, as the line
 * it came in. Rows that came since refs_settle are touched: they, and what is joined with them,
 * go out again at the end of the step, whether they differ from what was known or not. So a
 * store that is ahead of the warehouse, because a run was killed between the two, does no harm.
 *
 * The file is itself a stream of starpipe-wire(5), of whole tables, and ends with the state of the
 * step it was written for. It is replaced whole or not at all. */
#ifndef STARPIPE_REFS_H
#define STARPIPE_REFS_H

#include "arena.h"
#include "map.h"
#include "wire.h"

struct refs_row {
	char *line;   /* NULL: the row is gone */
	size_t len;
	bool touched;
};

struct refs_table {
	char *name;
	const struct wire_table *table; /* of the stream, or where that has not come, of the file */
	struct refs_row **rows;
	size_t count, cap, touched;
	struct map by_key;              /* to rows */
	struct field *fields;           /* room to scan a row into */
	struct buf key;                 /* room to name a row by its key */
	struct arena values;
};

struct refs;

/* Read the store at a path or URL; one that is not there yet is empty. A file that another run
 * uses is LOST_RACE. */
int refs_open(const char *where, struct refs **r, struct err *e);

/* Is the store one of a later state? */
bool refs_is_ahead(const struct refs *r, struct str state);

/* BAD_DATA if a table came as changes that begin behind where the store ends: a store that was kept
 * from an earlier time, or is another pipe's, would join rows with outdated ones. */
int refs_check(const struct refs *r, struct str state, struct err *e);

/* NULL if there is none of that name. */
struct refs_table *refs_find(const struct refs *r, const char *name);

/* A table with a key was announced: one whose rows all follow (mode full) starts empty, one that
 * comes as changes must be known with the columns it has now, else USAGE. */
int refs_announce(struct refs *r, const struct wire_table *table, struct err *e);

/* A row of the stream came, or with line empty and fields of the key alone, went. */
int refs_put(struct refs_table *t, const struct field *fields, struct str line, struct err *e);
void refs_clear(struct refs_table *t);

/* Scan a row into t->fields. */
int refs_scan(const struct refs_table *t, const struct refs_row *row, struct err *e);

/* A step is over: write the store, then nothing is touched. That its state is the step's matters
 * even where no row has changed, see refs_check. A store of a later state stays as it is: being
 * ahead does no harm, and whether the earlier run may still be loaded is the loader's to say. */
int refs_settle(struct refs *r, struct str state, struct err *e);

void refs_close(struct refs *r);

#endif
