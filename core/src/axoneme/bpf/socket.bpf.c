// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The trunks at the socket: connect, sendmsg, recvmsg, getpeername and bind, for IPv4 and IPv6, on
 * the node's cgroup. Attached only when a stage of theirs is filled.
 *
 * The contexts of the attach types differ, so stages get a copy: struct socket_call. What they write
 * to its address and port is copied back. Out: 1 lets the call go on; 0 refuses it with EPERM, which
 * only connect, sendmsg and bind can do. Reads and writes: drops, events; stages have their own.
 */
#define AXN_SHARED
#include <axoneme/plugin.h>
#include <axoneme/emit.h>

#include "drops.h"

#define EMPTY_LANE(stage, n)							\
	__weak __noinline int stage_##stage##_##n(struct socket_call *call)	\
	{									\
		return call ? (call->flags & 0) : AXN_NEXT;			\
	}

#define EMPTY_STAGE(stage)			\
	const volatile __u32 lanes_##stage = 0;	\
	EMPTY_LANE(stage, 0)			\
	EMPTY_LANE(stage, 1)			\
	EMPTY_LANE(stage, 2)			\
	EMPTY_LANE(stage, 3)			\
	EMPTY_LANE(stage, 4)			\
	EMPTY_LANE(stage, 5)			\
	EMPTY_LANE(stage, 6)			\
	EMPTY_LANE(stage, 7)

/* The gate is read once: see stages.h. */
#define RUN_LANE(stage, n)				\
	if (filled > n && !verdict)			\
		verdict = stage_##stage##_##n(call);

#define RUN(stage)					\
	do {						\
		const __u32 filled = lanes_##stage;	\
							\
		RUN_LANE(stage, 0)			\
		RUN_LANE(stage, 1)			\
		RUN_LANE(stage, 2)			\
		RUN_LANE(stage, 3)			\
		RUN_LANE(stage, 4)			\
		RUN_LANE(stage, 5)			\
		RUN_LANE(stage, 6)			\
		RUN_LANE(stage, 7)			\
	} while (0)

EMPTY_STAGE(sock_balance)
EMPTY_STAGE(sock_restore)
EMPTY_STAGE(sock_bind)

static __always_inline void copy_in(struct bpf_sock_addr *ctx, struct socket_call *call, __u8 attach)
{
	call->attach = attach;
	call->port = (__be16)ctx->user_port;
	call->proto = ctx->protocol;
	call->type = ctx->type;
	call->cookie = bpf_get_socket_cookie(ctx);
	call->netns_cookie = bpf_get_netns_cookie(ctx);
}

static __always_inline void copy_in4(struct bpf_sock_addr *ctx, struct socket_call *call)
{
	call->family = AXN_IPV4;
	call->address.half[0] = 0;
	call->address.word[2] = bpf_htonl(0xffff);
	call->address.word[3] = ctx->user_ip4;
}

static __always_inline void copy_in6(struct bpf_sock_addr *ctx, struct socket_call *call)
{
	call->family = AXN_IPV6;
	call->address.word[0] = ctx->user_ip6[0];
	call->address.word[1] = ctx->user_ip6[1];
	call->address.word[2] = ctx->user_ip6[2];
	call->address.word[3] = ctx->user_ip6[3];
}

static __always_inline void copy_out4(struct bpf_sock_addr *ctx, const struct socket_call *call)
{
	ctx->user_ip4 = call->address.word[3];
	ctx->user_port = call->port;
}

static __always_inline void copy_out6(struct bpf_sock_addr *ctx, const struct socket_call *call)
{
	ctx->user_ip6[0] = call->address.word[0];
	ctx->user_ip6[1] = call->address.word[1];
	ctx->user_ip6[2] = call->address.word[2];
	ctx->user_ip6[3] = call->address.word[3];
	ctx->user_port = call->port;
}

/* Counts a refusal and tells of it: of the packet that was to be, all that is known. */
static __noinline void refuse(const struct socket_call *call)
{
	struct packet packet = {
		.tuple.daddr = call->address,
		.tuple.dport = call->port,
		.tuple.proto = call->proto,
		.reason = call->reason,
		.trunk = AXN_SOCKET,
		.family = call->family,
	};

	count_drop(call->reason, AXN_SOCKET, 0);
	event_emit(&packet, AXN_EVENT_DROP, AXN_DROP);
}

/* `refused` is what a DROP returns: recvmsg and getpeername cannot refuse. */
#define TRUNK(attach, ip, number, stage, refused)			\
	SEC("cgroup/" #attach #ip)					\
	AXN_TAG("stages=" #stage)					\
	int attach##ip(struct bpf_sock_addr *ctx)			\
	{								\
		struct socket_call parsed = {}, *call = &parsed;	\
		int verdict = AXN_NEXT;					\
									\
		copy_in(ctx, call, number);				\
		copy_in##ip(ctx, call);					\
		RUN(stage);						\
		if (verdict == AXN_DROP) {				\
			refuse(call);					\
			return refused;					\
		}							\
		copy_out##ip(ctx, call);				\
		return 1;						\
	}

TRUNK(connect, 4, AXN_CONNECT, sock_balance, 0)
TRUNK(connect, 6, AXN_CONNECT, sock_balance, 0)
TRUNK(sendmsg, 4, AXN_SENDMSG, sock_balance, 0)
TRUNK(sendmsg, 6, AXN_SENDMSG, sock_balance, 0)
TRUNK(recvmsg, 4, AXN_RECVMSG, sock_restore, 1)
TRUNK(recvmsg, 6, AXN_RECVMSG, sock_restore, 1)
TRUNK(getpeername, 4, AXN_GETPEERNAME, sock_restore, 1)
TRUNK(getpeername, 6, AXN_GETPEERNAME, sock_restore, 1)
TRUNK(bind, 4, AXN_BIND, sock_bind, 0)
TRUNK(bind, 6, AXN_BIND, sock_bind, 0)
