/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a socket of a pod keeps of the flow that it sends: who the packets are, and what was decided.
 *
 * The socket only finds it, and is not believed: all that says whose packet it is and how long the
 * decision holds is compared with each packet. A value never changes but for its lease; another one
 * takes its place, since a socket may send two flows from two CPUs at one time.
 */
#pragma once

#include <axoneme/plugin.h>

AXN_KNOB(__u32, tc_socket_lease, 1000, "how long a socket's verdict holds, jiffies");

/* What is compared comes first: with the kernel's header of 8 bytes it is one cache line. */
struct tc_remembered {
	struct tuple tuple;
	__u32 generation;
	__u32 ifindex;	/* by which device the flow comes from its pod */
	__u64 until;	/* jiffies */
	struct endpoint to;
	__u32 src_identity;
	__u32 src_endpoint;
	__u32 src_rule_set;
	__u32 egress_rule;
	__u32 ingress_rule;
	__u8 conntrack;
	__u8 granted;	/* the bits of packet.flags */
	__u8 pad[2];
};

_Static_assert(__builtin_offsetof(struct tc_remembered, to) == 56, "one cache line is compared");
_Static_assert(sizeof(struct tc_remembered) <= 120, "the rest is another one");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tc_remembered);
} tc_remembered SEC(".maps");

static __always_inline bool tuple_equal(const struct tuple *a, const struct tuple *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* Whether a packet is one of the flow, and its generation that in which the verdict was given. */
static __always_inline bool is_about(const struct tc_remembered *kept, const struct packet *packet)
{
	return kept->generation == packet->generation && kept->ifindex == packet->ifindex &&
	       tuple_equal(&kept->tuple, &packet->tuple);
}

static __always_inline bool is_leased(const struct tc_remembered *kept, __u64 now)
{
	return (__s64)(*(const volatile __u64 *)&kept->until - now) > 0;
}

/* Whether two say the same, but for the lease. */
static __always_inline bool says_the_same(const struct tc_remembered *a,
					  const struct tc_remembered *b)
{
	const __u64 *x = (const __u64 *)&a->to, *y = (const __u64 *)&b->to;
	__u64 differing = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < (sizeof(*a) - __builtin_offsetof(struct tc_remembered, to)) / sizeof(*x); i++)
		differing |= x[i] ^ y[i];
	return !differing && a->generation == b->generation && a->ifindex == b->ifindex &&
	       tuple_equal(&a->tuple, &b->tuple);
}
