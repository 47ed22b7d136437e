// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * forward: between two pods of a node, straight into the other pod's end of its link.
 *
 * Runs in from_pod. Reads endpoints; writes the packet's MAC addresses, hop limit and IPv4 checksum.
 * REDIRECT to an endpoint of this node; PASS when the hop limit ends here (the kernel answers);
 * NEXT for every other destination: the kernel routes it.
 */
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

AXN_STAGE(forward)
{
	struct endpoint *to = endpoint_lookup(&packet->tuple.daddr);
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	void *ip = eth + 1;
	bool alive;

	if (!to)
		return AXN_NEXT;
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
	packet->out_ifindex = to->ifindex;
	packet->flags |= AXN_TO_ENDPOINT;
	return AXN_REDIRECT;
}
