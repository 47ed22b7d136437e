// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * recall: an established flow between two pods of this node, by what its socket keeps of it.
 * remember: has the socket keep it.
 *
 * Both run in from_pod: first, and last of all when nothing dropped the packet. They read runtime,
 * and keep tc_remembered in the sockets of pods, as long as these live.
 *
 * recall: REDIRECT into the other pod, with all in the packet that the stages which are gone round
 * would have filled in; it writes the packet's MAC addresses, hop limit and IPv4 checksum. NEXT for
 * every other packet: one that is no TCP or UDP of the socket's flow, opens or closes, is a fragment
 * or at its last hop, or whose verdict is of another generation or too old. A hit does not touch the
 * flow's connection, which outlives the lease: the first packet after it goes the whole way.
 *
 * remember: NEXT. It keeps what connection tracking knows for established and both sides have let
 * pass under the packet's generation. A probe has no socket of a pod's, and is neither recalled nor
 * remembered.
 */
#include "hop.h"
#include "remembered.h"

AXN_KNOB(__u32, tc_socket_after, 8, "segments that a connection has sent before it is remembered");

/* FIN, SYN and RST, which connection tracking must see, and what else it is to tell of. */
AXN_KNOB(__u8, tc_socket_flags, 0x07, "TCP flags with which a packet goes the whole way");

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define BOTH_GRANTED (AXN_EGRESS_GRANTED | AXN_INGRESS_GRANTED)
#define ALWAYS_THE_LONG_WAY (AXN_PROBE | AXN_FRAGMENT | AXN_EACH_PACKET)

static __always_inline bool is_ordinary(const struct packet *packet)
{
	return !(packet->flags & ALWAYS_THE_LONG_WAY) && !(packet->tcp_flags & tc_socket_flags);
}

AXN_STAGE(recall)
{
	const struct runtime *present = runtime_read();
	struct tc_remembered *kept;
	struct bpf_sock *sk = ctx->sk;

	if (!present)
		return AXN_NEXT;
	/* Before anything is asked: what changes from here on makes this generation an old one. */
	packet->generation = *(const volatile __u32 *)&present->generation;
	if (!sk || !is_ordinary(packet))
		return AXN_NEXT;
	kept = bpf_sk_storage_get(&tc_remembered, sk, NULL, 0);
	if (!kept || !is_about(kept, packet) || !is_leased(kept, bpf_jiffies64()))
		return AXN_NEXT;
	if (hop_into(ctx, packet, &kept->to) != AXN_REDIRECT)
		return AXN_NEXT;
	packet->src_identity = kept->src_identity;
	packet->src_endpoint = kept->src_endpoint;
	packet->src_rule_set = kept->src_rule_set;
	packet->egress_rule = kept->egress_rule;
	packet->ingress_rule = kept->ingress_rule;
	packet->conntrack = kept->conntrack;
	packet->flags |= kept->granted;
	return AXN_REDIRECT;
}

/* Whether the whole way was gone, and would be gone again in this generation with the same end. */
static __always_inline bool is_decided(const struct packet *packet)
{
	if (!(packet->flags & AXN_TO_ENDPOINT) || !packet->generation)
		return false;
	if (packet->conntrack == AXN_CONNTRACK_REPLY)
		return true;
	return packet->conntrack == AXN_CONNTRACK_ESTABLISHED &&
	       (packet->flags & BOTH_GRANTED) == BOTH_GRANTED;
}

/* Whether it is the socket of the flow: no raw or packet socket, and none of the kernel's own. */
static __always_inline bool speaks(const struct bpf_sock *sk, const struct packet *packet)
{
	__u8 proto = packet->tuple.proto;

	if (sk->type != (proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM))
		return false;
	return (proto == IPPROTO_TCP || proto == IPPROTO_UDP) && sk->protocol == proto;
}

/* To keep something in a socket costs a short connection more than it gains. */
static __always_inline bool is_young(struct bpf_sock *sk, const struct packet *packet)
{
	struct bpf_tcp_sock *tcp;

	if (packet->tuple.proto != IPPROTO_TCP)
		return false;
	tcp = bpf_tcp_sock(sk);
	return !tcp || tcp->segs_out < tc_socket_after;
}

static __always_inline void remember_as(struct __sk_buff *ctx, const struct packet *packet,
					struct tc_remembered *new)
{
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;

	new->tuple = packet->tuple;
	new->generation = packet->generation;
	new->ifindex = packet->ifindex;
	new->until = bpf_jiffies64() + tc_socket_lease;
	new->to.id = packet->dst_endpoint;
	new->to.identity = packet->dst_identity;
	new->to.ifindex = packet->out_ifindex;
	new->to.rule_set = packet->dst_rule_set;
	if ((void *)(eth + 1) <= (void *)(long)ctx->data_end) {
		__builtin_memcpy(new->to.mac, eth->h_dest, sizeof(new->to.mac));
		__builtin_memcpy(new->to.node_mac, eth->h_source, sizeof(new->to.node_mac));
	}
	new->src_identity = packet->src_identity;
	new->src_endpoint = packet->src_endpoint;
	new->src_rule_set = packet->src_rule_set;
	new->egress_rule = packet->egress_rule;
	new->ingress_rule = packet->ingress_rule;
	new->conntrack = packet->conntrack;
	new->granted = packet->flags &BOTH_GRANTED;
}

/*
 * A verdict that is there is leased anew. Another flow's is left until its lease ends: a socket that
 * speaks to many would be busy with changing its mind.
 */
static __always_inline void keep(struct bpf_sock *sk, struct tc_remembered *new, __u64 now)
{
	struct tc_remembered *kept = bpf_sk_storage_get(&tc_remembered, sk, NULL, 0);

	if (kept) {
		if (says_the_same(kept, new)) {
			*(volatile __u64 *)&kept->until = new->until;
			return;
		}
		if (kept->generation == new->generation && is_leased(kept, now))
			return;
		bpf_sk_storage_delete(&tc_remembered, sk);
	}
	bpf_sk_storage_get(&tc_remembered, sk, new, BPF_SK_STORAGE_GET_F_CREATE);
}

AXN_STAGE(remember)
{
	struct tc_remembered new = {};
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !is_ordinary(packet) || !is_decided(packet))
		return AXN_NEXT;
	sk = bpf_sk_fullsock(sk);
	if (!sk || !speaks(sk, packet) || is_young(sk, packet))
		return AXN_NEXT;
	remember_as(ctx, packet, &new);
	keep(sk, &new, new.until - tc_socket_lease);
	return AXN_NEXT;
}
