/* query - a star's SELECTs, run over a stream */
#include "query.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "csvio.h"
#include "mem.h"
#include "query_exec.h"
#include "query_plan.h"

/* --- from compiling to freeing --- */

size_t query_key(const struct query *q, size_t *columns, size_t max,
		 const struct wire_table **driver)
{
	const struct wire_table *t =
		q->select && q->select->scope.count ? q->select->rels[0].table : NULL;
	size_t n = 0;

	*driver = t;
	for (size_t k = 0; t && k < t->key_count; k++) {
		size_t i = 0;

		for (; i < q->count; i++) {
			const struct expr *x = q->select->targets[i];

			while (x->kind == EX_CAST)
				x = x->args[0];
			if (x->kind == EX_COLUMN && x->table == 0 && x->column == t->key[k])
				break;
		}
		if (i == q->count || n == max)
			return 0;
		columns[n++] = q->insert->columns[i];
	}
	return n;
}

/* A deleted row's result can be named where the driver's key is all of the target's. */
static void identify(struct query *q)
{
	const struct star_insert *in = q->insert;
	const struct wire_table *w = in->into->wire, *driver;
	size_t key[64], n = query_key(q, key, 64, &driver);

	if (n == 0 || q->distinct || !w->load || (w->key_count && w->key_count != n))
		return;
	for (size_t k = 0; k < w->key_count; k++) {
		size_t i = 0;

		while (i < n && key[i] != w->key[k])
			i++;
		if (i == n)
			return;
	}
	q->identity = arena_alloc(q->arena, q->count * sizeof(*q->identity));
	memset(q->identity, 0, q->count * sizeof(*q->identity));
	for (size_t i = 0; i < q->count; i++)
		for (size_t k = 0; k < n; k++)
			q->identity[i] = q->identity[i] || in->columns[i] == key[k];
}

int query_compile(const struct star *s, const struct star_insert *in, query_lookup lookup,
		  void *lookup_arg, struct query_sink sink, struct query **out, struct err *e)
{
	int rc = plan_query(s, in, lookup, lookup_arg, sink, out, e);

	if (rc == OK && !(*out)->any_count)
		identify(*out);
	return rc;
}

int query_sources(const struct star *s, const struct star_insert *in, query_uses uses, void *arg,
		  struct err *e)
{
	struct query *q;
	int rc = plan_sources(s, in, uses, arg, &q, e);

	query_free(q);
	return rc;
}

static int release(struct query *q, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	map_release(&q->seen);
	buf_release(&q->text);
	buf_release(&q->converted_text);
	for (size_t i = 0; q->select && i < q->select->scope.count; i++)
		map_release(&q->select->rels[i].rows);
	if (q->select) {
		arena_release(&q->select->kept);
		buf_release(&q->select->key);
	}
	return OK;
}

void query_free(struct query *q)
{
	struct arena *arena;
	struct run *run;
	struct err ignored;

	if (!q)
		return;
	arena = q->arena; /* q itself is in it */
	run = q->run;
	exec_visit(q, release, NULL, &ignored);
	arena_release(&run->values);
	arena_release(arena);
	free(run);
	free(arena);
}

/* --- what it reads and gives --- */

struct telling {
	query_uses uses;
	void *arg;
};

static int tell_joins(struct query *q, void *arg, struct err *e)
{
	struct telling *t = arg;

	(void)e;
	for (size_t i = 0; q->select && q->select->scope.count > 1 && i < q->select->scope.count;
	     i++)
		if (q->select->rels[i].kind == REL_SOURCE)
			t->uses(t->arg, q->select->rels[i].name, NULL, true);
	return OK;
}

void query_joins(const struct query *q, query_uses uses, void *arg)
{
	struct telling t = { uses, arg };

	exec_look(q, tell_joins, &t);
}

static int find_changes(struct query *q, void *arg, struct err *e)
{
	const char **name = arg;

	(void)e;
	for (size_t i = 0; q->select && i < q->select->scope.count; i++) {
		const struct relation *r = &q->select->rels[i];

		if (r->table && r->table->mode == WIRE_CHANGES)
			*name = r->name;
	}
	return OK;
}

static int find_lost_changes(struct query *q, void *arg, struct err *e)
{
	struct select *s = q->select;

	if (!s || s->scope.count < 2 || s->follows)
		return OK;
	find_changes(q, arg, e);
	for (size_t i = 0; i < s->scope.count; i++)
		if (s->rels[i].query)
			exec_look(s->rels[i].query, find_changes, arg);
	return OK;
}

const char *query_lost_changes(const struct query *q)
{
	const char *name = NULL;

	exec_look(q, find_lost_changes, &name);
	return name;
}

enum wire_mode query_mode(const struct query *q)
{
	return exec_mode(q);
}

struct reading {
	const struct wire_table *table;
	bool found;
};

static int find_table(struct query *q, void *arg, struct err *e)
{
	struct reading *r = arg;

	(void)e;
	for (size_t i = 0; q->select && i < q->select->scope.count; i++)
		r->found = r->found ||
			   (q->select->rels[i].table && q->select->rels[i].table == r->table);
	return OK;
}

bool query_reads(const struct query *q, const struct wire_table *t)
{
	struct reading r = { t, false };

	exec_look(q, find_table, &r);
	return r.found;
}

/* --- the stream --- */

struct feeding {
	const struct wire_table *table;
	const struct field *fields;
	struct str line;
	bool drives;
};

static int feed(struct query *q, void *arg, struct err *e)
{
	struct feeding *f = arg;
	struct select *s = q->select;
	int rc = OK;

	for (size_t i = 0; s && i < s->scope.count && rc == OK; i++) {
		if (s->rels[i].table != f->table || !f->table || (i == 0) != f->drives)
			continue;
		if (i == 0) {
			rc = s->follows ? OK : exec_drive(s, f->fields, false, e);
		} else {
			rc = exec_store(&s->rels[i], f->fields, false, e);
			if (rc == BAD_DATA)
				rc = q->reject.reject(q->reject.arg, f->table, f->line, e);
		}
	}
	return rc;
}

int query_row(struct query *q, const struct wire_table *t, const struct field *fields,
	      struct str line, struct err *e)
{
	struct feeding f = { t, fields, line, false };
	int rc;

	q->run->table = t;
	q->run->line = line;
	rc = exec_visit(q, feed, &f, e);
	f.drives = true;
	if (rc == OK)
		rc = exec_visit(q, feed, &f, e);
	arena_reset(&q->run->values);
	return rc;
}

/* --- changes --- */

/* Every joined table must be joined by its key and nothing else: then a row that has changed takes
 * the place of the one that was. */
static bool can_follow(const struct select *s)
{
	bool can = s->scope.count > 1 && s->rels[0].table && s->rels[0].table->key_count;

	for (size_t i = 1; i < s->scope.count; i++) {
		const struct relation *r = &s->rels[i];

		can = can && (r->table ? r->unique && r->key_count == r->table->key_count :
					 r->kind == REL_FILE || r->kind == REL_SERIES);
	}
	return can;
}

/* The rows of earlier runs, which this step has not touched. */
static int load_joined(struct relation *r, struct err *e)
{
	struct refs_table *t = refs_find(r->in->query->refs, r->name);
	int rc = OK;

	for (size_t i = 0; t && i < t->count && rc == OK; i++)
		if (t->rows[i]->line && (rc = refs_scan(t, t->rows[i], e)) == OK)
			rc = exec_store(r, t->fields, false, e);
	arena_reset(&r->in->query->run->values);
	return rc;
}

static int follow(struct query *q, void *arg, struct err *e)
{
	struct select *s = q->select;
	int rc = OK;

	if (!s || !can_follow(s))
		return OK;
	q->refs = arg;
	s->follows = true;
	q->run->step = 0;
	for (size_t i = 1; i < s->scope.count && rc == OK; i++)
		if (s->rels[i].table)
			rc = load_joined(&s->rels[i], e);
	q->run->step = 1;
	return rc;
}

int query_follow(struct query *q, const struct refs *r, struct err *e)
{
	return exec_visit(q, follow, (void *)(uintptr_t)r, e);
}

static int drive_row(struct select *s, const struct refs_table *t, const struct refs_row *row,
		     bool parents, struct err *e)
{
	struct run *run = s->query->run;
	bool goes = row->touched || s->all_touched;
	int rc = refs_scan(t, row, e);

	run->line = (struct str){ row->line, row->len };
	run->table = s->rels[0].table;
	if (rc == OK && !goes && parents)
		rc = exec_parent_came(s, t->fields, &goes, e);
	s->by_parent = !row->touched;
	if (rc == OK && goes)
		rc = exec_drive(s, t->fields, true, e);
	s->by_parent = false;
	arena_reset(&run->values);
	return rc;
}

/* Driving rows that came in this step, or whose parents did. */
static int drive_changes(struct select *s, struct err *e)
{
	const struct refs *refs = s->query->refs;
	struct refs_table *t = refs_find(refs, s->rels[0].name);
	bool parents = s->all_touched;
	int rc = OK;

	for (size_t i = 1; i < s->scope.count; i++) {
		struct refs_table *joined =
			s->rels[i].table ? refs_find(refs, s->rels[i].name) : NULL;

		parents = parents || (joined && joined->touched);
	}
	for (size_t i = 0; t && i < t->count && rc == OK; i++)
		if (t->rows[i]->line && (parents || t->rows[i]->touched))
			rc = drive_row(s, t, t->rows[i], parents, e);
	s->all_touched = false;
	return rc;
}

struct deleting {
	const struct wire_table *table;
	const struct field *fields; /* NULL: all */
};

static int delete_joined(struct relation *r, const struct deleting *d, struct err *e)
{
	if (d->fields)
		return exec_store(r, d->fields, true, e);
	map_release(&r->rows);
	r->in->all_touched = true;
	return OK;
}

static int delete(struct query *q, void *arg, struct err *e)
{
	const struct deleting *d = arg;
	struct select *s = q->select;
	int rc = OK;

	for (size_t i = 0; s && i < s->scope.count && rc == OK; i++) {
		if (!d->table || s->rels[i].table != d->table)
			continue;
		if (i > 0)
			rc = delete_joined(&s->rels[i], d, e);
		else if (q->identity)
			rc = d->fields ? exec_gone(q, d->fields, e) :
					 q->sink.gone(q->sink.arg, NULL, e);
	}
	return rc;
}

int query_delete(struct query *q, const struct wire_table *t, const struct field *fields,
		 struct err *e)
{
	struct deleting d = { t, fields };
	int rc = exec_visit(q, delete, &d, e);

	arena_reset(&q->run->values);
	return rc;
}

/* --- the end of a step --- */

static int step(struct query *q, void *arg, struct err *e)
{
	struct select *s = q->select;
	int rc = s ? exec_pending(s, e) : OK;

	(void)arg;
	return rc == OK && s && s->follows ? drive_changes(s, e) : rc;
}

/* What was distinct in one step may come again in the next, after something else. */
static int forget(struct query *q, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	map_release(&q->seen);
	return OK;
}

int query_step(struct query *q, struct err *e)
{
	int rc = exec_visit(q, step, NULL, e);

	exec_look(q, forget, NULL);
	q->run->step++;
	return rc;
}

/* --- rows that are there from the start --- */

/* Hand a row made here to its relation. */
static int offer(struct relation *r, const struct field *fields, struct err *e)
{
	return r->index == 0 ? exec_take_driving(r, fields, e) : exec_take_joined(r, fields, e);
}

struct file_reading {
	struct relation *r;
	struct field *fields;
	struct buf line;
	size_t *offsets;
};

static int file_row(void *arg, const struct csv_cell *cells, size_t count, uint64_t row,
		    struct err *e)
{
	struct file_reading *f = arg;
	const struct star_file *file = f->r->file;
	struct arena *a = &f->r->in->query->run->values;
	int rc = OK;

	if (row == 1 && file->header)
		return OK;
	if (csvio_is_empty_line(cells, count) && file->column_count != 1)
		return OK;
	if (count != file->column_count)
		return err_set(e, BAD_DATA, "%s: row %llu has %zu columns where %zu are declared",
			       file->path, (unsigned long long)row, count, file->column_count);
	buf_reset(&f->line);
	for (size_t i = 0; i < count && rc == OK; i++) {
		struct sqltype t =
			sqltype_of_wire(&file->columns[i].type, file->columns[i].type_name);
		struct sqltype plain = t;
		struct value v = { .null = cells[i].null };

		plain.mods[0] = plain.mods[1] = -1;
		f->offsets[i] = f->line.len;
		if (!v.null && (rc = value_from_text(&v, plain, cells[i].text, a, e)) == OK)
			rc = value_cast(&v, plain, t, CAST_ASSIGNMENT, a, e);
		if (rc != OK)
			return err_wrap(e, rc, "%s: row %llu: column \"%s\"", file->path,
					(unsigned long long)row, file->columns[i].name);
		if (v.null)
			buf_addz(&f->line, "null");
		else
			value_add_json(&f->line, t, &v);
	}
	f->offsets[count] = f->line.len;
	exec_cut(&f->line, f->offsets, count, f->fields);
	rc = offer(f->r, f->fields, e);
	arena_reset(a);
	return rc;
}

static int start_file(struct relation *r, struct err *e)
{
	const struct star_file *file = r->file;
	struct file_reading f = { .r = r };
	int fd = open(file->path, O_RDONLY), rc;

	if (fd < 0)
		return err_errno(e, "could not open reference file %s", file->path);
	f.fields = xcalloc(file->column_count, sizeof(*f.fields));
	f.offsets = xcalloc(file->column_count + 1, sizeof(*f.offsets));
	rc = csvio_read(fd, file->path, file->delimiter, WIRE_MAX_ROW, file_row, &f, e);
	close(fd);
	free(f.fields);
	free(f.offsets);
	buf_release(&f.line);
	return rc;
}

static int series_next(const struct relation *r, struct sqltype t, struct value *v,
		       const struct value *by, bool *more, struct err *e)
{
	int64_t next;

	if (sqltype_is_int(t.base)) {
		int64_t step = r->series_count > 2 ? by->i : 1;

		*more = !__builtin_add_overflow(v->i, step, &next);
	} else {
		int rc = timestamp_add(&next, v->i, &by->iv, e);

		if (rc != OK)
			return rc;
	}
	v->i = next;
	return OK;
}

static int start_series(struct relation *r, struct err *e)
{
	struct eval ctx = { NULL, &r->in->query->run->values };
	struct sqltype t = r->in->scope.tables[r->index].columns[0].type;
	struct value v, stop, by = { 0 }, zero = { 0 };
	struct buf line = { 0 };
	bool more = true, down = false;
	int rc;

	if ((rc = expr_eval(r->series[0], &ctx, &v, e)) != OK ||
	    (rc = expr_eval(r->series[1], &ctx, &stop, e)) != OK ||
	    (r->series_count > 2 && (rc = expr_eval(r->series[2], &ctx, &by, e)) != OK))
		return rc;
	if (v.null || stop.null || by.null)
		return OK;
	if (!sqltype_is_int(t.base) && (v.i == TS_INFINITY || v.i == TS_MINUS_INFINITY))
		return star_error(r->in->scope.star, r->series[0]->at, e,
				  "a series begins at a time that is not infinite");
	if (r->series_count > 2) {
		int c = sqltype_is_int(t.base) ? (by.i > 0) - (by.i < 0) :
						 interval_cmp(&by.iv, &zero.iv);

		if (c == 0)
			return star_error(r->in->scope.star, r->series[2]->at, e,
					  "step size cannot equal zero");
		down = c < 0;
	}
	while (more && rc == OK && (down ? v.i >= stop.i : v.i <= stop.i)) {
		size_t offsets[2] = { 0 };
		struct field f;

		buf_reset(&line);
		value_add_json(&line, t, &v);
		offsets[1] = line.len;
		exec_cut(&line, offsets, 1, &f);
		rc = offer(r, &f, e);
		if (rc == OK)
			rc = series_next(r, t, &v, &by, &more, e);
	}
	buf_release(&line);
	return rc;
}

/* Joined files and series come before anything drives. */
static int start_joined(struct query *q, void *arg, struct err *e)
{
	bool drives = *(bool *)arg;
	struct select *s = q->select;
	int rc = OK;

	for (size_t i = 0; s && i < s->scope.count && rc == OK; i++) {
		if ((i == 0) != drives)
			continue;
		if (s->rels[i].kind == REL_FILE)
			rc = start_file(&s->rels[i], e);
		else if (s->rels[i].kind == REL_SERIES)
			rc = start_series(&s->rels[i], e);
	}
	if (drives && s && s->scope.count == 0) /* a SELECT without FROM is one row */
		rc = exec_drive(s, NULL, false, e);
	for (size_t r = 0; drives && r < q->value_count && rc == OK; r++)
		rc = exec_constants(q, q->values[r], e);
	return rc;
}

int query_start(struct query *q, struct err *e)
{
	bool drives = false;
	int rc = exec_visit(q, start_joined, &drives, e);

	drives = true;
	if (rc == OK)
		rc = exec_visit(q, start_joined, &drives, e);
	arena_reset(&q->run->values);
	return rc;
}
