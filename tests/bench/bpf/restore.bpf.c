// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A test run does not restore the packet between its repeats: this does, and calls the program that
 * is measured. It also makes each repeat a packet of another flow, in an order of its own, so that
 * neighbours in time are none in memory: the position runs through all flows by a congruential
 * generator of full period.
 *
 * restore	what is called; nothing: a program to call that does nothing
 */
#include <axoneme/abi.h>

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#define PORTS_BITS	16
#define FIRST_PORT	8000

struct restoring {
	__u64 position;
	__u64 factor;
	__u64 step;
	__u32 mask;	/* flows, less one: a power of two */
	__u32 base;	/* the number of the first */
	__u32 next;	/* which program */
	__u32 reply;	/* whether the packet goes back: its ports change places */
};

AXN_MAP(ARRAY, restoring, 1, __u32, struct restoring);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

SEC("tc")
int nothing(struct __sk_buff *ctx)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int restore(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct restoring *state;
	__be16 client, server;
	__u32 key = 0, flow;

	state = bpf_map_lookup_elem(&restoring, &key);
	if (!state || (void *)(tcp + 1) > end)
		return TC_ACT_SHOT;
	flow = state->base + (state->position & state->mask);
	state->position = state->position * state->factor + state->step;
	client = bpf_htons(flow);
	server = bpf_htons(FIRST_PORT + (flow >> PORTS_BITS));
	tcp->source = state->reply ? server : client;
	tcp->dest = state->reply ? client : server;
	ip->ttl = 64;
	bpf_tail_call(ctx, &programs, state->next);
	return TC_ACT_SHOT;
}
