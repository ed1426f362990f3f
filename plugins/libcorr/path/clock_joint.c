/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all pairs together say.  At one moment, upper limits of offsets add up along any way
 * from point to point, and the least sum is a limit, too: difference constraints, whose
 * tightest consistent solution Floyd's and Warshall's algorithm finds.  So a pair that
 * traffic passed in one direction only, or not at all, gets its bounds from the others.
 */
#include <stdlib.h>

#include "path/clock-int.h"

/* Moments at which the constraints are solved, and how many sums that may take. */
#define MOMENTS 32u
#define COST_MAX 400000000u
/* More points than this are not joined: the table of pairs would be large. */
#define POINTS_MAX 200u
/* How far two clocks run apart, at most: what a moment's own uncertainty costs. */
#define RUN_OFF 600e-6

struct moment {
    struct corr_clock *clock;
    int64_t *time_ns; /* by point: what its clock shows */
    uint32_t *epoch;  /* by point; CORR_NONE: not known */
    int64_t *upper;   /* p * n + q: greatest offset of q against p */
};

/* The part that holds at p's or q's known time; sets the time of both. */
static const struct corr_clock_part *part_at(const struct moment *m, uint32_t p, uint32_t q,
                                             bool known_q, int64_t t_ns, uint32_t epoch,
                                             int64_t *t_p)
{
    const struct corr_clock_pair *pair = corr_clock_pair(m->clock, p, q);
    const struct corr_clock_part *found = NULL, *only = NULL;
    unsigned n = 0;

    for (uint32_t i = 0; pair->parts != NULL && i < pair->parts->len; i++) {
        const struct corr_clock_part *part = corr_clock_part(pair, i);
        int64_t at = t_ns;

        if (part->epoch[known_q] != epoch)
            continue;
        for (unsigned again = 0; known_q && again < 3; again++) {
            struct corr_clock_bounds bounds = corr_clock_bounds_at(part, at);

            at = t_ns - corr_clock_middle(&bounds);
        }
        n++;
        only = part;
        *t_p = at;
        if (at >= part->from_ns && at <= part->to_ns) {
            found = part;
            break;
        }
    }
    /* With one part only there is no step in between, and the line goes on. */
    return found != NULL ? found : n == 1 ? only : NULL;
}

/* The narrowest corridor by which a clock can be reached from those that are known. */
struct reach {
    int64_t width, time_ns;
    uint32_t epoch, from; /* from: CORR_NONE: not at all */
};

/* What the clock of x, known by now, tells of the others. */
static void reaches_widen(const struct moment *m, uint32_t x, struct reach *reaches)
{
    for (uint32_t y = 0; y < m->clock->n; y++) {
        uint32_t p = MIN(x, y), q = MAX(x, y);
        const struct corr_clock_part *part;
        struct corr_clock_bounds bounds;
        struct reach reach = {.from = x};
        int64_t t_p = 0;

        if (m->epoch[y] != CORR_NONE || corr_clock_pair(m->clock, x, y)->n == 0)
            continue;
        part = part_at(m, p, q, x == q, m->time_ns[x], m->epoch[x], &t_p);
        if (part == NULL)
            continue;
        bounds = corr_clock_bounds_at(part, t_p);
        reach.width = corr_clock_is_bounded(&bounds) ? bounds.greatest_ns - bounds.least_ns
                                                     : CORR_CLOCK_NO_LIMIT;
        reach.epoch = part->epoch[y == q];
        reach.time_ns = y == q ? t_p + corr_clock_middle(&bounds) : t_p;
        if (reaches[y].from == CORR_NONE || reach.width < reaches[y].width ||
            (reach.width == reaches[y].width && x < reaches[y].from))
            reaches[y] = reach;
    }
}

/* What all clocks show when the reference shows t: along the narrowest corridors (Prim). */
static void moment_spread(struct moment *m, uint32_t reference, int64_t t_ns, uint32_t epoch)
{
    uint32_t n = m->clock->n;
    g_autofree struct reach *reaches = g_new(struct reach, n);

    for (uint32_t p = 0; p < n; p++) {
        m->epoch[p] = CORR_NONE;
        reaches[p].from = CORR_NONE;
    }
    reaches[reference] = (struct reach){0, t_ns, epoch, reference};
    for (uint32_t best = reference; best != CORR_NONE;) {
        m->epoch[best] = reaches[best].epoch;
        m->time_ns[best] = reaches[best].time_ns;
        reaches_widen(m, best, reaches);
        best = CORR_NONE;
        for (uint32_t y = 0; y < n; y++)
            if (m->epoch[y] == CORR_NONE && reaches[y].from != CORR_NONE &&
                (best == CORR_NONE || reaches[y].width < reaches[best].width ||
                 (reaches[y].width == reaches[best].width && reaches[y].from < reaches[best].from)))
                best = y;
    }
}

static void moment_limits(struct moment *m)
{
    uint32_t n = m->clock->n;

    for (size_t i = 0; i < (size_t)n * n; i++)
        m->upper[i] = CORR_CLOCK_NO_LIMIT;
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t q = p + 1; q < n; q++) {
            const struct corr_clock_part *part;
            struct corr_clock_bounds bounds;
            int64_t unsure;

            if (m->epoch[p] == CORR_NONE || m->epoch[q] == CORR_NONE)
                continue;
            part = corr_clock_part_find(corr_clock_pair(m->clock, p, q), m->epoch[p], m->epoch[q]);
            if (part == NULL)
                continue;
            bounds = corr_clock_bounds_at(part, m->time_ns[p]);
            unsure = llabs(m->time_ns[q] - m->time_ns[p] - corr_clock_middle(&bounds));
            if (corr_clock_is_bounded(&bounds))
                unsure += bounds.greatest_ns - bounds.least_ns;
            unsure = (int64_t)((double)unsure * RUN_OFF) + 1;
            if (bounds.greatest_ns < CORR_CLOCK_NO_LIMIT)
                m->upper[p * n + q] = bounds.greatest_ns + unsure;
            if (bounds.least_ns > -CORR_CLOCK_NO_LIMIT)
                m->upper[q * n + p] = -bounds.least_ns + unsure;
        }
    for (uint32_t via = 0; via < n; via++)
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t q = 0; m->upper[p * n + via] < CORR_CLOCK_NO_LIMIT && q < n; q++)
                if (m->upper[via * n + q] < CORR_CLOCK_NO_LIMIT)
                    m->upper[p * n + q] =
                        MIN(m->upper[p * n + q], m->upper[p * n + via] + m->upper[via * n + q]);
}

static void moment_apply(struct moment *m)
{
    uint32_t n = m->clock->n;

    for (uint32_t p = 0; p < n; p++)
        for (uint32_t q = p + 1; q < n; q++) {
            struct corr_clock_pair *pair = corr_clock_pair(m->clock, p, q);
            int64_t up = m->upper[p * n + q], down = m->upper[q * n + p], t_ns = m->time_ns[p];
            struct corr_clock_part *part;

            /* Contradicting limits are the work of a step that nobody found. */
            if (m->epoch[p] == CORR_NONE || m->epoch[q] == CORR_NONE ||
                (up == CORR_CLOCK_NO_LIMIT && down == CORR_CLOCK_NO_LIMIT) ||
                (up < CORR_CLOCK_NO_LIMIT && down < CORR_CLOCK_NO_LIMIT && up + down < 0))
                continue;
            if (pair->parts == NULL)
                pair->parts = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_part));
            part = corr_clock_part_find(pair, m->epoch[p], m->epoch[q]);
            if (part == NULL) {
                struct corr_clock_part made = {
                    .epoch = {m->epoch[p], m->epoch[q]}, .from_ns = t_ns, .to_ns = t_ns};

                corr_corridor_init(&made.corridor, t_ns, up < CORR_CLOCK_NO_LIMIT ? up : -down);
                g_array_append_val(pair->parts, made);
                part = corr_clock_part(pair, pair->parts->len - 1);
            }
            if (pair->n == 0) {
                part->from_ns = MIN(part->from_ns, t_ns);
                part->to_ns = MAX(part->to_ns, t_ns);
            }
            if (up < CORR_CLOCK_NO_LIMIT)
                corr_corridor_limit(&part->corridor, t_ns, up - part->bend_ns, true);
            if (down < CORR_CLOCK_NO_LIMIT)
                corr_corridor_limit(&part->corridor, t_ns, part->bend_ns - down, false);
        }
}

void corr_clock_join(struct corr_clock *clock, const struct corr_store *store, uint32_t reference)
{
    struct moment m = {.clock = clock};
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    uint64_t sums = (uint64_t)clock->n * clock->n * clock->n;
    uint32_t moments = (uint32_t)CLAMP(COST_MAX / MAX(sums, 1), 4, MOMENTS);

    if (clock->n < 3 || clock->n > POINTS_MAX)
        return;
    for (uint32_t i = 0; i < store->obs->len; i++)
        if (clock->rank[corr_store_obs(store, i)->point] == reference)
            g_array_append_val(seen, i);
    if (seen->len < 2)
        return;
    m.time_ns = g_new0(int64_t, clock->n);
    m.epoch = g_new(uint32_t, clock->n);
    m.upper = g_new(int64_t, (size_t)clock->n * clock->n);
    for (uint32_t i = 0; i < moments; i++) {
        uint64_t index = (uint64_t)(seen->len - 1) * i / (moments - 1);
        uint32_t obs = g_array_index(seen, uint32_t, index);
        bool inside;
        uint32_t epoch = corr_clock_epoch(clock, reference, obs, &inside);

        if (inside)
            continue;
        moment_spread(&m, reference, corr_store_obs(store, obs)->time_ns, epoch);
        moment_limits(&m);
        moment_apply(&m);
    }
    g_free(m.time_ns);
    g_free(m.epoch);
    g_free(m.upper);
}
