/* compress.h - bytes through gzip or zstd and back, as they come. */
#ifndef STARPIPE_COMPRESS_H
#define STARPIPE_COMPRESS_H

#include "buf.h"
#include "err.h"

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_ZSTD };

struct compressor;

/* "gzip", "zstd"; false for anything else. */
bool codec_parse(const char *name, enum codec *codec);
const char *codec_suffix(enum codec codec); /* ".gz", ".zst", "" */
const char *codec_name(enum codec codec);   /* "gzip", "zstd", "identity" */

/* NULL for CODEC_NONE, which the calls below take for copying. */
struct compressor *compressor_new(enum codec codec);

/* Append what becomes of in to out; with last, all that is left. */
int compressor_run(struct compressor *c, struct str in, bool last, struct buf *out, struct err *e);

/* Bytes of memory that it takes, not counting what it is given. */
size_t compressor_memory(const struct compressor *c);
void compressor_free(struct compressor *c);

struct decompressor;

enum { DECOMPRESS_STEP = 256 * 1024 };

/* NULL for CODEC_NONE, as above. */
struct decompressor *decompressor_new(enum codec codec);

/* Append at most DECOMPRESS_STEP bytes to out, taking from *in what they need: call it until *in is
 * empty and nothing was appended. Several streams behind each other are one. */
int decompressor_run(struct decompressor *d, struct str *in, struct buf *out, struct err *e);

/* BAD_DATA if the input ended within a stream. */
int decompressor_end(const struct decompressor *d, struct err *e);
void decompressor_free(struct decompressor *d);

/* --- whole buffers; not thread-safe --- */

/* Append in, compressed fast (zstd 1, gzip 6), as one frame or member. */
int compress_block(enum codec codec, struct str in, struct buf *out, struct err *e);

/* Fill all of out[0..len) from frames or members that hold exactly as much; in is foreign. */
bool expand_block(enum codec codec, struct str in, char *out, size_t len);

/* zlib's CRC-32. */
uint32_t crc32_of(struct str bytes, uint32_t before);

#endif
