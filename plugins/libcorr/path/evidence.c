/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Retransmissions, acknowledgements, answers and ICMP errors, as evidence of a packet's fate. */
#include <stdlib.h>
#include <string.h>

#include "path/judge.h"
#include "path/order.h"
#include "store/sort.h"

/* A mirror's second copy follows the first one this soon; nobody sends again so fast. */
#define COPY_NS INT64_C(1000000)

/* One and the same datagram, by its identification: a copy of it, damaged perhaps, not sent again.
 */
static bool is_copy(const struct corr_obs *a, const struct corr_obs *b)
{
    return a->have & b->have & CORR_HAVE_IP_ID && a->ip_id == b->ip_id && a->ip_id != 0 &&
           b->time_ns - a->time_ns < COPY_NS;
}

static bool carried_less(const struct corr_carried *a, const struct corr_carried *b)
{
    if (a->flow_dir != b->flow_dir)
        return a->flow_dir < b->flow_dir;
    return a->from != b->from ? a->from < b->from : a->packet < b->packet;
}

CORR_SORT_DEFINE(carried_sort, struct corr_carried, carried_less)

static void carried_collect(struct corr_judge *j)
{
    const struct corr_result *result = j->result;
    uint32_t n = result->packets->len;
    int64_t *near = g_new0(int64_t, 2 * (size_t)result->flows->len + 2);
    bool *has_near = g_new0(bool, 2 * (size_t)result->flows->len + 2);

    j->carried = g_new(struct corr_carried, n + 1);
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
        struct corr_carried c = {packet->from, packet->to, p, packet->flow * 2 + packet->dir};

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
    carried_sort(j->carried, j->n_carried);
    for (uint32_t i = j->n_carried; i-- > 0;) {
        j->carried_of[j->carried[i].packet] = i;
        j->carried_first[j->carried[i].flow_dir] = i;
    }
    g_free(near);
    g_free(has_near);
}

static void acks_collect(struct corr_judge *j)
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

static void quotes_collect(struct corr_judge *j)
{
    uint32_t n = j->result->packets->len;

    j->quoted_by = g_new(uint32_t, n + 1);
    memset(j->quoted_by, 0xff, sizeof *j->quoted_by * (n + 1));
    for (uint32_t p = n; p-- > 0;)
        if (corr_result_packet(j->result, p)->quotes != CORR_NONE)
            j->quoted_by[corr_result_packet(j->result, p)->quotes] = p;
}

void corr_judge_collect(struct corr_judge *j)
{
    carried_collect(j);
    acks_collect(j);
    quotes_collect(j);
}

void corr_judge_clear(struct corr_judge *j)
{
    g_free(j->carried);
    g_free(j->carried_of);
    g_free(j->longest);
    g_free(j->carried_first);
    g_free(j->acked);
    g_free(j->has_acked);
    g_free(j->quoted_by);
    g_array_unref(j->skips);
    g_hash_table_destroy(j->triples);
    g_free(j->bypass);
    g_free(j->forks);
    g_free(j->way_of);
    g_hash_table_destroy(j->spread);
}

/* The packet's sighting at a station, or at any that follows it on the way; CORR_NONE. */
bool corr_judge_seen_from(const struct corr_judge *j, const struct corr_packet *packet,
                          uint32_t conv)
{
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        uint32_t at = j->result->obs_conv[corr_result_sighting(j->result, s)->obs];

        if (at == conv || corr_order_compare(j->result, packet->flow, packet->dir, conv, at) < 0)
            return true;
    }
    return false;
}

uint32_t corr_judge_obs_at(const struct corr_judge *j, const struct corr_packet *packet,
                           uint32_t conv)
{
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        uint32_t obs = corr_result_sighting(j->result, s)->obs;

        if (j->result->obs_conv[obs] == conv)
            return obs;
    }
    return CORR_NONE;
}

bool corr_judge_overlap_next(const struct corr_judge *j, const struct corr_carried *me, uint32_t *i,
                             const struct corr_carried **other)
{
    for (; *i < j->n_carried; ++*i) {
        const struct corr_carried *c = &j->carried[*i];

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

uint32_t corr_judge_overlaps(const struct corr_judge *j, const struct corr_carried *me)
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

struct corr_others corr_judge_others(const struct corr_judge *j, uint32_t packet, uint32_t at_obs,
                                     uint32_t next_conv)
{
    struct corr_others others = {false, 0};
    uint32_t place = j->carried_of[packet], i;
    const struct corr_carried *other;
    unsigned looked = 0;

    if (place == CORR_NONE)
        return others;
    i = corr_judge_overlaps(j, &j->carried[place]);
    while (looked++ < 4096 && corr_judge_overlap_next(j, &j->carried[place], &i, &other)) {
        const struct corr_packet *p = corr_result_packet(j->result, other->packet);
        uint32_t obs = corr_judge_obs_at(j, p, j->result->obs_conv[at_obs]);

        if (next_conv != CORR_NONE && corr_judge_seen_from(j, p, next_conv))
            others.delivered = true;
        if (obs != CORR_NONE && obs > at_obs && others.again == 0 &&
            !is_copy(corr_store_obs(j->work->store, at_obs), corr_store_obs(j->work->store, obs)))
            others.again = corr_store_obs(j->work->store, obs)->frame;
        if (others.delivered && others.again != 0)
            break;
    }
    return others;
}

bool corr_judge_carried_before(const struct corr_judge *j, uint32_t packet)
{
    uint32_t place = j->carried_of[packet], i, looked = 0;
    const struct corr_carried *other;

    if (place == CORR_NONE)
        return false;
    i = corr_judge_overlaps(j, &j->carried[place]);
    while (looked++ < 4096 && corr_judge_overlap_next(j, &j->carried[place], &i, &other))
        if (other->packet < packet) /* packets are numbered by their first frame */
            return true;
    return false;
}

/*
 * Did an acknowledgement of these bytes come from the far side of the gap?  Where no point there
 * shows this direction, any will do: nobody tells what a gateway acknowledged.
 */
bool corr_judge_acked_from(const struct corr_judge *j, uint32_t packet, uint32_t next_conv)
{
    const struct corr_packet *p = corr_result_packet(j->result, packet);
    uint32_t place = j->carried_of[packet];
    const struct corr_flow *flow = corr_result_flow(j->result, p->flow);
    bool shown = false, acked = false;

    if (place == CORR_NONE || next_conv == CORR_NONE)
        return false;
    for (uint32_t m = 0; m < flow->convs->len; m++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);
        unsigned back = !(p->dir ^ member->flip);
        bool beyond = member->conv == next_conv ||
                      corr_order_compare(j->result, p->flow, p->dir, next_conv, member->conv) < 0;

        if (!j->has_acked[member->conv][back])
            continue;
        shown |= beyond;
        if ((int32_t)(j->acked[member->conv][back] - (uint32_t)j->carried[place].to) < 0)
            continue;
        if (beyond)
            return true;
        acked = true;
    }
    return acked && !shown;
}

/* Does the local flow show the reply to an echo request? */
static bool reply_at(const struct corr_judge *j, const struct corr_packet *packet, uint32_t seq,
                     uint32_t conv)
{
    for (unsigned dir = 0; dir < 2; dir++)
        for (uint32_t i = j->expect->run[conv][dir]; i < j->expect->stands->len; i++) {
            const struct corr_stand *stand =
                &g_array_index(j->expect->stands, struct corr_stand, i);

            if (stand->conv != conv || stand->dir != dir ||
                corr_result_packet(j->result, stand->packet)->dir == packet->dir)
                break;
            if (corr_store_obs(j->work->store, stand->obs)->seq == seq)
                return true;
        }
    return false;
}

/* An echo request that was answered did arrive, wherever the reply was seen. */
bool corr_judge_answered_from(const struct corr_judge *j, const struct corr_packet *packet,
                              uint32_t obs, uint32_t next_conv)
{
    const struct corr_obs *asked = corr_store_obs(j->work->store, obs);
    uint32_t conv = j->result->obs_conv[obs];

    if (packet->kind != CORR_KIND_ECHO ||
        corr_result_conv(j->result, conv)->end[asked->dir].port == 0)
        return false; /* a reply is not answered */
    return reply_at(j, packet, asked->seq, conv) ||
           (next_conv != CORR_NONE && reply_at(j, packet, asked->seq, next_conv));
}

/*
 * The same datagram sent again by an application that waited for an answer in
 * vain.  A flow that is never answered repeats itself for other reasons.
 */
uint32_t corr_judge_sent_again(const struct corr_judge *j, uint32_t stand_index)
{
    const struct corr_stand *me = &g_array_index(j->expect->stands, struct corr_stand, stand_index);
    const struct corr_obs *obs = corr_store_obs(j->work->store, me->obs);
    uint32_t answer = j->expect->run[me->conv][!me->dir], answers = 0;

    if (obs->kind == CORR_KIND_TCP || obs->len < 8 || obs->weak || answer == CORR_NONE)
        return 0;
    for (uint32_t i = stand_index + 1; i < j->expect->stands->len && i < stand_index + 32; i++) {
        const struct corr_stand *stand = &g_array_index(j->expect->stands, struct corr_stand, i);
        const struct corr_obs *other = corr_store_obs(j->work->store, stand->obs);
        bool known;

        if (stand->conv != me->conv || stand->dir != me->dir)
            break;
        if (other->kind != obs->kind || !corr_obs_same_content(obs, other, &known) || !known ||
            other->seq != obs->seq || is_copy(obs, other))
            continue;
        /* Answers in between belong to others only if there were as many others. */
        for (; answer < j->expect->stands->len; answer++) {
            const struct corr_stand *back =
                &g_array_index(j->expect->stands, struct corr_stand, answer);

            if (back->conv != me->conv || back->dir == me->dir || back->obs > stand->obs)
                break;
            answers += back->obs > me->obs;
        }
        if (answers > i - stand_index - 1)
            return 0;
        return other->frame;
    }
    return 0;
}

/*
 * What an ICMP error says of the packet that it quotes (RFC 792, RFC 4443): why
 * it was not forwarded.  False if the error reports no loss.
 */
bool corr_judge_error(const struct corr_judge *j, uint32_t by, uint8_t *cause, uint32_t *frame)
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

/* A packet whose bytes were sent before, at the same station, is a retransmission of that one. */
void corr_judge_original(struct corr_judge *j, uint32_t index)
{
    struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
    uint32_t place = j->carried_of[index], i, conv, mine;
    const struct corr_carried *other;
    unsigned looked = 0;

    if (place == CORR_NONE)
        return;
    mine = corr_result_sighting(j->result, packet->first)->obs;
    conv = j->result->obs_conv[mine];
    i = corr_judge_overlaps(j, &j->carried[place]);
    while (looked++ < 4096 && corr_judge_overlap_next(j, &j->carried[place], &i, &other)) {
        uint32_t obs = corr_judge_obs_at(j, corr_result_packet(j->result, other->packet), conv);

        if (obs != CORR_NONE && obs < mine) {
            packet->original = other->packet; /* the first sent: they are sorted */
            return;
        }
    }
}
