/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cells.h - what the makers of cells share. */
#ifndef CORR_CELLS_H
#define CORR_CELLS_H

#include "match/match.h"

/* TCP data that meets by bytes. */
static inline bool corr_obs_is_range(const struct corr_obs *obs)
{
    return obs->kind == CORR_KIND_TCP && obs->have & CORR_HAVE_TCP && obs->have & CORR_HAVE_LEN &&
           obs->len > 0 && !(obs->tcp_flags & CORR_TCP_SYN);
}

/* Ends a cell: its members are those appended since cell->first. */
void corr_cell_close(struct corr_work *work, struct corr_cell *cell);

/* Makes the cells of TCP data, one flow direction after the other, in stream order. */
void corr_stream_cells(struct corr_work *work);

#endif /* CORR_CELLS_H */
