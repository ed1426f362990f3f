/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h - one 64-bit hash for all keys: XXH3, fixed seed, so that results repeat. */
#ifndef CORR_HASH_H
#define CORR_HASH_H

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t corr_hash(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

/* Mixes one more number into a hash (the finalizer of MurmurHash3). */
static inline uint64_t corr_hash_mix(uint64_t hash, uint64_t more)
{
    hash ^= more + UINT64_C(0x9e3779b97f4a7c15) + (hash << 6) + (hash >> 2);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

#endif /* CORR_HASH_H */
