/* map - a hash table from bytes to a pointer: open addressing, linear probing */
#include "map.h"

#include <stdlib.h>

#include "mem.h"

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

	m->capacity = old.capacity ? old.capacity * 2 : 64;
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
	slot = slot_of(m, key, str_hash(key, 0));
	return slot->key.data ? slot : NULL;
}

struct map_entry *map_add(struct map *m, struct str key, int *added)
{
	uint64_t hash = str_hash(key, 0);
	struct map_entry *slot;

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
