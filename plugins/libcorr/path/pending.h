/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pending.h - verdicts on packets that may still be under way, while a capture runs. */
#ifndef CORR_PENDING_H
#define CORR_PENDING_H

#include "corr.h"
#include "path/result.h"

/*
 * Takes back what the fates of the newest packets say: their verdict is "pending".  How much
 * time has passed since a frame came is measured by the clock of each point alone, from the
 * first frame of the point after it to its last one: offsets between clocks do not matter.
 */
void corr_pending_decide(struct corr_result *result, const struct corr_live *live);

extern const char *const corr_pending_word; /* in corr.undetermined */
bool corr_packet_is_pending(const struct corr_packet *packet);

#endif /* CORR_PENDING_H */
