/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_parse_fragment.c - IP fragments: of the identity, of a tunnel's packet, of both.
 */
#include "test_parse.h"

#include <string.h>

/* Cuts an Ethernet frame with IPv4 into the fragment [from, to) of the IP payload. */
static void cut4(struct frame *frame, const struct frame *whole, uint32_t from, uint32_t to)
{
    uint32_t n = whole->len - 34;
    uint16_t field = (uint16_t)(from / 8 | (to < n ? 0x2000 : 0));

    *frame = *whole;
    to = to < n ? to : n;
    memmove(frame->bytes + 34, whole->bytes + 34 + from, to - from);
    frame->len = 34 + to - from;
    frame->bytes[16] = (uint8_t)((20 + to - from) >> 8);
    frame->bytes[17] = (uint8_t)(20 + to - from);
    frame->bytes[20] = (uint8_t)(field >> 8);
    frame->bytes[21] = (uint8_t)field;
}

static void test_udp4(void)
{
    static struct frame whole, frame;

    build(&whole, "eth ip4 udp:2000 data:600");
    struct corr_parsed all = parse(&whole);

    cut4(&frame, &whole, 0, 200);
    struct corr_parsed first = parse(&frame);

    g_assert_cmpint(first.kind, ==, CORR_KIND_UDP);
    g_assert_true(first.have & CORR_HAVE_FRAG);
    g_assert_true(first.frag.more);
    g_assert_cmpuint(first.frag.offset, ==, 0);
    g_assert_cmpuint(first.frag.len, ==, 200);
    g_assert_cmpuint(first.frag.base, ==, 0);
    g_assert_cmpuint(first.frag.proto, ==, 17);
    g_assert_cmphex(first.frag.id, ==, 0x1234);
    g_assert_true(corr_addr_equal(&first.frag.src, &first.src));
    /* UDP tells its length: residual and prefix digests are those of the whole datagram. */
    g_assert_true(first.have & CORR_HAVE_LEN);
    g_assert_cmpuint(first.payload_len, ==, 600);
    g_assert_cmpuint(first.payload_cap, ==, 192);
    g_assert_cmphex(first.resid, ==, all.resid);
    g_assert_cmphex(first.d128, ==, all.d128);
    g_assert_false(first.have & CORR_HAVE_DFULL);
    g_assert_cmpuint(first.ip_len, ==, 220);

    cut4(&frame, &whole, 200, 1000);
    struct corr_parsed last = parse(&frame);

    g_assert_cmpint(last.kind, ==, CORR_KIND_FRAGMENT);
    g_assert_false(last.frag.more);
    g_assert_cmpuint(last.frag.offset, ==, 200);
    g_assert_cmpuint(last.frag.len, ==, 408);
    g_assert_cmpuint(last.payload_len, ==, 408);
    g_assert_cmpuint(last.proto, ==, 17);
    g_assert_false(last.have & (CORR_HAVE_PORTS | CORR_HAVE_RESID));
}

static void test_tcp4(void)
{
    static struct frame whole, frame;

    build(&whole, "eth ip4 tcp data:600");
    cut4(&frame, &whole, 0, 200);
    struct corr_parsed p = parse(&frame);

    g_assert_cmpint(p.kind, ==, CORR_KIND_TCP);
    g_assert_false(p.have & (CORR_HAVE_LEN | CORR_HAVE_RESID | CORR_HAVE_DFULL));
    g_assert_true(p.have & CORR_HAVE_D128 && p.have & CORR_HAVE_TCP);
    g_assert_cmpuint(p.payload_cap, ==, 168);
    cut4(&frame, &whole, 0, 40); /* 8 bytes of payload: enough for one digest */
    p = parse(&frame);
    g_assert_true(p.have & CORR_HAVE_D8);
    g_assert_false(p.have & CORR_HAVE_D32);
    cut4(&frame, &whole, 0, 16); /* tiny: RFC 1858 */
    p = parse(&frame);
    g_assert_cmpint(p.kind, ==, CORR_KIND_TCP);
    g_assert_true(p.have & CORR_HAVE_SEQ);
    g_assert_false(p.have & CORR_HAVE_OPTIONS);
}

static void test_echo4(void)
{
    static struct frame whole, frame;

    build(&whole, "eth ip4 echo data:600");
    cut4(&frame, &whole, 0, 200);
    struct corr_parsed all = parse(&whole), p = parse(&frame);

    g_assert_cmpint(p.kind, ==, CORR_KIND_ECHO);
    g_assert_cmphex(p.resid, ==, all.resid);
    g_assert_false(p.have & CORR_HAVE_LEN);
}

/* The outer packet was fragmented: the inner one is told by the first fragment. */
static void test_tunnel(void)
{
    static struct frame whole, frame;

    build(&whole, "eth ip4 udp:4789 x0800000000004d00 eth ip4 tcp data:600");
    struct corr_parsed all = parse(&whole);

    cut4(&frame, &whole, 0, 400);
    struct corr_parsed first = parse(&frame);

    g_assert_cmpint(first.kind, ==, CORR_KIND_TCP);
    assert_encap(&first, "vxlan 77");
    assert_addr(&first.src, "10.0.0.1");
    assert_addr(&first.frag.src, "10.0.1.1");
    g_assert_cmpuint(first.frag.proto, ==, 17);
    g_assert_cmpuint(first.frag.base, ==, 8 + 8 + 14 + 20);
    g_assert_true(first.have & CORR_HAVE_LEN);
    g_assert_cmpuint(first.payload_len, ==, 600);
    g_assert_cmpuint(first.payload_cap, ==, 400 - 50 - 32);
    g_assert_cmphex(first.resid, ==, all.resid);
    g_assert_cmphex(first.d128, ==, all.d128);

    cut4(&frame, &whole, 400, 9999);
    struct corr_parsed last = parse(&frame);

    g_assert_cmpint(last.kind, ==, CORR_KIND_FRAGMENT);
    g_assert_cmpuint(last.n_encap, ==, 0);
    assert_addr(&last.src, "10.0.1.1");
}

/* A fragment inside a tunnel, and one inside a first fragment. */
static void test_inner(void)
{
    static struct frame whole, frame;

    build(&whole, "eth ip4 ip4 udp:2000 data:600");
    whole.bytes[34 + 6] = 0x20;
    whole.bytes[34 + 7] = 0;
    struct corr_parsed p = parse(&whole);

    g_assert_cmpint(p.kind, ==, CORR_KIND_UDP);
    assert_addr(&p.frag.src, "10.0.0.1");
    g_assert_cmpuint(p.frag.base, ==, 0);

    whole.bytes[34 + 7] = 1;
    p = parse(&whole);
    g_assert_cmpint(p.kind, ==, CORR_KIND_FRAGMENT);
    g_assert_cmpuint(p.frag.offset, ==, 8);
    assert_encap(&p, "ip-in-ip 0");

    cut4(&frame, &whole, 0, 400);
    p = parse(&frame);
    g_assert_cmpint(p.kind, ==, CORR_KIND_FRAGMENT);
    assert_addr(&p.frag.src, "10.0.1.1");
    assert_addr(&p.src, "10.0.0.1");
    g_assert_cmpuint(p.frag.offset, ==, 0);
    g_assert_cmpuint(p.frag.base, ==, 20);
    g_assert_cmpuint(p.payload_len, ==, 608);
    g_assert_cmpuint(p.payload_cap, ==, 380);
}

static void test_ip6(void)
{
    struct corr_parsed first = parse_text(1, "eth ip6 p2c xPP000001deadbeef udp:2000 data");
    struct corr_parsed later = parse_text(1, "eth ip6 p2c x110000c8deadbeef data");
    struct corr_parsed atomic = parse_text(1, "eth ip6 p2c x11000000deadbeef udp:2000 data");

    g_assert_cmpint(first.kind, ==, CORR_KIND_UDP);
    g_assert_true(first.have & CORR_HAVE_FRAG && first.frag.more);
    g_assert_cmphex(first.frag.id, ==, 0xdeadbeef);
    g_assert_cmpuint(first.frag.len, ==, 208);
    g_assert_cmpuint(first.frag.base, ==, 0);
    g_assert_cmpuint(first.frag.proto, ==, 17);
    g_assert_true(first.have & CORR_HAVE_DFULL); /* UDP's length is in this frame */

    g_assert_cmpint(later.kind, ==, CORR_KIND_FRAGMENT);
    g_assert_cmpuint(later.frag.offset, ==, 200);
    g_assert_false(later.frag.more);
    g_assert_cmpuint(later.payload_len, ==, 200);
    g_assert_cmpuint(later.proto, ==, 17);

    g_assert_cmpint(atomic.kind, ==, CORR_KIND_UDP);
    g_assert_false(atomic.have & CORR_HAVE_FRAG);
}

void add_fragment_tests(void)
{
    g_test_add_func("/parse/fragment/udp4", test_udp4);
    g_test_add_func("/parse/fragment/tcp4", test_tcp4);
    g_test_add_func("/parse/fragment/echo4", test_echo4);
    g_test_add_func("/parse/fragment/tunnel", test_tunnel);
    g_test_add_func("/parse/fragment/inner", test_inner);
    g_test_add_func("/parse/fragment/ip6", test_ip6);
}
