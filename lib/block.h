/* block.h - whole buffers through a codec, as Parquet compresses its pages.
 *
 * snappy, LZ4 and brotli are here (block.c is the only place that includes them), gzip and zstd in
 * compress.c. The numbers are Parquet's. Not thread-safe: contexts are kept from call to call. */
#ifndef STARPIPE_BLOCK_H
#define STARPIPE_BLOCK_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

enum block_codec {
	BLOCK_NONE,
	BLOCK_SNAPPY,
	BLOCK_GZIP,
	BLOCK_LZO,
	BLOCK_BROTLI,
	BLOCK_LZ4_HADOOP, /* old: LZ4 in frames of Hadoop's making, or without any */
	BLOCK_ZSTD,
	BLOCK_LZ4
};

/* "none", "snappy", "gzip" and "zstd", which block_pack can write; false for anything else. */
bool block_parse(const char *name, enum block_codec *codec);

/* Append what becomes of in to out. codec is one of those four. */
int block_pack(enum block_codec codec, struct str in, struct buf *out, struct err *e);

/* Fill all of out[0..len): BAD_DATA if in is broken, or is not exactly that much. in is foreign. */
int block_unpack(int codec, struct str in, char *out, size_t len, struct err *e);

#endif
