/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path_verdict.c - not seen is not lost: which packets were, and what proves it. */
#include "test_path.h"
#include "world.h"

struct stage {
    struct world *w;
    struct way way;
    uint32_t isn, isn2, seq, ack;
    int64_t now;
};

static struct stage stage_new(unsigned n)
{
    struct stage s = {.w = world_new(), .isn = 1000, .isn2 = 9000000};
    static const char *const names[] = {"client", "middle", "server", "far"};
    uint32_t points[4];

    for (unsigned i = 0; i < n; i++)
        points[i] = world_point(s.w, names[i]);
    s.way = way_of(points, n, MS(1));
    return s;
}

static void handshake(struct stage *s)
{
    unsigned n = s->way.n;

    walk(s->w, &s->way, s->now, tcp(1, 5000, 2, 80, SYN, s->isn, 0), n);
    walk_back(s->w, &s->way, s->now + MS(10), tcp(2, 80, 1, 5000, SYN | ACK, s->isn2, s->isn + 1),
              n);
    s->seq = s->isn + 1;
    s->ack = s->isn2 + 1;
    walk(s->w, &s->way, s->now + MS(20), tcp(1, 5000, 2, 80, ACK, s->seq, s->ack), n);
    s->now += MS(30);
}

static uint32_t send_data(struct stage *s, uint32_t seq, uint32_t ip_id, unsigned until)
{
    struct shape p = tcp(1, 5000, 2, 80, ACK, seq, s->ack);

    p.len = 100;
    p.content = 1;
    p.content_at = seq - s->isn;
    p.ip_id = (uint16_t)ip_id;
    s->now += MS(10);
    return walk(s->w, &s->way, s->now, p, until);
}

static void send_ack(struct stage *s, uint32_t ack)
{
    struct shape p = tcp(2, 80, 1, 5000, ACK, s->ack, ack);

    p.ip_id = (uint16_t)(30000 + ack / 100);
    s->now += MS(10);
    walk_back(s->w, &s->way, s->now, p, s->way.n);
}

/* `n` segments, each acknowledged. */
static void exchange(struct stage *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        send_data(s, s->seq, 100 + s->seq / 100, s->way.n);
        s->seq += 100;
        send_ack(s, s->seq);
    }
}

static void confirmed_by_retransmission(void)
{
    struct stage s = stage_new(3);
    uint32_t lost, again;

    handshake(&s);
    exchange(&s, 10);
    lost = send_data(&s, s.seq, 5000, 2);
    again = send_data(&s, s.seq, 5001, 3);
    s.seq += 100;
    send_ack(&s, s.seq);
    exchange(&s, 10);
    world_run(s.w);
    assert_other(s.w, lost, again);
    assert_world_field(s.w, lost, dropped, NULL);
    assert_world_field(s.w, lost + 1, dropped, "1");
    assert_world_field(s.w, lost + 1, drop_verdict, "confirmed");
    assert_world_field(s.w, lost + 1, drop_after, "middle");
    assert_world_field(s.w, lost + 1, drop_before, "server");
    g_assert_cmpuint(world_packet_of(s.w, lost)->evidence, !=, 0);
    g_assert_cmpuint(world_packet_of(s.w, again)->original, ==, world_packet(s.w, lost));
    for (uint32_t i = again; i < s.w->seen->len; i++)
        assert_world_field(s.w, i, dropped, NULL);
    world_free(s.w);
}

static uint32_t udp_stream(struct stage *s, unsigned n, unsigned lost, bool answers)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < n; i++) {
        struct shape p = udp(1, 5000, 2, 53, 1 + i), q = turned(&p);
        uint32_t first;

        q.content += 1000000;
        p.ip_id = (uint16_t)(i + 1);
        q.ip_id = (uint16_t)(i + 30000);
        s->now += MS(20);
        first = walk(s->w, &s->way, s->now, p, i == lost ? 1 : s->way.n);
        if (i == lost)
            found = first;
        if (answers)
            walk_back(s->w, &s->way, s->now + MS(10), q, s->way.n);
    }
    return found;
}

static void probable(void)
{
    struct stage s = stage_new(2);
    uint32_t lost = udp_stream(&s, 40, 20, true);

    world_run(s.w);
    assert_world_field(s.w, lost, drop_verdict, "probable");
    assert_world_field(s.w, lost, drop_after, "client");
    assert_world_field(s.w, lost, drop_before, "middle");
    world_free(s.w);
}

static void tail(void)
{
    struct stage s = stage_new(2);
    uint32_t lost = udp_stream(&s, 40, 39, false), first;
    char *why;

    /* The way back lives on for no longer than the last packet. */
    first = lost;
    world_run(s.w);
    assert_world_field(s.w, first, dropped, NULL);
    why = world_field(s.w, first, CORR_FIELD_undetermined);
    g_assert_nonnull(why);
    g_free(why);
    world_free(s.w);
}

static void blocked(void)
{
    struct stage s = stage_new(2);
    uint32_t syn[4];

    udp_stream(&s, 40, 99, true);
    for (unsigned i = 0; i < 4; i++) {
        struct shape p = tcp(1, 6000, 2, 25, SYN, 777, 0);

        p.ip_id = (uint16_t)(700 + i);
        syn[i] = walk(s.w, &s.way, MS(100 + (50 << i)), p, 1);
    }
    s.now = MS(120);
    /* Other TCP to the same host passes, before and after. */
    for (unsigned f = 0; f < 3; f++) {
        struct stage other = s;

        other.now = MS(200 * f);
        for (unsigned i = 0; i < 3; i++) {
            struct shape p = tcp(1, (uint16_t)(6100 + f), 2, 80, i == 0 ? SYN : ACK,
                                 1000 * f + (i > 0), i > 0);
            struct shape q = turned(&p);

            p.ip_id = (uint16_t)(1000 + 10 * f + i);
            walk(s.w, &s.way, other.now + MS(20 * i), p, 2);
            if (i == 0) {
                q.tcp_flags = SYN | ACK;
                q.ack = p.seq + 1;
                q.seq = 0;
                walk_back(s.w, &s.way, other.now + MS(10), q, 2);
            }
        }
    }
    world_run(s.w);
    for (unsigned i = 0; i < 4; i++) {
        assert_world_field(s.w, syn[i], dropped, "1");
        assert_world_field(s.w, syn[i], drop_verdict, "blocked");
        assert_world_field(s.w, syn[i], drop_cause, "policy");
        assert_world_field(s.w, syn[i], drop_after, "client");
        for (unsigned k = 0; k < i; k++)
            assert_other(s.w, syn[i], syn[k]);
    }
    world_free(s.w);
}

static void not_covered(void)
{
    struct stage s = stage_new(2);
    uint32_t lost = 0;

    udp_stream(&s, 20, 99, true);
    for (unsigned i = 0; i < 20; i++) { /* the server's capture has ended */
        struct shape p = udp(1, 5000, 2, 53, 100 + i);

        p.ip_id = (uint16_t)(i + 100);
        s.now += MS(100);
        lost = walk(s.w, &s.way, s.now, p, 1);
    }
    world_run(s.w);
    for (uint32_t i = lost - 19; i <= lost; i++) {
        char *why = world_field(s.w, i, CORR_FIELD_undetermined);

        assert_world_field(s.w, i, dropped, NULL);
        g_assert_nonnull(why);
        g_assert_true(g_str_has_prefix(why, "not covered at middle") ||
                      g_str_has_prefix(why, "tail"));
        g_free(why);
    }
    assert_world_field(s.w, lost, undetermined, "not covered at middle");
    world_free(s.w);
}

static void outage(void)
{
    struct stage s = stage_new(2);
    uint32_t from, to;

    udp_stream(&s, 50, 99, true);
    from = s.w->seen->len;
    for (unsigned i = 0; i < 100; i++) { /* nothing at all at the server for 5 s */
        struct shape p = udp(1, 5000, 2, 53, 10000 + i);

        p.ip_id = (uint16_t)(i + 100);
        s.now += MS(50);
        walk(s.w, &s.way, s.now, p, 1);
    }
    to = s.w->seen->len;
    for (unsigned i = 0; i < 50; i++) {
        struct shape p = udp(1, 5000, 2, 53, 20000 + i), q = turned(&p);

        q.content += 1000000;
        s.now += MS(20);
        walk(s.w, &s.way, s.now, p, 2);
        walk_back(s.w, &s.way, s.now + MS(10), q, 2);
    }
    world_run(s.w);
    for (uint32_t i = from; i < to; i++) {
        assert_world_field(s.w, i, dropped, NULL);
        assert_world_field(s.w, i, undetermined, "outage at middle");
    }
    world_free(s.w);
}

static void capture_loss_by_ack(void)
{
    struct stage s = stage_new(2);
    uint32_t unseen;

    handshake(&s);
    exchange(&s, 10);
    unseen = send_data(&s, s.seq, 5000, 1); /* passed the server's point unseen ... */
    s.seq += 100;
    send_ack(&s, s.seq); /* ... for the server acknowledges it */
    exchange(&s, 10);
    world_run(s.w);
    assert_world_field(s.w, unseen, dropped, NULL);
    assert_world_field(s.w, unseen, drop_verdict, NULL);
    assert_world_field(s.w, unseen, undetermined, NULL);
    g_assert_cmpuint(world_packet_of(s.w, unseen)->missed, !=, 0);
    world_free(s.w);
}

static void missed_in_the_middle(void)
{
    struct stage s = stage_new(3);
    struct shape p = udp(1, 5000, 2, 53, 999);
    uint32_t a, c;

    udp_stream(&s, 20, 99, true);
    s.now += MS(20);
    p.ip_id = 999;
    a = world_see(s.w, 0, s.now, &p);
    p.ttl = 62;
    c = world_see(s.w, 2, s.now + MS(2), &p);
    udp_stream(&s, 20, 99, true);
    world_run(s.w);
    assert_same(s.w, a, c);
    assert_world_field(s.w, a, missed, NULL);
    assert_world_field(s.w, c, missed, "middle");
    assert_world_field(s.w, c, hop, "2");
    assert_world_field(s.w, a, dropped, NULL);
    world_free(s.w);
}

static void icmp_error_proves_it(void)
{
    struct stage s = stage_new(2);
    struct shape p = udp(1, 5000, 2, 53, 999), e;
    uint32_t lost, error;

    udp_stream(&s, 20, 99, true);
    s.now += MS(20);
    p.ip_id = 999;
    lost = walk(s.w, &s.way, s.now, p, 1);
    e = (struct shape){.src = ip(99), .dst = ip(1), .proto = ICMP, .icmp_type = 3,
                       .icmp_code = 13, .quote = &p};
    error = world_see(s.w, 0, s.now + MS(1), &e);
    s.now += MS(20);
    for (unsigned i = 0; i < 20; i++) {
        struct shape q = udp(1, 5000, 2, 53, 5000 + i);

        q.ip_id = (uint16_t)(2000 + i);
        s.now += MS(20);
        walk(s.w, &s.way, s.now, q, 2);
    }
    world_run(s.w);
    assert_world_field(s.w, lost, drop_verdict, "confirmed");
    assert_world_field(s.w, lost, drop_cause, "policy");
    g_assert_cmpuint(world_packet_of(s.w, lost)->evidence, ==, world_number(s.w, error));
    world_free(s.w);
}

static void nothing_lost(void)
{
    struct stage s = stage_new(3);

    handshake(&s);
    exchange(&s, 20);
    world_run(s.w);
    for (uint32_t i = 0; i < s.w->seen->len; i++) {
        assert_world_field(s.w, i, dropped, NULL);
        assert_world_field(s.w, i, undetermined, NULL);
        assert_world_field(s.w, i, missed, NULL);
    }
    world_free(s.w);
}

void add_verdict_tests(void)
{
    g_test_add_func("/path/verdict/confirmed: lost, and a frame proves it",
                    confirmed_by_retransmission);
    g_test_add_func("/path/verdict/confirmed: an ICMP error proves it", icmp_error_proves_it);
    g_test_add_func("/path/verdict/probable: all guards hold", probable);
    g_test_add_func("/path/verdict/blocked: nothing of its flow passes; each SYN counts", blocked);
    g_test_add_func("/path/verdict/undetermined: tail", tail);
    g_test_add_func("/path/verdict/undetermined: not covered at the next point", not_covered);
    g_test_add_func("/path/verdict/undetermined: outage", outage);
    g_test_add_func("/path/verdict/acknowledged from beyond: capture loss, not network loss",
                    capture_loss_by_ack);
    g_test_add_func("/path/verdict/a point that the packet passed unseen", missed_in_the_middle);
    g_test_add_func("/path/verdict/nothing is said of what arrived", nothing_lost);
}
