/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections: one entry for both directions of a flow, also when both its ends are pods of this node.
 *
 * The key is a struct tuple whose smaller end (address, then port, as bytes) is the source. Whoever
 * asks by an ICMP query has its identifier for a port, the other end has 0. All that changes in an
 * entry is in words that carry a cookie of the key and change by compare-and-swap alone, since the
 * element behind a pointer may by then be another flow's: plugins/tc writes by that protocol, and
 * nobody deletes by key.
 *
 * word:	expiry (32 bits) | state (8) | cookie (24); expiry 0 is final: the entry is leaving
 * granted:	generation (24) | rule (20) | cookie (20), by direction: under which generation which
 *		rule let the flow out of its pod, and into its pod; generation 0 when none did yet
 */
#pragma once

#include <axoneme/abi.h>

#define CONNTRACK_UNIT_SHIFT	5	/* a unit of time is 2^5 jiffies: 0.128 s where there are 250 a second */

/* Bits of the state in the word. */
enum conntrack_state {
	CONNTRACK_REPLIED	= 1 << 0,	/* a packet came back */
	CONNTRACK_FIN_SENT	= 1 << 1,	/* in the direction of the first packet */
	CONNTRACK_FIN_REPLIED	= 1 << 2,
	CONNTRACK_RESET		= 1 << 3,
	CONNTRACK_CONFIRMED	= 1 << 4,	/* the first direction has acknowledged: established */
	CONNTRACK_FLIPPED	= 1 << 7,	/* the first packet went from the key's destination */
};

struct conntrack_entry {
	__u64 word;
	__u64 granted[2];	/* by enum axn_direction */
	__u32 src_identity;	/* of the first packet; it never changes */
	__u32 created;		/* units of time; nor does this */
	__u32 reported[2];	/* when each side's last trace was; the other side's by index 1. Only
				 * these have no cookie: what another flow writes here is a trace more
				 * or less */
};

_Static_assert(sizeof(struct conntrack_entry) == 40, "struct conntrack_entry is a map's value");

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct tuple);
	__type(value, struct conntrack_entry);
} conntrack SEC(".maps") AXN_LAYOUT(2) AXN_CARRIED_BY(word, 32);
