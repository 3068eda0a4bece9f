/* scan - the row scanner */
#include "scan.h"

#include <stdint.h>
#include <stdlib.h>

#include "json.h"
#include "mem.h"

enum { MAX_DEPTH = 8192 };

struct cursor {
	const char *p, *end, *start;
	struct err *e;
};

static int fail(struct cursor *c, const char *what)
{
	return err_set(c->e, BAD_DATA, "invalid JSON at byte %zu: %s",
		       (size_t)(c->p - c->start) + 1,
		       c->p >= c->end ? "the text ends too early" : what);
}

static inline void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
		c->p++;
}

static int check_escape(struct cursor *c)
{
	if (c->end - c->p < 2)
		return c->p = c->end, fail(c, "");
	if (c->p[1] != 'u') {
		if (!c->p[1] || !strchr("\"\\/bfnrt", c->p[1]))
			return fail(c, "unknown escape");
		c->p += 2;
		return OK;
	}
	if (c->end - c->p < 6)
		return c->p = c->end, fail(c, "");
	for (int i = 2; i < 6; i++)
		if (!str_is_hex(c->p[i]))
			return fail(c, "\\u wants four hexadecimal digits");
	c->p += 6;
	return OK;
}

/* c->p stands behind the opening quote and ends behind the closing one. */
static int scan_string(struct cursor *c, struct field *f)
{
	const char *start = c->p;
	bool wide = false;
	int rc;

	f->kind = F_STRING;
	f->escaped = false;
	for (;;) {
		unsigned char ch;
		uint64_t eight;

		while (c->end - c->p >= 8 && (memcpy(&eight, c->p, 8), !scan_special_bytes(eight)))
			c->p += 8;
		while (c->p < c->end && (ch = (unsigned char)*c->p, ch >= 0x20 && ch < 0x80) &&
		       ch != '"' && ch != '\\')
			c->p++;
		if (c->p == c->end)
			return fail(c, "");
		ch = (unsigned char)*c->p;
		if (ch == '"')
			break;
		if (ch == '\\') {
			f->escaped = true;
			if ((rc = check_escape(c)) != OK)
				return rc;
		} else if (ch >= 0x80) {
			wide = true;
			c->p++;
		} else {
			return fail(c, "a control character in a string");
		}
	}
	f->text = (struct str){ start, (size_t)(c->p - start) };
	if (wide) {
		size_t bad = str_bad_utf8(f->text);

		if (bad < f->text.len)
			return c->p = start + bad, fail(c, "invalid UTF-8");
	}
	c->p++;
	return OK;
}

static inline bool digit(const struct cursor *c)
{
	return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

static int scan_number(struct cursor *c, struct field *f)
{
	const char *start = c->p;

	f->kind = F_NUMBER;
	c->p += *c->p == '-';
	if (!digit(c))
		return fail(c, "not a JSON value");
	if (*c->p == '0')
		c->p++;
	else
		while (digit(c))
			c->p++;
	if (c->p < c->end && *c->p == '.') {
		f->escaped = true;
		c->p++;
		if (!digit(c))
			return fail(c, "a digit is missing");
		while (digit(c))
			c->p++;
	}
	if (c->p < c->end && (*c->p | 0x20) == 'e') {
		f->escaped = true;
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		if (!digit(c))
			return fail(c, "a digit is missing");
		while (digit(c))
			c->p++;
	}
	f->text = (struct str){ start, (size_t)(c->p - start) };
	return OK;
}

static int scan_word(struct cursor *c, struct field *f, const char *word, enum field_kind kind)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return fail(c, "not a JSON value");
	f->kind = (unsigned char)kind;
	f->text = (struct str){ c->p, n };
	c->p += n;
	return OK;
}

/* A value that holds no others. */
static int scan_scalar(struct cursor *c, struct field *f)
{
	f->escaped = false;
	switch (c->p < c->end ? *c->p : '\0') {
	case '"': c->p++; return scan_string(c, f);
	case 'n': return scan_word(c, f, "null", F_NULL);
	case 't': return scan_word(c, f, "true", F_TRUE);
	case 'f': return scan_word(c, f, "false", F_FALSE);
	case '{': case '[': return fail(c, "nested too deeply");
	default:
		if (c->p == c->end)
			return fail(c, "");
		return scan_number(c, f);
	}
}

static int scan_key(struct cursor *c, struct str *key)
{
	const char *start = c->p;
	struct field f;
	int rc;

	if (c->p == c->end || *c->p != '"')
		return fail(c, "a key in quotes is missing");
	c->p++;
	if ((rc = scan_string(c, &f)) != OK)
		return rc;
	*key = (struct str){ start, (size_t)(c->p - start) };
	skip_blanks(c);
	if (c->p == c->end || *c->p != ':')
		return fail(c, "a colon is missing");
	c->p++;
	skip_blanks(c);
	return OK;
}

/* An array or object, whole. One bit per open level tells which it is: no recursion, so depth
 * is bounded by MAX_DEPTH and not by the stack. */
static int scan_nested(struct cursor *c, struct field *f)
{
	const char *start = c->p;
	unsigned char is_object[MAX_DEPTH / 8] = { 0 };
	size_t depth = 0;
	struct field inner;
	struct str key;
	int rc;

	f->kind = *start == '{' ? F_OBJECT : F_ARRAY;
	f->escaped = false;
	for (;;) {
		bool object;

		if (depth < MAX_DEPTH && c->p < c->end && (*c->p == '{' || *c->p == '[')) {
			object = *c->p++ == '{';
			is_object[depth / 8] &= (unsigned char)~(1u << depth % 8);
			is_object[depth / 8] |= (unsigned char)(object << depth % 8);
			depth++;
			skip_blanks(c);
			if (c->p < c->end && *c->p == (object ? '}' : ']'))
				goto close;
			if (object && (rc = scan_key(c, &key)) != OK)
				return rc;
			continue;
		}
		if ((rc = scan_scalar(c, &inner)) != OK)
			return rc;
		for (;;) {
			object = is_object[(depth - 1) / 8] >> (depth - 1) % 8 & 1;
			skip_blanks(c);
			if (c->p < c->end && *c->p == ',')
				break;
			if (c->p == c->end || *c->p != (object ? '}' : ']'))
				return fail(c, object ? "a comma or } is missing" :
							"a comma or ] is missing");
close:
			c->p++;
			if (--depth == 0) {
				f->text = (struct str){ start, (size_t)(c->p - start) };
				return OK;
			}
		}
		c->p++;
		skip_blanks(c);
		if (object && (rc = scan_key(c, &key)) != OK)
			return rc;
	}
}

static inline int scan_any(struct cursor *c, struct field *f)
{
	if (c->p < c->end && *c->p == '"') {
		c->p++;
		return scan_string(c, f);
	}
	if (c->p < c->end && (*c->p == '{' || *c->p == '['))
		return scan_nested(c, f);
	return scan_scalar(c, f);
}

void scan_keys_init(struct scan_keys *k, const char *const *names, size_t count)
{
	struct buf b = { 0 };

	k->count = count;
	k->quoted = xcalloc(count, sizeof(*k->quoted));
	for (size_t i = 0; i < count; i++) {
		buf_reset(&b);
		json_add_string(&b, str_of(names[i]));
		k->quoted[i] = (struct str){ xstrndup(b.data, b.len), b.len };
	}
	buf_release(&b);
}

void scan_keys_release(struct scan_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		free((char *)(uintptr_t)k->quoted[i].data);
	free(k->quoted);
	*k = (struct scan_keys){ 0 };
}

/* The column of a key that did not come where it was expected: compare the quoted forms, and
 * the unescaped ones only for a key that was written with escapes of its own. */
static size_t find_key(const struct scan_keys *k, struct str key, size_t guess, bool first)
{
	struct buf plain = { 0 }, again = { 0 };
	struct err ignored;
	size_t i;

	for (size_t n = 0; n < k->count; n++) { /* the next ones first: some may be left out */
		i = guess + n < k->count ? guess + n : guess + n - k->count;
		if (str_eq(k->quoted[i], key))
			return i;
	}
	i = k->count;
	if (json_unescape(&plain, (struct str){ key.data + 1, key.len - 2 }, &ignored) == OK) {
		struct str name = buf_str(&plain);

		if (first && name.len > 1 && name.data[0] == '@' && name.data[1] == '@')
			name = (struct str){ name.data + 1, name.len - 1 };
		json_add_string(&again, name);
		for (i = 0; i < k->count && !str_eq(k->quoted[i], buf_str(&again)); i++)
			;
	}
	buf_release(&plain);
	buf_release(&again);
	return i;
}

int scan_row(struct str line, const struct scan_keys *k, struct field *fields, struct err *e)
{
	struct cursor c = { line.data, line.data + line.len, line.data, e };
	size_t guess = 0, found = 0;
	bool first = true;
	int rc;

	for (size_t i = 0; i < k->count; i++)
		fields[i].kind = F_ABSENT;
	skip_blanks(&c);
	if (c.p == c.end || *c.p != '{')
		return fail(&c, "a row is a JSON object");
	c.p++;
	skip_blanks(&c);
	if (c.p < c.end && *c.p == '}')
		goto closed;
	for (;;) {
		size_t i = guess;
		const struct str *q = &k->quoted[i];

		if (i < k->count && (size_t)(c.end - c.p) > q->len && c.p[q->len] == ':' &&
		    memcmp(c.p, q->data, q->len) == 0) {
			c.p += q->len + 1;
			skip_blanks(&c);
		} else {
			struct str key;

			if ((rc = scan_key(&c, &key)) != OK)
				return rc;
			i = find_key(k, key, guess, first);
			if (i == k->count)
				return err_set(e, BAD_DATA, "column %.*s was not announced",
					       STR_ARG(key));
		}
		if (fields[i].kind != F_ABSENT)
			return err_set(e, BAD_DATA, "column %.*s comes twice",
				       STR_ARG(k->quoted[i]));
		if ((rc = scan_any(&c, &fields[i])) != OK)
			return rc;
		guess = i + 1;
		found++;
		first = false;
		skip_blanks(&c);
		if (c.p == c.end || *c.p != ',')
			break;
		c.p++;
		skip_blanks(&c);
	}
closed:
	if (c.p == c.end || *c.p != '}')
		return fail(&c, "a comma or } is missing");
	c.p++;
	for (size_t i = 0; found < k->count && i < k->count; i++)
		if (fields[i].kind == F_ABSENT)
			fields[i] = (struct field){ .text = STR("") };
	skip_blanks(&c);
	return c.p == c.end ? OK : fail(&c, "text behind the object");
}

/* Common to members and elements: stand on the next item, or at the end with *done. */
static int next_item(struct cursor *c, size_t at, char open, char close, bool *done)
{
	*done = false;
	if (at == 0) {
		skip_blanks(c);
		if (c->p == c->end || *c->p != open)
			return fail(c,
				    open == '{' ? "an object is expected" : "an array is expected");
	}
	if (at > 0) {
		skip_blanks(c);
		if (c->p < c->end && *c->p == close)
			return *done = true, OK;
		if (c->p == c->end || *c->p != ',')
			return fail(c, "a comma is missing");
	}
	c->p++;
	skip_blanks(c);
	if (at == 0 && c->p < c->end && *c->p == close)
		*done = true;
	return OK;
}

int scan_member(struct str object, size_t *at, struct str *key, struct field *value, struct err *e)
{
	struct cursor c = { object.data + *at, object.data + object.len, object.data, e };
	bool done;
	int rc = next_item(&c, *at, '{', '}', &done);

	if (rc != OK)
		return rc;
	*value = (struct field){ .text = STR("") };
	if (!done && ((rc = scan_key(&c, key)) != OK || (rc = scan_any(&c, value)) != OK))
		return rc;
	*at = (size_t)(c.p - c.start);
	return OK;
}

int scan_element(struct str array, size_t *at, struct field *value, struct err *e)
{
	struct cursor c = { array.data + *at, array.data + array.len, array.data, e };
	bool done;
	int rc = next_item(&c, *at, '[', ']', &done);

	if (rc != OK)
		return rc;
	*value = (struct field){ .text = STR("") };
	if (!done && (rc = scan_any(&c, value)) != OK)
		return rc;
	*at = (size_t)(c.p - c.start);
	return OK;
}

int scan_value(struct str text, struct field *value, struct err *e)
{
	struct cursor c = { text.data, text.data + text.len, text.data, e };
	int rc;

	skip_blanks(&c);
	if ((rc = scan_any(&c, value)) != OK)
		return rc;
	skip_blanks(&c);
	return c.p == c.end ? OK : fail(&c, "text behind the value");
}
