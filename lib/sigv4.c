/* sigv4 - AWS Signature Version 4 */
#include "sigv4.h"

#include <stdlib.h>

#include "hash.h"
#include "mem.h"

void sigv4_encode(struct buf *out, struct str s, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash)) {
			buf_addch(out, (char)c);
		} else {
			char three[] = { '%', hex[c >> 4], hex[c & 15] };

			buf_add(out, three, 3);
		}
	}
}

static int by_name(const void *a, const void *b)
{
	const struct sigv4_pair *x = a, *y = b;
	int c = str_cmp(x->name, y->name);

	return c ? c : str_cmp(x->value, y->value);
}

static struct sigv4_pair *sorted(const struct sigv4_pair *pairs, size_t count)
{
	struct sigv4_pair *copy = xcalloc(count, sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		copy[i] = pairs[i];
	qsort(copy, count, sizeof(*copy), by_name);
	return copy;
}

/* Sorting the encoded names is what the rule says; for the names S3 has it is the same. */
void sigv4_add_query(struct buf *out, const struct sigv4_pair *query, size_t count)
{
	struct sigv4_pair *q = sorted(query, count);

	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_addch(out, '&');
		sigv4_encode(out, q[i].name, false);
		buf_addch(out, '=');
		sigv4_encode(out, q[i].value, false);
	}
	free(q);
}

/* A header's value as it is signed: no blanks around it, one where there are several. */
static void add_value(struct buf *out, struct str value)
{
	bool blank = false;

	for (size_t i = 0, from = out->len; i < value.len; i++) {
		if (value.data[i] == ' ' || value.data[i] == '\t') {
			blank = out->len > from;
			continue;
		}
		if (blank)
			buf_addch(out, ' ');
		blank = false;
		buf_addch(out, value.data[i]);
	}
}

/* The canonical request, and the names of the signed headers. */
static void add_canonical(const struct sigv4 *s, struct buf *out, struct buf *names)
{
	struct sigv4_pair *h = sorted(s->headers, s->header_count);

	buf_addf(out, "%s\n", s->method);
	sigv4_encode(out, s->path, true);
	buf_addch(out, '\n');
	sigv4_add_query(out, s->query, s->query_count);
	buf_addch(out, '\n');
	for (size_t i = 0; i < s->header_count; i++) {
		buf_addstr(out, h[i].name);
		buf_addch(out, ':');
		add_value(out, h[i].value);
		buf_addch(out, '\n');
		if (i)
			buf_addch(names, ';');
		buf_addstr(names, h[i].name);
	}
	buf_addf(out, "\n%s\n", names->data ? names->data : "");
	buf_addstr(out, s->payload);
	free(h);
}

static void sign(const struct sigv4 *s, struct str text, char hex[SHA256_HEX + 1])
{
	const char *parts[] = { s->region, s->service, "aws4_request" };
	unsigned char k[SHA256_BYTES];
	const struct str key = { (const char *)k, sizeof(k) };
	struct buf first = { 0 };

	buf_addf(&first, "AWS4%s", s->secret_key);
	hmac_sha256(buf_str(&first), (struct str){ s->time, 8 }, k);
	for (size_t i = 0; i < 3; i++)
		hmac_sha256(key, str_of(parts[i]), k);
	hmac_sha256(key, text, k);
	to_hex(k, sizeof(k), hex);
	explicit_bzero(first.data, first.len);
	buf_release(&first);
}

void sigv4_authorization(const struct sigv4 *s, struct buf *out)
{
	struct buf canonical = { 0 }, names = { 0 }, to_sign = { 0 };
	char hash[SHA256_HEX + 1], signature[SHA256_HEX + 1];

	add_canonical(s, &canonical, &names);
	sha256_hex(buf_str(&canonical), hash);
	buf_addf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", s->time, s->time,
		 s->region, s->service, hash);
	sign(s, buf_str(&to_sign), signature);
	buf_addf(out,
		 "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, "
		 "Signature=%s",
		 s->access_key, s->time, s->region, s->service, names.data ? names.data : "",
		 signature);
	buf_release(&canonical);
	buf_release(&names);
	buf_release(&to_sign);
}
