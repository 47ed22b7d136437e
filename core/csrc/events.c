/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's ring buffer as packed rows, and the choice among them: events.h says what is what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "axn.h"

#define TERM_BYTES 16u

struct axn_ring {
	struct ring_buffer *buffer;
	uint8_t *out;
	uint32_t size, count, room;
};

/* Below 0 ends the reading, with this event taken. */
static int take(void *context, void *data, size_t size)
{
	struct axn_ring *ring = context;

	if (size == ring->size)
		memcpy(ring->out + (size_t)ring->count++ * size, data, size);
	return ring->count < ring->room ? 0 : -ENOBUFS;
}

struct axn_ring *axn_ring_open(int map, uint32_t size)
{
	struct axn_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->size = size;
	ring->buffer = ring_buffer__new(map, take, ring, NULL);
	if (ring->buffer)
		return ring;
	free(ring);
	return NULL;
}

void axn_ring_close(struct axn_ring *ring)
{
	ring_buffer__free(ring->buffer);
	free(ring);
}

int axn_ring_read(struct axn_ring *ring, void *out, uint32_t room)
{
	int error;

	if (!room)
		return 0;
	ring->out = out;
	ring->count = 0;
	ring->room = room;
	error = ring_buffer__consume(ring->buffer);
	return error < 0 && error != -ENOBUFS ? error : (int)ring->count;
}

static bool holds(const uint8_t *row, const struct axn_term *term)
{
	for (uint32_t i = 0; i < term->size && i < TERM_BYTES; i++)
		if ((row[term->offset + i] ^ term->value[i]) & term->mask[i])
			return false;
	return true;
}

/* Whether one of a run does: who chooses a namespace chooses all addresses in it. */
static bool one_holds(const uint8_t *row, const struct axn_term *term)
{
	uint32_t first = 0, end = term->run;

	if (end == 1)
		return holds(row, term);
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;
		int order = memcmp(row + term->offset, term[middle].value, term->size);

		if (!order)
			return true;
		if (order < 0)
			end = middle;
		else
			first = middle + 1;
	}
	return false;
}

static bool is_chosen(const uint8_t *row, const struct axn_term *term, const struct axn_term *end)
{
	while (term < end) {
		uint32_t clause = term->clause;
		bool any = false;

		for (; term < end && term->clause == clause; term += term->run)
			any = any || one_holds(row, term);
		if (!any)
			return false;
	}
	return true;
}

uint32_t axn_select(const void *rows, uint32_t size, uint32_t count, const struct axn_term *terms,
		    uint32_t term_count, uint32_t *chosen)
{
	const uint8_t *row = rows;
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++, row += size)
		if (is_chosen(row, terms, terms + term_count))
			chosen[found++] = i;
	return found;
}

void axn_gather(void *out, const void *rows, uint32_t size, const uint32_t *chosen, uint32_t count)
{
	uint8_t *to = out;

	for (uint32_t i = 0; i < count; i++, to += size)
		memcpy(to, (const uint8_t *)rows + (size_t)chosen[i] * size, size);
}
