/* query_plan.h - makes a query's nodes (query_exec.h) of its parse tree.
 *
 * What a SELECT may hold is listed in starpipe-star(5); anything else is USAGE with line, column
 * and a caret, as star_error prints them. Either way *q is to be freed with query_free. */
#ifndef STARPIPE_QUERY_PLAN_H
#define STARPIPE_QUERY_PLAN_H

#include "query.h"

/* As query_compile. */
int plan_query(const struct star *s, const struct star_insert *in, query_lookup lookup,
	       void *lookup_arg, struct query_sink sink, struct query **q, struct err *e);

/* The same without types, to tell uses of every source table and column on the way. */
int plan_sources(const struct star *s, const struct star_insert *in, query_uses uses, void *arg,
		 struct query **q, struct err *e);

#endif
