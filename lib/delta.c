/* delta - a lake's Parquet objects as Delta Lake tables */
#include "delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "delta_log.h"
#include "delta_schema.h"
#include "hash.h"
#include "json.h"
#include "log.h"
#include "map.h"
#include "mem.h"

enum {
	CHECKPOINT_EVERY = 20,
	FAR_BACK = 200000 /* versions that are looked at, one by one, for what stands before */
};

struct published {
	char *name;
	char *folder;         /* key of the table's folder, with its slash */
	struct delta_log log;
	bool checked;         /* its last commit was seen to be there */
};

struct delta {
	struct lake *lake;
	const struct parquet_options *options;
	char *app;     /* appId of our transactions */
	uint64_t step; /* all up to this one are published */
	struct published **tables;
	size_t count, cap;
	struct map names; /* of them */
	struct buf note;
};

/* --- tables --- */

static struct published *table_of(struct delta *d, const char *name)
{
	struct published *p;
	struct buf folder = { 0 };
	int added;
	struct map_entry *entry = map_add(&d->names, str_of(name), &added);

	if (!added)
		return entry->value;
	buf_addz(&folder, lake_root(d->lake));
	lake_add_folder(&folder, name);
	buf_addch(&folder, '/');
	entry->value = p = xcalloc(1, sizeof(*p));
	*p = (struct published){ .name = xstrdup(name), .folder = folder.data,
				 .log = { .version = -1, .own = -1 } };
	p->log.name = p->name;
	GROW(d->tables, d->count, d->cap);
	d->tables[d->count++] = p;
	return p;
}

static void log_key(const struct published *p, int64_t version, const char *suffix, struct buf *key)
{
	buf_reset(key);
	buf_addf(key, "%s_delta_log/%020lld%s", p->folder, (long long)version, suffix);
}

/* --- reading the log --- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int last_checkpoint(struct delta *d, const struct published *p, int64_t *version,
			   struct err *e)
{
	struct buf key = { 0 }, text = { 0 };
	bool found;
	int rc;

	buf_addf(&key, "%s_delta_log/_last_checkpoint", p->folder);
	rc = store_get(lake_store(d->lake), key.data, STORE_MAX_LOG, &text, &found, e);
	if (rc == OK && found)
		rc = delta_log_last(buf_str(&text), version, e);
	if (rc != OK)
		err_wrap(e, rc, "%s", key.data);
	buf_release(&key);
	buf_release(&text);
	return rc;
}

/* Nothing follows the last commit that is known: is that still there? Others may clean up a log
 * behind a checkpoint. If they did so beyond it, what is put in its place nobody reads. */
static int check_log(struct delta *d, const struct published *p, struct err *e)
{
	struct buf key = { 0 }, text = { 0 };
	int64_t checkpoint = -1;
	bool found;
	int rc;

	log_key(p, p->log.version, ".json", &key);
	rc = store_get(lake_store(d->lake), key.data, STORE_MAX_LOG, &text, &found, e);
	if (rc == OK && !found && (rc = last_checkpoint(d, p, &checkpoint, e)) == OK &&
	    checkpoint != p->log.version) {
		err_set(e, BAD_DATA,
			"others have cleaned up its log beyond version %lld, the last known",
			(long long)p->log.version);
		rc = err_hint(e, BAD_DATA, "Put it into another lake.");
	}
	buf_release(&key);
	buf_release(&text);
	return rc;
}

static int note_file(struct delta *d, struct published *p, int64_t version, const char *key,
		     bool *found, struct err *e)
{
	struct buf text = { 0 };
	int rc = store_get(lake_store(d->lake), key, STORE_MAX_LOG, &text, found, e);

	if (rc == OK && *found)
		rc = delta_log_read(&p->log, d->app, version, buf_str(&text), e);
	buf_release(&text);
	return rc == OK ? OK : err_wrap(e, rc, "%s", key);
}

/* A step that the log has and the lake has not may be a rival's, which has just come. */
static int check_step(struct delta *d, const struct published *p, struct err *e)
{
	bool has = true;
	int rc = OK;

	if (p->log.step > lake_last(d->lake))
		rc = lake_has_step(d->lake, p->log.step, &has, e);
	if (rc == OK && !has)
		rc = err_set(e, BAD_DATA, "its log says that it has step %llu, the lake has not",
			     (unsigned long long)p->log.step);
	return rc;
}

/* Read the commits that have come since, ours and others'. */
static int read_forward(struct delta *d, struct published *p, struct err *e)
{
	struct buf key = { 0 };
	bool found = true;
	int rc = OK;

	while (rc == OK && found) {
		log_key(p, p->log.version + 1, ".json", &key);
		rc = note_file(d, p, p->log.version + 1, key.data, &found, e);
		p->log.version += rc == OK && found;
		p->checked = p->checked || found;
	}
	if (rc == OK)
		rc = check_step(d, p, e);
	if (rc == OK && !p->checked && p->log.version >= 0)
		rc = check_log(d, p, e);
	p->checked = rc == OK;
	buf_release(&key);
	return rc;
}

static void compacted_key(const struct published *p, int64_t version, struct buf *key)
{
	buf_reset(key);
	buf_addf(key, "%s_delta_log/%020d.%020lld.compacted.json", p->folder, 0,
		 (long long)version);
}

/* The metaData that is in force, which may stand far back: a compacted log has it for sure. In a
 * commit that is not there any more another may have stood. */
static int find_metadata(struct delta *d, struct published *p, struct err *e)
{
	struct buf key = { 0 };
	int64_t last = p->log.version;
	bool commit = true, compacted = false;
	int rc = OK;

	for (int64_t v = last; rc == OK && !p->log.metadata && commit && v >= 0; v--) {
		if (last - v > FAR_BACK)
			break;
		log_key(p, v, ".json", &key);
		rc = note_file(d, p, p->log.own, key.data, &commit, e);
		if (rc == OK && !p->log.metadata && v % CHECKPOINT_EVERY == 0) {
			compacted_key(p, v, &key);
			rc = note_file(d, p, p->log.own, key.data, &compacted, e);
		}
	}
	if (rc == OK && !p->log.metadata) {
		err_set(e, BAD_DATA,
			"others have cleaned up its log, which does not say its columns any more");
		rc = err_hint(e, BAD_DATA,
			      "Set any property of the table, and it says them again.");
	}
	buf_release(&key);
	return rc;
}

/* --- checkpoints --- */

static int replay_file(struct delta *d, const char *key, struct delta_replay *r, bool *found,
		       struct err *e)
{
	struct buf text = { 0 };
	int rc = store_get(lake_store(d->lake), key, STORE_MAX_LOG, &text, found, e);

	if (rc == OK && *found && (rc = delta_replay_read(r, buf_str(&text), e)) != OK)
		err_wrap(e, rc, "%s", key);
	buf_release(&text);
	return rc;
}

/* The table as of a version: from the last compacted log before it, or the beginning. */
static int replay_log(struct delta *d, struct published *p, int64_t version,
		      struct delta_replay *r, struct err *e)
{
	struct buf key = { 0 };
	int64_t from = version;
	bool found = false;
	int rc = OK;

	while (rc == OK && !found && (from -= CHECKPOINT_EVERY) > 0) {
		if (version - from > FAR_BACK)
			rc = err_set(e, FAILED, "no compacted log in the last %d versions",
				     FAR_BACK);
		compacted_key(p, from, &key);
		if (rc == OK)
			rc = replay_file(d, key.data, r, &found, e);
	}
	for (int64_t v = found ? from + 1 : 0; rc == OK && v <= version; v++) {
		log_key(p, v, ".json", &key);
		rc = replay_file(d, key.data, r, &found, e);
		if (rc == OK && !found)
			rc = err_set(e, FAILED, "%s is not there", key.data);
	}
	buf_release(&key);
	return rc;
}

/* A file that another writer has made already is as good. */
static int put_if_absent(struct delta *d, const char *key, struct str data, struct err *e)
{
	int rc = store_put(lake_store(d->lake), key, data, true, e);

	return rc == LOST_RACE ? OK : rc;
}

static int put_checkpoint(struct delta *d, struct published *p, int64_t version,
			  const struct delta_replay *r, struct err *e)
{
	struct buf json = { 0 }, file = { 0 }, key = { 0 }, last = { 0 };
	int64_t had = -1;
	uint64_t actions = 0;
	int rc = delta_replay_finish(r, &json, &file, &actions, e);

	compacted_key(p, version, &key);
	if (rc == OK)
		rc = put_if_absent(d, key.data, buf_str(&json), e);
	log_key(p, version, ".checkpoint.parquet", &key);
	if (rc == OK)
		rc = put_if_absent(d, key.data, buf_str(&file), e);
	if (rc == OK)
		rc = last_checkpoint(d, p, &had, e);
	buf_reset(&key);
	buf_addf(&key, "%s_delta_log/_last_checkpoint", p->folder);
	buf_addf(&last, "{\"version\":%lld,\"size\":%llu}", (long long)version,
		 (unsigned long long)actions);
	if (rc == OK && had < version)
		rc = store_put(lake_store(d->lake), key.data, buf_str(&last), false, e);
	buf_release(&json);
	buf_release(&file);
	buf_release(&key);
	buf_release(&last);
	return rc;
}

/* Of the last twentieth version, where the next is made from this one. A checkpoint only makes
 * reading faster: its failure is told, and the next one makes up for it. */
static void checkpoint(struct delta *d, struct published *p)
{
	int64_t version = p->log.own - p->log.own % CHECKPOINT_EVERY;
	struct delta_replay r = { 0 };
	struct err e = { 0 };
	int rc = replay_log(d, p, version, &r, &e);

	if (rc == OK)
		rc = put_checkpoint(d, p, version, &r, &e);
	if (rc != OK)
		log_warning("no checkpoint of Delta table \"%s\": %s", p->name, e.msg);
	delta_replay_release(&r);
}

/* --- commits --- */

/* What a step's files make of a table's columns, beside the stream. */
struct columns {
	const char *partition;
	bool numeric_text, deletes;
};

/* Only what a URI's path may have stands as it is. */
static void add_uri(struct buf *b, const char *path)
{
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    strchr("-._~/=", c))
			buf_addch(b, *path);
		else
			buf_addf(b, "%%%02X", c);
	}
}

static const struct wire_column *column_of(const struct wire_table *t, const char *name)
{
	size_t i = name ? wire_column_index(t, str_of(name)) : t->column_count;

	return i < t->column_count && !t->columns[i].generated ? &t->columns[i] : NULL;
}

/* As the log has it: "", and what is not a date of four digits for the year, is NULL. */
static void add_partition_value(struct buf *b, const struct wire_column *c, const char *value)
{
	struct buf text = { 0 };
	bool date = c && (c->type.base == PG_DATE || c->type.base == PG_TIMESTAMP ||
			  c->type.base == PG_TIMESTAMPTZ);

	if (!value || !*value ||
	    (date && (*value == 'i' || strlen(value) < 10 || strchr("0123456789", value[4]) ||
		      strstr(value, "BC") || (value[10] && value[10] != 'T')))) {
		buf_addz(b, "null");
		return;
	}
	buf_addz(&text, value);
	if (date && c->type.base == PG_TIMESTAMP && text.len > 10)
		text.data[10] = ' ';
	json_add_string(b, buf_str(&text));
	buf_release(&text);
}

static void add_file(struct buf *b, const struct lake_object *o, const struct wire_table *t)
{
	struct buf path = { 0 };
	const char *below = strchr(o->path, '/'); /* behind the table's folder */

	add_uri(&path, below ? below + 1 : o->path);
	buf_addz(b, "{\"add\":{\"path\":");
	json_add_string(b, buf_str(&path));
	buf_addz(b, ",\"partitionValues\":{");
	if (o->column) {
		json_add_string(b, str_of(o->column));
		buf_addch(b, ':');
		add_partition_value(b, column_of(t, o->column), o->value);
	}
	buf_addch(b, '}');
	buf_addf(b,
		 ",\"size\":%llu,\"modificationTime\":%lld,"
		 "\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":%llu}\"}}\n",
		 (unsigned long long)o->bytes, (long long)now_ms(),
		 (unsigned long long)(o->rows + o->deletes));
	buf_release(&path);
}

/* The actions that make the table. */
static void add_new_table(struct buf *b, const struct delta *d, const struct published *p,
			  struct str schema, const char *partition, bool ntz)
{
	char id[SHA256_HEX + 1];
	struct buf name = { 0 };

	buf_addf(&name, "%s %s", d->app, p->name);
	sha256_hex(buf_str(&name), id);
	buf_addz(b, ntz ? "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,"
			  "\"readerFeatures\":[\"timestampNtz\"],"
			  "\"writerFeatures\":[\"timestampNtz\"]}}\n" :
			  "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n");
	buf_addf(b, "{\"metaData\":{\"id\":\"%.8s-%.4s-%.4s-%.4s-%.12s\",\"name\":", id, id + 8,
		 id + 12, id + 16, id + 20);
	json_add_string(b, str_of(p->name));
	buf_addz(b, ",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":");
	json_add_string(b, schema);
	buf_addz(b, ",\"partitionColumns\":[");
	if (partition)
		json_add_string(b, str_of(partition));
	buf_addf(b, "],\"configuration\":{},\"createdTime\":%lld}}\n", (long long)now_ms());
	buf_release(&name);
}

/* The metaData in force with another schemaString; nothing if the table has all the columns. */
static int add_wider_table(struct buf *b, struct delta *d, struct published *p, struct str own,
			   bool ntz, struct err *e)
{
	struct buf schema = { 0 };
	struct json *doc = NULL;
	const char *had;
	struct str key, line, metadata = STR("");
	struct field value;
	size_t at = 0;
	bool more = false;
	int rc = p->log.metadata ? OK : find_metadata(d, p, e);

	if (rc != OK || (rc = json_parse(str_of(p->log.metadata), &doc, e)) != OK)
		return rc;
	line = str_of(p->log.metadata);
	had = json_string(json_get(json_get(doc, "metaData"), "schemaString"));
	if (!had)
		rc = err_set(e, BAD_DATA, "its metaData has no schemaString");
	else
		rc = delta_schema_widen(&schema, str_of(had), own, &more, e);
	if (rc == OK && more && (rc = scan_member(line, &at, &key, &value, e)) == OK)
		metadata = value.text;
	at = 0;
	if (metadata.len && ntz &&
	    !strstr(had, "timestamp_ntz")) /* all that check_protocol knows */
		buf_addz(b, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,"
			    "\"readerFeatures\":[\"timestampNtz\"],\"writerFeatures\":"
			    "[\"timestampNtz\",\"appendOnly\",\"invariants\"]}}\n");
	if (metadata.len)
		buf_addz(b, "{\"metaData\":{\"schemaString\":");
	if (metadata.len)
		json_add_string(b, buf_str(&schema));
	while (metadata.len && rc == OK &&
	       (rc = scan_member(metadata, &at, &key, &value, e)) == OK && value.kind != F_ABSENT) {
		if (str_eqz(key, "\"schemaString\""))
			continue;
		buf_addch(b, ',');
		buf_addstr(b, key);
		buf_addch(b, ':');
		if (value.kind == F_STRING)
			buf_add(b, value.text.data - 1, value.text.len + 2);
		else
			buf_addstr(b, value.text);
	}
	if (metadata.len)
		buf_addz(b, "}}\n");
	buf_release(&schema);
	json_free(doc);
	return rc;
}

/* What the table must be made of before the step's files are: usually nothing new. columns gets a
 * hash of what it has then. */
static int add_columns(struct buf *b, struct delta *d, struct published *p,
		       const struct wire_table *t, const struct columns *c, char hash[17],
		       struct err *e)
{
	struct buf own = { 0 };
	bool ntz = false, deletes = c->deletes || p->log.has_deleted;
	int rc = delta_schema_own(&own, t, c->numeric_text, deletes, &ntz, e);

	snprintf(hash, 17, "%016llx", (unsigned long long)str_hash(buf_str(&own), 0));
	if (rc == OK && p->log.version < 0)
		add_new_table(b, d, p, buf_str(&own), c->partition, ntz);
	else if (rc == OK && strcmp(p->log.partition ? p->log.partition : "",
				    c->partition ? c->partition : "") != 0)
		rc = err_set(e, BAD_DATA, "it is partitioned by %s there, and by %s now",
			     p->log.partition ? p->log.partition : "nothing",
			     c->partition ? c->partition : "nothing");
	else if (rc == OK && (p->log.metadata || strcmp(hash, p->log.columns) != 0))
		rc = add_wider_table(b, d, p, buf_str(&own), ntz, e);
	buf_release(&own);
	return rc;
}

/* Can what the stream is about to bring be a step of the table? Afterwards it would be too late:
 * the lake would have the step, and its Delta table never could. */
int delta_check(struct delta *d, const struct wire_table *t, const char *partition_by,
		struct err *e)
{
	const struct wire_column *by = column_of(t, partition_by);
	const struct columns c = { by ? by->name : NULL, d->options->numeric_text, false };
	struct published *p = table_of(d, t->name);
	struct buf ignored = { 0 };
	char hash[17];
	int rc;

	if (by && (by->type.array || by->type.base == PG_BYTEA || pg_is_json(by->type.base)))
		return err_set(e, USAGE,
			       "a Delta table cannot be partitioned by \"%s\", which is %s",
			       by->name, by->type_name);
	if ((rc = read_forward(d, p, e)) == OK)
		rc = add_columns(&ignored, d, p, t, &c, hash, e);
	if (rc == OK && !ignored.len) /* it has them: the next run need not look */
		memcpy(p->log.columns, hash, sizeof(hash));
	buf_release(&ignored);
	if (rc == OK)
		return OK;
	err_wrap(e, rc, "Delta table \"%s\"", t->name);
	return rc == BAD_DATA && !e->hint[0] ? err_hint(e, rc, "Put it into another lake.") : rc;
}

/* The files of one table among the step's, as far as they tell how the table is. */
static int look_at_files(struct columns *c, const struct lake_step *step,
			 const struct wire_table *t, struct err *e)
{
	bool times = false;

	for (size_t i = 0; i < t->column_count; i++)
		times = times || t->columns[i].type.base == PG_TIME;
	for (size_t i = 0; i < step->object_count; i++) {
		const struct lake_object *o = &step->objects[i];

		if (o->table_index != t->index)
			continue;
		c->partition = o->column;
		c->numeric_text = o->numeric_text;
		c->deletes = c->deletes || o->deletes;
		if (strcmp(o->format, "parquet") != 0)
			err_set(e, BAD_DATA, "%s is no Parquet", o->path);
		else if (times && !o->time_text)
			err_set(e, BAD_DATA, "%s has times of day, which a Delta table has not",
				o->path);
		else
			continue;
		return err_hint(e, BAD_DATA,
				"Begin a new lake with --delta from its first step on.");
	}
	return OK;
}

static int add_commit(struct buf *b, struct delta *d, struct published *p,
		      const struct lake_step *step, const struct wire_table *t, struct err *e)
{
	struct columns c = { 0 };
	char hash[17];
	int rc = look_at_files(&c, step, t, e);

	buf_addf(b,
		 "{\"commitInfo\":{\"timestamp\":%lld,\"operation\":\"WRITE\","
		 "\"operationParameters\":{\"mode\":\"Append\"},"
		 "\"isBlindAppend\":true,\"engineInfo\":\"starpipe\"}}\n",
		 (long long)now_ms());
	if (rc == OK)
		rc = add_columns(b, d, p, t, &c, hash, e);
	if (rc != OK)
		return rc;
	memcpy(p->log.columns, hash, sizeof(hash));
	p->log.has_deleted = p->log.has_deleted || c.deletes;
	buf_addf(b, "{\"txn\":{\"appId\":\"%s\",\"version\":%llu,\"lastUpdated\":%lld}}\n", d->app,
		 (unsigned long long)step->number, (long long)now_ms());
	for (size_t i = 0; i < step->object_count; i++)
		if (step->objects[i].table_index == t->index)
			add_file(b, &step->objects[i], t);
	return OK;
}

/* One step of one table; a rival's commit in between is read, and the next number tried. */
static int publish_table(struct delta *d, const struct lake_step *step, const struct wire_table *t,
			 struct err *e)
{
	struct published *p = table_of(d, t->name);
	struct buf key = { 0 }, commit = { 0 };
	int64_t before = p->log.own;
	struct err lost;
	int rc;

	do {
		if ((rc = read_forward(d, p, e)) != OK || p->log.step >= step->number)
			break;
		buf_reset(&commit);
		if ((rc = add_commit(&commit, d, p, step, t, e)) != OK)
			break;
		log_key(p, p->log.version + 1, ".json", &key);
		rc = lake_put(d->lake, key.data, buf_str(&commit), &lost);
		if (rc != OK && rc != LOST_RACE)
			*e = lost;
	} while (rc == LOST_RACE);
	if (rc == OK)
		rc = read_forward(d, p, e); /* our own, by the same path as others' */
	if (rc == OK && commit.len && p->log.own / CHECKPOINT_EVERY > before / CHECKPOINT_EVERY)
		checkpoint(d, p); /* whoever made the twentieth version */
	buf_release(&key);
	buf_release(&commit);
	return rc == OK ? OK : err_wrap(e, rc, "Delta table \"%s\"", t->name);
}

static bool has_objects(const struct lake_step *step, const struct wire_table *t)
{
	for (size_t i = 0; i < step->object_count; i++)
		if (step->objects[i].table_index == t->index)
			return true;
	return false;
}

/* Transactions are the lake's, which its first step names. */
static int name_app(struct delta *d, struct err *e)
{
	struct lake_step first = { 0 };
	struct buf app = { 0 };
	int rc = d->app || !lake_last(d->lake) ? OK : lake_step_read(d->lake, 1, &first, e);

	if (rc == OK && first.id) {
		buf_addf(&app, "starpipe-%s", first.id);
		d->app = app.data;
	}
	lake_step_release(&first);
	return rc;
}

int delta_publish(struct delta *d, struct err *e)
{
	int rc = name_app(d, e);

	while (rc == OK && d->step < lake_last(d->lake)) {
		struct lake_step step = { 0 };

		rc = lake_step_read(d->lake, d->step + 1, &step, e);
		for (size_t i = 0; i < step.table_count && rc == OK; i++)
			if (has_objects(&step, step.tables[i]))
				rc = publish_table(d, &step, step.tables[i], e);
		lake_step_release(&step);
		d->step += rc == OK;
	}
	return rc;
}

/* --- what a record says --- */

/* {"step":9,"tables":{"staff":{"version":3,...}}}: all up to step 9 is published, and the logs
 * are to be read from there on. */
struct str delta_note(struct delta *d)
{
	struct buf *b = &d->note;

	buf_reset(b);
	buf_addf(b, "{\"step\":%llu,\"tables\":{", (unsigned long long)d->step);
	for (size_t i = 0; i < d->count; i++) {
		buf_addz(b, i ? "," : "");
		json_add_string(b, str_of(d->tables[i]->name));
		buf_addch(b, ':');
		delta_log_add_note(b, &d->tables[i]->log);
	}
	buf_addz(b, "}}");
	return buf_str(b);
}

static int read_note(struct delta *d, const struct lake_step *s, struct err *e)
{
	struct json *note = NULL;
	const struct json *tables;
	int64_t n;
	int rc = json_parse(s->delta, &note, e);

	if (rc == OK && (!json_int(json_get(note, "step"), &n) || n < 0 || (uint64_t)n > s->number))
		rc = err_set(e, BAD_DATA, "it does not say what step is published");
	if (rc == OK)
		d->step = (uint64_t)n;
	tables = json_get(note, "tables");
	if (rc == OK && json_count(tables))
		rc = err_set(e, BAD_DATA, "what it says of Delta tables is malformed");
	for (size_t i = 0; i < json_members(tables) && rc == OK; i++) {
		const char *name = NULL;
		const struct json *table = json_member(tables, i, &name);

		rc = delta_log_read_note(&table_of(d, name)->log, table, e);
	}
	json_free(note);
	return rc == OK ? OK :
			  err_wrap(e, rc, "commit record %llu", (unsigned long long)s->number);
}

int delta_open(struct lake *l, const struct parquet_options *o, struct delta **out, struct err *e)
{
	struct delta *d = *out = xcalloc(1, sizeof(*d));
	bool said = false;
	int rc = OK;

	d->lake = l;
	d->options = o;
	/* the last record that says something: steps without --delta may follow it */
	for (uint64_t n = lake_last(l); n && rc == OK && !said; n--) {
		struct lake_step step = { 0 };

		rc = lake_step_read(l, n, &step, e);
		said = rc == OK && step.delta.len;
		if (said)
			rc = read_note(d, &step, e);
		lake_step_release(&step);
	}
	return rc == OK ? delta_publish(d, e) : rc;
}

void delta_close(struct delta *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++) {
		delta_log_release(&d->tables[i]->log);
		free(d->tables[i]->name);
		free(d->tables[i]->folder);
		free(d->tables[i]);
	}
	map_release(&d->names);
	free(d->tables);
	free(d->app);
	buf_release(&d->note);
	free(d);
}
