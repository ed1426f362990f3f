/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.h - the capture points side by side, for drawings that have one dimension. */
#ifndef CORR_LINE_H
#define CORR_LINE_H

#include "path/result.h"

/*
 * All points, from the side of those who begin conversations to the side of
 * those who answer, as most packets pass them; in file order where no packet
 * tells.  As many as the store has; free with g_free().
 */
uint32_t *corr_points_line(const struct corr_result *r);

#endif /* CORR_LINE_H */
