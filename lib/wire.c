/* wire - framed JSON Lines, read and written */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "json.h"
#include "mem.h"
#include "sig.h"

enum { READ_CHUNK = 256 * 1024 };

/* --- tables --- */

void wire_table_finish(struct wire_table *t)
{
	const char **names = xcalloc(t->column_count, sizeof(*names));

	t->prefix = xcalloc(t->column_count, sizeof(*t->prefix));
	for (size_t i = 0; i < t->column_count; i++) {
		names[i] = t->columns[i].name;
		t->columns[i].type = pg_type_parse(str_of(t->columns[i].type_name));
	}
	scan_keys_init(&t->keys, names, t->column_count);
	for (size_t i = 0, written = 0; i < t->column_count; i++) {
		struct buf b = { 0 };
		struct str q = t->keys.quoted[i];

		if (t->columns[i].generated)
			continue;
		buf_addch(&b, written ? ',' : '{');
		if (written++ == 0 && q.data[1] == '@') { /* else it would read as a control line */
			buf_addz(&b, "\"@");
			q = (struct str){ q.data + 1, q.len - 1 };
		}
		buf_addstr(&b, q);
		buf_addch(&b, ':');
		t->prefix[i] = buf_str(&b);
	}
	free(names);
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

void wire_table_free(struct wire_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->column_count; i++) {
		free(t->columns[i].name);
		free(t->columns[i].type_name);
		free(t->columns[i].generated);
		if (t->prefix)
			free((char *)(uintptr_t)t->prefix[i].data);
	}
	for (size_t i = 0; i < t->foreign_count; i++) {
		free(t->foreign[i].table);
		free_names(t->foreign[i].columns, t->foreign[i].count);
		free_names(t->foreign[i].parent_columns, t->foreign[i].count);
	}
	scan_keys_release(&t->keys);
	free(t->prefix);
	free(t->foreign);
	free(t->columns);
	free(t->key);
	free(t->load);
	free(t->name);
	free(t);
}

size_t wire_column_index(const struct wire_table *t, struct str name)
{
	size_t i = 0;

	while (i < t->column_count && !str_eqz(name, t->columns[i].name))
		i++;
	return i;
}

/* --- reading control lines --- */

static int malformed(const char *what, struct err *e)
{
	return err_set(e, BAD_DATA, "malformed control line: %s", what);
}

static char *dup_or_null(const struct json *j)
{
	const char *s = json_string(j);

	return s ? xstrdup(s) : NULL;
}

static int too_wide(const struct wire_table *t, struct err *e)
{
	return err_set(e, BAD_DATA,
		       "table \"%s\" has more than %d columns, the most that PostgreSQL knows",
		       t->name, WIRE_MAX_COLUMNS);
}

/* index: of the columns' names, to them. */
static int read_columns(struct wire_table *t, const struct json *columns, struct map *index,
			struct err *e)
{
	size_t n = json_count(columns);

	if (n > WIRE_MAX_COLUMNS)
		return too_wide(t, e);
	t->columns = xcalloc(n, sizeof(*t->columns));
	for (size_t i = 0; i < n; i++) {
		const struct json *c = json_at(columns, i);
		const char *name = json_string(json_get(c, "name"));
		const char *type = json_string(json_get(c, "type")), *why;
		int added = 0;

		if (!name || !type)
			return malformed("a column needs a name and a type", e);
		map_add(index, str_of(name), &added)->value = &t->columns[i];
		if (!added)
			return malformed("a column is announced twice", e);
		if ((why = pg_type_problem(str_of(type))) != NULL)
			return err_set(e, BAD_DATA, "table \"%s\": column \"%s\": type \"%s\" %s",
				       t->name, name, type, why);
		t->columns[t->column_count++] = (struct wire_column){
			.name = xstrdup(name),
			.type_name = xstrdup(type),
			.notnull = json_true(json_get(c, "notnull")),
			.generated = dup_or_null(json_get(c, "generated")),
		};
	}
	return OK;
}

static int read_key(struct wire_table *t, const struct json *key, const struct map *index,
		    struct err *e)
{
	if (json_count(key) > t->column_count)
		return malformed("the key has more columns than the table", e);
	t->key = xcalloc(json_count(key), sizeof(*t->key));
	for (size_t i = 0; i < json_count(key); i++) {
		const char *name = json_string(json_at(key, i));
		struct map_entry *c = name ? map_find(index, str_of(name)) : NULL;

		if (!c)
			return malformed("the key names no column", e);
		t->key[t->key_count++] = (size_t)((struct wire_column *)c->value - t->columns);
	}
	return OK;
}

static int read_foreign(struct wire_table *t, const struct json *list, struct err *e)
{
	if (json_count(list) > WIRE_MAX_COLUMNS)
		return malformed("it has more foreign keys than a table can have columns", e);
	t->foreign = xcalloc(json_count(list), sizeof(*t->foreign));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *j = json_at(list, i), *columns = json_get(j, "columns");
		const struct json *parents = json_get(j, "references");
		const char *table = json_string(json_get(j, "table"));
		struct wire_foreign *f = &t->foreign[t->foreign_count++];

		if (!table || !json_count(columns) || json_count(columns) > WIRE_MAX_FOREIGN ||
		    json_count(columns) != json_count(parents))
			return malformed("a foreign key needs table, columns and as many "
					 "references, at most 32", e);
		f->table = xstrdup(table);
		f->count = json_count(columns);
		f->columns = xcalloc(f->count, sizeof(*f->columns));
		f->parent_columns = xcalloc(f->count, sizeof(*f->parent_columns));
		for (size_t k = 0; k < f->count; k++) {
			f->columns[k] = dup_or_null(json_at(columns, k));
			f->parent_columns[k] = dup_or_null(json_at(parents, k));
			if (!f->columns[k] || !f->parent_columns[k])
				return malformed("a name is not a string", e);
		}
	}
	return OK;
}

static int read_mode(struct wire_table *t, const struct json *mode, struct err *e)
{
	const char *name = json_string(mode);

	if (mode && (!name || (strcmp(name, "changes") != 0 && strcmp(name, "full") != 0)))
		return malformed("mode is neither full nor changes", e);
	t->mode = name && strcmp(name, "changes") == 0 ? WIRE_CHANGES : WIRE_FULL;
	return OK;
}

int wire_table_read(const struct json *doc, struct wire_table **out, struct err *e)
{
	const struct json *columns = json_get(doc, "columns"), *key = json_get(doc, "key");
	const struct json *foreign = json_get(doc, "foreign");
	const char *name = json_string(json_get(doc, "@table"));
	struct wire_table *t = *out = xcalloc(1, sizeof(*t));
	struct map index = { 0 };
	int rc = OK;

	t->name = xstrdup(name ? name : "");
	t->load = dup_or_null(json_get(doc, "load"));
	if (!name || !json_is_array(columns) || (key && !json_is_array(key)) ||
	    (foreign && !json_is_array(foreign)))
		rc = malformed("a table needs a name and lists of its columns and keys", e);
	if (rc == OK && (rc = read_mode(t, json_get(doc, "mode"), e)) == OK &&
	    (rc = read_columns(t, columns, &index, e)) == OK &&
	    (rc = read_key(t, key, &index, e)) == OK &&
	    (rc = read_foreign(t, foreign, e)) == OK)
		wire_table_finish(t);
	map_release(&index);
	return rc;
}

static struct wire_table *find_table(const struct wire_reader *r, struct str name)
{
	struct map_entry *entry = map_find(&r->by_name, name);

	return entry ? entry->value : NULL;
}

bool wire_same_columns(const struct wire_table *a, const struct wire_table *b)
{
	bool same = a->column_count == b->column_count;

	for (size_t i = 0; same && i < a->column_count; i++)
		same = strcmp(a->columns[i].name, b->columns[i].name) == 0 &&
		       strcmp(a->columns[i].type_name, b->columns[i].type_name) == 0;
	return same;
}

static void keep_table(struct wire_reader *r, struct wire_table *t)
{
	int added;

	GROW(r->tables, r->table_count, r->table_cap);
	map_add(&r->by_name, str_of(t->name), &added)->value = t;
	t->index = r->table_count;
	r->tables[r->table_count++] = t;
	if (r->field_cap < t->column_count) {
		r->field_cap = t->column_count;
		r->fields = xrealloc(r->fields, r->field_cap * sizeof(*r->fields));
	}
	r->table = t;
}

/* A string of a control line, or a name in one, as it is meant; valid until the next. */
static int text_of(struct wire_reader *r, struct str s, struct str *text, struct err *e)
{
	int rc;

	buf_reset(&r->text);
	rc = json_unescape(&r->text, s, e);
	*text = buf_str(&r->text);
	return rc;
}

static int read_announcement(struct wire_reader *r, struct wire_table **t, struct err *e)
{
	struct json *doc;
	int rc = json_parse_within(r->line, WIRE_MAX_ANNOUNCEMENT, JSON_MOST_DEPTH, &doc, e);

	if (rc == OK)
		rc = wire_table_read(doc, t, e);
	json_free(doc);
	return rc;
}

static int on_announcement(struct wire_reader *r, struct wire_table *known, struct err *e)
{
	size_t bytes = r->announced + (known ? 0 : r->line.len);
	struct wire_table *t = NULL;
	int rc = read_announcement(r, &t, e);

	if (rc == OK && bytes > WIRE_MAX_ANNOUNCEMENTS)
		rc = err_set(e, BAD_DATA, "the stream's tables take more than %d bytes to announce",
			     WIRE_MAX_ANNOUNCEMENTS);
	else if (rc == OK && known && !wire_same_columns(known, t))
		rc = err_set(e, BAD_DATA, "table \"%s\" was announced before with other columns",
			     known->name);
	if (rc == OK && !known) {
		r->announced = bytes;
		keep_table(r, t);
		return OK;
	}
	if (rc == OK) {
		known->mode = t->mode;
		r->table = known;
	}
	wire_table_free(t);
	return rc;
}

/* With columns it announces, without it switches back. at: behind the name. */
static int on_table(struct wire_reader *r, struct str name, size_t at, struct err *e)
{
	struct wire_table *known = find_table(r, name);
	struct field value;
	struct str key;
	int rc;

	r->announces = false;
	while ((rc = scan_member(r->line, &at, &key, &value, e)) == OK && value.kind != F_ABSENT)
		r->announces = r->announces || str_eqz(key, "\"columns\"");
	if (rc != OK || r->announces)
		return rc == OK ? on_announcement(r, known, e) : rc;
	if (!known)
		return err_set(e, BAD_DATA, "table \"%.*s\" was not announced", STR_ARG(name));
	r->table = known;
	return OK;
}

/* One table's count. */
static int check_count(struct wire_reader *r, struct str key, const struct field *count,
		       bool *counted, struct err *e)
{
	struct wire_table *t;
	struct str name;
	int64_t n;
	int rc = text_of(r, (struct str){ key.data + 1, key.len - 2 }, &name, e);

	if (rc != OK)
		return rc;
	t = find_table(r, name);
	if (!t || count->kind != F_NUMBER || !str_to_i64(count->text, 0, INT64_MAX, &n))
		return malformed("@end counts rows of a table that was not announced", e);
	if ((uint64_t)n != t->rows)
		return err_set(e, CUT_SHORT, "table \"%s\" has %llu rows where @end says %lld",
			       t->name, (unsigned long long)t->rows, (long long)n);
	if (counted[t->index])
		return malformed("@end counts a table twice", e);
	counted[t->index] = true;
	return OK;
}

static int on_end(struct wire_reader *r, const struct field *value, struct err *e)
{
	bool *counted = xcalloc(r->table_count, sizeof(*counted));
	struct field rows = { 0 }, count = { 0 };
	size_t told = 0, at = 0;
	struct str key = STR("");
	int rc = OK;

	/* rows is the first member, all that there is */
	if (value->kind != F_OBJECT ||
	    (rc = scan_member(value->text, &at, &key, &rows, e)) != OK ||
	    rows.kind != F_OBJECT || !str_eqz(key, "\"rows\""))
		rc = rc == OK ? malformed("@end counts no rows", e) : rc;
	for (at = 0; rc == OK; told++) {
		rc = scan_member(rows.text, &at, &key, &count, e);
		if (rc != OK || count.kind == F_ABSENT)
			break;
		rc = check_count(r, key, &count, counted, e);
	}
	free(counted);
	if (rc == OK && told != r->table_count)
		rc = err_set(e, CUT_SHORT, "@end counts %zu tables where %zu were announced", told,
			     r->table_count);
	r->ended = rc == OK;
	return rc;
}

/* What it does not understand, it must not take for the end of all rows. */
static int on_delete(struct wire_reader *r, struct str name, size_t at, struct err *e)
{
	struct wire_table *t = find_table(r, name);
	struct field value;
	struct str key;
	int rc;

	if (!t)
		return malformed("@delete names a table that was not announced", e);
	r->table = t;
	if ((rc = scan_member(r->line, &at, &key, &value, e)) != OK)
		return rc;
	if (value.kind == F_ABSENT) {
		for (size_t i = 0; i < t->column_count; i++)
			r->fields[i] = (struct field){ .text = STR("") };
		r->line = STR("");
		return OK;
	}
	if (!str_eqz(key, "\"key\"") || value.kind != F_OBJECT)
		return malformed("@delete has something else than a key", e);
	r->line = value.text;
	return scan_member(r->whole, &at, &key, &value, e) != OK || value.kind != F_ABSENT ?
		       malformed("@delete has something else than a key", e) : OK;
}

/* Whoever compares states must be able to read them. */
static int on_state(struct wire_reader *r, const struct field *value, struct err *e)
{
	struct json *doc;
	int rc;

	if (value->kind != F_OBJECT)
		return malformed("a state is an object", e);
	rc = json_parse(value->text, &doc, e);
	json_free(doc);
	r->line = value->text;
	return rc;
}

static int on_control(struct wire_reader *r, enum wire_event *event, struct err *e)
{
	struct field all, value;
	struct str what, name = STR("");
	size_t at = 0;
	int rc;

	if ((rc = scan_value(r->line, &all, e)) != OK ||
	    (rc = scan_member(r->line, &at, &what, &value, e)) != OK ||
	    (value.kind == F_STRING && (rc = text_of(r, value.text, &name, e)) != OK))
		return rc;
	if (str_eqz(what, "\"@table\"") && value.kind == F_STRING) {
		*event = WIRE_TABLE;
		return on_table(r, name, at, e);
	}
	if (str_eqz(what, "\"@delete\"") && value.kind == F_STRING) {
		*event = WIRE_DELETE;
		return on_delete(r, name, at, e);
	}
	if (str_eqz(what, "\"@state\"")) {
		*event = WIRE_STATE;
		return on_state(r, &value, e);
	}
	if (str_eqz(what, "\"@end\"")) {
		*event = WIRE_END;
		return on_end(r, &value, e);
	}
	return err_set(e, BAD_DATA, "unknown control line %.*s", STR_ARG(what));
}

/* --- reading lines --- */

void wire_open(struct wire_reader *r, int fd, const char *name, const char *bare_table,
	       uint64_t max_row)
{
	*r = (struct wire_reader){ .fd = fd, .name = name, .bare_table = bare_table,
				   .max_row = max_row ? max_row : WIRE_MAX_ROW };
}

void wire_preload(struct wire_reader *r, struct str bytes)
{
	buf_addstr(&r->buf, bytes);
	r->end = r->buf.len;
	r->bytes += bytes.len;
}

/* Without a table there is not even a header to write, and bare rows that have not one row look
 * like a producer that failed at once. */
int wire_no_table(const struct wire_reader *r, const char *wanted, struct err *e)
{
	if (!r->framed)
		return err_set(e, CUT_SHORT, "%s is empty: it has neither a frame nor a row",
			       r->name);
	if (wanted)
		return err_set(e, BAD_DATA, "the stream has no table \"%s\"", wanted);
	return err_set(e, BAD_DATA, "the stream has no table");
}

void wire_release(struct wire_reader *r)
{
	for (size_t i = 0; i < r->table_count; i++)
		wire_table_free(r->tables[i]);
	free(r->tables);
	free(r->fields);
	map_release(&r->by_name);
	buf_release(&r->text);
	buf_release(&r->buf);
	r->tables = NULL;
	r->fields = NULL;
	r->table_count = 0;
}

/* Read more behind what is there, moving the unread part to the front first. */
static int fill(struct wire_reader *r, struct err *e)
{
	ssize_t n;

	if (r->at > 0) {
		memmove(r->buf.data, r->buf.data + r->at, r->end - r->at);
		r->end -= r->at;
		r->at = 0;
	}
	r->buf.len = r->end;
	buf_need(&r->buf, READ_CHUNK);
	do
		n = read(r->fd, r->buf.data + r->end, r->buf.cap - r->end - 1);
	while (n < 0 && errno == EINTR && !sig_caught());
	if (n < 0)
		return err_errno(e, "could not read %s", r->name);
	r->eof = n == 0;
	r->end += (size_t)n;
	r->bytes += (uint64_t)n;
	return OK;
}

/* The input ends behind have bytes that no line break ends. A bare row that is a whole object lacks
 * nothing, a frame is not over; a whole array has its own failure. */
static int end_of_line(struct wire_reader *r, size_t have, struct err *e)
{
	struct str rest = { r->buf.data + r->at, have };
	bool bare = r->bare || (!r->framed && r->bare_table);
	struct field value;

	if (bare && scan_value(rest, &value, e) == OK &&
	    (value.kind == F_OBJECT || value.kind == F_ARRAY)) {
		r->buf.len = r->end;
		buf_need(&r->buf, 1);
		r->buf.data[r->end++] = '\n';
		return OK;
	}
	err_set(e, CUT_SHORT, "%s: line %llu is cut off: no line break ends it", r->name,
		(unsigned long long)r->line_no + 1);
	return err_hint(e, CUT_SHORT, bare ?
			"The producer did not finish the row: run it again." :
			"The producer did not finish, or its last line, @end, needs a line break.");
}

/* Set r->line to the next line; data NULL at the end of input. */
static int next_line(struct wire_reader *r, struct err *e)
{
	size_t looked = 0;
	int rc;

	for (;;) {
		size_t have = r->end - r->at;
		const char *start = have ? r->buf.data + r->at : "";
		const char *nl = have > looked ? memchr(start + looked, '\n', have - looked) : NULL;

		if ((nl ? (size_t)(nl - start) : have) > r->max_row)
			return err_set(e, BAD_DATA, "%s: line %llu is longer than %llu bytes",
				       r->name, (unsigned long long)r->line_no + 1,
				       (unsigned long long)r->max_row),
			       err_hint(e, BAD_DATA,
					"Raise the limit with --max-row if such rows are meant.");
		if (nl) {
			r->line = (struct str){ start, (size_t)(nl - start) };
			r->whole = (struct str){ start, r->line.len + 1 };
			r->at += r->line.len + 1;
			r->line_no++;
			return OK;
		}
		if (r->eof) {
			r->line = (struct str){ 0 };
			if (have == 0 || (rc = end_of_line(r, have, e)) != OK)
				return have ? rc : OK;
			continue;
		}
		looked = have;
		if ((rc = fill(r, e)) != OK)
			return rc;
	}
}

int wire_blame(const struct wire_reader *r, int kind, struct err *e)
{
	if (r->table)
		return err_wrap(e, kind, "%s: line %llu (table \"%s\")", r->name,
				(unsigned long long)r->line_no, r->table->name);
	return err_wrap(e, kind, "%s: line %llu", r->name, (unsigned long long)r->line_no);
}

static bool is_blank(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != ' ' && s.data[i] != '\t' && s.data[i] != '\r')
			return false;
	return true;
}

/* A control line's first key starts with one @; two are a column's name. */
bool wire_is_control(struct str s)
{
	size_t i = 0;

	if (s.len > 3 && s.data[0] == '{' && s.data[1] == '"')
		return s.data[2] == '@' && s.data[3] != '@';
	while (i < s.len && (s.data[i] == ' ' || s.data[i] == '\t'))
		i++;
	if (i == s.len || s.data[i++] != '{')
		return false;
	while (i < s.len && (s.data[i] == ' ' || s.data[i] == '\t'))
		i++;
	return i + 2 < s.len && s.data[i] == '"' && s.data[i + 1] == '@' && s.data[i + 2] != '@';
}

/* One column of a bare row. names: those of the columns before. */
static int add_bare(struct wire_table *t, struct map *names, struct str name,
		    const struct field *value, struct err *e)
{
	static const char *const types[] = {
		[F_NULL] = "text", [F_STRING] = "text", [F_NUMBER] = "numeric", [F_TRUE] = "bool",
		[F_FALSE] = "bool", [F_ARRAY] = "jsonb", [F_OBJECT] = "jsonb",
	};
	int added;

	if (t->column_count == WIRE_MAX_COLUMNS)
		return too_wide(t, e);
	map_add(names, name, &added);
	if (!added)
		return err_set(e, BAD_DATA, "column \"%.*s\" comes twice", STR_ARG(name));
	t->columns[t->column_count++] = (struct wire_column){
		.name = xstrndup(name.data, name.len),
		.type_name = xstrdup(types[value->kind]),
	};
	return OK;
}

/* The table of bare rows is made from the first of them. */
static int announce_bare(struct wire_reader *r, struct err *e)
{
	struct wire_table *t = xcalloc(1, sizeof(*t));
	struct map names = { 0 };
	struct field value;
	struct str key, name;
	size_t at = 0;
	int rc;

	t->name = xstrdup(r->bare_table);
	t->columns = xcalloc(WIRE_MAX_COLUMNS, sizeof(*t->columns));
	while ((rc = scan_member(r->line, &at, &key, &value, e)) == OK && value.kind != F_ABSENT)
		if ((rc = text_of(r, (struct str){ key.data + 1, key.len - 2 }, &name, e)) != OK ||
		    (rc = add_bare(t, &names, name, &value, e)) != OK)
			break;
	map_release(&names);
	if (rc != OK) {
		wire_table_free(t);
		return rc;
	}
	wire_table_finish(t);
	keep_table(r, t);
	r->bare = r->announces = true;
	return OK;
}

static int at_end_of_input(struct wire_reader *r, enum wire_event *event, struct err *e)
{
	*event = WIRE_EOF;
	if (r->ended || r->bare)
		return OK;
	if (r->framed)
		return err_set(e, CUT_SHORT,
			       "%s ended after line %llu, before its @end: the producer did "
			       "not finish",
			       r->name, (unsigned long long)r->line_no);
	if (r->bare_table) /* no rows are no rows */
		return OK;
	err_set(e, CUT_SHORT, "%s is empty: the producer did not even start its frame", r->name);
	return err_hint(e, CUT_SHORT, "For bare rows, name their table with --table.");
}

int wire_next(struct wire_reader *r, enum wire_event *event, struct err *e)
{
	int rc;

	do {
		if ((rc = next_line(r, e)) != OK)
			return rc;
		if (!r->line.data)
			return at_end_of_input(r, event, e);
	} while (is_blank(r->line));
	if (r->ended)
		return err_set(e, BAD_DATA, "%s: line %llu stands behind @end", r->name,
			       (unsigned long long)r->line_no);
	if (wire_is_control(r->line)) {
		if (r->bare)
			return err_set(e, BAD_DATA, "%s: line %llu: a control line among bare rows",
				       r->name, (unsigned long long)r->line_no);
		r->framed = true;
		rc = on_control(r, event, e);
		return rc == OK ? OK : wire_blame(r, rc, e);
	}
	if (!r->table && !r->framed && r->bare_table) {
		if ((rc = announce_bare(r, e)) != OK) {
			if (r->line.data[strspn(r->line.data, " \t")] == '[')
				err_hint(e, rc, "Make an array lines of objects: jq -c '.[]'");
			return wire_blame(r, rc, e);
		}
		r->at -= r->line.len + 1; /* the row itself comes next */
		r->line_no--;
		*event = WIRE_TABLE;
		return OK;
	}
	if (!r->table) {
		err_set(e, BAD_DATA, "%s: line %llu is a row of no table", r->name,
			(unsigned long long)r->line_no);
		return err_hint(e, BAD_DATA, "For bare rows, name their table with --table.");
	}
	r->table->rows++;
	*event = WIRE_ROW;
	return OK;
}

int wire_fields(struct wire_reader *r, struct err *e)
{
	int rc = scan_row(r->line, &r->table->keys, r->fields, e);

	return rc == OK ? OK : wire_blame(r, rc, e);
}

/* --- writing --- */

static void add_z(struct buf *b, const char *lead, const char *z)
{
	buf_addz(b, lead);
	json_add_string(b, str_of(z));
}

static void add_names(struct buf *b, const char *lead, char *const *names, size_t count)
{
	buf_addz(b, lead);
	for (size_t i = 0; i < count; i++)
		add_z(b, i ? "," : "", names[i]);
	buf_addch(b, ']');
}

void wire_add_table(struct buf *b, const struct wire_table *t)
{
	add_z(b, "{\"@table\":", t->name);
	buf_addz(b, ",\"columns\":[");
	for (size_t i = 0; i < t->column_count; i++) {
		const struct wire_column *c = &t->columns[i];

		add_z(b, i ? ",{\"name\":" : "{\"name\":", c->name);
		add_z(b, ",\"type\":", c->type_name);
		if (c->notnull)
			buf_addz(b, ",\"notnull\":true");
		if (c->generated)
			add_z(b, ",\"generated\":", c->generated);
		buf_addch(b, '}');
	}
	buf_addz(b, "]");
	if (t->key_count) {
		buf_addz(b, ",\"key\":[");
		for (size_t i = 0; i < t->key_count; i++)
			add_z(b, i ? "," : "", t->columns[t->key[i]].name);
		buf_addz(b, "]");
	}
	for (size_t i = 0; i < t->foreign_count; i++) {
		const struct wire_foreign *f = &t->foreign[i];

		add_names(b, i ? ",{\"columns\":[" : ",\"foreign\":[{\"columns\":[", f->columns,
			  f->count);
		add_z(b, ",\"table\":", f->table);
		add_names(b, ",\"references\":[", f->parent_columns, f->count);
		buf_addz(b, i + 1 < t->foreign_count ? "}" : "}]");
	}
	buf_addz(b, t->mode == WIRE_FULL ? ",\"mode\":\"full\"" : ",\"mode\":\"changes\"");
	if (t->load)
		add_z(b, ",\"load\":", t->load);
	buf_addz(b, "}\n");
}

void wire_add_switch(struct buf *b, const struct wire_table *t)
{
	add_z(b, "{\"@table\":", t->name);
	buf_addz(b, "}\n");
}

void wire_add_state(struct buf *b, struct str state)
{
	buf_addz(b, "{\"@state\":");
	buf_addstr(b, state);
	buf_addz(b, "}\n");
}

void wire_add_delete(struct buf *b, const struct wire_table *t, struct str key)
{
	add_z(b, "{\"@delete\":", t->name);
	if (key.len) {
		buf_addz(b, ",\"key\":");
		buf_addstr(b, key);
	}
	buf_addz(b, "}\n");
}

void wire_add_end(struct buf *b, struct wire_table *const *tables, size_t count)
{
	buf_addz(b, "{\"@end\":{\"rows\":{");
	for (size_t i = 0; i < count; i++) {
		add_z(b, i ? "," : "", tables[i]->name);
		buf_addch(b, ':');
		buf_add_u64(b, tables[i]->rows);
	}
	buf_addz(b, "}}}\n");
}
