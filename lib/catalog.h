/* catalog.h - the tables of a PostgreSQL schema as wire tables: columns, types, keys, foreign keys.
 *
 * Types are named as starpipe-wire(5) says: by pg_type's name and modifier; a domain by what it
 * stands on; an enum, a composite or an extension's type as text, which any database can hold. */
#ifndef STARPIPE_CATALOG_H
#define STARPIPE_CATALOG_H

#include "pgio.h"
#include "wire.h"

struct catalog {
	struct wire_table **tables; /* parents before their children where the keys allow it */
	size_t count;
	double rows;                /* the server's estimate, all tables together */
};

/* The named tables of a schema, or with count 0 all ordinary and partitioned ones but those whose
 * name starts with _; the names in except are left out. A name that is not there is FAILED with a
 * hint at what is. */
int catalog_read(PGconn *conn, const char *schema, const char *const *names, size_t count,
		 const char *const *except, size_t except_count, struct catalog *c, struct err *e);

/* Is there a relation of each of these names in the schema? If not, FAILED with such a hint. */
int catalog_check_names(PGconn *conn, const char *schema, const char *const *names, size_t count,
			struct err *e);

/* For the rest of the transaction, look up names in the schema, as a person would expect who wrote
 * a query in psql. What strangers may put there is found, too: nothing but the query is to be
 * parsed then. */
int catalog_look_in(PGconn *conn, const char *schema, struct err *e);

/* One table with the columns of the result of a query, whose names are looked up in the schema. */
int catalog_of_query(PGconn *conn, const char *schema, const char *sql, const char *name,
		     struct catalog *c, struct err *e);

/* The table of that name, or NULL. */
struct wire_table *catalog_find(const struct catalog *c, const char *name);

/* Append SELECT, a table's columns and FROM. */
void catalog_add_select(struct buf *sql, const struct wire_table *t);

void catalog_release(struct catalog *c);

#endif
