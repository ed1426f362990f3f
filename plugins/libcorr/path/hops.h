/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hops.h - positions on the way, fates: what makes a packet's path.
 */
#ifndef CORR_HOPS_H
#define CORR_HOPS_H

#include "match/match.h"

/* Puts each packet's sightings into path order; sets hop and prev.  Uses result->orders. */
void corr_hops_number(struct corr_work *work);

/* Decides what became of each packet: fate, drop_*, evidence, cause, missed, original. */
void corr_fates_decide(struct corr_work *work);

#endif /* CORR_HOPS_H */
