/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From packets to clocks: samples, corridors, steps, joint bounds, the reference. */
#include "path/clock.h"

#include <stdlib.h>

#include "match/learn.h"
#include "path/clock-int.h"
#include "path/order.h"
#include "store/sort.h"

/* Times that are multiples of more than this may be so by chance. */
#define FINE_NS INT64_C(1000)
/* Sightings of a packet that are compared pair by pair; beyond, neighbours on the path only. */
#define ALL_PAIRS 8u
/* Each round explains changes that the rounds before left; a clock set more often is none. */
#define ROUNDS 12u
/* More steps than this make no difference when a reference is chosen. */
#define STEPS_MAX 255u

static void sample_add(const struct corr_store *store, struct corr_clock *clock, uint32_t from,
                       uint32_t to)
{
    const struct corr_obs *a = corr_store_obs(store, from), *b = corr_store_obs(store, to);
    uint32_t rank[2] = {clock->rank[a->point], clock->rank[b->point]};
    bool upper = rank[0] < rank[1];
    const struct corr_obs *p = upper ? a : b, *q = upper ? b : a;
    struct corr_clock_sample sample = {
        p->time_ns, q->time_ns - p->time_ns, {upper ? from : to, upper ? to : from}, upper};
    struct corr_clock_pair *pair;

    if (a->point == b->point)
        return;
    pair = corr_clock_pair(clock, rank[0], rank[1]);
    if (pair->samples == NULL)
        pair->samples = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_sample));
    g_array_append_val(pair->samples, sample);
}

/* A sighting of one packet, and how many of its others are known to precede it on the way. */
struct stop {
    uint32_t obs, before;
};

static int stop_compare(const void *x, const void *y)
{
    const struct stop *a = x, *b = y;

    if (a->before != b->before)
        return a->before < b->before ? -1 : 1;
    return a->obs < b->obs ? -1 : a->obs > b->obs;
}

static int way_compare(const struct corr_result *result, const struct corr_packet *packet,
                       const struct stop *a, const struct stop *b)
{
    return corr_order_compare(result, packet->flow, packet->dir, result->obs_conv[a->obs],
                              result->obs_conv[b->obs]);
}

/*
 * Brings a packet's sightings into an order that its way agrees with.  They come by their
 * recorded times: where clocks are seconds apart, neighbours in time are no neighbours on
 * the way, and a chain of those would leave most points without any.
 */
static void way_sort(const struct corr_result *result, const struct corr_packet *packet,
                     struct stop *stops, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++) {
            int order = way_compare(result, packet, &stops[i], &stops[k]);

            stops[k].before += order < 0;
            stops[i].before += order > 0;
        }
    qsort(stops, n, sizeof *stops, stop_compare);
}

/* From each sighting to the next that is known to follow, and from the last known to precede. */
static void neighbours_sample(struct corr_work *work, struct corr_clock *clock,
                              const struct corr_packet *packet, struct stop *stops, uint32_t n)
{
    g_autofree uint32_t *next = g_new(uint32_t, n);

    way_sort(work->result, packet, stops, n);
    for (uint32_t i = 0; i < n; i++) {
        next[i] = i + 1;
        while (next[i] < n && way_compare(work->result, packet, &stops[i], &stops[next[i]]) >= 0)
            next[i]++;
        if (next[i] < n)
            sample_add(work->store, clock, stops[i].obs, stops[next[i]].obs);
    }
    for (uint32_t k = 1; k < n; k++) {
        uint32_t i = k;

        while (i > 0 && way_compare(work->result, packet, &stops[i - 1], &stops[k]) >= 0)
            i--;
        if (i > 0 && next[i - 1] != k)
            sample_add(work->store, clock, stops[i - 1].obs, stops[k].obs);
    }
}

static void pairs_sample(struct corr_work *work, struct corr_clock *clock,
                         const struct corr_packet *packet, const struct stop *stops, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++) {
            int order = way_compare(work->result, packet, &stops[i], &stops[k]);

            if (order < 0)
                sample_add(work->store, clock, stops[i].obs, stops[k].obs);
            else if (order > 0)
                sample_add(work->store, clock, stops[k].obs, stops[i].obs);
        }
}

static void packet_sample(struct corr_work *work, struct corr_clock *clock,
                          const struct corr_packet *packet, GArray *stops)
{
    g_array_set_size(stops, 0);
    for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
        const struct corr_sighting *sighting = corr_result_sighting(work->result, i);
        struct stop stop = {.obs = sighting->obs};

        if (!sighting->duplicate)
            g_array_append_val(stops, stop);
    }
    if (stops->len <= ALL_PAIRS)
        pairs_sample(work, clock, packet, (struct stop *)stops->data, stops->len);
    else
        neighbours_sample(work, clock, packet, (struct stop *)stops->data, stops->len);
}

/* In the order of capture at p: whatever its clock does, that is the order of time. */
static bool sample_less(const struct corr_clock_sample *a, const struct corr_clock_sample *b)
{
    return a->at[0] != b->at[0] ? a->at[0] < b->at[0] : a->at[1] < b->at[1];
}

CORR_SORT_DEFINE(samples_sort, struct corr_clock_sample, sample_less)

/* What a point saw, and when: tells points apart whatever their names and their files. */
struct seen {
    uint32_t point, n;
    int64_t first_ns, last_ns;
};

static int seen_compare(const void *x, const void *y)
{
    const struct seen *a = x, *b = y;

    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    if (a->first_ns != b->first_ns)
        return a->first_ns < b->first_ns ? -1 : 1;
    if (a->last_ns != b->last_ns)
        return a->last_ns < b->last_ns ? -1 : 1;
    return a->point < b->point ? -1 : a->point > b->point;
}

static void points_rank(const struct corr_store *store, struct corr_clock *clock)
{
    g_autofree struct seen *seen = g_new0(struct seen, clock->n + 1);

    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);

        if (seen[obs->point].n++ == 0)
            seen[obs->point].first_ns = obs->time_ns;
        seen[obs->point].last_ns = obs->time_ns;
    }
    for (uint32_t i = 0; i < clock->n; i++)
        seen[i].point = i;
    qsort(seen, clock->n, sizeof *seen, seen_compare);
    for (uint32_t i = 0; i < clock->n; i++) {
        clock->point[i] = seen[i].point;
        clock->rank[seen[i].point] = i;
    }
}

/* What all times of each point tell: how fine they are, and from when to when they go. */
static void times_look(const struct corr_work *work, struct corr_clock *clock)
{
    for (uint32_t p = 0; p < clock->n; p++)
        clock->resolution_ns[p] = 1000000;
    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);

        int64_t *resolution_ns = &clock->resolution_ns[clock->rank[obs->point]];
        struct corr_clock_span *span = &clock->spans[obs->point];

        if (!span->seen)
            *span = (struct corr_clock_span){obs->time_ns, 0, obs->time_ns, obs->time_ns, true};
        span->last_ns = obs->time_ns;
        span->least_ns = MIN(span->least_ns, obs->time_ns);
        span->greatest_ns = MAX(span->greatest_ns, obs->time_ns);

        while (obs->time_ns % *resolution_ns != 0)
            *resolution_ns /= 10;
    }
}

bool corr_clock_times(const struct corr_clock *clock, uint32_t point, int64_t *from_ns,
                      int64_t *to_ns)
{
    const struct corr_clock_span *span = &clock->spans[point];

    *from_ns = span->least_ns;
    *to_ns = span->greatest_ns;
    return span->seen;
}

int64_t corr_clock_resolution(const struct corr_clock *clock, uint32_t point)
{
    return MIN(clock->resolution_ns[clock->rank[point]], FINE_NS);
}

bool corr_clock_is_shared(const struct corr_clock *clock, uint32_t p, uint32_t q)
{
    return clock->host[clock->rank[p]] == clock->host[clock->rank[q]];
}

static void pairs_begin(struct corr_clock *clock)
{
    for (uint32_t p = 0; p < clock->n; p++)
        for (uint32_t q = p + 1; q < clock->n; q++) {
            struct corr_clock_pair *pair = corr_clock_pair(clock, p, q);
            int64_t fine =
                MIN(clock->resolution_ns[p], FINE_NS) + MIN(clock->resolution_ns[q], FINE_NS);
            int64_t coarse = clock->resolution_ns[p] + clock->resolution_ns[q];
            int64_t slacks[] = {fine, fine + CORR_CLOCK_SOFTWARE_NS,
                                coarse + CORR_CLOCK_SOFTWARE_NS};

            if (pair->samples == NULL)
                continue;
            pair->n = pair->samples->len;
            pair->parts = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_part));
            pair->dirty = true;
            samples_sort((struct corr_clock_sample *)pair->samples->data, pair->n);
            pair->slack_ns = corr_clock_slack(pair, slacks, coarse > fine ? 3 : 2);
        }
}

static void pairs_fit(struct corr_clock *clock, const struct corr_store *store)
{
    g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_event));

    for (unsigned round = 0; round < ROUNDS; round++) {
        g_array_set_size(events, 0);
        for (uint32_t p = 0; p < clock->n; p++)
            for (uint32_t q = p + 1; q < clock->n; q++)
                if (corr_clock_pair(clock, p, q)->samples != NULL &&
                    corr_clock_pair(clock, p, q)->dirty)
                    corr_clock_pair_fit(clock, p, q, events);
        if (events->len == 0 || !corr_clock_steps_add(clock, store, events))
            break;
    }
}

/* Half width of the corridors in their middle, along the best way. */
static int64_t *costs_find(const struct corr_clock *clock)
{
    uint32_t n = clock->n;
    int64_t *cost = g_new(int64_t, (size_t)n * n + 1);

    for (size_t i = 0; i < (size_t)n * n; i++)
        cost[i] = CORR_CLOCK_NO_LIMIT;
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t q = p + 1; q < n; q++) {
            const struct corr_clock_pair *pair = corr_clock_pair(clock, p, q);

            for (uint32_t i = 0; pair->parts != NULL && i < pair->parts->len; i++) {
                const struct corr_clock_part *part = corr_clock_part(pair, i);
                struct corr_clock_bounds bounds =
                    corr_clock_bounds_at(part, part->from_ns + (part->to_ns - part->from_ns) / 2);

                if (corr_clock_is_bounded(&bounds))
                    cost[p * n + q] = cost[q * n + p] =
                        MIN(cost[p * n + q], (bounds.greatest_ns - bounds.least_ns) / 2 + 1);
            }
        }
    for (uint32_t v = 0; v < n; v++)
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t q = 0; p != v && q < n; q++)
                if (q != p)
                    cost[p * n + q] = MIN(cost[p * n + q], cost[p * n + v] + cost[v * n + q]);
    return cost;
}

/*
 * The point that most others can be compared with, best one whose clock was never set, and
 * of those the one that knows the others best; where nothing compares, that shares packets
 * with most; else the first that has frames.
 */
static uint32_t reference_choose(const struct corr_store *store, const struct corr_clock *clock)
{
    g_autofree int64_t *costs = costs_find(clock);
    uint32_t best = 0;
    uint64_t best_score = 0;
    int64_t best_cost = 0;

    for (uint32_t p = 0; p < clock->n; p++) {
        uint64_t score = corr_store_point(store, clock->point[p])->frames > 0;
        int64_t cost = 0;

        for (uint32_t q = 0; q < clock->n; q++) {
            bool known = p != q && costs[p * clock->n + q] < CORR_CLOCK_NO_LIMIT;

            score += (uint64_t)known << 40;
            score += (uint64_t)(p != q && corr_clock_pair(clock, p, q)->n > 0) << 8;
            cost += known ? costs[p * clock->n + q] : 0;
        }
        score += (uint64_t)(STEPS_MAX - MIN(clock->steps[p]->len, STEPS_MAX)) << 28;
        if (score > best_score || (score == best_score && cost < best_cost)) {
            best = p;
            best_score = score;
            best_cost = cost;
        }
    }
    return best;
}

void corr_clock_fit(struct corr_work *work)
{
    struct corr_result *result = work->result;
    struct corr_clock *clock = g_new0(struct corr_clock, 1);
    size_t squared = (size_t)work->store->points->len * work->store->points->len;
    g_autoptr(GArray) stops = g_array_new(FALSE, FALSE, sizeof(struct stop));
    uint32_t reference;

    clock->n = work->store->points->len;
    clock->rank = g_new0(uint32_t, clock->n + 1);
    clock->point = g_new0(uint32_t, clock->n + 1);
    points_rank(work->store, clock);
    clock->pairs = g_new0(struct corr_clock_pair, squared + 1);
    clock->steps = g_new0(GArray *, clock->n + 1);
    clock->spans = g_new0(struct corr_clock_span, clock->n + 1);
    clock->resolution_ns = g_new(int64_t, clock->n + 1);
    clock->host = g_new(uint32_t, clock->n + 1);
    for (uint32_t p = 0; p < clock->n; p++)
        clock->steps[p] = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_step));
    times_look(work, clock);
    for (uint32_t p = 0; p < result->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(result, p);

        /* What fans out or stays on its link says nothing of two hosts' clocks. */
        if (packet->n > 1 && !packet->ambiguous && packet->flow != CORR_NONE &&
            !corr_conv_scoped(corr_result_conv(
                result, result->obs_conv[corr_result_sighting(result, packet->first)->obs])))
            packet_sample(work, clock, packet, stops);
    }
    pairs_begin(clock);
    pairs_fit(clock, work->store);
    corr_clock_free(result->clock);
    result->clock = clock;
    reference = reference_choose(work->store, clock);
    result->clock_reference = clock->n > 0 ? clock->point[reference] : 0;
    corr_clock_join(clock, work->store, reference);
    corr_clock_hosts_find(clock);
    for (size_t i = 0; i < squared; i++) {
        if (clock->pairs[i].samples != NULL)
            g_array_unref(clock->pairs[i].samples);
        clock->pairs[i].samples = NULL;
    }
}

void corr_clock_free(struct corr_clock *clock)
{
    if (clock == NULL)
        return;
    for (size_t i = 0; i < (size_t)clock->n * clock->n; i++)
        if (clock->pairs[i].parts != NULL)
            g_array_unref(clock->pairs[i].parts);
    for (uint32_t p = 0; p < clock->n; p++)
        g_array_unref(clock->steps[p]);
    g_free(clock->steps);
    g_free(clock->rank);
    g_free(clock->point);
    g_free(clock->pairs);
    g_free(clock->resolution_ns);
    g_free(clock->spans);
    g_free(clock->host);
    g_free(clock);
}
