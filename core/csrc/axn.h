/* SPDX-License-Identifier: Apache-2.0 */
/* All declarations of axoneme._bpf, for its C files. */
#ifndef AXN_H
#define AXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"
#include "rows.h"
#include "maps.h"
#include "pack.h"
#include "events.h"

/* The kernel's own errno of a map that has no batches. */
#define ENOTSUPP 524

#endif
