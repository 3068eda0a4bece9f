/* changes - what a slot sends, as lines of the wire */
#include "changes.h"

#include <stdlib.h>

#include "copy_read.h"
#include "log.h"
#include "mem.h"
#include "progress.h"

/* A relation as the log has announced it. */
struct relation {
	const struct published *published;
	bool announced;
	bool stays;          /* it was said that rows which are gone stay where they were loaded */
	size_t *at;          /* column i of the table is the log's at[i], or NOWHERE */
	size_t column_count; /* the log's */
	struct buf prepared; /* the statement that looks up what a row lacks */
};

enum { NOWHERE = UINT16_MAX }; /* the protocol counts columns in 16 bits, PostgreSQL has 1600 */

struct changes {
	PGconn *conn;
	const struct publication *publication;
	struct relation *relations; /* one for each of the publication */
	struct out *out;
	uint64_t max_row;
	const struct wire_table *current; /* the last one that was switched to */
	struct relation *r;               /* of the message */
	const struct pgoutput *m;
	struct pgoutput_value *row; /* the table's columns; kind 'u' where still unknown */
	size_t row_cap;
};

/* --- relations --- */

/* The relation of that oid if it is published. */
static struct relation *find(struct changes *c, uint32_t oid)
{
	const struct published *p = publication_find(c->publication, oid);

	return p ? &c->relations[p - c->publication->relations] : NULL;
}

static bool is_whole(const struct relation *r)
{
	return r->published->table->mode != WIRE_CHANGES;
}

static int on_relation(struct changes *c, const struct pgoutput *m)
{
	struct relation *r = find(c, m->relation);

	if (!r)
		return OK;
	r->announced = true;
	r->column_count = m->column_count;
	for (size_t i = 0; i < r->published->table->column_count; i++) {
		struct str name = str_of(r->published->table->columns[i].name);

		r->at[i] = NOWHERE;
		for (size_t k = 0; k < m->column_count; k++)
			if (str_eq(m->columns[k], name))
				r->at[i] = k;
	}
	return OK;
}

/* --- values --- */

static int blame(const struct changes *c, int kind, struct err *e)
{
	return err_wrap(e, kind, "a change of table \"%s\"", c->r->published->table->name);
}

/* Does the old tuple have the column? With the key only, all else is NULL in it. */
static const struct pgoutput_value *old_value(const struct changes *c, size_t column)
{
	const struct pgoutput_value *v;

	if (!c->m->old_kind || c->r->at[column] == NOWHERE)
		return NULL;
	v = &c->m->old.values[c->r->at[column]];
	return v->kind == 't' || (v->kind == 'n' && c->m->old_kind == 'O') ? v : NULL;
}

/* Fill c->row from the message. Returns how many columns are still unknown. */
static size_t fill_row(struct changes *c)
{
	static const struct pgoutput_value unknown = { .kind = 'u' };
	size_t missing = 0;

	for (size_t i = 0; i < c->r->published->table->column_count; i++) {
		size_t at = c->r->at[i];
		const struct pgoutput_value *v = at == NOWHERE ? NULL : &c->m->tuple.values[at];

		if (v && v->kind == 'u')
			v = old_value(c, i);
		c->row[i] = v ? *v : unknown;
		missing += !v;
	}
	return missing;
}

static int add_value(struct buf *b, const struct wire_column *column,
		     const struct pgoutput_value *v, struct err *e)
{
	int rc = OK;

	if (v->kind == 't')
		rc = copy_read_plain(b, &column->type, v->text, e);
	else
		buf_addz(b, "null");
	return rc == OK ? OK : err_wrap(e, rc, "column \"%s\"", column->name);
}

static int no_key(const struct changes *c, struct err *e)
{
	struct buf table = { 0 };

	buf_add_word(&table, c->r->published->table->name);
	err_set(e, FAILED, "a change of table %s came without its key", c->r->published->name);
	err_hint(e, FAILED, "ALTER TABLE %s REPLICA IDENTITY ...; then run once with --full %s.",
		 c->r->published->name, table.data);
	buf_release(&table);
	return FAILED;
}

/* --- looking up --- */

static void add_lookup(struct buf *sql, const struct changes *c)
{
	const struct wire_table *t = c->r->published->table;
	size_t n = 0;

	buf_addz(sql, "SELECT ");
	for (size_t i = 0; i < t->column_count; i++)
		if (c->row[i].kind == 'u') {
			buf_addz(sql, n++ ? "," : "");
			pg_add_ident(sql, str_of(t->columns[i].name));
		}
	buf_addz(sql, " FROM ");
	publication_add_from(sql, c->r->published);
	buf_addz(sql, " WHERE ");
	for (size_t i = 0; i < t->key_count; i++) {
		buf_addz(sql, i ? " AND " : "");
		pg_add_ident(sql, str_of(t->columns[t->key[i]].name));
		buf_addf(sql, " = $%zu", i + 1);
	}
}

/* A statement is kept as long as the relation's rows lack the same columns. */
static int prepare(struct changes *c, char name[16], struct err *e)
{
	struct relation *r = c->r;
	struct buf sql = { 0 };
	PGresult *res = NULL;
	int rc = OK;

	snprintf(name, 16, "lookup_%zu", (size_t)(r - c->relations));
	add_lookup(&sql, c);
	if (!str_eq(buf_str(&sql), buf_str(&r->prepared))) {
		struct buf drop = { 0 };

		buf_addf(&drop, "DEALLOCATE %s", name);
		if (r->prepared.len)
			rc = pgio_exec(c->conn, drop.data, NULL, e);
		buf_release(&drop);
		buf_reset(&r->prepared);
		if (rc == OK)
			res = PQprepare(c->conn, name, sql.data, 0, NULL);
		if (rc == OK && PQresultStatus(res) != PGRES_COMMAND_OK)
			rc = pgio_failed(c->conn, res, e, "look up a row");
		if (rc == OK)
			buf_addstr(&r->prepared, buf_str(&sql));
	}
	PQclear(res);
	buf_release(&sql);
	return rc;
}

/* The row of now, what c->row lacks of it; *res NULL where it is gone. */
static int look_up(struct changes *c, PGresult **res, struct err *e)
{
	const struct wire_table *t = c->r->published->table;
	const char **params = xcalloc(t->key_count, sizeof(*params));
	struct buf texts = { 0 };
	char name[16];
	int rc = OK;

	*res = NULL;
	for (size_t i = 0; i < t->key_count; i++) { /* libpq wants a NUL behind each */
		if (c->row[t->key[i]].kind != 't')
			rc = no_key(c, e);
		buf_addstr(&texts, c->row[t->key[i]].text);
		buf_addch(&texts, '\0');
	}
	for (size_t i = 0, at = 0; i < t->key_count && rc == OK; i++) {
		params[i] = texts.data + at;
		at += c->row[t->key[i]].text.len + 1;
	}
	if (rc == OK && (rc = prepare(c, name, e)) == OK) {
		*res = PQexecPrepared(c->conn, name, (int)t->key_count, params, NULL, NULL, 0);
		if (PQresultStatus(*res) != PGRES_TUPLES_OK)
			rc = pgio_failed(c->conn, *res, e, "look up a row");
	}
	free(params);
	buf_release(&texts);
	if (rc != OK || PQntuples(*res) == 0) {
		PQclear(*res);
		*res = NULL;
	}
	return rc;
}

static void take_found(struct changes *c, const PGresult *res)
{
	int n = 0;

	for (size_t i = 0; i < c->r->published->table->column_count; i++) {
		if (c->row[i].kind != 'u')
			continue;
		c->row[i].kind = PQgetisnull(res, 0, n) ? 'n' : 't';
		c->row[i].text = (struct str){ pgio_value(res, 0, n),
					       (size_t)PQgetlength(res, 0, n) };
		n++;
	}
}

/* --- lines --- */

/* Rows need it; and no reader can be wrong about what @delete makes current. */
static void switch_to(struct changes *c, const struct wire_table *t)
{
	if (c->current != t)
		wire_add_switch(&c->out->buf, t);
	c->current = t;
}

/* After a line was added behind start. */
static int added(struct changes *c, size_t start, struct err *e)
{
	if (c->out->buf.len - start > c->max_row + 1) {
		c->out->buf.len = start;
		err_set(e, BAD_DATA, "a row of table \"%s\" is longer than %llu bytes",
			c->r->published->table->name, (unsigned long long)c->max_row);
		return err_hint(e, BAD_DATA, "Raise --max-row.");
	}
	progress_add(1, c->out->buf.len - start);
	return out_more(c->out, e);
}

static int write_row(struct changes *c, struct err *e)
{
	struct wire_table *t = c->r->published->table;
	struct buf *b = &c->out->buf;
	size_t start;
	int rc = OK;

	switch_to(c, t);
	start = b->len;
	for (size_t i = 0; i < t->column_count && rc == OK; i++) {
		buf_addstr(b, t->prefix[i]);
		rc = add_value(b, &t->columns[i], &c->row[i], e);
	}
	if (rc != OK) {
		b->len = start;
		return blame(c, rc, e);
	}
	buf_addz(b, t->column_count ? "}\n" : "{}\n");
	t->rows++;
	return added(c, start, e);
}

static int add_old_key(struct changes *c, struct buf *key, struct err *e)
{
	const struct wire_table *t = c->r->published->table;
	int rc = OK;

	for (size_t i = 0; i < t->key_count && rc == OK; i++) {
		const struct pgoutput_value *v = old_value(c, t->key[i]);

		if (!v || v->kind != 't')
			return no_key(c, e);
		buf_addch(key, i ? ',' : '{');
		buf_addstr(key, t->keys.quoted[t->key[i]]);
		buf_addch(key, ':');
		if ((rc = add_value(key, &t->columns[t->key[i]], v, e)) != OK)
			blame(c, rc, e);
	}
	buf_addch(key, '}');
	return rc;
}

/* A table that is read whole does not say what is gone, and may have had another key before. */
static void say_stays(struct relation *r, const char *why)
{
	if (!r->stays)
		log_notice("table \"%s\" %s: rows that are gone stay where they were loaded",
			   r->published->table->name, why);
	r->stays = true;
}

static int write_delete(struct changes *c, struct err *e)
{
	const struct wire_table *t = c->r->published->table;
	struct buf key = { 0 };
	size_t start;
	int rc = add_old_key(c, &key, e);

	if (rc != OK && is_whole(c->r)) {
		say_stays(c->r, "had another key");
		rc = OK;
	} else if (rc == OK) {
		switch_to(c, t);
		start = c->out->buf.len;
		wire_add_delete(&c->out->buf, t, buf_str(&key));
		rc = added(c, start, e);
	}
	buf_release(&key);
	return rc;
}

/* --- messages --- */

static bool key_changed(const struct changes *c)
{
	const struct wire_table *t = c->r->published->table;

	for (size_t i = 0; i < t->key_count && c->m->old_kind; i++) {
		const struct pgoutput_value *was = old_value(c, t->key[i]);
		const struct pgoutput_value *is = &c->row[t->key[i]];

		if (was && is->kind != 'u' && !str_eq(was->text, is->text))
			return true;
	}
	return false;
}

/* An insert or an update. */
static int on_row(struct changes *c, struct err *e)
{
	size_t missing = fill_row(c);
	PGresult *res = NULL;
	int rc = OK;

	if (key_changed(c))
		rc = write_delete(c, e);
	if (is_whole(c->r))
		return rc;
	if (rc == OK && missing) {
		if ((rc = look_up(c, &res, e)) != OK)
			return rc;
		if (!res) {
			log_info("a row of table \"%s\" was updated and is gone by now: its "
				 "version in between is left out",
				 c->r->published->table->name);
			return OK;
		}
		take_found(c, res);
	}
	if (rc == OK)
		rc = write_row(c, e);
	PQclear(res);
	return rc;
}

static int on_change(struct changes *c, struct err *e)
{
	const struct pgoutput *m = c->m;

	if (!(c->r = find(c, m->relation)))
		return OK;
	if (!c->r->announced ||
	    (m->kind != PGOUTPUT_DELETE && m->tuple.count != c->r->column_count) ||
	    (m->old_kind && m->old.count != c->r->column_count))
		return blame(c, err_set(e, BAD_DATA, "it does not fit the table as announced"), e);
	return m->kind == PGOUTPUT_DELETE ? write_delete(c, e) : on_row(c, e);
}

static bool is_truncated(const struct pgoutput *m, uint32_t oid)
{
	for (size_t i = 0; i < m->relation_count; i++)
		if (m->relations[i] == oid)
			return true;
	return false;
}

/* A table is empty when all its relations are. */
static int check_whole(const struct changes *c, const struct pgoutput *m,
		       const struct wire_table *t, struct err *e)
{
	for (size_t i = 0; i < c->publication->count; i++) {
		const struct published *p = &c->publication->relations[i];

		struct buf word = { 0 };

		if (p->table != t || is_truncated(m, p->oid))
			continue;
		buf_add_word(&word, t->name);
		err_set(e, FAILED,
			"partitions of table \"%s\" were truncated, but not %s: which rows are "
			"gone cannot be told",
			t->name, p->name);
		err_hint(e, FAILED, "Empty it where it was loaded, and run once with --full %s.",
			 word.data);
		buf_release(&word);
		return FAILED;
	}
	return OK;
}

static int on_truncate(struct changes *c, struct err *e)
{
	const struct wire_table *last = NULL;
	int rc = OK;

	for (size_t i = 0; i < c->publication->count && rc == OK; i++) {
		const struct published *p = &c->publication->relations[i];

		if (!is_truncated(c->m, p->oid) || p->table == last)
			continue;
		last = p->table;
		if (is_whole(&c->relations[i])) {
			say_stays(&c->relations[i], "was truncated");
			continue;
		}
		if ((rc = check_whole(c, c->m, last, e)) != OK)
			break;
		switch_to(c, last);
		wire_add_delete(&c->out->buf, last, STR(""));
		rc = out_more(c->out, e);
	}
	return rc;
}

static int on_message(struct changes *c, struct err *e)
{
	switch (c->m->kind) {
	case PGOUTPUT_RELATION:
		return on_relation(c, c->m);
	case PGOUTPUT_INSERT:
	case PGOUTPUT_UPDATE:
	case PGOUTPUT_DELETE:
		return on_change(c, e);
	case PGOUTPUT_TRUNCATE:
		return on_truncate(c, e);
	default:
		return OK;
	}
}

/* --- all --- */

static void init(struct changes *c)
{
	const struct publication *p = c->publication;

	c->relations = xcalloc(p->count, sizeof(*c->relations));
	for (size_t i = 0; i < p->count; i++) {
		size_t columns = p->relations[i].table->column_count;

		c->relations[i].published = &p->relations[i];
		c->relations[i].at = xcalloc(columns, sizeof(*c->relations[i].at));
		if (c->row_cap < columns)
			c->row_cap = columns;
	}
	c->row = xcalloc(c->row_cap, sizeof(*c->row));
}

static void release(struct changes *c)
{
	for (size_t i = 0; i < c->publication->count; i++) {
		free(c->relations[i].at);
		buf_release(&c->relations[i].prepared);
	}
	free(c->relations);
	free(c->row);
}

int changes_read(struct slot *s, PGconn *conn, const struct publication *p, struct out *out,
		 uint64_t max_row, struct err *e)
{
	struct changes c = { .conn = conn, .publication = p, .out = out, .max_row = max_row };
	struct pgoutput m = { 0 };
	int rc = slot_start(s, e);

	init(&c);
	c.m = &m;
	while (rc == OK && (rc = slot_next(s, &m, e)) == OK && m.kind)
		rc = on_message(&c, e);
	release(&c);
	return rc;
}
