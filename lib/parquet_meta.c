/* parquet_meta - what stands at the end of a Parquet file */
#include "parquet_meta.h"

#include <string.h>

#include "map.h"

enum {
	MAX_COLUMNS = 1600 + 1, /* PostgreSQL's, and the one that tells deleted rows */
	MAX_LENGTH = 1 << 20,
	MAX_PRECISION = 76,
	DECIMAL_BYTES = 32,
	SLACK = 100
};

struct element {
	struct parquet_leaf leaf;
	struct str name;
	int64_t type, repetition, children, converted;
	bool has_type;
};

static int malformed(const char *what, struct err *e)
{
	return err_set(e, BAD_DATA, "the footer is malformed: %s", what);
}

static void *alloc(struct parquet_meta *m, size_t count, size_t size)
{
	void *p = arena_alloc(&m->arena, count ? count * size : 1);

	memset(p, 0, count * size);
	return p;
}

size_t parquet_width(const struct parquet_leaf *l)
{
	static const size_t widths[] = { [PQ_INT32] = 4, [PQ_INT64] = 8, [PQ_INT96] = 12,
					 [PQ_FLOAT] = 4, [PQ_DOUBLE] = 8, [PQ_BYTES] = 0 };

	return l->type == PQ_FIXED ? (size_t)l->type_length : widths[l->type];
}

/* --- the schema --- */

static int small(int64_t v)
{
	return v < 0 || v > INT32_MAX ? -1 : (int)v;
}

static void read_unit(struct thrift_in *in, const struct thrift_field *outer, struct element *s)
{
	struct thrift_field f = { 0 };

	if (!thrift_struct(in, outer))
		return;
	while (thrift_next(in, &f)) {
		if (f.id <= PQ_NANOS)
			s->leaf.unit = (enum parquet_unit)f.id;
		thrift_skip(in, &f);
	}
}

/* The member of the union: what it holds is said by numbers that mean other things in others. */
static void read_logical_member(struct thrift_in *in, const struct thrift_field *member,
				struct element *s)
{
	struct thrift_field f = { 0 };
	struct parquet_leaf *l = &s->leaf;

	if (!thrift_struct(in, member))
		return;
	while (thrift_next(in, &f)) {
		if (member->id == PQ_DECIMAL && f.id == 1)
			l->scale = small(thrift_int(in, &f));
		else if (member->id == PQ_DECIMAL && f.id == 2)
			l->precision = small(thrift_int(in, &f));
		else if ((member->id == PQ_TIME || member->id == PQ_TIMESTAMP) && f.id == 1)
			l->utc = thrift_bool(in, &f);
		else if ((member->id == PQ_TIME || member->id == PQ_TIMESTAMP) && f.id == 2)
			read_unit(in, &f, s);
		else if (member->id == PQ_INTEGER && f.id == 1)
			l->bits = small(thrift_int(in, &f));
		else if (member->id == PQ_INTEGER && f.id == 2)
			l->is_signed = thrift_bool(in, &f);
		else
			thrift_skip(in, &f);
	}
}

/* A member that is unknown leaves a column without a logical type. */
static void read_logical(struct thrift_in *in, const struct thrift_field *outer, struct element *s)
{
	struct thrift_field f = { 0 };

	if (!thrift_struct(in, outer))
		return;
	while (thrift_next(in, &f)) {
		if (f.id <= PQ_FLOAT16) {
			s->leaf.logical = (enum parquet_logical)f.id;
			read_logical_member(in, &f, s);
		} else {
			thrift_skip(in, &f);
		}
	}
}

static void read_element(struct thrift_in *in, const struct thrift_field *outer, struct element *s)
{
	struct thrift_field f = { 0 };

	*s = (struct element){ .name = STR(""), .converted = PQC_NONE };
	if (!thrift_struct(in, outer))
		return;
	while (thrift_next(in, &f)) {
		switch (f.id) {
		case 1:
			s->type = thrift_int(in, &f);
			s->has_type = true;
			break;
		case 2: s->leaf.type_length = small(thrift_int(in, &f)); break;
		case 3: s->repetition = thrift_int(in, &f); break;
		case 4: s->name = thrift_binary(in, &f); break;
		case 5: s->children = thrift_int(in, &f); break;
		case 6: s->converted = thrift_int(in, &f); break;
		case 7: s->leaf.scale = small(thrift_int(in, &f)); break;
		case 8: s->leaf.precision = small(thrift_int(in, &f)); break;
		case 10: read_logical(in, &f, s); break;
		default: thrift_skip(in, &f);
		}
	}
}

static void read_converted(struct parquet_leaf *l, int64_t converted)
{
	static const enum parquet_logical same[] = {
		[PQC_UTF8] = PQ_STRING, [PQC_ENUM] = PQ_ENUM,
		[PQC_DECIMAL] = PQ_DECIMAL, [PQC_DATE] = PQ_DATE,
		[PQC_TIME_MILLIS] = PQ_TIME, [PQC_TIME_MICROS] = PQ_TIME,
		[PQC_TIMESTAMP_MILLIS] = PQ_TIMESTAMP, [PQC_TIMESTAMP_MICROS] = PQ_TIMESTAMP,
		[PQC_UINT_8] = PQ_INTEGER, [PQC_UINT_16] = PQ_INTEGER,
		[PQC_UINT_32] = PQ_INTEGER, [PQC_UINT_64] = PQ_INTEGER,
		[PQC_INT_8] = PQ_INTEGER, [PQC_INT_16] = PQ_INTEGER,
		[PQC_INT_32] = PQ_INTEGER, [PQC_INT_64] = PQ_INTEGER,
		[PQC_JSON] = PQ_JSON, [PQC_BSON] = PQ_BSON, [PQC_INTERVAL] = PQ_INTERVAL,
	};

	if (converted < 0 || converted > PQC_INTERVAL)
		return;
	l->logical = same[converted];
	if (l->logical == PQ_TIME || l->logical == PQ_TIMESTAMP) {
		l->utc = true; /* it had no other meaning */
		l->unit = converted == PQC_TIME_MILLIS || converted == PQC_TIMESTAMP_MILLIS ?
				  PQ_MILLIS :
				  PQ_MICROS;
	}
	if (l->logical == PQ_INTEGER) {
		l->is_signed = converted >= PQC_INT_8;
		l->bits = 8 << (converted - (l->is_signed ? PQC_INT_8 : PQC_UINT_8));
	}
}

static bool is_int(const struct parquet_leaf *l)
{
	return l->type == PQ_INT32 || l->type == PQ_INT64;
}

static bool logical_fits(const struct parquet_leaf *l)
{
	switch (l->logical) {
	case PQ_STRING:
	case PQ_ENUM:
	case PQ_JSON:
	case PQ_BSON: return l->type == PQ_BYTES;
	case PQ_DECIMAL:
		return l->precision >= 1 && l->precision <= MAX_PRECISION && l->scale >= 0 &&
		       l->scale <= l->precision &&
		       (is_int(l) || l->type == PQ_BYTES ||
			(l->type == PQ_FIXED && l->type_length <= DECIMAL_BYTES));
	case PQ_DATE: return l->type == PQ_INT32;
	case PQ_TIME: return l->unit && l->type == (l->unit == PQ_MILLIS ? PQ_INT32 : PQ_INT64);
	case PQ_TIMESTAMP: return l->unit && l->type == PQ_INT64;
	case PQ_INTEGER:
		if (l->type != PQ_INT32)
			return l->type == PQ_INT64 && l->bits == 64;
		return l->bits == 8 || l->bits == 16 || l->bits == 32;
	case PQ_UUID: return l->type == PQ_FIXED && l->type_length == 16;
	case PQ_FLOAT16: return l->type == PQ_FIXED && l->type_length == 2;
	case PQ_INTERVAL: return l->type == PQ_FIXED && l->type_length == 12;
	case PQ_NULL: return true;
	default: return false;
	}
}

/* A logical type that does not go with the physical one says nothing. */
static void forget_logical(struct parquet_leaf *l)
{
	l->logical = PQ_PLAIN;
	l->precision = l->scale = l->bits = 0;
	l->utc = l->is_signed = false;
	l->unit = 0;
}

static int check_leaf(struct element *s, struct err *e)
{
	struct parquet_leaf *l = &s->leaf;

	if (s->children || s->repetition == 2 || l->logical == PQ_LIST || l->logical == PQ_MAP)
		return err_set(e, BAD_DATA,
			       "column \"%.*s\" is nested or repeated: only flat tables are read",
			       STR_ARG(s->name));
	if (!s->has_type || s->type < PQ_BOOLEAN || s->type > PQ_FIXED || s->repetition < 0 ||
	    s->repetition > 2)
		return malformed("a column has no type that exists", e);
	if (str_bad_utf8(s->name) < s->name.len || memchr(s->name.data, 0, s->name.len))
		return malformed("a column's name is not UTF-8", e);
	l->type = (enum parquet_type)s->type;
	l->optional = s->repetition == 1;
	if (l->type != PQ_FIXED)
		l->type_length = 0;
	else if (l->type_length < 1 || l->type_length > MAX_LENGTH)
		return malformed("a column has values of an impossible length", e);
	if (l->logical == PQ_PLAIN)
		read_converted(l, s->converted);
	if (!logical_fits(l))
		forget_logical(l);
	if (l->logical != PQ_DECIMAL)
		l->precision = l->scale = 0;
	return OK;
}

static int read_schema(struct parquet_meta *m, struct thrift_in *in, const struct thrift_field *f,
		       struct err *e)
{
	struct thrift_field list;
	size_t count = thrift_list(in, f, &list);
	struct element s;
	struct map names = { 0 };
	int rc = OK, added;

	if (m->leaves || count == 0)
		return malformed("it has not one schema", e);
	if (count - 1 > MAX_COLUMNS)
		return err_set(e, BAD_DATA, "it has %zu columns: PostgreSQL has tables of 1600",
			       count - 1);
	read_element(in, &list, &s); /* the root */
	if (s.children < 0 || (uint64_t)s.children > count - 1)
		return malformed("the schema's root has other children than there are", e);
	m->leaves = alloc(m, count, sizeof(*m->leaves));
	for (size_t i = 1; i < count && rc == OK && in->error == THRIFT_OK; i++) {
		read_element(in, &list, &s);
		if (in->error != THRIFT_OK || (rc = check_leaf(&s, e)) != OK)
			break;
		s.leaf.name = alloc(m, s.name.len + 1, 1);
		memcpy((char *)(uintptr_t)s.leaf.name, s.name.data, s.name.len);
		map_add(&names, s.name, &added);
		if (!added)
			rc = err_set(e, BAD_DATA, "column \"%s\" is there twice", s.leaf.name);
		m->leaves[m->leaf_count++] = s.leaf;
	}
	map_release(&names);
	return rc;
}

/* --- row groups --- */

struct chunk {
	int64_t type, codec, values, size, data_at, dictionary_at;
	bool has_meta, encrypted, elsewhere;
};

static void read_chunk_meta(struct thrift_in *in, const struct thrift_field *outer, struct chunk *c)
{
	struct thrift_field f = { 0 };

	if (!thrift_struct(in, outer))
		return;
	c->has_meta = true;
	while (thrift_next(in, &f)) {
		switch (f.id) {
		case 1: c->type = thrift_int(in, &f); break;
		case 4: c->codec = thrift_int(in, &f); break;
		case 5: c->values = thrift_int(in, &f); break;
		case 7: c->size = thrift_int(in, &f); break;
		case 9: c->data_at = thrift_int(in, &f); break;
		case 11: c->dictionary_at = thrift_int(in, &f); break;
		default: thrift_skip(in, &f);
		}
	}
}

static void read_chunk(struct thrift_in *in, const struct thrift_field *outer, struct chunk *c)
{
	struct thrift_field f = { 0 };

	*c = (struct chunk){ 0 };
	if (!thrift_struct(in, outer))
		return;
	while (thrift_next(in, &f)) {
		if (f.id == 3) {
			read_chunk_meta(in, &f, c);
			continue;
		}
		c->elsewhere |= f.id == 1;
		c->encrypted |= f.id == 8 || f.id == 9;
		thrift_skip(in, &f);
	}
}

/* Old writers left the dictionary's header out of the chunk's size: hence the slack. */
static int keep_chunk(struct parquet_chunk *to, const struct chunk *c, const struct parquet_leaf *l,
		      uint64_t data_end, int64_t *rows, struct err *e)
{
	int64_t start = c->dictionary_at > 0 && c->dictionary_at < c->data_at ? c->dictionary_at :
										c->data_at;

	if (c->encrypted)
		return err_set(e, BAD_DATA, "column \"%s\" is encrypted", l->name);
	if (c->elsewhere)
		return err_set(e, BAD_DATA, "the pages of column \"%s\" are in another file",
			       l->name);
	if (!c->has_meta || c->type != (int64_t)l->type || c->codec < 0 || c->codec > INT32_MAX)
		return malformed("a column's pages are not of the column's type", e);
	if (*rows >= 0 && c->values != *rows)
		return malformed("the columns of a row group have different numbers of rows", e);
	*rows = c->values;
	if (c->values == 0) /* no pages */
		return OK;
	if (start < 4 || c->size < 0 || (uint64_t)start > data_end ||
	    (uint64_t)c->size > data_end - (uint64_t)start)
		return malformed("a column's pages lie outside of the file", e);
	to->codec = (int)c->codec;
	to->start = (uint64_t)start;
	to->end = to->start + (uint64_t)c->size;
	to->end = data_end - to->end > SLACK ? to->end + SLACK : data_end;
	return OK;
}

static int read_chunks(struct parquet_meta *m, struct thrift_in *in, const struct thrift_field *f,
		       struct parquet_group *g, uint64_t data_end, int64_t *values, struct err *e)
{
	struct thrift_field list;
	size_t count = thrift_list(in, f, &list);
	struct chunk c;
	int rc = OK;

	if (in->error == THRIFT_OK && (g->chunks || count != m->leaf_count))
		return malformed("a row group has other columns than the schema", e);
	g->chunks = alloc(m, count, sizeof(*g->chunks));
	for (size_t i = 0; i < count && in->error == THRIFT_OK && rc == OK; i++) {
		read_chunk(in, &list, &c);
		if (in->error == THRIFT_OK)
			rc = keep_chunk(&g->chunks[i], &c, &m->leaves[i], data_end, values, e);
	}
	return rc;
}

static int read_group(struct parquet_meta *m, struct thrift_in *in,
		      const struct thrift_field *outer, uint64_t data_end, struct err *e)
{
	struct parquet_group *g = &m->groups[m->group_count];
	struct thrift_field f = { 0 };
	int64_t values = -1, rows = -1;
	int rc = OK;

	if (!thrift_struct(in, outer))
		return OK;
	while (rc == OK && thrift_next(in, &f)) {
		if (f.id == 1)
			rc = read_chunks(m, in, &f, g, data_end, &values, e);
		else if (f.id == 3)
			rows = thrift_int(in, &f);
		else
			thrift_skip(in, &f);
	}
	if (rc != OK || in->error != THRIFT_OK)
		return rc;
	if (rows < 0 || !g->chunks || (m->leaf_count && values != rows))
		return malformed("a row group has another number of rows than its columns", e);
	g->rows = (uint64_t)rows;
	m->group_count++;
	return OK;
}

static int read_groups(struct parquet_meta *m, struct thrift_in *in, const struct thrift_field *f,
		       uint64_t data_end, struct err *e)
{
	struct thrift_field list;
	size_t count = thrift_list(in, f, &list);
	int rc = OK;

	if (m->groups || !m->leaves)
		return malformed("row groups stand before the schema, or twice", e);
	m->groups = alloc(m, count, sizeof(*m->groups));
	for (size_t i = 0; i < count && in->error == THRIFT_OK && rc == OK; i++)
		rc = read_group(m, in, &list, data_end, e);
	return rc;
}

/* --- the rest --- */

static void read_pair(struct parquet_meta *m, struct thrift_in *in,
		      const struct thrift_field *outer)
{
	struct thrift_field f = { 0 };
	struct str key = STR(""), value = STR("");

	if (!thrift_struct(in, outer))
		return;
	while (thrift_next(in, &f)) {
		if (f.id == 1)
			key = thrift_binary(in, &f);
		else if (f.id == 2)
			value = thrift_binary(in, &f);
		else
			thrift_skip(in, &f);
	}
	m->keys[m->pair_count] = arena_copy(&m->arena, key);
	m->values[m->pair_count++] = arena_copy(&m->arena, value);
}

static int read_pairs(struct parquet_meta *m, struct thrift_in *in, const struct thrift_field *f,
		      struct err *e)
{
	struct thrift_field list;
	size_t count = thrift_list(in, f, &list);

	if (m->keys)
		return malformed("it has key-value metadata twice", e);
	m->keys = alloc(m, count, sizeof(*m->keys));
	m->values = alloc(m, count, sizeof(*m->values));
	for (size_t i = 0; i < count && in->error == THRIFT_OK; i++)
		read_pair(m, in, &list);
	return OK;
}

struct str parquet_meta_value(const struct parquet_meta *m, const char *key)
{
	for (size_t i = 0; i < m->pair_count; i++)
		if (str_eqz(m->keys[i], key))
			return m->values[i];
	return (struct str){ 0 };
}

static int check_rows(const struct parquet_meta *m, int64_t rows, struct err *e)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->group_count; i++)
		if (__builtin_add_overflow(sum, m->groups[i].rows, &sum))
			return malformed("it has too many rows", e);
	if (rows < 0 || sum != (uint64_t)rows)
		return malformed("its row groups have another number of rows", e);
	return OK;
}

int parquet_meta_read(struct parquet_meta *m, struct str footer, uint64_t data_end, struct err *e)
{
	struct thrift_in in = { .p = (const unsigned char *)footer.data,
				.end = (const unsigned char *)footer.data + footer.len };
	struct thrift_field outer = { 0, THRIFT_STRUCT }, f = { 0 };
	int64_t rows = -1;
	int rc = OK;

	*m = (struct parquet_meta){ 0 };
	thrift_struct(&in, &outer);
	while (rc == OK && thrift_next(&in, &f)) {
		switch (f.id) {
		case 2: rc = read_schema(m, &in, &f, e); break;
		case 3: rows = thrift_int(&in, &f); break;
		case 4: rc = read_groups(m, &in, &f, data_end, e); break;
		case 5: rc = read_pairs(m, &in, &f, e); break;
		case 8: rc = err_set(e, BAD_DATA, "the file is encrypted"); break;
		default: thrift_skip(&in, &f);
		}
	}
	if (rc == OK && in.error != THRIFT_OK)
		rc = malformed(in.error == THRIFT_SHORT ? "it ends too early" :
							  "it is no Thrift",
			       e);
	if (rc == OK && (!m->leaves || !m->groups))
		rc = malformed("it has no schema or no row groups", e);
	m->rows = (uint64_t)rows;
	return rc == OK ? check_rows(m, rows, e) : rc;
}

void parquet_meta_release(struct parquet_meta *m)
{
	arena_release(&m->arena);
	*m = (struct parquet_meta){ 0 };
}
