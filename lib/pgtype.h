/* pgtype.h - PostgreSQL's types as the wire names them: int4, numeric(10,2), timestamp, text[].
 *
 * A wire type is a name from pg_type, with its modifier in parentheses where it has one, and []
 * behind for an array of any depth. `interval` alone may carry words (interval day to second(3)).
 * SQL's own spellings (integer, double precision, character varying(3)) are understood too.
 *
 * Names come from strangers. What goes into SQL is printed from what was understood of a name,
 * which are words of our own, numbers within PostgreSQL's limits, and a quoted identifier; it is
 * never a piece of the name. */
#ifndef STARPIPE_PGTYPE_H
#define STARPIPE_PGTYPE_H

#include <stdbool.h>

#include "buf.h"
#include "str.h"

enum pg_base {
	PG_OTHER, /* anything that travels as PostgreSQL's text in a JSON string */
	PG_BOOL, PG_INT2, PG_INT4, PG_INT8, PG_NUMERIC, PG_FLOAT4, PG_FLOAT8,
	PG_TEXT, PG_VARCHAR, PG_BPCHAR,
	PG_DATE, PG_TIME, PG_TIMESTAMP, PG_TIMESTAMPTZ, PG_INTERVAL,
	PG_BYTEA, PG_JSON, PG_JSONB,
	PG_UNKNOWN, /* never on the wire: an SQL literal that has no type yet */
	PG_ANY      /* never on the wire: a column whose type is not known yet */
};

struct pg_type {
	enum pg_base base;
	bool array;
	int mods[2];     /* length; precision and scale; -1 where there is none */
	char delimiter;  /* between an array's elements: ';' for box, else ',' */
};

/* A name of which pg_type_problem complains is PG_OTHER without modifiers. */
struct pg_type pg_type_parse(struct str name);

/* Why there cannot be such a type, to be put behind its name: numeric(0), int4(3), varchar(a).
 * NULL if there may be; whether there is a PG_OTHER of that name, only a server knows. */
const char *pg_type_problem(struct str name);

/* The wire's name for base and mods: what pg_type_parse reads. PG_OTHER has none. */
void pg_type_add_name(struct buf *b, const struct pg_type *t);

/* The name in a CREATE TABLE: schema-qualified and quoted, so that neither search_path nor a
 * keyword ("char") can change its meaning. name is the wire's; any name becomes exactly one type,
 * one that cannot be the name of a type that does not exist. */
void pg_type_add_sql(struct buf *b, struct str name);

/* PostgreSQL cuts off the rest of a longer name without a word: bytes of an identifier. */
enum { PG_NAME_MAX = 63 };

/* An SQL identifier, quoted always; and "schema"."table". */
void pg_add_ident(struct buf *b, struct str name);
void pg_add_qualified(struct buf *b, const char *schema, const char *table);

/* An SQL literal: '...', with E where a backslash is in it. */
void pg_add_literal(struct buf *b, struct str text);

/* The text of an array of texts, {"a","b"}. */
void pg_add_array(struct buf *b, const char *const *texts, size_t count);

/* Does JSON write values of this (element) type as bare numbers? */
static inline bool pg_is_number(enum pg_base b)
{
	return b >= PG_INT2 && b <= PG_FLOAT8;
}

static inline bool pg_is_json(enum pg_base b)
{
	return b == PG_JSON || b == PG_JSONB;
}

#endif
