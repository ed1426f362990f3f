/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings_say.c - makes findings: sentences, filters, evidence. */
#include "layers/findings-int.h"
#include "layers/layers.h"
#include "layers/tcp.h"
#include "path/text.h"

#define SOME 8 /* numbers of a long list that are told */

/* "3, 5, 9": numbers as people see them, from 1. */
static void append_some(const GArray *indices, unsigned from, GString *text)
{
    for (unsigned i = from; i < indices->len && i < from + SOME; i++)
        g_string_append_printf(text, "%s%u", i > from ? ", " : "",
                               g_array_index(indices, uint32_t, i) + 1);
}

void corr_insight_free(void *data)
{
    struct corr_insight *insight = data;

    g_free(insight->what);
    g_free(insight->where);
    g_free(insight->who);
    g_free(insight->filter);
    g_array_unref(insight->evidence);
    g_ptr_array_unref(insight->because);
    g_ptr_array_unref(insight->causes);
    g_free(insight);
}

void corr_insight_place(const struct corr_inquiry *q, struct corr_insight *insight, uint32_t from,
                        uint32_t to)
{
    insight->points[0] = from;
    insight->points[1] = to;
    g_free(insight->where);
    insight->where = NULL;
    if (from != CORR_NONE && to != CORR_NONE)
        insight->where =
            g_strdup_printf("%s > %s", corr_inquiry_point(q, from), corr_inquiry_point(q, to));
    else if (from != CORR_NONE)
        insight->where = g_strdup(corr_inquiry_point(q, from));
}

static char *key_of_place(enum corr_rule rule, uint32_t from, uint32_t to)
{
    return g_strdup_printf("%u %u %u", rule, from, to);
}

static char *key_of_who(enum corr_rule rule, const char *who)
{
    return g_strdup_printf("%u %s", rule, who);
}

struct corr_insight *corr_insight_add(struct corr_inquiry *q, enum corr_rule rule,
                                      enum corr_weight weight, enum corr_confidence confidence,
                                      uint32_t from, uint32_t to)
{
    struct corr_insight *insight = g_new0(struct corr_insight, 1);
    char *key = key_of_place(rule, from, to);

    insight->rule = rule;
    insight->weight = weight;
    insight->confidence = confidence;
    insight->evidence = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    insight->because = g_ptr_array_new_with_free_func(g_free);
    insight->causes = g_ptr_array_new();
    corr_insight_place(q, insight, from, to);
    g_ptr_array_add(q->out->list, insight);
    if (g_hash_table_contains(q->index, key))
        g_free(key);
    else
        g_hash_table_insert(q->index, key, insight);
    return insight;
}

struct corr_insight *corr_inquiry_find(const struct corr_inquiry *q, enum corr_rule rule,
                                       uint32_t from, uint32_t to)
{
    g_autofree char *key = key_of_place(rule, from, to);

    return g_hash_table_lookup(q->index, key);
}

struct corr_insight *corr_inquiry_find_who(const struct corr_inquiry *q, enum corr_rule rule,
                                           const char *who)
{
    g_autofree char *key = key_of_who(rule, who);

    return g_hash_table_lookup(q->index, key);
}

static void tally_free(void *data)
{
    struct corr_tally *tally = data;

    g_free(tally->who);
    g_array_unref(tally->flows);
    g_array_unref(tally->evidence);
    g_free(tally);
}

GPtrArray *corr_tallies_new(void)
{
    return g_ptr_array_new_with_free_func(tally_free);
}

struct corr_tally *corr_tally_add(GPtrArray *tallies, GHashTable *by_who, char *who, uint32_t flow,
                                  uint32_t n, int64_t ns)
{
    struct corr_tally *tally = g_hash_table_lookup(by_who, who);

    if (tally) {
        g_free(who);
    } else {
        tally = g_new0(struct corr_tally, 1);
        tally->who = who;
        tally->flows = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        tally->evidence = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_ptr_array_add(tallies, tally);
        g_hash_table_insert(by_who, tally->who, tally);
    }
    if (tally->flows->len == 0 || ns > tally->worst_ns) {
        tally->worst_ns = ns;
        tally->worst = flow;
    }
    if (tally->flows->len == 0 ||
        g_array_index(tally->flows, uint32_t, tally->flows->len - 1) != flow)
        g_array_append_val(tally->flows, flow);
    tally->n += n;
    tally->sum_ns += ns;
    return tally;
}

void corr_tally_prove(struct corr_tally *tally, uint32_t frame)
{
    if (frame && tally->evidence->len < CORR_EVIDENCE_MAX)
        g_array_append_val(tally->evidence, frame);
}

struct corr_insight *corr_insight_add_tally(struct corr_inquiry *q, enum corr_rule rule,
                                            enum corr_weight weight,
                                            enum corr_confidence confidence,
                                            const struct corr_tally *tally, const char *more)
{
    struct corr_insight *insight =
        corr_insight_add(q, rule, weight, confidence, CORR_NONE, CORR_NONE);
    g_autoptr(GString) flows = g_string_new(NULL);

    insight->who = g_strdup(tally->who);
    g_hash_table_insert(q->index, key_of_who(rule, tally->who), insight);
    for (unsigned i = 0; i < tally->evidence->len; i++)
        corr_insight_prove(insight, g_array_index(tally->evidence, uint32_t, i));
    append_some(tally->flows, 0, flows);
    corr_insight_filter(insight,
                        tally->flows->len == 1 ? "%scorr.flow == %s" : "%scorr.flow in {%s}", more,
                        flows->str);
    return insight;
}

void corr_insight_say(struct corr_insight *insight, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_free(insight->what);
    insight->what = g_strdup_vprintf(format, args);
    va_end(args);
}

void corr_insight_filter(struct corr_insight *insight, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_free(insight->filter);
    insight->filter = g_strdup_vprintf(format, args);
    va_end(args);
}

void corr_insight_because(struct corr_insight *insight, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(insight->because, g_strdup_vprintf(format, args));
    va_end(args);
}

void corr_insight_prove(struct corr_insight *insight, uint32_t frame)
{
    if (frame == 0 || insight->evidence->len >= CORR_EVIDENCE_MAX)
        return;
    for (unsigned i = 0; i < insight->evidence->len; i++)
        if (g_array_index(insight->evidence, uint32_t, i) == frame)
            return;
    g_array_append_val(insight->evidence, frame);
}

char *corr_inquiry_quoted(const struct corr_inquiry *q, uint32_t point)
{
    GString *text = g_string_new(NULL);

    for (const char *p = corr_inquiry_point(q, point); *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_c(text, '\\');
        g_string_append_c(text, *p);
    }
    return g_string_free(text, FALSE);
}

void corr_inquiry_share(GString *text, uint64_t n, uint64_t of, const char *things)
{
    g_string_append_printf(text, "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " %s%s", n, of,
                           things, CORR_PLURAL(of));
    if (of) {
        g_string_append(text, " (");
        corr_text_ratio((double)n / (double)of, text);
        g_string_append_c(text, ')');
    }
}

void corr_text_transactions(const GArray *transactions, unsigned from, GString *text)
{
    unsigned n = transactions->len - from;

    g_string_append(text, n == 1 ? "transaction " : "transactions ");
    append_some(transactions, from, text);
    if (n > SOME)
        g_string_append_printf(text, " (+%u)", n - SOME);
}

void corr_insight_filter_transactions(struct corr_insight *insight, const GArray *transactions,
                                      const char *more)
{
    g_autoptr(GString) text = g_string_new(NULL);

    append_some(transactions, 0, text);
    if (transactions->len == 1)
        corr_insight_filter(insight, "corr.transaction == %s%s", text->str, more);
    else
        corr_insight_filter(insight, "corr.transaction in {%s}%s", text->str, more);
}

uint32_t corr_inquiry_conv(const struct corr_inquiry *q, uint32_t flow)
{
    const struct corr_flow *f = corr_result_flow(q->r, flow);
    const struct corr_tcp_way *way = corr_tcp_way_of(corr_layers_tcp(q->r), flow, 0);

    return f->proto == 6 && way->sender != CORR_NONE
               ? way->sender
               : g_array_index(f->convs, struct corr_member, 0).conv;
}

void corr_inquiry_append_ends(const struct corr_inquiry *q, uint32_t flow, GString *text)
{
    uint32_t conv = corr_inquiry_conv(q, flow);
    g_autofree char *client = corr_inquiry_end(q, conv, 0), *server = corr_inquiry_end(q, conv, 1);

    g_string_append_printf(text, "%s > %s", client, server);
}

uint32_t corr_inquiry_first_frame(const struct corr_inquiry *q, uint32_t point, uint32_t have)
{
    for (uint32_t o = 0; o < q->r->store->obs->len; o++) {
        const struct corr_obs *obs = corr_store_obs(q->r->store, o);
        if (obs->point == point && (obs->have & have) == have)
            return obs->frame;
    }
    return 0;
}
