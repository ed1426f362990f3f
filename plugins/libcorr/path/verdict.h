/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdict.h - the parts of the decision what became of each packet.
 *
 *     verdict.c   the next station of its way did not show it: lost, missed by the
 *                 capture, or nobody can know
 *     skips.c     passed a point unseen: missed by its capture, or another way?
 *     forks.c     several ways on: which one should it have taken?
 *     damage.c    frames with wrong checksums: damaged on the way, or in the capture?
 *     doubt.c     what the next point's own capture loss explains is no loss
 *     thinned.c   acknowledgements taken out on purpose
 *     branch.c    multicast: the branches of a tree, each by itself
 *     ends.c      before the first point, after the last one, made on the way
 *     cause.c     why: damaged, too long, a full queue, a policer
 *
 * Each runs over all packets, in this order, and leaves alone what is decided.
 */
#ifndef CORR_VERDICT_H
#define CORR_VERDICT_H

#include "path/judge.h"

/* Writes a fate down.  `point` may be CORR_NONE: after the last one. */
void corr_verdict_lose(struct corr_packet *packet, enum corr_fate fate, uint32_t sighting,
                       uint32_t point, uint32_t evidence);
/* `reason`: static text; the point's name follows where it ends in " at". */
void corr_verdict_undetermine(struct corr_packet *packet, uint32_t sighting, uint32_t point,
                              const char *reason);

/* Could point q have seen what was at p at time t?  NULL if yes, else why not. */
const char *corr_verdict_gap(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns);

void corr_damage_learn(struct corr_judge *j); /* fills j->damages and j->wrong_tells */

/* Decides the fate of a packet that is shown damaged; false if none is, or it does not matter. */
bool corr_damage_judge(struct corr_judge *j, struct corr_packet *packet, uint32_t index);

/* How often a lost packet's station and direction was tried. */
uint32_t corr_verdict_tries(struct corr_judge *j, const struct corr_packet *packet);

/* Did point q miss, around p's time t, so many packets that it shows nothing to miss one more? */
bool corr_doubt_deaf(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns);
void corr_doubt_heads(struct corr_judge *j); /* fills j->heads */
void corr_doubts_raise(struct corr_judge *j);

void corr_skips_find(struct corr_judge *j);

/* Do packets that go from a to b without being seen at x take another way than those seen there? */
bool corr_skips_bypass(const struct corr_judge *j, uint32_t a, uint32_t x, uint32_t b);

/* Of two kinds of packets, one with this share: are so many turns from one kind to the other, of so
 * many neighbours, too regular for chance, by so many standard deviations? */
bool corr_skips_regular(uint32_t turns, uint32_t chances, double share, double deviations);

void corr_thinned_find(struct corr_judge *j);

void corr_forks_find(struct corr_judge *j);

/* The station that a stand's packet should have gone on to; false: perhaps another one. */
bool corr_forks_next(const struct corr_judge *j, uint32_t stand, uint32_t *to);

/* On the way of the observed packet, from point p, does point y lie behind x, so that what went
 * from p to y directly passed x unseen? */
bool corr_forks_behind(const struct corr_judge *j, uint32_t obs, uint32_t p, uint32_t x,
                       uint32_t y);

/* Are packets from p spread over several ways, one of which leads to q? */
bool corr_forks_spread(const struct corr_judge *j, uint32_t p, uint32_t q);

void corr_branches_judge(struct corr_judge *j);

/* Was point p looking when a packet, that is at q at t, would have passed it? */
bool corr_ends_was_looking(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns);

void corr_ends_judge(struct corr_judge *j); /* fills result->injected and result->upstream */

/*
 * Was a connection tried again and again at its last point, and never answered, though
 * that host lives?  Then the tries were lost after the point, or in the host itself.
 */
bool corr_ends_unanswered(const struct corr_judge *j, const struct corr_packet *packet,
                          const struct corr_obs *at, uint32_t tries);

void corr_causes_find(struct corr_judge *j);

#endif /* CORR_VERDICT_H */
