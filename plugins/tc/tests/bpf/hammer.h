/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Around track and commit: packets of chosen flows, and a check of what track says of them. A unit
 * of time is 256 ns here, so that flows come and go as fast as packets do.
 *
 * Each CPU has flows that only its own packets touch, and all share some. A flow is lost if it is
 * new before the time until which its last packet must have kept it; an entry is wrong if the rule
 * in it is another flow's.
 */
#include <axoneme/plugin.h>

AXN_KNOB(__u64, tc_hammer_base, 0, "when the test began, in ns of the monotonic clock");
AXN_KNOB(__u32, tc_hammer_lasting, 0, "how long a flow lasts, units");

#define bpf_jiffies64()	((bpf_ktime_get_ns() - tc_hammer_base) >> 3)

#define HAMMER_OWN	32	/* flows of each of two CPUs */
#define HAMMER_SHARED	8
#define HAMMER_LAG	8	/* units by which an expiry may lag behind, and one for rounding */

struct tc_hammer_count {
	__u64 packets;
	__u64 known;
	__u64 lost;
	__u64 wrong;
	__u64 started;	/* when the packet came in */
	__u64 flow;
};

AXN_MAP(PERCPU_ARRAY, tc_hammer_counts, 1, __u32, struct tc_hammer_count);
AXN_MAP(ARRAY, tc_hammer_due, 1024, __u32, __u64);

static __always_inline struct tc_hammer_count *hammer_count(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&tc_hammer_counts, &first);
}

static __always_inline __u32 hammer_choose(void)
{
	__u32 random = bpf_get_prandom_u32();

	if (!(random & 0x7000))
		return 2 * HAMMER_OWN + random % HAMMER_SHARED;
	return (bpf_get_smp_processor_id() & 1) * HAMMER_OWN + random % HAMMER_OWN;
}
