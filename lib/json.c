/* json - documents by yajl, and string text */
#include "json.h"

#include <yajl/yajl_tree.h>

#include "mem.h"

#include <stdlib.h>

static yajl_val val(const struct json *j)
{
	return (yajl_val)(void *)(uintptr_t)j;
}

int json_parse(struct str text, struct json **doc, struct err *e)
{
	char why[512] = "";
	char *z = xstrndup(text.data, text.len); /* yajl_tree wants a NUL */
	yajl_val v = strlen(z) == text.len ? yajl_tree_parse(z, why, sizeof(why)) : NULL;
	int rc = OK;

	free(z);
	if (v) {
		*doc = (struct json *)(void *)v;
	} else {
		why[strcspn(why, "\n")] = '\0';
		rc = err_set(e, BAD_DATA, "invalid JSON: %s",
			     why[0] ? why : "unexpected end of text");
	}
	return rc;
}

void json_free(struct json *doc)
{
	if (doc)
		yajl_tree_free(val(doc));
}

const struct json *json_get(const struct json *object, const char *key)
{
	const char *name;

	for (size_t i = 0, n = json_count(object); i < n; i++) {
		const struct json *v = json_member(object, i, &name);

		if (v && strcmp(name, key) == 0)
			return v;
	}
	return NULL;
}

const struct json *json_at(const struct json *array, size_t i)
{
	if (!array || !YAJL_IS_ARRAY(val(array)) || i >= val(array)->u.array.len)
		return NULL;
	return (const struct json *)(void *)val(array)->u.array.values[i];
}

size_t json_count(const struct json *j)
{
	if (!j)
		return 0;
	return YAJL_IS_ARRAY(val(j)) ? val(j)->u.array.len :
	       YAJL_IS_OBJECT(val(j)) ? val(j)->u.object.len : 0;
}

const struct json *json_member(const struct json *object, size_t i, const char **key)
{
	if (!object || !YAJL_IS_OBJECT(val(object)) || i >= val(object)->u.object.len)
		return NULL;
	*key = val(object)->u.object.keys[i];
	return (const struct json *)(void *)val(object)->u.object.values[i];
}

const char *json_string(const struct json *j)
{
	return j && YAJL_IS_STRING(val(j)) ? YAJL_GET_STRING(val(j)) : NULL;
}

const char *json_number(const struct json *j)
{
	return j && YAJL_IS_NUMBER(val(j)) ? YAJL_GET_NUMBER(val(j)) : NULL;
}

bool json_int(const struct json *j, int64_t *n)
{
	const char *text = json_number(j);

	return text && str_to_i64(str_of(text), INT64_MIN, INT64_MAX, n);
}

bool json_true(const struct json *j)
{
	return j && YAJL_IS_TRUE(val(j));
}

bool json_null(const struct json *j)
{
	return j && YAJL_IS_NULL(val(j));
}

void json_add_string(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	size_t from = 0;

	buf_need(b, s.len + 2);
	buf_addch(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		char two[2] = { '\\', 0 };

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s.data + from, i - from);
		from = i + 1;
		switch (c) {
		case '"': case '\\': two[1] = (char)c; break;
		case '\b': two[1] = 'b'; break;
		case '\f': two[1] = 'f'; break;
		case '\n': two[1] = 'n'; break;
		case '\r': two[1] = 'r'; break;
		case '\t': two[1] = 't'; break;
		}
		if (two[1]) {
			buf_add(b, two, 2);
		} else {
			buf_addz(b, "\\u00");
			buf_addch(b, hex[c >> 4]);
			buf_addch(b, hex[c & 15]);
		}
	}
	buf_add(b, s.data + from, s.len - from);
	buf_addch(b, '"');
}

static unsigned hex4(const char *p)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)p[i];

		n = n << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return n;
}

/* c as UTF-8; returns its length. */
static size_t put_utf8(char out[4], unsigned c)
{
	size_t n = 0;

	if (c < 0x80) {
		out[n++] = (char)c;
	} else if (c < 0x800) {
		out[n++] = (char)(0xc0 | c >> 6);
		out[n++] = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		out[n++] = (char)(0xe0 | c >> 12);
		out[n++] = (char)(0x80 | (c >> 6 & 63));
		out[n++] = (char)(0x80 | (c & 63));
	} else {
		out[n++] = (char)(0xf0 | c >> 18);
		out[n++] = (char)(0x80 | (c >> 12 & 63));
		out[n++] = (char)(0x80 | (c >> 6 & 63));
		out[n++] = (char)(0x80 | (c & 63));
	}
	return n;
}

/* s starts with \uXXXX; *c is its character. Returns the bytes used, 0 for half a surrogate pair.
 */
static size_t unicode_escape(struct str s, unsigned *c)
{
	unsigned low;

	*c = hex4(s.data + 2);
	if (*c < 0xd800 || *c > 0xdfff)
		return 6;
	if (*c > 0xdbff || s.len < 12 || s.data[6] != '\\' || s.data[7] != 'u')
		return 0;
	low = hex4(s.data + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

int json_unescape_one(struct str s, char out[4], size_t *out_len, size_t *used, struct err *e)
{
	unsigned c = (unsigned char)s.data[1];

	*used = 2;
	switch (c) {
	case 'b': c = '\b'; break;
	case 'f': c = '\f'; break;
	case 'n': c = '\n'; break;
	case 'r': c = '\r'; break;
	case 't': c = '\t'; break;
	case 'u':
		*used = unicode_escape(s, &c);
		if (!*used)
			return err_set(e, BAD_DATA, "half a surrogate pair: \"%.6s\"", s.data);
		if (c == 0)
			return err_set(e, BAD_DATA, "text cannot hold the character \\u0000");
		break;
	}
	*out_len = put_utf8(out, c);
	return OK;
}

int json_unescape(struct buf *b, struct str s, struct err *e)
{
	char out[4];
	size_t n, used;
	int rc;

	buf_need(b, s.len);
	while (s.len) {
		const char *slash = memchr(s.data, '\\', s.len);
		size_t plain = slash ? (size_t)(slash - s.data) : s.len;

		buf_add(b, s.data, plain);
		s = (struct str){ s.data + plain, s.len - plain };
		if (!slash)
			break;
		if ((rc = json_unescape_one(s, out, &n, &used, e)) != OK)
			return rc;
		buf_add(b, out, n);
		s = (struct str){ s.data + used, s.len - used };
	}
	return OK;
}
