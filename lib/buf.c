/* buf - a growing byte buffer */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void buf_grow(struct buf *b, size_t more)
{
	size_t need = mem_sum(mem_sum(b->len, more), 1);
	size_t cap = b->cap + b->cap / 2;

	if (cap < need)
		cap = need;
	if (cap < 64)
		cap = 64;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		buf_need(b, (size_t)n);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void buf_add_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_add_i64(struct buf *b, int64_t n)
{
	if (n < 0)
		buf_addch(b, '-');
	buf_add_u64(b, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void buf_add_word(struct buf *b, const char *z)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=";

	if (*z && strspn(z, plain) == strlen(z)) {
		buf_addz(b, z);
		return;
	}
	buf_addch(b, '\'');
	for (; *z; z++)
		if (*z == '\'')
			buf_addz(b, "'\\''");
		else
			buf_addch(b, *z);
	buf_addch(b, '\'');
}
