/* delta_checkpoint - the actions of a Delta table as a Parquet file */
#include "delta_checkpoint.h"

#include <stdlib.h>

#include "block.h"
#include "mem.h"
#include "parquet_meta.h"

enum { MAX_LEAVES = 64 };

/* The schema, depth first; children is how many nodes directly below follow. */
enum kind { GROUP, MAP, LIST, TEXT, LONG, INT, BOOL };

static const struct node {
	const char *name;
	enum kind kind;
	int children;
} schema[] = {
	{ "checkpoint", GROUP, 5 },
	{ "txn", GROUP, 3 },
	{ "appId", TEXT, 0 },
	{ "version", LONG, 0 },
	{ "lastUpdated", LONG, 0 },
	{ "add", GROUP, 7 },
	{ "path", TEXT, 0 },
	{ "partitionValues", MAP, 0 },
	{ "size", LONG, 0 },
	{ "modificationTime", LONG, 0 },
	{ "dataChange", BOOL, 0 },
	{ "stats", TEXT, 0 },
	{ "tags", MAP, 0 },
	{ "remove", GROUP, 6 },
	{ "path", TEXT, 0 },
	{ "deletionTimestamp", LONG, 0 },
	{ "dataChange", BOOL, 0 },
	{ "extendedFileMetadata", BOOL, 0 },
	{ "partitionValues", MAP, 0 },
	{ "size", LONG, 0 },
	{ "metaData", GROUP, 8 },
	{ "id", TEXT, 0 },
	{ "name", TEXT, 0 },
	{ "description", TEXT, 0 },
	{ "format", GROUP, 2 },
	{ "provider", TEXT, 0 },
	{ "options", MAP, 0 },
	{ "schemaString", TEXT, 0 },
	{ "partitionColumns", LIST, 0 },
	{ "configuration", MAP, 0 },
	{ "createdTime", LONG, 0 },
	{ "protocol", GROUP, 4 },
	{ "minReaderVersion", INT, 0 },
	{ "minWriterVersion", INT, 0 },
	{ "readerFeatures", LIST, 0 },
	{ "writerFeatures", LIST, 0 },
};

struct leaf {
	enum kind kind;
	char path[8][24];          /* path_in_schema */
	int depth;
	int max_definition, max_repetition;
	struct buf definitions, repetitions; /* a byte each */
	struct buf values;         /* PLAIN */
	struct buf bits;           /* BOOL, a byte each until the page is written */
	uint64_t stored, raw, offset;
};

struct delta_checkpoint {
	struct leaf leaves[MAX_LEAVES];
	size_t leaf_count;
	uint64_t rows;
};

/* --- the schema's leaves --- */

static void add_leaf(struct delta_checkpoint *c, enum kind kind, const char (*path)[24], int depth,
		     int definition, int repetition)
{
	struct leaf *l = &c->leaves[c->leaf_count++];

	l->kind = kind;
	memcpy(l->path, path, sizeof(l->path));
	l->depth = depth;
	l->max_definition = definition;
	l->max_repetition = repetition;
}

static void name_level(char (*path)[24], int depth, const char *name)
{
	memset(path[depth], 0, 24);
	memcpy(path[depth], name, strlen(name));
}

/* Everything is optional but the keys of maps and the elements of lists. */
static const struct node *add_leaves(struct delta_checkpoint *c, const struct node *n,
				     char (*path)[24], int depth, int definition)
{
	const struct node *next = n + 1;

	name_level(path, depth, n->name);
	if (n->kind == MAP) {
		name_level(path, depth + 1, "key_value");
		name_level(path, depth + 2, "key");
		add_leaf(c, TEXT, path, depth + 3, definition + 1, 1);
		name_level(path, depth + 2, "value");
		add_leaf(c, TEXT, path, depth + 3, definition + 2, 1);
	} else if (n->kind == LIST) {
		name_level(path, depth + 1, "list");
		name_level(path, depth + 2, "element");
		add_leaf(c, TEXT, path, depth + 3, definition + 2, 1);
	} else if (n->kind != GROUP) {
		add_leaf(c, n->kind, path, depth + 1, definition, 0);
	}
	for (int i = 0; i < n->children; i++)
		next = add_leaves(c, next, path, depth + 1, definition + 1);
	return next;
}

struct delta_checkpoint *delta_checkpoint_new(void)
{
	struct delta_checkpoint *c = xcalloc(1, sizeof(*c));
	const struct node *n = schema + 1;
	char path[8][24] = { 0 };

	for (int i = 0; i < schema[0].children; i++)
		n = add_leaves(c, n, path, 0, 1);
	return c;
}

void delta_checkpoint_free(struct delta_checkpoint *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->leaf_count; i++) {
		buf_release(&c->leaves[i].definitions);
		buf_release(&c->leaves[i].repetitions);
		buf_release(&c->leaves[i].values);
		buf_release(&c->leaves[i].bits);
	}
	free(c);
}

/* --- a row into its columns --- */

static void add_level(struct leaf *l, int definition, int repetition)
{
	buf_addch(&l->definitions, (char)definition);
	buf_addch(&l->repetitions, (char)repetition);
}

static void add_le(struct buf *b, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_addch(b, (char)(v >> 8 * i));
}

static void add_text(struct leaf *l, const char *text)
{
	add_le(&l->values, strlen(text), 4);
	buf_addz(&l->values, text);
}

/* A value of a leaf that is one; false if the document has none of its kind. */
static bool add_value(struct leaf *l, const struct json *value)
{
	const char *text = json_string(value);
	int64_t n;

	if (l->kind == TEXT && text) {
		add_text(l, text);
		return true;
	}
	if ((l->kind == LONG || l->kind == INT) && json_int(value, &n)) {
		add_le(&l->values, (uint64_t)n, l->kind == LONG ? 8 : 4);
		return true;
	}
	if (l->kind == BOOL && value) {
		buf_addch(&l->bits, (char)json_true(value));
		return true;
	}
	return false;
}

/* definition is that of a map that is there. */
static void add_map(struct leaf *keys, struct leaf *values, const struct json *map, int definition)
{
	size_t count = json_members(map);

	if (!map || !count) {
		add_level(keys, map ? definition : definition - 1, 0);
		add_level(values, map ? definition : definition - 1, 0);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *key;
		const struct json *value = json_member(map, i, &key);
		bool there = json_string(value) != NULL;

		add_level(keys, definition + 1, i > 0);
		add_text(keys, key);
		add_level(values, definition + 1 + there, i > 0);
		if (there)
			add_text(values, json_string(value));
	}
}

static void add_list(struct leaf *l, const struct json *list, int definition)
{
	size_t count = json_count(list);

	if (!list || !count) {
		add_level(l, list ? definition : definition - 1, 0);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string(json_at(list, i));

		add_level(l, definition + 1 + (text != NULL), i > 0);
		if (text)
			add_text(l, text);
	}
}

/* json is the node's value or NULL; definition counts the groups above it that are there. */
static const struct node *shred(const struct node *n, struct leaf **l, const struct json *json,
				int definition)
{
	const struct node *next = n + 1;

	if (json_null(json))
		json = NULL;
	if (n->kind == MAP) {
		add_map(&(*l)[0], &(*l)[1], json, definition + 1);
		*l += 2;
	} else if (n->kind == LIST) {
		add_list((*l)++, json, definition + 1);
	} else if (n->kind != GROUP) {
		bool there = add_value(*l, json);

		add_level((*l)++, definition + there, 0);
	}
	for (int i = 0; i < n->children; i++)
		next = shred(next, l, json_get(json, next->name), definition + (json != NULL));
	return next;
}

/* Below a group that is not there, every leaf gets the definition of what is. */
static const struct node *shred_absent(const struct node *n, struct leaf **l, int definition)
{
	const struct node *next = n + 1;
	int leaves = n->kind == GROUP ? 0 : n->kind == MAP ? 2 : 1;

	for (int i = 0; i < leaves; i++)
		add_level((*l)++, definition, 0);
	for (int i = 0; i < n->children; i++)
		next = shred_absent(next, l, definition);
	return next;
}

void delta_checkpoint_add(struct delta_checkpoint *c, const struct json *action)
{
	const struct node *n = schema + 1;
	struct leaf *l = c->leaves;
	bool known = false;

	for (const struct node *k = n; k < schema + sizeof(schema) / sizeof(schema[0]); k++)
		known = known || (k->children && json_get(action, k->name));
	if (!known)
		return;
	for (int i = 0; i < schema[0].children; i++) {
		const struct json *value = json_get(action, n->name);

		n = value && !json_null(value) ? shred(n, &l, value, 0) : shred_absent(n, &l, 0);
	}
	c->rows++;
}

/* --- the file --- */

/* Levels as runs of equal ones (RLE of the hybrid encoding), behind their length. */
static void add_levels(struct buf *page, const struct buf *levels, int max)
{
	size_t at = page->len;

	if (max == 0)
		return;
	add_le(page, 0, 4);
	for (size_t i = 0, n; i < levels->len; i += n) {
		for (n = 1; i + n < levels->len && levels->data[i + n] == levels->data[i]; n++)
			;
		varint_put(page, n << 1);
		buf_addch(page, levels->data[i]);
	}
	for (int i = 0; i < 4; i++)
		page->data[at + (size_t)i] = (char)((page->len - at - 4) >> 8 * i);
}

static void add_bits(struct buf *page, const struct buf *bits)
{
	unsigned char byte = 0;

	for (size_t i = 0; i < bits->len; i++) {
		byte |= (unsigned char)(bits->data[i] << i % 8);
		if (i % 8 == 7 || i + 1 == bits->len) {
			buf_addch(page, (char)byte);
			byte = 0;
		}
	}
}

/* A column is one page: of values that follow each other in memory anyway. */
static int write_leaf(struct leaf *l, struct buf *file, struct err *e)
{
	struct buf page = { 0 }, packed = { 0 }, head = { 0 };
	struct thrift_out o = { .b = &head };
	int rc;

	add_levels(&page, &l->repetitions, l->max_repetition);
	add_levels(&page, &l->definitions, l->max_definition);
	if (l->kind == BOOL)
		add_bits(&page, &l->bits);
	buf_addstr(&page, buf_str(&l->values));
	rc = page.len > INT32_MAX ? err_set(e, FAILED, "the checkpoint is too large") :
				    block_pack(BLOCK_SNAPPY, buf_str(&page), &packed, e);
	if (rc == OK) {
		thrift_put_struct(&o, 0);
		thrift_put_i32(&o, 1, PQ_DATA_PAGE);
		thrift_put_i32(&o, 2, (int32_t)page.len);
		thrift_put_i32(&o, 3, (int32_t)packed.len);
		thrift_put_struct(&o, 5);
		thrift_put_i32(&o, 1, (int32_t)l->definitions.len);
		thrift_put_i32(&o, 2, PQE_PLAIN);
		thrift_put_i32(&o, 3, PQE_RLE);
		thrift_put_i32(&o, 4, PQE_RLE);
		thrift_end(&o);
		thrift_end(&o);
		l->offset = file->len;
		l->stored = head.len + packed.len;
		l->raw = head.len + page.len;
		buf_addstr(file, buf_str(&head));
		buf_addstr(file, buf_str(&packed));
	}
	buf_release(&page);
	buf_release(&packed);
	buf_release(&head);
	return rc;
}

static enum parquet_type type_of(enum kind kind)
{
	return kind == TEXT   ? PQ_BYTES
	       : kind == LONG ? PQ_INT64
	       : kind == INT  ? PQ_INT32
			      : PQ_BOOLEAN;
}

enum { REQUIRED, OPTIONAL, REPEATED };

static void put_element(struct thrift_out *o, const char *name, int repetition, int children,
			int converted)
{
	thrift_put_struct(o, 0);
	thrift_put_i32(o, 3, repetition);
	thrift_put_binary(o, 4, str_of(name));
	if (children)
		thrift_put_i32(o, 5, children);
	if (converted != PQC_NONE)
		thrift_put_i32(o, 6, converted);
	thrift_end(o);
}

static void put_leaf(struct thrift_out *o, const char *name, int repetition, enum kind kind)
{
	thrift_put_struct(o, 0);
	thrift_put_i32(o, 1, (int32_t)type_of(kind));
	thrift_put_i32(o, 3, repetition);
	thrift_put_binary(o, 4, str_of(name));
	if (kind == TEXT)
		thrift_put_i32(o, 6, PQC_UTF8);
	thrift_end(o);
}

static int elements_of(const struct node *n)
{
	return n->kind == MAP ? 4 : n->kind == LIST ? 3 : 1;
}

static void put_schema(struct thrift_out *o)
{
	size_t nodes = sizeof(schema) / sizeof(schema[0]), count = 0;

	for (size_t i = 0; i < nodes; i++)
		count += (size_t)elements_of(&schema[i]);
	thrift_put_list(o, 2, THRIFT_STRUCT, count);
	thrift_put_struct(o, 0); /* the root has no repetition */
	thrift_put_binary(o, 4, str_of(schema[0].name));
	thrift_put_i32(o, 5, schema[0].children);
	thrift_end(o);
	for (size_t i = 1; i < nodes; i++) {
		const struct node *n = &schema[i];

		if (n->kind == GROUP) {
			put_element(o, n->name, OPTIONAL, n->children, PQC_NONE);
		} else if (n->kind == MAP) {
			put_element(o, n->name, OPTIONAL, 1, PQC_MAP);
			put_element(o, "key_value", REPEATED, 2, PQC_NONE);
			put_leaf(o, "key", REQUIRED, TEXT);
			put_leaf(o, "value", OPTIONAL, TEXT);
		} else if (n->kind == LIST) {
			put_element(o, n->name, OPTIONAL, 1, PQC_LIST);
			put_element(o, "list", REPEATED, 1, PQC_NONE);
			put_leaf(o, "element", OPTIONAL, TEXT);
		} else {
			put_leaf(o, n->name, OPTIONAL, n->kind);
		}
	}
}

static void put_chunk(struct thrift_out *o, const struct leaf *l)
{
	thrift_put_struct(o, 0);
	thrift_put_i64(o, 2, (int64_t)l->offset);
	thrift_put_struct(o, 3);
	thrift_put_i32(o, 1, (int32_t)type_of(l->kind));
	thrift_put_list(o, 2, THRIFT_I32, 2);
	thrift_put_i32(o, 0, PQE_PLAIN);
	thrift_put_i32(o, 0, PQE_RLE);
	thrift_put_list(o, 3, THRIFT_BINARY, (size_t)l->depth);
	for (int i = 0; i < l->depth; i++)
		thrift_put_binary(o, 0, str_of(l->path[i]));
	thrift_put_i32(o, 4, BLOCK_SNAPPY);
	thrift_put_i64(o, 5, (int64_t)l->definitions.len);
	thrift_put_i64(o, 6, (int64_t)l->raw);
	thrift_put_i64(o, 7, (int64_t)l->stored);
	thrift_put_i64(o, 9, (int64_t)l->offset);
	thrift_end(o);
	thrift_end(o);
}

static void put_footer(const struct delta_checkpoint *c, struct buf *b)
{
	struct thrift_out o = { .b = b };
	uint64_t raw = 0;

	thrift_put_struct(&o, 0);
	thrift_put_i32(&o, 1, 1);
	put_schema(&o);
	thrift_put_i64(&o, 3, (int64_t)c->rows);
	thrift_put_list(&o, 4, THRIFT_STRUCT, 1);
	thrift_put_struct(&o, 0);
	thrift_put_list(&o, 1, THRIFT_STRUCT, c->leaf_count);
	for (size_t i = 0; i < c->leaf_count; i++) {
		put_chunk(&o, &c->leaves[i]);
		raw += c->leaves[i].raw;
	}
	thrift_put_i64(&o, 2, (int64_t)raw);
	thrift_put_i64(&o, 3, (int64_t)c->rows);
	thrift_end(&o);
	thrift_put_binary(&o, 6, STR("starpipe"));
	thrift_end(&o);
}

int delta_checkpoint_finish(struct delta_checkpoint *c, struct buf *b, uint64_t *actions,
			    struct err *e)
{
	size_t at;
	int rc = OK;

	buf_addz(b, "PAR1");
	for (size_t i = 0; i < c->leaf_count && rc == OK; i++)
		rc = write_leaf(&c->leaves[i], b, e);
	at = b->len;
	put_footer(c, b);
	add_le(b, b->len - at, 4);
	buf_addz(b, "PAR1");
	*actions = c->rows;
	return rc;
}
