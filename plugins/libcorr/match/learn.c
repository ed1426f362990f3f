/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells that leave no choice teach what the others need: does a segment keep IP
 * identifications and time stamps, and how long do packets take between two
 * points by these points' own clocks?
 */
#include <stdlib.h>

#include "match/learn.h"

/* Delays kept of one flow direction between two points; more are thinned out evenly. */
#define DELAYS_PER_FLOW 256u
/* Points of one cell that are compared pair by pair; beyond, neighbours only. */
#define ALL_PAIRS 6u

struct corr_pair_facts *corr_pair_facts(const struct corr_work *work, uint32_t p, uint32_t q)
{
    uint32_t n = work->store->points->len;

    return &work->pairs[p < q ? (size_t)p * n + q : (size_t)q * n + p];
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
    if (with_delay && a->point < b->point)
        corr_delays_add(work->delays, i, k, flow_dir);
    else if (with_delay)
        corr_delays_add(work->delays, k, i, flow_dir);
}

void corr_cells_learn(struct corr_work *work)
{
    size_t n_points = work->store->points->len;
    uint32_t *cells_of = g_new0(uint32_t, 2 * (size_t)work->result->flows->len + 2);
    uint32_t *seen_of = g_new0(uint32_t, 2 * (size_t)work->result->flows->len + 2);

    work->pairs = g_new0(struct corr_pair_facts, n_points * n_points + 1);
    work->delays = corr_delays_new(work);
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
    g_free(cells_of);
    g_free(seen_of);
}
