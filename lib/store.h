/* store.h - where objects are kept: s3://bucket/key or file:///path, behind one interface.
 *
 * An object appears whole or not at all: on S3 by nature, in files by a temporary file that is
 * synced and then renamed, or linked where nothing may be replaced.
 *
 * A URL of files that ends in a slash is a folder where others may have put something: below it no
 * symbolic link is followed, and nothing but regular files is read. */
#ifndef STARPIPE_STORE_H
#define STARPIPE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct store;
struct upload;

/* What the whole objects are at most that we read. */
#define STORE_MAX_RECORD ((size_t)64 << 20) /* of a lake's step */
#define STORE_MAX_LOG ((size_t)1 << 30)     /* of a Delta table, compacted */
#define STORE_MAX_ROWS ((size_t)16 << 30)   /* that joins need */

enum { UPLOAD_PART_MIN = 5 << 20 }; /* S3 takes no smaller part but the last */

/* Open what the URL names; *key is what stands behind the bucket, or the path. Close *s and free
 * *key on failure too. */
int store_open(const char *url, struct store **s, char **key, struct err *e);
void store_close(struct store *s);

/* A small whole object. With if_absent, one that is there is LOST_RACE. */
int store_put(struct store *s, const char *key, struct str data, bool if_absent, struct err *e);

/* Is that to be relied on? data is what the object has, or shall have: where the store is one that
 * ignores the condition, it is put. *refused is true in files. */
int store_refuses(struct store *s, const char *key, struct str data, bool *refused, struct err *e);

/* The whole object behind data, or *found false. One of more than max bytes is BAD_DATA: whoever
 * writes objects shall not fill our memory. */
int store_get(struct store *s, const char *key, size_t max, struct buf *data, bool *found,
	      struct err *e);

/* Append at most len bytes of an object from offset on; fewer where it ends. len is at most 8 MiB:
 * it is one request, retried alone. version, empty before the first call, holds the later ones to
 * the same version of the object: TRY_LATER if it was replaced. */
int store_read(struct store *s, const char *key, uint64_t offset, size_t len, struct buf *data,
	       struct buf *version, struct err *e);

/* An object of unknown size, written piece by piece, in bounded memory: parts of 8 MiB that double
 * every 1000 parts, so that 5 TiB fit into S3's 10,000. A small one ends as a plain put. The
 * content type is what the key's end says, if none is given. upload_abort undoes all: after any
 * failure, that of upload_open too, and after a signal. */
int upload_open(struct store *s, const char *key, const char *content_type, struct upload **u,
		struct err *e);
int upload_write(struct upload *u, struct str data, struct err *e);
int upload_commit(struct upload *u, struct err *e); /* frees u when OK */
void upload_abort(struct upload *u);

/* Bytes of memory that it takes, and a way to have fewer: what is held is sent if it makes a part,
 * and memory that holds nothing is given back. */
size_t upload_memory(const struct upload *u);
int upload_save_memory(struct upload *u, struct err *e);

#endif
