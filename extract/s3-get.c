/* s3-get - the steps of a lake as a framed stream, or one object as it is */
#include <stdlib.h>
#include <unistd.h>

#include "csvrow.h"
#include "json.h"
#include "lake.h"
#include "log.h"
#include "map.h"
#include "mem.h"
#include "opt.h"
#include "out.h"
#include "parquet_read.h"
#include "progress.h"
#include "state.h"
#include "store.h"
#include "wire.h"

enum { PIECE = 4 << 20 }; /* of a single object */

static const char *state_file;
static struct opt_list only;
static uint64_t max_row = WIRE_MAX_ROW;
static bool may_be_new;

static const struct opt opts[] = {
	{ 0, "state", "file", OPT_STRING, &state_file, "read the steps since this state" },
	{ 0, "table", "name", OPT_LIST, &only, "only this table; may be repeated" },
	{ 0, "new", NULL, OPT_FLAG, &may_be_new, "the lake may have no step yet" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"s3-get",
	"[--state file] [--table name] ... [--new] [--max-row size] url/\nurl",
	"Reads the steps of a lake (a URL that ends in a slash) as framed JSON Lines, or one "
	"object.",
	opts
};

struct get {
	const char *url;
	struct lake *lake;
	uint64_t from, last;        /* the steps to send; from > last: none */
	char *id;                   /* of the lake: that of its first step */
	char *last_id;              /* of the step that was looked at last */
	struct wire_table **tables; /* announced, all that these steps have */
	size_t table_count, table_cap;
	struct map names;           /* of these */
	struct wire_table *current;
	struct buf piece;
	struct out out;
};

/* --- where to begin --- */

static int read_id(struct get *g, struct err *e)
{
	struct lake_step first = { 0 };
	int rc = lake_last(g->lake) ? lake_step_read(g->lake, 1, &first, e) : OK;

	if (rc == OK)
		g->id = xstrdup(first.id ? first.id : "");
	lake_step_release(&first);
	return rc;
}

/* What was read of a lake before it was restored from an earlier time cannot be read on from: its
 * steps may be others by now, under the same numbers. */
static int restored(const struct get *g, struct err *e)
{
	return err_hint(e, BAD_DATA,
			"Let the destination go on from the last step N that is still the same; "
			"in a warehouse: UPDATE starpipe_state SET state = "
			"'{\"source\":\"lake\",\"lake\":\"%s\",\"step\":N}' "
			"WHERE source = 'default';",
			g->id);
}

/* The step that a state stands behind. */
static int step_of(const struct get *g, const struct json *state, uint64_t *step, struct err *e)
{
	const char *source = json_string(json_get(state, "source"));
	const char *id = json_string(json_get(state, "lake"));
	int64_t n;

	*step = 0;
	if (!source || strcmp(source, "lake") != 0) {
		err_set(e, BAD_DATA, "state file %s is not of a lake but of \"%s\"", state_file,
			source ? source : "something unknown");
		return err_hint(e, BAD_DATA, "It goes to the tool that reads that source.");
	}
	if (!id || !json_int(json_get(state, "step"), &n) || n < 0)
		return err_set(e, BAD_DATA, "state file %s has no lake or no step", state_file);
	if (n == 0)
		log_info("the lake had no step when %s was written", state_file);
	else if (g->last == 0)
		return err_set(e, BAD_DATA, "%s is of a lake's step %lld, but %s has none",
			       state_file, (long long)n, g->url);
	else if (strcmp(id, g->id) != 0)
		log_notice("%s is of another lake than %s: all steps are read", state_file, g->url);
	else
		*step = (uint64_t)n;
	if (*step <= g->last)
		return OK;
	err_set(e, BAD_DATA, "%s is of step %lld, but %s has %llu only: it was restored from an "
		"earlier time", state_file, (long long)n, g->url, (unsigned long long)g->last);
	return restored(g, e);
}

/* Is the step still the one that was read? */
static int check_step(const struct get *g, const struct json *state, uint64_t step, struct err *e)
{
	const char *id = json_string(json_get(state, "id"));
	struct lake_step s = { 0 };
	int rc = step && id ? lake_step_read(g->lake, step, &s, e) : OK;

	if (rc == OK && s.id && strcmp(s.id, id) != 0) {
		err_set(e, BAD_DATA,
			"step %llu of %s is another than the one of %s: the lake was restored "
			"from an earlier time and has gone on",
			(unsigned long long)step, g->url, state_file);
		rc = restored(g, e);
	}
	lake_step_release(&s);
	return rc;
}

/* Nothing tells a lake without a step from a mistyped URL, but that the user expects it. */
static int check_lake(const struct get *g, struct err *e)
{
	if (lake_last(g->lake) || may_be_new)
		return OK;
	err_set(e, FAILED, "there is no lake at %s: it has no commit record", g->url);
	return err_hint(e, FAILED,
			"If its first step may not be committed yet, say so with --new.");
}

static int find_steps(struct get *g, struct err *e)
{
	struct json *state = NULL;
	uint64_t done = 0;
	int rc = check_lake(g, e);

	if (rc == OK)
		rc = read_id(g, e);
	g->last = lake_last(g->lake);
	if (rc == OK && state_file)
		rc = state_read(state_file, &state, e);
	if (rc == OK && state && (rc = step_of(g, state, &done, e)) == OK)
		rc = check_step(g, state, done, e);
	else if (rc == OK)
		log_info("no state: all steps are read");
	g->from = done + 1;
	json_free(state);
	return rc;
}

/* --- tables --- */

static bool is_wanted(const char *table)
{
	for (size_t i = 0; i < only.count; i++)
		if (strcmp(only.items[i], table) == 0)
			return true;
	return only.count == 0;
}

static struct wire_table *find_table(const struct get *g, const char *name)
{
	const struct map_entry *entry = map_find(&g->names, str_of(name));

	return entry ? entry->value : NULL;
}

static void keep_table(struct get *g, struct wire_table *t)
{
	int added;

	GROW(g->tables, g->table_count, g->table_cap);
	t->index = g->table_count;
	t->rows = 0; /* sent */
	g->tables[g->table_count++] = t;
	map_add(&g->names, str_of(t->name), &added)->value = t;
}

/* Take over the tables of a step. A table of a later step is announced as changes until its step
 * comes: that a full table has no rows in a step before would mean something. *same becomes false
 * where a table has other columns than before. */
static void add_tables(struct get *g, struct lake_step *s, bool *same)
{
	for (size_t i = 0; i < s->table_count && *same; i++) {
		struct wire_table *t = s->tables[i], *known = find_table(g, t->name);

		*same = !known || wire_same_columns(known, t);
		if (!*same)
			log_notice("step %llu has other columns of table \"%s\": this stream ends "
				   "before it, the next run goes on there",
				   (unsigned long long)s->number, t->name);
	}
	for (size_t i = 0; i < s->table_count && *same; i++) {
		struct wire_table *t = s->tables[i];

		if (!is_wanted(t->name) || find_table(g, t->name))
			continue;
		if (s->number != g->from)
			t->mode = WIRE_CHANGES;
		keep_table(g, t);
		s->tables[i] = NULL;
	}
}

static int find_tables(struct get *g, struct err *e)
{
	bool same = true;
	int rc = OK;

	/* without a new step: those of the last one */
	for (uint64_t n = g->from <= g->last ? g->from : g->last; n && n <= g->last && same; n++) {
		struct lake_step s;

		if ((rc = lake_step_read(g->lake, n, &s, e)) == OK) {
			add_tables(g, &s, &same);
			free(g->last_id);
			g->last_id = xstrdup(s.id);
		}
		lake_step_release(&s);
		if (rc != OK)
			return rc;
		if (!same)
			g->last = n - 1;
	}
	for (size_t i = 0; i < only.count; i++)
		if (!find_table(g, only.items[i]))
			log_warning("no step that is read has a table \"%s\"", only.items[i]);
	return OK;
}

static void announce(struct get *g, const struct wire_table *t, struct wire_table *known)
{
	known->mode = t->mode;
	wire_add_table(&g->out.buf, t);
	g->current = known;
}

/* What mode each table has in a step; one that is not of the step changes in nothing. */
static void announce_step(struct get *g, const struct lake_step *s)
{
	const struct wire_table **now = xcalloc(g->table_count, sizeof(*now));

	for (size_t i = 0; i < s->table_count; i++) {
		const struct wire_table *known = find_table(g, s->tables[i]->name);

		if (known)
			now[known->index] = s->tables[i];
	}
	for (size_t i = 0; i < g->table_count; i++) {
		struct wire_table *known = g->tables[i];

		if (now[i]) {
			announce(g, now[i], known);
		} else if (known->mode != WIRE_CHANGES) {
			known->mode = WIRE_CHANGES;
			announce(g, known, known);
		}
	}
	free(now);
}

/* --- objects --- */

/* An object on its way into the stream. */
struct sending {
	struct get *g;
	const struct lake_object *object;
	const struct wire_table *table;
	struct lake_reader *reader;
	struct field *fields;   /* JSON Lines */
	struct csvrow row;      /* CSV */
	uint64_t rows, deletes; /* so far */
};

/* Count a row or delete. Where more come than the record says, none of the others is of interest:
 * a few bytes may unpack to any number. */
static int count(struct sending *s, bool deleted, struct err *e)
{
	s->rows += !deleted;
	s->deletes += deleted;
	progress_add(!deleted, 0);
	if (s->rows > s->object->rows)
		return err_set(e, BAD_DATA, "it has more rows than the %llu of its commit record",
			       (unsigned long long)s->object->rows);
	if (s->deletes > s->object->deletes)
		return err_set(e, BAD_DATA,
			       "it has more deletes than the %llu of its commit record",
			       (unsigned long long)s->object->deletes);
	return OK;
}

/* A control line among the rows: an object may delete rows of its own table, and that is all.
 * What goes on is no more than was understood. */
static int send_delete(struct sending *s, struct str line, struct err *e)
{
	struct buf name = { 0 };
	struct str key, deleted = STR("");
	struct field value;
	size_t at = 0;
	int rc = scan_value(line, &value, e);

	if (rc == OK && (rc = scan_member(line, &at, &key, &value, e)) == OK &&
	    value.kind == F_STRING && str_eqz(key, "\"@delete\""))
		rc = json_unescape(&name, value.text, e);
	if (rc == OK && (!name.data || !str_eqz(buf_str(&name), s->table->name)))
		rc = err_set(e, BAD_DATA, "it is neither a row nor a delete of \"%s\"",
			     s->table->name);
	while (rc == OK && value.kind != F_ABSENT && !deleted.len)
		if ((rc = scan_member(line, &at, &key, &value, e)) == OK &&
		    value.kind != F_ABSENT && str_eqz(key, "\"key\"")) {
			deleted = value.text;
			rc = scan_row(deleted, &s->table->keys, s->fields, e);
		}
	buf_release(&name);
	if (rc != OK)
		return rc;
	wire_add_delete(&s->g->out.buf, s->table, deleted);
	return count(s, true, e);
}

static int send_line(struct sending *s, struct str line, struct err *e)
{
	unsigned long long number = s->rows + s->deletes + 1;
	int rc;

	if (line.len > max_row) {
		err_set(e, BAD_DATA, "line %llu is longer than %llu bytes", number,
			(unsigned long long)max_row);
		return err_hint(e, BAD_DATA, "If it is right, allow it with --max-row.");
	}
	rc = wire_is_control(line) ? send_delete(s, line, e) :
				     scan_row(line, &s->table->keys, s->fields, e);
	if (rc != OK)
		return err_wrap(e, rc, "line %llu", number);
	if (wire_is_control(line))
		return OK;
	buf_add(&s->g->out.buf, line.data, line.len + 1);
	return count(s, false, e);
}

/* Send the lines of piece, of which *looked bytes were seen to have no end of one; the beginning of
 * the next line stays. */
static int send_lines(struct sending *s, size_t *looked, struct err *e)
{
	struct buf *piece = &s->g->piece;
	struct str rest = buf_str(piece);
	const char *nl;
	int rc = OK;

	while (rc == OK && rest.len > *looked &&
	       (nl = memchr(rest.data + *looked, '\n', rest.len - *looked))) {
		struct str line = { rest.data, (size_t)(nl - rest.data) };

		if ((rc = send_line(s, line, e)) == OK)
			rc = out_more(&s->g->out, e);
		rest = (struct str){ nl + 1, rest.len - line.len - 1 };
		*looked = 0;
	}
	if (rc == OK && rest.len > max_row)
		rc = send_line(s, rest, e);
	if (rest.len < piece->len)
		memmove(piece->data, rest.data, rest.len);
	*looked = piece->len = rest.len;
	return rc;
}

static int send_jsonl(struct sending *s, struct err *e)
{
	struct buf *piece = &s->g->piece;
	size_t looked = 0;
	bool more = true;
	int rc = OK;

	s->fields = xcalloc(s->table->keys.count, sizeof(*s->fields));
	buf_reset(piece);
	while (rc == OK && more) {
		size_t before = piece->len;

		rc = lake_object_read(s->reader, piece, &more, e);
		progress_add(0, piece->len - before);
		if (rc == OK)
			rc = send_lines(s, &looked, e);
	}
	free(s->fields);
	return rc == OK && piece->len ? err_set(e, BAD_DATA, "its last line has no end") : rc;
}

static int on_csv_row(void *arg, const struct csv_cell *cells, size_t cell_count, uint64_t row,
		      struct err *e)
{
	struct sending *s = arg;
	int rc;

	if (row == 1) /* the header */
		return OK;
	if ((rc = csvrow_add_json(&s->row, cells, cell_count, &s->g->out.buf, e)) != OK)
		return err_wrap(e, rc, "row %llu", (unsigned long long)row);
	if ((rc = count(s, false, e)) != OK)
		return rc;
	return out_more(&s->g->out, e);
}

static int send_csv(struct sending *s, struct err *e)
{
	struct buf *piece = &s->g->piece;
	struct csvio *csv = NULL;
	bool more = true;
	int rc = csvio_open(&csv, "it", ',', max_row, on_csv_row, s, e);

	csvrow_init(&s->row, s->table, ',', NULL);
	while (rc == OK && more) {
		buf_reset(piece);
		rc = lake_object_read(s->reader, piece, &more, e);
		if (rc == OK && piece->len)
			rc = csvio_feed(csv, buf_str(piece), e);
	}
	if (rc == OK)
		rc = csvio_feed(csv, STR(""), e); /* its end */
	csvio_close(csv);
	csvrow_release(&s->row);
	return rc;
}

static int read_range(void *arg, uint64_t offset, size_t len, char *to, struct err *e)
{
	return lake_object_range(arg, offset, len, to, e);
}

/* It is read from its end, here and there, so all of it is verified before. */
static int send_parquet(struct sending *s, struct err *e)
{
	/* s3-put wrote it: a row as long as it takes may have become very few bytes */
	struct parquet_source source = { "the file", s->object->bytes, read_range, s->reader,
					 max_row };
	struct buf *out = &s->g->out.buf;
	struct parquet_reader *parquet = NULL;
	enum wire_event event = WIRE_ROW;
	int rc = lake_object_verify(s->reader, e);

	if (rc == OK)
		rc = parquet_reader_open(&parquet, &source, s->object->table, true, e);
	while (rc == OK && event != WIRE_EOF) {
		size_t before = out->len;

		rc = parquet_reader_next(parquet, out, &event, e);
		progress_add(0, out->len - before);
		if (rc == OK && event != WIRE_EOF)
			rc = count(s, event == WIRE_DELETE, e);
		if (rc == OK)
			rc = out_more(&s->g->out, e);
	}
	parquet_reader_free(parquet);
	return rc;
}

static int check_counts(const struct sending *s, struct err *e)
{
	const struct lake_object *o = s->object;

	if (s->rows != o->rows)
		return err_set(e, BAD_DATA, "it has %llu rows where its commit record says %llu",
			       (unsigned long long)s->rows, (unsigned long long)o->rows);
	if (s->deletes != o->deletes)
		return err_set(e, BAD_DATA,
			       "it has %llu deletes where its commit record says %llu",
			       (unsigned long long)s->deletes, (unsigned long long)o->deletes);
	return OK;
}

static int send_object(struct get *g, const struct lake_object *o, struct err *e)
{
	struct wire_table *t = find_table(g, o->table);
	struct sending s = { .g = g, .object = o, .table = t };
	int rc;

	if (!t)
		return err_set(e, BAD_DATA, "object %s is of table \"%s\", which was not there",
			       o->path, o->table);
	if (g->current != t)
		wire_add_switch(&g->out.buf, t);
	g->current = t;
	s.reader = lake_object_open(g->lake, o);
	if (strcmp(o->format, "jsonl") == 0)
		rc = send_jsonl(&s, e);
	else if (strcmp(o->format, "csv") == 0)
		rc = send_csv(&s, e);
	else if (strcmp(o->format, "parquet") == 0)
		rc = send_parquet(&s, e);
	else
		rc = err_set(e, BAD_DATA, "its format is \"%s\", which this s3-get does not know",
			     o->format);
	if (rc == OK)
		rc = check_counts(&s, e);
	lake_object_close(s.reader);
	t->rows += s.rows;
	return rc == OK ? OK : err_wrap(e, rc, "object %s", o->path);
}

/* --- the stream --- */

static void add_state(struct get *g, uint64_t step, const char *id)
{
	struct buf state = { 0 };

	buf_addz(&state, "{\"source\":\"lake\",\"lake\":");
	json_add_string(&state, str_of(g->id));
	buf_addf(&state, ",\"step\":%llu", (unsigned long long)step);
	if (step) {
		buf_addz(&state, ",\"id\":");
		json_add_string(&state, str_of(id));
		buf_addf(&state, ",\"since\":%llu", (unsigned long long)step - 1);
	}
	buf_addch(&state, '}');
	wire_add_state(&g->out.buf, buf_str(&state));
	buf_release(&state);
}

static int send_step(struct get *g, uint64_t number, struct err *e)
{
	struct lake_step s;
	int rc = lake_step_read(g->lake, number, &s, e);

	if (rc == OK && number > g->from)
		announce_step(g, &s);
	for (size_t i = 0; i < s.object_count && rc == OK; i++)
		if (is_wanted(s.objects[i].table))
			rc = send_object(g, &s.objects[i], e);
	if (rc == OK)
		add_state(g, number, s.id);
	lake_step_release(&s);
	return rc == OK ? out_more(&g->out, e) : err_wrap(e, rc, "%s", g->url);
}

static int send_steps(struct get *g, struct err *e)
{
	int rc;

	if ((rc = lake_open(g->url, &g->lake, e)) != OK ||
	    (rc = find_steps(g, e)) != OK || (rc = find_tables(g, e)) != OK)
		return rc;
	for (size_t i = 0; i < g->table_count; i++)
		announce(g, g->tables[i], g->tables[i]);
	if (g->from > g->last)
		add_state(g, g->last, g->last_id);
	for (uint64_t n = g->from; n <= g->last; n++)
		if ((rc = send_step(g, n, e)) != OK)
			return rc;
	wire_add_end(&g->out.buf, g->tables, g->table_count);
	if ((rc = out_close(&g->out, e)) == OK)
		log_info("read %llu steps of %s",
			 (unsigned long long)(g->last + 1 > g->from ? g->last + 1 - g->from : 0),
			 g->url);
	return rc;
}

/* --- one object --- */

static int send_bytes(struct get *g, struct err *e)
{
	struct store *store = NULL;
	struct buf version = { 0 };
	uint64_t at = 0;
	char *key;
	int rc = store_open(g->url, &store, &key, e);

	do {
		buf_reset(&g->piece);
		if (rc == OK)
			rc = store_read(store, key, at, PIECE, &g->piece, &version, e);
		if (rc == OK)
			rc = write_all(g->out.fd, g->piece.data, g->piece.len, g->out.name, e);
		at += g->piece.len;
		progress_add(0, g->piece.len);
	} while (rc == OK && g->piece.len == PIECE);
	store_close(store);
	free(key);
	buf_release(&version);
	return rc == OK ? out_close(&g->out, e) : rc;
}

/* --- the tool --- */

static void release(struct get *g)
{
	for (size_t i = 0; i < g->table_count; i++)
		wire_table_free(g->tables[i]);
	free(g->tables);
	map_release(&g->names);
	free(g->id);
	free(g->last_id);
	lake_close(g->lake);
	buf_release(&g->piece);
	out_release(&g->out);
}

static int run(int argc, char **argv, struct err *e)
{
	struct get g = { 0 };
	int operand, rc = opt_parse(&tool, argc, argv, &operand, e);
	bool lake;

	if (rc != OK)
		return rc;
	if (operand + 1 != argc)
		return opt_misuse(e, operand == argc ? "which URL?" : "one URL at a time");
	g.url = argv[operand];
	lake = g.url[0] && g.url[strlen(g.url) - 1] == '/';
	if (!lake && (state_file || only.count || may_be_new))
		return opt_misuse(e, "--%s goes with a lake, a URL that ends in a slash",
				  state_file ? "state" :
				  only.count ? "table" :
					       "new");
	out_init(&g.out, STDOUT_FILENO, "standard output");
	rc = lake ? send_steps(&g, e) : send_bytes(&g, e);
	progress_clear();
	release(&g);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
