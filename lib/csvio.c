/* csvio - CSV in and out, by libcsv */
#include "csvio.h"

#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

enum {
	CHUNK = 64 * 1024,
	MAX_FIELDS = 1 << 20, /* of a row: each takes more memory than it may have bytes */
	SLACK = 1024          /* libcsv's buffer is a little longer than the field in it */
};

struct csvio {
	struct csv_parser parser;
	struct buf text;             /* the row's cells, one behind the other */
	struct csv_cell *cells;      /* text.data is set when the row is whole: text may move */
	size_t count, cap;
	uint64_t row, max_row;
	const char *name;
	csvio_row on_row;
	void *arg;
	int ended_by;                /* the last row: CR or LF, 0 when more has come */
	bool begun;                  /* the first bytes may be a byte order mark */
	struct err *e;               /* of the call of csvio_feed that runs */
	int rc;
};

static int too_long(struct csvio *r, uint64_t most, const char *what)
{
	return err_set(r->e, BAD_DATA, "%s: row %llu is longer than %llu %s", r->name,
		       (unsigned long long)r->row + 1, (unsigned long long)most, what);
}

static void on_field(void *data, size_t len, void *arg)
{
	struct csvio *r = arg;

	r->ended_by = 0;
	if (r->rc == OK && r->text.len + r->count + len > r->max_row)
		r->rc = too_long(r, r->max_row, "bytes");
	if (r->rc == OK && r->count == MAX_FIELDS)
		r->rc = too_long(r, MAX_FIELDS, "fields");
	if (r->rc != OK)
		return;
	GROW(r->cells, r->count, r->cap);
	r->cells[r->count++] = (struct csv_cell){ { NULL, len }, data == NULL };
	if (len)
		buf_add(&r->text, data, len);
}

/* Called for each CR and LF that ends a row or stands alone. */
static void on_row_end(int c, void *arg)
{
	struct csvio *r = arg;
	bool crlf = c == CSV_LF && r->ended_by == CSV_CR;
	size_t at = 0;

	r->ended_by = c;
	if (r->count == 0 && !crlf && c != -1)
		on_field(NULL, 0, r); /* an empty line */
	r->ended_by = c;
	if (r->rc != OK || r->count == 0)
		return;
	r->row++;
	if (r->text.len && memchr(r->text.data, 0, r->text.len)) {
		r->rc = err_set(r->e, BAD_DATA, "%s: row %llu has a byte 0, which no text can hold",
				r->name, (unsigned long long)r->row);
		return;
	}
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

int csvio_open(struct csvio **c, const char *name, char delimiter, uint64_t max_row,
	       csvio_row on_row, void *arg, struct err *e)
{
	*c = xcalloc(1, sizeof(**c));
	**c = (struct csvio){ .max_row = max_row, .name = name, .on_row = on_row, .arg = arg };
	if (csv_init(&(*c)->parser,
		     CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL | CSV_REPALL_NL) != 0)
		return err_set(e, FAILED, "could not start the CSV parser");
	csv_set_delim(&(*c)->parser, (unsigned char)delimiter);
	csv_set_space_func(&(*c)->parser, no_space);
	return OK;
}

void csvio_close(struct csvio *c)
{
	if (!c)
		return;
	csv_free(&c->parser);
	buf_release(&c->text);
	free(c->cells);
	free(c);
}

static int malformed(struct csvio *r, bool at_end)
{
	const char *why = at_end ? "it is cut off inside quotes" :
			  csv_error(&r->parser) == CSV_EPARSE ?
				   "a quote stands where none may stand" :
				   csv_strerror(csv_error(&r->parser));

	if (r->rc != OK)
		return r->rc;
	return err_set(r->e, BAD_DATA, "%s: row %llu: %s", r->name, (unsigned long long)r->row + 1,
		       why);
}

int csvio_feed(struct csvio *r, struct str piece, struct err *e)
{
	size_t alone;

	r->e = e;
	if (!piece.len)
		return csv_fini(&r->parser, on_field, on_row_end, r) != 0 || r->rc != OK ?
			       malformed(r, true) :
			       OK;
	if (!r->begun && piece.len >= 3 && memcmp(piece.data, "\xef\xbb\xbf", 3) == 0)
		piece = (struct str){ piece.data + 3, piece.len - 3 };
	r->begun = true;
	if (csv_parse(&r->parser, piece.data, piece.len, on_field, on_row_end, r) != piece.len ||
	    r->rc != OK)
		return malformed(r, false);
	alone = csv_get_buffer_size(&r->parser); /* a field that has no end yet */
	return alone <= SLACK || alone - SLACK <= r->max_row ? OK :
							       too_long(r, r->max_row, "bytes");
}

/* At least three bytes, a byte order mark's, unless there are no more; none at the end. */
static int read_piece(int fd, const char *name, char chunk[CHUNK], size_t *len, struct err *e)
{
	ssize_t n = 1;

	for (*len = 0; *len < 3 && n != 0; *len += n > 0 ? (size_t)n : 0) {
		n = read(fd, chunk + *len, CHUNK - *len);
		if (n < 0 && errno != EINTR)
			return err_errno(e, "could not read %s", name);
	}
	return OK;
}

int csvio_read(int fd, const char *name, char delimiter, uint64_t max_row, csvio_row on_row,
	       void *arg, struct err *e)
{
	char chunk[CHUNK];
	struct csvio *c;
	size_t len = 1;
	int rc = csvio_open(&c, name, delimiter, max_row, on_row, arg, e);

	while (rc == OK && len) {
		rc = read_piece(fd, name, chunk, &len, e);
		if (rc == OK)
			rc = csvio_feed(c, (struct str){ chunk, len }, e);
	}
	csvio_close(c);
	return rc;
}

void csvio_add(struct buf *b, struct str text, char delimiter)
{
	/* \. alone would end psql's input; a byte order mark at the start of a file is no data */
	bool quote = text.len == 0 || str_eqz(text, "\\.") ||
		     (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0);

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
