/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over one field of many records: pack.h says what each function does. */
#include <string.h>

#include "axn.h"
#include "store.h"

/* A size that the compiler knows turns each copy into one load and one store. */
#define COPY(size) \
	for (uint32_t i = 0; i < count; i++, to += record_size, from += step) \
		memcpy(to, from, size)

#define SWAP(bits) \
	for (uint32_t i = 0; i < count; i++, to += record_size, from += step) { \
		uint##bits##_t word; \
		memcpy(&word, from, sizeof word); \
		word = __builtin_bswap##bits(word); \
		memcpy(to, &word, sizeof word); \
	}

static void swap_column(uint8_t *to, uint32_t record_size, uint32_t size, const uint8_t *from, uint32_t step,
			uint32_t count)
{
	switch (size) {
	case 2:
		SWAP(16);
		break;
	case 4:
		SWAP(32);
		break;
	case 8:
		SWAP(64);
		break;
	default:
		COPY(1);
	}
}

void axn_scatter(void *out, uint32_t record_size, const struct axn_field *field, const void *column, uint32_t step,
		 uint32_t count)
{
	uint8_t *to = (uint8_t *)out + field->offset;
	const uint8_t *from = column;

	if (field->kind == AXN_BE) {
		swap_column(to, record_size, field->size, from, step, count);
		return;
	}
	switch (field->size) {
	case 1:
		COPY(1);
		break;
	case 2:
		COPY(2);
		break;
	case 4:
		COPY(4);
		break;
	case 8:
		COPY(8);
		break;
	case 16:
		COPY(16);
		break;
	default:
		COPY(field->size);
	}
}

void axn_spread(void *out, const void *values, uint32_t size, uint32_t stride, uint32_t cpus, uint32_t count)
{
	uint8_t *to = out;
	const uint8_t *from = values;

	memset(out, 0, (size_t)stride * cpus * count);
	for (uint32_t i = 0; i < count; i++, to += (size_t)stride * cpus, from += size)
		memcpy(to, from, size);
}

static void sum_row(uint8_t *out, const uint8_t *values, uint32_t stride, uint32_t cpus,
		    const struct axn_field *fields, uint32_t count)
{
	for (const struct axn_field *field = fields; field < fields + count; field++) {
		uint64_t total = 0;

		if (field->kind == AXN_BYTES)
			continue;
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			total += axn_load(values + (size_t)cpu * stride + field->offset, field);
		axn_store(out + field->offset, field, total);
	}
}

void axn_sum(void *out, const void *values, uint32_t size, uint32_t stride, uint32_t cpus, uint32_t count,
	     const struct axn_field *fields, uint32_t field_count)
{
	const uint8_t *from = values;
	uint8_t *to = out;

	for (uint32_t i = 0; i < count; i++, to += size, from += (size_t)stride * cpus) {
		memcpy(to, from, size);
		sum_row(to, from, stride, cpus, fields, field_count);
	}
}
