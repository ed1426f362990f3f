/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Third thoughts: perhaps the packet was seen, and only not recognised.
 *
 * An orphan is the first sighting of a packet that comes from nowhere.  Where one turns up
 * when and where a lost packet was due, and nothing tells both apart, nobody knows whether
 * they are one.  Of a flow that the point does not show, the orphan may belong to another flow:
 * too little of it was seen to join both, or a translation was not learned.  A loss becomes unknown
 * by this, never anything else.
 */
#include "path/order.h"
#include "path/verdict.h"
#include "store/hash.h"
#include "store/sort.h"

/* So much earlier or later than others took; a retransmission comes later. */
#define AROUND_NS INT64_C(50000000)
/* Orphans of one key and moment that are looked at. */
#define LOOK_MAX 64u

struct orphan {
    uint64_t key;
    int64_t t_ns;
    uint32_t obs, packet;
};

static bool orphan_less(const struct orphan *a, const struct orphan *b)
{
    return a->key != b->key ? a->key < b->key : a->t_ns < b->t_ns;
}

CORR_SORT_DEFINE(orphans_sort, struct orphan, orphan_less)

/* Same flow: what one station shows of one direction, by its numbers and length. */
static uint64_t key_in_flow(const struct corr_judge *j, uint32_t obs_index, uint32_t conv,
                            unsigned dir)
{
    const struct corr_obs *obs = corr_store_obs(j->work->store, obs_index);
    uint64_t key = corr_hash_mix(2 * (uint64_t)conv + dir, obs->kind);

    if (obs->kind == CORR_KIND_TCP)
        key = corr_hash_mix(corr_hash_mix(key, corr_work_seq(j->work, obs_index)),
                            corr_work_ack(j->work, obs_index));
    return corr_hash_mix(key, obs->len);
}

/* Another flow: what a point shows, by number or content; 0 without either. */
static uint64_t key_at_point(const struct corr_obs *obs, uint32_t point)
{
    uint64_t key = corr_hash_mix(corr_hash_mix(point, obs->kind), obs->len);

    if (obs->kind == CORR_KIND_TCP && obs->have & CORR_HAVE_SEQ)
        return corr_hash_mix(key, obs->seq) | 1;
    return obs->len > 0 && obs->have & CORR_HAVE_D8 ? corr_hash_mix(key, obs->d8) | 1 : 0;
}

/* Does the point that should have shown a lost packet show its flow? */
static bool flow_shown(const struct corr_judge *j, const struct corr_packet *packet)
{
    const struct corr_flow *flow = corr_result_flow(j->result, packet->flow);

    for (uint32_t m = 0; m < flow->convs->len; m++)
        if (corr_result_conv(j->result, g_array_index(flow->convs, struct corr_member, m).conv)
                ->point == packet->drop_before)
            return true;
    return false;
}

/* Flows and directions that lost packets, and points that should have shown a flow and do not. */
struct wanted {
    bool *flow_dir, *point;
    bool any;
};

static struct wanted wanted_find(const struct corr_judge *j)
{
    struct wanted w = {g_new0(bool, 2 * (size_t)j->result->flows->len + 2),
                       g_new0(bool, j->work->store->points->len + 1), false};

    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, i);

        if (!corr_fate_is_drop(packet->fate) || packet->drop_before == CORR_NONE)
            continue;
        w.any = w.flow_dir[packet->flow * 2 + packet->dir] = true;
        w.point[packet->drop_before] |= !flow_shown(j, packet);
    }
    return w;
}

static GArray *orphans_collect(const struct corr_judge *j, const struct wanted *w)
{
    GArray *orphans = g_array_new(FALSE, FALSE, sizeof(struct orphan));

    for (uint32_t i = 0; i < j->result->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(j->result, i);
        const struct corr_packet *packet = corr_result_packet(j->result, s->packet);
        const struct corr_obs *obs = corr_result_obs(j->result, s);
        struct orphan orphan = {0, obs->time_ns, s->obs, s->packet};

        if (s->prev != CORR_NONE || s->duplicate || packet->flow == CORR_NONE)
            continue;
        if (w->flow_dir[packet->flow * 2 + packet->dir]) {
            orphan.key = key_in_flow(j, s->obs, j->result->obs_conv[s->obs], obs->dir);
            g_array_append_val(orphans, orphan);
        }
        orphan.key = w->point[obs->point] ? key_at_point(obs, obs->point) : 0;
        if (orphan.key != 0)
            g_array_append_val(orphans, orphan);
    }
    orphans_sort((struct orphan *)(void *)orphans->data, orphans->len);
    return orphans;
}

/* When a packet that was seen in one frame is due at another point; false if nobody knows. */
static bool due_find(const struct corr_judge *j, const struct corr_obs *at, uint32_t point,
                     int64_t *from, int64_t *to)
{
    const struct corr_pass *before, *after;

    corr_expect_around(j->expect, at->point, point, at->time_ns, &before, &after);
    if (before == NULL && after == NULL)
        return false;
    before = before == NULL ? after : before;
    after = after == NULL ? before : after;
    *from = at->time_ns + MIN(before->d_ns, after->d_ns) - AROUND_NS;
    *to = at->time_ns + MAX(before->d_ns, after->d_ns) + AROUND_NS;
    return true;
}

/* Does a point show both packets, each by a frame of its own? */
static bool meet(const struct corr_judge *j, const struct corr_packet *a,
                 const struct corr_packet *b)
{
    for (uint32_t x = a->first; x < a->first + a->n; x++)
        for (uint32_t y = b->first; y < b->first + b->n; y++)
            if (corr_sighting_point(j->result, corr_result_sighting(j->result, x)) ==
                corr_sighting_point(j->result, corr_result_sighting(j->result, y)))
                return true;
    return false;
}

/* Do header fields that the two points show alike differ? */
static bool fields_differ(const struct corr_judge *j, const struct corr_obs *a,
                          const struct corr_obs *b)
{
    uint32_t p = MIN(a->point, b->point), q = MAX(a->point, b->point);
    const struct corr_pair_facts *facts = &j->work->pairs[p * j->work->store->points->len + q];
    uint32_t have = a->have & b->have;

    if (have & CORR_HAVE_IP_ID && facts->id_same > 0 && facts->id_differs == 0 &&
        a->ip_id != b->ip_id)
        return true;
    if (have & CORR_HAVE_TS && facts->ts_same > 0 && facts->ts_differs == 0 && a->tsval != b->tsval)
        return true;
    return have & CORR_HAVE_TCP && a->tcp_flags != b->tcp_flags;
}

static bool may_be(const struct corr_judge *j, uint32_t at, const struct corr_packet *packet,
                   const struct orphan *orphan)
{
    const struct corr_obs *a = corr_store_obs(j->work->store, at);
    const struct corr_obs *b = corr_store_obs(j->work->store, orphan->obs);
    const struct corr_packet *other = corr_result_packet(j->result, orphan->packet);
    bool known;

    if (a->kind != b->kind || a->len != b->len || !corr_obs_same_content(a, b, &known) ||
        fields_differ(j, a, b))
        return false;
    if (a->kind == CORR_KIND_ECHO && a->seq != b->seq)
        return false;
    return !meet(j, packet, other);
}

/* An end is left as it was, if a translation changes the other one. */
static bool shares_end(const struct corr_judge *j, const struct corr_obs *a,
                       const struct corr_obs *b)
{
    const struct corr_endpoint *from[2] = {corr_store_src(j->work->store, a),
                                           corr_store_src(j->work->store, b)};
    const struct corr_endpoint *to[2] = {corr_store_dst(j->work->store, a),
                                         corr_store_dst(j->work->store, b)};

    return (corr_addr_equal(&from[0]->addr, &from[1]->addr) && from[0]->port == from[1]->port) ||
           (corr_addr_equal(&to[0]->addr, &to[1]->addr) && to[0]->port == to[1]->port);
}

/* The frame of an orphan with this key that may be the packet; 0. */
static uint32_t orphan_find(const struct corr_judge *j, const GArray *orphans, uint32_t at,
                            const struct corr_packet *packet, uint32_t point, uint64_t key,
                            bool elsewhere)
{
    const struct orphan *all = (const struct orphan *)(const void *)orphans->data;
    const struct corr_obs *obs = corr_store_obs(j->work->store, at);
    struct orphan least = {.key = key};
    int64_t from, to;

    if (!due_find(j, obs, point, &from, &to))
        return 0;
    least.t_ns = from - 1;
    for (size_t i = orphans_sort_after(all, orphans->len, &least), n = 0;
         i < orphans->len && n < LOOK_MAX && all[i].key == key && all[i].t_ns <= to; i++, n++) {
        const struct corr_obs *other = corr_store_obs(j->work->store, all[i].obs);

        if (elsewhere && (corr_result_packet(j->result, all[i].packet)->flow == packet->flow ||
                          !shares_end(j, obs, other)))
            continue;
        if (may_be(j, at, packet, &all[i]))
            return other->frame;
    }
    return 0;
}

static uint32_t orphan_of(const struct corr_judge *j, const GArray *orphans,
                          const struct corr_packet *packet)
{
    const struct corr_flow *flow = corr_result_flow(j->result, packet->flow);
    uint32_t at = corr_result_sighting(j->result, packet->drop_after)->obs;
    uint32_t here = j->result->obs_conv[at], frame = 0;

    for (uint32_t m = 0; m < flow->convs->len && frame == 0; m++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);
        uint32_t point = corr_result_conv(j->result, member->conv)->point;

        if (point == packet->drop_before ||
            corr_order_compare(j->result, packet->flow, packet->dir, here, member->conv) < 0)
            frame = orphan_find(
                j, orphans, at, packet, point,
                key_in_flow(j, at, member->conv, (unsigned)packet->dir ^ member->flip), false);
    }
    if (frame == 0 && !flow_shown(j, packet)) {
        uint64_t key = key_at_point(corr_store_obs(j->work->store, at), packet->drop_before);

        if (key != 0)
            frame = orphan_find(j, orphans, at, packet, packet->drop_before, key, true);
    }
    return frame;
}

void corr_orphans_ask(struct corr_judge *j)
{
    struct wanted w = wanted_find(j);
    GArray *orphans = NULL;

    if (w.any)
        orphans = orphans_collect(j, &w);
    for (uint32_t i = 0; orphans != NULL && orphans->len > 0 && i < j->result->packets->len; i++) {
        struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, i);
        uint32_t frame;

        /* What its receiver lacked did not arrive, whatever looks like it. */
        if (!corr_fate_is_drop(packet->fate) || packet->drop_before == CORR_NONE ||
            packet->cause == CORR_CAUSE_CORRUPTION || j->proof[i] == CORR_PROOF_SURE)
            continue;
        frame = orphan_of(j, orphans, packet);
        if (frame != 0) {
            corr_verdict_undetermine(packet, packet->drop_after, packet->drop_before,
                                     CORR_UNRECOGNISED);
            packet->evidence = frame;
        }
    }
    if (orphans != NULL)
        g_array_unref(orphans);
    g_free(w.flow_dir);
    g_free(w.point);
}
