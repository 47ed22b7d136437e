/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes: a test run with the two marks below in its context runs the real program, changes nothing
 * (stages ask packet.flags & AXN_PROBE before they write) and records what each lane answered.
 *
 * Nobody but a test run can set both marks: skb->mark is scrubbed when a packet leaves its pod's
 * namespace, and a hardware time stamp of this value lies in the year 2119. The mark is compared
 * first, since it shares a cache line with what the trunk reads anyway.
 */
#pragma once

#include <axoneme/abi.h>

#define AXN_PROBE_MARK		0xa5e00000u	/* the low byte is the slot */
#define AXN_PROBE_MARK_MASK	0xffffff00u
#define AXN_PROBE_STAMP		0x41786f6e656d6501ull
#define AXN_PROBE_SLOTS		64
#define AXN_PROBE_STEPS		128	/* more than all lanes that a packet can come by: (10 + 4) * 8 */

struct probe_step {
	__u64 time;		/* ns, CLOCK_MONOTONIC, after the lane answered */
	__u16 reason;
	__u8 trunk;
	__u8 stage;		/* enum axn_stage of core's trunks */
	__u8 lane;
	__u8 verdict;
	__u8 direction;
	__u8 pad;
	__u32 rule;		/* packet.rule: which one decided, where one did */
	__u32 reserved;
};

struct probe {
	__u64 started;
	__u32 count;
	__u32 pad;
	struct probe_step steps[AXN_PROBE_STEPS];
};

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe);
} probes SEC(".maps") AXN_LAYOUT(2);
