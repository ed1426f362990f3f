/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Not seen is not lost.  A packet is missing at the next station of its way only
 * if it was expected there; it is lost only if nothing shows that it arrived and
 * the station was able to see it (algorithms: 1.14).
 */
#include <math.h>
#include <string.h>

#include "match/learn.h"
#include "path/clock.h"
#include "path/hops.h"
#include "path/order.h"
#include "path/verdict.h"

/* Other flows vouch for a station that saw them this close before and after. */
#define VOUCH_NS INT64_C(3000000000)
/* No frame at all for this long, and for so many mean distances, is an outage. */
#define OUTAGE_NS INT64_C(1000000000)
#define OUTAGE_GAPS 20
/* Fewer frames of a protocol at a point: it may be filtered out there. */
#define PROTO_MIN 3u
/* A clock that falls behind by this part of the time that goes by is not slewed ... */
#define STOOD_STILL 100
/* ... and by this is no jitter of the way: hosts run others for a few milliseconds at a time. */
#define STOOD_STILL_NS (10 * 1000 * 1000)

/* The chance at which losses by chance are excluded. */
#define POLICY_CHANCE 1e-3
/* Where packets are spread, the place of a loss is not known. */
#define SEVERAL "on one of several ways"
/* Packets after one that are asked whether they arrived. */
#define NEIGHBOURS 64u

void corr_verdict_lose(struct corr_packet *packet, enum corr_fate fate, uint32_t sighting,
                       uint32_t point, uint32_t evidence)
{
    packet->fate = fate;
    packet->drop_after = sighting;
    packet->drop_before = point;
    packet->evidence = evidence;
}

void corr_verdict_undetermine(struct corr_packet *packet, uint32_t sighting, uint32_t point,
                              const char *reason)
{
    corr_verdict_lose(packet, CORR_FATE_UNDETERMINED, sighting, point, 0);
    packet->reason = reason;
}

static void miss(struct corr_judge *j, struct corr_packet *packet, const struct corr_pass *pass)
{
    uint32_t point = pass->q;
    GArray *points;

    g_array_append_val(j->found, *pass);
    if (packet->missed == 0) {
        points = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_ptr_array_add(j->result->missed, points);
        packet->missed = j->result->missed->len;
    }
    points = g_ptr_array_index(j->result->missed, packet->missed - 1);
    for (uint32_t i = 0; i < points->len; i++)
        if (g_array_index(points, uint32_t, i) == point)
            return;
    g_array_append_val(points, point);
}

/*
 * Between these passes the later point's clock fell behind, by more than slewing does: a virtual
 * machine that does not run sees nothing, and counts no time.
 */
static bool stood_still(const struct corr_judge *j, const struct corr_pass *before,
                        const struct corr_pass *after)
{
    int64_t from = before->t_ns + before->d_ns, to = after->t_ns + after->d_ns;
    int64_t behind_ns = before->d_ns - after->d_ns;

    return behind_ns > STOOD_STILL_NS && behind_ns > (after->t_ns - before->t_ns) / STOOD_STILL &&
           corr_clock_is_set(j->result, after->q, MIN(from, to), MAX(from, to));
}

const char *corr_verdict_gap(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns)
{
    const struct corr_pass *before, *after, *near;
    int64_t at, quiet;

    corr_expect_around(j->expect, p, q, t_ns, &before, &after);
    if (before == NULL && after == NULL)
        return "tail";
    near = before == NULL || (after != NULL && after->t_ns - t_ns < t_ns - before->t_ns) ? after
                                                                                         : before;
    at = t_ns + near->d_ns;
    quiet = OUTAGE_GAPS * j->expect->gap_ns[q];
    if (at < j->expect->first_ns[q] - quiet || at > j->expect->last_ns[q] + quiet)
        return "not covered at";
    /* So near its first or last frame, nobody knows whether the point was looking. */
    if (at > j->expect->last_ns[q])
        return "tail";
    if (at < j->expect->first_ns[q])
        return "before the first packet seen at";
    if (corr_expect_outage(j->expect, p, q, at, near->d_ns,
                           MAX(OUTAGE_NS, OUTAGE_GAPS * j->expect->gap_ns[q])))
        return "outage at";
    if (before != NULL && after != NULL && stood_still(j, before, after))
        return "clock set at";
    return NULL;
}

/* Does it exclude that the point would have seen the packet?  At the edges, other evidence may
 * tell. */
static bool excludes(const char *gap)
{
    return gap != NULL && strcmp(gap, "tail") != 0 &&
           strcmp(gap, "before the first packet seen at") != 0;
}

static bool vouched(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns, bool later)
{
    const struct corr_pass *before, *after;

    corr_expect_around(j->expect, p, q, t_ns, &before, &after);
    return later ? after != NULL && after->t_ns - t_ns <= VOUCH_NS
                 : before != NULL && t_ns - before->t_ns <= VOUCH_NS;
}

/* A station and direction: how often was it tried, and did anybody answer here? */
static const struct corr_tries *tries_at(struct corr_judge *j, uint32_t conv, unsigned dir)
{
    struct corr_tries *tries = &j->tries[conv][dir];
    const GArray *stands = j->expect->stands;

    if (tries->known)
        return tries;
    tries->known = true;
    for (uint32_t i = j->expect->run[conv][dir]; i < stands->len; i++) {
        const struct corr_stand *s = &g_array_index(stands, struct corr_stand, i);

        if (s->conv != conv || s->dir != dir)
            break;
        tries->n++;
    }
    for (uint32_t i = j->expect->run[conv][!dir]; i < stands->len; i++) {
        const struct corr_stand *s = &g_array_index(stands, struct corr_stand, i);
        const struct corr_obs *obs = corr_store_obs(j->work->store, s->obs);

        if (s->conv != conv || s->dir == dir)
            break;
        if (obs->kind == CORR_KIND_TCP && obs->tcp_flags & CORR_TCP_RST)
            tries->reset = obs->frame;
        else
            tries->answers++;
    }
    return tries;
}

uint32_t corr_verdict_tries(struct corr_judge *j, const struct corr_packet *packet)
{
    uint32_t obs = corr_result_sighting(j->result, packet->drop_after)->obs;

    return tries_at(j, j->result->obs_conv[obs], corr_store_obs(j->work->store, obs)->dir)->n;
}

/* Frame of the next packet of the same station and direction; 0. */
static uint32_t next_try(const struct corr_judge *j, uint32_t stand)
{
    const struct corr_stand *me = &g_array_index(j->expect->stands, struct corr_stand, stand);
    const struct corr_stand *next = me + 1;

    return stand + 1 < j->expect->stands->len && next->conv == me->conv && next->dir == me->dir
               ? corr_store_obs(j->work->store, next->obs)->frame
               : 0;
}

/*
 * So many tries in vain, while others pass and the host lives, are no chance, at the rate
 * at which packets are lost here: somebody does not want them to pass.
 */
static bool is_policy(const struct corr_judge *j, const struct corr_obs *at, uint32_t q,
                      const struct corr_tries *tries)
{
    uint32_t p = at->point, due, passed;

    if (tries->reset != 0)
        return true;
    if (!(at->have & CORR_HAVE_TCP) || !(at->tcp_flags & CORR_TCP_SYN) ||
        !corr_expect_lives(j->expect, p, &corr_store_dst(j->work->store, at)->addr))
        return false;
    due = corr_passes_count(j->expect->dues, p, q, INT64_MIN, INT64_MAX);
    passed = corr_passes_count(j->expect->passes, p, q, INT64_MIN, INT64_MAX);
    due = MAX(due, passed);
    return pow((due - passed + 1.0) / (due + 2.0), tries->n) <= POLICY_CHANCE;
}

/*
 * An ICMP error quotes the packet: it was not forwarded.  True if that decides its
 * fate.  An error from the destination itself, that a port is closed, shows that the
 * packet arrived.
 */
static bool reported(const struct corr_judge *j, struct corr_packet *packet, uint32_t by,
                     uint32_t obs, uint32_t last, uint32_t q)
{
    uint32_t error = corr_result_sighting(j->result, corr_result_packet(j->result, by)->first)->obs;
    const struct corr_obs *said = corr_store_obs(j->work->store, error);
    uint8_t cause;
    uint32_t frame;

    if (corr_addr_equal(&corr_store_src(j->work->store, said)->addr,
                        &corr_store_dst(j->work->store, corr_store_obs(j->work->store, obs))->addr))
        return false;
    if (!corr_judge_error(j, by, &cause, &frame))
        return false;
    corr_verdict_lose(packet, CORR_FATE_CONFIRMED, last, q, frame);
    packet->cause = cause;
    j->proof[corr_result_sighting(j->result, last)->packet] = CORR_PROOF_SURE;
    return true;
}

/*
 * A super-datagram that no point shows cut may have passed in pieces that nobody
 * recognised, because there was no room to keep its bytes, or they were cut off.
 */
static bool perhaps_cut_up(const struct corr_packet *packet, const struct corr_obs *at)
{
    return corr_obs_is_large(at) && packet->len == at->len;
}

/*
 * The point that a packet should have gone on to, as others of its hosts did: the nearer of two on
 * one way, if it was looking; those others may have passed while it was not.
 */
static uint32_t class_next(const struct corr_judge *j, const struct corr_obs *at,
                           const struct corr_class_way *way, bool *several)
{
    uint32_t near = way->q, far = way->beside;

    *several = way->several;
    if (far == CORR_NONE)
        return near;
    if (corr_forks_behind(j, way->beside_obs, at->point, far, near)) {
        near = way->beside;
        far = way->q;
    } else if (!corr_forks_behind(j, way->obs, at->point, near, far)) {
        *several = true;
        return near;
    }
    return corr_verdict_gap(j, at->point, near, at->time_ns) == NULL ? near : far;
}

static void judge_unpassed(struct corr_judge *j, struct corr_packet *packet, uint32_t index,
                           uint32_t last, uint32_t stand)
{
    uint32_t obs = corr_result_sighting(j->result, last)->obs;
    const struct corr_obs *at = corr_store_obs(j->work->store, obs);
    const struct corr_tries *tries = tries_at(j, j->result->obs_conv[obs], at->dir);
    uint32_t conv = j->result->obs_conv[obs], q, by;
    struct corr_class_way way;
    const char *gap;
    bool several;

    if (!corr_expect_class(j->work, j->expect, obs, tries->answers == 0 && tries->n > 1, &way)) {
        if (tries->answers == 0 && tries->reset == 0 &&
            corr_ends_unanswered(j, packet, at, tries->n))
            corr_verdict_lose(packet, CORR_FATE_BLOCKED, last, CORR_NONE, next_try(j, stand));
        return;
    }
    q = class_next(j, at, &way, &several);
    gap = corr_verdict_gap(j, at->point, q, at->time_ns);
    by = j->quoted_by[index];
    several |= corr_forks_spread(j, at->point, q);
    if (by != CORR_NONE && !excludes(gap) && !several && reported(j, packet, by, obs, last, q))
        return;
    if (tries->answers > 0)
        return;
    if (gap == NULL && several)
        gap = SEVERAL;
    /* Cut payloads leave little to recognise a flow by, where TCP's numbers do not help. */
    if (gap == NULL && !(at->have & CORR_HAVE_TCP) &&
        (at->have & CORR_HAVE_SNAPPED || j->expect->snapped[q]))
        gap = "cut short, perhaps seen at";
    if (gap == NULL && j->expect->protos[q][corr_result_conv(j->result, conv)->proto] < PROTO_MIN)
        gap = "not captured at";
    if (gap == NULL && perhaps_cut_up(packet, at))
        gap = "perhaps cut up, not recognised at";
    if (gap != NULL) {
        corr_verdict_undetermine(packet, last, q, gap);
    } else if (tries->n > 1 || tries->reset != 0) {
        corr_verdict_lose(packet, CORR_FATE_BLOCKED, last, q,
                          tries->reset != 0 ? tries->reset : next_try(j, stand));
        if (is_policy(j, at, q, tries))
            packet->cause = CORR_CAUSE_POLICY;
    } else if (vouched(j, at->point, q, at->time_ns, false) &&
               vouched(j, at->point, q, at->time_ns, true)) {
        corr_verdict_lose(packet, CORR_FATE_PROBABLE, last, q, 0);
    } else {
        corr_verdict_undetermine(packet, last, q, "tail");
    }
}

/*
 * The sighting that all others precede; CORR_NONE if branches end side by side or
 * the order is not known.  What is unknown further up does not matter.
 */
static uint32_t last_sighting(const struct corr_judge *j, const struct corr_packet *packet)
{
    uint32_t last = CORR_NONE, originals = 0;

    for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
        const struct corr_sighting *sighting = corr_result_sighting(j->result, i);

        if (sighting->duplicate)
            continue;
        originals++;
        if (last == CORR_NONE || sighting->hop > corr_result_sighting(j->result, last)->hop)
            last = i;
    }
    return last != CORR_NONE && corr_result_sighting(j->result, last)->hop == originals ? last
                                                                                        : CORR_NONE;
}

/*
 * Did packets that were sent after this one reach the station that
 * missed it, on whichever way?  Asked at the packet's first station.
 */
static bool neighbours_reach(const struct corr_judge *j, const struct corr_packet *packet,
                             uint32_t next_conv)
{
    uint32_t at = j->expect->stand_of[packet->first];
    const struct corr_stand *me, *stand;

    if (at == CORR_NONE || !packet->ordered)
        return false;
    me = &g_array_index(j->expect->stands, struct corr_stand, at);
    for (unsigned steps = 0; steps < NEIGHBOURS; steps++) {
        if (++at >= j->expect->stands->len)
            return false;
        stand = &g_array_index(j->expect->stands, struct corr_stand, at);
        if (stand->conv != me->conv || stand->dir != me->dir)
            return false;
        if (corr_judge_seen_from(j, corr_result_packet(j->result, stand->packet), next_conv))
            return true;
    }
    return false;
}

/* Had it been at this station before, on the same way?  A point may show both sides of a router. */
static bool came_back(const struct corr_judge *j, const struct corr_packet *packet, uint32_t last)
{
    uint32_t conv = j->result->obs_conv[corr_result_sighting(j->result, last)->obs];

    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        const struct corr_sighting *sighting = corr_result_sighting(j->result, s);

        if (s != last && !sighting->duplicate && j->result->obs_conv[sighting->obs] == conv)
            return true;
    }
    return false;
}

/*
 * The next point shows nothing so early, but the captures begin with this packet, which was
 * sent again, and the next one passed.  That both captures began just before and just after it
 * would be a strange chance, but nothing excludes it.
 */
static bool begins_capture(const struct corr_judge *j, const struct corr_stand *s, uint32_t q)
{
    const struct corr_obs *at = corr_store_obs(j->work->store, s->obs);
    const struct corr_pass *before, *after;

    corr_expect_around(j->expect, at->point, q, at->time_ns, &before, &after);
    return s->before == CORR_NONE && s->after != CORR_NONE && before == NULL && after != NULL &&
           corr_passes_count(j->expect->dues, at->point, q, INT64_MIN, at->time_ns) <= 1;
}

static void judge_packet(struct corr_judge *j, uint32_t index)
{
    struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
    uint32_t last = CORR_NONE, stand, obs, conv, q, by;
    const struct corr_stand *s;
    const struct corr_obs *at;
    struct corr_others others;
    enum corr_receipt receipt;
    uint32_t lacked = 0;
    struct corr_way_on way;
    const char *gap;
    bool after, sure;

    if (packet->ambiguous || packet->flow == CORR_NONE || corr_damage_judge(j, packet, index))
        return;
    last = last_sighting(j, packet);
    stand = last == CORR_NONE ? CORR_NONE : j->expect->stand_of[last];
    if (stand == CORR_NONE)
        return;
    s = &g_array_index(j->expect->stands, struct corr_stand, stand);
    obs = s->obs;
    conv = s->conv;
    at = corr_store_obs(j->work->store, obs);
    if (corr_conv_scoped(corr_result_conv(j->result, conv)))
        return;
    way = j->expect->way[conv][s->dir];
    sure = corr_forks_next(j, stand, &way.to);
    if (way.to == conv && came_back(j, packet, last)) {
        /* Round and round in a loop it goes until its TTL ends: no pass promises another one. */
        if (way.out == CORR_NONE)
            return;
        way.to = way.out;
    }
    if (way.to == CORR_NONE) {
        judge_unpassed(j, packet, index, last, stand);
        return;
    }
    /* A SYN proxy takes in the handshake of one side and makes that of the other anew. */
    if (at->kind == CORR_KIND_TCP && at->tcp_flags & CORR_TCP_SYN &&
        corr_work_split_handshake(j->work, conv, way.to))
        return;
    q = corr_result_conv(j->result, way.to)->point;
    others = corr_judge_others(j, index, obs, way.to);
    receipt = corr_receipt_find(j, index, obs, way.to, &lacked);
    if ((corr_judge_acked_from(j, index, way.to) && !others.delivered) ||
        receipt == CORR_RECEIPT_ARRIVED || corr_judge_answered_from(j, packet, obs, way.to)) {
        gap = corr_verdict_gap(j, at->point, q, at->time_ns);
        if (sure && (gap == NULL || strcmp(gap, "not covered at") != 0))
            miss(j, packet, &(struct corr_pass){at->point, q, at->time_ns, 0});
        return;
    }
    if (!sure) {
        corr_verdict_undetermine(packet, last, CORR_NONE, SEVERAL);
        return;
    }
    gap = corr_verdict_gap(j, at->point, q, at->time_ns);
    if (others.again == 0)
        others.again = corr_judge_sent_again(j, stand);
    if (gap != NULL && others.again != 0 && begins_capture(j, s, q)) {
        corr_verdict_lose(packet, CORR_FATE_PROBABLE, last, q, others.again);
        return;
    }
    if (excludes(gap)) {
        corr_verdict_undetermine(packet, last, q, gap); /* lost perhaps, but where? */
        return;
    }
    by = j->quoted_by[index];
    if (by != CORR_NONE && reported(j, packet, by, obs, last, q))
        return;
    if (perhaps_cut_up(packet, at)) {
        corr_verdict_undetermine(packet, last, q, "perhaps cut up, not recognised at");
        return;
    }
    if (others.again == 0 && receipt == CORR_RECEIPT_LACKED)
        others.again = lacked;
    j->proof[index] = receipt == CORR_RECEIPT_LACKED ? CORR_PROOF_SURE
                      : others.again != 0            ? CORR_PROOF_AGAIN
                                                     : CORR_PROOF_NONE;
    /* What comes after must have passed: a way may end at any time. */
    after = s->after != CORR_NONE || vouched(j, at->point, q, at->time_ns, true) ||
            neighbours_reach(j, packet, way.to);
    if (gap != NULL || (others.again == 0 && !after))
        corr_verdict_undetermine(packet, last, q, gap != NULL ? gap : "tail");
    else
        corr_verdict_lose(packet, others.again != 0 ? CORR_FATE_CONFIRMED : CORR_FATE_PROBABLE,
                          last, q, others.again);
}

/* Points that packets passed unseen, between two of their sightings. */
static void judge_skips(struct corr_judge *j)
{
    for (uint32_t i = 0; i < j->skips->len; i++) {
        const struct corr_skip *skip = &g_array_index(j->skips, struct corr_skip, i);

        if (!skip->rival && !j->bypass[skip->triple])
            miss(j, &g_array_index(j->result->packets, struct corr_packet, skip->packet),
                 &(struct corr_pass){skip->from, skip->point, skip->t_ns, 0});
    }
}

/* Misses that were found are known from here on. */
static void misses_learn(struct corr_judge *j)
{
    g_array_append_vals(j->misses, j->found->data, j->found->len);
    g_array_set_size(j->found, 0);
    corr_passes_sort(j->misses);
}

void corr_fates_decide(struct corr_work *work)
{
    struct corr_judge j = {.work = work, .result = work->result};

    j.expect = corr_expect_new(work);
    corr_judge_collect(&j);
    j.misses = g_array_new(FALSE, FALSE, sizeof(struct corr_pass));
    j.found = g_array_new(FALSE, FALSE, sizeof(struct corr_pass));
    j.proof = g_new0(uint8_t, work->result->packets->len + 1);
    j.tries = g_malloc0(sizeof *j.tries * (work->result->n_convs + 1));
    j.heads = g_array_new(FALSE, FALSE, sizeof(struct corr_pass));
    corr_doubt_heads(&j);
    corr_damage_learn(&j);
    corr_skips_find(&j);
    corr_forks_find(&j);
    judge_skips(&j);
    misses_learn(&j);
    for (uint32_t p = 0; p < work->result->packets->len; p++) {
        judge_packet(&j, p);
        corr_judge_original(&j, p);
    }
    misses_learn(&j);
    corr_branches_judge(&j);
    corr_doubts_raise(&j);
    corr_thinned_find(&j);
    corr_ends_judge(&j);
    corr_causes_find(&j);
    g_array_unref(j.misses);
    g_array_unref(j.found);
    g_array_unref(j.heads);
    g_free(j.damages);
    g_free(j.wrong_tells);
    g_free(j.proof);
    corr_judge_clear(&j);
    corr_expect_free(j.expect);
    g_free(j.tries);
}
