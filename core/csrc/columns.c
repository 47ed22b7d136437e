/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over one field of many records: pack.h says what each function does. */
#include <string.h>

#include "axn.h"
#include "store.h"

#define INLINE static inline __attribute__((always_inline))

struct column {
	uint8_t *to;
	const uint8_t *from;
	uint32_t record_size, step, count;
};

/* Inlined with a size that the compiler knows, each copy is one load and one store. */
INLINE void copy_column(struct column column, uint32_t size)
{
	for (uint32_t i = 0; i < column.count; i++) {
		memcpy(column.to, column.from, size);
		column.to += column.record_size;
		column.from += column.step;
	}
}

INLINE void swap_column(struct column column, uint32_t size)
{
	struct axn_field field = { .size = size, .kind = AXN_BE };
	uint64_t word = 0;

	for (uint32_t i = 0; i < column.count; i++) {
		memcpy(&word, column.from, size);
		axn_store(column.to, &field, word);
		column.to += column.record_size;
		column.from += column.step;
	}
}

static void scatter_swapped(struct column column, uint32_t size)
{
	switch (size) {
	case 2:
		swap_column(column, 2);
		break;
	case 4:
		swap_column(column, 4);
		break;
	case 8:
		swap_column(column, 8);
		break;
	default:
		swap_column(column, size);
	}
}

static void scatter(struct column column, uint32_t size)
{
	switch (size) {
	case 1:
		copy_column(column, 1);
		break;
	case 2:
		copy_column(column, 2);
		break;
	case 4:
		copy_column(column, 4);
		break;
	case 8:
		copy_column(column, 8);
		break;
	case 16:
		copy_column(column, 16);
		break;
	default:
		copy_column(column, size);
	}
}

void axn_scatter(void *out, uint32_t record_size, const struct axn_field *field, const void *column,
		 uint32_t step, uint32_t count)
{
	struct column one = { (uint8_t *)out + field->offset, column, record_size, step, count };

	if (field->kind == AXN_BE)
		scatter_swapped(one, field->size);
	else
		scatter(one, field->size);
}

void axn_spread(void *out, const void *values, uint32_t size, uint32_t stride, uint32_t cpus,
		uint32_t count)
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

void axn_sum(void *out, const void *values, uint32_t size, uint32_t stride, uint32_t cpus,
	     uint32_t count, const struct axn_field *fields, uint32_t field_count)
{
	const uint8_t *from = values;
	uint8_t *to = out;

	for (uint32_t i = 0; i < count; i++, to += size, from += (size_t)stride * cpus) {
		memcpy(to, from, size);
		sum_row(to, from, stride, cpus, fields, field_count);
	}
}
