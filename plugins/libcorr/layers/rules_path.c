/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_path.c - what the way does to packets that arrive: delay, order, rewriting. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/grade.h"
#include "path/nat_text.h"
#include "path/text.h"

#define LOOP_PASSES 3
#define DELAY_SAMPLES 20
#define REORDERED_WARNING 0.01
#define ASYMMETRIC_PACKETS 3

void corr_rule_loop(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    struct corr_insight *insight = NULL;
    unsigned most = 0;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (p->n < LOOP_PASSES || !corr_packet_counts(q->mask, i))
            continue;
        /* Whichever point is in the loop, most sightings are there. */
        const struct corr_obs *first =
            corr_result_obs(r, corr_result_sighting(r, p->first + p->n / 2));
        unsigned passes = 0, last_ttl = 256;
        for (uint32_t k = p->first; k < p->first + p->n; k++) {
            const struct corr_sighting *s = corr_result_sighting(r, k);
            const struct corr_obs *obs = corr_result_obs(r, s);
            if (s->duplicate || obs->point != first->point || !(obs->have & CORR_HAVE_IP))
                continue;
            passes += obs->ttl < last_ttl;
            last_ttl = obs->ttl;
        }
        if (passes < LOOP_PASSES)
            continue;
        if (!insight) {
            insight = corr_insight_add(q, CORR_RULE_loop, CORR_WEIGHT_ERROR,
                                       CORR_CONFIDENCE_CONFIRMED, first->point, CORR_NONE);
            corr_insight_filter(insight, "corr.match_id == %u", i + 1);
        }
        insight->size++;
        most = MAX(most, passes);
        corr_insight_prove(insight, first->frame);
        corr_insight_say(insight,
                         "%.0f packet%s pass %s again and again, up to %u times, with a time to "
                         "live that falls: a routing loop.",
                         insight->size, CORR_PLURAL(insight->size),
                         corr_inquiry_point(q, insight->points[0]), most);
    }
}

/* The frames with the largest latency of flagged segments, by number of segment. */
static void prove_delays(const struct corr_inquiry *q, struct corr_insight **of)
{
    const struct corr_result *r = q->r;
    g_autofree int64_t *worst = g_new0(int64_t, q->segments->rows->len + 1);
    g_autofree uint32_t *frame = g_new0(uint32_t, q->segments->rows->len + 1);

    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        struct corr_latency latency = corr_result_latency(r, s);
        if (!latency.known || s->duplicate || !corr_packet_counts(q->mask, s->packet))
            continue;
        const struct corr_segment *segment =
            corr_segment_find(q->segments, corr_sighting_point(r, corr_result_sighting(r, s->prev)),
                              corr_sighting_point(r, s));
        if (segment && of[segment->number] && latency.ns > worst[segment->number]) {
            worst[segment->number] = latency.ns;
            frame[segment->number] = corr_result_obs(r, s)->frame;
        }
    }
    for (unsigned i = 0; i < q->segments->rows->len; i++)
        if (of[i])
            corr_insight_prove(of[i], frame[i]);
}

void corr_rule_delay(struct corr_inquiry *q)
{
    unsigned n = q->segments->rows->len;
    g_autofree struct corr_insight **of = g_new0(struct corr_insight *, n + 1);
    bool any = false;

    for (unsigned i = 0; i < n; i++) {
        struct corr_segment *segment = g_ptr_array_index(q->segments->rows, i);
        struct corr_percentiles l;
        if (segment->latencies->len < DELAY_SAMPLES || !corr_percentiles(segment->latencies, &l))
            continue;
        int64_t variation = l.p99 - l.min;
        enum corr_grade grade =
            corr_grade_time(q->r->store->config.limits, CORR_METRIC_variation, variation);
        if (grade < CORR_GRADE_DEGRADED)
            continue;
        g_autoptr(GString) size = g_string_new(NULL);
        g_autoptr(GString) least = g_string_new(NULL);
        corr_text_time(variation, size);
        corr_text_time(l.min, least);
        of[i] = corr_insight_add(q, CORR_RULE_delay,
                                 grade == CORR_GRADE_POOR ? CORR_WEIGHT_WARNING : CORR_WEIGHT_NOTE,
                                 CORR_CONFIDENCE_CONFIRMED, segment->from, segment->to);
        corr_insight_say(of[i],
                         "From %s to %s packets wait up to %s longer than the fastest one's %s: a "
                         "queue builds up there, or the way is not always the same.",
                         corr_inquiry_point(q, segment->from), corr_inquiry_point(q, segment->to),
                         size->str, least->str);
        g_autofree char *name = corr_inquiry_quoted(q, segment->to);
        corr_insight_filter(of[i], "corr.point == \"%s\" && corr.hop_latency > %.6f", name,
                            (double)(l.min + variation / 2) / 1e9);
        of[i]->size = (double)variation;
        struct corr_insight *lost =
            corr_inquiry_find(q, CORR_RULE_queue, segment->from, segment->to);
        if (lost)
            corr_insight_follows(lost, of[i]);
        any = true;
    }
    if (any)
        prove_delays(q, of);
}

void corr_rule_reordering(struct corr_inquiry *q)
{
    for (unsigned i = 0; i < q->segments->rows->len; i++) {
        const struct corr_segment *segment = g_ptr_array_index(q->segments->rows, i);
        if (segment->reordered == 0)
            continue;
        double share = (double)segment->reordered / (double)MAX(segment->packets, 1);
        g_autoptr(GString) text = g_string_new(NULL);
        struct corr_insight *insight =
            corr_insight_add(q, CORR_RULE_reordering,
                             share > REORDERED_WARNING ? CORR_WEIGHT_WARNING : CORR_WEIGHT_NOTE,
                             CORR_CONFIDENCE_CONFIRMED, segment->from, segment->to);
        insight->size = share;
        corr_insight_prove(insight, segment->reordered_frame);
        corr_inquiry_share(text, segment->reordered, segment->packets, "packet");
        corr_insight_say(
            insight,
            "%s were overtaken between %s and %s by later ones of their flow: parallel "
            "links or paths, or a queue per priority.",
            text->str, corr_inquiry_point(q, segment->from), corr_inquiry_point(q, segment->to));
        g_autofree char *name = corr_inquiry_quoted(q, segment->to);
        corr_insight_filter(insight, "corr.point == \"%s\"", name);
    }
}

/* Sightings by local flow and direction of the flow; [n_convs * 2]. */
static uint32_t *count_by_conv(const struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    uint32_t *counts = g_new0(uint32_t, (size_t)r->n_convs * 2 + 2);

    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        const struct corr_packet *p = corr_result_packet(r, s->packet);
        uint32_t conv = r->obs_conv[s->obs];
        if (conv < r->n_convs && p->flow != CORR_NONE && corr_packet_counts(q->mask, s->packet))
            counts[conv * 2 + (p->dir & 1)]++;
    }
    return counts;
}

/* A flow's first point that saw direction `dir` only; CORR_NONE. */
static uint32_t only_point(const struct corr_inquiry *q, const struct corr_flow *flow,
                           const uint32_t *counts, unsigned dir)
{
    for (unsigned m = 0; m < flow->convs->len; m++) {
        uint32_t conv = g_array_index(flow->convs, struct corr_member, m).conv;
        uint32_t point = corr_result_conv(q->r, conv)->point, other = 0;
        if (counts[conv * 2 + dir] < ASYMMETRIC_PACKETS)
            continue;
        for (unsigned k = 0; k < flow->convs->len; k++) {
            uint32_t also = g_array_index(flow->convs, struct corr_member, k).conv;
            if (corr_result_conv(q->r, also)->point == point)
                other += counts[also * 2 + !dir];
        }
        if (other == 0)
            return point;
    }
    return CORR_NONE;
}

static bool saw_both(const struct corr_inquiry *q, const struct corr_flow *flow,
                     const uint32_t *counts)
{
    uint32_t n[2] = {0, 0};

    (void)q;
    for (unsigned m = 0; m < flow->convs->len; m++) {
        uint32_t conv = g_array_index(flow->convs, struct corr_member, m).conv;
        n[0] += counts[conv * 2];
        n[1] += counts[conv * 2 + 1];
    }
    return n[0] && n[1];
}

void corr_rule_asymmetric(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autofree uint32_t *counts = count_by_conv(q);
    g_autoptr(GHashTable) by_pair =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (uint32_t f = 0; f < r->flows->len; f++) {
        const struct corr_flow *flow = corr_result_flow(r, f);
        uint32_t there = only_point(q, flow, counts, 0), back = only_point(q, flow, counts, 1);
        if (there == CORR_NONE || back == CORR_NONE)
            continue;
        uint64_t key = (uint64_t)there << 32 | back;
        struct corr_insight *insight = g_hash_table_lookup(by_pair, &key);
        if (!insight) {
            insight = corr_insight_add(q, CORR_RULE_asymmetric, CORR_WEIGHT_NOTE,
                                       CORR_CONFIDENCE_CONFIRMED, there, back);
            g_hash_table_insert(by_pair, g_memdup2(&key, sizeof key), insight);
            corr_insight_filter(insight, "corr.flow == %u", f + 1);
            g_free(insight->where);
            insight->where = g_strdup_printf("%s, %s", corr_inquiry_point(q, there),
                                             corr_inquiry_point(q, back));
        }
        insight->size++;
        corr_insight_prove(insight, flow->first_frame);
        corr_insight_say(
            insight,
            "%.0f flow%s by %s and return%s by %s: a stateful firewall on one of these "
            "ways sees half of each connection.",
            insight->size, insight->size == 1 ? " goes" : "s go", corr_inquiry_point(q, there),
            insight->size == 1 ? "s" : "", corr_inquiry_point(q, back));
    }
}

/* Packets of one direction at a point, in whatever local flows: a card may take off the tags of
 * what it receives, and show those of what it sends. */
static uint32_t seen_at(const struct corr_inquiry *q, const struct corr_flow *flow,
                        const uint32_t *counts, uint32_t point, unsigned dir)
{
    uint32_t n = 0;

    for (unsigned m = 0; m < flow->convs->len; m++) {
        uint32_t conv = g_array_index(flow->convs, struct corr_member, m).conv;
        if (corr_result_conv(q->r, conv)->point == point)
            n += counts[conv * 2 + dir];
    }
    return n;
}

void corr_rule_one_way(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    uint32_t n_points = r->store->points->len;
    g_autofree uint32_t *counts = count_by_conv(q);
    g_autofree uint32_t *half = g_new0(uint32_t, n_points + 1); /* flows of which half was seen */
    g_autofree uint32_t *full = g_new0(uint32_t, n_points + 1);

    for (uint32_t f = 0; f < r->flows->len; f++) {
        const struct corr_flow *flow = corr_result_flow(r, f);
        uint32_t only[2] = {only_point(q, flow, counts, 0), only_point(q, flow, counts, 1)};
        bool both = saw_both(q, flow, counts);
        /* Asymmetric ways are another matter; of UDP half may be all there is. */
        if ((only[0] != CORR_NONE && only[1] != CORR_NONE) || (!both && flow->proto != 6))
            continue;
        for (unsigned m = 0; m < flow->convs->len; m++) {
            uint32_t conv = g_array_index(flow->convs, struct corr_member, m).conv;
            uint32_t point = corr_result_conv(r, conv)->point;
            uint32_t a = seen_at(q, flow, counts, point, 0), b = seen_at(q, flow, counts, point, 1);
            full[point] += a && b;
            half[point] += (a >= ASYMMETRIC_PACKETS && !b) || (b >= ASYMMETRIC_PACKETS && !a);
        }
    }
    for (uint32_t p = 0; p < n_points; p++) {
        if (half[p] == 0 || full[p] != 0)
            continue;
        struct corr_insight *insight = corr_insight_add(q, CORR_RULE_one_way, CORR_WEIGHT_NOTE,
                                                        CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        corr_insight_say(insight,
                         "%s recorded one direction only of %u flow%s: its clock, and times of "
                         "answers, cannot be told from them. A tap of one fibre, or a mirror of "
                         "one direction?",
                         corr_inquiry_point(q, p), half[p], CORR_PLURAL(half[p]));
        corr_insight_prove(insight, corr_inquiry_first_frame(q, p, 0));
        g_autofree char *name = corr_inquiry_quoted(q, p);
        corr_insight_filter(insight, "corr.point == \"%s\"", name);
    }
}

/* What a segment rewrites: one finding for each different change of it. */
struct change {
    enum corr_rule rule;
    uint32_t from, to;
    uint32_t before, after; /* values; meaning by rule */
    struct corr_insight *insight;
};

static void add_change(struct corr_inquiry *q, GArray *changes, enum corr_rule rule,
                       uint32_t before, uint32_t after, const struct corr_obs *a,
                       const struct corr_obs *b)
{
    struct change *change = NULL;

    /* There are few different ones. */
    for (unsigned i = 0; i < changes->len && !change; i++) {
        struct change *old = &g_array_index(changes, struct change, i);
        if (old->rule == rule && old->from == a->point && old->to == b->point &&
            old->before == before && old->after == after)
            change = old;
    }
    if (!change) {
        enum corr_weight weight =
            rule == CORR_RULE_congestion || rule == CORR_RULE_options || rule == CORR_RULE_sack
                ? CORR_WEIGHT_WARNING
                : CORR_WEIGHT_NOTE;
        struct change made = {
            rule,
            a->point,
            b->point,
            before,
            after,
            corr_insight_add(q, rule, weight, CORR_CONFIDENCE_CONFIRMED, a->point, b->point)};
        g_array_append_val(changes, made);
        change = &g_array_index(changes, struct change, changes->len - 1);
    }
    change->insight->size++;
    corr_insight_prove(change->insight, b->frame);
}

/* The acknowledgement was shifted, as of a sequence number that a box rewrites; the blocks not. */
static bool sack_is_left_behind(const struct corr_inquiry *q, const struct corr_obs *a,
                                const struct corr_obs *b)
{
    const struct corr_store *store = q->r->store;
    const struct corr_options *x =
        corr_store_options(store, (uint32_t)(a - corr_store_obs(store, 0)));
    const struct corr_options *y =
        corr_store_options(store, (uint32_t)(b - corr_store_obs(store, 0)));

    return x && y && x->n_sack && x->n_sack == y->n_sack && a->ack != b->ack &&
           x->sack[0].left == y->sack[0].left && x->sack[0].right == y->sack[0].right;
}

static void look_at_change(struct corr_inquiry *q, GArray *changes, const struct corr_obs *a,
                           const struct corr_obs *b)
{
    const unsigned wanted = CORR_OPT_WSCALE | CORR_OPT_SACKPERM | CORR_OPT_TS;

    if (a->tos >> 2 != b->tos >> 2)
        add_change(q, changes, CORR_RULE_dscp, a->tos >> 2, b->tos >> 2, a, b);
    if ((a->tos & 3) != 3 && (b->tos & 3) == 3)
        add_change(q, changes, CORR_RULE_congestion, 0, 0, a, b);
    if (!(a->have & b->have & CORR_HAVE_TCP))
        return;
    if (a->opt_kinds & b->opt_kinds & CORR_OPT_SACK && sack_is_left_behind(q, a, b))
        add_change(q, changes, CORR_RULE_sack, 0, 0, a, b);
    if (!(a->tcp_flags & b->tcp_flags & CORR_TCP_SYN))
        return;
    unsigned gone = a->opt_kinds & ~b->opt_kinds & wanted;
    if (a->have & b->have & CORR_HAVE_OPTIONS && gone)
        add_change(q, changes, CORR_RULE_options, gone, 0, a, b);
    if (a->have & b->have & CORR_HAVE_MSS && a->mss != b->mss)
        add_change(q, changes, CORR_RULE_mss, a->mss, b->mss, a, b);
}

static void say_options(const struct change *change, const char *from, const char *to)
{
    static const struct {
        unsigned bit;
        const char *name, *effect;
    } options[] = {
        {CORR_OPT_WSCALE, "window scale", "windows end at 64 KB"},
        {CORR_OPT_SACKPERM, "SACK permitted", "losses are repaired one a round trip"},
        {CORR_OPT_TS, "timestamps", "round trips are measured less often"},
    };
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++)
        if (change->before & options[i].bit)
            g_string_append_printf(text, "%s%s (%s)", text->len ? ", " : "", options[i].name,
                                   options[i].effect);
    corr_insight_say(change->insight, "Between %s and %s TCP options are taken off %.0f SYN%s: %s.",
                     from, to, change->insight->size, CORR_PLURAL(change->insight->size),
                     text->str);
    corr_insight_filter(change->insight, "corr.change contains \"tcp option removed\"");
}

static void say_change(const struct corr_inquiry *q, const struct change *change)
{
    struct corr_insight *insight = change->insight;
    const char *from = corr_inquiry_point(q, change->from), *to = corr_inquiry_point(q, change->to);

    switch (change->rule) {
    case CORR_RULE_dscp:
        corr_insight_say(insight,
                         "Between %s and %s DSCP %u becomes %u (%.0f packet%s): behind it they are "
                         "queued as another class.",
                         from, to, change->before, change->after, insight->size,
                         CORR_PLURAL(insight->size));
        corr_insight_filter(insight, "corr.change == \"dscp %u -> %u\"", change->before,
                            change->after);
        break;
    case CORR_RULE_congestion:
        corr_insight_say(insight,
                         "%.0f packet%s marked \"congestion experienced\" (ECN) between %s and %s: "
                         "a queue there is filling up.",
                         insight->size, insight->size == 1 ? " was" : "s were", from, to);
        corr_insight_filter(insight, "ip.dsfield.ecn == 3 || ipv6.tclass.ecn == 3");
        break;
    case CORR_RULE_sack: {
        g_autofree char *name = corr_inquiry_quoted(q, change->to);
        corr_insight_say(insight,
                         "Between %s and %s sequence numbers are rewritten, but not those in the "
                         "SACK blocks of %.0f acknowledgement%s: their receiver must ignore them, "
                         "and repairs losses one a round trip, or by its timer.",
                         from, to, insight->size, CORR_PLURAL(insight->size));
        corr_insight_filter(insight, "tcp.options.sack && corr.point == \"%s\"", name);
        break;
    }
    case CORR_RULE_mss:
        corr_insight_say(insight,
                         "Between %s and %s the maximum segment size of %.0f SYN%s is changed from "
                         "%u to %u.",
                         from, to, insight->size, CORR_PLURAL(insight->size), change->before,
                         change->after);
        corr_insight_filter(insight, "corr.change == \"mss %u -> %u\"", change->before,
                            change->after);
        break;
    default:
        say_options(change, from, to);
    }
}

void corr_rule_rewrites(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct change));

    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        if (s->prev == CORR_NONE || s->duplicate || !corr_packet_counts(q->mask, s->packet))
            continue;
        const struct corr_obs *b = corr_result_obs(r, s);
        const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, s->prev));
        if (a->have & b->have & CORR_HAVE_IP)
            look_at_change(q, changes, a, b);
    }
    for (unsigned i = 0; i < changes->len; i++)
        say_change(q, &g_array_index(changes, struct change, i));
}

/* Translations: how many conversations, of which kind, between which points. */
struct translator {
    uint32_t from, to;
    enum corr_nat_kind kind;
    struct corr_insight *insight;
    char *example;
};

static void add_translation(struct corr_inquiry *q, GArray *translators, bool reply,
                            const struct corr_obs *a, const struct corr_obs *b, uint32_t flow)
{
    struct corr_tuple before = corr_tuple_of(q->r->store, a), after = corr_tuple_of(q->r->store, b);
    uint32_t from = a->point, to = b->point;

    if (reply) {
        struct corr_tuple keep = corr_tuple_reversed(&before);
        before = corr_tuple_reversed(&after);
        after = keep;
        from = b->point;
        to = a->point;
    }
    enum corr_nat_kind kind = corr_nat_classify(&before, &after);
    if (kind == CORR_NAT_NONE)
        return;
    struct translator *found = NULL;
    for (unsigned i = 0; i < translators->len && !found; i++) {
        struct translator *t = &g_array_index(translators, struct translator, i);
        if (t->from == from && t->to == to && t->kind == kind)
            found = t;
    }
    if (!found) {
        g_autoptr(GString) text = g_string_new(NULL);
        corr_nat_text(&before, &after, false, text);
        struct translator made = {from, to, kind,
                                  corr_insight_add(q, CORR_RULE_nat, CORR_WEIGHT_NOTE,
                                                   CORR_CONFIDENCE_CONFIRMED, from, to),
                                  g_strdup(text->str)};
        g_array_append_val(translators, made);
        found = &g_array_index(translators, struct translator, translators->len - 1);
        corr_insight_filter(found->insight, "corr.nat && corr.flow == %u", flow + 1);
    }
    found->insight->size++;
    corr_insight_prove(found->insight, a->frame);
    corr_insight_prove(found->insight, b->frame);
}

void corr_rule_nat(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GArray) translators = g_array_new(FALSE, FALSE, sizeof(struct translator));
    uint64_t last = UINT64_MAX;

    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        const struct corr_packet *p = corr_result_packet(r, s->packet);
        if (s->prev == CORR_NONE || s->duplicate || !corr_packet_counts(q->mask, s->packet) ||
            (p->kind != CORR_KIND_TCP && p->kind != CORR_KIND_UDP && p->kind != CORR_KIND_ECHO))
            continue;
        const struct corr_obs *b = corr_result_obs(r, s);
        const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, s->prev));
        /* Local flows in the initiator's direction, whichever way the packet goes. */
        uint64_t key =
            p->dir ? (uint64_t)b->conv << 32 | a->conv : (uint64_t)a->conv << 32 | b->conv;
        if (key == last || !(a->have & b->have & CORR_HAVE_IP) || g_hash_table_contains(seen, &key))
            continue;
        last = key;
        g_hash_table_add(seen, g_memdup2(&key, sizeof key));
        add_translation(q, translators, p->dir == 1, a, b, p->flow);
    }
    for (unsigned i = 0; i < translators->len; i++) {
        struct translator *t = &g_array_index(translators, struct translator, i);
        corr_insight_say(
            t->insight, "Between %s and %s %.0f conversation%s translated (%s), as in %s.",
            corr_inquiry_point(q, t->from), corr_inquiry_point(q, t->to), t->insight->size,
            t->insight->size == 1 ? " is" : "s are", corr_nat_word(t->kind), t->example);
        g_free(t->example);
    }
}

void corr_rule_nothing(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    uint64_t packets = 0;
    unsigned points = 0;

    for (unsigned i = 0; i < q->out->list->len; i++)
        if (((struct corr_insight *)g_ptr_array_index(q->out->list, i))->weight != CORR_WEIGHT_NOTE)
            return;
    for (uint32_t i = 0; i < r->packets->len; i++)
        packets += corr_packet_counts(q->mask, i);
    if (packets == 0)
        return;
    for (uint32_t p = 0; p < r->store->points->len; p++)
        points += q->captures[p].frames != 0;
    struct corr_insight *insight = corr_insight_add(
        q, CORR_RULE_nothing, CORR_WEIGHT_NOTE, CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
    corr_insight_say(insight,
                     "Nothing wrong found%s: %" G_GUINT64_FORMAT " packet%s at %u capture point%s.",
                     q->out->trust == CORR_TRUST_FULL ? "" : ", as far as these captures can tell",
                     packets, CORR_PLURAL(packets), points, CORR_PLURAL(points));
}
