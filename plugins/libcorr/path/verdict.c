/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Not seen is not lost.  A packet is missing at the next station of its way only
 * if it was expected there; it is lost only if nothing shows that it arrived and
 * the station was able to see it (algorithms: 1.14).
 */
#include <stdlib.h>
#include <string.h>

#include "match/learn.h"
#include "path/expect.h"
#include "path/hops.h"
#include "path/order.h"

/* Other flows vouch for a station that saw them this close before and after. */
#define VOUCH_NS INT64_C(1000000000)
/* No frame at all for this long, and for so many mean distances, is an outage. */
#define OUTAGE_NS INT64_C(1000000000)
#define OUTAGE_GAPS 20
/* Fewer frames of a protocol at a point: it may be filtered out there. */
#define PROTO_MIN 3u

/* Bytes of a flow direction that a packet carries; SYN and FIN count as one. */
struct carried {
    int64_t from, to;
    uint32_t packet, flow_dir;
};

struct way {
    uint32_t to, passed;
    bool known;
};

struct judge {
    struct corr_work *work;
    struct corr_result *result;
    struct corr_expect *expect;
    struct carried *carried;      /* by (flow_dir, from) */
    uint32_t n_carried;
    uint32_t *carried_of;         /* packet -> its place; CORR_NONE */
    int64_t *longest;             /* flow_dir -> longest range */
    uint32_t *carried_first;      /* flow_dir -> first in `carried` */
    uint32_t (*acked)[2];         /* local flow, direction -> highest acknowledgement seen */
    bool (*has_acked)[2];
    uint32_t *quoted_by;          /* packet -> ICMP error packet; CORR_NONE */
    struct way (*ways)[2];        /* cache of corr_expect_next() */
};

static int carried_compare(const void *x, const void *y)
{
    const struct carried *a = x, *b = y;

    if (a->flow_dir != b->flow_dir)
        return a->flow_dir < b->flow_dir ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->packet < b->packet ? -1 : a->packet > b->packet;
}

static void carried_collect(struct judge *j)
{
    const struct corr_result *result = j->result;
    uint32_t n = result->packets->len;
    int64_t *near = g_new0(int64_t, 2 * (size_t)result->flows->len + 2);
    bool *has_near = g_new0(bool, 2 * (size_t)result->flows->len + 2);

    j->carried = g_new(struct carried, n + 1);
    j->carried_of = g_new(uint32_t, n + 1);
    j->longest = g_new0(int64_t, 2 * (size_t)result->flows->len + 2);
    j->carried_first = g_new0(uint32_t, 2 * (size_t)result->flows->len + 2);
    memset(j->carried_of, 0xff, sizeof *j->carried_of * (n + 1));
    for (uint32_t p = 0; p < n; p++) {
        const struct corr_packet *packet = corr_result_packet(result, p);
        uint32_t flow_dir = packet->flow * 2 + packet->dir;

        if (packet->kind == CORR_KIND_TCP && packet->to > packet->from && !has_near[flow_dir]) {
            near[flow_dir] = packet->from;
            has_near[flow_dir] = true;
        }
    }
    for (uint32_t p = 0; p < n; p++) {
        const struct corr_packet *packet = corr_result_packet(result, p);
        uint32_t obs = corr_result_sighting(result, packet->first)->obs;
        struct carried c = {packet->from, packet->to, p, packet->flow * 2 + packet->dir};

        if (packet->kind != CORR_KIND_TCP)
            continue;
        if (packet->to == packet->from) {
            uint32_t seq = corr_work_seq(j->work, obs);

            if (!(corr_store_obs(j->work->store, obs)->tcp_flags & (CORR_TCP_SYN | CORR_TCP_FIN)))
                continue;
            if (!has_near[c.flow_dir]) {
                near[c.flow_dir] = seq;
                has_near[c.flow_dir] = true;
            }
            c.from = near[c.flow_dir] + (int32_t)(seq - (uint32_t)near[c.flow_dir]);
            c.to = c.from + 1;
        }
        j->longest[c.flow_dir] = MAX(j->longest[c.flow_dir], c.to - c.from);
        j->carried[j->n_carried++] = c;
    }
    qsort(j->carried, j->n_carried, sizeof *j->carried, carried_compare);
    for (uint32_t i = j->n_carried; i-- > 0;) {
        j->carried_of[j->carried[i].packet] = i;
        j->carried_first[j->carried[i].flow_dir] = i;
    }
    g_free(near);
    g_free(has_near);
}

static void acks_collect(struct judge *j)
{
    const struct corr_store *store = j->work->store;

    j->acked = g_malloc0(sizeof *j->acked * (j->result->n_convs + 1));
    j->has_acked = g_malloc0(sizeof *j->has_acked * (j->result->n_convs + 1));
    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        uint32_t conv = j->result->obs_conv[i], ack;

        if (!(obs->have & CORR_HAVE_TCP) || !(obs->tcp_flags & CORR_TCP_ACK))
            continue;
        ack = corr_work_ack(j->work, i);
        if (!j->has_acked[conv][obs->dir] || (int32_t)(ack - j->acked[conv][obs->dir]) > 0)
            j->acked[conv][obs->dir] = ack;
        j->has_acked[conv][obs->dir] = true;
    }
}

static void quotes_collect(struct judge *j)
{
    uint32_t n = j->result->packets->len;

    j->quoted_by = g_new(uint32_t, n + 1);
    memset(j->quoted_by, 0xff, sizeof *j->quoted_by * (n + 1));
    for (uint32_t p = n; p-- > 0;)
        if (corr_result_packet(j->result, p)->quotes != CORR_NONE)
            j->quoted_by[corr_result_packet(j->result, p)->quotes] = p;
}

static struct way way_from(struct judge *j, uint32_t conv, unsigned dir)
{
    struct way *way = &j->ways[conv][dir];

    if (!way->known) {
        way->known = true;
        way->to = corr_expect_next(j->expect, conv, dir, &way->passed);
    }
    return *way;
}

/* The packet's sighting at a station, or at any that follows it on the way; CORR_NONE. */
static bool seen_from(const struct judge *j, const struct corr_packet *packet, uint32_t conv)
{
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        uint32_t at = j->result->obs_conv[corr_result_sighting(j->result, s)->obs];

        if (at == conv ||
            corr_order_compare(j->result, packet->flow, packet->dir, conv, at) < 0)
            return true;
    }
    return false;
}

static uint32_t obs_at(const struct judge *j, const struct corr_packet *packet, uint32_t conv)
{
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        uint32_t obs = corr_result_sighting(j->result, s)->obs;

        if (j->result->obs_conv[obs] == conv)
            return obs;
    }
    return CORR_NONE;
}

/* What other packets with the same bytes tell. */
struct others {
    bool delivered;   /* one of them was seen beyond the gap */
    uint32_t again;   /* frame in which the same bytes were sent again past the last sighting */
};

static bool others_next(const struct judge *j, const struct carried *me, uint32_t *i,
                        const struct carried **other)
{
    for (; *i < j->n_carried; ++*i) {
        const struct carried *c = &j->carried[*i];

        if (c->flow_dir != me->flow_dir || c->from >= me->to)
            return false;
        if (c->to > me->from && c->packet != me->packet) {
            *other = c;
            ++*i;
            return true;
        }
    }
    return false;
}

static uint32_t others_begin(const struct judge *j, const struct carried *me)
{
    uint32_t lo = j->carried_first[me->flow_dir], hi = (uint32_t)(me - j->carried);
    int64_t from = me->from - j->longest[me->flow_dir];

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (j->carried[mid].from < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct others others_ask(const struct judge *j, uint32_t packet, uint32_t at_obs,
                                uint32_t next_conv)
{
    struct others others = {false, 0};
    uint32_t place = j->carried_of[packet], i;
    const struct carried *other;
    unsigned looked = 0;

    if (place == CORR_NONE)
        return others;
    i = others_begin(j, &j->carried[place]);
    while (looked++ < 4096 && others_next(j, &j->carried[place], &i, &other)) {
        const struct corr_packet *p = corr_result_packet(j->result, other->packet);
        uint32_t obs = obs_at(j, p, j->result->obs_conv[at_obs]);

        if (next_conv != CORR_NONE && seen_from(j, p, next_conv))
            others.delivered = true;
        if (obs != CORR_NONE && obs > at_obs && others.again == 0)
            others.again = corr_store_obs(j->work->store, obs)->frame;
    }
    return others;
}

/* Did an acknowledgement of these bytes come from the far side of the gap? */
static bool acked_from(const struct judge *j, uint32_t packet, uint32_t next_conv)
{
    const struct corr_packet *p = corr_result_packet(j->result, packet);
    uint32_t place = j->carried_of[packet];
    const struct corr_flow *flow = corr_result_flow(j->result, p->flow);

    if (place == CORR_NONE || next_conv == CORR_NONE)
        return false;
    for (uint32_t m = 0; m < flow->convs->len; m++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);
        unsigned back = !(p->dir ^ member->flip);

        if (member->conv != next_conv &&
            corr_order_compare(j->result, p->flow, p->dir, next_conv, member->conv) >= 0)
            continue;
        if (j->has_acked[member->conv][back] &&
            (int32_t)(j->acked[member->conv][back] - (uint32_t)j->carried[place].to) >= 0)
            return true;
    }
    return false;
}

/* An echo request whose reply came from beyond did arrive. */
static bool answered_from(const struct judge *j, const struct corr_packet *packet, uint32_t obs,
                          uint32_t next_conv)
{
    const struct corr_obs *asked = corr_store_obs(j->work->store, obs);

    if (packet->kind != CORR_KIND_ECHO || next_conv == CORR_NONE ||
        corr_result_conv(j->result, j->result->obs_conv[obs])->end[asked->dir].port == 0)
        return false; /* a reply is not answered */
    for (unsigned dir = 0; dir < 2; dir++)
        for (uint32_t i = j->expect->run[next_conv][dir]; i < j->expect->stands->len; i++) {
            const struct corr_stand *stand =
                &g_array_index(j->expect->stands, struct corr_stand, i);
            const struct corr_obs *reply = corr_store_obs(j->work->store, stand->obs);

            if (stand->conv != next_conv || stand->dir != dir)
                break;
            if (corr_result_packet(j->result, stand->packet)->dir != packet->dir &&
                reply->seq == asked->seq)
                return true;
        }
    return false;
}

/*
 * The same datagram sent again by an application that waited for an answer in
 * vain.  A flow that is never answered repeats itself for other reasons.
 */
static uint32_t sent_again(const struct judge *j, uint32_t stand_index)
{
    const struct corr_stand *me = &g_array_index(j->expect->stands, struct corr_stand, stand_index);
    const struct corr_obs *obs = corr_store_obs(j->work->store, me->obs);
    uint32_t answer = j->expect->run[me->conv][!me->dir];

    if (obs->kind == CORR_KIND_TCP || obs->len < 8 || obs->weak || answer == CORR_NONE)
        return 0;
    for (uint32_t i = stand_index + 1; i < j->expect->stands->len && i < stand_index + 32; i++) {
        const struct corr_stand *stand = &g_array_index(j->expect->stands, struct corr_stand, i);
        const struct corr_obs *other = corr_store_obs(j->work->store, stand->obs);
        bool known;

        if (stand->conv != me->conv || stand->dir != me->dir)
            break;
        if (other->kind != obs->kind || !corr_obs_same_content(obs, other, &known) || !known ||
            other->seq != obs->seq)
            continue;
        for (; answer < j->expect->stands->len; answer++) {
            const struct corr_stand *back = &g_array_index(j->expect->stands, struct corr_stand,
                                                           answer);

            if (back->conv != me->conv || back->dir == me->dir || back->obs > stand->obs)
                break;
            if (back->obs > me->obs)
                return 0; /* it was answered in between */
        }
        return other->frame;
    }
    return 0;
}

/*
 * What an ICMP error says of the packet that it quotes (RFC 792, RFC 4443): why
 * it was not forwarded.  False if the error reports no loss.
 */
static bool error_cause(const struct judge *j, uint32_t by, uint8_t *cause, uint32_t *frame)
{
    uint32_t obs = corr_result_sighting(j->result, corr_result_packet(j->result, by)->first)->obs;
    const struct corr_obs *error = corr_store_obs(j->work->store, obs);
    bool v6 = corr_result_conv(j->result, j->result->obs_conv[obs])->end[0].addr.len == 16;
    unsigned type = error->icmp_type, code = error->icmp_code;

    *frame = error->frame;
    *cause = CORR_CAUSE_UNKNOWN;
    if (v6 ? type == 2 : type == 3 && code == 4)
        *cause = CORR_CAUSE_MTU;
    else if (v6 ? type == 3 : type == 11)
        *cause = CORR_CAUSE_TTL;
    else if (v6 ? type == 1 && code != 0 && code != 3 : type == 3 && code > 1)
        *cause = CORR_CAUSE_POLICY;
    return v6 ? type <= 4 : type == 3 || type == 11 || type == 12;
}

static void lose(struct corr_packet *packet, enum corr_fate fate, uint32_t sighting, uint32_t point,
                 uint32_t evidence)
{
    packet->fate = fate;
    packet->drop_after = sighting;
    packet->drop_before = point;
    packet->evidence = evidence;
}

static void undetermine(struct corr_packet *packet, uint32_t sighting, uint32_t point,
                        const char *reason)
{
    lose(packet, CORR_FATE_UNDETERMINED, sighting, point, 0);
    packet->reason = reason;
}

static void miss(struct judge *j, struct corr_packet *packet, uint32_t point)
{
    GArray *points;

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

/* Could point q have seen what was at p at time t?  NULL if yes, else why not. */
static const char *coverage_gap(const struct judge *j, uint32_t p, uint32_t q, int64_t t_ns)
{
    const struct corr_pass *before, *after, *near;
    int64_t at;

    corr_expect_around(j->expect, p, q, t_ns, &before, &after);
    if (before == NULL && after == NULL)
        return "tail";
    near = before == NULL ||
                   (after != NULL && after->t_ns - t_ns < t_ns - before->t_ns)
               ? after
               : before;
    at = t_ns + near->d_ns;
    if (at < j->expect->first_ns[q] || at > j->expect->last_ns[q])
        return "not covered at";
    if (corr_expect_outage(j->expect, p, q, at, near->d_ns,
                           MAX(OUTAGE_NS, OUTAGE_GAPS * j->expect->gap_ns[q])))
        return "outage at";
    return NULL;
}

static bool vouched(const struct judge *j, uint32_t p, uint32_t q, int64_t t_ns, bool later)
{
    const struct corr_pass *before, *after;

    corr_expect_around(j->expect, p, q, t_ns, &before, &after);
    return later ? after != NULL && after->t_ns - t_ns <= VOUCH_NS
                 : before != NULL && t_ns - before->t_ns <= VOUCH_NS;
}

/* A flow of which nothing passed: how often was it tried, and did anybody answer here? */
static void attempts_count(const struct judge *j, uint32_t conv, unsigned dir, uint32_t stand,
                           uint32_t *tries, uint32_t *next_try, uint32_t *answers, uint32_t *reset)
{
    const GArray *stands = j->expect->stands;

    *tries = *next_try = *answers = *reset = 0;
    for (uint32_t i = j->expect->run[conv][dir]; i < stands->len; i++) {
        const struct corr_stand *s = &g_array_index(stands, struct corr_stand, i);

        if (s->conv != conv || s->dir != dir)
            break;
        ++*tries;
        if (i > stand && *next_try == 0)
            *next_try = corr_store_obs(j->work->store, s->obs)->frame;
    }
    for (uint32_t i = j->expect->run[conv][!dir]; i < stands->len; i++) {
        const struct corr_stand *s = &g_array_index(stands, struct corr_stand, i);
        const struct corr_obs *obs = corr_store_obs(j->work->store, s->obs);

        if (s->conv != conv || s->dir == dir)
            break;
        if (obs->kind == CORR_KIND_TCP && obs->tcp_flags & CORR_TCP_RST)
            *reset = obs->frame;
        else
            ++*answers;
    }
}

static void judge_unpassed(struct judge *j, struct corr_packet *packet, uint32_t index,
                           uint32_t last, uint32_t stand)
{
    uint32_t obs = corr_result_sighting(j->result, last)->obs;
    const struct corr_obs *at = corr_store_obs(j->work->store, obs);
    uint32_t conv = j->result->obs_conv[obs], tries, next_try, answers, reset, q, by;
    const char *gap;

    attempts_count(j, conv, at->dir, stand, &tries, &next_try, &answers, &reset);
    q = corr_expect_class(j->work, j->expect, obs, answers == 0 && tries > 1);
    by = j->quoted_by[index];
    if (by != CORR_NONE && q != CORR_NONE) {
        uint8_t cause;
        uint32_t frame;

        if (error_cause(j, by, &cause, &frame)) {
            lose(packet, CORR_FATE_CONFIRMED, last, q, frame);
            packet->cause = cause;
            return;
        }
    }
    if (q == CORR_NONE || answers > 0)
        return;
    gap = coverage_gap(j, at->point, q, at->time_ns);
    /* Cut payloads leave little to recognise a flow by, where TCP's numbers do not help. */
    if (gap == NULL && at->have & CORR_HAVE_SNAPPED && !(at->have & CORR_HAVE_TCP))
        gap = "cut short, perhaps seen at";
    if (gap == NULL &&
        j->expect->protos[q][corr_result_conv(j->result, conv)->proto] < PROTO_MIN)
        gap = "not captured at";
    if (gap != NULL) {
        undetermine(packet, last, q, gap);
    } else if (tries > 1 || reset != 0) {
        lose(packet, CORR_FATE_BLOCKED, last, q, reset != 0 ? reset : next_try);
        packet->cause = CORR_CAUSE_POLICY;
    } else if (vouched(j, at->point, q, at->time_ns, false) &&
               vouched(j, at->point, q, at->time_ns, true)) {
        lose(packet, CORR_FATE_PROBABLE, last, q, 0);
    } else {
        undetermine(packet, last, q, "tail");
    }
}

static void judge_packet(struct judge *j, uint32_t index)
{
    struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
    uint32_t last = CORR_NONE, stand, obs, conv, q, by;
    const struct corr_stand *s;
    const struct corr_obs *at;
    struct others others;
    struct way way;
    const char *gap;
    bool before, after;

    if (packet->ambiguous || packet->flow == CORR_NONE || !packet->ordered)
        return;
    for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
        const struct corr_sighting *sighting = corr_result_sighting(j->result, i);

        if (sighting->duplicate)
            continue;
        if (last != CORR_NONE && sighting->hop == corr_result_sighting(j->result, last)->hop)
            return; /* branches end side by side: no one of them is the last */
        last = i;
    }
    stand = last == CORR_NONE ? CORR_NONE : j->expect->stand_of[last];
    if (stand == CORR_NONE)
        return;
    s = &g_array_index(j->expect->stands, struct corr_stand, stand);
    obs = s->obs;
    conv = s->conv;
    at = corr_store_obs(j->work->store, obs);
    if (corr_conv_scoped(corr_result_conv(j->result, conv)))
        return;
    way = way_from(j, conv, s->dir);
    if (way.to == CORR_NONE) {
        judge_unpassed(j, packet, index, last, stand);
        return;
    }
    q = corr_result_conv(j->result, way.to)->point;
    others = others_ask(j, index, obs, way.to);
    if ((acked_from(j, index, way.to) && !others.delivered) ||
        answered_from(j, packet, obs, way.to)) {
        miss(j, packet, q);
        return;
    }
    by = j->quoted_by[index];
    if (by != CORR_NONE) {
        uint8_t cause;
        uint32_t frame;

        if (error_cause(j, by, &cause, &frame)) {
            lose(packet, CORR_FATE_CONFIRMED, last, q, frame);
            packet->cause = cause;
            return;
        }
    }
    if (others.delivered && others.again != 0) {
        lose(packet, CORR_FATE_CONFIRMED, last, q, others.again);
        return;
    }
    gap = coverage_gap(j, at->point, q, at->time_ns);
    if (gap != NULL && strcmp(gap, "tail") != 0) {
        undetermine(packet, last, q, gap);
        return;
    }
    if (others.again == 0)
        others.again = sent_again(j, stand);
    /* The first packets of a flow have nothing before them; then it is enough that the point was
     * looking.  What comes after must have passed: a way may end at any time. */
    before = s->before != CORR_NONE || gap == NULL;
    after = s->after != CORR_NONE || vouched(j, at->point, q, at->time_ns, true);
    if (before && after)
        lose(packet, others.again != 0 ? CORR_FATE_CONFIRMED : CORR_FATE_PROBABLE, last, q,
             others.again);
    else if (others.again != 0 && gap == NULL)
        lose(packet, CORR_FATE_CONFIRMED, last, q, others.again);
    else
        undetermine(packet, last, q, before ? "tail" : "before the first packet seen at");
}

/* Points that a packet passed unseen: between two of its sightings, on its flow's way. */
static void judge_missed(struct judge *j, uint32_t index)
{
    struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
    const struct corr_flow *flow;

    if (packet->flow == CORR_NONE || !packet->ordered || packet->ambiguous)
        return;
    flow = corr_result_flow(j->result, packet->flow);
    if (flow->convs->len <= 2)
        return;
    for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(j->result, i);
        const struct corr_obs *from;
        uint32_t a, b;

        if (s->prev == CORR_NONE)
            continue;
        from = corr_result_obs(j->result, corr_result_sighting(j->result, s->prev));
        a = j->result->obs_conv[corr_result_sighting(j->result, s->prev)->obs];
        b = j->result->obs_conv[s->obs];
        for (uint32_t m = 0; m < flow->convs->len; m++) {
            uint32_t x = g_array_index(flow->convs, struct corr_member, m).conv;
            uint32_t point = corr_result_conv(j->result, x)->point;
            unsigned dir = packet->dir ^ g_array_index(flow->convs, struct corr_member, m).flip;

            if (point == from->point || point == corr_result_obs(j->result, s)->point ||
                corr_order_compare(j->result, packet->flow, packet->dir, a, x) >= 0 ||
                corr_order_compare(j->result, packet->flow, packet->dir, x, b) >= 0 ||
                way_from(j, x, dir).passed == 0)
                continue;
            if (coverage_gap(j, from->point, point, from->time_ns) == NULL)
                miss(j, packet, point);
        }
    }
}

/* A packet whose bytes were sent before, at the same station, is a retransmission of that one. */
static void judge_original(struct judge *j, uint32_t index)
{
    struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
    uint32_t place = j->carried_of[index], i, conv, mine;
    const struct carried *other;
    unsigned looked = 0;

    if (place == CORR_NONE)
        return;
    mine = corr_result_sighting(j->result, packet->first)->obs;
    conv = j->result->obs_conv[mine];
    i = others_begin(j, &j->carried[place]);
    while (looked++ < 4096 && others_next(j, &j->carried[place], &i, &other)) {
        uint32_t obs = obs_at(j, corr_result_packet(j->result, other->packet), conv);

        if (obs != CORR_NONE && obs < mine &&
            (packet->original == CORR_NONE || other->packet < packet->original))
            packet->original = other->packet;
    }
}

void corr_fates_decide(struct corr_work *work)
{
    struct judge j = {.work = work, .result = work->result};

    j.expect = corr_expect_new(work);
    carried_collect(&j);
    acks_collect(&j);
    quotes_collect(&j);
    j.ways = g_malloc0(sizeof *j.ways * (work->result->n_convs + 1));
    for (uint32_t p = 0; p < work->result->packets->len; p++) {
        judge_packet(&j, p);
        judge_missed(&j, p);
        judge_original(&j, p);
    }
    corr_expect_free(j.expect);
    g_free(j.carried);
    g_free(j.carried_of);
    g_free(j.longest);
    g_free(j.carried_first);
    g_free(j.acked);
    g_free(j.has_acked);
    g_free(j.quoted_by);
    g_free(j.ways);
}
