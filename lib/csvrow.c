/* csvrow - rows of a table as rows of CSV, and back */
#include "csvrow.h"

#include <stdlib.h>

#include "copy_read.h"
#include "copy_write.h"
#include "mem.h"
#include "value.h"

void csvrow_init(struct csvrow *c, const struct wire_table *t, char delimiter,
		 const char *null_text)
{
	*c = (struct csvrow){ .table = t, .delimiter = delimiter, .null_text = null_text };
	c->types = xcalloc(t->column_count, sizeof(*c->types));
	for (size_t i = 0; i < t->column_count; i++)
		c->types[i] = sqltype_of_wire(&t->columns[i].type, t->columns[i].type_name);
}

void csvrow_release(struct csvrow *c)
{
	free(c->types);
	arena_release(&c->values);
	buf_release(&c->copy);
	buf_release(&c->plain);
	*c = (struct csvrow){ 0 };
}

void csvrow_add_header(const struct csvrow *c, struct buf *b)
{
	size_t written = 0;

	for (size_t i = 0; i < c->table->column_count; i++) {
		if (c->table->columns[i].generated)
			continue;
		if (written++)
			buf_addch(b, c->delimiter);
		csvio_add(b, str_of(c->table->columns[i].name), c->delimiter);
	}
	buf_addch(b, '\n');
}

/* A value's text is that of COPY, without COPY's escapes. */
int csvrow_add(struct csvrow *c, const struct field *fields, struct buf *b, struct err *e)
{
	size_t written = 0;
	int rc;

	for (size_t i = 0; i < c->table->column_count; i++) {
		const struct field *f = &fields[i];

		if (c->table->columns[i].generated)
			continue;
		if (written++)
			buf_addch(b, c->delimiter);
		if (f->kind == F_NULL || f->kind == F_ABSENT) {
			buf_addz(b, c->null_text ? c->null_text : "");
			continue;
		}
		buf_reset(&c->copy);
		buf_reset(&c->plain);
		if ((rc = copy_write(&c->copy, f, &c->table->columns[i].type, e)) != OK)
			return err_wrap(e, rc, "column \"%s\"", c->table->columns[i].name);
		copy_plain(&c->plain, buf_str(&c->copy));
		csvio_add(b, buf_str(&c->plain), c->delimiter);
	}
	if (!written) /* an empty line is NULL of one column */
		return err_set(e, BAD_DATA, "CSV has no form for a row without columns");
	buf_addch(b, '\n');
	return OK;
}

static int add_value(struct csvrow *c, struct sqltype t, const struct csv_cell *cell, struct buf *b,
		     struct err *e)
{
	struct sqltype plain = t;
	struct value v = { 0 };
	int rc;

	if (cell->null || (c->null_text && str_eqz(cell->text, c->null_text))) {
		buf_add(b, "null", 4);
		return OK;
	}
	plain.mods[0] = plain.mods[1] = -1;
	if (t.base == PG_JSONB) /* a text of JSON is one of jsonb, too: the server normalizes it */
		plain = t = sqltype_of(PG_JSON);
	if ((rc = value_from_text(&v, plain, cell->text, &c->values, e)) == OK &&
	    (rc = value_cast(&v, plain, t, CAST_ASSIGNMENT, &c->values, e)) == OK)
		value_add_json(b, t, &v);
	return rc;
}

int csvrow_add_json(struct csvrow *c, const struct csv_cell *cells, size_t count, struct buf *b,
		    struct err *e)
{
	const struct wire_table *t = c->table;
	size_t used = 0, wanted = 0;
	int rc;

	for (size_t i = 0; i < t->column_count; i++)
		wanted += !t->columns[i].generated;
	if (count != wanted)
		return err_set(e, BAD_DATA, "it has %zu fields where there are %zu columns", count,
			       wanted);
	for (size_t i = 0; i < t->column_count; i++) {
		if (t->columns[i].generated)
			continue;
		buf_addstr(b, t->prefix[i]);
		if ((rc = add_value(c, c->types[i], &cells[used++], b, e)) != OK)
			return err_wrap(e, rc, "column \"%s\"", t->columns[i].name);
	}
	buf_addz(b, wanted ? "}\n" : "{}\n");
	arena_reset(&c->values);
	return OK;
}
