/* parquet_read - a Parquet file of a flat table, row by row */
#include "parquet_read.h"

#include <stdlib.h>

#include "json.h"
#include "mem.h"
#include "parquet_print.h"

enum {
	TAIL = 64 * 1024, /* read at once: most footers are in it */
	FOOTER_END = 8    /* its length and PAR1 */
};

struct input {
	struct parquet_pages pages;
	struct parquet_form_of form;
	size_t column; /* of the table */
};

struct parquet_reader {
	struct parquet_file file;
	struct parquet_meta meta;
	struct wire_reader told; /* the table that the file tells */
	struct wire_table *own;  /* else one made of its columns */
	struct wire_table *table;
	struct input *inputs;  /* one a leaf */
	struct input *deleted; /* tells @delete lines, or NULL */
	size_t group;
	uint64_t group_left, row;
	struct buf key, text;
};

/* --- the footer --- */

static int no_parquet(const char *end, struct err *e)
{
	if (memcmp(end + 4, "PARE", 4) == 0)
		return err_set(e, BAD_DATA, "the file is encrypted");
	err_set(e, BAD_DATA, "it is no Parquet file, or one that was not finished");
	return err_hint(e, BAD_DATA, "A whole Parquet file ends in the letters PAR1.");
}

static int read_meta(struct parquet_reader *r, struct err *e)
{
	const struct parquet_source *s = &r->file.source;
	uint64_t size = s->size;
	size_t tail = size < TAIL ? (size_t)size : TAIL, len;
	struct buf b = { 0 };
	const char *end;
	int rc;

	if (size < 4 + FOOTER_END)
		return err_set(e, BAD_DATA, "it is no Parquet file: it has only %llu bytes",
			       (unsigned long long)size);
	buf_need(&b, tail);
	if ((rc = s->read(s->arg, size - tail, tail, b.data, e)) != OK)
		goto done;
	end = b.data + tail - FOOTER_END;
	len = load_le32(end);
	if (memcmp(end + 4, "PAR1", 4) != 0) {
		rc = no_parquet(end, e);
	} else if (len > size - FOOTER_END - 4) {
		rc = err_set(e, BAD_DATA, "the footer is longer than the file");
	} else if (len > tail - FOOTER_END) {
		buf_need(&b, len);
		rc = s->read(s->arg, size - FOOTER_END - len, len, b.data, e);
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
		r->inputs[leaf++].column = i;
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
		r->inputs[i].column = i;
	}
	t->column_count = m->leaf_count;
	wire_table_finish(t);
	r->own = r->table = t;
}

static void begin_group(struct parquet_reader *r)
{
	const struct parquet_group *g = &r->meta.groups[r->group];

	r->group_left = g->rows;
	for (size_t i = 0; i < r->meta.leaf_count; i++)
		parquet_pages_begin(&r->inputs[i].pages, &g->chunks[i], g->rows);
}

int parquet_reader_open(struct parquet_reader **out, const struct parquet_source *source,
			const char *table_name, bool verify, struct err *e)
{
	struct parquet_reader *r = xcalloc(1, sizeof(*r));
	int rc;

	*out = NULL;
	r->file = (struct parquet_file){ .source = *source, .verify = verify,
					 .limit = PARQUET_MEMORY(source->size) +
						  source->trust };
	if ((rc = read_meta(r, e)) != OK) {
		parquet_reader_free(r);
		return err_wrap(e, rc, "%s", source->name);
	}
	r->inputs = xcalloc(r->meta.leaf_count, sizeof(*r->inputs));
	if (!take_told_table(r))
		make_table(r);
	if (table_name) {
		free(r->table->name);
		r->table->name = xstrdup(table_name);
	}
	for (size_t i = 0; i < r->meta.leaf_count; i++) {
		r->inputs[i].pages.file = &r->file;
		r->inputs[i].pages.leaf = r->inputs[i].form.leaf = &r->meta.leaves[i];
	}
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

/* --- rows --- */

/* The bytes that a text becomes: at most six (\u0001) for each. */
static uint64_t length_of(const struct parquet_form_of *f, struct str s)
{
	uint64_t len = f->form == PQF_BYTES ? 2 * (uint64_t)s.len : s.len;

	for (size_t i = 0; i < s.len && f->form != PQF_BYTES; i++)
		len += (unsigned char)s.data[i] < 0x20 ? 5 : s.data[i] == '"' || s.data[i] == '\\';
	return len;
}

/* Nothing for null. used: bytes that the row has already */
static int add_value(struct input *in, struct buf *b, size_t used, struct err *e)
{
	const struct parquet_pages *p = &in->pages;
	uint64_t limit = p->file->limit;
	struct str text;
	int rc = parquet_pages_next(&in->pages, e);

	if (rc != OK || p->null)
		return rc;
	if (parquet_values_ints(in->form.leaf))
		return parquet_print_int(b, &in->form, p->values.ints[p->value], e);
	text = p->values.texts[p->value];
	if (used + 6 * (uint64_t)text.len > limit && used + length_of(&in->form, text) > limit)
		return err_set(e, BAD_DATA, "the row would take more than %llu MiB of memory",
			       (unsigned long long)(limit >> 20));
	return parquet_print_bytes(b, &in->form, text, e);
}

static int blame(const struct parquet_reader *r, const struct input *in, int rc, struct err *e)
{
	return err_wrap(e, rc, "%s: row %llu: column \"%s\"", r->file.source.name,
			(unsigned long long)r->row + 1, in->form.leaf->name);
}

static int add_row(struct parquet_reader *r, struct buf *b, struct err *e)
{
	size_t leaves = r->meta.leaf_count - (r->deleted != NULL), start = b->len;

	for (size_t i = 0; i < leaves; i++) {
		struct input *in = &r->inputs[i];
		int rc;

		buf_addstr(b, r->table->prefix[in->column]);
		if ((rc = add_value(in, b, b->len - start, e)) != OK)
			return blame(r, in, rc, e);
		if (in->pages.null)
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
		int rc;

		buf_reset(&r->text);
		if ((rc = add_value(in, &r->text, r->key.len, e)) != OK)
			return blame(r, in, rc, e);
		if (in->pages.null)
			continue;
		buf_addch(&r->key, r->key.len ? ',' : '{');
		buf_addstr(&r->key, r->table->keys.quoted[in->column]);
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
	struct parquet_pages *p;
	int rc;

	*deleted = false;
	if (!r->deleted)
		return OK;
	p = &r->deleted->pages;
	if ((rc = parquet_pages_next(p, e)) != OK)
		return blame(r, r->deleted, rc, e);
	*deleted = !p->null && p->values.ints[p->value];
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
	for (size_t i = 0; r->inputs && i < r->meta.leaf_count; i++)
		parquet_pages_release(&r->inputs[i].pages);
	free(r->inputs);
	wire_release(&r->told);
	wire_table_free(r->own);
	parquet_meta_release(&r->meta);
	buf_release(&r->file.scratch);
	buf_release(&r->key);
	buf_release(&r->text);
	free(r);
}
