/* star - read a star file */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#include "star.h"

#include <pg_query.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "file.h"
#include "mem.h"

enum {
	MAX_TEXT = 1 << 20,  /* bytes of a star file */
	MAX_DEPTH = 1000,    /* of its parse tree as JSON: an operator in another one is two deep */
	STACK_PER_BYTE = 256 /* libpg_query needs 64 for a text like 1+1+1+1 */
};

int star_error(const struct star *s, size_t at, struct err *e, const char *fmt, ...)
{
	char what[1500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	err_set(e, USAGE, "%s", what);
	return err_locate(e, USAGE, s->path, s->text.data, at);
}

size_t star_at(const struct json *node)
{
	int64_t n = 0;

	json_int(json_get(node, "location"), &n);
	return n > 0 ? (size_t)n : 0;
}

/* A list of String nodes, the i-th. */
static const char *name_at(const struct json *list, size_t i)
{
	return json_string(json_get(json_get(json_at(list, i), "String"), "sval"));
}

/* libpg_query's JSON leaves out an integer that is not positive: the text tells 0 from -7. */
bool star_int(const struct star *s, const struct json *node, int64_t *n)
{
	const struct json *ival = json_get(node, "ival");
	const char *p = s->text.data + star_at(node);

	*n = 0;
	if (!ival || json_int(json_get(ival, "ival"), n))
		return ival != NULL;
	if (*p == '-') {
		p += 1 + strspn(p + 1, " \t\r\n");
		*n = -strtoll(p, NULL, 10);
	}
	return true;
}

/* --- column types --- */

static int add_mods(const struct star *s, const struct json *node, struct buf *name, struct err *e)
{
	const struct json *mods = json_get(node, "typmods");

	for (size_t i = 0; i < json_count(mods); i++) {
		int64_t n;

		if (!star_int(s, json_get(json_at(mods, i), "A_Const"), &n))
			return star_error(s, star_at(node), e, "a type's modifier is a number");
		buf_addf(name, "%s%lld", i ? "," : "(", (long long)n);
	}
	if (json_count(mods))
		buf_addch(name, ')');
	return OK;
}

int star_type_name(const struct star *s, const struct json *node, struct buf *name, struct err *e)
{
	const struct json *names = json_get(node, "names");
	const char *base = name_at(names, json_count(names) - 1), *why;
	int rc;

	if (!base || json_count(names) > 2 || json_get(node, "setof") ||
	    json_get(node, "pct_type") ||
	    (json_count(names) == 2 && strcmp(name_at(names, 0), "pg_catalog") != 0))
		return star_error(s, star_at(node), e,
				  "only PostgreSQL's own types are known here");
	buf_addz(name, base);
	if (strcmp(base, "interval") == 0 && json_get(node, "typmods"))
		return star_error(s, star_at(node), e, "an interval takes no modifier here");
	if ((rc = add_mods(s, node, name, e)) != OK)
		return rc;
	/* numeric(5) is numeric(5,0), and bpchar without a length from "char" is bpchar(1) by then
	 */
	if (json_count(json_get(node, "arrayBounds")))
		buf_addz(name, "[]");
	if ((why = pg_type_problem(buf_str(name))) != NULL)
		return star_error(s, star_at(node), e, "type %s %s", name->data, why);
	return OK;
}

/* --- CREATE TABLE --- */

static bool serial_type(struct str type, const char **base)
{
	static const struct { const char *serial, *base; } known[] = {
		{ "serial", "int4" }, { "serial4", "int4" }, { "bigserial", "int8" },
		{ "serial8", "int8" }, { "smallserial", "int2" }, { "serial2", "int2" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_eqz(type, known[i].serial)) {
			*base = known[i].base;
			return true;
		}
	return false;
}

static size_t column_of(const struct wire_table *t, const char *name)
{
	return wire_column_index(t, str_of(name));
}

static int unknown_column(const struct star *s, size_t at, const char *name, struct err *e)
{
	return star_error(s, at, e, "column \"%s\" does not exist", name);
}

static int set_primary_key(const struct star *s, struct wire_table *t, const char *const *names,
			   size_t count, size_t at, struct err *e)
{
	if (t->key)
		return star_error(s, at, e, "a second PRIMARY KEY");
	t->key = xcalloc(count, sizeof(*t->key));
	for (size_t i = 0; i < count; i++) {
		size_t c = column_of(t, names[i]);

		if (c == t->column_count)
			return unknown_column(s, at, names[i], e);
		t->columns[c].notnull = true;
		t->key[t->key_count++] = c;
	}
	return OK;
}

static struct star_table *find_table(const struct star *s, const char *name)
{
	for (size_t i = 0; i < s->table_count; i++)
		if (strcmp(s->tables[i].wire->name, name) == 0)
			return &s->tables[i];
	return NULL;
}

static const struct star_file *find_file(const struct star *s, const char *name)
{
	for (size_t i = 0; i < s->file_count; i++)
		if (strcmp(s->files[i].name, name) == 0)
			return &s->files[i];
	return NULL;
}

/* NULL where the name has more to it. */
static const char *relation_name(const struct star *s, const struct json *rel, struct err *e)
{
	if (json_get(rel, "schemaname")) {
		star_error(s, star_at(rel), e, "a star's tables have no schema");
		err_hint(e, USAGE, "Leave it out here and load with 'pg-load --schema %s'.",
			 json_string(json_get(rel, "schemaname")));
		return NULL;
	}
	return json_string(json_get(rel, "relname"));
}

/* REFERENCES without columns means the parent's primary key, which PostgreSQL too wants to have
 * been created before. */
static int add_foreign(const struct star *s, struct wire_table *t, const struct json *c,
		       const char *const *names, size_t count, size_t at, struct err *e)
{
	const struct json *pk = json_get(c, "pk_attrs");
	const char *parent = relation_name(s, json_get(c, "pktable"), e);
	const struct star_table *p;
	const struct wire_table *w;
	struct wire_foreign *f;

	if (!parent)
		return USAGE;
	p = strcmp(parent, t->name) == 0 ? NULL : find_table(s, parent);
	w = p ? p->wire : t;
	if (!p && strcmp(parent, t->name) != 0) {
		star_error(s, at, e, "table \"%s\" does not exist", parent);
		return err_hint(e, USAGE, "Create a table before the tables that refer to it.");
	}
	if ((json_count(pk) ? json_count(pk) : w->key_count) != count)
		return star_error(s, at, e,
				  "the foreign key needs as many columns as it refers to");
	t->foreign = xrealloc(t->foreign, (t->foreign_count + 1) * sizeof(*t->foreign));
	f = &t->foreign[t->foreign_count++];
	*f = (struct wire_foreign){ .table = xstrdup(parent), .count = count };
	f->columns = xcalloc(count, sizeof(char *));
	f->parent_columns = xcalloc(count, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		const char *to = json_count(pk) ? name_at(pk, i) : w->columns[w->key[i]].name;

		f->columns[i] = xstrdup(names[i]);
		f->parent_columns[i] = xstrdup(to);
		if (column_of(w, to) == w->column_count)
			return unknown_column(s, at, to, e);
		if (column_of(t, names[i]) == t->column_count)
			return unknown_column(s, at, names[i], e);
	}
	return OK;
}

/* A constraint of a column (own is its name) or of the table (own is NULL). */
static int read_constraint(const struct star *s, struct wire_table *t, const struct json *c,
			   const char *own, struct err *e)
{
	const char *type = json_string(json_get(c, "contype"));
	const struct json *list =
		json_get(c, strcmp(type, "CONSTR_FOREIGN") == 0 ? "fk_attrs" : "keys");
	size_t count = own ? 1 : json_count(list), at = star_at(c);
	const char **names = xcalloc(count + 1, sizeof(*names));
	int rc = OK;

	names[0] = own;
	for (size_t i = 0; i < count && !own; i++)
		names[i] = name_at(list, i);
	if (strcmp(type, "CONSTR_NOTNULL") == 0) {
		t->columns[column_of(t, own)].notnull = true;
	} else if (strcmp(type, "CONSTR_PRIMARY") == 0 && count) {
		rc = set_primary_key(s, t, names, count, at, e);
	} else if (strcmp(type, "CONSTR_FOREIGN") == 0) {
		rc = add_foreign(s, t, c, names, count, at, e);
	} else if (strcmp(type, "CONSTR_IDENTITY") == 0) {
		t->columns[column_of(t, own)].generated = xstrdup("identity");
		t->columns[column_of(t, own)].notnull = true;
	} else if (strcmp(type, "CONSTR_NULL") != 0) {
		star_error(s, at, e, "a table of a star has no such constraint");
		err_hint(e, USAGE,
			 "Use NOT NULL, PRIMARY KEY, REFERENCES and GENERATED BY DEFAULT AS "
			 "IDENTITY.");
		rc = USAGE;
	}
	free(names);
	return rc;
}

static int read_column(const struct star *s, struct wire_table *t, const struct json *def,
		       struct err *e)
{
	const char *name = json_string(json_get(def, "colname")), *base;
	struct buf type = { 0 };
	struct wire_column *c;
	bool serial;
	int rc;

	if (column_of(t, name) < t->column_count)
		return star_error(s, star_at(def), e, "column \"%s\" is there twice", name);
	if ((rc = star_type_name(s, json_get(def, "typeName"), &type, e)) != OK) {
		buf_release(&type);
		return rc;
	}
	serial = serial_type(buf_str(&type), &base);
	t->columns = xrealloc(t->columns, (t->column_count + 1) * sizeof(*t->columns));
	c = &t->columns[t->column_count++];
	*c = (struct wire_column){ .name = xstrdup(name), .notnull = serial };
	c->type_name = xstrdup(serial ? base : type.data);
	c->generated = serial ? xstrdup("serial") : NULL;
	buf_release(&type);
	return OK;
}

/* at: where the table's name stands. */
static int read_columns(const struct star *s, struct wire_table *t, const struct json *elements,
			size_t at, struct err *e)
{
	const struct json *def, *constraints;
	int rc = OK;

	for (size_t i = 0; i < json_count(elements) && rc == OK; i++) {
		def = json_get(json_at(elements, i), "ColumnDef");
		if (def)
			rc = read_column(s, t, def, e);
		else if (!json_get(json_at(elements, i), "Constraint"))
			rc = star_error(s, at, e,
					"CREATE TABLE takes columns and constraints only");
	}
	for (size_t i = 0; i < json_count(elements) && rc == OK; i++) {
		def = json_get(json_at(elements, i), "ColumnDef");
		constraints = json_get(def, "constraints");
		for (size_t k = 0; k < json_count(constraints) && rc == OK; k++)
			rc = read_constraint(s, t, json_get(json_at(constraints, k), "Constraint"),
					     json_string(json_get(def, "colname")), e);
		if (!def)
			rc = read_constraint(s, t, json_get(json_at(elements, i), "Constraint"),
					     NULL, e);
	}
	return rc;
}

static bool is_temporary(const struct json *rel)
{
	const char *persistence = json_string(json_get(rel, "relpersistence"));

	return persistence && *persistence == 't';
}

static int create_table(struct star *s, const struct json *stmt, struct str sql, struct err *e)
{
	const struct json *rel = json_get(stmt, "relation");
	const char *name = relation_name(s, rel, e);
	struct wire_table *t;
	int rc;

	if (!name)
		return USAGE;
	if (find_table(s, name) || find_file(s, name))
		return star_error(s, star_at(rel), e, "table \"%s\" is created twice", name);
	if (json_get(stmt, "inhRelations") || json_get(stmt, "partspec") ||
	    json_get(stmt, "partbound"))
		return star_error(s, star_at(rel), e,
				  "a star's table neither inherits nor is partitioned");
	if (json_get(stmt, "ofTypename"))
		return star_error(s, star_at(rel), e, "a star's table has columns of its own");
	if (is_temporary(rel))
		return star_error(s, star_at(rel), e, "a star's table is not temporary");
	t = xcalloc(1, sizeof(*t));
	t->name = xstrdup(name);
	s->tables[s->table_count++] = (struct star_table){ t, sql, star_at(rel) };
	if ((rc = read_columns(s, t, json_get(stmt, "tableElts"), star_at(rel), e)) != OK)
		return rc;
	for (size_t i = 0; i < t->column_count; i++)
		if (t->columns[i].generated && !(t->key_count == 1 && t->key[0] == i)) {
			star_error(s, star_at(rel), e,
				   "column \"%s\" is generated but not the PRIMARY KEY",
				   t->columns[i].name);
			return err_hint(e, USAGE, "A fact's surrogate key is its PRIMARY KEY.");
		}
	if (t->key_count) {
		bool fact = t->columns[t->key[0]].generated != NULL;

		t->load = xstrdup(fact ? "history" : "upsert");
		if (fact)
			t->key_count = 0;
	}
	wire_table_finish(t);
	return OK;
}

/* --- CREATE FOREIGN TABLE: file_fdw's own syntax --- */

static bool has_generated(const struct wire_table *t)
{
	for (size_t i = 0; i < t->column_count; i++)
		if (t->columns[i].generated)
			return true;
	return false;
}

/* A relative path is looked for beside the star file, so that both can move together. */
static char *beside(const char *star_path, const char *path)
{
	const char *slash = strrchr(star_path, '/');
	struct buf b = { 0 };

	if (*path != '/' && slash)
		buf_add(&b, star_path, (size_t)(slash - star_path) + 1);
	buf_addz(&b, path);
	return b.data;
}

static int read_file_options(const struct star *s, struct star_file *f, const struct json *options,
			     size_t at, struct err *e)
{
	f->delimiter = ',';
	for (size_t i = 0; i < json_count(options); i++) {
		const struct json *o = json_get(json_at(options, i), "DefElem");
		const char *name = json_string(json_get(o, "defname"));
		const char *value =
			json_string(json_get(json_get(json_get(o, "arg"), "String"), "sval"));

		if (!value) {
			return star_error(s, star_at(o), e, "option %s needs a text", name);
		} else if (strcmp(name, "filename") == 0) {
			f->path = beside(s->path, value);
		} else if (strcmp(name, "header") == 0) {
			f->header = strcmp(value, "true") == 0 || strcmp(value, "on") == 0;
		} else if (strcmp(name, "delimiter") == 0 && value[0] && !value[1]) {
			f->delimiter = value[0];
		} else if (strcmp(name, "format") != 0 || strcmp(value, "csv") != 0) {
			star_error(s, star_at(o), e, "a reference file cannot have %s '%s'", name,
				   value);
			return err_hint(e, USAGE,
					"Use filename, format 'csv', header and delimiter.");
		}
	}
	return f->path ? OK :
			 star_error(s, at, e, "a reference file needs OPTIONS (filename '...')");
}

static int create_file(struct star *s, const struct json *stmt, struct err *e)
{
	const struct json *base = json_get(stmt, "base"), *rel = json_get(base, "relation");
	const char *name = relation_name(s, rel, e);
	struct wire_table *t;
	struct star_file *f;
	int rc;

	if (!name)
		return USAGE;
	if (find_table(s, name) || find_file(s, name))
		return star_error(s, star_at(rel), e, "table \"%s\" is created twice", name);
	s->files = xrealloc(s->files, (s->file_count + 1) * sizeof(*s->files));
	f = &s->files[s->file_count++];
	*f = (struct star_file){ .name = xstrdup(name) };
	t = xcalloc(1, sizeof(*t));
	t->name = xstrdup(name);
	rc = read_columns(s, t, json_get(base, "tableElts"), star_at(rel), e);
	if (rc == OK && (t->key || t->foreign || has_generated(t)))
		rc = star_error(s, star_at(rel), e,
				"a reference file has no keys and nothing that is generated");
	if (rc == OK && (json_get(base, "inhRelations") || json_get(base, "partbound")))
		rc = star_error(s, star_at(rel), e,
				"a reference file neither inherits nor is a partition");
	f->columns = t->columns;
	f->column_count = t->column_count;
	t->columns = NULL;
	t->column_count = 0;
	wire_table_free(t);
	for (size_t i = 0; i < f->column_count; i++)
		f->columns[i].type = pg_type_parse(str_of(f->columns[i].type_name));
	return rc != OK ? rc : read_file_options(s, f, json_get(stmt, "options"), star_at(rel), e);
}

/* --- INSERT --- */

/* Without a list of columns, the SELECT fills them in order, a generated one left out. */
static int insert_columns(const struct star *s, struct star_insert *in, const struct json *cols,
			  struct err *e)
{
	const struct wire_table *t = in->into->wire;

	in->columns = xcalloc(t->column_count + json_count(cols), sizeof(*in->columns));
	for (size_t i = 0; i < t->column_count && !json_count(cols); i++)
		if (!t->columns[i].generated)
			in->columns[in->column_count++] = i;
	for (size_t i = 0; i < json_count(cols); i++) {
		const struct json *target = json_get(json_at(cols, i), "ResTarget");
		const char *name = json_string(json_get(target, "name"));
		size_t c = column_of(t, name);

		if (c == t->column_count)
			return unknown_column(s, star_at(target), name, e);
		if (json_get(target, "indirection"))
			return star_error(s, star_at(target), e,
					  "a part of a column cannot be filled");
		if (t->columns[c].generated)
			return star_error(s, star_at(target), e,
					  "column \"%s\" is the warehouse's to fill in", name);
		for (size_t k = 0; k < in->column_count; k++)
			if (in->columns[k] == c)
				return star_error(s, star_at(target), e,
						  "column \"%s\" is there twice", name);
		in->columns[in->column_count++] = c;
	}
	return OK;
}

/* OVERRIDING SYSTEM VALUE and its like. */
static bool overrides(const struct json *insert)
{
	const char *how = json_string(json_get(insert, "override"));

	return how && strcmp(how, "OVERRIDING_NOT_SET") != 0;
}

static int read_insert(struct star *s, const struct json *stmt, struct err *e)
{
	const struct json *rel = json_get(stmt, "relation");
	const char *name = relation_name(s, rel, e);
	struct star_insert *in;
	struct star_table *into;
	int rc;

	if (!name)
		return USAGE;
	into = find_table(s, name);
	if (!into) {
		star_error(s, star_at(rel), e, "table \"%s\" does not exist", name);
		return err_hint(e, USAGE, "Write its CREATE TABLE before the INSERT.");
	}
	if (json_get(stmt, "onConflictClause") || json_get(stmt, "returningList") ||
	    json_get(stmt, "withClause") || overrides(stmt))
		return star_error(s, star_at(rel), e, "INSERT takes a SELECT and nothing else");
	s->inserts = xrealloc(s->inserts, (s->insert_count + 1) * sizeof(*s->inserts));
	in = &s->inserts[s->insert_count++];
	*in = (struct star_insert){ .into = into,
				    .at = star_at(rel),
				    .select =
					    json_get(json_get(stmt, "selectStmt"), "SelectStmt") };
	if (!in->select)
		return star_error(s, star_at(rel), e, "INSERT needs a SELECT or VALUES");
	rc = insert_columns(s, in, json_get(stmt, "cols"), e);
	if (rc == OK && in->column_count == 0)
		rc = star_error(s, star_at(rel), e, "table \"%s\" has no column to fill", name);
	return rc;
}

/* --- the file --- */

static int read_statement(struct star *s, const struct json *raw, struct err *e)
{
	const char *kind = NULL;
	int64_t at = 0, len = 0;
	const struct json *stmt = json_member(json_get(raw, "stmt"), 0, &kind);
	struct str sql;

	json_int(json_get(raw, "stmt_location"), &at);
	json_int(json_get(raw, "stmt_len"), &len);
	sql = (struct str){ s->text.data + at, len ? (size_t)len : s->text.len - (size_t)at };
	while (sql.len && strchr(" \t\r\n", *sql.data)) {
		sql.data++;
		sql.len--;
	}
	if (!kind)
		kind = "";
	if (strcmp(kind, "CreateStmt") == 0)
		return create_table(s, stmt, sql, e);
	if (strcmp(kind, "CreateForeignTableStmt") == 0)
		return create_file(s, stmt, e);
	if (strcmp(kind, "InsertStmt") == 0)
		return read_insert(s, stmt, e);
	/* what PostgreSQL needs to run the file, and comments for its catalog, mean nothing here */
	if (strcmp(kind, "CreateExtensionStmt") == 0 ||
	    strcmp(kind, "CreateForeignServerStmt") == 0 || strcmp(kind, "CommentStmt") == 0)
		return OK;
	star_error(s, (size_t)(sql.data - s->text.data), e, "a star file has no such statement");
	return err_hint(e, USAGE,
			"Use CREATE TABLE, CREATE FOREIGN TABLE and INSERT INTO ... SELECT.");
}

/* The tree is gone through by recursion. A node's place stands behind what is in it: the next one
 * in the text is that of the node too deep, or of one in it. */
static int check_depth(const struct star *s, const char *tree, struct err *e)
{
	const char *at;
	size_t depth = 0;

	for (const char *p = tree; *p && depth <= MAX_DEPTH; p++) {
		if (*p == '"')
			for (p++; *p && *p != '"'; p++)
				p += *p == '\\' && p[1];
		else if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		tree = p;
	}
	if (depth <= MAX_DEPTH)
		return OK;
	at = strstr(tree, "\"location\":");
	star_error(s, at ? strtoul(at + strlen("\"location\":"), NULL, 10) : 0, e,
		   "this is nested too deeply, or a chain too long");
	return err_hint(e, USAGE,
			"Write IN (...) or concat(...) for a chain of operators, VALUES or a "
			"reference file for one of UNION ALL.");
}

struct parsing {
	const char *text;
	PgQueryParseResult result;
};

static void *parse_text(void *arg)
{
	struct parsing *p = arg;

	p->result = pg_query_parse(p->text);
	return NULL;
}

/* libpg_query writes its tree by recursion and does not look at its stack, so that it gets one
 * which no text of this length can exhaust. */
static int parse_on_stack(struct parsing *p, size_t len, struct err *e)
{
	size_t size = ((size_t)16 << 20) + len * STACK_PER_BYTE;
	void *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (stack == MAP_FAILED)
		return err_errno(e, "could not get memory to parse the star file");
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, size);
	rc = pthread_create(&thread, &attr, parse_text, p);
	if (rc == 0)
		pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	munmap(stack, size);
	return rc == 0 ? OK : err_set(e, FAILED, "could not start a thread: %s", strerror(rc));
}

static int parse(struct star *s, struct err *e)
{
	struct parsing p = { .text = s->text.data };
	const struct json *stmts;
	int rc = parse_on_stack(&p, s->text.len, e);

	if (rc != OK)
		return rc;
	if (p.result.error)
		rc = star_error(s,
				p.result.error->cursorpos > 0 ?
					(size_t)p.result.error->cursorpos - 1 : 0,
				e, "%s", p.result.error->message);
	else if ((rc = check_depth(s, p.result.parse_tree, e)) == OK)
		rc = json_parse_within(str_of(p.result.parse_tree), SIZE_MAX, MAX_DEPTH,
				       &s->doc, e);
	pg_query_free_parse_result(p.result);
	stmts = json_get(s->doc, "stmts");
	/* an array that never moves: inserts point into it */
	s->tables = xcalloc(json_count(stmts), sizeof(*s->tables));
	for (size_t i = 0; i < json_count(stmts) && rc == OK; i++)
		rc = read_statement(s, json_at(stmts, i), e);
	return rc;
}

int star_read(struct star *s, const char *path, struct err *e)
{
	int rc;

	*s = (struct star){ .path = xstrdup(path) };
	if ((rc = file_read(path, MAX_TEXT, &s->text, e)) != OK)
		return rc;
	if (strlen(s->text.data) != s->text.len || str_bad_utf8(buf_str(&s->text)) < s->text.len)
		return err_set(e, USAGE, "%s: not a text in UTF-8", path);
	if ((rc = parse(s, e)) != OK)
		return rc;
	return s->insert_count ? OK :
				 err_set(e, USAGE, "%s: no INSERT INTO ... SELECT in it", path);
}

void star_release(struct star *s)
{
	for (size_t i = 0; i < s->table_count; i++)
		wire_table_free(s->tables[i].wire);
	for (size_t i = 0; i < s->insert_count; i++)
		free(s->inserts[i].columns);
	for (size_t i = 0; i < s->file_count; i++) {
		struct star_file *f = &s->files[i];

		for (size_t c = 0; c < f->column_count; c++) {
			free(f->columns[c].name);
			free(f->columns[c].type_name);
			free(f->columns[c].generated);
		}
		free(f->columns);
		free(f->name);
		free(f->path);
	}
	free(s->tables);
	free(s->inserts);
	free(s->files);
	json_free(s->doc);
	buf_release(&s->text);
	free(s->path);
	*s = (struct star){ 0 };
}
