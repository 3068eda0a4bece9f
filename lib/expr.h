/* expr.h - SQL expressions: bound once against the columns in scope, evaluated once a row.
 *
 * The result is, value for value, what PostgreSQL returns in a session with TimeZone UTC and text
 * compared byte by byte (LC_COLLATE C). What is not supported is USAGE at binding, with the place
 * in the star file; what cannot be computed for one row (a division by zero) is BAD_DATA at
 * evaluation, which makes the row a reject.
 *
 * Nodes live in the arena given to expr_bind.
 *
 * A row takes no more memory for its values than EVAL_MEMORY, and one text of VALUE_MAX_TEXT:
 * what needs more is BAD_DATA. */
#ifndef STARPIPE_EXPR_H
#define STARPIPE_EXPR_H

#include "arena.h"
#include "star.h"
#include "value.h"

enum { EVAL_MEMORY = 512 << 20 };

/* --- what names mean --- */

struct scope_column {
	const char *name;
	struct sqltype type;
	bool merged; /* the right side of a USING: its name alone means the left side's */
	bool used;   /* set by binding */
};

struct scope_table {
	const char *alias;
	struct scope_column *columns;
	size_t count;
	bool open; /* its columns are not known: any name is one of them, of type PG_ANY */
};

struct scope {
	const struct star *star;
	struct arena *arena;
	struct scope_table *tables;
	size_t count;
	/* told of every column used of an open table; table is count where it is not certain */
	void (*on_open)(void *arg, size_t table, const char *column);
	void *arg;
};

/* --- expressions --- */

enum expr_kind {
	EX_CONST,
	EX_COLUMN,
	EX_CALL,
	EX_CAST,
	EX_AND,
	EX_OR,
	EX_NOT,
	EX_CASE,
	EX_COALESCE,
	EX_NULLIF,
	EX_LEAST,
	EX_GREATEST,
	EX_IS_NULL,
	EX_IS_NOT_NULL,
	EX_IS_TRUE,
	EX_IS_NOT_TRUE,
	EX_IS_FALSE,
	EX_IS_NOT_FALSE,
	EX_DISTINCT,
	EX_NOT_DISTINCT
};

struct func;

struct expr {
	enum expr_kind kind;
	struct sqltype type;
	size_t at;                /* byte offset in the star file */
	struct expr **args;       /* EX_CASE: condition, result, ..., the ELSE last */
	size_t count;
	const struct func *func;  /* EX_CALL; the comparison of EX_NULLIF and EX_DISTINCT */
	struct value value;       /* EX_CONST */
	size_t table, column;     /* EX_COLUMN */
	enum cast_context context;/* EX_CAST */
};

int expr_bind(const struct scope *s, const struct json *node, struct expr **out, struct err *e);

/* x as a value of type to, as an INSERT (assignment) or an operator (implicit) converts it. An
 * untyped literal is read as that type at once. Returns x itself where nothing is to be done. */
int expr_cast(const struct scope *s, struct expr *x, struct sqltype to, enum cast_context context,
	      struct expr **out, struct err *e);

/* left = right, as the operator of that name would be found. */
int expr_equal(const struct scope *s, struct expr *left, struct expr *right, size_t at,
	       struct expr **out, struct err *e);

/* Which tables x reads: bit i for table i. */
uint64_t expr_tables(const struct expr *x);

/* --- evaluation --- */

struct eval {
	const struct field *const
		*rows; /* one row of each table in scope; NULL: no match (LEFT JOIN) */
	struct arena *arena;             /* for the values; reset by the caller */
};

int expr_eval(const struct expr *x, const struct eval *ctx, struct value *out, struct err *e);

/* Append x as JSON, or null. A column that needs no conversion is checked against its type and
 * copied as it stands. *is_null tells. */
int expr_add_json(const struct expr *x, const struct eval *ctx, struct buf *b, bool *is_null,
		  struct err *e);

#endif
