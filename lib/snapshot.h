/* snapshot.h - a source database at one moment, and which of its rows are new since an earlier one.
 *
 * No column tells what changed, the database's own clock does: a snapshot names the oldest
 * transaction still running, and a row is new when the transaction that wrote it (xmin) is not
 * older than that. This finds every insert and update, those of transactions that were open at the
 * earlier snapshot, too; the price is that rows of such transactions' neighbours may come again,
 * which loaders absorb. Deletes leave no row to find.
 *
 * An xmin has 32 bits and no epoch. It is compared by its distance from the present, which
 * PostgreSQL keeps below 2^31 for every row that is not frozen; a state farther back than that is
 * of no use.
 *
 * The state's members are in starpipe-wire(5). */
#ifndef STARPIPE_SNAPSHOT_H
#define STARPIPE_SNAPSHOT_H

#include "catalog.h"
#include "json.h"
#include "pgio.h"
#include "pgsnapshot.h"

struct snapshot {
	char *system, *database, *schema, *text;
	struct pgsnapshot at;     /* the text, read */
	int64_t timeline;
	bool standby;
	const struct json *since; /* the earlier state, where it says anything of this database */
	int64_t generation;       /* how often an earlier state was of no use: a restored database
				     has earlier snapshots, and yet the later state */
	int64_t age;              /* of the oldest transaction that may be new */
	PGresult *attached;       /* tables, and partitions that came to them since, see there */
	const char *cursor;       /* --cursor, or NULL */
	const char *overlap;
};

/* Begin a read-only transaction, in the snapshot that another session exported where exported is
 * not NULL, and see where it is. */
int snapshot_begin(struct snapshot *s, PGconn *conn, const char *schema, const char *exported,
		   struct err *e);

/* BAD_DATA for a state that is not one of pg-extract's. */
int snapshot_check_state(const struct json *state, struct err *e);

/* Why a state says nothing about this database and schema, to be put behind "the state "; NULL if
 * it does. */
const char *snapshot_elsewhere(const struct snapshot *s, const struct json *state);

/* Count a state that is of no use, or go on counting; s->since says which. */
void snapshot_count(struct snapshot *s, const struct json *state);

/* Take an earlier state, which must outlive s. One that is of no use here, of another cluster for
 * instance, is said on stderr and not used; one that is not pg-extract's is BAD_DATA; a
 * standby that has not come as far as the state is TRY_LATER. */
int snapshot_since(struct snapshot *s, PGconn *conn, const struct json *state, struct err *e);

/* Give every table its mode: changes if the earlier state has it as it is now, else full. Names in
 * full are always full. */
int snapshot_modes(const struct snapshot *s, PGconn *conn, const struct catalog *c,
		   const char *const *full, size_t full_count, struct err *e);

/* The WHERE of a table whose mode is changes. */
int snapshot_add_filter(const struct snapshot *s, const struct wire_table *t, struct buf *sql,
			struct err *e);

/* The state of this snapshot. Asks the database for the cursor's newest values. */
int snapshot_add_state(const struct snapshot *s, PGconn *conn, const struct catalog *c,
		       struct buf *state, struct err *e);

/* The members that begin any state of this database, without a } behind; and one that lists its
 * tables for snapshot_modes. */
void snapshot_add_place(const struct snapshot *s, struct buf *state);
void snapshot_add_tables(const struct catalog *c, struct buf *state);

void snapshot_release(struct snapshot *s);

#endif
