/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_parse_robust.c - every cut of every sample, and damaged frames.
 */
#include "test_parse.h"

static const struct sample *const lists[] = {link_samples, tunnel_samples};

static const struct sample more_samples[] = {
    {"tcp", 1, "eth ip4 tcp data:300", NULL},
    {"tcp6", 1, "eth ip6 tcp data:300", NULL},
    {"quote", 1, "eth ip4 p1 x0304000000000578 ip4 tcp data:100", NULL},
    {"quote6", 1, "eth ip6 p3a x0200000000000500 ip6 p2c xPP00000000000009 udp:2000 data", NULL},
    {"fragment6", 1, "eth ip6 p2c xPP000001deadbeef udp:2000 data", NULL},
    {"amsdu", 105,
     "x88010000 x0200000000bb x02000000000a x02000000000b x0000 x8000"
     " x02000000002b x02000000002a xL0 xaaaa03000000TT ip4 udp:2001 data:9",
     NULL},
    {"options", 1,
     "eth ip4 p6 x9c40005011223344556677 x88a01001f500000000"
     " x020405b40402080a000000010000000001030307 data:40",
     NULL},
    {NULL, 0, NULL, NULL},
};

/* A shorter capture tells less, never something else about the same packet. */
static void check_cuts(const struct sample *s)
{
    static struct frame frame;
    struct corr_parsed whole[CORR_PARSE_MAX], cut[CORR_PARSE_MAX];

    build(&frame, s->layers);
    frame.link = s->link;
    parse_cut(&frame, frame.len, whole);
    for (uint32_t cap = 0; cap < frame.len; cap++) {
        parse_cut(&frame, cap, cut);
        g_assert_true(cut->have & CORR_HAVE_SNAPPED);
        if (cut->kind != whole->kind || cut->n_encap != whole->n_encap || !whole->src.len ||
            !corr_addr_equal(&cut->src, &whole->src) || !corr_addr_equal(&cut->dst, &whole->dst))
            continue;
        uint32_t both = cut->have & whole->have;

        g_assert_cmphex(cut->have & ~whole->have, ==, CORR_HAVE_SNAPPED);
        g_assert_cmpuint(cut->ip_len, ==, whole->ip_len);
        if (both & CORR_HAVE_LEN)
            g_assert_cmpuint(cut->payload_len, ==, whole->payload_len);
        if (both & CORR_HAVE_RESID)
            g_assert_cmphex(cut->resid, ==, whole->resid);
        if (both & CORR_HAVE_D8)
            g_assert_cmphex(cut->d8, ==, whole->d8);
        if (both & CORR_HAVE_D32)
            g_assert_cmphex(cut->d32, ==, whole->d32);
        if (both & CORR_HAVE_D128)
            g_assert_cmphex(cut->d128, ==, whole->d128);
        if (both & CORR_HAVE_DFULL)
            g_assert_cmphex(cut->dfull, ==, whole->dfull);
        if (both & CORR_HAVE_PORTS)
            g_assert_cmpuint(cut->src_port, ==, whole->src_port);
    }
}

static void test_cuts(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const struct sample *s = lists[i]; s->name != NULL; s++)
            check_cuts(s);
    }
    for (const struct sample *s = more_samples; s->name != NULL; s++)
        check_cuts(s);
}

static void damage(GRand *random, struct frame *frame)
{
    uint32_t n = (uint32_t)g_rand_int_range(random, 1, 9);

    while (n-- > 0) {
        /* Headers are in front: damage them more often. */
        uint32_t end = g_rand_boolean(random) ? MIN(frame->len, 64) : frame->len;
        uint32_t at = (uint32_t)g_rand_int_range(random, 0, (gint32)end);

        if (g_rand_boolean(random))
            frame->bytes[at] ^= (uint8_t)(1 << g_rand_int_range(random, 0, 8));
        else
            frame->bytes[at] = (uint8_t)g_rand_int(random);
    }
}

static void test_damage(void)
{
    static struct frame frame, broken;
    struct corr_parsed out[CORR_PARSE_MAX];
    GPtrArray *all = g_ptr_array_new();
    GRand *random = g_rand_new_with_seed(20240229);

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const struct sample *s = lists[i]; s->name != NULL; s++)
            g_ptr_array_add(all, (gpointer)s);
    }
    for (const struct sample *s = more_samples; s->name != NULL; s++)
        g_ptr_array_add(all, (gpointer)s);
    for (unsigned i = 0; i < 100000; i++) {
        const struct sample *s = g_ptr_array_index(all, i / 50 % all->len);

        if (i % 50 == 0) {
            build(&frame, s->layers);
            frame.link = s->link;
        }
        broken = frame;
        damage(random, &broken);
        uint32_t cap = g_rand_boolean(random)
                           ? broken.len
                           : (uint32_t)g_rand_int_range(random, 0, (gint32)broken.len + 1);
        parse_cut(&broken, cap, out);
    }
    g_rand_free(random);
    g_ptr_array_free(all, TRUE);
}

/* Bytes without any sense, as every link type. */
static void test_noise(void)
{
    static const uint32_t types[] = {0,   1,   9,   12,  50,  101, 104, 105,
                                     108, 113, 127, 192, 228, 229, 239, 276};
    static struct frame frame;
    struct corr_parsed out[CORR_PARSE_MAX];
    GRand *random = g_rand_new_with_seed(7);

    for (unsigned i = 0; i < 20000; i++) {
        frame.link = types[i % G_N_ELEMENTS(types)];
        frame.len = (uint32_t)g_rand_int_range(random, 0, 200);
        for (uint32_t j = 0; j < frame.len; j++)
            frame.bytes[j] = (uint8_t)g_rand_int(random);
        parse_cut(&frame, frame.len, out);
    }
    g_rand_free(random);
}

static void test_nothing(void)
{
    struct corr_parsed out[CORR_PARSE_MAX];
    struct corr_frame frame = {.link = 1, .wire_len = 60};

    g_assert_cmpuint(corr_parse(&frame, 0, out), ==, 1);
    g_assert_cmpint(out[0].kind, ==, CORR_KIND_UNKNOWN);
    g_assert_cmpstr(out[0].unknown, ==, "Ethernet header not captured");
    g_assert_true(out[0].have & CORR_HAVE_SNAPPED);
}

void add_robust_tests(void)
{
    g_test_add_func("/parse/robust/cuts", test_cuts);
    g_test_add_func("/parse/robust/damage", test_damage);
    g_test_add_func("/parse/robust/noise", test_noise);
    g_test_add_func("/parse/robust/nothing", test_nothing);
}
