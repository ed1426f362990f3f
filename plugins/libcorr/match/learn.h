/* SPDX-License-Identifier: GPL-2.0-or-later */
/* learn.h - what cells without a choice taught: delays and header fields per pair of points. */
#ifndef CORR_LEARN_H
#define CORR_LEARN_H

#include "match/match.h"

#define CORR_NEAREST 15 /* delays that are asked around a moment */

/* Time at q minus time at p that a packet can be expected to show, by the points' own clocks. */
struct corr_expectation {
    int64_t d_ns, spread_ns; /* median, and median distance from it */
    int64_t range_ns;        /* greatest minus least */
    int64_t gap_ns;          /* to the nearest delay known: clocks drift meanwhile */
    unsigned n;
};

/* How long packets took: passages are added at first, and asked for afterwards. */
struct corr_delays *corr_delays_new(const struct corr_work *work);
void corr_delays_free(struct corr_delays *delays);

/* One packet at two points, the lower one first. */
void corr_delays_add(struct corr_delays *delays, uint32_t obs_p, uint32_t obs_q, uint32_t flow_dir);

/* From now on the order of stations is known: other flows that went the same way may answer. */
void corr_delays_pool(struct corr_work *work);

/*
 * Time of observation k minus time of observation i that one packet would show.
 * The same flow direction is asked first, then all that went the same way.
 * False if nothing is known of these points.
 */
bool corr_delay_expect(const struct corr_work *work, uint32_t i, uint32_t k, uint32_t flow_dir,
                       struct corr_expectation *out);

struct corr_pair_facts *corr_pair_facts(const struct corr_work *work, uint32_t p, uint32_t q);

#endif /* CORR_LEARN_H */
