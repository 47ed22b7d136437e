/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a flow's state changes by its packets, and how long each state lasts without any.
 *
 * SCTP goes by TCP's states: what its chunks mean is said in TCP's flags.
 */
#pragma once

#include <axoneme/plugin.h>

AXN_KNOB(__u32, tc_timeout_tcp, 62500, "an established TCP or SCTP flow lasts, units of 2^5 jiffies");
AXN_KNOB(__u32, tc_timeout_tcp_syn, 469, "one that is being opened lasts");
AXN_KNOB(__u32, tc_timeout_tcp_fin, 79, "one that is closed or reset lasts");
AXN_KNOB(__u32, tc_timeout_any, 469, "a flow of another protocol lasts that was replied to");
AXN_KNOB(__u32, tc_timeout_any_new, 235, "one lasts that was not");

#define TCP_FIN		0x01
#define TCP_SYN		0x02
#define TCP_RST		0x04
#define TCP_ACK		0x10
#define TCP_ALL		0x17	/* of those above */
#define BOTH_FIN	0x80	/* SCTP's: the other side has closed before */

#define CONNTRACK_CLOSED	(CONNTRACK_FIN_SENT | CONNTRACK_FIN_REPLIED)
#define CONNTRACK_MOST_STALE	7	/* units by which an expiry may lag: a write a second */

static __always_inline bool has_states(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_SCTP;
}

/* Whether the flow is over: another may begin with the same ports. */
static __always_inline bool is_closed(__u8 state)
{
	return state & CONNTRACK_RESET || (state & CONNTRACK_CLOSED) == CONNTRACK_CLOSED;
}

static __always_inline bool is_opening(__u8 flags)
{
	return (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

static __always_inline __u32 timeout_of(__u8 proto, __u8 state)
{
	if (!has_states(proto))
		return state & CONNTRACK_REPLIED ? tc_timeout_any : tc_timeout_any_new;
	if (is_closed(state))
		return tc_timeout_tcp_fin;
	return state & CONNTRACK_CONFIRMED ? tc_timeout_tcp : tc_timeout_tcp_syn;
}

/* The state after a flow's first packet. */
static __always_inline __u8 first_state(__u8 proto, __u8 flags)
{
	if (!has_states(proto))
		return 0;
	if (flags & TCP_RST)
		return CONNTRACK_RESET;
	return flags & TCP_FIN ? CONNTRACK_FIN_SENT : 0;
}

/*
 * The state after another packet of the flow. Both sides must have spoken, and the first once more,
 * until it is established: nobody fills the table with long-lived entries alone. A reset may be
 * forged, so that a flow whose first side speaks on is taken for established again.
 */
static __always_inline __u8 next_state(__u8 proto, __u8 state, __u8 flags, bool reply)
{
	if (!has_states(proto))
		return reply ? state | CONNTRACK_REPLIED : state;
	if (flags & TCP_RST)
		return state | CONNTRACK_RESET;
	if (reply)
		state |= CONNTRACK_REPLIED;
	else if (state & CONNTRACK_REPLIED && !(flags & TCP_SYN))
		state |= CONNTRACK_CONFIRMED;
	if (flags & BOTH_FIN)
		state |= CONNTRACK_CLOSED;
	else if (flags & TCP_FIN)
		state |= reply ? CONNTRACK_FIN_REPLIED : CONNTRACK_FIN_SENT;
	else if (!reply && !(flags & TCP_SYN) && state & CONNTRACK_CONFIRMED)
		state &= ~CONNTRACK_RESET;
	return state;
}

/* Whether a packet leaves the state as it is: most do, and need no more than this. */
static __always_inline bool is_settled(__u8 proto, __u8 state, __u8 flags)
{
	const __u8 open = CONNTRACK_REPLIED | CONNTRACK_CONFIRMED;

	if (!has_states(proto))
		return state & CONNTRACK_REPLIED;
	return !(flags & (TCP_SYN | TCP_FIN | TCP_RST | BOTH_FIN)) &&
	       (state & (open | CONNTRACK_RESET)) == open;
}

/* Whether an expiry has fallen so far behind that it is worth a write. */
static __always_inline bool is_stale(__u32 expiry, __u32 fresh, __u32 timeout)
{
	__u32 most = timeout >> 3;

	if (most > CONNTRACK_MOST_STALE)
		most = CONNTRACK_MOST_STALE;
	return (__s32)(fresh - expiry) > (__s32)most;
}
