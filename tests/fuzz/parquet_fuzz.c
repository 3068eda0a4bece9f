/* parquet_fuzz - any bytes as a Parquet file: `make fuzz`, and replayed by unit/parquet_test.c
 *
 * Nothing may crash, and no more be allocated than PARQUET_MEMORY says. How many rows a file has is
 * its own affair (a run of nulls is a few bytes), so only the first are read. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "json.h"
#include "parquet_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_ROWS = 5000 };

static int read_memory(void *arg, uint64_t offset, size_t len, char *to, struct err *e)
{
	const struct str *file = arg;

	if (offset > file->len || len > file->len - offset) /* the reader's promise */
		abort();
	(void)e;
	memcpy(to, file->data + offset, len);
	return OK;
}

/* What it writes are rows: JSON, whatever was in the file. */
static void check_line(const struct buf *line)
{
	struct field f;
	struct err e;

	if (line->len == 0 || line->data[line->len - 1] != '\n' ||
	    scan_value((struct str){ line->data, line->len - 1 }, &f, &e) != OK ||
	    f.kind != F_OBJECT || memchr(line->data, '\n', line->len - 1))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str file = { (const char *)data, size };
	struct parquet_source source = { "fuzz", size, read_memory, &file, 0 };
	struct parquet_reader *r;
	enum wire_event event = WIRE_ROW;
	struct buf line = { 0 };
	struct err e;

	/* checksums would keep out most of what is interesting */
	if (parquet_reader_open(&r, &source, NULL, false, &e) != OK)
		return 0;
	parquet_reader_state(r);
	for (int i = 0; i < MOST_ROWS; i++) {
		buf_reset(&line);
		if (parquet_reader_next(r, &line, &event, &e) != OK || event == WIRE_EOF)
			break;
		check_line(&line);
	}
	parquet_reader_free(r);
	buf_release(&line);
	return 0;
}
