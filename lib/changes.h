/* changes.h - what a slot sends, as lines of the wire: rows and @delete, in commit order.
 *
 * An insert or update is a row, with the key's old value deleted first if the key has changed; a
 * delete is @delete with the key, a truncate @delete without. Values are exactly those that COPY
 * would have given.
 *
 * What the log does not have is looked up in the table, by key: a TOASTed value that an update left
 * alone, and a column that was added after the change. Then it is the value of now; where the row
 * is gone by now, this version of it is left out, for its end follows in the log.
 *
 * Of tables whose mode is not WIRE_CHANGES, which are read whole behind this, only the deleted keys
 * are written, as far as they fit the key of now: no row will say that they are gone. */
#ifndef STARPIPE_CHANGES_H
#define STARPIPE_CHANGES_H

#include "out.h"
#include "publication.h"
#include "slot.h"

/* From slot_start to the end. conn is an ordinary connection, in the snapshot or outside of a
 * transaction. */
int changes_read(struct slot *s, PGconn *conn, const struct publication *p, struct out *out,
		 uint64_t max_row, struct err *e);

#endif
