/* parquet_print.h - values of Parquet as JSON of the wire: starpipe-wire(5). */
#ifndef STARPIPE_PARQUET_PRINT_H
#define STARPIPE_PARQUET_PRINT_H

#include "parquet_type.h"

struct parquet_form_of {
	const struct parquet_leaf *leaf;
	enum parquet_form form;
};

/* Append a value that parquet_decode.h has in ints, or in texts. BAD_DATA for what PostgreSQL has
 * no such value for. */
int parquet_print_int(struct buf *b, const struct parquet_form_of *f, int64_t v, struct err *e);
int parquet_print_bytes(struct buf *b, const struct parquet_form_of *f, struct str s,
			struct err *e);

#endif
