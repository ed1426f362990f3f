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

static struct corr_quality *quality_new(void)
{
    struct corr_quality *quality = g_new0(struct corr_quality, 1);

    for (unsigned i = 0; i < CORR_QUALITY_LAYER_COUNT; i++)
        quality->figures[i] = g_array_new(FALSE, FALSE, sizeof(struct corr_figure));
    return quality;
}

void corr_quality_add(struct corr_quality *quality, enum corr_quality_layer layer,
                      struct corr_figure figure)
{
    figure.grade = corr_grade_value(figure.metric, figure.value);
    quality->grade[layer] = MAX(quality->grade[layer], figure.grade);
    g_array_append_val(quality->figures[layer], figure);
}

/* What is summed up over the packets of one pair. */
struct pair {
    struct corr_quality *quality;
    uint64_t lost;
    GArray *latencies[2]; /* int64_t: whole ways, by direction of the flow */
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
            struct pair made = {quality_new(),
                                0,
                                {g_array_new(FALSE, FALSE, sizeof(int64_t)),
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

#define VARIATION_SAMPLES 10 /* a 99th percentile of fewer is the largest of a handful */

static void grade_pair(struct pair *pair)
{
    struct corr_quality *quality = pair->quality;
    int64_t variation = -1, one_way = -1;
    uint64_t n[2] = {0, 0};

    if (quality->packets)
        corr_quality_add(
            quality, CORR_QUALITY_L3,
            (struct corr_figure){.metric = CORR_METRIC_loss,
                                 .value = (double)pair->lost / (double)quality->packets,
                                 .n = quality->packets,
                                 .from = CORR_NONE,
                                 .to = CORR_NONE});
    for (unsigned dir = 0; dir < 2; dir++) {
        GArray *latencies = pair->latencies[dir];
        struct corr_percentiles l;
        if (!corr_percentiles(latencies, &l))
            continue;
        if (latencies->len >= VARIATION_SAMPLES && l.p99 - l.min > variation) {
            variation = l.p99 - l.min;
            n[0] = latencies->len;
        }
        if (l.p50 > one_way) {
            one_way = l.p50;
            n[1] = latencies->len;
        }
    }
    if (one_way >= 0)
        corr_quality_add(quality, CORR_QUALITY_L3,
                         (struct corr_figure){.metric = CORR_METRIC_one_way,
                                              .value = (double)one_way,
                                              .n = n[1],
                                              .from = CORR_NONE,
                                              .to = CORR_NONE});
    if (variation >= 0)
        corr_quality_add(quality, CORR_QUALITY_L3,
                         (struct corr_figure){.metric = CORR_METRIC_variation,
                                              .value = (double)variation,
                                              .n = n[0],
                                              .from = CORR_NONE,
                                              .to = CORR_NONE});
}

/* Time from the first point to the last, where it is known. */
static void add_latency(const struct corr_result *r, const struct corr_packet *p, GArray *latencies)
{
    for (uint32_t k = p->first + p->n; k-- > p->first;) {
        const struct corr_sighting *s = corr_result_sighting(r, k);
        if (s->duplicate)
            continue;
        struct corr_latency latency = corr_result_path_latency(r, s);
        if (latency.known && latency.ns >= 0)
            g_array_append_val(latencies, latency.ns);
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
        pair->lost += corr_fate_is_drop(p->fate) && p->cause != CORR_CAUSE_TTL;
        if (p->ordered && p->n > 1)
            add_latency(r, p, pair->latencies[p->dir & 1]);
    }
    for (uint32_t f = 0; f < r->flows->len; f++)
        if (pair_of[f] != CORR_NONE)
            g_array_index(pairs, struct pair, pair_of[f]).quality->flows++;
}

/* The worst segment speaks for the whole capture. */
static void grade_segments(struct corr_quality *whole, struct corr_segments *segments)
{
    struct corr_figure loss = {.metric = CORR_METRIC_loss, .value = -1, .from = CORR_NONE};
    struct corr_figure variation = {.metric = CORR_METRIC_variation, .value = -1};
    struct corr_figure rtt = {.metric = CORR_METRIC_rtt, .value = -1};

    for (unsigned i = 0; i < segments->rows->len; i++) {
        struct corr_segment *segment = g_ptr_array_index(segments->rows, i);
        struct corr_percentiles l;
        int64_t rtt_ns;
        uint64_t n = segment->packets + segment->lost;
        if (n && (double)segment->lost / (double)n > loss.value)
            loss = (struct corr_figure){.metric = CORR_METRIC_loss,
                                        .value = (double)segment->lost / (double)n,
                                        .n = n,
                                        .from = segment->from,
                                        .to = segment->to};
        if (segment->latencies->len >= VARIATION_SAMPLES &&
            corr_percentiles(segment->latencies, &l) && (double)(l.p99 - l.min) > variation.value)
            variation = (struct corr_figure){.metric = CORR_METRIC_variation,
                                             .value = (double)(l.p99 - l.min),
                                             .n = segment->latencies->len,
                                             .from = segment->from,
                                             .to = segment->to};
        if (corr_segments_rtt(segments, segment, &rtt_ns) && (double)rtt_ns > rtt.value)
            rtt = (struct corr_figure){.metric = CORR_METRIC_rtt,
                                       .value = (double)rtt_ns,
                                       .n = segment->packets,
                                       .from = segment->from,
                                       .to = segment->to};
    }
    if (loss.value >= 0)
        corr_quality_add(whole, CORR_QUALITY_L3, loss);
    if (variation.value >= 0)
        corr_quality_add(whole, CORR_QUALITY_L3, variation);
    if (rtt.value >= 0)
        corr_quality_add(whole, CORR_QUALITY_L3, rtt);
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

    if (x->whole != y->whole)
        return x->whole ? -1 : 1;
    if (worst_grade(x) != worst_grade(y))
        return worst_grade(x) > worst_grade(y) ? -1 : 1;
    return x->packets == y->packets ? 0 : x->packets > y->packets ? -1 : 1;
}

GPtrArray *corr_qualities_new(const struct corr_result *r, const struct corr_frame_set *frames)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(quality_free);
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    g_autofree uint32_t *pair_of = pairs_find(r, pairs);
    struct corr_segments *segments = corr_segments_new();
    struct corr_quality *whole = quality_new();

    whole->whole = true;
    count_packets(r, mask, pair_of, pairs, segments);
    grade_captures(r, whole);
    grade_segments(whole, segments);
    corr_segments_free(segments);
    for (uint32_t i = 0; i < r->packets->len; i++)
        whole->packets += corr_packet_counts(mask, i);
    whole->flows = r->flows->len;
    g_autofree uint8_t *flow_counts = g_malloc0(r->flows->len + 1);
    g_autofree struct corr_quality **of_pair = g_new0(struct corr_quality *, pairs->len + 1);
    for (uint32_t i = 0; i < r->packets->len; i++) {
        uint32_t flow = corr_result_packet(r, i)->flow;
        if (flow < r->flows->len && corr_packet_counts(mask, i))
            flow_counts[flow] = 1;
    }
    for (unsigned i = 0; i < pairs->len; i++)
        of_pair[i] = g_array_index(pairs, struct pair, i).quality;
    corr_quality_upper(r, flow_counts, pair_of, of_pair, pairs->len, whole);
    if (whole->packets)
        g_ptr_array_add(list, whole);
    else
        quality_free(whole);
    for (unsigned i = 0; i < pairs->len; i++) {
        struct pair *pair = &g_array_index(pairs, struct pair, i);
        grade_pair(pair);
        pair_clear(pair);
        if (pair->quality->packets)
            g_ptr_array_add(list, pair->quality);
        else
            quality_free(pair->quality);
    }
    g_ptr_array_sort(list, compare);
    return list;
}
