/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hop from this node to another one by the kernel's routes, for what a pod sends to a pod there:
 * its tables say by which device and to which neighbour, and its own way through them is left out,
 * netfilter with it. The agent has the kernel keep the neighbours' MAC addresses fresh.
 */
#pragma once

#include "hop.h"

#define ROUTE_AF_INET		2
#define ROUTE_AF_INET6		10
#define ROUTE_TCP_WORDS		12	/* the byte of TCP with the length of its header, in the high half */
#define ROUTE_FARTHEST		1200	/* where layer 4 may begin */
#define ROUTE_TOO_LONG		0xffff

/* How long IP's packet is on the wire: a segment, where the device will cut it into some. */
static __always_inline __u32 route_length(struct __sk_buff *ctx, const struct packet *packet)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 at = packet->l4_off, header;
	__u8 *words;

	if (!ctx->gso_size)
		return ctx->len - sizeof(struct ethhdr);
	if (packet->tuple.proto == IPPROTO_UDP) {
		header = sizeof(struct udphdr);
	} else {
		if (packet->tuple.proto != IPPROTO_TCP || at > ROUTE_FARTHEST)
			return ROUTE_TOO_LONG;
		words = data + at + ROUTE_TCP_WORDS;
		if ((void *)(words + 1) > end)
			return ROUTE_TOO_LONG;
		header = (*words >> 4) * 4;
	}
	return at - sizeof(struct ethhdr) + header + ctx->gso_size;
}

/* NEXT where the kernel must do it: to answer, to cut, or to find the neighbour first. */
static __always_inline int route_forward(struct __sk_buff *ctx, struct packet *packet)
{
	struct bpf_fib_lookup way = {
		.l4_protocol = packet->tuple.proto,
		.ifindex = ctx->ifindex,
	};
	__u32 length = route_length(ctx, packet);
	struct ethhdr *eth;
	int verdict;

	if (length >= ROUTE_TOO_LONG)
		return AXN_NEXT;
	way.tot_len = length;
	if (packet->family == AXN_IPV4) {
		way.family = ROUTE_AF_INET;
		way.ipv4_src = packet->tuple.saddr.word[3];
		way.ipv4_dst = packet->tuple.daddr.word[3];
	} else {
		way.family = ROUTE_AF_INET6;
		__builtin_memcpy(way.ipv6_src, &packet->tuple.saddr, sizeof(way.ipv6_src));
		__builtin_memcpy(way.ipv6_dst, &packet->tuple.daddr, sizeof(way.ipv6_dst));
	}
	if (bpf_fib_lookup(ctx, &way, sizeof(way), 0))
		return AXN_NEXT;
	verdict = hop_away(ctx, packet);
	if (verdict != AXN_NEXT)
		return verdict;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return axn_drop(packet, AXN_REASON_INVALID_PACKET);
	__builtin_memcpy(eth->h_dest, way.dmac, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, way.smac, sizeof(eth->h_source));
	packet->out_ifindex = way.ifindex;
	return AXN_REDIRECT;
}
