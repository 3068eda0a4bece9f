/* parquet_decode.h - the values of one page of a Parquet file, a few at a time.
 *
 * A page's body is foreign: it is read within its bounds, whatever it says. Memory does not depend
 * on how many values a page claims to have. */
#ifndef STARPIPE_PARQUET_DECODE_H
#define STARPIPE_PARQUET_DECODE_H

#include "parquet_meta.h"

enum { PARQUET_BATCH = 512 };

/* Runs and bit-packed groups of eight. */
struct parquet_hybrid {
	const unsigned char *p, *end;
	int width;
	uint64_t left; /* of the current run */
	bool packed;
	uint32_t value; /* of a run */
	uint64_t bits;  /* read and not used yet */
	int bit_count;
};

/* Blocks of differences, packed with as many bits as they need. */
struct parquet_delta {
	struct thrift_in in;
	bool narrow; /* of 32 bits, not of 64 */
	bool first;  /* is still to come */
	uint64_t left, mini_size, mini_left;
	uint64_t mini_count, mini;
	uint64_t value, least;
	const unsigned char *widths;
	uint64_t bits;
	int bit_count;
};

struct parquet_dictionary_values {
	size_t count;
	int64_t *ints; /* as parquet_values.ints, or */
	struct str *texts;
	struct buf body; /* texts point into it */
};

struct parquet_values {
	const struct parquet_leaf *leaf;
	enum parquet_encoding encoding;
	const unsigned char *p, *end;
	struct parquet_hybrid hybrid;
	struct parquet_delta lengths, prefixes;
	const struct parquet_dictionary_values *dictionary;
	struct buf text;    /* what texts point to where the page has no such bytes */
	uint64_t at, count; /* BYTE_STREAM_SPLIT, PLAIN booleans */
	/* parquet_values_next's answer: */
	size_t have;
	int64_t ints[PARQUET_BATCH];     /* numbers; bits of FLOAT and DOUBLE; 0 and 1 */
	struct str texts[PARQUET_BATCH]; /* PQ_BYTES, PQ_FIXED, PQ_INT96 */
};

void parquet_hybrid_init(struct parquet_hybrid *h, struct str bytes, int width);

/* Fill out[0..n); false if there are not as many. */
bool parquet_hybrid_next(struct parquet_hybrid *h, uint32_t *out, size_t n);

/* Begin with a page's values. dictionary may be NULL. Zero v before the first: the memory of text
 * is kept from page to page. */
int parquet_values_init(struct parquet_values *v, const struct parquet_leaf *leaf,
			int64_t encoding, struct str body,
			const struct parquet_dictionary_values *dictionary, struct err *e);

/* Decode at least one and at most n (and PARQUET_BATCH) values into ints or texts; have says how
 * many. Texts are valid until the next call. */
int parquet_values_next(struct parquet_values *v, size_t n, struct err *e);
void parquet_values_release(struct parquet_values *v);

/* Are a column's values in ints? */
bool parquet_values_ints(const struct parquet_leaf *l);

/* A dictionary page: takes body's memory. */
int parquet_dictionary_read(struct parquet_dictionary_values *d, const struct parquet_leaf *leaf,
			    struct buf *body, uint64_t count, struct err *e);
void parquet_dictionary_release(struct parquet_dictionary_values *d);

#endif
