/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fragments.c - later fragments, which carry no ports, find their first one.
 *
 * It is the one with the same addresses, protocol and identification at the same point
 * (RFC 791, RFC 8200 section 4.5).  When a tunnel's outer packet was fragmented, its first
 * fragment holds the inner headers.  Where no first fragment came by, but another point
 * shows one, and only that one, the rest still belongs to it: what was lost is the first
 * fragment, not all of them.
 */
#include <stdlib.h>

#include "store/hash.h"
#include "store/store-int.h"

/* An identification may come again after this time (RFC 791: at most some minutes; in practice
 * reassembly gives up after 30 s). */
#define REASSEMBLY_NS INT64_C(30000000000)
/* Fragments of one identification at one point that are compared: bounds hostile input. */
#define RUN_MAX 4096u

struct piece {
    uint64_t datagram;
    uint32_t point, obs;
    bool later;
};

static int piece_compare(const void *x, const void *y)
{
    const struct piece *a = x, *b = y;

    if (a->datagram != b->datagram)
        return a->datagram < b->datagram ? -1 : 1;
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    return a->obs < b->obs ? -1 : a->obs > b->obs;
}

static int fragment_compare(const void *x, const void *y)
{
    const struct corr_fragment *a = x, *b = y;

    return a->obs < b->obs ? -1 : a->obs > b->obs;
}

static uint64_t datagram_of(const struct corr_addr *src, const struct corr_addr *dst, uint32_t id,
                            uint8_t proto)
{
    uint64_t key = corr_hash_mix(corr_hash(src->bytes, sizeof src->bytes),
                                 corr_hash(dst->bytes, sizeof dst->bytes));

    return corr_hash_mix(key, (uint64_t)id << 8 | proto);
}

/*
 * Is this the first fragment of a tunnel's packet?  What is in it may be a first fragment, too,
 * of which the rest came in other packets of the tunnel.
 */
static bool is_inside(const struct corr_store *store, const struct corr_obs *obs,
                      const struct corr_frag *frag)
{
    return frag->offset == 0 && obs->kind != CORR_KIND_FRAGMENT && obs->have & CORR_HAVE_IP_ID &&
           obs->ip_id != 0 && !corr_addr_equal(&frag->src, &corr_store_src(store, obs)->addr);
}

static GArray *pieces_collect(const struct corr_store *store)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct piece));

    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        const struct corr_frag *frag;
        struct piece one = {.point = obs->point, .obs = i};

        if (!(obs->have & CORR_HAVE_FRAG))
            continue;
        frag = &corr_store_extra(store, obs)->frag;
        one.later = frag->offset > 0;
        one.datagram = datagram_of(&frag->src, &frag->dst, frag->id, frag->proto);
        g_array_append_val(all, one);
        if (is_inside(store, obs, frag)) {
            one.datagram =
                datagram_of(&corr_store_src(store, obs)->addr, &corr_store_dst(store, obs)->addr,
                            obs->ip_id, corr_store_conv(store, obs->conv)->proto);
            g_array_append_val(all, one);
        }
    }
    if (all->len > 1)
        g_array_sort(all, piece_compare);
    return all;
}

/* The nearest first fragment in time: fragments may be sent last one first. */
static uint32_t nearest(const struct corr_store *store, const struct piece *run, uint32_t n,
                        uint32_t obs)
{
    uint32_t best = CORR_NONE;
    int64_t best_gap = REASSEMBLY_NS;

    for (uint32_t k = 0; k < n; k++) {
        int64_t gap =
            llabs(corr_store_obs(store, run[k].obs)->time_ns - corr_store_obs(store, obs)->time_ns);

        if (!run[k].later && gap < best_gap) {
            best = run[k].obs;
            best_gap = gap;
        }
    }
    return best;
}

/* The one first fragment of a datagram, which several points may show; CORR_NONE: none, or more. */
static uint32_t only_first(const struct corr_store *store, const struct piece *run, uint32_t n)
{
    uint32_t first = CORR_NONE, point = CORR_NONE;

    for (uint32_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(store, run[i].obs), *known;

        if (run[i].later)
            continue;
        if (run[i].point == point)
            return CORR_NONE; /* the identification was used again */
        point = run[i].point;
        if (first == CORR_NONE) {
            first = run[i].obs;
            continue;
        }
        known = corr_store_obs(store, first);
        if (!corr_addr_equal(&corr_store_src(store, obs)->addr,
                             &corr_store_src(store, known)->addr) ||
            corr_store_src(store, obs)->port != corr_store_src(store, known)->port ||
            corr_store_dst(store, obs)->port != corr_store_dst(store, known)->port)
            return CORR_NONE;
    }
    return first;
}

/* A later fragment goes to the local flow of its first one, at its own point. */
static void adopt(struct corr_store *store, uint32_t i, uint32_t first, bool elsewhere)
{
    struct corr_obs *obs = &g_array_index(store->obs, struct corr_obs, i);
    const struct corr_obs *of = corr_store_obs(store, first);
    struct corr_fragment fragment = {i, first, elsewhere};
    struct corr_conv conv = *corr_store_conv(store, of->conv);
    const struct corr_conv *found;

    conv.point = obs->point;
    obs->conv = corr_store_find_conv(store, &conv);
    found = corr_store_conv(store, obs->conv);
    obs->dir = of->dir ^ !(found->end[0].port == conv.end[0].port &&
                           corr_addr_equal(&found->end[0].addr, &conv.end[0].addr));
    g_array_append_val(store->fragments, fragment);
}

/* Fragments of one datagram at one point; `first`: the only one that any point shows. */
static void run_join(struct corr_store *store, const struct piece *run, uint32_t n, uint32_t first)
{
    bool here = false;

    for (uint32_t i = 0; i < n; i++)
        here |= !run[i].later;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t to = here ? nearest(store, run, n, run[i].obs) : first;

        if (run[i].later && to != CORR_NONE)
            adopt(store, run[i].obs, to, !here);
    }
}

void corr_store_join_fragments(struct corr_store *store)
{
    GArray *all = pieces_collect(store);

    g_array_set_size(store->fragments, 0);
    for (uint32_t i = 0, end; i < all->len; i = end) {
        const struct piece *run = &g_array_index(all, struct piece, i);
        uint32_t first;

        for (end = i;
             end < all->len && g_array_index(all, struct piece, end).datagram == run->datagram;
             end++)
            ;
        first = only_first(store, run, end - i);
        for (uint32_t k = 0, next; k < end - i; k = next) {
            for (next = k; next < end - i && run[next].point == run[k].point && next - k < RUN_MAX;
                 next++)
                ;
            run_join(store, run + k, next - k, first);
        }
    }
    if (store->fragments->len > 1)
        g_array_sort(store->fragments, fragment_compare);
    g_array_unref(all);
}

uint32_t corr_store_first_fragment(const struct corr_store *store, uint32_t obs)
{
    uint32_t lo = 0, hi = store->fragments->len;
    const struct corr_fragment *found;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (g_array_index(store->fragments, struct corr_fragment, mid).obs < obs)
            lo = mid + 1;
        else
            hi = mid;
    }
    found = &g_array_index(store->fragments, struct corr_fragment, lo);
    return lo < store->fragments->len && found->obs == obs && found->elsewhere ? found->first
                                                                               : CORR_NONE;
}
