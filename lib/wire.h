/* wire.h - framed JSON Lines, the form in which all tools pass rows: starpipe-wire(5).
 *
 * Reading: wire_open, wire_next until it says WIRE_EOF, wire_release. What a reader hands out
 * (tables, the line, the fields) it owns; tables live until wire_release, lines until the next
 * wire_next. Two promises make a pipe safe:
 *   - A framed input that ends without @end, or whose counts differ, ends in CUT_SHORT, never in
 *     WIRE_EOF. So whoever acts only on WIRE_END (or on the event after WIRE_STATE, in a stream
 *     of several steps) never takes half a stream for a whole one.
 *   - A line longer than max_row is BAD_DATA, not an allocation.
 * Nor can a stream make a reader take more memory than 256 KiB, three times its longest line, 48
 * times the announcement that is being read, and 32 times all announcements of different tables,
 * which have limits of their own.
 *
 * Writing: wire_add_* append lines to a buffer; rows are made of wire_table.prefix and values. */
#ifndef STARPIPE_WIRE_H
#define STARPIPE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "map.h"
#include "pgtype.h"
#include "scan.h"

#define WIRE_MAX_ROW ((uint64_t)256 << 20) /* default of --max-row */

/* What a reader takes; more is BAD_DATA. Columns are PostgreSQL's limit. */
enum {
	WIRE_MAX_COLUMNS = 1600,              /* of a table, and its foreign keys */
	WIRE_MAX_FOREIGN = 32,                /* columns of a foreign key */
	WIRE_MAX_ANNOUNCEMENT = 4 << 20,      /* bytes of a line */
	WIRE_MAX_ANNOUNCEMENTS = 64 << 20     /* bytes of those of all tables of a stream */
};

enum wire_mode {
	WIRE_FULL,   /* the stream holds the whole table */
	WIRE_CHANGES /* rows that are new or changed */
};

struct wire_column {
	char *name;
	char *type_name;     /* as announced */
	struct pg_type type;
	bool notnull;
	char *generated;     /* NULL, or "serial" / "identity": rows do not have it, the
				warehouse fills it in */
};

struct wire_foreign {
	char *table;         /* the parent */
	char **columns, **parent_columns;
	size_t count;
};

struct wire_table {
	char *name;
	size_t index;        /* in wire_reader.tables: the order of announcement */
	struct wire_column *columns;
	size_t column_count;
	size_t *key;         /* indexes into columns; what identifies a row of the source */
	size_t key_count;
	enum wire_mode mode;
	char *load;          /* a loader's hint: "upsert", "history", or NULL */
	struct wire_foreign *foreign;
	size_t foreign_count;
	uint64_t rows;       /* read or written so far */
	uint32_t oid;        /* its number in the database that it is read from, else 0 */
	struct scan_keys keys;
	struct str *prefix;  /* what stands before column i's value: {"a": or ,"a": */
};

/* Fill in keys, prefix and the columns' types, once names and type names stand. No name may be
 * there twice. */
void wire_table_finish(struct wire_table *t);
void wire_table_free(struct wire_table *t);

/* The table that a line announces, given as a document. Free *t on failure too. */
int wire_table_read(const struct json *doc, struct wire_table **t, struct err *e);

/* Do both have the same columns, of the same types, in the same order? */
bool wire_same_columns(const struct wire_table *a, const struct wire_table *b);

/* Index of a column, or column_count. */
size_t wire_column_index(const struct wire_table *t, struct str name);

/* --- reading --- */

enum wire_event {
	WIRE_TABLE,  /* table was announced (or announced again, with the same columns) or switched
			to */
	WIRE_ROW,    /* line is one row of table; call wire_fields for its values */
	WIRE_DELETE, /* a row of table is gone; line is its key, a JSON object whose values
			wire_fields finds; an empty line: all rows of table are gone */
	WIRE_STATE,  /* all before is one step; line is the state, a JSON object */
	WIRE_END,    /* the producer finished, counts agree */
	WIRE_EOF     /* after WIRE_END, or the end of bare rows */
};

struct wire_reader {
	int fd;
	const char *name;          /* for messages: "standard input", a path */
	uint64_t max_row;
	uint64_t line_no;
	uint64_t bytes;            /* read so far */
	bool framed, bare, ended;
	struct wire_table **tables;
	size_t table_count, table_cap;
	struct map by_name;        /* to tables */
	size_t announced;          /* bytes of what announced them */
	struct wire_table *table;  /* the current one; NULL before the first */
	bool announces;            /* WIRE_TABLE: the line has the columns, it is no switch */
	struct str line;           /* the event's text, without the line break */
	struct str whole;          /* the line it came in, with the line break */
	struct field *fields;      /* wire_fields' answer, one per column of table; after a
				      WIRE_DELETE of all rows, nothing but F_ABSENT */
	size_t field_cap;
	struct buf text;           /* room for a name */
	struct buf buf;
	size_t at, end;            /* unread bytes of buf; end counts what was read */
	bool eof;
	const char *bare_table;
};

/* fd and name are borrowed. max_row 0 means WIRE_MAX_ROW. bare_table: --table, the name of bare
 * rows, or NULL to insist on a frame. */
void wire_open(struct wire_reader *r, int fd, const char *name, const char *bare_table,
	       uint64_t max_row);

/* Bytes that were read from fd already; before the first wire_next. */
void wire_preload(struct wire_reader *r, struct str bytes);

/* Bare rows come with a table of the given name whose columns are the first row's keys: a number
 * is numeric, true and false are bool, an object or array is jsonb, all else is text. */
int wire_next(struct wire_reader *r, enum wire_event *event, struct err *e);

/* Scan the current row (or deleted key) into r->fields; failures name input, line, table and
 * reason. */
int wire_fields(struct wire_reader *r, struct err *e);

/* Put "standard input: line 12 (table staff)" in front of e. Returns kind. */
int wire_blame(const struct wire_reader *r, int kind, struct err *e);

/* For readers of one table: the failure where the input has ended without it. wanted is its name,
 * or NULL for any. */
int wire_no_table(const struct wire_reader *r, const char *wanted, struct err *e);

void wire_release(struct wire_reader *r);

/* Is a line, or the beginning of one, a control line? */
bool wire_is_control(struct str line);

/* --- writing: each appends one line, or a part of one --- */

void wire_add_table(struct buf *b, const struct wire_table *t);
void wire_add_switch(struct buf *b, const struct wire_table *t);
void wire_add_state(struct buf *b, struct str state);

/* key: a JSON object, or empty for all rows. */
void wire_add_delete(struct buf *b, const struct wire_table *t, struct str key);
void wire_add_end(struct buf *b, struct wire_table *const *tables, size_t count);

#endif
