/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_parse_tunnel.c - every encapsulation: what is peeled, and what only looks like one.
 */
#include "test_parse.h"

#include <string.h>

#define INNER4 "ip4 udp:2000 data"
#define INNER6 "ip6 udp:2000 data"

/* clang-format off */
const struct sample tunnel_samples[] = {
    {"vlan",       1, "eth t8100 xe064TT " INNER4, "vlan 100"},
    {"qinq",       1, "eth t88a8 x0064TT t8100 x00c8TT " INNER4, "vlan 100, vlan 200"},
    {"qinq-old",   1, "eth t9100 x0064TT t9200 x00c8TT " INNER6, "vlan 100, vlan 200"},
    {"mpls",       1, "eth t8847 x00010040 x00020140 " INNER4, "mpls 16, mpls 32"},
    {"mpls-multicast", 1, "eth t8848 x00020140 " INNER6, "mpls 32"},
    {"mpls-pseudowire", 1, "eth t8847 x00020140 x00000000 eth " INNER4, "mpls 32"},
    {"mpls-pseudowire-bare", 1, "eth t8847 x00020140 eth " INNER4, "mpls 32"},
    {"mpls-pseudowire-like-ip", 1, "eth t8847 x00020140 x46000000000b02000000000aTT " INNER4,
     "mpls 32"},
    {"pppoe",      1, "eth t8864 x11000007L0 x0021 " INNER4, "pppoe 7"},
    {"pppoe6",     1, "eth t8100 x0005TT t8864 x11000007L0 x0057 " INNER6, "vlan 5, pppoe 7"},
    {"pbb",        1, "eth t88e7 x00010203 eth t8100 x0064TT " INNER4, "pbb 66051, vlan 100"},
    {"ip-in-ip",   1, "eth ip4 " INNER4, "ip-in-ip 0"},
    {"6in4",       1, "eth ip4 " INNER6, "ip-in-ip 0"},
    {"4in6",       1, "eth ip6 " INNER4, "ip-in-ip 0"},
    {"6in6-options", 1, "eth ip6 p3c xPP00000000000000 " INNER6, "ip-in-ip 0"},
    {"ah-tunnel",  1, "eth ip4 p33 xPP0400000000000700000001 x000102030405060708090a0b " INNER4,
     "ah 7, ip-in-ip 0"},
    {"ah6",        1, "eth ip6 p33 xPP0400000000000700000001 x000102030405060708090a0b"
                      " p3c xPP00000000000000 p29 " INNER6, "ah 7, ip-in-ip 0"},
    {"srv6",       1, "eth ip6 p2b xPP02040000000000 x20010db8000000000000000000000009 " INNER4,
     "srv6 0"},
    {"srv6-l2",    1, "eth ip6 p2b xPP02040000000000 x20010db8000000000000000000000009 eth "
                      INNER4, "srv6 0"},
    {"srv6-l2-reduced", 1, "eth ip6 eth " INNER4, "srv6 0"},
    {"gre",        1, "eth ip4 p2f x0000TT " INNER4, "gre 0"},
    {"gre-key",    1, "eth ip4 p2f xb000TT00000000 x0000000700000001 " INNER6, "gre 7"},
    {"gre-bridge", 1, "eth ip4 p2f x1000TT00000001 eth " INNER4, "gre 0"},
    {"gre-mpls",   1, "eth ip6 p2f x00008847 x00020140 " INNER4, "gre 0, mpls 32"},
    {"gre-wccp",   1, "eth ip4 p2f x0000883e x01020304 " INNER4, "gre 0"},
    {"nvgre",      1, "eth ip4 p2f x2000TT x00004d01 eth " INNER4, "nvgre 77"},
    {"pptp",       1, "eth ip4 p2f x3081880b00640009 x0000000100000002 xff030021 " INNER4,
     "gre 9"},
    {"erspan1",    1, "eth ip4 p2f x000088be eth " INNER4, "erspan 0"},
    {"erspan2",    1, "eth ip4 p2f x100088be00000001 x1000001700000000 eth " INNER4,
     "erspan 23"},
    {"erspan3",    1, "eth ip4 p2f x100022eb00000001 x200000170000000100000000 eth " INNER4,
     "erspan 23"},
    {"erspan3-sub", 1, "eth ip4 p2f x100022eb00000001 x200000170000000100000001 "
                       "x0000000000000000 eth " INNER4, "erspan 23"},
    {"erspan3-ip", 1, "eth ip4 p2f x100022eb00000001 x200000170000000100000800 " INNER4,
     "erspan 23"},
    {"vxlan",      1, "eth ip4 udp:4789 x0800000000004d00 eth " INNER4, "vxlan 77"},
    {"vxlan-linux", 1, "eth ip4 udp:8472 x0800000000004d00 eth t8100 x0064TT " INNER6,
     "vxlan 77, vlan 100"},
    {"vxlan-policy", 1, "eth ip6 udp6:4789 x8848123400004d00 eth " INNER4, "vxlan 77"},
    {"vxlan-gpe",  1, "eth ip4 udp:4790 x0c00000100004d00 " INNER4, "vxlan 77"},
    {"vxlan-gpe6", 1, "eth ip4 udp:4790 x0c00000200004d00 " INNER6, "vxlan 77"},
    {"vxlan-gpe-eth", 1, "eth ip4 udp:4790 x0800000000004d00 eth " INNER4, "vxlan 77"},
    {"geneve",     1, "eth ip4 udp:6081 x0000TT00004d00 eth " INNER4, "geneve 77"},
    {"geneve-options", 1, "eth ip4 udp:6081 x0240TT00004d00 x0102800101020304 " INNER6,
     "geneve 77"},
    {"gtp-u",      1, "eth ip4 udp:2152 x30ffL000000007 " INNER4, "gtp-u 7"},
    {"gtp-u-seq",  1, "eth ip4 udp:2152 x32ffL000000007 x00010000 " INNER6, "gtp-u 7"},
    {"gtp-u-5g",   1, "eth ip4 udp:2152 x34ffL000000007 x00000085 x01100900 " INNER4, "gtp-u 7"},
    {"l2tp",       1, "eth ip4 udp:1701 x000200050009 x0021 " INNER4, "l2tp 9"},
    {"l2tp-full",  1, "eth ip4 udp:1701 x4a02L800050009 x00010002 x0000 xff030057 " INNER6,
     "l2tp 9"},
    {"l2tp3-udp",  1, "eth ip4 udp:1701 x00030000 x00000009 eth " INNER4, "l2tp 9"},
    {"l2tp3",      1, "eth ip4 p73 x00000009 eth " INNER4, "l2tp 9"},
    {"l2tp3-cookie", 1, "eth ip4 p73 x00000009 x1122334455667788 x00000000 eth " INNER4,
     "l2tp 9"},
    {"teredo",     1, "eth ip4 udp:3544 " INNER6, "teredo 0"},
    {"teredo-auth", 1, "eth ip4 udp:3544 x00010000112233445566778800 x0000123401020304 " INNER6,
     "teredo 0"},
    {"mpls-udp",   1, "eth ip4 udp:6635 x00010040 x00020140 " INNER4, "mpls 16, mpls 32"},
    {"mpls-ip",    1, "eth ip4 p89 x00020140 " INNER4, "mpls 32"},
    {"gue",        1, "eth ip4 udp:6080 x01PP0000 x00000000 " INNER4, "gue 0"},
    {"gue1",       1, "eth ip4 udp:6080 " INNER6, "gue 0"},
    {"fou",        1, "eth ip4 udp:5555 " INNER4, "gue 0"},
    {"esp-null",   1, "eth ip4 p32 x0000000700000001 +01020204000102030405060708090a0b "
                       INNER4, "esp-null 7"},
    {"deep",       1, "eth ip4 udp:4789 x0800000000004d00 eth ip4 p2f x0000TT ip4 " INNER4,
     "vxlan 77, gre 0, ip-in-ip 0"},
    {NULL, 0, NULL, NULL},
};

/* The carrier stays the identity: a port or a number alone is no proof. */
static const struct sample refused[] = {
    {"vxlan-no-vni-flag", 1, "eth ip4 udp:4789 x0000000000004d00 eth " INNER4, NULL},
    {"vxlan-reserved", 1, "eth ip4 udp:4789 x0800000000004d01 eth " INNER4, NULL},
    {"vxlan-empty",  1, "eth ip4 udp:4789 x0800000000004d00", NULL},
    {"dns-to-4789",  1, "eth ip4 udp:4789 data", NULL},
    {"geneve-version", 1, "eth ip4 udp:6081 x4000TT00004d00 eth " INNER4, NULL},
    {"geneve-control", 1, "eth ip4 udp:6081 x0080TT00004d00 eth " INNER4, NULL},
    {"gtp-u-echo",   1, "eth ip4 udp:2152 x3201L000000000 x00010000", NULL},
    {"gtp-u-length", 1, "eth ip4 udp:2152 x30ffL100000007 " INNER4, NULL},
    {"gtp-prime",    1, "eth ip4 udp:2152 x20ffL000000007 " INNER4, NULL},
    {"gtp-u-opaque", 1, "eth ip4 udp:2152 x30ffL000000007 data", NULL},
    {"gtp-u-loop",   1, "eth ip4 udp:2152 x34ffL000000007 x00000085 x00100985 " INNER4, NULL},
    {"l2tp-control", 1, "eth ip4 udp:1701 xc802L000050000 x00010002 data", NULL},
    {"l2tp-lcp",     1, "eth ip4 udp:1701 x000200050009 xc021 data", NULL},
    {"teredo-trailer", 1, "eth ip4 udp:3544 +00 " INNER6, NULL},
    {"fou-data",     1, "eth ip4 udp:5555 x45 data", NULL},
    {"gue-control",  1, "eth ip4 udp:6080 x20040000 " INNER4, NULL},
    {"mpls-udp-data", 1, "eth ip4 udp:6635 data", NULL},
    {NULL, 0, NULL, NULL},
};
/* clang-format on */

static void check_inner(const struct corr_parsed *p)
{
    g_assert_cmpint(p->kind, ==, CORR_KIND_UDP);
    g_assert_null(p->unknown);
    g_assert_cmpuint(p->src_port, ==, 1000);
    g_assert_cmpuint(p->dst_port, ==, 2000);
    g_assert_cmpuint(p->payload_len, ==, 200);
    g_assert_true(p->have & CORR_HAVE_DFULL);
    g_assert_true(p->have & CORR_HAVE_RESID);
    g_assert_cmphex(p->resid, ==, sum_of(p->payload, 200, 0));
    g_assert_false(p->have & CORR_HAVE_PADDED);
}

static void test_peeled(void)
{
    for (const struct sample *s = tunnel_samples; s->name != NULL; s++) {
        struct corr_parsed p = parse_text(s->link, s->layers);

        g_test_message("%s", s->name);
        check_inner(&p);
        assert_encap(&p, s->encap);
        g_assert_true(p.have & CORR_HAVE_MAC);
        if (p.src.len == 4)
            assert_addr(&p.src, "10.0.0.1");
        else if (p.src.len == 16)
            assert_addr(&p.src, "2001:db8::1");
    }
}

static void test_refused(void)
{
    for (const struct sample *s = refused; s->name != NULL; s++) {
        struct corr_parsed p = parse_text(s->link, s->layers);

        g_test_message("%s", s->name);
        g_assert_cmpint(p.kind, ==, CORR_KIND_UDP);
        g_assert_cmpuint(p.dst_port, !=, 2000);
        g_assert_cmpuint(p.n_encap, ==, 0);
        g_assert_cmphex(p.resid, ==, sum_of(p.payload, p.payload_len, 0));
    }
}

static void test_carriers(void)
{
    struct corr_parsed esp = parse_text(1, "eth ip4 p32 x0000000700000001 data");
    struct corr_parsed keepalive = parse_text(1, "eth ip4 p2f x00000000");
    struct corr_parsed pptp_ack = parse_text(1, "eth ip4 p2f x2081880b00000009 x00000002");
    struct corr_parsed pptp_secret =
        parse_text(1, "eth ip4 p2f x3001880b00640009 x00000001 xff0300fd data");
    struct corr_parsed wireguard = parse_text(1, "eth ip4 udp:51820 x04000000 data");
    struct corr_parsed ah = parse_text(
        1, "eth ip4 p33 x110400000000000700000001 x000102030405060708090a0b udp6:2000 data");
    struct corr_parsed l2tp_control = parse_text(1, "eth ip4 p73 x00000000 data");

    g_assert_cmpint(esp.kind, ==, CORR_KIND_IP);
    g_assert_cmpuint(esp.proto, ==, 50);
    g_assert_cmpuint(esp.payload_len, ==, 208);
    g_assert_cmpint(keepalive.kind, ==, CORR_KIND_IP);
    g_assert_cmpuint(keepalive.proto, ==, 47);
    g_assert_cmpint(pptp_ack.kind, ==, CORR_KIND_IP);
    g_assert_cmpint(pptp_secret.kind, ==, CORR_KIND_IP);
    g_assert_cmpuint(pptp_secret.n_encap, ==, 0);
    g_assert_cmpint(wireguard.kind, ==, CORR_KIND_UDP);
    g_assert_cmpint(l2tp_control.kind, ==, CORR_KIND_IP);
    g_assert_cmpint(ah.kind, ==, CORR_KIND_UDP); /* transport mode: the IP header is the only one */
    g_assert_cmpuint(ah.payload_len, ==, 200);
    assert_encap(&ah, "ah 7");
}

/* The MAC pair is the innermost one; an inner frame without IP is an identity too. */
static void test_inner_l2(void)
{
    struct corr_parsed arp =
        parse_text(1, "eth ip4 udp:4789 x0800000000004d00 eth t0806 x0001080006040001"
                      " x02000000000a0a000001 x0000000000000a000002");
    struct corr_parsed ip = parse_text(1, tunnel_samples[0].layers);

    g_assert_cmpint(arp.kind, ==, CORR_KIND_L2);
    assert_encap(&arp, "vxlan 77");
    g_assert_cmpuint(arp.src.len, ==, 0);
    g_assert_cmpuint(arp.ip_len, ==, 0);
    g_assert_false(arp.have & (CORR_HAVE_IP | CORR_HAVE_IP_ID | CORR_HAVE_DF | CORR_HAVE_PORTS));
    g_assert_cmpuint(arp.payload_len, ==, 28);
    g_assert_cmpuint(arp.mac_src[4], ==, 0);
    g_assert_cmpuint(ip.ip_len, ==, 228);
}

static void test_mpls_opaque(void)
{
    struct corr_parsed p = parse_text(1, "eth t8847 x00010040 x00020140 x1000 data");

    g_assert_cmpint(p.kind, ==, CORR_KIND_L2);
    g_assert_cmphex(p.ethertype, ==, 0x8847);
    g_assert_cmpuint(p.payload_len, ==, 202);
    assert_encap(&p, "mpls 16, mpls 32");
}

/* While segments are left the final destination is in the routing header, also for checksums. */
static void test_segments_left(void)
{
    static struct frame frame;

    build(&frame, "eth ip6 p2b xPP02040100000000 x20010db8000000000000000000000002 " INNER4);
    struct corr_parsed inner = parse(&frame);

    check_inner(&inner);
    /* UDP straight under the routing header: builder's checksum is for ::2, the last segment. */
    build(&frame, "eth ip6 udp:2000 data");
    memmove(frame.bytes + 54 + 24, frame.bytes + 54, frame.len - 54);
    memcpy(frame.bytes + 54, "\x11\x02\x04\x01\x00\x00\x00\x00", 8);
    memcpy(frame.bytes + 62, frame.bytes + 38, 16);
    frame.bytes[53] = 0x77; /* the next segment */
    frame.bytes[20] = 43;
    frame.bytes[19] = (uint8_t)(frame.bytes[19] + 24);
    frame.len += 24;

    struct corr_parsed p = parse(&frame);

    check_inner(&p);
    assert_encap(&p, "srv6 0");
    assert_addr(&p.dst, "2001:db8::2");
}

static void test_depth(void)
{
    struct corr_parsed eight = parse_text(101, "ip4 ip4 ip4 ip4 ip4 ip4 ip4 " INNER4);
    struct corr_parsed nine = parse_text(101, "ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 " INNER4);
    struct corr_parsed tags = parse_text(
        1, "eth t8100 x0001TT t8100 x0001TT t8100 x0001TT t8100 x0001TT t8100 x0001TT t8100"
           " x0001TT t8100 x0001TT t8100 x0001TT t8100 x0001TT t8100 x0001TT t8100 x0001TT"
           " t8100 x0001TT t8100 x0001TT " INNER4);

    g_assert_cmpint(eight.kind, ==, CORR_KIND_UDP);
    g_assert_cmpuint(eight.n_encap, ==, 7);
    g_assert_cmpint(nine.kind, ==, CORR_KIND_IP);
    g_assert_cmpuint(nine.n_encap, ==, 7);
    g_assert_cmpint(tags.kind, ==, CORR_KIND_UNKNOWN);
    g_assert_cmpstr(tags.unknown, ==, "too many encapsulations");
}

/* A closed tunnel is not looked into; what is no tunnel (a VLAN tag) is peeled all the same. */
static void test_closed(void)
{
    for (const struct sample *sample = tunnel_samples; sample->name; sample++) {
        struct corr_parsed open[CORR_PARSE_MAX], closed[CORR_PARSE_MAX];
        struct frame frame;

        build(&frame, sample->layers);
        struct corr_frame f = {.number = 1,
                               .link = sample->link,
                               .wire_len = frame.len,
                               .cap_len = frame.len,
                               .data = frame.bytes};
        corr_parse(&f, 0, open);
        corr_parse(&f, UINT32_MAX, closed);
        bool has_tunnel = false;
        for (unsigned i = 0; i < open->n_encap; i++)
            has_tunnel |= corr_encap_is_tunnel(open->encap[i].kind);
        if (!has_tunnel) {
            g_assert_cmpuint(closed->n_encap, ==, open->n_encap);
            continue;
        }
        /* Of SRv6 the header stays, as the outer packet has it. */
        for (unsigned i = 0; i < closed->n_encap; i++)
            g_assert_true(!corr_encap_is_tunnel(closed->encap[i].kind) ||
                          closed->encap[i].kind == CORR_ENCAP_SRV6);
        g_assert_cmpint(closed->kind, !=, CORR_KIND_UNKNOWN);
        g_assert_true(closed->payload < open->payload);
    }
}

static void test_words(void)
{
    for (int i = 0; i < CORR_ENCAP_COUNT; i++) {
        g_assert_nonnull(corr_encap_word(i));
        for (int j = 0; j < i; j++)
            g_assert_cmpstr(corr_encap_word(i), !=, corr_encap_word(j));
    }
}

void add_tunnel_tests(void)
{
    g_test_add_func("/parse/tunnel/peeled", test_peeled);
    g_test_add_func("/parse/tunnel/refused", test_refused);
    g_test_add_func("/parse/tunnel/carriers", test_carriers);
    g_test_add_func("/parse/tunnel/inner-l2", test_inner_l2);
    g_test_add_func("/parse/tunnel/mpls-opaque", test_mpls_opaque);
    g_test_add_func("/parse/tunnel/segments-left", test_segments_left);
    g_test_add_func("/parse/tunnel/depth", test_depth);
    g_test_add_func("/parse/tunnel/closed", test_closed);
    g_test_add_func("/parse/tunnel/words", test_words);
}
