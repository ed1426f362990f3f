/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_parse.h - frames from one line of text, and what the parser's tests share.
 *
 *     build(&frame, "eth ip4 udp:4789 x0800000000004d00 eth ip4 udp:2000 data");
 *
 * A line names the layers from the outside in.  It is worked off from the end,
 * so each layer knows what is in it:
 *
 *     data[:N]   N bytes of payload (200), all different at first sight
 *     text:WORD  the word as payload
 *     tcp, udp:PORT, udp6:PORT (no checksum), echo, reply    L4 headers
 *     ip4, ip6   IP header; fills in the checksum of the L4 header in it
 *     eth        Ethernet header with the type of what is in it
 *     tHEX, pHEX the next layer outward shall call this: ethertype, IP protocol
 *     xHEX       bytes.  TT stands for the ethertype (two bytes), PP for the IP
 *                protocol (one), Ln for the length of what follows plus n (two
 *                bytes, n a hexadecimal digit), Kn for the same little-endian
 *     +HEX       bytes behind all that follows: padding, a trailer, an FCS
 */
#ifndef TEST_PARSE_H
#define TEST_PARSE_H

#include <glib.h>

#include "parse/parse.h"

#define FRAME_MAX 4096

struct frame {
    uint32_t link;
    uint32_t len;
    uint8_t bytes[FRAME_MAX];
};

/* Addresses of ip4 and ip6 in the order of the layers, innermost first: 10.0.n.1 to 10.0.n.2. */
void build(struct frame *frame, const char *layers);

/* Parses the first `cap` bytes, from a buffer that ends there; returns the number of packets. */
unsigned parse_cut(const struct frame *frame, uint32_t cap, struct corr_parsed *out);
/* Parses a whole frame that holds one packet. */
struct corr_parsed parse(const struct frame *frame);
struct corr_parsed parse_text(uint32_t link, const char *layers);

/* "vlan 100, vxlan 77"; free with g_free(). */
char *encap_text(const struct corr_parsed *p);
#define assert_encap(p, text)                                                                      \
    do {                                                                                           \
        char *_text = encap_text(p);                                                               \
        g_assert_cmpstr(_text, ==, text);                                                          \
        g_free(_text);                                                                             \
    } while (0)
#define assert_addr(addr, text)                                                                    \
    do {                                                                                           \
        char _buffer[CORR_ADDR_TEXT];                                                              \
        g_assert_cmpstr(corr_addr_text(addr, _buffer), ==, text);                                  \
    } while (0)

/* One's complement sum of bytes; the zero is 0. */
uint16_t sum_of(const uint8_t *bytes, size_t n, uint32_t start);
/* Writes the checksums of an IPv4 packet again after it was changed. */
void fix_ip4(uint8_t *ip);

/* What must hold for any parsed packet, from any bytes. */
void check_parsed(const struct corr_parsed *p, const uint8_t *data, uint32_t cap);

/* Every link type and tunnel that tests know, for tests that run over all: NULL ends the list. */
struct sample {
    const char *name;
    uint32_t link;
    const char *layers;
    const char *encap;
};
extern const struct sample link_samples[];
extern const struct sample tunnel_samples[];

void add_tunnel_tests(void);
void add_l4_tests(void);
void add_fragment_tests(void);
void add_robust_tests(void);

#endif /* TEST_PARSE_H */
