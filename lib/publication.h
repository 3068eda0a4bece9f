/* publication.h - what a publication of PostgreSQL publishes of one schema: relations and tables.
 *
 * A relation is what the log names; a table is what the wire announces. They differ where a table
 * has partitions: each is a relation of its own, all are of the table that is their root (unless
 * the publication publishes by the root). A table is announced with the columns that all its
 * relations publish, without generated ones, and with the key by which the log tells a row that is
 * gone. */
#ifndef STARPIPE_PUBLICATION_H
#define STARPIPE_PUBLICATION_H

#include "catalog.h"
#include "json.h"
#include "pgio.h"

struct published {
	uint32_t oid;
	char *name;               /* schema and name as SQL writes them */
	char *filter;             /* SQL that a published row meets, or NULL */
	bool partitioned;         /* published by the root: its rows are its partitions' */
	struct wire_table *table; /* the catalog's */
	struct json *columns;     /* arrays of names: what is published, */
	struct json *identity;    /* and by what the log names a row that is gone; empty for */
	bool identity_full;       /* REPLICA IDENTITY FULL: by all columns */
};

struct publication {
	const char *name;            /* borrowed */
	struct published *relations; /* by oid */
	size_t count;
};

/* FAILED, with what to type as hint, where there is no such publication. */
int publication_check(PGconn *conn, const char *name, struct err *e);

/* Read it and, into c, its tables: the named ones, or with count 0 all whose name does not start
 * with _, without those in except. A named one that is not published is FAILED, and so is a table
 * without a key. What c has is announced in mode full. */
int publication_read(PGconn *conn, const char *name, const char *schema, const char *const *tables,
		     size_t count, const char *const *except, size_t except_count,
		     struct catalog *c, struct publication *p, struct err *e);

/* The relation of that oid, or NULL. */
struct published *publication_find(const struct publication *p, uint32_t oid);

/* Append what stands behind FROM to read the relation's own rows. */
void publication_add_from(struct buf *sql, const struct published *r);

/* Append the SELECT of a relation's published rows, with its table's columns. */
void publication_add_select(struct buf *sql, const struct published *r);

void publication_release(struct publication *p);

#endif
