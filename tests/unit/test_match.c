/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_match.c - sorting, re-used ports, fragments, numbering, quotes. */
#include "test_match.h"

#include <stdlib.h>

#include "match/match.h"
#include "world.h"

static int keyed_compare(const void *x, const void *y)
{
    const struct corr_keyed *a = x, *b = y;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->obs < b->obs ? -1 : a->obs > b->obs; /* obs: where it stood, so qsort is stable */
}

static void sort_equals_qsort(void)
{
    struct random r = {42};

    for (unsigned round = 0; round < 200; round++) {
        uint32_t n = round < 4 ? round : random_below(&r, 3000);
        unsigned bits = 1 + random_below(&r, 64), shift = random_below(&r, 65 - bits);
        struct corr_keyed *a = g_new(struct corr_keyed, n + 1), *b;

        for (uint32_t i = 0; i < n; i++)
            a[i] = (struct corr_keyed){(random_next(&r) >> (64 - bits)) << shift, i, ~i};
        b = g_memdup2(a, (n + 1) * sizeof *a);
        corr_keyed_sort(a, n);
        qsort(b, n, sizeof *b, keyed_compare);
        for (uint32_t i = 0; i < n; i++) {
            g_assert_cmpuint(a[i].key, ==, b[i].key);
            g_assert_cmpuint(a[i].obs, ==, b[i].obs);
            g_assert_cmpuint(a[i].conv, ==, ~b[i].obs);
        }
        g_free(a);
        g_free(b);
    }
}

struct pair {
    struct world *w;
    uint32_t a, b;
    struct way way;
};

static struct pair pair_new(void)
{
    struct pair p = {.w = world_new()};
    uint32_t points[2];

    p.a = points[0] = world_point(p.w, "a");
    p.b = points[1] = world_point(p.w, "b");
    p.way = way_of(points, 2, MS(1));
    return p;
}

/* A handshake and one request; returns the first sighting of the SYN. */
static uint32_t connection(struct pair *p, int64_t at, uint16_t port, uint32_t isn, uint32_t isn2)
{
    struct shape s = tcp(1, port, 2, 80, SYN, isn, 0);
    uint32_t first = walk(p->w, &p->way, at, s, 2);

    walk_back(p->w, &p->way, at + MS(5), tcp(2, 80, 1, port, SYN | ACK, isn2, isn + 1), 2);
    walk(p->w, &p->way, at + MS(8), tcp(1, port, 2, 80, ACK, isn + 1, isn2 + 1), 2);
    s = tcp(1, port, 2, 80, ACK | PSH, isn + 1, isn2 + 1);
    s.len = 300;
    s.content = isn;
    walk(p->w, &p->way, at + MS(10), s, 2);
    return first;
}

static void ports_used_again(void)
{
    struct pair p = pair_new();
    uint32_t first = connection(&p, 0, 5000, 1000, 900000);
    uint32_t second = connection(&p, SEC(2), 5000, 77000000, 5000);
    uint32_t third = connection(&p, SEC(4), 5000, 3000000000u, 4000000000u);

    world_run(p.w);
    for (uint32_t i = 0; i < 8; i++) {
        g_assert_cmpuint(world_flow(p.w, first + i), ==, world_flow(p.w, first));
        g_assert_cmpuint(world_flow(p.w, second + i), ==, world_flow(p.w, second));
        g_assert_cmpuint(world_flow(p.w, third + i), ==, world_flow(p.w, third));
    }
    g_assert_cmpuint(world_flow(p.w, first), !=, world_flow(p.w, second));
    g_assert_cmpuint(world_flow(p.w, second), !=, world_flow(p.w, third));
    for (uint32_t i = 0; i < 24; i += 2)
        assert_same(p.w, i, i + 1);
    world_free(p.w);
}

static void syn_sent_again_is_no_new_flow(void)
{
    struct pair p = pair_new();
    struct shape s = tcp(1, 5000, 2, 80, SYN, 1000, 0);
    uint32_t a, b, c;

    s.ip_id = 10;
    a = walk(p.w, &p.way, 0, s, 1); /* lost after a */
    s.ip_id = 11;
    b = walk(p.w, &p.way, SEC(1), s, 2);
    c = walk_back(p.w, &p.way, SEC(1) + MS(5), tcp(2, 80, 1, 5000, SYN | ACK, 9, 1001), 2);
    world_run(p.w);
    g_assert_cmpuint(world_flow(p.w, a), ==, world_flow(p.w, b));
    g_assert_cmpuint(world_flow(p.w, c), ==, world_flow(p.w, b));
    assert_other(p.w, a, b);
    assert_same(p.w, b, b + 1);
    world_free(p.w);
}

static void fragments_have_numbers_of_their_own(void)
{
    struct pair p = pair_new();
    struct shape s = udp(1, 1000, 2, 53, 5), f[3];
    uint32_t whole, pieces[2][3];

    s.len = 4000;
    s.ip_id = 4711;
    whole = world_see(p.w, p.a, MS(1), &s);
    for (unsigned i = 0; i < 3; i++) {
        f[i] = s;
        f[i].frag_at = i * 1480;
        f[i].frag_len = i < 2 ? 1480 : 4008 - 2960;
        f[i].frag_more = i < 2;
        f[i].ttl = 63;
    }
    for (unsigned i = 0; i < 3; i++) /* in the wrong order */
        pieces[0][2 - i] = world_see(p.w, p.b, MS(2) + US(i), &f[2 - i]);
    /* And another datagram with the same identification, much later. */
    s.content = 6;
    walk(p.w, &p.way, SEC(100), s, 1);
    for (unsigned i = 0; i < 3; i++) {
        f[i].content = 6;
        pieces[1][i] = world_see(p.w, p.b, SEC(100) + MS(2) + US(i), &f[i]);
    }
    world_run(p.w);
    g_assert_cmpuint(world_packets(p.w, whole), ==, 3);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned d = 0; d < 2; d++) {
            g_assert_cmpuint(world_packets(p.w, pieces[d][i]), ==, 1);
            g_assert_cmpuint(world_packet_of(p.w, pieces[d][i])->n, ==, 2);
            for (unsigned k = 0; k < i; k++)
                assert_other(p.w, pieces[d][i], pieces[d][k]);
            assert_other(p.w, pieces[0][i], pieces[1][i]);
        }
    assert_same(p.w, whole, pieces[0][0]);
    {
        char *ids = world_field(p.w, whole, CORR_FIELD_match_id);
        char **list = g_strsplit(ids, "|", -1);

        g_assert_cmpuint(g_strv_length(list), ==, 3);
        g_strfreev(list);
        g_free(ids);
    }
    world_free(p.w);
}

static void lost_fragment(void)
{
    struct pair p = pair_new();
    struct shape s = udp(1, 1000, 2, 53, 5);
    uint32_t at_a[3], at_b[3];

    s.len = 4000;
    s.ip_id = 4711;
    for (unsigned i = 0; i < 3; i++) {
        s.frag_at = i * 1480;
        s.frag_len = i < 2 ? 1480 : 4008 - 2960;
        s.frag_more = i < 2;
        at_a[i] = world_see(p.w, p.a, MS(1) + US(i), &s);
        if (i != 1)
            at_b[i] = world_see(p.w, p.b, MS(2) + US(i), &s);
    }
    world_run(p.w);
    assert_same(p.w, at_a[0], at_b[0]);
    assert_same(p.w, at_a[2], at_b[2]);
    g_assert_cmpuint(world_packet_of(p.w, at_a[1])->n, ==, 1);
    assert_other(p.w, at_a[0], at_a[1]);
    assert_other(p.w, at_a[1], at_a[2]);
    world_free(p.w);
}

static void fragments_without_a_first(void)
{
    struct pair p = pair_new();
    struct shape s = udp(1, 1000, 2, 53, 5);
    uint32_t at[2];

    s.len = 4000;
    s.ip_id = 4711;
    s.frag_at = 1480;
    s.frag_len = 1480;
    s.frag_more = true;
    at[0] = world_see(p.w, p.a, MS(1), &s);
    at[1] = world_see(p.w, p.b, MS(2), &s);
    world_run(p.w);
    assert_same(p.w, at[0], at[1]);
    world_free(p.w);
}

/* These bytes of a datagram's IP payload. */
static struct shape fragment_of(struct shape s, uint32_t at, uint32_t len)
{
    s.frag_at = at;
    s.frag_len = len;
    s.frag_more = at + len < s.len + 8;
    return s;
}

static struct shape fragmented_datagram(void)
{
    struct shape s = udp(1, 1000, 2, 53, 5);

    s.len = 3000;
    s.ip_id = 4711;
    return s;
}

/*
 * A mirror copies each fragment at once; the later ones are nearest to the copy of the
 * first one, and belong to the datagram all the same.
 */
static void fragments_mirrored(void)
{
    struct pair p = pair_new();
    struct shape s = fragmented_datagram();
    uint32_t at_a[3], at_b[3][2];

    for (unsigned i = 0; i < 3; i++) {
        struct shape f = fragment_of(s, i * 1480, MIN(1480, 3008 - i * 1480));

        at_a[i] = world_see(p.w, p.a, MS(1) + US(10 * i), &f);
        for (unsigned k = 0; k < 2; k++)
            at_b[i][k] = world_see(p.w, p.b, MS(2) + US(10 * i + k), &f);
    }
    world_run(p.w);
    for (unsigned i = 0; i < 3; i++) {
        assert_same(p.w, at_a[i], at_b[i][0]);
        assert_same(p.w, at_a[i], at_b[i][1]);
        g_assert_false(world_sighting(p.w, at_b[i][0])->duplicate);
        g_assert_true(world_sighting(p.w, at_b[i][1])->duplicate);
    }
    assert_other(p.w, at_a[0], at_a[1]);
    assert_other(p.w, at_a[1], at_a[2]);
    world_free(p.w);
}

/* Other bytes are no copy: the one that came first keeps its number, whatever it overlaps. */
static void fragments_that_overlap(void)
{
    struct pair p = pair_new();
    struct shape s = fragmented_datagram(), early = fragment_of(s, 256, 1480),
                 first = fragment_of(s, 0, 1480), inside = fragment_of(s, 800, 80);
    uint32_t at[4];

    at[0] = world_see(p.w, p.a, MS(1), &early);
    at[1] = walk(p.w, &p.way, MS(2), udp(3, 1000, 4, 53, 6), 1);
    at[2] = world_see(p.w, p.a, MS(3), &first);
    at[3] = world_see(p.w, p.a, MS(4), &inside);
    world_run(p.w);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmpuint(world_packets(p.w, at[i]), ==, 1);
        g_assert_cmpuint(world_packet(p.w, at[i]), ==, i);
        g_assert_false(world_sighting(p.w, at[i])->duplicate);
        g_assert_false(world_packet_of(p.w, at[i])->ambiguous);
    }
    world_free(p.w);
}

/* With another point that shows them all they meet by their bytes; with less, nobody can tell. */
static void fragments_that_overlap_elsewhere(bool lose)
{
    struct pair p = pair_new();
    struct shape s = fragmented_datagram(),
                 f[2] = {fragment_of(s, 0, 1480), fragment_of(s, 256, 1480)};
    uint32_t at_a[2], at_b[2];

    for (unsigned i = 0; i < 2; i++)
        at_a[i] = world_see(p.w, p.a, MS(1) + US(i), &f[i]);
    for (unsigned i = 0; i < (lose ? 1 : 2); i++)
        at_b[i] = world_see(p.w, p.b, MS(2) + US(i), &f[i]);
    world_run(p.w);
    assert_same(p.w, at_a[0], at_b[0]);
    assert_other(p.w, at_a[0], at_a[1]);
    g_assert_false(world_packet_of(p.w, at_a[0])->ambiguous);
    g_assert_cmpint(world_packet_of(p.w, at_a[1])->ambiguous, ==, lose);
    if (!lose)
        assert_same(p.w, at_a[1], at_b[1]);
    world_free(p.w);
}

static void fragments_that_overlap_at_both(void)
{
    fragments_that_overlap_elsewhere(false);
    fragments_that_overlap_elsewhere(true);
}

/* Whatever fragments come in whatever order: world_run() asks for what must always hold. */
static void fragments_at_random(void)
{
    struct random r = {.state = 11};

    for (unsigned round = 0; round < 300; round++) {
        struct pair p = pair_new();
        struct shape s = fragmented_datagram();

        for (unsigned i = 0; i < 12; i++) {
            uint32_t at = 8 * random_below(&r, 6);
            struct shape f = fragment_of(s, at, 8 * (1 + random_below(&r, 5)));
            unsigned copies = 1 + random_below(&r, 2);

            while (copies-- > 0)
                world_see(p.w, random_below(&r, 2) ? p.a : p.b, US(20 * i + copies), &f);
        }
        world_run(p.w);
        world_free(p.w);
    }
}

static void numbered_by_first_frame(void)
{
    struct pair p = pair_new();
    uint32_t seen[20];

    p.w->clocks[p.b].offset_ns = -MS(500); /* b's frames come first in the file */
    for (unsigned i = 0; i < 20; i++)
        seen[i] = walk(p.w, &p.way, MS(i), udp(1, (uint16_t)(1000 + i % 3), 2, 53, i), 2);
    world_run(p.w);
    for (unsigned i = 0; i < 20; i++) {
        g_assert_cmpuint(world_packet(p.w, seen[i]), ==, i);
        assert_same(p.w, seen[i], seen[i] + 1);
        g_assert_cmpuint(world_number(p.w, seen[i] + 1), ==, i + 1);
    }
    assert_world_field(p.w, seen[0], match_id, "1");
    assert_world_field(p.w, seen[0], match_count, "2");
    world_free(p.w);
}

static void quote_is_not_the_packet(void)
{
    struct pair p = pair_new();
    struct shape s = udp(1, 1000, 2, 53, 5),
                 e = {.src = ip(9), .dst = ip(1), .proto = ICMP, .icmp_type = 11, .quote = &s};
    uint32_t a, b, other;

    s.ip_id = 100;
    a = walk(p.w, &p.way, MS(1), s, 2);
    s.ip_id = 101;
    s.content = 6;
    other = walk(p.w, &p.way, MS(2), s, 2);
    s.ip_id = 100;
    b = walk_back(p.w, &p.way, MS(4), e, 2);
    world_run(p.w);
    assert_other(p.w, a, b);
    assert_other(p.w, other, b);
    assert_same(p.w, b, b + 1);
    for (unsigned i = 0; i < 2; i++) {
        char *id = world_field(p.w, a, CORR_FIELD_match_id);

        assert_world_field(p.w, b + i, quotes, id);
        assert_world_field(p.w, other + i, quotes, NULL);
        g_free(id);
    }
    world_free(p.w);
}

static void quote_behind_a_translation(void)
{
    struct pair p = pair_new();
    struct shape in = udp(1, 1000, 2, 53, 5), out, e_out, e_in;
    uint32_t a, b;

    in.ip_id = 100;
    out = in;
    out.src = ip(200);
    out.src_port = 40000;
    e_out = (struct shape){
        .src = ip(9), .dst = ip(200), .proto = ICMP, .icmp_type = 3, .icmp_code = 3, .quote = &out};
    e_in = e_out;
    e_in.dst = ip(1);
    e_in.quote = &in;
    a = world_see(p.w, p.a, MS(1), &in);
    world_see(p.w, p.b, MS(2), &out);
    b = world_see(p.w, p.b, MS(3), &e_out);
    world_see(p.w, p.a, MS(4), &e_in);
    for (unsigned i = 0; i < 5; i++) { /* enough to learn the translation from */
        in.content = out.content = 100 + i;
        in.ip_id = out.ip_id = (uint16_t)(200 + i);
        world_see(p.w, p.a, MS(10 + i), &in);
        world_see(p.w, p.b, MS(11 + i), &out);
    }
    world_run(p.w);
    assert_same(p.w, a, a + 1);
    assert_same(p.w, b, b + 1);
    {
        char *id = world_field(p.w, a, CORR_FIELD_match_id);

        assert_world_field(p.w, b, quotes, id);
        g_free(id);
    }
    world_free(p.w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/match/sort/by key, stably: equals qsort", sort_equals_qsort);
    g_test_add_func("/match/convs/a SYN with a new initial sequence number begins a new local flow",
                    ports_used_again);
    g_test_add_func("/match/convs/a SYN that is sent again does not",
                    syn_sent_again_is_no_new_flow);
    g_test_add_func("/match/fragments/each fragment has its own number and the whole datagram one "
                    "for every fragment",
                    fragments_have_numbers_of_their_own);
    g_test_add_func("/match/fragments/of several fragments the lost one", lost_fragment);
    g_test_add_func("/match/fragments/without a first one", fragments_without_a_first);
    g_test_add_func("/match/fragments/mirrored", fragments_mirrored);
    g_test_add_func("/match/fragments/overlapping at one point", fragments_that_overlap);
    g_test_add_func("/match/fragments/overlapping at two points", fragments_that_overlap_at_both);
    g_test_add_func("/match/fragments/at random", fragments_at_random);
    g_test_add_func("/match/packets/numbered by their first frame", numbered_by_first_frame);
    g_test_add_func("/match/quotes/a frame that quotes a packet is not that packet",
                    quote_is_not_the_packet);
    g_test_add_func("/match/quotes/a translated packet is quoted by its translated form",
                    quote_behind_a_translation);
    add_link_tests();
    add_cell_tests();
    add_rewrite_tests();
    add_tenant_tests();
    add_assign_tests();
    return g_test_run();
}
