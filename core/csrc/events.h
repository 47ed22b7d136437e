/* SPDX-License-Identifier: Apache-2.0 */
/* Events taken from a ring buffer of the kernel, packed one behind the other, and chosen by their
 * bytes. An int below 0 is -errno. Included by axn.h and read by cffi: plain declarations only. */

struct axn_ring;

/* A ring buffer has one reader. `size`: the bytes of each event; NULL leaves the reason in errno. */
struct axn_ring *axn_ring_open(int map, uint32_t size);
void axn_ring_close(struct axn_ring *);
/* How many events were copied to `out`, at most `room`; the others stay where they are. */
int axn_ring_read(struct axn_ring *, void *out, uint32_t room);

/* A field's bytes under a mask are those of the value. `run`: so many terms from here on are of this
 * field, without a mask, in the order of their values; 1 for a term by itself. */
struct axn_term {
	uint32_t clause, run;
	uint16_t offset, size; /* size: at most 16 */
	uint8_t value[16], mask[16];
};

/* The numbers of the rows that every clause holds for, which it does if one of its terms does.
 * The terms of a clause stand together. Returns how many they are. */
uint32_t axn_select(const void *rows, uint32_t size, uint32_t count, const struct axn_term *terms,
		    uint32_t term_count, uint32_t *chosen);
/* Copies chosen rows one behind the other. */
void axn_gather(void *out, const void *rows, uint32_t size, const uint32_t *chosen, uint32_t count);
