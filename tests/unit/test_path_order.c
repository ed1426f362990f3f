/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path_order.c - in which order do packets pass the points? and hops from it. */
#include "path/order.h"
#include "test_path.h"
#include "world.h"

static struct world *net(unsigned n, struct way *way)
{
    struct world *w = world_new();
    uint32_t points[WORLD_POINTS];

    for (unsigned i = 0; i < n; i++) {
        char *name = g_strdup_printf("p%u", i);

        points[i] = world_point(w, name);
        g_free(name);
    }
    *way = way_of(points, n, MS(1));
    return w;
}

/* `n` questions and answers; the first sightings are every way->n. */
static void talk(struct world *w, const struct way *way, unsigned n, bool answers)
{
    for (unsigned i = 0; i < n; i++) {
        struct shape p = udp(1, 5000, 2, 53, 1 + i), q = turned(&p);

        q.content += 1000000;
        p.ip_id = (uint16_t)(i + 1);
        q.ip_id = (uint16_t)(i + 30000);
        walk(w, way, MS(100 * i), p, way->n);
        if (answers)
            walk_back(w, way, MS(100 * i + 50), q, way->n);
    }
}

static void assert_hops(const struct world *w, unsigned n)
{
    for (uint32_t i = 0; i < w->seen->len; i++) {
        const struct corr_sighting *s = world_sighting(w, i);
        const struct corr_result *r = corr_engine_result(w->engine);

        assert_same(w, i, i / n * n);
        g_assert_cmpuint(s->hop, ==, i % n + 1);
        if (i % n == 0) {
            g_assert_cmpuint(s->prev, ==, CORR_NONE);
        } else {
            const struct corr_obs *prev = corr_result_obs(r, corr_result_sighting(r, s->prev));

            g_assert_cmpuint(prev->frame, ==, world_number(w, i - 1));
        }
        g_assert_true(world_packet_of(w, i)->ordered);
    }
}

static void nesting(void)
{
    struct way way;
    struct world *w = net(4, &way);

    way.routed = false; /* bridges: no TTL helps */
    w->clocks[0].offset_ns = SEC(3600) * 5;
    w->clocks[1].offset_ns = -SEC(3600) * 7;
    w->clocks[3].offset_ns = SEC(40);
    talk(w, &way, 10, true);
    world_run(w);
    assert_hops(w, 4);
    assert_world_field(w, 0, path, "p0 > p1 > p2 > p3");
    assert_world_field(w, 4, path, "p3 > p2 > p1 > p0");
    world_free(w);
}

static void ttl_one_way(void)
{
    struct way way;
    struct world *w = net(3, &way);

    w->clocks[0].offset_ns = SEC(3600);
    talk(w, &way, 5, false);
    world_run(w);
    assert_hops(w, 3);
    world_free(w);
}

static void unknown_stays_unknown(void)
{
    struct way way;
    struct world *w = net(3, &way);

    way.routed = false;
    talk(w, &way, 5, false); /* one way, bridged: a clock that is off explains any order */
    world_run(w);
    for (uint32_t i = 0; i < w->seen->len; i++) {
        assert_same(w, i, i / 3 * 3);
        assert_world_field(w, i, hop, NULL);
        assert_world_field(w, i, prev_frame, NULL);
        assert_world_field(w, i, hop_latency, NULL);
        assert_world_field(w, i, dropped, NULL);
        g_assert_false(world_packet_of(w, i)->ordered);
    }
    world_free(w);
}

/* TTLs that fall at one point and then at the other: no order is claimed. */
static void contradiction(void)
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b");

    for (unsigned i = 0; i < 10; i++) {
        struct shape p = udp(1, 5000, 2, 53, 1 + i);

        p.ttl = i % 2 ? 60 : 50;
        world_see(w, a, MS(10 * i), &p);
        p.ttl = i % 2 ? 50 : 60;
        world_see(w, b, MS(10 * i + 1), &p);
    }
    world_run(w);
    for (uint32_t i = 0; i < w->seen->len; i++)
        assert_world_field(w, i, hop, NULL);
    world_free(w);
}

/* Cyclic evidence among three points is taken back, not turned into an order. */
static void cycle(void)
{
    struct world *w = world_new();
    uint32_t p[3] = {world_point(w, "a"), world_point(w, "b"), world_point(w, "c")};
    const struct corr_result *r;
    const struct corr_flow *flow;

    for (unsigned i = 0; i < 30; i++) {
        struct shape s = udp(1, 5000, 2, 53, 1 + i);

        s.ttl = 60;
        world_see(w, p[i % 3], MS(10 * i), &s);
        s.ttl = 59;
        world_see(w, p[(i + 1) % 3], MS(10 * i + 1), &s);
    }
    world_run(w);
    r = corr_engine_result(w->engine);
    flow = corr_result_flow(r, 0);
    g_assert_cmpuint(flow->convs->len, ==, 3);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < 3; k++) {
            uint32_t x = g_array_index(flow->convs, struct corr_member, i).conv;
            uint32_t y = g_array_index(flow->convs, struct corr_member, k).conv;

            g_assert_cmpint(corr_order_compare(r, 0, 0, x, y), ==, 0);
        }
    world_free(w);
}

static void chain_of_twenty(void)
{
    struct way way;
    struct world *w = net(20, &way);

    for (unsigned i = 0; i < 20; i++)
        w->clocks[i].offset_ns = (i * 7919 % 23) * SEC(100);
    talk(w, &way, 6, true);
    world_run(w);
    assert_hops(w, 20);
    world_free(w);
}

/* Two bridges in a chain of routers: what no pair shows follows from the others. */
static void loss_does_not_confuse(void)
{
    struct way way;
    struct world *w = net(4, &way);
    uint32_t first[40];

    way.routed = false;
    w->clocks[2].offset_ns = SEC(3600);
    for (unsigned i = 0; i < 40; i++) {
        struct shape p = udp(1, 5000, 2, 53, 1 + i), q = turned(&p);

        q.content += 1000000;
        p.ip_id = (uint16_t)(i + 1);
        q.ip_id = (uint16_t)(i + 30000);
        first[i] = walk(w, &way, MS(100 * i), p, i % 7 == 3 ? 1 + i % 3 : 4);
        walk_back(w, &way, MS(100 * i + 50), q, i % 5 == 2 ? 2 : 4);
    }
    world_run(w);
    for (unsigned i = 0; i < 40; i++)
        for (unsigned k = 0; k < (i % 7 == 3 ? 1 + i % 3 : 4); k++) {
            assert_same(w, first[i], first[i] + k);
            g_assert_cmpuint(world_sighting(w, first[i] + k)->hop, ==, k + 1);
        }
    world_free(w);
}

static void copies_have_their_originals_hop(void)
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b"), c = world_point(w, "c");

    for (unsigned i = 0; i < 12; i++) {
        struct shape p = udp(1, 5000, 2, 53, 1 + i);

        p.ip_id = (uint16_t)(i + 1);
        world_see(w, a, MS(10 * i), &p);
        p.ttl = 63;
        world_see(w, b, MS(10 * i + 1), &p);
        world_see(w, b, MS(10 * i + 1) + US(2), &p);
        p.ttl = 62;
        world_see(w, c, MS(10 * i + 2), &p);
    }
    world_run(w);
    for (uint32_t i = 0; i < 48; i += 4) {
        char *b_frame = g_strdup_printf("%u", world_number(w, i + 1));
        char *c_frame = g_strdup_printf("%u", world_number(w, i + 3));

        assert_world_field(w, i + 1, hop, "2");
        assert_world_field(w, i + 2, hop, "2");
        assert_world_field(w, i + 3, hop, "3");
        assert_world_field(w, i + 2, duplicate, "1");
        assert_world_field(w, i + 2, hop_latency, NULL);
        assert_world_field(w, i, next_frame, b_frame);
        assert_world_field(w, i + 3, prev_frame, b_frame);
        assert_world_field(w, i + 1, next_frame, c_frame);
        assert_world_field(w, i, path, "a > b > c");
        g_free(b_frame);
        g_free(c_frame);
    }
    world_free(w);
}

static void rank(struct world *w, uint32_t point, uint32_t rank)
{
    struct corr_point_settings settings = {.rank = rank};

    corr_engine_set_point(w->engine, point, &settings);
}

/* One way and bridged: frames show no order; the user knows it. */
static void ranks_tell(void)
{
    struct way way;
    struct world *w = net(3, &way);

    way.routed = false;
    for (unsigned i = 0; i < 3; i++)
        rank(w, i, i + 1);
    talk(w, &way, 5, false);
    world_run(w);
    assert_hops(w, 3);
    /* Settings may change at any time, and answers follow. */
    for (unsigned i = 0; i < 3; i++)
        rank(w, i, 0);
    corr_engine_settle(w->engine);
    assert_world_field(w, 0, hop, NULL);
    world_free(w);
}

/* Ranks are places, not directions: packets show that this flow goes the other way. */
static void ranks_in_reverse(void)
{
    struct way way;
    struct world *w = net(3, &way);

    rank(w, 0, 9);
    rank(w, 1, 5);
    rank(w, 2, 1);
    talk(w, &way, 5, true);
    world_run(w);
    assert_hops(w, 3);
    world_free(w);
}

/* A middle that nothing but the user places, between ends that packets order. */
static void ranks_go_before_evidence(void)
{
    struct way way;
    struct world *w = net(4, &way);

    rank(w, 0, 1);
    rank(w, 2, 2);
    rank(w, 1, 3);
    rank(w, 3, 4);
    talk(w, &way, 5, true);
    world_run(w);
    assert_world_field(w, 0, path, "p0 > p2 > p1 > p3");
    assert_world_field(w, 4, path, "p3 > p1 > p2 > p0");
    world_free(w);
}

void add_order_tests(void)
{
    g_test_add_func("/path/order/ranks order what frames do not", ranks_tell);
    g_test_add_func("/path/order/ranks are places, packets show the direction", ranks_in_reverse);
    g_test_add_func("/path/order/ranks go before evidence", ranks_go_before_evidence);

    g_test_add_func("/path/order/nesting, with clocks hours apart", nesting);
    g_test_add_func("/path/order/TTL, one way", ttl_one_way);
    g_test_add_func("/path/order/what the evidence does not settle stays unknown",
                    unknown_stays_unknown);
    g_test_add_func("/path/order/contradicting evidence: unknown", contradiction);
    g_test_add_func("/path/order/a cycle is no order", cycle);
    g_test_add_func("/path/order/20 points in a chain", chain_of_twenty);
    g_test_add_func("/path/order/losses do not confuse it", loss_does_not_confuse);
    g_test_add_func("/path/hops/a mirror copy has its original's hop and is nobody's prev or next",
                    copies_have_their_originals_hop);
}
