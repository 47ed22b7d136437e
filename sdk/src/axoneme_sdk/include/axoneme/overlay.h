/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tunnel device, and the key that a packet has there: which node it goes to or came from, and in
 * the network number (24 bits) the identity of who sent it.
 */
#pragma once

#include <axoneme/plugin.h>

/*
 * The index of the device, the same on every node, in every mode: the agent makes the device with it,
 * so that programs need not be told, nor linked again when the device was.
 */
#define AXN_OVERLAY_IFINDEX	0x41584e

/* For the sender's node a host is itself; for all others it is a node. */
static __always_inline __u32 overlay_identity(__u32 identity)
{
	return identity == AXN_IDENTITY_HOST ? AXN_IDENTITY_REMOTE_NODE : identity;
}

static __always_inline bool overlay_is_ipv4(const union address *address)
{
	return !address->half[0] && address->word[2] == bpf_htonl(0xffff);
}

/*
 * Give a packet its key. The receiver wants a checksum of UDP over IPv6, and none over IPv4: what is
 * inside has its own. Not 0: the kernel took it not.
 */
static __always_inline int overlay_set_key(struct __sk_buff *ctx, const union address *node,
					   __u32 identity)
{
	struct bpf_tunnel_key key = { .tunnel_id = overlay_identity(identity) };

	if (overlay_is_ipv4(node)) {
		key.remote_ipv4 = bpf_ntohl(node->word[3]);
		return bpf_skb_set_tunnel_key(ctx, &key, sizeof(key), BPF_F_ZERO_CSUM_TX);
	}
	__builtin_memcpy(key.remote_ipv6, node, sizeof(key.remote_ipv6));
	return bpf_skb_set_tunnel_key(ctx, &key, sizeof(key), BPF_F_TUNINFO_IPV6);
}

/* Of a probe: see <axoneme/probe.h>. */
static __always_inline int overlay_probe_key(const struct __sk_buff *ctx, union address *node,
					     __u32 *identity)
{
	*identity = ctx->cb[0];
	node->word[0] = ctx->cb[1];
	node->word[1] = ctx->cb[2];
	node->word[2] = ctx->cb[3];
	node->word[3] = ctx->cb[4];
	return node->half[0] | node->half[1] ? 0 : -1;
}

/*
 * The node at the tunnel's other end, and the identity that a packet has in the tunnel. Not 0: it has
 * no key.
 */
static __always_inline int overlay_get_key(struct __sk_buff *ctx, const struct packet *packet,
					   union address *node, __u32 *identity)
{
	struct bpf_tunnel_key key = {};

	if (packet->flags & AXN_PROBE)
		return overlay_probe_key(ctx, node, identity);
	if (!bpf_skb_get_tunnel_key(ctx, &key, sizeof(key), 0)) {
		node->half[0] = 0;
		node->word[2] = bpf_htonl(0xffff);
		node->word[3] = bpf_htonl(key.remote_ipv4);
	} else if (!bpf_skb_get_tunnel_key(ctx, &key, sizeof(key), BPF_F_TUNINFO_IPV6)) {
		__builtin_memcpy(node, key.remote_ipv6, sizeof(*node));
	} else {
		return -1;
	}
	*identity = key.tunnel_id;
	return 0;
}
