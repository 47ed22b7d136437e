// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The trunks at tc.
 *
 * from_pod	tcx or clsact ingress of the node's end of a pod's link
 * to_pod	egress of the same device
 * from_uplink	ingress of the devices by which the node is reached
 * to_uplink	egress of those
 * from_overlay	ingress of the tunnel device, behind the decapsulation
 * to_overlay	egress of it, before the encapsulation
 *
 * In: an Ethernet frame. Out: TC_ACT_UNSPEC (programs behind ours still run, then the kernel's
 * routing), TC_ACT_SHOT, or a redirect. Reads and writes: counters, drops, probes, events; stages have
 * their own. A frame that is not IP passes (ARP is the kernel's) or, from a pod, is dropped unless it is ARP.
 */
#include "stages.h"
#include "reasons_map.h"
#include "rules_map.h"

#include <linux/pkt_cls.h>

#define CONTEXT struct __sk_buff
#include "parse.h"

EMPTY_STAGE(recall, CONTEXT)
EMPTY_STAGE(admit, CONTEXT)
EMPTY_STAGE(balance, CONTEXT)
EMPTY_STAGE(track, CONTEXT)
EMPTY_STAGE(policy, CONTEXT)
EMPTY_STAGE(proxy, CONTEXT)
EMPTY_STAGE(shape, CONTEXT)
EMPTY_STAGE(forward, CONTEXT)
EMPTY_STAGE(remember, CONTEXT)
EMPTY_STAGE(deliver, CONTEXT)
EMPTY_STAGE(decrypt, CONTEXT)
EMPTY_STAGE(untranslate, CONTEXT)
EMPTY_STAGE(translate, CONTEXT)
EMPTY_STAGE(encrypt, CONTEXT)
EMPTY_STAGE(commit, CONTEXT)
EMPTY_STAGE(identify, CONTEXT)
EMPTY_STAGE(stamp, CONTEXT)

/*
 * Headers that the parser may want in the linear part: Ethernet, IPv4 with all its options (or IPv6
 * with two extensions), TCP.
 */
#define HEADERS	(sizeof(struct ethhdr) + 15 * 4 + sizeof(struct tcphdr))

/* Whether a packet might be parsed if more of it lay in the linear part. */
static __always_inline bool lies_in_pages(struct __sk_buff *ctx)
{
	__u32 linear = ctx->data_end - ctx->data;

	return linear < HEADERS && linear < ctx->len;
}

/*
 * To pull data is to copy the head of a packet that is a clone, as those of TCP are: 0.2 us. So it is
 * done for the few whose headers are not together, when a first look has failed.
 */
static __noinline enum parsed parse_pulled(struct __sk_buff *ctx, struct packet *packet, __be16 *type)
{
	bpf_skb_pull_data(ctx, ctx->len < HEADERS ? ctx->len : HEADERS);
	packet->reason = AXN_REASON_NONE;
	return parse(ctx, packet, type);
}

static __always_inline enum parsed begin(struct __sk_buff *ctx, struct packet *packet,
					 __u8 trunk, __u8 direction, __be16 *type)
{
	enum parsed result;

	packet_clear(packet);
	packet->trunk = trunk;
	packet->direction = direction;
	packet->ifindex = ctx->ifindex;
	packet->len = ctx->len;
	if ((ctx->mark & AXN_PROBE_MARK_MASK) == AXN_PROBE_MARK && ctx->hwtstamp == AXN_PROBE_STAMP)
		probe_begin(packet, ctx->mark & (AXN_PROBE_SLOTS - 1));
	result = parse(ctx, packet, type);
	if (result == PARSED_DROP && lies_in_pages(ctx))
		result = parse_pulled(ctx, packet, type);
	return result;
}

static __always_inline int redirect(const struct packet *packet)
{
	if (packet->flags & AXN_TO_ENDPOINT)
		return bpf_redirect_peer(packet->out_ifindex, 0);
	return bpf_redirect(packet->out_ifindex, 0);
}

static __always_inline int act(struct packet *packet, int verdict, bool probing)
{
	verdict = settle(packet, verdict, probing);
	if (verdict == AXN_DROP)
		return TC_ACT_SHOT;
	if (verdict == AXN_REDIRECT)
		return redirect(packet);
	return TC_ACT_UNSPEC;
}

/* The opening of every trunk: parse, or leave by `decided`. */
#define BEGIN(trunk, direction, otherwise)						\
	struct packet parsed, *packet = &parsed;					\
	int verdict = AXN_NEXT;								\
	enum parsed result;								\
	__be16 type;									\
	bool probing;									\
											\
	result = begin(ctx, packet, trunk, direction, &type);				\
	probing = packet->flags & AXN_PROBE;						\
	if (result != PARSED_OK) {							\
		verdict = result == PARSED_DROP ? AXN_DROP : (otherwise);		\
		goto decided;								\
	}

static __always_inline int not_ip_from_pod(struct __sk_buff *ctx, struct packet *packet,
					   __be16 type)
{
	if (ctx->vlan_present)
		return axn_drop(packet, AXN_REASON_VLAN_FILTERED);
	return type == bpf_htons(ETH_P_ARP) ? AXN_PASS : axn_drop(packet, AXN_REASON_UNSUPPORTED_L3);
}

/* What a pod's own side decides, also where a packet is delivered without passing to_pod. */
#define RUN_TO_POD(decided)		\
	do {				\
		RUN(track, decided);	\
		RUN(policy, decided);	\
		RUN(proxy, decided);	\
		RUN(shape, decided);	\
	} while (0)

/* After forward or deliver: a packet that goes straight into a pod passes the pod's stages here. */
#define DELIVER_INLINE(trunk_here, direction_here, decided)				\
	if (verdict == AXN_REDIRECT && packet->flags & AXN_TO_ENDPOINT) {		\
		packet->trunk = AXN_TO_POD;						\
		packet->direction = AXN_INGRESS;					\
		RUN_TO_POD(decided);							\
		packet->trunk = trunk_here;						\
		packet->direction = direction_here;					\
		verdict = AXN_REDIRECT;							\
	}

/*
 * What was decided is written down when nothing can drop the packet any more, but this: a flow that
 * cannot be remembered is not begun.
 */
#define COMMIT(decided)							\
	if (verdict != AXN_DROP && packet->flags & AXN_COMMIT) {	\
		int answer = verdict;					\
									\
		RUN(commit, committed);					\
committed:								\
		if (verdict == AXN_DROP)				\
			goto decided;					\
		verdict = answer;					\
	}

SEC("tc")
AXN_TAG("stages=recall admit balance track policy proxy shape forward commit remember")
int from_pod(struct __sk_buff *ctx)
{
	int kept;

	BEGIN(AXN_FROM_POD, AXN_EGRESS, not_ip_from_pod(ctx, packet, type))
	if (ctx->vlan_present) {
		verdict = axn_drop(packet, AXN_REASON_VLAN_FILTERED);
		goto decided;
	}
	RUN(recall, decided);
	RUN(admit, decided);
	RUN(balance, decided);
	RUN(track, decided);
	RUN(policy, decided);
	RUN(proxy, decided);
	RUN(shape, decided);
	RUN(forward, forwarded);
forwarded:
	DELIVER_INLINE(AXN_FROM_POD, AXN_EGRESS, decided)
	COMMIT(decided)
	if (verdict != AXN_DROP) {
		kept = verdict;
		RUN(remember, remembered);
remembered:
		verdict = kept;
	}
decided:
	return act(packet, verdict, probing);
}

SEC("tc")
AXN_TAG("stages=track policy proxy shape deliver commit")
int to_pod(struct __sk_buff *ctx)
{
	BEGIN(AXN_TO_POD, AXN_INGRESS, AXN_PASS)
	RUN_TO_POD(decided);
	RUN(deliver, delivered);
delivered:
	COMMIT(decided)
decided:
	return act(packet, verdict, probing);
}

SEC("tc")
AXN_TAG("stages=decrypt balance untranslate track policy deliver commit")
int from_uplink(struct __sk_buff *ctx)
{
	BEGIN(AXN_FROM_UPLINK, AXN_INGRESS, AXN_PASS)
	RUN(decrypt, decided);
	RUN(balance, decided);
	RUN(untranslate, decided);
	RUN(track, decided);
	RUN(policy, decided);
	RUN(deliver, delivered);
delivered:
	DELIVER_INLINE(AXN_FROM_UPLINK, AXN_INGRESS, decided)
	COMMIT(decided)
decided:
	return act(packet, verdict, probing);
}

SEC("tc")
AXN_TAG("stages=track policy translate shape encrypt")
int to_uplink(struct __sk_buff *ctx)
{
	BEGIN(AXN_TO_UPLINK, AXN_EGRESS, AXN_PASS)
	RUN(track, decided);
	RUN(policy, decided);
	RUN(translate, decided);
	RUN(shape, decided);
	RUN(encrypt, decided);
decided:
	return act(packet, verdict, probing);
}

SEC("tc")
AXN_TAG("stages=identify deliver commit")
int from_overlay(struct __sk_buff *ctx)
{
	BEGIN(AXN_FROM_OVERLAY, AXN_INGRESS, AXN_PASS)
	RUN(identify, decided);
	RUN(deliver, delivered);
delivered:
	DELIVER_INLINE(AXN_FROM_OVERLAY, AXN_INGRESS, decided)
	COMMIT(decided)
decided:
	return act(packet, verdict, probing);
}

SEC("tc")
AXN_TAG("stages=stamp")
int to_overlay(struct __sk_buff *ctx)
{
	BEGIN(AXN_TO_OVERLAY, AXN_EGRESS, AXN_PASS)
	RUN(stamp, decided);
decided:
	return act(packet, verdict, probing);
}
