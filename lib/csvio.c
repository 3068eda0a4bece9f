/* csvio - CSV in and out, by libcsv */
#include "csvio.h"

#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

enum { CHUNK = 64 * 1024 };

struct reading {
	struct buf text;             /* the row's cells, one behind the other */
	struct csv_cell *cells;      /* text.data is set when the row is whole: text may move */
	size_t count, cap;
	uint64_t row, max_row;
	const char *name;
	csvio_row on_row;
	void *arg;
	struct err *e;
	int rc;
};

static void on_field(void *data, size_t len, void *arg)
{
	struct reading *r = arg;

	if (r->rc != OK)
		return;
	if (r->text.len + len > r->max_row) {
		r->rc = err_set(r->e, BAD_DATA, "%s: row %llu is longer than %llu bytes", r->name,
				(unsigned long long)r->row + 1, (unsigned long long)r->max_row);
		return;
	}
	GROW(r->cells, r->count, r->cap);
	r->cells[r->count++] = (struct csv_cell){ { NULL, len }, data == NULL };
	if (len)
		buf_add(&r->text, data, len);
}

static void on_row_end(int c, void *arg)
{
	struct reading *r = arg;
	size_t at = 0;

	(void)c;
	if (r->rc != OK)
		return;
	r->row++;
	for (size_t i = 0; i < r->count; i++) {
		r->cells[i].text.data = r->text.data ? r->text.data + at : "";
		at += r->cells[i].text.len;
		if (str_bad_utf8(r->cells[i].text) < r->cells[i].text.len) {
			r->rc = err_set(r->e, BAD_DATA, "%s: row %llu: column %zu is not UTF-8",
					r->name, (unsigned long long)r->row, i + 1);
			return;
		}
	}
	r->rc = r->on_row(r->arg, r->cells, r->count, r->row, r->e);
	r->count = 0;
	buf_reset(&r->text);
}

/* libcsv trims blanks around unquoted fields; they are data. */
static int no_space(unsigned char c)
{
	(void)c;
	return 0;
}

static int malformed(struct reading *r, struct csv_parser *p)
{
	if (r->rc != OK)
		return r->rc;
	return err_set(r->e, BAD_DATA, "%s: row %llu: %s", r->name, (unsigned long long)r->row + 1,
		       csv_error(p) == CSV_EPARSE ? "a quote stands where none may stand" :
		       csv_strerror(csv_error(p)));
}

static int read_all(struct reading *r, struct csv_parser *p, int fd)
{
	char chunk[CHUNK];
	bool first = true;
	ssize_t n;

	for (;;) {
		const char *start = chunk;

		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (first && n >= 3 && memcmp(chunk, "\xef\xbb\xbf", 3) == 0) {
			start += 3;
			n -= 3;
		}
		first = false;
		if (csv_parse(p, start, (size_t)n, on_field, on_row_end, r) != (size_t)n ||
		    r->rc != OK)
			return malformed(r, p);
	}
	if (n < 0)
		return err_errno(r->e, "could not read %s", r->name);
	if (csv_fini(p, on_field, on_row_end, r) != 0) {
		if (r->rc == OK)
			r->rc = err_set(r->e, BAD_DATA, "%s: row %llu is cut off inside quotes",
					r->name, (unsigned long long)r->row + 1);
	}
	return r->rc;
}

int csvio_read(int fd, const char *name, char delimiter, uint64_t max_row, csvio_row on_row,
	       void *arg, struct err *e)
{
	struct reading r = {
		.max_row = max_row, .name = name, .on_row = on_row, .arg = arg, .e = e
	};
	struct csv_parser p;
	int rc;

	if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0)
		return err_set(e, FAILED, "could not start the CSV parser");
	csv_set_delim(&p, (unsigned char)delimiter);
	csv_set_space_func(&p, no_space);
	rc = read_all(&r, &p, fd);
	csv_free(&p);
	buf_release(&r.text);
	free(r.cells);
	return rc;
}

void csvio_add(struct buf *b, struct str text, char delimiter)
{
	bool quote = text.len == 0 || str_eqz(text, "\\."); /* \. alone would end psql's input */

	for (size_t i = 0; i < text.len && !quote; i++)
		quote = text.data[i] == '"' || text.data[i] == delimiter || text.data[i] == '\n' ||
			text.data[i] == '\r';
	if (!quote) {
		buf_addstr(b, text);
		return;
	}
	buf_need(b, 2 * text.len + 2);
	b->len += csv_write(b->data + b->len, 2 * text.len + 2, text.data, text.len);
}
