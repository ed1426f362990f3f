/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened outside the captured way: before the first point, after the last one,
 * and packets that somebody on the way made up.
 */
#include <string.h>

#include "path/order.h"
#include "path/verdict.h"
#include "store/hash.h"

/* A packet that somebody else made is known by its TTL; so many others show the usual one. */
#define USUAL_MIN 3u
/* A connection that nobody answers: so many tries, and so long to wait for an answer. */
#define TRIES_MIN 3u
#define ANSWER_NS INT64_C(1000000000)
/* Other packets show that a point was looking, this close before and after. */
#define LOOKING_NS INT64_C(3000000000)

/* Where the packets of a station and direction come from, mostly. */
struct usual {
    uint32_t from; /* station */
    uint32_t n;
    uint8_t ttl; /* that they have here */
    bool mixed;  /* they have several */
};

static struct usual (*usual_find(const struct corr_judge *j))[2]
{
    struct usual(*usual)[2] = g_malloc0(sizeof *usual * (j->result->n_convs + 1));

    for (uint32_t i = 0; i < j->result->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(j->result, i);
        const struct corr_obs *obs;
        struct usual *u;
        uint32_t from;

        if (s->prev == CORR_NONE || s->duplicate)
            continue;
        obs = corr_result_obs(j->result, s);
        from = j->result->obs_conv[corr_result_sighting(j->result, s->prev)->obs];
        u = &usual[j->result->obs_conv[s->obs]][obs->dir];
        if (u->n == 0) {
            u->from = from;
            u->ttl = obs->ttl;
        }
        u->mixed |= u->from != from || u->ttl != obs->ttl;
        u->n++;
    }
    return usual;
}

bool corr_ends_was_looking(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns)
{
    const struct corr_pass *before, *after, *near;
    int64_t at;

    corr_expect_around(j->expect, p, q, t_ns, &before, &after);
    near = before != NULL ? before : after;
    if (near == NULL)
        return false;
    at = t_ns - near->d_ns;
    corr_expect_around(j->expect, p, q, at, &before, &after);
    return before != NULL && at - before->t_ns <= LOOKING_NS && after != NULL &&
           after->t_ns - at <= LOOKING_NS;
}

/*
 * All others of its direction come from a point before, and that was looking; this one
 * was not there, and its TTL is another: it was made in between.  A packet that the
 * point missed would have the usual TTL.
 */
static void injected_find(struct corr_judge *j)
{
    struct usual(*usual)[2] = usual_find(j);

    for (uint32_t p = 0; p < j->result->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(j->result, p);
        uint32_t first = corr_result_sighting(j->result, packet->first)->obs, from;
        const struct corr_obs *obs = corr_store_obs(j->work->store, first);
        const struct usual *u = &usual[j->result->obs_conv[first]][obs->dir];

        if (packet->flow == CORR_NONE || packet->ambiguous || !packet->ordered ||
            packet->kind == CORR_KIND_FRAGMENT || u->n < USUAL_MIN || u->mixed ||
            obs->ttl == u->ttl || !(obs->have & CORR_HAVE_IP))
            continue;
        from = corr_result_conv(j->result, u->from)->point;
        if (from != obs->point && corr_ends_was_looking(j, from, obs->point, obs->time_ns)) {
            struct corr_injected injected = {p, from};

            g_array_append_val(j->result->injected, injected);
        }
    }
    g_free(usual);
}

/* Was it sent later than the packet that had shown the gap before it? */
static bool sent_later(const struct corr_obs *filler, const struct corr_obs *opener)
{
    return filler->have & opener->have & CORR_HAVE_TS &&
           (int32_t)(filler->tsval - opener->tsval) > 0;
}

/*
 * A hole in the stream that is filled later, by what was sent after the hole had been
 * seen: the first transmission was lost before the first point.  What was only
 * overtaken carries the older time stamp (RFC 7323).
 */
static void upstream_find(struct corr_judge *j)
{
    uint32_t n = 2 * j->result->flows->len;
    int64_t *highest = g_new0(int64_t, n + 1);
    uint32_t *opener = g_new(uint32_t, n + 1);
    bool *begun = g_new0(bool, n + 1);

    memset(opener, 0xff, sizeof *opener * (n + 1));
    for (uint32_t p = 0; p < j->result->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(j->result, p);
        uint32_t flow_dir = packet->flow * 2 + packet->dir;
        const struct corr_obs *obs =
            corr_result_obs(j->result, corr_result_sighting(j->result, packet->first));

        if (packet->kind != CORR_KIND_TCP || packet->to <= packet->from ||
            packet->flow == CORR_NONE)
            continue;
        if (!begun[flow_dir] || packet->from >= highest[flow_dir]) {
            if (begun[flow_dir] && packet->from > highest[flow_dir])
                opener[flow_dir] = p; /* behind a hole */
            begun[flow_dir] = true;
            highest[flow_dir] = packet->to;
            continue;
        }
        if (packet->original == CORR_NONE && opener[flow_dir] != CORR_NONE &&
            packet->to <= highest[flow_dir]) {
            const struct corr_obs *last = corr_result_obs(
                j->result, corr_result_sighting(
                               j->result, corr_result_packet(j->result, opener[flow_dir])->first));

            if (last->point == obs->point && sent_later(obs, last) &&
                !corr_judge_carried_before(j, p)) {
                struct corr_upstream lost = {p, obs->point};

                g_array_append_val(j->result->upstream, lost);
            }
        }
        highest[flow_dir] = MAX(highest[flow_dir], packet->to);
    }
    g_free(highest);
    g_free(opener);
    g_free(begun);
}

bool corr_ends_unanswered(const struct corr_judge *j, const struct corr_packet *packet,
                          const struct corr_obs *at, uint32_t tries)
{
    const struct corr_flow *flow = corr_result_flow(j->result, packet->flow);
    const struct corr_addr *dst = &corr_store_dst(j->work->store, at)->addr;

    if (!(at->have & CORR_HAVE_TCP) || !(at->tcp_flags & CORR_TCP_SYN) ||
        at->tcp_flags & CORR_TCP_ACK || tries < TRIES_MIN)
        return false;
    /* Nobody answered, at any point; but the point shows what this host sends. */
    for (uint32_t m = 0; m < flow->convs->len; m++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);

        if (j->expect->run[member->conv][!(packet->dir ^ member->flip)] != CORR_NONE)
            return false;
    }
    return !corr_expect_goes_on(j->expect, at->point, dst) &&
           corr_expect_lives(j->expect, at->point, dst) &&
           at->time_ns + ANSWER_NS <= j->expect->last_ns[at->point];
}

void corr_ends_judge(struct corr_judge *j)
{
    injected_find(j);
    upstream_find(j);
}
