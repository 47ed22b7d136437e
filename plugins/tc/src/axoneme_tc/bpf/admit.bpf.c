// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * admit: a pod speaks with its own addresses only.
 *
 * Runs in from_pod. Reads endpoints, runtime; keeps tc_senders. NEXT with the source's identity, endpoint and rule set filled
 * in, if the source address is one of the pod behind this device; PASS for neighbour discovery and
 * group membership, whose link-local messages end at the node's kernel; else DROP, invalid source IP.
 */
#include "endpoint_cache.h"
#include "link.h"

ENDPOINT_CACHE(tc_senders);

/* What a pod may say: a query of groups and a router's advertisement are the node's. */
static __always_inline bool is_pods_message(const struct packet *packet)
{
	const struct tuple *tuple = &packet->tuple;
	__u16 type = bpf_ntohs(tuple->sport);

	if (!is_link_message(packet) || type == 130 || type == 134)
		return false;
	return is_link_local(&tuple->saddr) || is_unspecified(&tuple->saddr);
}

AXN_STAGE(admit)
{
	struct endpoint *from = endpoint_cached(packet, &tc_senders, &packet->tuple.saddr);

	if (from && from->ifindex == packet->ifindex) {
		packet->src_identity = from->identity;
		packet->src_endpoint = from->id;
		packet->src_rule_set = from->rule_set;
		return AXN_NEXT;
	}
	if (is_pods_message(packet))
		return AXN_PASS;
	return axn_drop(packet, AXN_REASON_INVALID_SOURCE_IP);
}
