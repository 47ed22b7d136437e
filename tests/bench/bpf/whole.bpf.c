// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * whole: counts the packets that go the whole way through from_pod.
 *
 * Runs in from_pod, last. Those that were recalled do not come by: the trunk's own counter less this
 * one is their number. Writes whole_packets; NEXT.
 */
#include <axoneme/plugin.h>

AXN_MAP(PERCPU_ARRAY, whole_packets, 1, __u32, __u64);

AXN_STAGE(remember, AXN_PER_FLOW)
{
	__u32 first = 0;
	__u64 *packets = bpf_map_lookup_elem(&whole_packets, &first);

	if (packets)
		++*packets;
	return AXN_NEXT;
}
