/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a trunk calls its stages. A stage is AXN_LANES weak functions that decide nothing; linking puts
 * a plugin's function in place of one. lanes_<stage> says how many are filled: a constant of .rodata,
 * frozen when the program is loaded, so that the verifier removes the calls behind a closed gate.
 */
#pragma once

#define AXN_SHARED
#include <axoneme/plugin.h>
#include <axoneme/emit.h>

#include "drops.h"

/* Never read: it keeps these enums in the BTF, from where Python takes the names and numbers. */
const volatile struct {
	enum axn_trunk trunk;
	enum axn_reason reason;
} axn_names = {};

/* Returns the argument's own memory, so that clang cannot fold a weak default into its callers. */
#define EMPTY_LANE(stage, n, context)							\
	__weak __noinline int stage_##stage##_##n(context *ctx, struct packet *packet)	\
	{										\
		return packet ? (packet->generation & 0) : AXN_NEXT;			\
	}

#define EMPTY_STAGE(stage, context)			\
	const volatile __u32 lanes_##stage = 0;		\
	EMPTY_LANE(stage, 0, context)			\
	EMPTY_LANE(stage, 1, context)			\
	EMPTY_LANE(stage, 2, context)			\
	EMPTY_LANE(stage, 3, context)			\
	EMPTY_LANE(stage, 4, context)			\
	EMPTY_LANE(stage, 5, context)			\
	EMPTY_LANE(stage, 6, context)			\
	EMPTY_LANE(stage, 7, context)

/* Expects ctx, packet, probing, verdict and filled in scope. */
#define RUN_LANE(stage, n, decided, rest)						\
	if (filled > n) {								\
		verdict = stage_##stage##_##n(ctx, packet);				\
		if (probing)								\
			probe_record(packet, AXN_STAGE_##stage, n, verdict);		\
		if (verdict != AXN_NEXT)						\
			goto decided;							\
		rest									\
	}

/*
 * Runs a stage's lanes in turn; the first that answers anything but NEXT ends at the label.
 * The gate is read once a stage, since the verifier removes branches but no reads: that read is all
 * that an empty stage costs.
 */
#define RUN(stage, decided)					\
	do {							\
		const __u32 filled = lanes_##stage;		\
								\
		RUN_LANE(stage, 0, decided,			\
		RUN_LANE(stage, 1, decided,			\
		RUN_LANE(stage, 2, decided,			\
		RUN_LANE(stage, 3, decided,			\
		RUN_LANE(stage, 4, decided,			\
		RUN_LANE(stage, 5, decided,			\
		RUN_LANE(stage, 6, decided,			\
		RUN_LANE(stage, 7, decided, ))))))))		\
	} while (0)

__noinline int probe_record(struct packet *packet, enum axn_stage stage, __u32 lane,
			    enum axn_verdict verdict)
{
	struct probe_step *step;
	struct probe *probe;
	__u32 slot, n;

	if (!packet)
		return 0;
	slot = packet->probe_slot;
	probe = bpf_map_lookup_elem(&probes, &slot);
	if (!probe)
		return 0;
	n = probe->count;
	if (n >= AXN_PROBE_STEPS)
		return 0;
	probe->count = n + 1;
	step = &probe->steps[n];
	step->ended = bpf_ktime_get_ns();
	step->begun = probe->resumed;
	step->stage = stage;
	step->lane = lane;
	step->verdict = verdict;
	step->packet = *packet;
	probe->resumed = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void probe_begin(struct packet *packet, __u8 slot)
{
	struct probe *probe;
	__u32 key = slot;

	packet->flags |= AXN_PROBE;
	packet->probe_slot = slot;
	probe = bpf_map_lookup_elem(&probes, &key);
	if (!probe)
		return;
	probe->count = 0;
	probe->resumed = bpf_ktime_get_ns();
}

static __always_inline void count(const struct packet *packet, __u32 verdict)
{
	__u32 slot = packet->trunk * 8 + verdict;
	struct counter *counter = bpf_map_lookup_elem(&counters, &slot);

	if (counter)
		counter_add(counter, packet->len);
}

#define FLAGS_OF_EVENTS	(AXN_EGRESS_ASKED | AXN_INGRESS_ASKED | AXN_REPORT | AXN_CLOSED)

static __noinline void report(struct packet *packet, __u32 verdict)
{
	__u32 flags = packet->flags, kinds = 0;

	if (flags & AXN_EGRESS_ASKED)
		kinds |= AXN_EVENT_EGRESS_VERDICT;
	if (flags & AXN_INGRESS_ASKED)
		kinds |= AXN_EVENT_INGRESS_VERDICT;
	if (verdict == AXN_DROP) {
		event_emit(packet, kinds | AXN_EVENT_DROP, verdict);
		return;
	}
	if (flags & AXN_REPORT)
		kinds |= AXN_EVENT_TRACE;
	if (flags & AXN_CLOSED)
		kinds |= AXN_EVENT_CLOSED;
	else if (flags & AXN_COMMIT && packet->conntrack == AXN_CONNTRACK_NEW)
		kinds |= AXN_EVENT_OPENED;
	event_emit(packet, kinds, verdict);
}

/* The end of every trunk: NEXT from all stages is PASS, an unknown verdict a drop; and it is counted. */
static __always_inline int settle(struct packet *packet, int verdict, bool probing)
{
	if (verdict == AXN_NEXT)
		verdict = AXN_PASS;
	if (verdict < AXN_PASS || verdict > AXN_REDIRECT)
		verdict = axn_drop(packet, AXN_REASON_INVALID_VERDICT);
	if (probing)
		return verdict;
	count(packet, verdict);
	if (verdict == AXN_DROP)
		count_drop(packet->reason, packet->trunk, packet->len);
	if (verdict == AXN_DROP || packet->flags & FLAGS_OF_EVENTS)
		report(packet, verdict);
	return verdict;
}
