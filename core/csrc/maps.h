/* SPDX-License-Identifier: Apache-2.0 */
/* Maps written, emptied, read and compared in batches; a map without batches, one element at a
 * time. An int below 0 is -errno. `batch` is how many rows one call of the kernel takes.
 * Included by axn.h and read by cffi: plain declarations only. */

#define AXN_TRIE 1 /* the keys are prefixes: the bits behind the prefix do not count */
#define AXN_ARRAY 2 /* every key is always there, absent rows are zeros */

struct axn_map {
	int fd;
	uint32_t key_size, value_size; /* of a per-CPU map: the bytes of all its values */
	uint32_t max_entries;
	uint32_t flags; /* AXN_TRIE, AXN_ARRAY */
	uint32_t batch;
};

/* *done: rows that landed. */
int axn_map_write(const struct axn_map *, const void *keys, const void *values, uint32_t count,
		  uint32_t *done);
/* Absent keys are passed over. *done: rows that were there. */
int axn_map_delete(const struct axn_map *, const void *keys, uint32_t count, uint32_t *done);
/* Append all rows of the map to `rows`. -EAGAIN: the map changes too fast to be read. */
int axn_map_read(const struct axn_map *, struct axn_rows *rows);

/* The same a batch at a time, for maps of which nobody wants a copy. */
struct axn_walk;
struct axn_walk *axn_walk_open(const struct axn_map *);
/* Append one batch to `rows`, which may be none of it; 0 at the end, 1 before, or -errno. */
int axn_walk_next(struct axn_walk *, struct axn_rows *rows);
void axn_walk_close(struct axn_walk *);
/* Mark each of `desired` as AXN_SEEN, AXN_SEEN | AXN_DIFFERS, or neither (absent); `stale` takes
 * what else is there. */
int axn_map_compare(const struct axn_map *, struct axn_rows *desired, struct axn_rows *stale);
/* Write the rows whose marks under `mask` are `value`. *done: rows that landed. */
int axn_map_write_marked(const struct axn_map *, struct axn_rows *rows, uint32_t mask,
			 uint32_t value, uint32_t *done);
/* Clear the bits behind the prefix in the keys of a trie. */
void axn_trie_trim(void *keys, uint32_t key_size, uint32_t count);
