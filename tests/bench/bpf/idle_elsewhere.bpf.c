// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A lane in every trunk at XDP and at the socket, which are loaded only when one is filled. */
#include <axoneme/plugin.h>

AXN_XDP_STAGE(xdp_filter)
{
	return AXN_NEXT;
}

AXN_SOCKET_STAGE(sock_balance)
{
	return AXN_NEXT;
}

AXN_SOCKET_STAGE(sock_restore)
{
	return AXN_NEXT;
}

AXN_SOCKET_STAGE(sock_bind)
{
	return AXN_NEXT;
}
