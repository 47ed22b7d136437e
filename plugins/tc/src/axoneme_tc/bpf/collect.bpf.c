// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * collect: flows whose time is up, and those of endpoints that are gone, leave conntrack.
 *
 * An iterator over the elements of conntrack, run by whoever reads it: each read of 8 bytes is a
 * slice of TC_COLLECT_SLICE elements. Reads tc_collect_gone; reads and writes tc_collect_round, and
 * writes conntrack by the protocol of its words alone: an entry that a packet has just refreshed
 * stays. A flow that leaves unclosed is told of as one that is closed.
 */
#include "conntrack_state.h"
#include "conntrack_word.h"

#include <axoneme/emit.h>
#include <linux/icmpv6.h>

#define TC_COLLECT_SLICE 256

struct tc_collect_round {
	__u64 gone; /* addresses in tc_collect_gone */
	__u64 walked; /* elements looked at */
	__u64 deleted;
	__u64 lost; /* a packet was quicker, or another collector */
	__u64 live; /* that stay */
};

/* One row, that of the walk that is under way. */
AXN_MAP(ARRAY, tc_collect_round, 1, __u32, struct tc_collect_round) AXN_LAYOUT(2);

/* Addresses whose flows go, whatever their time. */
AXN_MAP(HASH, tc_collect_gone, 4096, union address, __u32);

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key;
	void *value;
} __attribute__((preserve_access_index));

static __always_inline bool is_gone(const struct tuple *key)
{
	return bpf_map_lookup_elem(&tc_collect_gone, &key->saddr) ||
	       bpf_map_lookup_elem(&tc_collect_gone, &key->daddr);
}

/* The tuple of a flow's first packet. */
static __always_inline void unflip(struct tuple *tuple, const struct tuple *key, bool flipped)
{
	*tuple = *key;
	if (!flipped)
		return;
	tuple->saddr = key->daddr;
	tuple->daddr = key->saddr;
	tuple->sport = key->dport;
	tuple->dport = key->sport;
}

static __noinline void tell(const struct tuple *key, __u8 state, __u32 src_identity)
{
	struct packet packet = {
		.src_identity = src_identity,
		.conntrack = AXN_CONNTRACK_ESTABLISHED,
	};
	struct tuple *tuple = &packet.tuple;

	unflip(tuple, key, state & CONNTRACK_FLIPPED);
	packet.family = address_is_ipv4(&tuple->saddr) ? AXN_IPV4 : AXN_IPV6;
	if (tuple->proto == IPPROTO_ICMP || tuple->proto == IPPROTO_ICMPV6) {
		tuple->sport = bpf_htons(tuple->proto == IPPROTO_ICMP ? 8 : ICMPV6_ECHO_REQUEST);
		tuple->dport = 0;
	}
	event_emit(&packet, AXN_EVENT_CLOSED, AXN_PASS);
}

static __always_inline void collect_one(struct tc_collect_round *round, const struct tuple *there,
					struct conntrack_entry *entry)
{
	__u64 word = READ_WORD(entry->word);
	struct tuple key;
	__u32 identity;

	barrier();
	key = *there; /* between two sights of one word: it is that word's key */
	identity = entry->src_identity;
	if (!expiry_of(word))
		return; /* another's, who deletes it */
	if (!is_over(word, conntrack_now()) && !(round->gone && is_gone(&key)))
		round->live++;
	else if (take_out(entry, &key, word)) {
		round->deleted++;
		if (!is_closed(state_of(word)))
			tell(&key, state_of(word), identity);
	} else {
		round->lost++;
	}
}

SEC("iter/bpf_map_elem")
int tc_collect_conntrack(struct bpf_iter__bpf_map_elem *ctx)
{
	struct conntrack_entry *entry = ctx->value;
	const struct tuple *key = ctx->key;
	struct tc_collect_round *round;
	__u32 first = 0;

	round = bpf_map_lookup_elem(&tc_collect_round, &first);
	if (!key || !entry || !round)
		return 0;
	collect_one(round, key, entry);
	round->walked++;
	if (round->walked % TC_COLLECT_SLICE == 0)
		bpf_seq_write(ctx->meta->seq, &round->walked, sizeof(round->walked));
	return 0;
}
