/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hop from this node to another one through the tunnel device, for what a pod sends to a pod or
 * a node that ipcache knows behind a tunnel.
 */
#pragma once

#include <axoneme/overlay.h>

#include "hop.h"

/*
 * NEXT for a packet that is too long for the tunnel: the kernel cuts it or tells the sender, and what
 * it sends on gets its key in to_overlay. Else REDIRECT or a drop.
 */
static __always_inline int tunnel_forward(struct __sk_buff *ctx, struct packet *packet,
					  const union address *to)
{
	union address node = *to; /* once: the map's value may become another's meanwhile */
	__u32 length = 0;
	int verdict;

	if (bpf_check_mtu(ctx, AXN_OVERLAY_IFINDEX, &length, 0, BPF_MTU_CHK_SEGS))
		return AXN_NEXT;
	verdict = hop_away(ctx, packet);
	if (verdict != AXN_NEXT)
		return verdict;
	if (overlay_set_key(ctx, &node, packet->src_identity))
		return axn_drop(packet, AXN_REASON_TUNNEL_KEY);
	packet->out_ifindex = AXN_OVERLAY_IFINDEX;
	return AXN_REDIRECT;
}
