// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * forward: between two pods of a node, straight into the other pod's end of its link; to a pod of
 * another node, straight to the device that leads there: the tunnel's, or that of the kernel's route.
 *
 * Runs in from_pod. Reads endpoints and ipcache, and the kernel's routes; writes the packet's MAC
 * addresses, hop limit and IPv4 checksum, and the tunnel's key.
 * REDIRECT to an endpoint of this node, whose identity and rule set it fills in, and to another node;
 * PASS when the hop limit ends here (the kernel answers); NEXT for every other destination, and for
 * a packet that is too long: the kernel routes it.
 */
#include "endpoint_cache.h"
#include "route.h"
#include "tunnel.h"

AXN_KNOB(bool, tc_legacy_routing, false, "the kernel alone routes to pods of other nodes");

/* To an address that is no endpoint of this node. */
static __always_inline int forward_away(struct __sk_buff *ctx, struct packet *packet)
{
	struct remote *remote = ipcache_lookup(&packet->tuple.daddr);

	if (!remote)
		return AXN_NEXT;
	if (remote->tunnel.half[0] | remote->tunnel.half[1])
		return tunnel_forward(ctx, packet, &remote->tunnel);
	if (tc_legacy_routing || remote->identity < AXN_IDENTITY_FIRST)
		return AXN_NEXT;
	return route_forward(ctx, packet);
}

ENDPOINT_CACHE(tc_receivers);

AXN_STAGE(forward)
{
	struct endpoint *to = endpoint_cached(packet, &tc_receivers, &packet->tuple.daddr);

	if (!to)
		return forward_away(ctx, packet);
	return hop_into(ctx, packet, to);
}
