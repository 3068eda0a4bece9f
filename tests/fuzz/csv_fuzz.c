/* csv_fuzz - any bytes as CSV, whole and in pieces, into rows and back
 *
 * How it is cut into pieces does not matter; what was read is written as rows of JSON and as CSV,
 * and read again it is the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "csvrow.h"
#include "mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ROW = 4096 };

struct rows {
	struct wire_table *table; /* of the first row's width, all text */
	struct csvrow csv;
	struct buf json, again;   /* as lines, and as CSV */
	uint64_t last;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void begin(struct rows *r, size_t count)
{
	char name[32];

	r->table = xcalloc(1, sizeof(*r->table));
	r->table->name = xstrdup("t");
	r->table->columns = xcalloc(count, sizeof(*r->table->columns));
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "c%zu", i);
		r->table->columns[r->table->column_count++] = (struct wire_column){
			.name = xstrdup(name), .type_name = xstrdup("text")
		};
	}
	wire_table_finish(r->table);
	csvrow_init(&r->csv, r->table, ',', NULL);
}

static int on_row(void *arg, const struct csv_cell *cells, size_t count, uint64_t row,
		  struct err *e)
{
	struct rows *r = arg;
	size_t start = r->json.len;
	struct field *fields;
	int rc;

	must(row == ++r->last && count > 0);
	if (!r->table)
		begin(r, count);
	if ((rc = csvrow_add_json(&r->csv, cells, count, &r->json, e)) != OK) {
		must(count != r->table->column_count); /* text is text */
		return rc;
	}
	fields = xcalloc(count, sizeof(*fields));
	must(scan_row((struct str){ r->json.data + start, r->json.len - start - 1 },
		      &r->table->keys, fields, e) == OK);
	must(csvrow_add(&r->csv, fields, &r->again, e) == OK);
	free(fields);
	return OK;
}

static int read_csv(struct rows *r, struct str text, size_t piece, uint64_t max_row)
{
	struct csvio *csv;
	struct err e;
	int rc = csvio_open(&csv, "csv", ',', max_row, on_row, r, &e);

	for (size_t at = 0; rc == OK && at < text.len; at += piece) {
		size_t len = text.len - at < piece ? text.len - at : piece;

		rc = csvio_feed(csv, (struct str){ text.data + at, len }, &e);
	}
	if (rc == OK)
		rc = csvio_feed(csv, STR(""), &e);
	must(rc == OK || rc == BAD_DATA);
	csvio_close(csv);
	return rc;
}

static void release(struct rows *r)
{
	csvrow_release(&r->csv);
	wire_table_free(r->table);
	buf_release(&r->json);
	buf_release(&r->again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rows whole = { 0 }, pieces = { 0 }, again = { 0 };
	struct str text = { (const char *)data, size };
	int rc = read_csv(&whole, text, SIZE_MAX / 2, MAX_ROW);

	/* a field that never ends is found to be too long where a piece ends */
	if (size < MAX_ROW)
		must(read_csv(&pieces, text, size % 7 + 3, MAX_ROW) == rc &&
		     str_eq(buf_str(&whole.json), buf_str(&pieces.json)));
	must(read_csv(&again, buf_str(&whole.again), SIZE_MAX / 2, SIZE_MAX / 2) == OK &&
	     str_eq(buf_str(&whole.json), buf_str(&again.json)));
	release(&whole);
	release(&pieces);
	release(&again);
	return 0;
}
