/* lake - steps and commit records */
#include "lake.h"

#include <stdlib.h>

#include "hash.h"
#include "json.h"
#include "mem.h"

struct lake {
	struct store *store;
	char *root;            /* key up to and with the slash */
	uint64_t last;         /* number of the last record */
	struct buf state;
};

/* --- records --- */

static void record_key(const struct lake *l, uint64_t n, struct buf *key)
{
	buf_reset(key);
	buf_addf(key, "%s_commits/%020llu.json", l->root, (unsigned long long)n);
}

static int has_record(struct lake *l, uint64_t n, bool *found, struct buf *text, struct err *e)
{
	struct buf key = { 0 };
	int rc;

	record_key(l, n, &key);
	buf_reset(text);
	rc = store_get(l->store, key.data, STORE_MAX_RECORD, text, found, e);
	buf_release(&key);
	return rc;
}

/* Records have no gaps: double until one is missing, then halve. */
static int find_last(struct lake *l, struct err *e)
{
	struct buf text = { 0 };
	uint64_t below = 0, above = 1;
	bool found = true;
	int rc = OK;

	while (rc == OK && found) {
		rc = has_record(l, above, &found, &text, e);
		if (found) {
			below = above;
			above *= 2;
		}
	}
	while (rc == OK && above - below > 1) {
		uint64_t middle = below + (above - below) / 2;

		rc = has_record(l, middle, &found, &text, e);
		if (found)
			below = middle;
		else
			above = middle;
	}
	l->last = below;
	if (rc == OK && below)
		rc = has_record(l, below, &found, &text, e);
	if (rc == OK && below) {
		struct str key;
		struct field v;
		size_t at = 0;

		while ((rc = scan_member(buf_str(&text), &at, &key, &v, e)) == OK &&
		       v.kind != F_ABSENT)
			if (str_eqz(key, "\"state\"") && v.kind == F_OBJECT)
				buf_addstr(&l->state, v.text);
		if (rc != OK)
			err_wrap(e, rc, "commit record %llu", (unsigned long long)below);
	}
	buf_release(&text);
	return rc;
}

int lake_open(const char *url, struct lake **l, struct err *e)
{
	int rc;

	*l = xcalloc(1, sizeof(**l));
	rc = store_open(url, &(*l)->store, &(*l)->root, e);
	return rc == OK ? find_last(*l, e) : rc;
}

struct str lake_state(const struct lake *l)
{
	return buf_str(&l->state);
}

struct store *lake_store(const struct lake *l)
{
	return l->store;
}

const char *lake_root(const struct lake *l)
{
	return l->root;
}

void lake_add_folder(struct buf *b, const char *name)
{
	const unsigned char *c = (const unsigned char *)name;

	if (!*c)
		buf_addz(b, "%00");
	for (; *c; c++) {
		bool first = (const char *)c == name;

		if (*c == '%' || *c == '/' || *c == '=' || *c < 0x20 || *c == 0x7f ||
		    (first && (*c == '.' || *c == '_')))
			buf_addf(b, "%%%02X", *c);
		else
			buf_addch(b, (char)*c);
	}
}

int lake_append(struct lake *l, struct str record, struct str state, struct err *e)
{
	struct buf key = { 0 };
	int rc;

	record_key(l, l->last + 1, &key);
	rc = store_put(l->store, key.data, record, true, e);
	buf_release(&key);
	if (rc != OK)
		return rc;
	l->last++;
	buf_reset(&l->state);
	buf_addstr(&l->state, state);
	return OK;
}

/* --- reading --- */

enum { PIECE = 4 << 20 }; /* of an object: one request */

enum { WINDOWS = 32, WINDOW = 512 * 1024 }; /* 16 MiB at most */

struct window {
	struct buf bytes;
	uint64_t number;       /* of its place: number * WINDOW */
	uint64_t used;         /* 0: never; else the later the higher */
};

struct lake_reader {
	struct lake *lake;
	const struct lake_object *object;
	struct buf key, version, piece;
	struct str unread;     /* of piece */
	uint64_t bytes;
	bool last;             /* piece is the last one */
	struct hash *hash;
	struct decompressor *decompressor;
	struct window windows[WINDOWS];
	uint64_t uses;
};

uint64_t lake_last(const struct lake *l)
{
	return l->last;
}

/* Below ROOT, and nowhere else. */
static bool is_path(const char *path)
{
	if (!path || *path == '/')
		return false;
	while (path) {
		if (strncmp(path, "..", 2) == 0 && (path[2] == '/' || !path[2]))
			return false;
		path = strchr(path, '/');
		path = path ? path + 1 : NULL;
	}
	return true;
}

static bool read_object(const struct json *j, struct lake_object *o)
{
	const char *encoding = json_string(json_get(j, "encoding"));
	const char *format = json_string(json_get(j, "format"));
	const struct json *partition = json_get(j, "partition");
	int64_t rows, bytes, deletes = 0;

	json_int(json_get(j, "deletes"), &deletes);
	o->deletes = (uint64_t)deletes;
	o->value = json_string(json_member(partition, 0, &o->column));
	o->path = json_string(json_get(j, "path"));
	o->table = json_string(json_get(j, "table"));
	o->sha256 = json_string(json_get(j, "sha256"));
	o->format = format ? format : "jsonl";
	o->numeric_text = json_string(json_get(j, "numeric_as")) != NULL;
	o->time_text = json_string(json_get(j, "time_as")) != NULL;
	if (!is_path(o->path) || !o->table || !o->sha256 || !encoding ||
	    !json_int(json_get(j, "rows"), &rows) || !json_int(json_get(j, "bytes"), &bytes) ||
	    (!codec_parse(encoding, &o->codec) && strcmp(encoding, codec_name(CODEC_NONE)) != 0))
		return false;
	o->rows = (uint64_t)rows;
	o->bytes = (uint64_t)bytes;
	return true;
}

static int read_record(struct lake_step *s, struct err *e)
{
	const struct json *tables = json_get(s->record, "tables");
	const struct json *objects = json_get(s->record, "objects");
	int rc = OK;

	s->id = json_string(json_get(s->record, "id"));
	if (!s->id)
		return err_set(e, BAD_DATA, "it has no id");
	s->tables = xcalloc(json_count(tables), sizeof(struct wire_table *));
	s->objects = xcalloc(json_count(objects), sizeof(struct lake_object));
	while (rc == OK && s->table_count < json_count(tables)) {
		rc = wire_table_read(json_at(tables, s->table_count), &s->tables[s->table_count],
				     e);
		s->table_count++;
	}
	while (rc == OK && s->object_count < json_count(objects)) {
		if (!read_object(json_at(objects, s->object_count), &s->objects[s->object_count]))
			rc = err_set(e, BAD_DATA, "object %zu is malformed", s->object_count + 1);
		s->object_count++;
	}
	return rc;
}

int lake_step_read(struct lake *l, uint64_t number, struct lake_step *s, struct err *e)
{
	struct buf text = { 0 };
	bool found;
	int rc;

	*s = (struct lake_step){ .number = number };
	rc = has_record(l, number, &found, &text, e);
	if (rc == OK && !found)
		rc = err_set(e, BAD_DATA, "it is not there, later ones are");
	if (rc == OK && (rc = json_parse(buf_str(&text), &s->record, e)) == OK)
		rc = read_record(s, e);
	if (rc != OK)
		err_wrap(e, rc, "commit record %llu", (unsigned long long)number);
	buf_release(&text);
	return rc;
}

void lake_step_release(struct lake_step *s)
{
	for (size_t i = 0; i < s->table_count; i++)
		wire_table_free(s->tables[i]);
	free(s->tables);
	free(s->objects);
	json_free(s->record);
	*s = (struct lake_step){ 0 };
}

struct lake_reader *lake_object_open(struct lake *l, const struct lake_object *o)
{
	struct lake_reader *r = xcalloc(1, sizeof(*r));

	*r = (struct lake_reader){ .lake = l, .object = o, .hash = hash_new(),
				   .decompressor = decompressor_new(o->codec) };
	buf_addf(&r->key, "%s%s", l->root, o->path);
	return r;
}

static int next_piece(struct lake_reader *r, struct err *e)
{
	int rc;

	buf_reset(&r->piece);
	rc = store_read(r->lake->store, r->key.data, r->bytes, PIECE, &r->piece, &r->version, e);
	if (rc != OK)
		return rc;
	r->last = r->piece.len < PIECE;
	r->bytes += r->piece.len;
	r->unread = buf_str(&r->piece);
	hash_add(r->hash, r->unread);
	return OK;
}

static int check_object(struct lake_reader *r, struct err *e)
{
	char hash[SHA256_HEX + 1];

	if (r->bytes != r->object->bytes)
		return err_set(e, BAD_DATA, "it has %llu bytes where its commit record says %llu",
			       (unsigned long long)r->bytes, (unsigned long long)r->object->bytes);
	hash_hex(r->hash, hash);
	if (strcmp(hash, r->object->sha256) != 0)
		return err_set(e, BAD_DATA, "its SHA-256 is not that of its commit record");
	return decompressor_end(r->decompressor, e);
}

int lake_object_read(struct lake_reader *r, struct buf *out, bool *more, struct err *e)
{
	size_t before = out->len;
	int rc = OK;

	*more = true;
	while (rc == OK && *more && out->len == before) {
		if (!r->unread.len && !r->last)
			rc = next_piece(r, e);
		if (rc == OK)
			rc = decompressor_run(r->decompressor, &r->unread, out, e);
		*more = out->len > before || r->unread.len || !r->last;
	}
	if (rc == OK && !*more)
		rc = check_object(r, e);
	return rc;
}

/* --- reading here and there --- */

/* What was read last of each of many places: a Parquet reader goes through many columns at once. */
static struct window *window_at(struct lake_reader *r, uint64_t number, struct err *e, int *rc)
{
	struct window *oldest = &r->windows[0];

	for (size_t i = 0; i < WINDOWS; i++) {
		struct window *w = &r->windows[i];

		if (w->used && w->number == number) {
			w->used = ++r->uses;
			return w;
		}
		if (w->used < oldest->used)
			oldest = w;
	}
	buf_reset(&oldest->bytes);
	*rc = store_read(r->lake->store, r->key.data, number * WINDOW, WINDOW, &oldest->bytes,
			 &r->version, e);
	oldest->number = number;
	oldest->used = *rc == OK ? ++r->uses : 0;
	return oldest;
}

int lake_object_range(struct lake_reader *r, uint64_t offset, size_t len, char *to, struct err *e)
{
	int rc = OK;

	while (len) {
		struct window *w = window_at(r, offset / WINDOW, e, &rc);
		size_t at = (size_t)(offset % WINDOW), n;

		if (rc == OK && w->bytes.len <= at)
			rc = err_set(e, BAD_DATA, "it is shorter than its commit record says");
		if (rc != OK)
			return rc;
		n = w->bytes.len - at < len ? w->bytes.len - at : len;
		memcpy(to, w->bytes.data + at, n);
		to += n;
		offset += n;
		len -= n;
	}
	return OK;
}

void lake_object_close(struct lake_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < WINDOWS; i++)
		buf_release(&r->windows[i].bytes);
	hash_free(r->hash);
	decompressor_free(r->decompressor);
	buf_release(&r->key);
	buf_release(&r->version);
	buf_release(&r->piece);
	free(r);
}

void lake_close(struct lake *l)
{
	if (!l)
		return;
	buf_release(&l->state);
	store_close(l->store);
	free(l->root);
	free(l);
}
