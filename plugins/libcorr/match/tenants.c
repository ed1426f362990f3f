/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tenants may use the same addresses and ports, even the same sequence
 * numbers, in different VLANs or virtual networks.  Where a point shows equal
 * 5-tuples in several contexts and no router between them explains it, a local
 * flow belongs to the one in its own context; if there is none, to neither.
 */
#include <stdlib.h>
#include <string.h>

#include "match/link.h"

/* An edge as one of its local flows sees it. */
struct claim {
    uint32_t conv, point, other, edge;
};

static int claim_compare(const void *x, const void *y)
{
    const struct claim *a = x, *b = y;

    if (a->conv != b->conv)
        return a->conv < b->conv ? -1 : 1;
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    return a->edge < b->edge ? -1 : a->edge > b->edge;
}

static bool same_endpoints(const struct corr_conv *a, const struct corr_conv *b)
{
    for (unsigned flip = 0; flip < 2; flip++)
        if (corr_shared_addresses(a, b, flip) == 2 && a->end[0].port == b->end[flip].port &&
            a->end[1].port == b->end[!flip].port)
            return true;
    return false;
}

/* Does a router lie between two looks of one point at equal 5-tuples? */
static bool routed_between(const struct corr_work *work, uint32_t a, uint32_t b)
{
    for (unsigned d = 0; d < 2; d++)
        if (work->conv_seq[a].ttl[d] != 0 && work->conv_seq[b].ttl[d] != 0 &&
            work->conv_seq[a].ttl[d] != work->conv_seq[b].ttl[d])
            return true;
    return false;
}

/* Are these two local flows of one point those of two tenants? */
static bool are_tenants(const struct corr_work *work, uint32_t a, uint32_t b)
{
    const struct corr_conv *x = corr_result_conv(work->result, a);
    const struct corr_conv *y = corr_result_conv(work->result, b);

    return x->context_key != y->context_key && x->context_key != 0 && y->context_key != 0 &&
           same_endpoints(x, y) && !routed_between(work, a, b);
}

static void doubt_add(struct corr_work *work, uint32_t tenant, uint32_t mixed, bool flip)
{
    g_array_index(work->result->convs, struct corr_conv, mixed).mixed = true;
    work->doubts[tenant].mixed = mixed;
    work->doubts[tenant].flip = flip;
}

/* Refuses what a local flow has in common with tenants at another point. */
static void claims_refuse(struct corr_work *work, const GArray *edges, const struct claim *claims,
                          size_t n, bool *refused)
{
    const struct corr_conv *me = corr_result_conv(work->result, claims[0].conv);
    bool own = false, any = false;

    for (size_t k = 0; k < n; k++)
        own |= corr_result_conv(work->result, claims[k].other)->context_key == me->context_key;
    for (size_t k = 0; k < n; k++) {
        const struct corr_conv *x = corr_result_conv(work->result, claims[k].other);
        bool rival = false;

        for (size_t j = 0; j < n && !rival; j++)
            rival = j != k && are_tenants(work, claims[k].other, claims[j].other);
        if (!rival || x->context_key == me->context_key)
            continue;
        refused[claims[k].edge] = true;
        any = true;
    }
    for (size_t k = 0; k < n && any && !own; k++)
        if (refused[claims[k].edge])
            doubt_add(work, claims[k].other, claims[k].conv,
                      g_array_index(edges, struct corr_edge, claims[k].edge).flip);
}

void corr_tenants_refuse(struct corr_work *work, GArray *edges)
{
    struct claim *claims = g_new(struct claim, 2 * (size_t)edges->len + 1);
    bool *refused = g_new0(bool, edges->len + 1);
    uint32_t kept = 0;
    size_t n = 0;

    for (uint32_t i = 0; i < edges->len; i++) {
        const struct corr_edge *edge = &g_array_index(edges, struct corr_edge, i);
        const struct corr_conv *a = corr_result_conv(work->result, edge->conv_a);
        const struct corr_conv *b = corr_result_conv(work->result, edge->conv_b);

        if (a->point == b->point) {
            refused[i] = are_tenants(work, edge->conv_a, edge->conv_b);
            continue;
        }
        claims[n++] = (struct claim){edge->conv_a, b->point, edge->conv_b, i};
        claims[n++] = (struct claim){edge->conv_b, a->point, edge->conv_a, i};
    }
    if (n > 1)
        qsort(claims, n, sizeof *claims, claim_compare);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1;
             end < n && claims[end].conv == claims[i].conv && claims[end].point == claims[i].point;
             end++)
            ;
        if (end - i > 1)
            claims_refuse(work, edges, &claims[i], end - i, refused);
    }
    for (uint32_t i = 0; i < edges->len; i++)
        if (!refused[i])
            g_array_index(edges, struct corr_edge, kept++) =
                g_array_index(edges, struct corr_edge, i);
    g_array_set_size(edges, kept);
    g_free(claims);
    g_free(refused);
}
