/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.c - the capture points in the order in which most packets pass them. */
#include "report/line.h"

#include "report/report-int.h"

/* Points whose packets are compared; a drawing with more is of no use. */
#define POINTS_MAX 256u

/* before[p * n + q]: packets that passed p nearer to their conversation's initiator than q. */
static void packet_count(const struct corr_result *r, const struct corr_packet *p, uint32_t n,
                         uint32_t *before)
{
    for (uint32_t i = 1; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
        uint32_t here, there;

        if (s->prev == CORR_NONE || s->duplicate)
            continue;
        there = corr_sighting_point(r, corr_result_sighting(r, s->prev));
        here = corr_sighting_point(r, s);
        if (here >= n || there >= n || here == there)
            continue;
        before[p->dir ? here * n + there : there * n + here]++;
    }
}

/* Takes, again and again, the point that the fewest of the others should precede. */
static void line_up(const uint32_t *before, uint32_t n, uint32_t *line)
{
    g_autofree bool *is_taken = g_new0(bool, n + 1);

    for (uint32_t k = 0; k < n; k++) {
        uint32_t best = CORR_NONE;
        int64_t best_score = INT64_MAX;

        for (uint32_t p = 0; p < n; p++) {
            int64_t score = 0;

            for (uint32_t q = 0; q < n && !is_taken[p]; q++)
                if (!is_taken[q] && before[q * n + p] > before[p * n + q])
                    score += before[q * n + p] - before[p * n + q];
            if (!is_taken[p] && score < best_score) {
                best = p;
                best_score = score;
            }
        }
        is_taken[best] = true;
        line[k] = best;
    }
}

uint32_t *corr_points_line(const struct corr_result *r)
{
    uint32_t all = r->store->points->len, n = MIN(all, POINTS_MAX);
    uint32_t *line = g_new(uint32_t, all + 1);
    g_autofree uint32_t *before = g_new0(uint32_t, (size_t)n * n + 1);

    for (uint32_t i = 0; i < r->packets->len; i++)
        packet_count(r, corr_result_packet(r, i), n, before);
    line_up(before, n, line);
    for (uint32_t p = n; p < all; p++)
        line[p] = p;
    return line;
}
