/* SPDX-License-Identifier: Apache-2.0 */
/* Integers of a field stored and loaded in the field's order. For the C files only. */
#ifndef AXN_STORE_H
#define AXN_STORE_H

#include <string.h>

#include "axn.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the machine's order must be little endian: codecs say le for the machine's own"
#endif

static inline void axn_store(uint8_t *out, const struct axn_field *field, uint64_t word)
{
	if (field->kind == AXN_BE)
		word = __builtin_bswap64(word) >> (64 - 8 * field->size);
	memcpy(out, &word, field->size);
}

static inline uint64_t axn_load(const uint8_t *in, const struct axn_field *field)
{
	uint64_t word = 0;

	memcpy(&word, in, field->size);
	if (field->kind == AXN_BE)
		word = __builtin_bswap64(word) >> (64 - 8 * field->size);
	return word;
}

#endif
