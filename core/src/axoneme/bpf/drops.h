/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Count what a trunk drops, by reason. */
#pragma once

#include <axoneme/plugin.h>

/* Not inlined: drops are not the way of most packets, and every exit of a trunk comes by here. */
static __noinline void count_drop(__u16 reason, __u8 trunk, __u32 bytes)
{
	struct drop_key key = { .reason = reason, .trunk = trunk };
	struct counter *counter = bpf_map_lookup_elem(&drops, &key);
	struct counter none = {};

	if (!counter) {
		bpf_map_update_elem(&drops, &key, &none, BPF_NOEXIST);
		counter = bpf_map_lookup_elem(&drops, &key);
	}
	if (counter)
		counter_add(counter, bytes);
}
