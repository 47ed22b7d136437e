// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * stamp: where a packet goes that the kernel routed to the tunnel device, and who sent it.
 *
 * Runs in to_overlay. Reads the tunnel's key, endpoints and ipcache; writes the key. NEXT for a packet
 * that has its key from forward, and for one that gets it here; DROP, no tunnel, for a destination
 * that ipcache does not know behind a node.
 */
#include <axoneme/overlay.h>

static __always_inline __u32 source_identity(const struct packet *packet)
{
	struct endpoint *from = endpoint_lookup(&packet->tuple.saddr);

	if (from)
		return from->identity;
	return ipcache_identity(&packet->tuple.saddr, packet->family);
}

AXN_STAGE(stamp)
{
	struct remote *remote;
	union address node;
	__u32 identity;

	if (!overlay_get_key(ctx, packet, &node, &identity))
		return AXN_NEXT;
	remote = ipcache_lookup(&packet->tuple.daddr);
	if (!remote || !(remote->tunnel.half[0] | remote->tunnel.half[1]))
		return axn_drop(packet, AXN_REASON_NO_TUNNEL);
	node = remote->tunnel;
	if (overlay_set_key(ctx, &node, source_identity(packet)))
		return axn_drop(packet, AXN_REASON_TUNNEL_KEY);
	return AXN_NEXT;
}
