/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Votes per pair of points and host: whose packets pass which of both points first. */
#include "path/order_pool.h"

#include "store/hash.h"
#include "store/index.h"

/* A station of the flow in hand. */
struct station {
    uint32_t point;
    uint64_t ends[2]; /* hashes of the initiator's and of the other end's address */
};

struct corr_order_pool {
    const struct corr_result *result;
    struct station *stations;
    uint32_t n;               /* of them */
    struct corr_index *hosts; /* of which somebody wants to know */
    struct corr_index *votes; /* mix of points and host, as far as wanted -> index of ... */
    GArray *sums;             /* int32_t: votes for the lower point to be first */
};

struct corr_order_pool *corr_order_pool_new(const struct corr_result *result, uint32_t stations)
{
    struct corr_order_pool *pool = g_new0(struct corr_order_pool, 1);

    pool->result = result;
    pool->stations = g_new(struct station, stations + 1);
    pool->hosts = corr_index_new();
    pool->votes = corr_index_new();
    pool->sums = g_array_new(FALSE, FALSE, sizeof(int32_t));
    return pool;
}

void corr_order_pool_free(struct corr_order_pool *pool)
{
    g_free(pool->stations);
    corr_index_free(pool->hosts);
    corr_index_free(pool->votes);
    g_array_unref(pool->sums);
    g_free(pool);
}

void corr_order_pool_begin(struct corr_order_pool *pool, uint32_t flow)
{
    const struct corr_flow *of = corr_result_flow(pool->result, flow);

    pool->n = of->convs->len;
    for (uint32_t a = 0; a < of->convs->len; a++) {
        const struct corr_member *member = &g_array_index(of->convs, struct corr_member, a);
        const struct corr_conv *conv = corr_result_conv(pool->result, member->conv);

        pool->stations[a].point = conv->point;
        for (unsigned end = 0; end < 2; end++)
            pool->stations[a].ends[end] = corr_hash(conv->end[end ^ member->flip].addr.bytes, 16);
    }
}

/* How flows of a host pass two points: one key per end of the flow. */
static void keys_of(const struct corr_order_pool *pool, uint32_t a, uint32_t b, unsigned dir,
                    uint64_t keys[2], int *sign)
{
    bool swap = pool->stations[a].point > pool->stations[b].point;
    const struct station *x = &pool->stations[swap ? b : a];
    const struct station *y = &pool->stations[swap ? a : b];

    *sign = swap ? -1 : 1;
    for (unsigned role = 0; role < 2; role++)
        keys[role] =
            corr_hash_mix(x->ends[dir ^ role], (uint64_t)x->point << 32 | y->point << 1 | role);
}

static bool is_known(const struct corr_index *index, uint64_t key)
{
    return corr_index_find(index, key, NULL, NULL, NULL) != CORR_NONE;
}

bool corr_order_pool_is_wanted(const struct corr_order_pool *pool)
{
    bool wanted = false;

    for (uint32_t a = 0; a < pool->n && !wanted; a++)
        for (unsigned end = 0; end < 2; end++)
            wanted |= is_known(pool->hosts, pool->stations[a].ends[end]);
    return wanted;
}

/* Where the votes of a key are counted; NULL: nobody wants them. */
static int32_t *votes_of(const struct corr_order_pool *pool, uint64_t key)
{
    uint32_t found = corr_index_find(pool->votes, key, NULL, NULL, NULL);

    return found == CORR_NONE ? NULL : &g_array_index(pool->sums, int32_t, found);
}

void corr_order_pool_want(struct corr_order_pool *pool, uint32_t a, uint32_t b, unsigned dir)
{
    const int32_t none = 0;
    uint64_t keys[2];
    int sign;

    keys_of(pool, a, b, dir, keys, &sign);
    for (unsigned i = 0; i < 2; i++)
        if (votes_of(pool, keys[i]) == NULL) {
            corr_index_add(pool->votes, keys[i], pool->sums->len);
            g_array_append_val(pool->sums, none);
        }
    for (unsigned end = 0; end < 2; end++) {
        uint64_t host =
            pool->stations[pool->stations[a].point > pool->stations[b].point ? b : a].ends[end];

        if (!is_known(pool->hosts, host))
            corr_index_add(pool->hosts, host, 0);
    }
}

void corr_order_pool_tell(struct corr_order_pool *pool, uint32_t a, uint32_t b, unsigned dir,
                          int verdict)
{
    uint64_t keys[2];
    int sign;

    keys_of(pool, a, b, dir, keys, &sign);
    for (unsigned i = 0; i < 2; i++) {
        int32_t *votes = votes_of(pool, keys[i]);

        if (votes != NULL)
            *votes = CLAMP(*votes + verdict * sign, -1000000, 1000000);
    }
}

int corr_order_pool_ask(const struct corr_order_pool *pool, uint32_t a, uint32_t b, unsigned dir)
{
    uint64_t keys[2];
    int sign, sum = 0;

    keys_of(pool, a, b, dir, keys, &sign);
    for (unsigned i = 0; i < 2; i++) {
        const int32_t *votes = votes_of(pool, keys[i]);

        sum += votes == NULL ? 0 : *votes;
    }
    return sum > 0 ? sign : sum < 0 ? -sign : 0;
}
