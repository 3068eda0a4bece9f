/* copy_in - rows for many tables over one connection */
#include "copy_in.h"

#include <poll.h>
#include <stdlib.h>

#include "mem.h"

enum {
	SEND_CHUNK = 64 * 1024, /* libpq copies what it is given: small pieces keep it small */
	KEEP_CAP = 256 * 1024,	/* a larger buffer is given back once it is sent */
	MAX_RUNS = 32 * 1024,	/* of one COPY, then the next is begun */
};

void copy_in_add_table(struct copy_in *c, struct copy_in_table *t)
{
	GROW(c->tables, c->table_count, c->table_cap);
	c->tables[c->table_count++] = t;
}

/* --- what the server did not like --- */

/* Input line of the n-th row (from 1) of t's COPY; 0 if there is none. */
static uint64_t input_line(const struct copy_in_table *t, uint64_t n)
{
	for (size_t i = 0; i < t->run_count && n > 0; i++) {
		if (n <= t->runs[i].count)
			return t->runs[i].line_no + n - 1;
		n -= t->runs[i].count;
	}
	return 0;
}

/* The context says, in the server's language: COPY starpipe_stage_0, line 17, column c3: "x".
 * So the first number behind the first comma is the row, and a c with a number behind the next
 * comma is the column; column is column_count if there is none. */
static void read_context(const struct copy_in_table *t, const char *context, uint64_t *row,
			 size_t *column)
{
	const char *p = context ? strstr(context, "starpipe_") : NULL;
	char *end;

	*row = 0;
	*column = t->table->column_count;
	if (!p || !(p = strchr(p, ',')))
		return;
	p += strcspn(p, "0123456789");
	*row = strtoull(p, &end, 10);
	if (*end != ',')
		return;
	for (p = strpbrk(end, " :"); p && *p == ' '; p = strpbrk(p + 1, " :"))
		if (p[1] == 'c' && p[2] >= '0' && p[2] <= '9') {
			*column = strtoul(p + 2, NULL, 10);
			return;
		}
}

static int failed(const struct copy_in *c, const PGresult *res, struct err *e)
{
	const struct copy_in_table *t = c->open;
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	uint64_t row, line_no;
	size_t column;
	int rc;

	read_context(t, PQresultErrorField(res, PG_DIAG_CONTEXT), &row, &column);
	line_no = input_line(t, row);
	rc = pgio_failed(c->conn, res, e, "load rows");
	if (!line_no || !primary)
		return err_wrap(e, rc, "table \"%s\"", t->table->name);
	err_set(e, rc, detail ? "%s (%s)" : "%s", primary, detail);
	if (column < t->table->column_count)
		err_wrap(e, rc, "column \"%s\"", t->table->columns[column].name);
	return err_wrap(e, rc, "%s: line %llu (table \"%s\")", c->input,
			(unsigned long long)line_no, t->table->name);
}

/* --- one COPY --- */

/* Read results to the last one; the first failure counts. */
static int drain(struct copy_in *c, struct err *e)
{
	PGresult *res;
	int rc = OK;

	while ((res = PQgetResult(c->conn)) != NULL) {
		ExecStatusType status = PQresultStatus(res);

		if (rc == OK && status != PGRES_COMMAND_OK)
			rc = failed(c, res, e);
		PQclear(res);
		if (status == PGRES_COPY_IN) /* the connection is lost, there is no end to read */
			break;
	}
	return rc;
}

static int end_copy(struct copy_in *c, struct err *e)
{
	int rc;

	PQputCopyEnd(c->conn, NULL); /* if that fails, so does the result */
	rc = drain(c, e);
	c->open->run_count = 0;
	c->open = NULL;
	return rc;
}

static void give_back(struct buf *b)
{
	if (b->cap > KEEP_CAP)
		buf_release(b);
	buf_reset(b);
}

/* During a COPY the server is silent unless it has failed; libpq would tell at the end only. */
static bool server_speaks(const struct copy_in *c)
{
	struct pollfd fd = { .fd = PQsocket(c->conn), .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* Send the open table's rows. Ends the COPY if it has failed, or may have. */
static int send_rows(struct copy_in *c, struct err *e)
{
	struct buf *b = &c->open->rows;

	for (size_t at = 0; at < b->len; at += SEND_CHUNK) {
		size_t n = b->len - at < SEND_CHUNK ? b->len - at : SEND_CHUNK;

		if (PQputCopyData(c->conn, b->data + at, (int)n) != 1) {
			int rc = end_copy(c, e);

			return rc != OK ? rc : pgio_failed(c->conn, NULL, e, "load rows");
		}
	}
	give_back(b);
	return server_speaks(c) ? end_copy(c, e) : OK;
}

static int open_copy(struct copy_in *c, struct copy_in_table *t, struct err *e)
{
	PGresult *res = pgio_one(c->conn, t->sql);
	int rc = OK;

	if (PQresultStatus(res) != PGRES_COPY_IN)
		rc = pgio_failed(c->conn, res, e, "begin to load rows");
	else
		c->open = t;
	PQclear(res);
	c->waiting -= t->counted;
	t->counted = 0;
	return rc;
}

int copy_in_pause(struct copy_in *c, struct err *e)
{
	int rc = c->open ? send_rows(c, e) : OK;

	return rc == OK && c->open ? end_copy(c, e) : rc;
}

/* --- who is next --- */

static void count_run(struct copy_in_table *t, uint64_t line_no)
{
	struct copy_in_run *last = t->run_count ? &t->runs[t->run_count - 1] : NULL;

	if (last && last->line_no + last->count == line_no) {
		last->count++;
		return;
	}
	GROW(t->runs, t->run_count, t->run_cap);
	t->runs[t->run_count++] = (struct copy_in_run){ line_no, 1 };
}

static int open_fullest(struct copy_in *c, struct err *e)
{
	struct copy_in_table *most = c->tables[0];
	int rc;

	for (size_t i = 1; i < c->table_count; i++)
		if (c->tables[i]->counted > most->counted)
			most = c->tables[i];
	if ((rc = copy_in_pause(c, e)) != OK || (rc = open_copy(c, most, e)) != OK)
		return rc;
	return send_rows(c, e);
}

int copy_in_row(struct copy_in *c, struct copy_in_table *t, uint64_t line_no, struct err *e)
{
	int rc;

	count_run(t, line_no);
	if (!c->open && (rc = open_copy(c, t, e)) != OK)
		return rc;
	if (c->open == t) {
		if (t->rows.len < SEND_CHUNK && t->run_count < MAX_RUNS)
			return OK;
		return t->run_count < MAX_RUNS ? send_rows(c, e) : copy_in_pause(c, e);
	}
	c->waiting -= t->counted;
	t->counted = t->rows.len + t->run_count * sizeof(*t->runs);
	c->waiting += t->counted;
	return c->waiting < COPY_IN_BUDGET ? OK : open_fullest(c, e);
}

int copy_in_settle(struct copy_in *c, struct copy_in_table *t, struct err *e)
{
	int rc = copy_in_pause(c, e);

	if (rc == OK && t->rows.len && (rc = open_copy(c, t, e)) == OK)
		rc = copy_in_pause(c, e);
	return rc;
}

int copy_in_flush(struct copy_in *c, struct err *e)
{
	int rc = copy_in_pause(c, e);

	for (size_t i = 0; rc == OK && i < c->table_count; i++)
		rc = copy_in_settle(c, c->tables[i], e);
	c->table_count = 0;
	return rc;
}

void copy_in_release(struct copy_in *c)
{
	free(c->tables);
	*c = (struct copy_in){ 0 };
}

void copy_in_table_release(struct copy_in_table *t)
{
	buf_release(&t->rows);
	free(t->runs);
	free(t->sql);
	*t = (struct copy_in_table){ 0 };
}
