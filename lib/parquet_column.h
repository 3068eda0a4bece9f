/* parquet_column.h - one column of one row group of a Parquet file, while it is written.
 *
 * Values go into an open page; when that is full, it is encoded, compressed and kept as it will
 * stand in the file. A column starts with a dictionary and gives it up, for good, when its values
 * turn out to be many or mostly distinct; for one row group, when they are long. All bytes held are
 * counted.
 *
 * The leaf's name is borrowed. Values must be of its type. */
#ifndef STARPIPE_PARQUET_COLUMN_H
#define STARPIPE_PARQUET_COLUMN_H

#include "block.h"
#include "buf.h"
#include "err.h"
#include "parquet_stats.h"

enum {
	PAGE_ROWS = 20000, /* as parquet-java and pyarrow cut them */
	PAGE_BYTES = 1 << 20,
	DICTIONARY_BYTES = 512 * 1024,
	DICTIONARY_ENTRIES = 1 << 16,
	DICTIONARY_PROBES = 1024 /* 65,536 values of no design need about 60 at most */
};

struct parquet_dictionary {
	struct buf values; /* PLAIN */
	uint32_t *offsets; /* of a PQ_BYTES's entries in values, behind their lengths */
	size_t count, cap;
	uint64_t *slots;   /* a hash above an entry + 1, or 0 */
	size_t slot_count; /* a power of 2 */
	bool crowded;      /* somebody chose values of one hash */
};

static inline bool parquet_dictionary_large(const struct parquet_dictionary *d)
{
	return d->values.len > DICTIONARY_BYTES || d->count > DICTIONARY_ENTRIES ||
	       d->crowded;
}

struct parquet_finished; /* a page as it will stand in the file */

struct parquet_column {
	struct parquet_leaf leaf;
	enum block_codec codec;
	bool dictionary; /* try one in the next row group */
	/* the open page */
	bool indexed; /* it holds indexes into dict */
	uint32_t rows, present;
	struct buf bits;   /* which rows are not null, if any is */
	struct buf values; /* PLAIN */
	uint32_t *indexes;
	size_t index_count, index_cap;
	/* the row group so far */
	struct parquet_dictionary dict;
	struct parquet_finished *pages, *last;
	size_t page_bytes; /* in memory */
	uint64_t stored_bytes, raw_bytes, row_count;
	int32_t plain_pages, indexed_pages;
	struct parquet_stats stats;
};

void parquet_column_init(struct parquet_column *c, const struct parquet_leaf *leaf,
			 enum block_codec codec);

void parquet_column_null(struct parquet_column *c);
void parquet_column_bool(struct parquet_column *c, bool v);
void parquet_column_int(struct parquet_column *c, int64_t v);      /* PQ_INT32, PQ_INT64 */
void parquet_column_float(struct parquet_column *c, double v);     /* PQ_FLOAT, PQ_DOUBLE */
void parquet_column_bytes(struct parquet_column *c, struct str v); /* PQ_BYTES, PQ_FIXED */

/* After a value: cut the page if it is full. */
int parquet_column_cut(struct parquet_column *c, struct err *e);
static inline bool parquet_column_full(const struct parquet_column *c)
{
	return c->rows >= PAGE_ROWS || c->values.len >= PAGE_BYTES ||
	       (c->indexed && parquet_dictionary_large(&c->dict));
}

/* Bytes held. */
size_t parquet_column_held(const struct parquet_column *c);

/* End of the row group: all pages, the dictionary's first, go through write (in the order of the
 * file); then meta gets the ColumnChunk, whose first page lies at offset. */
typedef int (*parquet_sink)(void *arg, struct str bytes, struct err *e);
int parquet_column_end(struct parquet_column *c, uint64_t offset, parquet_sink write, void *arg,
		       struct thrift_out *meta, struct err *e);

/* Forget the row group; with all, give back every buffer too. */
void parquet_column_reset(struct parquet_column *c, bool all);

#endif
