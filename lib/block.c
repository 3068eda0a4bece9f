/* block - whole buffers through a codec */
#include "block.h"

#include <brotli/decode.h>
#include <lz4.h>
#include <limits.h>
#include <snappy-c.h>

#include "compress.h"

static const char *const names[] = { "none", "snappy", "gzip", "lzo", "brotli", "lz4 (Hadoop's)",
				     "zstd", "lz4" };

bool block_parse(const char *name, enum block_codec *codec)
{
	static const enum block_codec written[] = { BLOCK_NONE, BLOCK_SNAPPY, BLOCK_GZIP,
						    BLOCK_ZSTD };

	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++)
		if (strcmp(name, names[written[i]]) == 0) {
			*codec = written[i];
			return true;
		}
	return false;
}

static const char *name_of(int codec)
{
	return codec >= 0 && codec <= BLOCK_LZ4 ? names[codec] : "of an unknown number";
}

static int pack_snappy(struct str in, struct buf *out, struct err *e)
{
	size_t len = snappy_max_compressed_length(in.len);

	buf_need(out, len);
	if (snappy_compress(in.data, in.len, out->data + out->len, &len) != SNAPPY_OK)
		return err_set(e, FAILED, "could not compress by snappy");
	out->len += len;
	return OK;
}

int block_pack(enum block_codec codec, struct str in, struct buf *out, struct err *e)
{
	switch (codec) {
	case BLOCK_SNAPPY: return pack_snappy(in, out, e);
	case BLOCK_GZIP: return compress_block(CODEC_GZIP, in, out, e);
	case BLOCK_ZSTD: return compress_block(CODEC_ZSTD, in, out, e);
	default:
		buf_addstr(out, in);
		return OK;
	}
}

static bool unpack_snappy(struct str in, char *out, size_t len)
{
	size_t told;

	return snappy_uncompressed_length(in.data, in.len, &told) == SNAPPY_OK && told == len &&
	       snappy_uncompress(in.data, in.len, out, &told) == SNAPPY_OK && told == len;
}

static bool unpack_lz4(struct str in, char *out, size_t len)
{
	return in.len <= INT_MAX && len <= INT_MAX &&
	       LZ4_decompress_safe(in.data, out, (int)in.len, (int)len) == (int)len;
}

static size_t big_endian(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (size_t)u[0] << 24 | (size_t)u[1] << 16 | (size_t)u[2] << 8 | u[3];
}

/* Frames of two lengths and a block each; writers that did not know wrote the bare block. */
static bool unpack_hadoop(struct str in, char *out, size_t len)
{
	struct str rest = in;
	size_t done = 0;

	while (rest.len >= 8) {
		size_t raw = big_endian(rest.data), packed = big_endian(rest.data + 4);
		struct str block = { rest.data + 8, packed };

		if (packed > rest.len - 8 || raw > len - done ||
		    !unpack_lz4(block, out + done, raw))
			break;
		done += raw;
		rest = (struct str){ block.data + packed, rest.len - 8 - packed };
	}
	return (rest.len == 0 && done == len) || unpack_lz4(in, out, len);
}

static bool unpack_brotli(struct str in, char *out, size_t len)
{
	size_t told = len;

	return BrotliDecoderDecompress(in.len, (const unsigned char *)in.data, &told,
				       (unsigned char *)out) == BROTLI_DECODER_RESULT_SUCCESS &&
	       told == len;
}

int block_unpack(int codec, struct str in, char *out, size_t len, struct err *e)
{
	bool ok;

	switch (codec) {
	case BLOCK_NONE:
		ok = in.len == len;
		if (ok && len)
			memcpy(out, in.data, len);
		break;
	case BLOCK_SNAPPY: ok = unpack_snappy(in, out, len); break;
	case BLOCK_GZIP: ok = expand_block(CODEC_GZIP, in, out, len); break;
	case BLOCK_ZSTD: ok = expand_block(CODEC_ZSTD, in, out, len); break;
	case BLOCK_BROTLI: ok = unpack_brotli(in, out, len); break;
	case BLOCK_LZ4: ok = unpack_lz4(in, out, len); break;
	case BLOCK_LZ4_HADOOP: ok = unpack_hadoop(in, out, len); break;
	default:
		return err_set(e, BAD_DATA, "the codec %s (%d) is not supported", name_of(codec),
			       codec);
	}
	if (ok)
		return OK;
	return err_set(e, BAD_DATA, "%zu bytes of codec %s are not %zu bytes of data", in.len,
		       name_of(codec), len);
}
