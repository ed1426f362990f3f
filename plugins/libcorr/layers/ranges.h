/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ranges.h - a set of bytes of a stream, as ranges [from, to): sorted, disjoint,
 * not touching.  Built for few ranges and work near the end.
 */
#ifndef CORR_RANGES_H
#define CORR_RANGES_H

#include <glib.h>
#include <stdint.h>

struct corr_range {
    int64_t from, to;
};

/* An empty set; free with g_array_unref(), empty with g_array_set_size(.., 0). */
GArray *corr_ranges_new(void);

/* An empty range is allowed everywhere, and changes nothing. */
void corr_ranges_add(GArray *ranges, int64_t from, int64_t to);
void corr_ranges_remove(GArray *ranges, int64_t from, int64_t to);

/* How many bytes of [from, to) are in the set. */
int64_t corr_ranges_overlap(const GArray *ranges, int64_t from, int64_t to);

/* How many bytes are in the set. */
int64_t corr_ranges_bytes(const GArray *ranges);

#endif /* CORR_RANGES_H */
