/* out.h - buffered output to a file descriptor that knows whether it was written.
 *
 * A filter has succeeded only when out_close returned OK: a full disk may show itself no earlier.
 * Append to buf with buf_*, then call out_more once a record; it writes when enough has gathered.
 * struct out borrows name and, until out_close, owns fd. Not for a terminal's line buffering. */
#ifndef STARPIPE_OUT_H
#define STARPIPE_OUT_H

#include <stdint.h>

#include "buf.h"
#include "err.h"

enum { OUT_CHUNK = 128 * 1024 };

struct out {
	int fd;
	const char *name; /* for messages: "standard output", a path */
	struct buf buf;
	uint64_t bytes;   /* written so far, without what is in buf */
};

void out_init(struct out *o, int fd, const char *name);
int out_flush(struct out *o, struct err *e);

static inline int out_more(struct out *o, struct err *e)
{
	return o->buf.len < OUT_CHUNK ? OK : out_flush(o, e);
}

/* Flush, close, and report either's failure. */
int out_close(struct out *o, struct err *e);

/* Frees the buffer; what was not flushed is dropped. Safe after out_close. */
void out_release(struct out *o);

/* write(2) until all is written. */
int write_all(int fd, const char *data, size_t len, const char *name, struct err *e);

#endif
