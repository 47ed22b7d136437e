// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * identify: who sent what came through the tunnel.
 *
 * Runs in from_overlay, first. Reads the tunnel's key, nodes, endpoints and ipcache; writes the packet's
 * type, since its MAC address is nobody's. NEXT with the source's identity, which the sender's node
 * knows best and says in the network number; DROP, strange encapsulation, for what no node of the
 * cluster encapsulated, and invalid source IP for what bears an address of this node or its pods.
 */
#include <axoneme/overlay.h>

#define PACKET_HOST 0 /* of struct __sk_buff's pkt_type */

AXN_STAGE(identify)
{
	struct remote *remote;
	union address node;
	__u32 identity;

	if (overlay_get_key(ctx, packet, &node, &identity))
		return axn_drop(packet, AXN_REASON_TUNNEL_KEY);
	if (!is_node(&node))
		return axn_drop(packet, AXN_REASON_STRANGE_ENCAPSULATION);
	if (endpoint_lookup(&packet->tuple.saddr))
		return axn_drop(packet, AXN_REASON_INVALID_SOURCE_IP);
	remote = ipcache_lookup(&packet->tuple.saddr);
	if (remote && remote->identity == AXN_IDENTITY_HOST)
		return axn_drop(packet, AXN_REASON_INVALID_SOURCE_IP);
	if (!identity)
		identity = ipcache_identity(&packet->tuple.saddr, packet->family);
	packet->src_identity = overlay_identity(identity);
	bpf_skb_change_type(ctx, PACKET_HOST);
	return AXN_NEXT;
}
