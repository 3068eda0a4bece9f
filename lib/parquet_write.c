/* parquet_write - rows of one table as a Parquet file */
#include "parquet_write.h"

#include <stdlib.h>

#include "mem.h"
#include "opt.h"
#include "parquet_parse.h"

enum {
	LOOK = 64 * 1024,    /* bytes of rows after which the row group's size is looked at */
	GROUP_ROWS = 1 << 20 /* as pyarrow has it */
};

struct parquet_writer {
	const struct wire_table *table;
	struct parquet_options options;
	parquet_sink sink;
	void *arg;
	struct parquet_output *outputs;
	size_t output_count;
	struct parquet_column deleted; /* only with options.deletes */
	uint64_t offset, rows, group_rows;
	struct buf groups; /* the footer's RowGroups so far */
	size_t group_count;
	struct buf table_line, state; /* the footer's too */
	struct parquet_parser parser;
};

int parquet_options_read(struct parquet_options *o, const char *compress, const char *numeric_as,
			 struct err *e)
{
	if (compress && !block_parse(compress, &o->codec))
		return opt_misuse(e, "--compress: \"%s\" is neither zstd, snappy, gzip nor none",
				  compress);
	if (numeric_as && strcmp(numeric_as, "decimal") != 0 && strcmp(numeric_as, "string") != 0)
		return opt_misuse(e, "--numeric-as: \"%s\" is neither decimal nor string",
				  numeric_as);
	if (o->row_group_size < PARQUET_ROW_GROUP_MIN)
		return opt_misuse(e, "--row-group-size is %d at least", PARQUET_ROW_GROUP_MIN);
	o->numeric_text = numeric_as && strcmp(numeric_as, "string") == 0;
	return OK;
}

/* --- rows --- */

static int emit(struct parquet_writer *w, struct str bytes, struct err *e)
{
	w->offset += bytes.len;
	return w->sink(w->arg, bytes, e);
}

static int emit_page(void *arg, struct str bytes, struct err *e)
{
	return emit(arg, bytes, e);
}

size_t parquet_writer_held(const struct parquet_writer *w)
{
	size_t held = w->groups.cap + parquet_column_held(&w->deleted);

	for (size_t i = 0; i < w->output_count; i++)
		held += parquet_column_held(&w->outputs[i].column);
	return held;
}

static int end_column(struct parquet_writer *w, struct parquet_column *c, struct thrift_out *o,
		      uint64_t *raw, struct err *e)
{
	int rc = parquet_column_end(c, w->offset, emit_page, w, o, e);

	*raw += c->raw_bytes;
	return rc == OK ? OK : err_wrap(e, rc, "column \"%s\"", c->leaf.name);
}

static size_t leaf_count(const struct parquet_writer *w)
{
	return w->output_count + w->options.deletes;
}

/* All columns of the row group, and its entry in the footer. */
static int end_group(struct parquet_writer *w, bool all, struct err *e)
{
	struct thrift_out o = { .b = &w->groups };
	uint64_t start = w->offset, raw = 0;
	int rc = OK;

	if (w->group_rows == 0)
		return OK;
	thrift_put_struct(&o, 0);
	thrift_put_list(&o, 1, THRIFT_STRUCT, leaf_count(w));
	for (size_t i = 0; i < w->output_count && rc == OK; i++)
		rc = end_column(w, &w->outputs[i].column, &o, &raw, e);
	if (rc == OK && w->options.deletes)
		rc = end_column(w, &w->deleted, &o, &raw, e);
	if (rc != OK)
		return rc;
	thrift_put_i64(&o, 2, (int64_t)raw);
	thrift_put_i64(&o, 3, (int64_t)w->group_rows);
	thrift_put_i64(&o, 5, (int64_t)start);
	thrift_put_i64(&o, 6, (int64_t)(w->offset - start));
	thrift_end(&o);
	w->group_count++;
	w->group_rows = 0;
	for (size_t i = 0; i < w->output_count; i++)
		parquet_column_reset(&w->outputs[i].column, all);
	parquet_column_reset(&w->deleted, all);
	return OK;
}

int parquet_writer_flush(struct parquet_writer *w, struct err *e)
{
	return end_group(w, true, e);
}

static int finish_row(struct parquet_writer *w, struct err *e)
{
	w->rows++;
	w->group_rows++;
	if (w->group_rows >= GROUP_ROWS)
		return end_group(w, false, e);
	if (w->parser.bytes < LOOK)
		return OK;
	w->parser.bytes = 0;
	return parquet_writer_held(w) >= w->options.row_group_size ? end_group(w, false, e) : OK;
}

static int put_mark(struct parquet_writer *w, bool deleted, struct err *e)
{
	if (!w->options.deletes)
		return OK;
	parquet_column_bool(&w->deleted, deleted);
	return parquet_column_full(&w->deleted) ? parquet_column_cut(&w->deleted, e) : OK;
}

int parquet_writer_row(struct parquet_writer *w, const struct field *fields, struct err *e)
{
	int rc = parquet_parse_row(&w->parser, w->outputs, w->output_count, fields, e);

	return rc == OK && (rc = put_mark(w, false, e)) == OK ? finish_row(w, e) : rc;
}

int parquet_writer_delete(struct parquet_writer *w, const struct field *key, struct err *e)
{
	struct field *none = NULL;
	int rc;

	if (!w->options.deletes) {
		err_set(e, BAD_DATA, "a row of table \"%s\" was deleted, and the file has no "
				     "column for that",
			w->table->name);
		return err_hint(e, BAD_DATA, "Add one with --deletes.");
	}
	if (!key)
		key = none = xcalloc(w->table->column_count, sizeof(*none));
	rc = parquet_parse_row(&w->parser, w->outputs, w->output_count, key, e);
	free(none);
	return rc == OK && (rc = put_mark(w, true, e)) == OK ? finish_row(w, e) : rc;
}

/* --- the file --- */

void parquet_writer_state(struct parquet_writer *w, struct str state)
{
	buf_reset(&w->state);
	buf_addstr(&w->state, state);
}

static int open_columns(struct parquet_writer *w, struct err *e)
{
	const struct wire_table *t = w->table;
	struct parquet_leaf leaf;
	int rc;

	w->outputs = xcalloc(t->column_count, sizeof(*w->outputs));
	for (size_t i = 0; i < t->column_count; i++) {
		const struct wire_column *c = &t->columns[i];
		struct parquet_output *o = &w->outputs[w->output_count];

		if (c->generated) /* rows do not have it */
			continue;
		if (w->options.deletes && strcmp(c->name, "_deleted") == 0)
			return err_set(e, BAD_DATA,
				       "table \"%s\" has a column \"_deleted\" already, "
						    "which --deletes would add",
				       t->name);
		if ((rc = parquet_output_init(o, c, w->options.numeric_text, w->options.codec,
					      e)) != OK)
			return rc;
		o->field = i;
		w->output_count++;
	}
	leaf = (struct parquet_leaf){ .name = "_deleted", .type = PQ_BOOLEAN, .optional = true };
	parquet_column_init(&w->deleted, &leaf, w->options.codec);
	return OK;
}

int parquet_writer_open(struct parquet_writer **out, const struct wire_table *t,
			const struct parquet_options *o, parquet_sink sink, void *arg,
			struct err *e)
{
	struct parquet_writer *w = xcalloc(1, sizeof(*w));
	int rc;

	*out = NULL;
	w->table = t;
	w->options = *o;
	w->sink = sink;
	w->arg = arg;
	if ((rc = open_columns(w, e)) != OK || (rc = emit(w, STR("PAR1"), e)) != OK) {
		parquet_writer_free(w);
		return rc;
	}
	wire_add_table(&w->table_line, t);
	w->table_line.len--; /* its line break */
	*out = w;
	return OK;
}

static int converted_of(const struct parquet_leaf *l)
{
	static const int known[] = {
		[PQ_STRING] = PQC_UTF8,
		[PQ_DECIMAL] = PQC_DECIMAL,
		[PQ_DATE] = PQC_DATE,
		[PQ_TIME] = PQC_TIME_MICROS,
		[PQ_TIMESTAMP] = PQC_TIMESTAMP_MICROS,
		[PQ_INTEGER] = PQC_INT_16,
	};

	return known[l->logical];
}

static void put_logical(struct thrift_out *o, const struct parquet_leaf *l)
{
	thrift_put_struct(o, 10);
	thrift_put_struct(o, l->logical);
	if (l->logical == PQ_DECIMAL) {
		thrift_put_i32(o, 1, l->scale);
		thrift_put_i32(o, 2, l->precision);
	} else if (l->logical == PQ_TIME || l->logical == PQ_TIMESTAMP) {
		thrift_put_bool(o, 1, l->utc);
		thrift_put_struct(o, 2);
		thrift_put_struct(o, l->unit);
		thrift_end(o);
		thrift_end(o);
	} else if (l->logical == PQ_INTEGER) {
		thrift_put_i8(o, 1, l->bits);
		thrift_put_bool(o, 2, l->is_signed);
	}
	thrift_end(o);
	thrift_end(o);
}

static void put_leaf(struct thrift_out *o, const struct parquet_leaf *l)
{
	thrift_put_struct(o, 0);
	thrift_put_i32(o, 1, (int32_t)l->type);
	if (l->type == PQ_FIXED)
		thrift_put_i32(o, 2, l->type_length);
	thrift_put_i32(o, 3, l->optional);
	thrift_put_binary(o, 4, str_of(l->name));
	if (l->logical != PQ_PLAIN) {
		thrift_put_i32(o, 6, converted_of(l));
		if (l->logical == PQ_DECIMAL) {
			thrift_put_i32(o, 7, l->scale);
			thrift_put_i32(o, 8, l->precision);
		}
		put_logical(o, l);
	}
	thrift_end(o);
}

static void put_schema(struct thrift_out *o, const struct parquet_writer *w)
{
	thrift_put_list(o, 2, THRIFT_STRUCT, leaf_count(w) + 1);
	thrift_put_struct(o, 0);
	thrift_put_binary(o, 4, str_of(w->table->name));
	thrift_put_i32(o, 5, (int32_t)leaf_count(w));
	thrift_end(o);
	for (size_t i = 0; i < w->output_count; i++)
		put_leaf(o, &w->outputs[i].column.leaf);
	if (w->options.deletes)
		put_leaf(o, &w->deleted.leaf);
}

static void put_pair(struct thrift_out *o, const char *key, struct str value)
{
	thrift_put_struct(o, 0);
	thrift_put_binary(o, 1, str_of(key));
	thrift_put_binary(o, 2, value);
	thrift_end(o);
}

static void put_pairs(struct thrift_out *o, const struct parquet_writer *w)
{
	thrift_put_list(o, 5, THRIFT_STRUCT, 1u + w->options.deletes + (w->state.len > 0));
	put_pair(o, PARQUET_KEY_TABLE, buf_str(&w->table_line));
	if (w->options.deletes)
		put_pair(o, PARQUET_KEY_DELETED, STR("_deleted"));
	if (w->state.len)
		put_pair(o, PARQUET_KEY_STATE, buf_str(&w->state));
}

/* FileMetaData. Statistics count only if the order they are in is told; parquet-java believes
 * those of texts only from a writer that tells its name in this form. */
static void put_footer(struct buf *b, const struct parquet_writer *w)
{
	struct thrift_out o = { .b = b };

	thrift_put_struct(&o, 0);
	thrift_put_i32(&o, 1, 1);
	put_schema(&o, w);
	thrift_put_i64(&o, 3, (int64_t)w->rows);
	thrift_put_list(&o, 4, THRIFT_STRUCT, w->group_count);
	buf_addstr(b, buf_str(&w->groups));
	put_pairs(&o, w);
	thrift_put_binary(&o, 6, STR("starpipe version " VERSION));
	thrift_put_list(&o, 7, THRIFT_STRUCT, leaf_count(w));
	for (size_t i = 0; i < leaf_count(w); i++) {
		thrift_put_struct(&o, 0);
		thrift_put_struct(&o, 1);
		thrift_end(&o);
		thrift_end(&o);
	}
	thrift_end(&o);
}

int parquet_writer_close(struct parquet_writer *w, struct err *e)
{
	struct buf b = { 0 };
	size_t len;
	int rc = end_group(w, true, e);

	if (rc != OK)
		return rc;
	put_footer(&b, w);
	len = b.len;
	for (int i = 0; i < 4; i++)
		buf_addch(&b, (char)(len >> 8 * i));
	buf_addz(&b, "PAR1");
	rc = len > INT32_MAX ? err_set(e, FAILED, "the footer grew too large for Parquet") :
			       emit(w, buf_str(&b), e);
	buf_release(&b);
	return rc;
}

void parquet_writer_free(struct parquet_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->output_count; i++)
		parquet_column_reset(&w->outputs[i].column, true);
	parquet_column_reset(&w->deleted, true);
	buf_release(&w->table_line);
	buf_release(&w->state);
	free(w->outputs);
	buf_release(&w->groups);
	parquet_parser_release(&w->parser);
	free(w);
}
