/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers_rtt.h - what the table of layers says of a probed path. */
#ifndef CORR_LAYERS_RTT_H
#define CORR_LAYERS_RTT_H

#include "layers/rtt.h"
#include "report/report-int.h"

extern const struct corr_column corr_layers_rtt_columns[];

/* Fills an OBJECT cell of these columns, and appends the same to a TEXTS cell. */
void corr_layers_rtt_fill(const struct corr_result *r, const struct corr_rtt_path *path,
                          struct corr_row *row, unsigned object, unsigned texts);

#endif /* CORR_LAYERS_RTT_H */
