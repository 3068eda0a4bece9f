/* func.h - the operators and functions of the star's SQL, and the choice among those of one name.
 *
 * The choice follows PostgreSQL's rules (manual, 10.2 and 10.3: exact match, then an untyped
 * literal taken as the other side's type, then the candidate with most exact and preferred
 * types), so that a star means here what it means there. */
#ifndef STARPIPE_FUNC_H
#define STARPIPE_FUNC_H

#include "value.h"

enum { FUNC_MAX_ARGS = 3 };

struct func_call {
	struct sqltype type;          /* of the result */
	const struct sqltype *args;
	size_t count;
	struct arena *arena;
};

struct func {
	const char *name;             /* of an operator: its sign */
	enum pg_base result;
	enum pg_base args[FUNC_MAX_ARGS]; /* after the conversions; PG_ANY takes any type */
	size_t count;
	bool variadic;                /* the last argument may repeat, and NULLs are passed on */
	/* Arguments are not null, unless variadic. */
	int (*run)(const struct func_call *c, const struct value *args, struct value *out,
		   struct err *e);
};

/* The function for these argument types. OK with *f NULL where the types are not known (PG_ANY)
 * and several would fit. What is not there is FAILED with a message without a place. */
int func_find(const char *name, const struct sqltype *args, size_t count, const struct func **f,
	      struct err *e);

/* Is there any function of that name? */
bool func_known(const char *name);

#endif
