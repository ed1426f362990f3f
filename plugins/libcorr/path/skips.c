/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet went past a point on its flow's way, and the point did not show it.  Did its
 * capture miss the packet, or did the packet take another way, which nobody captured?
 * Where packets are spread over several links, half of them pass by.  Another way shows in
 * what it costs: other routers, another delay, or turns that are too regular for chance.
 */
#include <math.h>
#include <stdlib.h>

#include "path/order.h"
#include "path/verdict.h"
#include "store/hash.h"
#include "store/sort.h"

/* Packets that passed the point, and that passed by, before anything is said. */
#define SOME 8u
/* A share that means nearly all. */
#define NEARLY 0.9
/* The delay of those that passed by differs by more than so many times what neighbours differ by,
 * and by more than this. */
#define DELAY_NOISE 3
#define DELAY_NS INT64_C(2000)
/* A capture misses packets in a row, where it does so because it is busy; another way takes turns.
 */
#define TURNS 4u
/* Turns are too regular by so many standard deviations. */
#define REGULAR 3.0

/* One packet on its way from a to b, past x or by it. */
struct event {
    uint32_t triple; /* index of (a, x, b) */
    uint32_t flow_dir;
    int64_t t_ns, d_ns; /* at a; how much later at b */
    uint8_t ttl;        /* how much less at b */
    bool by;            /* x did not show it */
};

static bool by_time(const struct event *a, const struct event *b)
{
    if (a->triple != b->triple)
        return a->triple < b->triple;
    return a->t_ns != b->t_ns ? a->t_ns < b->t_ns : a->flow_dir < b->flow_dir;
}

CORR_SORT_DEFINE(time_sort, struct event, by_time)

static bool by_flow(const struct event *a, const struct event *b)
{
    return a->flow_dir < b->flow_dir;
}

CORR_SORT_DEFINE(flow_sort, struct event, by_flow)

static gpointer triple_key(uint32_t a, uint32_t x, uint32_t b)
{
    return GSIZE_TO_POINTER(corr_hash_mix(corr_hash_mix(a + 1, x), b));
}

/* The triple's index, from 1; 0 if it is not known. */
static uint32_t triple_find(const struct corr_judge *j, uint32_t a, uint32_t x, uint32_t b)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(j->triples, triple_key(a, x, b)));
}

static struct event event_of(const struct corr_packet *packet, const struct corr_obs *a,
                             const struct corr_obs *b)
{
    return (struct event){.flow_dir = packet->flow * 2 + packet->dir,
                          .t_ns = a->time_ns,
                          .d_ns = b->time_ns - a->time_ns,
                          .ttl = (uint8_t)(a->ttl - b->ttl)};
}

/* Of points that a packet may have passed between two sightings, those that it cannot both
 * have passed: which of them it was, nobody knows. */
static void rivals_drop(const struct corr_judge *j, const struct corr_packet *packet, guint first)
{
    for (guint i = first; i < j->skips->len; i++)
        for (guint k = i + 1; k < j->skips->len; k++) {
            struct corr_skip *x = &g_array_index(j->skips, struct corr_skip, i);
            struct corr_skip *y = &g_array_index(j->skips, struct corr_skip, k);

            if (x->conv != y->conv &&
                corr_order_compare(j->result, packet->flow, packet->dir, x->conv, y->conv) == 0)
                x->rival = y->rival = true;
        }
}

/* Stations that lie between two sightings of a packet, on its flow's way, and did not show it. */
static void skips_between(struct corr_judge *j, uint32_t index, const struct corr_sighting *to,
                          GArray *events)
{
    const struct corr_packet *packet = corr_result_packet(j->result, index);
    const struct corr_flow *flow = corr_result_flow(j->result, packet->flow);
    uint32_t prev = corr_result_sighting(j->result, to->prev)->obs;
    const struct corr_obs *from = corr_store_obs(j->work->store, prev);
    const struct corr_obs *at = corr_result_obs(j->result, to);
    uint32_t a = j->result->obs_conv[prev], b = j->result->obs_conv[to->obs];
    guint first = j->skips->len;

    for (uint32_t m = 0; m < flow->convs->len; m++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);
        uint32_t x = member->conv, point = corr_result_conv(j->result, x)->point;
        struct corr_skip skip = {.packet = index, .conv = x, .from = from->point, .point = point};
        struct event event;

        if (point == from->point || point == at->point ||
            corr_order_compare(j->result, packet->flow, packet->dir, a, x) >= 0 ||
            corr_order_compare(j->result, packet->flow, packet->dir, x, b) >= 0 ||
            j->expect->way[x][packet->dir ^ member->flip].passed == 0 ||
            corr_verdict_gap(j, from->point, point, from->time_ns) != NULL)
            continue;
        skip.t_ns = from->time_ns;
        skip.triple = triple_find(j, from->point, point, at->point);
        if (skip.triple == 0) {
            skip.triple = g_hash_table_size(j->triples) + 1;
            g_hash_table_insert(j->triples, triple_key(from->point, point, at->point),
                                GUINT_TO_POINTER(skip.triple));
        }
        event = event_of(packet, from, at);
        event.triple = skip.triple;
        event.by = true;
        g_array_append_val(j->skips, skip);
        g_array_append_val(events, event);
    }
    rivals_drop(j, packet, first);
}

/* Packets that the points of known triples did show. */
static void passes_collect(const struct corr_judge *j, GArray *events)
{
    for (uint32_t i = 0; i < j->result->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(j->result, i), *x;
        const struct corr_obs *a, *b;
        struct event event;

        if (s->prev == CORR_NONE || s->duplicate)
            continue;
        x = corr_result_sighting(j->result, s->prev);
        if (x->prev == CORR_NONE)
            continue;
        a = corr_result_obs(j->result, corr_result_sighting(j->result, x->prev));
        b = corr_result_obs(j->result, s);
        event = event_of(corr_result_packet(j->result, s->packet), a, b);
        event.triple = triple_find(j, a->point, corr_result_obs(j->result, x)->point, b->point);
        if (event.triple != 0)
            g_array_append_val(events, event);
    }
}

/* The TTL that nearly all of one kind lose; -1 if they differ. */
static int ttl_of(const struct event *events, uint32_t n, bool by)
{
    uint32_t count[256] = {0}, all = 0, best = 0;

    for (uint32_t i = 0; i < n; i++)
        if (events[i].by == by) {
            count[events[i].ttl]++;
            all++;
        }
    for (uint32_t t = 1; t < 256; t++)
        best = count[t] > count[best] ? t : best;
    return count[best] >= NEARLY * all ? (int)best : -1;
}

static int compare_ns(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

static int64_t median(int64_t *values, uint32_t n)
{
    qsort(values, n, sizeof *values, compare_ns);
    return values[n / 2];
}

/* Each that passed by against the nearest before it that passed: clocks may drift. */
static bool delay_differs(const struct event *events, uint32_t n)
{
    g_autofree int64_t *other = g_new(int64_t, n), *noise = g_new(int64_t, n);
    uint32_t n_other = 0, n_noise = 0, more = 0, less = 0;
    const struct event *last = NULL;
    int64_t typical;

    for (uint32_t i = 0; i < n; i++) {
        if (last != NULL) {
            int64_t diff = events[i].d_ns - last->d_ns;

            if (!events[i].by) {
                noise[n_noise++] = llabs(diff);
            } else {
                more += diff > 0;
                less += diff < 0;
                other[n_other++] = llabs(diff);
            }
        }
        if (!events[i].by)
            last = &events[i];
    }
    if (n_other < SOME || n_noise < SOME)
        return false;
    typical = median(noise, n_noise);
    return MAX(more, less) >= NEARLY * n_other &&
           median(other, n_other) > MAX(DELAY_NS, DELAY_NOISE * typical);
}

bool corr_skips_regular(uint32_t turns, uint32_t chances, double share, double deviations)
{
    double turn = 2 * share * (1 - share);

    /* The standard deviation of the number of runs (Wald and Wolfowitz). */
    return turns - chances * turn > deviations * turn * sqrt((double)chances) && chances >= SOME;
}

/* Turns between both kinds: how many, and of how many that chance would let be so. */
static bool too_regular(struct event *events, uint32_t n, uint32_t n_by)
{
    uint32_t turns = 0, chances = 0;
    double share = (double)n_by / n;

    flow_sort(events, n);
    for (uint32_t i = 1; i < n; i++)
        if (events[i].flow_dir == events[i - 1].flow_dir) {
            chances++;
            turns += events[i].by != events[i - 1].by;
        }
    return corr_skips_regular(turns, chances, share, REGULAR);
}

/* Events of one triple, by time. */
static bool is_bypass(struct event *events, uint32_t n)
{
    uint32_t n_by = 0, runs = 0;
    int ttl_by, ttl;

    for (uint32_t i = 0; i < n; i++) {
        n_by += events[i].by;
        runs += events[i].by && (i == 0 || !events[i - 1].by);
    }
    if (n_by < SOME || n - n_by < SOME)
        return false;
    ttl_by = ttl_of(events, n, true);
    ttl = ttl_of(events, n, false);
    if (ttl_by >= 0 && ttl >= 0 && ttl_by != ttl)
        return true;
    return (n_by < TURNS * runs && delay_differs(events, n)) || too_regular(events, n, n_by);
}

/*
 * Was the packet seen at every station of its flow?  Then it skipped none, and nobody need
 * look between all of its sightings.  `seen`: by local flow, the last packet + 1 there.
 */
static bool seen_everywhere(const struct corr_judge *j, uint32_t index, uint32_t *seen)
{
    const struct corr_packet *packet = corr_result_packet(j->result, index);
    uint32_t n = 0;

    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        uint32_t conv = j->result->obs_conv[corr_result_sighting(j->result, s)->obs];

        n += seen[conv] != index + 1 && j->result->conv_flow[conv] == packet->flow;
        seen[conv] = index + 1;
    }
    return n == corr_result_flow(j->result, packet->flow)->convs->len;
}

void corr_skips_find(struct corr_judge *j)
{
    g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(struct event));
    g_autofree uint32_t *seen = g_new0(uint32_t, j->result->n_convs + 1);

    j->skips = g_array_new(FALSE, FALSE, sizeof(struct corr_skip));
    j->triples = g_hash_table_new(NULL, NULL);
    for (uint32_t p = 0; p < j->result->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(j->result, p);

        if (packet->flow == CORR_NONE || !packet->ordered || packet->ambiguous ||
            corr_result_flow(j->result, packet->flow)->convs->len <= 2 ||
            seen_everywhere(j, p, seen))
            continue;
        for (uint32_t i = packet->first; i < packet->first + packet->n; i++)
            if (corr_result_sighting(j->result, i)->prev != CORR_NONE)
                skips_between(j, p, corr_result_sighting(j->result, i), events);
    }
    j->bypass = g_new0(bool, g_hash_table_size(j->triples) + 1);
    if (events->len == 0)
        return;
    passes_collect(j, events);
    time_sort((struct event *)(void *)events->data, events->len);
    for (uint32_t i = 0, end; i < events->len; i = end) {
        struct event *first = &g_array_index(events, struct event, i);

        for (end = i;
             end < events->len && g_array_index(events, struct event, end).triple == first->triple;)
            end++;
        j->bypass[first->triple] = is_bypass(first, end - i);
    }
}

bool corr_skips_bypass(const struct corr_judge *j, uint32_t a, uint32_t x, uint32_t b)
{
    return j->bypass[triple_find(j, a, x, b)];
}
