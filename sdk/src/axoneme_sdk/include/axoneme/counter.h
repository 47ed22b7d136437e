/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What each trunk decided, and each reason for a drop: packets and bytes per CPU. Trunks count. */
#pragma once

#include <axoneme/abi.h>

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct drop_key {
	__u16 reason;
	__u8 trunk;
	__u8 pad;
};

/* The slot of a verdict: trunk * 8 + verdict. */
AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, struct drop_key);
	__type(value, struct counter);
} drops SEC(".maps");

static __always_inline void counter_add(struct counter *counter, __u32 bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}
