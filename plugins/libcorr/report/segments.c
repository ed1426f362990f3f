/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segments.c - a row per pair of neighbouring points and direction: loss, reordering, latency. */
#include "report/report-int.h"
#include "layers/segment.h"
#include "path/text.h"

/* clang-format off */
#define LATENCY_COLUMNS(X)                                                                         \
    X(MIN,   "min",   NULL,  TIME, COLUMN, NULL, "Smallest")                                       \
    X(P50,   "p50",   "p50", TIME, COLUMN, NULL, "Median (nearest rank)")                          \
    X(P95,   "p95",   NULL,  TIME, COLUMN, NULL, "95th percentile")                                \
    X(P99,   "p99",   "p99", TIME, COLUMN, NULL, "99th percentile")                                \
    X(MAX,   "max",   NULL,  TIME, COLUMN, NULL, "Largest")                                        \
    X(ERROR, "error", "clock ±", TIME, COLUMN, NULL, "Half-width of the clock's bound, the worst") \
    X(LIMITED, "clock_limited", NULL, TRUE, COLUMN, NULL,                                          \
      "The bound is wider than half of the median and than 0.1 ms: read values as \"at most\"")   \
    X(AT_MOST, "p50_at_most",   NULL, TIME, COLUMN, NULL, "Then the median is no more than this")

#define COLUMNS(X)                                                                                 \
    X(FROM,       "from",       "from",    TEXT,   COLUMN, NULL, "Point before the segment")       \
    X(TO,         "to",         "to",      TEXT,   COLUMN, NULL,                                   \
      "Point after the segment; absent: what was lost after the last point")                       \
    X(PACKETS,    "packets",    "passed",  COUNT,  COLUMN, NULL, "Packets seen at both points")    \
    X(LOST,       "lost",       "lost",    COUNT,  COLUMN, NULL, "Packets lost between them")      \
    X(LOSS,       "loss",       NULL,      RATIO,  COLUMN, NULL,                                   \
      "Their share of all that were to pass")                                                      \
    X(MISSED,     "missed",     "missed",  COUNT,  COLUMN, NULL,                                   \
      "Packets that passed the second point unseen: capture loss, not network loss")               \
    X(REORDERED,  "reordered",  "reord",   COUNT,  COLUMN, NULL,                                   \
      "Packets overtaken by a later one of their flow direction: RFC 4737")                        \
    X(DUPLICATED, "duplicated", NULL,      COUNT,  COLUMN, NULL,                                   \
      "Further copies at the second point")                                                        \
    X(LATENCY,    "latency_s",  "latency", OBJECT, COLUMN, latency_columns,                        \
      "One-way latency, clocks corrected")                                                         \
    X(PDV,        "pdv_s",      NULL,      TIME,   COLUMN, NULL,                                   \
      "Delay variation: 95th percentile minus minimum, RFC 5481; needs no clock offset")           \
    X(RTT,        "rtt_min_s",  "rtt min", TIME,   COLUMN, NULL,                                   \
      "Smallest there and back again between the two points; needs no clock")
/* clang-format on */

enum { LATENCY_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column latency_columns[] = {LATENCY_COLUMNS(CORR_COLUMN_INIT)
                                                         CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

/* A bound so wide in proportion, and in itself, says "at most" and no more. */
#define LIMITED_SHARE 2
#define LIMITED_NS 100000

static void fill_latency(struct corr_segment *segment, struct corr_row *row, GPtrArray *limited,
                         const struct corr_result *r)
{
    struct corr_percentiles l;
    int64_t variation_ns;

    if (!corr_percentiles(segment->latencies, &l)) {
        if (corr_segment_variation(segment, &variation_ns))
            corr_cell_set_time(row, C_PDV, variation_ns);
        return;
    }
    struct corr_row *sub = corr_cell_add_row(row, C_LATENCY, latency_columns);
    corr_cell_set_time(sub, C_MIN, l.min);
    corr_cell_set_time(sub, C_P50, l.p50);
    corr_cell_set_time(sub, C_P95, l.p95);
    corr_cell_set_time(sub, C_P99, l.p99);
    corr_cell_set_time(sub, C_MAX, l.max);
    corr_cell_set_time(sub, C_ERROR, segment->error_ns);
    corr_cell_set_time(row, C_PDV, l.p95 - l.min);
    if (segment->error_ns > MAX(l.p50 / LIMITED_SHARE, LIMITED_NS)) {
        g_autoptr(GString) text = g_string_new(NULL);

        corr_cell_set_true(sub, C_LIMITED);
        corr_cell_set_time(sub, C_AT_MOST, l.p50 + segment->error_ns);
        g_string_append_printf(text, "%s > %s ≤ ", corr_store_point(r->store, segment->from)->name,
                               corr_store_point(r->store, segment->to)->name);
        corr_text_time(l.p50 + segment->error_ns, text);
        g_ptr_array_add(limited, g_string_free(g_steal_pointer(&text), FALSE));
    }
}

static void note_list(struct corr_report_table *out, GPtrArray *list, const char *before,
                      const char *after)
{
    g_autofree char *text = NULL;

    if (list->len == 0)
        return;
    g_ptr_array_add(list, NULL);
    text = g_strjoinv(", ", (char **)list->pdata);
    corr_report_note(out, "%s%s%s", before, text, after);
}

/* Packets that passed points in an order that nobody knows, and where; false: there are none. */
static bool note_unordered(const struct corr_result *r, const uint8_t *mask,
                           struct corr_report_table *out)
{
    g_autofree uint32_t *at = g_new0(uint32_t, r->store->points->len + 1);
    g_autoptr(GPtrArray) points = g_ptr_array_new_with_free_func(g_free);
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);

        if (p->ordered || p->ambiguous || !corr_packet_is_matched(r, p) ||
            !corr_packet_counts(mask, i))
            continue;
        n++;
        for (uint32_t s = p->first; s < p->first + p->n; s++)
            if (corr_result_sighting(r, s)->hop == 0)
                at[corr_sighting_point(r, corr_result_sighting(r, s))]++;
    }
    for (uint32_t p = 0; n > 0 && p < r->store->points->len; p++)
        if (at[p] > 0)
            g_ptr_array_add(points, g_strdup(corr_store_point(r->store, p)->name));
    if (points->len > 0) {
        g_autofree char *before = g_strdup_printf(
            "%u matched packet%s in no row: the order of these points on the way is not "
            "known: ",
            n, n == 1 ? " is" : "s are");

        note_list(out, points, before,
                  ". Traffic in one direction, on one link, shows none; give the order in the "
                  "preferences.");
    }
    return points->len > 0;
}

void corr_build_segments(const struct corr_result *r, const struct corr_frame_set *frames,
                         struct corr_report_table *out)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    struct corr_segments *segments = corr_segments_new();
    g_autoptr(GPtrArray) limited = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) withheld = g_ptr_array_new_with_free_func(g_free);

    for (uint32_t i = 0; i < r->packets->len; i++)
        if (corr_packet_counts(mask, i))
            corr_segments_add(segments, r, i);
    for (unsigned i = 0; i < corr_group_count(r); i++)
        if (corr_frame_set_has(frames, corr_result_group(r, i)->frame))
            corr_segments_add_group(segments, corr_result_group(r, i));
    /* A gap is placed by the neighbours that whole packets show, so these go first. */
    for (uint32_t i = 0; i < r->packets->len; i++)
        if (corr_packet_counts(mask, i))
            corr_segments_add_missed(segments, r, i);
    corr_segments_count_reordered(segments, r, mask);

    for (unsigned i = 0; i < segments->rows->len; i++) {
        struct corr_segment *segment = g_ptr_array_index(segments->rows, i);
        struct corr_row *row = corr_report_row(out);
        int64_t rtt_ns;

        corr_cell_set_text(row, C_FROM, corr_store_point(r->store, segment->from)->name);
        if (segment->to != CORR_NONE)
            corr_cell_set_text(row, C_TO, corr_store_point(r->store, segment->to)->name);
        corr_cell_set_count(row, C_PACKETS, segment->packets);
        corr_cell_set_count(row, C_LOST, segment->lost);
        if (segment->packets + segment->lost)
            corr_cell_set_number(
                row, C_LOSS, (double)segment->lost / (double)(segment->packets + segment->lost));
        corr_cell_set_count(row, C_MISSED, segment->missed);
        corr_cell_set_count(row, C_REORDERED, segment->reordered);
        corr_cell_set_count(row, C_DUPLICATED, segment->duplicated);
        fill_latency(segment, row, limited, r);
        if (segment->packets > 0 && segment->latencies->len == 0)
            g_ptr_array_add(withheld,
                            g_strdup_printf("%s > %s",
                                            corr_store_point(r->store, segment->from)->name,
                                            corr_store_point(r->store, segment->to)->name));
        if (corr_segments_rtt(segments, segment, &rtt_ns))
            corr_cell_set_time(row, C_RTT, rtt_ns);
    }
    note_list(out, limited,
              "The clocks' bound is wide against these medians, of which only this is sure: ",
              ". The round trip needs no clock.");
    note_list(out, withheld, "No latency, as the clocks cannot be compared: ",
              ". tshark -z corr,points says why.");
    bool unordered = note_unordered(r, mask, out);
    if (segments->rows->len == 0 && r->packets->len > 0 && !unordered)
        corr_report_note(out, "No packet is known to have passed two points. tshark -z corr,points "
                              "says why, and what helps.");
    corr_segments_free(segments);
}

CORR_TABLE_DEFINE(segments, "Segments: pairs of neighbouring capture points, by direction",
                  "packets, loss, capture loss, reordering and latency between neighbours",
                  columns);
