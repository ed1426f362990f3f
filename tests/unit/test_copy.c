/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_copy.c - one copy of each packet: which point's frames are exported. */
#include "report/one_copy.h"
#include "world.h"

enum { CLIENT, LAN, WAN, POINTS };

/* Requests and answers between 10.0.0.1 and 10.0.0.20, past three points. */
struct talk {
    struct world *w;
    uint32_t points[POINTS];
    uint32_t seen[POINTS][64], n[POINTS]; /* sightings at each point */
};

static void talk_init(struct talk *t)
{
    static const char *const names[] = {"client", "lan", "wan"};

    memset(t, 0, sizeof *t);
    t->w = world_new();
    for (unsigned i = 0; i < POINTS; i++)
        t->points[i] = world_point(t->w, names[i]);
}

static void see(struct talk *t, unsigned point, int64_t at_ns, const struct shape *shape)
{
    t->seen[point][t->n[point]++] = world_see(t->w, t->points[point], at_ns, shape);
}

static void translate(struct shape *p, bool back)
{
    *(back ? &p->dst : &p->src) = ip(99);
    *(back ? &p->dst_port : &p->src_port) = 777;
}

/* `hidden`: points that do not record the n-th request, a bit each. */
static void talk_run(struct talk *t, unsigned n, unsigned hidden_at, unsigned hidden)
{
    for (unsigned i = 0; i < n; i++) {
        struct shape p = udp(1, 5000, 20, 53, 1 + i), q = turned(&p);

        p.ip_id = (uint16_t)(100 + i);
        q.ip_id = (uint16_t)(900 + i);
        q.content += 1000;
        for (unsigned point = 0; point < POINTS; point++) {
            if (point == WAN)
                translate(&p, false);
            if (i != hidden_at || !(hidden >> point & 1))
                see(t, point, MS(100 * i + point), &p);
        }
        for (unsigned point = POINTS; point-- > 0;) {
            struct shape now = q;

            if (point == WAN)
                translate(&now, true);
            see(t, point, MS(100 * i + 20 - point), &now);
        }
    }
}

/* All frames of one point, and none of another. */
static void assert_taken(const struct talk *t, const char *named, unsigned point)
{
    struct corr_frame_set *set = corr_one_copy_new(corr_engine_result(t->w->engine), named);

    for (unsigned p = 0; p < POINTS; p++)
        for (unsigned i = 0; i < t->n[p]; i++)
            g_assert_cmpint(corr_frame_set_has(set, world_number(t->w, t->seen[p][i])), ==,
                            p == point);
    corr_frame_set_free(set);
}

static void nearest_to_the_initiator(void)
{
    struct talk t;

    talk_init(&t);
    talk_run(&t, 10, 99, 0);
    world_run(t.w);
    assert_taken(&t, NULL, CLIENT);
    assert_taken(&t, "", CLIENT);
    assert_taken(&t, "no such point", CLIENT);
    world_free(t.w);
}

static void the_named_point(void)
{
    struct talk t;

    talk_init(&t);
    talk_run(&t, 10, 99, 0);
    world_run(t.w);
    assert_taken(&t, "wan", WAN);
    world_free(t.w);
}

static void a_point_that_missed_a_packet_is_passed_over(void)
{
    struct talk t;

    talk_init(&t);
    talk_run(&t, 10, 4, 1u << CLIENT);
    world_run(t.w);
    assert_taken(&t, NULL, LAN);
    assert_taken(&t, "client", CLIENT);
    world_free(t.w);
}

/* What was lost on the way is no gap of the points before. */
static void losses_are_no_gaps(void)
{
    struct talk t;

    talk_init(&t);
    talk_run(&t, 10, 4, 1u << LAN | 1u << WAN);
    world_run(t.w);
    assert_taken(&t, NULL, CLIENT);
    world_free(t.w);
}

static void mirror_copies_stay_out(void)
{
    struct talk t;
    struct shape p = udp(1, 5000, 20, 53, 3);

    talk_init(&t);
    talk_run(&t, 10, 99, 0);
    p.ip_id = 102;
    uint32_t copy = world_see(t.w, t.points[CLIENT], MS(200) + US(3), &p);
    world_run(t.w);
    assert_same(t.w, copy, t.seen[CLIENT][4]);
    struct corr_frame_set *set = corr_one_copy_new(corr_engine_result(t.w->engine), NULL);
    g_assert_true(corr_frame_set_has(set, world_number(t.w, t.seen[CLIENT][4])));
    g_assert_false(corr_frame_set_has(set, world_number(t.w, copy)));
    corr_frame_set_free(set);
    world_free(t.w);
}

/* The error's own sender is nearest at wan, but it speaks of a packet as lan shows it. */
static void an_error_goes_with_what_it_quotes(void)
{
    struct talk t;
    struct shape p = udp(1, 5000, 20, 53, 1), quoted[2] = {p, p};
    uint32_t errors[2];

    talk_init(&t);
    talk_run(&t, 10, 99, 0);
    quoted[0].ip_id = quoted[1].ip_id = 104;
    quoted[0].content = quoted[1].content = 5;
    translate(&quoted[0], false);
    for (unsigned i = 0; i < 2; i++) {
        struct shape error = {.src = ip(20),
                              .dst = i == 0 ? ip(99) : ip(1),
                              .proto = ICMP,
                              .icmp_type = 3,
                              .icmp_code = 3,
                              .ip_id = 7,
                              .quote = &quoted[i]};

        errors[i] = world_see(t.w, t.points[i == 0 ? WAN : CLIENT], MS(450 + i), &error);
    }
    world_run(t.w);
    assert_same(t.w, errors[0], errors[1]);
    struct corr_frame_set *set = corr_one_copy_new(corr_engine_result(t.w->engine), NULL);
    g_assert_false(corr_frame_set_has(set, world_number(t.w, errors[0])));
    g_assert_true(corr_frame_set_has(set, world_number(t.w, errors[1])));
    corr_frame_set_free(set);
    world_free(t.w);
}

/* One point sees each packet before and after a translation: one pass is taken, the nearer one. */
static void one_of_two_passes(void)
{
    struct world *w = world_new();
    uint32_t box = world_point(w, "box"), far = world_point(w, "far");
    uint32_t in[20], out[20], back_out[20], back_in[20];

    for (unsigned i = 0; i < 20; i++) {
        struct shape p = udp(1, 5000, 20, 53, 1 + i), q = turned(&p), p2 = p, q2;

        p.ip_id = p2.ip_id = (uint16_t)(100 + i);
        q.ip_id = (uint16_t)(900 + i);
        q.content += 1000;
        q2 = q;
        p2.ttl = q.ttl = 63;
        translate(&p2, false);
        translate(&q2, true);
        in[i] = world_see(w, box, MS(100 * i), &p);
        out[i] = world_see(w, box, MS(100 * i) + US(200), &p2);
        world_see(w, far, MS(100 * i + 1), &p2);
        world_see(w, far, MS(100 * i + 5), &q2);
        back_in[i] = world_see(w, box, MS(100 * i + 6), &q2);
        back_out[i] = world_see(w, box, MS(100 * i + 6) + US(200), &q);
    }
    world_run(w);
    assert_same(w, in[3], out[3]);
    struct corr_frame_set *set = corr_one_copy_new(corr_engine_result(w->engine), NULL);
    for (unsigned i = 0; i < 20; i++) {
        g_assert_true(corr_frame_set_has(set, world_number(w, in[i])));
        g_assert_false(corr_frame_set_has(set, world_number(w, out[i])));
        g_assert_false(corr_frame_set_has(set, world_number(w, back_in[i])));
        g_assert_true(corr_frame_set_has(set, world_number(w, back_out[i])));
    }
    corr_frame_set_free(set);
    world_free(w);
}

/* Later fragments have no ports, but belong to the same copy. */
static void fragments_go_along(void)
{
    struct talk t;
    uint32_t pieces[2][2];

    talk_init(&t);
    talk_run(&t, 10, 99, 0);
    for (unsigned point = CLIENT; point <= LAN; point++)
        for (unsigned i = 0; i < 2; i++) {
            struct shape p = udp(1, 5000, 20, 53, 50);

            p.len = 1992;
            p.ip_id = 555;
            p.frag_at = 1000 * i;
            p.frag_len = 1000;
            p.frag_more = i == 0;
            pieces[point][i] = world_see(t.w, t.points[point], MS(2000 + point) + US(10 * i), &p);
        }
    world_run(t.w);
    struct corr_frame_set *set = corr_one_copy_new(corr_engine_result(t.w->engine), NULL);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_true(corr_frame_set_has(set, world_number(t.w, pieces[CLIENT][i])));
        g_assert_false(corr_frame_set_has(set, world_number(t.w, pieces[LAN][i])));
    }
    corr_frame_set_free(set);
    world_free(t.w);
}

static void what_cannot_be_compared_stays(void)
{
    struct talk t;

    talk_init(&t);
    talk_run(&t, 3, 99, 0);
    uint32_t odd = world_see_bytes(t.w, t.points[WAN], MS(5), 65000, (const uint8_t *)"what", 4);
    world_run(t.w);
    struct corr_frame_set *set = corr_one_copy_new(corr_engine_result(t.w->engine), NULL);
    g_assert_true(corr_frame_set_has(set, world_number(t.w, odd)));
    g_assert_false(corr_frame_set_has(set, 4711));
    corr_frame_set_free(set);
    world_free(t.w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/copy/each conversation at the point nearest to its initiator",
                    nearest_to_the_initiator);
    g_test_add_func("/copy/the named point is taken", the_named_point);
    g_test_add_func("/copy/a point that missed a packet is passed over",
                    a_point_that_missed_a_packet_is_passed_over);
    g_test_add_func("/copy/what was lost on the way is no gap", losses_are_no_gaps);
    g_test_add_func("/copy/mirror copies stay out", mirror_copies_stay_out);
    g_test_add_func("/copy/an ICMP error goes with what it quotes",
                    an_error_goes_with_what_it_quotes);
    g_test_add_func("/copy/one of two passes through a point", one_of_two_passes);
    g_test_add_func("/copy/later fragments go along", fragments_go_along);
    g_test_add_func("/copy/what cannot be compared stays", what_cannot_be_compared_stays);
    return g_test_run();
}
