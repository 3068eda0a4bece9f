/* lineage - which source tables and columns a star is made of */
#include "lineage.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "query.h"

struct source {
	char *table;
	char **columns;
	bool *certain;
	size_t count, cap;
};

struct sources {
	struct source *items;
	size_t count, cap;
};

static size_t index_of(struct sources *l, const char *table)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i].table, table) == 0)
			return i;
	GROW(l->items, l->count, l->cap);
	l->items[l->count] = (struct source){ .table = xstrdup(table) };
	return l->count++;
}

static void note(void *arg, const char *table, const char *column, bool certain)
{
	struct sources *l = arg;
	size_t at = index_of(l, table); /* which may move the items */
	struct source *s = &l->items[at];

	for (size_t i = 0; column && i < s->count; i++)
		if (strcmp(s->columns[i], column) == 0) {
			s->certain[i] = s->certain[i] || certain;
			return;
		}
	if (!column)
		return;
	if (s->count == s->cap) {
		s->cap = s->cap * 2 + 8;
		s->columns = xrealloc(s->columns, s->cap * sizeof(*s->columns));
		s->certain = xrealloc(s->certain, s->cap * sizeof(*s->certain));
	}
	s->columns[s->count] = xstrdup(column);
	s->certain[s->count++] = certain;
}

/* The sources of one table of the star, or with NULL of all of it. */
static int find(const struct star *s, const struct star_table *into, struct sources *l,
		struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < s->insert_count && rc == OK; i++)
		if (!into || s->inserts[i].into == into)
			rc = query_sources(s, &s->inserts[i], note, l, e);
	return rc;
}

static void release(struct sources *l)
{
	for (size_t i = 0; i < l->count; i++) {
		for (size_t c = 0; c < l->items[i].count; c++)
			free(l->items[i].columns[c]);
		free(l->items[i].table);
		free(l->items[i].columns);
		free(l->items[i].certain);
	}
	free(l->items);
}

int lineage_add_tables(const struct star *s, struct buf *out, struct err *e)
{
	struct sources all = { 0 };
	int rc = find(s, NULL, &all, e);

	for (size_t i = 0; i < all.count && rc == OK; i++) {
		const struct source *t = &all.items[i];

		buf_addf(out, "%s\t", t->table);
		for (size_t c = 0; c < t->count; c++)
			buf_addf(out, "%s%s%s", c ? "," : "", t->columns[c],
				 t->certain[c] ? "" : "?");
		buf_addch(out, '\n');
	}
	release(&all);
	return rc;
}

/* A node's line; Mermaid writes characters of its own as #name; or #code; */
static void add_node(struct buf *out, char kind, size_t i, const char *name, bool doubled)
{
	buf_addf(out, "    %c%zu%s\"", kind, i, doubled ? "[[" : "[");
	for (; *name; name++)
		if (*name == '"' || *name == '#' || *name == '`')
			buf_addf(out, "#%d;", *name);
		else
			buf_addch(out, *name);
	buf_addf(out, "\"%s\n", doubled ? "]]" : "]");
}

/* The edges into table i: from its sources, and from it to its parents, each once. */
static int add_edges(const struct star *s, size_t i, struct sources *all, struct buf *out,
		     struct err *e)
{
	const struct wire_table *w = s->tables[i].wire;
	struct sources own = { 0 };
	int rc = find(s, &s->tables[i], &own, e);

	for (size_t k = 0; k < own.count && rc == OK; k++)
		buf_addf(out, "    s%zu --> t%zu\n", index_of(all, own.items[k].table), i);
	for (size_t p = 0; p < s->table_count && rc == OK; p++)
		for (size_t f = 0; f < w->foreign_count; f++)
			if (strcmp(w->foreign[f].table, s->tables[p].wire->name) == 0) {
				buf_addf(out, "    t%zu -.-> t%zu\n", i, p);
				break;
			}
	release(&own);
	return rc;
}

int lineage_add_graph(const struct star *s, struct buf *out, struct err *e)
{
	struct sources all = { 0 };
	int rc = find(s, NULL, &all, e);

	buf_addz(out, "flowchart LR\n");
	for (size_t i = 0; i < all.count; i++)
		add_node(out, 's', i, all.items[i].table, false);
	for (size_t i = 0; i < s->table_count; i++) {
		const char *load = s->tables[i].wire->load;

		add_node(out, 't', i, s->tables[i].wire->name, load && !strcmp(load, "history"));
	}
	for (size_t i = 0; i < s->table_count && rc == OK; i++)
		rc = add_edges(s, i, &all, out, e);
	release(&all);
	return rc;
}
