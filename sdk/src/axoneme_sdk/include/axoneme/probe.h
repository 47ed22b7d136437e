/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes: a test run with the two marks below in its context runs the real program, changes nothing
 * (stages ask packet.flags & AXN_PROBE before they write) and records what each lane answered.
 *
 * Nobody but a test run can set both marks: skb->mark is scrubbed when a packet leaves its pod's
 * namespace, and a hardware time stamp of this value lies in the year 2119. The mark is compared
 * first, since it shares a cache line with what the trunk reads anyway.
 *
 * A test run has no tunnel's key. That of a probe lies in the words of its control block, which are
 * free below tc: the identity, then the address of the node at the tunnel's other end.
 */
#pragma once

#include <axoneme/abi.h>

#define AXN_PROBE_MARK		0xa5e00000u	/* the low byte is the slot */
#define AXN_PROBE_MARK_MASK	0xffffff00u
#define AXN_PROBE_STAMP		0x41786f6e656d6501ull
#define AXN_PROBE_SLOTS		16
#define AXN_PROBE_STEPS		128	/* more than all lanes that a packet can come by: (10 + 4) * 8 */

struct probe_step {
	__u64 begun;		/* ns, CLOCK_MONOTONIC: the lane before was recorded */
	__u64 ended;		/* this one has answered */
	__u8 stage;		/* enum axn_stage of core's trunks */
	__u8 lane;
	__u8 verdict;
	__u8 pad[5];
	struct packet packet;	/* as the lane left it */
};

struct probe {
	__u64 resumed;		/* ns: when the trunk went on */
	__u32 count;
	__u32 pad;
	struct probe_step steps[AXN_PROBE_STEPS];
};

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe);
} probes SEC(".maps") AXN_LAYOUT(3);
