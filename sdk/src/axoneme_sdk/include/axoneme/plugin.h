/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All that a stage needs: include this one. */
#pragma once

#include <stdbool.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#ifndef AXN_SHARED
#define AXN_SHARED extern	/* core's trunks define it as nothing: there the maps are at home */
#endif

#include <axoneme/abi.h>
#include <axoneme/reasons.h>
#include <axoneme/maps.h>
