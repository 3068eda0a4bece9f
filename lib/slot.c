/* slot - a logical replication slot */
#include "slot.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "log.h"
#include "publication.h"

enum { OLDEST_SERVER = 150000,
       ASK_MS = 500,
       BUSY_MS = 5000,
       LEAVE_MS = 2000 };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

/* --- what the slot needs --- */

static int check_name(const char *name, struct err *e)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (len > 0 && len < 64 && !name[len])
		return OK;
	return err_set(e, USAGE,
		       "a slot's name is up to 63 lower-case letters, digits and underscores, "
		       "\"%s\" is not",
		       name);
}

static int check_server(PGconn *conn, struct err *e)
{
	PGresult *res;
	int rc;

	if (PQserverVersion(conn) < OLDEST_SERVER)
		return err_set(e, FAILED, "slots are read from PostgreSQL 15 on, the server is %s",
			       PQparameterStatus(conn, "server_version"));
	if ((rc = pgio_exec(conn, "SELECT pg_catalog.current_setting('wal_level')", &res, e)) != OK)
		return rc;
	if (strcmp(pgio_value(res, 0, 0), "logical") != 0) {
		rc = err_set(e, FAILED, "a slot needs a server with wal_level logical, it is %s",
			     pgio_value(res, 0, 0));
		err_hint(e, rc, "ALTER SYSTEM SET wal_level = logical; and restart the server.");
	}
	PQclear(res);
	return rc;
}

/* Everything before this position is in a snapshot that is taken later, but for transactions whose
 * commit is in the log already and nowhere else yet: see slot_next. */
static int identify(struct slot *s, struct err *e)
{
	PGresult *res;
	int rc = pgio_simple(s->stream, "IDENTIFY_SYSTEM", &res, e);

	if (rc != OK)
		return rc;
	if (!pgoutput_parse_lsn(pgio_value(res, 0, 2), &s->to))
		rc = err_set(e, FAILED, "cannot make out the server's position \"%s\"",
			     pgio_value(res, 0, 2));
	PQclear(res);
	return rc;
}

/* --- does the state fit the slot? --- */

struct found {
	bool there, active, lost;
	uint64_t confirmed;
};

static int find(const struct slot *s, PGconn *conn, struct found *f, struct err *e)
{
	PGresult *res;
	int rc = pgio_query(conn,
			    "SELECT active, coalesce(wal_status = 'lost', false),"
			    "  confirmed_flush_lsn, coalesce(plugin = 'pgoutput'"
			    "    AND database = current_database() AND NOT temporary, false)"
			    "  FROM pg_replication_slots WHERE slot_name = $1",
			    1, &s->name, &res, e);

	*f = (struct found){ 0 };
	if (rc != OK)
		return rc;
	if (PQntuples(res) == 1) {
		f->there = true;
		f->active = *pgio_value(res, 0, 0) == 't';
		f->lost = *pgio_value(res, 0, 1) == 't' ||
			  !pgoutput_parse_lsn(pgio_value(res, 0, 2), &f->confirmed);
		if (*pgio_value(res, 0, 3) != 't') {
			rc = err_set(e, FAILED,
				     "slot \"%s\" is not one of pgoutput in this database: it is "
				     "in use for something else",
				     s->name);
			err_hint(e, rc, "Take another name.");
		}
	}
	PQclear(res);
	return rc;
}

static int in_use(const struct slot *s, struct err *e)
{
	return err_set(e, LOST_RACE,
		       "slot \"%s\" is being read by another run: nothing was changed", s->name);
}

/* The server takes a moment to notice that a killed reader is gone. */
static int find_free(const struct slot *s, PGconn *conn, struct found *f, struct err *e)
{
	int64_t started = now_ms();
	int rc;

	while ((rc = find(s, conn, f, e)) == OK && f->active) {
		if (now_ms() - started > BUSY_MS)
			return in_use(s, e);
		pause_ms(100);
	}
	return rc;
}

/* Why the state cannot be used, as snapshot_elsewhere says it; NULL if it can. */
static const char *unusable(struct slot *s, const struct snapshot *snapshot,
			    const struct json *state)
{
	const char *why = snapshot_elsewhere(snapshot, state);
	const char *name = json_string(json_get(state, "slot"));

	if (why)
		return why;
	if (!name || strcmp(name, s->name) != 0 ||
	    !pgoutput_parse_lsn(json_string(json_get(state, "lsn")), &s->from))
		return "is not of this slot";
	if (s->from > s->to)
		return "is ahead of the database, which must have been restored";
	return NULL;
}

/* Why the slot cannot be used from the state on. */
static const char *unfit(const struct slot *s, const struct found *f)
{
	if (!f->there)
		return "is gone";
	if (f->lost)
		return "has lost its log, the server kept only max_slot_wal_keep_size";
	if (f->confirmed > s->from)
		return "was moved beyond the state by somebody else";
	return NULL;
}

static bool fits(struct slot *s, struct snapshot *snapshot, const struct json *state,
		 const struct found *f)
{
	const char *why;

	if (!state)
		return false;
	if ((why = unusable(s, snapshot, state)))
		log_notice("the state %s: extracting all rows", why);
	else if ((why = unfit(s, f)))
		log_notice("slot \"%s\" %s: extracting all rows", s->name, why);
	return !why;
}

/* --- making it --- */

/* A command about the slot, its name, which check_name has seen, quoted in the middle. */
static int command(struct slot *s, const char *before, const char *behind, PGresult **res,
		   struct err *e)
{
	struct buf sql = { 0 };
	int rc;

	buf_addf(&sql, "%s \"%s\"%s", before, s->name, behind);
	*res = PQexec(s->stream, sql.data);
	rc = PQresultStatus(*res);
	buf_release(&sql);
	if (rc == PGRES_COMMAND_OK || rc == PGRES_TUPLES_OK || rc == PGRES_COPY_BOTH)
		return OK;
	if (PQresultErrorField(*res, PG_DIAG_SQLSTATE) &&
	    strcmp(PQresultErrorField(*res, PG_DIAG_SQLSTATE), "55006") == 0)
		rc = in_use(s, e);
	else
		rc = pgio_failed(s->stream, *res, e, "use the slot");
	PQclear(*res);
	*res = NULL;
	return rc;
}

static int drop(struct slot *s, struct err *e)
{
	PGresult *res;
	int rc = command(s, "DROP_REPLICATION_SLOT", "", &res, e);

	PQclear(res);
	return rc;
}

/* The snapshot is there to be taken until the next command on the stream; nothing else is wanted of
 * that connection. */
static int make(struct slot *s, PGconn *conn, const char *schema, struct snapshot *snapshot,
		struct err *e)
{
	PGresult *res;
	int rc;

	s->fresh = true;
	log_info("making slot \"%s\", once transactions that are open now have ended", s->name);
	if ((rc = pgio_exec(conn, "COMMIT", NULL, e)) != OK ||
	    (rc = command(s, "CREATE_REPLICATION_SLOT", " LOGICAL pgoutput (SNAPSHOT 'export')",
			  &res, e)) != OK)
		return rc;
	snapshot_release(snapshot);
	if (!pgoutput_parse_lsn(pgio_value(res, 0, 1), &s->from))
		rc = err_set(e, FAILED, "cannot make out the slot's position \"%s\"",
			     pgio_value(res, 0, 1));
	else
		rc = snapshot_begin(snapshot, conn, schema, pgio_value(res, 0, 2), e);
	s->to = s->from;
	PQclear(res);
	PQfinish(s->stream);
	s->stream = NULL;
	return rc;
}

/* What the ordinary connection does outside of a transaction is to look up single rows. */
static const char session_sql[] =
	"SET default_transaction_read_only = on; SET row_security = off";

int slot_open(struct slot *s, const char *conninfo, PGconn *conn, const char *schema,
	      const struct json *state, struct snapshot *snapshot, struct err *e)
{
	struct found found;
	int rc;

	s->snapshot = snapshot;
	if ((rc = check_name(s->name, e)) != OK ||
	    (state && (rc = snapshot_check_state(state, e)) != OK) ||
	    (rc = check_server(conn, e)) != OK ||
	    (rc = publication_check(conn, s->publication, e)) != OK ||
	    (rc = pgio_simple(conn, session_sql, NULL, e)) != OK ||
	    (rc = find_free(s, conn, &found, e)) != OK ||
	    (rc = pgio_connect_replication(conninfo, &s->stream, e)) != OK ||
	    (rc = identify(s, e)) != OK ||
	    (rc = snapshot_begin(snapshot, conn, schema, NULL, e)) != OK)
		return rc;
	if (fits(s, snapshot, state, &found)) {
		snapshot->since = state;
	} else if ((found.there && (rc = drop(s, e)) != OK) ||
		   (rc = make(s, conn, schema, snapshot, e)) != OK) {
		return rc;
	}
	if (state)
		snapshot_count(snapshot, state);
	return OK;
}

/* --- reading --- */

static int send_status(struct slot *s, bool ask, struct err *e)
{
	enum { EPOCH_2000 = 946684800 };
	struct timespec now;
	struct buf b = { 0 };
	int rc = OK;

	clock_gettime(CLOCK_REALTIME, &now);
	pgoutput_add_status(&b, s->from,
			    (now.tv_sec - EPOCH_2000) * 1000000LL + now.tv_nsec / 1000, ask);
	if (PQputCopyData(s->stream, b.data, (int)b.len) != 1 || PQflush(s->stream) != 0)
		rc = pgio_failed(s->stream, NULL, e, "confirm the slot's position");
	buf_release(&b);
	return rc;
}

/* Up to PostgreSQL 17 a publication that was not there at the time of a change is an error. From 18
 * on it is a warning, and the changes are gone. The text is in the server's language, so it is told
 * by its SQLSTATE, "not in prerequisite state": no other warning of it is known on a stream. */
static void on_notice(void *arg, const PGresult *res)
{
	struct slot *s = arg;
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (severity && strcmp(severity, "WARNING") == 0 && state && strcmp(state, "55000") == 0)
		s->skipped = true;
	else
		s->notice(NULL, res);
}

int slot_start(struct slot *s, struct err *e)
{
	struct buf ident = { 0 }, options = { 0 };
	PGresult *res;
	int rc;

	buf_addz(&options, " LOGICAL ");
	pgoutput_add_lsn(&options, s->from);
	buf_addz(&options, " (proto_version '1', publication_names '");
	pg_add_ident(&ident, str_of(s->publication));
	for (size_t i = 0; i < ident.len; i++) {
		buf_addch(&options, ident.data[i]);
		if (ident.data[i] == '\'')
			buf_addch(&options, '\'');
	}
	buf_addz(&options, "')");
	s->notice = PQsetNoticeReceiver(s->stream, on_notice, s);
	rc = command(s, "START_REPLICATION SLOT", options.data, &res, e);
	PQclear(res);
	buf_release(&ident);
	buf_release(&options);
	return rc == OK ? send_status(s, true, e) : rc;
}

/* More bytes from the server; when it is silent it is asked where it is. */
static int wait_for_more(struct slot *s, struct err *e)
{
	struct pollfd fd = { .fd = PQsocket(s->stream), .events = POLLIN };
	int n = poll(&fd, 1, ASK_MS);

	if (n < 0 && errno != EINTR)
		return err_errno(e, "could not wait for the server");
	if (n == 0)
		return send_status(s, true, e);
	return PQconsumeInput(s->stream) ? OK :
					   pgio_failed(s->stream, NULL, e, "read the slot");
}

static int not_published_then(struct err *e, int rc)
{
	return err_hint(e, rc,
			"It was made after these changes. Run once with {} as the state: all rows "
			"are extracted again.");
}

/* The server ended it, or libpq could not hold a message. */
static int stream_ended(struct slot *s, struct err *e)
{
	bool too_long = strstr(PQerrorMessage(s->stream), "memory");
	PGresult *res = PQgetResult(s->stream);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	int rc;

	if (too_long) {
		rc = err_set(e, BAD_DATA, "a change in the slot is longer than memory allows");
		err_hint(e, rc, "Raise --max-row.");
	} else if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
		rc = pgio_failed(s->stream, res, e, "read the slot");
		if (state && strcmp(state, "42704") == 0) /* no publication at that time */
			not_published_then(e, rc);
	} else {
		rc = err_set(e, TRY_LATER, "the server ended the replication");
	}
	PQclear(res);
	return rc;
}

/* Is m, just decoded, behind the end? So is a transaction that was still running in the snapshot:
 * its commit is in the log, but does not show yet, so its tables and rows cannot be looked up. It
 * is the next run's first. */
static bool is_behind(struct slot *s, const struct pgoutput *m)
{
	if (m->kind == PGOUTPUT_COMMIT)
		s->in_transaction = false;
	if (m->kind != PGOUTPUT_BEGIN)
		return false;
	s->in_transaction = true;
	if (m->lsn < s->to && pgsnapshot_sees(&s->snapshot->at, m->xid))
		return false;
	if (m->lsn < s->to)
		s->to = m->lsn;
	return true;
}

static int take(struct slot *s, struct str bytes, bool *end, struct pgoutput *m, struct err *e)
{
	struct pgoutput_frame f;
	int rc = pgoutput_unframe(bytes, &f, e);

	*m = (struct pgoutput){ 0 };
	if (rc != OK)
		return rc;
	if (!f.message.data) {
		*end = !s->in_transaction && f.wal_end >= s->to;
		return f.reply ? send_status(s, false, e) : OK;
	}
	arena_reset(&s->arena);
	if ((rc = pgoutput_decode(f.message, &s->arena, m, e)) == OK && is_behind(s, m)) {
		*end = true;
		m->kind = 0;
	}
	return rc;
}

int slot_next(struct slot *s, struct pgoutput *m, struct err *e)
{
	static const char skipped[] = "could not read the slot: publication \"%s\" does not exist";
	bool end = false;
	int n, rc = OK;

	m->kind = 0;
	while (rc == OK && !end && !m->kind) {
		PQfreemem(s->bytes);
		s->bytes = NULL;
		n = PQgetCopyData(s->stream, &s->bytes, 1);
		if (s->skipped)
			rc = not_published_then(e, err_set(e, FAILED, skipped, s->publication));
		else if (n > 0)
			rc = take(s, (struct str){ s->bytes, (size_t)n }, &end, m, e);
		else if (n == 0)
			rc = wait_for_more(s, e);
		else
			rc = stream_ended(s, e);
	}
	return rc;
}

/* --- the end --- */

void slot_add_state(const struct slot *s, const struct catalog *c, struct buf *state)
{
	snapshot_add_place(s->snapshot, state);
	buf_addz(state, ",\"slot\":");
	json_add_string(state, str_of(s->name));
	buf_addz(state, ",\"lsn\":\"");
	pgoutput_add_lsn(state, s->to);
	buf_addch(state, '"');
	if (s->snapshot->since) {
		buf_addz(state, ",\"since\":\"");
		pgoutput_add_lsn(state, s->from);
		buf_addch(state, '"');
	}
	snapshot_add_tables(c, state);
	buf_addch(state, '}');
}

/* Read on until the server has ended, or for so long. */
static bool drain(struct slot *s, int64_t ms)
{
	int64_t deadline = now_ms() + ms;
	struct pollfd fd = { .fd = PQsocket(s->stream), .events = POLLIN };
	bool copying = true;

	while (now_ms() < deadline) {
		PGresult *res = NULL;
		int n = copying ? PQgetCopyData(s->stream, &s->bytes, 1) : 0;

		PQfreemem(s->bytes);
		s->bytes = NULL;
		copying &= n >= 0;
		if (n == 0 && (copying || PQisBusy(s->stream))) {
			if (poll(&fd, 1, 100) < 0 || !PQconsumeInput(s->stream))
				return true;
		} else if (n == 0 && !(res = PQgetResult(s->stream))) {
			return true;
		}
		PQclear(res);
	}
	return false;
}

/* In the middle of a large transaction the server does not listen; then it is interrupted. */
static void leave(struct slot *s)
{
	PGcancel *cancel = PQgetCancel(s->stream);
	char ignored[256];

	if (PQputCopyEnd(s->stream, NULL) == 1 && PQflush(s->stream) == 0 &&
	    !drain(s, LEAVE_MS / 2) && PQcancel(cancel, ignored, sizeof(ignored)))
		drain(s, LEAVE_MS);
	PQfreeCancel(cancel);
}

void slot_release(struct slot *s)
{
	PQfreemem(s->bytes);
	s->bytes = NULL;
	if (s->stream && PQstatus(s->stream) == CONNECTION_OK &&
	    PQtransactionStatus(s->stream) == PQTRANS_ACTIVE)
		leave(s);
	PQfinish(s->stream);
	arena_release(&s->arena);
	*s = (struct slot){ 0 };
}
