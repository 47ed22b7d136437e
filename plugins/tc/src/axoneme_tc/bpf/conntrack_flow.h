/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet as connection tracking sees it: its flow's key, its direction, what it does to it. */
#pragma once

#include "conntrack_fragment.h"
#include "conntrack_key.h"
#include "conntrack_state.h"

#include <linux/icmpv6.h>

#define ICMP_QUERY_ID	4	/* where a query's identifier is in its header */
#define SCTP_CHUNK	12	/* where the first chunk is behind SCTP's header */

/* <linux/icmp.h> wants a C library. */
enum icmp_type {
	ICMP_ECHOREPLY		= 0,
	ICMP_DEST_UNREACH	= 3,
	ICMP_ECHO		= 8,
	ICMP_TIME_EXCEEDED	= 11,
	ICMP_PARAMETERPROB	= 12,
};

enum sctp_chunk {
	SCTP_INIT		= 1,
	SCTP_INIT_ACK		= 2,
	SCTP_ABORT		= 6,
	SCTP_SHUTDOWN		= 7,
	SCTP_SHUTDOWN_ACK	= 8,
	SCTP_SHUTDOWN_COMPLETE	= 14,
};

enum seen {
	SEEN_FLOW,	/* a packet of a flow */
	SEEN_NOTHING,	/* of none: each is judged by itself */
	SEEN_ERROR,	/* an ICMP error about another packet */
	SEEN_LOST,	/* a later fragment of a datagram whose first was not seen */
};

struct flow {
	struct tuple key;
	bool flipped;	/* the packet comes from the key's destination */
	bool asks;	/* an ICMP query: never a reply */
	bool answer;	/* to one: never a flow's first packet */
	__u8 flags;	/* TCP's, or what stands for them */
	__be16 query;	/* the identifier of an ICMP query */
};

enum icmp_role {
	ICMP_OTHER,
	ICMP_ASKS,
	ICMP_ANSWERS,
	ICMP_TELLS,	/* of an error */
};

static __always_inline enum icmp_role icmp_role_of(__u8 family, __u8 proto, __u8 type)
{
	if (family == AXN_IPV4 && proto == IPPROTO_ICMP) {
		switch (type) {
		case ICMP_ECHO:
			return ICMP_ASKS;
		case ICMP_ECHOREPLY:
			return ICMP_ANSWERS;
		case ICMP_DEST_UNREACH:
		case ICMP_TIME_EXCEEDED:
		case ICMP_PARAMETERPROB:
			return ICMP_TELLS;
		}
	} else if (family == AXN_IPV6 && proto == IPPROTO_ICMPV6) {
		switch (type) {
		case ICMPV6_ECHO_REQUEST:
			return ICMP_ASKS;
		case ICMPV6_ECHO_REPLY:
			return ICMP_ANSWERS;
		case ICMPV6_DEST_UNREACH:
		case ICMPV6_PKT_TOOBIG:
		case ICMPV6_TIME_EXCEED:
		case ICMPV6_PARAMPROB:
			return ICMP_TELLS;
		}
	}
	return ICMP_OTHER;
}

static __always_inline bool is_icmp(__u8 proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static __noinline __u8 sctp_flags(struct __sk_buff *ctx, __u32 at)
{
	__u8 chunk = 0;

	bpf_skb_load_bytes(ctx, at + SCTP_CHUNK, &chunk, sizeof(chunk));
	switch (chunk) {
	case SCTP_INIT:
		return TCP_SYN;
	case SCTP_INIT_ACK:
		return TCP_SYN | TCP_ACK;
	case SCTP_ABORT:
		return TCP_RST;
	case SCTP_SHUTDOWN:
		return TCP_FIN | TCP_ACK;
	case SCTP_SHUTDOWN_ACK: /* it answers the other's SHUTDOWN, which may lie behind a SACK */
	case SCTP_SHUTDOWN_COMPLETE:
		return BOTH_FIN | TCP_ACK;
	}
	return TCP_ACK;
}

/* TCP, UDP and what has neither ports nor states, in one piece: most packets, and little to do. */
static __always_inline bool is_plain(const struct packet *packet)
{
	__u8 proto = packet->tuple.proto;

	return !(packet->flags & AXN_FRAGMENT) && !is_icmp(proto) && proto != IPPROTO_SCTP;
}

static __always_inline bool is_later(const struct packet *packet)
{
	return packet->flags & AXN_FRAGMENT && !(packet->flags & AXN_FIRST_FRAGMENT);
}

static __always_inline enum seen see_icmp(struct __sk_buff *ctx, const struct packet *packet,
					  struct flow *flow)
{
	switch (icmp_role_of(packet->family, packet->tuple.proto, bpf_ntohs(packet->tuple.sport))) {
	case ICMP_TELLS:
		return is_later(packet) ? SEEN_NOTHING : SEEN_ERROR;
	case ICMP_OTHER:
		return SEEN_NOTHING;
	case ICMP_ASKS:
		flow->asks = true;
		break;
	case ICMP_ANSWERS:
		flow->answer = true;
		break;
	}
	if (!is_later(packet))
		bpf_skb_load_bytes(ctx, packet->l4_off + ICMP_QUERY_ID, &flow->query,
				   sizeof(flow->query));
	return SEEN_FLOW;
}

/*
 * The others; the flow is zero but for what a fragment's first one said. It is a function of its
 * own, which the verifier sees once and by itself.
 */
__noinline int tc_see_odd(struct __sk_buff *ctx, struct packet *packet, struct flow *flow)
{
	enum seen seen;
	__u8 proto;

	if (!packet || !flow)
		return SEEN_NOTHING;
	proto = packet->tuple.proto;
	flow->key = packet->tuple;
	flow->flags = packet->tcp_flags & TCP_ALL;
	if (proto == IPPROTO_SCTP && packet->l4_off)
		flow->flags = sctp_flags(ctx, packet->l4_off);
	if (!is_icmp(proto)) {
		flow->flipped = make_key(&flow->key);
		return SEEN_FLOW;
	}
	seen = see_icmp(ctx, packet, flow);
	flow->flipped = make_query_key(&flow->key, flow->query, flow->answer);
	return seen;
}

static __always_inline enum seen see_fragment(struct __sk_buff *ctx, struct packet *packet,
					      struct flow *flow)
{
	bool ports = has_ports(packet->tuple.proto);
	enum seen seen;
	int found;

	if (ports && is_later(packet)) {
		found = fragment_find(packet);
		if (found < 0)
			return SEEN_LOST;
		flow->query = found;
	}
	seen = tc_see_odd(ctx, packet, flow);
	if (ports && !is_later(packet) && seen == SEEN_FLOW && !(packet->flags & AXN_PROBE))
		fragment_keep(packet, flow->query);
	return seen;
}

/* Sets what a packet is to connection tracking; of a later fragment, the packet's ports as well. */
static __always_inline enum seen see(struct __sk_buff *ctx, struct packet *packet,
				     struct flow *flow)
{
	if (is_plain(packet)) {
		flow->asks = false;
		flow->answer = false;
		flow->flags = packet->tcp_flags & TCP_ALL;
		flow->flipped = key_of(&flow->key, &packet->tuple);
		return SEEN_FLOW;
	}
	__builtin_memset(flow, 0, sizeof(*flow));
	if (packet->flags & AXN_FRAGMENT)
		return see_fragment(ctx, packet, flow);
	return tc_see_odd(ctx, packet, flow);
}
