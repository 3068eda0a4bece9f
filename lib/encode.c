/* encode - rows of one table as the bytes of an object */
#include "encode.h"

#include <stdlib.h>

#include "csvrow.h"
#include "mem.h"

enum { CHUNK = 256 * 1024 }; /* of text, before it is compressed */

struct encoder {
	const struct encoding *how;
	parquet_sink sink;
	void *arg;
	struct buf chunk, packed; /* JSON Lines and CSV */
	struct compressor *compressor;
	struct csvrow csv;
	struct parquet_writer *parquet;
};

static const char *const names[] = { "jsonl", "csv", "parquet" };

bool format_parse(const char *name, enum format *format)
{
	for (int i = FORMAT_JSONL; i <= FORMAT_PARQUET; i++)
		if (strcmp(name, names[i]) == 0) {
			*format = (enum format)i;
			return true;
		}
	return false;
}

const char *format_name(enum format format)
{
	return names[format];
}

void encoding_add_suffix(const struct encoding *how, struct buf *name)
{
	buf_addf(name, ".%s%s", names[how->format],
		 how->format == FORMAT_PARQUET ? "" : codec_suffix(how->codec));
}

int encoder_open(const struct encoding *how, const struct wire_table *t, bool deletes,
		 parquet_sink sink, void *arg, struct encoder **enc, struct err *e)
{
	struct parquet_options options = how->parquet;
	struct encoder *n = xcalloc(1, sizeof(*n));

	*n = (struct encoder){ .how = how, .sink = sink, .arg = arg };
	*enc = n;
	if (how->format == FORMAT_PARQUET) {
		options.deletes = deletes;
		return parquet_writer_open(&n->parquet, t, &options, sink, arg, e);
	}
	if (how->format == FORMAT_CSV) {
		csvrow_init(&n->csv, t, ',', NULL);
		csvrow_add_header(&n->csv, &n->chunk);
	}
	return OK;
}

/* The chunk through compression; the compressor comes with the first one, for many tables are
 * small. */
static int send_chunk(struct encoder *n, bool last, struct err *e)
{
	int rc;

	if (!n->compressor)
		n->compressor = compressor_new(n->how->codec);
	rc = compressor_run(n->compressor, buf_str(&n->chunk), last, &n->packed, e);
	if (last || n->chunk.cap > 2 * CHUNK) /* a row of many megabytes went through */
		buf_release(&n->chunk);
	buf_reset(&n->chunk);
	if (rc == OK && n->packed.len)
		rc = n->sink(n->arg, buf_str(&n->packed), e);
	buf_release(&n->packed);
	return rc;
}

static int add_parquet(struct encoder *n, struct wire_reader *r, bool deleted, struct err *e)
{
	if (!deleted)
		return parquet_writer_row(n->parquet, r->fields, e);
	return parquet_writer_delete(n->parquet, r->line.len ? r->fields : NULL, e);
}

static int add_csv(struct encoder *n, struct wire_reader *r, bool deleted, struct err *e)
{
	if (!deleted)
		return csvrow_add(&n->csv, r->fields, &n->chunk, e);
	err_set(e, BAD_DATA, "CSV cannot say that a row was deleted");
	return err_hint(e, BAD_DATA, "Put it as jsonl or parquet.");
}

int encoder_add(struct encoder *n, struct wire_reader *r, bool deleted, struct err *e)
{
	int rc = OK;

	if (n->how->format == FORMAT_JSONL) {
		buf_addstr(&n->chunk, r->whole);
	} else {
		rc = n->parquet ? add_parquet(n, r, deleted, e) : add_csv(n, r, deleted, e);
		if (rc != OK)
			return wire_blame(r, rc, e);
	}
	return n->chunk.len >= CHUNK ? send_chunk(n, false, e) : OK;
}

size_t encoder_memory(const struct encoder *n)
{
	return n->parquet ? parquet_writer_held(n->parquet) :
			    n->chunk.cap + compressor_memory(n->compressor);
}

int encoder_save_memory(struct encoder *n, struct err *e)
{
	return n->parquet ? parquet_writer_flush(n->parquet, e) : OK;
}

int encoder_end(struct encoder *n, struct err *e)
{
	return n->parquet ? parquet_writer_close(n->parquet, e) : send_chunk(n, true, e);
}

void encoder_free(struct encoder *n)
{
	if (!n)
		return;
	parquet_writer_free(n->parquet);
	compressor_free(n->compressor);
	csvrow_release(&n->csv);
	buf_release(&n->chunk);
	buf_release(&n->packed);
	free(n);
}
