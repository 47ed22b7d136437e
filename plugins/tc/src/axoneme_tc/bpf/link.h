/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What belongs to a link and is never routed: its addresses, and the ICMPv6 messages that keep it. */
#pragma once

#include <axoneme/plugin.h>

static __always_inline bool is_link_local(const union address *address)
{
	return (address->word[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* A group of all on the link, ff02::/16. */
static __always_inline bool is_link_group(const union address *address)
{
	return (address->word[0] & bpf_htonl(0xffff0000)) == bpf_htonl(0xff020000);
}

static __always_inline bool is_unspecified(const union address *address)
{
	return !address->half[0] && !address->half[1];
}

/* Neighbour and router discovery, and group membership: the ICMPv6 type says so. */
static __always_inline bool is_link_message(const struct packet *packet)
{
	if (packet->family != AXN_IPV6 || packet->tuple.proto != IPPROTO_ICMPV6 || !packet->l4_off)
		return false;
	switch (bpf_ntohs(packet->tuple.sport)) {
	case 130: /* multicast listener query, report, done, and report of version 2 */
	case 131:
	case 132:
	case 143:
	case 133: /* router solicitation, advertisement */
	case 134:
	case 135: /* neighbour solicitation, advertisement */
	case 136:
		return true;
	}
	return false;
}
