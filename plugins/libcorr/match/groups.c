/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sightings that nobody can tell apart are counted, station by station: how many are
 * missing is known even where it is not known which.
 */
#include "match/match.h"
#include "path/order.h"

/* Sightings of one cell at one station that nobody can tell apart. */
struct alike {
    uint32_t conv, n, frame;
};

static struct alike *alike_new(const struct corr_result *result)
{
    uint32_t most = 0;

    for (uint32_t f = 0; f < result->flows->len; f++)
        most = MAX(most, corr_result_flow(result, f)->convs->len);
    return g_new(struct alike, most + 1);
}

void corr_groups_count(struct corr_work *work)
{
    struct corr_result *result = work->result;
    g_autofree struct alike *station = alike_new(result);

    g_array_set_size(result->groups, 0);

    for (uint32_t i = 0, end; i < work->instances->len; i = end) {
        const struct corr_instance *at = &g_array_index(work->instances, struct corr_instance, i);
        const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, at->cell);
        unsigned n = 0, n_members = corr_result_flow(result, cell->flow)->convs->len;

        for (end = i; end < work->instances->len &&
                      g_array_index(work->instances, struct corr_instance, end).cell == at->cell;
             end++) {
            const struct corr_instance *one =
                &g_array_index(work->instances, struct corr_instance, end);
            uint32_t obs = g_array_index(work->chosen, uint32_t, one->first);
            uint32_t conv = result->obs_conv[obs], frame = corr_store_obs(work->store, obs)->frame;
            unsigned k = 0;

            if (!one->ambiguous)
                continue;
            while (k < n && station[k].conv != conv)
                k++;
            if (k == n_members)
                continue;
            if (k == n) {
                station[n].conv = conv;
                station[n].n = 0;
                station[n++].frame = frame;
            }
            station[k].n++;
        }
        /* Stations along the path; where their order is unknown there is nothing to say. */
        for (unsigned k = 0; k < n; k++) {
            unsigned next = n;

            for (unsigned j = 0; j < n; j++)
                if (corr_order_compare(result, cell->flow, cell->dir, station[k].conv,
                                       station[j].conv) < 0 &&
                    (next == n || corr_order_compare(result, cell->flow, cell->dir, station[j].conv,
                                                     station[next].conv) < 0))
                    next = j;
            if (next < n) {
                struct corr_group group = {cell->flow,
                                           cell->dir,
                                           corr_result_conv(result, station[k].conv)->point,
                                           corr_result_conv(result, station[next].conv)->point,
                                           station[k].n,
                                           station[next].n,
                                           station[k].frame};

                g_array_append_val(result->groups, group);
            }
        }
    }
}
