/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The key of a packet's flow, the same for both directions, and the cookie that its words carry. */
#pragma once

#include <axoneme/plugin.h>

static __always_inline bool address_greater(const union address *a, const union address *b)
{
	if (a->half[0] != b->half[0])
		return bpf_be64_to_cpu(a->half[0]) > bpf_be64_to_cpu(b->half[0]);
	return bpf_be64_to_cpu(a->half[1]) > bpf_be64_to_cpu(b->half[1]);
}

static __always_inline bool from_greater_end(const struct tuple *tuple)
{
	if (!address_equal(&tuple->saddr, &tuple->daddr))
		return address_greater(&tuple->saddr, &tuple->daddr);
	return bpf_ntohs(tuple->sport) > bpf_ntohs(tuple->dport);
}

/* Makes a key of a tuple; whether the packet goes from the key's destination to its source. */
static __always_inline bool key_of(struct tuple *key, const struct tuple *tuple)
{
	bool flipped = from_greater_end(tuple);

	if (!flipped) {
		*key = *tuple;
		return false;
	}
	key->saddr = tuple->daddr;
	key->daddr = tuple->saddr;
	key->sport = tuple->dport;
	key->dport = tuple->sport;
	key->proto = tuple->proto;
	__builtin_memset(key->pad, 0, sizeof(key->pad));
	return true;
}

/* The same in place. */
static __always_inline bool make_key(struct tuple *tuple)
{
	union address address;
	__be16 port;

	if (!from_greater_end(tuple))
		return false;
	address = tuple->saddr;
	tuple->saddr = tuple->daddr;
	tuple->daddr = address;
	port = tuple->sport;
	tuple->sport = tuple->dport;
	tuple->dport = port;
	return true;
}

/* The key of an ICMP query, or of the answer to one: whoever asks has its identifier for a port. */
static __always_inline bool make_query_key(struct tuple *tuple, __be16 query, bool answer)
{
	tuple->sport = answer ? 0 : query;
	tuple->dport = answer ? query : 0;
	return make_key(tuple);
}

/*
 * 64 bits of a key, of which a word keeps some. The products do not wait for each other. The seed
 * is one that nobody outside knows: nobody can look for two flows with one cookie.
 */
static __always_inline __u64 hash_of(const struct tuple *key, __u32 seed)
{
	const __u64 *part = (const __u64 *)key;
	__u64 mask = (__u64)seed << 32 | seed;
	__u64 sum;

	sum = (part[0] ^ mask) * 0x9e3779b97f4a7c15ull;
	sum += (part[1] ^ mask) * 0xff51afd7ed558ccdull;
	sum += (part[2] ^ mask) * 0xc4ceb9fe1a85ec53ull;
	sum += (part[3] ^ mask) * 0xd6e8feb86659fd93ull;
	sum += (part[4] ^ mask) * 0xa0761d6478bd642full;
	sum ^= sum >> 32;
	return sum * 0xe7037ed1a0b428dbull;
}
