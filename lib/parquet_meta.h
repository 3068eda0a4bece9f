/* parquet_meta.h - what stands at the end of a Parquet file: its columns, and where pages are.
 *
 * The numbers are the format's own (parquet.thrift). parquet_write.h writes files,
 * parquet_read.h reads them; this is what both talk about, and the reading of a footer, which
 * believes nothing: every offset, size and count is held against the file before it is kept. */
#ifndef STARPIPE_PARQUET_META_H
#define STARPIPE_PARQUET_META_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "thrift.h"

enum parquet_type {
	PQ_BOOLEAN, PQ_INT32, PQ_INT64, PQ_INT96, PQ_FLOAT, PQ_DOUBLE, PQ_BYTES, PQ_FIXED
};

/* LogicalType's members; PQ_PLAIN is a column without. */
enum parquet_logical {
	PQ_PLAIN, PQ_STRING, PQ_MAP, PQ_LIST, PQ_ENUM, PQ_DECIMAL, PQ_DATE, PQ_TIME, PQ_TIMESTAMP,
	PQ_INTERVAL, PQ_INTEGER, PQ_NULL, PQ_JSON, PQ_BSON, PQ_UUID, PQ_FLOAT16
};

/* ConvertedType, what files said before there were logical types. */
enum parquet_converted {
	PQC_NONE = -1,
	PQC_UTF8, PQC_MAP, PQC_MAP_KEY_VALUE, PQC_LIST, PQC_ENUM, PQC_DECIMAL, PQC_DATE,
	PQC_TIME_MILLIS, PQC_TIME_MICROS, PQC_TIMESTAMP_MILLIS, PQC_TIMESTAMP_MICROS,
	PQC_UINT_8, PQC_UINT_16, PQC_UINT_32, PQC_UINT_64,
	PQC_INT_8, PQC_INT_16, PQC_INT_32, PQC_INT_64, PQC_JSON, PQC_BSON, PQC_INTERVAL
};

enum parquet_encoding {
	PQE_PLAIN = 0, PQE_PLAIN_DICTIONARY = 2, PQE_RLE, PQE_BIT_PACKED, PQE_DELTA_BINARY_PACKED,
	PQE_DELTA_LENGTH_BYTE_ARRAY, PQE_DELTA_BYTE_ARRAY, PQE_RLE_DICTIONARY, PQE_BYTE_STREAM_SPLIT
};

enum parquet_page { PQ_DATA_PAGE, PQ_INDEX_PAGE, PQ_DICTIONARY_PAGE, PQ_DATA_PAGE_V2 };

enum parquet_unit { PQ_MILLIS = 1, PQ_MICROS, PQ_NANOS };

/* A column of a flat table. */
struct parquet_leaf {
	const char *name;
	enum parquet_type type;
	int type_length; /* bytes of a PQ_FIXED */
	bool optional;
	enum parquet_logical logical;
	int precision, scale; /* of a PQ_DECIMAL */
	int bits;             /* of a PQ_INTEGER: 8, 16, 32, 64 */
	bool is_signed;
	bool utc; /* PQ_TIME, PQ_TIMESTAMP: isAdjustedToUTC */
	enum parquet_unit unit;
};

/* A column's pages in one row group. */
struct parquet_chunk {
	int codec;           /* enum block_codec, or a number this build does not know */
	uint64_t start, end; /* in the file */
};

struct parquet_group {
	uint64_t rows;
	struct parquet_chunk *chunks; /* one a leaf */
};

struct parquet_meta {
	struct parquet_leaf *leaves;
	size_t leaf_count;
	struct parquet_group *groups;
	size_t group_count;
	uint64_t rows;
	struct str *keys, *values; /* key-value metadata */
	size_t pair_count;
	struct arena arena; /* has all of it, names too */
};

/* footer: the metadata's bytes, which end at data_end + footer.len of a file whose pages lie in
 * [4, data_end). A nested column is BAD_DATA: the message names it. */
int parquet_meta_read(struct parquet_meta *m, struct str footer, uint64_t data_end, struct err *e);
void parquet_meta_release(struct parquet_meta *m);

/* The value of a key; data NULL if there is none. */
struct str parquet_meta_value(const struct parquet_meta *m, const char *key);

/* Keys of starpipe's own in key-value metadata. */
#define PARQUET_KEY_TABLE "starpipe.table"     /* the @table line of starpipe-wire(5) */
#define PARQUET_KEY_STATE "starpipe.state"     /* the state the step ended with */
#define PARQUET_KEY_DELETED "starpipe.deleted" /* the column that tells @delete lines from rows */

/* All numbers in a file are little-endian. */
static inline uint32_t load_le32(const void *p)
{
	const unsigned char *u = p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static inline uint64_t load_le64(const void *p)
{
	return load_le32(p) | (uint64_t)load_le32((const char *)p + 4) << 32;
}

/* The type's count of bytes where every value has as many; 0 for PQ_BYTES and PQ_BOOLEAN. */
size_t parquet_width(const struct parquet_leaf *l);

#endif
