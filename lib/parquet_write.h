/* parquet_write.h - rows of one table as a Parquet file, into a pipe: nothing is ever sought back.
 *
 * A row group is held until it is large enough (options.row_group_size counts all the memory it
 * takes, so that is the bound, but for a row that is larger alone) or has a million rows, then goes
 * to the sink; the footer follows at the end. A file that was not closed has no footer, and every
 * reader refuses it: so whoever has a failure behind it just frees the writer.
 *
 * What a PostgreSQL type becomes is in jsonl2parquet(1). The table is borrowed until the end. */
#ifndef STARPIPE_PARQUET_WRITE_H
#define STARPIPE_PARQUET_WRITE_H

#include "parquet_column.h"
#include "wire.h"

#define PARQUET_ROW_GROUP_SIZE ((uint64_t)24 << 20) /* where nothing else is wanted */
enum { PARQUET_ROW_GROUP_MIN = 1024 };

struct parquet_options {
	enum block_codec codec;
	uint64_t row_group_size; /* bytes of memory, PARQUET_ROW_GROUP_MIN at least */
	bool numeric_text; /* numeric as text, not as DECIMAL */
	bool deletes;      /* have a column _deleted for parquet_writer_delete */
};

/* What a tool's --compress and --numeric-as say, NULL where they are not given; USAGE if it is
 * nothing, or if row_group_size is too small. */
int parquet_options_read(struct parquet_options *o, const char *compress, const char *numeric_as,
			 struct err *e);

struct parquet_writer;

/* sink gets the file's bytes in order. BAD_DATA, with a hint, for a numeric without a precision,
 * whose values no DECIMAL is sure to hold. On failure *w is NULL. */
int parquet_writer_open(struct parquet_writer **w, const struct wire_table *t,
			const struct parquet_options *o, parquet_sink sink, void *arg,
			struct err *e);

/* One row: wire_fields' answer. A failure names the column; the writer can then only be freed. */
int parquet_writer_row(struct parquet_writer *w, const struct field *fields, struct err *e);

/* A row that is gone: its key, or NULL when all are. BAD_DATA without options.deletes. */
int parquet_writer_delete(struct parquet_writer *w, const struct field *key, struct err *e);

/* The state that the file ends with; empty for none. The last one counts. */
void parquet_writer_state(struct parquet_writer *w, struct str state);

/* Memory that an open row group takes, and how to get it back: end it now. For whoever writes
 * many tables side by side. */
size_t parquet_writer_held(const struct parquet_writer *w);
int parquet_writer_flush(struct parquet_writer *w, struct err *e);

/* The rest and the footer. */
int parquet_writer_close(struct parquet_writer *w, struct err *e);
void parquet_writer_free(struct parquet_writer *w);

#endif
