/* parquet_read.h - a Parquet file of a flat table, row by row, as lines of starpipe-wire(5).
 *
 * Files of any writer: all encodings, both page versions, all codecs but LZO. Each file is taken
 * for hostile: what it says is checked before it is believed, a page's checksum too, and memory is
 * bounded by PARQUET_MEMORY(size of the file) and what the source is trusted with: once for pages,
 * once for the row. No page is read twice, so time is bounded by what its pages unpack to. Every
 * failure is BAD_DATA, but those of the source.
 *
 * A file of parquet_write.h gives its very frame again: PostgreSQL's types, key, mode, state and
 * @delete lines. Of others the types are the nearest there are: parquet2jsonl(1). */
#ifndef STARPIPE_PARQUET_READ_H
#define STARPIPE_PARQUET_READ_H

#include "parquet_pages.h"
#include "wire.h"

/* What pages and dictionaries may take at once, and what one row may. */
#define PARQUET_MEMORY(size) (((uint64_t)64 << 20) + 4096 * (uint64_t)(size))

struct parquet_reader;

/* Copies source. table_name: NULL for the one that the file tells, or, where it tells none, "rows".
 * verify: check checksums. On failure *r is NULL. */
int parquet_reader_open(struct parquet_reader **r, const struct parquet_source *source,
			const char *table_name, bool verify, struct err *e);

/* Counts the rows read so far; the reader's. */
struct wire_table *parquet_reader_table(struct parquet_reader *r);

/* The state the stream ended with, or an empty string. */
struct str parquet_reader_state(const struct parquet_reader *r);

/* Append the next line: a row, or a @delete line. WIRE_ROW, WIRE_DELETE or WIRE_EOF. */
int parquet_reader_next(struct parquet_reader *r, struct buf *line, enum wire_event *event,
			struct err *e);
void parquet_reader_free(struct parquet_reader *r);

#endif
