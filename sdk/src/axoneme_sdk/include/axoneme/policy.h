/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rule sets: what a policy lets in and out of the endpoints of one identity. An endpoint has a slot,
 * the slot names the active version, and that is in every entry's key: a version is filled whole and
 * then put in effect by one write. Written by the agent, read by stages.
 *
 * A look-up goes from the narrowest port to the widest (lengths 16, 8, 0 of its bits, then any
 * protocol), each for the peer's identity, the identity of its network, and any peer (0). The first
 * hit decides: whoever writes rule sets sees to it that a wider denial is not hidden.
 */
#pragma once

#include <axoneme/abi.h>

#define AXN_POLICY_INGRESS	0x80	/* in policy_key.kind, beside the length of the port's prefix */

enum axn_policy_verdict {
	AXN_POLICY_ALLOW	= 0,
	AXN_POLICY_DENY		= 1,
};

/* In policy_entry.flags, of a network: it counts for peers inside the cluster, too. */
#define AXN_POLICY_ANY_PEER	0x01

struct policy_key {
	__u32 rule_set;		/* rule_set.active */
	__u32 identity;		/* 0: any */
	__be16 port;		/* bits behind the prefix are 0 */
	__u8 proto;		/* 0: any, and so any port */
	__u8 kind;		/* direction and length */
};

struct policy_entry {
	__u32 rule;		/* enum axn_rule */
	__u8 verdict;		/* enum axn_policy_verdict */
	__u8 flags;
	__u16 proxy;		/* reserved for layer 7: a port */
};

_Static_assert(sizeof(struct policy_key) == 12, "struct policy_key is a map's key");
_Static_assert(sizeof(struct policy_entry) == 8, "struct policy_entry is a map's value");

enum axn_rule_set_flag {
	AXN_DEFAULT_DENY_INGRESS	= 1 << 0,
	AXN_DEFAULT_DENY_EGRESS		= 1 << 1,
	AXN_NAMES_CIDRS			= 1 << 2, /* some entries are for networks */
};

/*
 * The upper half of rule_set.flags, a byte a direction: which entries the set has none of, so that a
 * look-up need not ask for them. A width is 0 for all 16 bits of a port, 1 for 8, 2 for none, 3 for
 * any protocol; an entry names its peer or is for any.
 */
#define AXN_LACKS_EGRESS	16
#define AXN_LACKS_INGRESS	24
#define AXN_LACKS_NAMED(width)	(1u << (2 * (width)))
#define AXN_LACKS_ANY(width)	(2u << (2 * (width)))

struct rule_set {
	__u32 active;
	__u32 flags;
};

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct policy_key);
	__type(value, struct policy_entry);
} policy SEC(".maps") AXN_CARRIED;

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rule_set);
} rule_sets SEC(".maps") AXN_CARRIED;
