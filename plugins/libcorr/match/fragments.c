/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Later fragments carry no ports (RFC 791, RFC 8200 section 4.5): they belong to
 * the first fragment with the same addresses, protocol and identification at
 * the same point.  When a tunnel's outer packet was fragmented, its first
 * fragment holds the inner headers, and the rest follows it in the same way.
 */
#include <stdlib.h>

#include "match/match.h"
#include "store/hash.h"

/* An identification may come again after this time (RFC 791: at most some minutes; in practice
 * reassembly gives up after 30 s). */
#define REASSEMBLY_NS INT64_C(30000000000)

struct piece {
    uint64_t key;
    uint32_t obs;
    uint32_t offset;
};

static int piece_compare(const void *x, const void *y)
{
    const struct piece *a = x, *b = y;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->obs < b->obs ? -1 : a->obs > b->obs;
}

static void run_join(struct corr_work *work, const struct piece *run, size_t n)
{
    const struct corr_store *store = work->store;

    for (size_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(store, run[i].obs);
        const struct corr_frag *frag = &corr_store_extra(store, obs)->frag;
        uint32_t best = CORR_NONE;
        int64_t best_gap = REASSEMBLY_NS;

        if (frag->offset == 0)
            continue;
        /* The nearest head in time: fragments may be sent last one first. */
        for (size_t k = 0; k < n; k++) {
            int64_t gap = llabs(corr_store_obs(store, run[k].obs)->time_ns - obs->time_ns);

            if (run[k].offset == 0 && gap < best_gap) {
                best = run[k].obs;
                best_gap = gap;
            }
        }
        work->head[run[i].obs] = best;
    }
}

void corr_fragments_join(struct corr_work *work)
{
    const struct corr_store *store = work->store;
    uint32_t n = store->obs->len;
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));

    work->head = g_new(uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);

        work->head[i] = CORR_NONE;
        if (obs->have & CORR_HAVE_FRAG) {
            const struct corr_frag *frag = &corr_store_extra(store, obs)->frag;
            struct piece piece = {.obs = i, .offset = frag->offset};

            piece.key = corr_hash(&frag->src.bytes, sizeof frag->src.bytes);
            piece.key = corr_hash_mix(piece.key, corr_hash(&frag->dst.bytes, 16));
            piece.key =
                corr_hash_mix(piece.key, (uint64_t)frag->id << 32 | frag->proto << 16 | obs->point);
            g_array_append_val(pieces, piece);
        }
    }
    if (pieces->len > 1)
        g_array_sort(pieces, piece_compare);
    for (uint32_t i = 0, end; i < pieces->len; i = end) {
        const struct piece *run = &g_array_index(pieces, struct piece, i);

        for (end = i + 1;
             end < pieces->len && g_array_index(pieces, struct piece, end).key == run->key; end++)
            ;
        /* A run holds the fragments of one identification; the cap bounds hostile input. */
        for (uint32_t at = i; at < end; at += 4096)
            run_join(work, &g_array_index(pieces, struct piece, at), MIN(4096, end - at));
    }
    g_array_unref(pieces);
}
