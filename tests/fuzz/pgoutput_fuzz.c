/* pgoutput_fuzz - what a slot sends, as bytes, into lines of the wire
 *
 * The input is a sequence of messages of replication's COPY, each behind its length in two bytes.
 * They go the way of changes_read, without a server: what would be looked up is an error. Whatever
 * they are, what is written are lines of JSON, and not much more of them than there was input. */
#include <stdlib.h>

#include "../../lib/changes.c" /* its messages are not for others */
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A table that has all kinds of values, and one that is two relations. */
static const char *const announced[] = {
	"{\"@table\":\"kinds\",\"columns\":[{\"name\":\"id\",\"type\":\"int4\"},"
	"{\"name\":\"a\",\"type\":\"text\"},{\"name\":\"b\",\"type\":\"bool[]\"},"
	"{\"name\":\"c\",\"type\":\"timestamptz\"},{\"name\":\"d\",\"type\":\"jsonb\"},"
	"{\"name\":\"e\",\"type\":\"numeric(9,2)\"},{\"name\":\"f\",\"type\":\"box[]\"},"
	"{\"name\":\"g\",\"type\":\"bytea\"},{\"name\":\"h\",\"type\":\"float8\"}],"
	"\"key\":[\"id\"],\"mode\":\"changes\"}",
	"{\"@table\":\"parts\",\"columns\":[{\"name\":\"a\",\"type\":\"text\"},"
	"{\"name\":\"b\",\"type\":\"text\"}],\"key\":[\"b\",\"a\"],\"mode\":\"changes\"}",
};
enum { TABLES = sizeof(announced) / sizeof(announced[0]), RELATIONS = 3 };

/* Names of columns come with the smallest message; a byte may become \u0001 and, in a text that is
 * JSON, twice that. */
enum { PER_MESSAGE = 400, PER_BYTE = 12 };

static void announce(struct wire_table *tables[TABLES])
{
	for (size_t i = 0; i < TABLES; i++) {
		struct json *doc;
		struct err e;

		if (json_parse(str_of(announced[i]), &doc, &e) != OK ||
		    wire_table_read(doc, &tables[i], &e) != OK)
			abort();
		tables[i]->index = i;
		json_free(doc);
	}
}

/* Every line is a document of its own; the rows of the tables were counted. */
static void check_lines(const struct buf *b)
{
	const char *p = b->data, *end = p + b->len;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		struct field f;
		struct err e;

		if (!line_end ||
		    scan_value((struct str){ p, (size_t)(line_end - p) }, &f, &e) != OK ||
		    f.kind != F_OBJECT)
			abort();
		p = line_end + 1;
	}
}

static int one(struct changes *c, struct pgoutput *m, struct arena *a, struct str bytes)
{
	struct pgoutput_frame f;
	struct err e;
	int rc = pgoutput_unframe(bytes, &f, &e);

	if (rc != OK || !f.message.data)
		return OK; /* a keepalive; a broken frame is nothing that a table sees */
	arena_reset(a);
	*m = (struct pgoutput){ 0 };
	rc = pgoutput_decode(f.message, a, m, &e);
	return rc == OK ? on_message(c, &e) : rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_table *tables[TABLES];
	char name[] = "\"s\".\"t\"";
	struct published relations[RELATIONS] = { { .oid = 1, .name = name },
						  { .oid = 2, .name = name },
						  { .oid = 3, .name = name } };
	struct publication p = { "p", relations, RELATIONS };
	struct out out;
	struct pgoutput m = { 0 };
	struct changes c = { .publication = &p, .out = &out, .max_row = 1 << 20, .m = &m };
	struct arena arena = { 0 };
	size_t messages = 0, at = 0;

	announce(tables);
	relations[0].table = tables[0];
	relations[1].table = relations[2].table = tables[1];
	out_init(&out, -1, "fuzz"); /* more than it gathers before it writes does not come */
	init(&c);
	while (size - at >= 2 && out.buf.len < 1 << 15) {
		size_t len = (size_t)data[at] << 8 | data[at + 1];

		at += 2;
		if (len > size - at)
			len = size - at;
		messages++;
		if (one(&c, &m, &arena, (struct str){ (const char *)data + at, len }) != OK)
			break; /* where a run ends, too */
		at += len;
	}
	check_lines(&out.buf);
	if (out.buf.len > messages * PER_MESSAGE + size * PER_BYTE)
		abort();
	release(&c);
	out_release(&out);
	arena_release(&arena);
	for (size_t i = 0; i < TABLES; i++)
		wire_table_free(tables[i]);
	return 0;
}
