/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_match_cells.c - TCP data meets by bytes, however it was cut. */
#include "test_match.h"
#include "world.h"

static struct shape data(uint32_t isn, uint32_t at, uint32_t len)
{
    struct shape s = tcp(1, 5000, 2, 80, ACK, isn + 1 + at, 7001);

    s.content = 3;
    s.content_at = at;
    s.len = len;
    return s;
}

struct stage {
    struct world *w;
    uint32_t a, b;
    struct way way;
};

static struct stage stage_new(void)
{
    struct stage s = {.w = world_new()};
    uint32_t points[2];

    s.a = points[0] = world_point(s.w, "a");
    s.b = points[1] = world_point(s.w, "b");
    s.way = way_of(points, 2, MS(1));
    return s;
}

static void super_segment(uint32_t isn)
{
    struct stage s = stage_new();
    struct shape large = data(isn, 0, 45 * 1448), small;
    uint32_t whole, first;

    large.ip_id = 1000;
    walk(s.w, &s.way, 0, tcp(1, 5000, 2, 80, SYN, isn, 0), 2);
    whole = world_see(s.w, s.a, MS(1), &large);
    first = s.w->seen->len;
    for (unsigned i = 0; i < 45; i++) {
        small = data(isn, i * 1448, 1448);
        small.ip_id = (uint16_t)(1000 + i);
        small.ttl = 63;
        world_see(s.w, s.b, MS(2) + US(i), &small);
    }
    world_run(s.w);
    g_assert_cmpuint(world_packets(s.w, whole), ==, 45);
    for (unsigned i = 0; i < 45; i++) {
        const struct corr_packet *p = world_packet_of(s.w, first + i);

        g_assert_cmpuint(world_packets(s.w, first + i), ==, 1);
        g_assert_cmpuint(p->n, ==, 2);
        g_assert_cmpuint(p->len, ==, 1448);
        g_assert_cmpint(p->to - p->from, ==, 1448);
        g_assert_cmpuint(world_packet(s.w, first + i), ==, world_packet(s.w, whole) + i);
    }
    world_free(s.w);
}

static void super_segment_plain(void)
{
    super_segment(1000);
}

static void super_segment_wraps(void)
{
    super_segment(UINT32_MAX - 20000);
}

/* a cuts at 1000, 2000, 3000; b at 1500, 3000: pieces 0-1000-1500-2000-3000. */
static void common_refinement(void)
{
    struct stage s = stage_new();
    struct shape p;
    uint32_t a[3], b[2];

    for (unsigned i = 0; i < 3; i++) {
        p = data(50, i * 1000, 1000);
        a[i] = world_see(s.w, s.a, MS(1 + i), &p);
    }
    for (unsigned i = 0; i < 2; i++) {
        p = data(50, i * 1500, 1500);
        b[i] = world_see(s.w, s.b, MS(6 + i), &p);
    }
    world_run(s.w);
    g_assert_cmpuint(world_packets(s.w, a[0]), ==, 1);
    g_assert_cmpuint(world_packets(s.w, a[1]), ==, 2);
    g_assert_cmpuint(world_packets(s.w, a[2]), ==, 1);
    g_assert_cmpuint(world_packets(s.w, b[0]), ==, 2);
    g_assert_cmpuint(world_packets(s.w, b[1]), ==, 2);
    assert_same(s.w, a[0], b[0]);
    g_assert_cmpuint(corr_engine_result(s.w->engine)->packets->len, ==, 4);
    world_free(s.w);
}

/* Bytes 0-1000 and 1000-2000 pass; then 500-1500 is sent again. */
static void overlapping_retransmission(void)
{
    struct stage s = stage_new();
    struct shape p;
    uint32_t one, two, again;

    p = data(50, 0, 1000);
    p.ip_id = 10;
    one = walk(s.w, &s.way, MS(1), p, 2);
    p = data(50, 1000, 1000);
    p.ip_id = 11;
    two = walk(s.w, &s.way, MS(2), p, 2);
    p = data(50, 500, 1000);
    p.ip_id = 12;
    again = walk(s.w, &s.way, MS(300), p, 2);
    world_run(s.w);
    assert_same(s.w, one, one + 1);
    assert_same(s.w, two, two + 1);
    assert_same(s.w, again, again + 1);
    assert_other(s.w, one, again);
    assert_other(s.w, two, again);
    assert_other(s.w, one, two);
    for (uint32_t i = 0; i < s.w->seen->len; i++)
        for (uint32_t k = 0; k < s.w->seen->len; k++)
            if (i / 2 != k / 2)
                assert_other(s.w, i, k);
    world_free(s.w);
}

/* Equal length and headers but an ACK between: pure ACKs are packets by their numbers. */
static void acks_meet_by_numbers(void)
{
    struct stage s = stage_new();
    uint32_t seen[30];

    for (unsigned i = 0; i < 30; i++) {
        struct shape p = tcp(2, 80, 1, 5000, ACK, 7001, 1000 + 1448 * i);

        seen[i] = walk_back(s.w, &s.way, MS(i), p, 2);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 30; i++) {
        assert_same(s.w, seen[i], seen[i] + 1);
        for (unsigned k = 0; k < i; k++)
            assert_other(s.w, seen[i], seen[k]);
    }
    world_free(s.w);
}

static void mirror_copies(void)
{
    struct stage s = stage_new();
    uint32_t seen[12];

    for (unsigned i = 0; i < 12; i++) {
        struct shape p = data(50, i * 100, 100);

        p.ip_id = (uint16_t)(500 + i);
        seen[i] = walk(s.w, &s.way, MS(10 * i), p, 2);
        p.ttl = 63;
        p.mac = (uint8_t)(s.b + 1);
        world_see(s.w, s.b, MS(10 * i + 1) + US(3), &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 12; i++) {
        assert_same(s.w, seen[i], seen[i] + 1);
        assert_same(s.w, seen[i], seen[i] + 2);
        assert_world_field(s.w, seen[i], duplicate, NULL);
        assert_world_field(s.w, seen[i] + 1, duplicate, NULL);
        assert_world_field(s.w, seen[i] + 2, duplicate, "1");
    }
    world_free(s.w);
}

static void snap_length(void)
{
    struct stage s = stage_new();
    uint32_t seen[20];

    for (unsigned i = 0; i < 20; i++) {
        struct shape p = udp(1, 1000, 2, 53, i / 2 + 1);

        p.len = 600;
        p.content = 1 + i;
        seen[i] = world_see(s.w, s.a, MS(10 * i), &p);
        p.snap = 14 + 28 + 40; /* 40 bytes of payload */
        p.ttl = 63;
        world_see(s.w, s.b, MS(10 * i + 1), &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 20; i++)
        assert_same(s.w, seen[i], seen[i] + 1);
    world_free(s.w);
}

/* Every frame of a large transfer overlaps every other: bounded work, no crash, all numbered. */
static void hostile_overlaps(void)
{
    struct stage s = stage_new();

    for (unsigned i = 0; i < 3000; i++) {
        struct shape p = data(50, i, 3000);

        p.snap = 100;
        p.len = 1400;
        world_see(s.w, i % 2, US(10 * i), &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 3000; i++)
        g_assert_cmpuint(world_packets(s.w, i), >=, 1);
    world_free(s.w);
}

void add_cell_tests(void)
{
    g_test_add_func("/match/cells/a super-segment holds one packet for each of 45 TCP segments",
                    super_segment_plain);
    g_test_add_func("/match/cells/across the wrap of sequence numbers", super_segment_wraps);
    g_test_add_func("/match/cells/where cuts overlap, the common refinement", common_refinement);
    g_test_add_func("/match/cells/an overlapping retransmission is another packet",
                    overlapping_retransmission);
    g_test_add_func("/match/cells/acknowledgements meet by their numbers", acks_meet_by_numbers);
    g_test_add_func("/match/cells/mirror copies carry the same number and are duplicates",
                    mirror_copies);
    g_test_add_func("/match/cells/digests compare at the largest prefix that two share",
                    snap_length);
    g_test_add_func("/match/cells/hostile overlaps are bounded", hostile_overlaps);
}
