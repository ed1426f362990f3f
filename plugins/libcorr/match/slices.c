/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP segmentation offload: a host hands many datagrams to its card as one, and all
 * but the last are of one length.  That length is one that other points show; the
 * right one is that whose slices they show, byte by byte.
 */
#include "match/slices.h"

#include "store/hash.h"

/* Slices of one super-datagram: Linux' UDP_MAX_SEGMENTS. */
#define SLICES_MAX 128u
/* Lengths that are tried where neither its beginning nor another super-datagram tells. */
#define LENGTHS_MAX 8u
/* Datagrams that begin with the same bytes and are tried. */
#define ALIKE_MAX 4u

/* What other points show, by flow direction: the datagrams, and their lengths by beginning. */
struct seen {
    GHashTable *wholes;     /* key of flow direction, length and content */
    GHashTable *beginnings; /* key of flow direction and beginning -> GArray of lengths */
    GHashTable *lengths;    /* flow direction -> GArray of lengths */
    GHashTable *sizes;      /* flow direction -> length of slices found there */
};

static uint64_t whole_key(uint32_t flow_dir, uint64_t content, uint32_t len)
{
    return corr_hash_mix(corr_hash_mix(flow_dir, content), len);
}

static uint64_t beginning_key(uint32_t flow_dir, uint32_t d8)
{
    return corr_hash_mix(flow_dir, d8);
}

static void key_add(GHashTable *table, uint64_t key)
{
    g_hash_table_add(table, g_memdup2(&key, sizeof key));
}

static void array_free(void *array)
{
    g_array_unref(array);
}

/* Appends a length to a list if it is new and there is room. */
static void length_add(GHashTable *table, uint64_t key, uint32_t len, unsigned max)
{
    GArray *list = g_hash_table_lookup(table, &key);

    if (list == NULL) {
        list = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_hash_table_insert(table, g_memdup2(&key, sizeof key), list);
    }
    for (uint32_t i = 0; i < list->len; i++)
        if (g_array_index(list, uint32_t, i) == len)
            return;
    if (list->len <= max) /* one more than is tried tells that there are too many */
        g_array_append_val(list, len);
}

static struct seen seen_collect(const struct corr_work *work)
{
    struct seen seen = {
        .wholes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
        .beginnings = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, array_free),
        .lengths = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, array_free),
        .sizes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
    };
    bool *asked = g_new0(bool, 2 * (size_t)work->result->flows->len + 2);

    for (uint32_t l = 0; l < work->store->larges->len; l++)
        asked[corr_work_flow_dir(
            work, g_array_index(work->store->larges, struct corr_large, l).obs)] = true;
    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);
        uint32_t flow_dir = corr_work_flow_dir(work, i);

        if (!asked[flow_dir] || obs->kind != CORR_KIND_UDP || obs->len == 0 ||
            !(obs->have & CORR_HAVE_DFULL))
            continue;
        key_add(seen.wholes, whole_key(flow_dir, obs->dfull, obs->len));
        length_add(seen.lengths, flow_dir, obs->len, LENGTHS_MAX);
        if (obs->have & CORR_HAVE_D8 && obs->len >= 8)
            length_add(seen.beginnings, beginning_key(flow_dir, obs->d8), obs->len, ALIKE_MAX);
    }
    g_free(asked);
    return seen;
}

static void seen_clear(struct seen *seen)
{
    g_hash_table_destroy(seen->wholes);
    g_hash_table_destroy(seen->beginnings);
    g_hash_table_destroy(seen->lengths);
    g_hash_table_destroy(seen->sizes);
}

struct cutting {
    const struct corr_work *work;
    const struct corr_large *large;
    const uint8_t *bytes;
    uint32_t len, flow_dir;
};

/* Slices of this length that other points show; 0 too if two of them are equal. */
static uint32_t slices_seen(const struct cutting *c, const struct seen *seen, uint32_t size)
{
    GHashTable *mine = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    uint32_t n = 0, count = (c->len + size - 1) / size;

    for (uint32_t k = 0; k < count && count <= SLICES_MAX; k++) {
        uint32_t from = k * size, len = MIN(size, c->len - from);
        struct corr_parsed digests = {0};
        uint64_t key;

        corr_parse_digests(&digests, c->bytes + from, len);
        key = whole_key(c->flow_dir, digests.dfull, len);
        n += g_hash_table_contains(seen->wholes, &key);
        key_add(mine, key);
    }
    n = g_hash_table_size(mine) == count ? n : 0;
    g_hash_table_destroy(mine);
    return n;
}

/* The length, among some, of which most slices are seen; the longer of equals. */
static uint32_t best_of(const struct cutting *c, const struct seen *seen, const GArray *lengths,
                        unsigned max)
{
    uint32_t best = 0, most = 0;

    for (uint32_t i = 0; lengths != NULL && lengths->len <= max && i < lengths->len; i++) {
        uint32_t size = g_array_index(lengths, uint32_t, i);
        uint32_t n = size < c->len ? slices_seen(c, seen, size) : 0;

        if (n > most || (n == most && n > 0 && size > best)) {
            best = size;
            most = n;
        }
    }
    return best;
}

/* By its beginning, then as others of its flow, then by all lengths that its flow shows. */
static uint32_t size_of(const struct cutting *c, const struct seen *seen)
{
    const struct corr_obs *obs = corr_store_obs(c->work->store, c->large->obs);
    uint64_t key = beginning_key(c->flow_dir, obs->d8), way = c->flow_dir;
    uint32_t size = best_of(c, seen, g_hash_table_lookup(seen->beginnings, &key), ALIKE_MAX);

    if (size == 0) {
        size = GPOINTER_TO_UINT(g_hash_table_lookup(seen->sizes, &way));
        if (size >= c->len || (size > 0 && slices_seen(c, seen, size) == 0))
            size = 0;
    }
    return size != 0 ? size
                     : best_of(c, seen, g_hash_table_lookup(seen->lengths, &way), LENGTHS_MAX);
}

static void slices_add(const struct cutting *c, uint32_t size, GArray *slices)
{
    for (uint32_t from = 0; from < c->len; from += size) {
        struct corr_slice slice = {.obs = c->large->obs,
                                   .from = from,
                                   .to = MIN(from + size, c->len),
                                   .as = *corr_store_obs(c->work->store, c->large->obs)};
        struct corr_parsed digests = {0};

        slice.as.len = slice.to - from;
        corr_parse_digests(&digests, c->bytes + from, slice.as.len);
        slice.as.dfull = digests.dfull;
        slice.as.d128 = digests.d128;
        slice.as.d32 = digests.d32;
        slice.as.d8 = digests.d8;
        g_array_append_val(slices, slice);
    }
}

GArray *corr_slices_find(const struct corr_work *work)
{
    const struct corr_store *store = work->store;
    GArray *slices = g_array_new(FALSE, FALSE, sizeof(struct corr_slice));
    uint32_t *sizes = g_new0(uint32_t, store->larges->len + 1);
    struct seen seen;

    if (store->larges->len > 0) {
        seen = seen_collect(work);
        /* Twice: what one super-datagram tells helps those before it, too. */
        for (unsigned pass = 0; pass < 2; pass++)
            for (uint32_t l = 0; l < store->larges->len; l++) {
                const struct corr_large *large =
                    &g_array_index(store->larges, struct corr_large, l);
                struct cutting c = {work, large, store->large_bytes->data + large->at,
                                    corr_store_obs(store, large->obs)->len,
                                    corr_work_flow_dir(work, large->obs)};
                uint64_t way = c.flow_dir;

                if (sizes[l] == 0)
                    sizes[l] = size_of(&c, &seen);
                if (sizes[l] != 0 && pass == 0)
                    g_hash_table_replace(seen.sizes, g_memdup2(&way, sizeof way),
                                         GUINT_TO_POINTER(sizes[l]));
                if (sizes[l] != 0 && pass == 1)
                    slices_add(&c, sizes[l], slices);
            }
        seen_clear(&seen);
    }
    g_free(sizes);
    return slices;
}
