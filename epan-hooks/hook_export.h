/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_export.h - File > Export PDUs and `tshark -2 -U "CORR one copy per packet"`:
 * each conversation as one point saw it.  An export has one link type, so there
 * is one export for each of them.
 */
#ifndef HOOK_EXPORT_H
#define HOOK_EXPORT_H

#include "compat.h"

struct corr_engine;

/* At hand-off: taps that are registered earlier find no list to stand in. */
void hook_export_handoff(void);

/* Forgets the choice of frames; `point`: see corr_one_copy_new(), is copied. */
void hook_export_begin(const char *point);

/* Whether somebody exports. */
bool hook_export_has_listener(void);

/* Hands a frame, once it is visited, to the export of its link type, if it is one to keep. */
void hook_export_frame(struct corr_engine *engine, tvbuff_t *tvb, packet_info *pinfo);

/* Says what was left out, or that nothing could be exported in one pass. */
void hook_export_end(void);

#endif /* HOOK_EXPORT_H */
