/* lake_write - rows into the objects of a lake, step by step */
#include "lake_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hash.h"
#include "json.h"
#include "log.h"
#include "map.h"
#include "mem.h"

enum {
	HELD_AT_MOST = 28 << 20, /* bytes of memory, of all objects together */
	OPEN_OBJECT = 1024,      /* what an object takes beside its bytes */
	OPEN_FILE = 256 * 1024,  /* what one counts, so that no more than 112 are open */
	HEAD = 1024,             /* bytes of an object that do not need a file yet */
	SEEN = 1 << 16           /* keys that are remembered */
};

/* The rows of one table, or of one partition of it, on their way into an object. */
struct partition {
	struct lake_writer *writer;
	struct lake_table *table;
	char *value;             /* of the partition; NULL without one, or for the value NULL */
	struct encoder *encoder; /* NULL: no object open */
	struct buf head;         /* its first bytes */
	struct upload *upload;   /* NULL as long as these are all */
	struct hash *hash;
	char *path;
	uint64_t rows, deletes, bytes;
	size_t held; /* memory, as last counted */
	bool takes_deletes;
};

/* A table of the step. */
struct lake_table {
	struct wire_table table;   /* as last told: the reader's own may be the next step's */
	struct wire_table written; /* the same, with other columns where there are some: */
	struct wire_column *columns;
	size_t partition_by;       /* a column, or column_count */
	struct partition *whole;   /* without partitions */
	struct map partitions;     /* by the value as it stands in a row */
	uint64_t rows;
	unsigned objects;
	bool deleting; /* the last line was a @delete */
};

/* Where the row of a key went last. */
struct seen {
	uint64_t hash;               /* of table and key */
	struct partition *partition; /* NULL: an empty slot */
};

struct lake_writer {
	struct lake *lake;
	const struct lake_layout *how;
	struct lake_table **tables;
	size_t table_count, table_cap;
	struct partition **open; /* that have an object open */
	size_t open_count, open_cap;
	struct buf objects; /* JSON of those finished in this step */
	char id[64], day[16];
	uint64_t object_count, byte_count;
	uint64_t new_objects, new_bytes;
	size_t held;       /* memory of all objects */
	struct seen *seen; /* 2 * SEEN slots, once there are changes in partitions */
	size_t seen_count;
};

/* --- tables --- */

static bool is_partitioned(const struct lake_table *t)
{
	return t->partition_by < t->table.column_count;
}

/* The columns as they are written, where some are times of day and shall be text; else NULL. */
static struct wire_column *times_as_text(const struct wire_table *t)
{
	static char text[] = "text", texts[] = "text[]";
	struct wire_column *columns = NULL;

	for (size_t i = 0; i < t->column_count; i++) {
		if (t->columns[i].type.base != PG_TIME)
			continue;
		if (!columns) {
			columns = xcalloc(t->column_count, sizeof(*columns));
			memcpy(columns, t->columns, t->column_count * sizeof(*columns));
		}
		columns[i].type_name = columns[i].type.array ? texts : text;
		columns[i].type = pg_type_parse(str_of(columns[i].type_name));
	}
	return columns;
}

static struct lake_table *new_table(const struct lake_layout *how, const struct wire_table *t)
{
	struct lake_table *n = xcalloc(1, sizeof(*n));

	n->partition_by = how->partition_by ? wire_column_index(t, str_of(how->partition_by)) :
					      t->column_count;
	if (n->partition_by < t->column_count && t->columns[n->partition_by].generated)
		n->partition_by = t->column_count; /* rows do not have it */
	n->columns = how->times_as_text ? times_as_text(t) : NULL;
	return n;
}

void lake_writer_table(struct lake_writer *w, const struct wire_table *t)
{
	struct lake_table *n;

	if (t->index == w->table_count) {
		GROW(w->tables, w->table_count, w->table_cap);
		w->tables[w->table_count++] = new_table(w->how, t);
	}
	n = w->tables[t->index];
	n->table = n->written = *t;
	if (n->columns)
		n->written.columns = n->columns;
}

struct lake_writer *lake_writer_new(struct lake *l, const struct lake_layout *how)
{
	struct lake_writer *w = xcalloc(1, sizeof(*w));

	w->lake = l;
	w->how = how;
	return w;
}

/* --- objects --- */

/* A step's name sorts by time and is nobody else's. */
static void name_step(struct lake_writer *w)
{
	struct timespec now;
	struct tm tm;
	unsigned char random[6];
	char time_text[32], hex[2 * sizeof(random) + 1];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	random_bytes(random, sizeof(random));
	to_hex(random, sizeof(random), hex);
	strftime(w->day, sizeof(w->day), "%Y/%m/%d", &tm);
	strftime(time_text, sizeof(time_text), "%Y%m%dT%H%M%S", &tm);
	snprintf(w->id, sizeof(w->id), "%s.%03ldZ-%s", time_text, now.tv_nsec / 1000000, hex);
}

/* column=value, as Hive has it; a partitioned table's days would be in its readers' way. */
static void add_partition(struct buf *path, const struct partition *p)
{
	const struct lake_table *t = p->table;

	lake_add_folder(path, t->table.columns[t->partition_by].name);
	buf_addch(path, '=');
	if (!p->value)
		buf_addz(path, "__HIVE_DEFAULT_PARTITION__");
	for (const char *c = p->value ? p->value : ""; *c; c++)
		if (strchr("\"#%'*/:=?\\{[]^", *c) || (unsigned char)*c < 0x20 || *c == 0x7f)
			buf_addf(path, "%%%02X", (unsigned char)*c);
		else
			buf_addch(path, *c);
}

static void name_object(struct lake_writer *w, struct partition *p)
{
	struct buf path = { 0 };

	if (!w->id[0])
		name_step(w);
	lake_add_folder(&path, p->table->table.name);
	buf_addch(&path, '/');
	if (is_partitioned(p->table))
		add_partition(&path, p);
	else
		buf_addz(&path, w->day);
	buf_addf(&path, "/%s", w->id);
	if (p->table->objects++)
		buf_addf(&path, "-%u", p->table->objects);
	encoding_add_suffix(&w->how->encoding, &path);
	p->path = path.data;
}

static int open_upload(struct partition *p, struct err *e)
{
	struct lake *l = p->writer->lake;
	struct buf key = { 0 };
	int rc;

	buf_addf(&key, "%s%s", lake_root(l), p->path);
	rc = upload_open(lake_store(l), key.data, NULL, &p->upload, e);
	if (rc == OK)
		rc = upload_write(p->upload, buf_str(&p->head), e);
	buf_release(&key);
	buf_release(&p->head);
	return rc;
}

/* The encoder's bytes, through the hash into the upload. Of many partitions most are small: no
 * file is open for an object that has nothing but its first bytes. */
static int take_bytes(void *arg, struct str bytes, struct err *e)
{
	struct partition *p = arg;
	int rc = OK;

	hash_add(p->hash, bytes);
	p->bytes += bytes.len;
	if (!p->upload && p->head.len + bytes.len <= HEAD) {
		buf_addstr(&p->head, bytes);
		return OK;
	}
	if (!p->upload)
		rc = open_upload(p, e);
	return rc == OK ? upload_write(p->upload, bytes, e) : rc;
}

static int open_object(struct lake_writer *w, struct partition *p, bool deletes, struct err *e)
{
	const struct lake_table *t = p->table;

	name_object(w, p);
	p->hash = hash_new();
	p->takes_deletes = deletes || w->how->encoding.format != FORMAT_PARQUET;
	GROW(w->open, w->open_count, w->open_cap);
	w->open[w->open_count++] = p;
	return encoder_open(&w->how->encoding, &t->written, deletes, take_bytes, p, &p->encoder, e);
}

/* Count anew what memory it takes. */
static void count_memory(struct partition *p)
{
	struct lake_writer *w = p->writer;

	w->held -= p->held;
	p->held = 0;
	if (p->encoder)
		p->held = OPEN_OBJECT + p->head.cap + encoder_memory(p->encoder);
	if (p->upload)
		p->held += OPEN_FILE + upload_memory(p->upload);
	w->held += p->held;
}

static void add_object(struct lake_writer *w, const struct partition *p)
{
	const struct lake_table *t = p->table;
	const struct encoding *how = &w->how->encoding;
	bool parquet = how->format == FORMAT_PARQUET;
	char hash[SHA256_HEX + 1];
	const struct lake_object o = {
		.path = p->path,
		.table = t->table.name,
		.format = format_name(how->format),
		.sha256 = hash,
		.column = is_partitioned(t) ? t->table.columns[t->partition_by].name : NULL,
		.value = p->value,
		.rows = p->rows,
		.deletes = p->deletes,
		.bytes = p->bytes,
		.codec = parquet ? CODEC_NONE : how->codec,
		.numeric_text = parquet && how->parquet.numeric_text,
		.time_text = t->columns != NULL,
	};

	hash_hex(p->hash, hash);
	lake_record_add_object(&w->objects, &o);
}

/* Undo what was not committed, and forget it. */
static void drop_object(struct partition *p)
{
	struct lake_writer *w = p->writer;

	upload_abort(p->upload);
	encoder_free(p->encoder);
	hash_free(p->hash);
	free(p->path);
	buf_release(&p->head);
	p->upload = NULL;
	p->encoder = NULL;
	p->hash = NULL;
	p->path = NULL;
	p->rows = p->deletes = p->bytes = 0;
	count_memory(p);
	for (size_t i = 0; i < w->open_count; i++)
		if (w->open[i] == p)
			w->open[i] = w->open[--w->open_count];
}

static int close_object(struct lake_writer *w, struct partition *p, struct err *e)
{
	int rc;

	rc = encoder_end(p->encoder, e);
	if (rc == OK && !p->upload)
		rc = open_upload(p, e);
	if (rc != OK || (rc = upload_commit(p->upload, e)) != OK)
		return rc;
	p->upload = NULL;
	add_object(w, p);
	w->new_objects++;
	w->new_bytes += p->bytes;
	drop_object(p);
	return OK;
}

/* Make the object that holds the most hold less: send its part early, or what its encoder has, or,
 * where that does not help, end it; the next rows begin another. */
static int save_memory(struct lake_writer *w, struct err *e)
{
	struct partition *largest = w->open[0];
	size_t before;
	int rc = OK;

	for (size_t i = 1; i < w->open_count; i++)
		if (w->open[i]->held > largest->held)
			largest = w->open[i];
	before = largest->held;
	if (largest->upload)
		rc = upload_save_memory(largest->upload, e);
	count_memory(largest);
	if (rc == OK && largest->held >= before)
		rc = encoder_save_memory(largest->encoder, e);
	count_memory(largest);
	if (rc != OK)
		return rc;
	return largest->held < before ? OK : close_object(w, largest, e);
}

/* --- rows --- */

static struct partition *new_partition(struct lake_writer *w, struct lake_table *t)
{
	struct partition *p = xcalloc(1, sizeof(*p));

	p->writer = w;
	p->table = t;
	return p;
}

/* The partition's value as its text. A deleted key without that column is in that of NULL. */
static int partition_of(struct lake_writer *w, struct lake_table *t, struct wire_reader *r,
			struct partition **out, struct err *e)
{
	struct buf value = { 0 };
	struct map_entry *entry;
	const struct field *f;
	int added, rc = OK;

	if (!is_partitioned(t)) {
		if (!t->whole)
			t->whole = new_partition(w, t);
		*out = t->whole;
		return OK;
	}
	f = r->line.len ? &r->fields[t->partition_by] : &(struct field){ .kind = F_NULL };
	if (f->kind == F_STRING)
		rc = json_unescape(&value, f->text, e);
	else if (f->kind > F_NULL)
		buf_addstr(&value, f->text);
	if (f->kind > F_NULL)
		buf_addch(&value, '\0'); /* so that the empty text is not NULL */
	entry = map_add(&t->partitions, buf_str(&value), &added);
	if (added) {
		struct partition *p = entry->value = new_partition(w, t);

		p->value = value.len ? xstrdup(value.data) : NULL;
	}
	*out = entry->value;
	buf_release(&value);
	return rc;
}

static void forget_keys(struct lake_writer *w)
{
	if (w->seen_count)
		memset(w->seen, 0, 2 * SEEN * sizeof(*w->seen));
	w->seen_count = 0;
}

/* Close what the table has open: objects are read in the order they were closed in, and what comes
 * now must be read behind them. */
static int close_table(struct lake_writer *w, const struct lake_table *t, struct err *e)
{
	int rc = OK;

	for (size_t i = w->open_count; i-- > 0 && rc == OK;)
		if (w->open[i]->table == t)
			rc = close_object(w, w->open[i], e);
	return rc;
}

/* Of one key, what came later must be read later; but partitions are objects that are written
 * side by side. So a changed row that was in another partition before begins a new object for
 * all of them, and so it is after as many keys as can be remembered. A full table has each key
 * once. */
static int keep_order(struct lake_writer *w, const struct lake_table *t,
		      const struct wire_reader *r, struct partition *p, struct err *e)
{
	const struct wire_table *table = &t->table;
	uint64_t hash = table->index;
	struct seen *s;
	struct partition *before;
	int rc = OK;

	if (table->mode != WIRE_CHANGES || !table->key_count || !r->line.len)
		return OK;
	for (size_t i = 0; i < table->key_count; i++)
		hash = str_hash(r->fields[table->key[i]].text, hash);
	if (!w->seen)
		w->seen = xcalloc(2 * SEEN, sizeof(*w->seen));
	if (w->seen_count == SEEN) {
		for (size_t i = 0; i < w->table_count && rc == OK; i++)
			if (is_partitioned(w->tables[i]))
				rc = close_table(w, w->tables[i], e);
		forget_keys(w);
	}
	for (s = w->seen + hash % (2 * SEEN); s->partition && s->hash != hash;)
		s = s + 1 < w->seen + 2 * SEEN ? s + 1 : w->seen;
	before = s->partition;
	w->seen_count += !before;
	*s = (struct seen){ hash, p };
	if (rc == OK && before && before != p && before->encoder)
		rc = close_table(w, t, e);
	return rc;
}

int lake_writer_add(struct lake_writer *w, struct wire_reader *r, bool deleted, struct err *e)
{
	struct lake_table *t = w->tables[r->table->index];
	struct partition *p = NULL;
	int rc = r->line.len ? wire_fields(r, e) : OK; /* a line that is no row nobody could read */

	if (rc != OK || (rc = partition_of(w, t, r, &p, e)) != OK)
		return rc;
	/* a partition's object cannot tell what came between its lines */
	if ((deleted && p->encoder && !p->takes_deletes) ||
	    (is_partitioned(t) && deleted != t->deleting))
		rc = close_table(w, t, e);
	if (rc == OK && is_partitioned(t))
		rc = keep_order(w, t, r, p, e);
	t->deleting = deleted;
	if (rc == OK && !p->encoder)
		rc = open_object(w, p, deleted, e);
	if (rc == OK)
		rc = encoder_add(p->encoder, r, deleted, e);
	if (rc != OK)
		return rc;
	p->rows += !deleted;
	p->deletes += deleted;
	t->rows += !deleted;
	count_memory(p);
	while (rc == OK && w->held > HELD_AT_MOST)
		rc = save_memory(w, e);
	return rc;
}

/* --- commit --- */

static void add_record(struct lake_writer *w, struct buf *b, struct str state, struct str delta)
{
	struct lake_step s = { .number = lake_last(w->lake) + 1, .id = w->id, .state = state,
			       .delta = delta, .table_count = w->table_count };

	s.tables = xcalloc(w->table_count, sizeof(*s.tables));
	for (size_t i = 0; i < w->table_count; i++) {
		s.tables[i] = &w->tables[i]->table;
		s.tables[i]->rows = w->tables[i]->rows;
	}
	lake_record_add(b, &s, log_tool(), buf_str(&w->objects));
	free(s.tables);
}

/* A name that is a mistake would make a lake without partitions. */
static int check_partition(const struct lake_writer *w, struct err *e)
{
	size_t i = 0;

	while (i < w->table_count && !is_partitioned(w->tables[i]))
		i++;
	return !w->how->partition_by || !w->table_count || i < w->table_count ?
		       OK :
		       err_set(e, USAGE, "no table has a column \"%s\" to partition it by",
			       w->how->partition_by);
}

int lake_writer_commit(struct lake_writer *w, struct str state, struct str delta, struct err *e)
{
	struct buf record = { 0 };
	int rc = check_partition(w, e);

	if (!w->id[0])
		name_step(w);
	while (w->open_count && rc == OK)
		rc = close_object(w, w->open[0], e);
	if (rc != OK)
		return rc;
	add_record(w, &record, state, delta);
	rc = lake_append(w->lake, &record, e);
	if (rc != OK)
		return rc;
	w->object_count += w->new_objects;
	w->byte_count += w->new_bytes;
	w->new_objects = w->new_bytes = 0;
	w->id[0] = '\0';
	buf_reset(&w->objects);
	forget_keys(w);
	for (size_t i = 0; i < w->table_count; i++) {
		w->tables[i]->rows = 0;
		w->tables[i]->objects = 0;
	}
	return OK;
}

uint64_t lake_writer_objects(const struct lake_writer *w)
{
	return w->object_count;
}

uint64_t lake_writer_bytes(const struct lake_writer *w)
{
	return w->byte_count;
}

static void free_partition(struct partition *p)
{
	if (p)
		free(p->value);
	free(p);
}

void lake_writer_free(struct lake_writer *w)
{
	if (!w)
		return;
	while (w->open_count)
		drop_object(w->open[0]);
	for (size_t i = 0; i < w->table_count; i++) {
		struct lake_table *t = w->tables[i];

		for (size_t k = 0; k < t->partitions.capacity; k++)
			if (t->partitions.entries[k].key.data)
				free_partition(t->partitions.entries[k].value);
		map_release(&t->partitions);
		free_partition(t->whole);
		free(t->columns);
		free(t);
	}
	free(w->tables);
	free(w->open);
	free(w->seen);
	buf_release(&w->objects);
	free(w);
}
