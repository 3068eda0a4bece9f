/* lake - steps and commit records */
#include "lake.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hash.h"
#include "json.h"
#include "log.h"
#include "mem.h"

enum {
	HELD_AT_MOST = 24 << 20,  /* bytes of memory, of all tables together */
	CHUNK = 256 * 1024,       /* of rows, before they are compressed and hashed */
	OPEN_OBJECT = 32 * 1024   /* what one counts, so that open files are bounded as well */
};

/* One table of the step now written. Its object is opened when the first chunk is full. */
struct part {
	const struct wire_table *table;
	struct buf chunk;
	struct upload *upload; /* NULL: no object open */
	struct compressor *compressor;
	struct hash *hash;
	char *path;
	uint64_t rows, bytes, all_rows;
	unsigned objects;
};

struct lake {
	struct store *store;
	char *root;            /* key up to and with the slash */
	enum codec codec;
	uint64_t last;         /* number of the last record */
	struct buf state;
	struct part *parts;
	size_t part_count, part_cap;
	struct buf objects;    /* JSON of those finished in this step */
	char id[64], day[16];
	uint64_t object_count, byte_count;
	uint64_t new_objects, new_bytes;
	struct buf packed;
	size_t held;           /* memory of all parts */
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
	rc = store_get(l->store, key.data, text, found, e);
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

int lake_open(const char *url, enum codec codec, struct lake **l, struct err *e)
{
	int rc;

	*l = xcalloc(1, sizeof(**l));
	(*l)->codec = codec;
	rc = store_open(url, &(*l)->store, &(*l)->root, e);
	return rc == OK ? find_last(*l, e) : rc;
}

struct str lake_state(const struct lake *l)
{
	return buf_str(&l->state);
}

/* --- objects --- */

/* A step's name sorts by time and is nobody else's. */
static void name_step(struct lake *l)
{
	struct timespec now;
	struct tm tm;
	unsigned char random[6];
	char time_text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	random_bytes(random, sizeof(random));
	strftime(l->day, sizeof(l->day), "%Y/%m/%d", &tm);
	strftime(time_text, sizeof(time_text), "%Y%m%dT%H%M%S", &tm);
	snprintf(l->id, sizeof(l->id), "%s.%03ldZ-%02x%02x%02x%02x%02x%02x", time_text,
		 now.tv_nsec / 1000000, random[0], random[1], random[2], random[3], random[4],
		 random[5]);
}

static struct part *part_of(struct lake *l, const struct wire_table *t)
{
	struct part *p;

	if (t->index < l->part_count)
		return &l->parts[t->index];
	GROW(l->parts, l->part_count, l->part_cap);
	p = &l->parts[l->part_count++];
	*p = (struct part){ .table = t };
	return p;
}

void lake_table(struct lake *l, const struct wire_table *t)
{
	part_of(l, t);
}

/* A table's name is one folder's, and no other table's: what has a meaning in a path is written
 * %XX, a leading _ too, as the lake's own folders begin with it. */
static void add_folder(struct buf *b, const char *name)
{
	const unsigned char *c = (const unsigned char *)name;

	if (!*c)
		buf_addz(b, "%00");
	for (; *c; c++) {
		bool first = (const char *)c == name;

		if (*c == '%' || *c == '/' || *c < 0x20 || *c == 0x7f ||
		    (first && (*c == '.' || *c == '_')))
			buf_addf(b, "%%%02X", *c);
		else
			buf_addch(b, (char)*c);
	}
}

static int open_object(struct lake *l, struct part *p, struct err *e)
{
	struct buf path = { 0 }, key = { 0 };
	int rc;

	if (!l->id[0])
		name_step(l);
	add_folder(&path, p->table->name);
	buf_addf(&path, "/%s/%s", l->day, l->id);
	if (p->objects++)
		buf_addf(&path, "-%u", p->objects);
	buf_addf(&path, ".jsonl%s", codec_suffix(l->codec));
	buf_addf(&key, "%s%s", l->root, path.data);
	p->path = xstrndup(path.data, path.len);
	p->hash = hash_new();
	p->compressor = compressor_new(l->codec);
	rc = upload_open(l->store, key.data,
			 l->codec == CODEC_GZIP ? "application/gzip" :
			 l->codec == CODEC_ZSTD ? "application/zstd" :
						  "application/x-ndjson",
			 &p->upload, e);
	buf_release(&path);
	buf_release(&key);
	return rc;
}

static size_t memory_of(const struct part *p)
{
	size_t n = p->chunk.cap;

	if (p->upload)
		n += OPEN_OBJECT + upload_memory(p->upload) + compressor_memory(p->compressor);
	return n;
}

/* The chunk through compression and hash into the upload. */
static int push(struct lake *l, struct part *p, bool last, struct err *e)
{
	int rc = p->upload ? OK : open_object(l, p, e);

	if (rc != OK)
		return rc;
	buf_reset(&l->packed);
	rc = compressor_run(p->compressor, buf_str(&p->chunk), last, &l->packed, e);
	if (last || p->chunk.cap > 2 * CHUNK) /* a row of many megabytes went through */
		buf_release(&p->chunk);
	buf_reset(&p->chunk);
	if (rc != OK)
		return rc;
	hash_add(p->hash, buf_str(&l->packed));
	p->bytes += l->packed.len;
	return upload_write(p->upload, buf_str(&l->packed), e);
}

static void add_object(struct lake *l, const struct part *p)
{
	char hash[SHA256_HEX + 1];
	struct buf *b = &l->objects;

	hash_hex(p->hash, hash);
	buf_addz(b, b->len ? ",\n  {\"path\":" : "\n  {\"path\":");
	json_add_string(b, str_of(p->path));
	buf_addz(b, ",\"table\":");
	json_add_string(b, str_of(p->table->name));
	buf_addf(b, ",\"rows\":%llu,\"bytes\":%llu,\"sha256\":\"%s\",\"encoding\":\"%s\",\"format\":\"jsonl\"}",
		 (unsigned long long)p->rows, (unsigned long long)p->bytes, hash,
		 codec_name(l->codec));
}

/* Undo what was not committed, and forget it. */
static void drop_object(struct part *p)
{
	upload_abort(p->upload);
	compressor_free(p->compressor);
	hash_free(p->hash);
	free(p->path);
	p->upload = NULL;
	p->compressor = NULL;
	p->hash = NULL;
	p->path = NULL;
	p->rows = p->bytes = 0;
}

static int close_object(struct lake *l, struct part *p, struct err *e)
{
	int rc;

	l->held -= memory_of(p);
	if ((rc = push(l, p, true, e)) != OK || (rc = upload_commit(p->upload, e)) != OK)
		return rc;
	p->upload = NULL;
	add_object(l, p);
	l->new_objects++;
	l->new_bytes += p->bytes;
	drop_object(p);
	return OK;
}

/* Make the table that holds the most hold less: send its part early, or, where it makes none yet,
 * end its object; the table's next rows begin another. */
static int save_memory(struct lake *l, struct err *e)
{
	struct part *largest = &l->parts[0];
	size_t before;
	int rc;

	for (size_t i = 1; i < l->part_count; i++)
		if (memory_of(&l->parts[i]) > memory_of(largest))
			largest = &l->parts[i];
	before = memory_of(largest);
	if (largest->upload) {
		if ((rc = upload_save_memory(largest->upload, e)) != OK)
			return rc;
		l->held -= before - memory_of(largest);
	}
	return memory_of(largest) < before ? OK : close_object(l, largest, e);
}

int lake_line(struct lake *l, const struct wire_table *t, struct str line, bool is_row,
	      struct err *e)
{
	struct part *p = part_of(l, t);
	size_t before = memory_of(p);
	int rc = OK;

	buf_addstr(&p->chunk, line);
	p->rows += is_row;
	p->all_rows += is_row;
	if (p->chunk.len >= CHUNK)
		rc = push(l, p, false, e);
	l->held = l->held - before + memory_of(p);
	while (rc == OK && l->held > HELD_AT_MOST)
		rc = save_memory(l, e);
	return rc;
}

/* --- commit --- */

static void add_record(struct lake *l, struct buf *b, struct str state)
{
	struct timespec now;
	struct tm tm;
	char when[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_addf(b,
		 "{\"step\":%llu,\"id\":\"%s\",\"committed_at\":\"%s\",\"tool\":\"%s\",\n "
		 "\"tables\":[",
		 (unsigned long long)l->last + 1, l->id, when, log_tool());
	for (size_t i = 0; i < l->part_count; i++) {
		buf_addz(b, i ? ",\n  " : "\n  ");
		wire_add_table(b, l->parts[i].table);
		b->len -= 2; /* its } and line break */
		buf_addf(b, ",\"rows\":%llu}", (unsigned long long)l->parts[i].all_rows);
	}
	buf_addz(b, "],\n \"objects\":[");
	buf_addstr(b, buf_str(&l->objects));
	buf_addz(b, "]");
	if (state.len) {
		buf_addz(b, ",\n \"state\":");
		buf_addstr(b, state);
	}
	buf_addz(b, "}\n");
}

int lake_commit(struct lake *l, struct str state, struct err *e)
{
	struct buf record = { 0 }, key = { 0 };
	int rc = OK;

	if (!l->id[0])
		name_step(l);
	for (size_t i = 0; i < l->part_count && rc == OK; i++)
		if (l->parts[i].upload || l->parts[i].chunk.len)
			rc = close_object(l, &l->parts[i], e);
	if (rc != OK)
		return rc;
	add_record(l, &record, state);
	record_key(l, l->last + 1, &key);
	rc = store_put(l->store, key.data, buf_str(&record), true, e);
	buf_release(&record);
	buf_release(&key);
	if (rc != OK)
		return rc;
	l->last++;
	l->object_count += l->new_objects;
	l->byte_count += l->new_bytes;
	l->new_objects = l->new_bytes = 0;
	l->id[0] = '\0';
	buf_reset(&l->objects);
	buf_reset(&l->state);
	buf_addstr(&l->state, state);
	for (size_t i = 0; i < l->part_count; i++) {
		l->parts[i].all_rows = 0;
		l->parts[i].objects = 0;
	}
	return OK;
}

uint64_t lake_objects(const struct lake *l)
{
	return l->object_count;
}

uint64_t lake_bytes(const struct lake *l)
{
	return l->byte_count;
}

/* --- reading --- */

enum { PIECE = 4 << 20 }; /* of an object: one request */

struct lake_reader {
	struct lake *lake;
	const struct lake_object *object;
	struct buf key, version, piece;
	struct str unread;     /* of piece */
	uint64_t bytes;
	bool last;             /* piece is the last one */
	struct hash *hash;
	struct decompressor *decompressor;
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
	int64_t rows, bytes;

	o->path = json_string(json_get(j, "path"));
	o->table = json_string(json_get(j, "table"));
	o->sha256 = json_string(json_get(j, "sha256"));
	o->format = format ? format : "jsonl";
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
	return rc == OK ? OK : err_wrap(e, rc, "object %s", r->object->path);
}

void lake_object_close(struct lake_reader *r)
{
	if (!r)
		return;
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
	for (size_t i = 0; i < l->part_count; i++) {
		drop_object(&l->parts[i]);
		buf_release(&l->parts[i].chunk);
	}
	free(l->parts);
	buf_release(&l->state);
	buf_release(&l->objects);
	buf_release(&l->packed);
	store_close(l->store);
	free(l->root);
	free(l);
}
