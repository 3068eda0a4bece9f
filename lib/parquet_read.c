/* parquet_read - a Parquet file of a flat table, row by row */
#include "parquet_read.h"

#include <stdlib.h>

#include "block.h"
#include "compress.h"
#include "json.h"
#include "mem.h"
#include "parquet_decode.h"
#include "parquet_print.h"

enum {
	TAIL = 64 * 1024,   /* read at once: most footers are in it */
	FOOTER_END = 8,     /* its length and PAR1 */
	HEADER = 32 * 1024, /* read at once for a page: its header, and most pages whole */
	MAX_HEADER = 16 << 20,
	MAX_PAGE = 256 << 20
};

struct page_header {
	int64_t type, raw, stored, crc, values, encoding, level_encoding, level_bytes, repeat_bytes;
	bool has_crc, plain; /* v2: its values are not compressed */
};

struct input {
	const struct parquet_leaf *leaf;
	const struct parquet_chunk *chunk;
	struct parquet_form_of form;
	uint64_t at;        /* the next page in the file */
	uint64_t rows_left; /* of the chunk, without the page's */
	uint64_t page_left; /* of the page, without the batch's */
	struct buf page;
	uint64_t page_held, dictionary_held; /* of the reader's memory */
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
};

struct parquet_reader {
	struct parquet_source source;
	struct parquet_meta meta;
	bool verify;
	struct wire_reader told; /* the table that the file tells */
	struct wire_table *own;  /* else one made of its columns */
	struct wire_table *table;
	struct input *inputs;  /* one a leaf */
	struct input *deleted; /* tells @delete lines, or NULL */
	size_t *columns;       /* of the table, by leaf */
	size_t group;
	uint64_t group_left, row;
	uint64_t held, limit; /* of memory */
	struct buf scratch, key, text;
};

/* --- the footer --- */

static int read_bytes(struct parquet_reader *r, uint64_t offset, size_t len, char *to,
		      struct err *e)
{
	return r->source.read(r->source.arg, offset, len, to, e);
}

static int no_parquet(const char *end, struct err *e)
{
	if (memcmp(end + 4, "PARE", 4) == 0)
		return err_set(e, BAD_DATA, "the file is encrypted");
	err_set(e, BAD_DATA, "it is no Parquet file, or one that was not finished");
	return err_hint(e, BAD_DATA, "A whole Parquet file ends in the letters PAR1.");
}

static int read_meta(struct parquet_reader *r, struct err *e)
{
	uint64_t size = r->source.size;
	size_t tail = size < TAIL ? (size_t)size : TAIL, len;
	struct buf b = { 0 };
	const char *end;
	int rc;

	if (size < 4 + FOOTER_END)
		return err_set(e, BAD_DATA, "it is no Parquet file: it has only %llu bytes",
			       (unsigned long long)size);
	buf_need(&b, tail);
	if ((rc = read_bytes(r, size - tail, tail, b.data, e)) != OK)
		goto done;
	end = b.data + tail - FOOTER_END;
	len = load_le32(end);
	if (memcmp(end + 4, "PAR1", 4) != 0) {
		rc = no_parquet(end, e);
	} else if (len > size - FOOTER_END - 4) {
		rc = err_set(e, BAD_DATA, "the footer is longer than the file");
	} else if (len > tail - FOOTER_END) {
		buf_need(&b, len);
		rc = read_bytes(r, size - FOOTER_END - len, len, b.data, e);
		end = b.data + len;
	}
	if (rc == OK)
		rc = parquet_meta_read(&r->meta, (struct str){ end - len, len },
				       size - FOOTER_END - len, e);
done:
	buf_release(&b);
	return rc;
}

/* --- the table --- */

/* The table whose line the writer kept, if the file's columns are still that table's. */
static bool take_told_table(struct parquet_reader *r)
{
	struct str line = parquet_meta_value(&r->meta, PARQUET_KEY_TABLE);
	struct str mark = parquet_meta_value(&r->meta, PARQUET_KEY_DELETED);
	const struct parquet_meta *m = &r->meta;
	struct wire_table *t;
	enum wire_event event;
	struct err ignored;
	size_t leaf = 0, marks;

	if (!line.data)
		return false;
	wire_open(&r->told, -1, "metadata", NULL, line.len + 1);
	wire_preload(&r->told, line);
	wire_preload(&r->told, STR("\n"));
	if (memchr(line.data, '\n', line.len) || wire_next(&r->told, &event, &ignored) != OK ||
	    event != WIRE_TABLE)
		return false;
	t = r->told.table;
	for (size_t i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		if (leaf == m->leaf_count ||
		    !parquet_leaf_fits(&m->leaves[leaf], &r->inputs[leaf].form.form,
				       &t->columns[i]))
			return false;
		r->columns[leaf++] = i;
	}
	marks = mark.data && leaf < m->leaf_count && m->leaves[leaf].type == PQ_BOOLEAN &&
		str_eqz(mark, m->leaves[leaf].name);
	if (leaf + marks != m->leaf_count)
		return false;
	r->deleted = marks ? &r->inputs[leaf] : NULL;
	r->table = t;
	return true;
}

static void make_table(struct parquet_reader *r)
{
	const struct parquet_meta *m = &r->meta;
	struct wire_table *t = xcalloc(1, sizeof(*t));

	t->name = xstrdup("rows");
	t->columns = xcalloc(m->leaf_count, sizeof(*t->columns));
	for (size_t i = 0; i < m->leaf_count; i++) {
		struct buf type = { 0 };

		parquet_type_of(&type, &r->inputs[i].form.form, &m->leaves[i]);
		t->columns[i] = (struct wire_column){ .name = xstrdup(m->leaves[i].name),
						      .type_name = type.data,
						      .notnull = !m->leaves[i].optional };
		r->columns[i] = i;
	}
	t->column_count = m->leaf_count;
	wire_table_finish(t);
	r->own = r->table = t;
}

static void begin_group(struct parquet_reader *r)
{
	const struct parquet_group *g = &r->meta.groups[r->group];

	r->group_left = g->rows;
	for (size_t i = 0; i < r->meta.leaf_count; i++) {
		struct input *in = &r->inputs[i];

		in->chunk = &g->chunks[i];
		in->at = in->chunk->start;
		in->rows_left = g->rows;
		in->page_left = in->batch = in->batch_at = 0;
		in->has_dictionary = false;
		parquet_dictionary_release(&in->dictionary);
		buf_release(&in->page);
		r->held -= in->page_held + in->dictionary_held;
		in->page_held = in->dictionary_held = 0;
	}
}

int parquet_reader_open(struct parquet_reader **out, const struct parquet_source *source,
			const char *table_name, bool verify, struct err *e)
{
	struct parquet_reader *r = xcalloc(1, sizeof(*r));
	int rc;

	*out = NULL;
	r->source = *source;
	r->verify = verify;
	r->limit = PARQUET_MEMORY(source->size);
	if ((rc = read_meta(r, e)) != OK) {
		parquet_reader_free(r);
		return err_wrap(e, rc, "%s", source->name);
	}
	r->inputs = xcalloc(r->meta.leaf_count, sizeof(*r->inputs));
	r->columns = xcalloc(r->meta.leaf_count, sizeof(*r->columns));
	if (!take_told_table(r))
		make_table(r);
	if (table_name) {
		free(r->table->name);
		r->table->name = xstrdup(table_name);
	}
	for (size_t i = 0; i < r->meta.leaf_count; i++)
		r->inputs[i].leaf = r->inputs[i].form.leaf = &r->meta.leaves[i];
	if (r->meta.group_count)
		begin_group(r);
	*out = r;
	return OK;
}

struct wire_table *parquet_reader_table(struct parquet_reader *r)
{
	return r->table;
}

struct str parquet_reader_state(const struct parquet_reader *r)
{
	struct str state = parquet_meta_value(&r->meta, PARQUET_KEY_STATE);
	struct field f;
	struct err ignored;

	/* it becomes a line of its own: nothing but one object without a line break will do */
	if (r->own || !state.data || memchr(state.data, '\n', state.len) ||
	    scan_value(state, &f, &ignored) != OK || f.kind != F_OBJECT)
		return STR("");
	return state;
}

/* --- pages --- */

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

/* A header does not say how long it is: read on until it is whole. The page's own bytes behind it
 * are then in scratch, as far as they were read: *have of them at *start. */
static int fetch_header(struct parquet_reader *r, struct input *in, struct page_header *h,
			size_t *start, size_t *have, struct err *e)
{
	uint64_t left = in->chunk->end - in->at;
	struct thrift_in t;
	size_t len = HEADER;
	int rc;

	for (;; len *= 2) {
		len = len < left ? len : (size_t)left;
		buf_reset(&r->scratch);
		buf_need(&r->scratch, len);
		if ((rc = read_bytes(r, in->at, len, r->scratch.data, e)) != OK)
			return rc;
		t = (struct thrift_in){ .p = (unsigned char *)r->scratch.data,
					.end = (unsigned char *)r->scratch.data + len };
		read_header(&t, h);
		if (t.error != THRIFT_SHORT || len == left || len >= MAX_HEADER)
			break;
	}
	if (t.error != THRIFT_OK)
		return err_set(e, BAD_DATA, "a page's header is malformed");
	*have = (size_t)(t.end - t.p);
	*start = len - *have;
	in->at += *start;
	left -= *start;
	if (h->stored < 0 || (uint64_t)h->stored > left || h->raw < 0 || h->raw > MAX_PAGE ||
	    h->values > INT32_MAX || (h->values < 0 && h->type != PQ_INDEX_PAGE))
		return err_set(e, BAD_DATA, "a page's header has impossible numbers");
	return OK;
}

/* The page's bytes as they are stored, in scratch. */
static int fetch_body(struct parquet_reader *r, struct input *in, const struct page_header *h,
		      size_t start, size_t have, struct str *stored, struct err *e)
{
	size_t len = (size_t)h->stored;
	int rc = OK;

	if (have < len) {
		buf_need(&r->scratch, start + len);
		rc = read_bytes(r, in->at + have, len - have, r->scratch.data + start + have, e);
	}
	if (rc != OK)
		return rc;
	*stored = (struct str){ r->scratch.data + start, len };
	in->at += len;
	if (r->verify && h->has_crc && crc32_of(*stored, 0) != (uint32_t)h->crc)
		return err_set(e, BAD_DATA, "a page is damaged: its checksum is another");
	return OK;
}

/* Change what *held counts to bytes. */
static int reserve(struct parquet_reader *r, uint64_t *held, uint64_t bytes, struct err *e)
{
	r->held += bytes - *held;
	*held = bytes;
	if (r->held > r->limit)
		return err_set(e, BAD_DATA, "its pages would take more than %llu MiB of memory",
			       (unsigned long long)(r->limit >> 20));
	return OK;
}

/* Unpack a page into b; the levels of a second version's page stand uncompressed before it. */
static int unpack(const struct input *in, const struct page_header *h, struct str stored,
		  struct buf *b, struct err *e)
{
	size_t levels = h->type == PQ_DATA_PAGE_V2 ? (size_t)(h->level_bytes + h->repeat_bytes) : 0;
	size_t raw = (size_t)h->raw;
	int codec = h->plain ? BLOCK_NONE : in->chunk->codec;

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

static int read_dictionary(struct parquet_reader *r, struct input *in, const struct page_header *h,
			   struct str stored, struct err *e)
{
	struct buf body = { 0 };
	int rc;

	if (in->has_dictionary)
		return err_set(e, BAD_DATA, "it has two dictionaries");
	in->has_dictionary = true;
	rc = reserve(r, &in->dictionary_held,
		     (uint64_t)h->raw + (uint64_t)h->values * sizeof(struct str), e);
	if (rc == OK && (rc = unpack(in, h, stored, &body, e)) == OK)
		rc = parquet_dictionary_read(&in->dictionary, in->leaf, &body, (uint64_t)h->values,
					     e);
	buf_release(&body);
	return rc;
}

/* Where the levels are, and the values behind them. */
static int begin_levels(struct input *in, const struct page_header *h, struct str *body,
			struct err *e)
{
	size_t len = 0, skip = 0;

	in->packed_levels = false;
	if (h->type == PQ_DATA_PAGE_V2) {
		skip = (size_t)h->repeat_bytes;
		len = (size_t)h->level_bytes;
	} else if (in->leaf->optional && h->level_encoding == PQE_BIT_PACKED) {
		in->packed_levels = true;
		len = ((size_t)h->values + 7) / 8;
	} else if (in->leaf->optional) {
		if (h->level_encoding != PQE_RLE || body->len < 4)
			return err_set(e, BAD_DATA, "a page's levels are malformed");
		skip = 4;
		len = load_le32(body->data);
	}
	if (len > body->len - skip)
		return err_set(e, BAD_DATA, "a page's levels are longer than the page");
	in->level_bits = (struct str){ body->data + skip, len };
	in->level_at = 0;
	parquet_hybrid_init(&in->levels, in->level_bits, 1);
	*body = (struct str){ body->data + skip + len, body->len - skip - len };
	return OK;
}

static int begin_page(struct parquet_reader *r, struct input *in, const struct page_header *h,
		      struct str stored, struct err *e)
{
	struct str body;
	int rc;

	if ((uint64_t)h->values > in->rows_left)
		return err_set(e, BAD_DATA, "its pages have more rows than the row group");
	if (h->level_bytes < 0 || h->repeat_bytes < 0 || h->level_bytes > h->raw ||
	    h->repeat_bytes > h->raw - h->level_bytes)
		return err_set(e, BAD_DATA, "a page's levels are longer than the page");
	if ((rc = reserve(r, &in->page_held, (uint64_t)h->raw, e)) != OK ||
	    (rc = unpack(in, h, stored, &in->page, e)) != OK)
		return rc;
	body = buf_str(&in->page);
	if ((rc = begin_levels(in, h, &body, e)) != OK)
		return rc;
	in->page_left = (uint64_t)h->values;
	in->rows_left -= in->page_left;
	return parquet_values_init(&in->values, in->leaf, h->encoding, body,
				   in->has_dictionary ? &in->dictionary : NULL, e);
}

/* The next page that has rows. */
static int next_page(struct parquet_reader *r, struct input *in, struct err *e)
{
	struct page_header h;
	struct str stored;
	size_t start = 0, have = 0;
	int rc;

	while (in->page_left == 0) {
		if (in->at >= in->chunk->end)
			return err_set(e, BAD_DATA, "its pages have fewer rows than the row group");
		if ((rc = fetch_header(r, in, &h, &start, &have, e)) != OK ||
		    (rc = fetch_body(r, in, &h, start, have, &stored, e)) != OK)
			return rc;
		if (h.type == PQ_DICTIONARY_PAGE) {
			rc = read_dictionary(r, in, &h, stored, e);
		} else if (h.type == PQ_DATA_PAGE || h.type == PQ_DATA_PAGE_V2) {
			rc = begin_page(r, in, &h, stored, e);
		} else if (h.type != PQ_INDEX_PAGE) {
			rc = err_set(e, BAD_DATA, "a page is of an unknown type");
		}
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* --- values --- */

/* Which of the next rows are there, and which are null. */
static int next_batch(struct parquet_reader *r, struct input *in, struct err *e)
{
	size_t n;
	int rc;

	if (in->page_left == 0 && (rc = next_page(r, in, e)) != OK)
		return rc;
	n = in->page_left < PARQUET_BATCH ? (size_t)in->page_left : PARQUET_BATCH;
	in->page_left -= n;
	in->batch = n;
	in->batch_at = in->batch_present = in->value_at = 0;
	in->values.have = 0;
	if (!in->leaf->optional) {
		in->batch_present = n;
		for (size_t i = 0; i < n; i++)
			in->present[i] = 1;
		return OK;
	}
	for (size_t i = 0; i < n && in->packed_levels; i++, in->level_at++)
		in->present[i] = (unsigned char)in->level_bits.data[in->level_at / 8] >>
					 (7 - in->level_at % 8) &
				 1;
	if (!in->packed_levels && !parquet_hybrid_next(&in->levels, in->present, n))
		return err_set(e, BAD_DATA, "a page has fewer rows than it says");
	for (size_t i = 0; i < n; i++) {
		if (in->present[i] > 1)
			return err_set(e, BAD_DATA, "a page's levels are impossible");
		in->batch_present += in->present[i];
	}
	return OK;
}

/* The next row's value: *i is its place in values, or it is null. */
static int next_value(struct parquet_reader *r, struct input *in, bool *null, size_t *i,
		      struct err *e)
{
	int rc;

	if (in->batch_at == in->batch && (rc = next_batch(r, in, e)) != OK)
		return rc;
	*null = !in->present[in->batch_at++];
	if (*null)
		return OK;
	if (in->value_at == in->values.have) {
		in->value_at = 0;
		rc = parquet_values_next(&in->values, in->batch_present, e);
		if (rc != OK)
			return rc;
		in->batch_present -= in->values.have;
	}
	*i = in->value_at++;
	return OK;
}

static int add_value(struct parquet_reader *r, struct input *in, struct buf *b, bool *null,
		     struct err *e)
{
	size_t i;
	int rc = next_value(r, in, null, &i, e);

	if (rc != OK || *null)
		return rc;
	return parquet_values_ints(in->leaf) ?
		       parquet_print_int(b, &in->form, in->values.ints[i], e) :
		       parquet_print_bytes(b, &in->form, in->values.texts[i], e);
}

/* --- rows --- */

static int blame(const struct parquet_reader *r, const struct input *in, int rc, struct err *e)
{
	return err_wrap(e, rc, "%s: row %llu: column \"%s\"", r->source.name,
			(unsigned long long)r->row + 1, in->leaf->name);
}

static int add_row(struct parquet_reader *r, struct buf *b, struct err *e)
{
	size_t leaves = r->meta.leaf_count - (r->deleted != NULL);

	for (size_t i = 0; i < leaves; i++) {
		struct input *in = &r->inputs[i];
		bool null;
		int rc;

		buf_addstr(b, r->table->prefix[r->columns[i]]);
		if ((rc = add_value(r, in, b, &null, e)) != OK)
			return blame(r, in, rc, e);
		if (null)
			buf_add(b, "null", 4);
	}
	buf_addz(b, leaves ? "}\n" : "{}\n");
	r->table->rows++;
	return OK;
}

/* The columns that are there are the key; none: the table was emptied. */
static int add_delete(struct parquet_reader *r, struct buf *b, struct err *e)
{
	buf_reset(&r->key);
	for (size_t i = 0; i + 1 < r->meta.leaf_count; i++) {
		struct input *in = &r->inputs[i];
		bool null;
		int rc;

		buf_reset(&r->text);
		if ((rc = add_value(r, in, &r->text, &null, e)) != OK)
			return blame(r, in, rc, e);
		if (null)
			continue;
		buf_addch(&r->key, r->key.len ? ',' : '{');
		buf_addstr(&r->key, r->table->keys.quoted[r->columns[i]]);
		buf_addch(&r->key, ':');
		buf_addstr(&r->key, buf_str(&r->text));
	}
	if (r->key.len)
		buf_addch(&r->key, '}');
	wire_add_delete(b, r->table, buf_str(&r->key));
	return OK;
}

static int is_deleted(struct parquet_reader *r, bool *deleted, struct err *e)
{
	bool null;
	size_t i;
	int rc;

	*deleted = false;
	if (!r->deleted)
		return OK;
	rc = next_value(r, r->deleted, &null, &i, e);
	if (rc != OK)
		return blame(r, r->deleted, rc, e);
	*deleted = !null && r->deleted->values.ints[i];
	return OK;
}

int parquet_reader_next(struct parquet_reader *r, struct buf *line, enum wire_event *event,
			struct err *e)
{
	bool deleted;
	int rc;

	while (r->group_left == 0) {
		if (r->group + 1 >= r->meta.group_count) {
			*event = WIRE_EOF;
			return OK;
		}
		r->group++;
		begin_group(r);
	}
	r->group_left--;
	if ((rc = is_deleted(r, &deleted, e)) != OK)
		return rc;
	*event = deleted ? WIRE_DELETE : WIRE_ROW;
	rc = deleted ? add_delete(r, line, e) : add_row(r, line, e);
	r->row++;
	return rc;
}

void parquet_reader_free(struct parquet_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->inputs && i < r->meta.leaf_count; i++) {
		struct input *in = &r->inputs[i];

		parquet_dictionary_release(&in->dictionary);
		parquet_values_release(&in->values);
		buf_release(&in->page);
	}
	free(r->inputs);
	free(r->columns);
	wire_release(&r->told);
	wire_table_free(r->own);
	parquet_meta_release(&r->meta);
	buf_release(&r->scratch);
	buf_release(&r->key);
	buf_release(&r->text);
	free(r);
}
