/* SPDX-License-Identifier: Apache-2.0 */
/* Maps read and compared in batches: maps.h says what each function does. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "axn.h"
#include "hash.h"

#define STALLS 64 /* batches in a row that brought nothing, before a reader gives up */

/* The place in a map from where the next batch is read. */
struct axn_walk {
	const struct axn_map *map;
	uint8_t *here, *next;
	uint64_t seen;
	uint32_t batch, stalls;
	bool started, by_element, ended;
};

static int walk_begin(struct axn_walk *walk, const struct axn_map *map)
{
	/* Hash maps keep their place in 4 bytes, all others in a key. */
	size_t size = map->key_size < 8 ? 8 : map->key_size;

	*walk = (struct axn_walk){ .map = map, .batch = map->batch, .here = malloc(2 * size) };
	walk->next = walk->here + size;
	return walk->here ? 0 : -ENOMEM;
}

static void walk_step(struct axn_walk *walk)
{
	uint8_t *here = walk->here;

	walk->here = walk->next;
	walk->next = here;
	walk->started = true;
}

static void walk_end(struct axn_walk *walk)
{
	free(walk->here < walk->next ? walk->here : walk->next);
}

static int walk_elements(struct axn_walk *walk, uint8_t *keys, uint8_t *values, uint32_t *count)
{
	const struct axn_map *map = walk->map;

	for (*count = 0; *count < walk->batch;) {
		int error = bpf_map_get_next_key(map->fd, walk->started ? walk->here : NULL,
						 walk->next);

		if (error == -ENOENT) {
			walk->ended = true;
			return 0;
		}
		if (error)
			return error;
		walk_step(walk);
		error = bpf_map_lookup_elem(map->fd, walk->here,
					    values + (size_t)*count * map->value_size);
		if (error && error != -ENOENT)
			return error;
		if (!error)
			memcpy(keys + (size_t)(*count)++ * map->key_size, walk->here,
			       map->key_size);
	}
	return 0;
}

/* One batch into keys and values, which have room for walk->batch rows. -ENOSPC: make
 * walk->batch bigger. */
static int walk_batch(struct axn_walk *walk, uint8_t *keys, uint8_t *values, uint32_t *count)
{
	const struct axn_map *map = walk->map;
	int error;

	if (walk->by_element)
		return walk_elements(walk, keys, values, count);
	*count = walk->batch;
	error = bpf_map_lookup_batch(map->fd, walk->started ? walk->here : NULL, walk->next, keys,
				     values, count, NULL);
	if (error == -ENOTSUPP) {
		walk->by_element = true;
		return walk_elements(walk, keys, values, count);
	}
	if (error == -ENOENT)
		walk->ended = true;
	else if (error && error != -EINTR && error != -EAGAIN)
		return error;
	else if (!error || *count) /* after an error: a row vanished under the reader */
		walk_step(walk);
	return 0;
}

/* As walk_batch, behind the rows of `into`; gives up where deletions send the reader back to the
 * beginning again and again. */
static int walk_next(struct axn_walk *walk, struct axn_rows *into, uint32_t *count)
{
	const struct axn_map *map = walk->map;
	int error;

	do {
		error = axn_rows_reserve(into, walk->batch);
		if (!error)
			error = walk_batch(walk, axn_key(into, into->count),
					   axn_value(into, into->count), count);
		if (error == -ENOSPC) /* a bucket of the hash is longer than the batch */
			walk->batch *= 2;
	} while (error == -ENOSPC);
	if (error)
		return error;
	if (map->flags & AXN_TRIE)
		axn_trie_trim(axn_key(into, into->count), map->key_size, *count);
	walk->seen += *count;
	walk->stalls = *count ? 0 : walk->stalls + 1;
	if (!walk->ended &&
	    (walk->stalls > STALLS || walk->seen > 4 * (uint64_t)map->max_entries + walk->batch))
		return -EAGAIN;
	return 0;
}

static int walk_append(struct axn_walk *walk, struct axn_rows *rows)
{
	uint32_t count;
	int error = walk_next(walk, rows, &count);

	if (error)
		return error;
	memset(rows->marks + rows->count, 0, count);
	rows->count += count;
	return 0;
}

int axn_map_read(const struct axn_map *map, struct axn_rows *rows)
{
	struct axn_walk walk;
	int error = walk_begin(&walk, map);

	while (!error && !walk.ended)
		error = walk_append(&walk, rows);
	walk_end(&walk);
	return error;
}

struct axn_walk *axn_walk_open(const struct axn_map *map)
{
	struct axn_walk *walk = malloc(sizeof(*walk));

	if (walk && walk_begin(walk, map)) {
		free(walk);
		walk = NULL;
	}
	return walk;
}

int axn_walk_next(struct axn_walk *walk, struct axn_rows *rows)
{
	int error = walk->ended ? 0 : walk_append(walk, rows);

	return error ? error : !walk->ended;
}

void axn_walk_close(struct axn_walk *walk)
{
	walk_end(walk);
	free(walk);
}

static bool all_zero(const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static int compare_row(const struct axn_map *map, struct axn_rows *desired, struct axn_rows *stale,
		       const uint8_t *key, const uint8_t *value, uint32_t hash)
{
	int64_t row = axn_lookup(desired, key, hash);

	if (row < 0) {
		if (map->flags & AXN_ARRAY && all_zero(value, map->value_size))
			return 0;
		return axn_rows_append(stale, key, value, 1);
	}
	desired->marks[row] |= AXN_SEEN;
	if (memcmp(axn_value(desired, row), value, map->value_size))
		desired->marks[row] |= AXN_DIFFERS;
	return 0;
}

static int compare_batch(const struct axn_map *map, struct axn_rows *desired,
			 struct axn_rows *stale, const struct axn_rows *read, uint32_t count)
{
	uint32_t hashes[AXN_BLOCK];
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		if (i % AXN_BLOCK == 0)
			axn_hash_block(desired, axn_key(read, i), axn_least(count - i, AXN_BLOCK),
				       hashes);
		error = compare_row(map, desired, stale, axn_key(read, i), axn_value(read, i),
				    hashes[i % AXN_BLOCK]);
	}
	return error;
}

int axn_map_compare(const struct axn_map *map, struct axn_rows *desired, struct axn_rows *stale)
{
	/* Room for one batch, used again and again. */
	struct axn_rows *read = axn_rows_new(map->key_size, map->value_size);
	struct axn_walk walk;
	uint32_t count;
	int error;

	if (!read)
		return -ENOMEM;
	error = walk_begin(&walk, map);
	if (!error)
		error = axn_rows_index(desired);
	for (uint32_t row = 0; !error && row < desired->count; row++)
		desired->marks[row] &= AXN_PENDING;
	while (!error && !walk.ended) {
		error = walk_next(&walk, read, &count);
		if (!error)
			error = compare_batch(map, desired, stale, read, count);
	}
	if (!error)
		error = axn_rows_index(stale);
	walk_end(&walk);
	axn_rows_free(read);
	return error;
}
