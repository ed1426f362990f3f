/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Points that share one clock: several interfaces of a router, or probes of one kernel.  No
 * packet contradicts an offset of exactly nothing, although corridors are so narrow that
 * clocks of two hosts would stand out: NTP keeps them tens of microseconds apart, and left
 * to themselves they run off by parts per million.  That is likely, not proven, and is
 * called so: "same (assumed)".
 */
#include "path/clock-int.h"

/* Half width of the offset and of the drift that leave room for no other clock. */
#define HOST_NS 10000
#define HOST_PPM 2.0
/* Packets of each direction. */
#define HOST_PACKETS 5u

static bool is_one_clock(const struct corr_clock *clock, uint32_t p, uint32_t q)
{
    const struct corr_clock_pair *pair = corr_clock_pair(clock, p, q);
    const struct corr_clock_part *part;
    struct corr_clock_bounds bounds;
    double slow, fast;

    if (pair->n == 0 || pair->parts->len != 1)
        return false;
    part = corr_clock_part(pair, 0);
    bounds = corr_clock_bounds_at(part, part->from_ns + (part->to_ns - part->from_ns) / 2);
    corr_corridor_drift(&part->corridor, &slow, &fast);
    return MIN(part->n_upper, part->n_lower) >= HOST_PACKETS && corr_clock_is_bounded(&bounds) &&
           bounds.greatest_ns - bounds.least_ns <= 2 * HOST_NS && fast - slow <= 2 * HOST_PPM &&
           corr_corridor_has(&part->corridor, 0);
}

/* Nothing that is known of two points speaks against one clock. */
static bool may_be_one_clock(const struct corr_clock *clock, uint32_t p, uint32_t q)
{
    const struct corr_clock_pair *pair = corr_clock_pair(clock, p, q);

    if (clock->steps[p]->len > 0 || clock->steps[q]->len > 0)
        return false;
    for (uint32_t i = 0; pair->parts != NULL && i < pair->parts->len; i++)
        if (!corr_corridor_has(&corr_clock_part(pair, i)->corridor, 0))
            return false;
    return true;
}

void corr_clock_hosts_find(struct corr_clock *clock)
{
    for (uint32_t p = 0; p < clock->n; p++)
        clock->host[p] = p;
    /* Every member of a group must agree with every other. */
    for (uint32_t p = 0; p < clock->n; p++)
        for (uint32_t q = p + 1; q < clock->n; q++) {
            uint32_t into = clock->host[p], from = clock->host[q];
            bool agree = into != from && is_one_clock(clock, p, q);

            for (uint32_t x = 0; agree && x < clock->n; x++)
                for (uint32_t y = 0; agree && clock->host[x] == into && y < clock->n; y++)
                    agree = clock->host[y] != from || may_be_one_clock(clock, x, y);
            for (uint32_t x = 0; agree && x < clock->n; x++)
                if (clock->host[x] == from)
                    clock->host[x] = into;
        }
}
