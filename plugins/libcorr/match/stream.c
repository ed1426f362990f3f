/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells of TCP data: all boundaries that any point shows cut the stream of a flow
 * direction into elementary ranges, and a range is a cell of the frames that hold
 * it, however large they are.
 */
#include <stdlib.h>

#include "match/cells.h"
#include "match/shift.h"
#include "store/sort.h"

/* Frames times ranges that one flow direction may have before it is matched by whole frames. */
#define RANGES_PER_FRAME 64u

static bool range_less(const struct corr_range *a, const struct corr_range *b)
{
    if (a->from != b->from)
        return a->from < b->from;
    return a->to != b->to ? a->to < b->to : a->obs < b->obs;
}

CORR_SORT_DEFINE(ranges_sort, struct corr_range, range_less)

static bool cut_less(const int64_t *a, const int64_t *b)
{
    return *a < *b;
}

CORR_SORT_DEFINE(cuts_sort, int64_t, cut_less)

static uint32_t cut_find(const int64_t *cuts, uint32_t n, int64_t at)
{
    uint32_t lo = 0, hi = n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (cuts[mid] < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Cells of one flow direction: one per elementary range, in stream order. */
static void ranges_cut(struct corr_work *work, const struct corr_range *ranges, uint32_t n,
                       uint32_t flow_dir)
{
    int64_t *cuts = g_new(int64_t, 2 * (size_t)n + 1);
    uint32_t n_cuts = 0, *start, *place;
    uint64_t incidences = 0;

    for (uint32_t i = 0; i < n; i++) {
        cuts[2 * i] = ranges[i].from;
        cuts[2 * i + 1] = ranges[i].to;
    }
    cuts_sort(cuts, 2 * (size_t)n);
    for (uint32_t i = 0; i < 2 * n; i++)
        if (n_cuts == 0 || cuts[n_cuts - 1] != cuts[i])
            cuts[n_cuts++] = cuts[i];
    start = g_new0(uint32_t, n_cuts + 2);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = cut_find(cuts, n_cuts, ranges[i].from);
        uint32_t to = cut_find(cuts, n_cuts, ranges[i].to);

        incidences += to - from;
        if (incidences > (uint64_t)RANGES_PER_FRAME * n + 65536)
            to = from + 1; /* hostile input: the frame counts for its first range only */
        for (uint32_t c = from; c < to; c++)
            start[c + 1]++;
    }
    for (uint32_t c = 0; c < n_cuts; c++)
        start[c + 1] += start[c];
    place = g_memdup2(start, sizeof *start * (n_cuts + 1));
    {
        uint32_t *held = g_new(uint32_t, start[n_cuts] + 1);
        uint64_t seen = 0;

        for (uint32_t i = 0; i < n; i++) {
            uint32_t from = cut_find(cuts, n_cuts, ranges[i].from);
            uint32_t to = cut_find(cuts, n_cuts, ranges[i].to);

            seen += to - from;
            if (seen > (uint64_t)RANGES_PER_FRAME * n + 65536)
                to = from + 1;
            for (uint32_t c = from; c < to; c++)
                held[place[c]++] = ranges[i].obs;
        }
        for (uint32_t c = 0; c + 1 < n_cuts; c++) {
            struct corr_cell cell = {.flow = flow_dir / 2,
                                     .dir = flow_dir & 1,
                                     .range = true,
                                     .first = work->members->len,
                                     .from = cuts[c],
                                     .to = cuts[c + 1]};

            if (start[c] == start[c + 1])
                continue; /* bytes that no frame holds */
            g_array_append_vals(work->members, &held[start[c]], start[c + 1] - start[c]);
            corr_cell_close(work, &cell);
        }
        g_free(held);
    }
    g_free(cuts);
    g_free(start);
    g_free(place);
}

struct stream {
    int64_t (*last)[2]; /* place of the last segment, by local flow and direction */
    bool (*begun)[2];
    GArray *ranges; /* struct corr_range */
};

/*
 * The ranges of one flow direction, sorted.  Sequence numbers are unwrapped
 * (RFC 9293, section 3.4) at each local flow by its own history.
 */
static void ranges_collect(const struct corr_work *work, const struct corr_keyed *items, size_t n,
                           struct stream *stream)
{
    int64_t base = corr_work_seq(work, items[0].obs);

    g_array_set_size(stream->ranges, 0);
    for (size_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, items[i].obs);
        uint32_t conv = work->result->obs_conv[items[i].obs];
        int64_t near = stream->begun[conv][obs->dir] ? stream->last[conv][obs->dir] : base;
        struct corr_range range = {.obs = items[i].obs};
        uint32_t len = corr_work_len(work, items[i].obs);

        range.from = near + (int32_t)(corr_work_seq(work, items[i].obs) - (uint32_t)near);
        /* Bytes that a helper added as a segment of their own are nowhere else. */
        if (len == 0)
            range.from -= INT64_MAX / 2;
        else
            stream->last[conv][obs->dir] = range.from;
        range.to = range.from + (len > 0 ? len : obs->len);
        stream->begun[conv][obs->dir] |= len > 0;
        g_array_append_val(stream->ranges, range);
    }
    ranges_sort((struct corr_range *)stream->ranges->data, stream->ranges->len);
}

void corr_stream_cells(struct corr_work *work)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct corr_keyed));
    const struct corr_keyed *items;
    struct stream stream = {
        .last = g_malloc0(sizeof *stream.last * (work->result->n_convs + 1)),
        .begun = g_malloc0(sizeof *stream.begun * (work->result->n_convs + 1)),
        .ranges = g_array_new(FALSE, FALSE, sizeof(struct corr_range)),
    };
    const GArray *ranges = stream.ranges;

    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        struct corr_keyed item = {.obs = i};

        if (!corr_obs_is_range(corr_store_obs(work->store, i)))
            continue;
        item.key = corr_work_flow_dir(work, i);
        g_array_append_val(keys, item);
    }
    corr_keyed_sort((struct corr_keyed *)keys->data, keys->len);
    items = (const struct corr_keyed *)keys->data;
    for (size_t i = 0, end; i < keys->len; i = end) {
        for (end = i + 1; end < keys->len && items[end].key == items[i].key; end++)
            ;
        ranges_collect(work, &items[i], end - i, &stream);
        if (corr_shift_suspected(work, (const struct corr_range *)ranges->data, ranges->len) &&
            corr_shift_learn(work, (const struct corr_range *)ranges->data, ranges->len))
            ranges_collect(work, &items[i], end - i, &stream);
        ranges_cut(work, (const struct corr_range *)ranges->data, ranges->len,
                   (uint32_t)items[i].key);
    }
    g_free(stream.last);
    g_free(stream.begun);
    g_array_unref(keys);
    g_array_unref(stream.ranges);
}
