/* map.h - a hash table from bytes to a pointer. Keys are copied in; values belong to the caller.
 * A zeroed struct map is empty and valid. Nothing is ever removed. Hashes depend on a secret of the
 * process, so that nobody can choose keys that collide; nor is there an order of entries. */
#ifndef STARPIPE_MAP_H
#define STARPIPE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "str.h"

struct map_entry {
	struct str key;
	uint64_t hash;
	void *value; /* NULL in an entry that was just added */
};

struct map {
	struct map_entry *entries; /* capacity slots, empty ones have no key.data */
	size_t count, capacity;
	struct arena keys;
};

/* The entry of key, or NULL. Valid until the next map_add. */
struct map_entry *map_find(const struct map *m, struct str key);

/* The entry of key, added if it is new: *added tells. */
struct map_entry *map_add(struct map *m, struct str key, int *added);

void map_release(struct map *m);

#endif
