/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_match_rewrite.c - payloads that are not the same at all points, and packets that are. */
#include "test_match.h"
#include "world.h"

struct stage {
    struct world *w;
    uint32_t points[3];
    struct way way;
};

static struct stage stage_new(void)
{
    struct stage s = {.w = world_new()};

    s.points[0] = world_point(s.w, "a");
    s.points[1] = world_point(s.w, "b");
    s.points[2] = world_point(s.w, "c");
    s.way = way_of(s.points, 3, MS(1));
    return s;
}

/* Bits are flipped between b and c in every fifth packet. */
static void damaged_packets(uint8_t proto)
{
    struct stage s = stage_new();
    uint32_t seen[40];

    for (unsigned i = 0; i < 40; i++) {
        struct shape p = proto == TCP ? tcp(1, 5000, 2, 80, ACK, 1001 + 500 * i, 7001)
                                      : udp(1, 5000, 2, 80, i + 1);

        p.ip_id = (uint16_t)(100 + i);
        p.len = 500;
        if (proto == TCP) {
            p.content = 3;
            p.content_at = 500 * i;
        }
        seen[i] = walk(s.w, &s.way, MS(10 * i), p, 2);
        p.ttl = 63;
        p.damage = i % 5 == 4 ? 21 : 0;
        world_see(s.w, s.points[2], MS(10 * i + 2), &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 40; i++) {
        assert_same(s.w, seen[i], seen[i] + 1);
        assert_same(s.w, seen[i], seen[i] + 2);
        g_assert_false(world_sighting(s.w, seen[i] + 1)->corrupt);
        g_assert_cmpint(world_sighting(s.w, seen[i] + 2)->corrupt, ==, i % 5 == 4);
    }
    world_free(s.w);
}

static void damaged_segments(void)
{
    damaged_packets(TCP);
}

static void damaged_datagrams(void)
{
    damaged_packets(UDP);
}

/* A wrong checksum that every point shows is the sender's: no damage between the points. */
static void wrong_everywhere(void)
{
    struct stage s = stage_new();
    uint32_t seen[20];

    for (unsigned i = 0; i < 20; i++) {
        struct shape p = udp(1, 5000, 2, 80, i + 1);

        p.ip_id = (uint16_t)(100 + i);
        p.damage = 9;
        seen[i] = walk(s.w, &s.way, MS(10 * i), p, 3);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 20; i++)
        for (unsigned k = 0; k < 3; k++) {
            assert_same(s.w, seen[i], seen[i] + k);
            g_assert_false(world_sighting(s.w, seen[i] + k)->corrupt);
        }
    world_free(s.w);
}

/* Near miss: damaged, and two datagrams could be what it was: it is neither. */
static void damaged_twin(void)
{
    struct stage s = stage_new();
    struct shape p = udp(1, 5000, 2, 80, 1), other;
    uint32_t good, bad;

    walk(s.w, &s.way, 0, udp(1, 5000, 2, 80, 50), 3);
    p.ip_id = 0;
    p.len = 4;
    good = walk(s.w, &s.way, MS(10), p, 2);
    other = p;
    other.content = 2;
    other.damage = 3;
    bad = world_see(s.w, s.points[2], MS(12), &other);
    world_run(s.w);
    assert_other(s.w, good, bad);
    g_assert_false(world_sighting(s.w, bad)->corrupt);
    world_free(s.w);
}

void add_rewrite_tests(void)
{
    g_test_add_func("/match/rewrite/damaged segments are matched and marked", damaged_segments);
    g_test_add_func("/match/rewrite/damaged datagrams are matched by residual and ID",
                    damaged_datagrams);
    g_test_add_func("/match/rewrite/a checksum that is wrong everywhere marks nothing",
                    wrong_everywhere);
    g_test_add_func("/match/rewrite/a damaged datagram of another content is another",
                    damaged_twin);
}
