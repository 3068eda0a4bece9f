/* s3_answer - what stands in an answer of S3 */
#include "s3_answer.h"

#include <time.h>

#include "mem.h"

/* Add the byte that begins at p, or the entity; returns how many bytes that were. */
static size_t add_resolved(struct buf *out, const char *p)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = {
		{ "&lt;", '<' },   { "&gt;", '>' },    { "&amp;", '&' },
		{ "&quot;", '"' }, { "&apos;", '\'' },
	};

	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]) && *p == '&'; i++) {
		size_t len = strlen(entities[i].entity);

		if (strncmp(p, entities[i].entity, len) == 0) {
			buf_addch(out, entities[i].c);
			return len;
		}
	}
	buf_addch(out, *p);
	return 1;
}

/* Answers are small documents without attributes on what we look for; anything else is simply not
 * found. */
char *s3_answer_text(const struct buf *body, const char *name, size_t max)
{
	struct buf tag = { 0 }, out = { 0 };
	const char *p, *end;
	char *text = NULL;

	buf_addf(&tag, "</%s>", name);
	end = body->len ? strstr(body->data, tag.data) : NULL;
	buf_reset(&tag);
	buf_addf(&tag, "<%s>", name);
	p = end ? strstr(body->data, tag.data) : NULL;
	if (p && p < end) {
		p += tag.len;
		while (p < end && out.len < max)
			p += add_resolved(&out, p);
		if (p < end) {
			size_t good = str_bad_utf8(buf_str(&out));

			out.len = out.len - good < 4 ? good : out.len; /* no part of a character */
			buf_addz(&out, "...");
		}
		text = xstrndup(out.data ? out.data : "", out.len);
	}
	buf_release(&tag);
	buf_release(&out);
	return text;
}

/* A number of exactly so many digits, and what follows it. */
static bool number(const char **p, int digits, char behind, int *n)
{
	*n = 0;
	for (; digits > 0 && **p >= '0' && **p <= '9'; digits--)
		*n = *n * 10 + (*(*p)++ - '0');
	return digits == 0 && *(*p)++ == behind;
}

bool s3_answer_date(struct str date, int64_t *seconds)
{
	static const char months[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
	char z[30], month[4] = "";
	struct tm tm = { 0 };
	const char *p = z + 5, *m;

	if (date.len != sizeof(z) - 1)
		return false;
	memcpy(z, date.data, date.len);
	z[date.len] = '\0';
	if (!number(&p, 2, ' ', &tm.tm_mday) || strlen(p) < 4)
		return false;
	memcpy(month, p, 3);
	p += 4;
	if (!number(&p, 4, ' ', &tm.tm_year) || !number(&p, 2, ':', &tm.tm_hour) ||
	    !number(&p, 2, ':', &tm.tm_min) || !number(&p, 2, ' ', &tm.tm_sec) ||
	    strcmp(p, "GMT") != 0 || !(m = strstr(months, month)) || (m - months) % 4 != 0)
		return false;
	if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
	    tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon = (int)(m - months) / 4;
	*seconds = timegm(&tm);
	return true;
}

/* At most 18 digits. */
static bool size(struct str *rest, uint64_t *n)
{
	size_t i = 0;

	for (*n = 0; i < rest->len && i < 18 && rest->data[i] >= '0' && rest->data[i] <= '9'; i++)
		*n = *n * 10 + (uint64_t)(rest->data[i] - '0');
	*rest = (struct str){ rest->data + i, rest->len - i };
	return i > 0;
}

static bool skip(struct str *rest, const char *what)
{
	size_t n = strlen(what);

	if (rest->len < n || memcmp(rest->data, what, n) != 0)
		return false;
	*rest = (struct str){ rest->data + n, rest->len - n };
	return true;
}

bool s3_answer_range(struct str text, struct s3_range *r)
{
	return skip(&text, "bytes ") && size(&text, &r->first) && skip(&text, "-") &&
	       size(&text, &r->last) && skip(&text, "/") && size(&text, &r->total) && !text.len &&
	       r->first <= r->last && r->last < r->total;
}

bool s3_answer_is_token(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '!' || text.data[i] > '~' || strchr("<>&", text.data[i]))
			return false;
	return text.len > 0 && text.len <= S3_TOKEN_MAX;
}

bool s3_answer_is_region(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", text.data[i]) ||
		    !text.data[i])
			return false;
	return text.len > 0 && text.len <= 32;
}
