/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - how the clocks of two points differ, as a bound and not a guess.
 *
 * For points p and q let D = time at q minus time at p of one packet.  A packet
 * from p to q took at least no time, so the offset (q minus p) is at most D; a
 * packet from q to p shows that it is at least D.  Offsets that change linearly
 * and respect all these limits form a corridor; its middle is the estimate, its
 * half width the bound.  At most half of the least round trip remains unknown,
 * and nobody can do better without other knowledge (algorithms: 1.12).
 *
 * When no line fits, the clock was set: a new piece of the corridor begins.
 */
#ifndef CORR_CLOCK_H
#define CORR_CLOCK_H

#include "match/match.h"

/* Replaces result->clock by what the packets built so far show; uses result->orders. */
void corr_clock_fit(struct corr_work *work);
void corr_clock_free(struct corr_clock *clock);

/* Step of a point's time stamps; less where longer steps may be chance.  Points of the store. */
int64_t corr_clock_resolution(const struct corr_clock *clock, uint32_t point);

/* The least and the greatest time that a point of the store recorded; false: none. */
bool corr_clock_times(const struct corr_clock *clock, uint32_t point, int64_t *from_ns,
                      int64_t *to_ns);

/* The packets suggest that two points share one clock. */
bool corr_clock_is_shared(const struct corr_clock *clock, uint32_t p, uint32_t q);

/* A point's clock was set, or began or ceased to be slewed, within these of its own times. */
bool corr_clock_is_set(const struct corr_result *r, uint32_t point, int64_t from_ns, int64_t to_ns);

/* Appends the piece that the user's settings, or a shared clock, make of q's clock
 * against p's; false: none. */
bool corr_correction_pieces(const struct corr_result *r, uint32_t p, uint32_t q,
                            enum corr_clock_status *status, GArray *pieces);

/* How far a recorded time may be off by itself: resolution and software time stamping. */
#define CORR_CLOCK_SLACK_NS INT64_C(20000)

#endif /* CORR_CLOCK_H */
