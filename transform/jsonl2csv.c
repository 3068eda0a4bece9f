/* jsonl2csv - rows of one table as CSV */
#include <unistd.h>

#include "csvrow.h"
#include "log.h"
#include "opt.h"
#include "out.h"
#include "progress.h"
#include "wire.h"

static const char *table_name, *delimiter = ",", *null_text = "";
static bool no_header, insist_framed;
static uint64_t max_row = WIRE_MAX_ROW;

static const struct opt opts[] = {
	{ 0, "table", "name", OPT_STRING, &table_name,
	  "take this table of a stream that has several" },
	{ 0, "delimiter", "char", OPT_STRING, &delimiter, "between fields (default a comma)" },
	{ 0, "null", "text", OPT_STRING, &null_text, "write NULL as this (default: nothing)" },
	{ 0, "no-header", NULL, OPT_FLAG, &no_header, "no line with the columns' names" },
	{ 0, "framed", NULL, OPT_FLAG, &insist_framed, "refuse bare rows" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"jsonl2csv",
	"[--table name] [--delimiter char] [--null text] [--no-header] [--framed]\n"
	" [--max-row size]",
	"Writes the rows of one table, JSON Lines on standard input, as CSV.", opts
};

struct convert {
	struct wire_reader in;
	struct out out;
	const struct wire_table *table; /* the one that is written */
	struct csvrow row;
};

static int on_table(struct convert *c, struct err *e)
{
	const struct wire_table *t = c->in.table;

	if (t == c->table || (c->in.framed && table_name && strcmp(t->name, table_name) != 0))
		return OK;
	if (c->table) {
		err_set(e, USAGE, "the stream has tables \"%s\" and \"%s\": a CSV file has one",
			c->table->name, t->name);
		return err_hint(e, USAGE, "Pick one with --table.");
	}
	c->table = t;
	csvrow_init(&c->row, t, *delimiter, null_text);
	if (!no_header)
		csvrow_add_header(&c->row, &c->out.buf);
	return OK;
}

static int on_row(struct convert *c, struct err *e)
{
	int rc;

	if (c->in.table != c->table)
		return OK;
	if ((rc = wire_fields(&c->in, e)) != OK)
		return rc;
	if ((rc = csvrow_add(&c->row, c->in.fields, &c->out.buf, e)) != OK)
		return wire_blame(&c->in, rc, e);
	progress_add(1, c->in.line.len + 1);
	return out_more(&c->out, e);
}

static int on_delete(struct convert *c, struct err *e)
{
	err_set(e, BAD_DATA, "CSV cannot say that a row was deleted");
	err_hint(e, BAD_DATA, "Parquet can: jsonl2parquet --deletes.");
	return wire_blame(&c->in, BAD_DATA, e);
}

static int convert(struct convert *c, struct err *e)
{
	enum wire_event event;
	int rc;

	while ((rc = wire_next(&c->in, &event, e)) == OK && event != WIRE_EOF) {
		if (event == WIRE_TABLE)
			rc = on_table(c, e);
		else if (event == WIRE_ROW)
			rc = on_row(c, e);
		else if (event == WIRE_DELETE && c->in.table == c->table)
			rc = on_delete(c, e);
		if (rc != OK)
			return rc;
	}
	if (rc == OK && !c->table)
		rc = wire_no_table(&c->in, table_name, e);
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
	if (strlen(delimiter) != 1 || strchr("\"\r\n", *delimiter))
		return opt_misuse(e, "--delimiter is one character, no quote and no line break");
	wire_open(&c.in, STDIN_FILENO, "standard input",
		  insist_framed ? NULL :
		  table_name	? table_name :
				  "rows",
		  max_row);
	out_init(&c.out, STDOUT_FILENO, "standard output");
	rc = convert(&c, e);
	progress_clear();
	if (rc == OK && c.table)
		log_info("wrote %llu rows (%llu bytes) in %.1f s",
			 (unsigned long long)c.table->rows, (unsigned long long)c.out.bytes,
			 progress_seconds());
	wire_release(&c.in);
	out_release(&c.out);
	csvrow_release(&c.row);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
