/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of packed keys, and the look-up in an index that is up to date. For the C files only. */
#ifndef AXN_HASH_H
#define AXN_HASH_H

#include <string.h>

#include "axn.h"

extern uint64_t axn_hash_seed;

static inline uint32_t axn_least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint64_t axn_fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t axn_hash(const uint8_t *key, uint32_t size)
{
	uint64_t hash = axn_hash_seed ^ size, word;

	for (; size > 8; size -= 8, key += 8) {
		memcpy(&word, key, 8);
		hash = axn_fold(hash ^ word, 0x9e3779b97f4a7c15u);
	}
	word = 0;
	memcpy(&word, key, size);
	return axn_fold(hash ^ word, 0xd6e8feb86659fd93u);
}

static inline uint8_t *axn_key(const struct axn_rows *rows, uint32_t row)
{
	return rows->keys + (size_t)row * rows->key_size;
}

static inline uint8_t *axn_value(const struct axn_rows *rows, uint32_t row)
{
	return rows->values + (size_t)row * rows->value_size;
}

/* The row of a key, or -1. */
static inline int64_t axn_lookup(const struct axn_rows *rows, const uint8_t *key, uint32_t hash)
{
	uint64_t slot = hash & rows->slot_mask, entry;

	for (; (entry = rows->slots[slot]); slot = (slot + 1) & rows->slot_mask) {
		uint32_t row = (uint32_t)entry - 1;

		if (entry >> 32 == hash && !memcmp(axn_key(rows, row), key, rows->key_size))
			return row;
	}
	return -1;
}

#define AXN_BLOCK 64u /* keys whose cache misses overlap */

/* Hash up to AXN_BLOCK keys and call the lines that their look-ups will read, first of the index
 * and then of the rows: a look-up alone waits for three of them, one after the other. */
static inline void axn_hash_block(const struct axn_rows *rows, const uint8_t *keys, uint32_t count,
				  uint32_t *hashes)
{
	for (uint32_t i = 0; i < count; i++, keys += rows->key_size) {
		hashes[i] = axn_hash(keys, rows->key_size);
		__builtin_prefetch(&rows->slots[hashes[i] & rows->slot_mask]);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t row = (uint32_t)rows->slots[hashes[i] & rows->slot_mask] - 1;

		if (row == UINT32_MAX)
			continue;
		__builtin_prefetch(axn_key(rows, row));
		__builtin_prefetch(axn_value(rows, row));
	}
}

#endif
