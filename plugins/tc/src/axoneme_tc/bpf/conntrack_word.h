/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words of conntrack's entries, and the one way in which they change.
 *
 * Between a look-up and a use the element may be deleted and become another flow's, at once. So
 * every word has a cookie of its key, is compared before it is believed, and swapped only against
 * what was read. A dead word (expiry 0) is final: whoever made it so, and nobody else, deletes the
 * entry. The order in which words are read is that of x86; other processors need atomics for it.
 */
#pragma once

#include <axoneme/plugin.h>

#define CONNTRACK_COOKIE	0xffffffull
#define CONNTRACK_STATE_SHIFT	24
#define CONNTRACK_EXPIRY_SHIFT	32

#define GRANT_RULE_SHIFT	20
#define GRANT_GENERATION_SHIFT	40
#define GRANT_COOKIE		0xfffffull
#define GRANT_RULE		0xfffff
#define GENERATION		0xffffff

#define READ_WORD(word)		(*(const volatile __u64 *)&(word))

/*
 * A clock that nobody sets: it only goes on. The verifier makes one load of it, where any other clock
 * is a call. It comes round after years.
 */
static __always_inline __u32 conntrack_now(void)
{
	return bpf_jiffies64() >> CONNTRACK_UNIT_SHIFT;
}

static __always_inline __u64 word_of(__u32 expiry, __u8 state, __u64 hash)
{
	return (__u64)expiry << CONNTRACK_EXPIRY_SHIFT | (__u64)state << CONNTRACK_STATE_SHIFT |
	       (hash & CONNTRACK_COOKIE);
}

static __always_inline __u32 expiry_of(__u64 word)
{
	return word >> CONNTRACK_EXPIRY_SHIFT;
}

static __always_inline bool is_over(__u64 word, __u32 now)
{
	return (__s32)(expiry_of(word) - now) < 0;
}

static __always_inline __u8 state_of(__u64 word)
{
	return word >> CONNTRACK_STATE_SHIFT;
}

/* Whether a word has the cookie of a hash, or of another word. */
static __always_inline bool is_of(__u64 word, __u64 hash)
{
	return !((word ^ hash) & CONNTRACK_COOKIE);
}

/* Whether the entry is there still, and still that of the key. */
static __always_inline bool is_alive(__u64 word, __u64 hash)
{
	return is_of(word, hash) && expiry_of(word);
}

static __always_inline bool swap(__u64 *word, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(word, old, new) == old;
}

/*
 * Takes a live entry out: the winner of the swap deletes it, by a key on the stack. Whether it was
 * this call; an entry that the kernel would not delete is put back.
 */
static __always_inline bool take_out(struct conntrack_entry *entry, const struct tuple *key,
				     __u64 word)
{
	if (!swap(&entry->word, word, word & CONNTRACK_COOKIE))
		return false;
	if (!bpf_map_delete_elem(&conntrack, key))
		return true;
	*(volatile __u64 *)&entry->word = word;
	return false;
}

/* The cookie of a grant says in which direction the flow began, too: another flow of the key has
 * another one. */
static __always_inline __u64 grant_cookie(__u64 hash, bool flipped)
{
	return (hash >> 43 & (GRANT_COOKIE >> 1)) << 1 | flipped;
}

static __always_inline __u64 grant_of(__u32 generation, __u32 rule, __u64 cookie)
{
	return (__u64)(generation & GENERATION) << GRANT_GENERATION_SHIFT |
	       (__u64)(rule & GRANT_RULE) << GRANT_RULE_SHIFT | cookie;
}

/* Whether a direction was granted under a generation; none is granted under 0. */
static __always_inline bool is_granted(__u64 grant, __u32 generation, __u64 cookie)
{
	return generation && (grant & GRANT_COOKIE) == cookie &&
	       grant >> GRANT_GENERATION_SHIFT == (generation & GENERATION);
}

static __always_inline __u32 rule_of(__u64 grant)
{
	return grant >> GRANT_RULE_SHIFT & GRANT_RULE;
}
