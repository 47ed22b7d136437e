/* SPDX-License-Identifier: Apache-2.0 */
/* Rows kept packed and found by key: rows.h says what each function does. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "axn.h"
#include "hash.h"

#define FIRST_ROOM 16u

uint64_t axn_hash_seed;

/* Keys can be chosen by whoever sends packets: nobody else may know which of them collide. */
__attribute__((constructor)) static void choose_seed(void)
{
	if (getrandom(&axn_hash_seed, sizeof axn_hash_seed, GRND_NONBLOCK) != sizeof axn_hash_seed)
		axn_hash_seed = (uintptr_t)&axn_hash_seed;
}

struct axn_rows *axn_rows_new(uint32_t key_size, uint32_t value_size)
{
	struct axn_rows *rows = calloc(1, sizeof *rows);

	if (!rows)
		return NULL;
	rows->key_size = key_size;
	rows->value_size = value_size;
	return rows;
}

void axn_rows_free(struct axn_rows *rows)
{
	free(rows->keys);
	free(rows->values);
	free(rows->marks);
	free(rows->slots);
	free(rows->gone);
	free(rows);
}

static int resize(uint8_t **array, size_t size)
{
	uint8_t *grown = realloc(*array, size);

	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}

int axn_rows_reserve(struct axn_rows *rows, uint32_t extra)
{
	uint64_t wanted = (uint64_t)rows->count + extra,
		 room = rows->room ? rows->room : FIRST_ROOM;

	if (wanted <= rows->room)
		return 0;
	while (room < wanted)
		room *= 2;
	if (room >= UINT32_MAX || resize(&rows->keys, room * rows->key_size) ||
	    resize(&rows->values, room * rows->value_size) || resize(&rows->marks, room))
		return -ENOMEM;
	rows->room = room;
	return 0;
}

int axn_rows_append(struct axn_rows *rows, const void *keys, const void *values, uint32_t count)
{
	int error = count ? axn_rows_reserve(rows, count) : 0;

	if (error || !count)
		return error;
	memcpy(axn_key(rows, rows->count), keys, (size_t)count * rows->key_size);
	memcpy(axn_value(rows, rows->count), values, (size_t)count * rows->value_size);
	memset(rows->marks + rows->count, AXN_PENDING, count);
	rows->count += count;
	return 0;
}

static void slot_fill(struct axn_rows *rows, uint32_t hash, uint32_t row)
{
	uint64_t slot = hash & rows->slot_mask;

	while (rows->slots[slot])
		slot = (slot + 1) & rows->slot_mask;
	rows->slots[slot] = (uint64_t)hash << 32 | (row + 1);
}

/* At most half of the slots are ever in use. */
static int grow_index(struct axn_rows *rows, uint64_t wanted)
{
	uint64_t size = rows->slots ? rows->slot_mask + 1 : 2 * FIRST_ROOM,
		 old_size = rows->slots ? size : 0;
	uint64_t *old = rows->slots, *fresh;

	if (old && 2 * wanted <= size)
		return 0;
	while (size < 2 * wanted)
		size *= 2;
	fresh = calloc(size, sizeof *fresh);
	if (!fresh)
		return -ENOMEM;
	rows->slots = fresh;
	rows->slot_mask = size - 1;
	for (uint64_t i = 0; i < old_size; i++)
		if (old[i])
			slot_fill(rows, old[i] >> 32, (uint32_t)old[i] - 1);
	free(old);
	return 0;
}

/* Close the gap that a freed slot leaves in the chains that run over it. */
static void slot_free(struct axn_rows *rows, uint64_t slot)
{
	uint64_t mask = rows->slot_mask, gap = slot;

	for (;;) {
		slot = (slot + 1) & mask;
		if (!rows->slots[slot])
			break;
		if (((slot - (rows->slots[slot] >> 32)) & mask) < ((slot - gap) & mask))
			continue; /* its chain begins behind the gap */
		rows->slots[gap] = rows->slots[slot];
		gap = slot;
	}
	rows->slots[gap] = 0;
}

/* The slot that names this row, which is in the index. */
static uint64_t slot_of(const struct axn_rows *rows, uint32_t row)
{
	uint32_t hash = axn_hash(axn_key(rows, row), rows->key_size);
	uint64_t slot = hash & rows->slot_mask;

	while ((uint32_t)rows->slots[slot] != row + 1)
		slot = (slot + 1) & rows->slot_mask;
	return slot;
}

static void move_last(struct axn_rows *rows, uint32_t to)
{
	uint32_t last = rows->count - 1;

	if (to != last) {
		memcpy(axn_key(rows, to), axn_key(rows, last), rows->key_size);
		memcpy(axn_value(rows, to), axn_value(rows, last), rows->value_size);
		rows->marks[to] = rows->marks[last];
	}
	rows->count = last;
}

int axn_rows_index(struct axn_rows *rows)
{
	int error = grow_index(rows, rows->count);

	while (!error && rows->indexed < rows->count) {
		uint32_t row = rows->indexed, hash = axn_hash(axn_key(rows, row), rows->key_size);
		int64_t known = axn_lookup(rows, axn_key(rows, row), hash);

		if (known < 0) {
			slot_fill(rows, hash, row);
			rows->indexed++;
			continue;
		}
		memcpy(axn_value(rows, known), axn_value(rows, row), rows->value_size);
		move_last(rows, row);
	}
	return error;
}

int64_t axn_rows_find(struct axn_rows *rows, const void *key)
{
	int error = axn_rows_index(rows);

	return error ? error : axn_lookup(rows, key, axn_hash(key, rows->key_size));
}

/* Returns whether the row is new or changed. There is room for it. */
static bool put_row(struct axn_rows *rows, const uint8_t *key, const uint8_t *value, uint32_t hash)
{
	int64_t row = axn_lookup(rows, key, hash);

	if (row < 0) {
		row = rows->count++;
		memcpy(axn_key(rows, row), key, rows->key_size);
		slot_fill(rows, hash, row);
		rows->indexed = rows->count;
	} else if (!memcmp(axn_value(rows, row), value, rows->value_size)) {
		return false;
	}
	memcpy(axn_value(rows, row), value, rows->value_size);
	rows->marks[row] = AXN_PENDING;
	return true;
}

int64_t axn_rows_put(struct axn_rows *rows, const void *keys, const void *values, uint32_t count)
{
	const uint8_t *key = keys, *value = values;
	uint32_t hashes[AXN_BLOCK];
	int64_t changed = 0;

	if (axn_rows_index(rows) || axn_rows_reserve(rows, count) ||
	    grow_index(rows, (uint64_t)rows->count + count))
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++, key += rows->key_size, value += rows->value_size) {
		if (i % AXN_BLOCK == 0)
			axn_hash_block(rows, key, axn_least(count - i, AXN_BLOCK), hashes);
		changed += put_row(rows, key, value, hashes[i % AXN_BLOCK]);
	}
	return changed;
}

static int reserve_gone(struct axn_rows *rows, uint32_t count)
{
	uint64_t wanted = (uint64_t)rows->gone_count + count,
		 room = rows->gone_room ? rows->gone_room : FIRST_ROOM;

	if (wanted <= rows->gone_room)
		return 0;
	while (room < wanted)
		room *= 2;
	if (room >= UINT32_MAX || resize(&rows->gone, room * rows->key_size))
		return -ENOMEM;
	rows->gone_room = room;
	return 0;
}

int64_t axn_rows_discard(struct axn_rows *rows, const void *keys, uint32_t count)
{
	const uint8_t *key = keys;
	int64_t discarded = 0;

	if (axn_rows_index(rows) || reserve_gone(rows, count))
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++, key += rows->key_size) {
		int64_t row = axn_lookup(rows, key, axn_hash(key, rows->key_size));

		if (row < 0)
			continue;
		slot_free(rows, slot_of(rows, row));
		if (row != rows->count - 1) {
			uint64_t slot = slot_of(rows, rows->count - 1);

			rows->slots[slot] = (rows->slots[slot] & ~(uint64_t)UINT32_MAX) | (row + 1);
		}
		move_last(rows, row);
		rows->indexed = rows->count;
		memcpy(rows->gone + (size_t)rows->gone_count++ * rows->key_size, key,
		       rows->key_size);
		discarded++;
	}
	return discarded;
}

int axn_rows_same(struct axn_rows *a, struct axn_rows *b)
{
	if (axn_rows_index(a) || axn_rows_index(b))
		return -ENOMEM;
	if (a->key_size != b->key_size || a->value_size != b->value_size || a->count != b->count)
		return 0;
	for (uint32_t row = 0; row < a->count; row++) {
		const uint8_t *key = axn_key(a, row);
		int64_t other = axn_lookup(b, key, axn_hash(key, a->key_size));

		if (other < 0 || memcmp(axn_value(a, row), axn_value(b, other), a->value_size))
			return 0;
	}
	return 1;
}

uint32_t axn_rows_marked(const struct axn_rows *rows, uint32_t mask, uint32_t value, uint32_t *some,
			 uint32_t room)
{
	uint32_t count = 0;

	for (uint32_t row = 0; row < rows->count; row++) {
		if ((rows->marks[row] & mask) != value)
			continue;
		if (count < room)
			some[count] = row;
		count++;
	}
	return count;
}

int64_t axn_rows_gone(struct axn_rows *rows)
{
	uint32_t left = 0;

	if (axn_rows_index(rows))
		return -ENOMEM;
	for (uint32_t i = 0; i < rows->gone_count; i++) {
		const uint8_t *key = rows->gone + (size_t)i * rows->key_size;

		if (axn_lookup(rows, key, axn_hash(key, rows->key_size)) < 0)
			memmove(rows->gone + (size_t)left++ * rows->key_size, key, rows->key_size);
	}
	rows->gone_count = left;
	return left;
}

void axn_rows_settle(struct axn_rows *rows)
{
	if (rows->count)
		memset(rows->marks, 0, rows->count);
	rows->gone_count = 0;
}
