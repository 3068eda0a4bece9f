/* pgsnapshot.h - the text of PostgreSQL's pg_snapshot, xmin:xmax:xip,xip,...
 *
 * All transactions below xmin have ended, all from xmax on have not begun, of those between the
 * list (xip) still runs. Of a snapshot that a slot exports, xmax may be below xmin: then xmin is
 * read for both. Nothing is allocated: a parsed snapshot borrows the text. */
#ifndef STARPIPE_PGSNAPSHOT_H
#define STARPIPE_PGSNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgsnapshot {
	uint64_t xmin, xmax; /* with the epoch */
	const char *running; /* the list */
	size_t running_count;
};

/* Is text, which may be NULL, a snapshot as PostgreSQL writes it? If not, *s is zeroed; the xmin of
 * a snapshot is never 0. */
bool pgsnapshot_parse(const char *text, struct pgsnapshot *s);

/* Had the transaction of this number, which has lost its epoch, ended when s was taken? It must be
 * within 2^31 of xmax. */
bool pgsnapshot_sees(const struct pgsnapshot *s, uint32_t xid);

#endif
