/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * early.h - what the past tells about a frame of a live capture when it comes.
 *
 * A frame is compared with the newest ones, each in the same short time however long the
 * capture runs.  Two count as one packet if their content alone is evidence enough (the bits
 * of match/anchors.h, for this one packet), or if the last settling had joined their flows,
 * and if nothing else could be it.  Order, clocks and flows are those of the last settling.
 *
 * What is said stays within what settling would say of the frames so far, with one exception:
 * packets are numbered as they come.  Settling, which may know better which frames are one
 * packet, may give other numbers.
 */
#ifndef CORR_EARLY_H
#define CORR_EARLY_H

#include "path/result.h"

/* Observations that a new one is compared with. */
#define CORR_EARLY_WINDOW 65536u

/* Sightings of one packet that are told apart. */
#define CORR_EARLY_MAX 16u

struct corr_early;

struct corr_early *corr_early_new(void);
void corr_early_free(struct corr_early *early);

/*
 * Takes in what the store has observed since the last call, or less if it is more than a window.
 * `result`: the one that was learned from, or NULL; likewise below.
 */
void corr_early_feed(struct corr_early *early, const struct corr_store *store,
                     const struct corr_result *result);

/*
 * Learns from a result: which local flows are one, in which order hosts' packets pass points.
 * `renumber`: takes over its numbers of packets.
 */
void corr_early_learn(struct corr_early *early, const struct corr_result *result, bool renumber);

/* Number of an observation's packet, from 1; 0: nobody knows yet, or it is too long ago. */
uint32_t corr_early_number(const struct corr_early *early, uint32_t obs);

/*
 * The packet's sightings up to this observation: in path order if *ordered, else in any.
 * Returns how many.
 */
unsigned corr_early_sightings(const struct corr_early *early, const struct corr_store *store,
                              const struct corr_result *result, uint32_t obs,
                              uint32_t sightings[CORR_EARLY_MAX], bool *ordered);

/* Whether packets of its flow went on from this point to others: its verdict is pending. */
bool corr_early_expects(const struct corr_early *early, const struct corr_store *store,
                        const struct corr_result *result, uint32_t obs);

/*
 * What the two clocks of two sightings say about the time between them; unknown unless the last
 * settling knows the clocks until now.
 */
struct corr_latency corr_early_latency(const struct corr_early *early,
                                       const struct corr_result *result, uint32_t from,
                                       uint32_t to);

#endif /* CORR_EARLY_H */
