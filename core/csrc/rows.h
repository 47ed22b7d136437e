/* SPDX-License-Identifier: Apache-2.0 */
/* Rows kept packed: keys and values of one size each, in two arrays without gaps, found by key
 * through an index. An int below 0 is -errno. One thread at a time. Included by axn.h and read
 * by cffi: plain declarations only. */

#define AXN_PENDING 1 /* put or changed since axn_rows_settle */
#define AXN_SEEN 2 /* a comparison found the key */
#define AXN_DIFFERS 4 /* and another value with it */

struct axn_rows {
	uint32_t key_size, value_size;
	uint32_t count, room;
	uint8_t *keys, *values;
	uint8_t *marks; /* of each row, AXN_PENDING and so on */
	uint64_t *slots; /* the index, open addressing: hash << 32 | row + 1; 0 is free */
	uint64_t slot_mask;
	uint32_t indexed; /* rows before this one are in the index */
	uint8_t *gone; /* keys discarded since axn_rows_settle */
	uint32_t gone_count, gone_room;
};

struct axn_rows *axn_rows_new(uint32_t key_size, uint32_t value_size);
void axn_rows_free(struct axn_rows *);
/* Make room for `extra` rows more; after it keys and values may lie elsewhere. */
int axn_rows_reserve(struct axn_rows *, uint32_t extra);
/* Append without looking for the keys: the index learns of them when it is next needed. */
int axn_rows_append(struct axn_rows *, const void *keys, const void *values, uint32_t count);
/* Bring the index up to date; of appended rows with one key, one stays. */
int axn_rows_index(struct axn_rows *);
int64_t axn_rows_find(struct axn_rows *, const void *key);
/* Set the value of each key; returns how many rows are new or have another value now. */
int64_t axn_rows_put(struct axn_rows *, const void *keys, const void *values, uint32_t count);
/* Returns how many of the keys there were. The last row moves into each gap. */
int64_t axn_rows_discard(struct axn_rows *, const void *keys, uint32_t count);
/* 1 where both hold the same rows in whatever order. */
int axn_rows_same(struct axn_rows *, struct axn_rows *);
/* How many rows have the marks `value` under `mask`; the numbers of the first of them go to
 * `some`. */
uint32_t axn_rows_marked(const struct axn_rows *, uint32_t mask, uint32_t value, uint32_t *some,
			 uint32_t room);
/* Drop from `gone` the keys that came back; returns how many are left. */
int64_t axn_rows_gone(struct axn_rows *);
/* Forget what is pending: the map has it. */
void axn_rows_settle(struct axn_rows *);
