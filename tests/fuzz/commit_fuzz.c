/* commit_fuzz - any bytes as the commit record of a lake's step 1: `make fuzz T=commit`
 *
 * Behind a NUL may stand a state, which is compared with the record's own. What is accepted keeps
 * its promises, and printed it is read as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lake_record.h"
#include "state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_object(const struct lake_step *s, const struct lake_object *o)
{
	struct buf folder = { 0 };

	lake_add_folder(&folder, s->tables[o->table_index]->name);
	expect(same(o->table, s->tables[o->table_index]->name));
	expect(strncmp(o->path, folder.data, folder.len) == 0 && o->path[folder.len] == '/');
	expect(!strstr(o->path, "/../") && !strchr(o->path, '\n') && folder.data[0] != '_');
	expect(strlen(o->sha256) == 64 && (int64_t)o->rows >= 0 && (int64_t)o->bytes >= 0);
	buf_release(&folder);
}

static void check_same(const struct lake_step *a, const struct lake_step *b)
{
	expect(a->number == b->number && same(a->id, b->id));
	expect(a->table_count == b->table_count && a->object_count == b->object_count);
	expect(str_eq(a->state, b->state) && str_eq(a->delta, b->delta));
	for (size_t i = 0; i < a->table_count; i++)
		expect(wire_same_columns(a->tables[i], b->tables[i]) &&
		       same(a->tables[i]->name, b->tables[i]->name) &&
		       a->tables[i]->rows == b->tables[i]->rows);
	for (size_t i = 0; i < a->object_count; i++) {
		const struct lake_object *o = &a->objects[i], *p = &b->objects[i];

		expect(same(o->path, p->path) && same(o->format, p->format) &&
		       same(o->sha256, p->sha256) && o->table_index == p->table_index);
		expect(same(o->column, p->column) && same(o->value, p->value));
		expect(o->rows == p->rows && o->deletes == p->deletes && o->bytes == p->bytes);
		expect(o->codec == p->codec && o->numeric_text == p->numeric_text &&
		       o->time_text == p->time_text);
	}
}

static void print_again(const struct lake_step *s)
{
	struct buf objects = { 0 }, text = { 0 };
	struct lake_step again;
	struct err e;

	for (size_t i = 0; i < s->object_count; i++) {
		check_object(s, &s->objects[i]);
		lake_record_add_object(&objects, &s->objects[i]);
	}
	lake_record_add(&text, s, "fuzz", buf_str(&objects));
	expect(lake_record_read(&text, s->number, &again, &e) == OK);
	check_same(s, &again);
	lake_step_release(&again);
	buf_release(&objects);
	buf_release(&text);
}

/* Of two states one is the later, or none. */
static void compare(struct str a, struct str b)
{
	enum state_order there = state_order(a, b), back = state_order(b, a);
	struct err e;

	expect((there == STATE_OLDER) == (back == STATE_NEWER));
	expect((there == STATE_SAME) == (back == STATE_SAME));
	state_follows(a, b);
	state_skips(a, b);
	expect((state_check_forward(a, b, "fuzz", &e) == LOST_RACE) == (there == STATE_OLDER));
	expect(there == STATE_OTHER || there == STATE_OLDER ||
	       state_check_forward(a, b, "fuzz", &e) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t len = nul ? (size_t)(nul - data) : size;
	struct str state = nul ? (struct str){ (const char *)nul + 1, size - len - 1 } : STR("");
	struct buf text = { 0 };
	struct lake_step s;
	struct err e;

	buf_add(&text, data, len);
	if (lake_record_read(&text, 1, &s, &e) == OK) {
		print_again(&s);
		compare(state, s.state);
	} else {
		expect(e.msg[0]);
		compare(state, (struct str){ (const char *)data, len });
	}
	lake_step_release(&s);
	buf_release(&text);
	return 0;
}
