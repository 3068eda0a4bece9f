/* star-transform - turn rows of source tables into rows of a star schema */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "lineage.h"
#include "log.h"
#include "map.h"
#include "mem.h"
#include "opt.h"
#include "out.h"
#include "progress.h"
#include "query.h"
#include "refs.h"
#include "star.h"
#include "wire.h"

static bool want_check, want_ddl, want_tables, want_graph, insist_framed;
static const char *bare_table, *rejects_path, *store;
static uint64_t max_row = WIRE_MAX_ROW;

static const struct opt opts[] = {
	{ 0, "check", NULL, OPT_FLAG, &want_check, "parse and check the star file, read no rows" },
	{ 0, "ddl", NULL, OPT_FLAG, &want_ddl, "print the CREATE TABLE statements, parents first" },
	{ 0, "tables", NULL, OPT_FLAG, &want_tables, "print the source tables and columns needed" },
	{ 0, "graph", NULL, OPT_FLAG, &want_graph, "print the star and its sources for Mermaid" },
	{ 0, "store", "file", OPT_STRING, &store,
	  "keep the rows of joined tables here between runs" },
	{ 0, "rejects", "file", OPT_STRING, &rejects_path,
	  "collect rows that cannot be transformed, let the rest pass" },
	{ 0, "table", "name", OPT_STRING, &bare_table, "bare rows are of this table" },
	{ 0, "framed", NULL, OPT_FLAG, &insist_framed, "refuse bare rows" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"star-transform",
	"[--store file] [--rejects file] [--table name | --framed] [--max-row size] star.sql\n"
	"--check | --ddl | --tables | --graph star.sql",
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

/* A row, or a deleted row's key, that came before all the tables of its flow were known. */
struct early {
	struct wire_table *table;
	struct str line;
	bool deleted;
};

struct transform {
	struct star star;
	struct flow *flows;
	struct wire_reader in;
	struct out out, rejects;
	bool *announced;           /* per table of the star */
	struct map *givers;        /* the same: of a table that several INSERTs fill, by key, the
				    flow that gave its newest row in this step */
	struct buf key;            /* room for a key */
	const struct wire_table *current;
	struct early *early;
	size_t early_count, early_cap;
	struct arena early_lines;
	struct refs *refs;         /* --store, or NULL */
	char **joined;             /* names of the tables it keeps */
	size_t joined_count, joined_cap;
	struct buf behind;         /* state of a step that the store is ahead of, or empty */
	uint64_t rejected;
};

/* --- results --- */

static size_t table_index(const struct transform *t, const struct star_table *table)
{
	return (size_t)(table - t->star.tables);
}

/* A table is whole if all that goes into it is. */
static enum wire_mode mode_of(const struct transform *t, const struct star_table *into)
{
	for (size_t i = 0; i < t->star.insert_count; i++)
		if (t->flows[i].insert->into == into && t->flows[i].query &&
		    query_mode(t->flows[i].query) == WIRE_CHANGES)
			return WIRE_CHANGES;
	return WIRE_FULL;
}

static int announce(struct flow *f, struct err *e)
{
	struct transform *t = f->t;
	struct star_table *into = f->insert->into;
	struct wire_table *w = into->wire;
	const struct wire_table *driver;
	size_t key[64], n = query_key(f->query, key, 64, &driver);

	t->announced[table_index(t, into)] = true;
	w->mode = mode_of(t, into);
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

/* Make the flow's table the current one. */
static int turn_to(struct flow *f, struct err *e)
{
	struct transform *t = f->t;
	struct wire_table *w = f->insert->into->wire;

	if (!t->announced[table_index(t, f->insert->into)])
		return announce(f, e);
	if (t->current != w)
		wire_add_switch(&t->out.buf, w);
	t->current = w;
	return OK;
}

/* A value as it stands in a row; a string with its quotes. */
static void add_value(struct buf *b, const struct field *v)
{
	if (v->kind == F_STRING)
		buf_add(b, v->text.data - 1, v->text.len + 2);
	else if (v->kind == F_NULL)
		buf_add(b, "null", 4);
	else
		buf_addstr(b, v->text);
}

/* The key of a result, as the JSON object of a deleted row. */
static struct str key_of(struct flow *f, const struct field *fields)
{
	const struct wire_table *w = f->insert->into->wire;
	struct buf *key = &f->t->key;

	buf_reset(key);
	for (size_t i = 0; i < w->key_count; i++) {
		buf_addz(key, i ? "," : "{");
		json_add_string(key, str_of(w->columns[w->key[i]].name));
		buf_addch(key, ':');
		add_value(key, &fields[f->from[w->key[i]]]);
	}
	buf_addch(key, '}');
	return buf_str(key);
}

static bool has_all(const struct flow *f)
{
	const struct star *s = &f->t->star;
	size_t inserts = 0;

	for (size_t i = 0; i < s->insert_count; i++)
		inserts += s->inserts[i].into == f->insert->into;
	return inserts == 1;
}

/* A row that goes from one INSERT of a table to another leaves the first one after it has come to
 * the second, or before: what has left must not delete what has come. */
static void note_giver(struct flow *f, const struct field *fields)
{
	struct map *givers = &f->t->givers[table_index(f->t, f->insert->into)];
	int added;

	if (f->insert->into->wire->mode == WIRE_CHANGES && !has_all(f))
		map_add(givers, key_of(f, fields), &added)->value = f;
}

static bool given_by_other(const struct flow *f, struct str key)
{
	const struct map *givers = &f->t->givers[table_index(f->t, f->insert->into)];
	const struct map_entry *entry = map_find(givers, key);

	return entry && entry->value != f;
}

static int on_result(void *arg, const struct field *fields, struct err *e)
{
	static const struct field null = { .kind = F_NULL };
	struct flow *f = arg;
	struct transform *t = f->t;
	struct wire_table *w = f->insert->into->wire;
	struct buf *b = &t->out.buf;
	size_t start;
	int rc = turn_to(f, e);

	if (rc != OK)
		return rc;
	start = b->len;
	for (size_t c = 0; c < w->column_count; c++) {
		const struct field *v = f->from[c] == SIZE_MAX ? &null : &fields[f->from[c]];

		if (w->columns[c].generated)
			continue;
		if (v->kind == F_NULL && w->columns[c].notnull) {
			b->len = start;
			return err_set(e, BAD_DATA, "column \"%s\" of \"%s\" must not be NULL",
				       w->columns[c].name, w->name);
		}
		buf_addstr(b, w->prefix[c]);
		add_value(b, v);
	}
	buf_add(b, "}\n", 2);
	if (b->len - start > max_row)
		return err_set(e, BAD_DATA, "a row of \"%s\" is longer than --max-row", w->name);
	w->rows++;
	note_giver(f, fields);
	return out_more(&t->out, e);
}

/* The table whose rows the flow makes results of, or NULL. */
static const struct wire_table *driver_of(const struct flow *f)
{
	const struct wire_table *driver = NULL;
	size_t key[64];

	if (f->query)
		query_key(f->query, key, 64, &driver);
	return driver;
}

/* All rows of the flow's source are gone: which of the target's that were can only be told where
 * it has no other source. */
static int all_gone(struct flow *f, struct err *e)
{
	struct transform *t = f->t;
	const struct wire_table *gone = driver_of(f), *w = f->insert->into->wire;

	for (size_t i = 0; i < t->star.insert_count; i++) {
		const struct flow *other = &t->flows[i];

		if (other->insert->into != f->insert->into || driver_of(other) == gone)
			continue;
		err_set(e, BAD_DATA,
			"table \"%s\" was truncated, and \"%s\" has rows of other tables, too",
			gone->name, w->name);
		return err_hint(e, BAD_DATA,
				"Delete them from \"%s\" by hand and run once with --full %s.",
				w->name, gone->name);
	}
	wire_add_delete(&t->out.buf, w, STR(""));
	return OK;
}

static int on_gone(void *arg, const struct field *fields, struct err *e)
{
	struct flow *f = arg;
	const struct wire_table *w = f->insert->into->wire;
	struct str key;
	int rc = turn_to(f, e);

	if (rc != OK || !fields)
		return rc != OK ? rc : all_gone(f, e);
	key = key_of(f, fields);
	if (given_by_other(f, key))
		return OK;
	wire_add_delete(&f->t->out.buf, w, key);
	return out_more(&f->t->out, e);
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
	/* a message shows the first bytes of a value: not always whole characters */
	for (size_t bad; (bad = str_bad_utf8(str_of(e->msg))) < strlen(e->msg);)
		e->msg[bad] = '?';
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

static bool has_name(char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void note_source(void *arg, const char *table, const char *column, bool certain)
{
	struct flow *f = arg;

	(void)certain;
	if (column || has_name(f->sources, f->source_count, table))
		return;
	GROW(f->sources, f->source_count, f->source_cap);
	f->sources[f->source_count++] = xstrdup(table);
}

static void note_joined(void *arg, const char *table, const char *column, bool certain)
{
	struct transform *t = arg;

	(void)column;
	(void)certain;
	if (has_name(t->joined, t->joined_count, table))
		return;
	GROW(t->joined, t->joined_count, t->joined_cap);
	t->joined[t->joined_count++] = xstrdup(table);
}

/* Everything that can be said of the star file before its sources are known. */
static int check_star(struct transform *t, struct err *e)
{
	static const struct query_sink none;
	int rc = OK;

	t->flows = xcalloc(t->star.insert_count, sizeof(*t->flows));
	t->announced = xcalloc(t->star.table_count, sizeof(*t->announced));
	t->givers = xcalloc(t->star.table_count, sizeof(*t->givers));
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
		if (rc == OK)
			query_joins(q, note_joined, t);
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

/* Changes of a joined table are followed, or refused: without the rows that are joined with them
 * they would be lost. */
static int check_changes(struct flow *f, struct err *e)
{
	const char *changes = f->query ? query_lost_changes(f->query) : NULL;

	if (!changes)
		return OK;
	star_error(&f->t->star, f->insert->at, e,
		   "table \"%s\" comes as changes, and is joined with rows of earlier runs",
		   changes);
	if (!store)
		return err_hint(e, USAGE, "Keep these with --store FILE, from a full run on.");
	return err_hint(e, USAGE,
			"--store follows tables that are joined by their key and nothing else.");
}

/* A row or a deleted key of table, in t->in.fields, to the flow. */
static int feed(struct flow *f, const struct wire_table *table, struct str line, bool deleted,
		struct err *e)
{
	const struct field *fields = f->t->in.fields;

	if (!deleted)
		return query_row(f->query, table, fields, line, e);
	return query_delete(f->query, table, line.len ? fields : NULL, e);
}

static int start_flow(struct flow *f, struct err *e)
{
	struct transform *t = f->t;
	struct query_sink sink = { f, on_result, on_reject, on_gone };
	int rc = query_compile(&t->star, f->insert, lookup, t, sink, &f->query, e);

	if (rc == OK && t->refs)
		rc = query_follow(f->query, t->refs, e);
	if (rc == OK && (rc = check_changes(f, e)) == OK)
		rc = query_start(f->query, e);
	for (size_t i = 0; i < t->early_count && rc == OK; i++) {
		struct early *row = &t->early[i];

		if (!query_reads(f->query, row->table))
			continue;
		rc = row->line.len ? scan_row(row->line, &row->table->keys, t->in.fields, e) : OK;
		if (rc == OK)
			rc = feed(f, row->table, row->line, row->deleted, e);
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

/* The store lacks rows of a table, or with NULL of them all: what to type. */
static int add_remedy(struct transform *t, const char *lacking, int rc, struct err *e)
{
	struct buf tables = { 0 };

	for (size_t i = 0; i < t->joined_count; i++) {
		const char *name = t->joined[i];

		if (!lacking || !refs_find(t->refs, name) || strcmp(name, lacking) == 0)
			buf_addf(&tables, " --full %s", name);
	}
	err_hint(e, rc,
		 "Extract all rows once: 'pg-extract%s'. Behind a lake, read it whole once: "
		 "'s3-get URL/ | star-transform --store %s %s >/dev/null'.",
		 tables.data, store, t->star.path);
	buf_release(&tables);
	return rc;
}

/* A table was announced, perhaps again and now as changes. */
static int on_table(struct transform *t, struct err *e)
{
	const struct wire_table *table = t->in.table;
	int rc = OK;

	if (!t->in.announces)
		return OK;
	if (t->refs && table->key_count && has_name(t->joined, t->joined_count, table->name) &&
	    (rc = refs_announce(t->refs, table, e)) != OK)
		return add_remedy(t, table->name, rc, e);
	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++) {
		struct flow *f = &t->flows[i];
		struct star_table *into = f->insert->into;

		if (!f->query || !query_reads(f->query, table))
			continue;
		rc = check_changes(f, e);
		if (mode_of(t, into) != into->wire->mode)
			t->announced[table_index(t, into)] = false;
	}
	return rc == OK ? start_flows(t, e) : rc;
}

static void keep_early(struct transform *t, bool deleted)
{
	GROW(t->early, t->early_count, t->early_cap);
	t->early[t->early_count++] = (struct early){
		t->in.table, arena_copy(&t->early_lines, t->in.line), deleted
	};
}

/* A row, or a deleted row. */
static int on_row(struct transform *t, bool deleted, struct err *e)
{
	struct wire_table *table = t->in.table;
	struct refs_table *kept = t->refs ? refs_find(t->refs, table->name) : NULL;
	bool all = deleted && !t->in.line.len, keep = false;
	int rc = all ? OK : wire_fields(&t->in, e);

	if (rc == OK && kept && all)
		refs_clear(kept);
	else if (rc == OK && kept &&
		 (rc = refs_put(kept, t->in.fields, deleted ? STR("") : t->in.line, e)) != OK)
		wire_blame(&t->in, rc, e);
	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++) {
		struct flow *f = &t->flows[i];

		if (f->query)
			rc = feed(f, table, t->in.line, deleted, e);
		else
			keep = keep || has_name(f->sources, f->source_count, table->name);
	}
	if (keep && rc == OK)
		keep_early(t, deleted);
	return rc;
}

/* The changes of the step must begin where the store ends, or before. */
static int check_store(struct transform *t, struct err *e)
{
	int rc = t->refs ? refs_check(t->refs, t->in.line, e) : OK;

	return rc == OK ? OK : add_remedy(t, NULL, rc, e);
}

/* Is a flow still without its tables? Whose are all unknown here may be none of ours: bare rows are
 * of one table, a lake may have no step yet, and what the store has came in an earlier run. */
static bool lacks_table(struct flow *f, const char **name)
{
	const struct transform *t = f->t;
	size_t missing = f->query ? 0 : missing_sources(f, name), others = 0;

	if (!missing || !t->in.table_count)
		return false;
	if (missing < f->source_count)
		return true;
	for (size_t i = 0; i < t->star.insert_count; i++)
		others += t->in.bare && t->flows[i].query && t->flows[i].source_count;
	for (size_t i = 0; i < f->source_count && t->refs; i++)
		missing -= refs_find(t->refs, f->sources[i]) != NULL;
	return missing && !others;
}

/* A name that few changes make the wanted one, or NULL. */
static const char *nearest_table(const struct transform *t, const char *wanted)
{
	size_t least = 1 + strlen(wanted) / 3;
	const char *nearest = NULL;

	for (size_t i = 0; i < t->in.table_count; i++) {
		const char *name = t->in.tables[i]->name;
		size_t distance = str_distance(str_of(name), str_of(wanted));

		if (distance <= least && (!nearest || distance < least)) {
			least = distance;
			nearest = name;
		}
	}
	return nearest;
}

static int missing_table(const struct flow *f, const char *name, struct err *e)
{
	enum { SHOWN = 10 };
	const struct transform *t = f->t;
	const char *nearest = nearest_table(t, name);
	struct buf tables = { 0 };

	for (size_t i = 0; i < t->in.table_count && i < SHOWN; i++)
		buf_addf(&tables, "%s%s", i ? ", " : "", t->in.tables[i]->name);
	if (t->in.table_count > SHOWN)
		buf_addf(&tables, " and %zu more", t->in.table_count - SHOWN);
	err_set(e, BAD_DATA, "\"%s\" needs table \"%s\", which the stream does not have",
		f->insert->into->wire->name, name);
	err_hint(e, BAD_DATA,
		 "%s%s%s'star-transform --tables %s' lists the tables to extract; came: %s.",
		 nearest ? "Is it \"" : "", nearest ? nearest : "", nearest ? "\"? " : "",
		 t->star.path, tables.data);
	buf_release(&tables);
	return BAD_DATA;
}

/* The end of a step: what waited for a match goes out, and every table is announced, empty or not.
 */
static int on_step(struct transform *t, struct str state, struct err *e)
{
	const char *name = NULL;
	int rc = OK;

	for (size_t i = 0; i < t->star.insert_count && rc == OK; i++) {
		struct flow *f = &t->flows[i];

		if (lacks_table(f, &name))
			return missing_table(f, name, e);
		if (!f->query)
			continue;
		rc = query_step(f->query, e);
		if (rc == OK && !t->announced[table_index(t, f->insert->into)])
			rc = announce(f, e);
	}
	for (size_t i = 0; i < t->star.table_count; i++)
		map_release(&t->givers[i]);
	/* before anybody can commit the step: the store is never behind the warehouse */
	return rc == OK && t->refs ? refs_settle(t->refs, state, e) : rc;
}

/* Is the step that has just been read older than the store? After a run that was killed it may be:
 * then the steps up to the store's are read as one, because there is no store to join the first of
 * them with. So they are where another run was faster; a loader knows which of the two counts. */
static bool is_behind(struct transform *t)
{
	bool behind = t->refs && refs_is_ahead(t->refs, t->in.line);

	buf_reset(&t->behind);
	if (behind)
		buf_addstr(&t->behind, t->in.line);
	return behind;
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
			rc = on_table(t, e);
			break;
		case WIRE_ROW:
		case WIRE_DELETE:
			open_step = true;
			progress_add(1, t->in.line.len + 1);
			rc = on_row(t, event == WIRE_DELETE, e);
			break;
		case WIRE_STATE:
			open_step = is_behind(t);
			if (!open_step && (rc = check_store(t, e)) == OK &&
			    (rc = on_step(t, t->in.line, e)) == OK)
				wire_add_state(&t->out.buf, t->in.line);
			break;
		default:
			break;
		}
	}
	if (rc == OK && open_step)
		rc = on_step(t, t->behind.len ? buf_str(&t->behind) : STR("{}"), e);
	if (rc == OK && t->behind.len)
		wire_add_state(&t->out.buf, buf_str(&t->behind));
	if (rc == OK)
		add_end(t);
	return rc;
}

/* --- the tool --- */

static void add_ddl(struct transform *t)
{
	for (size_t i = 0; i < t->star.table_count; i++) {
		buf_addstr(&t->out.buf, t->star.tables[i].sql);
		buf_addz(&t->out.buf, i + 1 < t->star.table_count ? ";\n\n" : ";\n");
	}
}

static int open_rejects(struct transform *t, struct err *e)
{
	int fd;

	if (!rejects_path)
		return OK;
	fd = open(rejects_path, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
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
		add_ddl(t);
	if (want_tables && (rc = lineage_add_tables(&t->star, &t->out.buf, e)) != OK)
		return rc;
	if (want_graph && (rc = lineage_add_graph(&t->star, &t->out.buf, e)) != OK)
		return rc;
	if (!want_check && !want_ddl && !want_tables && !want_graph) {
		if ((rc = open_rejects(t, e)) != OK ||
		    (store && (rc = refs_open(store, &t->refs, e)) != OK) ||
		    (rc = transform(t, e)) != OK)
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
	for (size_t i = 0; t->givers && i < t->star.table_count; i++)
		map_release(&t->givers[i]);
	free(t->givers);
	buf_release(&t->key);
	free(t->announced);
	free(t->early);
	arena_release(&t->early_lines);
	for (size_t i = 0; i < t->joined_count; i++)
		free(t->joined[i]);
	free(t->joined);
	refs_close(t->refs);
	buf_release(&t->behind);
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
	if (want_check + want_ddl + want_tables + want_graph > 1)
		return opt_misuse(e, "--check, --ddl, --tables and --graph: give one of them");
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
