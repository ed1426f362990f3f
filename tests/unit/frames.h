/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames.h - frames from one line of text.
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
#ifndef FRAMES_H
#define FRAMES_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 4096

struct frame {
    uint32_t link;
    uint32_t len;
    uint8_t bytes[FRAME_MAX];
};

/* Addresses of ip4 and ip6 in the order of the layers, innermost first: 10.0.n.1 to 10.0.n.2. */
void build(struct frame *frame, const char *layers);

/* One's complement sum of bytes; the zero is 0. */
uint16_t sum_of(const uint8_t *bytes, size_t n, uint32_t start);
/* Writes the checksums of an IPv4 packet again after it was changed. */
void fix_ip4(uint8_t *ip);

#endif /* FRAMES_H */
