/* pgio - PostgreSQL connections */
#include "pgio.h"

#include "log.h"
#include "pgtype.h"

/* What makes a value's text exact and independent of the server's configuration. */
static const char session_sql[] =
	"SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; "
	"SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex'; "
	"SET lc_monetary = 'C'; SET xmloption = 'content'; SET search_path = 'pg_catalog'; "
	"SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
	"SET standard_conforming_strings = on; SET array_nulls = on";

static void on_notice(void *arg, const PGresult *res)
{
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	(void)arg;
	if (severity && strcmp(severity, "WARNING") == 0)
		log_warning("%s", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
}

static bool mentions(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

/* libpq quotes a connection string that it cannot make out: user:password@ becomes user:***@. */
static void hide_password(char *msg)
{
	char *start = strstr(msg, "//"), *at = start ? strchr(start, '@') : NULL;
	char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;

	if (colon && at - colon > 3) {
		memcpy(colon + 1, "***", 3);
		memmove(colon + 4, at, strlen(at) + 1);
	}
}

/* Before a session stands, libpq gives no SQLSTATE; PQping says what kind of failure it was. */
static int connect_failed(PGconn *conn, const char *const *keys, const char *const *values,
			  struct err *e)
{
	const char *why = PQerrorMessage(conn);
	int rc;

	switch (PQpingParams(keys, values, 1)) {
	case PQPING_NO_ATTEMPT:
		rc = USAGE;
		break;
	case PQPING_REJECT:
	case PQPING_NO_RESPONSE:
		rc = TRY_LATER;
		break;
	default: /* a server is there and does not want us */
		if (mentions(why, "too many") || mentions(why, "connection slots") ||
		    mentions(why, "max_wal_senders"))
			rc = TRY_LATER;
		else if (mentions(why, "database") && mentions(why, "does not exist"))
			rc = FAILED;
		else
			rc = NOT_PERMITTED;
	}
	err_set(e, rc, "could not connect to PostgreSQL: %s", why);
	hide_password(e->msg);
	if (rc == TRY_LATER)
		err_hint(e, rc,
			 "Is the server there? Try 'pg_isready' with the same connection string.");
	else if (PQconnectionNeedsPassword(conn))
		err_hint(e, rc, "Put the password into ~/.pgpass or PGPASSWORD.");
	return rc;
}

static int connect_as(const char *conninfo, const char *replication, PGconn **conn, struct err *e)
{
	const char *keys[] = { "dbname", "fallback_application_name", "replication", NULL };
	const char *values[] = { conninfo, log_tool(), replication, NULL };
	int rc;

	*conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(*conn) == CONNECTION_OK) {
		const char *encoding = PQparameterStatus(*conn, "server_encoding");

		PQsetNoticeReceiver(*conn, on_notice, NULL);
		rc = pgio_exec(*conn, session_sql, NULL, e);
		/* which bytes such a database holds only its reader can find out, row by row */
		if (rc == OK && encoding && strcmp(encoding, "SQL_ASCII") == 0)
			PQsetClientEncoding(*conn, encoding);
	} else {
		rc = connect_failed(*conn, keys, values, e);
	}
	if (rc != OK) {
		PQfinish(*conn);
		*conn = NULL;
	}
	return rc;
}

int pgio_connect(const char *conninfo, PGconn **conn, struct err *e)
{
	return connect_as(conninfo, NULL, conn, e);
}

int pgio_connect_replication(const char *conninfo, PGconn **conn, struct err *e)
{
	return connect_as(conninfo, "database", conn, e);
}

static int kind_of(PGconn *conn, const char *state)
{
	if (PQstatus(conn) != CONNECTION_OK || !state)
		return PQstatus(conn) != CONNECTION_OK ? TRY_LATER : FAILED;
	if (strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
	    strncmp(state, "40", 2) == 0 || strncmp(state, "53", 2) == 0 ||
	    strcmp(state, "55P03") == 0)
		return TRY_LATER;
	if (strncmp(state, "28", 2) == 0 || strcmp(state, "42501") == 0)
		return NOT_PERMITTED;
	if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0)
		return BAD_DATA;
	return FAILED;
}

int pgio_failed(PGconn *conn, const PGresult *res, struct err *e, const char *what)
{
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);
	int kind = kind_of(conn, PQresultErrorField(res, PG_DIAG_SQLSTATE));

	return err_set(e, kind, "could not %s: %s%s%s%s%s%s", what,
		       primary ? primary : PQerrorMessage(conn), detail ? " (" : "",
		       detail ? detail : "", detail ? ")" : "", context ? "; " : "",
		       context ? context : "");
}

static int finish_query(PGconn *conn, PGresult *got, PGresult **res, struct err *e)
{
	ExecStatusType status = PQresultStatus(got);
	int rc = OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		rc = pgio_failed(conn, got, e, "run a query");
	if (rc == OK && res)
		*res = got;
	else
		PQclear(got);
	return rc;
}

int pgio_exec(PGconn *conn, const char *sql, PGresult **res, struct err *e)
{
	return finish_query(conn, PQexec(conn, sql), res, e);
}

int pgio_query(PGconn *conn, const char *sql, int count, const char *const *params, PGresult **res,
	       struct err *e)
{
	return finish_query(conn, PQexecParams(conn, sql, count, NULL, params, NULL, NULL, 0), res,
			    e);
}

int pgio_table_exists(PGconn *conn, const char *schema, const char *table, bool *there,
		      struct err *e)
{
	struct buf name = { 0 };
	const char *params[1];
	PGresult *res = NULL;
	int rc;

	pg_add_qualified(&name, schema, table);
	params[0] = name.data;
	rc = pgio_query(conn, "SELECT to_regclass($1) IS NOT NULL", 1, params, &res, e);
	*there = rc == OK && PQgetvalue(res, 0, 0)[0] == 't';
	PQclear(res);
	buf_release(&name);
	return rc;
}
