/* s3.h - requests to S3: signed, retried, with S3's errors as ours.
 *
 * What may pass is tried again with backoff, then TRY_LATER: 5xx, 429, 408, SlowDown, 409, 307
 * without a region, lost connections, timeouts and no HTTP. 403 and 401 are NOT_PERMITTED,
 * a missing bucket FAILED with a hint. A clock that is off is corrected by the server's Date, once,
 * a bucket's other region by what the server says. Keys are taken as they are: every byte arrives.
 *
 * The endpoint may be hostile. An answer is bounded in size, to S3_MAX_CONTROL or to what was asked
 * for if that is more: beyond it is FAILED. It is bounded in time, too, as http.h says: an attempt
 * that is given up counts as a lost connection. A clock is corrected by a day at most, else the
 * failure stays NOT_PERMITTED. */
#ifndef STARPIPE_S3_H
#define STARPIPE_S3_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct s3;

enum {
	S3_MAX_CONTROL = 1 << 20, /* bytes of an answer that is no object */
	S3_PATIENCE_S = 60,
	S3_COMPLETE_S = 600       /* S3 may put many parts together for minutes */
};

/* Warns, once, where all goes to another machine by plain http. Close *s on failure too. */
int s3_open(const char *bucket, struct s3 **s, struct err *e);
void s3_close(struct s3 *s);

/* Put a whole object. With if_absent an object that is there already is LOST_RACE. */
int s3_put(struct s3 *s, const char *key, struct str data, bool if_absent, const char *content_type,
	   struct err *e);

/* Does the server refuse to put data, if only nothing is there, where something is? It should be
 * the very bytes that are there: a server that ignores the condition puts them. */
int s3_refuses(struct s3 *s, const char *key, struct str data, bool *refused, struct err *e);

/* Append a whole object, or *found is false: the server said NoSuchKey. Another 404 is FAILED, for
 * any web server and proxy gives it. An object of more than max bytes is BAD_DATA. */
int s3_get(struct s3 *s, const char *key, size_t max, struct buf *data, bool *found,
	   struct err *e);

/* Append at most len bytes of an object from offset on; fewer only where it ends: an answer that is
 * shorter than that is a lost connection. version, empty at first, becomes the size and what the
 * server calls this version: TRY_LATER if it is another one later. */
int s3_read(struct s3 *s, const char *key, uint64_t offset, size_t len, struct buf *data,
	    struct buf *version, struct err *e);

int s3_multipart_start(struct s3 *s, const char *key, const char *content_type, char **upload_id,
		       struct err *e);
/* number counts from 1; *etag is what completing needs, free it */
int s3_multipart_part(struct s3 *s, const char *key, const char *upload_id, unsigned number,
		      struct str data, char **etag, struct err *e);
struct s3_part {
	char *etag;
	size_t size;
};

/* Where an answer that got lost made the upload unknown, the object that is there tells that it is
 * the one: by its size and ETag, or, where servers make that otherwise, by its bytes. */
int s3_multipart_complete(struct s3 *s, const char *key, const char *upload_id,
			  const struct s3_part *parts, unsigned count, struct err *e);
/* Works even after a signal was caught. */
int s3_multipart_abort(struct s3 *s, const char *key, const char *upload_id, struct err *e);

#endif
