/* parquet_write - rows of one table as a Parquet file */
#include "parquet_write.h"

#include <stdlib.h>

#include "json.h"
#include "mem.h"
#include "opt.h"
#include "parquet_type.h"
#include "value.h"

enum {
	LOOK = 64 * 1024,    /* bytes of rows after which the row group's size is looked at */
	GROUP_ROWS = 1 << 20 /* as pyarrow has it */
};
#define UNIX_USECS (PQ_UNIX_DAYS * USECS_PER_DAY)

struct output {
	struct parquet_column column;
	enum parquet_form form;
	struct sqltype type;
	size_t field; /* index among the table's columns */
};

struct note {
	char *key;
	struct buf value;
};

struct parquet_writer {
	const struct wire_table *table;
	struct parquet_options options;
	parquet_sink sink;
	void *arg;
	struct output *outputs;
	size_t output_count;
	struct parquet_column deleted; /* only with options.deletes */
	uint64_t offset, rows, group_rows;
	size_t fresh;      /* bytes of rows since the size was looked at */
	struct buf groups; /* the footer's RowGroups so far */
	size_t group_count;
	struct note *notes;
	size_t note_count, note_cap;
	struct arena arena; /* of one value */
	struct buf text;
};

int parquet_options_read(struct parquet_options *o, const char *compress, const char *numeric_as,
			 struct err *e)
{
	if (compress && !block_parse(compress, &o->codec))
		return opt_misuse(e, "--compress: \"%s\" is neither zstd, snappy, gzip nor none",
				  compress);
	if (numeric_as && strcmp(numeric_as, "decimal") != 0 && strcmp(numeric_as, "string") != 0)
		return opt_misuse(e, "--numeric-as: \"%s\" is neither decimal nor string",
				  numeric_as);
	if (o->row_group_size < PARQUET_ROW_GROUP_MIN)
		return opt_misuse(e, "--row-group-size is %d at least", PARQUET_ROW_GROUP_MIN);
	o->numeric_text = numeric_as && strcmp(numeric_as, "string") == 0;
	return OK;
}

/* --- values --- */

static int no_value(const struct output *o, const struct field *f, struct err *e)
{
	struct err why = { 0 };
	struct value v;
	struct arena none = { 0 };
	int rc = value_from_field(&v, o->type, f, &none, &why);

	arena_release(&none);
	if (rc != OK) {
		*e = why;
		return rc;
	}
	return err_set(e, BAD_DATA, "Parquet has no such value: %.*s",
		       f->text.len > 60 ? 60 : (int)f->text.len, f->text.data);
}

static bool digits_of(const char *p, int n, int *v)
{
	*v = 0;
	for (int i = 0; i < n; i++) {
		unsigned d = (unsigned char)p[i] - '0';

		if (d > 9)
			return false;
		*v = *v * 10 + (int)d;
	}
	return true;
}

/* Days since 1970-01-01 (Howard Hinnant's days_from_civil). */
static bool plain_date(const char *p, int *days)
{
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, m, d, era, of_era;

	if (!digits_of(p, 4, &y) || p[4] != '-' || !digits_of(p + 5, 2, &m) || p[7] != '-' ||
	    !digits_of(p + 8, 2, &d) || y < 1 || m < 1 || m > 12 || d < 1 || d > lengths[m - 1] ||
	    (m == 2 && d == 29 && (y % 4 || (y % 100 == 0 && y % 400))))
		return false;
	y -= m <= 2;
	era = y / 400;
	of_era = y - era * 400;
	*days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
		(153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1 - 719468;
	return true;
}

/* hh:mm:ss and up to six digits of a fraction, all of s. */
static bool plain_time(struct str s, int64_t *usecs)
{
	int h, m, sec, fraction = 0, digits = (int)s.len - 9;

	if (s.len < 8 || s.len == 9 || s.len > 15 || !digits_of(s.data, 2, &h) ||
	    s.data[2] != ':' ||
	    !digits_of(s.data + 3, 2, &m) || s.data[5] != ':' || !digits_of(s.data + 6, 2, &sec) ||
	    h > 23 || m > 59 || sec > 59)
		return false;
	if (digits > 0 && (s.data[8] != '.' || !digits_of(s.data + 9, digits, &fraction)))
		return false;
	for (int i = digits > 0 ? digits : 6; i < 6; i++)
		fraction *= 10;
	*usecs = ((h * 60 + m) * 60 + sec) * USECS_PER_SEC + fraction;
	return true;
}

static int put_date(struct parquet_writer *w, struct output *o, const struct field *f,
		    struct err *e)
{
	struct value v;
	int days, rc;

	if (f->kind == F_STRING && f->text.len == 10 && plain_date(f->text.data, &days)) {
		parquet_column_int(&o->column, days);
		return OK;
	}
	if ((rc = value_from_field(&v, o->type, f, &w->arena, e)) != OK)
		return rc;
	parquet_column_int(&o->column, v.i == DATE_INFINITY       ? PQ_DATE_INFINITY :
				       v.i == DATE_MINUS_INFINITY ? -PQ_DATE_INFINITY :
								    v.i + PQ_UNIX_DAYS);
	return OK;
}

static int put_time(struct parquet_writer *w, struct output *o, const struct field *f,
		    struct err *e)
{
	struct value v;
	int rc;

	if ((f->kind != F_STRING || !plain_time(f->text, &v.i)) &&
	    (rc = value_from_field(&v, o->type, f, &w->arena, e)) != OK)
		return rc;
	parquet_column_int(&o->column, v.i);
	return OK;
}

static bool plain_timestamp(struct str s, bool zone, int64_t *usecs)
{
	int days;

	if (s.len < 19 || s.data[10] != 'T')
		return false;
	if (zone && s.data[s.len - 1] == 'Z')
		s.len--;
	if (!plain_date(s.data, &days) ||
	    !plain_time((struct str){ s.data + 11, s.len - 11 }, usecs))
		return false;
	*usecs += days * USECS_PER_DAY;
	return true;
}

static int put_timestamp(struct parquet_writer *w, struct output *o, const struct field *f,
			 struct err *e)
{
	struct value v;
	int64_t usecs;
	int rc;

	if (f->kind == F_STRING &&
	    plain_timestamp(f->text, o->type.base == PG_TIMESTAMPTZ, &usecs)) {
		parquet_column_int(&o->column, usecs);
		return OK;
	}
	if ((rc = value_from_field(&v, o->type, f, &w->arena, e)) != OK)
		return rc;
	if (v.i == TS_INFINITY || v.i == TS_MINUS_INFINITY)
		usecs = v.i == TS_INFINITY ? PQ_TIMESTAMP_INFINITY : -PQ_TIMESTAMP_INFINITY;
	else if (__builtin_add_overflow(v.i, UNIX_USECS, &usecs) || usecs == PQ_TIMESTAMP_INFINITY)
		return no_value(o, f, e);
	parquet_column_int(&o->column, usecs);
	return OK;
}

/* So few digits that they fit. */
static bool plain_int(struct str s, size_t most, int64_t *n)
{
	bool neg = s.data[0] == '-';
	int64_t v = 0;

	if (s.len > most)
		return false;
	for (size_t i = neg; i < s.len; i++) {
		unsigned d = (unsigned char)s.data[i] - '0';

		if (d > 9)
			return false;
		v = v * 10 + d;
	}
	*n = neg ? -v : v;
	return true;
}

static int put_int(struct parquet_writer *w, struct output *o, const struct field *f,
		   struct err *e)
{
	struct value v;
	int rc;

	if ((f->kind != F_NUMBER || o->type.base == PG_INT2 ||
	     !plain_int(f->text, o->type.base == PG_INT4 ? 9 : 18, &v.i)) &&
	    (rc = value_from_field(&v, o->type, f, &w->arena, e)) != OK)
		return rc;
	parquet_column_int(&o->column, v.i);
	return OK;
}

/* A decimal of few digits is one exact number divided or multiplied by another: one rounding
 * (Clinger 1990). False where it is not so simple. */
static bool plain_float(struct str s, bool narrow, double *d)
{
	static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
					 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	uint64_t m = 0, most = narrow ? 1u << 24 : (uint64_t)1 << 53;
	int behind = 0;
	bool point = false;

	for (size_t i = s.data[0] == '-'; i < s.len; i++) {
		if (s.data[i] == '.') {
			point = true;
			continue;
		}
		if (s.data[i] > '9' || s.data[i] < '0' || m > most / 10)
			return false;
		m = m * 10 + (uint64_t)(s.data[i] - '0');
		behind += point;
	}
	if (m > most || behind > (narrow ? 10 : 22))
		return false;
	*d = narrow ? (double)((float)m / (float)powers[behind]) : (double)m / powers[behind];
	if (s.data[0] == '-')
		*d = -*d;
	return true;
}

static int put_float(struct parquet_writer *w, struct output *o, const struct field *f,
		     struct err *e)
{
	struct value v;
	int rc;

	if ((f->kind != F_NUMBER || !plain_float(f->text, o->type.base == PG_FLOAT4, &v.f)) &&
	    (rc = value_from_field(&v, o->type, f, &w->arena, e)) != OK)
		return rc;
	parquet_column_float(&o->column, v.f);
	return OK;
}

/* The digits of -12.50 as a whole number at scale; false if they do not fit, or it has an
 * exponent. */
static bool plain_decimal(struct str s, int precision, int scale, __int128 *n)
{
	unsigned __int128 m = 0;
	int digits = 0, behind = 0;
	bool point = false, neg = s.len && s.data[0] == '-';

	for (size_t i = neg; i < s.len; i++) {
		unsigned d = (unsigned char)s.data[i] - '0';

		if (s.data[i] == '.') {
			point = true;
			continue;
		}
		if (d > 9)
			return false;
		if (point && behind == scale) {
			if (d)
				return false;
			continue;
		}
		behind += point;
		m = m * 10 + d;
		digits += digits || d;
		if (digits > precision)
			return false;
	}
	for (; behind < scale; behind++) {
		m *= 10;
		digits += digits > 0;
		if (digits > precision)
			return false;
	}
	*n = neg ? -(__int128)m : (__int128)m;
	return true;
}

/* The same where 18 digits are enough. */
static bool small_decimal(struct str s, int precision, int scale, int64_t *n)
{
	static const int64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
					  100000000, 1000000000 };
	bool neg = s.data[0] == '-';
	int64_t m = 0;
	size_t point = s.len;
	int behind;

	if (s.len > 18 || scale > 9)
		return false;
	for (size_t i = neg; i < s.len; i++) {
		unsigned d = (unsigned char)s.data[i] - '0';

		if (d <= 9)
			m = m * 10 + d;
		else if (s.data[i] == '.')
			point = i + 1;
		else
			return false;
	}
	behind = (int)(s.len - point);
	if (behind > scale || (int)s.len - neg - (behind > 0) + scale - behind > precision)
		return false;
	m *= powers[scale - behind];
	*n = neg ? -m : m;
	return true;
}

static int decimal_misfit(const struct output *o, struct str text, struct err *e)
{
	err_set(e, BAD_DATA, "%.*s does not fit DECIMAL(%d,%d)",
		text.len > 60 ? 60 : (int)text.len, text.data, o->column.leaf.precision,
		o->column.leaf.scale);
	return err_hint(e, BAD_DATA, "Write numbers as text with --numeric-as string.");
}

static int put_decimal(struct parquet_writer *w, struct output *o, const struct field *f,
		       struct err *e)
{
	const struct parquet_leaf *l = &o->column.leaf;
	char bytes[16];
	struct value v;
	__int128 n;
	int rc;

	if (l->type != PQ_FIXED && f->kind == F_NUMBER &&
	    small_decimal(f->text, l->precision, l->scale, &v.i)) {
		parquet_column_int(&o->column, v.i);
		return OK;
	}
	if (f->kind != F_NUMBER || !plain_decimal(f->text, l->precision, l->scale, &n)) {
		if ((rc = value_from_field(&v, o->type, f, &w->arena, e)) != OK)
			return rc;
		buf_reset(&w->text);
		numeric_format(v.n, &w->text); /* without an exponent */
		if (v.n->kind != NUM_FINITE ||
		    !plain_decimal(buf_str(&w->text), l->precision, l->scale, &n))
			return decimal_misfit(o, f->text, e);
	}
	if (l->type != PQ_FIXED) {
		parquet_column_int(&o->column, (int64_t)n);
		return OK;
	}
	for (int i = l->type_length; i-- > 0; n >>= 8)
		bytes[i] = (char)n;
	parquet_column_bytes(&o->column, (struct str){ bytes, (size_t)l->type_length });
	return OK;
}

/* A string's characters; of anything else its JSON. */
static int text_of(struct parquet_writer *w, const struct field *f, struct str *s, struct err *e)
{
	int rc;

	*s = f->text;
	if (f->kind != F_STRING || !f->escaped)
		return OK;
	buf_reset(&w->text);
	rc = json_unescape(&w->text, f->text, e);
	*s = buf_str(&w->text);
	return rc;
}

static int put_text(struct parquet_writer *w, struct output *o, const struct field *f,
		    struct err *e)
{
	struct str s;
	int rc = value_check_field(o->type, f, e);

	if (rc == OK && (rc = text_of(w, f, &s, e)) == OK)
		parquet_column_bytes(&o->column, s);
	return rc;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 :
											 -1;
}

/* \x00ff */
static int put_bytes(struct parquet_writer *w, struct output *o, const struct field *f,
		     struct err *e)
{
	struct str s;
	size_t n = 0;
	char *to;
	int rc = text_of(w, f, &s, e);

	if (rc != OK)
		return rc;
	if (f->kind != F_STRING || s.len % 2 || s.len < 2 || s.data[0] != '\\' || s.data[1] != 'x')
		return err_set(e, BAD_DATA, "bytea is a string, \\x and hexadecimal digits");
	to = w->text.data; /* it was escaped: the text is the writer's own */
	for (size_t i = 2; i < s.len; i += 2) {
		int high = nibble(s.data[i]), low = nibble(s.data[i + 1]);

		if (high < 0 || low < 0)
			return err_set(e, BAD_DATA, "\"%c%c\" is no hexadecimal digits", s.data[i],
				       s.data[i + 1]);
		to[n++] = (char)(high << 4 | low);
	}
	parquet_column_bytes(&o->column, (struct str){ to, n });
	return OK;
}

/* JSON as its text; an array as the JSON that the wire has for it. */
static int put_json(struct parquet_writer *w, struct output *o, const struct field *f,
		    struct err *e)
{
	struct str s = f->text;
	struct value v;
	int rc = OK;

	if (o->form == PQF_JSON) {
		rc = value_from_field(&v, o->type, f, &w->arena, e);
		s = v.s;
	} else if (f->kind == F_STRING) {
		s = (struct str){ s.data - 1, s.len + 2 };
	}
	if (rc == OK)
		parquet_column_bytes(&o->column, s);
	return rc;
}

static int put_value(struct parquet_writer *w, struct output *o, const struct field *f,
		     struct err *e)
{
	if (f->kind == F_NULL || f->kind == F_ABSENT) {
		parquet_column_null(&o->column);
		return OK;
	}
	switch (o->form) {
	case PQF_BOOL:
		if (f->kind != F_TRUE && f->kind != F_FALSE)
			return no_value(o, f, e);
		parquet_column_bool(&o->column, f->kind == F_TRUE);
		return OK;
	case PQF_INT: return put_int(w, o, f, e);
	case PQF_FLOAT: return put_float(w, o, f, e);
	case PQF_DECIMAL: return put_decimal(w, o, f, e);
	case PQF_DATE: return put_date(w, o, f, e);
	case PQF_TIME: return put_time(w, o, f, e);
	case PQF_TIMESTAMP: return put_timestamp(w, o, f, e);
	case PQF_BYTES: return put_bytes(w, o, f, e);
	case PQF_JSON:
	case PQF_ARRAY: return put_json(w, o, f, e);
	default: return put_text(w, o, f, e);
	}
}

/* --- rows --- */

static int emit(struct parquet_writer *w, struct str bytes, struct err *e)
{
	w->offset += bytes.len;
	return w->sink(w->arg, bytes, e);
}

static int emit_page(void *arg, struct str bytes, struct err *e)
{
	return emit(arg, bytes, e);
}

size_t parquet_writer_held(const struct parquet_writer *w)
{
	size_t held = w->groups.cap + parquet_column_held(&w->deleted);

	for (size_t i = 0; i < w->output_count; i++)
		held += parquet_column_held(&w->outputs[i].column);
	return held;
}

static int end_column(struct parquet_writer *w, struct parquet_column *c, struct thrift_out *o,
		      uint64_t *raw, struct err *e)
{
	int rc = parquet_column_end(c, w->offset, emit_page, w, o, e);

	*raw += c->raw_bytes;
	return rc == OK ? OK : err_wrap(e, rc, "column \"%s\"", c->leaf.name);
}

static size_t leaf_count(const struct parquet_writer *w)
{
	return w->output_count + w->options.deletes;
}

/* All columns of the row group, and its entry in the footer. */
static int end_group(struct parquet_writer *w, bool all, struct err *e)
{
	struct thrift_out o = { .b = &w->groups };
	uint64_t start = w->offset, raw = 0;
	int rc = OK;

	if (w->group_rows == 0)
		return OK;
	thrift_put_struct(&o, 0);
	thrift_put_list(&o, 1, THRIFT_STRUCT, leaf_count(w));
	for (size_t i = 0; i < w->output_count && rc == OK; i++)
		rc = end_column(w, &w->outputs[i].column, &o, &raw, e);
	if (rc == OK && w->options.deletes)
		rc = end_column(w, &w->deleted, &o, &raw, e);
	if (rc != OK)
		return rc;
	thrift_put_i64(&o, 2, (int64_t)raw);
	thrift_put_i64(&o, 3, (int64_t)w->group_rows);
	thrift_put_i64(&o, 5, (int64_t)start);
	thrift_put_i64(&o, 6, (int64_t)(w->offset - start));
	thrift_end(&o);
	w->group_count++;
	w->group_rows = 0;
	for (size_t i = 0; i < w->output_count; i++)
		parquet_column_reset(&w->outputs[i].column, all);
	parquet_column_reset(&w->deleted, all);
	return OK;
}

int parquet_writer_flush(struct parquet_writer *w, struct err *e)
{
	return end_group(w, true, e);
}

static int finish_row(struct parquet_writer *w, struct err *e)
{
	w->rows++;
	w->group_rows++;
	if (w->arena.bytes)
		arena_reset(&w->arena);
	if (w->group_rows >= GROUP_ROWS)
		return end_group(w, false, e);
	if (w->fresh < LOOK)
		return OK;
	w->fresh = 0;
	return parquet_writer_held(w) >= w->options.row_group_size ? end_group(w, false, e) : OK;
}

static int put_row(struct parquet_writer *w, const struct field *fields, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < w->output_count; i++) {
		struct output *o = &w->outputs[i];
		const struct field *f = &fields[o->field];

		w->fresh += f->text.len + 1;
		if ((rc = put_value(w, o, f, e)) == OK && parquet_column_full(&o->column))
			rc = parquet_column_cut(&o->column, e);
		if (rc != OK)
			return err_wrap(e, rc, "column \"%s\"", o->column.leaf.name);
	}
	return OK;
}

static int put_mark(struct parquet_writer *w, bool deleted, struct err *e)
{
	if (!w->options.deletes)
		return OK;
	parquet_column_bool(&w->deleted, deleted);
	return parquet_column_full(&w->deleted) ? parquet_column_cut(&w->deleted, e) : OK;
}

int parquet_writer_row(struct parquet_writer *w, const struct field *fields, struct err *e)
{
	int rc = put_row(w, fields, e);

	return rc == OK && (rc = put_mark(w, false, e)) == OK ? finish_row(w, e) : rc;
}

int parquet_writer_delete(struct parquet_writer *w, const struct field *key, struct err *e)
{
	struct field *none = NULL;
	int rc;

	if (!w->options.deletes) {
		err_set(e, BAD_DATA, "a row of table \"%s\" was deleted, and the file has no "
				     "column for that",
			w->table->name);
		return err_hint(e, BAD_DATA, "Add one with --deletes.");
	}
	if (!key)
		key = none = xcalloc(w->table->column_count, sizeof(*none));
	rc = put_row(w, key, e);
	free(none);
	return rc == OK && (rc = put_mark(w, true, e)) == OK ? finish_row(w, e) : rc;
}

/* --- the file --- */

void parquet_writer_note(struct parquet_writer *w, const char *key, struct str value)
{
	size_t i = 0;

	while (i < w->note_count && strcmp(w->notes[i].key, key) != 0)
		i++;
	if (i == w->note_count) {
		if (!value.data)
			return;
		GROW(w->notes, w->note_count, w->note_cap);
		w->notes[w->note_count++] = (struct note){ .key = xstrdup(key) };
	}
	buf_release(&w->notes[i].value);
	if (value.data)
		buf_addstr(&w->notes[i].value, value);
}

static void note_table(struct parquet_writer *w)
{
	struct buf line = { 0 };

	wire_add_table(&line, w->table);
	parquet_writer_note(w, PARQUET_KEY_TABLE, (struct str){ line.data, line.len - 1 });
	buf_release(&line);
}

static int open_columns(struct parquet_writer *w, struct err *e)
{
	const struct wire_table *t = w->table;
	struct parquet_leaf leaf;
	int rc;

	w->outputs = xcalloc(t->column_count, sizeof(*w->outputs));
	for (size_t i = 0; i < t->column_count; i++) {
		const struct wire_column *c = &t->columns[i];
		struct output *o = &w->outputs[w->output_count];

		if (c->generated) /* rows do not have it */
			continue;
		if (w->options.deletes && strcmp(c->name, "_deleted") == 0)
			return err_set(e, BAD_DATA,
				       "table \"%s\" has a column \"_deleted\" already, "
						    "which --deletes would add",
				       t->name);
		if ((rc = parquet_leaf_of(&leaf, &o->form, c, w->options.numeric_text, e)) != OK)
			return rc;
		o->type = sqltype_of_wire(&c->type, c->type_name);
		o->field = i;
		parquet_column_init(&o->column, &leaf, w->options.codec);
		w->output_count++;
	}
	leaf = (struct parquet_leaf){ .name = "_deleted", .type = PQ_BOOLEAN, .optional = true };
	parquet_column_init(&w->deleted, &leaf, w->options.codec);
	return OK;
}

int parquet_writer_open(struct parquet_writer **out, const struct wire_table *t,
			const struct parquet_options *o, parquet_sink sink, void *arg,
			struct err *e)
{
	struct parquet_writer *w = xcalloc(1, sizeof(*w));
	int rc;

	*out = NULL;
	w->table = t;
	w->options = *o;
	w->sink = sink;
	w->arg = arg;
	if ((rc = open_columns(w, e)) != OK || (rc = emit(w, STR("PAR1"), e)) != OK) {
		parquet_writer_free(w);
		return rc;
	}
	note_table(w);
	if (o->deletes)
		parquet_writer_note(w, PARQUET_KEY_DELETED, STR("_deleted"));
	*out = w;
	return OK;
}

static int converted_of(const struct parquet_leaf *l)
{
	static const int known[] = {
		[PQ_STRING] = PQC_UTF8,
		[PQ_DECIMAL] = PQC_DECIMAL,
		[PQ_DATE] = PQC_DATE,
		[PQ_TIME] = PQC_TIME_MICROS,
		[PQ_TIMESTAMP] = PQC_TIMESTAMP_MICROS,
		[PQ_INTEGER] = PQC_INT_16,
	};

	return known[l->logical];
}

static void put_logical(struct thrift_out *o, const struct parquet_leaf *l)
{
	thrift_put_struct(o, 10);
	thrift_put_struct(o, l->logical);
	if (l->logical == PQ_DECIMAL) {
		thrift_put_i32(o, 1, l->scale);
		thrift_put_i32(o, 2, l->precision);
	} else if (l->logical == PQ_TIME || l->logical == PQ_TIMESTAMP) {
		thrift_put_bool(o, 1, l->utc);
		thrift_put_struct(o, 2);
		thrift_put_struct(o, l->unit);
		thrift_end(o);
		thrift_end(o);
	} else if (l->logical == PQ_INTEGER) {
		thrift_put_i8(o, 1, l->bits);
		thrift_put_bool(o, 2, l->is_signed);
	}
	thrift_end(o);
	thrift_end(o);
}

static void put_leaf(struct thrift_out *o, const struct parquet_leaf *l)
{
	thrift_put_struct(o, 0);
	thrift_put_i32(o, 1, (int32_t)l->type);
	if (l->type == PQ_FIXED)
		thrift_put_i32(o, 2, l->type_length);
	thrift_put_i32(o, 3, l->optional);
	thrift_put_binary(o, 4, str_of(l->name));
	if (l->logical != PQ_PLAIN) {
		thrift_put_i32(o, 6, converted_of(l));
		if (l->logical == PQ_DECIMAL) {
			thrift_put_i32(o, 7, l->scale);
			thrift_put_i32(o, 8, l->precision);
		}
		put_logical(o, l);
	}
	thrift_end(o);
}

static void put_schema(struct thrift_out *o, const struct parquet_writer *w)
{
	thrift_put_list(o, 2, THRIFT_STRUCT, leaf_count(w) + 1);
	thrift_put_struct(o, 0);
	thrift_put_binary(o, 4, str_of(w->table->name));
	thrift_put_i32(o, 5, (int32_t)leaf_count(w));
	thrift_end(o);
	for (size_t i = 0; i < w->output_count; i++)
		put_leaf(o, &w->outputs[i].column.leaf);
	if (w->options.deletes)
		put_leaf(o, &w->deleted.leaf);
}

static void put_notes(struct thrift_out *o, const struct parquet_writer *w)
{
	size_t count = 0;

	for (size_t i = 0; i < w->note_count; i++)
		count += w->notes[i].value.data != NULL;
	thrift_put_list(o, 5, THRIFT_STRUCT, count);
	for (size_t i = 0; i < w->note_count; i++) {
		if (!w->notes[i].value.data)
			continue;
		thrift_put_struct(o, 0);
		thrift_put_binary(o, 1, str_of(w->notes[i].key));
		thrift_put_binary(o, 2, buf_str(&w->notes[i].value));
		thrift_end(o);
	}
}

/* FileMetaData. Statistics count only if the order they are in is told; parquet-java believes
 * those of texts only from a writer that tells its name in this form. */
static void put_footer(struct buf *b, const struct parquet_writer *w)
{
	struct thrift_out o = { .b = b };

	thrift_put_struct(&o, 0);
	thrift_put_i32(&o, 1, 1);
	put_schema(&o, w);
	thrift_put_i64(&o, 3, (int64_t)w->rows);
	thrift_put_list(&o, 4, THRIFT_STRUCT, w->group_count);
	buf_addstr(b, buf_str(&w->groups));
	put_notes(&o, w);
	thrift_put_binary(&o, 6, STR("starpipe version " VERSION));
	thrift_put_list(&o, 7, THRIFT_STRUCT, leaf_count(w));
	for (size_t i = 0; i < leaf_count(w); i++) {
		thrift_put_struct(&o, 0);
		thrift_put_struct(&o, 1);
		thrift_end(&o);
		thrift_end(&o);
	}
	thrift_end(&o);
}

int parquet_writer_close(struct parquet_writer *w, struct err *e)
{
	struct buf b = { 0 };
	size_t len;
	int rc = end_group(w, true, e);

	if (rc != OK)
		return rc;
	put_footer(&b, w);
	len = b.len;
	for (int i = 0; i < 4; i++)
		buf_addch(&b, (char)(len >> 8 * i));
	buf_addz(&b, "PAR1");
	rc = len > INT32_MAX ? err_set(e, FAILED, "the footer grew too large for Parquet") :
			       emit(w, buf_str(&b), e);
	buf_release(&b);
	return rc;
}

void parquet_writer_free(struct parquet_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->output_count; i++)
		parquet_column_reset(&w->outputs[i].column, true);
	parquet_column_reset(&w->deleted, true);
	for (size_t i = 0; i < w->note_count; i++) {
		free(w->notes[i].key);
		buf_release(&w->notes[i].value);
	}
	free(w->notes);
	free(w->outputs);
	buf_release(&w->groups);
	buf_release(&w->text);
	arena_release(&w->arena);
	free(w);
}
