/* pgio - PostgreSQL connections */
#include "pgio.h"

#include "log.h"
#include "pgtype.h"

/* What makes a value's text exact and independent of the server's configuration; and nobody is sent
 * away for taking long: a run is as slow as the other end of its pipe. */
static const char session_sql[] =
	"SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; "
	"SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex'; "
	"SET lc_monetary = 'C'; SET xmloption = 'content'; SET search_path = 'pg_catalog'; "
	"SET standard_conforming_strings = on; SET array_nulls = on; "
	"SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout',"
	" 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',"
	" 'wal_sender_timeout')";

static void on_notice(void *arg, const PGresult *res)
{
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	(void)arg;
	if (severity && strcmp(severity, "WARNING") == 0)
		log_warning("%s", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
}

/* The kind of failure that an SQLSTATE stands for. */
static int kind_of(const char *state)
{
	static const struct {
		const char *prefix;
		int kind;
	} kinds[] = {
		{ "08", TRY_LATER },        /* connection exception */
		{ "57P", TRY_LATER },       /* the server is starting or stopping */
		{ "40", TRY_LATER },        /* serialization failure, deadlock */
		{ "53", TRY_LATER },        /* too many connections, disk full */
		{ "55P03", TRY_LATER },     /* lock not available */
		{ "28", NOT_PERMITTED },    /* invalid authorization */
		{ "42501", NOT_PERMITTED }, /* insufficient privilege */
		{ "22", BAD_DATA },         /* data exception */
		{ "23", BAD_DATA },         /* integrity constraint violation */
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(state, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	return FAILED;
}

/* libpq quotes a connection string that it cannot make out: user:password@ becomes user@. */
static void hide_password(char *msg)
{
	char *start = strstr(msg, "//"), *at = start ? strrchr(start, '@') : NULL;
	char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;

	if (colon)
		memmove(colon, at, strlen(at) + 1);
}

/* A server is there that did not want us. Before a session stands, libpq tells an SQLSTATE only as
 * the last word of a message, if asked to, so it takes a second attempt; which may succeed, if the
 * server has just started. */
static int connect_again(PGconn *conn)
{
	const char *state;
	int kind;

	PQsetErrorVerbosity(conn, PQERRORS_SQLSTATE);
	PQreset(conn);
	PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	if (PQstatus(conn) == CONNECTION_OK)
		return OK;
	state = strrchr(PQerrorMessage(conn), ' ');
	if (!state || strspn(state + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5)
		return NOT_PERMITTED; /* libpq itself could not do what the server asked for */
	kind = kind_of(state + 1);
	return kind == BAD_DATA ? FAILED : kind; /* options are no data */
}

static int connect_failed(PGconn *conn, const char *const *keys, const char *const *values,
			  struct err *e)
{
	PGPing there = PQpingParams(keys, values, 1);
	int rc = there == PQPING_NO_ATTEMPT ? USAGE : TRY_LATER;
	struct err first;

	err_set(&first, rc, "could not connect to PostgreSQL: %s", PQerrorMessage(conn));
	hide_password(first.msg);
	if (there == PQPING_OK && (rc = connect_again(conn)) == OK)
		return OK;
	*e = first;
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
	int rc = OK;

	*conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(*conn) != CONNECTION_OK)
		rc = connect_failed(*conn, keys, values, e);
	if (rc == OK) {
		const char *encoding = PQparameterStatus(*conn, "server_encoding");

		PQsetNoticeReceiver(*conn, on_notice, NULL);
		rc = pgio_exec(*conn, session_sql, NULL, e);
		/* which bytes such a database holds only its reader can find out, row by row */
		if (rc == OK && encoding && strcmp(encoding, "SQL_ASCII") == 0)
			PQsetClientEncoding(*conn, encoding);
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

/* Of two sessions that create the same at once, one finds it there: said by a check, or by an index
 * of the catalog. */
static bool is_late(const PGresult *res, const char *state)
{
	const char *schema = PQresultErrorField(res, PG_DIAG_SCHEMA_NAME);

	if (!state)
		return false;
	return strcmp(state, "42P06") == 0 || strcmp(state, "42P07") == 0 ||
	       (strcmp(state, "23505") == 0 && schema && strcmp(schema, "pg_catalog") == 0);
}

int pgio_failed(PGconn *conn, const PGresult *res, struct err *e, const char *what)
{
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);
	const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	int kind = PQstatus(conn) != CONNECTION_OK ? TRY_LATER : state ? kind_of(state) : FAILED;
	bool late = is_late(res, state);

	if (late)
		kind = TRY_LATER;
	err_set(e, kind, "could not %s: %s%s%s%s%s%s", what,
		       primary ? primary : PQerrorMessage(conn), detail ? " (" : "",
		       detail ? detail : "", detail ? ")" : "", context ? "; " : "",
		       context ? context : "");
	if (late)
		err_hint(e, kind, "Another session has just created the same: run again.");
	else if (hint)
		err_hint(e, kind, "%s", hint);
	return kind;
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
