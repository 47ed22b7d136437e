/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What programs must know of the agent's doings at every packet: one row. */
#pragma once

#include <axoneme/abi.h>

#define AXN_GENERATION_BITS	24

struct runtime {
	__u32 generation;	/* raised after every change of policies, identities or endpoints; never
				 * 0; it wraps at 24 bits */
	__u32 seed;		/* of conntrack's cookies: made once, kept with the map */
	__u32 events;		/* the kinds that are wanted, enum axn_event_kind */
	__u32 reserved;
	__u64 event_gap;	/* ns from one event of a type to the next, by CPU; 0: as they come */
	__u64 event_slack;	/* ns by which one may come before it is due */
};

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runtime);
} runtime SEC(".maps") AXN_LAYOUT(2) AXN_CARRIED;

static __always_inline const struct runtime *runtime_read(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&runtime, &first);
}
