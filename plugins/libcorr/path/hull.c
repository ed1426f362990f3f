/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lower convex hull, by Andrew's monotone chain. */
#include "path/hull.h"

#include <glib.h>

#include "store/sort.h"

static bool delay_less(const struct corr_delay *a, const struct corr_delay *b)
{
    return a->t_ns != b->t_ns ? a->t_ns < b->t_ns : a->d_ns < b->d_ns;
}

CORR_SORT_DEFINE(sort_delays, struct corr_delay, delay_less)

void corr_delays_sort(struct corr_delay *delays, size_t n)
{
    sort_delays(delays, n);
}

/* How far `c` lies above the line through `a` and `b`, times their distance; sign matters. */
static double above(const struct corr_delay *a, const struct corr_delay *b,
                    const struct corr_delay *c)
{
    return (double)(c->d_ns - a->d_ns) * (double)(b->t_ns - a->t_ns) -
           (double)(b->d_ns - a->d_ns) * (double)(c->t_ns - a->t_ns);
}

bool corr_hull_edge(const struct corr_delay *delays, size_t n, struct corr_delay edge[2])
{
    g_autofree struct corr_delay *hull = g_new(struct corr_delay, n);
    int64_t middle = delays[0].t_ns + (delays[n - 1].t_ns - delays[0].t_ns) / 2;
    size_t k = 0, at = 0;

    for (size_t i = 0; i < n; i++) {
        while (k > 1 && above(&hull[k - 2], &delays[i], &hull[k - 1]) >= 0)
            k--;
        hull[k++] = delays[i];
    }
    while (at + 2 < k && hull[at + 1].t_ns < middle)
        at++;
    edge[0] = hull[at];
    edge[1] = hull[at + 1 < k ? at + 1 : at];
    return edge[1].t_ns > edge[0].t_ns;
}
