// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The trunk at XDP: xdp_ingress, on uplinks, attached only when a stage of its is filled.
 *
 * In: an Ethernet frame. Out: XDP_PASS, XDP_DROP, XDP_TX (a redirect to no device: back where it came
 * from) or a redirect. Reads and writes: counters, drops, probes, events; stages have their own.
 * A probe is marked by eight bytes of metadata before the frame, which no network can send.
 */
#include "stages.h"

#define CONTEXT struct xdp_md
#include "parse.h"

EMPTY_STAGE(xdp_filter, CONTEXT)
EMPTY_STAGE(xdp_balance, CONTEXT)

static __always_inline void begin(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *meta = (void *)(long)ctx->data_meta;

	packet_clear(packet);
	packet->trunk = AXN_XDP_INGRESS;
	packet->direction = AXN_INGRESS;
	packet->ifindex = ctx->ingress_ifindex;
	packet->len = ctx->data_end - ctx->data;
	if (meta + sizeof(__u64) <= data && *(__u64 *)meta == AXN_PROBE_STAMP)
		probe_begin(packet, 0);
}

static __always_inline int act(struct packet *packet, int verdict, bool probing)
{
	verdict = settle(packet, verdict, probing);
	if (verdict == AXN_DROP)
		return XDP_DROP;
	if (verdict == AXN_REDIRECT)
		return packet->out_ifindex ? bpf_redirect(packet->out_ifindex, 0) : XDP_TX;
	return XDP_PASS;
}

SEC("xdp")
AXN_TAG("stages=xdp_filter xdp_balance")
int xdp_ingress(struct xdp_md *ctx)
{
	struct packet parsed, *packet = &parsed;
	int verdict = AXN_NEXT;
	enum parsed result;
	__be16 type;
	bool probing;

	begin(ctx, packet);
	probing = packet->flags & AXN_PROBE;
	result = parse(ctx, packet, &type);
	if (result != PARSED_OK) {
		verdict = result == PARSED_DROP ? AXN_DROP : AXN_PASS;
		goto decided;
	}
	RUN(xdp_filter, decided);
	RUN(xdp_balance, decided);
decided:
	return act(packet, verdict, probing);
}
