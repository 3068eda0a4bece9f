/* pgio - PostgreSQL connections */
#include "pgio.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "log.h"
#include "pgtype.h"

/* What makes a value's text exact and independent of the server's configuration; and nobody is sent
 * away for taking long: a run is as slow as the other end of its pipe. Names are looked up where
 * only the server's own are: in other schemas strangers may have put a function or an operator that
 * fits better. All tables are named with their schema. A client that has vanished, with its locks,
 * is noticed after two minutes, unless somebody has said otherwise; not by tcp_user_timeout, which
 * also ends a connection whose reader is only slow. */
#define SETTINGS(set, local) \
	set "client_encoding = 'UTF8'; " set "DateStyle = 'ISO, YMD'; " \
	set "IntervalStyle = 'postgres'; " set "TimeZone = 'UTC'; " set "extra_float_digits = 3; " \
	set "bytea_output = 'hex'; " set "lc_monetary = 'C'; " set "xmloption = 'content'; " \
	set "search_path = pg_catalog, pg_temp; " set "standard_conforming_strings = on; " \
	set "array_nulls = on; " \
	"SELECT set_config(name, '0', " local ") FROM pg_settings WHERE name IN (" \
	" 'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout'," \
	" 'idle_session_timeout', 'wal_sender_timeout'); " \
	"SELECT set_config(name, value, " local ") FROM pg_settings JOIN (VALUES" \
	" ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10')," \
	" ('tcp_keepalives_count', '6')) AS v (name, value) USING (name) WHERE source = 'default'"

static const char session_sql[] = SETTINGS("SET ", "false");
static const char local_sql[] = SETTINGS("SET LOCAL ", "true");

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

static bool is_uri(const char *s)
{
	return strncmp(s, "postgresql://", 13) == 0 || strncmp(s, "postgres://", 11) == 0;
}

/* Is a piece of the string where it was not meant to be? "port=1password=x" is a port for libpq,
 * and what stands behind a second @ of a URI a host. */
static bool is_displaced(const char *conninfo, const PQconninfoOption *options)
{
	if (is_uri(conninfo)) {
		const char *p = strstr(conninfo, "//") + 2;

		p += strcspn(p, "@/");
		return *p && strchr(p + 1, '@');
	}
	for (; options->keyword; options++)
		if (options->val && options->dispchar[0] != '*' &&
		    (strstr(options->val, "password=") || strstr(options->val, "://")) &&
		    strcmp(options->keyword, "options") != 0)
			return true;
	return false;
}

/* libpq quotes what it cannot make out of a connection string, or cannot find: that may be the
 * password, or the rest of one. It is not given such strings. */
static int check_conninfo(const char *conninfo, struct err *e)
{
	PQconninfoOption *options = NULL;
	const char *text = conninfo ? conninfo : getenv("PGDATABASE");
	bool wrong;

	if (!text)
		return OK;
	if (conninfo && (is_uri(text) || strchr(text, '='))) {
		options = PQconninfoParse(text, NULL);
		wrong = !options || is_displaced(text, options);
	} else { /* the name of a database */
		const char *colon = strchr(text, ':');

		wrong = strstr(text, "://") || (colon && strchr(colon, '@'));
	}
	PQconninfoFree(options);
	if (!wrong)
		return OK;
	err_set(e, USAGE, "cannot make out %s",
		conninfo ? "the connection string" : "PGDATABASE");
	return err_hint(e, USAGE,
			"It is key=value pairs, or postgresql://user:password@host:port/database, "
			"where @ : / ? # %% of a password are %%40 %%3A %%2F %%3F %%23 %%25. Or "
			"put the password into ~/.pgpass.");
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

/* What is asked of older servers they do not understand, and nobody has tried the rest. */
static int check_version(PGconn *conn, struct err *e)
{
	enum { OLDEST_SERVER = 130000 };

	if (PQserverVersion(conn) >= OLDEST_SERVER)
		return OK;
	return err_set(e, FAILED,
		       "the server is PostgreSQL %s: PostgreSQL 13 is the oldest that works",
		       PQparameterStatus(conn, "server_version"));
}

/* A server that has vanished is noticed after two minutes of silence, or after five in which it
 * takes nothing. What the connection string or the service file says is kept; on a socket that is
 * no TCP all this means nothing. */
static void watch_network(PGconn *conn)
{
	static const struct {
		const char *keyword;
		int option, value;
	} defaults[] = {
		{ "keepalives_idle", TCP_KEEPIDLE, 60 },
		{ "keepalives_interval", TCP_KEEPINTVL, 10 },
		{ "keepalives_count", TCP_KEEPCNT, 6 },
		{ "tcp_user_timeout", TCP_USER_TIMEOUT, 300000 },
	};
	PQconninfoOption *said = PQconninfo(conn);

	for (PQconninfoOption *o = said; o && o->keyword; o++)
		for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
			if (!o->val && strcmp(o->keyword, defaults[i].keyword) == 0)
				setsockopt(PQsocket(conn), IPPROTO_TCP, defaults[i].option,
					   &defaults[i].value, sizeof(int));
	PQconninfoFree(said);
}

static int open_conn(const char *conninfo, const char *replication, PGconn **conn, struct err *e)
{
	const char *keys[] = { "dbname", "fallback_application_name", "replication", NULL };
	const char *values[] = { conninfo, log_tool(), replication, NULL };
	int rc;

	*conn = NULL;
	if ((rc = check_conninfo(conninfo, e)) != OK)
		return rc;
	*conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(*conn) != CONNECTION_OK)
		rc = connect_failed(*conn, keys, values, e);
	if (rc != OK || (rc = check_version(*conn, e)) != OK)
		return rc;
	PQsetNoticeReceiver(*conn, on_notice, NULL);
	watch_network(*conn);
	return OK;
}

/* Which bytes such a database holds only its reader can find out, row by row. */
static bool knows_no_encoding(const PGconn *conn)
{
	const char *encoding = PQparameterStatus(conn, "server_encoding");

	return encoding && strcmp(encoding, "SQL_ASCII") == 0;
}

/* --- poolers --- */

/* The process that serves us now. */
static int served_by(PGconn *conn, const char *sql, int *pid, struct err *e)
{
	PGresult *res = NULL;
	int rc = pgio_simple(conn, sql, &res, e);

	*pid = rc == OK ? (int)strtol(pgio_value(res, 0, 0), NULL, 10) : 0;
	PQclear(res);
	return rc;
}

static const char pid_sql[] = "SELECT pg_catalog.pg_backend_pid()";

/* In a session the server is ours; between transactions a pooler gives it to others. Whether it
 * does shows when we ask twice, and when another connection holds the server that we had. */
static int is_shared(const char *conninfo, PGconn *conn, bool *shared, struct err *e)
{
	static const char hold_sql[] =
		"BEGIN; SELECT pg_catalog.pg_backend_pid()";
	PGconn *other = NULL;
	int first, second, held, third, rc;

	if ((rc = served_by(conn, pid_sql, &first, e)) != OK ||
	    first == PQbackendPID(conn) || /* no pooler */
	    (rc = served_by(conn, pid_sql, &second, e)) != OK)
		return rc;
	if ((*shared = first != second))
		return OK;
	if ((rc = open_conn(conninfo, NULL, &other, e)) == OK &&
	    (rc = served_by(other, hold_sql, &held, e)) == OK &&
	    (rc = served_by(conn, pid_sql, &third, e)) == OK) {
		*shared = held == second || third != second;
		rc = pgio_simple(other, "ROLLBACK", NULL, e);
	}
	PQfinish(other);
	return rc;
}

static int check_session(const char *conninfo, PGconn *conn, struct err *e)
{
	bool shared = false;
	int rc = is_shared(conninfo, conn, &shared, e);

	if (rc != OK || !shared)
		return rc;
	err_set(e, FAILED,
		"the connection goes through a pooler that gives every transaction another "
		"session");
	return err_hint(e, FAILED,
			"Connect to the server itself, or to a pool of sessions (pgbouncer: "
			"pool_mode = session).");
}

/* --- sessions and transactions --- */

static int connect_as(const char *conninfo, const char *replication, PGconn **conn, struct err *e)
{
	int rc = open_conn(conninfo, replication, conn, e);

	if (rc == OK && !replication)
		rc = check_session(conninfo, *conn, e);
	if (rc == OK)
		rc = pgio_simple(*conn, session_sql, NULL, e);
	if (rc == OK && knows_no_encoding(*conn))
		PQsetClientEncoding(*conn, "SQL_ASCII");
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

int pgio_connect_unset(const char *conninfo, PGconn **conn, struct err *e)
{
	int rc = open_conn(conninfo, NULL, conn, e);

	if (rc != OK) {
		PQfinish(*conn);
		*conn = NULL;
	}
	return rc;
}

int pgio_begin(PGconn *conn, const char *begin, const char *first, struct err *e)
{
	int rc = pgio_simple(conn, begin, NULL, e);

	if (rc == OK && first)
		rc = pgio_exec(conn, first, NULL, e);
	if (rc == OK)
		rc = pgio_simple(conn, local_sql, NULL, e);
	if (rc == OK && knows_no_encoding(conn))
		rc = pgio_simple(conn, "SET LOCAL client_encoding = 'SQL_ASCII'", NULL, e);
	return rc;
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

PGresult *pgio_one(PGconn *conn, const char *sql)
{
	return PQexecParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0);
}

int pgio_exec(PGconn *conn, const char *sql, PGresult **res, struct err *e)
{
	return finish_query(conn, pgio_one(conn, sql), res, e);
}

int pgio_simple(PGconn *conn, const char *sql, PGresult **res, struct err *e)
{
	return finish_query(conn, PQexec(conn, sql), res, e);
}

int pgio_query(PGconn *conn, const char *sql, int count, const char *const *params, PGresult **res,
	       struct err *e)
{
	return finish_query(conn, PQexecParams(conn, sql, count, NULL, params, NULL, NULL, 0), res,
			    e);
}

/* A role that could do all this to us anyway: our own and those that we are members of, the
 * schema's owner, a superuser. A superuser is nobody's member, whatever pg_has_role says. */
#define TRUSTED(role) \
	"(" role " = n.nspowner OR EXISTS (SELECT FROM pg_roles AS r, pg_roles AS u" \
	" WHERE r.oid = " role " AND u.rolname = current_user" \
	" AND (r.rolsuper OR r.oid = u.oid OR NOT u.rolsuper AND pg_has_role(r.oid, 'USAGE'))))"

/* May nobody else put anything into schema n? */
#define CLOSED \
	"NOT EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a" \
	" WHERE a.privilege_type = 'CREATE' AND NOT " TRUSTED("a.grantee") ")"

static int refuse_relation(const char *name, const char *owner, bool table, struct err *e)
{
	if (table)
		err_set(e, NOT_PERMITTED,
			"cannot use %s: it belongs to role \"%s\", which has neither the schema "
			"nor this role's rights",
			name, owner);
	else
		err_set(e, NOT_PERMITTED, "cannot use %s: it is no table", name);
	return err_hint(e, NOT_PERMITTED,
			"Somebody may have put it there: see what it is, and drop it. REVOKE "
			"CREATE ON the schema FROM PUBLIC keeps others out.");
}

int pgio_find_table(PGconn *conn, const char *schema, const char *table, enum pgio_trust trust,
		    bool *there, struct err *e)
{
	static const char sql[] =
		"SELECT c.relkind IN ('r', 'p'), " TRUSTED("c.relowner") ", " CLOSED ","
		"       pg_get_userbyid(c.relowner)"
		"  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
		" WHERE n.nspname = $1 AND c.relname = $2";
	const char *params[] = { schema, table };
	bool plain, ours, closed;
	struct buf name = { 0 };
	PGresult *res = NULL;
	int rc = pgio_query(conn, sql, 2, params, &res, e);

	*there = rc == OK && PQntuples(res) == 1;
	plain = *pgio_value(res, 0, 0) == 't';
	ours = *pgio_value(res, 0, 1) == 't';
	closed = *pgio_value(res, 0, 2) == 't';
	pg_add_qualified(&name, schema, table);
	if (*there && (trust == PGIO_OWN ? !plain || !ours : !ours && !closed))
		rc = refuse_relation(name.data, pgio_value(res, 0, 3), plain || !ours, e);
	PQclear(res);
	buf_release(&name);
	return rc;
}

int pgio_look_in(PGconn *conn, const char *schema, struct err *e)
{
	static const char sql[] =
		"SELECT set_config('search_path', concat_ws(', ', 'pg_catalog',"
		"  string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname = 'public'),"
		"  'pg_temp'), false)"
		"  FROM pg_namespace AS n WHERE n.nspname IN ($1, 'public') AND " CLOSED;

	return pgio_query(conn, sql, 1, &schema, NULL, e);
}
