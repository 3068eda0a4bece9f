/* mem - allocation that succeeds or ends the program */
#include "mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p)
{
	if (!p) {
		fputs("starpipe: error: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

size_t mem_sum(size_t a, size_t b)
{
	if (a > SIZE_MAX - b)
		check(NULL);
	return a + b;
}

size_t mem_product(size_t a, size_t b)
{
	if (b && a > SIZE_MAX / b)
		check(NULL);
	return a * b;
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return check(realloc(p, size ? size : 1));
}

char *xstrndup(const char *s, size_t len)
{
	char *p = xmalloc(mem_sum(len, 1));

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}
