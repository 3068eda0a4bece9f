/* delta_fuzz - any bytes as the log of a Delta table: `make fuzz T=delta`
 *
 * NULs are between the files: first what a lake's record says of the table, then the
 * _last_checkpoint, then the commits in their order. What is read is noted and read again as the
 * same. The table as it is, printed as lines, is the same table, and so is its checkpoint's
 * file, whose size is bounded by what it was made of. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "delta_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static struct str next_file(struct str *rest)
{
	const char *nul = rest->len ? memchr(rest->data, '\0', rest->len) : NULL;
	struct str file = { rest->data, nul ? (size_t)(nul - rest->data) : rest->len };

	rest->data += file.len + (nul != NULL);
	rest->len -= file.len + (nul != NULL);
	return file;
}

static void check_versions(const struct delta_log *l)
{
	expect(l->version >= -1 && l->version <= DELTA_VERSION_MAX && l->own <= l->version);
	expect(strlen(l->columns) == 0 || strlen(l->columns) == 16);
}

/* Is what is noted of the log read as the same? */
static void note_again(const struct delta_log *l)
{
	struct delta_log again = { .name = "t" };
	struct buf note = { 0 };
	struct json *doc = NULL;
	struct err e;

	delta_log_add_note(&note, l);
	expect(json_parse(buf_str(&note), &doc, &e) == OK);
	expect(delta_log_read_note(&again, doc, &e) == OK);
	expect(again.version == l->version && again.own == l->own &&
	       again.has_deleted == l->has_deleted && strcmp(again.columns, l->columns) == 0);
	expect(!again.partition == !l->partition &&
	       (!l->partition || strcmp(again.partition, l->partition) == 0));
	json_free(doc);
	buf_release(&note);
	delta_log_release(&again);
}

static void read_note(struct delta_log *l, struct str text)
{
	struct json *doc = NULL;
	struct err e;

	if (json_parse(text, &doc, &e) != OK || delta_log_read_note(l, doc, &e) != OK)
		l->version = l->own = -1, l->columns[0] = '\0';
	json_free(doc);
	check_versions(l);
	note_again(l);
}

static void replay_again(const struct delta_replay *r, size_t size)
{
	struct delta_replay again = { 0 };
	struct buf json = { 0 }, file = { 0 }, json2 = { 0 }, file2 = { 0 };
	uint64_t actions, actions2;
	struct err e;

	expect(delta_replay_finish(r, &json, &file, &actions, &e) == OK);
	expect(actions <= r->lines.count && json.len <= size + r->lines.count);
	expect(file.len < 16384 + 64 * r->lines.count + 2 * size);
	expect(delta_replay_read(&again, buf_str(&json), &e) == OK);
	expect(again.lines.count == r->lines.count);
	expect(delta_replay_finish(&again, &json2, &file2, &actions2, &e) == OK);
	expect(actions == actions2 && json.len == json2.len);
	buf_release(&json);
	buf_release(&json2);
	buf_release(&file);
	buf_release(&file2);
	delta_replay_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct delta_log l = { .name = "t", .version = -1, .own = -1 };
	struct delta_replay r = { 0 };
	int64_t last = -1;
	struct err e;

	read_note(&l, next_file(&rest));
	delta_log_last(next_file(&rest), &last, &e);
	while (rest.len && l.version < DELTA_VERSION_MAX) {
		struct str commit = next_file(&rest);

		/* a commit that is refused ends a run; here the next may come */
		if (delta_log_read(&l, "starpipe-a", l.version + 1, commit, &e) == OK)
			l.version++;
		delta_replay_read(&r, commit, &e);
		if (l.own > l.version)
			l.own = l.version;
		check_versions(&l);
	}
	note_again(&l);
	replay_again(&r, size);
	delta_log_release(&l);
	delta_replay_release(&r);
	return 0;
}
