/* value.h - values of SQL expressions: out of rows, into JSON, from one type to another.
 *
 * A struct value says nothing of its type; its expression does (sqltype.h). Text and numerics are
 * borrowed from the row or live in the arena that made them. How a value reads:
 *   bool b · int2, int4, int8, date (days since 2000-01-01), time, timestamp, timestamptz
 *   (microseconds since 2000-01-01) i · float4, float8 f · numeric n · interval iv ·
 *   text types, json, jsonb, bytea (as \x...), unknown and all others s, an array as JSON
 *   has it. */
#ifndef STARPIPE_VALUE_H
#define STARPIPE_VALUE_H

#include "arena.h"
#include "datetime.h"
#include "err.h"
#include "numeric.h"
#include "scan.h"
#include "sqltype.h"

/* The longest text that an expression may make: what a row of the default --max-row can hold.
 * (PostgreSQL's own limit is 1 GB.) */
enum { VALUE_MAX_TEXT = 256 << 20 };

struct value {
	bool null;
	union {
		bool b;
		int64_t i;
		double f;
		const struct numeric *n;
		struct interval iv;
		struct str s;
	};
};

/* From a row's field as the wire carries a value of type t. */
int value_from_field(struct value *v, struct sqltype t, const struct field *f, struct arena *a,
		     struct err *e);

/* Is the field fit to be copied as it stands as a value of type t? The check of value_from_field
 * without the value. */
int value_check_field(struct sqltype t, const struct field *f, struct err *e);

/* From SQL text, as PostgreSQL's input function of t reads it ('2024-02-29'::date). */
int value_from_text(struct value *v, struct sqltype t, struct str text, struct arena *a,
		    struct err *e);

/* As the wire writes it; v is not null. */
void value_add_json(struct buf *b, struct sqltype t, const struct value *v);

/* As PostgreSQL's output function writes it (true is "t"). */
void value_add_text(struct buf *b, struct sqltype t, const struct value *v);

/* Convert *v, in place, as a cast would; modifiers of to apply. v may be null. */
int value_cast(struct value *v, struct sqltype from, struct sqltype to, enum cast_context context,
	       struct arena *a, struct err *e);

/* <0, 0, >0; both of type t, not null. PostgreSQL's order: NaN above all, blanks at the end of a
 * bpchar ignored. Only for types value_comparable names. */
int value_compare(struct sqltype t, const struct value *a, const struct value *b);
bool value_comparable(struct sqltype t);

/* A part of a row's key, for hashing: bytes that are equal exactly where the values are, behind
 * their length, so that no two keys run together. NULL has a length of its own. */
void value_add_key(struct buf *b, struct sqltype t, const struct value *v);

#endif
