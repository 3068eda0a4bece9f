/* json - documents by yajl, and string text */
#include "json.h"

#include <yajl/yajl_tree.h>

#include "mem.h"

#include <stdlib.h>

static yajl_val val(const struct json *j)
{
	return (yajl_val)(void *)(uintptr_t)j;
}

/* --- escapes of Unicode --- */

static unsigned hex4(const char *p)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)p[i];

		n = n << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
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

/* --- what yajl is shown --- */

static int refuse(size_t at, const char *why, struct err *e)
{
	return err_set(e, BAD_DATA, "invalid JSON at byte %zu: %s", at + 1, why);
}

/* s[*at] is the u of an escape; *at ends on its last byte, that of the second where two make one
 * character. */
static int check_unicode(struct str s, size_t *at, struct err *e)
{
	struct str escape = { s.data + *at - 1, s.len - (*at - 1) };
	size_t used = 6, digits = 2;
	unsigned c;

	while (digits < 6 && digits < escape.len && str_is_hex(escape.data[digits]))
		digits++;
	if (digits < 6)
		return refuse(*at, "\\u wants four hexadecimal digits", e);
	for (size_t i = 8; i < 12 && i < escape.len; i++)
		if (!str_is_hex(escape.data[i])) /* then it is no second half */
			escape.len = 6;
	used = unicode_escape(escape, &c);
	if (used == 0)
		return refuse(*at, "half a surrogate pair", e);
	if (c == 0)
		return refuse(*at, "text cannot hold the character \\u0000", e);
	*at += used - 2;
	return OK;
}

/* *at is a string's opening quote and ends on the closing one. */
static int check_string(struct str s, size_t *at, struct err *e)
{
	int rc;

	for (++*at; *at < s.len && s.data[*at] != '"'; ++*at) {
		if ((unsigned char)s.data[*at] < 0x20)
			return refuse(*at, "a control character in a string", e);
		if (s.data[*at] != '\\')
			continue;
		if (++*at < s.len && s.data[*at] == 'u' && (rc = check_unicode(s, at, e)) != OK)
			return rc;
	}
	return *at < s.len ? OK : refuse(s.len, "the text ends too early", e);
}

/* Everything but the grammar, which yajl knows, of what is inside of the outermost value. */
static int check(struct str s, size_t most_depth, struct err *e)
{
	bool begun = false, ended = false;
	size_t depth = 0;
	int rc;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			ended = begun && depth == 0;
			continue;
		}
		if (ended)
			return refuse(i, "text behind the value", e);
		begun = true;
		if (c == '"') {
			if ((rc = check_string(s, &i, e)) != OK)
				return rc;
			ended = depth == 0;
		} else if (c == '{' || c == '[') {
			if (++depth > most_depth)
				return refuse(i, "nested too deeply", e);
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return refuse(i, "not a JSON value", e);
			ended = --depth == 0;
		} else if (c <= 0x20 || c > 0x7e || c == '/') { /* yajl takes comments and \v */
			return refuse(i, "not a JSON value", e);
		}
	}
	return OK;
}

int json_parse_within(struct str text, size_t most_bytes, size_t most_depth, struct json **doc,
		      struct err *e)
{
	size_t bad = text.len <= most_bytes ? str_bad_utf8(text) : 0;
	char why[512] = "";
	yajl_val v;
	char *z;
	int rc;

	*doc = NULL;
	if (text.len > most_bytes)
		return err_set(e, BAD_DATA, "the JSON text is longer than %zu bytes", most_bytes);
	if (bad < text.len)
		return refuse(bad, "invalid UTF-8", e);
	if ((rc = check(text, most_depth, e)) != OK)
		return rc;
	z = xmalloc(text.len + 2);
	memcpy(z, text.data, text.len);
	memcpy(z + text.len, " ", 2); /* it overlooks half a token at the end */
	v = yajl_tree_parse(z, why, sizeof(why));
	free(z);
	*doc = (struct json *)(void *)v;
	why[strcspn(why, "\n")] = '\0';
	return v ? OK : err_set(e, BAD_DATA, "invalid JSON: %s",
				why[0] ? why : "unexpected end of text");
}

int json_parse(struct str text, struct json **doc, struct err *e)
{
	return json_parse_within(text, JSON_MOST_BYTES, JSON_MOST_DEPTH, doc, e);
}

/* --- documents --- */

void json_free(struct json *doc)
{
	if (doc)
		yajl_tree_free(val(doc));
}

const struct json *json_get(const struct json *object, const char *key)
{
	const char *name;

	for (size_t i = 0, n = json_members(object); i < n; i++) {
		const struct json *v = json_member(object, i, &name);

		if (v && strcmp(name, key) == 0)
			return v;
	}
	return NULL;
}

const struct json *json_at(const struct json *array, size_t i)
{
	if (i >= json_count(array))
		return NULL;
	return (const struct json *)(void *)val(array)->u.array.values[i];
}

bool json_is_array(const struct json *j)
{
	return j && YAJL_IS_ARRAY(val(j));
}

size_t json_count(const struct json *array)
{
	return json_is_array(array) ? val(array)->u.array.len : 0;
}

size_t json_members(const struct json *object)
{
	return object && YAJL_IS_OBJECT(val(object)) ? val(object)->u.object.len : 0;
}

const struct json *json_member(const struct json *object, size_t i, const char **key)
{
	*key = NULL;
	if (i >= json_members(object))
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

/* --- text --- */

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
