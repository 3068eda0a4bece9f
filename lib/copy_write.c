/* copy_write - a JSON value as a field of COPY's text format */
#include "copy_write.h"

#include "json.h"

enum { MAX_DIMENSIONS = 6 }; /* PostgreSQL's MAXDIM */

/* Where the text goes: into the field itself or into a quoted element of an array literal, whose
 * own backslashes COPY wants doubled again. */
enum place { FIELD, ELEMENT };

static inline void add_char(struct buf *b, char c, enum place place)
{
	switch (c) {
	case '\\': buf_addz(b, place == ELEMENT ? "\\\\\\\\" : "\\\\"); break;
	case '"': buf_addz(b, place == ELEMENT ? "\\\\\"" : "\""); break;
	case '\n': buf_addz(b, "\\n"); break;
	case '\r': buf_addz(b, "\\r"); break;
	case '\t': buf_addz(b, "\\t"); break;
	default: buf_addch(b, c);
	}
}

/* Text as it is: a JSON value for a json column, where blanks may be tabs. */
static void add_text(struct buf *b, struct str s, enum place place)
{
	size_t from = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c >= 0x20 && c != '\\' && (c != '"' || place == FIELD))
			continue;
		buf_add(b, s.data + from, i - from);
		add_char(b, (char)c, place);
		from = i + 1;
	}
	buf_add(b, s.data + from, s.len - from);
}

/* The inside of a JSON string. Between its escapes there is nothing to escape for COPY: the
 * scanner let no control character and no quote through. */
static int add_string(struct buf *b, const struct field *f, enum place place, struct err *e)
{
	struct str s = f->text;
	char out[4];
	size_t n, used;
	int rc;

	while (f->escaped) {
		const char *slash = memchr(s.data, '\\', s.len);

		if (!slash)
			break;
		buf_add(b, s.data, (size_t)(slash - s.data));
		s.len -= (size_t)(slash - s.data);
		s.data = slash;
		if ((rc = json_unescape_one(s, out, &n, &used, e)) != OK)
			return rc;
		if (n == 1)
			add_char(b, out[0], place);
		else
			buf_add(b, out, n);
		s.data += used;
		s.len -= used;
	}
	buf_addstr(b, s);
	return OK;
}

/* Is f {"@json":"text"}? Then *text is the string. */
static bool is_verbatim(const struct field *f, struct field *text)
{
	struct err ignored;
	struct field more;
	struct str key;
	size_t at = 0;

	return f->kind == F_OBJECT && scan_member(f->text, &at, &key, text, &ignored) == OK &&
	       text->kind == F_STRING && str_eqz(key, "\"@json\"") &&
	       scan_member(f->text, &at, &key, &more, &ignored) == OK && more.kind == F_ABSENT;
}

static int add_json(struct buf *b, const struct field *f, enum place place, struct err *e)
{
	struct field text;

	if (is_verbatim(f, &text))
		return add_string(b, &text, place, e);
	if (f->kind == F_STRING) /* with its quotes it is a JSON value again */
		add_text(b, (struct str){ f->text.data - 1, f->text.len + 2 }, place);
	else
		add_text(b, f->text, place);
	return OK;
}

/* COPY takes no 2.0 for an integer, as a cast of SQL does. What is not whole is the server's to
 * refuse. */
static inline void add_number(struct buf *b, const struct field *f, const struct pg_type *t)
{
	int64_t whole;

	if (f->escaped && (t->base == PG_INT2 || t->base == PG_INT4 || t->base == PG_INT8) &&
	    str_to_whole(f->text, INT64_MIN, INT64_MAX, &whole))
		buf_addf(b, "%lld", (long long)whole);
	else
		buf_addstr(b, f->text);
}

static int add_array(struct buf *b, struct str array, const struct pg_type *t, int dimension,
		     struct err *e);

static int add_element(struct buf *b, const struct field *f, const struct pg_type *t, int dimension,
		       struct err *e)
{
	int rc = OK;

	if (f->kind == F_ARRAY)
		return add_array(b, f->text, t, dimension + 1, e);
	if (f->kind == F_NULL) {
		buf_addz(b, "NULL");
		return OK;
	}
	buf_addch(b, '"');
	if (pg_is_json(t->base))
		rc = add_json(b, f, ELEMENT, e);
	else if (f->kind == F_STRING)
		rc = add_string(b, f, ELEMENT, e);
	else if (f->kind == F_NUMBER)
		add_number(b, f, t);
	else
		add_text(b, f->text, ELEMENT);
	buf_addch(b, '"');
	return rc;
}

static int add_array(struct buf *b, struct str array, const struct pg_type *t, int dimension,
		     struct err *e)
{
	struct field element;
	size_t at = 0;
	int rc;

	if (dimension > MAX_DIMENSIONS)
		return err_set(e, BAD_DATA, "an array has more than %d dimensions", MAX_DIMENSIONS);
	buf_addch(b, '{');
	for (bool first = true;; first = false) {
		if ((rc = scan_element(array, &at, &element, e)) != OK)
			return rc;
		if (element.kind == F_ABSENT)
			break;
		if (!first)
			buf_addch(b, t->delimiter);
		if ((rc = add_element(b, &element, t, dimension, e)) != OK)
			return rc;
	}
	buf_addch(b, '}');
	return OK;
}

int copy_write(struct buf *b, const struct field *f, const struct pg_type *t, struct err *e)
{
	if (f->kind == F_ABSENT || f->kind == F_NULL) {
		buf_addz(b, "\\N");
		return OK;
	}
	if (t->array && f->kind == F_ARRAY)
		return add_array(b, f->text, t, 1, e);
	if (pg_is_json(t->base) && !t->array)
		return add_json(b, f, FIELD, e);
	if (f->kind == F_STRING)
		return add_string(b, f, FIELD, e);
	if (f->kind == F_OBJECT || f->kind == F_ARRAY)
		add_text(b, f->text, FIELD);
	else if (f->kind == F_NUMBER)
		add_number(b, f, t);
	else
		buf_addstr(b, f->text);
	return OK;
}
