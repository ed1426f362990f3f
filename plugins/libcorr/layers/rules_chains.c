/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_chains.c - which phase waited for what below it. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/layers.h"
#include "layers/phase_time.h"
#include "layers/phases.h"
#include "layers/tcp.h"
#include "path/text.h"

#define CHAIN_SHARE 0.2
#define PLACES 3 /* places of loss told apart in one phase */

/* Where segments were lost that a phase had to repair. */
struct places {
    uint32_t after[PLACES], before[PLACES], n[PLACES];
    unsigned used;
    uint32_t elsewhere; /* at further places, or nobody knows where */
};

/* A phase that waited: for repairs of losses, or for a receiver that does not read. */
struct chain {
    uint32_t phase;
    int64_t waited_ns;
    struct places places;
};

/* Chains that have one cause. */
struct bundle {
    GArray *chains; /* struct chain, the longest first */
    int64_t waited_ns;
};

static int compare_chains(const void *a, const void *b)
{
    const struct chain *x = a, *y = b;

    if (x->waited_ns != y->waited_ns)
        return x->waited_ns > y->waited_ns ? -1 : 1;
    return x->phase < y->phase ? -1 : 1;
}

static void add_place(struct places *places, uint32_t after, uint32_t before)
{
    unsigned k = 0;

    while (k < places->used && (places->after[k] != after || places->before[k] != before))
        k++;
    if (after == CORR_NONE || k == PLACES) {
        places->elsewhere++;
        return;
    }
    places->after[k] = after;
    places->before[k] = before;
    places->used = MAX(places->used, k + 1);
    places->n[k]++;
}

/* What was sent again in a phase, and where it had been lost; the frames go to `insight`, if any.
 */
static struct places places_find(const struct corr_inquiry *q, const struct corr_phase *phase,
                                 struct corr_insight *insight)
{
    const struct corr_tcp *tcp = corr_layers_tcp(q->r);
    struct places places = {.used = 0};

    for (unsigned dir = 0; dir < 2; dir++) {
        const struct corr_tcp_way *way = corr_tcp_way_of(tcp, phase->flow, dir);
        int64_t from_ns, to_ns;
        uint32_t n;
        if (way->sender == CORR_NONE ||
            !corr_phase_span_at(corr_layers_phases(q->r), phase, way->sender, &from_ns, &to_ns))
            continue;
        to_ns = MAX(to_ns, from_ns + phase->duration_ns);
        const struct corr_tcp_incident *incident =
            corr_tcp_incidents(tcp, phase->flow, dir, from_ns, to_ns, &n);
        for (uint32_t i = 0; i < n; i++, incident++) {
            if (!(incident->events & CORR_TCP_BIT(RETRANSMISSION)) ||
                incident->events & CORR_TCP_BIT(SPURIOUS))
                continue;
            add_place(&places, incident->lost_after, incident->lost_before);
            if (insight) {
                corr_insight_prove(insight, incident->original_frame);
                corr_insight_prove(insight, incident->frame);
            }
        }
    }
    return places;
}

static bool same_places(const struct places *a, const struct places *b)
{
    if (a->used != b->used || !a->elsewhere != !b->elsewhere)
        return false;
    for (unsigned i = 0; i < a->used; i++) {
        unsigned k = 0;
        while (k < b->used && (b->after[k] != a->after[i] || b->before[k] != a->before[i]))
            k++;
        if (k == b->used)
            return false;
    }
    return true;
}

static void bundle_free(void *data)
{
    struct bundle *bundle = data;

    g_array_unref(bundle->chains);
    g_free(bundle);
}

static void bundle_add(GPtrArray *bundles, struct bundle *bundle, const struct chain *chain)
{
    if (!bundle) {
        bundle = g_new0(struct bundle, 1);
        bundle->chains = g_array_new(FALSE, FALSE, sizeof(struct chain));
        g_ptr_array_add(bundles, bundle);
    }
    g_array_append_val(bundle->chains, *chain);
    bundle->waited_ns += chain->waited_ns;
}

static const struct chain *bundle_worst(const struct bundle *bundle)
{
    return &g_array_index(bundle->chains, struct chain, 0);
}

static const struct corr_phase *chain_phase(const struct corr_inquiry *q, const struct chain *chain)
{
    return corr_phases_phase(corr_layers_phases(q->r), chain->phase);
}

static bool is_long(const struct chain *chain, const struct corr_phase *phase)
{
    return chain->waited_ns >= CORR_CHAIN_NS &&
           (double)chain->waited_ns >= CHAIN_SHARE * (double)phase->duration_ns;
}

static bool counts(const struct corr_inquiry *q, const struct corr_phase *phase)
{
    return corr_result_flow(q->r, phase->flow)->proto == 6 &&
           corr_inquiry_counts(
               q, corr_phases_transaction(corr_layers_phases(q->r), phase->transaction));
}

/* Phases that waited for repairs: a bundle for all that lost at the same places. */
static GPtrArray *repairs_collect(const struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    GPtrArray *bundles = g_ptr_array_new_with_free_func(bundle_free);
    g_autoptr(GArray) chains = g_array_new(FALSE, FALSE, sizeof(struct chain));

    for (uint32_t i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        struct chain chain = {.phase = i};
        if (phase->retransmissions == 0 || !counts(q, phase))
            continue;
        chain.waited_ns = corr_phase_waited(q->r, phase, false);
        if (!is_long(&chain, phase))
            continue;
        chain.places = places_find(q, phase, NULL);
        g_array_append_val(chains, chain);
    }
    g_array_sort(chains, compare_chains);
    for (unsigned i = 0; i < chains->len; i++) {
        const struct chain *chain = &g_array_index(chains, struct chain, i);
        struct bundle *bundle = NULL;
        for (unsigned k = 0; k < bundles->len && !bundle; k++) {
            struct bundle *old = g_ptr_array_index(bundles, k);
            if (same_places(&bundle_worst(old)->places, &chain->places))
                bundle = old;
        }
        bundle_add(bundles, bundle, chain);
    }
    return bundles;
}

/* The host that a phase's sender waited for: it receives the data. */
static char *reader_of(const struct corr_inquiry *q, const struct corr_phase *phase)
{
    const struct corr_transaction *t =
        corr_phases_transaction(corr_layers_phases(q->r), phase->transaction);
    bool client_reads = phase->name == CORR_PHASE_DOWNLOAD;

    return corr_inquiry_host(q, phase->conv, client_reads ? t->client : !t->client);
}

/* Phases that waited for a reader: a bundle for each host that reads. */
static GPtrArray *readers_collect(const struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    GPtrArray *bundles = g_ptr_array_new_with_free_func(bundle_free);
    g_autoptr(GArray) chains = g_array_new(FALSE, FALSE, sizeof(struct chain));
    g_autoptr(GHashTable) by_host = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (uint32_t i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        struct chain chain = {.phase = i};
        if (!counts(q, phase))
            continue;
        chain.waited_ns = corr_phase_waited(q->r, phase, true);
        if (is_long(&chain, phase))
            g_array_append_val(chains, chain);
    }
    g_array_sort(chains, compare_chains);
    for (unsigned i = 0; i < chains->len; i++) {
        const struct chain *chain = &g_array_index(chains, struct chain, i);
        char *host = reader_of(q, chain_phase(q, chain));
        struct bundle *bundle = g_hash_table_lookup(by_host, host);
        bundle_add(bundles, bundle, chain);
        if (bundle)
            g_free(host);
        else
            g_hash_table_insert(by_host, host, g_ptr_array_index(bundles, bundles->len - 1));
    }
    return bundles;
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

/* A phase as the begin of a sentence. */
static const char *phase_title(enum corr_phase_name name)
{
    static const char *const titles[CORR_PHASE_COUNT] = {
        [CORR_PHASE_DNS] = "The name lookup",
        [CORR_PHASE_CONNECT] = "The TCP handshake",
        [CORR_PHASE_PROXY] = "The proxy's consent",
        [CORR_PHASE_STARTTLS] = "The talk before TLS",
        [CORR_PHASE_TLS] = "TLS",
        [CORR_PHASE_REQUEST] = "The request",
        [CORR_PHASE_SERVER] = "The wait for the response",
        [CORR_PHASE_DOWNLOAD] = "The download",
    };

    return titles[name];
}

/* "TLS took 450 ms of 520 ms in transaction 5 (...)" */
static void append_took(const struct corr_inquiry *q, const struct corr_phase *phase, GString *text)
{
    const struct corr_transaction *t =
        corr_phases_transaction(corr_layers_phases(q->r), phase->transaction);

    g_string_append_printf(text, "%s took ", phase_title(phase->name));
    corr_text_time(phase->duration_ns, text);
    if (t->has_total && t->total_ns > phase->duration_ns) {
        g_string_append(text, " of ");
        corr_text_time(t->total_ns, text);
    }
    g_string_append(text, " in ");
    corr_inquiry_transaction(q, phase->transaction, text);
}

/* Where it was lost, if all of it was lost at one place. */
static void append_places(const struct corr_inquiry *q, const struct places *places,
                          struct corr_insight *insight, GString *text)
{
    if (places->used != 1 || places->elsewhere)
        return;
    g_string_append(text, places->n[0] > 1 ? ", all lost " : ", lost ");
    append_between(q, places->after[0], places->before[0], text);
    corr_insight_place(q, insight, places->after[0], places->before[0]);
}

/* The round trip that the phase would have needed, from pings or from the handshake. */
static void append_round_trip(const struct corr_inquiry *q, const struct corr_phase *phase,
                              GString *text)
{
    struct corr_round_trip trip = corr_phase_round_trip(q->r, q->paths, phase);

    if (!trip.known)
        return;
    g_string_append(text, trip.pinged ? ". The path's round trip (ping) is "
                                      : ". The round trip of the handshake is ");
    corr_text_time(trip.ns, text);
    g_string_append(text, phase->server_ns * 2 < phase->duration_ns
                              ? ": it is neither the distance nor the server"
                              : ": it is not the distance");
}

/* "3 more phases waited 1.20 s for the same reason: transactions 4, 5, 9." And the filter. */
static void append_others(const struct corr_inquiry *q, const struct bundle *bundle,
                          struct corr_insight *insight, GString *text)
{
    g_autoptr(GArray) transactions = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    unsigned others = bundle->chains->len - 1;

    for (unsigned i = 0; i < bundle->chains->len; i++) {
        uint32_t number =
            chain_phase(q, &g_array_index(bundle->chains, struct chain, i))->transaction;
        unsigned k = 0;
        while (k < transactions->len && k < CORR_EVIDENCE_MAX &&
               g_array_index(transactions, uint32_t, k) != number)
            k++;
        if (k == transactions->len || k == CORR_EVIDENCE_MAX)
            g_array_append_val(transactions, number);
    }
    if (others) {
        g_string_append_printf(text, " %u more phase%s like it waited ", others,
                               CORR_PLURAL(others));
        corr_text_time(bundle->waited_ns - bundle_worst(bundle)->waited_ns, text);
        if (transactions->len > 1) {
            g_string_append(text, " in ");
            corr_text_transactions(transactions, 1, text);
        }
        g_string_append_c(text, '.');
    }
    corr_insight_filter_transactions(insight, transactions, "");
}

static void tell_repair(struct corr_inquiry *q, const struct bundle *bundle)
{
    const struct chain *chain = bundle_worst(bundle);
    const struct corr_phase *phase = chain_phase(q, chain);
    g_autoptr(GString) text = g_string_new(NULL);
    struct corr_insight *insight = corr_insight_add(
        q, CORR_RULE_slow_by_loss,
        chain->waited_ns > 10 * CORR_CHAIN_NS ? CORR_WEIGHT_ERROR : CORR_WEIGHT_WARNING,
        CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
    struct places places = places_find(q, phase, insight);

    append_took(q, phase, text);
    if (phase->name == CORR_PHASE_CONNECT) {
        g_string_append_printf(text, ": the SYN or its answer was sent again %u time%s",
                               phase->retransmissions, CORR_PLURAL(phase->retransmissions));
        append_places(q, &places, insight, text);
    } else {
        g_string_append_printf(text, ": %u retransmission%s in it", phase->retransmissions,
                               CORR_PLURAL(phase->retransmissions));
        append_places(q, &places, insight, text);
        g_string_append(text, ", cost ");
        corr_text_time(chain->waited_ns, text);
    }
    append_round_trip(q, phase, text);
    g_string_append_c(text, '.');
    append_others(q, bundle, insight, text);
    corr_insight_say(insight, "%s", text->str);
    insight->size = (double)bundle->waited_ns;
    for (unsigned i = 0; i < places.used; i++)
        corr_insight_follows(
            insight, corr_inquiry_find(q, CORR_RULE_repair, places.after[i], places.before[i]));
    if (phase->name == CORR_PHASE_CONNECT) {
        g_autofree char *server = corr_inquiry_end(q, phase->conv, 1);
        corr_insight_follows(insight, corr_inquiry_find_who(q, CORR_RULE_syn_again, server));
    }
    if (insight->causes->len == 0)
        corr_insight_follows_flow(q, insight, phase->flow);
    corr_insight_prove(insight, phase->frame);
}

static void tell_reader(struct corr_inquiry *q, const struct bundle *bundle)
{
    const struct chain *chain = bundle_worst(bundle);
    const struct corr_phase *phase = chain_phase(q, chain);
    g_autofree char *who = reader_of(q, phase);
    g_autoptr(GString) text = g_string_new(NULL);
    struct corr_insight *insight =
        corr_insight_add(q, CORR_RULE_slow_reader, CORR_WEIGHT_WARNING, CORR_CONFIDENCE_CONFIRMED,
                         CORR_NONE, CORR_NONE);

    append_took(q, phase, text);
    g_string_append(text, ": ");
    corr_text_time(chain->waited_ns, text);
    g_string_append_printf(text, " of it waiting until %s had room for more.", who);
    append_others(q, bundle, insight, text);
    corr_insight_say(insight, "%s", text->str);
    insight->size = (double)bundle->waited_ns;
    corr_insight_follows(insight, corr_inquiry_find_who(q, CORR_RULE_receiver, who));
    corr_insight_follows(insight, corr_inquiry_find_who(q, CORR_RULE_small_window, who));
    corr_insight_prove(insight, phase->frame);
}

void corr_rule_slow_by_loss(struct corr_inquiry *q)
{
    g_autoptr(GPtrArray) bundles = repairs_collect(q);

    for (unsigned i = 0; i < bundles->len; i++)
        tell_repair(q, g_ptr_array_index(bundles, i));
}

void corr_rule_slow_reader(struct corr_inquiry *q)
{
    g_autoptr(GPtrArray) bundles = readers_collect(q);

    for (unsigned i = 0; i < bundles->len; i++)
        tell_reader(q, g_ptr_array_index(bundles, i));
}
