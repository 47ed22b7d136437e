/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules that have numbers, for whoever reads them in entries, connections and flows. Programs do
 * not use it: it lies beside the connections, so that numbers and names outlive the agent together.
 */
#pragma once

#include <axoneme/plugin.h>

struct rule_record {
	char name[384];		/* the kind, namespace and name of the policy, and which rule of it */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct rule_record);
} rules SEC(".maps");
