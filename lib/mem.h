/* mem.h - memory that is there or the program ends.
 *
 * Out of memory prints one line and exits 1: the suite's tools hold no state worth a rescue,
 * their destinations commit at the end or not at all. Free with free(). */
#ifndef STARPIPE_MEM_H
#define STARPIPE_MEM_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);

/* The sum and product of sizes. One that no size_t holds is memory that is not there. */
size_t mem_sum(size_t a, size_t b);
size_t mem_product(size_t a, size_t b);

/* Make room for one more element: a grows by half when count reaches *cap. */
#define GROW(a, count, cap) \
	do { \
		if ((count) == (cap)) { \
			(cap) = (cap) ? (cap) + (cap) / 2 + 1 : 8; \
			(a) = xrealloc((a), mem_product((cap), sizeof(*(a)))); \
		} \
	} while (0)

#endif
