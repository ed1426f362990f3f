/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull.h - the line below all delays.
 *
 * Where packets go one way only, the offset of two clocks and the delay cannot be told
 * apart.  But delays have a least value, so their differences rest on a line, and its slope
 * is how the clocks drift (Moon, Skelly and Towsley 1999: the lower convex hull).
 */
#ifndef CORR_HULL_H
#define CORR_HULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When a packet passed one point, and how much later, by another clock, the next one. */
struct corr_delay {
    int64_t t_ns, d_ns;
};

/* Sorts by time. */
void corr_delays_sort(struct corr_delay *delays, size_t n);

/*
 * The two of n > 0 sorted delays on which that line rests in the middle of their time: the edge
 * that most others support.  False if they are one, or at one time.
 */
bool corr_hull_edge(const struct corr_delay *delays, size_t n, struct corr_delay edge[2]);

/* Its slope. */
static inline double corr_hull_slope(const struct corr_delay edge[2])
{
    return edge[1].t_ns > edge[0].t_ns
               ? (double)(edge[1].d_ns - edge[0].d_ns) / (double)(edge[1].t_ns - edge[0].t_ns)
               : 0;
}

#endif /* CORR_HULL_H */
