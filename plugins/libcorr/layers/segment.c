/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segment.c - counts and latencies per pair of neighbouring points, for tables to collect. */
#include "layers/segment.h"

#include "path/frames.h"
#include "path/gap.h"
#include "store/hash.h"
#include "store/index.h"
#include "store/select.h"

/*
 * A round trip is a difference there plus a difference back: the clocks' offset
 * cancels, if both are taken close in time, as clocks drift (50 ppm are 50 µs a
 * second).  So the smallest difference is kept per second, counted by the clock
 * of the point with the lower number, and only neighbouring windows are added.
 */
#define WINDOW_NS 1000000000

struct window {
    int64_t number, min_ns;
};

static void segment_free(void *data)
{
    struct corr_segment *segment = data;
    g_array_free(segment->latencies, TRUE);
    g_array_free(segment->raw, TRUE);
    g_array_free(segment->windows, TRUE);
    g_free(segment);
}

struct corr_segments *corr_segments_new(void)
{
    struct corr_segments *segments = g_new0(struct corr_segments, 1);
    segments->rows = g_ptr_array_new_with_free_func(segment_free);
    segments->index = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return segments;
}

void corr_segments_clear(struct corr_segments *segments)
{
    g_hash_table_remove_all(segments->index);
    g_ptr_array_set_size(segments->rows, 0);
    memset(segments->recent, 0, sizeof segments->recent);
}

void corr_segments_free(struct corr_segments *segments)
{
    g_hash_table_destroy(segments->index);
    g_ptr_array_free(segments->rows, TRUE);
    g_free(segments);
}

struct corr_segment *corr_segment_find(const struct corr_segments *segments, uint32_t from,
                                       uint32_t to)
{
    uint64_t key = (uint64_t)from << 32 | to;
    return g_hash_table_lookup(segments->index, &key);
}

struct corr_segment *corr_segment_get(struct corr_segments *segments, uint32_t from, uint32_t to)
{
    struct corr_segment **recent =
        &segments->recent[(from * 5 + to) % G_N_ELEMENTS(segments->recent)];
    struct corr_segment *segment = *recent;
    if (segment && segment->from == from && segment->to == to)
        return segment;
    segment = corr_segment_find(segments, from, to);
    if (!segment) {
        uint64_t *key = g_new(uint64_t, 1);
        *key = (uint64_t)from << 32 | to;
        segment = g_new0(struct corr_segment, 1);
        segment->number = segments->rows->len;
        segment->from = from;
        segment->to = to;
        segment->latencies = g_array_new(FALSE, FALSE, sizeof(int64_t));
        segment->raw = g_array_new(FALSE, FALSE, sizeof(struct corr_delay));
        segment->windows = g_array_new(FALSE, FALSE, sizeof(struct window));
        g_ptr_array_add(segments->rows, segment);
        g_hash_table_insert(segments->index, key, segment);
    }
    return *recent = segment;
}

static void add_difference(struct corr_segment *segment, int64_t time_ns, int64_t difference_ns)
{
    struct window now = {time_ns / WINDOW_NS, difference_ns};
    unsigned n = segment->windows->len;
    struct window *last = n ? &g_array_index(segment->windows, struct window, n - 1) : NULL;

    if (last && last->number == now.number)
        last->min_ns = MIN(last->min_ns, difference_ns);
    else
        g_array_append_val(segment->windows, now);
}

void corr_segments_add(struct corr_segments *segments, const struct corr_result *r, uint32_t packet)
{
    const struct corr_packet *p = corr_result_packet(r, packet);

    struct corr_segment *segment = NULL; /* of the last original: its copies follow it */

    for (uint32_t i = 0; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
        if (s->duplicate) {
            if (segment)
                segment->duplicated++;
            continue;
        }
        segment = NULL;
        if (s->prev == CORR_NONE)
            continue;
        const struct corr_obs *now = corr_result_obs(r, s);
        const struct corr_obs *before = corr_result_obs(r, corr_result_sighting(r, s->prev));
        segment = corr_segment_get(segments, before->point, now->point);
        segment->packets++;
        add_difference(segment, (before->point < now->point ? before : now)->time_ns,
                       now->time_ns - before->time_ns);
        struct corr_latency latency = corr_result_latency(r, s);
        if (latency.known) {
            g_array_append_val(segment->latencies, latency.ns);
            segment->error_ns = MAX(segment->error_ns, latency.error_ns);
        } else {
            struct corr_delay raw = {before->time_ns, now->time_ns - before->time_ns};
            g_array_append_val(segment->raw, raw);
        }
    }
    if (corr_fate_is_drop(p->fate) && p->drop_after != CORR_NONE) {
        uint32_t after = corr_sighting_point(r, corr_result_sighting(r, p->drop_after));
        corr_segment_get(segments, after, p->drop_before)->lost++;
    }
}

void corr_segments_add_group(struct corr_segments *segments, const struct corr_group *group)
{
    struct corr_segment *segment = corr_segment_get(segments, group->from, group->to);

    segment->packets += MIN(group->n_from, group->n_to);
    segment->lost += corr_group_lost(group);
}

void corr_segments_add_missed(struct corr_segments *segments, const struct corr_result *r,
                              uint32_t packet)
{
    const struct corr_packet *p = corr_result_packet(r, packet);
    const GArray *missed = corr_packet_missed(r, p);

    for (unsigned m = 0; missed && m < missed->len; m++) {
        uint32_t point = g_array_index(missed, uint32_t, m), from = CORR_NONE;
        bool sure;
        const struct corr_sighting *next =
            corr_result_sighting(r, corr_gap_sighting(r, p, point, &sure));
        if (sure)
            from = corr_sighting_point(r, corr_result_sighting(r, next->prev));
        /*
         * Without an order the gap lies behind the sighting from whose point other
         * packets came straight to the missed one, best if they went on to the next.
         */
        for (uint32_t i = 0; i < p->n && !sure; i++) {
            const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
            if (s->prev == CORR_NONE || s->duplicate)
                continue;
            uint32_t before = corr_sighting_point(r, corr_result_sighting(r, s->prev));
            bool comes = corr_segment_find(segments, before, point) != NULL;
            bool goes = corr_segment_find(segments, point, corr_sighting_point(r, s)) != NULL;
            if (comes || (goes && from == CORR_NONE))
                from = before;
            sure = comes && goes;
        }
        if (from == CORR_NONE)
            from = corr_sighting_point(r, corr_result_sighting(r, p->first));
        corr_segment_get(segments, from, point)->missed++;
    }
}

/* The place of a percentile by nearest rank. */
static size_t rank(size_t n, unsigned percent)
{
    return (n * percent + 99) / 100 - 1;
}

bool corr_percentiles(GArray *latencies, struct corr_percentiles *out)
{
    size_t n = latencies->len, p50 = rank(n, 50), p95 = rank(n, 95), p99 = rank(n, 99);
    int64_t *values = (int64_t *)(void *)latencies->data;

    if (n == 0)
        return false;
    out->min = out->max = values[0];
    for (size_t i = 1; i < n; i++) {
        out->min = MIN(out->min, values[i]);
        out->max = MAX(out->max, values[i]);
    }
    /* Each is looked for behind the one before. */
    out->p50 = corr_select(values, n, p50);
    out->p95 = corr_select(values + p50, n - p50, p95 - p50);
    out->p99 = corr_select(values + p95, n - p95, p99 - p95);
    return true;
}

bool corr_segment_variation(const struct corr_segment *segment, int64_t *p95_ns)
{
    uint32_t n = segment->raw->len;
    g_autofree struct corr_delay *all = g_memdup2(segment->raw->data, sizeof *all * n);
    g_autoptr(GArray) over = g_array_new(FALSE, FALSE, sizeof(int64_t));
    struct corr_percentiles l;
    struct corr_delay edge[2];
    double slope;

    if (n < 2)
        return false;
    corr_delays_sort(all, n);
    corr_hull_edge(all, n, edge);
    slope = corr_hull_slope(edge);
    for (uint32_t i = 0; i < n; i++) {
        int64_t d =
            all[i].d_ns - edge[0].d_ns - (int64_t)(slope * (double)(all[i].t_ns - edge[0].t_ns));
        g_array_append_val(over, d);
    }
    corr_percentiles(over, &l);
    *p95_ns = l.p95 - l.min;
    return true;
}

static int compare_windows(const void *a, const void *b)
{
    const struct window *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Sorted by number, one per number, with `scale` old windows in each. */
static GArray *merge_windows(const GArray *windows, int64_t scale)
{
    GArray *merged = g_array_sized_new(FALSE, FALSE, sizeof(struct window), windows->len);
    g_autoptr(GArray) sorted = g_array_sized_new(FALSE, FALSE, sizeof(struct window), windows->len);

    g_array_append_vals(sorted, windows->data, windows->len);
    g_array_sort(sorted, compare_windows);
    for (unsigned i = 0; i < sorted->len; i++) {
        struct window w = g_array_index(sorted, struct window, i);
        w.number /= scale;
        struct window *last =
            merged->len ? &g_array_index(merged, struct window, merged->len - 1) : NULL;
        if (last && last->number == w.number)
            last->min_ns = MIN(last->min_ns, w.min_ns);
        else
            g_array_append_val(merged, w);
    }
    return merged;
}

bool corr_segments_rtt(const struct corr_segments *segments, const struct corr_segment *segment,
                       int64_t *rtt_ns)
{
    const struct corr_segment *back = corr_segment_find(segments, segment->to, segment->from);
    bool found = false;

    if (segment->to == CORR_NONE || !back || !back->windows->len || !segment->windows->len)
        return false;
    /* Sparse traffic has nothing within a second: then within ten, a hundred ... */
    for (int64_t scale = 1; scale <= 1000000 && !found; scale *= 10) {
        g_autoptr(GArray) there = merge_windows(segment->windows, scale);
        g_autoptr(GArray) again = merge_windows(back->windows, scale);
        unsigned k = 0;
        for (unsigned i = 0; i < there->len; i++) {
            const struct window *a = &g_array_index(there, struct window, i);
            while (k < again->len && g_array_index(again, struct window, k).number < a->number - 1)
                k++;
            for (unsigned m = k; m < again->len; m++) {
                const struct window *b = &g_array_index(again, struct window, m);
                if (b->number > a->number + 1)
                    break;
                /* A sum below zero is a clock that was set in between. */
                int64_t sum = a->min_ns + b->min_ns;
                if (sum >= 0 && (!found || sum < *rtt_ns)) {
                    *rtt_ns = sum;
                    found = true;
                }
            }
        }
    }
    return found;
}

/* Where `position` of a flow direction's packets stands: the highest send position so far. */
struct lane {
    uint64_t key; /* row << 33 | flow << 1 | direction */
    uint32_t highest;
};

static bool is_lane(const void *key, uint32_t position, const void *lanes)
{
    return g_array_index((const GArray *)lanes, struct lane, position).key ==
           *(const uint64_t *)key;
}

/*
 * RFC 4737, section 3.3: a packet is reordered if one that was sent later came
 * before.  Frames of one point stand in the order of capture, whatever their
 * clock says, so positions in the file take the place of times.
 */
void corr_segments_count_reordered(struct corr_segments *segments, const struct corr_result *r,
                                   const uint8_t *mask)
{
    struct corr_index *index = corr_index_new();
    g_autoptr(GArray) lanes = g_array_new(FALSE, FALSE, sizeof(struct lane));

    for (uint32_t o = 0; o < r->store->obs->len; o++) {
        for (uint32_t k = r->obs_first[o]; k < r->obs_first[o + 1]; k++) {
            const struct corr_sighting *s = corr_result_sighting(r, r->obs_sightings[k]);
            const struct corr_packet *p = corr_result_packet(r, s->packet);
            if (s->prev == CORR_NONE || s->duplicate || p->flow == CORR_NONE ||
                !corr_packet_counts(mask, s->packet))
                continue;
            const struct corr_sighting *before = corr_result_sighting(r, s->prev);
            struct corr_segment *row = corr_segment_get(segments, corr_sighting_point(r, before),
                                                        corr_sighting_point(r, s));
            uint64_t key = (uint64_t)row->number << 33 | (uint64_t)p->flow << 1 | (p->dir & 1);
            uint64_t hash = corr_hash_mix(0, key);
            uint32_t found = corr_index_find(index, hash, is_lane, &key, lanes);
            if (found == CORR_NONE) {
                struct lane fresh = {key, 0};
                found = lanes->len;
                g_array_append_val(lanes, fresh);
                corr_index_add(index, hash, found);
            }
            struct lane *lane = &g_array_index(lanes, struct lane, found);
            if (before->obs < lane->highest) {
                if (row->reordered++ == 0)
                    row->reordered_frame = corr_result_obs(r, s)->frame;
            } else {
                lane->highest = before->obs;
            }
        }
    }
    corr_index_free(index);
}
