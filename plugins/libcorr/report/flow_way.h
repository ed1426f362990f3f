/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow_way.h - the way of a flow direction: every point that its packets pass, in order. */
#ifndef CORR_FLOW_WAY_H
#define CORR_FLOW_WAY_H

#include "report/by_flow.h"

/*
 * A partial order, written down as far as it can be: what follows each other is
 * joined by " > ", branches that no packet takes together stand in braces, points
 * of one way whose order nobody knows in parentheses:
 *
 *     client > lan > {fw1 > dmz1, fw2} > server
 *     (nic, sw in unknown order) > server
 */
struct corr_flow_way {
    GPtrArray *points;   /* char *: what stands between the " > " of the whole way; owned */
    GString *text;       /* all of it; "" if no packet went this way */
    bool *begins, *ends; /* by the flow's member: no other precedes it, follows it */
};

struct corr_flow_ways; /* what is kept from flow to flow */

struct corr_flow_ways *corr_flow_ways_new(const struct corr_result *r);
void corr_flow_ways_free(struct corr_flow_ways *ways);

/* The way of a flow's packets in a direction; valid until the next call. */
const struct corr_flow_way *corr_flow_way_find(struct corr_flow_ways *ways,
                                               const struct corr_by_flow *by, uint32_t flow,
                                               unsigned dir);

/* Did the packet pass the whole way?  Then its last sighting has the way's latency. */
bool corr_flow_way_is_whole(const struct corr_flow_ways *ways, const struct corr_packet *packet);

#endif /* CORR_FLOW_WAY_H */
