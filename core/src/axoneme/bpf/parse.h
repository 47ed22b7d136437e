/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parse a packet once, into struct packet: IPv4 and IPv6 (up to four extension headers), TCP, UDP,
 * SCTP, ICMP, ICMPv6. What cannot be parsed is dropped with its reason; what is not IP is named.
 * CONTEXT is the includer's: struct __sk_buff or struct xdp_md.
 */
#pragma once

#include <axoneme/plugin.h>

#define IPV6_EXTENSIONS		4
#define IPV6_CHAIN		1024	/* bytes into the packet at which the last of them may begin */
#define L4_FARTHEST		4096	/* more than a chain can reach: what the verifier wants to know */
#define IPV6_FRAGMENT_OFFSET	0xfff8
#define IP_FRAGMENT_OFFSET	0x1fff
#define IP_MORE_FRAGMENTS	0x2000
#define TCP_FLAGS		13	/* their offset in the header */

enum parsed {
	PARSED_OK,
	PARSED_NOT_IP,	/* ARP and everything else that is not IP: packet.l3_off alone is set */
	PARSED_DROP,	/* packet.reason says why */
};

struct ipv6_extension {
	__u8 next;
	__u8 length;	/* units of 8 bytes, without the first */
	__be16 fragment;	/* of a fragment header: offset and more-fragments */
	__be32 id;
};

/* What of a layer 4 header the parser reads: 8 bytes that all of them have. */
struct l4_head {
	union {
		struct {
			__be16 source;
			__be16 dest;
		};
		struct {
			__u8 type;
			__u8 code;
		};
	};
	__be32 rest;
};

static __always_inline bool is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT;
}

static __always_inline enum parsed parse_drop(struct packet *packet, __u16 reason)
{
	packet->reason = reason;
	return PARSED_DROP;
}

/*
 * Halves are written whole, as stages read them: a CPU forwards a store to a load that it covers,
 * and makes one that spans two stores wait for both. Our objects are little-endian.
 */
static __always_inline void map_ipv4(union address *address, __be32 ipv4)
{
	address->half[0] = 0;
	address->half[1] = (__u64)ipv4 << 32 | bpf_htonl(0xffff);
}

static __always_inline void copy_ipv6(union address *address, const struct in6_addr *ipv6)
{
	const __u64 *half = (const __u64 *)ipv6;

	address->half[0] = half[0];
	address->half[1] = half[1];
}

/*
 * ::/96 and ::ffff:0:0/96 mean IPv4 in our maps, so on the wire they would let IPv6 packets pass for
 * IPv4 ones. `::` itself is left out: it is the source of neighbour discovery before an address is
 * known, and no map has it.
 */
static __always_inline bool poses_as_ipv4(const union address *address)
{
	if (address->half[0])
		return false;
	if (address->word[2] == bpf_htonl(0xffff))
		return true;
	return !address->word[2] && address->word[3];
}

/*
 * Where layer 4 begins behind IPv6 extension headers: the offset, or 0 if there is none to parse (a
 * later fragment, or nothing follows), or -1 for a chain that is broken or too long. Sets proto and
 * the fragment flags. Few packets come by here: it is a function of its own, verified by itself.
 */
static __always_inline int skip_extensions(struct packet *packet, void *data, void *end)
{
	__u32 at = sizeof(struct ethhdr) + sizeof(struct ipv6hdr);
	struct ipv6_extension *extension;
	int i;

	for (i = 0; i < IPV6_EXTENSIONS; i++) {
		if (at > IPV6_CHAIN)
			return -1;
		extension = data + at;
		if ((void *)(extension + 1) > end)
			return -1;
		if (packet->tuple.proto == IPPROTO_FRAGMENT) {
			packet->flags |= AXN_FRAGMENT;
			packet->fragment = extension->id;
			packet->tuple.proto = extension->next;
			if (extension->fragment & bpf_htons(IPV6_FRAGMENT_OFFSET))
				return 0;
			packet->flags |= AXN_FIRST_FRAGMENT;
			at += sizeof(*extension);
		} else {
			packet->tuple.proto = extension->next;
			at += (extension->length + 1) * 8;
			if (data + at > end)
				return -1;
		}
		if (!is_extension(packet->tuple.proto))
			return packet->tuple.proto == IPPROTO_NONE ? 0 : at;
	}
	return -1;
}

__noinline int parse_extensions(CONTEXT *ctx, struct packet *packet)
{
	if (!packet)
		return -1;
	return skip_extensions(packet, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
}

static __always_inline enum parsed parse_l4(struct packet *packet, void *data, __u32 at, void *end)
{
	struct l4_head *head = data + at;

	packet->l4_off = at;
	switch (packet->tuple.proto) {
	case IPPROTO_TCP:
		if ((void *)head + sizeof(struct tcphdr) > end)
			return parse_drop(packet, AXN_REASON_TRUNCATED_L4);
		packet->tcp_flags = ((__u8 *)head)[TCP_FLAGS];
		break;
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((void *)(head + 1) > end)
			return parse_drop(packet, AXN_REASON_TRUNCATED_L4);
		break;
	default:
		if ((void *)head > end)
			return parse_drop(packet, AXN_REASON_TRUNCATED_L4);
		return PARSED_OK;
	}
	if (packet->tuple.proto == IPPROTO_ICMP || packet->tuple.proto == IPPROTO_ICMPV6) {
		packet->tuple.sport = bpf_htons(head->type);
		packet->tuple.dport = bpf_htons(head->code);
	} else {
		packet->tuple.sport = head->source;
		packet->tuple.dport = head->dest;
	}
	return PARSED_OK;
}

/* Sets *at to where layer 4 begins, 0 if there is none to parse. */
static __always_inline enum parsed parse_ipv4(struct packet *packet, void *data, void *end,
					      __u32 *at)
{
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__u16 fragment;
	__u8 words;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return parse_drop(packet, AXN_REASON_INVALID_PACKET);
	words = ip->ihl; /* read once: the writes below might, for all that clang knows, change it */
	packet->family = AXN_IPV4;
	packet->tuple.proto = ip->protocol;
	map_ipv4(&packet->tuple.saddr, ip->saddr);
	map_ipv4(&packet->tuple.daddr, ip->daddr);
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & (IP_FRAGMENT_OFFSET | IP_MORE_FRAGMENTS)) {
		packet->flags |= AXN_FRAGMENT;
		packet->fragment = ip->id;
		if (fragment & IP_FRAGMENT_OFFSET)
			return PARSED_OK;
		packet->flags |= AXN_FIRST_FRAGMENT;
	}
	*at = sizeof(struct ethhdr) + words * 4;
	return PARSED_OK;
}

static __always_inline enum parsed parse_ipv6(CONTEXT *ctx, struct packet *packet, void *data,
					      void *end, __u32 *at)
{
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);
	int l4;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return parse_drop(packet, AXN_REASON_INVALID_PACKET);
	packet->family = AXN_IPV6;
	packet->tuple.proto = ip->nexthdr;
	copy_ipv6(&packet->tuple.saddr, &ip->saddr);
	copy_ipv6(&packet->tuple.daddr, &ip->daddr);
	if (poses_as_ipv4(&packet->tuple.saddr) || poses_as_ipv4(&packet->tuple.daddr))
		return parse_drop(packet, AXN_REASON_MAPPED_ADDRESS);
	if (packet->tuple.proto == IPPROTO_NONE)
		return PARSED_OK;
	if (!is_extension(packet->tuple.proto)) {
		*at = sizeof(struct ethhdr) + sizeof(struct ipv6hdr);
		return PARSED_OK;
	}
	l4 = parse_extensions(ctx, packet);
	if (l4 < 0 || l4 > L4_FARTHEST)
		return parse_drop(packet, AXN_REASON_INVALID_IPV6_EXTENSION);
	*at = l4;
	return PARSED_OK;
}

/* All but the addresses, which every packet of ours has: they are written once. */
static __always_inline void packet_clear(struct packet *packet)
{
	__builtin_memset(&packet->tuple.sport, 0,
			 sizeof(*packet) - offsetof(struct packet, tuple.sport));
}

static __always_inline enum parsed parse(CONTEXT *ctx, struct packet *packet, __be16 *type)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	enum parsed result;
	__u32 at = 0;

	*type = 0;
	if ((void *)(eth + 1) > end)
		return parse_drop(packet, AXN_REASON_INVALID_PACKET);
	packet->l3_off = sizeof(*eth);
	/* struct ethhdr is packed: its own field would be read byte by byte. */
	*type = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));
	if (*type == bpf_htons(ETH_P_IP))
		result = parse_ipv4(packet, data, end, &at);
	else if (*type == bpf_htons(ETH_P_IPV6))
		result = parse_ipv6(ctx, packet, data, end, &at);
	else
		return PARSED_NOT_IP;
	return result == PARSED_OK && at ? parse_l4(packet, data, at, end) : result;
}
