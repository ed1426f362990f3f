/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces that hold several link segments, because a merge took them for one. */
#include <stdlib.h>
#include <string.h>

#include "store/hash.h"
#include "store/store-int.h"

/* Packets seen on two segments of one interface that prove it collapsed. */
#define PROOF 3u
/* Observations of local flows on several segments that are compared. */
#define COMPARED_MAX 200000u
/* A router's two looks at a packet are this close. */
#define ROUTED_NS INT64_C(1000000000)

/*
 * Which link segment?  The pair of MAC addresses, and the VLANs; a frame to a
 * group address belongs to no pair (0).
 */
static uint64_t segment_of(const uint8_t src[6], const uint8_t dst[6], uint32_t context_key)
{
    bool swap = memcmp(src, dst, 6) > 0;
    uint8_t pair[12];

    if ((src[0] | dst[0]) & 1)
        return 0;
    memcpy(pair, swap ? dst : src, 6);
    memcpy(pair + 6, swap ? src : dst, 6);
    return corr_hash_mix(corr_hash(pair, sizeof pair), context_key) | 1;
}

static uint64_t segment_of_l2(const struct corr_store *store, uint32_t l2)
{
    const struct corr_l2 *at = &g_array_index(store->l2s, struct corr_l2, l2);

    return segment_of(at->src, at->dst,
                      g_array_index(store->contexts, struct corr_context, at->context).key);
}

uint32_t corr_store_find_part(const struct corr_store *store, uint32_t base, uint64_t segment)
{
    const struct corr_point *of = corr_store_point(store, base);

    for (uint32_t i = 0; i < store->points->len; i++) {
        const struct corr_point *point = corr_store_point(store, i);

        if (point->section == of->section && point->interface == of->interface &&
            point->ifindex == of->ifindex && point->segment == segment)
            return i;
    }
    return CORR_NONE;
}

uint32_t corr_store_add_part(struct corr_store *store, uint32_t base, uint64_t segment,
                             const char *name)
{
    const struct corr_point *of = corr_store_point(store, base);
    uint32_t added;

    if (store->points->len >= UINT16_MAX - 1)
        return CORR_NONE;
    added = corr_store_append_point(store, of->section, of->interface, of->ifindex, name);
    ((struct corr_point *)g_ptr_array_index(store->points, added))->segment = segment;
    return added;
}

static uint32_t segment_point(struct corr_store *store, uint32_t base, uint64_t segment,
                              const uint8_t src[6], const uint8_t dst[6])
{
    bool swap = memcmp(src, dst, 6) > 0;
    const uint8_t *a = swap ? dst : src, *b = swap ? src : dst;
    uint32_t found;
    char *name;

    if (segment == 0)
        return base;
    found = corr_store_find_part(store, base, segment);
    if (found != CORR_NONE)
        return found;
    name = g_strdup_printf("%s/%02x%02x%02x-%02x%02x%02x", corr_store_point(store, base)->name,
                           a[3], a[4], a[5], b[3], b[4], b[5]);
    found = corr_store_add_part(store, base, segment, name);
    g_free(name);
    return found != CORR_NONE ? found : base;
}

uint32_t corr_store_segment(struct corr_store *store, uint32_t base,
                            const struct corr_parsed *packet)
{
    uint32_t context;

    if (!(packet->have & CORR_HAVE_MAC))
        return base;
    context = corr_store_find_context(store, packet);
    return segment_point(
        store, base,
        segment_of(packet->mac_src, packet->mac_dst,
                   g_array_index(store->contexts, struct corr_context, context).key),
        packet->mac_src, packet->mac_dst);
}

/* A sighting, reduced to what two looks at one packet have in common. */
struct look {
    uint64_t content;
    uint64_t segment;
    int64_t time_ns;
    uint32_t point;
    uint8_t ttl;
};

static int look_compare(const void *x, const void *y)
{
    const struct look *a = x, *b = y;

    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    if (a->content != b->content)
        return a->content < b->content ? -1 : 1;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return a->segment < b->segment ? -1 : a->segment > b->segment;
}

/* Counts packets that a point saw on two segments with a router between them: tenants whose
 * packets are equal share no router. */
static uint32_t *twice_count(const struct corr_store *store, GArray *looks)
{
    uint32_t *twice = g_new0(uint32_t, store->points->len + 1);

    if (looks->len > 1)
        g_array_sort(looks, look_compare);
    for (uint32_t i = 1; i < looks->len; i++) {
        const struct look *a = &g_array_index(looks, struct look, i - 1);
        const struct look *b = &g_array_index(looks, struct look, i);

        if (a->point == b->point && a->content == b->content && a->segment != b->segment &&
            a->ttl != b->ttl && b->time_ns - a->time_ns < ROUTED_NS)
            twice[a->point]++;
    }
    return twice;
}

/* Packets of 5-tuples that one point shows on several segments; others prove nothing. */
static GArray *looks_collect(const struct corr_store *store)
{
    GArray *looks = g_array_new(FALSE, FALSE, sizeof(struct look));
    uint64_t *first = g_new0(uint64_t, store->convs->len + 1);
    bool *several = g_new0(bool, store->convs->len + 1);
    uint64_t *segments = g_new(uint64_t, store->l2s->len + 1);

    for (uint32_t i = 0; i < store->l2s->len; i++)
        segments[i] = segment_of_l2(store, i);
    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        uint64_t segment = obs->have & CORR_HAVE_MAC ? segments[obs->l2] : 0;

        if (segment == 0 || corr_store_point(store, obs->point)->segment != 0)
            continue;
        several[obs->conv] |= first[obs->conv] != 0 && first[obs->conv] != segment;
        first[obs->conv] = segment;
    }
    for (uint32_t i = 0; i < store->obs->len && looks->len < COMPARED_MAX; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        struct look look = {.time_ns = obs->time_ns, .point = obs->point, .ttl = obs->ttl};

        if (!several[obs->conv] || !(obs->have & CORR_HAVE_MAC) || segments[obs->l2] == 0 ||
            !(obs->have & CORR_HAVE_IP_ID) || obs->ip_id == 0)
            continue;
        look.segment = segments[obs->l2];
        look.content = corr_hash_mix((uint64_t)obs->conv << 32 | obs->ip_id,
                                     (uint64_t)obs->seq << 32 | obs->ack);
        look.content = corr_hash_mix(look.content, (uint64_t)obs->len << 32 | obs->d32);
        g_array_append_val(looks, look);
    }
    g_free(first);
    g_free(several);
    g_free(segments);
    return looks;
}

void corr_store_move(struct corr_store *store, uint32_t i, uint32_t to)
{
    struct corr_obs *obs = &g_array_index(store->obs, struct corr_obs, i);
    struct corr_conv conv;

    if (to == obs->point)
        return;
    if (g_array_index(store->frame_point, uint16_t, obs->frame) == obs->point + 1) {
        struct corr_point *from = g_ptr_array_index(store->points, obs->point);
        struct corr_point *into = g_ptr_array_index(store->points, to);

        from->frames--;
        if (into->frames++ == 0)
            into->link = from->link;
        g_array_index(store->frame_point, uint16_t, obs->frame) = (uint16_t)(to + 1);
    }
    conv = *corr_store_conv(store, obs->conv);
    conv.point = to;
    obs->conv = corr_store_find_conv(store, &conv);
    /* Frames that came after an earlier split may have begun the local flow the other way. */
    if (conv.end[0].port != corr_store_conv(store, obs->conv)->end[0].port ||
        !corr_addr_equal(&conv.end[0].addr, &corr_store_conv(store, obs->conv)->end[0].addr))
        obs->dir ^= 1;
    obs->point = (uint16_t)to;
}

static void segment_move(struct corr_store *store, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(store, i);
    const struct corr_l2 *l2 = &g_array_index(store->l2s, struct corr_l2, obs->l2);

    if (corr_store_point(store, obs->point)->collapsed && obs->have & CORR_HAVE_MAC)
        corr_store_move(
            store, i,
            segment_point(store, obs->point, segment_of_l2(store, obs->l2), l2->src, l2->dst));
}

void corr_store_split_collapsed(struct corr_store *store)
{
    GArray *looks = looks_collect(store);
    uint32_t *twice = twice_count(store, looks);
    bool any = false;

    for (uint32_t p = 0; p < store->points->len; p++)
        if (twice[p] >= PROOF) {
            ((struct corr_point *)g_ptr_array_index(store->points, p))->collapsed = true;
            any = true;
        }
    for (uint32_t i = 0; any && i < store->obs->len; i++)
        segment_move(store, i);
    g_array_unref(looks);
    g_free(twice);
}
