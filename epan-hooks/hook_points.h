/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_points.h - from a frame's interface to the engine's capture point. */
#ifndef HOOK_POINTS_H
#define HOOK_POINTS_H

#include "compat.h"

struct corr_engine;
struct hook_points;

/* One per file.  `engine` must outlive it. */
struct hook_points *hook_points_new(struct corr_engine *engine);
void hook_points_free(struct hook_points *points);

/* The number of the point at which this frame was captured; makes the point at first sight. */
uint32_t hook_points_get(struct hook_points *points, const packet_info *pinfo);

/* The LINKTYPE_ value of a Wiretap encapsulation, HOOK_LINK_UNKNOWN if there is none. */
#define HOOK_LINK_UNKNOWN 0xffff
uint32_t hook_points_link(int encap);

#endif /* HOOK_POINTS_H */
