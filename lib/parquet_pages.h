/* parquet_pages.h - the pages of one column of one row group, while they are read.
 *
 * Pages are foreign: whatever they say is checked against the row group and the file first. All
 * columns of a file together take no more memory for pages and dictionaries than the file's limit.
 * Failures are BAD_DATA, but those of the source. */
#ifndef STARPIPE_PARQUET_PAGES_H
#define STARPIPE_PARQUET_PAGES_H

#include "parquet_decode.h"

/* Where the bytes are: a file, an object, memory. read fills to[0..len). */
struct parquet_source {
	const char *name; /* for messages */
	uint64_t size;
	int (*read)(void *arg, uint64_t offset, size_t len, char *to, struct err *e);
	void *arg;
	uint64_t trust; /* bytes of memory beyond what any file may take */
};

/* What all columns share. */
struct parquet_file {
	struct parquet_source source;
	bool verify;          /* pages' checksums */
	uint64_t held, limit; /* of memory */
	uint64_t taken;       /* bytes of pages so far: no byte is of two */
	struct buf scratch;   /* a page as it is stored */
};

struct parquet_pages {
	struct parquet_file *file;
	const struct parquet_leaf *leaf;
	const struct parquet_chunk *chunk;
	uint64_t at;        /* the next page in the file */
	uint64_t rows_left; /* of the chunk, without the page's */
	uint64_t page_left; /* of the page, without the batch's */
	struct buf page;
	uint64_t page_held, dictionary_held; /* of the file's memory */
	struct parquet_dictionary_values dictionary;
	bool has_dictionary;
	bool packed_levels; /* the old BIT_PACKED */
	struct parquet_hybrid levels;
	struct str level_bits;
	uint64_t level_at;
	/* the batch */
	uint32_t present[PARQUET_BATCH];
	size_t batch, batch_at, batch_present, value_at;
	struct parquet_values values;
	/* parquet_pages_next's answer: */
	bool null;
	size_t value; /* else its place in values */
};

/* Begin with a row group. The first time all but file and leaf is zero. */
void parquet_pages_begin(struct parquet_pages *p, const struct parquet_chunk *chunk, uint64_t rows);

/* The next row's value. */
int parquet_pages_next(struct parquet_pages *p, struct err *e);
void parquet_pages_release(struct parquet_pages *p);

#endif
