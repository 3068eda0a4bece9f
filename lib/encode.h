/* encode.h - rows of one table as the bytes of an object: JSON Lines, CSV or Parquet. */
#ifndef STARPIPE_ENCODE_H
#define STARPIPE_ENCODE_H

#include "compress.h"
#include "parquet_write.h"
#include "wire.h"

enum format { FORMAT_JSONL, FORMAT_CSV, FORMAT_PARQUET };

/* "jsonl", "csv", "parquet"; false for anything else. */
bool format_parse(const char *name, enum format *format);
const char *format_name(enum format format);

/* How objects are written. */
struct encoding {
	enum format format;
	enum codec codec;               /* of JSON Lines and CSV */
	struct parquet_options parquet; /* but its deletes */
};

/* What such an object's name ends in: ".jsonl.zst". */
void encoding_add_suffix(const struct encoding *how, struct buf *name);

struct encoder;

/* sink gets the object's bytes in order. deletes: the object may say that rows are gone, which CSV
 * cannot; JSON Lines always can. Borrows how and t; free *enc on failure too. */
int encoder_open(const struct encoding *how, const struct wire_table *t, bool deletes,
		 parquet_sink sink, void *arg, struct encoder **enc, struct err *e);

/* The reader's current row, or @delete, after wire_fields. Failures name the reader's line. */
int encoder_add(struct encoder *enc, struct wire_reader *r, bool deleted, struct err *e);

/* Bytes of memory that it takes, and a way to have fewer: send what can be sent. */
size_t encoder_memory(const struct encoder *enc);
int encoder_save_memory(struct encoder *enc, struct err *e);

/* Send the rest. */
int encoder_end(struct encoder *enc, struct err *e);
void encoder_free(struct encoder *enc);

#endif
