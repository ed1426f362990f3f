/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells that leave no choice teach what the others need: does a segment keep IP
 * identifications and time stamps, and how long do packets take between two
 * points by these points' own clocks?
 */
#include <stdlib.h>

#include "match/learn.h"
#include "path/order.h"
#include "store/sort.h"

/* Delays kept of one flow direction between two points; more are thinned out evenly. */
#define DELAYS_PER_FLOW 256u
/* Points of one cell that are compared pair by pair; beyond, neighbours only. */
#define ALL_PAIRS 6u

struct corr_pair_facts *corr_pair_facts(const struct corr_work *work, uint32_t p, uint32_t q)
{
    uint32_t n = work->store->points->len;

    return &work->pairs[p < q ? (size_t)p * n + q : (size_t)q * n + p];
}

bool corr_conv_scoped(const struct corr_conv *conv)
{
    for (unsigned e = 0; e < 2; e++)
        if (conv->end[e].addr.len == 6 || corr_addr_is_multicast(&conv->end[e].addr) ||
            corr_addr_is_link_local(&conv->end[e].addr))
            return true;
    return false;
}

static void pair_learn(struct corr_work *work, uint32_t i, uint32_t k, uint32_t flow_dir,
                       bool with_delay)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    struct corr_pair_facts *facts;

    if (a->point == b->point || a->len != b->len)
        return;
    facts = corr_pair_facts(work, a->point, b->point);
    if (a->have & b->have & CORR_HAVE_IP_ID && (a->ip_id != 0 || b->ip_id != 0)) {
        if (a->ip_id == b->ip_id)
            facts->id_same++;
        else
            facts->id_differs++;
    }
    if (a->have & b->have & CORR_HAVE_TS) {
        if (corr_work_tsval(work, i) == corr_work_tsval(work, k))
            facts->ts_same++;
        else
            facts->ts_differs++;
    }
    if (with_delay) {
        const struct corr_obs *p = a->point < b->point ? a : b, *q = p == a ? b : a;
        const uint32_t *conv = work->result->obs_conv;
        struct corr_delay delay = {p->point,
                                   q->point,
                                   flow_dir,
                                   conv[p == a ? i : k],
                                   conv[p == a ? k : i],
                                   p->time_ns,
                                   q->time_ns - p->time_ns};

        g_array_append_val(work->delays, delay);
    }
}

static inline int delay_compare(const struct corr_delay *a, const struct corr_delay *b)
{
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    if (a->q != b->q)
        return a->q < b->q ? -1 : 1;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->t_ns != b->t_ns)
        return a->t_ns < b->t_ns ? -1 : 1;
    return a->d_ns < b->d_ns ? -1 : a->d_ns > b->d_ns;
}

static bool delay_less(const struct corr_delay *a, const struct corr_delay *b)
{
    return delay_compare(a, b) < 0;
}

CORR_SORT_DEFINE(delays_sort, struct corr_delay, delay_less)

void corr_cells_learn(struct corr_work *work)
{
    size_t n_points = work->store->points->len;
    uint32_t *cells_of = g_new0(uint32_t, 2 * (size_t)work->result->flows->len + 2);
    uint32_t *seen_of = g_new0(uint32_t, 2 * (size_t)work->result->flows->len + 2);

    work->pairs = g_new0(struct corr_pair_facts, n_points * n_points + 1);
    work->delays = g_array_new(FALSE, FALSE, sizeof(struct corr_delay));
    for (uint32_t c = 0; c < work->cells->len; c++) {
        const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);

        if (!cell->choice && cell->n > 1)
            cells_of[cell->flow * 2 + cell->dir]++;
    }
    for (uint32_t c = 0; c < work->cells->len; c++) {
        const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);
        uint32_t flow_dir = cell->flow * 2 + cell->dir;
        const uint32_t *members = &g_array_index(work->members, uint32_t, cell->first);
        bool sample;

        if (cell->choice || cell->n < 2)
            continue;
        sample =
            seen_of[flow_dir]++ % (1 + cells_of[flow_dir] / DELAYS_PER_FLOW) == 0 &&
            !corr_conv_scoped(corr_result_conv(work->result, work->result->obs_conv[members[0]]));
        for (uint32_t i = 0; i < cell->n; i++)
            for (uint32_t k = i + 1; k < cell->n && (k == i + 1 || cell->n <= ALL_PAIRS); k++)
                if (work->duplicate[members[i]] == CORR_NONE &&
                    work->duplicate[members[k]] == CORR_NONE)
                    pair_learn(work, members[i], members[k], flow_dir, sample);
    }
    delays_sort((struct corr_delay *)work->delays->data, work->delays->len);
    g_free(cells_of);
    g_free(seen_of);
}

/* Packets that go from p to q differ by the offset plus the delay, the others by offset minus
 * delay. */
void corr_delays_pool(struct corr_work *work)
{
    work->delays_pooled =
        g_array_sized_new(FALSE, FALSE, sizeof(struct corr_delay), 2 * work->delays->len);
    for (uint32_t i = 0; i < work->delays->len; i++) {
        struct corr_delay delay = g_array_index(work->delays, struct corr_delay, i);
        int order = corr_order_compare(work->result, delay.group / 2, delay.group & 1, delay.conv_p,
                                       delay.conv_q);

        delay.group = CORR_WAY_ANY;
        g_array_append_val(work->delays_pooled, delay);
        if (order != 0) {
            delay.group = order < 0 ? CORR_WAY_FORTH : CORR_WAY_BACK;
            g_array_append_val(work->delays_pooled, delay);
        }
    }
    delays_sort((struct corr_delay *)work->delays_pooled->data, work->delays_pooled->len);
}

static int i64_compare(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* Median and spread of the delays of one group that are nearest in time. */
static bool nearest(const GArray *delays, const struct corr_delay *key,
                    struct corr_expectation *out)
{
    const struct corr_delay *all = (const struct corr_delay *)delays->data;
    uint32_t lo = 0, hi = delays->len, from, to;
    int64_t values[CORR_NEAREST], spread[CORR_NEAREST];
    unsigned n = 0;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (delay_compare(&all[mid], key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
#define SAME(i) (all[i].p == key->p && all[i].q == key->q && all[i].group == key->group)
    from = to = lo;
    while (n < CORR_NEAREST) {
        bool left = from > 0 && SAME(from - 1), right = to < delays->len && SAME(to);

        if (left && (!right || key->t_ns - all[from - 1].t_ns <= all[to].t_ns - key->t_ns))
            values[n++] = all[--from].d_ns;
        else if (right)
            values[n++] = all[to++].d_ns;
        else
            break;
    }
#undef SAME
    if (n == 0)
        return false;
    out->gap_ns = INT64_MAX;
    for (uint32_t i = from; i < to; i++)
        out->gap_ns = MIN(out->gap_ns, llabs(all[i].t_ns - key->t_ns));
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
    struct corr_delay key = {.p = MIN(a->point, b->point),
                             .q = MAX(a->point, b->point),
                             .group = flow_dir,
                             .t_ns = swap ? b->time_ns : a->time_ns,
                             .d_ns = INT64_MIN};
    bool found = nearest(work->delays, &key, out);
    int order;

    if (!found && work->delays_pooled != NULL) {
        order = corr_order_compare(work->result, flow_dir / 2, flow_dir & 1,
                                   work->result->obs_conv[i], work->result->obs_conv[k]);
        key.group = order == 0            ? CORR_WAY_ANY
                    : (order < 0) != swap ? CORR_WAY_FORTH
                                          : CORR_WAY_BACK;
        found = nearest(work->delays_pooled, &key, out);
        if (!found && order != 0) {
            key.group = CORR_WAY_ANY;
            found = nearest(work->delays_pooled, &key, out);
        }
        /* Both ways together spread by the round trip. */
        if (found && key.group == CORR_WAY_ANY)
            out->spread_ns = MAX(out->spread_ns, out->range_ns / 2);
    }
    if (found && swap)
        out->d_ns = -out->d_ns;
    return found;
}
