/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_parse.c - the parser: link layers and addresses; main program of all parser tests.
 */
#include "test_parse.h"

#include <string.h>

/* clang-format off */
const struct sample link_samples[] = {
    {"ethernet",   1,   "eth ip4 udp:2000 data", ""},
    {"ethernet6",  1,   "eth ip6 udp:2000 data", ""},
    {"snap",       1,   "x02000000000b x02000000000a xL0 xaaaa03000000TT ip4 udp:2000 data", ""},
    {"sll-out",    113, "x00040001000602000000000a0000TT ip4 udp:2000 data", ""},
    {"sll-in",     113, "x00000001000602000000000a0000TT ip6 udp:2000 data", ""},
    {"sll-vlan",   113, "x00000001000602000000000a00008100 x0064TT ip4 udp:2000 data", "vlan 100"},
    {"sll2-out",   276, "xTT00000000000500010406 x02000000000a0000 ip4 udp:2000 data", ""},
    {"sll2-in",    276, "xTT00000000000500010006 x02000000000a0000 ip6 udp:2000 data", ""},
    {"raw4",       101, "ip4 udp:2000 data", ""},
    {"raw6",       101, "ip6 udp:2000 data", ""},
    {"raw-bsd",    12,  "ip6 udp:2000 data", ""},
    {"raw-openbsd", 14, "ip4 udp:2000 data", ""},
    {"ipv4",       228, "ip4 udp:2000 data", ""},
    {"ipv6",       229, "ip6 udp:2000 data", ""},
    {"null-le",    0,   "x02000000 ip4 udp:2000 data", ""},
    {"null-be",    0,   "x00000002 ip4 udp:2000 data", ""},
    {"null-mac",   0,   "x1e000000 ip6 udp:2000 data", ""},
    {"loop",       108, "x00000018 ip6 udp:2000 data", ""},
    {"ppp",        9,   "xff030021 ip4 udp:2000 data", ""},
    {"ppp-short",  9,   "x0057 ip6 udp:2000 data", ""},
    {"ppp-shortest", 9, "x21 ip4 udp:2000 data", ""},
    {"ppp-mpls",   9,   "x0281 x00010140 ip4 udp:2000 data", "mpls 16"},
    {"ppp-hdlc",   50,  "xff030057 ip6 udp:2000 data", ""},
    {"hdlc-cisco", 50,  "x0f00TT ip4 udp:2000 data", ""},
    {"chdlc",      104, "x0f00TT ip6 udp:2000 data", ""},
    {"nflog",      239, "x02000000 x0800010008000300 xK40900 ip4 udp:2000 data", ""},
    {"nflog-be",   239, "x0a000000 x0008000186dd0300 xL40009 ip6 udp:2000 data", ""},
    {"nflog-bridge", 239, "x07000000 x0800010086dd0300 xK40900 ip6 udp:2000 data", ""},
    {"wifi-to",    105, "x08010000 x0200000000bb x02000000000a x02000000000b x0000"
                        " xaaaa03000000TT ip4 udp:2000 data", ""},
    {"wifi-qos",   105, "x88020000 x02000000000b x0200000000bb x02000000000a x0000 x0000"
                        " xaaaa03000000TT ip4 udp:2000 data", ""},
    {"wifi-wds",   105, "x08030000 x0200000000bb x0200000000cc x02000000000b x0000 x02000000000a"
                        " xaaaa03000000TT ip6 udp:2000 data", ""},
    {"wifi-mesh",  105, "x88030000 x0200000000bb x0200000000cc x02000000000b x0000 x02000000000a"
                        " x0001 x001f00000007 xaaaa03000000TT ip4 udp:2000 data", ""},
    {"radiotap",   127, "+01020304 x000009000200000010 x08010000 x0200000000bb x02000000000a"
                        " x02000000000b x0000 xaaaa03000000TT ip4 udp:2000 data", ""},
    {"radiotap-pad", 127, "x00001100030000000000000000000000 x20 x88010000 x0200000000bb"
                        " x02000000000a x02000000000b x0000 x0000 x0000"
                        " xaaaa03000000TT ip4 udp:2000 data", ""},
    {"ppi",        192, "+01020304 x0000200069000000 x020014000000000000000000"
                        " x010000000000000000000000 x08010000"
                        " x0200000000bb x02000000000a x02000000000b x0000"
                        " xaaaa03000000TT ip4 udp:2000 data", ""},
    {"ppi-ethernet", 192, "x0000080001000000 eth ip4 udp:2000 data", ""},
    {NULL, 0, NULL, NULL},
};
/* clang-format on */

/* A frame without IP that does not tell its length is the same with and without padding. */
static void test_padding(void)
{
    static const char type[] = "x02000000000b02000000000a88b5";
    char *bare = g_strdup_printf("%s xc0ffee00c0ffee", type);
    char *padded = g_strdup_printf("+%078d %s xc0ffee00c0ffee", 0, type);
    char *longer = g_strdup_printf("+0000 %s data:60", type);
    struct corr_parsed a = parse_text(1, bare), b = parse_text(1, padded);

    g_assert_cmpuint(a.payload_len, ==, 7);
    g_assert_cmpuint(b.payload_len, ==, 7);
    g_assert_true(a.dfull == b.dfull);
    g_assert_false(a.have & CORR_HAVE_PADDED);
    g_assert_true(b.have & CORR_HAVE_PADDED);
    a = parse_text(1, longer); /* too long to be padded: the zeros are its own */
    g_assert_cmpuint(a.payload_len, ==, 62);
    g_free(bare);
    g_free(padded);
    g_free(longer);
}

static void test_links(void)
{
    for (const struct sample *s = link_samples; s->name != NULL; s++) {
        struct corr_parsed p = parse_text(s->link, s->layers);

        g_test_message("%s", s->name);
        g_assert_cmpint(p.kind, ==, CORR_KIND_UDP);
        g_assert_null(p.unknown);
        g_assert_cmpuint(p.dst_port, ==, 2000);
        g_assert_cmpuint(p.payload_len, ==, 200);
        g_assert_cmpuint(p.payload_cap, ==, 200);
        g_assert_true(p.have & CORR_HAVE_DFULL);
        g_assert_true(p.have & CORR_HAVE_RESID);
        g_assert_cmphex(p.resid, ==, sum_of(p.payload, 200, 0));
        g_assert_cmpuint(p.ethertype, ==, p.src.len == 4 ? 0x0800 : 0x86dd);
        assert_encap(&p, s->encap);
        if (s->link == 1 || s->link == 105 || s->link == 127) {
            g_assert_true(p.have & CORR_HAVE_MAC);
            g_assert_cmpuint(p.mac_src[5], ==, 0xa);
            g_assert_cmpuint(p.mac_dst[5], ==, 0xb);
        }
    }
}

static void test_cooked(void)
{
    struct corr_parsed out = parse_text(113, link_samples[3].layers);
    struct corr_parsed in = parse_text(113, link_samples[4].layers);
    struct corr_parsed out2 = parse_text(276, link_samples[6].layers);
    struct corr_parsed in2 = parse_text(276, link_samples[7].layers);

    g_assert_true(out.have & CORR_HAVE_TX && !(out.have & CORR_HAVE_RX));
    g_assert_true(in.have & CORR_HAVE_RX && !(in.have & CORR_HAVE_TX));
    g_assert_true(out2.have & CORR_HAVE_TX && out2.have & CORR_HAVE_IFINDEX);
    g_assert_true(in2.have & CORR_HAVE_RX);
    g_assert_cmpuint(out2.ifindex, ==, 5);
    g_assert_false((out.have | out2.have) & CORR_HAVE_MAC);
    g_assert_cmpuint(out.mac_src[5], ==, 0xa);
    g_assert_cmpuint(out2.mac_src[5], ==, 0xa);
}

static void test_aggregate(void)
{
    static struct frame frame;
    struct corr_parsed out[CORR_PARSE_MAX];

    /* Two MSDUs; the first is of 14 + 47 bytes and padded to 64. */
    build(&frame, "x88010000 x0200000000bb x02000000000a x02000000000b x0000 x8000"
                  " x02000000001b x02000000001a x002f xaaaa030000000800"
                  " x4500002712344000401100000a0000010a000002 x03e807d000130000"
                  " x0102030405060708090a0b x000000"
                  " x02000000002b x02000000002a xL0 xaaaa03000000TT ip4 udp:2001 data:9");
    frame.link = 105;
    g_assert_cmpuint(parse_cut(&frame, frame.len, out), ==, 2);
    g_assert_cmpint(out[0].kind, ==, CORR_KIND_UDP);
    g_assert_cmpint(out[1].kind, ==, CORR_KIND_UDP);
    g_assert_cmpuint(out[0].dst_port, ==, 2000);
    g_assert_cmpuint(out[1].dst_port, ==, 2001);
    g_assert_cmpuint(out[0].mac_src[5], ==, 0x1a);
    g_assert_cmpuint(out[1].mac_dst[5], ==, 0x2b);
    g_assert_cmpuint(out[0].payload_len, ==, 11);
    g_assert_cmpuint(out[1].payload_len, ==, 9);
}

static void test_wifi_refused(void)
{
    struct corr_parsed beacon = parse_text(105, "x80000000 data:60");
    struct corr_parsed secret = parse_text(105, "x08410000 data:60");
    struct corr_parsed null = parse_text(105, "x48010000 data:60");

    g_assert_cmpint(beacon.kind, ==, CORR_KIND_UNKNOWN);
    g_assert_cmpstr(beacon.unknown, ==, "802.11 management or control frame");
    g_assert_cmpstr(secret.unknown, ==, "802.11 encrypted");
    g_assert_cmpstr(null.unknown, ==, "802.11 frame without data");
}

static void test_unknown(void)
{
    struct corr_parsed usb = parse_text(220, "data");
    struct corr_parsed other = parse_text(4711, "data");
    struct corr_parsed family = parse_text(0, "x11000000 data");
    struct corr_parsed version = parse_text(101, "x55 data");
    struct corr_parsed odd = parse_text(1, "eth t0800 x440000 data");

    g_assert_cmpint(usb.kind, ==, CORR_KIND_UNKNOWN);
    g_assert_cmpstr(usb.unknown, ==, "link type 220 (USB)");
    g_assert_cmpstr(other.unknown, ==, "link type not known");
    g_assert_cmpstr(family.unknown, ==, "loopback address family");
    g_assert_cmpstr(version.unknown, ==, "neither IPv4 nor IPv6");
    g_assert_cmpstr(odd.unknown, ==, "not an IPv4 header");
}

static void test_l2(void)
{
    /* ARP in a padded frame: 28 bytes, whatever follows. */
    struct corr_parsed arp =
        parse_text(1, "+000000000000000000000000000000000000"
                      " eth t0806 x0001080006040001 x02000000000a0a000001 x0000000000000a000002");
    struct corr_parsed bare =
        parse_text(1, "eth t0806 x0001080006040001 x02000000000a0a000001 x0000000000000a000002");
    /* STP: 802.3 length 38, then padding. */
    struct corr_parsed stp = parse_text(1, "eth t0026 x424203 data:35 x0000000000000000");
    struct corr_parsed lldp = parse_text(1, "eth t8100 x0007TT t88cc data:50");
    struct corr_parsed ppp = parse_text(1, "eth t8864 x11000007L0 xc021 data:20");

    g_assert_cmpint(arp.kind, ==, CORR_KIND_L2);
    g_assert_cmphex(arp.ethertype, ==, 0x0806);
    g_assert_cmpuint(arp.payload_len, ==, 28);
    g_assert_cmphex(arp.dfull, ==, bare.dfull);
    g_assert_true(arp.have & CORR_HAVE_PADDED);
    g_assert_false(bare.have & CORR_HAVE_PADDED);
    g_assert_false(arp.have & CORR_HAVE_IP);
    g_assert_cmpuint(arp.src.len, ==, 0);

    g_assert_cmpint(stp.kind, ==, CORR_KIND_L2);
    g_assert_cmpuint(stp.ethertype, ==, 0);
    g_assert_cmpuint(stp.payload_len, ==, 38);
    g_assert_true(stp.have & CORR_HAVE_PADDED);

    g_assert_cmphex(lldp.ethertype, ==, 0x88cc);
    g_assert_cmpuint(lldp.payload_len, ==, 50);
    assert_encap(&lldp, "vlan 7");

    g_assert_cmpint(ppp.kind, ==, CORR_KIND_L2);
    g_assert_cmphex(ppp.ethertype, ==, 0x880b);
    assert_encap(&ppp, "pppoe 7");
}

static struct corr_addr addr6(const char *hex)
{
    struct corr_addr addr = {.len = 16};

    for (int i = 0; i < 16; i++)
        addr.bytes[i] =
            (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    return addr;
}

static struct corr_addr addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct corr_addr){.len = 4, .bytes = {a, b, c, d}};
}

static void test_addr_text(void)
{
    static const struct {
        const char *hex, *text;
    } cases[] = {
        {"00000000000000000000000000000000", "::"},
        {"00000000000000000000000000000001", "::1"},
        {"20010db8000000000000000000000001", "2001:db8::1"},
        {"20010db8000000000001000000000001", "2001:db8::1:0:0:1"},
        {"20010db8000100010001000100010001", "2001:db8:1:1:1:1:1:1"},
        {"20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"},
        {"fe80000000000000abcd000000000000", "fe80::abcd:0:0:0"},
        {"00010000000000000000000000000000", "1::"},
        {"00000001000200030004000500060007", "0:1:2:3:4:5:6:7"},
        {"00000000000000000000ffffc0000201", "::ffff:192.0.2.1"},
        {"ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    struct corr_addr a = addr4(192, 0, 2, 255), none = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct corr_addr addr = addr6(cases[i].hex);

        assert_addr(&addr, cases[i].text);
    }
    assert_addr(&a, "192.0.2.255");
    assert_addr(&none, "-");
}

static void test_addr_scope(void)
{
    struct corr_addr a = addr4(10, 0, 0, 1), b = addr4(10, 0, 0, 2), none = {0};
    struct corr_addr multicast = addr4(224, 0, 0, 251), broadcast = addr4(255, 255, 255, 255);
    struct corr_addr local = addr4(169, 254, 1, 1), any = addr4(0, 0, 0, 0);
    struct corr_addr v6 = addr6("20010db8000000000000000000000001");
    struct corr_addr v6_local = addr6("febf0000000000000000000000000001");
    struct corr_addr v6_site = addr6("fec00000000000000000000000000001");
    struct corr_addr v6_multicast = addr6("ff020000000000000000000000000001");

    g_assert_cmpint(corr_addr_compare(&a, &b), <, 0);
    g_assert_cmpint(corr_addr_compare(&v6, &b), >, 0);
    g_assert_true(corr_addr_equal(&a, &a));
    g_assert_false(corr_addr_equal(&a, &v6));
    g_assert_true(corr_addr_equal(&none, &none));
    g_assert_true(corr_addr_is_multicast(&multicast));
    g_assert_true(corr_addr_is_multicast(&broadcast));
    g_assert_true(corr_addr_is_multicast(&v6_multicast));
    g_assert_false(corr_addr_is_multicast(&a));
    g_assert_false(corr_addr_is_multicast(&v6));
    g_assert_true(corr_addr_is_link_local(&local));
    g_assert_true(corr_addr_is_link_local(&any));
    g_assert_true(corr_addr_is_link_local(&v6_local));
    g_assert_false(corr_addr_is_link_local(&v6_site));
    g_assert_false(corr_addr_is_link_local(&v6));
    g_assert_false(corr_addr_is_link_local(&none));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parse/links", test_links);
    g_test_add_func("/parse/links/cooked", test_cooked);
    g_test_add_func("/parse/links/aggregate", test_aggregate);
    g_test_add_func("/parse/links/wifi-refused", test_wifi_refused);
    g_test_add_func("/parse/links/unknown", test_unknown);
    g_test_add_func("/parse/links/l2", test_l2);
    g_test_add_func("/parse/addr/text", test_addr_text);
    g_test_add_func("/parse/addr/scope", test_addr_scope);
    g_test_add_func("/parse/padding", test_padding);
    add_tunnel_tests();
    add_broker_tests();
    add_l4_tests();
    add_fragment_tests();
    add_robust_tests();
    add_token_tests();
    return g_test_run();
}
