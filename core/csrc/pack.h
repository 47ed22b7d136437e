/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes made of Python objects and of columns, and the values of a per-CPU map made one.
 * Included by axn.h and read by cffi: plain declarations only. */

#define AXN_LE 0 /* an unsigned integer in the machine's order */
#define AXN_BE 1 /* in network order */
#define AXN_SIGNED 2
#define AXN_BYTES 3

/* A field and how to find it in an item: the objects are Python's, kept alive by the caller. */
struct axn_field {
	uint32_t offset, size, kind;
	uintptr_t name; /* str: a dict may have "a.b" as it is */
	uintptr_t keys; /* tuple of str and int: or the way from key to key, and by index */
	uintptr_t
		attribute; /* str: the attribute of an object, 0 where it is not the object's own */
	uintptr_t attributes; /* tuple of str and int: the way from attribute to attribute */
};

struct axn_record {
	const struct axn_field *fields;
	uint32_t count, size;
};

#define AXN_MISSING 1 /* the item has no such attribute or key */
#define AXN_TYPE 2 /* neither an integer nor bytes, whichever the field is */
#define AXN_RANGE 3 /* an integer that does not fit */
#define AXN_LENGTH 4 /* bytes of another length */
#define AXN_WHOLE 4294967295 /* as a field: the whole record, given as bytes */

struct axn_fault {
	uint32_t row, field, code;
	uint32_t part; /* 0: in the key, 1: in the value */
};

/* Keys and values of items, a tuple; 1 and *fault where one does not fit. With values, an item
 * that is a pair gives its first and its second; value NULL: the items are keys. Objects are
 * read by attribute, dicts by key, bytes are taken as they are, and an integer where the record
 * has one field. keys and values are zeros when called. */
int axn_pack(uintptr_t items, const struct axn_record *key, void *keys,
	     const struct axn_record *value, void *values, struct axn_fault *fault);
/* A column into the same field of `count` records; step: bytes from one value of the column to
 * the next, 0 for one value for all. */
void axn_scatter(void *out, uint32_t record_size, const struct axn_field *, const void *column,
		 uint32_t step, uint32_t count);
/* A value for the first CPU, zeros for the others: their sum is the value. */
void axn_spread(void *out, const void *values, uint32_t size, uint32_t stride, uint32_t cpus,
		uint32_t count);
/* The sum of the integers over all CPUs; bytes are those of the first. */
void axn_sum(void *out, const void *values, uint32_t size, uint32_t stride, uint32_t cpus,
	     uint32_t count, const struct axn_field *, uint32_t fields);
