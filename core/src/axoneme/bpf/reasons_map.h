/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reasons of plugins that have numbers, for whoever reads drop counters. Programs do not use it:
 * it lies beside the counters, so that numbers and names outlive the agent together.
 */
#pragma once

#include <axoneme/plugin.h>

struct reason_record {
	char owner[32];
	char name[64];
	char text[128];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reason_record);
} reasons SEC(".maps");
