/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events: what became of a packet, as its trunk saw it at the end, for whoever reads the ring buffer.
 * One packet is one event, of one or several kinds. Events are samples; counters are the truth, and
 * they count each type's events too, by CPU: seen = sent + lost + limited.
 *
 * Trunks emit. Which kinds are wanted, and how many of a type in a second, the agent says in runtime.
 */
#pragma once

#include <axoneme/runtime.h>

enum axn_event_kind {
	AXN_EVENT_DROP			= 1 << 0,
	AXN_EVENT_EGRESS_VERDICT	= 1 << 1, /* a policy let it out of its pod, or did not */
	AXN_EVENT_INGRESS_VERDICT	= 1 << 2, /* the same, into its pod */
	AXN_EVENT_OPENED		= 1 << 3, /* the first packet of a flow */
	AXN_EVENT_CLOSED		= 1 << 4, /* a flow's last, or one whose time was up */
	AXN_EVENT_TRACE			= 1 << 5, /* a packet that passed, one of a flow's many */
};

/* What is limited and counted by itself. An event of several kinds is of the first type. */
enum axn_event_type {
	AXN_EVENTS_OF_DROPS	= 0,
	AXN_EVENTS_OF_VERDICTS	= 1,
	AXN_EVENTS_OF_FLOWS	= 2,	/* opened, closed, traced */
};

#define AXN_EVENT_TYPES	3

struct event {
	__u64 time;		/* ns, CLOCK_MONOTONIC */
	__u16 cpu;
	__u8 kinds;		/* enum axn_event_kind */
	__u8 verdict;		/* enum axn_verdict */
	__u32 reserved;
	struct packet packet;
};

_Static_assert(sizeof(struct event) == 128, "struct event is what the ring buffer holds");

struct event_counter {
	__u64 seen;
	__u64 sent;
	__u64 lost;		/* the ring buffer was full */
	__u64 limited;		/* more than the agent wanted in a second */
	__u64 due;		/* ns: when the next is due, were they evenly spaced */
};

/* The kernel's ring has neither keys nor values; they are written for what reads their layout. */
AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event);
} events SEC(".maps");

/* By enum axn_event_type. */
AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_counter);
} event_counters SEC(".maps");
