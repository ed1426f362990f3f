/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_parse_broker.c - trailers of packet brokers, byte by byte. */
#include "test_parse.h"

#include <string.h>

/* 2025-06-15T15:15:12Z, in seconds: 684ee380. */
#define RECORDED_S INT64_C(1750000512)

struct case_ {
    const char *layers; /* trailers are written with "+": the first one is the last in the frame */
    const char *name;   /* of the broker; NULL: no trailer */
    uint32_t length;    /* of the trailer and an FCS behind it */
    uint32_t device, port;
    int32_t ns; /* of its time, in the second of the recorded one; -1: no time */
    bool synchronised, fcs;
};

/* clang-format off */
static const struct case_ cases[] = {
    {"+c0ffee00684ee380000003e801001102 eth ip4 udp:2000 data", "Metamako (Arista 7130)", 16,
     17, 2, 1000, true, false},
    {"+deadbeef +c0ffee00684ee380000003e811001102 eth ip4 udp:2000 data",
     "Metamako (Arista 7130)", 20, 17, 2, 1000, false, true},
    /* one word and its tag; two words behind a tag of the second kind, which is the last */
    {"+c0ffee0000000001000000020000007f0000002a00000040684ee380000003e803001102 "
     "eth ip4 udp:2000 data", "Metamako (Arista 7130)", 36, 17, 2, 1000, true, false},
    {"+c0ffee001107684ee380000001000000 eth ip4 udp:2000 data", "Exablaze (Cisco Nexus 3550)",
     16, 17, 7, 59, false, false},
    {"+c0ffee001107684ee380000001000000 +000000000000 eth ip4 udp:2000 data:10",
     "Exablaze (Cisco Nexus 3550)", 16, 17, 7, 59, false, false},
    {"+684ee380c00003e805 eth ip4 udp:2000 data", "VSS Monitoring", 9, 0, 5, 1000, true, false},
    {"+684ee380000003e80105 eth ip4 udp:2000 data", "VSS Monitoring", 10, 0, 0x105, 1000, false,
     false},
    {"+684ee380000003e80105 +deadbeef eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+deadbeef +684ee380000003e80105 eth ip4 udp:2000 data", "VSS Monitoring", 14, 0, 0x105, 1000,
     false, true},
    {"+02030004210408684ee380000003e80f22e5fab0 eth ip4 udp:2000 data", "Gigamon", 20, 0, 0x421,
     1000, true, false},
    {"+0608684ee380000003e80aaf128d91 eth ip4 udp:2000 data", "Ixia", 15, 0, 0, 1000, true, false},
    /* Near misses: a wrong checksum, a time of another year, too many nanoseconds, reserved flags,
     * extensions that do not fit, a frame check sequence, padding, nothing. */
    {"+0608684ee380000003e80aaf128d92 eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+c0ffee005a4ee180000003e801001102 eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+c0ffee00684ee3803b9aca0001001102 eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+c0ffee00684ee380000003e881001102 eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+c0ffee00684ee380000003e803001102 eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+00c0ffee00684ee380000003e801001102 eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+deadbeef eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
    {"+000000000000000000000000000000000000 eth ip4 udp:2000 data:0", NULL, 0, 0, 0, 0, false,
     false},
    {"eth ip4 udp:2000 data", NULL, 0, 0, 0, 0, false, false},
};
/* clang-format on */

static bool read_frame(const struct frame *f, uint32_t cap, struct corr_trailer *trailer)
{
    struct corr_frame frame = {.number = 1,
                               .link = f->link,
                               .data = f->bytes,
                               .cap_len = cap,
                               .wire_len = f->len,
                               .time_ns = RECORDED_S * 1000000000,
                               .has_time = true};
    struct corr_parsed packets[CORR_PARSE_MAX];

    corr_parse(&frame, 0, packets);
    return corr_parse_trailer(&frame, &packets[0], trailer);
}

static void test_trailers(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct case_ *c = &cases[i];
        struct corr_trailer t;
        struct frame frame;

        g_test_message("%s", c->layers);
        build(&frame, c->layers);
        g_assert_cmpint(read_frame(&frame, frame.len, &t), ==, c->name != NULL);
        g_assert_false(read_frame(&frame, frame.len - 1, &t)); /* cut */
        if (c->name == NULL || !read_frame(&frame, frame.len, &t))
            continue;
        g_assert_cmpstr(corr_broker_name(t.kind), ==, c->name);
        g_assert_cmpuint(frame.len - t.start, ==, c->length);
        g_assert_cmpint(t.has_source, ==, t.kind != CORR_BROKER_IXIA);
        g_assert_cmpuint(t.device, ==, c->device);
        g_assert_cmpuint(t.port, ==, c->port);
        g_assert_true(t.has_time);
        g_assert_cmpint(t.time_ns - RECORDED_S * 1000000000, ==, c->ns);
        g_assert_cmpint(t.synchronised, ==, c->synchronised);
        g_assert_cmpint(t.fcs, ==, c->fcs);
    }
}

/* A frame without IP need not tell where it ends; only Ethernet has trailers. */
static void test_where(void)
{
    struct corr_trailer t;
    struct frame frame;

    build(&frame, "+c0ffee00684ee380000003e801001102 x02000000000b02000000000a88b5 data:100");
    g_assert_true(read_frame(&frame, frame.len, &t));
    g_assert_cmpuint(t.start, ==, 14 + 100);
    build(&frame, "+c0ffee00684ee380000003e801001102 x02000000000b02000000000a0806 "
                  "x0001080006040001 data:20");
    g_assert_true(read_frame(&frame, frame.len, &t));
    g_assert_cmpuint(t.start, ==, 14 + 28);
    build(&frame, "+c0ffee00684ee380000003e801001102 ip4 udp:2000 data");
    frame.link = 101;
    g_assert_false(read_frame(&frame, frame.len, &t));
    build(&frame, "+c0ffee00684ee380000003e801001102 x02000000000b02000000000a0800 x45");
    g_assert_false(read_frame(&frame, frame.len, &t)); /* nothing could be read before it */
}

void add_broker_tests(void)
{
    g_test_add_func("/parse/broker/trailers", test_trailers);
    g_test_add_func("/parse/broker/where", test_where);
}
