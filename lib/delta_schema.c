/* delta_schema - the schemaString of a Delta table */
#include "delta_schema.h"

#include "json.h"
#include "parquet_type.h"

static int type_of(struct buf *b, const struct wire_column *c, bool numeric_text, bool *ntz,
		   struct err *e)
{
	static const char *const numbers[] = {
		[PQ_BOOLEAN] = "boolean", [PQ_INT32] = "integer", [PQ_INT64] = "long",
		[PQ_INT96] = "timestamp", [PQ_FLOAT] = "float",	  [PQ_DOUBLE] = "double",
	};
	struct parquet_leaf l;
	enum parquet_form form;
	int rc;

	if (c->type.base == PG_TIME) { /* lake_write.h writes them as text */
		buf_addz(b, "string");
		return OK;
	}
	if ((rc = parquet_leaf_of(&l, &form, c, numeric_text, e)) != OK)
		return rc;
	switch (l.logical) {
	case PQ_DECIMAL:
		buf_addf(b, "decimal(%d,%d)", l.precision, l.scale);
		return OK;
	case PQ_DATE:
		buf_addz(b, "date");
		return OK;
	case PQ_TIMESTAMP:
		*ntz = *ntz || !l.utc;
		buf_addz(b, l.utc ? "timestamp" : "timestamp_ntz");
		return OK;
	case PQ_INTEGER:
		buf_addz(b, l.bits == 16 ? "short" : "integer");
		return OK;
	default:
		break;
	}
	buf_addz(b, l.type < PQ_BYTES	   ? numbers[l.type] :
		    l.logical == PQ_PLAIN ? "binary" :
					    "string");
	return OK;
}

static void add_field(struct buf *b, const char *name, struct str type)
{
	buf_addz(b, b->data[b->len - 1] == '[' ? "{\"name\":" : ",{\"name\":");
	json_add_string(b, str_of(name));
	buf_addz(b, ",\"type\":");
	json_add_string(b, type);
	buf_addz(b, ",\"nullable\":true,\"metadata\":{}}");
}

int delta_schema_own(struct buf *b, const struct wire_table *t, bool numeric_text, bool deletes,
		     bool *ntz, struct err *e)
{
	struct buf type = { 0 };
	int rc = OK;

	buf_addz(b, "{\"type\":\"struct\",\"fields\":[");
	for (size_t i = 0; i < t->column_count && rc == OK; i++) {
		if (t->columns[i].generated)
			continue;
		buf_reset(&type);
		if ((rc = type_of(&type, &t->columns[i], numeric_text, ntz, e)) == OK)
			add_field(b, t->columns[i].name, buf_str(&type));
	}
	if (deletes)
		add_field(b, "_deleted", STR("boolean"));
	buf_addz(b, "]}");
	buf_release(&type);
	return rc;
}

static const struct json *field_of(const struct json *schema, const char *name)
{
	const struct json *fields = json_get(schema, "fields");

	for (size_t i = 0; i < json_count(fields); i++) {
		const char *own = json_string(json_get(json_at(fields, i), "name"));

		if (own && strcmp(own, name) == 0)
			return json_at(fields, i);
	}
	return NULL;
}

/* Is the list of fields what stands last, where ours are to be put behind it? */
static bool fields_are_last(struct str schema)
{
	struct str key, last = STR("");
	struct field value;
	struct err ignored;
	size_t at = 0;

	while (scan_member(schema, &at, &key, &value, &ignored) == OK && value.kind != F_ABSENT)
		last = value.kind == F_ARRAY ? key : STR("");
	return str_eqz(last, "\"fields\"") && memcmp(schema.data + schema.len - 2, "]}", 2) == 0;
}

int delta_schema_widen(struct buf *b, struct str had, struct str own, bool *more, struct err *e)
{
	struct json *old = NULL, *new = NULL;
	const struct json *fields;
	int rc;

	*more = false;
	if (!fields_are_last(had))
		return err_set(e, BAD_DATA,
			       "the schemaString of its metaData has no fields at its end");
	if ((rc = json_parse(had, &old, e)) != OK || (rc = json_parse(own, &new, e)) != OK)
		goto done;
	buf_add(b, had.data, had.len - 2); /* ]} */
	fields = json_get(new, "fields");
	for (size_t i = 0; i < json_count(fields) && rc == OK; i++) {
		const char *name = json_string(json_get(json_at(fields, i), "name"));
		const char *type = json_string(json_get(json_at(fields, i), "type"));
		const struct json *was = field_of(old, name);
		const char *was_type = json_string(json_get(was, "type"));

		if (!was) {
			add_field(b, name, str_of(type));
			*more = true;
		} else if (!was_type || strcmp(was_type, type) != 0) {
			rc = err_set(e, BAD_DATA, "column \"%s\" was %s there, and is %s now", name,
				     was_type ? was_type : "nested", type);
		}
	}
	buf_addz(b, "]}");
done:
	json_free(old);
	json_free(new);
	return rc;
}
