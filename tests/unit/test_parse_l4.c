/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_parse_l4.c - TCP, UDP, ICMP: members, residuals, offload, digests, quotes.
 */
#include "test_parse.h"

#include <string.h>

#define IP 14 /* offsets in an Ethernet frame with IPv4 without options */
#define L4 34

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void test_tcp(void)
{
    static struct frame frame;

    build(&frame, "eth ip4 tcp data");
    struct corr_parsed p = parse(&frame);

    g_assert_cmpint(p.kind, ==, CORR_KIND_TCP);
    g_assert_cmpuint(p.have & (CORR_HAVE_TCP | CORR_HAVE_TS | CORR_HAVE_OPTIONS | CORR_HAVE_RESID |
                               CORR_HAVE_LEN | CORR_HAVE_IP_ID | CORR_HAVE_DF),
                     ==,
                     CORR_HAVE_TCP | CORR_HAVE_TS | CORR_HAVE_OPTIONS | CORR_HAVE_RESID |
                         CORR_HAVE_LEN | CORR_HAVE_IP_ID | CORR_HAVE_DF);
    g_assert_cmpuint(p.src_port, ==, 40000);
    g_assert_cmpuint(p.dst_port, ==, 80);
    g_assert_cmphex(p.seq, ==, 0x11223344);
    g_assert_cmphex(p.ack, ==, 0x55667788);
    g_assert_cmphex(p.tcp_flags, ==, CORR_TCP_ACK | CORR_TCP_PSH);
    g_assert_cmpuint(p.window, ==, 501);
    g_assert_cmphex(p.tsval, ==, 0x00010203);
    g_assert_cmphex(p.tsecr, ==, 0x04050607);
    g_assert_cmpuint(p.opt_kinds, ==, CORR_OPT_TS);
    g_assert_cmpuint(p.opt_hash, ==, 0);
    g_assert_cmphex(p.ip_id, ==, 0x1234);
    g_assert_cmpuint(p.ip_len, ==, 252);
    g_assert_cmpuint(p.payload_len, ==, 200);
    g_assert_cmphex(p.resid, ==, sum_of(frame.bytes + L4 + 32, 200, 0));
    g_assert_false(p.l7_bytes_constant);
}

/* What NAT, a sequence randomiser and a short snap length do leaves the residual alone. */
static void test_residual(void)
{
    static struct frame frame;
    struct corr_parsed out[CORR_PARSE_MAX];

    build(&frame, "eth ip4 tcp data:199");
    struct corr_parsed before = parse(&frame);

    memcpy(frame.bytes + IP + 12, "\xcb\x00\x71\x07", 4);
    put16(frame.bytes + L4, 18311);
    put16(frame.bytes + L4 + 4, 0x9988);
    put16(frame.bytes + L4 + 14, 77);
    memcpy(frame.bytes + L4 + 20, "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", 12);
    fix_ip4(frame.bytes + IP);
    g_assert_cmpuint(parse_cut(&frame, L4 + 32, out), ==, 1);

    g_assert_true(out[0].have & CORR_HAVE_RESID && out[0].have & CORR_HAVE_SNAPPED);
    g_assert_cmphex(out[0].resid, ==, before.resid);
    g_assert_cmpuint(out[0].payload_len, ==, 199);
    g_assert_cmpuint(out[0].payload_cap, ==, 0);
    g_assert_null(out[0].payload);
    /* With a byte of the options missing there is none. */
    parse_cut(&frame, L4 + 31, out);
    g_assert_false(out[0].have & (CORR_HAVE_RESID | CORR_HAVE_OPTIONS));

    struct corr_parsed v4 = parse_text(1, "eth ip4 tcp data:199");
    struct corr_parsed v6 = parse_text(1, "eth ip6 tcp data:199");
    struct corr_parsed none = parse_text(1, "eth ip4 tcp");
    struct corr_parsed zeros = parse_text(1, "eth ip4 tcp x0000000000000000");
    struct corr_parsed ones = parse_text(1, "eth ip4 tcp xffffffffffffffff");

    g_assert_cmphex(v4.resid, ==, v6.resid);
    g_assert_cmphex(none.resid, ==, 0);
    g_assert_cmphex(zeros.resid, ==, 0);
    g_assert_cmphex(ones.resid, ==, 0);
}

/* A checksum is judged only where it can be: all bytes here, and not left to the card. */
static void test_bad_sum(void)
{
    static const char *const kinds[] = {"eth ip4 tcp data:199", "eth ip6 tcp data:8",
                                        "eth ip4 udp:2000 data:1001", "eth ip4 echo data:56",
                                        "eth ip6 reply data:57"};
    static struct frame frame;
    struct corr_parsed out[CORR_PARSE_MAX];

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        build(&frame, kinds[i]);
        g_assert_false(parse(&frame).have & CORR_HAVE_BAD_SUM);
        frame.bytes[frame.len - 1] ^= 4;
        g_assert_true(parse(&frame).have & CORR_HAVE_BAD_SUM);
        parse_cut(&frame, frame.len - 1, out);
        g_assert_false(out[0].have & CORR_HAVE_BAD_SUM);
    }
    build(&frame, "eth ip4 udp:2000 data");
    put16(frame.bytes + L4 + 6, 0);
    g_assert_false(parse(&frame).have & CORR_HAVE_BAD_SUM);
    put16(frame.bytes + L4 + 6, sum_of(frame.bytes + IP + 12, 8, 17 + 208));
    g_assert_false(parse(&frame).have & CORR_HAVE_BAD_SUM);
}

static void test_partial(void)
{
    static struct frame frame;
    struct corr_parsed p;

    build(&frame, "eth ip4 tcp data");
    put16(frame.bytes + L4 + 16, sum_of(frame.bytes + IP + 12, 8, 6 + 232));
    p = parse(&frame);
    g_assert_true(p.have & CORR_HAVE_PARTIAL);
    g_assert_false(p.have & CORR_HAVE_RESID);

    build(&frame, "eth ip4 udp:2000 data");
    put16(frame.bytes + L4 + 6, sum_of(frame.bytes + IP + 12, 8, 17 + 208));
    p = parse(&frame);
    g_assert_true(p.have & CORR_HAVE_PARTIAL);
    put16(frame.bytes + L4 + 6, 0); /* no checksum at all */
    p = parse(&frame);
    g_assert_false(p.have & (CORR_HAVE_PARTIAL | CORR_HAVE_RESID));

    build(&frame, "eth ip6 tcp data");
    put16(frame.bytes + 54 + 16, sum_of(frame.bytes + 22, 32, 6 + 232));
    p = parse(&frame);
    g_assert_true(p.have & CORR_HAVE_PARTIAL);
}

/* A TCP header with these options, which begin and end as the hexadecimal text says. */
static struct corr_parsed with_options(const char *hex)
{
    char *text = g_strdup_printf("eth ip4 p6 x9c40005011223344556677 x88%x01001f500000000 x%s data",
                                 (unsigned)(5 + strlen(hex) / 8), hex);
    struct corr_parsed p;

    /* 13th byte: data offset and flags 0x010 */
    p = parse_text(1, text);
    g_free(text);
    return p;
}

static void test_options(void)
{
    struct corr_parsed syn = with_options("020405b40402080a000000010000000001030307");
    struct corr_parsed later = with_options("020405b40402080a000000990000000001030307");
    struct corr_parsed moved = with_options("0101020405b40402010303070000000000000000");
    struct corr_parsed clamped = with_options("020405140402080a000000010000000001030307");
    struct corr_parsed sack = with_options("0101050a0000000100000002");
    struct corr_parsed sack2 = with_options("0101050a0000000100000003");
    struct corr_parsed broken = with_options("02040204ff00aabb");
    struct corr_parsed zero = with_options("0300000008010203");
    struct corr_parsed beyond = with_options("01010101050b0000");
    struct corr_parsed mptcp = with_options("1e0402032204aabb");

    g_assert_cmpint(syn.kind, ==, CORR_KIND_TCP);
    g_assert_true(syn.have & CORR_HAVE_MSS && syn.have & CORR_HAVE_TS);
    g_assert_cmpuint(syn.mss, ==, 1460);
    g_assert_cmpuint(syn.wscale, ==, 7);
    g_assert_cmpuint(syn.n_sack, ==, 0);
    g_assert_cmpuint(sack.n_sack, ==, 1);
    g_assert_cmpuint(sack.sack[0].left, ==, 1);
    g_assert_cmpuint(sack.sack[0].right, ==, 2);
    g_assert_cmpuint(syn.tsval, ==, 1);
    g_assert_cmphex(syn.opt_kinds, ==,
                    CORR_OPT_MSS | CORR_OPT_SACKPERM | CORR_OPT_TS | CORR_OPT_WSCALE);
    g_assert_cmphex(later.opt_hash, ==, syn.opt_hash);
    g_assert_cmphex(moved.opt_hash, ==, syn.opt_hash);
    g_assert_false(moved.have & CORR_HAVE_TS);
    g_assert_cmphex(clamped.opt_hash, !=, syn.opt_hash);
    g_assert_cmphex(sack.opt_kinds, ==, CORR_OPT_SACK);
    g_assert_cmphex(sack.opt_hash, !=, sack2.opt_hash);
    g_assert_true(broken.opt_kinds & CORR_OPT_OTHER);
    g_assert_true(broken.have & CORR_HAVE_OPTIONS);
    g_assert_cmphex(zero.opt_kinds, ==, CORR_OPT_OTHER);
    g_assert_cmphex(beyond.opt_kinds, ==, CORR_OPT_OTHER);
    g_assert_cmphex(mptcp.opt_kinds, ==, CORR_OPT_MPTCP | CORR_OPT_FASTOPEN);
    g_assert_cmpuint(mptcp.payload_len, ==, 200);
}

static void test_digests(void)
{
    static struct frame frame;
    struct corr_parsed out[CORR_PARSE_MAX];

    build(&frame, "eth ip4 udp:2000 data:300");
    struct corr_parsed whole = parse(&frame);

    for (uint32_t n = 0; n <= 300; n++) {
        parse_cut(&frame, L4 + 8 + n, out);
        g_assert_cmpuint(out[0].payload_cap, ==, n);
        g_assert_cmpuint(out[0].payload_len, ==, 300);
        g_assert_cmpint((out[0].have & CORR_HAVE_D8) != 0, ==, n >= 8);
        g_assert_cmpint((out[0].have & CORR_HAVE_D32) != 0, ==, n >= 32);
        g_assert_cmpint((out[0].have & CORR_HAVE_D128) != 0, ==, n >= 128);
        g_assert_cmpint((out[0].have & CORR_HAVE_DFULL) != 0, ==, n == 300);
        if (n >= 128) {
            g_assert_cmphex(out[0].d8, ==, whole.d8);
            g_assert_cmphex(out[0].d32, ==, whole.d32);
            g_assert_cmphex(out[0].d128, ==, whole.d128);
        }
    }

    struct corr_parsed short_one = parse_text(1, "eth ip4 udp:2000 data:20");
    struct corr_parsed constant = parse_text(1, "eth ip4 udp:2000 x5555555555555555");
    struct corr_parsed empty = parse_text(1, "eth ip4 udp:2000");

    g_assert_cmphex(short_one.d8, ==, whole.d8);
    g_assert_cmphex(short_one.d32, !=, whole.d32);
    g_assert_cmphex(short_one.d32, ==, (uint32_t)short_one.dfull);
    g_assert_true(short_one.have & CORR_HAVE_D128);
    g_assert_true(constant.l7_bytes_constant);
    g_assert_false(whole.l7_bytes_constant);
    g_assert_false(empty.l7_bytes_constant);
    g_assert_true(empty.have & CORR_HAVE_DFULL);
}

static void test_lengths(void)
{
    static struct frame frame;
    struct corr_parsed p;

    /* Padding and FCS are not payload. */
    build(&frame, "+00000000000000000000000000 eth ip4 udp:2000 text:hello");
    p = parse(&frame);
    g_assert_cmpuint(p.payload_len, ==, 5);
    g_assert_true(p.have & CORR_HAVE_PADDED);
    frame.bytes[IP + 3]++; /* IP says one more than UDP: UDP is believed */
    p = parse(&frame);
    g_assert_cmpuint(p.payload_len, ==, 5);
    put16(frame.bytes + L4 + 4, 7);
    p = parse(&frame);
    g_assert_cmpint(p.kind, ==, CORR_KIND_IP);
    g_assert_cmpstr(p.unknown, ==, "UDP header length");

    /* Segmentation offload beyond 64 KiB: no length in the IP header. */
    build(&frame, "eth ip4 tcp data:1000");
    put16(frame.bytes + IP + 2, 0);
    p = parse(&frame);
    g_assert_cmpuint(p.payload_len, ==, 1000);
    build(&frame, "eth ip6 tcp data:1000");
    put16(frame.bytes + IP + 4, 0);
    p = parse(&frame);
    g_assert_cmpuint(p.payload_len, ==, 1000);
    build(&frame, "eth ip6 p0 x0600c20400000414 p6 tcp data:1000"); /* jumbo: 8 + 32 + 1000 */
    put16(frame.bytes + IP + 4, 0);
    frame.bytes[IP + 6] = 0;
    frame.bytes[IP + 46] = 4;
    frame.bytes[IP + 47] = 0x10;
    p = parse(&frame);
    g_assert_cmpint(p.kind, ==, CORR_KIND_TCP);
    g_assert_cmpuint(p.payload_len, ==, 1000);

    build(&frame, "eth ip4 tcp data:1000");
    put16(frame.bytes + IP + 2, 19);
    p = parse(&frame);
    g_assert_cmpint(p.kind, ==, CORR_KIND_UNKNOWN);
    g_assert_cmpstr(p.unknown, ==, "IPv4 length below its header");
    put16(frame.bytes + IP + 2, 30); /* no room for TCP */
    p = parse(&frame);
    g_assert_cmpint(p.kind, ==, CORR_KIND_IP);
    g_assert_cmpstr(p.unknown, ==, "TCP header length");
    put16(frame.bytes + IP + 2, 3000); /* original length lost by the capturing tool */
    p = parse(&frame);
    g_assert_cmpint(p.kind, ==, CORR_KIND_TCP);
    g_assert_cmpuint(p.payload_len, ==, 2948);
    g_assert_cmpuint(p.payload_cap, ==, 1000);
    g_assert_false(p.have & CORR_HAVE_DFULL);
}

static void test_ip6(void)
{
    struct corr_parsed p = parse_text(1, "eth ip6 p0 xPP00050200000100 p3c xPP00010400000000"
                                         " p11 x03e807d000d00000 data");
    struct corr_parsed none = parse_text(1, "eth ip6 p3b x");
    struct corr_parsed odd = parse_text(1, "eth ip6 p3c x11ff000000000000 data:20");
    struct corr_parsed sctp = parse_text(1, "eth ip6 p84 x1234567800000001 data");
    struct corr_parsed translated = parse_text(1, "eth ip4 p84 x9999567800000001 data");
    struct corr_parsed short_sctp = parse_text(1, "eth ip4 p84 x123456780000");

    g_assert_cmpint(p.kind, ==, CORR_KIND_UDP);
    g_assert_cmpuint(p.proto, ==, 17);
    g_assert_cmphex(p.flow_label, ==, 0x12345);
    g_assert_cmpuint(p.ttl, ==, 64);
    g_assert_cmpuint(p.payload_len, ==, 200);
    g_assert_false(p.have & CORR_HAVE_IP_ID);
    g_assert_cmpuint(p.n_encap, ==, 0);
    g_assert_cmpint(none.kind, ==, CORR_KIND_IP);
    g_assert_cmpuint(none.proto, ==, 59);
    g_assert_cmpuint(none.payload_len, ==, 0);
    g_assert_cmpint(odd.kind, ==, CORR_KIND_IP);
    g_assert_cmpstr(odd.unknown, ==, "IPv6 extension header too long");
    g_assert_cmpint(sctp.kind, ==, CORR_KIND_IP);
    g_assert_cmpuint(sctp.src_port, ==, 0x1234);
    g_assert_cmpuint(sctp.payload_len, ==, 196); /* the chunks */
    g_assert_true(sctp.dfull == translated.dfull);
    g_assert_cmpuint(translated.src_port, ==, 0x9999);
    g_assert_cmpstr(short_sctp.unknown, ==, "SCTP header length");
}

static void test_echo(void)
{
    struct corr_parsed request = parse_text(1, "eth ip4 echo data");
    struct corr_parsed reply = parse_text(1, "eth ip6 reply data");
    struct corr_parsed other = parse_text(1, "eth ip6 p3a x8700000000000000 data:16");
    struct corr_parsed runt = parse_text(1, "eth ip4 p1 x080000");

    g_assert_cmpint(request.kind, ==, CORR_KIND_ECHO);
    g_assert_cmpuint(request.src_port, ==, 1234);
    g_assert_cmpuint(request.dst_port, ==, 0);
    g_assert_cmpuint(request.seq, ==, 7);
    g_assert_cmpuint(request.payload_len, ==, 200);
    g_assert_cmphex(request.resid, ==, sum_of(request.payload, 200, 0));
    g_assert_cmpint(reply.kind, ==, CORR_KIND_ECHO);
    g_assert_cmpuint(reply.src_port, ==, 0);
    g_assert_cmpuint(reply.dst_port, ==, 1234);
    g_assert_cmphex(reply.resid, ==, request.resid);
    g_assert_cmpint(other.kind, ==, CORR_KIND_IP);
    g_assert_cmpuint(other.icmp_type, ==, 135);
    g_assert_cmpuint(other.payload_len, ==, 20);
    g_assert_cmpint(runt.kind, ==, CORR_KIND_IP);
    g_assert_cmpstr(runt.unknown, ==, "ICMP header length");
}

static void test_quotes(void)
{
    static struct frame frame;
    struct corr_parsed out[CORR_PARSE_MAX];
    struct corr_parsed p = parse_text(1, "eth ip4 p1 x0304000000000578 ip4 tcp data");

    g_assert_cmpint(p.kind, ==, CORR_KIND_ICMP_ERROR);
    g_assert_true(p.have & CORR_HAVE_QUOTE);
    g_assert_cmpuint(p.icmp_type, ==, 3);
    g_assert_cmpuint(p.icmp_code, ==, 4);
    g_assert_cmpuint(p.quote.mtu, ==, 1400);
    g_assert_cmpuint(p.quote.proto, ==, 6);
    g_assert_cmpuint(p.quote.ttl, ==, 64);
    g_assert_cmpuint(p.quote.ip_len, ==, 252);
    g_assert_cmphex(p.quote.ip_id, ==, 0x1234);
    g_assert_true(p.quote.has_ports && p.quote.has_seq);
    g_assert_cmpuint(p.quote.src_port, ==, 40000);
    g_assert_cmpuint(p.quote.dst_port, ==, 80);
    g_assert_cmphex(p.quote.seq, ==, 0x11223344);
    assert_addr(&p.quote.src, "10.0.0.1");
    assert_addr(&p.src, "10.0.1.1");
    g_assert_cmpuint(p.payload_len, ==, 252);
    g_assert_false(p.have & CORR_HAVE_PORTS);

    /* Cut at each byte: members appear as their bytes do. */
    build(&frame, "eth ip4 p1 x0b00000000000000 ip4 tcp data");
    for (uint32_t cap = L4 + 8; cap <= L4 + 40; cap++) {
        parse_cut(&frame, cap, out);
        g_assert_cmpint(out[0].kind, ==, CORR_KIND_ICMP_ERROR);
        g_assert_cmpint((out[0].have & CORR_HAVE_QUOTE) != 0, ==, cap >= L4 + 28);
        g_assert_cmpint(out[0].quote.has_ports, ==, cap >= L4 + 32);
        g_assert_cmpint(out[0].quote.has_seq, ==, cap >= L4 + 36);
    }

    p = parse_text(1, "eth ip6 p3a x0200000000000500 ip6 p2c xPP00000000000009 udp:2000 data");
    g_assert_cmpuint(p.quote.mtu, ==, 1280);
    g_assert_cmpuint(p.quote.proto, ==, 17);
    g_assert_true(p.quote.has_ports && !p.quote.has_seq);
    g_assert_cmpuint(p.quote.dst_port, ==, 2000);
    g_assert_cmpuint(p.quote.ip_len, ==, 256);

    p = parse_text(1, "eth ip6 p3a x0300000000000000 ip6 reply data");
    g_assert_cmpuint(p.quote.dst_port, ==, 1234);
    g_assert_cmpuint(p.quote.seq, ==, 7);
    p = parse_text(1, "eth ip4 p1 x0301000000000000 ip4 echo data");
    g_assert_cmpuint(p.quote.src_port, ==, 1234);
    g_assert_cmpuint(p.quote.mtu, ==, 0);
    p = parse_text(1, "eth ip4 p1 x0301000000000000 data"); /* nothing that could be quoted */
    g_assert_false(p.have & CORR_HAVE_QUOTE);
}

void add_l4_tests(void)
{
    g_test_add_func("/parse/l4/tcp", test_tcp);
    g_test_add_func("/parse/l4/residual", test_residual);
    g_test_add_func("/parse/l4/partial", test_partial);
    g_test_add_func("/parse/l4/bad checksum", test_bad_sum);
    g_test_add_func("/parse/l4/options", test_options);
    g_test_add_func("/parse/l4/digests", test_digests);
    g_test_add_func("/parse/l4/lengths", test_lengths);
    g_test_add_func("/parse/l4/ip6", test_ip6);
    g_test_add_func("/parse/l4/echo", test_echo);
    g_test_add_func("/parse/l4/quotes", test_quotes);
}
