/* scan_fuzz - any bytes as JSON, for the row scanner and for yajl
 *
 * Both accept a text or both refuse it, and they see the same values in it. What yajl is not shown
 * (json.h), the scanner refuses with its values: those are compared where both have a say. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "json.h"
#include "scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 50 }; /* of the comparison, which recurses */

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Of a string or a key. */
static bool unescaped(struct str s, struct buf *b)
{
	struct err e;

	buf_reset(b);
	return json_unescape(b, s, &e) == OK;
}

static struct str inside(struct str key)
{
	return (struct str){ key.data + 1, key.len - 2 };
}

/* Can every text in the value be had? */
static bool has_texts(const struct field *f, struct buf *b)
{
	struct field inner;
	struct err e;
	struct str key = STR("");
	size_t at = 0;

	if (f->kind == F_STRING)
		return unescaped(f->text, b);
	if (f->kind != F_OBJECT && f->kind != F_ARRAY)
		return true;
	for (;;) {
		must((f->kind == F_OBJECT ? scan_member(f->text, &at, &key, &inner, &e) :
					    scan_element(f->text, &at, &inner, &e)) == OK);
		if (inner.kind == F_ABSENT)
			return true;
		if ((f->kind == F_OBJECT && !unescaped(inside(key), b)) || !has_texts(&inner, b))
			return false;
	}
}

static void compare(const struct field *f, const struct json *j, struct buf *b)
{
	size_t at = 0, n = f->kind == F_OBJECT ? json_members(j) : json_count(j);
	const char *text = f->kind == F_STRING ? json_string(j) : json_number(j), *name;
	struct field inner;
	struct err e;
	struct str key;

	must((f->kind == F_NULL) == json_null(j) && (f->kind == F_TRUE) == json_true(j) &&
	     (f->kind == F_STRING) == (json_string(j) != NULL) &&
	     (f->kind == F_NUMBER) == (json_number(j) != NULL));
	if (f->kind == F_NUMBER)
		must(str_eqz(f->text, text));
	else if (f->kind == F_STRING)
		must(unescaped(f->text, b) && str_eqz(buf_str(b), text) &&
		     (f->escaped || str_eqz(f->text, text)));
	for (size_t i = 0; f->kind == F_ARRAY && i < n; i++) {
		must(scan_element(f->text, &at, &inner, &e) == OK);
		compare(&inner, json_at(j, i), b);
	}
	for (size_t i = 0; f->kind == F_OBJECT && i < n; i++) {
		const struct json *value = json_member(j, i, &name);

		must(scan_member(f->text, &at, &key, &inner, &e) == OK &&
		     unescaped(inside(key), b) && str_eqz(buf_str(b), name));
		compare(&inner, value, b);
	}
	if (f->kind == F_ARRAY)
		must(scan_element(f->text, &at, &inner, &e) == OK && inner.kind == F_ABSENT);
	if (f->kind == F_OBJECT)
		must(scan_member(f->text, &at, &key, &inner, &e) == OK && inner.kind == F_ABSENT);
}

/* The object's members as columns, in another order: each is found. Names that come twice are none
 * of a table, and a first @ is a matter of wire.h. */
static void check_row(struct str text, const struct json *j, struct buf *b)
{
	size_t n = json_members(j);
	const char **names = calloc(n + 1, sizeof(*names)), *name;
	struct field *fields = malloc((n + 1) * sizeof(*fields));
	struct scan_keys keys;
	bool fit = true;
	struct err e;

	for (size_t i = 0; i < n; i++) {
		const struct json *value = json_member(j, i, &name);

		fit = fit && json_get(j, name) == value && (i || name[0] != '@');
		names[n - 1 - i] = name;
	}
	scan_keys_init(&keys, names, n);
	must(!fit || scan_row(text, &keys, fields, &e) == OK);
	for (size_t i = 0; i < n && fit; i++)
		compare(&fields[n - 1 - i], json_member(j, i, &name), b);
	scan_keys_release(&keys);
	free(fields);
	free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct json *doc;
	struct buf b = { 0 };
	struct field f;
	struct err e;
	bool ours = scan_value(text, &f, &e) == OK;
	bool theirs = json_parse_within(text, SIZE_MAX, DEPTH, &doc, &e) == OK;

	if (theirs) {
		must(ours);
		compare(&f, doc, &b);
		if (f.kind == F_OBJECT && json_members(doc) < 200)
			check_row(text, doc, &b);
	} else if (ours && !strstr(e.msg, "nested too deeply")) {
		must(!has_texts(&f, &b));
	}
	json_free(doc);
	buf_release(&b);
	return 0;
}
