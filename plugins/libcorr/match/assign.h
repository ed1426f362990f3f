/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * assign.h - how likely is it that two observations show one packet, and which
 * pairs of two rows of equal sightings belong together?
 *
 * Scores are log-likelihoods: 0 where nothing speaks for or against a pair.
 */
#ifndef CORR_ASSIGN_H
#define CORR_ASSIGN_H

#include "match/match.h"

/* A sighting without partner was lost, or missed by the capture. */
#define CORR_SCORE_GAP (-4.0)
#define CORR_SCORE_IMPOSSIBLE (-1e3)
#define CORR_SCORE_NUMBERED 50.0 /* the capture says so itself */
/* Least share of the alignments, by weight, that a pair must stand in. */
#define CORR_ALIGN_SURE 0.9

/*
 * The score of observations i and k of one cell.  `jitter` is what the cell itself
 * shows, ns; 0 where it leaves no choice: then an unusual delay alone does not
 * speak against the pair.
 */
double corr_pair_score(const struct corr_work *work, const struct corr_cell *cell, uint32_t i,
                       uint32_t k, double jitter);

/* The parts of it that are asked alone: see score.c. */
bool corr_pair_left_link(const struct corr_work *work, uint32_t i, uint32_t k);
bool corr_pair_split_handshake(const struct corr_work *work, uint32_t i, uint32_t k);
bool corr_pair_shifted(const struct corr_work *work, const struct corr_cell *cell, uint32_t i,
                       uint32_t k);
bool corr_pair_numbered(const struct corr_work *work, uint32_t i, uint32_t k, bool *known);

/*
 * Probability of each pair over all order-preserving alignments of m and n
 * sightings.  `score` is m x n; `pair` receives the probabilities.
 */
void corr_align(const double *score, uint32_t m, uint32_t n, double *pair);

/* Takes back the certainty of pairs that a reordering network could have exchanged. */
void corr_align_refuse_exchanges(const double *score, uint32_t m, uint32_t n, double *pair);

#endif /* CORR_ASSIGN_H */
