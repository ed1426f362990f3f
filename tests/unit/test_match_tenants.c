/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_match_tenants.c - equal addresses, ports and bytes in several virtual networks. */
#include "test_match.h"
#include "world.h"

#define PACKETS 20u

/*
 * Tenants 10 and 20 send equal packets; point b shows their VLANs, or none.
 * seen[t][i] is tenant t's packet i at a; the next sighting is that at b.
 */
static struct world *tenants_run(unsigned n_tenants, bool tagged, uint32_t seen[2][PACKETS])
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b");

    for (unsigned i = 0; i < PACKETS; i++)
        for (unsigned t = 0; t < n_tenants; t++) {
            struct shape p = udp(1, 5000, 2, 80, i + 1);
            uint16_t vlan = (uint16_t)(10 + 10 * t);

            p.ip_id = (uint16_t)(1000 + i);
            p.vlan = vlan;
            p.mac = (uint8_t)(1 + t);
            seen[t][i] = world_see(w, a, MS(10 * i) + US(30 * t), &p);
            p.vlan = tagged ? vlan : 0;
            p.ttl = 63;
            p.mac = (uint8_t)(5 + t);
            world_see(w, b, MS(10 * i + 2) + US(30 * t), &p);
        }
    world_run(w);
    return w;
}

/* Nobody can tell: each sighting has a number of its own, and none is a copy. */
static void context_stripped(void)
{
    uint32_t seen[2][PACKETS];
    struct world *w = tenants_run(2, false, seen);

    for (uint32_t i = 0; i < w->seen->len; i++) {
        assert_world_field(w, i, ambiguous, "1");
        assert_world_field(w, i, duplicate, NULL);
        assert_world_field(w, i, hop, NULL);
        assert_world_field(w, i, dropped, NULL);
        assert_world_field(w, i, match_count, "1");
    }
    world_free(w);
}

static void context_shown(void)
{
    uint32_t seen[2][PACKETS];
    struct world *w = tenants_run(2, true, seen);

    for (unsigned i = 0; i < PACKETS; i++) {
        for (unsigned t = 0; t < 2; t++) {
            assert_same(w, seen[t][i], seen[t][i] + 1);
            assert_world_field(w, seen[t][i], ambiguous, NULL);
        }
        assert_other(w, seen[0][i], seen[1][i]);
    }
    world_free(w);
}

/* One tenant alone may lose its tag: there is nobody to mistake it for. */
static void one_tenant(void)
{
    uint32_t seen[2][PACKETS];
    struct world *w = tenants_run(1, false, seen);

    for (unsigned i = 0; i < PACKETS; i++)
        assert_same(w, seen[0][i], seen[0][i] + 1);
    world_free(w);
}

void add_tenant_tests(void)
{
    g_test_add_func("/match/tenants/kept apart by their networks", context_shown);
    g_test_add_func("/match/tenants/ambiguous where one point mixes them", context_stripped);
    g_test_add_func("/match/tenants/a single network is no doubt", one_tenant);
}
