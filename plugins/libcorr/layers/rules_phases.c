/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_phases.c - what made transactions slow: server, resolver, or what lies between. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/grade.h"
#include "layers/layers.h"
#include "layers/phase_time.h"
#include "layers/phases.h"
#include "path/text.h"

bool corr_inquiry_counts(const struct corr_inquiry *q, const struct corr_transaction *t)
{
    return t->flow < q->r->flows->len && q->flow_counts[t->flow];
}

static char *end_of(const struct corr_inquiry *q, uint32_t conv, unsigned dir, bool has_ports)
{
    const struct corr_conv *local = corr_result_conv(q->r, conv);
    GString *text = g_string_new(NULL);

    corr_text_endpoint(&local->end[(dir ^ q->r->conv_flip[conv]) & 1], has_ports, local->proto,
                       text);
    return g_string_free(text, FALSE);
}

char *corr_inquiry_end(const struct corr_inquiry *q, uint32_t conv, unsigned dir)
{
    return end_of(q, conv, dir, corr_result_conv(q->r, conv)->has_ports);
}

char *corr_inquiry_host(const struct corr_inquiry *q, uint32_t conv, unsigned dir)
{
    return end_of(q, conv, dir, false);
}

/* "transaction 4 (GET /index.html of 10.1.0.10:45000 at 203.0.113.5:80)" */
void corr_inquiry_transaction(const struct corr_inquiry *q, uint32_t number, GString *text)
{
    const struct corr_transaction *t = corr_phases_transaction(corr_layers_phases(q->r), number);

    g_string_append_printf(text, "transaction %u (", number + 1);
    if (t->method)
        g_string_append_printf(text, "%s %s, ", t->method, t->path ? t->path : "");
    if (t->conv != CORR_NONE) {
        g_autofree char *client = corr_inquiry_end(q, t->conv, t->client);
        g_autofree char *server = corr_inquiry_end(q, t->conv, !t->client);
        g_string_append_printf(text, "%s > %s", client, server);
    }
    g_string_append_c(text, ')');
}

/* The point nearest the server that measured the phase. */
static uint32_t last_point(const struct corr_phases *phases, const struct corr_phase *phase)
{
    if (phase->n_shares == 0)
        return phase->point;
    return g_array_index(phases->shares, struct corr_phase_share,
                         phase->first_share + phase->n_shares - 1)
        .to;
}

/* Work of one server, or one resolver. */
struct worker {
    char *name;
    uint32_t n, slow, point;
    int64_t sum_ns, all_ns, max_ns; /* its own time; that of the whole phases; the longest */
    int64_t slow_ns;                /* its own time in slow phases */
    uint32_t worst;                 /* phase with the longest */
    GArray *slow_phases;            /* uint32_t */
};

static void worker_free(void *data)
{
    struct worker *w = data;

    g_free(w->name);
    g_array_unref(w->slow_phases);
    g_free(w);
}

/* What a proxy waited for itself is told of the server behind it. */
static int64_t own_time(const struct corr_inquiry *q, const struct corr_transaction *t,
                        const struct corr_phase *phase)
{
    if (phase->name == CORR_PHASE_SERVER && t->proxied.upstream != CORR_NONE &&
        t->proxied.has_total)
        return t->proxied.total_ns;
    return corr_phase_server_own(q->r, phase);
}

/* Workers by their address, in the order of their first phase of this name. */
static GPtrArray *workers_collect(const struct corr_inquiry *q, enum corr_phase_name name,
                                  enum corr_metric metric)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    const struct corr_limits *limits = q->r->store->config.limits;
    GPtrArray *workers = g_ptr_array_new_with_free_func(worker_free);
    g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        const struct corr_transaction *t = corr_phases_transaction(phases, phase->transaction);
        if (phase->name != name || !corr_inquiry_counts(q, t))
            continue;
        unsigned client = name == CORR_PHASE_DNS ? 0 : t->client;
        g_autofree char *text = corr_inquiry_end(q, phase->conv, !client);
        struct worker *w = g_hash_table_lookup(by_name, text);
        if (!w) {
            w = g_new0(struct worker, 1);
            w->name = g_steal_pointer(&text);
            w->slow_phases = g_array_new(FALSE, FALSE, sizeof(uint32_t));
            g_ptr_array_add(workers, w);
            g_hash_table_insert(by_name, w->name, w);
        }
        int64_t own_ns = own_time(q, t, phase);
        w->n++;
        w->sum_ns += phase->server_ns;
        w->all_ns += phase->duration_ns;
        if (own_ns > w->max_ns || w->n == 1) {
            w->max_ns = own_ns;
            w->worst = i;
            w->point = last_point(phases, phase);
        }
        if (corr_grade_time(limits, metric, own_ns) >= CORR_GRADE_DEGRADED) {
            w->slow++;
            w->slow_ns += own_ns;
            g_array_append_val(w->slow_phases, i);
        }
    }
    return workers;
}

/* That it was the worker, and not the way to it, is proven by the split and by TCP. */
static void say_why_not_network(const struct corr_inquiry *q, const struct worker *w,
                                struct corr_insight *insight)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    const struct corr_phase *worst = corr_phases_phase(phases, w->worst);
    int64_t way_ns = worst->duration_ns - worst->server_ns - worst->client_ns;
    g_autoptr(GString) whole = g_string_new(NULL), way = g_string_new(NULL);

    corr_text_time(worst->duration_ns, whole);
    corr_text_time(way_ns, way);
    if (worst->n_shares)
        corr_insight_because(
            insight, "Of %s in transaction %u the way from %s to %s and back took %s", whole->str,
            worst->transaction + 1, corr_inquiry_point(q, worst->point),
            corr_inquiry_point(q, w->point), way->str);
    if (worst->retransmissions == 0)
        corr_insight_because(insight, "No segment was sent again in it");
}

static void tell_workers(struct corr_inquiry *q, enum corr_rule rule, enum corr_phase_name name,
                         enum corr_metric metric, const char *who, const char *does,
                         const char *thing)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    const struct corr_limits *limits = q->r->store->config.limits;
    g_autoptr(GPtrArray) workers = workers_collect(q, name, metric);

    for (unsigned i = 0; i < workers->len; i++) {
        const struct worker *w = g_ptr_array_index(workers, i);
        if (w->slow == 0)
            continue;
        bool bad = corr_grade_time(limits, metric, w->max_ns) == CORR_GRADE_POOR;
        const struct corr_metric_row *row = corr_metric_row(limits, metric);
        g_autoptr(GString) max = g_string_new(NULL), limit = g_string_new(NULL);
        g_autoptr(GString) share = g_string_new(NULL);
        struct corr_insight *insight =
            corr_insight_add(q, rule, bad ? CORR_WEIGHT_ERROR : CORR_WEIGHT_WARNING,
                             CORR_CONFIDENCE_CONFIRMED, w->point, CORR_NONE);
        corr_text_time(w->max_ns, max);
        corr_text_time((int64_t)row->good, limit);
        corr_text_ratio((double)w->sum_ns / (double)MAX(w->all_ns, 1), share);
        insight->size = (double)w->slow_ns;
        corr_insight_say(insight,
                         "%s %s %s slowly: %u of %u %s%s took it more than %s, up to %s. %s of the "
                         "time that clients waited for it was spent behind %s: at the %s, or "
                         "beyond.",
                         who, w->name, does, w->slow, w->n, thing, CORR_PLURAL(w->n), limit->str,
                         max->str, share->str, corr_inquiry_point(q, w->point),
                         name == CORR_PHASE_DNS ? "resolver" : "server");
        corr_insight_filter(insight, "corr.transaction == %u",
                            corr_phases_phase(phases, w->worst)->transaction + 1);
        corr_insight_prove(insight, corr_phases_phase(phases, w->worst)->frame);
        for (unsigned k = 0; k < w->slow_phases->len && k < CORR_EVIDENCE_MAX; k++)
            corr_insight_prove(
                insight,
                corr_phases_phase(phases, g_array_index(w->slow_phases, uint32_t, k))->frame);
        say_why_not_network(q, w, insight);
    }
}

void corr_rule_server(struct corr_inquiry *q)
{
    tell_workers(q, CORR_RULE_server, CORR_PHASE_SERVER, CORR_METRIC_server, "Server", "answers",
                 "request");
}

void corr_rule_resolver(struct corr_inquiry *q)
{
    tell_workers(q, CORR_RULE_resolver, CORR_PHASE_DNS, CORR_METRIC_dns, "Resolver", "answers",
                 "lookup");
}

void corr_rule_lookup_again(struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    g_autoptr(GPtrArray) resolvers = corr_tallies_new();
    g_autoptr(GHashTable) by_who = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint32_t n = 0; n < phases->transactions->len; n++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, n);
        if (t->dns_tries == 0 || t->n_phases == 0 || !corr_inquiry_counts(q, t))
            continue;
        const struct corr_phase *phase = corr_phases_phase(phases, t->first_phase);
        if (phase->name == CORR_PHASE_DNS && phase->duration_ns >= CORR_CHAIN_NS)
            corr_tally_prove(corr_tally_add(resolvers, by_who, corr_inquiry_end(q, phase->conv, 1),
                                            n, t->dns_tries, phase->duration_ns),
                             phase->frame);
    }
    for (unsigned i = 0; i < resolvers->len; i++) {
        const struct corr_tally *tally = g_ptr_array_index(resolvers, i);
        g_autoptr(GString) what = g_string_new(NULL), took = g_string_new(NULL);
        struct corr_insight *insight = corr_insight_add_tally(
            q, CORR_RULE_lookup_again, CORR_WEIGHT_ERROR, CORR_CONFIDENCE_CONFIRMED, tally, "");
        corr_inquiry_transaction(q, tally->worst, what);
        corr_text_time(tally->worst_ns, took);
        insight->size = (double)tally->sum_ns;
        corr_insight_say(insight,
                         "%u name lookup%s had to be repeated at %s: the answer came after %s%s, "
                         "in %s. A question or its answer did not come through.",
                         tally->flows->len, CORR_PLURAL(tally->flows->len), tally->who,
                         tally->flows->len > 1 ? "up to " : "", took->str, what->str);
        corr_insight_filter_transactions(insight, tally->flows, " && corr.phase == \"dns\"");
        for (unsigned k = 0; k < tally->flows->len; k++) {
            const struct corr_transaction *t =
                corr_phases_transaction(phases, g_array_index(tally->flows, uint32_t, k));
            corr_insight_follows_flow(q, insight, corr_phases_phase(phases, t->first_phase)->flow);
        }
    }
}

void corr_rule_pipelined(struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    struct corr_insight *insight = NULL;
    int64_t longest = 0;

    for (uint32_t n = 0; n < phases->transactions->len; n++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, n);
        if (t->blocked_by == CORR_NONE || t->blocked_ns < CORR_CHAIN_NS ||
            !corr_inquiry_counts(q, t))
            continue;
        if (!insight) {
            insight = corr_insight_add(q, CORR_RULE_pipelined, CORR_WEIGHT_WARNING,
                                       CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
            corr_insight_filter(insight, "corr.transaction == %u", n + 1);
        }
        insight->size++;
        longest = MAX(longest, t->blocked_ns);
        corr_insight_prove(insight, t->frame);
    }
    if (!insight)
        return;
    g_autoptr(GString) text = g_string_new(NULL);
    corr_text_time(longest, text);
    corr_insight_say(insight,
                     "%.0f response%s had to wait, up to %s, until the response to an earlier "
                     "request on the same connection was through (head-of-line blocking).",
                     insight->size, CORR_PLURAL(insight->size), text->str);
}

/* The frame that begins a phase of a transaction; 0: it has none. */
static uint32_t frame_of(const struct corr_phases *phases, const struct corr_transaction *t,
                         enum corr_phase_name name)
{
    for (uint32_t i = t->first_phase; i < t->first_phase + t->n_phases; i++)
        if (corr_phases_phase(phases, i)->name == name)
            return corr_phases_phase(phases, i)->frame;
    return 0;
}

void corr_rule_tls_turns(struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    g_autoptr(GPtrArray) servers = corr_tallies_new();
    g_autoptr(GHashTable) by_who = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint32_t n = 0; n < phases->transactions->len; n++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, n);
        if (t->tls_retry && t->conv != CORR_NONE && corr_inquiry_counts(q, t))
            corr_tally_prove(
                corr_tally_add(servers, by_who, corr_inquiry_end(q, t->conv, !t->client), n, 1, 0),
                frame_of(phases, t, CORR_PHASE_TLS));
    }
    for (unsigned i = 0; i < servers->len; i++) {
        const struct corr_tally *tally = g_ptr_array_index(servers, i);
        struct corr_insight *insight = corr_insight_add_tally(
            q, CORR_RULE_tls_turns, CORR_WEIGHT_NOTE, CORR_CONFIDENCE_CONFIRMED, tally, "");
        insight->size = tally->n;
        corr_insight_say(insight,
                         "%u TLS handshake%s with %s needed one more round trip: the server asked "
                         "for another key share (HelloRetryRequest, group %u).",
                         tally->n, CORR_PLURAL(tally->n), tally->who,
                         corr_phases_transaction(phases, tally->worst)->tls_group);
        corr_insight_filter_transactions(insight, tally->flows, " && corr.phase == \"tls\"");
    }
}
