/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Multicast fans out: a packet may be lost on one branch of the tree and arrive on
 * all others.  A branch is expected to show a packet if it showed one that was
 * sent before and one that was sent after it; a receiver may join late, leave, and
 * come back, so a long silence is no loss.
 */
#include <string.h>

#include "path/order.h"
#include "path/verdict.h"
#include "store/sort.h"

/* So many packets in a row that a branch did not show: it may have left the group. */
#define LEFT_MIN 16u
#define LEFT_NS INT64_C(1000000000)
/* Packets of a flow that are asked for its tree. */
#define PARENT_PACKETS 4096u

/* A member of a multicast flow, as a branch. */
struct branch {
    uint32_t conv, point;
    uint32_t parent; /* member that its packets come from; CORR_NONE at the root */
};

/* A packet as a branch's parent showed it. */
struct shown {
    uint32_t obs, packet;
};

static bool shown_less(const struct shown *a, const struct shown *b)
{
    return a->obs != b->obs ? a->obs < b->obs : a->packet < b->packet;
}

CORR_SORT_DEFINE(shown_sort, struct shown, shown_less)

static bool is_multicast(const struct corr_judge *j, const struct corr_flow *flow)
{
    const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, 0);
    const struct corr_conv *conv = corr_result_conv(j->result, member->conv);
    const struct corr_addr *dst = &conv->end[!member->flip].addr;
    static const uint8_t local[3] = {224, 0, 0};

    /* The local network's own (RFC 5771, RFC 4291) are not forwarded: no tree. */
    if (flow->convs->len < 3 || !corr_addr_is_multicast(dst))
        return false;
    if (dst->len == 4)
        return dst->bytes[0] != 255 && memcmp(dst->bytes, local, sizeof local) != 0;
    return dst->len == 16 && (dst->bytes[1] & 0x0f) > 2;
}

/* The sighting of a packet at a branch; CORR_NONE. */
static uint32_t seen_at(const struct corr_judge *j, const struct corr_packet *packet, uint32_t conv)
{
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        const struct corr_sighting *sighting = corr_result_sighting(j->result, s);

        if (!sighting->duplicate && j->result->obs_conv[sighting->obs] == conv)
            return s;
    }
    return CORR_NONE;
}

/* Where most packets of each branch come from. */
static void parents_find(const struct corr_judge *j, const uint32_t *packets, uint32_t n,
                         struct branch *branches, uint32_t k)
{
    uint32_t *votes = g_new0(uint32_t, (size_t)k * k);

    for (uint32_t i = 0; i < n && i < PARENT_PACKETS; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, packets[i]);

        for (uint32_t b = 0; b < k; b++) {
            uint32_t s = seen_at(j, packet, branches[b].conv), prev;

            if (s == CORR_NONE || (prev = corr_result_sighting(j->result, s)->prev) == CORR_NONE)
                continue;
            prev = j->result->obs_conv[corr_result_sighting(j->result, prev)->obs];
            for (uint32_t a = 0; a < k; a++)
                votes[b * k + a] += branches[a].conv == prev;
        }
    }
    for (uint32_t b = 0; b < k; b++)
        for (uint32_t a = 0, most = 0; a < k; a++)
            if (votes[b * k + a] > most) {
                most = votes[b * k + a];
                branches[b].parent = a;
            }
    g_free(votes);
}

/* The branch shows a packet again: what is to be said of those that it did not show? */
static void settle(struct corr_judge *j, const struct branch *branch, const struct branch *parent,
                   GArray *missing)
{
    uint32_t n = missing->len;
    int64_t from = 0, to = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = g_array_index(missing, uint32_t, i);
        struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
        uint32_t s = seen_at(j, packet, parent->conv);
        int64_t t = corr_result_obs(j->result, corr_result_sighting(j->result, s))->time_ns;

        from = i == 0 ? t : from;
        to = t;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = g_array_index(missing, uint32_t, i);
        struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
        uint32_t s = seen_at(j, packet, parent->conv);
        const struct corr_obs *at = corr_result_obs(j->result, corr_result_sighting(j->result, s));
        const char *gap = corr_verdict_gap(j, parent->point, branch->point, at->time_ns);

        if (packet->fate != CORR_FATE_ARRIVED)
            continue; /* one branch stands for it */
        if (gap == NULL && n >= LEFT_MIN && to - from >= LEFT_NS)
            gap = "not subscribed, perhaps, at";
        if (gap != NULL)
            corr_verdict_undetermine(packet, s, branch->point, gap);
        else
            corr_verdict_lose(packet, CORR_FATE_PROBABLE, s, branch->point, 0);
    }
    g_array_set_size(missing, 0);
}

/* Was the packet seen behind the branch?  Then it passed there unseen. */
static bool seen_behind(const struct corr_judge *j, const struct corr_packet *packet, uint32_t conv)
{
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        uint32_t at = j->result->obs_conv[corr_result_sighting(j->result, s)->obs];

        if (corr_order_compare(j->result, packet->flow, packet->dir, conv, at) < 0)
            return true;
    }
    return false;
}

/*
 * In the order in which the parent showed the packets: their numbers follow the file, where all of
 * a branch's frames may come first because its clock is wrong.
 */
static void branch_judge(struct corr_judge *j, const struct branch *branch,
                         const struct branch *parent, const uint32_t *packets, uint32_t n)
{
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(struct shown));
    g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    bool begun = false; /* the branch has shown something */

    for (uint32_t i = 0; i < n; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, packets[i]);
        struct shown shown = {0, packets[i]};
        uint32_t s;

        if (packet->ambiguous || !packet->ordered ||
            (s = seen_at(j, packet, parent->conv)) == CORR_NONE)
            continue;
        shown.obs = corr_result_sighting(j->result, s)->obs;
        g_array_append_val(order, shown);
    }
    shown_sort((struct shown *)(void *)order->data, order->len);
    for (uint32_t i = 0; i < order->len; i++) {
        uint32_t index = g_array_index(order, struct shown, i).packet;
        const struct corr_packet *packet = corr_result_packet(j->result, index);

        if (seen_at(j, packet, branch->conv) != CORR_NONE) {
            settle(j, branch, parent, missing);
            begun = true;
        } else if (begun && !seen_behind(j, packet, branch->conv)) {
            g_array_append_val(missing, index);
        }
    }
}

static void flow_judge(struct corr_judge *j, const struct corr_flow *flow, const uint32_t *packets,
                       uint32_t n)
{
    uint32_t k = flow->convs->len;
    g_autofree struct branch *branches = g_new0(struct branch, k);

    for (uint32_t b = 0; b < k; b++) {
        uint32_t conv = g_array_index(flow->convs, struct corr_member, b).conv;

        branches[b] = (struct branch){conv, corr_result_conv(j->result, conv)->point, CORR_NONE};
    }
    parents_find(j, packets, n, branches, k);
    for (uint32_t b = 0; b < k; b++)
        if (branches[b].parent != CORR_NONE)
            branch_judge(j, &branches[b], &branches[branches[b].parent], packets, n);
}

void corr_branches_judge(struct corr_judge *j)
{
    uint32_t n_flows = j->result->flows->len;
    GPtrArray *packets = g_ptr_array_new(); /* of multicast flows: GArray of uint32_t, or NULL */

    g_ptr_array_set_size(packets, (gint)n_flows);
    for (uint32_t f = 0; f < n_flows; f++)
        if (is_multicast(j, corr_result_flow(j->result, f)))
            packets->pdata[f] = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (uint32_t p = 0; p < j->result->packets->len; p++) {
        uint32_t flow = corr_result_packet(j->result, p)->flow;

        if (flow != CORR_NONE && packets->pdata[flow] != NULL &&
            corr_result_packet(j->result, p)->dir == 0)
            g_array_append_val((GArray *)packets->pdata[flow], p);
    }
    for (uint32_t f = 0; f < n_flows; f++) {
        GArray *of = packets->pdata[f];

        if (of == NULL)
            continue;
        flow_judge(j, corr_result_flow(j->result, f), (const uint32_t *)(void *)of->data, of->len);
        g_array_unref(of);
    }
    g_ptr_array_unref(packets);
}
