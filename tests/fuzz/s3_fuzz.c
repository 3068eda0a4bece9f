/* s3_fuzz - any bytes as an answer of S3: make fuzz T=s3, and replayed as a test
 *
 * Lines up to an empty one are headers, the rest is the body, as on a connection. Whatever they
 * say: headers stay bounded, a date is one, what is sent back is harmless, and a message for people
 * is one line of visible UTF-8, in a multiple of the input. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "err.h"
#include "http.h"
#include "printable.h"
#include "s3_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Headers as libcurl hands them out, with their line breaks; returns what is behind them. */
static struct str take_headers(struct http_response *res, struct str rest)
{
	bool empty = false;

	while (rest.len && !empty) {
		const char *end = memchr(rest.data, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.data) + 1 : rest.len;

		empty = *rest.data == '\n' || *rest.data == '\r';
		if (!http_response_header(res, (struct str){ rest.data, len }))
			break;
		rest = (struct str){ rest.data + len, rest.len - len };
	}
	must(res->headers.len <= HTTP_MAX_HEADERS);
	return rest;
}

/* A date that was read is the one that its own text says. */
static void check_date(struct str date)
{
	char text[64];
	struct tm tm;
	int64_t read, again;
	time_t t;

	if (!s3_answer_date(date, &read))
		return;
	t = (time_t)read;
	must(gmtime_r(&t, &tm) && tm.tm_year >= -1901 && tm.tm_year <= 9999 - 1900 + 1);
	if (tm.tm_year < 1000 - 1900 || tm.tm_year > 9999 - 1900)
		return;
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	must(s3_answer_date(str_of(text), &again) && again == read);
}

static void check_tokens(const struct http_response *res)
{
	struct str tag = http_header(res, "ETag"), region = http_header(res, "x-amz-bucket-region");
	struct s3_range range;

	if (s3_answer_range(http_header(res, "Content-Range"), &range))
		must(range.first <= range.last && range.last < range.total);
	if (s3_answer_is_token(tag))
		for (size_t i = 0; i < tag.len; i++)
			must(tag.data[i] > ' ' && tag.data[i] < 0x7f && tag.data[i] != '<');
	if (s3_answer_is_region(region))
		must(region.len <= 32 && !memchr(region.data, '.', region.len) &&
		     !memchr(region.data, '/', region.len));
}

static void check_printable(const char *text)
{
	struct buf out = { 0 };

	printable_add(&out, str_of(text));
	must(out.len <= 4 * strlen(text) && str_bad_utf8(buf_str(&out)) == out.len);
	for (size_t i = 0; i < out.len; i++)
		must((unsigned char)out.data[i] >= ' ' && out.data[i] != 0x7f);
	buf_release(&out);
}

static void check_body(const struct buf *body)
{
	static const char *const names[] = { "Code", "Message", "UploadId" };
	static const size_t max[] = { S3_CODE_MAX, S3_MESSAGE_MAX, S3_TOKEN_MAX };
	struct err e;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *text = s3_answer_text(body, names[i], max[i]);

		if (!text)
			continue;
		must(strlen(text) <= max[i] + 3);
		err_set(&e, FAILED, "could not get s3://bucket/%s: %s", text, text);
		err_wrap(&e, FAILED, "%s", text);
		check_printable(e.msg);
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_response res = { 0 };
	struct buf text = { 0 };

	buf_addstr(&res.body, take_headers(&res, (struct str){ (const char *)data, size }));
	check_date(http_header(&res, "Date"));
	check_date((struct str){ (const char *)data, size });
	check_tokens(&res);
	check_body(&res.body);
	buf_add(&text, data, size);
	check_printable(text.data);
	buf_release(&text);
	http_response_release(&res);
	return 0;
}
