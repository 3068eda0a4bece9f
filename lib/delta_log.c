/* delta_log - what the files of a Delta table's log say */
#include "delta_log.h"

#include <stdlib.h>

#include "delta_checkpoint.h"
#include "mem.h"
#include "scan.h"

/* --- actions --- */

/* An action is an object of one member, whose name says what it is. */
typedef int take(void *arg, const char *kind, const struct json *value, struct str line,
		 struct err *e);

static int take_line(take *f, void *arg, struct str line, struct err *e)
{
	struct json *doc = NULL;
	const struct json *value;
	const char *kind = NULL;
	struct field all;
	int rc = scan_value(line, &all, e);

	if (rc != OK || (rc = json_parse(line, &doc, e)) != OK)
		return rc;
	value = json_members(doc) == 1 ? json_member(doc, 0, &kind) : NULL;
	rc = value && kind ? f(arg, kind, value, line, e) :
			     err_set(e, BAD_DATA, "it is no action");
	json_free(doc);
	return rc;
}

static int each_action(struct str text, take *f, void *arg, struct err *e)
{
	unsigned long long number = 1;
	int rc = OK;

	for (; text.len && rc == OK; number++) {
		const char *nl = memchr(text.data, '\n', text.len);
		struct str line = { text.data, nl ? (size_t)(nl - text.data) : text.len };

		text.data += line.len + (nl != NULL);
		text.len -= line.len + (nl != NULL);
		if (line.len && (rc = take_line(f, arg, line, e)) != OK)
			err_wrap(e, rc, "line %llu", number);
	}
	return rc;
}

/* --- what a writer must know --- */

/* Is there something, and no list? An empty object counts as one. */
static bool is_no_list(const struct json *j)
{
	return json_members(j) || json_string(j) || json_number(j) || json_true(j);
}

/* Do we know all that a writer must heed? Before version 7 the number says it: 2 is append-only
 * tables and invariants; from 7 on there are names. */
static int check_protocol(const struct delta_log *l, const struct json *protocol, struct err *e)
{
	const struct json *features = json_get(protocol, "writerFeatures");
	int64_t writer = 0;

	if (is_no_list(features))
		return err_set(e, BAD_DATA, "its writerFeatures are no list of names");
	for (size_t i = 0; i < json_count(features); i++) {
		const char *name = json_string(json_at(features, i));

		if (!name)
			return err_set(e, BAD_DATA, "its writerFeatures are no list of names");
		if (strcmp(name, "timestampNtz") != 0 && strcmp(name, "appendOnly") != 0 &&
		    strcmp(name, "invariants") != 0)
			return err_set(
				e, BAD_DATA,
				"Delta table \"%s\" has the feature %s, which starpipe cannot "
				"write",
				l->name, name);
	}
	if (!json_int(json_get(protocol, "minWriterVersion"), &writer) || writer < 1)
		return err_set(e, BAD_DATA, "its protocol has no minWriterVersion");
	if (writer <= 2 || writer == 7)
		return OK;
	return err_set(e, BAD_DATA, "Delta table \"%s\" wants writers of version %lld", l->name,
		       (long long)writer);
}

static void set_partition(struct delta_log *l, const char *column)
{
	free(l->partition);
	l->partition = column ? xstrdup(column) : NULL;
}

static int note_metadata(struct delta_log *l, const struct json *metadata, struct str line,
			 struct err *e)
{
	const struct json *by = json_get(metadata, "partitionColumns");
	const char *schema = json_string(json_get(metadata, "schemaString"));

	if (is_no_list(by) || (json_count(by) && !json_string(json_at(by, 0))))
		return err_set(e, BAD_DATA, "its partitionColumns are no list of names");
	free(l->metadata);
	l->metadata = xstrndup(line.data, line.len);
	l->has_deleted = schema && strstr(schema, "\"name\":\"_deleted\"");
	/* more than one is none that we could have */
	set_partition(l, json_count(by) > 1 ? "" : json_string(json_at(by, 0)));
	return OK;
}

static int note_txn(struct delta_log *l, int64_t at, const struct json *txn, struct err *e)
{
	int64_t step;

	if (!json_int(json_get(txn, "version"), &step) || step < 1 || step > DELTA_VERSION_MAX)
		return err_set(e, BAD_DATA, "the version of our transaction is no step's number");
	if ((uint64_t)step > l->step) {
		l->step = (uint64_t)step;
		l->own = at;
	}
	return OK;
}

struct noting {
	struct delta_log *log;
	const char *app;
	int64_t version;
};

static int note_action(void *arg, const char *kind, const struct json *value, struct str line,
		       struct err *e)
{
	struct noting *n = arg;
	const char *app = json_string(json_get(value, "appId"));

	if (strcmp(kind, "protocol") == 0)
		return check_protocol(n->log, value, e);
	if (strcmp(kind, "metaData") == 0)
		return note_metadata(n->log, value, line, e);
	if (strcmp(kind, "txn") == 0 && app && n->app && strcmp(app, n->app) == 0)
		return note_txn(n->log, n->version, value, e);
	return OK;
}

int delta_log_read(struct delta_log *l, const char *app, int64_t version, struct str text,
		   struct err *e)
{
	struct noting n = { l, app, version };

	return each_action(text, note_action, &n, e);
}

void delta_log_release(struct delta_log *l)
{
	free(l->metadata);
	free(l->partition);
	l->metadata = l->partition = NULL;
}

int delta_log_last(struct str text, int64_t *version, struct err *e)
{
	struct json *doc = NULL;
	int rc = json_parse(text, &doc, e);

	if (rc == OK)
		json_int(json_get(doc, "version"), version);
	json_free(doc);
	return rc;
}

/* --- what a record says --- */

void delta_log_add_note(struct buf *b, const struct delta_log *l)
{
	buf_addf(b, "{\"version\":%lld,\"own\":%lld,\"columns\":\"%s\",\"deleted\":%s",
		 (long long)l->version, (long long)l->own, l->columns,
		 l->has_deleted ? "true" : "false");
	if (l->partition) {
		buf_addz(b, ",\"partition\":");
		json_add_string(b, str_of(l->partition));
	}
	buf_addch(b, '}');
}

static bool version_of(const struct json *j, int64_t *version)
{
	*version = -1;
	return !j || (json_int(j, version) && *version >= -1 && *version <= DELTA_VERSION_MAX);
}

int delta_log_read_note(struct delta_log *l, const struct json *note, struct err *e)
{
	const char *columns = json_string(json_get(note, "columns"));
	size_t len = columns ? strlen(columns) : 0;

	if (!version_of(json_get(note, "version"), &l->version) ||
	    !version_of(json_get(note, "own"), &l->own) || l->own > l->version)
		return err_set(e, BAD_DATA, "what it says of Delta table \"%s\" has no version",
			       l->name);
	if (len && (len != sizeof(l->columns) - 1 || strspn(columns, "0123456789abcdef") != len))
		return err_set(e, BAD_DATA, "what it says of Delta table \"%s\" has no columns",
			       l->name);
	memcpy(l->columns, columns ? columns : "", len + 1);
	l->has_deleted = json_true(json_get(note, "deleted"));
	set_partition(l, json_string(json_get(note, "partition")));
	return OK;
}

/* --- the table as it is --- */

static void set_line(struct delta_replay *r, const char *kind, const char *name, struct str line)
{
	struct buf key = { 0 };
	struct map_entry *entry;
	int added;

	buf_addf(&key, "%s %s", kind, name);
	entry = map_add(&r->lines, buf_str(&key), &added);
	buf_release(&key);
	if (added)
		entry->value = xcalloc(1, sizeof(struct buf));
	buf_reset(entry->value);
	buf_addstr(entry->value, line);
}

static int replay_action(void *arg, const char *kind, const struct json *value, struct str line,
			 struct err *e)
{
	const char *name = "";

	if (strcmp(kind, "commitInfo") == 0)
		return OK;
	if (strcmp(kind, "add") == 0 || strcmp(kind, "remove") == 0) {
		name = json_string(json_get(value, "path"));
		kind = "file"; /* a removed file is no more, an added one again */
	} else if (strcmp(kind, "txn") == 0) {
		name = json_string(json_get(value, "appId"));
	}
	if (!name)
		return err_set(e, BAD_DATA, "its %s has no name",
			       strcmp(kind, "txn") == 0 ? "transaction" : "file");
	set_line(arg, kind, name, line);
	return OK;
}

int delta_replay_read(struct delta_replay *r, struct str text, struct err *e)
{
	return each_action(text, replay_action, r, e);
}

int delta_replay_finish(const struct delta_replay *r, struct buf *json, struct buf *file,
			uint64_t *actions, struct err *e)
{
	struct delta_checkpoint *c = delta_checkpoint_new();
	int rc = OK;

	for (size_t i = 0; i < r->lines.capacity && rc == OK; i++) {
		struct json *doc = NULL;

		if (!r->lines.entries[i].key.data)
			continue;
		buf_addstr(json, buf_str(r->lines.entries[i].value));
		buf_addch(json, '\n');
		rc = json_parse(buf_str(r->lines.entries[i].value), &doc, e);
		delta_checkpoint_add(c, doc);
		json_free(doc);
	}
	if (rc == OK)
		rc = delta_checkpoint_finish(c, file, actions, e);
	delta_checkpoint_free(c);
	return rc;
}

void delta_replay_release(struct delta_replay *r)
{
	for (size_t i = 0; i < r->lines.capacity; i++)
		if (r->lines.entries[i].key.data) {
			buf_release(r->lines.entries[i].value);
			free(r->lines.entries[i].value);
		}
	map_release(&r->lines);
}
