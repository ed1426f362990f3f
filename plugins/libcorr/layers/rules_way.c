/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_way.c - ways that change, boxes that think about a flow's first packet, storms. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "layers/rtt.h"
#include "path/text.h"

/* The first packet of a flow waits, and not the rest. */

#define FIRST_FLOWS 3
#define FIRST_PACKETS 3 /* of a flow on a segment, to tell the first one from the rest */
#define FIRST_MORE_NS INT64_C(1000000)
#define FIRST_MORE 5 /* times as long as nearly all of the rest */
#define FIRST_WARNING_NS INT64_C(50000000)

/* One segment: how long the first packets of its flows took, and the others. */
struct firsts {
    GArray *first; /* struct first */
    GArray *rest;  /* int64_t */
};

struct first {
    uint32_t flow, frame;
    unsigned n; /* packets of this flow and direction on the segment */
    int64_t ns;
};

static void firsts_free(void *data)
{
    struct firsts *f = data;

    if (f == NULL)
        return;
    g_array_unref(f->first);
    g_array_unref(f->rest);
    g_free(f);
}

/* By segment number; NULL where none has a known latency. */
static GPtrArray *firsts_collect(const struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    GPtrArray *list = g_ptr_array_new_with_free_func(firsts_free);
    /* Where the last packet of a flow's direction 0 stands in the segment that it passed last. */
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    g_ptr_array_set_size(list, (int)q->segments->rows->len);
    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        const struct corr_packet *p = corr_result_packet(r, s->packet);
        struct corr_latency latency = corr_result_latency(r, s);
        if (!latency.known || s->duplicate || s->prev == CORR_NONE || p->dir != 0 ||
            p->flow >= r->flows->len || !corr_packet_counts(q->mask, s->packet))
            continue;
        const struct corr_segment *segment =
            corr_segment_find(q->segments, corr_sighting_point(r, corr_result_sighting(r, s->prev)),
                              corr_sighting_point(r, s));
        if (!segment)
            continue;
        struct firsts *f = g_ptr_array_index(list, segment->number);
        if (!f) {
            f = g_new0(struct firsts, 1);
            f->first = g_array_new(FALSE, FALSE, sizeof(struct first));
            f->rest = g_array_new(FALSE, FALSE, sizeof(int64_t));
            list->pdata[segment->number] = f;
        }
        uint64_t key = (uint64_t)segment->number << 32 | p->flow;
        uint32_t at = GPOINTER_TO_UINT(g_hash_table_lookup(seen, &key));
        if (at) {
            g_array_index(f->first, struct first, at - 1).n++;
            g_array_append_val(f->rest, latency.ns);
        } else {
            struct first made = {p->flow, corr_result_obs(r, s)->frame, 1, latency.ns};
            g_array_append_val(f->first, made);
            g_hash_table_insert(seen, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(f->first->len));
        }
    }
    return list;
}

static void tell_firsts(struct corr_inquiry *q, const struct corr_segment *segment,
                        const struct firsts *f)
{
    struct corr_percentiles rest, slow;
    g_autoptr(GArray) over = g_array_new(FALSE, FALSE, sizeof(int64_t));
    unsigned n = 0;

    if (f->rest->len < FIRST_FLOWS * FIRST_PACKETS || !corr_percentiles(f->rest, &rest))
        return;
    for (unsigned i = 0; i < f->first->len; i++) {
        const struct first *first = &g_array_index(f->first, struct first, i);
        if (first->n < FIRST_PACKETS)
            continue;
        n++;
        int64_t more = first->ns - rest.p50;
        if (more >= FIRST_MORE_NS && first->ns >= FIRST_MORE * rest.p95)
            g_array_append_val(over, more);
    }
    if (over->len < FIRST_FLOWS || over->len * 2 < n || !corr_percentiles(over, &slow))
        return;
    g_autoptr(GString) more = g_string_new(NULL), usual = g_string_new(NULL);
    struct corr_insight *insight =
        corr_insight_add(q, CORR_RULE_first_packet,
                         slow.p50 >= FIRST_WARNING_NS ? CORR_WEIGHT_WARNING : CORR_WEIGHT_NOTE,
                         CORR_CONFIDENCE_CONFIRMED, segment->from, segment->to);
    corr_text_time(slow.p50, more);
    corr_text_time(rest.p50, usual);
    insight->size = (double)slow.p50;
    struct corr_insight *delay = corr_inquiry_find(q, CORR_RULE_delay, segment->from, segment->to);
    if (delay)
        corr_insight_follows(delay, insight);
    corr_insight_say(
        insight,
        "From %s to %s the first packet of a flow takes %s longer than the rest, which "
        "take %s (%u of %u flows): a box in between looks something up for it, such "
        "as an address (ARP), a policy or a route.",
        corr_inquiry_point(q, segment->from), corr_inquiry_point(q, segment->to), more->str,
        usual->str, over->len, n);
    g_autofree char *name = corr_inquiry_quoted(q, segment->to);
    corr_insight_filter(insight, "corr.point == \"%s\" && corr.hop_latency > %.6f", name,
                        (double)(rest.p50 + FIRST_MORE_NS) / 1e9);
    for (unsigned i = 0; i < f->first->len; i++) {
        const struct first *first = &g_array_index(f->first, struct first, i);
        if (first->n >= FIRST_PACKETS && first->ns - rest.p50 >= FIRST_MORE_NS &&
            first->ns >= FIRST_MORE * rest.p95)
            corr_insight_prove(insight, first->frame);
    }
}

void corr_rule_first_packet(struct corr_inquiry *q)
{
    g_autoptr(GPtrArray) list = firsts_collect(q);

    for (unsigned i = 0; i < list->len; i++)
        if (g_ptr_array_index(list, i))
            tell_firsts(q, g_ptr_array_index(q->segments->rows, i), g_ptr_array_index(list, i));
}

/* Ways that change. */

#define ROUTE_PACKETS 5 /* on either way: fewer are no habit */

#define ROUTE_POINTS 64 /* points that are told apart here */

/* The way of a flow direction's packets, one after the other. */
struct way {
    uint32_t last, n;     /* packet; how many took this way up to now */
    uint32_t left, taken; /* the points of the one change: not passed any more, and instead */
    uint32_t frame;       /* of the first packet that went the new way */
    uint64_t seen;        /* points that were ever passed */
    bool changed, mixed;  /* mixed: to and fro, several ways at once */
};

/* What a capture missed was passed all the same. */
static bool passes(const struct corr_result *r, const struct corr_packet *p, uint32_t point)
{
    const GArray *missed = corr_packet_missed(r, p);

    for (uint32_t k = p->first; k < p->first + p->n; k++)
        if (corr_sighting_point(r, corr_result_sighting(r, k)) == point)
            return true;
    for (unsigned m = 0; missed && m < missed->len; m++)
        if (g_array_index(missed, uint32_t, m) == point)
            return true;
    return false;
}

/* A point that one packet passed and the other did not; CORR_NONE. */
static uint32_t only_of(const struct corr_result *r, const struct corr_packet *a,
                        const struct corr_packet *b)
{
    for (uint32_t k = a->first; k < a->first + a->n; k++) {
        uint32_t point = corr_sighting_point(r, corr_result_sighting(r, k));
        if (!passes(r, b, point))
            return point;
    }
    return CORR_NONE;
}

/* Other points instead of some: not only fewer, as with a loss. */
static bool is_other_way(const struct corr_result *r, uint32_t a, uint32_t b, uint32_t *left,
                         uint32_t *taken)
{
    const struct corr_packet *p = corr_result_packet(r, a), *q = corr_result_packet(r, b);

    *left = only_of(r, p, q);
    *taken = only_of(r, q, p);
    return *left != CORR_NONE && *taken != CORR_NONE;
}

static void way_add(const struct corr_result *r, struct way *way, uint32_t packet)
{
    const struct corr_packet *p = corr_result_packet(r, packet);
    uint32_t left, taken;
    bool other = way->n && is_other_way(r, way->last, packet, &left, &taken);

    if (other) {
        way->mixed |= way->changed || way->n < ROUTE_PACKETS ||
                      (taken < ROUTE_POINTS && way->seen & UINT64_C(1) << taken);
        way->changed = true;
        way->left = left;
        way->taken = taken;
        way->frame = corr_result_obs(r, corr_result_sighting(r, p->first))->frame;
        way->n = 0;
    }
    way->mixed |= way->changed && passes(r, p, way->left);
    for (uint32_t k = p->first; k < p->first + p->n; k++) {
        uint32_t point = corr_sighting_point(r, corr_result_sighting(r, k));
        way->seen |= point < ROUTE_POINTS ? UINT64_C(1) << point : 0;
    }
    way->last = packet;
    way->n++;
}

static void tell_route(struct corr_inquiry *q, const struct way *way, uint32_t flow)
{
    if (!way->changed || way->mixed || way->n < ROUTE_PACKETS || way->taken >= ROUTE_POINTS)
        return;
    struct corr_insight *insight = corr_inquiry_find(q, CORR_RULE_route, way->left, way->taken);
    if (!insight) {
        insight = corr_insight_add(q, CORR_RULE_route, CORR_WEIGHT_NOTE, CORR_CONFIDENCE_CONFIRMED,
                                   way->left, way->taken);
        g_free(insight->where);
        insight->where = g_strdup_printf("%s, %s", corr_inquiry_point(q, way->left),
                                         corr_inquiry_point(q, way->taken));
        corr_insight_filter(insight, "corr.flow == %u", flow + 1);
        corr_insight_say(insight,
                         "From frame %u on packets go by %s, which went by %s before: the route "
                         "changed, or a standby took over.",
                         way->frame, corr_inquiry_point(q, way->taken),
                         corr_inquiry_point(q, way->left));
    }
    insight->size++;
    corr_insight_prove(insight, way->frame);
}

/* Routers that answered at one distance, one after the other. */
static void tell_traces(struct corr_inquiry *q)
{
    for (unsigned i = 0; i < q->paths->len; i++) {
        const struct corr_rtt_path *path = g_ptr_array_index(q->paths, i);
        char from[CORR_ADDR_TEXT], to[CORR_ADDR_TEXT];
        if (path->route_changes == 0)
            continue;
        struct corr_insight *insight =
            corr_insight_add(q, CORR_RULE_route, CORR_WEIGHT_NOTE, CORR_CONFIDENCE_CONFIRMED,
                             path->point, CORR_NONE);
        corr_addr_text(&path->from, from);
        corr_addr_text(&path->to, to);
        insight->size = path->route_changes;
        corr_insight_say(insight,
                         "Probes from %s to %s met another router at the same distance %u time%s: "
                         "the route changed, or several are in use at once.",
                         from, to, path->route_changes, CORR_PLURAL(path->route_changes));
        corr_insight_filter(insight, "%s == %s && (icmp.type == 11 || icmpv6.type == 3)",
                            path->from.len == 4 ? "ip.addr" : "ipv6.addr", from);
    }
}

void corr_rule_route(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autofree struct way *ways = g_new0(struct way, (size_t)r->flows->len * 2 + 2);

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (p->flow < r->flows->len && p->n > 1 && p->ordered && !p->ambiguous &&
            !corr_fate_is_drop(p->fate) && corr_packet_counts(q->mask, i))
            way_add(r, &ways[p->flow * 2 + (p->dir & 1)], i);
    }
    for (uint32_t w = 0; w < r->flows->len * 2; w++)
        tell_route(q, &ways[w], w / 2);
    tell_traces(q);
}

/* Storms: equal frames without end. */

#define STORM_FRAMES 500
#define STORM_NS INT64_C(100000000)

/* Equal frames of one local flow, as they come. */
struct run {
    uint64_t digest;
    uint32_t first, n; /* observation that began it */
    int64_t from_ns;
    struct corr_insight *insight;
};

void corr_rule_storm(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autofree struct run *runs = g_new0(struct run, (size_t)r->n_convs + 1);

    for (uint32_t o = 0; o < r->store->obs->len; o++) {
        const struct corr_obs *obs = corr_store_obs(r->store, o);
        uint32_t conv = r->obs_conv[o];
        /* Only what is for all of a link can circle there. */
        if (conv >= r->n_convs || !corr_conv_scoped(corr_result_conv(r, conv)) ||
            !corr_frame_set_has(q->frames, obs->frame))
            continue;
        struct run *run = &runs[conv];
        if (run->n == 0 || run->digest != obs->dfull || obs->time_ns - run->from_ns > STORM_NS) {
            run->digest = obs->dfull;
            run->first = o;
            run->from_ns = obs->time_ns;
            run->n = 0;
        }
        run->n++;
        if (run->n == STORM_FRAMES && !run->insight) {
            run->insight = corr_inquiry_find(q, CORR_RULE_storm, obs->point, CORR_NONE);
            if (!run->insight)
                run->insight = corr_insight_add(q, CORR_RULE_storm, CORR_WEIGHT_ERROR,
                                                CORR_CONFIDENCE_CONFIRMED, obs->point, CORR_NONE);
            corr_insight_prove(run->insight, corr_store_obs(r->store, run->first)->frame);
            corr_insight_prove(run->insight, obs->frame);
            run->insight->size = STORM_FRAMES - 1;
            g_autofree char *name = corr_inquiry_quoted(q, obs->point);
            corr_insight_filter(run->insight, "corr.point == \"%s\" && eth.dst.ig == 1", name);
        }
        if (run->insight && run->n >= STORM_FRAMES)
            run->insight->size++;
    }
    for (unsigned i = 0; i < q->out->list->len; i++) {
        struct corr_insight *insight = g_ptr_array_index(q->out->list, i);
        if (insight->rule == CORR_RULE_storm)
            corr_insight_say(insight,
                             "A storm at %s: at least %.0f equal frames to all hosts, hundreds "
                             "within a tenth of a second. A loop of switches (spanning tree off?), "
                             "or a host gone mad.",
                             corr_inquiry_point(q, insight->points[0]), insight->size);
    }
}
