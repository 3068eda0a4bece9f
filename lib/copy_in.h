/* copy_in.h - rows for many tables over one connection, by COPY ... FROM STDIN.
 *
 * A connection runs one COPY at a time, a stream changes tables as it likes. So one table's COPY
 * is open and its rows go out as they come; the others' wait in buffers, and when these hold
 * COPY_IN_BUDGET bytes, the fullest gets the connection. Memory is bounded by that and one row.
 *
 * The server blames the n-th line of a COPY; every table remembers which lines of the input its
 * rows came from, so that a failure names the line a user can look at. */
#ifndef STARPIPE_COPY_IN_H
#define STARPIPE_COPY_IN_H

#include "buf.h"
#include "err.h"
#include "pgio.h"
#include "wire.h"

enum { COPY_IN_BUDGET = 16 << 20 };

/* A table: zero it, set sql and table. What else is in it is copy_in's. */
struct copy_in_table {
	char *sql; /* COPY into a starpipe_... with columns c0, c1, ... (merge.h); owned */
	const struct wire_table *table; /* for messages; borrowed */
	struct buf rows;         /* not sent yet; the caller appends whole lines */
	size_t counted;          /* bytes of rows that are in copy_in.waiting */
	struct copy_in_run {     /* rows of consecutive input lines */
		uint64_t line_no, count;
	} *runs;                 /* of this COPY, from its first row on */
	size_t run_count, run_cap;
};

struct copy_in {
	PGconn *conn;            /* borrowed */
	const char *input;       /* the input's name, for messages */
	struct copy_in_table **tables;
	size_t table_count, table_cap;
	struct copy_in_table *open;
	size_t waiting;
};

/* Borrows t until copy_in_flush or copy_in_release. */
void copy_in_add_table(struct copy_in *c, struct copy_in_table *t);

/* The caller has appended one row, of input line line_no, to t->rows. */
int copy_in_row(struct copy_in *c, struct copy_in_table *t, uint64_t line_no, struct err *e);

/* Finish the open COPY, if any, so that the connection can run something else. */
int copy_in_pause(struct copy_in *c, struct err *e);

/* The same, and what waits for t is sent before. */
int copy_in_settle(struct copy_in *c, struct copy_in_table *t, struct err *e);

/* Send all that waits, finish the COPY, forget the tables. */
int copy_in_flush(struct copy_in *c, struct err *e);

void copy_in_release(struct copy_in *c);
void copy_in_table_release(struct copy_in_table *t);

#endif
