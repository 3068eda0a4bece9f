/* buf.h - a growing byte buffer.
 *
 * A zeroed struct buf is empty and valid. data is always followed by a NUL byte that len does
 * not count, once anything was added. The buffer owns data; a pointer into it is valid until the
 * next call that adds. Growth is unbounded: callers that take foreign input check len against a
 * limit of their own (wire.h: max_row). What no size_t can count ends the program (mem.h). */
#ifndef STARPIPE_BUF_H
#define STARPIPE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "str.h"

struct buf {
	char *data;
	size_t len, cap;
};

void buf_release(struct buf *b);

/* Make room for more bytes (and the NUL) behind len. */
void buf_grow(struct buf *b, size_t more);

void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add_u64(struct buf *b, uint64_t n);
void buf_add_i64(struct buf *b, int64_t n);

/* As one word of a shell's command line, for what people copy from a hint. */
void buf_add_word(struct buf *b, const char *z);

/* Forget the contents, keep the memory. */
static inline void buf_reset(struct buf *b)
{
	b->len = 0;
}

static inline void buf_need(struct buf *b, size_t more)
{
	if (b->cap - b->len <= more)
		buf_grow(b, more);
}

static inline void buf_add(struct buf *b, const void *data, size_t len)
{
	buf_need(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

static inline void buf_addch(struct buf *b, char c)
{
	buf_need(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

static inline void buf_addz(struct buf *b, const char *z)
{
	buf_add(b, z, strlen(z));
}

static inline void buf_addstr(struct buf *b, struct str s)
{
	buf_add(b, s.data, s.len);
}

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->data ? b->data : "", b->len };
}

#endif
