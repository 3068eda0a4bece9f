/* arena.h - memory that is given back all at once.
 *
 * For values that live as long as one row, or one table. Pointers stay valid until arena_reset or
 * arena_release. A zeroed struct arena is empty and valid. */
#ifndef STARPIPE_ARENA_H
#define STARPIPE_ARENA_H

#include <stddef.h>

#include "str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the newest first */
	char *at, *end;
	size_t bytes;               /* of all chunks */
};

/* Aligned for anything. */
void *arena_alloc(struct arena *a, size_t size);
struct str arena_copy(struct arena *a, struct str s);

/* Forget all, keep one chunk for what comes next. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

#endif
