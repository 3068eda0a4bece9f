/* query_exec.h - the nodes of a query, and a row's way through them to a result.
 *
 * A query is a tree: a SELECT, a VALUES list or a UNION of two queries. A SELECT's FROM is a list
 * of relations, of which the first drives and the others are joined in turn; a relation may be a
 * query again, whose results it takes as rows. query_plan.h makes the tree; all nodes are in the
 * arena of its root. Rows are as in query.h. */
#ifndef STARPIPE_QUERY_EXEC_H
#define STARPIPE_QUERY_EXEC_H

#include "expr.h"
#include "query.h"

enum { MAX_TABLES = 60 }; /* in one FROM: expr_tables has a bit for each */

enum relation_kind { REL_SOURCE, REL_FILE, REL_QUERY, REL_SERIES };

struct stored {
	struct stored *next;
	uint64_t step; /* in which it came */
	bool gone;     /* it came to say that there is no such row */
	struct field fields[];
};

struct pending {
	struct pending *next;
	struct str line;                 /* the source row it came from, for a reject */
	const struct wire_table *table;
	struct field fields[];
};

/* What all parts of one query share while a row is on its way. */
struct run {
	struct arena values;
	struct str line;
	const struct wire_table *table;
	uint64_t step;     /* from 1 */
};

/* One table of a FROM. */
struct relation {
	enum relation_kind kind;
	const char *name;
	struct select *in;
	size_t index;                    /* in its FROM; 0 drives */
	struct wire_table *table;        /* REL_SOURCE, once announced */
	const struct star_file *file;
	struct query *query;
	struct expr **series;            /* start, stop, step */
	size_t series_count;
	bool left;
	struct expr **keys, **own_keys;  /* the joined sides, equal in number */
	size_t key_count;
	struct expr *filter;             /* what ON says of this table alone */
	bool unique;                     /* the joined columns hold the table's key */
	struct map rows;                 /* key -> struct stored * */
};

struct select {
	struct query *query;
	struct relation *rels;
	struct scope scope;
	struct expr *before, *where;     /* on the driver alone; on all */
	struct expr **targets;
	struct pending *pending, **pending_end;
	struct arena kept;               /* rows stored and pending */
	struct buf key;
	bool follows;                    /* changes: rows of the driver are in refs, too */
	bool all_touched;                /* a joined table was emptied in this step */
	bool by_parent;                  /* the row now driven came not itself, its parent did */
};

/* A SELECT, a VALUES list or a UNION of two queries, and what is done with its results. */
struct query {
	struct select *select;
	struct expr ***values;           /* rows of expressions */
	size_t value_count;
	struct query *left, *right;      /* UNION */
	char **names;
	struct sqltype *types;
	size_t count;
	bool any_count;                  /* a * over columns not known yet */
	bool distinct;
	struct map seen;
	enum wire_mode mode;             /* in the step... */
	uint64_t mode_step;              /* ...of this number */
	struct expr **convert;           /* from the types above to the taker's */
	struct scope_table self;         /* the scope of convert: our own columns */
	struct buf text, converted_text; /* one row as it is rendered */
	struct field *fields, *converted;
	size_t *offsets;
	struct query_sink sink, reject;  /* of our results; of the whole query's rejects */
	struct arena *arena;             /* of all nodes; the root owns it */
	struct run *run;
	bool root;
	struct star_insert const *insert;
	bool *identity;                  /* which results are the target's key and the driver's
					    alike; NULL if none tell whose result a row is */
	const struct refs *refs;
};

/* Call f for everything below q and q itself, the deepest first: what has no query under it feeds
 * what has. Ends at the first failure. */
typedef int (*exec_visitor)(struct query *q, void *arg, struct err *e);
int exec_visit(struct query *q, exec_visitor f, void *arg, struct err *e);

/* exec_visit for those who change nothing. */
void exec_look(const struct query *q, exec_visitor f, void *arg);

/* Are the results all there are (full), or what has changed? */
enum wire_mode exec_mode(const struct query *q);

/* Cut rendered JSON text into fields; offsets has count + 1 entries. */
void exec_cut(const struct buf *text, const size_t *offsets, size_t count, struct field *fields);

/* A row of expressions that need no table is a result of q. */
int exec_constants(struct query *q, struct expr *const *row, struct err *e);

/* A row of the driving relation goes through joins and conditions to its results, of which there
 * may be none. Unless final, one whose matches may still come waits for exec_pending. */
int exec_drive(struct select *s, const struct field *fields, bool final, struct err *e);

/* Drive the rows that wait. */
int exec_pending(struct select *s, struct err *e);

/* Tell the taker that a driving row, of which the key is enough, has no result any more. */
int exec_gone(struct query *q, const struct field *driving, struct err *e);

/* Keep a row of a joined table: the columns that are used. One that is gone, or does not meet the
 * join's own condition, is kept as such where changes are followed. */
int exec_store(struct relation *r, const struct field *fields, bool gone, struct err *e);

/* Did a row that a driving row is joined with come in this step? */
int exec_parent_came(struct select *s, const struct field *driving, bool *came, struct err *e);

/* What takes the results of the query below: a driving or a joined relation, or a UNION. */
int exec_take_driving(void *relation, const struct field *fields, struct err *e);
int exec_take_joined(void *relation, const struct field *fields, struct err *e);
int exec_take_part(void *query, const struct field *fields, struct err *e);

#endif
