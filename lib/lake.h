/* lake.h - a lake's steps and commit records.
 *
 *     ROOT/table/YYYY/MM/DD/STEP.jsonl[.gz|.zst]    rows of one table and step (or .csv, .parquet)
 *     ROOT/table/column=value/STEP.jsonl            those of a partition
 *     ROOT/_commits/00000000000000000007.json       the record that makes step 7 exist
 *
 * In a table's folder %, /, = and control bytes are %XX, and so is a . or _ that it begins with.
 *
 * Records count from 1 without a gap and are written with put-if-absent, so the last one is found
 * by looking, never by listing, and of two runs that saw the same last record one loses. Objects
 * have names of their own and are never overwritten. A record is a JSON object:
 *
 *     step, id, committed_at, tool
 *     tables     the @table lines of all tables of the step, empty ones too, with "rows"
 *     objects    path (below ROOT), table, rows, deletes (if any), bytes, sha256, encoding, format,
 *                partition (if any): {"column":"value"}; of Parquet, "numeric_as":"string" and
 *                "time_as":"string" where numerics and times of day are text
 *     state      the stream's @state, if it had one
 *     delta      what is published as Delta tables, if anything: delta.h
 *
 * The id of step 1 is the lake's. lake_record.h reads records, and says what is not believed. */
#ifndef STARPIPE_LAKE_H
#define STARPIPE_LAKE_H

#include "lake_record.h"
#include "store.h"

struct lake;

/* url ends in a slash. Finds the last record. Close *l on failure too. */
int lake_open(const char *url, struct lake **l, struct err *e);
void lake_close(struct lake *l);

/* The last record's state as JSON, or empty. Valid until the next commit. */
struct str lake_state(const struct lake *l);

/* Where it is: ROOT is a key of the store. */
struct store *lake_store(const struct lake *l);
const char *lake_root(const struct lake *l);

/* Put an object of the lake that nothing may be at: LOST_RACE. Before the first, the store must
 * have refused to replace the last record, or, where there is none, an object of its own, record
 * 0: a store that ignores If-None-Match is FAILED. What was put is read back: where another run's
 * is there, check and write were not one to the store, and it is LOST_RACE, too. */
int lake_put(struct lake *l, const char *key, struct str data, struct err *e);

/* No other run writes: take a store that ignores If-None-Match, with a warning and a look before
 * each lake_put. */
void lake_single_writer(struct lake *l);

/* Add the next record, which lake_write.h has made. Takes it over. It is read before it is
 * written: what no reader would take is BAD_DATA. LOST_RACE if another run was first. */
int lake_append(struct lake *l, struct buf *record, struct err *e);

/* --- reading --- */

/* The number of the last step, as found or committed; 0 if there is none. */
uint64_t lake_last(const struct lake *l);

/* Release *s on failure too. */
int lake_step_read(struct lake *l, uint64_t number, struct lake_step *s, struct err *e);

/* Is there a record of this number? */
int lake_has_step(struct lake *l, uint64_t number, bool *has, struct err *e);

/* An object's contents, decompressed: each call appends a piece of at most DECOMPRESS_STEP to out.
 * When *more is false all was read, and bytes and checksum are those of the record; if they are
 * others it is BAD_DATA. Before that, nothing is known of what was read. */
struct lake_reader;
struct lake_reader *lake_object_open(struct lake *l, const struct lake_object *o);
int lake_object_read(struct lake_reader *r, struct buf *out, bool *more, struct err *e);

/* For formats that are read from the end: first read all of the object, and check bytes and
 * checksum as above. Then get any of its bytes as it is stored: those that were checked, whatever
 * has become of the object since. An object up to 16 MiB is read once, a larger one again. */
int lake_object_verify(struct lake_reader *r, struct err *e);
int lake_object_range(struct lake_reader *r, uint64_t offset, size_t len, char *to, struct err *e);
void lake_object_close(struct lake_reader *r);

#endif
