/* star.h - a star file: the SQL that says what a warehouse holds. Its language: starpipe-star(5).
 *
 * star_read parses it with libpg_query (PostgreSQL's own parser; star.c is the only place that
 * includes it) and checks the statements: CREATE TABLE becomes a wire_table, CREATE FOREIGN TABLE a
 * reference file, INSERT INTO ... SELECT an insert whose SELECT stays a parse tree for query.h.
 * A mistake is USAGE with file, line, column, an excerpt with a caret, and a hint at what to write
 * instead.
 *
 * A struct star owns all it points to until star_release. */
#ifndef STARPIPE_STAR_H
#define STARPIPE_STAR_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "json.h"
#include "wire.h"

struct star_table {
	struct wire_table *wire;  /* load is "upsert" for a plain PRIMARY KEY, "history" for a
				     generated one, NULL without; a fact's key is set by query.h */
	struct str sql;           /* its CREATE TABLE, as written */
	size_t at;                /* byte offset of its name, for messages */
};

struct star_file {
	char *name;               /* of the foreign table */
	struct wire_column *columns;
	size_t column_count;
	char *path;               /* beside the star file unless it is absolute */
	char delimiter;
	bool header;
};

struct star_insert {
	struct star_table *into;
	size_t *columns; /* output column i of the SELECT goes into into's column columns[i] */
	size_t column_count;
	const struct json *select;
	size_t at;
};

struct star {
	char *path;
	struct buf text;
	struct json *doc;
	struct star_table *tables; /* as created: a parent stands before its children */
	size_t table_count;
	struct star_file *files;
	size_t file_count;
	struct star_insert *inserts;
	size_t insert_count;
};

int star_read(struct star *s, const char *path, struct err *e);
void star_release(struct star *s);

/* A mistake at a place of the text: USAGE. */
int star_error(const struct star *s, size_t at, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Of a parse tree's node: where it stands in the text (0 if it does not say). */
size_t star_at(const struct json *node);

/* An A_Const node's integer; false if it is none. */
bool star_int(const struct star *s, const struct json *node, int64_t *n);

/* A TypeName node's wire type: "numeric(10,2)", "text[]". */
int star_type_name(const struct star *s, const struct json *node, struct buf *name, struct err *e);

#endif
