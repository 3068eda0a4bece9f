/* lake - steps and commit records */
#include "lake.h"

#include <stdlib.h>

#include "hash.h"
#include "json.h"
#include "log.h"
#include "mem.h"

struct lake {
	struct store *store;
	char *root;            /* key up to and with the slash */
	uint64_t last;         /* number of the last record */
	struct buf state;
	bool single_writer;
	bool checked;          /* what the store makes of conditions, */
	bool ignores;          /* which is nothing */
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

	while (rc == OK && found && above <= LAKE_STEP_MAX) {
		rc = has_record(l, above, &found, &text, e);
		if (found) {
			below = above;
			above *= 2;
		}
	}
	if (rc == OK && found)
		rc = err_set(e, BAD_DATA, "there is a commit record %llu: no lake has as many",
			     (unsigned long long)below);
	while (rc == OK && above - below > 1) {
		uint64_t middle = below + (above - below) / 2;

		rc = has_record(l, middle, &found, &text, e);
		if (found)
			below = middle;
		else
			above = middle;
	}
	l->last = below;
	buf_release(&text);
	return rc;
}

static int read_state(struct lake *l, struct err *e)
{
	struct lake_step s = { 0 };
	int rc = l->last ? lake_step_read(l, l->last, &s, e) : OK;

	if (rc == OK)
		buf_addstr(&l->state, s.state);
	lake_step_release(&s);
	return rc;
}

int lake_open(const char *url, struct lake **l, struct err *e)
{
	int rc;

	*l = xcalloc(1, sizeof(**l));
	rc = store_open(url, &(*l)->store, &(*l)->root, e);
	if (rc == OK)
		rc = find_last(*l, e);
	return rc == OK ? read_state(*l, e) : rc;
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

void lake_single_writer(struct lake *l)
{
	l->single_writer = true;
}

/* Does the store keep what is there? It is asked with bytes that it may put without any harm. */
static int check_store(struct lake *l, struct err *e)
{
	struct buf key = { 0 }, text = { 0 };
	bool found = true, refused = false;
	int rc = OK;

	record_key(l, l->last, &key);
	if (l->last)
		rc = has_record(l, l->last, &found, &text, e);
	else
		buf_addz(&text, "{}\n");
	if (rc == OK && !found)
		rc = err_set(e, BAD_DATA, "commit record %llu is gone",
			     (unsigned long long)l->last);
	if (rc == OK)
		rc = store_refuses(l->store, key.data, buf_str(&text), &refused, e);
	if (rc == OK && !refused && !l->last) /* it has made record 0: now it is there */
		rc = store_refuses(l->store, key.data, buf_str(&text), &refused, e);
	buf_release(&key);
	buf_release(&text);
	if (rc != OK)
		return rc;
	l->checked = true;
	l->ignores = !refused;
	if (l->ignores && l->single_writer) {
		log_warning("this S3 server ignores If-None-Match: a run at the same time would "
			    "overwrite a step, or lose its own");
	} else if (l->ignores) {
		err_set(e, FAILED, "this S3 server ignores If-None-Match: of two runs at the same "
				   "time one would overwrite the other's step");
		return err_hint(e, FAILED, "If no other run ever writes into this lake, say "
					   "--single-writer.");
	}
	return OK;
}

static int read_back(struct lake *l, const char *key, struct str data, struct err *e)
{
	struct buf there = { 0 };
	bool found = false;
	int rc = store_get(l->store, key, data.len, &there, &found, e);

	if (rc == BAD_DATA || (rc == OK && found && !str_eq(buf_str(&there), data)))
		rc = err_set(e, LOST_RACE, "%s was replaced by another run at the same time: this "
					   "S3 server does not keep to If-None-Match", key);
	else if (rc == OK && !found)
		rc = err_set(e, FAILED, "%s was put, but is not there", key);
	else if (rc != OK)
		err_wrap(e, rc, "%s was put, but could not be read back", key);
	buf_release(&there);
	return rc;
}

int lake_put(struct lake *l, const char *key, struct str data, struct err *e)
{
	struct buf there = { 0 };
	bool found = false;
	int rc = l->checked ? OK : check_store(l, e);

	if (rc == OK && l->ignores)
		rc = store_get(l->store, key, STORE_MAX_LOG, &there, &found, e);
	buf_release(&there);
	if (rc == OK && found)
		rc = err_set(e, LOST_RACE, "%s is there already: another run was first", key);
	if (rc == OK)
		rc = store_put(l->store, key, data, true, e);
	return rc == OK ? read_back(l, key, data, e) : rc;
}

int lake_append(struct lake *l, struct buf *record, struct err *e)
{
	struct buf key = { 0 };
	struct lake_step s;
	int rc = lake_record_read(record, l->last + 1, &s, e);

	if (rc == OK && s.text.len > STORE_MAX_RECORD)
		rc = err_set(e, BAD_DATA, "it has more than %zu bytes", STORE_MAX_RECORD);
	if (rc != OK) {
		err_wrap(e, rc, "the step cannot be committed: its record");
		goto done;
	}
	record_key(l, l->last + 1, &key);
	if ((rc = lake_put(l, key.data, buf_str(&s.text), e)) != OK)
		goto done;
	l->last++;
	buf_reset(&l->state);
	buf_addstr(&l->state, s.state);
done:
	buf_release(&key);
	lake_step_release(&s);
	return rc;
}

/* --- reading --- */

enum { PIECE = 4 << 20 }; /* of an object: one request */

enum { WINDOWS = 32, WINDOW = 512 * 1024 }; /* 16 MiB at most */

enum { DIGEST = 32 }; /* digits of a window's SHA-256 that are kept */

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
	struct buf digests;    /* of all windows, once verified */
};

uint64_t lake_last(const struct lake *l)
{
	return l->last;
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
	if (rc == OK)
		rc = lake_record_read(&text, number, s, e);
	if (rc != OK)
		err_wrap(e, rc, "commit record %llu", (unsigned long long)number);
	buf_release(&text);
	return rc;
}

int lake_has_step(struct lake *l, uint64_t number, bool *has, struct err *e)
{
	struct buf text = { 0 };
	int rc = has_record(l, number, has, &text, e);

	buf_release(&text);
	return rc;
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
	return r->bytes <= r->object->bytes ?
		       OK :
		       err_set(e, BAD_DATA, "it has more than the %llu bytes of its commit record",
			       (unsigned long long)r->object->bytes);
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

static void digest(struct str window, char hex[SHA256_HEX + 1])
{
	sha256_hex(window, hex);
	hex[DIGEST] = '\0';
}

/* Remember what the windows of a piece are, and the first windows themselves. */
static void take_windows(struct lake_reader *r)
{
	struct str rest = buf_str(&r->piece);
	char hex[SHA256_HEX + 1];

	while (rest.len) {
		struct str bytes = { rest.data, rest.len < WINDOW ? rest.len : WINDOW };
		uint64_t number = r->digests.len / DIGEST;

		digest(bytes, hex);
		buf_addz(&r->digests, hex);
		if (number < WINDOWS) {
			struct window *w = &r->windows[number];

			buf_addstr(&w->bytes, bytes);
			w->number = number;
			w->used = ++r->uses;
		}
		rest = (struct str){ rest.data + bytes.len, rest.len - bytes.len };
	}
}

int lake_object_verify(struct lake_reader *r, struct err *e)
{
	int rc = OK;

	while (rc == OK && !r->last)
		if ((rc = next_piece(r, e)) == OK)
			take_windows(r);
	buf_release(&r->piece);
	return rc == OK ? check_object(r, e) : rc;
}

static int check_window(const struct lake_reader *r, const struct window *w, struct err *e)
{
	char hex[SHA256_HEX + 1];
	size_t at = (size_t)w->number * DIGEST;

	digest(buf_str(&w->bytes), hex);
	return at + DIGEST <= r->digests.len && memcmp(r->digests.data + at, hex, DIGEST) == 0 ?
		       OK :
		       err_set(e, BAD_DATA, "its bytes are others than when they were checked");
}

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
	if (*rc == OK)
		*rc = check_window(r, oldest, e);
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
	buf_release(&r->digests);
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
