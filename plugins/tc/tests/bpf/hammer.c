/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Follows track.bpf.c: the stages before and behind it. */

AXN_STAGE(balance)
{
	struct tc_hammer_count *count = hammer_count();
	union address address;
	__u32 flow = hammer_choose();

	if (!count)
		return AXN_NEXT;
	packet->tuple.sport = bpf_htons(flow + 1);
	packet->tuple.dport = bpf_htons(60000);
	if (bpf_get_prandom_u32() & 1) {
		packet->tuple.dport = packet->tuple.sport;
		packet->tuple.sport = bpf_htons(60000);
		address = packet->tuple.saddr;
		packet->tuple.saddr = packet->tuple.daddr;
		packet->tuple.daddr = address;
	}
	count->flow = flow;
	count->started = conntrack_now();
	return AXN_NEXT;
}

AXN_STAGE(policy)
{
	struct tc_hammer_count *count = hammer_count();
	__u64 now = conntrack_now(), *due;
	__u32 flow, rule;

	if (!count)
		return AXN_NEXT;
	flow = count->flow;
	rule = AXN_RULE_FIRST + flow;
	due = bpf_map_lookup_elem(&tc_hammer_due, &flow);
	if (!due)
		return AXN_NEXT;
	count->packets++;
	if (packet->conntrack == AXN_CONNTRACK_NEW)
		count->lost += flow < 2 * HAMMER_OWN && now < *due;
	else
		count->known++;
	if (packet->conntrack == AXN_CONNTRACK_REPLY)
		count->wrong += packet->ingress_rule != rule;
	else if (packet->flags & AXN_EGRESS_GRANTED)
		count->wrong += packet->egress_rule != rule;
	if (packet->conntrack == AXN_CONNTRACK_REPLY)
		return AXN_NEXT;
	packet->egress_rule = rule;
	packet->flags |= AXN_EGRESS_GRANTED | AXN_COMMIT;
	return AXN_NEXT;
}

AXN_STAGE(remember)
{
	struct tc_hammer_count *count = hammer_count();
	__u64 *due;
	__u32 flow;

	if (!count)
		return AXN_NEXT;
	flow = count->flow;
	due = bpf_map_lookup_elem(&tc_hammer_due, &flow);
	if (due)
		*due = count->started + tc_hammer_lasting - HAMMER_LAG;
	return AXN_NEXT;
}
