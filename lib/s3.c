/* s3 - signed and retried requests to S3 */
#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "awsconf.h"
#include "hash.h"
#include "http.h"
#include "log.h"
#include "mem.h"
#include "retry.h"
#include "s3_answer.h"
#include "sig.h"
#include "sigv4.h"

enum { MAX_HEADERS = 10, PIECE = 8 << 20, A_DAY_S = 24 * 60 * 60 };

struct s3 {
	struct http *http;
	struct awsconf conf;
	char *bucket;
	char *region;            /* of the bucket, once the server said so */
	long long clock_off_s;   /* the server's clock less ours */
	bool said_unconditional;
	struct http_response res;
};

struct request {
	const char *method, *key;
	struct sigv4_pair query[4];
	size_t query_count;
	struct str body;
	uint64_t offset;    /* of range, which is max_answer bytes */
	size_t max_answer;  /* 0: S3_MAX_CONTROL */
	unsigned patience_s; /* 0: S3_PATIENCE_S */
	const char *content_type, *range, *if_match;
	bool if_absent;
	bool despite_signal; /* begin it, and repeat it, though one was caught */
	bool finish;         /* what was sent is waited for, though one was caught */
};

static bool is_this_machine(struct str host)
{
	static const char local[] = ".localhost";
	size_t n = sizeof(local) - 1;

	return str_eqz(host, local + 1) || str_eqz(host, "[::1]") ||
	       (host.len > n && memcmp(host.data + host.len - n, local, n) == 0) ||
	       (host.len > 4 && memcmp(host.data, "127.", 4) == 0 &&
		strspn(host.data, "0123456789.") >= host.len);
}

static void warn_of_plain_http(const char *endpoint)
{
	static bool said;
	struct str host = { endpoint + 7, 0 };

	if (said || strncmp(endpoint, "http://", 7) != 0)
		return;
	host.len = *host.data == '[' ? strcspn(host.data, "]") + 1 : strcspn(host.data, ":/");
	if (is_this_machine(host))
		return;
	said = true;
	log_warning("rows and signed requests go to %s by plain http: whoever is on the way can "
		    "read and change them",
		    endpoint);
}

int s3_open(const char *bucket, struct s3 **s, struct err *e)
{
	int rc;

	*s = xcalloc(1, sizeof(**s));
	(*s)->bucket = xstrdup(bucket);
	if ((rc = awsconf_read(&(*s)->conf, e)) != OK)
		return rc;
	if ((*s)->conf.endpoint)
		warn_of_plain_http((*s)->conf.endpoint);
	(*s)->region = xstrdup((*s)->conf.region);
	return http_open(&(*s)->http, e);
}

void s3_close(struct s3 *s)
{
	if (!s)
		return;
	http_close(s->http);
	http_response_release(&s->res);
	awsconf_release(&s->conf);
	free(s->region);
	free(s->bucket);
	free(s);
}

/* --- one request --- */

/* An endpoint of one's own is addressed by path, AWS by the bucket's name, unless dots in it would
 * not fit the certificate. */
static void locate(const struct s3 *s, const char *key, struct buf *base, struct buf *host,
		   struct buf *path)
{
	const char *endpoint = s->conf.endpoint;

	if (endpoint) {
		const char *name = strstr(endpoint, "://") + 3;

		buf_add(host, name, strcspn(name, "/"));
		buf_add(base, endpoint, (size_t)(name - endpoint) + host->len);
		buf_addz(path, name + host->len);
		buf_addf(path, "/%s/%s", s->bucket, key);
	} else if (strchr(s->bucket, '.')) {
		buf_addf(host, "s3.%s.amazonaws.com", s->region);
		buf_addf(path, "/%s/%s", s->bucket, key);
	} else {
		buf_addf(host, "%s.s3.%s.amazonaws.com", s->bucket, s->region);
		buf_addf(path, "/%s", key);
	}
	if (!endpoint)
		buf_addf(base, "https://%s", host->data);
}

static void time_now(const struct s3 *s, char out[20])
{
	time_t now = time(NULL) + (time_t)s->clock_off_s;
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 20, "%Y%m%dT%H%M%SZ", &tm);
}

static void add(struct sigv4_pair *h, size_t *n, const char *name, const char *value)
{
	if (value)
		h[(*n)++] = (struct sigv4_pair){ str_of(name), str_of(value) };
}

static int send_once(struct s3 *s, const struct request *r, struct err *e)
{
	struct buf base = { 0 }, host = { 0 }, path = { 0 }, url = { 0 }, auth = { 0 };
	struct sigv4_pair h[MAX_HEADERS];
	char hash[SHA256_HEX + 1], now[20];
	struct sigv4 sign;
	size_t n = 0;
	int rc;

	locate(s, r->key, &base, &host, &path);
	time_now(s, now);
	sha256_hex(r->body, hash);
	add(h, &n, "host", host.data);
	add(h, &n, "x-amz-date", now);
	add(h, &n, "x-amz-content-sha256", hash);
	add(h, &n, "x-amz-security-token", s->conf.token);
	add(h, &n, "content-type", r->content_type);
	add(h, &n, "range", r->range);
	add(h, &n, "if-match", r->if_match);
	add(h, &n, "if-none-match", r->if_absent ? "*" : NULL);
	sign = (struct sigv4){ .method = r->method,
			       .path = buf_str(&path),
			       .query = r->query,
			       .query_count = r->query_count,
			       .headers = h,
			       .header_count = n,
			       .payload = str_of(hash),
			       .region = s->region,
			       .service = "s3",
			       .access_key = s->conf.access_key,
			       .secret_key = s->conf.secret_key,
			       .time = now };
	sigv4_authorization(&sign, &auth);
	add(h, &n, "authorization", auth.data);
	buf_addstr(&url, buf_str(&base));
	sigv4_encode(&url, buf_str(&path), true);
	if (r->query_count) {
		buf_addch(&url, '?');
		sigv4_add_query(&url, r->query, r->query_count);
	}
	rc = http_send(s->http,
		       &(struct http_request){
			       .method = r->method,
			       .url = url.data,
			       .headers = h,
			       .header_count = n,
			       .body = r->body,
			       .max_answer = r->max_answer > S3_MAX_CONTROL ? r->max_answer :
									      S3_MAX_CONTROL,
			       .patience_s = r->patience_s ? r->patience_s : S3_PATIENCE_S,
			       .despite_signal = r->despite_signal || r->finish },
		       &s->res, e);
	if (rc != OK)
		err_wrap(e, rc, "%s", base.data);
	buf_release(&base);
	buf_release(&host);
	buf_release(&path);
	buf_release(&url);
	buf_release(&auth);
	return rc;
}

/* --- answers --- */

static bool is_code(const char *code, const char *what)
{
	return code && strcmp(code, what) == 0;
}

/* What is refused by 409 met another request under way, of which nobody knows yet what will be
 * there. A 307 that names no region leads back here in a while. */
static bool worth_retrying(long status, const char *code)
{
	return status >= 500 || status == 429 || status == 408 || status == 409 ||
	       status == 307 || is_code(code, "SlowDown") ||
	       is_code(code, "RequestTimeout") || is_code(code, "InternalError");
}

/* Only this tells that a key is absent: a 404 may be any web server's, or a proxy's. */
static bool is_absent(const struct s3 *s)
{
	char *code = s3_answer_text(&s->res.body, "Code", S3_CODE_MAX);
	bool absent = s->res.status == 404 && is_code(code, "NoSuchKey");

	free(code);
	return absent;
}

static bool is_unknown_user(const char *code)
{
	return is_code(code, "InvalidAccessKeyId") || is_code(code, "NotSignedUp") ||
	       is_code(code, "XAdminUserNotFound"); /* versitygw, by 404 */
}

/* The failure that an answer is. */
static int refused(const struct s3 *s, const struct request *r, const char *code, struct err *e)
{
	char *message = s3_answer_text(&s->res.body, "Message", S3_MESSAGE_MAX);
	long status = s->res.status;
	int kind = worth_retrying(status, code) ? TRY_LATER :
		   status == 403 || status == 401 || is_unknown_user(code) ? NOT_PERMITTED :
									     FAILED;

	err_set(e, kind, "could not %s s3://%s/%s: %s%s%s (HTTP %ld)",
		strcmp(r->method, "GET") == 0 ? "get" : "put", s->bucket, r->key,
		code ? code : "no reason given", message && *message ? ": " : "",
		message ? message : "", status);
	if (is_code(code, "NoSuchBucket"))
		err_hint(e, kind, "Create it first: 'aws s3 mb s3://%s'.", s->bucket);
	else if (is_code(code, "SignatureDoesNotMatch") || is_unknown_user(code))
		err_hint(e, kind, "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.");
	else if (status == 404 && !code)
		err_hint(e, kind, "It does not answer as S3 does: check AWS_ENDPOINT_URL.");
	free(message);
	return kind;
}

/* A clock that is off can be put right once, by a day at most: what is signed for a later time is
 * good until then, for whoever reads it. OK if the request is worth another try. */
static int correct_clock(struct s3 *s, int rc, struct err *e)
{
	int64_t date, off;

	if (s->clock_off_s || !s3_answer_date(http_header(&s->res, "Date"), &date))
		return rc;
	off = date - (int64_t)time(NULL);
	if (off > A_DAY_S || off < -A_DAY_S)
		return err_wrap(e, rc, "this machine's clock and the server's are %lld days apart",
				(long long)(off < 0 ? -off : off) / A_DAY_S);
	s->clock_off_s = off;
	return off ? OK : rc;
}

/* Whatever can be put right is put right: OK if the request is worth another try. */
static int corrected(struct s3 *s, const char *code, int rc, struct err *e)
{
	struct str region = http_header(&s->res, "x-amz-bucket-region");

	if (is_code(code, "RequestTimeTooSkewed"))
		return correct_clock(s, rc, e);
	if (s3_answer_is_region(region) && !str_eqz(region, s->region) &&
	    (s->res.status == 301 || s->res.status == 307 || s->res.status == 400)) {
		free(s->region);
		s->region = xstrndup(region.data, region.len);
		return OK;
	}
	return rc;
}

/* In slices, for a signal may come just before one. */
static void wait_ms(unsigned ms, bool despite_signal)
{
	const struct timespec slice = { 0, 100 * 1000000 };

	for (unsigned waited = 0; waited < ms && (despite_signal || !sig_caught()); waited += 100)
		nanosleep(&slice, NULL);
}

static double chance(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_nsec % 1000003) / 1000003.0;
}

/* Is it all of the range that was asked for? Where an answer does not tell its length, libcurl
 * takes a lost connection for its end. */
static int check_whole(const struct s3 *s, const struct request *r, struct err *e)
{
	struct s3_range got;
	uint64_t end = r->offset + r->max_answer;

	if (s->res.status == 200 && strcmp(r->method, "GET") == 0 &&
	    s->res.headers.len > 6 && memcmp(s->res.headers.data, "HTTP/1", 6) == 0 &&
	    !http_header(&s->res, "Content-Length").len &&
	    !http_header(&s->res, "Transfer-Encoding").len)
		return err_set(e, TRY_LATER, "an answer that does not tell its length");
	if (s->res.status != 206 ||
	    !s3_answer_range(http_header(&s->res, "Content-Range"), &got))
		return OK; /* whoever asked for a range sees to it that it has one */
	if (got.first != r->offset || got.last + 1 != (end < got.total ? end : got.total))
		return err_set(e, TRY_LATER, "an answer of another range than was asked for");
	if (s->res.body.len != got.last + 1 - got.first)
		return err_set(e, TRY_LATER, "connection lost within an answer");
	return OK;
}

/* Send until there is an answer that stands. OK: 2xx; else e, and s->res holds the last answer. */
static int request(struct s3 *s, const struct request *r, struct err *e)
{
	int rc = TRY_LATER;

	s->res.status = 0;
	for (unsigned attempt = 0; attempt < RETRY_ATTEMPTS; attempt++) {
		char *code;

		if (sig_caught() && !r->despite_signal)
			return err_set(e, FAILED, "interrupted");
		rc = send_once(s, r, e);
		if (rc == OK && (rc = check_whole(s, r, e)) != OK)
			err_wrap(e, rc, "s3://%s/%s", s->bucket, r->key);
		if (rc == OK) {
			code = s3_answer_text(&s->res.body, "Code", S3_CODE_MAX);
			/* completing an upload can fail behind a 200 that was sent early */
			if (s->res.status / 100 == 2 && !(code && strcmp(r->method, "POST") == 0)) {
				free(code);
				return OK;
			}
			rc = refused(s, r, code, e);
			if (s->res.status / 100 == 2)
				rc = TRY_LATER;
			if (corrected(s, code, rc, e) == OK)
				rc = TRY_LATER;
			free(code);
		}
		if (rc != TRY_LATER || attempt + 1 == RETRY_ATTEMPTS ||
		    (sig_caught() && !r->despite_signal))
			break;
		log_info("%s; trying again", e->msg);
		wait_ms(retry_delay_ms(attempt, chance()), r->despite_signal);
	}
	return rc;
}

/* --- objects --- */

static int was_replaced(const struct s3 *s, const char *key, struct err *e)
{
	return err_set(e, TRY_LATER, "s3://%s/%s was replaced while it was read", s->bucket, key);
}

/* What an answer with bytes is of: the size of the object and its ETag. */
static int read_version(const struct s3 *s, struct buf *version)
{
	struct str tag = http_header(&s->res, "ETag");
	struct s3_range got = { .total = s->res.body.len };

	if (s->res.status == 206 && !s3_answer_range(http_header(&s->res, "Content-Range"), &got))
		return FAILED;
	buf_addf(version, "%llu ", (unsigned long long)got.total);
	if (s3_answer_is_token(tag))
		buf_addstr(version, tag);
	return OK;
}

/* Not every server heeds If-Match, so every answer is compared with the first. */
int s3_read(struct s3 *s, const char *key, uint64_t offset, size_t len, struct buf *data,
	    struct buf *version, struct err *e)
{
	const char *tag = version->len ? strchr(version->data, ' ') + 1 : "";
	char range[64];
	struct request r = { .method = "GET", .key = key, .range = range, .offset = offset,
			     .max_answer = len, .if_match = *tag ? tag : NULL };
	struct buf now = { 0 };
	int rc;

	if (version->len && offset >= strtoull(version->data, NULL, 10)) /* nothing is that far */
		return OK;
	snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)offset,
		 (unsigned long long)offset + len - 1);
	rc = request(s, &r, e);
	if (rc != OK && version->len && (s->res.status == 412 || s->res.status == 416))
		return was_replaced(s, key, e);
	if (rc != OK && s->res.status == 416) /* an empty object has no byte 0 */
		return OK;
	if (rc != OK)
		return rc;
	if (s->res.body.len > len || (offset && s->res.status != 206) ||
	    read_version(s, &now) != OK)
		rc = err_set(e, FAILED, "could not get s3://%s/%s: the server knows no ranges",
			     s->bucket, key);
	else if (version->len && !str_eq(buf_str(&now), buf_str(version)))
		rc = was_replaced(s, key, e);
	if (rc == OK && !version->len)
		buf_addstr(version, buf_str(&now));
	if (rc == OK)
		buf_add(data, s->res.body.data, s->res.body.len);
	buf_release(&now);
	return rc;
}

/* In pieces, for objects may be large. */
int s3_get(struct s3 *s, const char *key, size_t max, struct buf *data, bool *found,
	   struct err *e)
{
	struct buf version = { 0 };
	size_t start = data->len, before, ask;
	int rc;

	do { /* a byte more than max tells that there is more */
		before = data->len;
		ask = max - (before - start) < PIECE ? max - (before - start) + 1 : PIECE;
		rc = s3_read(s, key, before - start, ask, data, &version, e);
	} while (rc == OK && data->len - before == ask && data->len - start <= max);
	*found = rc == OK;
	if (rc == OK && data->len - start > max)
		rc = err_set(e, BAD_DATA, "s3://%s/%s is larger than %zu bytes", s->bucket, key,
			     max);
	if (rc != OK && data->len == start && is_absent(s))
		rc = OK;
	buf_release(&version);
	return rc;
}

/* Look at what refused r. OK: *found tells whether there is an object of the key; it is ours. */
static int look_at_rival(struct s3 *s, const struct request *r, bool *found, struct err *e)
{
	struct buf there = { 0 };
	int rc = s3_get(s, r->key, r->body.len, &there, found, e);

	if (rc == BAD_DATA) /* a longer one is another's, too */
		*found = true;
	/* ours: an answer got lost, and the retry met its own work */
	if ((rc == OK || rc == BAD_DATA) && *found && !str_eq(buf_str(&there), r->body))
		rc = err_set(e, LOST_RACE, "s3://%s/%s is there already: another run was first",
			     s->bucket, r->key);
	buf_release(&there);
	return rc;
}

/* A 412 says that the key is there. Some gateways say it of any If-None-Match (Ceph before 18):
 * where the key is absent, and the same is said again, put it without the condition, which is the
 * best they can do. */
static int put_was_refused(struct s3 *s, struct request *r, struct err *e)
{
	bool found;
	int rc = look_at_rival(s, r, &found, e);

	if (rc != OK || found)
		return rc;
	if ((rc = request(s, r, e)) == OK || s->res.status != 412)
		return rc;
	if ((rc = look_at_rival(s, r, &found, e)) != OK || found)
		return rc;
	if (!s->said_unconditional)
		log_warning("this S3 server has no conditional writes: runs at the same time are "
			    "told apart by a look before writing only");
	s->said_unconditional = true;
	r->if_absent = false;
	return request(s, r, e);
}

int s3_put(struct s3 *s, const char *key, struct str data, bool if_absent, const char *content_type,
	   struct err *e)
{
	struct request r = { .method = "PUT",
			     .key = key,
			     .body = data,
			     .content_type = content_type,
			     .if_absent = if_absent };
	int rc = request(s, &r, e);

	return rc != OK && if_absent && s->res.status == 412 ?
	       put_was_refused(s, &r, e) : rc;
}

int s3_refuses(struct s3 *s, const char *key, struct str data, bool *refused, struct err *e)
{
	struct request r = { .method = "PUT", .key = key, .body = data, .if_absent = true,
			     .content_type = "application/json" };
	int rc = request(s, &r, e);

	*refused = rc != OK && s->res.status == 412;
	return *refused ? OK : rc;
}

/* --- multipart --- */

static void add_query(struct request *r, const char *name, const char *value)
{
	r->query[r->query_count++] = (struct sigv4_pair){ str_of(name), str_of(value) };
}

int s3_multipart_start(struct s3 *s, const char *key, const char *content_type, char **upload_id,
		       struct err *e)
{
	/* an upload whose id was not read cannot be aborted: wait for the answer */
	struct request r = { .method = "POST", .key = key, .content_type = content_type,
			     .finish = true };
	int rc;

	add_query(&r, "uploads", "");
	if ((rc = request(s, &r, e)) != OK)
		return rc;
	*upload_id = s3_answer_text(&s->res.body, "UploadId", S3_TOKEN_MAX);
	return *upload_id && s3_answer_is_token(str_of(*upload_id)) ?
		       OK :
		       err_set(e, FAILED, "s3://%s/%s: the server gave no UploadId", s->bucket,
			       key);
}

int s3_multipart_part(struct s3 *s, const char *key, const char *upload_id, unsigned number,
		      struct str data, char **etag, struct err *e)
{
	struct request r = { .method = "PUT", .key = key, .body = data };
	char digits[16];
	struct str tag;
	int rc;

	snprintf(digits, sizeof(digits), "%u", number);
	add_query(&r, "partNumber", digits);
	add_query(&r, "uploadId", upload_id);
	if ((rc = request(s, &r, e)) != OK)
		return rc;
	tag = http_header(&s->res, "ETag");
	if (!s3_answer_is_token(tag))
		return err_set(e, FAILED, "s3://%s/%s: the server gave no ETag for part %u",
			       s->bucket, key, number);
	*etag = xstrndup(tag.data, tag.len);
	return OK;
}

/* The ETag of an object that was put in parts: the MD5 of their MD5s, which are their ETags. */
static bool whole_etag(const struct s3_part *parts, unsigned count, struct buf *whole)
{
	char hex[MD5_HEX + 1], byte[3] = "";
	struct buf sums = { 0 };
	bool known = true;

	for (unsigned i = 0; i < count && known; i++) {
		const char *sum = parts[i].etag + (*parts[i].etag == '"');

		known = strspn(sum, "0123456789abcdef") == MD5_HEX;
		for (size_t at = 0; known && at < MD5_HEX; at += 2) {
			memcpy(byte, sum + at, 2);
			buf_addch(&sums, (char)strtoul(byte, NULL, 16));
		}
	}
	md5_hex(buf_str(&sums), hex);
	buf_addf(whole, "\"%s-%u\"", hex, count);
	buf_release(&sums);
	return known;
}

/* Read the object's bytes again: is each part's MD5 its ETag? */
static bool has_parts(struct s3 *s, const char *key, const struct s3_part *parts, unsigned count,
		      struct buf *version)
{
	struct buf data = { 0 };
	struct err ignored;
	uint64_t at = 0;
	bool same = true;

	for (unsigned i = 0; i < count && same; i++) {
		const char *sum = parts[i].etag + (*parts[i].etag == '"');
		char hex[MD5_HEX + 1];

		buf_reset(&data);
		same = s3_read(s, key, at, parts[i].size, &data, version, &ignored) == OK &&
		       data.len == parts[i].size;
		if (same) {
			md5_hex(buf_str(&data), hex);
			same = strncmp(sum, hex, MD5_HEX) == 0;
		}
		at += parts[i].size;
	}
	buf_release(&data);
	return same;
}

/* Is the object that is there the one of these parts? Then an earlier answer got lost. Most servers
 * tell it by the ETag; some give another kind of ETag, and its bytes must tell. */
static bool is_completed(struct s3 *s, const char *key, const struct s3_part *parts,
			 unsigned count)
{
	struct buf data = { 0 }, version = { 0 }, ours = { 0 };
	struct err ignored; /* the failure that led here is the one to tell */
	uint64_t size = 0;
	bool same;

	for (unsigned i = 0; i < count; i++)
		size += parts[i].size;
	buf_addf(&ours, "%llu ", (unsigned long long)size);
	same = whole_etag(parts, count, &ours) &&
	       s3_read(s, key, 0, 2, &data, &version, &ignored) == OK && version.len &&
	       strtoull(version.data, NULL, 10) == size &&
	       (str_eq(buf_str(&version), buf_str(&ours)) ||
		has_parts(s, key, parts, count, &version));
	buf_release(&data);
	buf_release(&version);
	buf_release(&ours);
	return same;
}

int s3_multipart_complete(struct s3 *s, const char *key, const char *upload_id,
			  const struct s3_part *parts, unsigned count, struct err *e)
{
	struct request r = { .method = "POST", .key = key, .content_type = "application/xml",
			     .patience_s = S3_COMPLETE_S };
	struct buf xml = { 0 };
	int rc;

	buf_addz(&xml, "<CompleteMultipartUpload>");
	for (unsigned i = 0; i < count; i++)
		buf_addf(&xml, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", i + 1,
			 parts[i].etag);
	buf_addz(&xml, "</CompleteMultipartUpload>");
	r.body = buf_str(&xml);
	add_query(&r, "uploadId", upload_id);
	rc = request(s, &r, e);
	buf_release(&xml);
	if (rc != OK && s->res.status && is_completed(s, key, parts, count)) {
		log_info("%s; but the object is there: an answer got lost", e->msg);
		return OK;
	}
	return rc;
}

int s3_multipart_abort(struct s3 *s, const char *key, const char *upload_id, struct err *e)
{
	struct request r = { .method = "DELETE", .key = key, .despite_signal = true };

	add_query(&r, "uploadId", upload_id);
	return request(s, &r, e);
}
