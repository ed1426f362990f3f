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

/*
 * The server's numbers are shifted between b and c.  `proxied`: by a SYN proxy, which
 * makes the handshake with c after that with a; else by a firewall that passes it on.
 */
static void one_way_shift(bool proxied)
{
    struct stage s = stage_new();
    const uint32_t shift = 0x50000000;
    struct shape p;
    uint32_t syn, syn_c, answer, answer_c, data[10];

    p = tcp(1, 5000, 2, 80, SYN, 1000, 0);
    p.ip_id = 500;
    syn = walk(s.w, &s.way, 0, p, 2);
    p.ip_id = proxied ? 7777 : 500;
    p.ttl = proxied ? 64 : 63;
    syn_c = world_see(s.w, s.points[2], proxied ? MS(10) : MS(2), &p);
    p = tcp(2, 80, 1, 5000, SYN | ACK, 3000, 1001);
    p.window = 400;
    answer_c = world_see(s.w, s.points[2], proxied ? MS(11) : MS(3), &p);
    p.seq += shift;
    p.window = proxied ? 0 : 400;
    answer = world_see(s.w, s.points[1], MS(4), &p);
    for (unsigned i = 0; i < 10; i++) {
        p = tcp(2, 80, 1, 5000, ACK, 3001 + 300 * i, 1001);
        p.len = 300;
        p.content = 4;
        p.content_at = 300 * i;
        p.ip_id = (uint16_t)(900 + i);
        data[i] = world_see(s.w, s.points[2], MS(20 + 5 * i), &p);
        p.seq += shift;
        p.ttl = 63;
        world_see(s.w, s.points[1], MS(21 + 5 * i), &p);
        world_see(s.w, s.points[0], MS(22 + 5 * i), &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 10; i++) {
        assert_same(s.w, data[i], data[i] + 1);
        assert_same(s.w, data[i], data[i] + 2);
    }
    assert_same(s.w, syn, syn + 1);
    if (proxied) {
        assert_other(s.w, syn, syn_c);
        assert_other(s.w, answer, answer_c);
        assert_world_field(s.w, syn + 1, dropped, NULL);
        assert_world_field(s.w, answer_c, dropped, NULL);
    } else {
        assert_same(s.w, syn, syn_c);
        assert_same(s.w, answer, answer_c);
    }
    world_free(s.w);
}

static void syn_proxy(void)
{
    one_way_shift(true);
}

static void one_way_randomiser(void)
{
    one_way_shift(false);
}

/* Near miss of a randomiser: a proxy sends the same bytes in packets of its own. */
static void relayed_bytes(void)
{
    struct stage s = stage_new();
    uint32_t seen[20];

    for (unsigned i = 0; i < 20; i++) {
        struct shape p = tcp(1, 5000, 2, 80, ACK, 1001 + 400 * i, 7001);

        p.len = 400;
        p.content = 3;
        p.content_at = 400 * i;
        p.ip_id = (uint16_t)(100 + i);
        p.ts = true;
        p.tsval = 5000 + 10 * i;
        p.tsecr = 70;
        seen[i] = walk(s.w, &s.way, MS(10 * i), p, 2);
        p.seq += 55555;
        p.ack += 66666;
        p.ip_id = (uint16_t)(4000 + i);
        p.tsval += 123456;
        world_see(s.w, s.points[2], MS(10 * i + 2), &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 20; i++) {
        assert_same(s.w, seen[i], seen[i] + 1);
        assert_other(s.w, seen[i], seen[i] + 2);
        assert_world_field(s.w, seen[i] + 1, dropped, NULL);
    }
    world_free(s.w);
}

void add_rewrite_tests(void)
{
    g_test_add_func("/match/rewrite/a SYN proxy makes its handshakes anew", syn_proxy);
    g_test_add_func("/match/rewrite/a firewall that shifts one direction passes them on",
                    one_way_randomiser);
    g_test_add_func("/match/rewrite/bytes that a proxy relays are no packets", relayed_bytes);
    g_test_add_func("/match/rewrite/damaged segments are matched and marked", damaged_segments);
    g_test_add_func("/match/rewrite/damaged datagrams are matched by residual and ID",
                    damaged_datagrams);
    g_test_add_func("/match/rewrite/a checksum that is wrong everywhere marks nothing",
                    wrong_everywhere);
    g_test_add_func("/match/rewrite/a damaged datagram of another content is another",
                    damaged_twin);
}
