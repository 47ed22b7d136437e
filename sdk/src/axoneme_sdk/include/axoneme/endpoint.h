/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The endpoints of this node, by each of their addresses. Written by the agent, read by stages. */
#pragma once

#include <axoneme/abi.h>

struct endpoint {
	__u32 id;
	__u32 identity;
	__u32 ifindex;		/* the node's end of the pod's link */
	__u32 flags;		/* none yet */
	__u8 mac[6];		/* the pod's end */
	__u8 node_mac[6];	/* the node's end: the pod's gateway */
	__u32 rule_set;		/* its slot in rule_sets, 0 for none: policies do not hold */
};

_Static_assert(sizeof(struct endpoint) == 32, "struct endpoint is a map's value");

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, union address);
	__type(value, struct endpoint);
} endpoints SEC(".maps") AXN_LAYOUT(2) AXN_CARRIED;

static __always_inline struct endpoint *endpoint_lookup(const union address *address)
{
	/* Before kernel 6.2 a key may not lie in struct packet: it is copied to the stack. */
	union address key = *address;

	return bpf_map_lookup_elem(&endpoints, &key);
}
