/* s3_answer.h - what stands in an answer of S3: pure functions of bytes that may be anything.
 *
 * Nothing here trusts a length, a sign or a number of the answer. */
#ifndef STARPIPE_S3_ANSWER_H
#define STARPIPE_S3_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum {
	S3_CODE_MAX = 64,     /* bytes of an error's code, */
	S3_MESSAGE_MAX = 500, /* of its message, */
	S3_TOKEN_MAX = 1024   /* of an upload's id or an ETag */
};

/* The text of the first <name>...</name>, with the five entities resolved, or NULL; free it. Of
 * more than max bytes the rest is cut off, and ... stands for it. */
char *s3_answer_text(const struct buf *body, const char *name, size_t max);

/* A Date header ("Fri, 24 May 2013 00:00:00 GMT") in seconds since 1970. */
bool s3_answer_date(struct str date, int64_t *seconds);

/* A Content-Range header, "bytes 0-99/1000"; first <= last < total. False for anything else. */
struct s3_range {
	uint64_t first, last, total;
};
bool s3_answer_range(struct str text, struct s3_range *r);

/* Can it be sent back as it is, in a header or in XML: visible ASCII without < > &, 1 to
 * S3_TOKEN_MAX bytes? */
bool s3_answer_is_token(struct str text);

/* Can it be a region's name, which becomes part of a host's? */
bool s3_answer_is_region(struct str text);

#endif
