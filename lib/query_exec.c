/* query_exec - the nodes of a query, and a row's way through them to a result */
#include "query_exec.h"

#include <string.h>

#include "mem.h"

/* --- visiting --- */

int exec_visit(struct query *q, exec_visitor f, void *arg, struct err *e)
{
	int rc = OK;

	if (q->left)
		rc = exec_visit(q->left, f, arg, e);
	if (q->right && rc == OK)
		rc = exec_visit(q->right, f, arg, e);
	for (size_t i = 0; q->select && i < q->select->scope.count && rc == OK; i++)
		if (q->select->rels[i].query)
			rc = exec_visit(q->select->rels[i].query, f, arg, e);
	return rc == OK ? f(q, arg, e) : rc;
}

void exec_look(const struct query *q, exec_visitor f, void *arg)
{
	struct err ignored;

	exec_visit((struct query *)(uintptr_t)q, f, arg, &ignored);
}

static int find_mode(struct query *q, void *arg, struct err *e)
{
	enum wire_mode *mode = arg;

	(void)e;
	if (q->select && q->select->scope.count && q->select->rels[0].table &&
	    q->select->rels[0].table->mode == WIRE_CHANGES)
		*mode = WIRE_CHANGES;
	return OK;
}

enum wire_mode exec_mode(const struct query *q)
{
	enum wire_mode mode = WIRE_FULL;

	exec_look(q, find_mode, &mode);
	return mode;
}

/* --- results --- */

static struct field field_of(struct str json)
{
	struct field f = { .text = json };

	switch (json.data[0]) {
	case '"':
		f.kind = F_STRING;
		f.text = (struct str){ json.data + 1, json.len - 2 };
		f.escaped = memchr(f.text.data, '\\', f.text.len) != NULL;
		break;
	case 'n': f.kind = F_NULL; break;
	case 't': f.kind = F_TRUE; break;
	case 'f': f.kind = F_FALSE; break;
	case '[': f.kind = F_ARRAY; break;
	case '{': f.kind = F_OBJECT; break;
	default: f.kind = F_NUMBER;
	}
	return f;
}

void exec_cut(const struct buf *text, const size_t *offsets, size_t count, struct field *fields)
{
	for (size_t i = 0; i < count; i++)
		fields[i] = field_of(
			(struct str){ text->data + offsets[i], offsets[i + 1] - offsets[i] });
}

static int render(struct query *q, struct expr *const *targets, const struct eval *ctx,
		  struct buf *text, struct field *fields, struct err *e)
{
	bool is_null;
	int rc;

	buf_reset(text);
	for (size_t i = 0; i < q->count; i++) {
		q->offsets[i] = text->len;
		if ((rc = expr_add_json(targets[i], ctx, text, &is_null, e)) != OK)
			return err_wrap(e, rc, "column \"%s\"", q->names[i]);
		if (text->len > EVAL_MEMORY)
			return err_set(e, BAD_DATA, "its values take more than 512 MB of memory");
	}
	q->offsets[q->count] = text->len;
	exec_cut(text, q->offsets, q->count, fields);
	return OK;
}

/* The key of these expressions for hashing; *null if one of them is NULL. */
static int add_keys(struct buf *key, struct expr *const *keys, size_t count, const struct eval *ctx,
		    bool *null, struct err *e)
{
	buf_reset(key);
	*null = false;
	for (size_t i = 0; i < count; i++) {
		struct value v;
		int rc = expr_eval(keys[i], ctx, &v, e);

		if (rc != OK)
			return rc;
		*null = *null || v.null;
		value_add_key(key, keys[i]->type, &v);
	}
	return OK;
}

static int is_new(struct query *q, const struct field *fields, bool *fresh, struct err *e)
{
	const struct field *row = fields;
	struct eval ctx = { &row, &q->run->values };
	struct buf key = { 0 };
	int rc = OK, added = 0;

	for (size_t i = 0; i < q->count && rc == OK; i++) {
		struct expr x = { .kind = EX_COLUMN, .type = q->types[i], .column = i };
		struct value v;

		if ((rc = expr_eval(&x, &ctx, &v, e)) == OK)
			value_add_key(&key, x.type, &v);
	}
	if (rc == OK)
		map_add(&q->seen, buf_str(&key), &added);
	*fresh = added;
	buf_release(&key);
	return rc;
}

/* Announcements stand before a step's rows. */
static enum wire_mode mode_of(struct query *q)
{
	if (q->mode_step != q->run->step)
		q->mode = exec_mode(q);
	q->mode_step = q->run->step;
	return q->mode;
}

/* A result of q on its way out. Of changes every version goes out: a row that was A, then B and A
 * again must end as A. */
static int emit(struct query *q, const struct field *fields, struct err *e)
{
	const struct field *row = fields;
	struct eval ctx = { &row, &q->run->values };
	bool fresh = true;
	int rc = q->distinct && mode_of(q) == WIRE_FULL ? is_new(q, fields, &fresh, e) : OK;

	if (rc != OK || !fresh)
		return rc;
	if (q->convert) {
		if ((rc = render(q, q->convert, &ctx, &q->converted_text, q->converted, e)) != OK)
			return rc;
		row = q->converted;
	}
	return q->sink.row(q->sink.arg, row, e);
}

int exec_take_part(void *query, const struct field *fields, struct err *e)
{
	return emit(query, fields, e);
}

int exec_constants(struct query *q, struct expr *const *row, struct err *e)
{
	struct eval ctx = { NULL, &q->run->values };
	int rc = render(q, row, &ctx, &q->text, q->fields, e);

	return rc == OK ? emit(q, q->fields, e) : rc;
}

/* --- joins --- */

/* A condition of several parts ends at the first that is not true, NULL included. */
static int is_true(const struct expr *x, const struct eval *ctx, bool *yes, struct err *e)
{
	struct value v;
	int rc = OK;

	if (x && x->kind == EX_AND) {
		*yes = true;
		for (size_t i = 0; i < x->count && rc == OK && *yes; i++)
			rc = is_true(x->args[i], ctx, yes, e);
		return rc;
	}
	rc = x ? expr_eval(x, ctx, &v, e) : OK;
	*yes = rc == OK && (!x || (!v.null && v.b));
	return rc;
}

/* A row's bad data makes it a reject; anything else ends the run. */
static int reject(struct select *s, int rc, struct err *e)
{
	if (rc != BAD_DATA)
		return rc;
	return s->query->reject.reject(s->query->reject.arg, s->query->run->table,
				       s->query->run->line, e);
}

int exec_gone(struct query *q, const struct field *driving, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { driving };
	struct eval ctx = { rows, &q->run->values };
	bool is_null;
	int rc = OK;

	buf_reset(&q->text);
	for (size_t i = 0; i < q->count && rc == OK; i++) {
		q->offsets[i] = q->text.len;
		if (q->identity[i])
			rc = expr_add_json(q->select->targets[i], &ctx, &q->text, &is_null, e);
		else
			buf_addz(&q->text, "null");
	}
	q->offsets[q->count] = q->text.len;
	if (rc != OK)
		return rc;
	exec_cut(&q->text, q->offsets, q->count, q->fields);
	return q->sink.gone(q->sink.arg, q->fields, e);
}

/* A changed row that no longer meets the conditions has left the results. */
static int left_out(struct select *s, const struct field *driving, struct err *e)
{
	struct query *q = s->query;

	if (!q->identity || s->rels[0].table->mode == WIRE_FULL)
		return OK;
	return exec_gone(q, driving, e);
}

static int finish(struct select *s, const struct field **rows, struct err *e)
{
	struct query *q = s->query;
	struct eval ctx = { rows, &q->run->values };
	bool yes;
	int rc = is_true(s->where, &ctx, &yes, e);

	if (rc == OK && !yes)
		return left_out(s, rows[0], e);
	if (rc != OK)
		return rc;
	if ((rc = render(q, s->targets, &ctx, &q->text, q->fields, e)) != OK)
		return rc;
	return emit(q, q->fields, e);
}

enum purpose { LOOK, LOOK_TOUCHED, EMIT };
enum walked { PASSED, WAITS, TOUCHED };

static int no_match(const struct select *s, const struct relation *r, bool null, struct err *e)
{
	struct buf on = { 0 };
	int rc;

	for (size_t i = 0; i < r->key_count; i++)
		if (r->own_keys[i]->kind == EX_COLUMN)
			buf_addf(&on, "%s%s", i ? ", " : "",
				 s->scope.tables[r->index].columns[r->own_keys[i]->column].name);
	rc = err_set(e, BAD_DATA,
		     null ? "its key for table \"%s\" (%s) is NULL" :
			    "it has no match in table \"%s\" (%s)",
		     r->name ? r->name : s->scope.tables[r->index].alias, on.data ? on.data : "");
	buf_release(&on);
	return err_hint(e, rc, "A LEFT JOIN would keep such rows; --rejects FILE collects them.");
}

/* A driving row without a match in an inner join: it has left the results, and unless it is only
 * its parent that went, it is a reject. */
static int unmatched(struct select *s, const struct relation *r, bool null,
		     const struct field *driving, struct err *e)
{
	int rc = left_out(s, driving, e);

	return rc != OK || (s->by_parent && s->query->identity) ? rc : no_match(s, r, null, e);
}

/* Join rows[0..at) with table at and all behind it, to emit the results, or only to look: whether
 * every match that there will ever be is known (else *result is WAITS), or whether one of them came
 * in this step (TOUCHED). */
static int walk(struct select *s, size_t at, const struct field **rows, bool final,
		enum purpose purpose, enum walked *result, struct err *e)
{
	struct eval ctx = { rows, &s->query->run->values };
	struct relation *r = &s->rels[at];
	struct map_entry *entry;
	struct stored *m;
	bool null;
	int rc;

	if (at >= s->scope.count)
		return purpose == EMIT ? finish(s, rows, e) : OK;
	if ((rc = add_keys(&s->key, r->keys, r->key_count, &ctx, &null, e)) != OK)
		return rc;
	entry = null ? NULL : map_find(&r->rows, buf_str(&s->key));
	m = entry ? entry->value : NULL;
	if (purpose == LOOK_TOUCHED && m && m->step == s->query->run->step) {
		*result = TOUCHED;
		return OK;
	}
	if (m && m->gone)
		m = NULL;
	if (!null && !final && r->kind != REL_FILE && r->kind != REL_SERIES && !(m && r->unique)) {
		*result = WAITS;
		return OK;
	}
	if (!m && r->left) {
		rows[at] = NULL;
		return walk(s, at + 1, rows, final, purpose, result, e);
	}
	if (!m)
		return purpose == EMIT ? unmatched(s, r, null, rows[0], e) : OK;
	for (; m && rc == OK && *result == PASSED; m = m->next) {
		rows[at] = m->fields;
		rc = walk(s, at + 1, rows, final, purpose, result, e);
	}
	return rc;
}

static struct field copy_field(struct arena *a, const struct field *f)
{
	struct field copy = *f;

	if (f->kind == F_STRING) { /* with its quotes: expr_add_json copies them along */
		struct str whole = { f->text.data - 1, f->text.len + 2 };

		copy.text.data = arena_copy(a, whole).data + 1;
	} else if (f->kind != F_ABSENT) {
		copy.text = arena_copy(a, f->text);
	}
	return copy;
}

/* The columns of a table that are used, copied. */
static void copy_row(struct select *s, size_t table, const struct field *from, struct field *to)
{
	const struct scope_table *t = &s->scope.tables[table];

	for (size_t i = 0; i < t->count; i++) {
		to[i] = (struct field){ .kind = F_ABSENT };
		if (t->columns[i].used)
			to[i] = copy_field(&s->kept, &from[i]);
	}
}

static void wait_for_step(struct select *s, const struct field *fields)
{
	size_t count = s->scope.tables[0].count;
	struct pending *p = arena_alloc(&s->kept, sizeof(*p) + count * sizeof(struct field));

	p->next = NULL;
	p->table = s->query->run->table;
	p->line = arena_copy(&s->kept, s->query->run->line);
	copy_row(s, 0, fields, p->fields);
	*s->pending_end = p;
	s->pending_end = &p->next;
}

static int join(struct select *s, const struct field *fields, bool final, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { fields };
	struct eval ctx = { rows, &s->query->run->values };
	enum walked result = PASSED;
	bool yes;
	int rc = is_true(s->before, &ctx, &yes, e);

	if (rc == OK && !yes) /* a parent changes nothing about that */
		return s->by_parent ? OK : left_out(s, fields, e);
	if (rc == OK && s->scope.count > 1 && !final)
		rc = walk(s, 1, rows, final, LOOK, &result, e);
	if (rc == OK && result == WAITS)
		wait_for_step(s, fields);
	if (rc != OK || result == WAITS)
		return rc;
	return walk(s, 1, rows, final, EMIT, &result, e);
}

int exec_drive(struct select *s, const struct field *fields, bool final, struct err *e)
{
	int rc = join(s, fields, final, e);

	return rc == OK ? OK : reject(s, rc, e);
}

int exec_pending(struct select *s, struct err *e)
{
	struct run *run = s->query->run;
	int rc = OK;

	for (struct pending *p = s->pending; p && rc == OK; p = p->next) {
		run->table = p->table;
		run->line = p->line;
		rc = exec_drive(s, p->fields, true, e);
		arena_reset(&run->values);
	}
	s->pending = NULL;
	s->pending_end = &s->pending;
	return rc;
}

int exec_parent_came(struct select *s, const struct field *driving, bool *came, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { driving };
	enum walked result = PASSED;
	int rc = walk(s, 1, rows, true, LOOK_TOUCHED, &result, e);

	*came = result == TOUCHED;
	return rc;
}

int exec_take_driving(void *relation, const struct field *fields, struct err *e)
{
	struct relation *r = relation;

	return exec_drive(r->in, fields, false, e);
}

int exec_store(struct relation *r, const struct field *fields, bool gone, struct err *e)
{
	const struct field *rows[MAX_TABLES + 1] = { 0 };
	struct run *run = r->in->query->run;
	struct eval ctx = { rows, &run->values };
	struct scope_table *t = &r->in->scope.tables[r->index];
	struct map_entry *entry;
	struct stored *m;
	bool null, yes = false;
	int rc = OK, added;

	rows[r->index] = fields;
	if (!gone && (rc = is_true(r->filter, &ctx, &yes, e)) != OK)
		return rc;
	if (!yes && !r->in->follows)
		return OK;
	if ((rc = add_keys(&r->in->key, r->own_keys, r->key_count, &ctx, &null, e)) != OK || null)
		return rc;
	m = arena_alloc(&r->in->kept, sizeof(*m) + (yes ? t->count : 0) * sizeof(struct field));
	if (yes)
		copy_row(r->in, r->index, fields, m->fields);
	m->gone = !yes;
	m->step = run->step;
	entry = map_add(&r->rows, buf_str(&r->in->key), &added);
	m->next = r->unique ? NULL :
			      entry->value; /* a newer version of the same row takes its place */
	entry->value = m;
	return OK;
}

int exec_take_joined(void *relation, const struct field *fields, struct err *e)
{
	return exec_store(relation, fields, false, e);
}
