/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_tcp.c - what became of TCP connections, and what below them made it so. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/grade.h"
#include "layers/layers.h"
#include "layers/tcp.h"
#include "path/text.h"

#define CLOSED_ERROR_NS INT64_C(200000000) /* closed for longer: poor; layers/grade.h */
#define DELAYED_ACK_NS INT64_C(30000000)   /* what is shorter nobody notices */
#define LIMITED_NS INT64_C(100000000)      /* transfers shorter than this have no limit to tell */
#define LIMITED_SHARE 0.5
#define SPURIOUS_WARNING 3

/* Names the ends of a flow, as its first packet showed them: "10.0.0.1:5 > 10.0.0.2:80". */
static void append_ends(const struct corr_inquiry *q, uint32_t flow, GString *text)
{
    const struct corr_result *r = q->r;
    uint32_t frame = corr_result_flow(r, flow)->first_frame;
    uint32_t o = g_array_index(r->store->frame_obs, uint32_t, frame);

    while (o < r->store->obs->len && corr_store_obs(r->store, o)->frame == frame) {
        uint32_t conv = r->obs_conv[o];
        if (conv != CORR_NONE && r->conv_flow[conv] == flow) {
            corr_text_ends(r, corr_store_obs(r->store, o), text);
            return;
        }
        o++;
    }
}

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
    if (at->by_timer)
        g_string_append_printf(text, "; %u of them only when the timer ran out", at->by_timer);
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
    if (at->by_timer || at->waited_ns > LIMITED_NS)
        at->insight->weight = CORR_WEIGHT_WARNING;
    for (unsigned i = 0; i < q->losses->len; i++) {
        const struct corr_loss *loss = g_ptr_array_index(q->losses, i);
        if (loss->after == at->after && loss->before == at->before)
            corr_insight_because(at->insight, "L3: %u packet%s lost there%s%s", loss->n,
                                 loss->n == 1 ? " was" : "s were",
                                 corr_cause_word(loss->cause) ? ", cause: " : "",
                                 corr_cause_word(loss->cause) ? corr_cause_word(loss->cause) : "");
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
        /* Of a flow that is blocked nothing was repaired. */
        if (incident->original == CORR_NONE ||
            corr_result_packet(q->r, incident->original)->fate != CORR_FATE_BLOCKED)
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

static bool ack_was_lost(const struct corr_inquiry *q, uint32_t flow, unsigned data_dir)
{
    for (unsigned i = 0; i < q->losses->len; i++) {
        const struct corr_loss *loss = g_ptr_array_index(q->losses, i);
        for (unsigned k = 0; k < loss->packets->len; k++) {
            const struct corr_packet *p =
                corr_result_packet(q->r, g_array_index(loss->packets, uint32_t, k));
            if (p->flow == flow && p->dir != data_dir && p->len == 0)
                return true;
        }
    }
    return false;
}

void corr_rule_spurious(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        for (unsigned dir = 0; dir < 2 && counts(q, f); dir++) {
            const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);
            uint32_t n = way->counts[CORR_TCP_EVENT_SPURIOUS];
            if (n == 0)
                continue;
            g_autoptr(GString) ends = g_string_new(NULL);
            struct corr_insight *insight =
                corr_insight_add(q, CORR_RULE_spurious,
                                 n >= SPURIOUS_WARNING ? CORR_WEIGHT_WARNING : CORR_WEIGHT_NOTE,
                                 CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
            append_ends(q, f, ends);
            insight->size = n;
            corr_insight_say(insight, "TCP %s: %u segment%s sent again although %s had arrived.",
                             ends->str, n, n == 1 ? " was" : "s were", n == 1 ? "it" : "they");
            if (ack_was_lost(q, f, dir))
                corr_insight_because(insight, "L3: acknowledgements were lost on their way back");
            corr_insight_filter(insight, "corr.tcp.spurious_retransmission && corr.flow == %u",
                                f + 1);
            for (uint32_t i = way->first_incident; i < way->first_incident + way->n_incidents;
                 i++) {
                const struct corr_tcp_incident *incident =
                    &g_array_index(tcp->incidents, struct corr_tcp_incident, i);
                if (incident->events & CORR_TCP_BIT(SPURIOUS))
                    corr_insight_prove(insight, incident->frame);
            }
        }
    }
}

void corr_rule_reset(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_tcp_reset *reset = &corr_tcp_flow_of(tcp, f)->reset;
        if (!reset->seen || reset->after == CORR_NONE || reset->before == CORR_NONE ||
            !counts(q, f))
            continue;
        g_autoptr(GString) ends = g_string_new(NULL), from = g_string_new(NULL);
        struct corr_insight *insight =
            corr_insight_add(q, CORR_RULE_reset, CORR_WEIGHT_ERROR, CORR_CONFIDENCE_CONFIRMED,
                             reset->after, reset->before);
        append_ends(q, f, ends);
        append_end(q, f, reset->dir, false, from);
        corr_insight_say(insight,
                         "TCP %s is reset by something between %s and %s: the reset in frame %u "
                         "bears the address %s, and never passed %s.",
                         ends->str, corr_inquiry_point(q, reset->after),
                         corr_inquiry_point(q, reset->before), reset->frame, from->str,
                         corr_inquiry_point(q, reset->after));
        corr_insight_filter(insight, "corr.flow == %u && tcp.flags.reset == 1", f + 1);
        corr_insight_prove(insight, reset->frame);
    }
}

void corr_rule_refused(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_tcp_flow *flow = corr_tcp_flow_of(tcp, f);
        if (flow->handshake != CORR_TCP_HANDSHAKE_REFUSED || !counts(q, f) ||
            (flow->reset.after != CORR_NONE && flow->reset.before != CORR_NONE))
            continue;
        g_autoptr(GString) ends = g_string_new(NULL);
        struct corr_insight *insight =
            corr_insight_add(q, CORR_RULE_refused, CORR_WEIGHT_ERROR, CORR_CONFIDENCE_CONFIRMED,
                             CORR_NONE, CORR_NONE);
        append_ends(q, f, ends);
        corr_insight_say(insight,
                         "TCP %s is refused: the SYN is answered by a reset. Nothing listens at "
                         "that port, or a firewall of the server says no.",
                         ends->str);
        corr_insight_filter(insight, "corr.flow == %u", f + 1);
        corr_insight_prove(insight, corr_result_flow(q->r, f)->first_frame);
        corr_insight_prove(insight, flow->reset.frame);
    }
}

void corr_rule_syn_again(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_tcp_flow *flow = corr_tcp_flow_of(tcp, f);
        if (flow->syn_retransmissions == 0 || !counts(q, f) ||
            flow->handshake == CORR_TCP_HANDSHAKE_UNANSWERED ||
            flow->handshake == CORR_TCP_HANDSHAKE_REFUSED)
            continue;
        g_autoptr(GString) ends = g_string_new(NULL);
        struct corr_insight *insight =
            corr_insight_add(q, CORR_RULE_syn_again, CORR_WEIGHT_WARNING, CORR_CONFIDENCE_CONFIRMED,
                             CORR_NONE, CORR_NONE);
        append_ends(q, f, ends);
        insight->size = flow->syn_retransmissions;
        corr_insight_say(
            insight,
            "TCP %s: the SYN had to be sent %u times; the first repetition alone costs "
            "a second.",
            ends->str, flow->syn_retransmissions + 1);
        corr_insight_filter(insight, "corr.flow == %u && tcp.flags.syn == 1", f + 1);
        corr_insight_prove(insight, corr_result_flow(q->r, f)->first_frame);
    }
}

/*
 * The server-most point saw the server's data, and no SYN-ACK of it: that was
 * made on the way.  It must have been capturing before the connection began.
 */
void corr_rule_middlebox(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    g_autoptr(GHashTable) by_pair =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, 1);
        const struct corr_flow *flow = corr_result_flow(q->r, f);
        if (!counts(q, f) || !way->order_known || way->sender == CORR_NONE ||
            corr_tcp_conv_of(tcp, way->sender)->has_syn_ack ||
            corr_tcp_conv_of(tcp, way->sender)->has_syn || way->data_frames == 0)
            continue;
        uint32_t beyond = corr_result_conv(q->r, way->sender)->point, near = CORR_NONE;
        uint32_t frame = 0;
        for (unsigned m = 0; m < flow->convs->len; m++) {
            uint32_t conv = g_array_index(flow->convs, struct corr_member, m).conv;
            if (corr_tcp_conv_of(tcp, conv)->has_syn_ack) {
                near = corr_result_conv(q->r, conv)->point;
                frame = corr_tcp_conv_of(tcp, conv)->syn_ack_frame;
            }
        }
        if (near == CORR_NONE || near == beyond || !q->captures[beyond].seen)
            continue;
        uint64_t key = (uint64_t)near << 32 | beyond;
        struct corr_insight *insight = g_hash_table_lookup(by_pair, &key);
        if (!insight) {
            insight = corr_insight_add(q, CORR_RULE_middlebox, CORR_WEIGHT_WARNING,
                                       CORR_CONFIDENCE_PROBABLE, near, beyond);
            g_hash_table_insert(by_pair, g_memdup2(&key, sizeof key), insight);
            corr_insight_say(insight,
                             "Something between %s and %s answers SYNs in the server's place: the "
                             "handshake tells nothing of the server or of the path behind it.",
                             corr_inquiry_point(q, near), corr_inquiry_point(q, beyond));
            corr_insight_filter(insight, "corr.flow == %u && tcp.flags.syn == 1", f + 1);
        }
        insight->size++;
        corr_insight_prove(insight, frame);
    }
}

/* The frames that end the stalls of one cause. */
static void prove_stalls(const struct corr_tcp *tcp, const struct corr_tcp_way *way,
                         enum corr_tcp_stall_cause cause, struct corr_insight *insight)
{
    for (uint32_t i = way->first_stall; i < way->first_stall + way->n_stalls; i++) {
        const struct corr_tcp_stall *stall = &g_array_index(tcp->stalls, struct corr_tcp_stall, i);
        if (stall->cause == cause)
            corr_insight_prove(insight, stall->frame);
    }
}

static void prove_incidents(const struct corr_tcp *tcp, const struct corr_tcp_way *way,
                            uint16_t events, struct corr_insight *insight)
{
    for (uint32_t i = way->first_incident; i < way->first_incident + way->n_incidents; i++) {
        const struct corr_tcp_incident *incident =
            &g_array_index(tcp->incidents, struct corr_tcp_incident, i);
        if (incident->events & events)
            corr_insight_prove(insight, incident->frame);
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

static void tell_receiver(struct corr_inquiry *q, uint32_t f, unsigned dir)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);
    int64_t waited = stalled_ns(tcp, way, CORR_TCP_STALL_RECEIVER);
    bool closed = way->counts[CORR_TCP_EVENT_ZERO_WINDOW] > 0;
    g_autoptr(GString) ends = g_string_new(NULL), who = g_string_new(NULL);
    g_autoptr(GString) size = g_string_new(NULL);

    append_ends(q, f, ends);
    append_end(q, f, dir, true, who);
    corr_text_time(waited, size);
    struct corr_insight *insight = corr_insight_add(
        q, CORR_RULE_receiver, waited > CLOSED_ERROR_NS ? CORR_WEIGHT_ERROR : CORR_WEIGHT_WARNING,
        CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
    insight->size = (double)waited;
    corr_insight_say(insight,
                     "TCP %s: the receiver %s %s, the sender waited %s for it. Its "
                     "program does not read what has arrived: look at that host, not at the "
                     "network or the sender.",
                     ends->str, who->str, closed ? "closed its window" : "let its window fill up",
                     size->str);
    corr_insight_filter(insight, "%scorr.flow == %u", closed ? "corr.tcp.zero_window && " : "",
                        f + 1);
    prove_incidents(tcp, way, CORR_TCP_BIT(ZERO_WINDOW), insight);
    prove_stalls(tcp, way, CORR_TCP_STALL_RECEIVER, insight);
}

void corr_rule_receiver(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++)
        for (unsigned dir = 0; dir < 2 && counts(q, f); dir++)
            if (window_fills_up(tcp, f, dir))
                tell_receiver(q, f, dir);
}

void corr_rule_small_window(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        for (unsigned dir = 0; dir < 2 && counts(q, f); dir++) {
            const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);
            int64_t limited = way->limited_ns[CORR_TCP_STALL_RECEIVER];
            if (!waits_for_room(way) || window_fills_up(tcp, f, dir))
                continue;
            g_autoptr(GString) ends = g_string_new(NULL), who = g_string_new(NULL);
            g_autoptr(GString) share = g_string_new(NULL);
            struct corr_insight *insight =
                corr_insight_add(q, CORR_RULE_small_window, CORR_WEIGHT_WARNING,
                                 CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
            append_ends(q, f, ends);
            append_end(q, f, dir, true, who);
            corr_text_ratio((double)limited / (double)way->active_ns, share);
            insight->size = (double)limited;
            corr_insight_say(insight,
                             "TCP %s: for %s of the transfer the sender waited for room in the "
                             "window of %s: it is too small for this round trip: a larger receive "
                             "buffer there makes it faster.",
                             ends->str, share->str, who->str);
            corr_insight_filter(insight, "corr.flow == %u", f + 1);
            prove_stalls(tcp, way, CORR_TCP_STALL_RECEIVER, insight);
        }
    }
}

void corr_rule_delayed_ack(struct corr_inquiry *q)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        for (unsigned dir = 0; dir < 2 && counts(q, f); dir++) {
            const struct corr_tcp_way *way = corr_tcp_way_of(tcp, f, dir);
            int64_t waited = stalled_ns(tcp, way, CORR_TCP_STALL_DELAYED_ACK);
            if (waited < DELAYED_ACK_NS)
                continue;
            g_autoptr(GString) ends = g_string_new(NULL), size = g_string_new(NULL);
            struct corr_insight *insight =
                corr_insight_add(q, CORR_RULE_delayed_ack, CORR_WEIGHT_WARNING,
                                 CORR_CONFIDENCE_PROBABLE, CORR_NONE, CORR_NONE);
            append_ends(q, f, ends);
            corr_text_time(waited, size);
            insight->size = (double)waited;
            corr_insight_say(insight,
                             "TCP %s: small writes waited %s for delayed acknowledgements (Nagle's "
                             "algorithm). The hosts do this, not the network: write at once, or "
                             "set TCP_NODELAY.",
                             ends->str, size->str);
            corr_insight_filter(insight, "corr.flow == %u", f + 1);
            prove_stalls(tcp, way, CORR_TCP_STALL_DELAYED_ACK, insight);
        }
    }
}
