/* compress - gzip and zstd by zlib and libzstd */
#include "compress.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "mem.h"

enum {
	STEP = 64 * 1024,
	GZIP_WINDOW = 15 + 16,
	GZIP_MEMORY = 272 * 1024 /* zconf.h: 256 KiB and some, with this window and level 8 */
};

struct compressor {
	z_stream gz;
	ZSTD_CCtx *zstd; /* NULL: gzip */
};

bool codec_parse(const char *name, enum codec *codec)
{
	*codec = strcmp(name, "gzip") == 0 ? CODEC_GZIP :
		 strcmp(name, "zstd") == 0 ? CODEC_ZSTD : CODEC_NONE;
	return *codec != CODEC_NONE;
}

const char *codec_suffix(enum codec codec)
{
	static const char *const suffixes[] = { "", ".gz", ".zst" };

	return suffixes[codec];
}

const char *codec_name(enum codec codec)
{
	static const char *const names[] = { "identity", "gzip", "zstd" };

	return names[codec];
}

struct compressor *compressor_new(enum codec codec)
{
	struct compressor *c;

	if (codec == CODEC_NONE)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	if (codec == CODEC_ZSTD) {
		c->zstd = ZSTD_createCCtx();
		ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1);
	} else {
		deflateInit2(&c->gz, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
			     Z_DEFAULT_STRATEGY);
	}
	return c;
}

static int run_zstd(struct compressor *c, struct str in, bool last, struct buf *out, struct err *e)
{
	ZSTD_inBuffer from = { in.data, in.len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer to;

		buf_need(out, STEP);
		to = (ZSTD_outBuffer){ out->data + out->len, STEP, 0 };
		left = ZSTD_compressStream2(c->zstd, &to, &from,
					    last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(e, FAILED, "could not compress: %s",
				       ZSTD_getErrorName(left));
		out->len += to.pos;
	} while (last ? left != 0 : from.pos < from.size);
	return OK;
}

static int run_gzip(struct compressor *c, struct str in, bool last, struct buf *out, struct err *e)
{
	int rc;

	if (in.len > UINT32_MAX) /* zlib would take a part of it */
		return err_set(e, FAILED, "could not compress %zu bytes at once", in.len);
	c->gz.next_in = (unsigned char *)(uintptr_t)in.data;
	c->gz.avail_in = (unsigned)in.len;
	do {
		buf_need(out, STEP);
		c->gz.next_out = (unsigned char *)out->data + out->len;
		c->gz.avail_out = STEP;
		rc = deflate(&c->gz, last ? Z_FINISH : Z_NO_FLUSH);
		if (rc == Z_STREAM_ERROR)
			return err_set(e, FAILED, "could not compress: zlib's state is broken");
		out->len += STEP - c->gz.avail_out;
	} while (last ? rc != Z_STREAM_END : c->gz.avail_in > 0);
	return OK;
}

int compressor_run(struct compressor *c, struct str in, bool last, struct buf *out, struct err *e)
{
	if (!c) {
		buf_addstr(out, in);
		return OK;
	}
	return c->zstd ? run_zstd(c, in, last, out, e) : run_gzip(c, in, last, out, e);
}

size_t compressor_memory(const struct compressor *c)
{
	return !c ? 0 : c->zstd ? ZSTD_sizeof_CCtx(c->zstd) : GZIP_MEMORY;
}

void compressor_free(struct compressor *c)
{
	if (!c)
		return;
	if (c->zstd)
		ZSTD_freeCCtx(c->zstd);
	else
		deflateEnd(&c->gz);
	free(c);
}

/* --- whole buffers --- */

static int zstd_block(struct str in, struct buf *out, struct err *e)
{
	static ZSTD_CCtx *c;
	size_t n, most = ZSTD_compressBound(in.len);

	if (!c)
		c = ZSTD_createCCtx();
	buf_need(out, most);
	n = ZSTD_compressCCtx(c, out->data + out->len, most, in.data, in.len, 1);
	if (ZSTD_isError(n))
		return err_set(e, FAILED, "could not compress: %s", ZSTD_getErrorName(n));
	out->len += n;
	return OK;
}

int compress_block(enum codec codec, struct str in, struct buf *out, struct err *e)
{
	struct compressor *c;
	int rc;

	if (codec == CODEC_ZSTD)
		return zstd_block(in, out, e);
	c = compressor_new(codec);
	rc = compressor_run(c, in, true, out, e);
	compressor_free(c);
	return rc;
}

/* Old writers put several members into one block. */
static bool expand_gzip(struct str in, char *out, size_t len)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)in.data, .avail_in = (unsigned)in.len,
		       .next_out = (unsigned char *)out, .avail_out = (unsigned)len };
	int rc;

	if (in.len > UINT32_MAX || len > UINT32_MAX || inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return false;
	do
		rc = inflate(&z, Z_FINISH);
	while (rc == Z_STREAM_END && z.avail_in > 0 && inflateReset(&z) == Z_OK);
	inflateEnd(&z);
	return rc == Z_STREAM_END && z.avail_out == 0;
}

bool expand_block(enum codec codec, struct str in, char *out, size_t len)
{
	static ZSTD_DCtx *d;

	if (codec == CODEC_GZIP)
		return expand_gzip(in, out, len);
	if (!d)
		d = ZSTD_createDCtx();
	return ZSTD_decompressDCtx(d, out, len, in.data, in.len) == len;
}

uint32_t crc32_of(struct str bytes, uint32_t before)
{
	return (uint32_t)crc32_z(before, (const unsigned char *)bytes.data, bytes.len);
}

/* --- back --- */

struct decompressor {
	z_stream gz;
	ZSTD_DCtx *zstd; /* NULL: gzip */
	bool inside;     /* a stream has begun and not ended */
};

struct decompressor *decompressor_new(enum codec codec)
{
	struct decompressor *d;

	if (codec == CODEC_NONE)
		return NULL;
	d = xcalloc(1, sizeof(*d));
	if (codec == CODEC_ZSTD)
		d->zstd = ZSTD_createDCtx();
	else
		inflateInit2(&d->gz, GZIP_WINDOW);
	return d;
}

static int unzstd(struct decompressor *d, struct str *in, struct buf *out, struct err *e)
{
	ZSTD_inBuffer from = { in->data, in->len, 0 };
	ZSTD_outBuffer to = { out->data + out->len, DECOMPRESS_STEP, 0 };
	size_t left = 1;

	while (!ZSTD_isError(left) && to.pos < to.size) {
		size_t in_before = from.pos, out_before = to.pos;

		left = ZSTD_decompressStream(d->zstd, &to, &from);
		if (from.pos == in_before && to.pos == out_before)
			break;
		d->inside = left != 0;
	}
	if (ZSTD_isError(left))
		return err_set(e, BAD_DATA, "could not decompress: %s", ZSTD_getErrorName(left));
	*in = (struct str){ in->data + from.pos, in->len - from.pos };
	out->len += to.pos;
	return OK;
}

static int gunzip(struct decompressor *d, struct str *in, struct buf *out, struct err *e)
{
	int rc = Z_OK;

	d->gz.next_in = (unsigned char *)(uintptr_t)in->data;
	d->gz.avail_in = (unsigned)in->len;
	d->gz.next_out = (unsigned char *)out->data + out->len;
	d->gz.avail_out = DECOMPRESS_STEP;
	while (rc == Z_OK && d->gz.avail_out && (d->inside || d->gz.avail_in)) {
		d->inside = true;
		rc = inflate(&d->gz, Z_NO_FLUSH);
		if (rc == Z_STREAM_END) {
			d->inside = false;
			rc = inflateReset(&d->gz);
		}
	}
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return err_set(e, BAD_DATA, "could not decompress: %s",
			       d->gz.msg ? d->gz.msg : "not gzip");
	*in = (struct str){ (const char *)d->gz.next_in, d->gz.avail_in };
	out->len += DECOMPRESS_STEP - d->gz.avail_out;
	return OK;
}

int decompressor_run(struct decompressor *d, struct str *in, struct buf *out, struct err *e)
{
	size_t n = in->len < DECOMPRESS_STEP ? in->len : DECOMPRESS_STEP;

	buf_need(out, DECOMPRESS_STEP);
	if (d)
		return d->zstd ? unzstd(d, in, out, e) : gunzip(d, in, out, e);
	buf_add(out, in->data, n);
	*in = (struct str){ in->data + n, in->len - n };
	return OK;
}

int decompressor_end(const struct decompressor *d, struct err *e)
{
	return !d || !d->inside ? OK :
				  err_set(e, BAD_DATA, "could not decompress: it ends too early");
}

void decompressor_free(struct decompressor *d)
{
	if (!d)
		return;
	if (d->zstd)
		ZSTD_freeDCtx(d->zstd);
	else
		inflateEnd(&d->gz);
	free(d);
}
