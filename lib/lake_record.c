/* lake_record - a commit record as text, written and read */
#include "lake_record.h"

#include <stdlib.h>
#include <time.h>

#include "hash.h"
#include "json.h"
#include "map.h"
#include "mem.h"

enum {
	TABLE_MAX = 4 << 20,  /* bytes of one table's announcement */
	OBJECT_MAX = 1 << 20, /* and of one object's members */
	ID_MAX = 64
};

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

/* --- writing --- */

void lake_record_add_object(struct buf *b, const struct lake_object *o)
{
	buf_addz(b, b->len ? ",\n  {\"path\":" : "\n  {\"path\":");
	json_add_string(b, str_of(o->path));
	buf_addz(b, ",\"table\":");
	json_add_string(b, str_of(o->table));
	if (o->column) {
		buf_addz(b, ",\"partition\":{");
		json_add_string(b, str_of(o->column));
		buf_addch(b, ':');
		if (o->value)
			json_add_string(b, str_of(o->value));
		else
			buf_addz(b, "null");
		buf_addch(b, '}');
	}
	buf_addf(b, ",\"rows\":%llu", (unsigned long long)o->rows);
	if (o->deletes)
		buf_addf(b, ",\"deletes\":%llu", (unsigned long long)o->deletes);
	buf_addf(b, ",\"bytes\":%llu,\"sha256\":\"%s\",\"encoding\":\"%s\",\"format\":",
		 (unsigned long long)o->bytes, o->sha256, codec_name(o->codec));
	json_add_string(b, str_of(o->format));
	if (o->numeric_text)
		buf_addz(b, ",\"numeric_as\":\"string\"");
	if (o->time_text)
		buf_addz(b, ",\"time_as\":\"string\"");
	buf_addch(b, '}');
}

void lake_record_add(struct buf *b, const struct lake_step *s, const char *tool, struct str objects)
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
		 (unsigned long long)s->number, s->id, when, tool);
	for (size_t i = 0; i < s->table_count; i++) {
		buf_addz(b, i ? ",\n  " : "\n  ");
		wire_add_table(b, s->tables[i]);
		b->len -= 2; /* its } and line break */
		buf_addf(b, ",\"rows\":%llu}", (unsigned long long)s->tables[i]->rows);
	}
	buf_addz(b, "],\n \"objects\":[");
	buf_addstr(b, objects);
	buf_addz(b, "]");
	if (s->state.len) {
		buf_addz(b, ",\n \"state\":");
		buf_addstr(b, s->state);
	}
	if (s->delta.len) {
		buf_addz(b, ",\n \"delta\":");
		buf_addstr(b, s->delta);
	}
	buf_addz(b, "}\n");
}

/* --- reading: its members --- */

enum { STEP, ID, TABLES, OBJECTS, STATE, DELTA, MEMBERS };

static const struct {
	const char *name;
	enum field_kind kind;
	const char *what;
	bool optional;
} members[MEMBERS] = {
	[STEP] = { "step", F_NUMBER, "number", false },
	[ID] = { "id", F_STRING, "text", false },
	[TABLES] = { "tables", F_ARRAY, "array", false },
	[OBJECTS] = { "objects", F_ARRAY, "array", false },
	[STATE] = { "state", F_OBJECT, "object", true },
	[DELTA] = { "delta", F_OBJECT, "object", true },
};

static int take_member(struct field *found, struct str key, const struct field *value,
		       struct err *e)
{
	struct str name = { key.data + 1, key.len - 2 };
	size_t i = 0;

	while (i < MEMBERS && !str_eqz(name, members[i].name))
		i++;
	if (i == MEMBERS)
		return OK;
	if (found[i].kind != F_ABSENT)
		return err_set(e, BAD_DATA, "it has \"%s\" twice", members[i].name);
	if (value->kind != members[i].kind)
		return err_set(e, BAD_DATA, "its \"%s\" is no %s", members[i].name,
			       members[i].what);
	found[i] = *value;
	return OK;
}

static int find_members(struct str text, struct field found[MEMBERS], struct err *e)
{
	struct field all, value = { .kind = F_NULL };
	struct str key;
	size_t at = 0;
	int rc = scan_value(text, &all, e);

	if (rc == OK && all.kind != F_OBJECT)
		rc = err_set(e, BAD_DATA, "it is no JSON object");
	while (rc == OK && value.kind != F_ABSENT) {
		rc = scan_member(all.text, &at, &key, &value, e);
		if (rc == OK && value.kind != F_ABSENT)
			rc = take_member(found, key, &value, e);
	}
	for (size_t i = 0; i < MEMBERS && rc == OK; i++)
		if (found[i].kind == F_ABSENT && !members[i].optional)
			rc = err_set(e, BAD_DATA, "it has no %s", members[i].name);
	return rc;
}

/* Others' text goes into messages and names; an id has never had anything else. */
static bool is_id(struct str s)
{
	bool is = s.len > 0 && s.len <= ID_MAX;

	for (size_t i = 0; i < s.len && is; i++)
		is = (s.data[i] >= '0' && s.data[i] <= '9') ||
		     (s.data[i] >= 'A' && s.data[i] <= 'Z') ||
		     (s.data[i] >= 'a' && s.data[i] <= 'z') ||
		     (s.data[i] && strchr("-_.:", s.data[i]));
	return is;
}

static bool count_of(const struct json *j, uint64_t *n)
{
	int64_t v;

	if (!json_int(j, &v) || v < 0)
		return false;
	*n = (uint64_t)v;
	return true;
}

static const char *keep(struct lake_step *s, struct str text)
{
	char *copy = arena_alloc(&s->strings, text.len + 1);

	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

static const char *keep_string(struct lake_step *s, const struct json *j)
{
	const char *text = json_string(j);

	return text ? keep(s, str_of(text)) : NULL;
}

/* --- tables --- */

static int read_table(struct lake_step *s, struct str text, struct map *names, struct err *e)
{
	struct wire_table *t = NULL;
	struct json *doc = NULL;
	int added, rc;

	if (s->table_count == LAKE_TABLES_MAX || text.len > TABLE_MAX)
		return err_set(e, BAD_DATA, "more than %d tables, or %d bytes of one",
			       LAKE_TABLES_MAX, TABLE_MAX);
	if ((rc = json_parse(text, &doc, e)) == OK && (rc = wire_table_read(doc, &t, e)) == OK) {
		struct map_entry *entry = map_add(names, str_of(t->name), &added);

		entry->value = t;
		t->index = s->table_count;
		if (!added)
			rc = err_set(e, BAD_DATA, "\"%s\" is there twice", t->name);
		else if (json_get(doc, "rows") && !count_of(json_get(doc, "rows"), &t->rows))
			rc = err_set(e, BAD_DATA, "its \"rows\" is no count");
	}
	json_free(doc);
	if (rc == OK)
		s->tables[s->table_count++] = t;
	else
		wire_table_free(t);
	return rc;
}

static int read_tables(struct lake_step *s, struct str text, struct map *names, struct err *e)
{
	struct field value;
	size_t at = 0, cap = 0;
	int rc;

	while ((rc = scan_element(text, &at, &value, e)) == OK && value.kind != F_ABSENT) {
		GROW(s->tables, s->table_count, cap);
		if ((rc = read_table(s, value.text, names, e)) != OK)
			return err_wrap(e, rc, "table %zu", s->table_count + 1);
	}
	return rc;
}

/* --- objects --- */

/* Below the folder of its table, and nowhere else. */
static bool is_path(const char *path, const char *table)
{
	struct buf folder = { 0 };
	bool is;

	lake_add_folder(&folder, table);
	buf_addch(&folder, '/');
	is = strncmp(path, folder.data, folder.len) == 0;
	buf_release(&folder);
	for (const char *part = path; is && part;) {
		size_t len = strcspn(part, "/");

		is = len > 0 && !(len <= 2 && strncmp(part, "..", len) == 0);
		part = part[len] ? part + len + 1 : NULL;
	}
	for (const unsigned char *c = (const unsigned char *)path; *c && is; c++)
		is = *c >= 0x20 && *c != 0x7f;
	return is;
}

static bool is_sha256(const char *text)
{
	return text && strlen(text) == SHA256_HEX &&
	       strspn(text, "0123456789abcdef") == SHA256_HEX;
}

static int read_counts(const struct json *j, struct lake_object *o, struct err *e)
{
	const struct json *deletes = json_get(j, "deletes");

	if (!count_of(json_get(j, "rows"), &o->rows) ||
	    !count_of(json_get(j, "bytes"), &o->bytes) ||
	    (deletes && !count_of(deletes, &o->deletes)))
		return err_set(e, BAD_DATA, "its rows, deletes or bytes are no count");
	return OK;
}

/* {"column":"value"}, of a column that the table's rows have. */
static int read_partition(struct lake_step *s, const struct json *j, struct lake_object *o,
			  struct err *e)
{
	const struct wire_table *t = s->tables[o->table_index];
	const char *column = NULL;
	const struct json *value = json_member(j, 0, &column);
	size_t i;

	if (!j)
		return OK;
	if (json_members(j) != 1 || !column || (!json_string(value) && !json_null(value)))
		return err_set(e, BAD_DATA, "its partition is not one column's text or null");
	i = wire_column_index(t, str_of(column));
	if (i == t->column_count || t->columns[i].generated)
		return err_set(e, BAD_DATA, "its partition is by \"%s\", no column of its table",
			       column);
	o->column = t->columns[i].name;
	o->value = keep_string(s, value);
	return OK;
}

static int read_object(struct lake_step *s, const struct json *j, struct lake_object *o,
		       const struct map *names, struct err *e)
{
	const char *path = json_string(json_get(j, "path"));
	const char *table = json_string(json_get(j, "table"));
	const char *encoding = json_string(json_get(j, "encoding"));
	const char *format = json_string(json_get(j, "format"));
	const struct map_entry *known = table ? map_find(names, str_of(table)) : NULL;
	int rc;

	if (!known)
		return err_set(e, BAD_DATA, "it is of a table that its step has not: \"%s\"",
			       table ? table : "");
	o->table = ((const struct wire_table *)known->value)->name;
	o->table_index = ((const struct wire_table *)known->value)->index;
	if (!path || !is_path(path, table))
		return err_set(e, BAD_DATA, "its path is not one below its table's folder: \"%s\"",
			       path ? path : "");
	o->path = keep(s, str_of(path));
	o->sha256 = keep_string(s, json_get(j, "sha256"));
	if (!is_sha256(o->sha256))
		return err_set(e, BAD_DATA, "its sha256 is not 64 digits");
	o->format = keep(s, str_of(format ? format : "jsonl"));
	o->numeric_text = json_string(json_get(j, "numeric_as")) != NULL;
	o->time_text = json_string(json_get(j, "time_as")) != NULL;
	if (!encoding || (!codec_parse(encoding, &o->codec) &&
			  strcmp(encoding, codec_name(CODEC_NONE)) != 0))
		return err_set(e, BAD_DATA, "its encoding is unknown: \"%s\"",
			       encoding ? encoding : "");
	if ((rc = read_counts(j, o, e)) != OK)
		return rc;
	return read_partition(s, json_get(j, "partition"), o, e);
}

static int read_next_object(struct lake_step *s, struct str text, const struct map *names,
			    struct map *paths, struct err *e)
{
	struct lake_object *o = &s->objects[s->object_count];
	struct json *doc = NULL;
	int added, rc;

	*o = (struct lake_object){ 0 };
	if (text.len > OBJECT_MAX)
		return err_set(e, BAD_DATA, "it takes more than %d bytes", OBJECT_MAX);
	if ((rc = json_parse(text, &doc, e)) == OK)
		rc = read_object(s, doc, o, names, e);
	json_free(doc);
	if (rc != OK)
		return rc;
	map_add(paths, str_of(o->path), &added);
	if (!added)
		return err_set(e, BAD_DATA, "its path is another's: \"%s\"", o->path);
	s->object_count++;
	return OK;
}

static int read_objects(struct lake_step *s, struct str text, const struct map *names,
			struct err *e)
{
	struct map paths = { 0 };
	struct field value;
	size_t at = 0, cap = 0;
	int rc;

	while ((rc = scan_element(text, &at, &value, e)) == OK && value.kind != F_ABSENT) {
		GROW(s->objects, s->object_count, cap);
		if ((rc = read_next_object(s, value.text, names, &paths, e)) != OK) {
			err_wrap(e, rc, "object %zu", s->object_count + 1);
			break;
		}
	}
	map_release(&paths);
	return rc;
}

/* The rows of a table are those of its objects. */
static int check_rows(const struct lake_step *s, struct err *e)
{
	uint64_t *rows = xcalloc(s->table_count, sizeof(*rows));
	int rc = OK;

	for (size_t i = 0; i < s->object_count && rc == OK; i++) {
		const struct lake_object *o = &s->objects[i];

		if (o->rows > s->tables[o->table_index]->rows - rows[o->table_index])
			rc = err_set(e, BAD_DATA,
				     "table \"%s\" has fewer rows than its objects", o->table);
		rows[o->table_index] += o->rows;
	}
	for (size_t i = 0; i < s->table_count && rc == OK; i++)
		if (rows[i] != s->tables[i]->rows)
			rc = err_set(e, BAD_DATA, "table \"%s\" has more rows than its objects",
				     s->tables[i]->name);
	free(rows);
	return rc;
}

int lake_record_read(struct buf *text, uint64_t number, struct lake_step *s, struct err *e)
{
	struct field found[MEMBERS] = { 0 };
	struct map names = { 0 };
	int64_t step;
	int rc;

	*s = (struct lake_step){ .number = number, .text = *text };
	*text = (struct buf){ 0 };
	if ((rc = find_members(buf_str(&s->text), found, e)) != OK)
		return rc;
	if (!str_to_i64(found[STEP].text, 1, (int64_t)LAKE_STEP_MAX, &step) ||
	    (uint64_t)step != number)
		return err_set(e, BAD_DATA, "it is of another step: %.*s",
			       (int)(found[STEP].text.len < 32 ? found[STEP].text.len : 32),
			       found[STEP].text.data);
	if (!is_id(found[ID].text))
		return err_set(e, BAD_DATA, "its id is none");
	s->id = keep(s, found[ID].text);
	s->state = found[STATE].kind == F_ABSENT ? STR("") : found[STATE].text;
	s->delta = found[DELTA].kind == F_ABSENT ? STR("") : found[DELTA].text;
	if ((rc = read_tables(s, found[TABLES].text, &names, e)) == OK &&
	    (rc = read_objects(s, found[OBJECTS].text, &names, e)) == OK)
		rc = check_rows(s, e);
	map_release(&names);
	return rc;
}

void lake_step_release(struct lake_step *s)
{
	for (size_t i = 0; i < s->table_count; i++)
		wire_table_free(s->tables[i]);
	free(s->tables);
	free(s->objects);
	buf_release(&s->text);
	arena_release(&s->strings);
	*s = (struct lake_step){ 0 };
}
