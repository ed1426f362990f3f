/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_incidents.c - the events of a flow, each once, and how it began and ended. */
#include <stdlib.h>

#include "layers/tcp-int.h"
#include "path/order.h"

/* What concerns the data of the frame's own direction; the rest concerns the other one. */
#define OWN_DATA                                                                                   \
    (CORR_TCP_BIT(RETRANSMISSION) | CORR_TCP_BIT(FAST) | CORR_TCP_BIT(TIMEOUT) |                   \
     CORR_TCP_BIT(PROBE) | CORR_TCP_BIT(SPURIOUS) | CORR_TCP_BIT(OUT_OF_ORDER) |                   \
     CORR_TCP_BIT(WINDOW_PROBE) | CORR_TCP_BIT(WINDOW_FULL) | CORR_TCP_BIT(KEEP_ALIVE) |           \
     CORR_TCP_BIT(LOST_SEGMENT))
#define REPEAT                                                                                     \
    (CORR_TCP_BIT(RETRANSMISSION) | CORR_TCP_BIT(FAST) | CORR_TCP_BIT(TIMEOUT) |                   \
     CORR_TCP_BIT(PROBE) | CORR_TCP_BIT(SPURIOUS))

static int incident_compare(const void *a, const void *b)
{
    const struct corr_tcp_incident *x = a, *y = b;

    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->frame != y->frame)
        return x->frame < y->frame ? -1 : 1;
    return x->packet < y->packet ? -1 : x->packet > y->packet;
}

static struct corr_tcp_incident incident_of(const struct corr_tcp_work *work, uint32_t f,
                                            unsigned data_dir, uint32_t obs, uint32_t packet)
{
    const struct corr_obs *o = corr_store_obs(work->r->store, obs);

    return (struct corr_tcp_incident){
        .time_ns = o->time_ns,
        .flow = f,
        .frame = o->frame,
        .packet = packet,
        .point = o->point,
        .dir = o->dir ^ work->r->conv_flip[work->r->obs_conv[obs]],
        .data_dir = (uint8_t)data_dir,
        .original = CORR_NONE,
        .lost_after = CORR_NONE,
        .lost_before = CORR_NONE,
    };
}

/* One incident per repeated packet of a frame, as the kernel counts segments. */
static void repeats_list(struct corr_tcp_work *work, uint32_t f, unsigned dir, uint32_t obs)
{
    const struct corr_result *r = work->r;

    for (uint32_t k = 0; k < corr_tcp_packets_in(r, obs); k++) {
        uint32_t packet = corr_tcp_packet_at(r, obs, k);
        struct corr_tcp_incident incident = incident_of(work, f, dir, obs, packet);

        if (!(work->packets[packet] & CORR_TCP_PACKET_REPEATED))
            continue;
        const struct corr_tcp_fact *fact =
            &g_array_index(work->facts, struct corr_tcp_fact, work->fact_of[packet]);
        corr_tcp_fact_losses(work, fact, &incident.lost_after, &incident.lost_before);
        incident.original = fact->original;
        incident.events = CORR_TCP_BIT(RETRANSMISSION) | fact->kind;
        if (work->packets[packet] & CORR_TCP_PACKET_SPURIOUS)
            incident.events |= CORR_TCP_BIT(SPURIOUS);
        if (fact->original != CORR_NONE) {
            uint32_t seen = corr_tcp_obs_at(r, fact->original, r->obs_conv[obs]);
            incident.original_frame = seen != CORR_NONE ? corr_store_obs(r->store, seen)->frame : 0;
        }
        g_array_append_val(work->tcp->incidents, incident);
    }
}

uint32_t corr_tcp_obs_at(const struct corr_result *r, uint32_t packet, uint32_t conv)
{
    const struct corr_packet *p = corr_result_packet(r, packet);

    for (uint32_t i = p->first; i < p->first + p->n; i++)
        if (r->obs_conv[corr_result_sighting(r, i)->obs] == conv)
            return corr_result_sighting(r, i)->obs;
    return CORR_NONE;
}

/* Segments that were in order before a point, and not there: listed at the sender-most point. */
static void overtaken_list(struct corr_tcp_work *work, uint32_t f, unsigned dir, uint32_t sender)
{
    const struct corr_result *r = work->r;
    const GArray *convs = corr_result_flow(r, f)->convs;

    for (unsigned m = 0; m < convs->len; m++) {
        guint at = g_array_index(work->again_start, guint, m * 2 + dir);
        guint end = g_array_index(work->again_start, guint, m * 2 + dir + 1);

        for (; at < end; at++) {
            uint32_t obs = g_array_index(work->again, struct corr_tcp_again, at).obs;
            uint32_t packet, before, first;

            if (!(work->tcp->events[obs] & CORR_TCP_BIT(OUT_OF_ORDER)))
                continue;
            packet = corr_tcp_packet_at(r, obs, 0);
            before = corr_tcp_look_before(work, f, dir, r->obs_conv[obs], packet);
            first = corr_tcp_obs_at(r, packet, sender);
            if (before == CORR_NONE || first == CORR_NONE ||
                work->tcp->events[before] & CORR_TCP_BIT(OUT_OF_ORDER))
                continue; /* the sender-most point lists it, or the point where it began */
            struct corr_tcp_incident incident = incident_of(work, f, dir, first, packet);

            incident.events = CORR_TCP_BIT(OUT_OF_ORDER);
            incident.frame = corr_store_obs(r->store, obs)->frame;
            incident.lost_after = corr_store_obs(r->store, before)->point;
            incident.lost_before = corr_store_obs(r->store, obs)->point;
            g_array_append_val(work->tcp->incidents, incident);
        }
    }
}

static void way_list(struct corr_tcp_work *work, uint32_t f, unsigned data_dir)
{
    const struct corr_result *r = work->r;
    struct corr_tcp *tcp = work->tcp;
    struct corr_tcp_way *way = &g_array_index(tcp->ways, struct corr_tcp_way, f * 2 + data_dir);

    way->first_incident = tcp->incidents->len;
    if (way->sender == CORR_NONE)
        return;
    for (uint32_t k = work->start[way->sender]; k < work->start[way->sender + 1]; k++) {
        uint32_t obs = work->by_conv[k];
        unsigned events = tcp->events[obs];
        unsigned dir = corr_store_obs(r->store, obs)->dir ^ r->conv_flip[way->sender];

        events &= dir == data_dir ? OWN_DATA : ~OWN_DATA;
        if (events & REPEAT)
            repeats_list(work, f, data_dir, obs);
        events &= ~REPEAT;
        if (events == 0)
            continue;
        struct corr_tcp_incident incident =
            incident_of(work, f, data_dir, obs, corr_tcp_packet_at(r, obs, 0));
        incident.events = (uint16_t)events;
        g_array_append_val(tcp->incidents, incident);
    }
    overtaken_list(work, f, data_dir, way->sender);
    way->n_incidents = tcp->incidents->len - way->first_incident;
    if (way->n_incidents == 0)
        return;
    struct corr_tcp_incident *first =
        &g_array_index(tcp->incidents, struct corr_tcp_incident, way->first_incident);

    qsort(first, way->n_incidents, sizeof *first, incident_compare);
    for (uint32_t i = 0; i < way->n_incidents; i++)
        for (unsigned events = first[i].events; events != 0; events &= events - 1)
            way->counts[__builtin_ctz(events)]++;
}

/* Whether a local flow shows a reset in this direction of the flow. */
static bool reset_at(const struct corr_tcp_work *work, uint32_t conv, unsigned dir)
{
    const struct corr_result *r = work->r;

    for (uint32_t k = work->start[conv]; k < work->start[conv + 1]; k++) {
        uint32_t obs = work->by_conv[k];

        if (corr_store_obs(r->store, obs)->tcp_flags & CORR_TCP_RST &&
            corr_result_packet(r, corr_tcp_packet_at(r, obs, 0))->dir == dir)
            return true;
    }
    return false;
}

/* The first reset: a point that the way passes before the one that saw it first did not. */
static void reset_find(struct corr_tcp_work *work, uint32_t f, struct corr_tcp_flow *flow)
{
    const struct corr_result *r = work->r;
    const GArray *convs = corr_result_flow(r, f)->convs;
    uint32_t first = CORR_NONE;

    for (unsigned m = 0; m < convs->len; m++) {
        uint32_t conv = g_array_index(convs, struct corr_member, m).conv;
        for (uint32_t k = work->start[conv]; k < work->start[conv + 1]; k++)
            if (corr_store_obs(r->store, work->by_conv[k])->tcp_flags & CORR_TCP_RST) {
                first = MIN(first, work->by_conv[k]);
                break;
            }
    }
    if (first == CORR_NONE)
        return;
    struct corr_tcp_reset *reset = &flow->reset;
    const struct corr_packet *p = corr_result_packet(r, corr_tcp_packet_at(r, first, 0));
    const struct corr_sighting *s = corr_result_sighting(r, p->first);
    uint32_t at = r->obs_conv[s->obs], previous = CORR_NONE;

    reset->seen = true;
    reset->dir = p->dir;
    reset->packet = corr_tcp_packet_at(r, first, 0);
    reset->frame = corr_result_obs(r, s)->frame;
    reset->before = corr_result_obs(r, s)->point;
    reset->after = CORR_NONE;
    for (unsigned m = 0; m < convs->len; m++) {
        uint32_t conv = g_array_index(convs, struct corr_member, m).conv;
        if (work->start[conv] == work->start[conv + 1] ||
            corr_order_compare(r, f, p->dir, conv, at) >= 0)
            continue;
        if (previous == CORR_NONE || corr_order_compare(r, f, p->dir, previous, conv) < 0)
            previous = conv;
    }
    /* Two equal resets: the first one here may be the one that the point before shows. */
    if (previous != CORR_NONE && !(p->ambiguous && reset_at(work, previous, p->dir)))
        reset->after = corr_result_conv(r, previous)->point;
}

static void handshake_find(struct corr_tcp_work *work, uint32_t f, struct corr_tcp_flow *flow)
{
    const struct corr_result *r = work->r;
    const GArray *convs = corr_result_flow(r, f)->convs;
    bool syn[2] = {false, false}, syn_ack = false, ack = false, data = false, other = false;

    for (unsigned m = 0; m < convs->len; m++) {
        uint32_t conv = g_array_index(convs, struct corr_member, m).conv;
        const struct corr_tcp_conv *c = corr_tcp_conv_of(work->tcp, conv);

        syn_ack |= c->has_syn_ack;
        ack |= c->has_ack;
        for (uint32_t k = work->start[conv]; k < work->start[conv + 1]; k++) {
            const struct corr_obs *obs = corr_store_obs(r->store, work->by_conv[k]);
            bool is_syn = (obs->tcp_flags & CORR_TCP_SYN) != 0;

            if (is_syn && !(obs->tcp_flags & CORR_TCP_ACK)) {
                syn[obs->dir ^ r->conv_flip[conv]] = true;
                data |= obs->len > 0;
            }
            other |= !is_syn && !(obs->tcp_flags & CORR_TCP_RST);
            if (!is_syn && obs->len > 0)
                break; /* the handshake is over */
        }
    }
    flow->handshake = !syn[0] && !syn[1] && !syn_ack ? CORR_TCP_HANDSHAKE_UNSEEN
                      : syn[0] && syn[1]             ? CORR_TCP_HANDSHAKE_SIMULTANEOUS
                      : (syn[0] || syn[1]) && syn_ack && ack
                          ? (data ? CORR_TCP_HANDSHAKE_FAST_OPEN : CORR_TCP_HANDSHAKE_NORMAL)
                      : syn_ack || other ? CORR_TCP_HANDSHAKE_PARTIAL
                      : flow->reset.seen ? CORR_TCP_HANDSHAKE_REFUSED
                                         : CORR_TCP_HANDSHAKE_UNANSWERED;
    for (guint i = 0; i < work->facts->len; i++) {
        const struct corr_packet *p =
            corr_result_packet(r, g_array_index(work->facts, struct corr_tcp_fact, i).packet);
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->first));

        flow->syn_retransmissions += (obs->tcp_flags & CORR_TCP_SYN) != 0;
    }
}

void corr_tcp_incidents_list(struct corr_tcp_work *work, uint32_t f)
{
    struct corr_tcp_flow *flow = &g_array_index(work->tcp->flows, struct corr_tcp_flow, f);

    way_list(work, f, 0);
    way_list(work, f, 1);
    reset_find(work, f, flow);
    handshake_find(work, f, flow);
}
