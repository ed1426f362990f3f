/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gap.c - where on a packet's way lies a point that it passed unseen? */
#include "path/gap.h"

#include "path/order.h"

/* -1: the flow's packets pass `point` before the sighting; 1: after; 0: unknown. */
static int compare(const struct corr_result *r, const struct corr_packet *p, uint32_t point,
                   const struct corr_sighting *s)
{
    const struct corr_flow *flow = corr_result_flow(r, p->flow);

    for (unsigned i = 0; i < flow->convs->len; i++) {
        uint32_t conv = g_array_index(flow->convs, struct corr_member, i).conv;
        if (corr_result_conv(r, conv)->point != point)
            continue;
        int order = corr_order_compare(r, p->flow, p->dir, conv, r->obs_conv[s->obs]);
        if (order)
            return order;
    }
    return 0;
}

uint32_t corr_gap_sighting(const struct corr_result *r, const struct corr_packet *p, uint32_t point,
                           bool *sure)
{
    uint32_t last = p->first;
    bool ordered = r->orders && p->flow != CORR_NONE;

    *sure = false;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
        if (s->duplicate)
            continue;
        last = p->first + i;
        if (ordered && s->prev != CORR_NONE && compare(r, p, point, s) < 0 &&
            compare(r, p, point, corr_result_sighting(r, s->prev)) > 0) {
            *sure = true;
            return last;
        }
    }
    return last;
}
