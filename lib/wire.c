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

/* An array of strings; *count stays 0 when j is absent. */
static int read_names(const struct json *j, char ***names, size_t *count, struct err *e)
{
	*names = xcalloc(json_count(j), sizeof(**names));
	for (size_t i = 0; i < json_count(j); i++) {
		const char *s = json_string(json_at(j, i));

		if (!s)
			return malformed("a name is not a string", e);
		(*names)[(*count)++] = xstrdup(s);
	}
	return OK;
}

static int read_columns(struct wire_table *t, const struct json *columns, struct err *e)
{
	size_t n = json_count(columns);

	t->columns = xcalloc(n, sizeof(*t->columns));
	for (size_t i = 0; i < n; i++) {
		const struct json *c = json_at(columns, i);
		const char *name = json_string(json_get(c, "name"));
		const char *type = json_string(json_get(c, "type")), *why;

		if (!name || !type)
			return malformed("a column needs a name and a type", e);
		if (wire_column_index(t, str_of(name)) < t->column_count)
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

static int read_key(struct wire_table *t, const struct json *key, struct err *e)
{
	t->key = xcalloc(json_count(key), sizeof(*t->key));
	for (size_t i = 0; i < json_count(key); i++) {
		const char *name = json_string(json_at(key, i));
		size_t c = name ? wire_column_index(t, str_of(name)) : t->column_count;

		if (c == t->column_count)
			return malformed("the key names no column", e);
		t->key[t->key_count++] = c;
	}
	return OK;
}

static int read_foreign(struct wire_table *t, const struct json *list, struct err *e)
{
	t->foreign = xcalloc(json_count(list), sizeof(*t->foreign));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *j = json_at(list, i);
		struct wire_foreign *f = &t->foreign[t->foreign_count++];
		size_t parents = 0;
		int rc;

		f->table = dup_or_null(json_get(j, "table"));
		if ((rc = read_names(json_get(j, "columns"), &f->columns, &f->count, e)) != OK ||
		    (rc = read_names(json_get(j, "references"), &f->parent_columns, &parents, e)) !=
			    OK)
			return rc;
		if (!f->table || f->count == 0 || f->count != parents)
			return malformed("a foreign key needs table, columns and references", e);
	}
	return OK;
}

int wire_table_read(const struct json *doc, struct wire_table **out, struct err *e)
{
	struct wire_table *t = xcalloc(1, sizeof(*t));
	const char *mode = json_string(json_get(doc, "mode"));
	const char *name = json_string(json_get(doc, "@table"));
	int rc;

	*out = t;
	t->name = xstrdup(name ? name : "");
	t->load = dup_or_null(json_get(doc, "load"));
	if (mode && strcmp(mode, "changes") == 0)
		t->mode = WIRE_CHANGES;
	else if (mode && strcmp(mode, "full") != 0)
		return malformed("mode is neither full nor changes", e);
	if ((rc = read_columns(t, json_get(doc, "columns"), e)) != OK ||
	    (rc = read_key(t, json_get(doc, "key"), e)) != OK ||
	    (rc = read_foreign(t, json_get(doc, "foreign"), e)) != OK)
		return rc;
	wire_table_finish(t);
	return OK;
}

static struct wire_table *find_table(const struct wire_reader *r, const char *name)
{
	for (size_t i = 0; i < r->table_count; i++)
		if (strcmp(r->tables[i]->name, name) == 0)
			return r->tables[i];
	return NULL;
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
	GROW(r->tables, r->table_count, r->table_cap);
	t->index = r->table_count;
	r->tables[r->table_count++] = t;
	if (r->field_cap < t->column_count) {
		r->field_cap = t->column_count;
		r->fields = xrealloc(r->fields, r->field_cap * sizeof(*r->fields));
	}
	r->table = t;
}

static int on_table(struct wire_reader *r, const struct json *doc, const char *name, struct err *e)
{
	struct wire_table *known = find_table(r, name), *t = NULL;
	int rc;

	r->announces = json_get(doc, "columns") != NULL;
	if (!r->announces) { /* a switch back */
		if (!known)
			return err_set(e, BAD_DATA, "table \"%s\" was not announced", name);
		r->table = known;
		return OK;
	}
	if ((rc = wire_table_read(doc, &t, e)) != OK)
		goto drop;
	if (!known) {
		keep_table(r, t);
		return OK;
	}
	if (!wire_same_columns(known, t)) {
		rc = err_set(e, BAD_DATA, "table \"%s\" was announced before with other columns",
			     name);
		goto drop;
	}
	known->mode = t->mode;
	r->table = known;
drop:
	wire_table_free(t);
	return rc;
}

static int on_end(struct wire_reader *r, const struct json *doc, struct err *e)
{
	const struct json *rows = json_get(doc, "rows");
	size_t told = 0;

	for (size_t i = 0; i < json_members(rows); i++) {
		const char *name;
		int64_t n;
		const struct json *count = json_member(rows, i, &name);
		struct wire_table *t = find_table(r, name);

		if (!json_int(count, &n) || !t)
			return malformed("@end counts rows of a table that was not announced", e);
		if ((uint64_t)n != t->rows)
			return err_set(e, CUT_SHORT,
				       "table \"%s\" has %llu rows where @end says %lld", name,
				       (unsigned long long)t->rows, (long long)n);
		told++;
	}
	if (told != r->table_count)
		return err_set(e, CUT_SHORT, "@end counts %zu tables where %zu were announced",
			       told, r->table_count);
	r->ended = true;
	return OK;
}

/* The control line's member of that name, as it stands: what a state or a deleted row's key is.
 * Empty if there is none. */
static int raw_value(struct wire_reader *r, const char *name, struct err *e)
{
	struct str key, line = r->line;
	struct field value;
	size_t at = 0;
	int rc;

	while ((rc = scan_member(line, &at, &key, &value, e)) == OK && value.kind != F_ABSENT)
		if (key.len == strlen(name) + 2 && memcmp(key.data + 1, name, key.len - 2) == 0) {
			if (value.kind != F_OBJECT)
				return malformed("an object is expected", e);
			r->line = value.text;
			return OK;
		}
	r->line = STR("");
	return rc;
}

static int on_delete(struct wire_reader *r, const char *name, struct err *e)
{
	struct wire_table *t = name ? find_table(r, name) : NULL;

	if (!t)
		return malformed("@delete names a table that was not announced", e);
	r->table = t;
	return raw_value(r, "key", e);
}

static int on_control(struct wire_reader *r, enum wire_event *event, struct err *e)
{
	struct json *doc = NULL;
	const char *what = NULL;
	const struct json *value;
	struct field all;
	int rc = scan_value(r->line, &all, e); /* yajl overlooks half a token behind the object */

	if (rc != OK || (rc = json_parse(r->line, &doc, e)) != OK)
		return rc;
	value = json_member(doc, 0, &what);
	if (!what) {
		rc = malformed("it is empty", e);
	} else if (strcmp(what, "@table") == 0 && json_string(value)) {
		*event = WIRE_TABLE;
		rc = on_table(r, doc, json_string(value), e);
	} else if (strcmp(what, "@delete") == 0) {
		*event = WIRE_DELETE;
		rc = on_delete(r, json_string(value), e);
	} else if (strcmp(what, "@state") == 0) {
		*event = WIRE_STATE;
		rc = raw_value(r, "@state", e);
	} else if (strcmp(what, "@end") == 0) {
		*event = WIRE_END;
		rc = on_end(r, value, e);
	} else {
		rc = err_set(e, BAD_DATA, "unknown control line \"%s\"", what);
	}
	json_free(doc);
	return rc;
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

/* Set r->line to the next line; data NULL at the end of input. */
static int next_line(struct wire_reader *r, struct err *e)
{
	size_t looked = 0;
	int rc;

	for (;;) {
		size_t have = r->end - r->at;
		const char *start = r->buf.data + r->at;
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
			return have == 0 ?
				       OK :
				       err_set(e, CUT_SHORT,
					       "%s: line %llu is cut off: no line break ends it",
					       r->name, (unsigned long long)r->line_no + 1);
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

/* The table of bare rows is made from the first of them. */
static int announce_bare(struct wire_reader *r, struct err *e)
{
	static const char *const types[] = {
		[F_NULL] = "text", [F_STRING] = "text", [F_NUMBER] = "numeric", [F_TRUE] = "bool",
		[F_FALSE] = "bool", [F_ARRAY] = "jsonb", [F_OBJECT] = "jsonb",
	};
	struct wire_table *t = xcalloc(1, sizeof(*t));
	struct buf name = { 0 };
	struct field value;
	struct str key;
	size_t at = 0, cap = 0;
	int rc;

	t->name = xstrdup(r->bare_table);
	while ((rc = scan_member(r->line, &at, &key, &value, e)) == OK && value.kind != F_ABSENT) {
		buf_reset(&name);
		rc = json_unescape(&name, (struct str){ key.data + 1, key.len - 2 }, e);
		if (rc != OK)
			break;
		GROW(t->columns, t->column_count, cap);
		t->columns[t->column_count++] = (struct wire_column){
			.name = xstrndup(name.data ? name.data : "", name.len),
			.type_name = xstrdup(types[value.kind]),
		};
	}
	buf_release(&name);
	if (rc != OK) {
		t->prefix = NULL;
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
		if ((rc = announce_bare(r, e)) != OK)
			return wire_blame(r, rc, e);
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
