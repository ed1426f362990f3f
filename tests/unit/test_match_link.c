/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_match_link.c - which local flows are one flow, and which only look like one. */
#include "test_match.h"
#include "world.h"

/* client - lan - | NAT | - wan - server */
static uint32_t net_points[4];

static struct world *net_new(struct way *way)
{
    static const char *const names[] = {"client", "lan", "wan", "server"};
    struct world *w = world_new();

    for (unsigned i = 0; i < 4; i++)
        net_points[i] = world_point(w, names[i]);
    *way = way_of(net_points, 4, MS(1));
    return w;
}

static void snat(struct shape *s, unsigned i, bool back)
{
    if (i != 2)
        return;
    if (back) {
        s->dst = ip(1);
        s->dst_port = (uint16_t)(s->dst_port - 30000);
    } else {
        s->src = ip(200);
        s->src_port = (uint16_t)(s->src_port + 30000);
    }
}

static void dnat(struct shape *s, unsigned i, bool back)
{
    if (i != 2)
        return;
    if (back) {
        s->src = ip(201);
        s->src_port = 80;
    } else {
        s->dst = ip(2);
        s->dst_port = 8080;
    }
}

static void both(struct shape *s, unsigned i, bool back)
{
    snat(s, i, back);
    dnat(s, i, back);
}

#define RANDOMISED 812345u

static void randomise(struct shape *s, unsigned i, bool back)
{
    if (i != 2)
        return;
    if (back)
        s->ack -= RANDOMISED;
    else
        s->seq += RANDOMISED;
}

/* More points than any table of the engine could have room for by accident. */
#define MANY 70

static void snat_late(struct shape *s, unsigned i, bool back)
{
    if (i == MANY - 3)
        snat(s, 2, back);
}

static void snat_and_randomise(struct shape *s, unsigned i, bool back)
{
    snat(s, i, back);
    randomise(s, i, back);
}

/* A TCP connection of `n` requests and answers. */
static uint32_t tcp_talk(struct world *w, const struct way *way, int64_t at, uint16_t port,
                         uint32_t isn, unsigned n, const struct shape *to, const struct shape *from)
{
    struct random r = {isn};
    uint32_t isn2 = (uint32_t)random_next(&r), first;
    struct shape s = *to, t = *from;

    s.src_port = port;
    t.dst_port = from->dst_port != 0 ? from->dst_port : port;
    s.tcp_flags = SYN;
    s.seq = isn;
    s.ack = 0;
    first = walk(w, way, at, s, way->n);
    t.tcp_flags = SYN | ACK;
    t.seq = isn2;
    t.ack = isn + 1;
    walk_back(w, way, at + MS(10), t, way->n);
    s.tcp_flags = ACK;
    s.seq = isn + 1;
    s.ack = isn2 + 1;
    walk(w, way, at + MS(20), s, way->n);
    for (unsigned i = 0; i < n; i++) {
        s.len = 200;
        s.content = isn;
        s.content_at = s.seq - isn;
        walk(w, way, at + MS(30 + 20 * i), s, way->n);
        s.seq += 200;
        t.tcp_flags = ACK;
        t.seq = s.ack;
        t.ack = s.seq;
        t.len = 1000;
        t.content = isn2;
        t.content_at = t.seq - isn2;
        walk_back(w, way, at + MS(40 + 20 * i), t, way->n);
        s.ack += 1000;
    }
    return first;
}

static void assert_matched(const struct world *w, uint32_t first, uint32_t step)
{
    for (uint32_t i = first; i < w->seen->len; i += step)
        for (uint32_t k = 1; k < step; k++)
            assert_same(w, i, i + k);
    for (uint32_t i = first + step; i < w->seen->len; i += step)
        assert_other(w, i - step, i);
}

static void translated(void (*rewrite)(struct shape *, unsigned, bool), uint32_t outside_dst,
                       uint16_t outside_port, uint32_t inside_src, const char *nat)
{
    struct way way;
    struct world *w = net_new(&way);
    struct shape to = tcp(1, 0, outside_dst, outside_port, 0, 0, 0);
    struct shape from = tcp(2, rewrite == dnat || rewrite == both ? 8080 : outside_port, inside_src,
                            inside_src == 200 ? 35000 : 5000, 0, 0, 0);
    uint32_t first;

    way.rewrite = rewrite;
    first = tcp_talk(w, &way, 0, 5000, 1000000, 5, &to, &from);
    world_run(w);
    assert_matched(w, first, 4);
    for (uint32_t i = 0; i < w->seen->len; i++)
        g_assert_cmpuint(world_flow(w, i), ==, world_flow(w, first));
    assert_world_field(w, first + 1, nat, NULL);
    assert_world_field(w, first + 3, nat, nat);
    world_free(w);
}

/* Seventy points on one way, and a translation three points before its end. */
static void many(void)
{
    struct world *w = world_new();
    uint32_t points[MANY], first, datagram;
    struct shape to = tcp(1, 0, 2, 80, 0, 0, 0), from = tcp(2, 80, 200, 35000, 0, 0, 0);
    struct shape one = udp(1, 5000, 2, 514, 77);
    struct way way;

    for (unsigned i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("p%02u", i + 1);

        points[i] = world_point(w, name);
    }
    way = way_of(points, MANY, US(10));
    way.rewrite = snat_late;
    first = tcp_talk(w, &way, 0, 5000, 1000000, 5, &to, &from);
    one.len = 200;
    for (unsigned i = 0; i < 5; i++) {
        one.content++;
        one.ip_id = (uint16_t)(1000 + i);
        datagram = walk(w, &way, SEC(1) + MS(i), one, MANY);
    }
    world_run(w);
    assert_matched(w, first, MANY);
    assert_world_field(w, datagram + MANY - 1, nat, "SNAT 10.0.0.1:5000 -> 10.0.0.200:35000");
    g_assert_cmpuint(world_packet_of(w, datagram)->n, ==, MANY);
    world_free(w);
}

/* Packets whose ports differ on the two sides: walked by hand. */
static void snat_ports_rewritten(void)
{
    struct way way;
    struct world *w = net_new(&way);
    uint32_t first = 0;

    way.rewrite = snat;
    for (unsigned i = 0; i < 6; i++) {
        struct shape s = udp(1, 5000, 2, 53, 10 + i), t = udp(2, 53, 200, 35000, 20 + i);

        walk(w, &way, MS(20 * i), s, 4);
        walk_back(w, &way, MS(20 * i + 10), t, 4);
    }
    world_run(w);
    assert_matched(w, first, 4);
    for (uint32_t i = 0; i < w->seen->len; i++)
        g_assert_cmpuint(world_flow(w, i), ==, 0);
    assert_world_field(w, 2, nat, "SNAT 10.0.0.1:5000 -> 10.0.0.200:35000");
    assert_world_field(w, 0, nat_src, "10.0.0.200");
    assert_world_field(w, 0, nat_src_port, "35000");
    assert_world_field(w, 2, nat_src_port, "5000");
    assert_world_field(w, 2, method, "translated");
    world_free(w);
}

static void snat_tcp(void)
{
    translated(snat, 2, 80, 200, "SNAT 10.0.0.1:5000 -> 10.0.0.200:35000");
}

static void dnat_tcp(void)
{
    translated(dnat, 201, 80, 1, "DNAT 10.0.0.201:80 -> 10.0.0.2:8080");
}

static void both_tcp(void)
{
    translated(both, 201, 80, 200,
               "SNAT 10.0.0.1:5000 -> 10.0.0.200:35000, DNAT 10.0.0.201:80 -> 10.0.0.2:8080");
}

static void randomiser(bool with_snat)
{
    struct way way;
    struct world *w = net_new(&way);
    uint32_t isn = 4294967000u, isn2 = 500, seq = isn + 1, ack = isn2 + 1;
    uint16_t port = with_snat ? 35000 : 5000;
    uint32_t client = with_snat ? 200 : 1;
    g_autofree char *why = NULL, *shift = NULL;

    way.rewrite = with_snat ? snat_and_randomise : randomise;
    walk(w, &way, 0, tcp(1, 5000, 2, 80, SYN, isn, 0), 4);
    walk_back(w, &way, MS(10), tcp(2, 80, client, port, SYN | ACK, isn2, isn + 1 + RANDOMISED), 4);
    walk(w, &way, MS(20), tcp(1, 5000, 2, 80, ACK, seq, ack), 4);
    for (unsigned i = 0; i < 8; i++) {
        struct shape s = tcp(1, 5000, 2, 80, ACK, seq, ack), t;

        s.len = 150;
        s.content = 1;
        s.content_at = seq - isn;
        walk(w, &way, MS(30 + 20 * i), s, 4);
        seq += 150;
        t = tcp(2, 80, client, port, ACK, ack, seq + RANDOMISED);
        t.len = 700;
        t.content = 2;
        t.content_at = ack - isn2;
        walk_back(w, &way, MS(40 + 20 * i), t, 4);
        ack += 700;
    }
    world_run(w);
    assert_matched(w, 0, 4);
    for (uint32_t i = 0; i < w->seen->len; i++)
        g_assert_cmpuint(world_flow(w, i), ==, 0);
    why = world_field(w, 0, CORR_FIELD_why);
    shift = g_strdup_printf("seq +%u", RANDOMISED);
    g_assert_nonnull(strstr(why, "translated: "));
    g_assert_nonnull(strstr(why, shift));
    g_assert_true((strstr(why, "undone: SNAT 10.0.0.1:5000 -> 10.0.0.200:35000") != NULL) ==
                  with_snat);
    world_free(w);
}

static void randomiser_plain(void)
{
    randomiser(false);
}

static void randomiser_snat(void)
{
    randomiser(true);
}

/* Two clients ask the same of the same server at the same time; a NAT hides which is which. */
static void twins(void)
{
    struct world *w = world_new();
    uint32_t lan = world_point(w, "lan"), wan = world_point(w, "wan");

    for (unsigned i = 0; i < 6; i++)
        for (unsigned c = 0; c < 2; c++) {
            struct shape in = udp(1 + c, 5000, 9, 53, 10 + i), out = in;

            out.src = ip(200);
            out.src_port = (uint16_t)(40000 + c);
            world_see(w, lan, MS(10 * i) + US(c), &in);
            world_see(w, wan, MS(10 * i) + MS(1) + US(c), &out);
        }
    world_run(w);
    for (uint32_t i = 0; i < w->seen->len; i += 2)
        assert_other(w, i, i + 1);
    for (uint32_t i = 0; i < w->seen->len; i++)
        for (uint32_t k = 0; k < i; k++)
            if (world_packet(w, i) == world_packet(w, k))
                g_error("sightings %u and %u of twin clients are one packet", k, i);
    world_free(w);
}

static void multicast_is_never_translated(void)
{
    static const uint32_t groups[] = {0xe00000fbu, 0xefffffffu, 0xffffffffu, 0xa9fe0102u};

    for (unsigned g = 0; g < G_N_ELEMENTS(groups); g++) {
        struct world *w = world_new();
        uint32_t a = world_point(w, "a"), b = world_point(w, "b");
        uint32_t one = 0, two = 0;

        for (unsigned i = 0; i < 10; i++) {
            struct shape s = udp(1, 5353, 0, 5353, i), t = udp(200, 5353, 0, 5353, i);

            s.dst = t.dst = groups[g];
            s.ip_id = t.ip_id = (uint16_t)(100 + i);
            one = world_see(w, a, MS(10 * i), &s);
            two = world_see(w, b, MS(10 * i + 1), &t);
        }
        world_run(w);
        assert_other(w, one, two);
        g_assert_cmpuint(world_flow(w, one), !=, world_flow(w, two));
        world_free(w);
    }
}

static void equal_tuple_other_isn(void)
{
    struct world *w = world_new();
    uint32_t points[] = {world_point(w, "a"), world_point(w, "b")};
    struct way one = way_of(points, 1, 0), two = way_of(points + 1, 1, 0);
    struct shape to = tcp(1, 0, 2, 80, 0, 0, 0), from = tcp(2, 80, 1, 0, 0, 0, 0);
    uint32_t a = tcp_talk(w, &one, 0, 5000, 1000, 5, &to, &from);
    uint32_t b = tcp_talk(w, &two, SEC(5), 5000, 2000000000u, 5, &to, &from);

    world_run(w);
    g_assert_cmpuint(world_flow(w, a), !=, world_flow(w, b));
    for (uint32_t i = 0; i < b; i++)
        assert_other(w, a + i, b + i);
    world_free(w);
}

/* Neither address survives: what the stronger demand is for. */
static void strangers_with_little_evidence(void)
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b"), one, two;
    struct shape s = udp(1, 5000, 2, 53, 7), t = udp(101, 6000, 102, 5300, 7);

    one = world_see(w, a, MS(1), &s);
    two = world_see(w, b, MS(2), &t);
    world_run(w);
    assert_other(w, one, two);
    world_free(w);
}

void add_link_tests(void)
{
    g_test_add_func("/match/link/SNAT with ports rewritten", snat_ports_rewritten);
    g_test_add_func("/match/link/SNAT of a TCP handshake", snat_tcp);
    g_test_add_func("/match/link/DNAT", dnat_tcp);
    g_test_add_func("/match/link/both rewrites joined", both_tcp);
    g_test_add_func("/match/link/a sequence randomiser", randomiser_plain);
    g_test_add_func("/match/link/a sequence randomiser behind a SNAT", randomiser_snat);
    g_test_add_func("/match/link/seventy points on one way", many);
    g_test_add_func("/match/link/twin clients look alike and are refused", twins);
    g_test_add_func("/match/link/nothing translates multicast, broadcast, link-local",
                    multicast_is_never_translated);
    g_test_add_func("/match/link/an equal tuple with another ISN is another connection",
                    equal_tuple_other_isn);
    g_test_add_func("/match/link/strangers need more evidence than one payload",
                    strangers_with_little_evidence);
}
