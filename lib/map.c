/* map - a hash table from bytes to a pointer: open addressing, linear probing */
#include "map.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"

static uint64_t secret[3]; /* all 0: not made yet */

static void make_secret(void)
{
	struct timespec now;

	if (getrandom(secret, sizeof(secret), 0) == (ssize_t)sizeof(secret))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now); /* a kernel without it: better than nothing */
	for (int i = 0; i < 3; i++)
		secret[i] ^= ((uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid()) *
			     (0x9e3779b97f4a7c15u + (uint64_t)i * 2);
}

/* Both halves of the product: whoever does not know the secret knows neither factor. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(struct str key)
{
	uint64_t hash = secret[0], two[2];
	const char *p = key.data;
	size_t left = key.len;

	for (; left > 16; p += 16, left -= 16) {
		memcpy(two, p, 16);
		hash = mix(two[0] ^ secret[1] ^ hash, two[1] ^ secret[2]);
	}
	two[0] = two[1] = 0;
	if (left)
		memcpy(two, p, left);
	hash = mix(two[0] ^ secret[1] ^ hash, two[1] ^ secret[2]);
	return mix(hash ^ secret[1], key.len ^ secret[2]);
}

static struct map_entry *slot_of(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = hash & (m->capacity - 1);

	while (m->entries[i].key.data &&
	       (m->entries[i].hash != hash || !str_eq(m->entries[i].key, key)))
		i = (i + 1) & (m->capacity - 1);
	return &m->entries[i];
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->capacity = old.capacity ? mem_product(old.capacity, 2) : 64;
	m->entries = xcalloc(m->capacity, sizeof(*m->entries));
	for (size_t i = 0; i < old.capacity; i++)
		if (old.entries[i].key.data)
			*slot_of(m, old.entries[i].key, old.entries[i].hash) = old.entries[i];
	free(old.entries);
}

struct map_entry *map_find(const struct map *m, struct str key)
{
	struct map_entry *slot;

	if (m->count == 0)
		return NULL;
	slot = slot_of(m, key, hash_of(key));
	return slot->key.data ? slot : NULL;
}

struct map_entry *map_add(struct map *m, struct str key, int *added)
{
	struct map_entry *slot;
	uint64_t hash;

	if (!secret[0])
		make_secret();
	hash = hash_of(key);
	if (m->count * 10 >= m->capacity * 7)
		grow(m);
	slot = slot_of(m, key, hash);
	*added = !slot->key.data;
	if (*added) {
		*slot = (struct map_entry){ arena_copy(&m->keys, key), hash, NULL };
		m->count++;
	}
	return slot;
}

void map_release(struct map *m)
{
	free(m->entries);
	arena_release(&m->keys);
	*m = (struct map){ 0 };
}
