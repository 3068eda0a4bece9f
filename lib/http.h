/* http.h - one HTTP request at a time; http.c is the only place that includes curl/curl.h.
 *
 * Redirects are not followed, answers are bounded. A request is given up when a signal was caught
 * (sig.h), unless it is to be finished despite one. */
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
	bool despite_signal;
};

/* Zeroed before the first use; reused between requests; released once. */
struct http_response {
	long status;
	struct buf body;    /* at most HTTP_MAX_BODY */
	struct buf headers; /* as received */
};

#define HTTP_MAX_BODY ((size_t)64 << 20)

int http_open(struct http **h, struct err *e);

/* OK for any answer, whatever its status. No answer: TRY_LATER (network, timeout) or FAILED (URL,
 * certificate, an answer that is too long). */
int http_send(struct http *h, const struct http_request *req, struct http_response *res,
	      struct err *e);

/* A header's value without blanks around it, or empty. Valid as long as res. */
struct str http_header(const struct http_response *res, const char *name);

void http_response_release(struct http_response *res);
void http_close(struct http *h);

#endif
