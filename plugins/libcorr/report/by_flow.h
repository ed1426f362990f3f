/* SPDX-License-Identifier: GPL-2.0-or-later */
/* by_flow.h - packets and groups of equal packets, sorted by flow, for tables to walk. */
#ifndef CORR_BY_FLOW_H
#define CORR_BY_FLOW_H

#include "report/report-int.h"

/*
 * Those that count: packets[start[f] .. start[f + 1]) are the packets of flow f,
 * ascending; groups[group_start[f] .. group_start[f + 1]) its groups.
 */
struct corr_by_flow {
    uint32_t *start, *packets;
    uint32_t *group_start;
    const struct corr_group **groups;
};

struct corr_by_flow corr_by_flow_sort(const struct corr_result *r,
                                      const struct corr_frame_set *frames);
void corr_by_flow_clear(struct corr_by_flow *by);

/* Level-2 flows run between MAC addresses, or none at all. */
bool corr_flow_is_ip(const struct corr_result *r, const struct corr_flow *flow);

#endif /* CORR_BY_FLOW_H */
