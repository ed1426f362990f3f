/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which point's clock was set?  The one that explains what most pairs show. */
#include <stdlib.h>
#include <string.h>

#include "path/clock-int.h"

static int64_t shift_at(const struct corr_clock_event *event, uint32_t point)
{
    return event->q == point ? event->shift_ns : -event->shift_ns;
}

static unsigned end_of(const struct corr_clock_event *event, uint32_t point)
{
    return event->q == point;
}

/* Narrows the zone of a step at a point to what an event leaves; false: another moment. */
static bool zone_narrow(struct corr_clock_step *zone, const struct corr_clock_event *event,
                        uint32_t point)
{
    unsigned end = end_of(event, point);
    uint32_t last = MAX(zone->last, event->last[end]), first = MIN(zone->first, event->first[end]);

    if (last >= first)
        return false;
    *zone = (struct corr_clock_step){last, first};
    return true;
}

/* Steps of both points before a sample. */
static void epochs_of(const struct corr_clock *clock, uint32_t p, uint32_t q,
                      const struct corr_clock_sample *sample, uint32_t epoch[2])
{
    bool inside;

    epoch[0] = corr_clock_epoch(clock, p, sample->at[0], &inside);
    epoch[1] = corr_clock_epoch(clock, q, sample->at[1], &inside);
}

/*
 * What lacks for one straight line before and after a zone of `point`, in what it and another
 * point saw; false: they share no packets on one of its sides.
 */
static bool misfit_over(const struct corr_clock *clock, uint32_t point, uint32_t other,
                        const struct corr_clock_step *zone, int64_t *misfit_ns)
{
    const struct corr_clock_pair *pair = corr_clock_pair(clock, point, other);
    uint32_t p = MIN(point, other), q = MAX(point, other), n[2] = {0, 0};
    unsigned end = point == q;
    g_autofree struct corr_clock_sample **sides = NULL;
    struct corr_clock_sample *samples;
    uint32_t epoch[2][2];

    if (pair->samples == NULL)
        return false;
    samples = (struct corr_clock_sample *)pair->samples->data;
    /* In damaged captures a zone may end before it begins: samples count on both sides. */
    sides = g_new(struct corr_clock_sample *, 2 * (gsize)pair->n + 1);
    /* Away from the zone, up to the next step on each side. */
    for (uint32_t i = pair->n; i-- > 0;) {
        uint32_t now[2];

        if (samples[i].at[end] > zone->last)
            continue;
        epochs_of(clock, p, q, &samples[i], now);
        if (n[0] == 0)
            memcpy(epoch[0], now, sizeof now);
        if (memcmp(epoch[0], now, sizeof now) != 0)
            break;
        sides[pair->n - 1 - n[0]++] = &samples[i];
    }
    memmove(sides, &sides[pair->n - n[0]], n[0] * sizeof *sides);
    for (uint32_t i = 0; i < pair->n; i++) {
        uint32_t now[2];

        if (samples[i].at[end] < zone->first)
            continue;
        epochs_of(clock, p, q, &samples[i], now);
        if (n[1] == 0)
            memcpy(epoch[1], now, sizeof now);
        if (memcmp(epoch[1], now, sizeof now) != 0)
            break;
        sides[n[0] + n[1]++] = &samples[i];
    }
    if (n[0] == 0 || n[1] == 0)
        return false;
    *misfit_ns = corr_clock_misfit(sides, n[0] + n[1], pair->slack_ns);
    return true;
}

/* The change that an event shows is this point's: others see it there, and not at its peer. */
static int others_see(const struct corr_clock *clock, const struct corr_clock_event *event,
                      uint32_t point)
{
    uint32_t peer = event->p == point ? event->q : event->p;
    int score = 0;

    for (uint32_t x = 0; x < clock->n; x++) {
        struct corr_clock_step zone[2];
        int64_t misfit_ns[2];
        bool seen[2];

        if (x == point || x == peer)
            continue;
        for (unsigned k = 0; k < 2; k++) {
            uint32_t whose = k == 0 ? point : peer;

            zone[k] = (struct corr_clock_step){event->last[end_of(event, whose)],
                                               event->first[end_of(event, whose)]};
            seen[k] = misfit_over(clock, whose, x, &zone[k], &misfit_ns[k]) &&
                      misfit_ns[k] > llabs(event->shift_ns) / 2;
        }
        score += (int)seen[0] - (int)seen[1];
    }
    return score;
}

/* Takes along the other events that a step of this point explains, at about the same time. */
static int explain(const struct corr_clock *clock, const GArray *events, const bool *done,
                   uint32_t which, uint32_t point, struct corr_clock_step *zone, bool *taken)
{
    const struct corr_clock_event *main = &g_array_index(events, struct corr_clock_event, which);
    unsigned end = end_of(main, point);
    int64_t want = shift_at(main, point);

    *zone = (struct corr_clock_step){main->last[end], main->first[end]};
    for (uint32_t i = 0; i < events->len; i++) {
        const struct corr_clock_event *event = &g_array_index(events, struct corr_clock_event, i);

        taken[i] = i == which ||
                   (!done[i] && (event->p == point || event->q == point) &&
                    (shift_at(event, point) < 0) == (want < 0) && zone_narrow(zone, event, point));
    }
    return others_see(clock, main, point);
}

bool corr_clock_is_set(const struct corr_result *r, uint32_t point, int64_t from_ns, int64_t to_ns)
{
    const GArray *steps = r->clock == NULL ? NULL : r->clock->steps[r->clock->rank[point]];

    for (guint i = 0; steps != NULL && i < steps->len; i++) {
        const struct corr_clock_step *step = &g_array_index(steps, struct corr_clock_step, i);
        int64_t last_ns = corr_store_obs(r->store, step->last)->time_ns;
        int64_t first_ns = corr_store_obs(r->store, step->first)->time_ns;

        if (MIN(last_ns, first_ns) <= to_ns && MAX(last_ns, first_ns) >= from_ns)
            return true;
    }
    return false;
}

static void point_dirty(const struct corr_clock *clock, uint32_t point)
{
    for (uint32_t x = 0; x < clock->n; x++)
        corr_clock_pair(clock, point, x)->dirty |= x != point;
}

/* Keeps steps in order; one that touches another is none of its own. */
static bool step_insert(struct corr_clock *clock, uint32_t point, struct corr_clock_step zone)
{
    GArray *steps = clock->steps[point];
    guint at = 0;

    for (; at < steps->len; at++) {
        const struct corr_clock_step *step = &g_array_index(steps, struct corr_clock_step, at);

        if (zone.first <= step->last)
            break;
        if (zone.last < step->first)
            return false;
    }
    g_array_insert_val(steps, at, zone);
    point_dirty(clock, point);
    return true;
}

static unsigned pairs_of(const struct corr_clock *clock, uint32_t point)
{
    unsigned n = 0;

    for (uint32_t x = 0; x < clock->n; x++)
        n += x != point && corr_clock_pair(clock, point, x)->n > 0;
    return n;
}

/* Its times go back over the change: then it is this clock that was set. */
static bool went_back(const struct corr_store *store, const struct corr_clock_event *event,
                      unsigned end)
{
    return corr_store_obs(store, event->first[end])->time_ns <
           corr_store_obs(store, event->last[end])->time_ns - CORR_CLOCK_SOFTWARE_NS;
}

bool corr_clock_steps_add(struct corr_clock *clock, const struct corr_store *store, GArray *events)
{
    g_autofree bool *done = g_new0(bool, events->len + 1);
    g_autofree bool *taken_all = g_new0(bool, 2 * (events->len + 1));
    bool *taken[2] = {taken_all, taken_all + events->len + 1};
    bool added = false;

    for (;;) {
        uint32_t best = CORR_NONE, size = 0;
        struct corr_clock_step zone[2];
        const struct corr_clock_event *event;
        int score[2];
        unsigned choice;

        /* The sharpest view first: fewest packets between before and after. */
        for (uint32_t i = 0; i < events->len; i++) {
            const struct corr_clock_event *e = &g_array_index(events, struct corr_clock_event, i);

            if (!done[i] && (best == CORR_NONE || e->first[0] - e->last[0] < size)) {
                best = i;
                size = e->first[0] - e->last[0];
            }
        }
        if (best == CORR_NONE)
            break;
        event = &g_array_index(events, struct corr_clock_event, best);
        for (unsigned end = 0; end < 2; end++)
            score[end] = explain(clock, events, done, best, end ? event->q : event->p, &zone[end],
                                 taken[end]) +
                         (went_back(store, event, end) ? (int)clock->n : 0);
        /* Where nothing tells, the point that fewer others depend on. */
        choice = score[0] != score[1] ? score[1] > score[0]
                                      : pairs_of(clock, event->q) <= pairs_of(clock, event->p);
        for (uint32_t i = 0; i < events->len; i++)
            done[i] |= taken[choice][i];
        done[best] = true;
        added |= step_insert(clock, choice ? event->q : event->p, zone[choice]);
    }
    return added;
}
