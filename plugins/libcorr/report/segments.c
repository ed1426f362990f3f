/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segments.c - a row per pair of neighbouring points and direction: loss, reordering, latency. */
#include "report/report-int.h"
#include "layers/segment.h"

/* clang-format off */
#define LATENCY_COLUMNS(X)                                                                         \
    X(MIN,   "min",   NULL,  TIME, COLUMN, NULL, "Smallest")                                       \
    X(P50,   "p50",   "p50", TIME, COLUMN, NULL, "Median (nearest rank)")                          \
    X(P95,   "p95",   NULL,  TIME, COLUMN, NULL, "95th percentile")                                \
    X(P99,   "p99",   "p99", TIME, COLUMN, NULL, "99th percentile")                                \
    X(MAX,   "max",   NULL,  TIME, COLUMN, NULL, "Largest")                                        \
    X(ERROR, "error", "clock ±", TIME, COLUMN, NULL, "Half-width of the clock's bound, the worst")

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
      "Delay variation: 95th percentile minus minimum, RFC 5481")                                  \
    X(RTT,        "rtt_min_s",  "rtt min", TIME,   COLUMN, NULL,                                   \
      "Smallest there and back again between the two points; needs no clock")
/* clang-format on */

enum { LATENCY_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column latency_columns[] = {LATENCY_COLUMNS(CORR_COLUMN_INIT)
                                                         CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

void corr_build_segments(const struct corr_result *r, const struct corr_frame_set *frames,
                         struct corr_report_table *out)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    struct corr_segments *segments = corr_segments_new();

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
        struct corr_percentiles l;
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
        if (corr_percentiles(segment->latencies, &l)) {
            struct corr_row *sub = corr_cell_add_row(row, C_LATENCY, latency_columns);
            corr_cell_set_time(sub, C_MIN, l.min);
            corr_cell_set_time(sub, C_P50, l.p50);
            corr_cell_set_time(sub, C_P95, l.p95);
            corr_cell_set_time(sub, C_P99, l.p99);
            corr_cell_set_time(sub, C_MAX, l.max);
            corr_cell_set_time(sub, C_ERROR, segment->error_ns);
            corr_cell_set_time(row, C_PDV, l.p95 - l.min);
        }
        if (corr_segments_rtt(segments, segment, &rtt_ns))
            corr_cell_set_time(row, C_RTT, rtt_ns);
    }
    corr_segments_free(segments);
}

CORR_TABLE_DEFINE(segments, "Segments: pairs of neighbouring capture points, by direction",
                  "packets, loss, capture loss, reordering and latency between neighbours",
                  columns);
