/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_hosts.c - what hosts do to their connections: they refuse, do not read, or hesitate. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/layers.h"
#include "layers/tcp.h"
#include "path/text.h"

#define CLOSED_ERROR_NS INT64_C(200000000) /* closed for longer: poor; layers/grade.h */
#define DELAYED_ACK_NS INT64_C(30000000)   /* what is shorter nobody notices */
#define LIMITED_NS INT64_C(100000000)      /* transfers shorter than this have no limit to tell */
#define LIMITED_SHARE 0.5

static bool counts(const struct corr_inquiry *q, uint32_t flow)
{
    return flow < q->r->flows->len && q->flow_counts[flow];
}

/* "TCP 10.0.0.1:5 > 10.0.0.2:80", behind "in 3 connections, the worst is" if there are several. */
static void append_connections(const struct corr_inquiry *q, const struct corr_tally *tally,
                               GString *text)
{
    if (tally->flows->len > 1)
        g_string_append_printf(text, "in %u connections, the worst is ", tally->flows->len);
    else
        g_string_append(text, "in ");
    g_string_append(text, "TCP ");
    corr_inquiry_append_ends(q, tally->worst, text);
}

/* The connections, and for how long their senders waited: that is what the finding weighs. */
static void append_waits(const struct corr_inquiry *q, const struct corr_tally *tally,
                         struct corr_insight *insight, GString *text, GString *size)
{
    append_connections(q, tally, text);
    corr_text_time(tally->sum_ns, size);
    insight->size = (double)tally->sum_ns;
}

void corr_rule_refused(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    g_autoptr(GPtrArray) services = corr_tallies_new();
    g_autoptr(GHashTable) by_who = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_tcp_flow *flow = corr_tcp_flow_of(tcp, f);
        if (flow->handshake != CORR_TCP_HANDSHAKE_REFUSED || !counts(q, f) ||
            (flow->reset.after != CORR_NONE && flow->reset.before != CORR_NONE))
            continue;
        struct corr_tally *tally = corr_tally_add(
            services, by_who, corr_inquiry_end(q, corr_inquiry_conv(q, f), 1), f, 1, 0);
        corr_tally_prove(tally, corr_result_flow(q->r, f)->first_frame);
        corr_tally_prove(tally, flow->reset.frame);
    }
    for (unsigned i = 0; i < services->len; i++) {
        const struct corr_tally *tally = g_ptr_array_index(services, i);
        struct corr_insight *insight = corr_insight_add_tally(
            q, CORR_RULE_refused, CORR_WEIGHT_ERROR, CORR_CONFIDENCE_CONFIRMED, tally, "");
        g_autoptr(GString) text = g_string_new(NULL);
        append_connections(q, tally, text);
        insight->size = tally->n;
        corr_insight_say(insight,
                         "%s refuses connections, %s: the SYN is answered by a reset. Nothing "
                         "listens at that port, or a firewall of the server says no.",
                         tally->who, text->str);
    }
}

void corr_rule_syn_again(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    g_autoptr(GPtrArray) services = corr_tallies_new();
    g_autoptr(GHashTable) by_who = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_tcp_flow *flow = corr_tcp_flow_of(tcp, f);
        if (flow->syn_retransmissions && counts(q, f) &&
            flow->handshake != CORR_TCP_HANDSHAKE_UNANSWERED &&
            flow->handshake != CORR_TCP_HANDSHAKE_REFUSED)
            corr_tally_prove(corr_tally_add(services, by_who,
                                            corr_inquiry_end(q, corr_inquiry_conv(q, f), 1), f,
                                            flow->syn_retransmissions, flow->syn_retransmissions),
                             corr_result_flow(q->r, f)->first_frame);
    }
    for (unsigned i = 0; i < services->len; i++) {
        const struct corr_tally *tally = g_ptr_array_index(services, i);
        struct corr_insight *insight =
            corr_insight_add_tally(q, CORR_RULE_syn_again, CORR_WEIGHT_WARNING,
                                   CORR_CONFIDENCE_CONFIRMED, tally, "tcp.flags.syn == 1 && ");
        g_autoptr(GString) text = g_string_new(NULL);
        append_connections(q, tally, text);
        insight->size = tally->n;
        corr_insight_say(insight,
                         "Connections to %s began with %u SYN%s sent again, %s; the first "
                         "repetition alone costs a second (RFC 6298).",
                         tally->who, tally->n, CORR_PLURAL(tally->n), text->str);
        for (unsigned k = 0; k < tally->flows->len; k++)
            corr_insight_follows_flow(q, insight, g_array_index(tally->flows, uint32_t, k));
    }
}

/* The frames that end the stalls of one cause. */
static void prove_stalls(const struct corr_tcp *tcp, const struct corr_tcp_way *way,
                         enum corr_tcp_stall_cause cause, struct corr_tally *tally)
{
    for (uint32_t i = way->first_stall; i < way->first_stall + way->n_stalls; i++) {
        const struct corr_tcp_stall *stall = &g_array_index(tcp->stalls, struct corr_tcp_stall, i);
        if (stall->cause == cause)
            corr_tally_prove(tally, stall->frame);
    }
}

static void prove_incidents(const struct corr_tcp *tcp, const struct corr_tcp_way *way,
                            uint16_t events, struct corr_tally *tally)
{
    for (uint32_t i = way->first_incident; i < way->first_incident + way->n_incidents; i++) {
        const struct corr_tcp_incident *incident =
            &g_array_index(tcp->incidents, struct corr_tcp_incident, i);
        if (incident->events & events)
            corr_tally_prove(tally, incident->frame);
    }
}

static int64_t stalled_ns(const struct corr_tcp *tcp, const struct corr_tcp_way *way,
                          enum corr_tcp_stall_cause cause)
{
    int64_t sum = 0;

    for (uint32_t i = way->first_stall; i < way->first_stall + way->n_stalls; i++) {
        const struct corr_tcp_stall *stall = &g_array_index(tcp->stalls, struct corr_tcp_stall, i);
        if (stall->cause == cause)
            sum += stall->to_ns - stall->from_ns;
    }
    return sum;
}

/* For a large share of the transfer the sender waited for room at the receiver. */
static bool waits_for_room(const struct corr_tcp_way *way)
{
    return way->active_ns >= LIMITED_NS && (double)way->limited_ns[CORR_TCP_STALL_RECEIVER] >=
                                               LIMITED_SHARE * (double)way->active_ns;
}

/*
 * A window that is too small stays open: each acknowledgement says that what
 * it covers was read.  One that falls below half of what it was holds data
 * that nobody has read yet.
 */
static bool window_fills_up(const struct corr_tcp *tcp, uint32_t f, unsigned dir)
{
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);

    if (way->counts[CORR_TCP_EVENT_ZERO_WINDOW])
        return true;
    if (way->sender == CORR_NONE || !waits_for_room(way))
        return false;
    const struct corr_tcp_side *side = corr_tcp_side_at(tcp, way->sender, !dir);
    uint32_t most = 0;

    for (uint32_t i = 0; i < side->n_windows; i++) {
        const struct corr_tcp_window *w =
            &g_array_index(tcp->windows, struct corr_tcp_window, side->first_window + i);
        if (w->known && w->bytes < most / 2)
            return true;
        if (w->known)
            most = MAX(most, w->bytes);
    }
    return false;
}

/* Receivers that let their window fill up, or (`small`) whose window is too small. */
static GPtrArray *receivers_collect(const struct corr_inquiry *q, bool small)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    GPtrArray *hosts = corr_tallies_new();
    g_autoptr(GHashTable) by_who = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        for (unsigned dir = 0; dir < 2 && counts(q, f); dir++) {
            const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);
            bool fills = window_fills_up(tcp, f, dir);
            if (small ? fills || !waits_for_room(way) : !fills)
                continue;
            struct corr_tally *tally =
                corr_tally_add(hosts, by_who, corr_inquiry_host(q, corr_inquiry_conv(q, f), !dir),
                               f, way->counts[CORR_TCP_EVENT_ZERO_WINDOW],
                               small ? way->limited_ns[CORR_TCP_STALL_RECEIVER]
                                     : stalled_ns(tcp, way, CORR_TCP_STALL_RECEIVER));
            prove_incidents(tcp, way, CORR_TCP_BIT(ZERO_WINDOW), tally);
            prove_stalls(tcp, way, CORR_TCP_STALL_RECEIVER, tally);
        }
    }
    return hosts;
}

void corr_rule_receiver(struct corr_inquiry *q)
{
    g_autoptr(GPtrArray) hosts = receivers_collect(q, false);

    for (unsigned i = 0; i < hosts->len; i++) {
        const struct corr_tally *tally = g_ptr_array_index(hosts, i);
        g_autoptr(GString) text = g_string_new(NULL), size = g_string_new(NULL);
        struct corr_insight *insight = corr_insight_add_tally(
            q, CORR_RULE_receiver,
            tally->worst_ns > CLOSED_ERROR_NS ? CORR_WEIGHT_ERROR : CORR_WEIGHT_WARNING,
            CORR_CONFIDENCE_CONFIRMED, tally, tally->n ? "corr.tcp.zero_window && " : "");
        append_waits(q, tally, insight, text, size);
        corr_insight_say(insight,
                         "The receiver %s %s, %s; senders waited %s for it. Its program does not "
                         "read what has arrived: look at that host, not at the network or the "
                         "sender.",
                         tally->who, tally->n ? "closed its window" : "let its window fill up",
                         text->str, size->str);
    }
}

void corr_rule_small_window(struct corr_inquiry *q)
{
    g_autoptr(GPtrArray) hosts = receivers_collect(q, true);

    for (unsigned i = 0; i < hosts->len; i++) {
        const struct corr_tally *tally = g_ptr_array_index(hosts, i);
        g_autoptr(GString) text = g_string_new(NULL), size = g_string_new(NULL);
        struct corr_insight *insight = corr_insight_add_tally(
            q, CORR_RULE_small_window, CORR_WEIGHT_WARNING, CORR_CONFIDENCE_CONFIRMED, tally, "");
        append_waits(q, tally, insight, text, size);
        corr_insight_say(insight,
                         "The window of %s is too small for this round trip: senders waited %s for "
                         "room in it, %s. A larger receive buffer there makes it faster.",
                         tally->who, size->str, text->str);
        /* A window without its scale ends at 64 KB. */
        for (unsigned k = 0; k < q->out->list->len; k++) {
            struct corr_insight *other = g_ptr_array_index(q->out->list, k);
            if (other->rule == CORR_RULE_options && strstr(other->what, "window scale"))
                corr_insight_follows(insight, other);
        }
    }
}

void corr_rule_delayed_ack(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    g_autoptr(GPtrArray) hosts = corr_tallies_new();
    g_autoptr(GHashTable) by_who = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        for (unsigned dir = 0; dir < 2 && counts(q, f); dir++) {
            const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);
            int64_t waited = stalled_ns(tcp, way, CORR_TCP_STALL_DELAYED_ACK);
            if (waited >= DELAYED_ACK_NS)
                prove_stalls(tcp, way, CORR_TCP_STALL_DELAYED_ACK,
                             corr_tally_add(hosts, by_who,
                                            corr_inquiry_host(q, corr_inquiry_conv(q, f), dir), f,
                                            1, waited));
        }
    }
    for (unsigned i = 0; i < hosts->len; i++) {
        const struct corr_tally *tally = g_ptr_array_index(hosts, i);
        g_autoptr(GString) text = g_string_new(NULL), size = g_string_new(NULL);
        struct corr_insight *insight = corr_insight_add_tally(
            q, CORR_RULE_delayed_ack, CORR_WEIGHT_WARNING, CORR_CONFIDENCE_PROBABLE, tally, "");
        append_waits(q, tally, insight, text, size);
        corr_insight_say(insight,
                         "Small writes of %s waited %s for delayed acknowledgements (Nagle's "
                         "algorithm), %s. The hosts do this, not the network: write at once, or "
                         "set TCP_NODELAY.",
                         tally->who, size->str, text->str);
    }
}
