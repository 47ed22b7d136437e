// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A lane that does nothing: what being linked in costs. */
#include <axoneme/plugin.h>

AXN_STAGE(recall)
{
	return AXN_NEXT;
}
