/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * corridor.h - all straight lines that respect upper and lower limits.
 *
 * A line is offset(t) = a + b * t.  Each limit is a half plane in (a, b); what
 * all leave is a convex polygon, kept by its corners.  Limits may come in any
 * order.  The bound at a moment is the least and greatest value over the
 * corners: rigorous, drift included.
 */
#ifndef CORR_CORRIDOR_H
#define CORR_CORRIDOR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Two clocks that run apart by more than this, in ns per s, are no clocks: each may be 250 ppm
 * off, and NTP slews either by 500 ppm.
 */
#define CORR_CORRIDOR_MAX_DRIFT 1500e3
#define CORR_CORRIDOR_CORNERS 64

struct corr_corridor {
    int64_t t0_ns, base_ns;                                    /* coordinates begin here */
    unsigned n;                                                /* corners; 0: nothing is left */
    double a[CORR_CORRIDOR_CORNERS], b[CORR_CORRIDOR_CORNERS]; /* ns; ns per s */

    /* What the corners say at one moment, ns from base_ns: bounds what they say at others. */
    double seen_t, seen_least, seen_greatest; /* s, ns */
    double slowest, fastest;                  /* ns/s; slowest > fastest: nothing was seen yet */
};

/* All lines, around (t0, base). */
void corr_corridor_init(struct corr_corridor *c, int64_t t0_ns, int64_t base_ns);

/*
 * Adds a limit: offset(t) <= limit (upper) or >= limit.  Returns false, and
 * leaves the corridor as it was, if no line would be left.
 */
bool corr_corridor_limit(struct corr_corridor *c, int64_t t_ns, int64_t limit_ns, bool upper);

/* Least and greatest offset at t. */
void corr_corridor_at(const struct corr_corridor *c, int64_t t_ns, int64_t *least_ns,
                      int64_t *greatest_ns);

/* The line offset(t) = offset, for all t, is one of them. */
bool corr_corridor_has(const struct corr_corridor *c, int64_t offset_ns);

/* Least and greatest drift, ppm. */
void corr_corridor_drift(const struct corr_corridor *c, double *least, double *greatest);

#endif /* CORR_CORRIDOR_H */
