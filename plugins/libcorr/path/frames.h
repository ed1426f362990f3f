/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames.h - what a display filter selects: frames, and the packets that they show. */
#ifndef CORR_FRAMES_H
#define CORR_FRAMES_H

#include "path/result.h"

/* Which frames passed the display filter: a set of frame numbers; NULL stands for all. */
struct corr_frame_set {
    GByteArray *bits;
};
struct corr_frame_set *corr_frame_set_new(void);
void corr_frame_set_add(struct corr_frame_set *set, uint32_t frame);
bool corr_frame_set_has(const struct corr_frame_set *set, uint32_t frame); /* NULL set: true */
void corr_frame_set_free(struct corr_frame_set *set);

/*
 * One byte per packet: 1 if a frame that shows it is in the set.  NULL if all
 * packets count.  Free with g_free().
 */
uint8_t *corr_packet_mask(const struct corr_result *r, const struct corr_frame_set *frames);

static inline bool corr_packet_counts(const uint8_t *mask, uint32_t packet)
{
    return !mask || mask[packet];
}

#endif /* CORR_FRAMES_H */
