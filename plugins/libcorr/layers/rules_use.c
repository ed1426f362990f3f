/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_use.c - how programs use connections: one for each request, or one for all. */
#include <string.h>

#include "layers/findings-int.h"
#include "layers/layers.h"
#include "layers/phases.h"
#include "path/text.h"

#define REUSE_REQUESTS 3

/* What one client asks one service, by connections of one request each, one after the other. */
struct visits {
    int64_t ends_ns; /* of the last one, at its point */
    uint32_t point;
    int64_t opening_ns, total_ns;
    uint32_t with_tls, resumed;
    GArray *transactions; /* uint32_t */
};

static void visits_free(void *data)
{
    struct visits *v = data;

    g_array_unref(v->transactions);
    g_free(v);
}

/* Transactions of each connection; [flow]. */
static uint32_t *count_by_flow(const struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    uint32_t *n = g_new0(uint32_t, q->r->flows->len + 1);

    for (uint32_t i = 0; i < phases->transactions->len; i++) {
        uint32_t flow = corr_phases_transaction(phases, i)->flow;
        if (flow < q->r->flows->len)
            n[flow]++;
    }
    return n;
}

static bool is_request(const struct corr_transaction *t)
{
    return t->kind == CORR_TRANSACTION_HTTP || t->kind == CORR_TRANSACTION_HTTPS;
}

static char *client_and_server(const struct corr_inquiry *q, const struct corr_transaction *t)
{
    g_autofree char *client = corr_inquiry_host(q, t->conv, t->client);
    g_autofree char *server = corr_inquiry_end(q, t->conv, !t->client);

    return g_strdup_printf("%s to %s", client, server);
}

static void visits_add(const struct corr_inquiry *q, struct visits *v, uint32_t number)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    const struct corr_transaction *t = corr_phases_transaction(phases, number);
    const struct corr_phase *first = NULL, *last = NULL;
    int64_t opening_ns = 0;

    for (uint32_t i = t->first_phase; i < t->first_phase + t->n_phases; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        if (phase->name == CORR_PHASE_DNS)
            continue;
        first = first ? first : phase;
        last = phase;
        if (phase->name == CORR_PHASE_CONNECT || phase->name == CORR_PHASE_TLS)
            opening_ns += phase->duration_ns;
    }
    if (!first || opening_ns == 0)
        return;
    /* What goes on at once needs more than one connection. */
    bool follows =
        v->transactions->len == 0 || (first->point == v->point && first->begin_ns >= v->ends_ns);
    v->point = last->point;
    v->ends_ns = last->begin_ns + last->duration_ns;
    if (!follows)
        return;
    g_array_append_val(v->transactions, number);
    v->opening_ns += opening_ns;
    v->total_ns += t->has_total ? t->total_ns : opening_ns;
    v->with_tls += t->tls != 0;
    v->resumed += t->tls_resumed;
}

static void visits_tell(struct corr_inquiry *q, const struct visits *v, const char *who)
{
    g_autoptr(GString) opening = g_string_new(NULL), share = g_string_new(NULL);
    struct corr_insight *insight = corr_insight_add(
        q, CORR_RULE_reuse, CORR_WEIGHT_NOTE, CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);

    corr_text_time(v->opening_ns, opening);
    corr_text_ratio((double)v->opening_ns / (double)MAX(v->total_ns, 1), share);
    insight->size = (double)v->opening_ns;
    corr_insight_say(insight,
                     "%u requests of %s opened a connection each, one after the other: %s, %s of "
                     "their time, went by for handshakes%s. One that stays open saves that.",
                     v->transactions->len, who, opening->str, share->str,
                     v->with_tls && !v->resumed ? ", of TLS in full" : "");
    corr_insight_filter_transactions(insight, v->transactions,
                                     " && corr.phase in {\"connect\", \"tls\"}");
    for (unsigned i = 0; i < v->transactions->len; i++)
        corr_insight_prove(insight,
                           corr_phases_transaction(corr_layers_phases(q->r),
                                                   g_array_index(v->transactions, uint32_t, i))
                               ->frame);
}

void corr_rule_reuse(struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    g_autofree uint32_t *in_flow = count_by_flow(q);
    g_autoptr(GHashTable) by_who = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(visits_free);

    for (uint32_t n = 0; n < phases->transactions->len; n++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, n);
        if (!is_request(t) || t->conv == CORR_NONE || !corr_inquiry_counts(q, t) ||
            in_flow[t->flow] != 1)
            continue;
        char *who = client_and_server(q, t);
        struct visits *v = g_hash_table_lookup(by_who, who);
        if (v) {
            g_free(who);
        } else {
            v = g_new0(struct visits, 1);
            v->transactions = g_array_new(FALSE, FALSE, sizeof(uint32_t));
            g_ptr_array_add(names, who);
            g_ptr_array_add(list, v);
            g_hash_table_insert(by_who, who, v);
        }
        visits_add(q, v, n);
    }
    for (unsigned i = 0; i < list->len; i++) {
        const struct visits *v = g_ptr_array_index(list, i);
        if (v->transactions->len >= REUSE_REQUESTS)
            visits_tell(q, v, g_ptr_array_index(names, i));
    }
}
