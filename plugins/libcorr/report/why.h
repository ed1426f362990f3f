/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.h - how a match was found, or why there is none, in one sentence. */
#ifndef CORR_WHY_H
#define CORR_WHY_H

#include "path/result.h"

/* The value of corr.why for a sighting whose packet `frames` frames show. */
void corr_text_why(const struct corr_result *r, uint32_t sighting, uint32_t frames, GString *text);

#endif /* CORR_WHY_H */
