/* arena - memory that is given back all at once */
#include "arena.h"

#include <stdlib.h>

#include "mem.h"

enum { CHUNK = 64 * 1024, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	_Alignas(ALIGN) char data[];
};

static void add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c = xmalloc(mem_sum(sizeof(*c), size));

	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	a->at = c->data;
	a->end = c->data + size;
	a->bytes += size;
}

void *arena_alloc(struct arena *a, size_t size)
{
	char *p;

	size = mem_sum(size, ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!a->at || (size_t)(a->end - a->at) < size)
		add_chunk(a, size > CHUNK ? size : CHUNK);
	p = a->at;
	a->at += size;
	return p;
}

struct str arena_copy(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.len ? s.len : 1);

	if (s.len)
		memcpy(p, s.data, s.len);
	return (struct str){ p, s.len };
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL;

	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		if (!keep && c->size == CHUNK)
			keep = c;
		else
			free(c);
	}
	*a = (struct arena){ 0 };
	if (keep) {
		keep->next = NULL;
		*a = (struct arena){ keep, keep->data, keep->data + CHUNK, CHUNK };
	}
}

void arena_release(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		free(c);
	}
	*a = (struct arena){ 0 };
}
