/* parquet_type - PostgreSQL's types and Parquet's */
#include "parquet_type.h"

enum { MAX_PRECISION = 38 };

/* numeric(3,-2) has whole hundreds, numeric(2,5) only digits far behind the point: both fit in a
 * DECIMAL of more digits. */
static int decimal_leaf(struct parquet_leaf *l, const struct wire_column *c, struct err *e)
{
	static const int lengths[] = { 9, 9, 9, 10, 10, 11, 11, 11, 12, 12,
				       13, 13, 13, 14, 14, 15, 15, 16, 16, 16 }; /* 19 digits on */
	int precision = c->type.mods[0], scale = c->type.mods[1];

	if (precision >= 0) {
		if (scale < 0)
			precision -= scale;
		scale = scale < 0 ? 0 : scale;
		precision = precision < scale ? scale : precision;
	}
	if (precision < 1 || precision > MAX_PRECISION) {
		err_set(e, BAD_DATA, "column \"%s\": Parquet has no number for the type %s",
			c->name, c->type_name);
		if (precision < 1)
			return err_hint(e, BAD_DATA,
					"Give the column a precision, as in numeric(20,4), or "
					"write text with --numeric-as string.");
		return err_hint(e, BAD_DATA, "DECIMAL ends at 38 digits; text has no end: "
					     "--numeric-as string.");
	}
	l->logical = PQ_DECIMAL;
	l->precision = precision;
	l->scale = scale;
	l->type = precision <= 9 ? PQ_INT32 : PQ_INT64;
	if (precision > 18)
		l->type = PQ_FIXED;
	l->type_length = precision > 18 ? lengths[precision - 19] : 0;
	return OK;
}

#define STRING_LEAF { .type = PQ_BYTES, .logical = PQ_STRING }
#define TIMESTAMP_LEAF(zone) \
	{ .type = PQ_INT64, .logical = PQ_TIMESTAMP, .unit = PQ_MICROS, .utc = (zone) }

static const struct {
	enum parquet_form form;
	struct parquet_leaf leaf;
} types[] = {
	[PG_OTHER] = { PQF_TEXT, STRING_LEAF },
	[PG_BOOL] = { PQF_BOOL, { .type = PQ_BOOLEAN } },
	[PG_INT2] = { PQF_INT,
		      { .type = PQ_INT32, .logical = PQ_INTEGER, .bits = 16, .is_signed = true } },
	[PG_INT4] = { PQF_INT, { .type = PQ_INT32 } },
	[PG_INT8] = { PQF_INT, { .type = PQ_INT64 } },
	[PG_NUMERIC] = { PQF_NUMBER, STRING_LEAF },
	[PG_FLOAT4] = { PQF_FLOAT, { .type = PQ_FLOAT } },
	[PG_FLOAT8] = { PQF_FLOAT, { .type = PQ_DOUBLE } },
	[PG_TEXT] = { PQF_TEXT, STRING_LEAF },
	[PG_VARCHAR] = { PQF_TEXT, STRING_LEAF },
	[PG_BPCHAR] = { PQF_TEXT, STRING_LEAF },
	[PG_DATE] = { PQF_DATE, { .type = PQ_INT32, .logical = PQ_DATE } },
	[PG_TIME] = { PQF_TIME, { .type = PQ_INT64, .logical = PQ_TIME, .unit = PQ_MICROS } },
	[PG_TIMESTAMP] = { PQF_TIMESTAMP, TIMESTAMP_LEAF(false) },
	[PG_TIMESTAMPTZ] = { PQF_TIMESTAMP, TIMESTAMP_LEAF(true) },
	[PG_INTERVAL] = { PQF_TEXT, STRING_LEAF },
	[PG_BYTEA] = { PQF_BYTES, { .type = PQ_BYTES } },
	[PG_JSON] = { PQF_JSON, STRING_LEAF },
	[PG_JSONB] = { PQF_JSON, STRING_LEAF },
};

int parquet_leaf_of(struct parquet_leaf *l, enum parquet_form *form, const struct wire_column *c,
		    bool numeric_text, struct err *e)
{
	enum pg_base base = c->type.array ? PG_OTHER : c->type.base;

	*l = types[base].leaf;
	*form = c->type.array ? PQF_ARRAY : types[base].form;
	l->name = c->name;
	l->optional = true;
	if (base != PG_NUMERIC || numeric_text)
		return OK;
	*form = PQF_DECIMAL;
	return decimal_leaf(l, c, e);
}

static bool same_leaf(const struct parquet_leaf *a, const struct parquet_leaf *b)
{
	return strcmp(a->name, b->name) == 0 && a->type == b->type && a->logical == b->logical &&
	       a->type_length == b->type_length && a->precision == b->precision &&
	       a->scale == b->scale && a->bits == b->bits && a->utc == b->utc && a->unit == b->unit;
}

bool parquet_leaf_fits(const struct parquet_leaf *l, enum parquet_form *form,
		       const struct wire_column *c)
{
	struct parquet_leaf made;
	struct err ignored;

	return parquet_leaf_of(&made, form, c, l->logical == PQ_STRING, &ignored) == OK &&
	       same_leaf(&made, l);
}

static const char *int_type(enum parquet_form *form, const struct parquet_leaf *l)
{
	if (l->logical != PQ_INTEGER)
		return l->type == PQ_INT32 ? "int4" : "int8";
	*form = l->is_signed ? PQF_INT : PQF_UNSIGNED;
	if (l->bits == 8 || (l->bits == 16 && l->is_signed))
		return "int2";
	if (l->bits == 16 || (l->bits == 32 && l->is_signed))
		return "int4";
	return l->bits == 32 || l->is_signed ? "int8" : "numeric(20,0)";
}

static const char *bytes_type(enum parquet_form *form, const struct parquet_leaf *l)
{
	switch (l->logical) {
	case PQ_STRING:
	case PQ_ENUM:
	case PQ_NULL: *form = PQF_TEXT; return "text";
	case PQ_JSON: *form = PQF_JSON; return "json";
	case PQ_UUID: *form = PQF_UUID; return "uuid";
	case PQ_INTERVAL: *form = PQF_INTERVAL; return "interval";
	case PQ_FLOAT16: *form = PQF_HALF; return "float4";
	default: *form = PQF_BYTES; return "bytea";
	}
}

void parquet_type_of(struct buf *type, enum parquet_form *form, const struct parquet_leaf *l)
{
	*form = PQF_INT;
	if (l->logical == PQ_DECIMAL) {
		*form = PQF_DECIMAL;
		buf_addf(type, "numeric(%d,%d)", l->precision, l->scale);
	} else if (l->logical == PQ_DATE) {
		*form = PQF_DATE;
		buf_addz(type, "date");
	} else if (l->logical == PQ_TIME) {
		*form = PQF_TIME;
		buf_addz(type, "time");
	} else if (l->logical == PQ_TIMESTAMP) {
		*form = PQF_TIMESTAMP;
		buf_addz(type, l->utc ? "timestamptz" : "timestamp");
	} else if (l->type == PQ_BOOLEAN) {
		*form = PQF_BOOL;
		buf_addz(type, "bool");
	} else if (l->type == PQ_INT32 || l->type == PQ_INT64) {
		buf_addz(type, int_type(form, l));
	} else if (l->type == PQ_INT96) {
		*form = PQF_INT96;
		buf_addz(type, "timestamp");
	} else if (l->type == PQ_FLOAT || l->type == PQ_DOUBLE) {
		*form = PQF_FLOAT;
		buf_addz(type, l->type == PQ_FLOAT ? "float4" : "float8");
	} else {
		buf_addz(type, bytes_type(form, l));
	}
}
