/* thrift.h - Thrift's compact protocol, as far as Parquet's metadata needs it.
 *
 * Writing: a struct's fields go out in ascending order of their ids, by thrift_put_* with the id; a
 * list's elements by the same functions with id 0. Every thrift_put_struct wants a thrift_end, the
 * outermost struct too.
 *
 * Reading: struct thrift_in is a cursor over foreign bytes that says once, at the end, what was
 * wrong: after the first mistake every function does nothing and returns 0, and error tells
 * whether the bytes ended too early (more of them may help) or never made sense.
 *
 *     struct thrift_field f = { 0 };
 *     while (thrift_next(in, &f))
 *             switch (f.id) {
 *             case 1: rows = thrift_int(in, &f); break;
 *             default: thrift_skip(in, &f);
 *             }
 *
 * Nothing is believed: counts are held against the bytes that are left, depth is bounded. */
#ifndef STARPIPE_THRIFT_H
#define STARPIPE_THRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum {
	THRIFT_TRUE = 1, THRIFT_FALSE, THRIFT_I8, THRIFT_I16, THRIFT_I32, THRIFT_I64, THRIFT_DOUBLE,
	THRIFT_BINARY, THRIFT_LIST, THRIFT_SET, THRIFT_MAP, THRIFT_STRUCT, THRIFT_UUID
};

/* --- writing --- */

struct thrift_out {
	struct buf *b;
	int last[8]; /* the id written last, of each open struct */
	int depth;
};

void thrift_put_bool(struct thrift_out *o, int id, bool v);
void thrift_put_i8(struct thrift_out *o, int id, int v);
void thrift_put_i32(struct thrift_out *o, int id, int32_t v);
void thrift_put_i64(struct thrift_out *o, int id, int64_t v);
void thrift_put_binary(struct thrift_out *o, int id, struct str s);
void thrift_put_list(struct thrift_out *o, int id, int element_type, size_t count);
void thrift_put_struct(struct thrift_out *o, int id); /* id 0: an element, or the outermost */
void thrift_end(struct thrift_out *o);

void varint_put(struct buf *b, uint64_t v);

/* --- reading --- */

enum thrift_error { THRIFT_OK, THRIFT_SHORT, THRIFT_MALFORMED };

struct thrift_in {
	const unsigned char *p, *end;
	enum thrift_error error;
	int depth;
};

struct thrift_field {
	int id; /* the one read last; 0 at the start of a struct */
	int type;
};

/* The next field of the struct that f goes through; false behind the last, and after an error. */
bool thrift_next(struct thrift_in *in, struct thrift_field *f);

bool thrift_bool(struct thrift_in *in, const struct thrift_field *f);
int64_t thrift_int(struct thrift_in *in, const struct thrift_field *f); /* of any width */
struct str thrift_binary(struct thrift_in *in, const struct thrift_field *f);

/* How many elements follow; *element is for reading them: its type is the elements'. */
size_t thrift_list(struct thrift_in *in, const struct thrift_field *f,
		   struct thrift_field *element);

/* Is f a struct? Then its own fields follow: until thrift_next says false, which leaves it. */
bool thrift_struct(struct thrift_in *in, const struct thrift_field *f);
void thrift_skip(struct thrift_in *in, const struct thrift_field *f);

uint64_t varint_get(struct thrift_in *in);

#endif
