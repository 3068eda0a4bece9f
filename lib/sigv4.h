/* sigv4.h - AWS Signature Version 4, a pure function of request, keys and time.
 *
 * As S3 wants it: the path is encoded once and not normalized. Source: "AWS Signature Version 4 for
 * API requests" in the IAM user guide; checked against AWS's published vectors. */
#ifndef STARPIPE_SIGV4_H
#define STARPIPE_SIGV4_H

#include "buf.h"

struct sigv4_pair {
	struct str name, value;
};

struct sigv4 {
	const char *method;
	struct str path;                   /* not encoded, begins with / */
	const struct sigv4_pair *query;    /* not encoded, any order */
	size_t query_count;
	const struct sigv4_pair *headers;  /* names in lower case, any order; all are signed,
					      values without needless blanks */
	size_t header_count;
	struct str payload;                /* SHA-256 of the body in hex */
	const char *region, *service;
	const char *access_key, *secret_key;
	const char *time;                  /* 20130524T000000Z */
};

/* The Authorization header's value. */
void sigv4_authorization(const struct sigv4 *s, struct buf *out);

/* Percent-encode all but unreserved characters, and / where keep_slash says so. */
void sigv4_encode(struct buf *out, struct str s, bool keep_slash);

/* name=value&..., encoded and sorted: what was signed must be what is sent. */
void sigv4_add_query(struct buf *out, const struct sigv4_pair *query, size_t count);

#endif
