/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_chains.c - which phase waited for what below it, and where all the time went. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/layers.h"
#include "layers/phases.h"
#include "layers/tcp.h"
#include "path/text.h"

#define CHAIN_SHARE 0.2
#define CHAINS_TOLD 5
#define PLACES_TOLD 3

/* A phase that waited: for repairs of losses, or for a receiver that does not read. */
struct chain {
    uint32_t phase;
    int64_t waited_ns;
    bool reader;
};

/* The phase's begin and end by the clock of the point where its sender's stalls are measured. */
static bool span_at(const struct corr_phases *phases, const struct corr_phase *phase, uint32_t conv,
                    int64_t *from_ns, int64_t *to_ns)
{
    for (uint32_t i = phase->first_span; i < phase->first_span + phase->n_spans; i++) {
        const struct corr_phase_span *span =
            &g_array_index(phases->spans, struct corr_phase_span, i);
        if (span->conv != conv || !span->begin.frame || !span->end.frame)
            continue;
        *from_ns = span->begin.time_ns;
        *to_ns = span->end.time_ns;
        return true;
    }
    return false;
}

/* What TCP waited for in a phase, for data in one direction: repairs, or the reader. */
static int64_t waited_ns(const struct corr_inquiry *q, const struct corr_phase *phase,
                         unsigned data_dir, bool reader)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, phase->flow, data_dir);
    int64_t from_ns, to_ns, sum = 0;
    uint32_t n;

    if (way->sender == CORR_NONE ||
        !span_at(corr_layers_phases(q->r), phase, way->sender, &from_ns, &to_ns))
        return 0;
    /* The repair of a phase's last segment ends behind what the sender takes for its end. */
    to_ns = MAX(to_ns, from_ns + phase->duration_ns);
    const struct corr_tcp_stall *stall =
        corr_tcp_stalls(tcp, phase->flow, data_dir, from_ns, to_ns, &n);
    for (uint32_t i = 0; i < n; i++, stall++) {
        bool repair = stall->cause == CORR_TCP_STALL_FAST || stall->cause == CORR_TCP_STALL_TIMEOUT;
        if (reader ? stall->cause == CORR_TCP_STALL_RECEIVER : repair)
            sum += MIN(stall->to_ns, to_ns) - MAX(stall->from_ns, from_ns);
    }
    return sum;
}

static int compare_chains(const void *a, const void *b)
{
    const struct chain *x = a, *y = b;

    if (x->waited_ns != y->waited_ns)
        return x->waited_ns > y->waited_ns ? -1 : 1;
    return x->phase < y->phase ? -1 : 1;
}

static bool is_tcp(const struct corr_inquiry *q, uint32_t flow)
{
    return corr_result_flow(q->r, flow)->proto == 6;
}

static GArray *chains_collect(const struct corr_inquiry *q, bool reader)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    GArray *chains = g_array_new(FALSE, FALSE, sizeof(struct chain));

    for (uint32_t i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        struct chain chain = {.phase = i, .reader = reader};
        if (!corr_inquiry_counts(q, corr_phases_transaction(phases, phase->transaction)) ||
            !is_tcp(q, phase->flow) || (!reader && phase->retransmissions == 0))
            continue;
        for (unsigned dir = 0; dir < 2; dir++)
            chain.waited_ns += waited_ns(q, phase, dir, reader);
        /* A SYN that is sent again has no data that TCP could count. */
        if (!reader && phase->name == CORR_PHASE_CONNECT)
            chain.waited_ns = phase->duration_ns;
        if (chain.waited_ns >= CORR_CHAIN_NS &&
            (double)chain.waited_ns >= CHAIN_SHARE * (double)phase->duration_ns)
            g_array_append_val(chains, chain);
    }
    g_array_sort(chains, compare_chains);
    return chains;
}

/* Where the segments were lost that a phase had to repair; false: not all of it is known. */
struct places {
    uint32_t after[PLACES_TOLD], before[PLACES_TOLD], n[PLACES_TOLD];
    unsigned used;
    uint32_t elsewhere;
};

static void places_find(const struct corr_inquiry *q, const struct corr_phase *phase,
                        struct places *places, struct corr_insight *insight)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);

    for (unsigned dir = 0; dir < 2; dir++) {
        const struct corr_tcp_way *way = corr_tcp_way_of(tcp, phase->flow, dir);
        int64_t from_ns, to_ns;
        uint32_t n;
        if (way->sender == CORR_NONE ||
            !span_at(corr_layers_phases(q->r), phase, way->sender, &from_ns, &to_ns))
            continue;
        to_ns = MAX(to_ns, from_ns + phase->duration_ns);
        const struct corr_tcp_incident *incident =
            corr_tcp_incidents(tcp, phase->flow, dir, from_ns, to_ns, &n);
        for (uint32_t i = 0; i < n; i++, incident++) {
            if (!(incident->events & CORR_TCP_BIT(RETRANSMISSION)))
                continue;
            corr_insight_prove(insight, incident->original_frame);
            corr_insight_prove(insight, incident->frame);
            unsigned k = 0;
            while (k < places->used && (places->after[k] != incident->lost_after ||
                                        places->before[k] != incident->lost_before))
                k++;
            if (incident->lost_after == CORR_NONE || k == PLACES_TOLD) {
                places->elsewhere++;
            } else {
                places->after[k] = incident->lost_after;
                places->before[k] = incident->lost_before;
                places->used = MAX(places->used, k + 1);
                places->n[k]++;
            }
        }
    }
}

static void append_between(const struct corr_inquiry *q, uint32_t after, uint32_t before,
                           GString *text)
{
    if (before == CORR_NONE)
        g_string_append_printf(text, "behind %s", corr_inquiry_point(q, after));
    else
        g_string_append_printf(text, "between %s and %s", corr_inquiry_point(q, after),
                               corr_inquiry_point(q, before));
}

/* The least that the way there and back takes, as the handshake shows it. */
static bool round_trip(const struct corr_inquiry *q, const struct corr_phase *phase, int64_t *ns)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    const struct corr_tcp_conv *conv = corr_tcp_conv_of(tcp, phase->conv);

    *ns = conv->rtt_server_ns;
    return conv->has_rtt_server && corr_tcp_flow_of(tcp, phase->flow)->syn_retransmissions == 0;
}

static void append_share(const struct corr_inquiry *q, const struct corr_phase *phase,
                         GString *text)
{
    const struct corr_transaction *t =
        corr_phases_transaction(corr_layers_phases(q->r), phase->transaction);

    g_string_append_printf(text, "The phase %s took ", corr_phase_word(phase->name));
    corr_text_time(phase->duration_ns, text);
    if (t->has_total && t->total_ns > phase->duration_ns) {
        g_string_append(text, " of ");
        corr_text_time(t->total_ns, text);
    }
    g_string_append(text, " in ");
    corr_inquiry_transaction(q, phase->transaction, text);
}

static void tell_repair(struct corr_inquiry *q, const struct chain *chain)
{
    const struct corr_phase *phase = corr_phases_phase(corr_layers_phases(q->r), chain->phase);
    g_autoptr(GString) text = g_string_new(NULL);
    struct places places = {.used = 0};
    int64_t rtt_ns;
    struct corr_insight *insight = corr_insight_add(
        q, CORR_RULE_slow_by_loss,
        chain->waited_ns > 10 * CORR_CHAIN_NS ? CORR_WEIGHT_ERROR : CORR_WEIGHT_WARNING,
        CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);

    places_find(q, phase, &places, insight);
    append_share(q, phase, text);
    if (phase->name == CORR_PHASE_CONNECT) {
        g_string_append_printf(text, ": the SYN or its answer was sent again %u time%s",
                               phase->retransmissions, CORR_PLURAL(phase->retransmissions));
    } else {
        g_string_append(text, ": ");
        corr_text_time(chain->waited_ns, text);
        g_string_append_printf(text, " of it waiting for %u segment%s to be sent again",
                               phase->retransmissions, CORR_PLURAL(phase->retransmissions));
    }
    if (places.used == 1 && places.elsewhere == 0) {
        g_string_append(text, ", lost ");
        append_between(q, places.after[0], places.before[0], text);
        insight->points[0] = places.after[0];
        insight->points[1] = places.before[0];
        insight->where = places.before[0] == CORR_NONE
                             ? g_strdup(corr_inquiry_point(q, places.after[0]))
                             : g_strdup_printf("%s > %s", corr_inquiry_point(q, places.after[0]),
                                               corr_inquiry_point(q, places.before[0]));
    }
    if (round_trip(q, phase, &rtt_ns)) {
        g_string_append(text, ". The round trip is ");
        corr_text_time(rtt_ns, text);
        g_string_append(text, phase->server_ns * 2 < phase->duration_ns
                                  ? ": it is not the length of the way, and not the server"
                                  : ": it is not the length of the way");
    }
    corr_insight_say(insight, "%s.", text->str);
    insight->size = (double)chain->waited_ns;
    for (unsigned i = 0; i < places.used; i++) {
        g_string_assign(text, "");
        append_between(q, places.after[i], places.before[i], text);
        corr_insight_because(insight, "L4: %u segment%s sent again, after being lost %s",
                             places.n[i], places.n[i] == 1 ? " was" : "s were", text->str);
    }
    if (places.used == 0)
        corr_inquiry_say_losses(q, phase->flow, insight);
    corr_insight_prove(insight, phase->frame);
    corr_insight_filter(insight, "corr.transaction == %u", phase->transaction + 1);
}

static void tell_reader(struct corr_inquiry *q, const struct chain *chain)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    const struct corr_phase *phase = corr_phases_phase(phases, chain->phase);
    const struct corr_transaction *t = corr_phases_transaction(phases, phase->transaction);
    g_autoptr(GString) text = g_string_new(NULL);
    bool client_reads = phase->name == CORR_PHASE_DOWNLOAD;
    struct corr_insight *insight =
        corr_insight_add(q, CORR_RULE_slow_reader, CORR_WEIGHT_WARNING, CORR_CONFIDENCE_CONFIRMED,
                         CORR_NONE, CORR_NONE);

    append_share(q, phase, text);
    g_string_append(text, ": ");
    corr_text_time(chain->waited_ns, text);
    g_string_append_printf(text,
                           " of it waiting until the %s had room for more: its receive "
                           "window was closed, or too small.",
                           client_reads ? "client" : "server");
    corr_insight_say(insight, "%s", text->str);
    insight->size = (double)chain->waited_ns;
    if (t->conv != CORR_NONE) {
        g_autofree char *who = corr_inquiry_end(q, t->conv, client_reads ? t->client : !t->client);
        corr_insight_because(insight, "L4: %s is the receiver that held the sender back", who);
    }
    corr_insight_prove(insight, phase->frame);
    corr_insight_filter(insight, "corr.transaction == %u", phase->transaction + 1);
}

static void tell_chains(struct corr_inquiry *q, bool reader)
{
    g_autoptr(GArray) chains = chains_collect(q, reader);

    /* The worst ones are told; they are alike. */
    for (unsigned i = 0; i < chains->len && i < CHAINS_TOLD; i++) {
        const struct chain *chain = &g_array_index(chains, struct chain, i);
        if (reader)
            tell_reader(q, chain);
        else
            tell_repair(q, chain);
    }
    if (chains->len > CHAINS_TOLD) {
        struct corr_insight *last = g_ptr_array_index(q->out->list, q->out->list->len - 1);
        corr_insight_because(last, "%u more phases are like it: see the table phases",
                             chains->len - CHAINS_TOLD);
    }
}

void corr_rule_slow_by_loss(struct corr_inquiry *q)
{
    tell_chains(q, false);
}

void corr_rule_slow_reader(struct corr_inquiry *q)
{
    tell_chains(q, true);
}

/* Where the time of all transactions went. */
struct share {
    uint32_t from, to;
    int64_t ns;
};

static void add_share(GArray *shares, uint32_t from, uint32_t to, int64_t ns)
{
    for (unsigned i = 0; i < shares->len; i++) {
        struct share *old = &g_array_index(shares, struct share, i);
        if (old->from == from && old->to == to) {
            old->ns += ns;
            return;
        }
    }
    struct share made = {from, to, ns};
    g_array_append_val(shares, made);
}

static int compare_shares(const void *a, const void *b)
{
    const struct share *x = a, *y = b;

    return x->ns > y->ns ? -1 : x->ns < y->ns;
}

void corr_rule_time(struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    g_autoptr(GArray) shares = g_array_new(FALSE, FALSE, sizeof(struct share));
    g_autoptr(GString) text = g_string_new(NULL), all = g_string_new(NULL);
    int64_t total = 0;
    uint32_t last = CORR_NONE, n = 0, frame = 0;

    for (uint32_t i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        const struct corr_transaction *t = corr_phases_transaction(phases, phase->transaction);
        if (!corr_inquiry_counts(q, t))
            continue;
        n += phase->transaction != last;
        frame = frame ? frame : t->frame;
        last = phase->transaction;
        total += phase->duration_ns;
        /* The split gives a sender's waiting to the sender; TCP tells for whom it waited. */
        int64_t read_ns = phase->name == CORR_PHASE_DOWNLOAD && is_tcp(q, phase->flow)
                              ? MIN(waited_ns(q, phase, !t->client, true), phase->server_ns)
                              : 0;
        add_share(shares, CORR_NONE, 0, phase->server_ns - read_ns);
        add_share(shares, CORR_NONE, 1, phase->client_ns + read_ns);
        for (uint32_t k = 0; k < phase->n_shares; k++) {
            const struct corr_phase_share *share =
                &g_array_index(phases->shares, struct corr_phase_share, phase->first_share + k);
            add_share(shares, share->from, share->to, share->time_ns);
        }
    }
    if (total <= 0)
        return;
    g_array_sort(shares, compare_shares);
    for (unsigned i = 0; i < shares->len; i++) {
        const struct share *share = &g_array_index(shares, struct share, i);
        if (share->ns <= 0)
            continue;
        if (text->len)
            g_string_append(text, ", ");
        corr_text_ratio((double)share->ns / (double)total, text);
        if (share->from == CORR_NONE)
            g_string_append(text, share->to == 0 ? " at servers" : " at clients");
        else
            g_string_append_printf(text, " between %s and %s", corr_inquiry_point(q, share->from),
                                   corr_inquiry_point(q, share->to));
    }
    corr_text_time(total, all);
    struct corr_insight *insight = corr_insight_add(
        q, CORR_RULE_time, CORR_WEIGHT_NOTE, CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
    corr_insight_say(insight, "%u transaction%s took %s: %s.", n, CORR_PLURAL(n), all->str,
                     text->str);
    corr_insight_filter(insight, "corr.transaction");
    corr_insight_prove(insight, frame);
}
