/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_parse.h - what the parser's tests share. */
#ifndef TEST_PARSE_H
#define TEST_PARSE_H

#include <glib.h>

#include "frames.h"
#include "parse/parse.h"

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
void add_broker_tests(void);
void add_l4_tests(void);
void add_fragment_tests(void);
void add_robust_tests(void);
void add_token_tests(void);

#endif /* TEST_PARSE_H */
