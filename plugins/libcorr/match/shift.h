/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shift.h - streams that a helper lengthened or shortened on the way. */
#ifndef CORR_SHIFT_H
#define CORR_SHIFT_H

#include "match/match.h"

/* Bytes of a TCP stream that one frame holds: places in the flow direction's own numbers. */
struct corr_range {
    int64_t from, to;
    uint32_t obs;
};

/*
 * Is it worth asking?  Two local flows show segments that overlap partly, which
 * shifted streams always do; so do other things.  `ranges` are those of one flow
 * direction, by (from, to, obs).
 */
bool corr_shift_suspected(const struct corr_work *work, const struct corr_range *ranges,
                          uint32_t n);

/* Learns the shifts of one flow direction; true if there are any: places have changed then. */
bool corr_shift_learn(struct corr_work *work, const struct corr_range *ranges, uint32_t n);

void corr_shifts_free(struct corr_shifts *shifts);

#endif /* CORR_SHIFT_H */
