/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drop reasons that core and its plugins share. Below 256 the numbers are Hubble's (flow.proto,
 * enum DropReason), 256 to 1,023 core's own; from 1,024 those that plugins declare with AXN_REASON.
 * docs/reference/drop-reasons.md is the registry.
 */
#pragma once

enum axn_reason {
	AXN_REASON_NONE				= 0,

	AXN_REASON_INVALID_SOURCE_IP		= 132,
	AXN_REASON_POLICY_DENIED		= 133,
	AXN_REASON_INVALID_PACKET		= 134,
	AXN_REASON_TRUNCATED_L4			= 135,
	AXN_REASON_UNSUPPORTED_L3		= 139,
	AXN_REASON_WRITE_ERROR			= 141,
	AXN_REASON_CONNTRACK_FULL		= 155,
	AXN_REASON_INVALID_IPV6_EXTENSION	= 156,
	AXN_REASON_FRAGMENT_NOT_FOUND		= 157,
	AXN_REASON_NO_TUNNEL			= 160,
	AXN_REASON_UNSUPPORTED_L2		= 166,
	AXN_REASON_POLICY_DENY			= 181,
	AXN_REASON_VLAN_FILTERED		= 182,

	AXN_REASON_INVALID_VERDICT		= 256,
	AXN_REASON_MAPPED_ADDRESS		= 257,
	AXN_REASON_CONNTRACK_BUSY		= 258,	/* the entry was leaving, too often in a row */
	AXN_REASON_STRANGE_ENCAPSULATION	= 259,	/* from an address that is no node */
	AXN_REASON_TUNNEL_KEY			= 260,	/* the kernel gave or took no tunnel key */
};
