/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long packets take between two points by these points' own clocks, as cells
 * without a choice show it.
 *
 * Few are ever asked: only the pairs are kept, and they are sorted into a list per
 * flow direction, and per pair of points and way, when one of it is asked first.
 */
#include <stdlib.h>

#include "match/learn.h"
#include "path/order.h"
#include "store/sort.h"

enum way { WAY_ANY, WAY_FORTH, WAY_BACK, WAYS };

/* One packet at points p and q, p < q. */
struct passage {
    uint32_t obs_p, obs_q;
    uint32_t flow_dir;
};

struct delay {
    int64_t t_ns; /* at p */
    int64_t d_ns; /* time at q minus time at p */
};

/* Of one pair of points. */
struct pool {
    GArray *passages;     /* uint32_t: index of a passage */
    GArray *delays[WAYS]; /* struct delay by (t, d); NULL until asked */
};

struct corr_delays {
    GArray *passages;     /* struct passage */
    uint32_t *flow_first; /* flow direction -> its first in `by_flow`; NULL until asked */
    uint32_t *by_flow;    /* passages by flow direction */
    GHashTable **flow;    /* flow direction -> (p, q) -> GArray of struct delay; NULL until asked */
    GHashTable *pools;    /* (p, q) -> struct pool; NULL until asked */
    uint32_t n_flow_dirs;
    bool ways_known;
};

static bool delay_less(const struct delay *a, const struct delay *b)
{
    return a->t_ns != b->t_ns ? a->t_ns < b->t_ns : a->d_ns < b->d_ns;
}

CORR_SORT_DEFINE(delays_sort, struct delay, delay_less)

static gpointer pair_key(uint32_t p, uint32_t q)
{
    return GSIZE_TO_POINTER((size_t)p << 16 | q);
}

static void array_free(void *data)
{
    g_array_unref(data);
}

static void pool_free(void *data)
{
    struct pool *pool = data;

    g_array_unref(pool->passages);
    for (unsigned way = 0; way < WAYS; way++)
        if (pool->delays[way] != NULL)
            g_array_unref(pool->delays[way]);
    g_free(pool);
}

struct corr_delays *corr_delays_new(const struct corr_work *work)
{
    struct corr_delays *delays = g_new0(struct corr_delays, 1);

    delays->passages = g_array_new(FALSE, FALSE, sizeof(struct passage));
    delays->n_flow_dirs = 2 * work->result->flows->len;
    return delays;
}

void corr_delays_free(struct corr_delays *delays)
{
    if (delays == NULL)
        return;
    for (uint32_t f = 0; delays->flow != NULL && f < delays->n_flow_dirs; f++)
        if (delays->flow[f] != NULL)
            g_hash_table_destroy(delays->flow[f]);
    if (delays->pools != NULL)
        g_hash_table_destroy(delays->pools);
    g_array_unref(delays->passages);
    g_free(delays->flow_first);
    g_free(delays->by_flow);
    g_free(delays->flow);
    g_free(delays);
}

void corr_delays_add(struct corr_delays *delays, uint32_t obs_p, uint32_t obs_q, uint32_t flow_dir)
{
    struct passage passage = {obs_p, obs_q, flow_dir};

    g_array_append_val(delays->passages, passage);
}

void corr_delays_pool(struct corr_work *work)
{
    work->delays->ways_known = true;
}

static const struct passage *passage_at(const struct corr_delays *delays, uint32_t i)
{
    return &g_array_index(delays->passages, struct passage, i);
}

static void delay_append(const struct corr_work *work, GArray *list, const struct passage *passage)
{
    int64_t t_ns = corr_store_obs(work->store, passage->obs_p)->time_ns;
    struct delay delay = {t_ns, corr_store_obs(work->store, passage->obs_q)->time_ns - t_ns};

    g_array_append_val(list, delay);
}

static gpointer passage_pair(const struct corr_work *work, const struct passage *passage)
{
    return pair_key(corr_store_obs(work->store, passage->obs_p)->point,
                    corr_store_obs(work->store, passage->obs_q)->point);
}

static void list_sort(gpointer key, gpointer list, gpointer user)
{
    GArray *delays = list;

    (void)key;
    (void)user;
    delays_sort((struct delay *)delays->data, delays->len);
}

static void flows_index(struct corr_delays *delays)
{
    uint32_t n = delays->passages->len, *place;

    delays->flow = g_new0(GHashTable *, delays->n_flow_dirs + 1);
    delays->flow_first = g_new0(uint32_t, delays->n_flow_dirs + 2);
    delays->by_flow = g_new(uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++)
        delays->flow_first[passage_at(delays, i)->flow_dir + 1]++;
    for (uint32_t f = 0; f < delays->n_flow_dirs; f++)
        delays->flow_first[f + 1] += delays->flow_first[f];
    place = g_memdup2(delays->flow_first, sizeof *place * (delays->n_flow_dirs + 1));
    for (uint32_t i = 0; i < n; i++)
        delays->by_flow[place[passage_at(delays, i)->flow_dir]++] = i;
    g_free(place);
}

static const GArray *flow_delays(const struct corr_work *work, uint32_t flow_dir, uint32_t p,
                                 uint32_t q)
{
    struct corr_delays *delays = work->delays;
    GHashTable *lists;

    if (delays->flow == NULL)
        flows_index(delays);
    lists = delays->flow[flow_dir];
    if (lists == NULL) {
        lists = delays->flow[flow_dir] =
            g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, array_free);
        for (uint32_t i = delays->flow_first[flow_dir]; i < delays->flow_first[flow_dir + 1]; i++) {
            const struct passage *passage = passage_at(delays, delays->by_flow[i]);
            gpointer pair = passage_pair(work, passage);
            GArray *list = g_hash_table_lookup(lists, pair);

            if (list == NULL) {
                list = g_array_new(FALSE, FALSE, sizeof(struct delay));
                g_hash_table_insert(lists, pair, list);
            }
            delay_append(work, list, passage);
        }
        g_hash_table_foreach(lists, list_sort, NULL);
    }
    return g_hash_table_lookup(lists, pair_key(p, q));
}

static void pools_fill(const struct corr_work *work)
{
    struct corr_delays *delays = work->delays;
    struct pool *pool = NULL;
    gpointer last = NULL;

    delays->pools = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, pool_free);
    for (uint32_t i = 0; i < delays->passages->len; i++) {
        gpointer pair = passage_pair(work, passage_at(delays, i));

        if (pool == NULL || pair != last)
            pool = g_hash_table_lookup(delays->pools, pair);
        if (pool == NULL) {
            pool = g_new0(struct pool, 1);
            pool->passages = g_array_new(FALSE, FALSE, sizeof(uint32_t));
            g_hash_table_insert(delays->pools, pair, pool);
        }
        last = pair;
        g_array_append_val(pool->passages, i);
    }
}

/* Packets that go from p to q differ by the offset plus the delay, the others by offset minus
 * delay. */
static enum way way_of(const struct corr_work *work, const struct passage *passage)
{
    const uint32_t *conv = work->result->obs_conv;
    int order = corr_order_compare(work->result, passage->flow_dir / 2, passage->flow_dir & 1,
                                   conv[passage->obs_p], conv[passage->obs_q]);

    return order == 0 ? WAY_ANY : order < 0 ? WAY_FORTH : WAY_BACK;
}

/* Delays of all flows, that went this way or that. */
static const GArray *pooled_delays(const struct corr_work *work, uint32_t p, uint32_t q,
                                   enum way way)
{
    struct pool *pool;

    if (work->delays->pools == NULL)
        pools_fill(work);
    pool = g_hash_table_lookup(work->delays->pools, pair_key(p, q));
    if (pool == NULL)
        return NULL;
    if (pool->delays[way] == NULL) {
        pool->delays[way] = g_array_new(FALSE, FALSE, sizeof(struct delay));
        for (uint32_t i = 0; i < pool->passages->len; i++) {
            const struct passage *passage =
                passage_at(work->delays, g_array_index(pool->passages, uint32_t, i));

            if (way == WAY_ANY || way_of(work, passage) == way)
                delay_append(work, pool->delays[way], passage);
        }
        list_sort(NULL, pool->delays[way], NULL);
    }
    return pool->delays[way];
}

static int i64_compare(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* Median and spread of the delays that are nearest in time. */
static bool nearest(const GArray *delays, int64_t t_ns, struct corr_expectation *out)
{
    const struct delay *all;
    uint32_t lo = 0, hi, from, to;
    int64_t values[CORR_NEAREST], spread[CORR_NEAREST];
    unsigned n = 0;

    if (delays == NULL || delays->len == 0)
        return false;
    all = (const struct delay *)delays->data;
    hi = delays->len;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (all[mid].t_ns < t_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    from = to = lo;
    while (n < CORR_NEAREST) {
        bool left = from > 0, right = to < delays->len;

        if (left && (!right || t_ns - all[from - 1].t_ns <= all[to].t_ns - t_ns))
            values[n++] = all[--from].d_ns;
        else if (right)
            values[n++] = all[to++].d_ns;
        else
            break;
    }
    out->gap_ns = INT64_MAX;
    for (uint32_t i = from; i < to; i++)
        out->gap_ns = MIN(out->gap_ns, llabs(all[i].t_ns - t_ns));
    qsort(values, n, sizeof *values, i64_compare);
    out->d_ns = values[n / 2];
    out->range_ns = values[n - 1] - values[0];
    for (unsigned i = 0; i < n; i++)
        spread[i] = llabs(values[i] - out->d_ns);
    qsort(spread, n, sizeof *spread, i64_compare);
    out->spread_ns = spread[n / 2];
    out->n = n;
    return true;
}

bool corr_delay_expect(const struct corr_work *work, uint32_t i, uint32_t k, uint32_t flow_dir,
                       struct corr_expectation *out)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    bool swap = a->point > b->point;
    uint32_t p = MIN(a->point, b->point), q = MAX(a->point, b->point);
    int64_t t_ns = swap ? b->time_ns : a->time_ns;
    bool found = nearest(flow_delays(work, flow_dir, p, q), t_ns, out);

    if (!found && work->delays->ways_known) {
        int order = corr_order_compare(work->result, flow_dir / 2, flow_dir & 1,
                                       work->result->obs_conv[i], work->result->obs_conv[k]);
        enum way way = order == 0 ? WAY_ANY : (order < 0) != swap ? WAY_FORTH : WAY_BACK;

        found = nearest(pooled_delays(work, p, q, way), t_ns, out);
        if (!found && order != 0) {
            way = WAY_ANY;
            found = nearest(pooled_delays(work, p, q, way), t_ns, out);
        }
        /* Both ways together spread by the round trip. */
        if (found && way == WAY_ANY)
            out->spread_ns = MAX(out->spread_ns, out->range_ns / 2);
    }
    if (found && swap)
        out->d_ns = -out->d_ns;
    return found;
}
