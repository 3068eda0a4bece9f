/* slot.h - a logical replication slot: what happened in a database since a position in its log.
 *
 * The server keeps the log for a slot from the position that was last confirmed. Nothing is ever
 * confirmed but the position in a state, which is what a loader has committed: so a run that dies
 * loses nothing, the next one reads the same again. A run ends at the position that the server had
 * when it began.
 *
 * A slot serves one reader. A state that does not fit the slot means that changes are missing; then
 * the slot is made anew, and all rows are to be read in the snapshot in which it began. */
#ifndef STARPIPE_SLOT_H
#define STARPIPE_SLOT_H

#include "arena.h"
#include "pgio.h"
#include "pgoutput.h"
#include "snapshot.h"

struct slot {
	const char *name, *publication; /* borrowed */
	PGconn *stream;                 /* the replication connection */
	bool fresh;                     /* made by this run */
	uint64_t from, to;              /* where this run begins and ends; equal if fresh */
	bool in_transaction;
	bool skipped;                   /* the server has left changes out */
	PQnoticeReceiver notice;        /* the connection's own */
	const struct snapshot *snapshot; /* slot_open's, borrowed */
	char *bytes;                     /* libpq's, of the current message */
	struct arena arena;
};

/* Connect, see whether state (NULL: a first run) fits the slot, and if not, make the slot anew and
 * say why. conn is an ordinary connection to the same database; it is left in the transaction of
 * snapshot_begin, with the slot's snapshot if that is fresh, and snapshot->since set if the state
 * fits; the slot borrows snapshot. LOST_RACE if somebody else reads the slot. */
int slot_open(struct slot *s, const char *conninfo, PGconn *conn, const char *schema,
	      const struct json *state, struct snapshot *snapshot, struct err *e);

/* Confirm the state's position and have the changes sent. Not for a fresh slot. */
int slot_start(struct slot *s, struct err *e);

/* The next message, valid until the one after; kind 0 at the end of the run. Transactions come
 * whole, in the order of their commits. */
int slot_next(struct slot *s, struct pgoutput *m, struct err *e);

/* The state at the end of this run. */
void slot_add_state(const struct slot *s, const struct catalog *c, struct buf *state);

/* Tells the server that the reader leaves, and waits a moment for the slot to be free again. */
void slot_release(struct slot *s);

#endif
