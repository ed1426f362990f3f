/* SPDX-License-Identifier: GPL-2.0-or-later */
/* by_flow.c - packets and groups of equal packets, sorted by flow. */
#include "report/by_flow.h"

struct corr_by_flow corr_by_flow_sort(const struct corr_result *r,
                                      const struct corr_frame_set *frames)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    uint32_t n = r->packets->len, n_flows = r->flows->len;
    struct corr_by_flow by = {g_new0(uint32_t, n_flows + 2), g_new(uint32_t, n + 1),
                              g_new0(uint32_t, n_flows + 2),
                              g_new(const struct corr_group *, corr_group_count(r) + 1)};

    /* Counting sorts; the starts are kept one place ahead while the members are put in. */
    for (uint32_t i = 0; i < n; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (p->flow < n_flows && corr_packet_counts(mask, i))
            by.start[p->flow + 2]++;
    }
    for (unsigned i = 0; i < corr_group_count(r); i++) {
        const struct corr_group *group = corr_result_group(r, i);
        if (group->flow < n_flows && corr_frame_set_has(frames, group->frame))
            by.group_start[group->flow + 2]++;
    }
    for (uint32_t f = 2; f <= n_flows + 1; f++) {
        by.start[f] += by.start[f - 1];
        by.group_start[f] += by.group_start[f - 1];
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (p->flow < n_flows && corr_packet_counts(mask, i))
            by.packets[by.start[p->flow + 1]++] = i;
    }
    for (unsigned i = 0; i < corr_group_count(r); i++) {
        const struct corr_group *group = corr_result_group(r, i);
        if (group->flow < n_flows && corr_frame_set_has(frames, group->frame))
            by.groups[by.group_start[group->flow + 1]++] = group;
    }
    return by;
}

void corr_by_flow_clear(struct corr_by_flow *by)
{
    g_free(by->start);
    g_free(by->packets);
    g_free(by->group_start);
    g_free(by->groups);
}

bool corr_flow_is_ip(const struct corr_result *r, const struct corr_flow *flow)
{
    if (flow->convs->len == 0)
        return flow->proto != 0;
    const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, 0);
    uint8_t len = corr_result_conv(r, member->conv)->end[0].addr.len;
    return len == 4 || len == 16;
}
