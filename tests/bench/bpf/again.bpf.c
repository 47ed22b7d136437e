// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A test run does not restore the packet between its repeats: after 63 of them forward would find
 * the hop limit used up. This gives it back.
 */
#include <axoneme/plugin.h>

AXN_STAGE(shape)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);

	if (packet->family == AXN_IPV4 && (void *)(ip + 1) <= (void *)(long)ctx->data_end)
		ip->ttl = 64;
	return AXN_NEXT;
}
