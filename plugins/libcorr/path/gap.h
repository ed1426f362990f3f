/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gap.h - where on a packet's way lies a point that it passed unseen? */
#ifndef CORR_GAP_H
#define CORR_GAP_H

#include "path/result.h"

/*
 * The first sighting after the missed point, or the last sighting if the order
 * does not tell (*sure is false then).  Never a duplicate.
 */
uint32_t corr_gap_sighting(const struct corr_result *r, const struct corr_packet *p, uint32_t point,
                           bool *sure);

#endif /* CORR_GAP_H */
