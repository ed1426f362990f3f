/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quality.c - grades of the layers, for the whole capture and for pairs of hosts. */
#include "layers/quality.h"

#include <stdlib.h>
#include <string.h>

#include "layers/segment.h"
#include "layers/layers.h"

static const char *const layer_words[] = {
#define CORR_ROW(id, word) word,
    CORR_QUALITY_LAYERS(CORR_ROW)
#undef CORR_ROW
};

const char *corr_quality_word(enum corr_quality_layer layer)
{
    return layer_words[layer];
}

static void quality_free(void *data)
{
    struct corr_quality *quality = data;

    for (unsigned i = 0; i < CORR_QUALITY_LAYER_COUNT; i++)
        g_array_unref(quality->figures[i]);
    g_free(quality);
}

static struct corr_quality *quality_new(const struct corr_result *r, enum corr_scope scope)
{
    struct corr_quality *quality = g_new0(struct corr_quality, 1);

    quality->limits = r->store->config.limits;
    quality->scope = scope;
    quality->from = quality->to = CORR_NONE;
    for (unsigned i = 0; i < CORR_QUALITY_LAYER_COUNT; i++)
        quality->figures[i] = g_array_new(FALSE, FALSE, sizeof(struct corr_figure));
    return quality;
}

void corr_quality_add(struct corr_quality *quality, enum corr_quality_layer layer,
                      struct corr_figure figure)
{
    enum corr_grade least =
        corr_grade_value(quality->limits, figure.metric, figure.value - figure.error);

    /* Of too few, or by clocks that leave it open. */
    figure.grade = corr_grade_value(quality->limits, figure.metric, figure.value + figure.error);
    if (figure.n < corr_metric_row(quality->limits, figure.metric)->enough || figure.grade != least)
        figure.grade = CORR_GRADE_UNKNOWN;
    quality->grade[layer] = MAX(quality->grade[layer], figure.grade);
    g_array_append_val(quality->figures[layer], figure);
}

/* What is summed up over the packets of one pair. */
struct pair {
    struct corr_quality *quality;
    uint64_t lost, sent[2]; /* packets; the latter by direction of the flow */
    GArray *latencies[2];   /* int64_t: whole ways, by direction of the flow */
    int64_t error_ns;       /* the worst of their bounds */
};

static void pair_clear(struct pair *pair)
{
    g_array_unref(pair->latencies[0]);
    g_array_unref(pair->latencies[1]);
}

struct pair_key {
    struct corr_addr client, server;
};

static guint pair_hash(const void *data)
{
    const unsigned char *bytes = data;
    guint hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < sizeof(struct pair_key); i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static gboolean pair_equal(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct pair_key)) == 0;
}

/* Padding must not tell keys apart. */
static struct pair_key *pair_key_new(const struct corr_endpoint *client,
                                     const struct corr_endpoint *server)
{
    struct pair_key *key = g_new0(struct pair_key, 1);

    memcpy(&key->client, &client->addr, sizeof key->client);
    memcpy(&key->server, &server->addr, sizeof key->server);
    return key;
}

/* Flow -> pair; CORR_NONE for flows without addresses. */
static uint32_t *pairs_find(const struct corr_result *r, GArray *pairs)
{
    uint32_t *of = g_new(uint32_t, r->flows->len + 1);
    g_autoptr(GHashTable) index = g_hash_table_new_full(pair_hash, pair_equal, g_free, NULL);

    for (uint32_t f = 0; f < r->flows->len; f++) {
        const struct corr_flow *flow = corr_result_flow(r, f);
        of[f] = CORR_NONE;
        if (flow->proto == 0 || flow->convs->len == 0)
            continue;
        uint32_t o = g_array_index(r->store->frame_obs, uint32_t, flow->first_frame);
        while (o < r->store->obs->len && corr_store_obs(r->store, o)->frame == flow->first_frame &&
               (r->obs_conv[o] == CORR_NONE || r->conv_flow[r->obs_conv[o]] != f))
            o++;
        if (o >= r->store->obs->len || corr_store_obs(r->store, o)->frame != flow->first_frame)
            continue;
        const struct corr_conv *conv = corr_result_conv(r, r->obs_conv[o]);
        unsigned flip = r->conv_flip[r->obs_conv[o]];
        struct pair_key *key = pair_key_new(&conv->end[flip], &conv->end[!flip]);
        void *found;
        if (g_hash_table_lookup_extended(index, key, NULL, &found)) {
            of[f] = GPOINTER_TO_UINT(found);
            g_free(key);
        } else {
            struct pair made = {.quality = quality_new(r, CORR_SCOPE_PAIR),
                                .latencies = {g_array_new(FALSE, FALSE, sizeof(int64_t)),
                                              g_array_new(FALSE, FALSE, sizeof(int64_t))}};
            made.quality->client = key->client;
            made.quality->server = key->server;
            of[f] = pairs->len;
            g_array_append_val(pairs, made);
            g_hash_table_insert(index, key, GUINT_TO_POINTER(of[f]));
        }
    }
    return of;
}

static void add(struct corr_quality *quality, enum corr_metric metric, double value, double error,
                uint64_t n)
{
    corr_quality_add(quality, CORR_QUALITY_L3,
                     (struct corr_figure){.metric = metric,
                                          .value = value,
                                          .error = error,
                                          .n = n,
                                          .from = CORR_NONE,
                                          .to = CORR_NONE});
}

static double mean(const GArray *times)
{
    double sum = 0;

    for (unsigned i = 0; i < times->len; i++)
        sum += (double)g_array_index(times, int64_t, i);
    return sum / MAX(times->len, 1);
}

#define BUFFER_TOLD_NS 5e6 /* within less, an interrupt makes a ratio large */

/* How much more than the least the way there and back takes on average: RFC 6349, section 4.4. */
static void grade_buffer(struct pair *pair)
{
    double least = 0, more = 0;

    for (unsigned dir = 0; dir < 2; dir++) {
        struct corr_percentiles l;
        if (!corr_percentiles(pair->latencies[dir], &l))
            return;
        more += mean(pair->latencies[dir]) - (double)l.min;
        least += (double)l.min;
    }
    if (least > 0 && more >= BUFFER_TOLD_NS)
        add(pair->quality, CORR_METRIC_buffer_delay, more / least, 0,
            MIN(pair->latencies[0]->len, pair->latencies[1]->len));
}

static void grade_pair(struct pair *pair)
{
    int64_t variation = -1, one_way = -1;
    uint64_t n[2] = {0, 0};

    add(pair->quality, CORR_METRIC_loss,
        (double)pair->lost / (double)MAX(pair->quality->packets, 1), 0, pair->quality->packets);
    for (unsigned dir = 0; dir < 2; dir++) {
        GArray *latencies = pair->latencies[dir];
        struct corr_percentiles l;
        if (!corr_percentiles(latencies, &l))
            continue;
        if (l.p99 - l.min > variation) {
            variation = l.p99 - l.min;
            n[0] = latencies->len;
        }
        if (l.p50 > one_way) {
            one_way = l.p50;
            n[1] = latencies->len;
        }
    }
    if (one_way >= 0)
        add(pair->quality, CORR_METRIC_one_way, (double)one_way, (double)pair->error_ns, n[1]);
    if (variation >= 0 && n[0] > 1)
        add(pair->quality, CORR_METRIC_variation, (double)variation, 0, n[0]);
    grade_buffer(pair);
}

/* Time from the first point to the last, where it is known. */
static void add_latency(const struct corr_result *r, const struct corr_packet *p, struct pair *pair)
{
    for (uint32_t k = p->first + p->n; k-- > p->first;) {
        const struct corr_sighting *s = corr_result_sighting(r, k);
        if (s->duplicate)
            continue;
        struct corr_latency latency = corr_result_path_latency(r, s);
        if (latency.known && latency.ns >= 0) {
            g_array_append_val(pair->latencies[p->dir & 1], latency.ns);
            pair->error_ns = MAX(pair->error_ns, latency.error_ns);
        }
        return;
    }
}

static void count_packets(const struct corr_result *r, const uint8_t *mask, const uint32_t *pair_of,
                          GArray *pairs, struct corr_segments *segments)
{
    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (!corr_packet_counts(mask, i))
            continue;
        corr_segments_add(segments, r, i);
        if (p->flow >= r->flows->len || pair_of[p->flow] == CORR_NONE)
            continue;
        struct pair *pair = &g_array_index(pairs, struct pair, pair_of[p->flow]);
        pair->quality->packets++;
        pair->sent[p->dir & 1]++;
        pair->lost += corr_fate_is_drop(p->fate) && p->cause != CORR_CAUSE_TTL;
        if (p->ordered && p->n > 1)
            add_latency(r, p, pair);
    }
    for (uint32_t f = 0; f < r->flows->len; f++)
        if (pair_of[f] != CORR_NONE)
            g_array_index(pairs, struct pair, pair_of[f]).quality->flows++;
}

static void worst_of(struct corr_figure *worst, const struct corr_figure *figure,
                     const struct corr_quality *quality)
{
    if (worst->metric == figure->metric &&
        (worst->grade > figure->grade ||
         (worst->grade == figure->grade && worst->value >= figure->value)))
        return;
    *worst = *figure;
    worst->from = quality->from;
    worst->to = quality->to;
}

static struct corr_quality *grade_segment(const struct corr_result *r,
                                          const struct corr_segments *segments,
                                          struct corr_segment *segment)
{
    struct corr_quality *quality = quality_new(r, CORR_SCOPE_SEGMENT);
    uint64_t n = segment->packets + segment->lost;
    struct corr_percentiles l;
    int64_t ns;

    quality->from = segment->from;
    quality->to = segment->to;
    quality->packets = (uint32_t)MIN(n, UINT32_MAX);
    if (n)
        add(quality, CORR_METRIC_loss, (double)segment->lost / (double)n, 0, n);
    if (corr_percentiles(segment->latencies, &l)) {
        add(quality, CORR_METRIC_one_way, (double)l.p50, (double)segment->error_ns,
            segment->latencies->len);
        if (segment->latencies->len > 1)
            add(quality, CORR_METRIC_variation, (double)(l.p99 - l.min), 0,
                segment->latencies->len);
    } else if (corr_segment_variation(segment, &ns)) {
        add(quality, CORR_METRIC_variation, (double)ns, 0, segment->raw->len);
    }
    if (corr_segments_rtt(segments, segment, &ns))
        add(quality, CORR_METRIC_rtt, (double)ns, 0, segment->packets);
    return quality;
}

/* Each segment, and by the worst of its kind the whole capture. */
static void grade_segments(const struct corr_result *r, struct corr_quality *whole,
                           struct corr_segments *segments, GPtrArray *list)
{
    static const enum corr_metric metrics[] = {CORR_METRIC_loss, CORR_METRIC_variation,
                                               CORR_METRIC_rtt};
    struct corr_figure worst[G_N_ELEMENTS(metrics)];

    for (unsigned m = 0; m < G_N_ELEMENTS(metrics); m++)
        worst[m] = (struct corr_figure){.metric = CORR_METRIC_COUNT};
    for (unsigned i = 0; i < segments->rows->len; i++) {
        struct corr_quality *quality =
            grade_segment(r, segments, g_ptr_array_index(segments->rows, i));
        const GArray *figures = quality->figures[CORR_QUALITY_L3];
        for (unsigned k = 0; k < figures->len; k++)
            for (unsigned m = 0; m < G_N_ELEMENTS(metrics); m++)
                if (g_array_index(figures, struct corr_figure, k).metric == metrics[m])
                    worst_of(&worst[m], &g_array_index(figures, struct corr_figure, k), quality);
        g_ptr_array_add(list, quality);
    }
    for (unsigned m = 0; m < G_N_ELEMENTS(metrics); m++)
        if (worst[m].metric != CORR_METRIC_COUNT)
            corr_quality_add(whole, CORR_QUALITY_L3, worst[m]);
}

static void grade_captures(const struct corr_result *r, struct corr_quality *whole)
{
    const struct corr_capture *captures = corr_layers_captures(r);
    struct corr_figure worst = {.metric = CORR_METRIC_capture_loss, .value = -1, .to = CORR_NONE};

    for (uint32_t p = 0; p < r->store->points->len; p++) {
        const struct corr_capture *c = &captures[p];
        double share = (double)c->missed / (double)MAX(c->missed + c->seen, 1);
        if (c->matched && share > worst.value) {
            worst.value = share;
            worst.n = c->missed + c->seen;
            worst.from = p;
        }
    }
    if (worst.value >= 0)
        corr_quality_add(whole, CORR_QUALITY_CAPTURE, worst);
}

static enum corr_grade worst_grade(const struct corr_quality *quality)
{
    enum corr_grade worst = CORR_GRADE_UNKNOWN;

    for (unsigned i = 0; i < CORR_QUALITY_LAYER_COUNT; i++)
        worst = MAX(worst, quality->grade[i]);
    return worst;
}

static int compare(const void *a, const void *b)
{
    const struct corr_quality *x = *(struct corr_quality *const *)a;
    const struct corr_quality *y = *(struct corr_quality *const *)b;

    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    if (worst_grade(x) != worst_grade(y))
        return worst_grade(x) > worst_grade(y) ? -1 : 1;
    return x->packets == y->packets || x->scope == CORR_SCOPE_SEGMENT ? 0
           : x->packets > y->packets                                  ? -1
                                                                      : 1;
}

/* What nobody answered is no client that talks to a server. */
static bool is_talk(const struct pair *pair)
{
    return pair->sent[0] && (pair->sent[1] || pair->lost);
}

static uint8_t *count_flows(const struct corr_result *r, const uint8_t *mask)
{
    uint8_t *flow_counts = g_malloc0(r->flows->len + 1);

    for (uint32_t i = 0; i < r->packets->len; i++) {
        uint32_t flow = corr_result_packet(r, i)->flow;
        if (flow < r->flows->len && corr_packet_counts(mask, i))
            flow_counts[flow] = 1;
    }
    return flow_counts;
}

GPtrArray *corr_qualities_new(const struct corr_result *r, const struct corr_frame_set *frames,
                              const GPtrArray *paths)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(quality_free);
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    g_autofree uint8_t *flow_counts = count_flows(r, mask);
    g_autofree uint32_t *pair_of = pairs_find(r, pairs);
    struct corr_segments *segments = corr_segments_new();
    struct corr_quality *whole = quality_new(r, CORR_SCOPE_CAPTURE);

    count_packets(r, mask, pair_of, pairs, segments);
    grade_captures(r, whole);
    grade_segments(r, whole, segments, list);
    corr_segments_free(segments);
    for (uint32_t i = 0; i < r->packets->len; i++)
        whole->packets += corr_packet_counts(mask, i);
    whole->flows = r->flows->len;
    g_autofree struct corr_quality **of_pair = g_new0(struct corr_quality *, pairs->len + 1);
    for (unsigned i = 0; i < pairs->len; i++) {
        struct pair *pair = &g_array_index(pairs, struct pair, i);
        of_pair[i] = pair->quality;
        if (pair->quality->packets)
            grade_pair(pair);
    }
    of_pair[pairs->len] = whole;
    corr_quality_upper(r, flow_counts, pair_of, paths, of_pair, pairs->len);
    for (unsigned i = 0; i < pairs->len; i++) {
        struct pair *pair = &g_array_index(pairs, struct pair, i);
        if (is_talk(pair))
            g_ptr_array_add(list, pair->quality);
        else
            quality_free(pair->quality);
        pair_clear(pair);
    }
    if (whole->packets)
        g_ptr_array_add(list, whole);
    else
        quality_free(whole);
    g_ptr_array_sort(list, compare);
    return list;
}
