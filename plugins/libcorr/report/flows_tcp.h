/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flows_tcp.h - what the table of conversations says of TCP. */
#ifndef CORR_FLOWS_TCP_H
#define CORR_FLOWS_TCP_H

#include "report/report-int.h"

extern const struct corr_column corr_flow_tcp_columns[];

/* Fills an OBJECT cell of these columns, and a sentence if there is something to say. */
void corr_flow_tcp_fill(const struct corr_result *r, uint32_t flow, struct corr_row *row,
                        unsigned object, unsigned sentence);

/* Is the packet a retransmission? */
bool corr_flow_tcp_is_repeated(const struct corr_result *r, uint32_t packet);

#endif /* CORR_FLOWS_TCP_H */
