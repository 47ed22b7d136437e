// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * admit: a pod speaks with its own addresses only.
 *
 * Runs in from_pod. Reads endpoints. NEXT with the source's identity and endpoint filled in, if the
 * source address is one of the pod behind this device; PASS for neighbour discovery and group
 * membership, whose link-local messages end at the node's kernel; else DROP, invalid source IP.
 */
#include <axoneme/plugin.h>

#include <linux/icmpv6.h>

static __always_inline bool is_link_local(const union address *address)
{
	return (address->word[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline bool is_unspecified(const union address *address)
{
	return !address->half[0] && !address->half[1];
}

static __always_inline bool is_link_message(const struct packet *packet)
{
	const struct tuple *tuple = &packet->tuple;

	if (packet->family != AXN_IPV6 || tuple->proto != IPPROTO_ICMPV6 || !packet->l4_off)
		return false;
	if (!is_link_local(&tuple->saddr) && !is_unspecified(&tuple->saddr))
		return false;
	switch (bpf_ntohs(tuple->sport)) {
	case 131: /* multicast listener report, done, and report of version 2 */
	case 132:
	case 143:
	case 133: /* router solicitation */
	case 135: /* neighbour solicitation, advertisement */
	case 136:
		return true;
	}
	return false;
}

AXN_STAGE(admit)
{
	struct endpoint *from = endpoint_lookup(&packet->tuple.saddr);

	if (from && from->ifindex == packet->ifindex) {
		packet->src_identity = from->identity;
		packet->src_endpoint = from->id;
		return AXN_NEXT;
	}
	if (is_link_message(packet))
		return AXN_PASS;
	return axn_drop(packet, AXN_REASON_INVALID_SOURCE_IP);
}
