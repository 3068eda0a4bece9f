/* jsonl2parquet - rows of one table as a Parquet file */
#include <unistd.h>

#include "log.h"
#include "opt.h"
#include "out.h"
#include "parquet_write.h"
#include "progress.h"
#include "wire.h"

static const char *table_name, *compress, *numeric_as;
static bool insist_framed;
static uint64_t max_row = WIRE_MAX_ROW;
static struct parquet_options options = { .codec = BLOCK_ZSTD,
					  .row_group_size = PARQUET_ROW_GROUP_SIZE };

static const struct opt opts[] = {
	{ 0, "table", "name", OPT_STRING, &table_name,
	  "the table of bare rows; of a stream that has several, take this one" },
	{ 0, "compress", "codec", OPT_STRING, &compress,
	  "zstd (the default), snappy, gzip or none" },
	{ 0, "numeric-as", "what", OPT_STRING, &numeric_as,
	  "write numeric as decimal (the default) or string" },
	{ 0, "deletes", NULL, OPT_FLAG, &options.deletes,
	  "add a column _deleted, true for rows that were deleted" },
	{ 0, "row-group-size", "size", OPT_SIZE, &options.row_group_size,
	  "memory for a row group (default 24M)" },
	{ 0, "framed", NULL, OPT_FLAG, &insist_framed, "refuse bare rows" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"jsonl2parquet",
	"[--table name] [--compress codec] [--numeric-as what] [--deletes]\n"
	" [--row-group-size size] [--framed] [--max-row size]",
	"Writes the rows of one table, JSON Lines on standard input, as a Parquet file.", opts
};

struct convert {
	struct wire_reader in;
	struct out out;
	const struct wire_table *table; /* the one that is written */
	struct parquet_writer *writer;
};

static int to_out(void *arg, struct str bytes, struct err *e)
{
	struct out *o = arg;

	buf_addstr(&o->buf, bytes);
	return out_more(o, e);
}

static int on_table(struct convert *c, struct err *e)
{
	const struct wire_table *t = c->in.table;
	int rc;

	if (t == c->table || (c->in.framed && table_name && strcmp(t->name, table_name) != 0))
		return OK;
	if (c->table) {
		err_set(e, USAGE, "the stream has tables \"%s\" and \"%s\": a Parquet file has one",
			c->table->name, t->name);
		return err_hint(e, USAGE, "Pick one with --table.");
	}
	rc = parquet_writer_open(&c->writer, t, &options, to_out, &c->out, e);
	if (rc == OK)
		c->table = t;
	return rc == OK ? OK : wire_blame(&c->in, rc, e);
}

static int on_row(struct convert *c, enum wire_event event, struct err *e)
{
	struct field *fields = c->in.fields;
	int rc = OK;

	if (c->in.table != c->table)
		return OK;
	parquet_writer_state(c->writer, STR("")); /* what came is not what the file ends with */
	if (c->in.line.len == 0)
		fields = NULL; /* a table that was emptied */
	else if ((rc = wire_fields(&c->in, e)) != OK)
		return rc;
	rc = event == WIRE_ROW ? parquet_writer_row(c->writer, fields, e) :
				 parquet_writer_delete(c->writer, fields, e);
	if (rc != OK)
		return wire_blame(&c->in, rc, e);
	progress_add(1, c->in.whole.len);
	return OK;
}

static int convert(struct convert *c, struct err *e)
{
	enum wire_event event;
	int rc;

	while ((rc = wire_next(&c->in, &event, e)) == OK && event != WIRE_EOF) {
		if (event == WIRE_TABLE)
			rc = on_table(c, e);
		else if (event == WIRE_ROW || event == WIRE_DELETE)
			rc = on_row(c, event, e);
		else if (event == WIRE_STATE && c->writer)
			parquet_writer_state(c->writer, c->in.line);
		if (rc != OK)
			return rc;
	}
	if (rc == OK && !c->table)
		rc = wire_no_table(&c->in, table_name, e);
	if (rc == OK)
		rc = parquet_writer_close(c->writer, e);
	return rc == OK ? out_close(&c->out, e) : rc;
}

static int run(int argc, char **argv, struct err *e)
{
	struct convert c = { 0 };
	int operand, rc = opt_parse(&tool, argc, argv, &operand, e);

	if (rc != OK)
		return rc;
	if (operand < argc)
		return opt_misuse(e, "it reads standard input and takes no file");
	if ((rc = parquet_options_read(&options, compress, numeric_as, e)) != OK)
		return rc;
	if (isatty(STDOUT_FILENO))
		return opt_misuse(e, "a Parquet file is nothing for a terminal: send it to a file "
				     "or a pipe");
	wire_open(&c.in, STDIN_FILENO, "standard input", insist_framed ? NULL : table_name,
		  max_row);
	out_init(&c.out, STDOUT_FILENO, "standard output");
	rc = convert(&c, e);
	progress_clear();
	if (rc == OK)
		log_info("wrote %llu rows (%llu bytes) in %.1f s",
			 (unsigned long long)c.table->rows, (unsigned long long)c.out.bytes,
			 progress_seconds());
	parquet_writer_free(c.writer);
	wire_release(&c.in);
	out_release(&c.out);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
