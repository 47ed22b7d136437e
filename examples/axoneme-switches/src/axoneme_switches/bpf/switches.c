// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
BPF_HASH(switches, u32, u64);

RAW_TRACEPOINT_PROBE(sched_switch)
{
	switches.increment(bpf_get_smp_processor_id());
	return 0;
}
