/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - what one segment changed in a packet. */
#ifndef CORR_CHANGE_H
#define CORR_CHANGE_H

#include "path/result.h"

/*
 * Appends the values of corr.change of a sighting, against the sighting before
 * it, to `texts` (char *, g_free()).  Nothing if there is none before it.
 */
void corr_change_collect(const struct corr_result *r, uint32_t sighting, GPtrArray *texts);

#endif /* CORR_CHANGE_H */
