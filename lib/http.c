/* http - one HTTP request at a time, by libcurl */
#include "http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "mem.h"
#include "sig.h"

enum { CONNECT_TIMEOUT_S = 10 };

struct http {
	CURL *curl;
	const struct http_request *req;
	struct http_response *res;
	size_t sent;
	bool headers_ended, too_long, too_slow, interrupted;
	double began_s, caught_s; /* caught_s: since when a signal is known, 0: none is */
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t on_read(char *to, size_t size, size_t count, void *arg)
{
	struct http *h = arg;
	size_t n = h->req->body.len - h->sent;

	if (n > size * count)
		n = size * count;
	memcpy(to, h->req->body.data + h->sent, n);
	h->sent += n;
	return n;
}

/* libcurl rewinds a body when a kept connection turned out to be dead. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http *h = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > h->req->body.len)
		return CURL_SEEKFUNC_CANTSEEK;
	h->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http *h = arg;

	count *= size;
	h->too_long = count > h->req->max_answer - h->res->body.len;
	if (h->too_long)
		return 0;
	buf_add(&h->res->body, data, count);
	return count;
}

bool http_response_header(struct http_response *res, struct str line)
{
	res->header_bytes += line.len;
	if (res->header_bytes > HTTP_MAX_HEADERS)
		return false;
	if (line.len >= 5 && memcmp(line.data, "HTTP/", 5) == 0)
		buf_reset(&res->headers); /* another answer (after 100 Continue) */
	buf_addstr(&res->headers, line);
	return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct http *h = arg;

	count *= size;
	h->headers_ended = count > 0 && (data[0] == '\r' || data[0] == '\n');
	h->too_long = !http_response_header(h->res, (struct str){ data, count });
	return h->too_long ? 0 : count;
}

/* libcurl calls it at least once a second, whatever it waits for. */
static int on_progress(void *arg, curl_off_t a, curl_off_t down, curl_off_t b, curl_off_t up)
{
	struct http *h = arg;
	double now = now_s();

	(void)a, (void)b;
	h->too_slow = now - h->began_s >
		      h->req->patience_s + (double)(down + up) / HTTP_SLOWEST;
	if (sig_caught() && h->caught_s == 0)
		h->caught_s = now;
	h->interrupted = h->caught_s > 0 &&
			 (!h->req->despite_signal || now - h->caught_s > HTTP_GRACE_S);
	return h->too_slow || h->interrupted;
}

/* How it is set before libcurl 7.85 newer ones deprecate. */
static void set_protocols(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

int http_open(struct http **h, struct err *e)
{
	CURL *c;
	const char *bundle = getenv("AWS_CA_BUNDLE");

	*h = NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(c = curl_easy_init()))
		return err_set(e, FAILED, "could not start libcurl");
	*h = xcalloc(1, sizeof(**h));
	(*h)->curl = c;
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	set_protocols(c);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L); /* a key may hold .. and // */
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(c, CURLOPT_READDATA, *h);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, *h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, *h);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, *h);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, *h);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
	if (bundle && *bundle)
		curl_easy_setopt(c, CURLOPT_CAINFO, bundle);
	return OK;
}

static void set_method(CURL *c, const struct http_request *req)
{
	bool put = strcmp(req->method, "PUT") == 0 || strcmp(req->method, "POST") == 0;

	curl_easy_setopt(c, CURLOPT_UPLOAD, put ? 1L : 0L);
	if (put)
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body.len);
	else
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
}

static int no_answer(const struct http *h, CURLcode code, struct err *e)
{
	bool hopeless = code == CURLE_URL_MALFORMAT || code == CURLE_PEER_FAILED_VERIFICATION ||
			code == CURLE_SSL_CACERT_BADFILE;

	if (h->too_long)
		return err_set(e, FAILED, "the answer is too long");
	if (h->interrupted)
		return err_set(e, FAILED, "interrupted");
	if (h->too_slow)
		return err_set(e, TRY_LATER, "the answer comes too slowly");
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
		return err_set(e, TRY_LATER, "the answer is not HTTP");
	return err_set(e, hopeless ? FAILED : TRY_LATER, "%s", curl_easy_strerror(code));
}

static void start(struct http *h, const struct http_request *req, struct http_response *res)
{
	h->req = req;
	h->res = res;
	h->sent = 0;
	h->headers_ended = h->too_long = h->too_slow = h->interrupted = false;
	h->began_s = now_s();
	buf_reset(&res->body);
	buf_reset(&res->headers);
	res->header_bytes = 0;
	res->status = 0;
	set_method(h->curl, req);
	curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_TIME, (long)req->patience_s);
	curl_easy_setopt(h->curl, CURLOPT_URL, req->url);
}

int http_send(struct http *h, const struct http_request *req, struct http_response *res,
	      struct err *e)
{
	struct curl_slist *headers = NULL;
	struct buf line = { 0 };
	CURLcode code;

	start(h, req, res);
	for (size_t i = 0; i < req->header_count; i++) {
		buf_reset(&line);
		buf_addf(&line, "%.*s: %.*s", STR_ARG(req->headers[i].name),
			 STR_ARG(req->headers[i].value));
		headers = curl_slist_append(headers, line.data);
	}
	headers = curl_slist_append(headers, "Transfer-Encoding:");
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(h->curl);
	curl_slist_free_all(headers);
	buf_release(&line);
	if (code != CURLE_OK)
		return no_answer(h, code, e);
	if (!h->headers_ended) /* libcurl takes that for a whole answer without a body */
		return err_set(e, TRY_LATER, "connection lost within an answer");
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &res->status);
	return OK;
}

struct str http_header(const struct http_response *res, const char *name)
{
	struct str rest = buf_str(&res->headers);
	size_t n = strlen(name);

	while (rest.len) {
		const char *end = memchr(rest.data, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.data) : rest.len;

		if (len > n && rest.data[n] == ':' && strncasecmp(rest.data, name, n) == 0) {
			struct str v = { rest.data + n + 1, len - n - 1 };

			while (v.len && (*v.data == ' ' || *v.data == '\t')) {
				v.data++;
				v.len--;
			}
			while (v.len && (v.data[v.len - 1] == '\r' || v.data[v.len - 1] == ' '))
				v.len--;
			return v;
		}
		rest = (struct str){ rest.data + len + (end != NULL),
				     rest.len - len - (end != NULL) };
	}
	return (struct str){ "", 0 };
}

void http_response_release(struct http_response *res)
{
	buf_release(&res->body);
	buf_release(&res->headers);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}
