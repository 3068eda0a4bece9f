/* star-transform - turn rows of source tables into rows of a star schema */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "json.h"
#include "log.h"
#include "mem.h"
#include "opt.h"
#include "out.h"
#include "progress.h"
#include "query.h"
#include "star.h"
#include "wire.h"

static bool want_ddl, want_tables, want_check, insist_framed;
static const char *bare_table, *rejects_path;
static uint64_t max_row = WIRE_MAX_ROW;

static const struct opt opts[] = {
	{ 0, "check", NULL, OPT_FLAG, &want_check, "parse and check the star file, read no rows" },
	{ 0, "ddl", NULL, OPT_FLAG, &want_ddl, "print the CREATE TABLE statements, parents first" },
	{ 0, "tables", NULL, OPT_FLAG, &want_tables, "print the source tables and columns needed" },
	{ 0, "rejects", "file", OPT_STRING, &rejects_path,
	  "collect rows that cannot be transformed, let the rest pass" },
	{ 0, "table", "name", OPT_STRING, &bare_table, "bare rows are of this table" },
	{ 0, "framed", NULL, OPT_FLAG, &insist_framed, "refuse bare rows" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"star-transform",
	"[--rejects file] [--table name] [--framed] star.sql\n--check | --ddl | --tables star.sql",
	"Transforms rows of source tables, framed JSON Lines on standard input, into the rows of "
	"the\n"
	"star schema that an SQL file describes.",
	opts
};

/* One INSERT of the star file on its way. */
struct flow {
	struct transform *t;
	const struct star_insert *insert;
	char **sources;            /* names of the source tables it reads */
	size_t source_count, source_cap;
	struct query *query;       /* NULL until all of them have been announced */
	size_t *from;              /* result that fills column i of the target, or SIZE_MAX */
};

/* A row that came before all the tables of its flow were known. */
struct early {
	struct wire_table *table;
	struct str line;
};

struct transform {
	struct star star;
	struct flow *flows;
	struct wire_reader in;
	struct out out, rejects;
	bool *announced;           /* per table of the star */
	const struct wire_table *current;
	struct early *early;
	size_t early_count, early_cap;
	struct arena early_lines;
	uint64_t rejected;
};

/* --- what a star file needs --- */

struct need {
	char *table;
	char **columns;
	bool *certain;
	size_t count, cap;
};

struct needs {
	struct need *items;
	size_t count, cap;
};

static struct need *need_of(struct needs *n, const char *table)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->items[i].table, table) == 0)
			return &n->items[i];
	GROW(n->items, n->count, n->cap);
	n->items[n->count] = (struct need){ .table = xstrdup(table) };
	return &n->items[n->count++];
}

static void note_need(void *arg, const char *table, const char *column, bool certain)
{
	struct need *n = need_of(arg, table);

	for (size_t i = 0; column && i < n->count; i++)
		if (strcmp(n->columns[i], column) == 0) {
			n->certain[i] = n->certain[i] || certain;
			return;
		}
	if (!column)
		return;
	if (n->count == n->cap) {
		n->cap = n->cap * 2 + 8;
		n->columns = xrealloc(n->columns, n->cap * sizeof(*n->columns));
		n->certain = xrealloc(n->certain, n->cap * sizeof(*n->certain));
	}
	n->columns[n->count] = xstrdup(column);
	n->certain[n->count++] = certain;
}

/* A line per table: its name, a tab, its columns; a ? marks one that may be another table's. */
static int print_tables(struct transform *t, struct err *e)
{
	struct needs n = { 0 };
	int rc = OK;

	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++)
		rc = query_sources(&t->star, &t->star.inserts[i], note_need, &n, e);
	for (size_t i = 0; i < n.count; i++) {
		buf_addf(&t->out.buf, "%s\t", n.items[i].table);
		for (size_t c = 0; c < n.items[i].count; c++) {
			buf_addf(&t->out.buf, "%s%s%s", c ? "," : "", n.items[i].columns[c],
				 n.items[i].certain[c] ? "" : "?");
			free(n.items[i].columns[c]);
		}
		buf_addch(&t->out.buf, '\n');
		free(n.items[i].table);
		free(n.items[i].columns);
		free(n.items[i].certain);
	}
	free(n.items);
	return rc;
}

static void print_ddl(struct transform *t)
{
	for (size_t i = 0; i < t->star.table_count; i++) {
		buf_addstr(&t->out.buf, t->star.tables[i].sql);
		buf_addz(&t->out.buf, i + 1 < t->star.table_count ? ";\n\n" : ";\n");
	}
}

/* --- results --- */

static size_t table_index(const struct transform *t, const struct star_table *table)
{
	return (size_t)(table - t->star.tables);
}

static int announce(struct flow *f, struct err *e)
{
	struct transform *t = f->t;
	struct star_table *into = f->insert->into;
	struct wire_table *w = into->wire;
	const struct wire_table *driver;
	size_t key[64], n = query_key(f->query, key, 64, &driver);

	t->announced[table_index(t, into)] = true;
	if (driver)
		w->mode = driver->mode;
	if (w->load && strcmp(w->load, "history") == 0) {
		if (n == 0) {
			star_error(&t->star, f->insert->at, e,
				   "fact \"%s\" does not say which row of its source it "
				   "comes from",
				   w->name);
			return err_hint(
				e, USAGE,
				"Select all columns of the primary key of the table behind FROM.");
		}
		w->key = xrealloc(w->key, n * sizeof(*key));
		memcpy(w->key, key, n * sizeof(*key));
		w->key_count = n;
	}
	wire_add_table(&t->out.buf, w);
	t->current = w;
	return OK;
}

static int on_result(void *arg, const struct field *fields, struct err *e)
{
	struct flow *f = arg;
	struct transform *t = f->t;
	struct wire_table *w = f->insert->into->wire;
	struct buf *b = &t->out.buf;
	size_t start;
	int rc;

	if (!t->announced[table_index(t, f->insert->into)]) {
		if ((rc = announce(f, e)) != OK)
			return rc;
	} else if (t->current != w) {
		wire_add_switch(b, w);
		t->current = w;
	}
	start = b->len;
	for (size_t c = 0; c < w->column_count; c++) {
		const struct field *v = f->from[c] == SIZE_MAX ? NULL : &fields[f->from[c]];

		if (w->columns[c].generated)
			continue;
		buf_addstr(b, w->prefix[c]);
		if (v && v->kind == F_STRING) {
			buf_add(b, v->text.data - 1, v->text.len + 2);
		} else if (v && v->kind != F_NULL) {
			buf_addstr(b, v->text);
		} else if (w->columns[c].notnull) {
			b->len = start;
			return err_set(e, BAD_DATA, "column \"%s\" of \"%s\" must not be NULL",
				       w->columns[c].name, w->name);
		} else {
			buf_add(b, "null", 4);
		}
	}
	buf_add(b, "}\n", 2);
	if (b->len - start > max_row)
		return err_set(e, BAD_DATA, "a row of \"%s\" is longer than --max-row", w->name);
	w->rows++;
	return out_more(&t->out, e);
}

/* A row that cannot be transformed ends the run, or goes into --rejects with its reason. */
static int on_reject(void *arg, const struct wire_table *table, struct str line, struct err *e)
{
	struct flow *f = arg;
	struct transform *t = f->t;
	struct buf *b = &t->rejects.buf;

	if (!rejects_path) {
		int shown = line.len > 300 ? 300 : (int)line.len;

		return err_wrap(e, BAD_DATA, "%s: row %.*s%s of table \"%s\"",
				f->insert->into->wire->name, shown, line.data,
				line.len > 300 ? "..." : "", table ? table->name : "(none)");
	}
	t->rejected++;
	buf_addz(b, "{\"table\":");
	json_add_string(b, str_of(table ? table->name : ""));
	buf_addz(b, ",\"target\":");
	json_add_string(b, str_of(f->insert->into->wire->name));
	buf_addz(b, ",\"reason\":");
	json_add_string(b, str_of(e->msg));
	buf_addz(b, ",\"row\":");
	buf_addstr(b, line.len ? line : STR("null"));
	buf_addz(b, "}\n");
	return out_more(&t->rejects, e);
}

/* --- flows --- */

static struct wire_table *lookup(void *arg, const char *name)
{
	struct transform *t = arg;

	for (size_t i = 0; i < t->in.table_count; i++)
		if (strcmp(t->in.tables[i]->name, name) == 0)
			return t->in.tables[i];
	return NULL;
}

static void note_source(void *arg, const char *table, const char *column, bool certain)
{
	struct flow *f = arg;

	(void)certain;
	if (column)
		return;
	for (size_t i = 0; i < f->source_count; i++)
		if (strcmp(f->sources[i], table) == 0)
			return;
	GROW(f->sources, f->source_count, f->source_cap);
	f->sources[f->source_count++] = xstrdup(table);
}

/* Everything that can be said of the star file before its sources are known. */
static int check_star(struct transform *t, struct err *e)
{
	static const struct query_sink none;
	int rc = OK;

	t->flows = xcalloc(t->star.insert_count, sizeof(*t->flows));
	t->announced = xcalloc(t->star.table_count, sizeof(*t->announced));
	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++) {
		struct flow *f = &t->flows[i];
		struct query *q = NULL;
		const struct star_insert *in = &t->star.inserts[i];
		size_t columns = in->into->wire->column_count;

		*f = (struct flow){ .t = t, .insert = in };
		f->from = xcalloc(columns, sizeof(*f->from));
		for (size_t c = 0; c < columns; c++)
			f->from[c] = SIZE_MAX;
		for (size_t c = 0; c < in->column_count; c++)
			f->from[in->columns[c]] = c;
		rc = query_compile(&t->star, in, NULL, NULL, none, &q, e);
		query_free(q);
		if (rc == OK)
			rc = query_sources(&t->star, in, note_source, f, e);
	}
	return rc;
}

static size_t missing_sources(struct flow *f, const char **name)
{
	size_t missing = 0;

	for (size_t i = 0; i < f->source_count; i++)
		if (!lookup(f->t, f->sources[i])) {
			*name = f->sources[i];
			missing++;
		}
	return missing;
}

static int start_flow(struct flow *f, struct err *e)
{
	struct transform *t = f->t;
	struct query_sink sink = { f, on_result, on_reject };
	const char *changes;
	int rc = query_compile(&t->star, f->insert, lookup, t, sink, &f->query, e);

	if (rc != OK)
		return rc;
	changes = query_joined_changes(f->query);
	if (changes) {
		star_error(&t->star, f->insert->at, e,
			   "table \"%s\" comes as changes and cannot be joined with "
			   "rows of earlier runs",
			   changes);
		return err_hint(e, USAGE, "Send the whole table, announced with mode full.");
	}
	rc = query_start(f->query, e);
	for (size_t i = 0; i < t->early_count && rc == OK; i++) {
		struct early *row = &t->early[i];

		if (!query_reads(f->query, row->table))
			continue;
		if ((rc = scan_row(row->line, &row->table->keys, t->in.fields, e)) == OK)
			rc = query_row(f->query, row->table, t->in.fields, row->line, e);
	}
	return rc;
}

static int start_flows(struct transform *t, struct err *e)
{
	const char *name;
	int rc = OK;

	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++)
		if (!t->flows[i].query && missing_sources(&t->flows[i], &name) == 0)
			rc = start_flow(&t->flows[i], e);
	return rc;
}

static bool waits_for(const struct flow *f, const struct wire_table *table)
{
	for (size_t i = 0; i < f->source_count; i++)
		if (strcmp(f->sources[i], table->name) == 0)
			return true;
	return false;
}

static int on_row(struct transform *t, struct err *e)
{
	struct wire_table *table = t->in.table;
	bool keep = false;
	int rc = wire_fields(&t->in, e);

	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++) {
		struct flow *f = &t->flows[i];

		if (f->query)
			rc = query_row(f->query, table, t->in.fields, t->in.line, e);
		else
			keep = keep || waits_for(f, table);
	}
	if (keep && rc == OK) {
		GROW(t->early, t->early_count, t->early_cap);
		t->early[t->early_count++] =
			(struct early){ table, arena_copy(&t->early_lines, t->in.line) };
	}
	return rc;
}

/* The end of a step: what waited for a match goes out, and every table is announced, empty or not.
 */
static int on_step(struct transform *t, struct err *e)
{
	const char *name = NULL;
	int rc = OK;

	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++) {
		struct flow *f = &t->flows[i];

		if (!f->query && missing_sources(f, &name) < f->source_count) {
			err_set(e, BAD_DATA,
				"\"%s\" needs table \"%s\", which the stream does not have",
				f->insert->into->wire->name, name);
			return err_hint(e, BAD_DATA,
					"'star-transform --tables %s' lists the tables to extract.",
					t->star.path);
		}
		if (!f->query)
			continue;
		rc = query_step(f->query, e);
		if (rc == OK && !t->announced[table_index(t, f->insert->into)])
			rc = announce(f, e);
	}
	return rc;
}

static void add_end(struct transform *t)
{
	struct wire_table **done = xcalloc(t->star.table_count, sizeof(*done));
	size_t n = 0;

	for (size_t i = 0; i < t->star.table_count; i++)
		if (t->announced[i])
			done[n++] = t->star.tables[i].wire;
	wire_add_end(&t->out.buf, done, n);
	free(done);
}

static int transform(struct transform *t, struct err *e)
{
	enum wire_event event;
	bool open_step = true;
	int rc = start_flows(t, e);

	while (rc == OK && (rc = wire_next(&t->in, &event, e)) == OK && event != WIRE_EOF) {
		switch (event) {
		case WIRE_TABLE:
			rc = start_flows(t, e);
			break;
		case WIRE_ROW:
			open_step = true;
			progress_add(1, t->in.line.len + 1);
			rc = on_row(t, e);
			break;
		case WIRE_STATE:
			if ((rc = on_step(t, e)) == OK)
				wire_add_state(&t->out.buf, t->in.line);
			open_step = false;
			break;
		case WIRE_DELETE:
			rc = err_set(e, BAD_DATA, "a deleted row cannot be transformed yet");
			rc = wire_blame(&t->in, rc, e);
			break;
		default:
			break;
		}
	}
	if (rc == OK && open_step)
		rc = on_step(t, e);
	if (rc == OK)
		add_end(t);
	return rc;
}

/* --- the tool --- */

static int open_rejects(struct transform *t, struct err *e)
{
	int fd;

	if (!rejects_path)
		return OK;
	fd = open(rejects_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0)
		return err_errno(e, "could not create %s", rejects_path);
	out_init(&t->rejects, fd, rejects_path);
	return OK;
}

static int work(struct transform *t, const char *path, struct err *e)
{
	int rc;

	if ((rc = star_read(&t->star, path, e)) != OK || (rc = check_star(t, e)) != OK)
		return rc;
	if (want_ddl)
		print_ddl(t);
	if (want_tables && (rc = print_tables(t, e)) != OK)
		return rc;
	if (!want_ddl && !want_tables && !want_check) {
		if ((rc = open_rejects(t, e)) != OK || (rc = transform(t, e)) != OK)
			return rc;
		/* the rejects first: @end must not promise what they do not hold */
		if (rejects_path && (rc = out_close(&t->rejects, e)) != OK)
			return rc;
	}
	if ((rc = out_close(&t->out, e)) != OK)
		return rc;
	if (t->rejected)
		log_warning("%llu rows were rejected: see %s", (unsigned long long)t->rejected,
			    rejects_path);
	return OK;
}

static void release(struct transform *t)
{
	for (size_t i = 0; t->flows && i < t->star.insert_count; i++) {
		struct flow *f = &t->flows[i];

		for (size_t k = 0; k < f->source_count; k++)
			free(f->sources[k]);
		free(f->sources);
		free(f->from);
		query_free(f->query);
	}
	free(t->flows);
	free(t->announced);
	free(t->early);
	arena_release(&t->early_lines);
	wire_release(&t->in);
	out_release(&t->out);
	out_release(&t->rejects);
	star_release(&t->star);
}

static int run(int argc, char **argv, struct err *e)
{
	struct transform t = { 0 };
	int operand, rc = opt_parse(&tool, argc, argv, &operand, e);

	if (rc != OK)
		return rc;
	if (argc - operand != 1)
		return opt_misuse(e,
				  argc == operand ? "which star file?" : "one star file, please");
	if (want_check + want_ddl + want_tables > 1)
		return opt_misuse(e, "--check, --ddl and --tables are of one kind: give one");
	if (insist_framed && bare_table)
		return opt_misuse(e, "--framed refuses what --table allows");
	wire_open(&t.in, STDIN_FILENO, "standard input", bare_table, max_row);
	out_init(&t.out, STDOUT_FILENO, "standard output");
	rc = work(&t, argv[operand], e);
	progress_clear();
	release(&t);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
