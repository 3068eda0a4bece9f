/* parquet_type.h - what a column of a PostgreSQL table is in Parquet, and the other way round.
 *
 * jsonl2parquet(1) and parquet2jsonl(1) have the tables. */
#ifndef STARPIPE_PARQUET_TYPE_H
#define STARPIPE_PARQUET_TYPE_H

#include "parquet_meta.h"
#include "wire.h"

/* How a value of the wire is one of Parquet. */
enum parquet_form {
	PQF_BOOL,
	PQF_INT,
	PQF_FLOAT,
	PQF_DECIMAL, /* a whole number, times 10^-scale */
	PQF_DATE,    /* days since 1970; PQ_DATE_INFINITY */
	PQF_TIME,
	PQF_TIMESTAMP, /* leaf.unit, since midnight or 1970; PQ_TIMESTAMP_INFINITY */
	PQF_TEXT,
	PQF_BYTES,
	PQF_NUMBER, /* a numeric as its text */
	PQF_JSON,   /* a JSON value's own text */
	PQF_ARRAY,  /* the JSON that the wire has for an array */
	/* of other writers only: */
	PQF_UNSIGNED,
	PQF_HALF,
	PQF_INT96,
	PQF_UUID,
	PQF_INTERVAL
};

/* As DuckDB has it: the greatest number, and less that. */
#define PQ_DATE_INFINITY INT32_MAX
#define PQ_TIMESTAMP_INFINITY INT64_MAX

enum { PQ_UNIX_DAYS = 10957 }; /* from 1970-01-01, Parquet's day 0, to PostgreSQL's 2000-01-01 */

/* BAD_DATA for a numeric that no DECIMAL is sure to hold, unless numerics are to be text. */
int parquet_leaf_of(struct parquet_leaf *l, enum parquet_form *form, const struct wire_column *c,
		    bool numeric_text, struct err *e);

/* Is it a column that parquet_leaf_of made of c? */
bool parquet_leaf_fits(const struct parquet_leaf *l, enum parquet_form *form,
		       const struct wire_column *c);

/* Of a file without PostgreSQL's types: the nearest of them. */
void parquet_type_of(struct buf *type, enum parquet_form *form, const struct parquet_leaf *l);

#endif
