/* wire_fuzz - any bytes as a stream, into COPY's text, CSV and Parquet
 *
 * The first table is written in all three, as long as each of them takes it, and what was written
 * is read again: as many rows, as many fields, and texts that are the same. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "copy_read.h"
#include "copy_write.h"
#include "csvrow.h"
#include "parquet_read.h"
#include "parquet_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ROW = 1 << 20, MOST_COLUMNS = 100 };

struct written {
	const struct wire_table *table;
	size_t columns; /* that rows have */
	struct csvrow csv;
	struct buf csv_text, copy, parquet_file, json;
	struct parquet_writer *parquet;
	uint64_t csv_rows, csv_rows_read, parquet_rows;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int read_memory(void *arg, uint64_t offset, size_t len, char *to, struct err *e)
{
	const struct str *file = arg;

	(void)e;
	must(offset <= file->len && len <= file->len - offset);
	memcpy(to, file->data + offset, len);
	return OK;
}

static int to_buf(void *arg, struct str bytes, struct err *e)
{
	(void)e;
	buf_addstr(arg, bytes);
	return OK;
}

static void begin(struct written *w, const struct wire_table *t)
{
	const struct parquet_options options = { .codec = BLOCK_SNAPPY, .numeric_text = true,
						 .row_group_size = 64 * 1024 };
	struct err e;

	w->table = t;
	for (size_t i = 0; i < t->column_count; i++)
		w->columns += !t->columns[i].generated;
	csvrow_init(&w->csv, t, ',', NULL);
	csvrow_add_header(&w->csv, &w->csv_text);
	if (t->column_count <= MOST_COLUMNS &&
	    parquet_writer_open(&w->parquet, t, &options, to_buf, &w->parquet_file, &e) != OK)
		must(w->parquet == NULL);
}

/* A field of COPY has no tab and no line break, and is JSON again when it is read. */
static void check_copy(struct written *w, const struct pg_type *t)
{
	struct field f;
	struct err e;

	must(!memchr(buf_str(&w->copy).data, '\t', w->copy.len) &&
	     !memchr(buf_str(&w->copy).data, '\n', w->copy.len));
	buf_reset(&w->json);
	must(copy_read(&w->json, t, buf_str(&w->copy), &e) == OK &&
	     scan_value(buf_str(&w->json), &f, &e) == OK &&
	     !memchr(w->json.data, '\n', w->json.len));
	if (!t->array && (t->base == PG_TEXT || t->base == PG_OTHER)) {
		struct buf again = { 0 };

		must(copy_write(&again, &f, t, &e) == OK &&
		     str_eq(buf_str(&again), buf_str(&w->copy)));
		buf_release(&again);
	}
}

static void add_copy(struct written *w, const struct field *fields)
{
	struct err e;

	for (size_t i = 0; i < w->table->column_count; i++) {
		buf_reset(&w->copy);
		if (copy_write(&w->copy, &fields[i], &w->table->columns[i].type, &e) == OK)
			check_copy(w, &w->table->columns[i].type);
	}
}

static void add_row(struct written *w, const struct field *fields)
{
	size_t start = w->csv_text.len;
	struct err e;

	add_copy(w, fields);
	if (csvrow_add(&w->csv, fields, &w->csv_text, &e) == OK)
		w->csv_rows++;
	else
		w->csv_text.len = start;
	if (w->parquet && parquet_writer_row(w->parquet, fields, &e) != OK) {
		parquet_writer_free(w->parquet);
		w->parquet = NULL;
	}
	w->parquet_rows += w->parquet != NULL;
}

static int on_csv_row(void *arg, const struct csv_cell *cells, size_t count, uint64_t row,
		      struct err *e)
{
	struct written *w = arg;

	(void)cells, (void)e;
	if (w->columns) /* else there is an empty header only */
		must(count == w->columns);
	w->csv_rows_read = row;
	return OK;
}

static void read_csv(struct written *w)
{
	struct csvio *csv;
	struct err e;

	must(csvio_open(&csv, "csv", ',', SIZE_MAX, on_csv_row, w, &e) == OK &&
	     csvio_feed(csv, buf_str(&w->csv_text), &e) == OK &&
	     csvio_feed(csv, STR(""), &e) == OK && w->csv_rows_read == w->csv_rows + 1);
	csvio_close(csv);
}

static void read_parquet(struct written *w)
{
	struct str file;
	struct parquet_source source = { "file", 0, read_memory, &file, 0 };
	enum wire_event event = WIRE_ROW;
	struct parquet_reader *r;
	struct field f;
	uint64_t rows = 0;
	struct err e;

	must(parquet_writer_close(w->parquet, &e) == OK);
	file = buf_str(&w->parquet_file);
	source.size = file.len;
	must(parquet_reader_open(&r, &source, NULL, true, &e) == OK);
	must(wire_same_columns(parquet_reader_table(r), w->table));
	for (; buf_reset(&w->json), event != WIRE_EOF; rows += event == WIRE_ROW) {
		must(parquet_reader_next(r, &w->json, &event, &e) == OK);
		must(event == WIRE_EOF || scan_value(buf_str(&w->json), &f, &e) == OK);
	}
	must(rows == w->parquet_rows);
	parquet_reader_free(r);
}

static void end(struct written *w)
{
	if (w->table) {
		read_csv(w);
		if (w->parquet)
			read_parquet(w);
	}
	parquet_writer_free(w->parquet);
	csvrow_release(&w->csv);
	buf_release(&w->csv_text);
	buf_release(&w->copy);
	buf_release(&w->parquet_file);
	buf_release(&w->json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int nothing = -1;
	struct written w = { 0 };
	struct wire_reader in;
	enum wire_event event;
	struct err e;
	uint64_t rows = 0;

	if (nothing < 0)
		nothing = open("/dev/null", O_RDONLY);
	wire_open(&in, nothing, "fuzz", size && data[0] == '{' ? "bare" : NULL, MAX_ROW);
	wire_preload(&in, (struct str){ (const char *)data, size });
	while (wire_next(&in, &event, &e) == OK && event != WIRE_EOF) {
		if (!w.table && event == WIRE_TABLE)
			begin(&w, in.table);
		if (event == WIRE_ROW && wire_fields(&in, &e) != OK)
			break;
		if (event == WIRE_ROW && in.table == w.table)
			add_row(&w, in.fields);
		rows += event == WIRE_ROW;
		if (event == WIRE_DELETE && in.line.len && wire_fields(&in, &e) != OK)
			break;
		if (event == WIRE_END)
			for (size_t i = 0; i < in.table_count; i++)
				rows -= in.tables[i]->rows;
		must(event != WIRE_END || rows == 0);
	}
	end(&w);
	wire_release(&in);
	return 0;
}
