/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings_tree.c - which finding follows from which, and which one comes first. */
#include "layers/findings-int.h"

void corr_insight_follows(struct corr_insight *effect, struct corr_insight *cause)
{
    if (cause && cause != effect && !g_ptr_array_find(effect->causes, cause, NULL))
        g_ptr_array_add(effect->causes, cause);
}

void corr_insight_follows_loss(const struct corr_inquiry *q, struct corr_insight *effect,
                               uint32_t packet)
{
    static const enum corr_rule rules[] = {[CORR_CAUSE_UNKNOWN] = CORR_RULE_loss,
                                           [CORR_CAUSE_POLICY] = CORR_RULE_rejected,
                                           [CORR_CAUSE_MTU] = CORR_RULE_mtu,
                                           [CORR_CAUSE_TTL] = CORR_RULE_ttl,
                                           [CORR_CAUSE_QUEUE] = CORR_RULE_queue,
                                           [CORR_CAUSE_POLICER] = CORR_RULE_policer,
                                           [CORR_CAUSE_CORRUPTION] = CORR_RULE_corruption};
    const struct corr_packet *p = corr_result_packet(q->r, packet);

    if (corr_fate_is_drop(p->fate) && p->drop_after != CORR_NONE)
        corr_insight_follows(
            effect,
            corr_inquiry_find(q, rules[p->cause],
                              corr_sighting_point(q->r, corr_result_sighting(q->r, p->drop_after)),
                              p->drop_before));
}

void corr_insight_follows_flow(const struct corr_inquiry *q, struct corr_insight *insight,
                               uint32_t flow)
{
    unsigned n;
    const struct corr_flow_loss *row = corr_inquiry_flow_losses(q, flow, &n);

    for (unsigned i = 0; i < n; i++)
        corr_insight_follows_loss(q, insight, row[i].packet);
}

/* Among equally bad ones: what people feel, then what is below it; the captures last. */
enum { PLACE_BROKEN, PLACE_SUMMARY, PLACE_SLOW, PLACE_L4, PLACE_L3_L4, PLACE_L3, PLACE_CAPTURE };

static unsigned place(const struct corr_insight *insight)
{
    static const unsigned places[CORR_BRANCH_COUNT] = {
        [CORR_BRANCH_END] = PLACE_SUMMARY,    [CORR_BRANCH_L4_L7] = PLACE_SLOW,
        [CORR_BRANCH_L7] = PLACE_SLOW,        [CORR_BRANCH_L4] = PLACE_L4,
        [CORR_BRANCH_L3_L4] = PLACE_L3_L4,    [CORR_BRANCH_L3] = PLACE_L3,
        [CORR_BRANCH_CAPTURE] = PLACE_CAPTURE};

    if (insight->weight == CORR_WEIGHT_ERROR &&
        (insight->rule == CORR_RULE_blocked || insight->rule == CORR_RULE_refused ||
         insight->rule == CORR_RULE_expired || insight->rule == CORR_RULE_storm ||
         insight->rule == CORR_RULE_reset || insight->rule == CORR_RULE_loop))
        return PLACE_BROKEN;
    if (insight->rule == CORR_RULE_nothing)
        return PLACE_BROKEN; /* says that nothing is */
    return places[corr_rule_branch(insight->rule)];
}

#define IS_CAUSE UINT32_MAX /* as parent, while it is not yet known whose */

/* A finding is as bad as the worst of its causes. */
static void raise_weights(const GPtrArray *list)
{
    bool raised = true;

    while (raised) {
        raised = false;
        for (unsigned i = 0; i < list->len; i++) {
            struct corr_insight *insight = g_ptr_array_index(list, i);
            for (unsigned k = 0; k < insight->causes->len; k++) {
                const struct corr_insight *cause = g_ptr_array_index(insight->causes, k);
                raised |= cause->weight > insight->weight;
                insight->weight = MAX(insight->weight, cause->weight);
            }
        }
    }
}

static int compare(const void *a, const void *b)
{
    const struct corr_insight *x = *(struct corr_insight *const *)a;
    const struct corr_insight *y = *(struct corr_insight *const *)b;

    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    if (place(x) != place(y))
        return place(x) < place(y) ? -1 : 1;
    /* Sizes of what is slow are times that somebody waited. */
    if (x->rule != y->rule && place(x) != PLACE_SLOW)
        return x->rule < y->rule ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->rule == y->rule ? 0 : x->rule < y->rule ? -1 : 1;
}

static void add_below(GPtrArray *out, struct corr_insight *insight, uint32_t parent)
{
    if (insight->number)
        return;
    g_ptr_array_add(out, insight);
    insight->number = out->len;
    insight->parent = parent;
    g_ptr_array_sort(insight->causes, compare);
    for (unsigned i = 0; i < insight->causes->len; i++)
        add_below(out, g_ptr_array_index(insight->causes, i), insight->number);
}

void corr_findings_order(struct corr_findings *findings)
{
    GPtrArray *list = findings->list;
    g_autoptr(GPtrArray) sorted = g_ptr_array_new(), out = g_ptr_array_new();

    raise_weights(list);
    for (unsigned i = 0; i < list->len; i++) {
        struct corr_insight *insight = g_ptr_array_index(list, i);
        g_ptr_array_add(sorted, insight);
        for (unsigned k = 0; k < insight->causes->len; k++)
            ((struct corr_insight *)g_ptr_array_index(insight->causes, k))->parent = IS_CAUSE;
    }
    g_ptr_array_sort(sorted, compare); /* stable: GLib merges */
    for (unsigned i = 0; i < sorted->len; i++) {
        struct corr_insight *insight = g_ptr_array_index(sorted, i);
        if (insight->number == 0 && insight->parent != IS_CAUSE)
            add_below(out, insight, 0);
    }
    g_assert(out->len == list->len); /* causes are of earlier rules: there are no circles */
    for (unsigned i = 0; i < out->len; i++)
        list->pdata[i] = out->pdata[i];
}
