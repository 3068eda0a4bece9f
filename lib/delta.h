/* delta.h - a lake's Parquet objects as Delta Lake tables, for Spark, Trino, DuckDB, Polars and
 * others.
 *
 * Every table of the lake is a Delta table in the table's folder: ROOT/table/_delta_log/. The
 * lake's commit records come first and are the truth; a step is published to the log of each of
 * its tables after its record was written, and a step that a killed run did not publish is by
 * the next. A transaction id (txn) with the number of the step in every commit makes that
 * exactly once.
 *
 * A commit is a file of its own number, put only if it is absent; if another writer was first,
 * its commit is read and the next number is tried. Every so many commits a checkpoint follows,
 * and beside it the same as JSON (a "compacted" log), from which the next is made. In partition
 * values, '' is NULL, as the format wants it, and so are dates and timestamps without a year of
 * four digits. The format: delta.io's PROTOCOL.md. Tables are append-only and have no deletion
 * vectors; a table that another writer has given features beyond those is BAD_DATA, and so is one
 * whose log others have cleaned up beyond what is known of it. */
#ifndef STARPIPE_DELTA_H
#define STARPIPE_DELTA_H

#include "lake.h"
#include "parquet_write.h"

struct delta;

/* Find out what is published, by the lake's last record, and publish what is not. Both are borrowed
 * until delta_close; options are those that the objects are written with. */
int delta_open(struct lake *l, const struct parquet_options *o, struct delta **d, struct err *e);

/* Can the table of the stream, partitioned or not, be appended to its Delta table? BAD_DATA if
 * columns or partitions do not fit, USAGE for a type that no partition can be of. To be asked
 * before a step is written: what is committed could never be published. */
int delta_check(struct delta *d, const struct wire_table *t, const char *partition_by,
		struct err *e);

/* Publish the lake's steps up to the last. */
int delta_publish(struct delta *d, struct err *e);

/* What the lake's next record shall say of what is published: a JSON object, valid until the next
 * call. */
struct str delta_note(struct delta *d);

void delta_close(struct delta *d);

#endif
