// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What an empty trunk is measured against: a program written by hand, in one function, that parses
 * and counts the same. It checks what the trunk's parser checks, leaves the parsed packet in memory,
 * and counts in the same map. It has no stages, no probes and no drop reasons.
 */
#define AXN_SHARED
#include <axoneme/plugin.h>

#include <linux/pkt_cls.h>

#define HEADERS		(sizeof(struct ethhdr) + 15 * 4 + sizeof(struct tcphdr))
#define TO_POD_PASS	(AXN_TO_POD * 8 + AXN_PASS)
#define TO_POD_DROP	(AXN_TO_POD * 8 + AXN_DROP)

/* What a parsed packet is, in the form of struct packet but without what stages add to it. */
struct parsed {
	struct tuple tuple;
	__u32 ifindex;
	__u32 len;
	__u32 fragment;
	__u16 l3_off;
	__u16 l4_off;
	__u8 family;
	__u8 tcp_flags;
};

SEC("tc")
int peer(struct __sk_buff *ctx)
{
	struct parsed packet = {};
	__u32 at = sizeof(struct ethhdr), slot = TO_POD_DROP;
	struct counter *counter;
	struct ipv6hdr *ip6;
	struct iphdr *ip;
	struct ethhdr *eth;
	void *data, *end;
	__u8 *l4;
	int i;

	if (ctx->data_end - ctx->data < HEADERS && ctx->data_end - ctx->data < ctx->len)
		bpf_skb_pull_data(ctx, ctx->len < HEADERS ? ctx->len : HEADERS);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	eth = data;
	packet.ifindex = ctx->ifindex;
	packet.len = ctx->len;
	packet.l3_off = at;
	if ((void *)(eth + 1) > end)
		goto count;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		ip = data + at;
		if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
			goto count;
		packet.family = AXN_IPV4;
		packet.tuple.proto = ip->protocol;
		packet.tuple.saddr.word[2] = bpf_htonl(0xffff);
		packet.tuple.saddr.word[3] = ip->saddr;
		packet.tuple.daddr.word[2] = bpf_htonl(0xffff);
		packet.tuple.daddr.word[3] = ip->daddr;
		at += ip->ihl * 4;
		if (ip->frag_off & bpf_htons(0x3fff)) {
			packet.fragment = 1;
			if (ip->frag_off & bpf_htons(0x1fff))
				goto pass;
		}
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		ip6 = data + at;
		if ((void *)(ip6 + 1) > end || ip6->version != 6)
			goto count;
		packet.family = AXN_IPV6;
		packet.tuple.proto = ip6->nexthdr;
		__builtin_memcpy(&packet.tuple.saddr, &ip6->saddr, 16);
		__builtin_memcpy(&packet.tuple.daddr, &ip6->daddr, 16);
		if (!packet.tuple.saddr.half[0] && (packet.tuple.saddr.word[2] == bpf_htonl(0xffff) ||
		    (!packet.tuple.saddr.word[2] && packet.tuple.saddr.word[3])))
			goto count;
		if (!packet.tuple.daddr.half[0] && (packet.tuple.daddr.word[2] == bpf_htonl(0xffff) ||
		    (!packet.tuple.daddr.word[2] && packet.tuple.daddr.word[3])))
			goto count;
		at += sizeof(*ip6);
		for (i = 0; i < 4; i++) {
			if (packet.tuple.proto != IPPROTO_HOPOPTS &&
			    packet.tuple.proto != IPPROTO_ROUTING &&
			    packet.tuple.proto != IPPROTO_DSTOPTS &&
			    packet.tuple.proto != IPPROTO_FRAGMENT)
				break;
			l4 = data + at;
			if (at > 1024 || (void *)l4 + 8 > end)
				goto count;
			if (packet.tuple.proto == IPPROTO_FRAGMENT) {
				packet.fragment = 1;
				packet.tuple.proto = l4[0];
				if (l4[2] || l4[3] & 0xf8)
					goto pass;
				at += 8;
			} else {
				packet.tuple.proto = l4[0];
				at += (l4[1] + 1) * 8;
			}
		}
	} else {
		goto pass;
	}
	packet.l4_off = at;
	l4 = data + at;
	switch (packet.tuple.proto) {
	case IPPROTO_TCP:
		if ((void *)l4 + sizeof(struct tcphdr) > end)
			goto count;
		packet.tcp_flags = l4[13];
		packet.tuple.sport = *(__be16 *)l4;
		packet.tuple.dport = *(__be16 *)(l4 + 2);
		break;
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		if ((void *)l4 + 8 > end)
			goto count;
		packet.tuple.sport = *(__be16 *)l4;
		packet.tuple.dport = *(__be16 *)(l4 + 2);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((void *)l4 + 8 > end)
			goto count;
		packet.tuple.sport = bpf_htons(l4[0]);
		packet.tuple.dport = bpf_htons(l4[1]);
		break;
	}
pass:
	slot = TO_POD_PASS;
count:
	/* The parsed packet is what all this is for: without a reader clang would leave half of it out. */
	asm volatile("" : : "r"(&packet) : "memory");
	counter = bpf_map_lookup_elem(&counters, &slot);
	if (counter) {
		counter->packets++;
		counter->bytes += packet.len;
	}
	return slot == TO_POD_PASS ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* What a run costs when nothing is done, */
SEC("tc")
int nothing(struct __sk_buff *ctx)
{
	return TC_ACT_UNSPEC;
}

static __noinline int called(struct __sk_buff *ctx)
{
	asm volatile("" : : : "memory");
	return TC_ACT_UNSPEC;
}

/* and when that is done in a function: how dear a return is depends on the processor. */
SEC("tc")
int nothing_called(struct __sk_buff *ctx)
{
	return called(ctx);
}
