/* csv2jsonl - CSV as JSON Lines, bare or framed */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "csvrow.h"
#include "log.h"
#include "mem.h"
#include "opt.h"
#include "out.h"
#include "progress.h"
#include "wire.h"

static const char *table_name, *delimiter = ",", *null_text, *types, *column_names;
static bool no_header;
static uint64_t max_row = WIRE_MAX_ROW;

static const struct opt opts[] = {
	{ 0, "table", "name", OPT_STRING, &table_name,
	  "write a frame: the rows are of this table" },
	{ 0, "types", "list", OPT_STRING, &types,
	  "types of columns, \"id int4, price numeric(10,2)\" (else text)" },
	{ 0, "columns", "list", OPT_STRING, &column_names,
	  "names of the columns, a,b,c, instead of the header's" },
	{ 0, "no-header", NULL, OPT_FLAG, &no_header,
	  "the first line is a row already (needs --columns)" },
	{ 0, "delimiter", "char", OPT_STRING, &delimiter, "between fields (default a comma)" },
	{ 0, "null", "text", OPT_STRING, &null_text, "read this text as NULL too" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"csv2jsonl",
	"[--table name] [--types list] [--columns list] [--no-header]\n"
	" [--delimiter char] [--null text] [--max-row size] [file]",
	"Writes CSV, from a file or standard input, as JSON Lines.", opts
};

struct convert {
	const char *name;
	struct out out;
	struct wire_table *table; /* NULL before the header */
	struct csvrow row;
};

static struct str trimmed(struct str s)
{
	while (s.len && strchr(" \t\n", s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len && strchr(" \t\n", s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Cut the next item off a list; a comma in parentheses is a type's own. */
static struct str next_item(struct str *rest)
{
	size_t n = 0;
	int depth = 0;
	struct str item;

	while (n < rest->len && (depth || rest->data[n] != ',')) {
		depth += (rest->data[n] == '(') - (rest->data[n] == ')');
		n++;
	}
	item = trimmed((struct str){ rest->data, n });
	n += n < rest->len;
	*rest = (struct str){ rest->data + n, rest->len - n };
	return item;
}

static int add_column(struct wire_table *t, struct str name, struct err *e)
{
	if (!name.len)
		return err_set(e, BAD_DATA, "column %zu has no name", t->column_count + 1);
	if (wire_column_index(t, name) < t->column_count)
		return err_set(e, BAD_DATA, "column \"%.*s\" is there twice", STR_ARG(name));
	if (t->column_count == WIRE_MAX_COLUMNS)
		return err_set(e, BAD_DATA, "there are more than %d columns", WIRE_MAX_COLUMNS);
	t->columns = xrealloc(t->columns, (t->column_count + 1) * sizeof(*t->columns));
	t->columns[t->column_count++] =
		(struct wire_column){ .name = xstrndup(name.data, name.len) };
	return OK;
}

static int set_types(struct wire_table *t, struct err *e)
{
	struct str rest = types ? str_of(types) : (struct str){ 0 };

	while (rest.len) {
		struct str item = next_item(&rest);
		const char *blank = item.len ? memchr(item.data, ' ', item.len) : NULL;
		struct str name = { item.data, blank ? (size_t)(blank - item.data) : item.len };
		struct str type =
			trimmed((struct str){ item.data + name.len, item.len - name.len });
		size_t i = wire_column_index(t, name);

		if (!type.len)
			return err_set(e, USAGE, "--types: \"%.*s\" is no column and type",
				       STR_ARG(item));
		if (i == t->column_count)
			return err_set(e, USAGE, "--types: there is no column \"%.*s\"",
				       STR_ARG(name));
		free(t->columns[i].type_name);
		t->columns[i].type_name = xstrndup(type.data, type.len);
	}
	for (size_t i = 0; i < t->column_count; i++)
		if (!t->columns[i].type_name)
			t->columns[i].type_name = xstrdup("text");
	return OK;
}

/* All columns are named: make the table, and announce it where a frame is wanted. */
static int begin(struct convert *c, struct err *e)
{
	struct wire_table *t = c->table;
	int rc = set_types(t, e);

	if (rc != OK)
		return rc;
	t->name = xstrdup(table_name ? table_name : "rows");
	wire_table_finish(t);
	csvrow_init(&c->row, t, *delimiter, null_text);
	if (table_name)
		wire_add_table(&c->out.buf, t);
	return OK;
}

static int take_names(struct convert *c, const struct csv_cell *cells, size_t count, struct err *e)
{
	struct str rest = column_names ? str_of(column_names) : (struct str){ 0 };
	int rc = OK;

	c->table = xcalloc(1, sizeof(*c->table));
	while (rest.len && rc == OK)
		rc = add_column(c->table, next_item(&rest), e);
	for (size_t i = 0; i < count && !column_names && rc == OK; i++)
		rc = add_column(c->table, cells[i].text, e);
	return rc == OK ? begin(c, e) : rc;
}

static int on_row(void *arg, const struct csv_cell *cells, size_t count, uint64_t row,
		  struct err *e)
{
	struct convert *c = arg;
	struct wire_table *t = c->table;
	bool empty = csvio_is_empty_line(cells, count);
	size_t start;
	int rc;

	if (!t && empty && !no_header)
		return OK;
	if (!t && ((rc = take_names(c, cells, count, e)) != OK || !no_header))
		return rc == OK ? OK : err_wrap(e, rc, "%s", c->name);
	t = c->table;
	if (empty && t->column_count != 1)
		return OK;
	start = c->out.buf.len;
	if ((rc = csvrow_add_json(&c->row, cells, count, &c->out.buf, e)) != OK) {
		c->out.buf.len = start;
		return err_wrap(e, rc, "%s: row %llu", c->name, (unsigned long long)row);
	}
	t->rows++;
	progress_add(1, c->out.buf.len - start);
	return out_more(&c->out, e);
}

static int convert(struct convert *c, int fd, struct err *e)
{
	int rc = csvio_read(fd, c->name, *delimiter, max_row, on_row, c, e);

	if (rc == OK && !c->table && column_names)
		rc = take_names(c, NULL, 0, e);
	if (rc == OK && !c->table)
		rc = err_set(e, CUT_SHORT, "%s is empty: not even a header is in it", c->name);
	if (rc != OK)
		return rc;
	if (table_name)
		wire_add_end(&c->out.buf, &c->table, 1);
	return out_close(&c->out, e);
}

static int run(int argc, char **argv, struct err *e)
{
	struct convert c = { .name = "standard input" };
	int operand, fd = STDIN_FILENO, rc = opt_parse(&tool, argc, argv, &operand, e);

	if (rc != OK)
		return rc;
	if (argc - operand > 1)
		return opt_misuse(e, "one file, please");
	if (strlen(delimiter) != 1 || strchr("\"\r\n", *delimiter))
		return opt_misuse(e, "--delimiter is one character, no quote and no line break");
	if (no_header && !column_names)
		return opt_misuse(e, "--no-header needs --columns");
	if (operand < argc && strcmp(argv[operand], "-") != 0) {
		c.name = argv[operand];
		fd = open(c.name, O_RDONLY);
		if (fd < 0)
			return err_errno(e, "could not open %s", c.name);
	}
	out_init(&c.out, STDOUT_FILENO, "standard output");
	rc = convert(&c, fd, e);
	progress_clear();
	if (rc == OK)
		log_info("wrote %llu rows (%llu bytes) in %.1f s",
			 (unsigned long long)c.table->rows, (unsigned long long)c.out.bytes,
			 progress_seconds());
	csvrow_release(&c.row);
	wire_table_free(c.table);
	out_release(&c.out);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
