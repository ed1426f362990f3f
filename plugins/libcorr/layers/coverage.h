/* SPDX-License-Identifier: GPL-2.0-or-later */
/* coverage.h - when each capture point looked, and how well its clock ran meanwhile. */
#ifndef CORR_COVERAGE_H
#define CORR_COVERAGE_H

#include "path/result.h"

/* A point was silent although packets should have passed it; absolute, by its own clock. */
struct corr_outage {
    int64_t from_ns, to_ns; /* its frames before and after */
    uint32_t packets;       /* whose fate cannot be told therefore */
};

struct corr_coverage; /* of all points; corr_layers_coverage() keeps it */
struct corr_coverage *corr_coverage_new(const struct corr_result *r);
void corr_coverage_free(struct corr_coverage *coverage);

/* Outages of a point (struct corr_outage), by time; free with g_array_unref(). */
GArray *corr_coverage_outages(const struct corr_result *r, uint32_t point);

/*
 * Share of the time between a point's first and last frame in which another point
 * captured, too: by corrected clocks, else as recorded.  False with a single frame.
 */
bool corr_coverage_overlap(const struct corr_result *r, uint32_t point, double *share);

/* What its clock did, as sentences (char *, g_free()): wrong time zone, steps, a ping's help. */
void corr_coverage_clock(const struct corr_result *r, uint32_t point, GPtrArray *reasons);

/*
 * Pings that are steady enough to compare clocks by (RFC 2330 would call them periodic
 * samples), as sentences: which flow, how often, seen where.
 */
void corr_coverage_pings(const struct corr_result *r, GPtrArray *notes);

#endif /* CORR_COVERAGE_H */
