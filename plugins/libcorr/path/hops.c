/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order within a packet, and the time that each step took. */
#include "path/hops.h"

#include <stdlib.h>
#include <string.h>

#include "match/learn.h"
#include "path/clock.h"
#include "path/order.h"

/* Sightings of one packet that are put in order; more than any path has. */
#define SIGHTINGS_MAX 512u

struct place {
    struct corr_sighting s;
    uint32_t index;         /* before sorting */
    uint32_t before, after; /* how many others are known to precede, to follow */
    uint32_t original;      /* duplicates: place of their original */
};

/* -1: a first, 1: b first, 0: not known. */
static int compare(const struct corr_work *work, const struct corr_packet *packet,
                   const struct place *a, const struct place *b)
{
    const struct corr_obs *x = corr_store_obs(work->store, a->s.obs);
    const struct corr_obs *y = corr_store_obs(work->store, b->s.obs);
    uint32_t conv_x = work->result->obs_conv[a->s.obs], conv_y = work->result->obs_conv[b->s.obs];

    /* Later fragments are ordered as the first one is: by their points' members of the flow. */
    if (work->head[a->s.obs] != CORR_NONE)
        conv_x = work->result->obs_conv[work->head[a->s.obs]];
    if (work->head[b->s.obs] != CORR_NONE)
        conv_y = work->result->obs_conv[work->head[b->s.obs]];
    if (conv_x == conv_y) /* one station, two passes: a loop or a routed mirror */
        return x->ttl > y->ttl ? -1 : x->ttl < y->ttl ? 1 : 0;
    return corr_order_compare(work->result, packet->flow, packet->dir, conv_x, conv_y);
}

static void order_count(const struct corr_work *work, const struct corr_packet *packet,
                        struct place *places, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++) {
            int order;

            if (places[i].s.duplicate || places[k].s.duplicate)
                continue;
            order = compare(work, packet, &places[i], &places[k]);
            if (order < 0) {
                places[i].after++;
                places[k].before++;
            } else if (order > 0) {
                places[k].after++;
                places[i].before++;
            }
        }
}

/* Duplicates stand behind their original; of them, the earlier frame first. */
static int place_compare(const void *x, const void *y)
{
    const struct place *a = x, *b = y;

    if (a->before != b->before)
        return a->before < b->before ? -1 : 1;
    if (a->original != b->original)
        return a->original < b->original ? -1 : 1;
    if (a->s.duplicate != b->s.duplicate)
        return a->s.duplicate ? 1 : -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void copies_follow(struct place *places, uint32_t n)
{
    uint32_t original = CORR_NONE;

    for (uint32_t i = 0; i < n; i++) {
        if (places[i].s.duplicate && original != CORR_NONE) {
            places[i].before = places[original].before;
            places[i].original = places[original].original;
            places[i].s.hop = places[original].s.hop;
        } else {
            original = i;
        }
    }
}

static void fan_out(struct place *places, uint32_t n, struct corr_packet *packet)
{
    /* Branches: everything follows one root, and siblings stand side by side. */
    for (uint32_t i = 0; i < n; i++)
        places[i].s.hop = (uint16_t)(places[i].before + 1);
    packet->ordered = true;
}

/*
 * The nearest sighting that is known to come before: the highest hop below.  On a tree,
 * of the same branch; CORR_NONE if two branches could be it.
 */
static uint32_t nearest_before(const struct corr_work *work, const struct corr_packet *packet,
                               const struct place *places, uint32_t i, bool fanned)
{
    uint32_t found = CORR_NONE;

    if (places[i].s.duplicate || places[i].s.hop < 2)
        return CORR_NONE;
    for (uint32_t k = i; k-- > 0;) {
        if (places[k].s.duplicate || places[k].s.hop == 0 || places[k].s.hop >= places[i].s.hop)
            continue;
        if (!fanned)
            return packet->first + k;
        if (compare(work, packet, &places[k], &places[i]) >= 0)
            continue;
        if (found == CORR_NONE)
            found = k;
        else if (compare(work, packet, &places[k], &places[found]) >= 0)
            return CORR_NONE;
    }
    return found == CORR_NONE ? CORR_NONE : packet->first + found;
}

/*
 * Is it known of each sighting, as they stand, that it precedes the next one?  Where no
 * evidence contradicts, all is said then.
 */
static bool stands_in_order(const struct corr_work *work, const struct corr_packet *packet)
{
    const struct corr_result *result = work->result;
    uint32_t conv = CORR_NONE;

    if (!corr_order_is_sound(result, packet->flow, packet->dir))
        return false;
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        const struct corr_sighting *sighting = corr_result_sighting(result, s);
        uint32_t before = conv;

        conv = result->obs_conv[sighting->obs];
        if (sighting->duplicate || work->head[sighting->obs] != CORR_NONE ||
            (before != CORR_NONE &&
             corr_order_compare(result, packet->flow, packet->dir, before, conv) >= 0))
            return false;
    }
    return true;
}

static void packet_order(struct corr_work *work, struct corr_packet *packet, struct place *places,
                         uint32_t *moved)
{
    struct corr_result *result = work->result;
    uint32_t originals = 0, roots = 0, n = packet->n;
    struct corr_sighting *sightings =
        &g_array_index(result->sightings, struct corr_sighting, packet->first);
    bool fanned;

    if (stands_in_order(work, packet)) {
        packet->ordered = true;
        for (uint32_t i = 0; i < n; i++) {
            sightings[i].hop = (uint16_t)(i + 1);
            sightings[i].prev = i == 0 ? CORR_NONE : packet->first + i - 1;
            moved[i] = i;
        }
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        places[i] = (struct place){.s = sightings[i], .index = i, .original = i};
        places[i].s.hop = 0;
        places[i].s.prev = CORR_NONE;
        originals += !sightings[i].duplicate;
    }
    order_count(work, packet, places, n);
    packet->ordered = true;
    for (uint32_t i = 0; i < n; i++) {
        if (places[i].s.duplicate)
            continue;
        roots += places[i].before == 0;
        if (places[i].before + places[i].after == originals - 1)
            places[i].s.hop = (uint16_t)(places[i].before + 1);
        else
            packet->ordered = false;
    }
    fanned = !packet->ordered && roots == 1 &&
             corr_conv_scoped(corr_result_conv(result, result->obs_conv[sightings[0].obs]));
    if (fanned)
        fan_out(places, n, packet);
    copies_follow(places, n);
    qsort(places, n, sizeof *places, place_compare);
    for (uint32_t i = 0; i < n; i++) {
        moved[places[i].index] = i;
        sightings[i] = places[i].s;
    }
    for (uint32_t i = 1; i < n; i++)
        sightings[i].prev = nearest_before(work, packet, places, i, fanned);
}

void corr_hops_number(struct corr_work *work)
{
    struct corr_result *result = work->result;
    struct place *places = g_new(struct place, SIGHTINGS_MAX);
    uint32_t *moved = g_new(uint32_t, result->sightings->len + 1);

    for (uint32_t s = 0; s < result->sightings->len; s++)
        moved[s] = s;
    for (uint32_t p = 0; p < result->packets->len; p++) {
        struct corr_packet *packet = &g_array_index(result->packets, struct corr_packet, p);

        if (packet->n == 1) {
            packet->ordered = true;
            g_array_index(result->sightings, struct corr_sighting, packet->first).hop = 1;
        } else if (packet->n <= SIGHTINGS_MAX) {
            packet_order(work, packet, places, &moved[packet->first]);
            for (uint32_t i = 0; i < packet->n; i++)
                moved[packet->first + i] += packet->first;
        }
    }
    for (uint32_t i = 0; i < result->sightings->len; i++)
        result->obs_sightings[i] = moved[result->obs_sightings[i]];
    g_free(places);
    g_free(moved);
}

/*
 * The true delay is d - offset, within the bound, and not negative.  Where the
 * bound reaches below zero only the rest remains: its middle and half width.
 */
struct corr_latency corr_result_delay(const struct corr_result *result, uint32_t from, uint32_t to)
{
    int64_t d =
        corr_store_obs(result->store, to)->time_ns - corr_store_obs(result->store, from)->time_ns;
    int64_t least, greatest;
    struct corr_clock_answer clock = corr_result_correction(result, from, to);

    if (!corr_clock_has_offset(clock.status))
        return (struct corr_latency){0};
    greatest = d - clock.offset_ns + clock.error_ns;
    least = MAX(0, d - clock.offset_ns - clock.error_ns);
    if (greatest < least)
        return (struct corr_latency){0};
    return (struct corr_latency){true, least + (greatest - least) / 2, (greatest - least + 1) / 2};
}

struct corr_latency corr_result_latency(const struct corr_result *r, const struct corr_sighting *s)
{
    if (s->prev == CORR_NONE)
        return (struct corr_latency){0};
    if (r->latencies != NULL)
        return g_array_index(r->latencies, struct corr_latency, s - corr_result_sighting(r, 0));
    return corr_result_delay(r, corr_result_sighting(r, s->prev)->obs, s->obs);
}

struct corr_latency corr_result_path_latency(const struct corr_result *r,
                                             const struct corr_sighting *s)
{
    const struct corr_packet *packet = corr_result_packet(r, s->packet);

    if (s->prev == CORR_NONE || !packet->ordered)
        return (struct corr_latency){0};
    if (r->latencies != NULL)
        return corr_result_latency(r, s);
    return corr_result_delay(r, corr_result_sighting(r, packet->first)->obs, s->obs);
}
