/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where should a packet have gone on to, where packets of its flow went on to several
 * stations?  Three things look alike: the nearer one of two stations on one way missed some
 * (they lie behind each other); the way changed once (long runs); packets are spread over
 * several ways, packet by packet.  Only in the last case nobody can know.
 */
#include <stdlib.h>

#include "path/order.h"
#include "path/verdict.h"
#include "store/hash.h"

#define WAYS_MAX 8u
/* Changes of the way, one in so many, are still a way that changes now and then. */
#define SELDOM 100u
/* Others reached a point directly, this close before and after. */
#define DIRECT_NS INT64_C(1000000000)
/* So many packets on one way: the flow as a whole takes it, whatever others do. */
#define SETTLED 16u

/* The stations that packets of one station and direction went on to. */
struct ways {
    uint32_t to[WAYS_MAX], n[WAYS_MAX];
    uint8_t main[WAYS_MAX]; /* the way of which this is a part: its nearest station */
    unsigned count;
};

static unsigned ways_place(const struct ways *ways, uint32_t to)
{
    unsigned k = 0;

    while (k < ways->count && ways->to[k] != to)
        k++;
    return k;
}

static const struct corr_stand *stand_at(const struct corr_judge *j, uint32_t i)
{
    return &g_array_index(j->expect->stands, struct corr_stand, i);
}

static bool same_run(const struct corr_stand *a, const struct corr_stand *b)
{
    return a->conv == b->conv && a->dir == b->dir;
}

/* Are both on one way, the second one behind the first, which missed what went to it directly? */
static bool is_behind(const struct corr_judge *j, const struct corr_stand *from, uint32_t x,
                      uint32_t y)
{
    uint32_t flow = j->result->conv_flow[from->conv];
    unsigned dir = from->dir ^ j->result->conv_flip[from->conv];

    return corr_order_compare(j->result, flow, dir, x, y) < 0 &&
           !corr_skips_bypass(j, corr_result_conv(j->result, from->conv)->point,
                              corr_result_conv(j->result, x)->point,
                              corr_result_conv(j->result, y)->point);
}

static void ways_collect(const struct corr_judge *j, uint32_t first, struct ways *ways)
{
    const struct corr_stand *from = stand_at(j, first);

    ways->count = 0;
    for (uint32_t i = first; i < j->expect->stands->len && same_run(from, stand_at(j, i)); i++) {
        uint32_t to = stand_at(j, i)->to;
        unsigned k = ways_place(ways, to);

        if (to == CORR_NONE || to == from->conv || k == WAYS_MAX)
            continue;
        if (k == ways->count) {
            ways->to[k] = to;
            ways->n[k] = 0;
            ways->count++;
        }
        ways->n[k]++;
    }
    for (unsigned y = 0; y < ways->count; y++) {
        ways->main[y] = (uint8_t)y;
        for (unsigned x = 0; x < ways->count; x++)
            if (x != y && is_behind(j, from, ways->to[x], ways->to[y]) &&
                (ways->main[y] == y || ways->n[x] > ways->n[ways->main[y]]))
                ways->main[y] = (uint8_t)x;
    }
    /* What lies behind a station that lies behind another one. */
    for (unsigned y = 0; y < ways->count; y++)
        for (unsigned steps = 0; steps < WAYS_MAX && ways->main[ways->main[y]] != ways->main[y];
             steps++)
            ways->main[y] = ways->main[ways->main[y]];
}

static gpointer spread_key(const struct corr_judge *j, uint32_t conv, uint32_t to)
{
    return GSIZE_TO_POINTER(corr_hash_mix(corr_result_conv(j->result, conv)->point + 1,
                                          corr_result_conv(j->result, to)->point));
}

static void run_judge(struct corr_judge *j, uint32_t first)
{
    const struct corr_stand *from = stand_at(j, first);
    struct corr_fork *fork = &j->forks[from->conv][from->dir];
    uint32_t changes = 0, last = CORR_NONE, n = 0;
    struct ways ways;

    ways_collect(j, first, &ways);
    for (uint32_t i = first; i < j->expect->stands->len && same_run(from, stand_at(j, i)); i++) {
        uint32_t to = stand_at(j, i)->to;
        unsigned k = ways_place(&ways, to);

        if (to == CORR_NONE || k == ways.count)
            continue;
        to = ways.to[ways.main[k]];
        j->way_of[i] = to;
        fork->ways = last == CORR_NONE || to == last ? MAX(fork->ways, 1) : 2;
        changes += last != CORR_NONE && to != last;
        last = to;
        n++;
    }
    fork->passed = n;
    fork->spread = changes > 1 && changes * SELDOM > n;
    for (unsigned k = 0; fork->spread && k < ways.count; k++)
        g_hash_table_add(j->spread, spread_key(j, from->conv, ways.to[ways.main[k]]));
}

void corr_forks_find(struct corr_judge *j)
{
    uint32_t n = j->expect->stands->len;

    j->forks = g_malloc0(sizeof *j->forks * (j->result->n_convs + 1));
    j->way_of = g_new(uint32_t, n + 1);
    j->spread = g_hash_table_new(NULL, NULL);
    for (uint32_t i = 0; i < n; i++)
        j->way_of[i] = CORR_NONE;
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || !same_run(stand_at(j, i - 1), stand_at(j, i)))
            run_judge(j, i);
}

/*
 * A packet that none of its flow passed before: did all others take another way then, which nobody
 * takes any more since its flow began to pass?  Likewise the last of a flow, the other way round.
 */
static bool way_changed(const struct corr_judge *j, const struct corr_stand *s, uint32_t to)
{
    uint32_t p = corr_result_conv(j->result, s->conv)->point;
    uint32_t q = corr_result_conv(j->result, to)->point;
    uint32_t own = s->after != CORR_NONE ? s->after : s->before;
    int64_t t = corr_store_obs(j->work->store, s->obs)->time_ns;
    int64_t passed = corr_store_obs(j->work->store, stand_at(j, own)->obs)->time_ns;
    const struct corr_pass *mine[2], *other[2], *beyond[2];
    unsigned side = s->after != CORR_NONE ? 0 : 1; /* of t, away from its own flow */

    corr_expect_around(j->expect, p, q, t, &mine[0], &mine[1]);
    for (uint32_t x = 0; x < j->work->store->points->len; x++) {
        if (x == q)
            continue;
        corr_expect_around(j->expect, p, x, t, &other[0], &other[1]);
        corr_expect_around(j->expect, p, x, passed, &beyond[0], &beyond[1]);
        if (other[side] != NULL && beyond[!side] == NULL &&
            (mine[side] == NULL || llabs(other[side]->t_ns - t) < llabs(mine[side]->t_ns - t)))
            return true;
    }
    return false;
}

/* The station that the ways of its neighbours name; false where they differ. */
static bool way_of_neighbours(const struct corr_judge *j, uint32_t stand, uint32_t *to)
{
    const struct corr_stand *s = stand_at(j, stand);
    const struct corr_fork *fork = &j->forks[s->conv][s->dir];
    uint32_t before = s->before == CORR_NONE ? CORR_NONE : j->way_of[s->before];
    uint32_t after = s->after == CORR_NONE ? CORR_NONE : j->way_of[s->after];
    struct corr_way_on way = j->expect->way[s->conv][s->dir];

    *to = way.to;
    if (way.to == CORR_NONE || way.to == s->conv || fork->ways == 0)
        return true; /* nothing passes, or it comes back: others decide */
    if (fork->spread)
        return false;
    if (before != CORR_NONE && after != CORR_NONE && before != after)
        return false;
    *to = before != CORR_NONE ? before : after != CORR_NONE ? after : way.to;
    if ((before == CORR_NONE) != (after == CORR_NONE) && way_changed(j, s, *to))
        return false;
    return fork->passed >= SETTLED ||
           !g_hash_table_contains(j->spread, spread_key(j, s->conv, *to));
}

/* The station that follows a station on the packet's way; CORR_NONE if none does, or several do. */
static uint32_t station_behind(const struct corr_judge *j, const struct corr_packet *packet,
                               uint32_t conv)
{
    const struct corr_flow *flow = corr_result_flow(j->result, packet->flow);
    uint32_t next = CORR_NONE;

    for (uint32_t m = 0; m < flow->convs->len; m++) {
        uint32_t y = g_array_index(flow->convs, struct corr_member, m).conv;
        int order;

        if (corr_order_compare(j->result, packet->flow, packet->dir, conv, y) >= 0)
            continue;
        order = next == CORR_NONE
                    ? -1
                    : corr_order_compare(j->result, packet->flow, packet->dir, y, next);
        if (order == 0)
            return CORR_NONE;
        if (order < 0)
            next = y;
    }
    return next;
}

static bool looks(const struct corr_judge *j, const struct corr_obs *at, uint32_t conv)
{
    uint32_t q = corr_result_conv(j->result, conv)->point;

    return corr_verdict_gap(j, at->point, q, at->time_ns) == NULL &&
           !corr_doubt_deaf(j, at->point, q, at->time_ns);
}

/*
 * The nearest station, between a packet's last sighting and the station that others of its flow
 * went on to, that was looking.  Those others may have passed while it was not.  False if its
 * flow is not known to pass there in this direction.
 */
static bool station_between(const struct corr_judge *j, const struct corr_packet *packet,
                            uint32_t conv, const struct corr_obs *at, uint32_t *to)
{
    const struct corr_flow *flow = corr_result_flow(j->result, packet->flow);
    uint32_t end = *to;
    bool sure = true;

    for (uint32_t m = 0; m < flow->convs->len; m++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);
        uint32_t x = member->conv;

        if (corr_order_compare(j->result, packet->flow, packet->dir, conv, x) >= 0 ||
            corr_order_compare(j->result, packet->flow, packet->dir, x, end) >= 0 ||
            corr_skips_bypass(j, at->point, corr_result_conv(j->result, x)->point,
                              corr_result_conv(j->result, end)->point) ||
            !looks(j, at, x))
            continue;
        if (j->expect->run[x][packet->dir ^ member->flip] == CORR_NONE)
            sure = false;
        else if (*to == end || corr_order_compare(j->result, packet->flow, packet->dir, x, *to) < 0)
            *to = x;
    }
    return sure;
}

/* Packets that went there directly, just before and just after. */
static bool reached(const struct corr_judge *j, const struct corr_obs *at, uint32_t conv)
{
    const struct corr_pass *before, *after;

    corr_expect_around(j->expect, at->point, corr_result_conv(j->result, conv)->point, at->time_ns,
                       &before, &after);
    return before != NULL && at->time_ns - before->t_ns <= DIRECT_NS && after != NULL &&
           after->t_ns - at->time_ns <= DIRECT_NS;
}

/*
 * The next station that was able to see the packet: the one after it, or where that was not
 * looking, one further on, that others reached then without being seen in between.
 */
static uint32_t seeing_station(const struct corr_judge *j, const struct corr_packet *packet,
                               const struct corr_obs *at, uint32_t to)
{
    uint32_t y = to, left = corr_result_flow(j->result, packet->flow)->convs->len;

    /* Contradicting evidence can put stations in a circle: as many steps as stations. */
    for (; y != CORR_NONE && left > 0; y = station_behind(j, packet, y), left--)
        if (looks(j, at, y) && (y == to || reached(j, at, y)))
            return y;
    return to;
}

bool corr_forks_next(const struct corr_judge *j, uint32_t stand, uint32_t *to)
{
    const struct corr_stand *s = stand_at(j, stand);
    const struct corr_packet *packet = corr_result_packet(j->result, s->packet);
    const struct corr_obs *at = corr_store_obs(j->work->store, s->obs);
    bool sure = way_of_neighbours(j, stand, to);

    if (!sure || *to == CORR_NONE || *to == s->conv)
        return sure;
    sure = station_between(j, packet, s->conv, at, to);
    *to = seeing_station(j, packet, at, *to);
    return sure;
}

bool corr_forks_behind(const struct corr_judge *j, uint32_t obs, uint32_t p, uint32_t x, uint32_t y)
{
    uint32_t conv = j->result->obs_conv[obs], flow = j->result->conv_flow[conv];
    unsigned dir = corr_store_obs(j->work->store, obs)->dir ^ j->result->conv_flip[conv];
    const GArray *convs = corr_result_flow(j->result, flow)->convs;

    if (corr_skips_bypass(j, p, x, y))
        return false;
    for (uint32_t m = 0; m < convs->len; m++)
        for (uint32_t n = 0; n < convs->len; n++) {
            uint32_t a = g_array_index(convs, struct corr_member, m).conv;
            uint32_t b = g_array_index(convs, struct corr_member, n).conv;

            if (corr_result_conv(j->result, a)->point == x &&
                corr_result_conv(j->result, b)->point == y &&
                corr_order_compare(j->result, flow, dir, a, b) < 0)
                return true;
        }
    return false;
}

bool corr_forks_spread(const struct corr_judge *j, uint32_t p, uint32_t q)
{
    return g_hash_table_contains(j->spread, GSIZE_TO_POINTER(corr_hash_mix(p + 1, q)));
}
