/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors: which flow's packet they are about. */
#pragma once

#include "conntrack_flow.h"
#include "conntrack_word.h"

#define ICMP_HEADER	8
#define L4_PORTS	4	/* bytes that an error has of the packet's layer 4 at least */

/* The addresses and the protocol of the packet in an error; where its layer 4 is, 0 if unknown. */
static __always_inline __u32 inner_ipv4(struct __sk_buff *ctx, __u32 at, struct tuple *tuple)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(ctx, at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return 0;
	if (ip.frag_off & bpf_htons(0x1fff))
		return 0;
	tuple->saddr.word[2] = bpf_htonl(0xffff);
	tuple->saddr.word[3] = ip.saddr;
	tuple->daddr.word[2] = bpf_htonl(0xffff);
	tuple->daddr.word[3] = ip.daddr;
	tuple->proto = ip.protocol;
	return at + ip.ihl * 4;
}

static __always_inline __u32 inner_ipv6(struct __sk_buff *ctx, __u32 at, struct tuple *tuple)
{
	__u8 head[8]; /* version to hop limit */

	if (bpf_skb_load_bytes(ctx, at, head, sizeof(head)) || head[0] >> 4 != 6)
		return 0;
	if (bpf_skb_load_bytes(ctx, at + sizeof(head), &tuple->saddr, 2 * sizeof(tuple->saddr)))
		return 0;
	tuple->proto = head[6];
	at += sizeof(struct ipv6hdr);
	if (tuple->proto != IPPROTO_FRAGMENT)
		return at;
	if (bpf_skb_load_bytes(ctx, at, head, sizeof(head)) || head[2] || head[3] & 0xf8)
		return 0;
	tuple->proto = head[0];
	return at + sizeof(head);
}

/* Of this node or of another one. */
static __always_inline bool is_from_pod(const struct packet *packet)
{
	struct remote *remote;

	if (packet->trunk == AXN_FROM_POD)
		return true;
	remote = ipcache_lookup(&packet->tuple.saddr);
	return remote && remote->identity >= AXN_IDENTITY_FIRST;
}

/* Makes the key of the flow of the packet in an error; false if it is of none. */
static __always_inline bool inner_key(struct __sk_buff *ctx, const struct packet *packet,
				      struct flow *flow)
{
	__u32 at = packet->l4_off + ICMP_HEADER;
	struct tuple *inner = &flow->key;
	enum icmp_role role;
	__be16 query;

	__builtin_memset(inner, 0, sizeof(*inner));
	if (packet->family == AXN_IPV4)
		at = inner_ipv4(ctx, at, inner);
	else
		at = inner_ipv6(ctx, at, inner);
	/* It goes to whoever sent the packet. A pod is no router: it tells of its own flows. */
	if (!at || !address_equal(&inner->saddr, &packet->tuple.daddr))
		return false;
	if (!address_equal(&inner->daddr, &packet->tuple.saddr) && is_from_pod(packet))
		return false;
	if (has_ports(inner->proto) && bpf_skb_load_bytes(ctx, at, &inner->sport, L4_PORTS))
		return false;
	if (!is_icmp(inner->proto)) {
		make_key(inner);
		return true;
	}
	role = icmp_role_of(packet->family, inner->proto, *(__u8 *)&inner->sport);
	if (role != ICMP_ASKS && role != ICMP_ANSWERS)
		return false;
	if (bpf_skb_load_bytes(ctx, at + ICMP_QUERY_ID, &query, sizeof(query)))
		return false;
	make_query_key(inner, query, role == ICMP_ANSWERS);
	return true;
}

/* Whether an error belongs to a flow that is known. It keeps nothing alive. */
static __noinline bool is_related(struct __sk_buff *ctx, const struct packet *packet,
				  struct flow *flow, __u32 seed)
{
	struct conntrack_entry *entry;
	__u64 word;

	if (!inner_key(ctx, packet, flow))
		return false;
	entry = bpf_map_lookup_elem(&conntrack, &flow->key);
	if (!entry)
		return false;
	word = READ_WORD(entry->word);
	return is_alive(word, hash_of(&flow->key, seed)) && !is_over(word, conntrack_now());
}
