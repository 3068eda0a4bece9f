/* query.h - a star's SELECTs, run over a stream.
 *
 * A query is compiled from its parse tree once every source table it reads has been announced,
 * and then takes rows one by one: a row of its driving table goes through joins, WHERE and the
 * SELECT's list to whoever takes the results; a row of a joined table is kept in memory.
 *
 *   - A driving row whose matches are all known goes on at once: a table joined by its key needs
 *     one match; a reference file or VALUES list is known from the start. Other rows wait, copied,
 *     until query_step says that the step is complete.
 *   - A query that follows (query_follow) reads a stream of changes: its joined tables are in
 *     refs.h, and at the end of a step those driving rows go on that came in the step or that are
 *     joined with a row that came. Each goes on once, as all tables are then.
 *   - After a step, a row without a match in a LEFT JOIN goes on with NULLs; in an inner JOIN it is
 *     a reject, as PostgreSQL would drop it silently. Rows that the WHERE drops for reasons of
 *     their own are no rejects.
 *
 * Rows are arrays of struct field, values as JSON text, borrowed for the call. */
#ifndef STARPIPE_QUERY_H
#define STARPIPE_QUERY_H

#include "refs.h"
#include "star.h"
#include "value.h"

struct query;

/* Where results and rejects go. */
struct query_sink {
	void *arg;
	/* one result; fields as many as the query has columns */
	int (*row)(void *arg, const struct field *fields, struct err *e);
	/* a row that could not be computed or joined: e says why and is free to be used. OK to go
	 * on. */
	int (*reject)(void *arg, const struct wire_table *table, struct str line, struct err *e);
	/* the result of a driving row is there no more: fields as in row, but those of the target's
	 * key alone; NULL: no results are */
	int (*gone)(void *arg, const struct field *fields, struct err *e);
};

/* What a table is called in FROM: gives the announced source table, or NULL if not (yet) known. */
typedef struct wire_table *(*query_lookup)(void *arg, const char *name);

/* Which source table and column a query reads; column NULL: the table itself. certain is false for
 * a name without its table where several tables come into question. */
typedef void (*query_uses)(void *arg, const char *table, const char *column, bool certain);

/* Without lookup only a check: everything but the types of source columns. columns are the types
 * the results are converted to, by assignment; NULL: as they are. */
int query_compile(const struct star *s, const struct star_insert *in, query_lookup lookup,
		  void *lookup_arg, struct query_sink sink, struct query **out, struct err *e);
void query_free(struct query *q);

/* Tell uses of every source table and column the SELECT reads. */
int query_sources(const struct star *s, const struct star_insert *in, query_uses uses, void *arg,
		  struct err *e);

/* The driving source table's key among the results: how many columns, which in columns (room for
 * max). 0 if it has none or the SELECT leaves a part out. *driver is NULL where none drives. */
size_t query_key(const struct query *q, size_t *columns, size_t max,
		 const struct wire_table **driver);

/* Tell uses of every source table that is part of a join. */
void query_joins(const struct query *q, query_uses uses, void *arg);

/* Follow changes, where every joined table is joined by its key: rows are kept in r, which the
 * caller keeps up to date before it hands a row on here. */
int query_follow(struct query *q, const struct refs *r, struct err *e);

/* A source table that comes as changes into a join that does not follow, or NULL. */
const char *query_lost_changes(const struct query *q);

/* Are the results all there are (full), or what has changed? */
enum wire_mode query_mode(const struct query *q);

/* Does the query read that table? */
bool query_reads(const struct query *q, const struct wire_table *t);

/* Rows of VALUES, files and series that drive by themselves; call once after compiling. */
int query_start(struct query *q, struct err *e);

/* A source row: joined tables take it first, then it drives. line is the row's text. */
int query_row(struct query *q, const struct wire_table *t, const struct field *fields,
	      struct str line, struct err *e);

/* A source row is gone; fields are those of its key, or NULL: all rows of the table are. */
int query_delete(struct query *q, const struct wire_table *t, const struct field *fields,
		 struct err *e);

/* All rows of a step have been given. */
int query_step(struct query *q, struct err *e);

#endif
