/* copy_read - COPY's text as JSON */
#include "copy_read.h"

#include "json.h"
#include "scan.h"

enum { MAX_DIMENSIONS = 6 }; /* PostgreSQL's MAXDIM */

/* --- COPY's escapes --- */

/* The character a backslash and c stand for in COPY's text output. */
static char unescape(char c)
{
	switch (c) {
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'v': return '\v';
	default: return c;
	}
}

static void add_json_char(struct buf *b, unsigned char c)
{
	struct str one = { (const char *)&c, 1 };
	size_t at = b->len;

	/* json_add_string's own escapes, without its quotes */
	json_add_string(b, one);
	memmove(b->data + at, b->data + at + 1, b->len - at - 2);
	b->len -= 2;
}

/* A COPY field as a JSON string. */
static void add_string(struct buf *b, struct str s)
{
	size_t from = 0;

	buf_need(b, s.len + 2);
	buf_addch(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s.data + from, i - from);
		if (c == '\\' && i + 1 < s.len)
			c = (unsigned char)unescape(s.data[++i]);
		add_json_char(b, c);
		from = i + 1;
	}
	buf_add(b, s.data + from, s.len - from);
	buf_addch(b, '"');
}

void copy_plain(struct buf *b, struct str s)
{
	const char *slash;

	while (s.len && (slash = memchr(s.data, '\\', s.len)) && slash + 1 < s.data + s.len) {
		buf_add(b, s.data, (size_t)(slash - s.data));
		buf_addch(b, unescape(slash[1]));
		s = (struct str){ slash + 2, (size_t)(s.data + s.len - slash - 2) };
	}
	buf_addstr(b, s);
}

/* --- values of plain text --- */

static const char *digits(const char *p, const char *end)
{
	while (p < end && (unsigned char)(*p - '0') <= 9)
		p++;
	return p;
}

/* From behind the whole part on: ".25", "e-7", ".5e+10". */
static bool is_fraction(const char *p, const char *end)
{
	const char *start;

	if (*p == '.') {
		start = p + 1;
		if ((p = digits(start, end)) == start)
			return false;
	}
	if (p < end && (*p | 0x20) == 'e') {
		start = p + 1;
		start += start < end && (*start == '+' || *start == '-');
		if ((p = digits(start, end)) == start)
			return false;
	}
	return p == end;
}

/* Is it JSON's, too? NaN and Infinity are not, nor what no PostgreSQL sends. */
static bool is_number(struct str s)
{
	const char *end = s.data + s.len, *start = s.data + (s.len && *s.data == '-');
	const char *p = digits(start, end);

	if (p == start || (*start == '0' && p > start + 1))
		return false;
	return p == end || is_fraction(p, end);
}

/* Does it stand in a JSON string as it is? The last bytes may be seen twice. */
static bool is_plain(struct str s)
{
	uint64_t found = 0, v;

	if (s.len < sizeof(v)) /* of no PostgreSQL */
		return false;
	for (size_t i = 0; i < s.len; i += sizeof(v)) {
		memcpy(&v, s.data + (i + sizeof(v) <= s.len ? i : s.len - sizeof(v)), sizeof(v));
		found |= scan_special_bytes(v);
	}
	return !found;
}

/* 2024-02-29 10:11:12+00 BC to 2024-02-29T10:11:12Z BC */
static void add_timestamp(struct buf *b, struct str s, bool zone)
{
	const char *end = s.data + s.len;
	const char *era = s.len > 3 && memcmp(end - 3, " BC", 3) == 0 ? end - 3 : end;
	const char *blank = memchr(s.data, ' ', (size_t)(era - s.data));

	if (!blank || !is_plain(s)) { /* infinity, or of no PostgreSQL */
		json_add_string(b, s);
		return;
	}
	buf_addch(b, '"');
	buf_add(b, s.data, (size_t)(blank - s.data));
	buf_addch(b, 'T');
	if (zone && era - blank > 3 && memcmp(era - 3, "+00", 3) == 0) {
		buf_add(b, blank + 1, (size_t)(era - 3 - blank - 1));
		buf_addch(b, 'Z');
	} else {
		buf_add(b, blank + 1, (size_t)(era - blank - 1));
	}
	buf_add(b, era, (size_t)(end - era));
	buf_addch(b, '"');
}

/* Can a line hold this JSON text as it stands? Not null, which means SQL's; no line break, no
 * blank around it, which would be lost; nothing that looks like the escape itself; and in an array
 * no array, whose end could not be told from the outer one's. */
static bool embeddable(struct str s, bool in_array)
{
	char first = s.len ? s.data[0] : ' ', last = s.len ? s.data[s.len - 1] : ' ';
	struct field f;
	struct err ignored;

	if (strchr(" \t\r\n", first) || strchr(" \t\r\n", last) || memchr(s.data, '\n', s.len) ||
	    memchr(s.data, '\r', s.len) || str_eqz(s, "null") || (in_array && first == '['))
		return false;
	if (first == '{') {
		struct str key;
		size_t at = 0;

		if (scan_member(s, &at, &key, &f, &ignored) != OK)
			return false;
		if (f.kind != F_ABSENT && key.len >= 7 && memcmp(key.data, "\"@json", 6) == 0)
			return false;
	}
	return scan_value(s, &f, &ignored) == OK;
}

static void add_json_value(struct buf *b, struct str s, bool in_array)
{
	if (embeddable(s, in_array)) {
		buf_addstr(b, s);
	} else {
		buf_addz(b, "{\"@json\":");
		json_add_string(b, s);
		buf_addch(b, '}');
	}
}

void copy_read_json(struct buf *b, struct str json)
{
	add_json_value(b, json, false);
}

/* Text that has no COPY escapes (any more). */
static void add_value(struct buf *b, enum pg_base base, struct str s, bool in_array)
{
	if (base == PG_BOOL)
		buf_addz(b, s.len && s.data[0] == 't' ? "true" : "false");
	else if (pg_is_number(base) && is_number(s))
		buf_addstr(b, s);
	else if (base == PG_TIMESTAMP || base == PG_TIMESTAMPTZ)
		add_timestamp(b, s, base == PG_TIMESTAMPTZ);
	else if (pg_is_json(base))
		add_json_value(b, s, in_array);
	else
		json_add_string(b, s);
}

/* --- arrays: array_out's text, {1,NULL,"a b"} --- */

/* False if a quote or a backslash has nothing behind it. */
static bool add_element(struct buf *b, const struct pg_type *t, struct str s, size_t *at,
			struct buf *text)
{
	bool quoted = s.data[*at] == '"';
	size_t i = *at + quoted;

	buf_reset(text);
	while (i < s.len &&
	       (quoted ? s.data[i] != '"' : s.data[i] != t->delimiter && s.data[i] != '}')) {
		if (s.data[i] == '\\' && ++i == s.len)
			return false;
		buf_addch(text, s.data[i++]);
	}
	*at = i + quoted;
	if (!quoted && str_eqz(buf_str(text), "NULL"))
		buf_addz(b, "null");
	else
		add_value(b, t->base, buf_str(text), true);
	return *at <= s.len;
}

/* False for what is no array from the first to the last byte. */
static bool add_elements(struct buf *b, const struct pg_type *t, struct str s, struct buf *text)
{
	bool wanted = true, opened = false; /* an element; just now, so that it may be empty */
	size_t i = 0, depth = 0;

	do {
		char c = i < s.len ? s.data[i] : '\0';

		if (wanted && c == '{' && depth < MAX_DIMENSIONS) {
			buf_addch(b, '[');
			depth++;
			opened = true;
			i++;
		} else if (depth && c == '}' && (!wanted || opened)) {
			buf_addch(b, ']');
			depth--;
			wanted = opened = false;
			i++;
		} else if (!wanted && c == t->delimiter) {
			buf_addch(b, ',');
			wanted = true;
			i++;
		} else if (depth && wanted && i < s.len && add_element(b, t, s, &i, text)) {
			wanted = opened = false;
		} else {
			return false;
		}
	} while (depth);
	return i == s.len;
}

/* Bounds of its own, [2:3]={1,2}, and what no PostgreSQL sends, stay text. */
static void add_array(struct buf *b, const struct pg_type *t, struct str s)
{
	struct buf text = { 0 };
	size_t start = b->len;

	if (!add_elements(b, t, s, &text)) {
		b->len = start;
		json_add_string(b, s);
	}
	buf_release(&text);
}

static void add_plain(struct buf *b, const struct pg_type *t, struct str s)
{
	if (t->array)
		add_array(b, t, s);
	else
		add_value(b, t->base, s, false);
}

static int check_utf8(struct str s, struct err *e)
{
	size_t bad = str_bad_utf8(s);

	return bad == s.len ? OK :
	       err_set(e, BAD_DATA, "the text is not UTF-8 at byte %zu", bad + 1);
}

int copy_read(struct buf *b, const struct pg_type *t, struct str field, struct err *e)
{
	struct buf plain = { 0 };
	bool text = !t->array && (t->base == PG_TEXT || t->base == PG_VARCHAR ||
				  t->base == PG_BPCHAR || t->base == PG_OTHER);
	int rc;

	if (field.len == 2 && field.data[0] == '\\' && field.data[1] == 'N') {
		buf_add(b, "null", 4);
		return OK;
	}
	if (!t->array && pg_is_number(t->base) && is_number(field)) { /* most fields are */
		buf_addstr(b, field);
		return OK;
	}
	if ((rc = check_utf8(field, e)) != OK)
		return rc;
	if (text) {
		add_string(b, field);
	} else if (!memchr(field.data, '\\', field.len)) {
		add_plain(b, t, field);
	} else {
		copy_plain(&plain, field);
		add_plain(b, t, buf_str(&plain));
		buf_release(&plain);
	}
	return OK;
}

int copy_read_plain(struct buf *b, const struct pg_type *t, struct str text, struct err *e)
{
	int rc = check_utf8(text, e);

	if (rc == OK)
		add_plain(b, t, text);
	return rc;
}
