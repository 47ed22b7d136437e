/* SPDX-License-Identifier: Apache-2.0 */
/* Maps written and emptied in batches: maps.h says what each function does. */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "axn.h"
#include "hash.h"

void axn_trie_trim(void *keys, uint32_t key_size, uint32_t count)
{
	uint8_t *key = keys;

	for (uint32_t i = 0; i < count; i++, key += key_size) {
		uint8_t *bits = key + sizeof(uint32_t);
		uint32_t prefix, size = key_size - sizeof(uint32_t);

		memcpy(&prefix, key, sizeof prefix);
		if (prefix >= 8 * size)
			continue;
		bits[prefix / 8] &= (uint8_t)(0xff00 >> prefix % 8);
		memset(bits + prefix / 8 + 1, 0, size - prefix / 8 - 1);
	}
}

static int write_elements(const struct axn_map *map, const uint8_t *keys, const uint8_t *values,
			  uint32_t count, uint32_t *done)
{
	for (uint32_t i = 0; i < count; i++, ++*done) {
		int error = bpf_map_update_elem(map->fd, keys + (size_t)i * map->key_size,
						values + (size_t)i * map->value_size, BPF_ANY);

		if (error)
			return error;
	}
	return 0;
}

int axn_map_write(const struct axn_map *map, const void *keys, const void *values, uint32_t count,
		  uint32_t *done)
{
	*done = 0;
	while (*done < count) {
		const uint8_t *key = (const uint8_t *)keys + (size_t)*done * map->key_size;
		const uint8_t *value = (const uint8_t *)values + (size_t)*done * map->value_size;
		uint32_t asked = axn_least(count - *done, map->batch), landed = asked;
		int error = bpf_map_update_batch(map->fd, key, value, &landed, NULL);

		if (error == -ENOTSUPP)
			return write_elements(map, key, value, count - *done, done);
		/* A call that failed before its first row leaves the count as it was. */
		if (error && (landed == asked || error == -EFAULT))
			landed = 0;
		*done += landed;
		if (error)
			return error;
	}
	return 0;
}

static int delete_elements(const struct axn_map *map, const uint8_t *keys, uint32_t count,
			   uint32_t *done)
{
	for (uint32_t i = 0; i < count; i++) {
		int error = bpf_map_delete_elem(map->fd, keys + (size_t)i * map->key_size);

		if (error && error != -ENOENT)
			return error;
		*done += !error;
	}
	return 0;
}

int axn_map_delete(const struct axn_map *map, const void *keys, uint32_t count, uint32_t *done)
{
	uint32_t at = 0;

	*done = 0;
	while (at < count) {
		const uint8_t *key = (const uint8_t *)keys + (size_t)at * map->key_size;
		uint32_t asked = axn_least(count - at, map->batch), gone = asked;
		int error = bpf_map_delete_batch(map->fd, key, &gone, NULL);

		if (error == -ENOTSUPP)
			return delete_elements(map, key, count - at, done);
		if (error && (gone == asked || error == -EFAULT))
			gone = 0;
		*done += gone;
		at += gone;
		if (error == -ENOENT)
			at++;
		else if (error)
			return error;
	}
	return 0;
}

static uint32_t run_length(const struct axn_rows *rows, uint32_t first, uint32_t mask,
			   uint32_t value)
{
	uint32_t row = first;

	while (row < rows->count && (rows->marks[row] & mask) == value)
		row++;
	return row - first;
}

/* Long runs of marked rows are written where they lie, the others are gathered first. */
int axn_map_write_marked(const struct axn_map *map, struct axn_rows *rows, uint32_t mask,
			 uint32_t value, uint32_t *done)
{
	struct axn_rows *gathered = axn_rows_new(map->key_size, map->value_size);
	uint32_t landed, run;
	int error = gathered ? 0 : -ENOMEM;

	*done = 0;
	for (uint32_t row = 0; !error && row < rows->count; row += run ? run : 1) {
		run = run_length(rows, row, mask, value);
		if (run < map->batch) {
			error = axn_rows_append(gathered, axn_key(rows, row), axn_value(rows, row),
						run);
		} else {
			error = axn_map_write(map, axn_key(rows, row), axn_value(rows, row), run,
					      &landed);
			*done += landed;
		}
	}
	if (!error) {
		error = axn_map_write(map, gathered->keys, gathered->values, gathered->count,
				      &landed);
		*done += landed;
	}
	if (gathered)
		axn_rows_free(gathered);
	return error;
}
