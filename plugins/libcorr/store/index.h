/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * index.h - an open-addressing index from 64-bit hashes to array positions.
 *
 * It owns no keys: the caller compares what lies at the returned position.
 * GHashTable would want an allocated key per entry, which is more memory than
 * the entries themselves.
 */
#ifndef CORR_INDEX_H
#define CORR_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct corr_index;

struct corr_index *corr_index_new(void);
void corr_index_free(struct corr_index *index);

/* Tells whether the entry at `position` has the key that is looked for. */
typedef bool (*corr_index_equal)(const void *key, uint32_t position, const void *user);

/* Position of the key, or CORR_NONE.  `equal` NULL: the hash is all there is to compare. */
uint32_t corr_index_find(const struct corr_index *index, uint64_t hash, corr_index_equal equal,
                         const void *key, const void *user);

/* Adds a position under a hash.  The caller has made sure that it is new. */
void corr_index_add(struct corr_index *index, uint64_t hash, uint32_t position);

uint64_t corr_index_bytes(const struct corr_index *index);

#endif /* CORR_INDEX_H */
