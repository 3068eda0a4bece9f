/* pgoutput.h - the messages of PostgreSQL's logical replication, protocol 1, from bytes.
 *
 * Pure functions: nothing is read or kept here. Whatever the bytes are, they are decoded or
 * BAD_DATA. A decoded message borrows its texts from the bytes, its arrays are the arena's.
 *
 * A relation is announced (PGOUTPUT_RELATION) before the first message of a connection that names
 * its oid, and again after it was altered. */
#ifndef STARPIPE_PGOUTPUT_H
#define STARPIPE_PGOUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "err.h"
#include "str.h"

/* --- positions in the log, as PostgreSQL writes them: 16/B374D848 --- */

bool pgoutput_parse_lsn(const char *text, uint64_t *lsn);
void pgoutput_add_lsn(struct buf *b, uint64_t lsn);

/* --- what comes in a message of COPY --- */

struct pgoutput_frame {
	bool reply;         /* the server wants an answer */
	uint64_t wal_end;   /* a keepalive's: all before it was sent */
	struct str message; /* what pgoutput_decode reads; data NULL in a keepalive */
};

int pgoutput_unframe(struct str bytes, struct pgoutput_frame *f, struct err *e);

/* "I stand there, all before it may be forgotten." now_us counts from 2000-01-01. With ask the
 * server answers by a keepalive. */
void pgoutput_add_status(struct buf *b, uint64_t lsn, int64_t now_us, bool ask);

/* --- messages --- */

enum pgoutput_kind {
	PGOUTPUT_BEGIN = 'B',    /* lsn (where the commit stands), xid */
	PGOUTPUT_COMMIT = 'C',   /* lsn */
	PGOUTPUT_RELATION = 'R', /* relation, columns */
	PGOUTPUT_INSERT = 'I',   /* relation, tuple */
	PGOUTPUT_UPDATE = 'U',   /* relation, tuple, and old where old_kind is not 0 */
	PGOUTPUT_DELETE = 'D',   /* relation, old */
	PGOUTPUT_TRUNCATE = 'T', /* relations */
	PGOUTPUT_ORIGIN = 'O',   /* of these nothing is decoded */
	PGOUTPUT_TYPE = 'Y',
	PGOUTPUT_LOGICAL = 'M'
};

struct pgoutput_value {
	char kind; /* 'n' NULL, 't' text, 'u' not sent: TOASTed and unchanged */
	struct str text;
};

struct pgoutput_tuple {
	struct pgoutput_value *values;
	size_t count;
};

struct pgoutput {
	enum pgoutput_kind kind;
	uint64_t lsn;
	uint32_t xid, relation;
	struct str *columns; /* their names */
	size_t column_count;
	struct pgoutput_tuple tuple, old;
	char old_kind; /* 'K': old has the key only; 'O': old has all; 0 */
	uint32_t *relations;
	size_t relation_count;
};

int pgoutput_decode(struct str message, struct arena *a, struct pgoutput *m, struct err *e);

#endif
