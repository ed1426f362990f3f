/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slices.h - UDP super-datagrams and what they were cut into. */
#ifndef CORR_SLICES_H
#define CORR_SLICES_H

#include "match/match.h"

/* Some bytes of a super-datagram that other points show as a datagram. */
struct corr_slice {
    uint32_t obs;       /* the super-datagram */
    uint32_t from, to;  /* bytes of its payload */
    struct corr_obs as; /* the observation that the datagram would be */
};

/* All slices (struct corr_slice), by (obs, from); of super-datagrams that nobody saw cut, none. */
GArray *corr_slices_find(const struct corr_work *work);

#endif /* CORR_SLICES_H */
