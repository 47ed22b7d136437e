/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The addresses of the cluster's nodes: they alone may send us encapsulated packets. */
#pragma once

#include <axoneme/abi.h>

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, union address);
	__type(value, __u32);	/* the node's number */
} nodes SEC(".maps") AXN_CARRIED;

static __always_inline bool is_node(const union address *address)
{
	union address key = *address;

	return bpf_map_lookup_elem(&nodes, &key);
}
