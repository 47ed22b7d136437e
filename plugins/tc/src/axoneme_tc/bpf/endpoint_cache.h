/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The endpoints that a CPU asked for lately, without the hash of the map: a row for each slot, by
 * address. A row holds for the generation in which it was read, and no longer: whoever changes
 * endpoints begins another one. No other CPU writes it, and no program interrupts one that does.
 */
#pragma once

#include <axoneme/plugin.h>

#define ENDPOINT_CACHE_BITS	10
#define ENDPOINT_CACHE_MIX	0x9e3779b97f4a7c15ull	/* spreads neighbours over all slots */

struct tc_endpoint_row {
	union address address;
	__u32 generation;	/* 0: nothing is here */
	__u32 pad;
	struct endpoint endpoint;
};

/* The map of a stage: each has its own, since each object may be off. */
#define ENDPOINT_CACHE(name)	\
	AXN_MAP(PERCPU_ARRAY, name, 1 << ENDPOINT_CACHE_BITS, __u32, struct tc_endpoint_row)

static __always_inline struct endpoint *endpoint_keep(struct tc_endpoint_row *row,
						      const union address *address,
						      __u32 generation)
{
	struct endpoint *found = endpoint_lookup(address);

	if (!found)
		return NULL;
	row->address = *address;
	row->endpoint = *found;
	row->generation = generation;
	return &row->endpoint;
}

/* A probe asks the map itself: it is there to find out what is wrong. */
static __always_inline struct endpoint *
endpoint_cached(const struct packet *packet, void *cache, const union address *address)
{
	__u64 mixed = (address->half[0] ^ address->half[1]) * ENDPOINT_CACHE_MIX;
	__u32 slot = mixed >> (64 - ENDPOINT_CACHE_BITS);
	const struct runtime *present = runtime_read();
	struct tc_endpoint_row *row;
	__u32 generation;

	row = bpf_map_lookup_elem(cache, &slot);
	if (!row || !present)
		return endpoint_lookup(address);
	generation = *(volatile __u32 *)&present->generation;
	if (!generation || packet->flags & AXN_PROBE) /* 0: nobody says when endpoints change */
		return endpoint_lookup(address);
	if (row->generation == generation && address_equal(&row->address, address))
		return &row->endpoint;
	return endpoint_keep(row, address, generation);
}
