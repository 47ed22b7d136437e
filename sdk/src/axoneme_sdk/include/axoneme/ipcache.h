/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who has an address: ipcache knows every single address of the cluster, cidrs the networks that
 * policies name. Written by the agent, read by stages.
 */
#pragma once

#include <axoneme/abi.h>

/* Identities that are the same in every cluster; others come from labels. */
enum axn_identity {
	AXN_IDENTITY_UNKNOWN		= 0,
	AXN_IDENTITY_HOST		= 1,
	AXN_IDENTITY_WORLD		= 2,
	AXN_IDENTITY_UNMANAGED		= 3,
	AXN_IDENTITY_HEALTH		= 4,
	AXN_IDENTITY_INIT		= 5,
	AXN_IDENTITY_REMOTE_NODE	= 6,
	AXN_IDENTITY_KUBE_APISERVER	= 7,
	AXN_IDENTITY_INGRESS		= 8,
	AXN_IDENTITY_WORLD_IPV4		= 9,
	AXN_IDENTITY_WORLD_IPV6		= 10,
	AXN_IDENTITY_FIRST		= 256,
	AXN_IDENTITY_FIRST_CIDR		= 1 << 24,	/* known to one node only */
};

struct remote {
	__u32 identity;
	__u32 flags;		/* none yet */
	union address tunnel;	/* the node that packets are encapsulated to; zero: routed natively */
};

_Static_assert(sizeof(struct remote) == 24, "struct remote is a map's value");

struct prefix {
	__u32 length;		/* bits of the 128; an IPv4 network's are 96 more */
	__u8 address[16];
};

_Static_assert(sizeof(struct prefix) == 20, "struct prefix is a map's key");

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, union address);
	__type(value, struct remote);
} ipcache SEC(".maps") AXN_CARRIED;

AXN_SHARED struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} cidrs SEC(".maps") AXN_CARRIED;

static __always_inline struct remote *ipcache_lookup(const union address *address)
{
	union address key = *address; /* on the stack, as in endpoint_lookup() */

	return bpf_map_lookup_elem(&ipcache, &key);
}

/* The identity of an address that a single entry gives, else that of the world. */
static __always_inline __u32 ipcache_identity(const union address *address, __u8 family)
{
	struct remote *remote = ipcache_lookup(address);

	if (remote)
		return remote->identity;
	return family == AXN_IPV4 ? AXN_IDENTITY_WORLD_IPV4 : AXN_IDENTITY_WORLD_IPV6;
}

/* The identity of the longest network that policies name and the address is in, 0 for none. */
static __always_inline __u32 cidr_identity(const union address *address)
{
	struct prefix key = { .length = 128 };
	__u32 *identity;

	__builtin_memcpy(key.address, address, sizeof(key.address));
	identity = bpf_map_lookup_elem(&cidrs, &key);
	return identity ? *identity : 0;
}
