// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * stub: fills every stage of tc and XDP, keeps what each of them saw, and answers as it was told.
 *
 * A probe leaves the rows as they are. packet.rule counts the stages that a packet has come by.
 */
#include <axoneme/plugin.h>

struct stub_row {
	struct packet seen;	/* as the stage found it */
	__u64 calls;
	__u32 reason;
	__u32 out_ifindex;
	__u32 flags;		/* set in packet.flags */
	__s32 verdict;
	__u32 skip;		/* calls that are answered with NEXT before */
	__u32 pad;
};

/* The key is enum axn_stage. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, struct stub_row);
} stub_rows SEC(".maps");

static __always_inline int stub_answer(struct packet *packet, __u32 stage)
{
	struct stub_row *row = bpf_map_lookup_elem(&stub_rows, &stage);

	if (!row)
		return AXN_NEXT;
	if (!(packet->flags & AXN_PROBE)) {
		row->seen = *packet;
		row->calls++;
	}
	packet->rule++;
	packet->flags |= row->flags;
	if (!row->verdict || (row->skip && row->calls <= row->skip))
		return AXN_NEXT;
	packet->reason = row->reason;
	packet->out_ifindex = row->out_ifindex;
	return row->verdict;
}

#define STUB(stage)							\
	AXN_STAGE(stage)						\
	{								\
		return stub_answer(packet, AXN_STAGE_##stage);		\
	}

#define XDP_STUB(stage)							\
	AXN_XDP_STAGE(stage)						\
	{								\
		return stub_answer(packet, AXN_STAGE_##stage);		\
	}

STUB(recall)
STUB(admit)
STUB(balance)
STUB(track)
STUB(policy)
STUB(proxy)
STUB(shape)
STUB(forward)
STUB(remember)
STUB(deliver)
STUB(decrypt)
STUB(untranslate)
STUB(translate)
STUB(encrypt)
STUB(commit)
STUB(identify)
STUB(stamp)
XDP_STUB(xdp_filter)
XDP_STUB(xdp_balance)
