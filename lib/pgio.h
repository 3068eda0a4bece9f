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
 * to no time limits but lock_timeout. A conninfo that cannot be made out is USAGE.
 * FAILED behind a pooler that keeps no sessions: settings, locks and temporary tables would be
 * somebody else's after a transaction. Finish with PQfinish, which takes NULL. Server notices are
 * dropped, warnings go to log. */
int pgio_connect(const char *conninfo, PGconn **conn, struct err *e);

/* The same, to a server process that also takes replication's commands, by pgio_simple only. */
int pgio_connect_replication(const char *conninfo, PGconn **conn, struct err *e);

/* The same without any of the settings, and behind any pooler: what is exact is said between
 * pgio_begin and the transaction's end, and only there. The session is left as it was found. */
int pgio_connect_unset(const char *conninfo, PGconn **conn, struct err *e);

/* Begin a transaction by constant text and, unless that is NULL, by one statement more which must
 * come before any query; and give it the settings of pgio_connect. */
int pgio_begin(PGconn *conn, const char *begin, const char *first, struct err *e);

/* Run a statement that must succeed. With res NULL its result is dropped, else PQclear it. Of
 * several statements in sql none is run: what a name or type from outside adds is never a second
 * one. */
int pgio_exec(PGconn *conn, const char *sql, PGresult **res, struct err *e);

/* The same for text that is constant, which may be several statements; and for the commands of
 * replication, whose connections know no other protocol. */
int pgio_simple(PGconn *conn, const char *sql, PGresult **res, struct err *e);

/* One statement for a caller who looks at the result itself, a COPY also. */
PGresult *pgio_one(PGconn *conn, const char *sql);

/* The same with text parameters $1.. */
int pgio_query(PGconn *conn, const char *sql, int count, const char *const *params, PGresult **res,
	       struct err *e);

/* A field of a result; "" for NULL and, whatever a server has sent, for one that is not there. */
static inline const char *pgio_value(const PGresult *res, int row, int column)
{
	return row < PQntuples(res) && column < PQnfields(res) ? PQgetvalue(res, row, column) : "";
}

/* e from a failed result (or the connection's state), "could not <what>: reason", with the server's
 * hint, if it has one. Clears nothing. */
int pgio_failed(PGconn *conn, const PGresult *res, struct err *e, const char *what);

/* Is there a relation of that name? NOT_PERMITTED if strangers made it, that is, anybody but this
 * session's role and those that it is a member of, the schema's owner and superusers: what they
 * have attached to it would run with our rights. */
enum pgio_trust {
	PGIO_OWN,  /* it must be a table, and not a stranger's */
	PGIO_GIVEN /* a stranger's is fine where only those may create: they have put it there */
};
int pgio_find_table(PGconn *conn, const char *schema, const char *table, enum pgio_trust trust,
		    bool *there, struct err *e);

/* Let names without a schema, which triggers of the warehouse have, be found in this schema and in
 * public, behind the server's own: but not in one where strangers may create something. */
int pgio_look_in(PGconn *conn, const char *schema, struct err *e);

#endif
