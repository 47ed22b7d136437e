// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * track: which flow a packet belongs to. commit: that flow is written down, or what it was granted.
 *
 * track runs in from_pod and to_pod, once a packet: where to_pod is run inline it was done, and at
 * uplinks it is left to the pod's own side. Reads and writes conntrack and tc_fragments, reads
 * runtime and ipcache. NEXT with the packet's place in its flow, the rules that let the flow pass
 * and the present generation in the packet. DROP for a later fragment whose ports nobody knows
 * (fragment not found), or if the entry was leaving each time that it was looked at (conntrack
 * busy).
 *
 * commit runs at the end of trunks that let a packet pass and were asked to. Writes conntrack.
 * NEXT; DROP if there is no room for a new flow (conntrack full), or as above. A probe writes
 * nothing.
 */
#include "conntrack_error.h"
#include "conntrack_flow.h"
#include "conntrack_word.h"

AXN_KNOB(__u32, tc_trace_interval, 40,
	 "between two traces of one side of a flow, units of 2^5 jiffies");
AXN_KNOB(__u8, tc_trace_flags, TCP_FIN | TCP_SYN | TCP_RST, "TCP flags that are always traced");

#define CONNTRACK_TRIES 16 /* looks at an entry that others take out and put in meanwhile */
#define CONNTRACK_E2BIG (-7)

enum found {
	FOUND_NOTHING, /* no such flow, or it is over */
	FOUND_FLOW,
	FOUND_AGAIN, /* others were quicker: look again */
	FOUND_NO_ROOM, /* nor a place for it */
};

/* What an entry says, copied while its word was good. */
static __always_inline void take_over(struct packet *packet, const __u64 *granted, __u64 cookie,
				      bool reply)
{
	__u64 egress = READ_WORD(granted[AXN_EGRESS]), ingress = READ_WORD(granted[AXN_INGRESS]);

	if (reply) { /* out of the pod into which the flow was let, and back */
		packet->conntrack = AXN_CONNTRACK_REPLY;
		packet->egress_rule = rule_of(ingress);
		packet->ingress_rule = rule_of(egress);
		return;
	}
	packet->conntrack = AXN_CONNTRACK_ESTABLISHED;
	if (is_granted(egress, packet->generation, cookie)) {
		packet->egress_rule = rule_of(egress);
		packet->flags |= AXN_EGRESS_GRANTED;
	}
	if (is_granted(ingress, packet->generation, cookie)) {
		packet->ingress_rule = rule_of(ingress);
		packet->flags |= AXN_INGRESS_GRANTED;
	}
}

static __always_inline void forget(struct packet *packet)
{
	packet->conntrack = AXN_CONNTRACK_NONE;
	packet->egress_rule = 0;
	packet->ingress_rule = 0;
	packet->flags &= ~(AXN_EGRESS_GRANTED | AXN_INGRESS_GRANTED | AXN_CLOSED);
}

/*
 * Whether the flow's side is to be traced once more. Of several CPUs that find it due, one traces.
 * Not inlined: it is due once in an interval.
 */
static __noinline void trace(struct packet *packet, __u32 *reported, __u32 now)
{
	__u32 before = *(volatile __u32 *)reported;

	if (__sync_val_compare_and_swap(reported, before, now) == before)
		packet->flags |= AXN_REPORT;
}

static __always_inline void trace_if_due(struct packet *packet, const struct flow *flow,
					 struct conntrack_entry *entry, bool reply, __u32 now)
{
	__u32 *reported = &entry->reported[reply];
	bool always = flow->flags & tc_trace_flags;

	if (always)
		packet->flags |= AXN_REPORT;
	if (always || now - *(volatile __u32 *)reported >= tc_trace_interval)
		trace(packet, reported, now);
}

/* Moves a flow's state and expiry on, where they differ. Not inlined: most packets change none. */
static __noinline enum found move_on(struct packet *packet, struct conntrack_entry *entry,
				     const struct flow *flow, __u64 word, __u32 now)
{
	__u8 proto = flow->key.proto, state = state_of(word);
	bool reply = flow->flipped != !!(state & CONNTRACK_FLIPPED);
	__u8 next = next_state(proto, state, flow->flags, reply);
	__u32 timeout = timeout_of(proto, next);

	if (is_closed(next) && !is_closed(state))
		packet->flags |= AXN_CLOSED;
	if (next == state && !is_stale(expiry_of(word), now + timeout, timeout))
		return is_alive(READ_WORD(entry->word), word) ? FOUND_FLOW : FOUND_AGAIN;
	return swap(&entry->word, word, word_of(now + timeout, next, word)) ? FOUND_FLOW
									    : FOUND_AGAIN;
}

/* Takes out a flow that is over. Not inlined for the same reason. */
static __noinline enum found end(struct conntrack_entry *entry, const struct flow *flow, __u64 word)
{
	return take_out(entry, &flow->key, word) ? FOUND_NOTHING : FOUND_AGAIN;
}

/*
 * One look at an entry. What it has is copied, and believed only if the word is that of the same
 * flow before and after.
 */
static __always_inline enum found look(struct packet *packet, const struct flow *flow, __u64 hash,
				       __u32 now)
{
	struct conntrack_entry *entry = bpf_map_lookup_elem(&conntrack, &flow->key);
	bool probe = packet->flags & AXN_PROBE;
	__u32 timeout;
	__u8 state;
	bool reply;
	__u64 word;

	if (!entry)
		return FOUND_NOTHING;
	word = READ_WORD(entry->word);
	if (!is_of(word, hash))
		return FOUND_AGAIN;
	if (!expiry_of(word)) /* leaving: by the time of commit it is gone */
		return FOUND_NOTHING;
	state = state_of(word);
	reply = flow->flipped != !!(state & CONNTRACK_FLIPPED);
	if (is_over(word, now) || (is_opening(flow->flags) && is_closed(state))) {
		return probe ? FOUND_NOTHING : end(entry, flow, word);
	}
	/* Against the direction of a flow that is there: no reply, whatever the ports say. */
	if (reply && (flow->asks || is_opening(flow->flags)))
		return FOUND_NOTHING;
	take_over(packet, entry->granted, grant_cookie(hash, state & CONNTRACK_FLIPPED), reply);
	if (!probe)
		trace_if_due(packet, flow, entry, reply, now);
	timeout = timeout_of(flow->key.proto, state);
	if (!probe && (!is_settled(flow->key.proto, state, flow->flags) ||
		       is_stale(expiry_of(word), now + timeout, timeout)))
		return move_on(packet, entry, flow, word, now);
	return is_alive(READ_WORD(entry->word), word) ? FOUND_FLOW : FOUND_AGAIN;
}

struct again {
	struct packet *packet;
	const struct flow *flow;
	__u64 hash;
	__u32 now;
	enum found found;
};

static long look_again(__u32 turn, struct again *again)
{
	forget(again->packet);
	again->found = look(again->packet, again->flow, again->hash, again->now);
	return again->found != FOUND_AGAIN;
}

static __noinline enum found find_again(struct packet *packet, const struct flow *flow, __u32 seed)
{
	struct again again = {
		.packet = packet,
		.flow = flow,
		.hash = hash_of(&flow->key, seed),
		.now = conntrack_now(),
		.found = FOUND_AGAIN,
	};

	bpf_loop(CONNTRACK_TRIES, look_again, &again, 0);
	return again.found;
}

/* Looks until nobody interferes, which is at once but for one in a million packets. */
static __always_inline int find(struct packet *packet, const struct flow *flow, __u32 seed)
{
	__u32 now = conntrack_now();
	enum found found;

	barrier(); /* or the key is read before the call above, and kept on the stack once more */
	found = look(packet, flow, hash_of(&flow->key, seed), now);
	if (found == FOUND_AGAIN)
		found = find_again(packet, flow, seed);
	if (found == FOUND_AGAIN)
		return axn_drop(packet, AXN_REASON_CONNTRACK_BUSY);
	if (found == FOUND_NOTHING) {
		packet->conntrack = AXN_CONNTRACK_NEW;
		if (!flow->answer)
			packet->flags |= AXN_COMMIT | AXN_REPORT;
	}
	return AXN_NEXT;
}

AXN_STAGE(track)
{
	const struct runtime *present;
	struct flow flow;
	__u32 seed;

	if (packet->conntrack || (packet->trunk != AXN_FROM_POD && packet->trunk != AXN_TO_POD))
		return AXN_NEXT;
	present = runtime_read();
	if (!present)
		return AXN_NEXT;
	seed = present->seed;
	if (!packet->generation) /* before any policy is read: what changes after that makes this
				  * generation an old one */
		packet->generation = present->generation;
	switch (see(ctx, packet, &flow)) {
	case SEEN_LOST:
		return axn_drop(packet, AXN_REASON_FRAGMENT_NOT_FOUND);
	case SEEN_NOTHING:
		return AXN_NEXT;
	case SEEN_ERROR:
		packet->conntrack = is_related(ctx, packet, &flow, seed) ? AXN_CONNTRACK_RELATED
									 : AXN_CONNTRACK_NEW;
		return AXN_NEXT;
	case SEEN_FLOW:
		break;
	}
	return find(packet, &flow, seed);
}

static __always_inline __u64 granted_in(const struct packet *packet, __u32 flag, __u32 rule,
					__u64 cookie)
{
	return packet->flags & flag ? grant_of(packet->generation, rule, cookie) : cookie;
}

static __always_inline int insert(const struct packet *packet, const struct flow *flow, __u64 hash)
{
	__u64 cookie = grant_cookie(hash, flow->flipped);
	__u8 proto = flow->key.proto, state = first_state(proto, flow->flags);
	struct conntrack_entry entry = {
		.created = conntrack_now(),
		.src_identity = packet->src_identity,
	};

	entry.reported[0] = entry.created;

	entry.granted[AXN_EGRESS] =
		granted_in(packet, AXN_EGRESS_GRANTED, packet->egress_rule, cookie);
	entry.granted[AXN_INGRESS] =
		granted_in(packet, AXN_INGRESS_GRANTED, packet->ingress_rule, cookie);
	if (flow->flipped)
		state |= CONNTRACK_FLIPPED;
	entry.word = word_of(entry.created + timeout_of(proto, state), state, hash);
	return bpf_map_update_elem(&conntrack, &flow->key, &entry, BPF_NOEXIST);
}

/* Writes a grant where it differs; false if the word was another flow's, or others were quicker. */
static __always_inline bool grant(__u64 *word, __u64 new)
{
	__u64 old = READ_WORD(*word);

	if ((old ^ new) & GRANT_COOKIE)
		return false;
	return old == new || swap(word, old, new);
}

/* Keeps grants in the entry that is there. */
static __always_inline enum found renew(const struct packet *packet, const struct flow *flow,
					__u64 hash)
{
	struct conntrack_entry *entry = bpf_map_lookup_elem(&conntrack, &flow->key);
	__u64 word, cookie = grant_cookie(hash, flow->flipped);

	if (!entry)
		return FOUND_NOTHING;
	word = READ_WORD(entry->word);
	if (!is_alive(word, hash))
		return FOUND_AGAIN;
	if (flow->flipped != !!(state_of(word) & CONNTRACK_FLIPPED))
		return FOUND_FLOW; /* the other side's: this packet was let pass for itself alone */
	if (packet->flags & AXN_EGRESS_GRANTED &&
	    !grant(&entry->granted[AXN_EGRESS],
		   grant_of(packet->generation, packet->egress_rule, cookie)))
		return FOUND_AGAIN;
	if (packet->flags & AXN_INGRESS_GRANTED &&
	    !grant(&entry->granted[AXN_INGRESS],
		   grant_of(packet->generation, packet->ingress_rule, cookie)))
		return FOUND_AGAIN;
	return FOUND_FLOW;
}

/* One attempt to write a flow down. */
static __noinline enum found keep_once(struct packet *packet, const struct flow *flow, __u64 hash)
{
	/* An int: kernels before 6.4 leave the upper half of what the map's function returns at zero. */
	int error = insert(packet, flow, hash);

	if (!error)
		return FOUND_FLOW;
	if (error == CONNTRACK_E2BIG)
		return FOUND_NO_ROOM;
	return renew(packet, flow, hash);
}

static long keep_turn(__u32 turn, struct again *again)
{
	again->found = keep_once(again->packet, again->flow, again->hash);
	return again->found == FOUND_FLOW || again->found == FOUND_NO_ROOM;
}

static __noinline enum found keep_again(struct packet *packet, const struct flow *flow, __u64 hash)
{
	struct again again = { .packet = packet, .flow = flow, .hash = hash };

	bpf_loop(CONNTRACK_TRIES, keep_turn, &again, 0);
	return again.found;
}

/* Inserts, or finds what somebody else has inserted. */
static __always_inline int keep(struct packet *packet, const struct flow *flow, __u64 hash)
{
	enum found found;

	if (packet->conntrack == AXN_CONNTRACK_ESTABLISHED)
		found = renew(packet, flow, hash);
	else
		found = keep_once(packet, flow, hash);
	if (found != FOUND_FLOW && found != FOUND_NO_ROOM)
		found = keep_again(packet, flow, hash);
	if (found == FOUND_FLOW)
		return AXN_NEXT;
	return axn_drop(packet, found == FOUND_NO_ROOM ? AXN_REASON_CONNTRACK_FULL
						       : AXN_REASON_CONNTRACK_BUSY);
}

AXN_STAGE(commit)
{
	const struct runtime *present = runtime_read();
	struct flow flow;

	if (packet->flags & AXN_PROBE || !present)
		return AXN_NEXT;
	if (packet->conntrack != AXN_CONNTRACK_NEW &&
	    packet->conntrack != AXN_CONNTRACK_ESTABLISHED)
		return AXN_NEXT;
	if (see(ctx, packet, &flow) != SEEN_FLOW || flow.answer)
		return AXN_NEXT;
	return keep(packet, &flow, hash_of(&flow.key, present->seed));
}
