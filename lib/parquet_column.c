/* parquet_column - one column of one row group, while it is written */
#include "parquet_column.h"

#include <math.h>
#include <stdlib.h>

#include "compress.h"
#include "mem.h"

enum {
	FIRST_SLOTS = 1024,
	SURE = 1000,  /* values from which that most are distinct is no accident */
	LARGE = 4096, /* a value that is worth no place in a dictionary */
	RUN = 16      /* equal indexes, from which on a run of them is shorter than each */
};

struct parquet_finished {
	struct parquet_finished *next;
	size_t len;
	char data[];
};

static void add_u32(struct buf *b, uint32_t v)
{
	unsigned char bytes[4] = { (unsigned char)v, (unsigned char)(v >> 8),
				   (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

	buf_add(b, bytes, 4);
}

static uint32_t load32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t load64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* --- the dictionary --- */

static uint64_t mix(uint64_t h)
{
	h *= 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

/* Eight bytes at a time; the last of them overlap those before. */
static inline uint32_t hash_of(const char *p, size_t n)
{
	uint64_t h = n, tail = 0;

	if (n == 8)
		return (uint32_t)(mix(load64(p)) >> 16);
	for (size_t i = 0; i + 8 < n; i += 8)
		h = mix(h ^ load64(p + i));
	if (n > 8)
		tail = load64(p + n - 8);
	else if (n >= 4)
		tail = (uint64_t)load32(p) << 32 | load32(p + n - 4);
	else
		for (size_t i = 0; i < n; i++)
			tail = tail << 8 | (unsigned char)p[i];
	return (uint32_t)(mix(h ^ tail) >> 16);
}

static inline bool entry_is(const struct parquet_column *c, size_t i, const char *p, size_t n)
{
	const struct parquet_dictionary *d = &c->dict;
	const char *entry;

	if (c->leaf.type != PQ_BYTES) {
		entry = d->values.data + i * n;
		return n == 4 ? load32(entry) == load32(p) :
		       n == 8 ? load64(entry) == load64(p) :
				memcmp(entry, p, n) == 0;
	}
	entry = d->values.data + d->offsets[i];
	return (i + 1 < d->count ? d->offsets[i + 1] - 4 : d->values.len) - d->offsets[i] == n &&
	       memcmp(entry, p, n) == 0;
}

static void place(struct parquet_dictionary *d, uint64_t entry)
{
	size_t slot = (entry >> 32) & (d->slot_count - 1);

	while (d->slots[slot])
		slot = (slot + 1) & (d->slot_count - 1);
	d->slots[slot] = entry;
}

static void grow_slots(struct parquet_dictionary *d)
{
	struct parquet_dictionary old = *d;

	d->slot_count = d->slot_count ? d->slot_count * 2 : FIRST_SLOTS;
	d->slots = xcalloc(d->slot_count, sizeof(*d->slots));
	for (size_t i = 0; i < old.slot_count; i++)
		if (old.slots[i])
			place(d, old.slots[i]);
	free(old.slots);
}

static void add_entry(struct parquet_column *c, const char *p, size_t n, uint32_t hash)
{
	struct parquet_dictionary *d = &c->dict;

	if (c->leaf.type == PQ_BYTES) {
		GROW(d->offsets, d->count, d->cap);
		add_u32(&d->values, (uint32_t)n);
		d->offsets[d->count] = (uint32_t)d->values.len;
	}
	buf_add(&d->values, p, n);
	d->count++;
	if (d->count * 2 > d->slot_count)
		grow_slots(d);
	place(d, (uint64_t)hash << 32 | d->count);
}

/* The value's entry; *added says whether it is new. */
static inline uint32_t look_up(struct parquet_column *c, const char *p, size_t n, bool *added)
{
	struct parquet_dictionary *d = &c->dict;
	uint32_t hash = hash_of(p, n), probes = 0;
	uint64_t entry;

	if (!d->slot_count)
		grow_slots(d);
	for (size_t slot = hash & (d->slot_count - 1); (entry = d->slots[slot]) != 0;
	     slot = (slot + 1) & (d->slot_count - 1)) {
		d->crowded |= ++probes > DICTIONARY_PROBES;
		if (entry >> 32 == hash && entry_is(c, (uint32_t)entry - 1, p, n)) {
			*added = false;
			return (uint32_t)entry - 1;
		}
	}
	*added = true;
	add_entry(c, p, n, hash);
	return (uint32_t)d->count - 1;
}

static void drop_dictionary(struct parquet_dictionary *d)
{
	buf_release(&d->values);
	free(d->offsets);
	free(d->slots);
	*d = (struct parquet_dictionary){ 0 };
}

/* The open page's indexes become values again, as if there never had been a dictionary. */
static void give_up(struct parquet_column *c)
{
	struct parquet_dictionary *d = &c->dict;
	size_t width = parquet_width(&c->leaf);

	for (size_t k = 0; k < c->index_count; k++) {
		size_t i = c->indexes[k], end;

		if (width) {
			buf_add(&c->values, d->values.data + i * width, width);
			continue;
		}
		end = i + 1 < d->count ? d->offsets[i + 1] - 4 : d->values.len;
		buf_add(&c->values, d->values.data + d->offsets[i] - 4, end - d->offsets[i] + 4);
	}
	c->index_count = 0;
	c->indexed = false;
	drop_dictionary(d);
}

/* --- values --- */

/* The bits begin with the page's first null: until then all are set. */
static void begin_bits(struct parquet_column *c)
{
	size_t bytes = c->rows / 8 + (c->rows % 8 > 0);

	buf_need(&c->bits, PAGE_ROWS / 8 + 1);
	memset(c->bits.data, 0xff, bytes);
	if (c->rows % 8)
		c->bits.data[bytes - 1] = (char)((1 << c->rows % 8) - 1);
	c->bits.len = bytes;
}

static inline void note_row(struct parquet_column *c, bool present)
{
	if (c->present < c->rows || !present) {
		if (c->present == c->rows)
			begin_bits(c);
		if (c->rows % 8 == 0)
			buf_addch(&c->bits, 0);
		c->bits.data[c->rows / 8] |= (char)(present << c->rows % 8);
	}
	c->rows++;
	c->present += present;
}

void parquet_column_init(struct parquet_column *c, const struct parquet_leaf *leaf,
			 enum block_codec codec)
{
	*c = (struct parquet_column){ .leaf = *leaf, .codec = codec };
	c->indexed = c->dictionary = leaf->type != PQ_BOOLEAN;
}

void parquet_column_null(struct parquet_column *c)
{
	note_row(c, false);
	c->stats.nulls++;
}

void parquet_column_bool(struct parquet_column *c, bool v)
{
	if (c->present % 8 == 0)
		buf_addch(&c->values, 0);
	if (v)
		c->values.data[c->present / 8] |= (char)(1 << c->present % 8);
	parquet_stats_int(&c->stats, v);
	note_row(c, true);
}

/* Has the value to be looked at for the statistics? One that is in the dictionary was. */
static inline bool add_value(struct parquet_column *c, const char *p, size_t n)
{
	bool added = true;

	note_row(c, true);
	if (c->indexed && n > LARGE && c->indexed_pages == 0)
		give_up(c);
	if (c->indexed) {
		GROW(c->indexes, c->index_count, c->index_cap);
		c->indexes[c->index_count++] = look_up(c, p, n, &added);
		return added;
	}
	if (c->leaf.type == PQ_BYTES)
		add_u32(&c->values, (uint32_t)n);
	buf_add(&c->values, p, n);
	return true;
}

void parquet_column_int(struct parquet_column *c, int64_t v)
{
	int32_t narrow = (int32_t)v;
	bool wide = c->leaf.type == PQ_INT64;

	if (add_value(c, wide ? (char *)&v : (char *)&narrow, wide ? 8 : 4))
		parquet_stats_int(&c->stats, v);
}

void parquet_column_float(struct parquet_column *c, double v)
{
	float narrow = (float)v;
	bool wide = c->leaf.type == PQ_DOUBLE;

	if (add_value(c, wide ? (char *)&v : (char *)&narrow, wide ? 8 : 4) || isnan(v))
		parquet_stats_float(&c->stats, v);
}

void parquet_column_bytes(struct parquet_column *c, struct str v)
{
	if (add_value(c, v.data, v.len))
		parquet_stats_bytes(&c->stats, &c->leaf, v);
}

/* --- pages --- */

/* Runs and bit-packed groups of eight, the hybrid encoding. Only a group at the very end may be
 * filled up: so packed stretches end where a multiple of eight does. */
static void add_packed(struct buf *b, const uint32_t *v, size_t n, int width)
{
	uint64_t bits = 0;
	int have = 0;

	if (n == 0)
		return;
	varint_put(b, (n + 7) / 8 << 1 | 1);
	buf_need(b, (n + 8) * 4);
	for (size_t i = 0; i < (n + 7) / 8 * 8; i++) {
		bits |= (uint64_t)(i < n ? v[i] : 0) << have;
		for (have += width; have >= 8; have -= 8, bits >>= 8)
			b->data[b->len++] = (char)bits;
	}
}

static void add_hybrid(struct buf *b, const uint32_t *v, size_t n, int width)
{
	size_t from = 0, i = 0;

	while (i < n) {
		size_t run = 1;

		while (i + run < n && v[i + run] == v[i])
			run++;
		if (run < RUN) {
			i += 8;
			continue;
		}
		add_packed(b, v + from, i - from, width);
		varint_put(b, run << 1);
		for (int k = 0; k < width; k += 8)
			buf_addch(b, (char)(v[i] >> k));
		from = i += run;
	}
	add_packed(b, v + from, n - from, width);
}

/* Definition levels: a run where all or none of the rows are null, else the bits as they are. */
static void add_levels(struct buf *b, const struct parquet_column *c)
{
	size_t start = b->len;
	uint32_t len;

	add_u32(b, 0);
	if (c->present == c->rows || c->present == 0) {
		varint_put(b, (uint64_t)c->rows << 1);
		buf_addch(b, c->present != 0);
	} else {
		varint_put(b, (uint64_t)(c->rows + 7) / 8 << 1 | 1);
		buf_add(b, c->bits.data, c->bits.len);
	}
	len = (uint32_t)(b->len - start - 4);
	for (int i = 0; i < 4; i++)
		b->data[start + (size_t)i] = (char)(len >> 8 * i);
}

/* Compress a page's body, put its header before it, and keep it; the dictionary's goes first. */
static int keep_page(struct parquet_column *c, enum parquet_page type, struct str body,
		     uint32_t count, enum parquet_encoding encoding, struct err *e)
{
	struct buf head = { 0 }, packed = { 0 };
	struct thrift_out o = { .b = &head };
	struct parquet_finished *p;
	int rc = block_pack(c->codec, body, &packed, e);

	if (rc == OK && (body.len > INT32_MAX || packed.len > INT32_MAX))
		rc = err_set(e, BAD_DATA, "a value of %zu bytes is too large for Parquet",
			     body.len);
	if (rc != OK)
		goto done;
	thrift_put_struct(&o, 0);
	thrift_put_i32(&o, 1, type);
	thrift_put_i32(&o, 2, (int32_t)body.len);
	thrift_put_i32(&o, 3, (int32_t)packed.len);
	thrift_put_i32(&o, 4, (int32_t)crc32_of(buf_str(&packed), 0));
	thrift_put_struct(&o, type == PQ_DICTIONARY_PAGE ? 7 : 5);
	thrift_put_i32(&o, 1, (int32_t)count);
	thrift_put_i32(&o, 2, encoding);
	if (type == PQ_DATA_PAGE) {
		thrift_put_i32(&o, 3, PQE_RLE);
		thrift_put_i32(&o, 4, PQE_RLE);
	}
	thrift_end(&o);
	thrift_end(&o);
	p = xmalloc(sizeof(*p) + head.len + packed.len);
	p->len = head.len + packed.len;
	p->next = NULL;
	memcpy(p->data, head.data, head.len);
	if (packed.len)
		memcpy(p->data + head.len, packed.data, packed.len);
	if (type == PQ_DICTIONARY_PAGE || !c->pages) {
		p->next = c->pages;
		c->pages = p;
		c->last = c->last ? c->last : p;
	} else {
		c->last->next = p;
		c->last = p;
	}
	c->page_bytes += sizeof(*p) + p->len;
	c->stored_bytes += p->len;
	c->raw_bytes += head.len + body.len;
done:
	buf_release(&head);
	buf_release(&packed);
	return rc;
}

static int width_of(size_t count)
{
	int width = 1;

	while ((size_t)1 << width < count)
		width++;
	return width;
}

static int keep_data_page(struct parquet_column *c, struct err *e)
{
	bool indexed = c->indexed && c->present; /* without values, no dictionary */
	struct buf body = { 0 };
	int rc;

	add_levels(&body, c);
	if (indexed) {
		int width = width_of(c->dict.count);

		buf_addch(&body, (char)width);
		add_hybrid(&body, c->indexes, c->index_count, width);
		c->indexed_pages++;
	} else {
		buf_add(&body, c->values.data, c->values.len);
		c->plain_pages++;
	}
	rc = keep_page(c, PQ_DATA_PAGE, buf_str(&body), c->rows,
		       indexed ? PQE_RLE_DICTIONARY : PQE_PLAIN, e);
	c->row_count += c->rows;
	c->rows = c->present = 0;
	c->index_count = 0;
	buf_reset(&c->bits);
	buf_reset(&c->values);
	buf_release(&body);
	return rc;
}

int parquet_column_cut(struct parquet_column *c, struct err *e)
{
	int rc;

	if (c->rows == 0)
		return OK;
	if (c->indexed && c->indexed_pages == 0 && c->dict.count * 2 > c->index_count) {
		c->dictionary &= c->index_count < SURE;
		give_up(c);
	}
	rc = keep_data_page(c, e);
	if (c->indexed && parquet_dictionary_large(&c->dict))
		c->indexed = c->dictionary = false; /* the pages that follow are plain */
	return rc;
}

/* --- the row group --- */

size_t parquet_column_held(const struct parquet_column *c)
{
	return c->page_bytes + c->values.cap + c->bits.cap + c->index_cap * sizeof(*c->indexes) +
	       c->dict.values.cap + c->dict.slot_count * sizeof(*c->dict.slots) +
	       c->dict.cap * sizeof(*c->dict.offsets);
}

static void put_page_count(struct thrift_out *o, int type, int encoding, int32_t count)
{
	thrift_put_struct(o, 0);
	thrift_put_i32(o, 1, type);
	thrift_put_i32(o, 2, encoding);
	thrift_put_i32(o, 3, count);
	thrift_end(o);
}

static void put_encodings(struct thrift_out *o, const struct parquet_column *c)
{
	thrift_put_list(o, 2, THRIFT_I32, c->indexed_pages ? 3 : 2);
	thrift_put_i32(o, 0, PQE_PLAIN); /* the dictionary's page, if no other */
	thrift_put_i32(o, 0, PQE_RLE);
	if (c->indexed_pages)
		thrift_put_i32(o, 0, PQE_RLE_DICTIONARY);
}

static void put_chunk(struct thrift_out *o, struct parquet_column *c, uint64_t offset,
		      size_t dictionary_len)
{
	thrift_put_struct(o, 0);
	thrift_put_i64(o, 2, 0);
	thrift_put_struct(o, 3);
	thrift_put_i32(o, 1, (int32_t)c->leaf.type);
	put_encodings(o, c);
	thrift_put_list(o, 3, THRIFT_BINARY, 1);
	thrift_put_binary(o, 0, str_of(c->leaf.name));
	thrift_put_i32(o, 4, (int32_t)c->codec);
	thrift_put_i64(o, 5, (int64_t)c->row_count);
	thrift_put_i64(o, 6, (int64_t)c->raw_bytes);
	thrift_put_i64(o, 7, (int64_t)c->stored_bytes);
	thrift_put_i64(o, 9, (int64_t)(offset + dictionary_len));
	if (dictionary_len)
		thrift_put_i64(o, 11, (int64_t)offset);
	parquet_stats_put(o, 12, &c->stats, &c->leaf);
	thrift_put_list(o, 13, THRIFT_STRUCT,
			(dictionary_len > 0) + (c->indexed_pages > 0) + (c->plain_pages > 0));
	if (dictionary_len)
		put_page_count(o, PQ_DICTIONARY_PAGE, PQE_PLAIN, 1);
	if (c->indexed_pages)
		put_page_count(o, PQ_DATA_PAGE, PQE_RLE_DICTIONARY, c->indexed_pages);
	if (c->plain_pages)
		put_page_count(o, PQ_DATA_PAGE, PQE_PLAIN, c->plain_pages);
	thrift_end(o);
	thrift_end(o);
}

int parquet_column_end(struct parquet_column *c, uint64_t offset, parquet_sink write, void *arg,
		       struct thrift_out *meta, struct err *e)
{
	size_t dictionary_len = 0;
	int rc = parquet_column_cut(c, e);

	if (rc == OK && c->indexed_pages && c->dict.count) {
		rc = keep_page(c, PQ_DICTIONARY_PAGE, buf_str(&c->dict.values),
			       (uint32_t)c->dict.count, PQE_PLAIN, e);
		dictionary_len = rc == OK ? c->pages->len : 0;
	}
	for (struct parquet_finished *p = c->pages; p && rc == OK; p = p->next)
		rc = write(arg, (struct str){ p->data, p->len }, e);
	if (rc == OK)
		put_chunk(meta, c, offset, dictionary_len);
	return rc;
}

void parquet_column_reset(struct parquet_column *c, bool all)
{
	while (c->pages) {
		struct parquet_finished *p = c->pages;

		c->pages = p->next;
		free(p);
	}
	c->last = NULL;
	c->page_bytes = 0;
	c->stored_bytes = c->raw_bytes = c->row_count = 0;
	c->rows = c->present = 0;
	c->plain_pages = c->indexed_pages = 0;
	c->index_count = 0;
	c->stats = (struct parquet_stats){ 0 };
	c->indexed = c->dictionary;
	drop_dictionary(&c->dict);
	buf_reset(&c->bits);
	buf_reset(&c->values);
	if (all) {
		buf_release(&c->bits);
		buf_release(&c->values);
		free(c->indexes);
		c->indexes = NULL;
		c->index_cap = 0;
	}
}
