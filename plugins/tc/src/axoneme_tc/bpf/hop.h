/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hop from this node into one of its pods, as a router makes it: one less of the hop limit, and
 * the MAC addresses of the pod's link. For the stages that deliver without the kernel's routing.
 */
#pragma once

#include <axoneme/plugin.h>

static __always_inline bool hop_ipv4(struct iphdr *ip)
{
	__u32 check;

	if (ip->ttl <= 1)
		return false;
	check = ip->check + bpf_htons(0x0100); /* RFC 1624 for a TTL that is one less */
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
	return true;
}

static __always_inline bool hop_ipv6(struct ipv6hdr *ip)
{
	if (ip->hop_limit <= 1)
		return false;
	ip->hop_limit--;
	return true;
}

/* The verdict: REDIRECT, PASS when the hop limit ends here (the kernel answers), or a drop. */
static __always_inline int hop_into(struct __sk_buff *ctx, struct packet *packet,
				    const struct endpoint *to)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	void *ip = eth + 1;
	bool alive;

	if (packet->family == AXN_IPV4) {
		if (ip + sizeof(struct iphdr) > end)
			return axn_drop(packet, AXN_REASON_INVALID_PACKET);
		alive = hop_ipv4(ip);
	} else {
		if (ip + sizeof(struct ipv6hdr) > end)
			return axn_drop(packet, AXN_REASON_INVALID_PACKET);
		alive = hop_ipv6(ip);
	}
	if (!alive)
		return AXN_PASS;
	__builtin_memcpy(eth->h_dest, to->mac, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, to->node_mac, sizeof(eth->h_source));
	packet->dst_identity = to->identity;
	packet->dst_endpoint = to->id;
	packet->dst_rule_set = to->rule_set;
	packet->out_ifindex = to->ifindex;
	packet->flags |= AXN_TO_ENDPOINT;
	return AXN_REDIRECT;
}

/* The hop to anywhere else. PASS when the hop limit ends here: the kernel answers; else NEXT. */
static __always_inline int hop_away(struct __sk_buff *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *ip = data + sizeof(struct ethhdr);

	if (packet->family == AXN_IPV4) {
		if (ip + sizeof(struct iphdr) > end)
			return axn_drop(packet, AXN_REASON_INVALID_PACKET);
		return hop_ipv4(ip) ? AXN_NEXT : AXN_PASS;
	}
	if (ip + sizeof(struct ipv6hdr) > end)
		return axn_drop(packet, AXN_REASON_INVALID_PACKET);
	return hop_ipv6(ip) ? AXN_NEXT : AXN_PASS;
}
