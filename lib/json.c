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
		rc = err_set(e, BAD_DATA, "invalid JSON: %s", why[0] ? why : "unexpected end of text");
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

static void add_utf8(struct buf *b, unsigned c)
{
	char out[4];
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
	buf_add(b, out, n);
}

/* p stands on the backslash of \uXXXX; returns the bytes used, 0 for half a surrogate pair. */
static size_t add_unicode_escape(struct buf *b, const char *p, const char *end)
{
	unsigned c = hex4(p + 2), low;

	if (c < 0xd800 || c > 0xdfff) {
		add_utf8(b, c);
		return 6;
	}
	if (c > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return 0;
	low = hex4(p + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	add_utf8(b, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
	return 12;
}

int json_unescape(struct buf *b, struct str s, struct err *e)
{
	const char *p = s.data, *end = s.data + s.len;

	buf_need(b, s.len);
	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t used = 2;

		buf_add(b, p, (size_t)((slash ? slash : end) - p));
		if (!slash)
			break;
		p = slash;
		switch (p[1]) {
		case 'b': buf_addch(b, '\b'); break;
		case 'f': buf_addch(b, '\f'); break;
		case 'n': buf_addch(b, '\n'); break;
		case 'r': buf_addch(b, '\r'); break;
		case 't': buf_addch(b, '\t'); break;
		case 'u':
			if (memcmp(p + 2, "0000", 4) == 0)
				return err_set(e, BAD_DATA, "text cannot hold the character \\u0000");
			used = add_unicode_escape(b, p, end);
			if (!used)
				return err_set(e, BAD_DATA, "half a surrogate pair: \"%.6s\"", p);
			break;
		default: buf_addch(b, p[1]);
		}
		p += used;
	}
	return OK;
}
