/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which ports a datagram's later fragments belong to: the first one says it, and comes first. */
#pragma once

#include <axoneme/plugin.h>

struct tc_fragment_key {
	union address saddr;
	union address daddr;
	__u32 id;
	__u8 proto;
	__u8 pad[3];
};

struct tc_fragment {
	__be16 sport;		/* as in struct tuple */
	__be16 dport;
	__be16 query;		/* the identifier of an ICMP query */
	__u16 pad;
};

AXN_MAP(LRU_HASH, tc_fragments, 8192, struct tc_fragment_key, struct tc_fragment);

static __always_inline void fragment_key(struct tc_fragment_key *key, const struct packet *packet)
{
	key->saddr = packet->tuple.saddr;
	key->daddr = packet->tuple.daddr;
	key->id = packet->fragment;
	key->proto = packet->tuple.proto;
	__builtin_memset(key->pad, 0, sizeof(key->pad));
}

static __always_inline bool has_ports(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* Not inlined, as all here: few packets are fragments, and they need not share a stack frame. */
static __noinline void fragment_keep(const struct packet *packet, __be16 query)
{
	struct tc_fragment value = {
		.sport = packet->tuple.sport,
		.dport = packet->tuple.dport,
		.query = query,
	};
	struct tc_fragment_key key;

	fragment_key(&key, packet);
	bpf_map_update_elem(&tc_fragments, &key, &value, BPF_ANY);
}

/* Fills in a later fragment's ports; the query's identifier, or -1 when the first was not seen. */
static __noinline int fragment_find(struct packet *packet)
{
	struct tc_fragment_key key;
	struct tc_fragment *value;

	fragment_key(&key, packet);
	value = bpf_map_lookup_elem(&tc_fragments, &key);
	if (!value)
		return -1;
	packet->tuple.sport = value->sport;
	packet->tuple.dport = value->dport;
	return value->query;
}
