/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clipping a convex polygon by half planes. */
#include "path/corridor.h"

#include <math.h>

#define FAR_NS 1e15 /* no two clocks are further apart than days once the base is subtracted */

void corr_corridor_init(struct corr_corridor *c, int64_t t0_ns, int64_t base_ns)
{
    c->t0_ns = t0_ns;
    c->base_ns = base_ns;
    c->n = 4;
    c->slowest = 1;
    c->fastest = -1;
    for (unsigned i = 0; i < 4; i++) {
        c->a[i] = i == 1 || i == 2 ? FAR_NS : -FAR_NS;
        c->b[i] = i >= 2 ? CORR_CORRIDOR_MAX_DRIFT : -CORR_CORRIDOR_MAX_DRIFT;
    }
}

static void corners_see(struct corr_corridor *c, double t)
{
    c->seen_t = t;
    c->seen_least = c->slowest = INFINITY;
    c->seen_greatest = c->fastest = -INFINITY;
    for (unsigned i = 0; i < c->n; i++) {
        double value = c->a[i] + c->b[i] * t;

        c->seen_least = value < c->seen_least ? value : c->seen_least;
        c->seen_greatest = value > c->seen_greatest ? value : c->seen_greatest;
        c->slowest = c->b[i] < c->slowest ? c->b[i] : c->slowest;
        c->fastest = c->b[i] > c->fastest ? c->b[i] : c->fastest;
    }
}

/*
 * Most limits cut nothing, and most of these are far from doing so: that is known without
 * a look at the corners, from where they were at another time and how fast they move.
 */
static bool is_far(const struct corr_corridor *c, double t, double limit, bool upper)
{
    double dt = t - c->seen_t, edge;

    if (c->slowest > c->fastest)
        return false;
    if (upper)
        edge = c->seen_greatest + (dt > 0 ? c->fastest : c->slowest) * dt;
    else
        edge = c->seen_least + (dt > 0 ? c->slowest : c->fastest) * dt;
    /* Beyond what rounding could hide. */
    return (upper ? limit - edge : edge - limit) > 1 + fabs(edge) * 1e-9;
}

bool corr_corridor_limit(struct corr_corridor *c, int64_t t_ns, int64_t limit_ns, bool upper)
{
    double t = (double)(t_ns - c->t0_ns) * 1e-9, limit = (double)(limit_ns - c->base_ns);
    double sign = upper ? 1 : -1, left[CORR_CORRIDOR_CORNERS];
    double a[CORR_CORRIDOR_CORNERS + 1], b[CORR_CORRIDOR_CORNERS + 1];
    unsigned n = 0;
    bool cuts = false, any = false;

    if (is_far(c, t, limit, upper))
        return true;
    for (unsigned i = 0; i < c->n; i++) {
        left[i] = sign * (limit - c->a[i] - c->b[i] * t);
        cuts |= left[i] < 0;
        any |= left[i] >= 0;
    }
    if (!cuts) {
        corners_see(c, t);
        return true;
    }
    if (!any)
        return false;
    for (unsigned i = 0; i < c->n; i++) {
        unsigned k = (i + 1) % c->n;

        if (left[i] >= 0 && n < CORR_CORRIDOR_CORNERS) {
            a[n] = c->a[i];
            b[n++] = c->b[i];
        }
        if ((left[i] < 0) != (left[k] < 0) && n < CORR_CORRIDOR_CORNERS) {
            double share = left[i] / (left[i] - left[k]);

            a[n] = c->a[i] + share * (c->a[k] - c->a[i]);
            b[n++] = c->b[i] + share * (c->b[k] - c->b[i]);
        }
    }
    /* Corners that have fallen together carry nothing. */
    c->n = 0;
    for (unsigned i = 0; i < n; i++) {
        if (c->n > 0 && fabs(a[i] - c->a[c->n - 1]) < 1e-3 && fabs(b[i] - c->b[c->n - 1]) < 1e-3)
            continue;
        c->a[c->n] = a[i];
        c->b[c->n++] = b[i];
    }
    corners_see(c, t);
    return true;
}

void corr_corridor_at(const struct corr_corridor *c, int64_t t_ns, int64_t *least_ns,
                      int64_t *greatest_ns)
{
    double t = (double)(t_ns - c->t0_ns) * 1e-9, least = INFINITY, greatest = -INFINITY;

    for (unsigned i = 0; i < c->n; i++) {
        double value = c->a[i] + c->b[i] * t;

        least = value < least ? value : least;
        greatest = value > greatest ? value : greatest;
    }
    *least_ns = c->base_ns + (int64_t)floor(least);
    *greatest_ns = c->base_ns + (int64_t)ceil(greatest);
}

bool corr_corridor_has(const struct corr_corridor *c, int64_t offset_ns)
{
    double a = (double)(offset_ns - c->base_ns), b = 0;
    bool left = false, right = false;

    /* Inside a convex polygon means on the same side of all edges. */
    for (unsigned i = 0; i < c->n; i++) {
        unsigned k = (i + 1) % c->n;
        double side = (c->a[k] - c->a[i]) * (b - c->b[i]) - (c->b[k] - c->b[i]) * (a - c->a[i]);

        left |= side > 0;
        right |= side < 0;
    }
    return c->n > 2 && !(left && right);
}

void corr_corridor_drift(const struct corr_corridor *c, double *least, double *greatest)
{
    *least = INFINITY;
    *greatest = -INFINITY;
    for (unsigned i = 0; i < c->n; i++) {
        *least = fmin(*least, c->b[i] * 1e-3);
        *greatest = fmax(*greatest, c->b[i] * 1e-3);
    }
}
