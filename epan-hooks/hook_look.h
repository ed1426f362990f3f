/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_look.h - what listeners of corr-tap.so ask the engine about a frame. */
#ifndef HOOK_LOOK_H
#define HOOK_LOOK_H

#include "compat.h"
#include "corr.h"
#include "hooks.h"
#include "view.h"

/*
 * Looks a tapped frame up, if answers are known: the engine has settled, or
 * frames are visited again and it does so now.  NULL: not yet, or the record is
 * of another build.  The view is used again by the next call.
 */
const struct corr_view *hook_look(const void *tapped, const packet_info *pinfo, uint64_t wanted);

/* The same engine about another frame, into a second view. */
const struct corr_view *hook_look_at(const void *tapped, uint32_t frame, uint64_t wanted);

/* The first value of a field, or NULL. */
const struct corr_value *hook_value(const struct corr_view *view, enum corr_field field);

#endif /* HOOK_LOOK_H */
