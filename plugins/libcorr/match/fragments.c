/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fragments of a datagram at a point are one station of it: the first one stands for
 * all.  Where that one was lost before the point, the next one stands for it.
 */
#include "match/match.h"

void corr_fragments_join(struct corr_work *work)
{
    const struct corr_store *store = work->store;
    GHashTable *stand_in = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    work->head = g_new(uint32_t, store->obs->len + 1);
    for (uint32_t i = 0; i < store->obs->len; i++)
        work->head[i] = CORR_NONE;
    for (uint32_t i = 0; i < store->fragments->len; i++) {
        const struct corr_fragment *fragment =
            &g_array_index(store->fragments, struct corr_fragment, i);
        uint64_t key =
            (uint64_t)fragment->first << 32 | corr_store_obs(store, fragment->obs)->point;
        gpointer first;

        if (!fragment->elsewhere)
            work->head[fragment->obs] = fragment->first;
        else if (g_hash_table_lookup_extended(stand_in, &key, NULL, &first))
            work->head[fragment->obs] = GPOINTER_TO_UINT(first);
        else
            g_hash_table_insert(stand_in, g_memdup2(&key, sizeof key),
                                GUINT_TO_POINTER(fragment->obs));
    }
    g_hash_table_destroy(stand_in);
}
