/* refs - the rows that a star's joins need between runs */
#include "refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "mem.h"
#include "state.h"
#include "store.h"
#include "value.h"

enum {
	CHUNK = 256 * 1024,
	LOCK_TRIES = 80 /* in tenths of a second */
};

struct refs {
	char *where; /* as the user gave it */
	struct store *store;
	char *key;
	int lock;                 /* beside a file; -1 on S3 */
	struct wire_reader file;  /* owns the tables it announced */
	struct refs_table **tables;
	size_t count, cap;
	struct buf state;
	bool changed;
};

/* --- tables and rows --- */

bool refs_is_ahead(const struct refs *r, struct str state)
{
	return state_order(state, buf_str(&r->state)) == STATE_OLDER;
}

int refs_check(const struct refs *r, struct str state, struct err *e)
{
	bool changes = false;

	for (size_t i = 0; i < r->count; i++)
		changes = changes || r->tables[i]->table->mode == WIRE_CHANGES;
	if (!changes || !state_skips(state, buf_str(&r->state)))
		return OK;
	return err_set(e, BAD_DATA,
		       "the store %s does not reach to where these changes begin: it is one of an "
		       "earlier time, or of another pipe",
		       r->where);
}

struct refs_table *refs_find(const struct refs *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->tables[i]->name, name) == 0)
			return r->tables[i];
	return NULL;
}

static struct refs_table *add_table(struct refs *r, const struct wire_table *table)
{
	struct refs_table *t = xcalloc(1, sizeof(*t));

	GROW(r->tables, r->count, r->cap);
	r->tables[r->count++] = t;
	t->name = xstrdup(table->name);
	t->table = table;
	t->fields = xcalloc(table->column_count, sizeof(*t->fields));
	return t;
}

static bool same_table(const struct wire_table *a, const struct wire_table *b)
{
	bool same = wire_same_columns(a, b) && a->key_count == b->key_count;

	for (size_t i = 0; same && i < a->key_count; i++)
		same = a->key[i] == b->key[i];
	return same;
}

static int unknown(const struct refs *r, const struct wire_table *table, const char *why,
		   struct err *e)
{
	return err_set(e, USAGE, "table \"%s\" comes as changes, and %s %s", table->name, r->where,
		       why);
}

int refs_announce(struct refs *r, const struct wire_table *table, struct err *e)
{
	struct refs_table *t = refs_find(r, table->name);

	if (table->mode == WIRE_CHANGES) {
		if (!t)
			return unknown(r, table, "does not have its rows", e);
		if (!same_table(t->table, table))
			return unknown(r, table, "has it with other columns", e);
	} else if (t) {
		refs_clear(t);
		t->fields = xrealloc(t->fields, (table->column_count + 1) * sizeof(*t->fields));
	} else {
		t = add_table(r, table);
	}
	t->table = table;
	r->changed = r->changed || table->mode == WIRE_FULL;
	return OK;
}

/* The bytes of a row's key, equal where PostgreSQL's values are. */
static int name_row(struct refs_table *t, const struct field *fields, struct err *e)
{
	const struct wire_table *w = t->table;
	struct buf *name = &t->key;

	buf_reset(name);
	arena_reset(&t->values);
	for (size_t i = 0; i < w->key_count; i++) {
		const struct wire_column *c = &w->columns[w->key[i]];
		struct sqltype type = sqltype_of_wire(&c->type, c->type_name);
		const struct field *f = &fields[w->key[i]];
		struct value v = { 0 };
		int rc = f->kind <= F_NULL ? err_set(e, BAD_DATA, "a part of its key is NULL") :
					     value_from_field(&v, type, f, &t->values, e);

		if (rc != OK)
			return err_wrap(e, rc, "column \"%s\"", c->name);
		value_add_key(name, type, &v);
	}
	return OK;
}

static int put(struct refs_table *t, const struct field *fields, struct str line,
	       struct refs_row **put, struct err *e)
{
	struct map_entry *entry;
	struct refs_row *row;
	int added, rc = name_row(t, fields, e);

	if (rc != OK)
		return rc;
	entry = map_add(&t->by_key, buf_str(&t->key), &added);
	if (added) {
		entry->value = xcalloc(1, sizeof(*row));
		GROW(t->rows, t->count, t->cap);
		t->rows[t->count++] = entry->value;
	}
	*put = row = entry->value;
	free(row->line);
	row->line = line.len ? xstrndup(line.data, line.len) : NULL;
	row->len = line.len;
	return OK;
}

int refs_put(struct refs_table *t, const struct field *fields, struct str line, struct err *e)
{
	struct refs_row *row;
	int rc = put(t, fields, line, &row, e);

	if (rc == OK && !row->touched) {
		row->touched = true;
		t->touched++;
	}
	return rc;
}

void refs_clear(struct refs_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->rows[i]->line);
		free(t->rows[i]);
	}
	t->touched += t->count; /* it has changed even if no row follows */
	t->count = 0;
	map_release(&t->by_key);
}

int refs_scan(const struct refs_table *t, const struct refs_row *row, struct err *e)
{
	return scan_row((struct str){ row->line, row->len }, &t->table->keys, t->fields, e);
}

/* --- the store --- */

static int no_store(const struct refs *r, const char *why, struct err *e)
{
	err_set(e, BAD_DATA, "%s", why);
	return wire_blame(&r->file, BAD_DATA, e);
}

/* Each table once, whole and with a key: else rows would be joined that no longer are. */
static int load_table(struct refs *r, struct err *e)
{
	const struct wire_table *table = r->file.table;

	if (!r->file.announces || refs_find(r, table->name))
		return no_store(r, "a store has each table once", e);
	if (table->key_count == 0 || table->mode != WIRE_FULL)
		return no_store(r, "a store has whole tables with keys", e);
	add_table(r, table);
	return OK;
}

static int load_row(struct refs *r, struct err *e)
{
	struct refs_row *row;
	int rc = wire_fields(&r->file, e);

	if (rc != OK)
		return rc;
	rc = put(r->tables[r->count - 1], r->file.fields, r->file.line, &row, e);
	return rc == OK ? OK : wire_blame(&r->file, rc, e);
}

static int load_rows(struct refs *r, struct err *e)
{
	enum wire_event event;
	int rc;

	while ((rc = wire_next(&r->file, &event, e)) == OK && event != WIRE_EOF) {
		if (event == WIRE_TABLE)
			rc = load_table(r, e);
		else if (event == WIRE_ROW)
			rc = load_row(r, e);
		else if (event == WIRE_DELETE)
			rc = no_store(r, "a store has no deleted rows", e);
		else if (event == WIRE_STATE && r->state.len)
			rc = no_store(r, "a store has one state", e);
		else if (event == WIRE_STATE)
			buf_addstr(&r->state, r->file.line);
		if (rc != OK)
			break;
	}
	if (rc == CUT_SHORT || rc == BAD_DATA) {
		rc = BAD_DATA;
		err_hint(e, rc,
			 "It is no store of star-transform's: remove it and extract all rows.");
	}
	return rc;
}

/* Runs that share a store must not overlap. The store itself is replaced by each, so a file beside
 * it is locked. Of two runs a loader lets one through and ends the other, which may be the one that
 * has this lock: so wait longer than a loader does. */
static int take_lock(struct refs *r, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	struct buf path = { 0 };
	int rc = OK, tries = LOCK_TRIES;

	buf_addf(&path, "%s.lock", r->key);
	r->lock = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (r->lock < 0)
		rc = err_errno(e, "could not create %s", path.data);
	while (rc == OK && flock(r->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			rc = err_errno(e, "could not lock %s", path.data);
		else if (--tries == 0)
			rc = err_set(e, LOST_RACE, "another run uses the store %s", r->where);
		else
			nanosleep(&pause, NULL);
	}
	buf_release(&path);
	return rc;
}

static int open_store(struct refs *r, struct err *e)
{
	struct buf url = { 0 };
	char *here;
	int rc;

	if (strstr(r->where, "://")) {
		buf_addz(&url, r->where);
	} else {
		here = *r->where == '/' ? NULL : getcwd(NULL, 0);
		buf_addf(&url, "file://%s%s%s", here ? here : "", here ? "/" : "", r->where);
		free(here);
	}
	rc = store_open(url.data, &r->store, &r->key, e);
	if (rc == OK && strncmp(url.data, "file://", 7) == 0)
		rc = take_lock(r, e);
	buf_release(&url);
	return rc;
}

static int read_store(struct refs *r, struct err *e)
{
	struct buf text = { 0 };
	bool found = true;
	int fd, rc = OK;

	if (r->lock >= 0) {
		fd = open(r->key, O_RDONLY | O_CLOEXEC);
		found = fd >= 0 || errno != ENOENT;
	} else {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* behind what is preloaded */
		rc = store_get(r->store, r->key, STORE_MAX_ROWS, &text, &found, e);
	}
	r->changed = !found;
	if (rc == OK && found && fd < 0)
		rc = err_errno(e, "could not open %s", r->where);
	if (rc == OK && found) {
		wire_open(&r->file, fd, r->where, NULL, UINT64_MAX);
		wire_preload(&r->file, buf_str(&text));
		buf_release(&text); /* it may be large */
		rc = load_rows(r, e);
		buf_release(&r->file.buf); /* the tables are still needed */
	}
	if (fd >= 0)
		close(fd);
	buf_release(&text);
	return rc;
}

int refs_open(const char *where, struct refs **r, struct err *e)
{
	int rc;

	*r = xcalloc(1, sizeof(**r));
	(*r)->where = xstrdup(where);
	(*r)->lock = -1;
	rc = open_store(*r, e);
	return rc == OK ? read_store(*r, e) : rc;
}

static int write_table(const struct refs_table *t, struct wire_table *head, struct buf *b,
		       struct upload *u, struct err *e)
{
	int rc = OK;

	*head = *t->table;
	head->mode = WIRE_FULL;
	head->rows = 0;
	wire_add_table(b, head);
	for (size_t i = 0; i < t->count && rc == OK; i++) {
		if (!t->rows[i]->line)
			continue;
		buf_add(b, t->rows[i]->line, t->rows[i]->len);
		buf_addch(b, '\n');
		head->rows++;
		if (b->len >= CHUNK) {
			rc = upload_write(u, buf_str(b), e);
			buf_reset(b);
		}
	}
	return rc;
}

static int write_store(struct refs *r, struct str state, struct err *e)
{
	struct wire_table *heads = xcalloc(r->count, sizeof(*heads));
	struct wire_table **list = xcalloc(r->count, sizeof(*list));
	struct upload *u = NULL;
	struct buf b = { 0 };
	int rc = upload_open(r->store, r->key, "application/x-ndjson", &u, e);

	for (size_t i = 0; i < r->count && rc == OK; i++) {
		list[i] = &heads[i];
		rc = write_table(r->tables[i], &heads[i], &b, u, e);
	}
	if (rc == OK) {
		wire_add_state(&b, state);
		wire_add_end(&b, list, r->count);
		rc = upload_write(u, buf_str(&b), e);
	}
	if (rc == OK && (rc = upload_commit(u, e)) == OK)
		u = NULL;
	upload_abort(u);
	buf_release(&b);
	free(heads);
	free(list);
	return rc == OK ? OK : err_wrap(e, rc, "the store %s", r->where);
}

int refs_settle(struct refs *r, struct str state, struct err *e)
{
	int rc;

	for (size_t i = 0; i < r->count; i++)
		r->changed = r->changed || r->tables[i]->touched;
	if (refs_is_ahead(r, state) ||
	    (!r->changed && state_order(state, buf_str(&r->state)) != STATE_NEWER))
		return OK;
	if ((rc = write_store(r, state, e)) != OK)
		return rc;
	r->changed = false;
	buf_reset(&r->state);
	buf_addstr(&r->state, state);
	for (size_t i = 0; i < r->count; i++) {
		struct refs_table *t = r->tables[i];

		for (size_t k = 0; k < t->count; k++)
			t->rows[k]->touched = false;
		t->touched = 0;
	}
	return OK;
}

void refs_close(struct refs *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++) {
		struct refs_table *t = r->tables[i];

		refs_clear(t);
		free(t->rows);
		free(t->fields);
		buf_release(&t->key);
		arena_release(&t->values);
		free(t->name);
		free(t);
	}
	free(r->tables);
	wire_release(&r->file);
	store_close(r->store);
	if (r->lock >= 0)
		close(r->lock);
	buf_release(&r->state);
	free(r->key);
	free(r->where);
	free(r);
}
