/* parquet_parse.h - values of the wire into columns of Parquet: the way back of parquet_print.h.
 *
 * Common forms (2024-02-29, -12.50) are read here, fast; all others by value.h, which knows every
 * form that PostgreSQL has, and what is none. */
#ifndef STARPIPE_PARQUET_PARSE_H
#define STARPIPE_PARQUET_PARSE_H

#include "arena.h"
#include "parquet_column.h"
#include "parquet_type.h"
#include "sqltype.h"

struct parquet_output {
	struct parquet_column column;
	enum parquet_form form;
	struct sqltype type;
	size_t field; /* index among the table's columns */
};

/* Zero it before the first row. */
struct parquet_parser {
	uint64_t bytes;      /* of fields, since the caller set it to 0 */
	struct arena values; /* of one row */
	struct buf text;
};

/* All of o but field. Borrows c's name and type name. */
int parquet_output_init(struct parquet_output *o, const struct wire_column *c, bool numeric_text,
			enum block_codec codec, struct err *e);

/* Add a row's fields to their columns, and cut pages that are full. BAD_DATA, naming the column, if
 * one is no value of its type. */
int parquet_parse_row(struct parquet_parser *p, struct parquet_output *outputs, size_t count,
		      const struct field *fields, struct err *e);
void parquet_parser_release(struct parquet_parser *p);

#endif
