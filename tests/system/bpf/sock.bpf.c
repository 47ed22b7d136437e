// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sock: two virtual addresses that stand for the second pod of the first node, and two that are
 * refused; a port that cannot be bound, and one that becomes another.
 *
 *	198.51.100.1 port 80, 2001:db8::1 port 80	10.1.0.2 and fd00:10:1::2, port 8080
 *	198.51.100.2, 2001:db8::2			EPERM
 *	bind port 9999					EPERM
 *	bind port 9998					9997
 */
#include <axoneme/plugin.h>

#define MAPPED(ipv4)	{ .word = { 0, 0, bpf_htonl(0xffff), bpf_htonl(ipv4) } }
#define IPV6(a, b, d)	{ .word = { bpf_htonl(a), bpf_htonl(b), 0, bpf_htonl(d) } }

static __always_inline bool swap(struct socket_call *call, union address from, __u16 from_port,
				 union address to, __u16 to_port)
{
	if (!address_equal(&call->address, &from) || call->port != bpf_htons(from_port))
		return false;
	call->address.half[0] = to.half[0];
	call->address.half[1] = to.half[1];
	call->port = bpf_htons(to_port);
	return true;
}

AXN_SOCKET_STAGE(sock_balance)
{
	union address service4 = MAPPED(0xc6336401), service6 = IPV6(0x20010db8, 0, 1);
	union address refused4 = MAPPED(0xc6336402), refused6 = IPV6(0x20010db8, 0, 2);
	union address pod4 = MAPPED(0x0a010002), pod6 = IPV6(0xfd000010, 0x00010000, 2);

	if (swap(call, service4, 80, pod4, 8080) || swap(call, service6, 80, pod6, 8080))
		return AXN_PASS;
	if (address_equal(&call->address, &refused4) || address_equal(&call->address, &refused6))
		return AXN_DROP;
	return AXN_NEXT;
}

AXN_SOCKET_STAGE(sock_restore)
{
	union address service4 = MAPPED(0xc6336401), service6 = IPV6(0x20010db8, 0, 1);
	union address pod4 = MAPPED(0x0a010002), pod6 = IPV6(0xfd000010, 0x00010000, 2);

	if (swap(call, pod4, 8080, service4, 80) || swap(call, pod6, 8080, service6, 80))
		return AXN_PASS;
	return AXN_NEXT;
}

AXN_SOCKET_STAGE(sock_bind)
{
	if (call->port == bpf_htons(9999))
		return AXN_DROP;
	if (call->port == bpf_htons(9998))
		call->port = bpf_htons(9997);
	return AXN_NEXT;
}
