/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_limits.h - the preference by which figures are graded: a table of limits. */
#ifndef HOOK_LIMITS_H
#define HOOK_LIMITS_H

#include "compat.h"

#include <epan/uat.h>

struct corr_limits;

/* The table, to be registered as a preference. */
uat_t *hook_limits_table(void);

/* What it says now, and the engine's own limits where it says nothing; until the next call. */
const struct corr_limits *hook_limits_get(void);

#endif /* HOOK_LIMITS_H */
