/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_match_assign.c - equal packets: told apart where the evidence allows, else ambiguous. */
#include "test_match.h"
#include "world.h"

struct stage {
    struct world *w;
    struct way way;
};

/* Two points, and traffic without a choice both ways for the engine to learn from. */
static struct stage stage_new(int64_t delay_ns)
{
    struct stage s = {.w = world_new()};
    uint32_t points[2];

    points[0] = world_point(s.w, "a");
    points[1] = world_point(s.w, "b");
    s.way = way_of(points, 2, delay_ns);
    return s;
}

static void background(struct stage *s, int64_t step_ns, unsigned n, uint32_t jitter_ns)
{
    struct way way = s->way;
    struct random r = {5};

    for (unsigned i = 0; i < n; i++) {
        struct shape p = udp(7, 7000, 8, 8000, 100000 + i), q = turned(&p);

        p.ip_id = (uint16_t)(i + 1);
        q.content += 500000;
        q.ip_id = (uint16_t)(i + 20001);
        way.delay_ns[1] = s->way.delay_ns[1] + random_below(&r, jitter_ns + 1);
        walk(s->w, &way, i * step_ns, p, 2);
        walk_back(s->w, &way, i * step_ns + step_ns / 2, q, 2);
    }
}

static struct shape segment(uint16_t ip_id, uint32_t tsval)
{
    struct shape p = tcp(1, 5000, 2, 80, ACK, 1001, 2001);

    p.len = 500;
    p.content = 9;
    p.ip_id = ip_id;
    p.ts = tsval != 0;
    p.tsval = tsval;
    return p;
}

static void retransmission(uint16_t id, uint16_t id2, uint32_t ts, uint32_t ts2, bool learn)
{
    struct stage s = stage_new(MS(2));
    uint32_t lost, one, two;

    if (learn)
        background(&s, MS(20), 30, 0);
    one = walk(s.w, &s.way, MS(100), segment(id, ts), 2);
    two = walk(s.w, &s.way, MS(320), segment(id2, ts2), 2);
    lost = s.w->seen->len;
    {
        /* The same again, of which the first transmission is lost. */
        struct shape p = segment(id, ts);

        p.seq += 5000;
        p.content_at = 5000;
        walk(s.w, &s.way, MS(400), p, 1);
        p.ip_id = id2;
        p.tsval = ts2;
        walk(s.w, &s.way, MS(620), p, 2);
    }
    world_run(s.w);
    assert_same(s.w, one, one + 1);
    assert_same(s.w, two, two + 1);
    assert_other(s.w, one, two);
    g_assert_cmpuint(world_packet_of(s.w, lost)->n, ==, 1);
    assert_same(s.w, lost + 1, lost + 2);
    assert_other(s.w, lost, lost + 1);
    for (uint32_t i = one; i < s.w->seen->len; i++)
        g_assert_false(world_packet_of(s.w, i)->ambiguous);
    world_free(s.w);
}

static void by_ip_id(void)
{
    retransmission(40, 41, 0, 0, true);
}

static void by_time_stamp(void)
{
    retransmission(0, 0, 1000, 1220, true);
}

static void by_delay(void)
{
    retransmission(0, 0, 0, 0, true);
}

/* A frame that is asked why names the candidates that it beat, and by what. */
static void the_rivals_are_named(void)
{
    struct stage s = stage_new(MS(2));
    uint32_t one = walk(s.w, &s.way, MS(100), segment(40, 1000), 2);
    uint32_t two = walk(s.w, &s.way, MS(320), segment(41, 1220), 2);
    uint32_t three = walk(s.w, &s.way, MS(440), segment(0x2a, 1340), 2);
    g_autofree char *named = NULL;

    background(&s, MS(20), 30, 0);
    world_run(s.w);
    named = g_strdup_printf("aligned: same TCP sequence numbers and 500 bytes at 2 points, told "
                            "apart by IP identification 0x002a, time stamp 1340; not frames %u "
                            "and %u here, which are equal but for that",
                            world_number(s.w, one + 1), world_number(s.w, two + 1));
    assert_world_field(s.w, three + 1, why, named);
    world_free(s.w);
}

static void the_rivals_of_the_ambiguous_are_named(void)
{
    struct stage s = stage_new(MS(2));
    struct shape p = udp(1, 5000, 2, 53, 4);
    uint32_t at_a[2], lost;
    g_autofree char *named = NULL;

    background(&s, MS(20), 30, MS(9));
    p.ip_id = 0;
    p.df = true;
    for (unsigned i = 0; i < 2; i++)
        at_a[i] = world_see(s.w, 0, MS(100) + US(20) * i, &p);
    lost = world_see(s.w, 1, MS(104), &p);
    world_run(s.w);
    g_assert_true(world_packet_of(s.w, lost)->ambiguous);
    named = g_strdup_printf("ambiguous: 2 equal packets at one point, nobody could tell which is "
                            "which: frame %u here could be it, too",
                            world_number(s.w, at_a[1]));
    assert_world_field(s.w, at_a[0], why, named);
    world_free(s.w);
}

/* Identical datagrams, one of which is lost: `spacing` against `jitter`.  A queue keeps order. */
static void identical(int64_t spacing_ns, int64_t jitter_ns, bool queue, bool told_apart)
{
    int64_t last = 0;
    struct stage s = stage_new(MS(2));
    struct random r = {1};
    uint32_t at_a[60], at_b[60], lost = 23, alone = 0;
    struct shape p = udp(1, 5000, 2, 53, 4);

    p.ip_id = 0;
    p.df = true;
    background(&s, MS(20), 40, (uint32_t)jitter_ns);
    for (unsigned i = 0; i < 60; i++) {
        int64_t at = MS(100) + i * spacing_ns;
        int64_t then = at + MS(2) + random_below(&r, (uint32_t)jitter_ns);

        p.ttl = 64;
        at_a[i] = world_see(s.w, 0, at, &p);
        p.ttl = 63;
        last = queue ? MAX(last + 100, then) : then;
        if (i != lost)
            at_b[i] = world_see(s.w, 1, last, &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 60; i++) {
        if (i == lost) {
            alone += world_packet_of(s.w, at_a[i])->n == 1;
            continue;
        }
        if (told_apart)
            assert_same(s.w, at_a[i], at_b[i]);
        else
            alone += world_packet_of(s.w, at_a[i])->n == 1;
        /* Never a wrong pair. */
        for (unsigned k = 0; k < 60; k++)
            if (k != i && world_packet_of(s.w, at_a[k])->n > 1)
                assert_other(s.w, at_a[k], at_b[i]);
    }
    if (told_apart) {
        g_assert_cmpuint(alone, ==, 1);
    } else {
        g_assert_cmpuint(alone, >, 1);
    }
    if (world_packet_of(s.w, at_a[10])->ambiguous) {
        assert_world_field(s.w, at_a[10], ambiguous, "1");
        assert_world_field(s.w, at_a[10], hop, NULL);
        assert_world_field(s.w, at_a[10], dropped, NULL);
        assert_world_field(s.w, at_a[10], match_count, "1");
    }
    world_free(s.w);
}

static void identical_far_apart(void)
{
    identical(MS(10), US(200), false, true);
}

static void identical_close(void)
{
    identical(US(2), MS(1), true, false);
}

static void identical_close_reordered(void)
{
    identical(US(2), MS(1), false, false);
}

/* Groups keep exact counts although no pair is known. */
static void counts(uint32_t src, uint32_t dst)
{
    struct stage s = stage_new(MS(2));
    const struct corr_result *r;
    struct random random = {9};
    struct shape p = udp(src, 5000, dst, 53, 4);
    uint32_t from = 0, to = 0;
    int64_t last = 0;

    background(&s, MS(20), 40, 1000000);
    for (unsigned i = 0; i < 50; i++) {
        p.ttl = 64;
        world_see(s.w, 0, MS(300) + US(2 * i), &p);
        p.ttl = 63;
        last = MAX(last + 100, MS(302) + US(2 * i) + random_below(&random, 1000000));
        if (i % 10 != 5)
            world_see(s.w, 1, last, &p);
    }
    world_run(s.w);
    r = corr_engine_result(s.w->engine);
    for (uint32_t i = 0; i < r->groups->len; i++) {
        from += g_array_index(r->groups, struct corr_group, i).n_from;
        to += g_array_index(r->groups, struct corr_group, i).n_to;
    }
    g_assert_cmpuint(from - to, ==, 5);
    world_free(s.w);
}

static void ambiguous_counts(void)
{
    counts(7, 8);
}

static void ambiguous_counts_of_strangers(void)
{
    counts(1, 2);
}

static void in_order_without_loss(void)
{
    struct stage s = stage_new(MS(2));
    uint32_t seen[40];
    struct shape p = udp(1, 5000, 2, 53, 4);

    background(&s, MS(20), 40, 0);
    for (unsigned i = 0; i < 40; i++)
        seen[i] = walk(s.w, &s.way, MS(100 + 5 * i), p, 2);
    world_run(s.w);
    for (unsigned i = 0; i < 40; i++)
        assert_same(s.w, seen[i], seen[i] + 1);
    world_free(s.w);
}

static void reordered_but_numbered(void)
{
    struct stage s = stage_new(MS(2));
    uint32_t at_a[30], at_b[30];
    struct shape p = udp(1, 5000, 2, 53, 4);

    background(&s, MS(20), 40, 0);
    for (unsigned i = 0; i < 30; i++) {
        p.ttl = 64;
        p.ip_id = (uint16_t)(5000 + i);
        at_a[i] = world_see(s.w, 0, MS(100) + US(100 * i), &p);
        p.ttl = 63;
        at_b[i] = world_see(s.w, 1, MS(102) + US(100 * (i ^ 1)), &p);
    }
    world_run(s.w);
    for (unsigned i = 0; i < 30; i++)
        assert_same(s.w, at_a[i], at_b[i]);
    world_free(s.w);
}

/* epb_packetid of pcapng: one packet has one number at all interfaces of the capturing host. */
static void numbered_by_the_capture(void)
{
    struct stage s = stage_new(MS(2));
    struct random r = {21};
    uint32_t at_a[40], at_b[40];
    struct shape p = udp(1, 5000, 2, 53, 4);

    background(&s, MS(20), 40, 1000000);
    for (unsigned i = 0; i < 40; i++) {
        p.ttl = 64;
        at_a[i] = world_see(s.w, 0, MS(100) + US(2 * i), &p);
        p.ttl = 63;
        at_b[i] = world_see(s.w, 1, MS(102) + random_below(&r, 1000000), &p);
        for (unsigned k = 0; k < 2; k++) {
            struct world_frame *f =
                &g_array_index(s.w->seen, struct world_frame, k ? at_b[i] : at_a[i]);

            f->has_packet_id = true;
            f->packet_id = 1000 + i;
        }
    }
    world_run(s.w);
    for (unsigned i = 0; i < 40; i++) {
        assert_same(s.w, at_a[i], at_b[i]);
        assert_world_field(s.w, at_a[i], method, "packet-id");
    }
    world_free(s.w);
}

void add_assign_tests(void)
{
    g_test_add_func("/match/assign/a retransmission is another packet: told by IP ID", by_ip_id);
    g_test_add_func("/match/assign/a retransmission is another packet: told by time stamp",
                    by_time_stamp);
    g_test_add_func("/match/assign/a retransmission is another packet: told by delay only",
                    by_delay);
    g_test_add_func("/match/assign/identical datagrams further apart than jitter are exact, "
                    "with loss",
                    identical_far_apart);
    g_test_add_func("/match/assign/identical datagrams closer than jitter are ambiguous",
                    identical_close);
    g_test_add_func("/match/assign/identical datagrams that the network reorders: no wrong pair",
                    identical_close_reordered);
    g_test_add_func("/match/assign/the counts of an ambiguous group stay exact", ambiguous_counts);
    g_test_add_func("/match/assign/also where the TTL alone tells the order of the points",
                    ambiguous_counts_of_strangers);
    g_test_add_func("/match/assign/equal packets in order, none lost", in_order_without_loss);
    g_test_add_func("/match/assign/numbered copies may be reordered", reordered_but_numbered);
    g_test_add_func("/match/assign/the capture itself numbers packets", numbered_by_the_capture);
    g_test_add_func("/match/assign/rivals", the_rivals_are_named);
    g_test_add_func("/match/assign/rivals-ambiguous", the_rivals_of_the_ambiguous_are_named);
}
