/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open addressing with linear probing; grows at two thirds. */
#include "store/index.h"

#include <glib.h>

#include "store/store.h"

struct slot {
    uint64_t hash;
    uint32_t position; /* CORR_NONE: free */
};

struct corr_index {
    struct slot *slots;
    uint32_t mask, used;
};

static struct slot *slots_new(uint32_t n)
{
    struct slot *slots = g_new(struct slot, n);

    for (uint32_t i = 0; i < n; i++)
        slots[i].position = CORR_NONE;
    return slots;
}

struct corr_index *corr_index_new(void)
{
    struct corr_index *index = g_new0(struct corr_index, 1);

    index->mask = 255;
    index->slots = slots_new(index->mask + 1);
    return index;
}

void corr_index_free(struct corr_index *index)
{
    if (index == NULL)
        return;
    g_free(index->slots);
    g_free(index);
}

uint32_t corr_index_find(const struct corr_index *index, uint64_t hash, corr_index_equal equal,
                         const void *key, const void *user)
{
    for (uint32_t i = (uint32_t)hash & index->mask; index->slots[i].position != CORR_NONE;
         i = (i + 1) & index->mask)
        if (index->slots[i].hash == hash &&
            (equal == NULL || equal(key, index->slots[i].position, user)))
            return index->slots[i].position;
    return CORR_NONE;
}

static void insert(struct corr_index *index, uint64_t hash, uint32_t position)
{
    uint32_t i = (uint32_t)hash & index->mask;

    while (index->slots[i].position != CORR_NONE)
        i = (i + 1) & index->mask;
    index->slots[i].hash = hash;
    index->slots[i].position = position;
}

void corr_index_add(struct corr_index *index, uint64_t hash, uint32_t position)
{
    if (index->used >= index->mask / 3 * 2) {
        struct slot *old = index->slots;
        uint32_t n = index->mask + 1;

        index->mask = n * 2 - 1;
        index->slots = slots_new(n * 2);
        for (uint32_t i = 0; i < n; i++)
            if (old[i].position != CORR_NONE)
                insert(index, old[i].hash, old[i].position);
        g_free(old);
    }
    insert(index, hash, position);
    index->used++;
}

uint64_t corr_index_bytes(const struct corr_index *index)
{
    return ((uint64_t)index->mask + 1) * sizeof(struct slot);
}
