/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The C ABI between core's trunks and the stages of plugins: verdicts, struct packet, and the macros
 * by which an object declares itself to the loader. docs/reference/datapath-abi.md is its page.
 *
 * An object's declarations are BTF declaration tags "axn:<key>=<value>", on a stage's function
 * (abi, before, after), on a constant (reason, knob) and on a map (layout).
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define AXN_ABI		1	/* raised when a stage built for the old number would misbehave */
#define AXN_LANES	8	/* plugins that may fill one stage */

enum axn_verdict {
	AXN_NEXT	= 0,	/* no decision: the next lane, then the next stage */
	AXN_PASS	= 1,	/* to the kernel's routing */
	AXN_DROP	= 2,	/* packet.reason says why: return axn_drop(packet, reason) */
	AXN_REDIRECT	= 3,	/* to packet.out_ifindex */
	AXN_TO_PROXY	= 4,	/* reserved for layer 7; until then a trunk drops it as an invalid verdict */
};

enum axn_trunk {
	AXN_FROM_POD	= 0,
	AXN_TO_POD	= 1,
	AXN_FROM_UPLINK	= 2,
	AXN_TO_UPLINK	= 3,
	AXN_XDP_INGRESS	= 4,
	AXN_SOCKET	= 5,	/* all of the socket's */
	AXN_FROM_OVERLAY = 6,
	AXN_TO_OVERLAY	= 7,
};

/* The stages of all trunks; a number is what a probe records. New ones are added at the end. */
enum axn_stage {
	AXN_STAGE_recall,
	AXN_STAGE_admit,
	AXN_STAGE_balance,
	AXN_STAGE_track,
	AXN_STAGE_policy,
	AXN_STAGE_proxy,
	AXN_STAGE_shape,
	AXN_STAGE_forward,
	AXN_STAGE_remember,
	AXN_STAGE_deliver,
	AXN_STAGE_decrypt,
	AXN_STAGE_untranslate,
	AXN_STAGE_translate,
	AXN_STAGE_encrypt,
	AXN_STAGE_xdp_filter,
	AXN_STAGE_xdp_balance,
	AXN_STAGE_sock_balance,
	AXN_STAGE_sock_restore,
	AXN_STAGE_sock_bind,
	AXN_STAGE_commit,
	AXN_STAGE_identify,
	AXN_STAGE_stamp,
};

enum axn_direction {
	AXN_EGRESS	= 0,	/* away from the pod or the node */
	AXN_INGRESS	= 1,	/* towards it */
};

enum axn_family {
	AXN_IPV4	= 4,
	AXN_IPV6	= 6,
};

/* Bits of packet.flags. */
enum axn_packet_flag {
	AXN_PROBE		= 1 << 0, /* a test run that changes nothing; set by the trunk alone */
	AXN_FRAGMENT		= 1 << 1, /* a fragment; ports are zero unless it is the first */
	AXN_FIRST_FRAGMENT	= 1 << 2,
	AXN_TO_ENDPOINT		= 1 << 3, /* with AXN_REDIRECT: into the pod behind out_ifindex; the trunk
					   * runs to_pod's stages first */
	AXN_EGRESS_GRANTED	= 1 << 4, /* the flow's verdict in this direction was granted under the */
	AXN_INGRESS_GRANTED	= 1 << 5, /* present generation: policy need not be asked again */
	AXN_COMMIT		= 1 << 6, /* connection tracking has something to write at the end */
	AXN_EGRESS_ASKED	= 1 << 7, /* policy was asked in this direction, whatever it said */
	AXN_INGRESS_ASKED	= 1 << 8,
	AXN_REPORT		= 1 << 9, /* a trace of the packet's flow is due */
	AXN_CLOSED		= 1 << 10, /* the flow ends by this packet */
	AXN_EACH_PACKET		= 1 << 11, /* a stage must see the flow's next packet, too: nothing is
					   * remembered of this one */
};

/* What connection tracking knows of the packet's flow: packet.conntrack. */
enum axn_conntrack {
	AXN_CONNTRACK_NONE	= 0,	/* nobody tracks, or it is no flow */
	AXN_CONNTRACK_NEW	= 1,
	AXN_CONNTRACK_ESTABLISHED = 2,	/* in the direction of the flow's first packet */
	AXN_CONNTRACK_REPLY	= 3,
	AXN_CONNTRACK_RELATED	= 4,	/* an ICMP error about a flow that is known */
};

/* Rules that no policy wrote; those of policies are numbered from 16, in 20 bits. */
enum axn_rule {
	AXN_RULE_NONE		= 0,	/* no policy selects the endpoint; of a drop: none allows it */
	AXN_RULE_HOST		= 1,	/* from the pod's own node, which is always allowed */
	AXN_RULE_FIRST		= 16,
};

/* IPv4 is carried v4-mapped: ten zero bytes, ff ff, then the four of the address. */
union address {
	__u8 bytes[16];
	__be32 word[4];
	__u64 half[2];
};

static __always_inline bool address_equal(const union address *a, const union address *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

static __always_inline bool address_is_ipv4(const union address *address)
{
	return !address->half[0] && address->word[2] == bpf_htonl(0xffff);
}

/* Who speaks to whom; the head of struct packet. ICMP: the type in sport, the code in dport. */
struct tuple {
	union address saddr;
	union address daddr;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 pad[3];
};

/*
 * What the trunk parsed, and what stages tell each other. Values and offsets only: a packet pointer
 * kept here would be stale after any stage that pulls or changes data.
 * It may grow at its end, up to 160 bytes, within one ABI number.
 */
struct packet {
	struct tuple tuple;	/* 0 */
	__u32 src_identity;	/* 40 */
	__u32 dst_identity;	/* 44 */
	__u32 src_endpoint;	/* 48: its id on this node, 0 when it is elsewhere */
	__u32 dst_endpoint;	/* 52 */
	__u32 ifindex;		/* 56: the device at which the trunk runs */
	__u32 out_ifindex;	/* 60: for AXN_REDIRECT */
	__u32 len;		/* 64: of the whole packet, bytes */
	__u32 rule;		/* 68: number of the rule that decided */
	__u32 flags;		/* 72: enum axn_packet_flag */
	__u16 l3_off;		/* 76 */
	__u16 l4_off;		/* 78: 0 when there is no layer 4 header */
	__u16 reason;		/* 80: for AXN_DROP */
	__u8 trunk;		/* 82: enum axn_trunk */
	__u8 direction;		/* 83: enum axn_direction */
	__u8 family;		/* 84: enum axn_family */
	__u8 tcp_flags;		/* 85 */
	__u8 probe_slot;	/* 86: where a probe's steps are recorded */
	__u8 conntrack;		/* 87: enum axn_conntrack */
	__u32 egress_rule;	/* 88: which rule let it out of its pod, enum axn_rule */
	__u32 ingress_rule;	/* 92: which let it into its pod */
	__u32 src_rule_set;	/* 96: slots in rule_sets, of endpoints of this node; 0 for none */
	__u32 dst_rule_set;	/* 100 */
	__u32 fragment;		/* 104: the fragments' id, of whichever family */
	__u32 generation;	/* 108: of the policies before any was asked; what is granted is granted under
				 * it */
};

_Static_assert(sizeof(struct tuple) == 40, "struct tuple is ABI");
_Static_assert(sizeof(struct packet) == 112, "struct packet is ABI");

/* A call of connect(2) and the like, copied from and to the context of its attach type. */
struct socket_call {
	union address address;	/* the address given or to be shown; writable */
	__be16 port;		/* writable */
	__u8 family;		/* enum axn_family of the socket; v4-mapped addresses come as they are */
	__u8 proto;
	__u32 type;		/* SOCK_STREAM, SOCK_DGRAM */
	__u64 cookie;
	__u64 netns_cookie;
	__u8 attach;		/* enum axn_socket_attach */
	__u8 pad[3];
	__u16 reason;		/* for AXN_DROP: return axn_refuse(call, reason) */
	__u16 flags;
};

_Static_assert(sizeof(struct socket_call) == 48, "struct socket_call is ABI");

enum axn_socket_attach {
	AXN_CONNECT	= 0,
	AXN_SENDMSG	= 1,
	AXN_RECVMSG	= 2,
	AXN_GETPEERNAME	= 3,
	AXN_BIND	= 4,
};

#define AXN_STRING_(x)	#x
#define AXN_STRING(x)	AXN_STRING_(x)
#define AXN_TAG(text)	__attribute__((btf_decl_tag("axn:" text)))

/* In an AXN_STAGE's list: this lane runs before, or after, the lanes of another plugin. */
#define AXN_BEFORE(plugin)	AXN_TAG("before=" #plugin)
#define AXN_AFTER(plugin)	AXN_TAG("after=" #plugin)

/*
 * In the same list: what the lane answers holds for later packets of an established flow, until the
 * generation changes or it sets AXN_EACH_PACKET. A lane without it is asked for every packet: while
 * one is linked, nothing is recalled that would go round it.
 */
#define AXN_PER_FLOW		AXN_TAG("per=flow")

#define AXN_STAGE_(name, context, argument, none, ...)						\
	_Static_assert(AXN_STAGE_##name >= 0, "no such stage");					\
	static __always_inline int name##_stage(context *ctx, argument);			\
	AXN_TAG("abi=" AXN_STRING(AXN_ABI)) __VA_ARGS__						\
	__noinline int stage_##name(context *ctx, argument)					\
	{											\
		return none ? name##_stage(ctx, none) : AXN_NEXT;				\
	}											\
	static __always_inline int name##_stage(context *ctx, argument)

/*
 * A stage at tc: AXN_STAGE(policy, AXN_AFTER(tc)) { ... return AXN_NEXT; } with
 * struct __sk_buff *ctx and struct packet *packet in scope.
 * The trunk calls it through a pointer that the verifier takes for nullable: the check is written here.
 */
#define AXN_STAGE(name, ...)	\
	AXN_STAGE_(name, struct __sk_buff, struct packet *packet, packet, __VA_ARGS__)

/* The same at XDP: struct xdp_md *ctx. */
#define AXN_XDP_STAGE(name, ...)	\
	AXN_STAGE_(name, struct xdp_md, struct packet *packet, packet, __VA_ARGS__)

/* At the socket hooks: struct socket_call *call alone, since contexts of attach types differ. */
#define AXN_SOCKET_STAGE(name, ...)								\
	_Static_assert(AXN_STAGE_##name >= 0, "no such stage");					\
	static __always_inline int name##_stage(struct socket_call *call);			\
	AXN_TAG("abi=" AXN_STRING(AXN_ABI)) __VA_ARGS__						\
	__noinline int stage_##name(struct socket_call *call)					\
	{											\
		return call ? name##_stage(call) : AXN_NEXT;					\
	}											\
	static __always_inline int name##_stage(struct socket_call *call)

/* A drop reason of the plugin's own; its number (1,024 and up) is set when the object is linked. */
#define AXN_REASON(name, text)	\
	AXN_TAG("reason=" text) const volatile __u16 name = 0

/* A setting: a constant of .rodata that the plugin's Python side gives a value before loading. */
#define AXN_KNOB(type, name, value, text)	\
	AXN_TAG("knob=" text) const volatile type name = value

/* A map of the plugin's own: AXN_MAP(HASH, guard_closed, 1024, struct guard_key, __u64); */
#define AXN_MAP(kind, name, entries, key_type, value_type)	\
	struct {						\
		__uint(type, BPF_MAP_TYPE_##kind);		\
		__uint(max_entries, entries);			\
		__type(key, key_type);				\
		__type(value, value_type);			\
	} name SEC(".maps")

/* On a map's definition: the number of its layout, part of its pin's name. Without it: 1. */
#define AXN_LAYOUT(number)	AXN_TAG("layout=" AXN_STRING(number))

/*
 * On a map's definition: its rows go along when the number of its layout changes, up or down, by the
 * names of their fields. AXN_CARRIED is for rows that Python writes and will write again.
 * AXN_CARRIED_BY is for those of programs: of two rows with one key the later one is kept, whose
 * field >> shift is greater, and a row where that is 0 is no more and stays behind.
 */
#define AXN_CARRIED			AXN_TAG("carried=")
#define AXN_CARRIED_BY(field, shift)	AXN_TAG("carried=" #field ">>" #shift)

static __always_inline int axn_drop(struct packet *packet, __u16 reason)
{
	packet->reason = reason;
	return AXN_DROP;
}

static __always_inline int axn_refuse(struct socket_call *call, __u16 reason)
{
	call->reason = reason;
	return AXN_DROP;
}

/* Linked objects need one and the same license section: it is written here, never by a plugin. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
