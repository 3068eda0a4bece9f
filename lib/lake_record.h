/* lake_record.h - a commit record as text, written and read.
 *
 * A record is believed: what it names is read, and what it counts is expected. But others may be
 * able to write into a lake. So nothing of a record is used before all of it was checked: names,
 * numbers and checksums have their form, an object lies in the folder of its table, and each
 * thing is there once. Reading takes memory for the text and less than
 * twice as much again.
 *
 * The members are told in lake.h. */
#ifndef STARPIPE_LAKE_RECORD_H
#define STARPIPE_LAKE_RECORD_H

#include "arena.h"
#include "compress.h"
#include "wire.h"

enum { LAKE_TABLES_MAX = 10000 };

/* Steps are not counted higher: a power of two, for they are looked for by doubling. */
#define LAKE_STEP_MAX ((uint64_t)1 << 50)

struct lake_object {
	const char *path, *table, *format, *sha256;
	size_t table_index;         /* among the step's */
	const char *column, *value; /* of its partition; NULL: none, or of the value NULL */
	uint64_t rows, deletes, bytes; /* bytes are as stored */
	enum codec codec;
	bool numeric_text, time_text;  /* in Parquet */
};

/* A step as its record tells it. Everything lives until lake_step_release. */
struct lake_step {
	uint64_t number;
	const char *id;             /* letters, digits and -_.: only */
	struct wire_table **tables; /* their rows are those of the step */
	size_t table_count;
	struct lake_object *objects;
	size_t object_count;
	struct str state, delta;    /* as they stand in the record, or empty */
	struct buf text;
	struct arena strings;
};

/* Read the record of step number. Takes text over. Release *s on failure too. */
int lake_record_read(struct buf *text, uint64_t number, struct lake_step *s, struct err *e);
void lake_step_release(struct lake_step *s);

/* Append one of a record's objects; a comma where others are before it. */
void lake_record_add_object(struct buf *b, const struct lake_object *o);

/* Append the record of s, whose objects are given as text, and so is delta, which may be empty. */
void lake_record_add(struct buf *b, const struct lake_step *s, const char *tool,
		     struct str objects);

/* The folder of a table's name, which is no other table's, and none of the lake's own. */
void lake_add_folder(struct buf *b, const char *name);

#endif
