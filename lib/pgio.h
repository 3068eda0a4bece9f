/* pgio.h - PostgreSQL connections; with pgio.c the only place that includes libpq-fe.h.
 *
 * Connection strings, PG* variables, service and password files work as in psql: libpq reads
 * them. Failures carry the suite's kinds: the server cannot be reached, is starting, shutting
 * down or out of connections: TRY_LATER; refused credentials or privileges: NOT_PERMITTED;
 * a broken connection: TRY_LATER; a serialization failure or deadlock, or an object that another
 * session has just created: TRY_LATER; data that a type or constraint refuses (SQLSTATE 22, 23):
 * BAD_DATA; anything else: FAILED. Messages never hold a password. */
#ifndef STARPIPE_PGIO_H
#define STARPIPE_PGIO_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "buf.h"
#include "err.h"

/* conninfo may be NULL: the environment decides. The session is set to what exact text needs:
 * UTF8, ISO dates, UTC, shortest exact floats, hex bytea, C money, search_path pg_catalog only; and
 * to no time limits but lock_timeout.
 * Finish with PQfinish, which takes NULL. Server notices are dropped, warnings go to log. */
int pgio_connect(const char *conninfo, PGconn **conn, struct err *e);

/* The same, to a server process that also takes replication's commands (pgio_exec); it takes no
 * parameters. */
int pgio_connect_replication(const char *conninfo, PGconn **conn, struct err *e);

/* Run a statement that must succeed. With res NULL its result is dropped, else PQclear it. */
int pgio_exec(PGconn *conn, const char *sql, PGresult **res, struct err *e);

/* The same with text parameters $1.. */
int pgio_query(PGconn *conn, const char *sql, int count, const char *const *params, PGresult **res,
	       struct err *e);

/* e from a failed result (or the connection's state), "could not <what>: reason", with the server's
 * hint, if it has one. Clears nothing. */
int pgio_failed(PGconn *conn, const PGresult *res, struct err *e, const char *what);

/* Is there a table, view or the like of that name? */
int pgio_table_exists(PGconn *conn, const char *schema, const char *table, bool *there,
		      struct err *e);

#endif
