// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * deliver: what comes from another machine for a pod of this node, straight into the pod.
 *
 * Runs in from_uplink and from_overlay; in to_pod the packet is on its way already: NEXT. Reads
 * endpoints and ipcache; writes the packet's MAC addresses, hop limit and IPv4 checksum. REDIRECT to
 * an endpoint, whose identity and rule set it fills in; PASS when the hop limit ends here; DROP,
 * invalid source IP, for a packet of the uplink that bears an address of this node or of its pods;
 * NEXT for all else, what the kernel would not route among it: it knows what to do.
 */
#include "hop.h"
#include "link.h"

/* Of struct __sk_buff: a frame for this machine's own MAC address. */
#define PACKET_HOST 0

/* Addresses from which the kernel routes nothing: it may say so itself. */
static __always_inline bool is_routable(const union address *source, __u8 family)
{
	__u8 first;

	if (family == AXN_IPV6)
		return source->half[0] && !is_link_local(source) && source->bytes[0] != 0xff;
	first = source->bytes[12];
	return first && first != 127 && first < 224;
}

/* Whether a packet that came from outside says it is ours. Fills in who sent it, if that is known. */
static __always_inline bool is_ours(struct packet *packet)
{
	struct remote *remote;

	if (endpoint_lookup(&packet->tuple.saddr))
		return true;
	remote = ipcache_lookup(&packet->tuple.saddr);
	if (!remote)
		return false;
	packet->src_identity = remote->identity;
	return remote->identity == AXN_IDENTITY_HOST;
}

AXN_STAGE(deliver)
{
	struct endpoint *to;
	int verdict;

	if (packet->trunk == AXN_TO_POD)
		return AXN_NEXT;
	/* What comes by the overlay was identified by the stage before. */
	if (packet->trunk == AXN_FROM_UPLINK && is_ours(packet))
		return axn_drop(packet, AXN_REASON_INVALID_SOURCE_IP);
	to = endpoint_lookup(&packet->tuple.daddr);
	if (!to || ctx->pkt_type != PACKET_HOST ||
	    !is_routable(&packet->tuple.saddr, packet->family))
		return AXN_NEXT;
	verdict = hop_into(ctx, packet, to);
	/*
	 * A device may have summed the packet up: the kernel compares that sum at the pod. IPv4's own
	 * checksum keeps it as it was, a lower hop limit of IPv6 does not.
	 */
	if (verdict == AXN_REDIRECT && packet->family == AXN_IPV6)
		bpf_csum_update(ctx, ~(__u32)bpf_htons(1));
	return verdict;
}
