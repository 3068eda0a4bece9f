/* http.h - one HTTP request at a time; http.c is the only place that includes curl/curl.h.
 *
 * The server may be hostile. Only http and https are spoken, redirects are not followed, headers
 * and body of an answer are bounded in size, and a request in time: it is given up after
 * patience_s, to which HTTP_SLOWEST bytes that went either way add a second, or when it stood still
 * for patience_s. A request is given up at once when a signal was caught (sig.h); one that is to be
 * finished despite a signal has HTTP_GRACE_S from then on. */
#ifndef STARPIPE_HTTP_H
#define STARPIPE_HTTP_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "sigv4.h"

struct http; /* a handle keeps its connection open between requests */

struct http_request {
	const char *method, *url; /* GET, PUT, POST, DELETE */
	const struct sigv4_pair *headers;
	size_t header_count;
	struct str body;
	size_t max_answer;   /* bytes of the answer's body */
	unsigned patience_s;
	bool despite_signal;
};

enum {
	HTTP_MAX_HEADERS = 64 << 10, /* bytes, of all answers to a request */
	HTTP_SLOWEST = 8 << 10,      /* bytes a second */
	HTTP_GRACE_S = 15
};

/* Zeroed before the first use; reused between requests; released once. */
struct http_response {
	long status;
	struct buf body;
	struct buf headers; /* as received, of the last answer if there were several */
	size_t header_bytes; /* of all */
};

int http_open(struct http **h, struct err *e);

/* OK for any answer, whatever its status. No answer: TRY_LATER (network, timeout) or FAILED (URL,
 * certificate, an answer that is too long, a signal). */
int http_send(struct http *h, const struct http_request *req, struct http_response *res,
	      struct err *e);

/* Take a line of headers as it came, once for each; false if these are too long. For tests. */
bool http_response_header(struct http_response *res, struct str line);

/* A header's value without blanks around it, or empty. Valid as long as res. */
struct str http_header(const struct http_response *res, const char *name);

void http_response_release(struct http_response *res);
void http_close(struct http *h);

#endif
