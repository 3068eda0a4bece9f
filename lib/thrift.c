/* thrift - Thrift's compact protocol */
#include "thrift.h"

#include <assert.h>

enum { MAX_DEPTH = 16, VARINT_BYTES = 10 };

/* --- writing --- */

void varint_put(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_addch(b, (char)(v | 0x80));
		v >>= 7;
	}
	buf_addch(b, (char)v);
}

static void put_zigzag(struct buf *b, int64_t v)
{
	varint_put(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_header(struct thrift_out *o, int id, int type)
{
	int delta;

	if (id == 0) /* an element has none: its list says the type */
		return;
	delta = id - o->last[o->depth];
	assert(delta > 0 && delta < 16);
	buf_addch(o->b, (char)(delta << 4 | type));
	o->last[o->depth] = id;
}

void thrift_put_bool(struct thrift_out *o, int id, bool v)
{
	put_header(o, id, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_put_i8(struct thrift_out *o, int id, int v)
{
	put_header(o, id, THRIFT_I8);
	buf_addch(o->b, (char)v);
}

void thrift_put_i32(struct thrift_out *o, int id, int32_t v)
{
	put_header(o, id, THRIFT_I32);
	put_zigzag(o->b, v);
}

void thrift_put_i64(struct thrift_out *o, int id, int64_t v)
{
	put_header(o, id, THRIFT_I64);
	put_zigzag(o->b, v);
}

void thrift_put_binary(struct thrift_out *o, int id, struct str s)
{
	put_header(o, id, THRIFT_BINARY);
	varint_put(o->b, s.len);
	buf_addstr(o->b, s);
}

void thrift_put_list(struct thrift_out *o, int id, int element_type, size_t count)
{
	put_header(o, id, THRIFT_LIST);
	if (count < 15) {
		buf_addch(o->b, (char)(count << 4 | (size_t)element_type));
	} else {
		buf_addch(o->b, (char)(0xf0 | element_type));
		varint_put(o->b, count);
	}
}

void thrift_put_struct(struct thrift_out *o, int id)
{
	put_header(o, id, THRIFT_STRUCT);
	o->depth++;
	assert(o->depth < 8);
	o->last[o->depth] = 0;
}

void thrift_end(struct thrift_out *o)
{
	buf_addch(o->b, 0);
	o->depth--;
}

/* --- reading --- */

static void fail(struct thrift_in *in, enum thrift_error error)
{
	if (in->error == THRIFT_OK)
		in->error = error;
	in->p = in->end;
}

static unsigned get_byte(struct thrift_in *in)
{
	if (in->p < in->end)
		return *in->p++;
	fail(in, THRIFT_SHORT);
	return 0;
}

uint64_t varint_get(struct thrift_in *in)
{
	uint64_t v = 0;

	for (int i = 0; i < VARINT_BYTES; i++) {
		unsigned c = get_byte(in);

		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (!(c & 0x80))
			return v;
	}
	fail(in, THRIFT_MALFORMED);
	return 0;
}

static int64_t get_zigzag(struct thrift_in *in)
{
	uint64_t v = varint_get(in);

	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

bool thrift_next(struct thrift_in *in, struct thrift_field *f)
{
	unsigned head = get_byte(in);
	int64_t id;

	if (in->error != THRIFT_OK)
		return false;
	if (head == 0) {
		in->depth--;
		return false;
	}
	f->type = head & 15;
	id = head >> 4 ? f->id + (int64_t)(head >> 4) : get_zigzag(in);
	if (id <= 0 || id > INT16_MAX || f->type == 0 || f->type > THRIFT_UUID)
		fail(in, THRIFT_MALFORMED);
	f->id = (int)id;
	return in->error == THRIFT_OK;
}

bool thrift_bool(struct thrift_in *in, const struct thrift_field *f)
{
	if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE)
		fail(in, THRIFT_MALFORMED);
	return in->error == THRIFT_OK && f->type == THRIFT_TRUE;
}

int64_t thrift_int(struct thrift_in *in, const struct thrift_field *f)
{
	int64_t v;

	if (f->type == THRIFT_I8)
		return (int8_t)get_byte(in);
	if (f->type < THRIFT_I16 || f->type > THRIFT_I64) {
		fail(in, THRIFT_MALFORMED);
		return 0;
	}
	v = get_zigzag(in);
	return in->error == THRIFT_OK ? v : 0;
}

struct str thrift_binary(struct thrift_in *in, const struct thrift_field *f)
{
	struct str s = { "", 0 };
	uint64_t len;

	if (f->type != THRIFT_BINARY) {
		fail(in, THRIFT_MALFORMED);
		return s;
	}
	len = varint_get(in);
	if (len > (uint64_t)(in->end - in->p)) {
		fail(in, THRIFT_SHORT);
		return s;
	}
	s = (struct str){ (const char *)in->p, (size_t)len };
	in->p += len;
	return s;
}

size_t thrift_list(struct thrift_in *in, const struct thrift_field *f, struct thrift_field *element)
{
	unsigned head;
	uint64_t count;

	*element = (struct thrift_field){ 0 };
	if (f->type != THRIFT_LIST && f->type != THRIFT_SET) {
		fail(in, THRIFT_MALFORMED);
		return 0;
	}
	head = get_byte(in);
	count = head >> 4 == 15 ? varint_get(in) : head >> 4;
	element->type = head & 15;
	if (count > (uint64_t)(in->end - in->p)) /* every element takes a byte at least */
		fail(in, THRIFT_SHORT);
	return in->error == THRIFT_OK ? (size_t)count : 0;
}

bool thrift_struct(struct thrift_in *in, const struct thrift_field *f)
{
	if (f->type != THRIFT_STRUCT || in->depth >= MAX_DEPTH)
		fail(in, THRIFT_MALFORMED);
	in->depth++;
	return in->error == THRIFT_OK;
}

static void skip_bytes(struct thrift_in *in, size_t n)
{
	if ((size_t)(in->end - in->p) < n)
		fail(in, THRIFT_SHORT);
	else
		in->p += n;
}

static void skip_map(struct thrift_in *in)
{
	uint64_t count = varint_get(in);
	unsigned types = count ? get_byte(in) : 0;
	struct thrift_field key = { 0, (int)(types >> 4) }, value = { 0, (int)(types & 15) };

	if (++in->depth > MAX_DEPTH)
		fail(in, THRIFT_MALFORMED);
	while (count-- && in->error == THRIFT_OK) {
		thrift_skip(in, &key);
		thrift_skip(in, &value);
	}
	in->depth--;
}

/* In a list a bool is a byte of its own, in a struct its type says it all: elements have no id. */
void thrift_skip(struct thrift_in *in, const struct thrift_field *f)
{
	struct thrift_field inner = { 0 };

	switch (f->type) {
	case THRIFT_TRUE:
	case THRIFT_FALSE: skip_bytes(in, f->id == 0); break;
	case THRIFT_I8: skip_bytes(in, 1); break;
	case THRIFT_I16:
	case THRIFT_I32:
	case THRIFT_I64: varint_get(in); break;
	case THRIFT_DOUBLE: skip_bytes(in, 8); break;
	case THRIFT_UUID: skip_bytes(in, 16); break;
	case THRIFT_BINARY: thrift_binary(in, f); break;
	case THRIFT_LIST:
	case THRIFT_SET:
		if (++in->depth > MAX_DEPTH)
			fail(in, THRIFT_MALFORMED);
		for (size_t n = thrift_list(in, f, &inner); n && in->error == THRIFT_OK; n--)
			thrift_skip(in, &inner);
		in->depth--;
		break;
	case THRIFT_MAP: skip_map(in); break;
	case THRIFT_STRUCT:
		if (thrift_struct(in, f))
			while (thrift_next(in, &inner))
				thrift_skip(in, &inner);
		break;
	default: fail(in, THRIFT_MALFORMED);
	}
}
