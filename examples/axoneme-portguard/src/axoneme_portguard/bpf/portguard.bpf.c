// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy: drops what goes to a closed port, and counts it. */
#include <axoneme/plugin.h>

struct portguard_port {
	union address address;
	__be16 port;
	__u8 proto, pad[5];
};

AXN_MAP(HASH, portguard_closed, 1024, struct portguard_port, __u64);

AXN_REASON(portguard_closed_port, "Port closed by portguard");

AXN_STAGE(policy)
{
	const struct tuple *to = &packet->tuple;
	struct portguard_port port = { .address = to->daddr, .port = to->dport, .proto = to->proto };
	__u64 *refused = bpf_map_lookup_elem(&portguard_closed, &port);

	if (!refused)
		return AXN_NEXT;
	if (!(packet->flags & AXN_PROBE))
		__sync_fetch_and_add(refused, 1);
	return axn_drop(packet, portguard_closed_port);
}
