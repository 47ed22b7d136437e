/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Telling of a packet: for trunks, and for programs that stand alone. A stage need not: its trunk does. */
#pragma once

#include <axoneme/event.h>

static __always_inline __u32 event_type(__u32 kinds)
{
	if (kinds & AXN_EVENT_DROP)
		return AXN_EVENTS_OF_DROPS;
	if (kinds & (AXN_EVENT_EGRESS_VERDICT | AXN_EVENT_INGRESS_VERDICT))
		return AXN_EVENTS_OF_VERDICTS;
	return AXN_EVENTS_OF_FLOWS;
}

/* Whether one more would be too many: they may come so much before they are due, and no more. */
static __always_inline bool event_limited(struct event_counter *counter,
					  const struct runtime *present, __u64 now)
{
	__u64 due = counter->due > now ? counter->due : now;

	if (!present->event_gap)
		return false;
	if (due - now > present->event_slack)
		return true;
	counter->due = due + present->event_gap;
	return false;
}

/*
 * Nobody is woken: who reads looks again every few milliseconds, at no cost to packets.
 * Not inlined: few packets come by here.
 */
static __noinline void event_emit(const struct packet *packet, __u32 kinds, __u8 verdict)
{
	const struct runtime *present = runtime_read();
	struct event_counter *counter;
	struct event *event;
	__u32 type;
	__u64 now;

	if (!packet || !present)
		return;
	kinds &= present->events;
	if (!kinds)
		return;
	type = event_type(kinds);
	counter = bpf_map_lookup_elem(&event_counters, &type);
	if (!counter)
		return;
	counter->seen++;
	now = bpf_ktime_get_ns();
	if (event_limited(counter, present, now)) {
		counter->limited++;
		return;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		counter->lost++;
		return;
	}
	counter->sent++;
	event->time = now;
	event->cpu = bpf_get_smp_processor_id();
	event->kinds = kinds;
	event->verdict = verdict;
	event->reserved = 0;
	__builtin_memcpy(&event->packet, packet, sizeof(*packet));
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}
