/* sqltype.h - the types of SQL expressions and PostgreSQL's rules of which turns into which.
 *
 * The rules are those of pg_cast and of "Type Conversion" in PostgreSQL's manual (chapter 10),
 * cut down to the types a star can compute with. A type outside them (PG_OTHER, any array) passes
 * through and can be compared with nothing but NULL, uuid excepted. */
#ifndef STARPIPE_SQLTYPE_H
#define STARPIPE_SQLTYPE_H

#include <stdbool.h>

#include "buf.h"
#include "pgtype.h"

struct sqltype {
	enum pg_base base; /* an array is PG_OTHER here */
	int mods[2];       /* as in struct pg_type; -1 where there is none */
	const char *name;  /* of a PG_OTHER, on the wire; borrowed, lives as long as its column */
};

enum cast_context { CAST_IMPLICIT, CAST_ASSIGNMENT, CAST_EXPLICIT };

struct sqltype sqltype_of(enum pg_base base);
struct sqltype sqltype_of_wire(const struct pg_type *t, const char *name);

bool sqltype_is_array(struct sqltype t);
bool sqltype_same(struct sqltype a, struct sqltype b); /* modifiers apart */

/* PostgreSQL's name for messages: "integer", "character varying(3)". */
void sqltype_add_name(struct buf *b, struct sqltype t);

/* The name on the wire. */
void sqltype_add_wire_name(struct buf *b, struct sqltype t);

bool sqltype_castable(struct sqltype from, struct sqltype to, enum cast_context context);

/* The type a CASE, COALESCE, UNION or VALUES column gets from its branches; false when two of
 * them cannot be matched (they are then in a and b). All unknown gives text. */
bool sqltype_common(const struct sqltype *types, size_t count, struct sqltype *common,
		    struct sqltype *a, struct sqltype *b);

/* Type categories ('N' numeric, 'S' string, 'D' date/time, 'T' interval, 'B' bool, 'X' unknown,
 * 'U' others) and whether the type is the one its category prefers. */
char sqltype_category(enum pg_base base);
bool sqltype_preferred(enum pg_base base);

static inline bool sqltype_is_text(enum pg_base b)
{
	return b == PG_TEXT || b == PG_VARCHAR || b == PG_BPCHAR;
}

static inline bool sqltype_is_int(enum pg_base b)
{
	return b == PG_INT2 || b == PG_INT4 || b == PG_INT8;
}

#endif
