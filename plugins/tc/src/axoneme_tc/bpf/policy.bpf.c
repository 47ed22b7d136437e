// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy: what the rule sets of the two pods let out and in.
 *
 * Runs in from_pod for the pod that sends, in to_pod for the one that receives; elsewhere NEXT. Reads
 * rule_sets, policy, endpoints, ipcache and cidrs. NEXT if the flow was granted before, if the packet
 * belongs to one that was (replies, ICMP errors), or if it is granted now: then the rule is in the
 * packet and connection tracking is asked to keep it. DROP if a rule denies it (policy deny) or none
 * allows it where one must (policy denied), with the rule in packet.rule.
 */
#include "link.h"

AXN_KNOB(bool, tc_allow_host, true, "a pod's own node may always reach it, as kubelet's probes do");

#define WIDTH_BYTE 0xff00 /* of a port: what a prefix of 8 bits leaves */

/* What a look-up is for. The key's port and kind are those of the narrowest width. */
struct question {
	struct policy_key key;
	__u32 peer; /* its identity */
	__u32 network; /* and that of its network, 0 for none */
	__u32 lacks; /* AXN_LACKS_... of the direction */
};

static __always_inline bool is_world(__u32 identity)
{
	return identity == AXN_IDENTITY_WORLD || identity == AXN_IDENTITY_WORLD_IPV4 ||
	       identity == AXN_IDENTITY_WORLD_IPV6;
}

/* The entry of one width of ports: for the peer itself, its network, or any peer. */
static __always_inline struct policy_entry *find_width(struct question *question, __u32 width)
{
	struct policy_entry *entry;

	if (!(question->lacks & AXN_LACKS_NAMED(width))) {
		question->key.identity = question->peer;
		entry = bpf_map_lookup_elem(&policy, &question->key);
		if (entry)
			return entry;
		if (question->network) {
			question->key.identity = question->network;
			entry = bpf_map_lookup_elem(&policy, &question->key);
			if (entry &&
			    (is_world(question->peer) || entry->flags & AXN_POLICY_ANY_PEER))
				return entry;
		}
	}
	if (question->lacks & AXN_LACKS_ANY(width))
		return NULL;
	question->key.identity = 0;
	return bpf_map_lookup_elem(&policy, &question->key);
}

static __always_inline struct policy_entry *find(struct question *question)
{
	struct policy_entry *entry;

	entry = find_width(question, 0);
	if (entry)
		return entry;
	question->key.port &= bpf_htons(WIDTH_BYTE);
	question->key.kind -= 8;
	entry = find_width(question, 1);
	if (entry)
		return entry;
	question->key.port = 0;
	question->key.kind -= 8;
	entry = find_width(question, 2);
	if (entry)
		return entry;
	question->key.proto = 0;
	return find_width(question, 3);
}

static __always_inline int grant(struct packet *packet, __u32 rule, bool ingress)
{
	packet->rule = rule;
	if (ingress) {
		packet->ingress_rule = rule;
		packet->flags |= AXN_INGRESS_GRANTED | AXN_COMMIT;
	} else {
		packet->egress_rule = rule;
		packet->flags |= AXN_EGRESS_GRANTED | AXN_COMMIT;
	}
	return AXN_NEXT;
}

static __always_inline int deny(struct packet *packet, __u32 rule, __u16 reason)
{
	packet->rule = rule;
	return axn_drop(packet, reason);
}

/* What the rule set of a slot says of a peer. */
static __always_inline int decide(struct packet *packet, __u32 slot, __u32 peer, bool ingress)
{
	const struct tuple *tuple = &packet->tuple;
	/* What ICMP has for a port is its type. */
	bool icmp = tuple->proto == IPPROTO_ICMP || tuple->proto == IPPROTO_ICMPV6;
	struct question question = {
		.key.port = icmp ? tuple->sport : tuple->dport,
		.key.proto = tuple->proto,
		.key.kind = (ingress ? AXN_POLICY_INGRESS : 0) | 16,
		.peer = peer,
	};
	struct policy_entry *entry;
	struct rule_set *set;
	__u32 flags, must;

	packet->flags |= ingress ? AXN_INGRESS_ASKED : AXN_EGRESS_ASKED;
	if (!slot)
		return grant(packet, AXN_RULE_NONE, ingress);
	set = bpf_map_lookup_elem(&rule_sets, &slot);
	if (!set || !set->active) /* not filled yet: better closed than open */
		return deny(packet, AXN_RULE_NONE, AXN_REASON_POLICY_DENIED);
	question.key.rule_set = set->active;
	flags = set->flags;
	question.lacks = flags >> (ingress ? AXN_LACKS_INGRESS : AXN_LACKS_EGRESS);
	must = ingress ? AXN_DEFAULT_DENY_INGRESS : AXN_DEFAULT_DENY_EGRESS;
	if (flags & AXN_NAMES_CIDRS)
		question.network = cidr_identity(ingress ? &tuple->saddr : &tuple->daddr);
	entry = find(&question);
	if (entry && entry->verdict == AXN_POLICY_ALLOW)
		return grant(packet, entry->rule, ingress);
	if (entry)
		return deny(packet, entry->rule, AXN_REASON_POLICY_DENY);
	if (!(flags & must))
		return grant(packet, AXN_RULE_NONE, ingress);
	if (ingress && peer == AXN_IDENTITY_HOST && tc_allow_host)
		return grant(packet, AXN_RULE_HOST, ingress);
	return deny(packet, AXN_RULE_NONE, AXN_REASON_POLICY_DENIED);
}

/* Out of a pod. Where admit is off, nobody said yet whose packet it is. */
static __always_inline int decide_egress(struct packet *packet)
{
	const struct tuple *tuple = &packet->tuple;

	if (!packet->src_endpoint) {
		struct endpoint *from = endpoint_lookup(&tuple->saddr);

		if (!from || from->ifindex != packet->ifindex)
			return AXN_NEXT;
		packet->src_identity = from->identity;
		packet->src_endpoint = from->id;
		packet->src_rule_set = from->rule_set;
	}
	if (is_link_message(packet) &&
	    (is_link_local(&tuple->daddr) || is_link_group(&tuple->daddr)))
		return AXN_NEXT;
	if (!packet->dst_identity)
		packet->dst_identity = ipcache_identity(&tuple->daddr, packet->family);
	return decide(packet, packet->src_rule_set, packet->dst_identity, false);
}

/* Fills in whose packet it is, where the kernel routed it to the pod. */
static __always_inline bool find_receiver(struct packet *packet)
{
	struct endpoint *to;

	if (packet->dst_endpoint)
		return true;
	to = endpoint_lookup(&packet->tuple.daddr);
	if (!to || to->ifindex != packet->ifindex)
		return false;
	packet->dst_identity = to->identity;
	packet->dst_endpoint = to->id;
	packet->dst_rule_set = to->rule_set;
	return true;
}

/* Nothing routes these: at a pod's link they come from the node alone. */
static __always_inline bool is_of_the_link(const struct packet *packet)
{
	return packet->family == AXN_IPV6 &&
	       (is_link_local(&packet->tuple.saddr) || is_link_group(&packet->tuple.daddr));
}

/* Into a pod. */
static __always_inline int decide_ingress(struct packet *packet)
{
	const struct tuple *tuple = &packet->tuple;

	if (!packet->src_identity)
		packet->src_identity = is_of_the_link(packet)
					       ? AXN_IDENTITY_HOST
					       : ipcache_identity(&tuple->saddr, packet->family);
	if (is_link_message(packet) && packet->src_identity == AXN_IDENTITY_HOST)
		return AXN_NEXT;
	if (find_receiver(packet))
		return decide(packet, packet->dst_rule_set, packet->src_identity, true);
	/* A group on the pod's link, which the node speaks to; nobody else gets this far. */
	if (packet->src_identity == AXN_IDENTITY_HOST && tc_allow_host)
		return AXN_NEXT;
	return deny(packet, AXN_RULE_NONE, AXN_REASON_POLICY_DENIED);
}

/* Few packets come by here: those that do not stay out of the registers that this needs. */
static __noinline int decide_now(struct packet *packet)
{
	if (packet->trunk == AXN_TO_POD)
		return decide_ingress(packet);
	return packet->trunk == AXN_FROM_POD ? decide_egress(packet) : AXN_NEXT;
}

AXN_STAGE(policy)
{
	__u32 granted = packet->trunk == AXN_TO_POD ? AXN_INGRESS_GRANTED : AXN_EGRESS_GRANTED;

	if (packet->flags & granted || packet->conntrack >= AXN_CONNTRACK_REPLY)
		return AXN_NEXT;
	return decide_now(packet);
}
