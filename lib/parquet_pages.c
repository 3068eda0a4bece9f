/* parquet_pages - the pages of one column of one row group, while they are read */
#include "parquet_pages.h"

#include "block.h"
#include "compress.h"

enum {
	HEADER = 32 * 1024, /* read at once for a page: its header, and most pages whole */
	MAX_HEADER = 16 << 20,
	MAX_PAGE = 256 << 20
};

struct page_header {
	int64_t type, raw, stored, crc, values, encoding, level_encoding, level_bytes, repeat_bytes;
	bool has_crc, plain; /* v2: its values are not compressed */
};

/* --- headers --- */

static void read_level_header(struct thrift_in *in, const struct thrift_field *outer,
			      struct page_header *h)
{
	struct thrift_field f = { 0 };

	if (!thrift_struct(in, outer))
		return;
	while (thrift_next(in, &f)) {
		if (f.id == 1)
			h->values = thrift_int(in, &f);
		else if (f.id == 2)
			h->encoding = thrift_int(in, &f);
		else if (f.id == 3 && h->type == PQ_DATA_PAGE)
			h->level_encoding = thrift_int(in, &f);
		else
			thrift_skip(in, &f);
	}
}

static void read_v2_header(struct thrift_in *in, const struct thrift_field *outer,
			   struct page_header *h)
{
	struct thrift_field f = { 0 };

	if (!thrift_struct(in, outer))
		return;
	while (thrift_next(in, &f)) {
		switch (f.id) {
		case 1: h->values = thrift_int(in, &f); break;
		case 4: h->encoding = thrift_int(in, &f); break;
		case 5: h->level_bytes = thrift_int(in, &f); break;
		case 6: h->repeat_bytes = thrift_int(in, &f); break;
		case 7: h->plain = !thrift_bool(in, &f); break;
		default: thrift_skip(in, &f);
		}
	}
}

static void read_header(struct thrift_in *in, struct page_header *h)
{
	struct thrift_field outer = { 0, THRIFT_STRUCT }, f = { 0 };

	*h = (struct page_header){ .type = -1, .values = -1, .raw = -1, .stored = -1,
				   .level_encoding = PQE_RLE };
	if (!thrift_struct(in, &outer))
		return;
	while (thrift_next(in, &f)) {
		switch (f.id) {
		case 1: h->type = thrift_int(in, &f); break;
		case 2: h->raw = thrift_int(in, &f); break;
		case 3: h->stored = thrift_int(in, &f); break;
		case 4:
			h->crc = thrift_int(in, &f);
			h->has_crc = true;
			break;
		case 5:
		case 7: read_level_header(in, &f, h); break;
		case 8: read_v2_header(in, &f, h); break;
		default: thrift_skip(in, &f);
		}
	}
}

/* --- pages --- */

static int read_source(const struct parquet_pages *p, uint64_t offset, size_t len, char *to,
		       struct err *e)
{
	return p->file->source.read(p->file->source.arg, offset, len, to, e);
}

/* Go on in the file. A byte belongs to one page: else a few bytes of a footer could have the same
 * page unpacked as often as they like. */
static int take(struct parquet_pages *p, uint64_t bytes, struct err *e)
{
	p->at += bytes;
	p->file->taken += bytes;
	if (p->file->taken > p->file->source.size)
		return err_set(e, BAD_DATA, "its columns have pages in common");
	return OK;
}

/* A header does not say how long it is: read on until it is whole. ahead: the page's own bytes
 * behind it, in scratch, as far as they were read too. */
static int fetch_header(struct parquet_pages *p, struct page_header *h, struct str *ahead,
			struct err *e)
{
	struct buf *scratch = &p->file->scratch;
	uint64_t left = p->chunk->end - p->at;
	struct thrift_in t;
	size_t len = HEADER;
	int rc;

	for (;; len *= 2) {
		len = len < left ? len : (size_t)left;
		buf_reset(scratch);
		buf_need(scratch, len);
		if ((rc = read_source(p, p->at, len, scratch->data, e)) != OK)
			return rc;
		t = (struct thrift_in){ .p = (unsigned char *)scratch->data,
					.end = (unsigned char *)scratch->data + len };
		read_header(&t, h);
		if (t.error != THRIFT_SHORT || len == left || len >= MAX_HEADER)
			break;
	}
	if (t.error != THRIFT_OK)
		return err_set(e, BAD_DATA, "a page's header is malformed");
	*ahead = (struct str){ (const char *)t.p, (size_t)(t.end - t.p) };
	left -= len - ahead->len;
	if ((rc = take(p, len - ahead->len, e)) != OK)
		return rc;
	if (h->stored < 0 || (uint64_t)h->stored > left || h->raw < 0 || h->raw > MAX_PAGE ||
	    h->values > INT32_MAX || (h->values < 0 && h->type != PQ_INDEX_PAGE))
		return err_set(e, BAD_DATA, "a page's header has impossible numbers");
	return OK;
}

/* The page's bytes as they are stored, in scratch. */
static int fetch_body(struct parquet_pages *p, const struct page_header *h, struct str ahead,
		      struct str *stored, struct err *e)
{
	struct buf *scratch = &p->file->scratch;
	size_t start = (size_t)(ahead.data - scratch->data), len = (size_t)h->stored;
	int rc = OK;

	if (ahead.len < len) {
		buf_need(scratch, start + len);
		rc = read_source(p, p->at + ahead.len, len - ahead.len,
				 scratch->data + start + ahead.len, e);
	}
	if (rc != OK)
		return rc;
	*stored = (struct str){ scratch->data + start, len };
	if ((rc = take(p, len, e)) != OK)
		return rc;
	if (p->file->verify && h->has_crc && crc32_of(*stored, 0) != (uint32_t)h->crc)
		return err_set(e, BAD_DATA, "a page is damaged: its checksum is another");
	return OK;
}

/* Change what *held counts to bytes. */
static int reserve(struct parquet_pages *p, uint64_t *held, uint64_t bytes, struct err *e)
{
	p->file->held += bytes - *held;
	*held = bytes;
	if (p->file->held > p->file->limit)
		return err_set(e, BAD_DATA, "its pages would take more than %llu MiB of memory",
			       (unsigned long long)(p->file->limit >> 20));
	return OK;
}

/* Unpack a page into b; the levels of a second version's page stand uncompressed before it. */
static int unpack(const struct parquet_pages *p, const struct page_header *h, struct str stored,
		  struct buf *b, struct err *e)
{
	size_t levels = h->type == PQ_DATA_PAGE_V2 ? (size_t)(h->level_bytes + h->repeat_bytes) : 0;
	size_t raw = (size_t)h->raw;
	int codec = h->plain ? BLOCK_NONE : p->chunk->codec;

	if (levels > stored.len || levels > raw)
		return err_set(e, BAD_DATA, "a page's levels are longer than the page");
	buf_reset(b);
	buf_need(b, raw);
	if (levels)
		memcpy(b->data, stored.data, levels);
	b->len = raw;
	if (stored.len == levels && raw == levels)
		return OK; /* nothing is not compressed to anything */
	return block_unpack(codec, (struct str){ stored.data + levels, stored.len - levels },
			    b->data + levels, raw - levels, e);
}

static int read_dictionary(struct parquet_pages *p, const struct page_header *h, struct str stored,
			   struct err *e)
{
	struct buf body = { 0 };
	int rc;

	if (p->has_dictionary)
		return err_set(e, BAD_DATA, "it has two dictionaries");
	p->has_dictionary = true;
	rc = reserve(p, &p->dictionary_held,
		     (uint64_t)h->raw + (uint64_t)h->values * sizeof(struct str), e);
	if (rc == OK && (rc = unpack(p, h, stored, &body, e)) == OK)
		rc = parquet_dictionary_read(&p->dictionary, p->leaf, &body, (uint64_t)h->values,
					     e);
	buf_release(&body);
	return rc;
}

/* Where the levels are, and the values behind them. */
static int begin_levels(struct parquet_pages *p, const struct page_header *h, struct str *body,
			struct err *e)
{
	size_t len = 0, skip = 0;

	p->packed_levels = false;
	if (h->type == PQ_DATA_PAGE_V2) {
		skip = (size_t)h->repeat_bytes;
		len = (size_t)h->level_bytes;
	} else if (p->leaf->optional && h->level_encoding == PQE_BIT_PACKED) {
		p->packed_levels = true;
		len = ((size_t)h->values + 7) / 8;
	} else if (p->leaf->optional) {
		if (h->level_encoding != PQE_RLE || body->len < 4)
			return err_set(e, BAD_DATA, "a page's levels are malformed");
		skip = 4;
		len = load_le32(body->data);
	}
	if (len > body->len - skip)
		return err_set(e, BAD_DATA, "a page's levels are longer than the page");
	p->level_bits = (struct str){ body->data + skip, len };
	p->level_at = 0;
	parquet_hybrid_init(&p->levels, p->level_bits, 1);
	*body = (struct str){ body->data + skip + len, body->len - skip - len };
	return OK;
}

static int begin_page(struct parquet_pages *p, const struct page_header *h, struct str stored,
		      struct err *e)
{
	struct str body;
	int rc;

	if ((uint64_t)h->values > p->rows_left)
		return err_set(e, BAD_DATA, "its pages have more rows than the row group");
	if (h->level_bytes < 0 || h->repeat_bytes < 0 || h->level_bytes > h->raw ||
	    h->repeat_bytes > h->raw - h->level_bytes)
		return err_set(e, BAD_DATA, "a page's levels are longer than the page");
	if ((rc = reserve(p, &p->page_held, (uint64_t)h->raw, e)) != OK ||
	    (rc = unpack(p, h, stored, &p->page, e)) != OK)
		return rc;
	body = buf_str(&p->page);
	if ((rc = begin_levels(p, h, &body, e)) != OK)
		return rc;
	p->page_left = (uint64_t)h->values;
	p->rows_left -= p->page_left;
	return parquet_values_init(&p->values, p->leaf, h->encoding, body,
				   p->has_dictionary ? &p->dictionary : NULL, e);
}

/* The next page that has rows. */
static int next_page(struct parquet_pages *p, struct err *e)
{
	struct page_header h;
	struct str ahead = { 0 }, stored;
	int rc;

	while (p->page_left == 0) {
		if (p->at >= p->chunk->end)
			return err_set(e, BAD_DATA, "its pages have fewer rows than the row group");
		if ((rc = fetch_header(p, &h, &ahead, e)) != OK ||
		    (rc = fetch_body(p, &h, ahead, &stored, e)) != OK)
			return rc;
		if (h.type == PQ_DICTIONARY_PAGE)
			rc = read_dictionary(p, &h, stored, e);
		else if (h.type == PQ_DATA_PAGE || h.type == PQ_DATA_PAGE_V2)
			rc = begin_page(p, &h, stored, e);
		else if (h.type != PQ_INDEX_PAGE)
			rc = err_set(e, BAD_DATA, "a page is of an unknown type");
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* --- values --- */

/* Which of the next rows are there, and which are null. */
static int next_batch(struct parquet_pages *p, struct err *e)
{
	size_t n;
	int rc;

	if (p->page_left == 0 && (rc = next_page(p, e)) != OK)
		return rc;
	n = p->page_left < PARQUET_BATCH ? (size_t)p->page_left : PARQUET_BATCH;
	p->page_left -= n;
	p->batch = n;
	p->batch_at = p->batch_present = p->value_at = 0;
	p->values.have = 0;
	if (!p->leaf->optional) {
		p->batch_present = n;
		for (size_t i = 0; i < n; i++)
			p->present[i] = 1;
		return OK;
	}
	for (size_t i = 0; i < n && p->packed_levels; i++, p->level_at++)
		p->present[i] = (unsigned char)p->level_bits.data[p->level_at / 8] >>
					 (7 - p->level_at % 8) &
				 1;
	if (!p->packed_levels && !parquet_hybrid_next(&p->levels, p->present, n))
		return err_set(e, BAD_DATA, "a page has fewer rows than it says");
	for (size_t i = 0; i < n; i++) {
		if (p->present[i] > 1)
			return err_set(e, BAD_DATA, "a page's levels are impossible");
		p->batch_present += p->present[i];
	}
	return OK;
}

int parquet_pages_next(struct parquet_pages *p, struct err *e)
{
	int rc;

	if (p->batch_at == p->batch && (rc = next_batch(p, e)) != OK)
		return rc;
	p->null = !p->present[p->batch_at++];
	if (p->null)
		return OK;
	if (p->value_at == p->values.have) {
		p->value_at = 0;
		rc = parquet_values_next(&p->values, p->batch_present, e);
		if (rc != OK)
			return rc;
		p->batch_present -= p->values.have;
	}
	p->value = p->value_at++;
	return OK;
}

void parquet_pages_begin(struct parquet_pages *p, const struct parquet_chunk *chunk, uint64_t rows)
{
	p->chunk = chunk;
	p->at = chunk->start;
	p->rows_left = rows;
	p->page_left = p->batch = p->batch_at = 0;
	p->has_dictionary = false;
	parquet_dictionary_release(&p->dictionary);
	buf_release(&p->page);
	p->file->held -= p->page_held + p->dictionary_held;
	p->page_held = p->dictionary_held = 0;
}

void parquet_pages_release(struct parquet_pages *p)
{
	parquet_dictionary_release(&p->dictionary);
	parquet_values_release(&p->values);
	buf_release(&p->page);
}
