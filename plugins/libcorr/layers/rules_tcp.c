/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_tcp.c - what became of TCP connections, and what below them made it so. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/grade.h"
#include "layers/layers.h"
#include "layers/rtt.h"
#include "layers/tcp.h"
#include "path/text.h"

#define REPAIRS_NS INT64_C(100000000) /* what is shorter nobody notices */
#define SPURIOUS_WARNING 3

/* The end that sends direction `dir` of a flow, or the one that receives it. */
static void append_end(const struct corr_inquiry *q, uint32_t flow, unsigned dir, bool receiver,
                       GString *text)
{
    const struct corr_result *r = q->r;
    const struct corr_flow *f = corr_result_flow(r, flow);
    uint32_t conv = g_array_index(f->convs, struct corr_member, 0).conv;
    const struct corr_conv *local = corr_result_conv(r, conv);
    unsigned end = dir ^ r->conv_flip[conv] ^ (receiver ? 1 : 0);

    corr_text_endpoint(&local->end[end], local->has_ports, local->proto, text);
}

static bool counts(const struct corr_inquiry *q, uint32_t flow)
{
    return flow < q->r->flows->len && q->flow_counts[flow];
}

/* What TCP repaired at one place: the rule's rows. */
struct repair {
    uint32_t after, before;
    uint32_t n, by_timer, flows, last_flow;
    int64_t waited_ns;
    struct corr_insight *insight;
};

static struct repair *repair_get(GArray *repairs, uint32_t after, uint32_t before)
{
    for (unsigned i = 0; i < repairs->len; i++) {
        struct repair *old = &g_array_index(repairs, struct repair, i);
        if (old->after == after && old->before == before)
            return old;
    }
    struct repair made = {.after = after, .before = before, .last_flow = CORR_NONE};
    g_array_append_val(repairs, made);
    return &g_array_index(repairs, struct repair, repairs->len - 1);
}

static void add_repair(struct corr_inquiry *q, GArray *repairs,
                       const struct corr_tcp_incident *incident)
{
    struct repair *at = repair_get(repairs, incident->lost_after, incident->lost_before);

    if (at->n++ == 0) {
        at->insight = corr_insight_add(q, CORR_RULE_repair, CORR_WEIGHT_NOTE,
                                       CORR_CONFIDENCE_CONFIRMED, at->after, at->before);
    }
    at->by_timer += (incident->events & CORR_TCP_BIT(TIMEOUT)) != 0;
    at->flows += at->last_flow != incident->flow;
    at->last_flow = incident->flow;
    corr_insight_prove(at->insight, incident->original_frame);
    corr_insight_prove(at->insight, incident->frame);
    if (incident->original != CORR_NONE)
        corr_insight_follows_loss(q, at->insight, incident->original);
}

static void say_repair(const struct corr_inquiry *q, const struct repair *at)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *after = corr_inquiry_quoted(q, at->after);
    bool behind = at->before == CORR_NONE;

    g_string_append_printf(text, "%u TCP segment%s sent again because %s lost ", at->n,
                           at->n == 1 ? " was" : "s were", at->n == 1 ? "it was" : "they were");
    if (behind)
        g_string_append_printf(text, "behind %s", corr_inquiry_point(q, at->after));
    else
        g_string_append_printf(text, "between %s and %s", corr_inquiry_point(q, at->after),
                               corr_inquiry_point(q, at->before));
    if (at->flows > 1)
        g_string_append_printf(text, ", in %u connections", at->flows);
    if (at->by_timer && at->by_timer < at->n)
        g_string_append_printf(text, "; %u of them only when the timer ran out", at->by_timer);
    else if (at->by_timer)
        g_string_append(text, "; only when the timer ran out");
    if (at->waited_ns) {
        g_string_append(text, "; senders waited ");
        corr_text_time(at->waited_ns, text);
        g_string_append(text, " for these repairs");
    }
    corr_insight_say(at->insight, "%s.", text->str);
    if (behind) {
        corr_insight_filter(at->insight, "corr.tcp.lost_between contains \"%s\"", after);
    } else {
        g_autofree char *before = corr_inquiry_quoted(q, at->before);
        corr_insight_filter(at->insight, "corr.tcp.lost_between == \"%s > %s\"", after, before);
    }
    at->insight->size = (double)at->waited_ns + at->n;
    if (at->by_timer || at->waited_ns > REPAIRS_NS)
        at->insight->weight = CORR_WEIGHT_WARNING;
    /* Senders that learn of losses too late, because a box spoils what tells them. */
    for (unsigned i = 0; i < q->out->list->len && at->by_timer; i++) {
        struct corr_insight *other = g_ptr_array_index(q->out->list, i);
        if (other->rule == CORR_RULE_sack)
            corr_insight_follows(at->insight, other);
    }
}

void corr_rule_repair(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    g_autoptr(GArray) repairs = g_array_new(FALSE, FALSE, sizeof(struct repair));

    for (unsigned i = 0; i < tcp->incidents->len; i++) {
        const struct corr_tcp_incident *incident =
            &g_array_index(tcp->incidents, struct corr_tcp_incident, i);
        if (!(incident->events & CORR_TCP_BIT(RETRANSMISSION)) ||
            incident->lost_after == CORR_NONE || !counts(q, incident->flow))
            continue;
        /* Of a flow that is blocked, or forgotten, nothing was repaired. */
        if (incident->original == CORR_NONE ||
            (corr_result_packet(q->r, incident->original)->fate != CORR_FATE_BLOCKED &&
             !q->is_expired[incident->original]))
            add_repair(q, repairs, incident);
    }
    for (unsigned i = 0; i < tcp->stalls->len; i++) {
        const struct corr_tcp_stall *stall = &g_array_index(tcp->stalls, struct corr_tcp_stall, i);
        if ((stall->cause == CORR_TCP_STALL_FAST || stall->cause == CORR_TCP_STALL_TIMEOUT) &&
            stall->lost_after != CORR_NONE && counts(q, stall->flow)) {
            struct repair *at = repair_get(repairs, stall->lost_after, stall->lost_before);
            at->waited_ns += stall->to_ns - stall->from_ns;
        }
    }
    for (unsigned i = 0; i < repairs->len; i++)
        if (g_array_index(repairs, struct repair, i).insight)
            say_repair(q, &g_array_index(repairs, struct repair, i));
}

/* Data that is sent again, and whose first transmission no point ever saw. */
void corr_rule_upstream(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    g_autofree struct corr_insight **of =
        g_new0(struct corr_insight *, q->r->store->points->len + 1);

    for (unsigned i = 0; i < tcp->incidents->len; i++) {
        const struct corr_tcp_incident *incident =
            &g_array_index(tcp->incidents, struct corr_tcp_incident, i);
        if (!(incident->events & CORR_TCP_BIT(RETRANSMISSION)) || incident->original_frame ||
            incident->original != CORR_NONE || !counts(q, incident->flow) ||
            incident->point >= q->r->store->points->len)
            continue;
        struct corr_insight **insight = &of[incident->point];
        if (!*insight) {
            *insight = corr_insight_add(q, CORR_RULE_upstream, CORR_WEIGHT_WARNING,
                                        CORR_CONFIDENCE_PROBABLE, incident->point, CORR_NONE);
            g_autofree char *name = corr_inquiry_quoted(q, incident->point);
            corr_insight_filter(*insight, "corr.tcp.retransmission && corr.point == \"%s\"", name);
        }
        (*insight)->size++;
        corr_insight_prove(*insight, incident->frame);
    }
    for (uint32_t p = 0; p < q->r->store->points->len; p++)
        if (of[p])
            corr_insight_say(of[p],
                             "%.0f TCP segment%s lost before %s, the first point that could have "
                             "seen %s: capture nearer to the sender to find the place.",
                             of[p]->size, of[p]->size == 1 ? " was" : "s were",
                             corr_inquiry_point(q, p), of[p]->size == 1 ? "it" : "them");
}

/* It was told too late that the data had arrived: acknowledgements were lost. */
static void follow_lost_acks(const struct corr_inquiry *q, struct corr_insight *insight,
                             uint32_t flow, unsigned data_dir)
{
    unsigned n;
    const struct corr_flow_loss *row = corr_inquiry_flow_losses(q, flow, &n);

    for (unsigned i = 0; i < n; i++) {
        const struct corr_packet *p = corr_result_packet(q->r, row[i].packet);
        if (p->dir != data_dir && p->len == 0)
            corr_insight_follows_loss(q, insight, row[i].packet);
    }
}

/* One finding for all: connections that were told too late, or in the wrong order, are alike. */
void corr_rule_spurious(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    struct corr_insight *insight = NULL;
    uint32_t n = 0, flows = 0, most = 0, worst = 0;

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        uint32_t of_flow = 0;
        for (unsigned dir = 0; dir < 2 && counts(q, f); dir++) {
            const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);
            if (way->counts[CORR_TCP_EVENT_SPURIOUS] == 0)
                continue;
            of_flow += way->counts[CORR_TCP_EVENT_SPURIOUS];
            if (!insight)
                insight = corr_insight_add(q, CORR_RULE_spurious, CORR_WEIGHT_NOTE,
                                           CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
            follow_lost_acks(q, insight, f, dir);
            for (uint32_t i = way->first_incident; i < way->first_incident + way->n_incidents;
                 i++) {
                const struct corr_tcp_incident *incident =
                    &g_array_index(tcp->incidents, struct corr_tcp_incident, i);
                if (incident->events & CORR_TCP_BIT(SPURIOUS))
                    corr_insight_prove(insight, incident->frame);
                if (incident->events & CORR_TCP_BIT(OUT_OF_ORDER))
                    corr_insight_follows(insight, corr_inquiry_find(q, CORR_RULE_reordering,
                                                                    incident->lost_after,
                                                                    incident->lost_before));
            }
        }
        n += of_flow;
        flows += of_flow > 0;
        if (of_flow > most) {
            most = of_flow;
            worst = f;
        }
    }
    if (!insight)
        return;
    g_autoptr(GString) text = g_string_new("TCP ");
    insight->size = n;
    if (most >= SPURIOUS_WARNING)
        insight->weight = CORR_WEIGHT_WARNING;
    corr_inquiry_append_ends(q, worst, text);
    if (flows > 1)
        g_string_append_printf(text, " and %u more connection%s", flows - 1,
                               CORR_PLURAL(flows - 1));
    corr_insight_say(insight, "%u segment%s sent again although %s had arrived, in %s.", n,
                     n == 1 ? " was" : "s were", n == 1 ? "it" : "they", text->str);
    corr_insight_filter(insight, "corr.tcp.spurious_retransmission");
}

void corr_rule_reset(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_tcp_reset *reset = &corr_tcp_flow_of(tcp, f)->reset;
        if (!reset->seen || reset->after == CORR_NONE || reset->before == CORR_NONE ||
            !counts(q, f))
            continue;
        struct corr_insight *insight =
            corr_inquiry_find(q, CORR_RULE_reset, reset->after, reset->before);
        if (!insight) {
            g_autoptr(GString) ends = g_string_new(NULL), from = g_string_new(NULL);
            insight = corr_insight_add(q, CORR_RULE_reset, CORR_WEIGHT_ERROR,
                                       CORR_CONFIDENCE_CONFIRMED, reset->after, reset->before);
            corr_inquiry_append_ends(q, f, ends);
            append_end(q, f, reset->dir, false, from);
            corr_insight_say(insight,
                             "TCP %s is reset by something between %s and %s: the reset in frame "
                             "%u bears the address %s, and never passed %s.",
                             ends->str, corr_inquiry_point(q, reset->after),
                             corr_inquiry_point(q, reset->before), reset->frame, from->str,
                             corr_inquiry_point(q, reset->after));
            corr_insight_filter(insight, "corr.flow == %u && tcp.flags.reset == 1", f + 1);
        }
        insight->size++;
        corr_insight_prove(insight, reset->frame);
    }
    for (unsigned i = 0; i < q->out->list->len; i++) {
        struct corr_insight *insight = g_ptr_array_index(q->out->list, i);
        if (insight->rule != CORR_RULE_reset || insight->size == 1)
            continue;
        g_autofree char *first = g_steal_pointer(&insight->what);
        corr_insight_say(insight, "%s So are %.0f more connections.", first, insight->size - 1);
        corr_insight_filter(insight, "corr.originated && tcp.flags.reset == 1");
    }
}

/* SYN-ACKs between a path's ends, at its point. */
static void prove_handshakes(const struct corr_inquiry *q, const struct corr_rtt_path *path,
                             struct corr_insight *insight)
{
    for (uint32_t c = 0; c < q->r->n_convs; c++) {
        const struct corr_conv *conv = corr_result_conv(q->r, c);
        unsigned flip = q->r->conv_flip[c] & 1;
        if (conv->point == path->point && conv->proto == 6 &&
            corr_addr_equal(&conv->end[flip].addr, &path->from) &&
            corr_addr_equal(&conv->end[!flip].addr, &path->to))
            corr_insight_prove(insight, corr_tcp_conv_of(corr_layers_tcp(q->r), c)->syn_ack_frame);
    }
}

/* A SYN-ACK that was made on the way, or that comes sooner than a ping's answer can. */
static void tell_nearer(struct corr_inquiry *q, const struct corr_rtt_path *path)
{
    struct corr_insight *insight;
    g_autoptr(GString) handshake = g_string_new(NULL), ping = g_string_new(NULL);
    char server[CORR_ADDR_TEXT], client[CORR_ADDR_TEXT];

    corr_addr_text(&path->to, server);
    corr_addr_text(&path->from, client);
    corr_text_time(path->handshake.min_ns, handshake);
    corr_text_time(path->end.min_ns, ping);
    if (path->verdict == CORR_RTT_VERDICT_NEARER) {
        insight = corr_insight_add(q, CORR_RULE_middlebox, CORR_WEIGHT_NOTE,
                                   CORR_CONFIDENCE_PROBABLE, path->point, CORR_NONE);
        corr_insight_say(insight,
                         "Handshakes of %s with %s take %s, pings %s: something nearer than the "
                         "server answers the SYN, such as a SYN proxy.",
                         client, server, handshake->str, ping->str);
        corr_insight_filter(insight, "%s == %s && tcp.flags.syn == 1",
                            path->to.len == 4 ? "ip.addr" : "ipv6.addr", server);
    } else if (path->verdict == CORR_RTT_VERDICT_SERVER) {
        insight = corr_insight_add(q, CORR_RULE_slow_accept, CORR_WEIGHT_WARNING,
                                   CORR_CONFIDENCE_PROBABLE, path->point, CORR_NONE);
        insight->size = (double)path->handshake.min_ns;
        corr_insight_say(
            insight,
            "Handshakes of %s with %s take at least %s, pings %s: the server's kernel, "
            "or a box before it, takes its time to answer the SYN.",
            client, server, handshake->str, ping->str);
        corr_insight_filter(insight, "%s == %s && tcp.flags.syn == 1",
                            path->to.len == 4 ? "ip.addr" : "ipv6.addr", server);
    } else {
        return;
    }
    prove_handshakes(q, path, insight);
}

void corr_rule_middlebox(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;

    for (unsigned i = 0; i < r->injected->len; i++) {
        const struct corr_injected *injected = &g_array_index(r->injected, struct corr_injected, i);
        const struct corr_packet *p = corr_result_packet(r, injected->packet);
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->first));
        if (!(obs->have & CORR_HAVE_TCP) || !counts(q, p->flow) ||
            (obs->tcp_flags & (CORR_TCP_SYN | CORR_TCP_ACK)) != (CORR_TCP_SYN | CORR_TCP_ACK))
            continue;
        struct corr_insight *insight =
            corr_inquiry_find(q, CORR_RULE_middlebox, obs->point, injected->after);
        if (!insight) {
            insight = corr_insight_add(q, CORR_RULE_middlebox, CORR_WEIGHT_NOTE,
                                       CORR_CONFIDENCE_CONFIRMED, obs->point, injected->after);
            corr_insight_say(insight,
                             "Something between %s and %s answers SYNs in the server's place: the "
                             "handshake tells nothing of the server or of the path behind it.",
                             corr_inquiry_point(q, obs->point),
                             corr_inquiry_point(q, injected->after));
            corr_insight_filter(insight, "corr.originated && tcp.flags.syn == 1");
        }
        insight->size++;
        corr_insight_prove(insight, obs->frame);
    }
    for (unsigned i = 0; i < q->paths->len; i++)
        tell_nearer(q, g_ptr_array_index(q->paths, i));
}
