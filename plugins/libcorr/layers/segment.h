/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segment.h - counts and latencies per pair of neighbouring points, for tables to collect. */
#ifndef CORR_SEGMENT_H
#define CORR_SEGMENT_H

#include "path/hull.h"
#include "path/result.h"

/* What packets did between `from` and `to`, in this direction. */
struct corr_segment {
    uint32_t number;   /* index in rows */
    uint32_t from, to; /* points; `to` is CORR_NONE for what was lost after the last point */
    uint64_t packets, lost, missed, reordered, duplicated;
    uint32_t reordered_frame; /* the first one that was overtaken, as `to` saw it */
    GArray *latencies;        /* int64_t, nanoseconds */
    int64_t error_ns;         /* the worst */
    GArray *raw;              /* struct corr_delay: where the clocks' offset is not known */
    GArray *windows;          /* raw time differences: smallest per window, see segment.c */
};

struct corr_segments {
    GPtrArray *rows;                 /* struct corr_segment *, by first packet */
    GHashTable *index;               /* from << 32 | to -> struct corr_segment * */
    struct corr_segment *recent[32]; /* by a mix of from and to: found again at once */
};

struct corr_segments *corr_segments_new(void);
void corr_segments_clear(struct corr_segments *segments);
void corr_segments_free(struct corr_segments *segments);

/* The row, made if need be; find returns NULL if there is none. */
struct corr_segment *corr_segment_get(struct corr_segments *segments, uint32_t from, uint32_t to);
struct corr_segment *corr_segment_find(const struct corr_segments *segments, uint32_t from,
                                       uint32_t to);

/* Counts a packet's way and loss. */
void corr_segments_add(struct corr_segments *segments, const struct corr_result *r,
                       uint32_t packet);

/* Counts the members of a group of equal packets: none of them is known, their number is. */
void corr_segments_add_group(struct corr_segments *segments, const struct corr_group *group);

/* Counts the points that a packet passed unseen; after every packet was added. */
void corr_segments_add_missed(struct corr_segments *segments, const struct corr_result *r,
                              uint32_t packet);

/* Counts overtaken packets of those that the mask selects (NULL: all); RFC 4737. */
void corr_segments_count_reordered(struct corr_segments *segments, const struct corr_result *r,
                                   const uint8_t *mask);

struct corr_percentiles {
    int64_t min, p50, p95, p99, max; /* nanoseconds */
};

/*
 * Nearest rank, of the values themselves: rows are merged by appending their lists, and a
 * percentile is exact however many were merged.  A histogram would save memory (here 8 bytes a
 * sighting, while a table is made), and cost its own error: 0.1 % with three digits.
 * False if no latency is known.  `latencies` (int64_t, nanoseconds) change places.
 */
bool corr_percentiles(GArray *latencies, struct corr_percentiles *out);

/*
 * 95th percentile of the delay above the smallest, where the clocks' offset is not known: only
 * their drift matters, and the line below all delays shows it (Moon, Skelly and Towsley 1999).
 * False with fewer than two such packets.
 */
bool corr_segment_variation(const struct corr_segment *segment, int64_t *p95_ns);

/* Smallest round trip between the two points; false if one direction is missing. */
bool corr_segments_rtt(const struct corr_segments *segments, const struct corr_segment *segment,
                       int64_t *rtt_ns);

#endif /* CORR_SEGMENT_H */
