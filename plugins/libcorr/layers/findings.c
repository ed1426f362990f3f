/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings.c - asks the rules, caps what they say by the captures' quality, and sorts it. */
#include "layers/findings.h"
#include "layers/layers.h"

#include <string.h>

#include "layers/findings-int.h"
#include "layers/rtt.h"
#include "path/text.h"

static const struct {
    const char *word, *about;
    enum corr_branch branch;
    void (*ask)(struct corr_inquiry *q);
} rules[] = {
#define CORR_ROW(name, branch, ask, about) {#name, about, CORR_BRANCH_##branch, ask},
    CORR_RULES(CORR_ROW)
#undef CORR_ROW
};

static const char *const branch_words[] = {
#define CORR_ROW(id, word) word,
    CORR_BRANCHES(CORR_ROW)
#undef CORR_ROW
};

static const char *const weight_words[] = {"note", "warning", "error"};
static const char *const confidence_words[] = {"possible", "probable", "confirmed"};

const char *corr_branch_word(enum corr_branch branch)
{
    return branch_words[branch];
}

const char *corr_rule_word(enum corr_rule rule)
{
    return rules[rule].word;
}

const char *corr_rule_about(enum corr_rule rule)
{
    return rules[rule].about;
}

enum corr_branch corr_rule_branch(enum corr_rule rule)
{
    return rules[rule].branch;
}

const char *corr_weight_word(enum corr_weight weight)
{
    return weight_words[weight];
}

const char *corr_confidence_word(enum corr_confidence confidence)
{
    return confidence_words[confidence];
}

/* Losses. */

static void loss_free(void *data)
{
    struct corr_loss *loss = data;

    g_array_unref(loss->packets);
    g_free(loss);
}

static void blocked_free(void *data)
{
    struct corr_blocked *blocked = data;

    g_array_unref(blocked->packets);
    g_free(blocked);
}

/* There are few places where packets are lost, and few reasons. */
static struct corr_loss *loss_get(struct corr_inquiry *q, uint32_t after, uint32_t before,
                                  uint8_t cause)
{
    for (unsigned i = 0; i < q->losses->len; i++) {
        struct corr_loss *loss = g_ptr_array_index(q->losses, i);
        if (loss->after == after && loss->before == before && loss->cause == cause)
            return loss;
    }
    struct corr_loss *loss = g_new0(struct corr_loss, 1);
    *loss = (struct corr_loss){.after = after,
                               .before = before,
                               .cause = cause,
                               .packets = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
    g_ptr_array_add(q->losses, loss);
    return loss;
}

static void collect_losses(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autofree struct corr_blocked **by_flow = g_new0(struct corr_blocked *, r->flows->len + 1);

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (!corr_fate_is_drop(p->fate) || p->drop_after == CORR_NONE || p->ambiguous ||
            !corr_packet_counts(q->mask, i))
            continue;
        uint32_t after = corr_sighting_point(r, corr_result_sighting(r, p->drop_after));
        if (after == p->drop_before || q->is_expired[i])
            continue; /* a loop: corr_rule_loop() tells it */
        /* A flow of long packets only, or of probes that expire, is not blocked by a rule. */
        if (p->fate == CORR_FATE_BLOCKED && p->cause != CORR_CAUSE_MTU &&
            p->cause != CORR_CAUSE_TTL && p->flow < r->flows->len) {
            struct corr_blocked *b = by_flow[p->flow];
            if (!b) {
                b = by_flow[p->flow] = g_new0(struct corr_blocked, 1);
                *b = (struct corr_blocked){.flow = p->flow,
                                           .after = after,
                                           .before = p->drop_before,
                                           .packets = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
                g_ptr_array_add(q->blocked, b);
            }
            b->n++;
            b->cause = b->cause ? b->cause : p->cause;
            g_array_append_val(b->packets, i);
            continue;
        }
        struct corr_loss *loss = loss_get(q, after, p->drop_before, p->cause);
        loss->n++;
        loss->confirmed += p->fate == CORR_FATE_CONFIRMED;
        g_array_append_val(loss->packets, i);
    }
    for (unsigned i = 0; i < corr_group_count(r); i++) {
        const struct corr_group *group = corr_result_group(r, i);
        if (corr_group_lost(group) == 0 || !corr_frame_set_has(q->frames, group->frame))
            continue;
        struct corr_loss *loss = loss_get(q, group->from, group->to, CORR_CAUSE_UNKNOWN);
        loss->n += corr_group_lost(group);
        loss->unnamed += corr_group_lost(group);
    }
}

static int compare_flow_losses(const void *a, const void *b)
{
    const struct corr_flow_loss *x = a, *y = b;

    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    return x->packet < y->packet ? -1 : x->packet > y->packet;
}

static void index_losses(struct corr_inquiry *q)
{
    for (unsigned i = 0; i < q->losses->len; i++) {
        const struct corr_loss *loss = g_ptr_array_index(q->losses, i);
        for (unsigned k = 0; k < loss->packets->len; k++) {
            uint32_t packet = g_array_index(loss->packets, uint32_t, k);
            struct corr_flow_loss row = {corr_result_packet(q->r, packet)->flow, packet, i};
            g_array_append_val(q->flow_losses, row);
        }
    }
    g_array_sort(q->flow_losses, compare_flow_losses);
}

const struct corr_flow_loss *corr_inquiry_flow_losses(const struct corr_inquiry *q, uint32_t flow,
                                                      unsigned *n)
{
    const struct corr_flow_loss *rows = &g_array_index(q->flow_losses, struct corr_flow_loss, 0);
    unsigned from = 0, to = q->flow_losses->len;

    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        if (rows[middle].flow < flow)
            from = middle + 1;
        else
            to = middle;
    }
    for (to = from; to < q->flow_losses->len && rows[to].flow == flow;)
        to++;
    *n = to - from;
    return *n ? rows + from : NULL;
}

static void collect_segments(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;

    for (uint32_t i = 0; i < r->packets->len; i++)
        if (corr_packet_counts(q->mask, i))
            corr_segments_add(q->segments, r, i);
    for (unsigned i = 0; i < corr_group_count(r); i++)
        if (corr_frame_set_has(q->frames, corr_result_group(r, i)->frame))
            corr_segments_add_group(q->segments, corr_result_group(r, i));
    corr_segments_count_reordered(q->segments, r, q->mask);
}

static void array_unref(GArray *array)
{
    if (array)
        g_array_unref(array);
}

static void judge_captures(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;

    for (uint32_t p = 0; p < r->store->points->len; p++) {
        enum corr_clock_status status = CORR_CLOCK_UNKNOWN;
        g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
        if (corr_capture_is_divided(r->store, p))
            continue;
        if (r->clock)
            array_unref(corr_result_clock_pieces(r, p, &status));
        q->trust[p] = corr_capture_judge(r, p, q->captures, status, reasons);
        q->out->trust = MAX(q->out->trust, q->trust[p]);
    }
}

/* No conclusion is surer than the captures that it rests on. */
static void cap(const struct corr_inquiry *q, struct corr_insight *insight)
{
    enum corr_trust worst = CORR_TRUST_FULL;

    if (rules[insight->rule].branch == CORR_BRANCH_CAPTURE)
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(insight->points); i++)
        if (insight->points[i] != CORR_NONE)
            worst = MAX(worst, q->trust[insight->points[i]]);
    if (insight->points[0] == CORR_NONE)
        worst = q->out->trust;
    if (worst == CORR_TRUST_CARE)
        insight->confidence = MIN(insight->confidence, CORR_CONFIDENCE_PROBABLE);
    else if (worst == CORR_TRUST_NONE && insight->confidence > CORR_CONFIDENCE_POSSIBLE)
        insight->confidence--;
}

static int compare_frames(const void *a, const void *b)
{
    const struct corr_finding_frame *x = a, *y = b;

    if (x->frame != y->frame)
        return x->frame < y->frame ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void index_frames(struct corr_findings *findings)
{
    findings->frames = g_array_new(FALSE, FALSE, sizeof(struct corr_finding_frame));
    for (unsigned i = 0; i < findings->list->len; i++) {
        const struct corr_insight *insight = g_ptr_array_index(findings->list, i);
        if (insight->evidence->len) {
            struct corr_finding_frame at = {g_array_index(insight->evidence, uint32_t, 0),
                                            insight->number};
            g_array_append_val(findings->frames, at);
        }
    }
    g_array_sort(findings->frames, compare_frames);
}

const struct corr_finding_frame *corr_findings_at(const struct corr_findings *findings,
                                                  uint32_t frame, unsigned *n)
{
    const struct corr_finding_frame *at =
        &g_array_index(findings->frames, struct corr_finding_frame, 0);
    unsigned from = 0, to = findings->frames->len;

    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        if (at[middle].frame < frame)
            from = middle + 1;
        else
            to = middle;
    }
    for (to = from; to < findings->frames->len && at[to].frame == frame;)
        to++;
    *n = to - from;
    return *n ? at + from : NULL;
}

struct corr_findings *corr_findings_new(const struct corr_result *r,
                                        const struct corr_frame_set *frames)
{
    struct corr_findings *findings = g_new0(struct corr_findings, 1);
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    const struct corr_capture *captures = corr_layers_captures(r);
    g_autofree enum corr_trust *trust = g_new0(enum corr_trust, r->store->points->len + 1);
    g_autofree uint8_t *flow_counts = g_malloc0(r->flows->len + 1);
    g_autofree uint8_t *is_expired = g_malloc0(r->packets->len + 1);
    g_autoptr(GPtrArray) losses = g_ptr_array_new_with_free_func(loss_free);
    g_autoptr(GPtrArray) blocked = g_ptr_array_new_with_free_func(blocked_free);
    g_autoptr(GArray) flow_losses = g_array_new(FALSE, FALSE, sizeof(struct corr_flow_loss));
    g_autoptr(GPtrArray) paths = corr_rtt_paths_new(r, frames);
    g_autoptr(GHashTable) index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct corr_inquiry q = {.r = r,
                             .frames = frames,
                             .mask = mask,
                             .flow_counts = flow_counts,
                             .captures = captures,
                             .trust = trust,
                             .segments = corr_segments_new(),
                             .losses = losses,
                             .is_expired = is_expired,
                             .flow_losses = flow_losses,
                             .blocked = blocked,
                             .paths = paths,
                             .index = index,
                             .out = findings};

    for (uint32_t i = 0; i < r->packets->len; i++) {
        uint32_t flow = corr_result_packet(r, i)->flow;
        if (flow < r->flows->len && corr_packet_counts(mask, i))
            flow_counts[flow] = 1;
    }
    findings->list = g_ptr_array_new_with_free_func(corr_insight_free);
    judge_captures(&q);
    collect_segments(&q);
    corr_expired_collect(&q);
    collect_losses(&q);
    index_losses(&q);
    for (unsigned i = 0; i < CORR_RULE_COUNT; i++)
        if (rules[i].ask)
            rules[i].ask(&q);
    corr_segments_free(q.segments);
    g_ptr_array_unref(q.expired);
    for (unsigned i = 0; i < findings->list->len; i++)
        cap(&q, g_ptr_array_index(findings->list, i));
    corr_findings_order(findings);
    index_frames(findings);
    return findings;
}

void corr_findings_free(struct corr_findings *findings)
{
    if (findings == NULL)
        return;
    g_ptr_array_unref(findings->list);
    g_array_unref(findings->frames);
    g_free(findings);
}
