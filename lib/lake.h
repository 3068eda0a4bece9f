/* lake.h - a lake's steps and commit records.
 *
 *     ROOT/table/YYYY/MM/DD/STEP.jsonl[.gz|.zst]    rows of one table and step
 *     ROOT/_commits/00000000000000000007.json       the record that makes step 7 exist
 *
 * In a table's folder %, / and control bytes are %XX, and so is a . or _ that it begins with.
 *
 * Records count from 1 without a gap and are written with put-if-absent, so the last one is found
 * by looking, never by listing, and of two runs that saw the same last record one loses. Objects
 * have names of their own and are never overwritten. A record is a JSON object:
 *
 *     step, id, committed_at, tool
 *     tables     the @table lines of all tables of the step, empty ones too, with "rows"
 *     objects    path (below ROOT), table, rows, bytes, sha256, encoding, format
 *     state      the stream's @state, if it had one
 *
 * The id of step 1 is the lake's. */
#ifndef STARPIPE_LAKE_H
#define STARPIPE_LAKE_H

#include "compress.h"
#include "store.h"
#include "wire.h"

struct lake;

/* url ends in a slash. Finds the last record. */
int lake_open(const char *url, enum codec codec, struct lake **l, struct err *e);

/* The last record's state as JSON, or empty. Valid until the next commit. */
struct str lake_state(const struct lake *l);

/* Tell of a table, rows or not. All are of one reader, told in the order of their indexes. */
void lake_table(struct lake *l, const struct wire_table *t);

/* One line (with its line break) of table t, a row or an @delete. Memory is bounded over all
 * tables. */
int lake_line(struct lake *l, const struct wire_table *t, struct str line, bool is_row,
	      struct err *e);

/* Publish what was written since the last commit as one step. LOST_RACE if another run was first.
 */
int lake_commit(struct lake *l, struct str state, struct err *e);

uint64_t lake_objects(const struct lake *l); /* published */
uint64_t lake_bytes(const struct lake *l);

/* --- reading --- */

/* The number of the last step, as found or committed; 0 if there is none. */
uint64_t lake_last(const struct lake *l);

struct lake_object {
	const char *path, *table, *format, *sha256;
	uint64_t rows, bytes; /* deleted keys are no rows; bytes are as stored */
	enum codec codec;
};

/* A step as its record tells it. Everything lives until lake_step_release. */
struct lake_step {
	uint64_t number;
	const char *id;
	struct wire_table **tables;
	size_t table_count;
	struct lake_object *objects;
	size_t object_count;
	struct json *record;
};

/* Release *s on failure too. */
int lake_step_read(struct lake *l, uint64_t number, struct lake_step *s, struct err *e);
void lake_step_release(struct lake_step *s);

/* An object's contents, decompressed: each call appends a piece of at most DECOMPRESS_STEP to out.
 * When *more is false all was read, and bytes and checksum are those of the record; if they are
 * others it is BAD_DATA. */
struct lake_reader;
struct lake_reader *lake_object_open(struct lake *l, const struct lake_object *o);
int lake_object_read(struct lake_reader *r, struct buf *out, bool *more, struct err *e);
void lake_object_close(struct lake_reader *r);

/* Undo what is not committed, as far as it can be undone: open uploads are aborted. */
void lake_close(struct lake *l);

#endif
