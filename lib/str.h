/* str.h - borrowed text: a pointer and a length, not NUL-terminated, owner elsewhere. */
#ifndef STARPIPE_STR_H
#define STARPIPE_STR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *data;
	size_t len;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
/* for printf's "%.*s": a text that is longer than an int tells would have no end */
#define STR_ARG(s) (int)((s).len < INT_MAX ? (s).len : INT_MAX), (s).data

static inline struct str str_of(const char *z)
{
	return (struct str){ z, strlen(z) };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool str_eqz(struct str a, const char *z)
{
	return str_eq(a, str_of(z));
}

static inline bool str_is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* memcmp order; a prefix sorts first */
int str_cmp(struct str a, struct str b);

/* How many bytes to insert, remove or replace to make a of b; SIZE_MAX if one has more than 63. */
size_t str_distance(struct str a, struct str b);

/* FNV-1a with a final mix; start with seed 0, chain by passing the last result. */
uint64_t str_hash(struct str s, uint64_t seed);

/* A whole decimal number in [min, max] and nothing else; false leaves *out alone. */
bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *out);

/* The same for a JSON number with a point or an exponent, if it is whole: 2.0, -1.50e2, 3e0. */
bool str_to_whole(struct str number, int64_t min, int64_t max, int64_t *out);

/* "512", "64K", "16MiB", "5G": bytes, powers of 1024. */
bool str_to_size(struct str s, uint64_t max, uint64_t *out);

/* Offset of the first byte that is not valid UTF-8 (no overlong forms, no surrogates, at most
 * U+10FFFF), or s.len when all is well. */
size_t str_bad_utf8(struct str s);

/* Bytes of the UTF-8 character that starts with lead; 1 for anything malformed. */
static inline size_t utf8_len(unsigned char lead)
{
	return lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
}

/* How many characters s has, and the offset of the n-th (the first is 0; s.len behind the end). s
 * is UTF-8. */
size_t str_chars(struct str s);
size_t str_offset(struct str s, int64_t n);

#endif
