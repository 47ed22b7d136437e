/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that core owns and every plugin may reach: one header a noun. They are declared with
 * max_entries 1 everywhere (the linker refuses a mismatch) and sized when they are loaded.
 */
#pragma once

#include <axoneme/endpoint.h>
#include <axoneme/ipcache.h>
#include <axoneme/node.h>
#include <axoneme/conntrack.h>
#include <axoneme/policy.h>
#include <axoneme/runtime.h>
#include <axoneme/counter.h>
#include <axoneme/probe.h>
#include <axoneme/event.h>
