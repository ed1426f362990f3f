/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames.c - the builder of frames from a line of text. */
#include "frames.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What stands before the next layer outward: bytes grow towards the front. */
struct builder {
    uint8_t bytes[2 * FRAME_MAX];
    uint32_t start, end;
    uint16_t type; /* ethertype of it */
    uint8_t proto; /* IP protocol of it */
    bool checksum; /* its L4 header waits for the pseudo header */
    unsigned n_ip;
};

static void push(struct builder *b, const void *bytes, uint32_t n)
{
    g_assert_cmpuint(n, <=, b->start);
    b->start -= n;
    memcpy(b->bytes + b->start, bytes, n);
}

static uint32_t length(const struct builder *b)
{
    return b->end - b->start;
}

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

uint16_t sum_of(const uint8_t *bytes, size_t n, uint32_t start)
{
    uint64_t sum = start;

    for (size_t i = 0; i < n; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff ? 0 : (uint16_t)sum;
}

/* Where the checksum field of an L4 header is; 0: none. */
static uint32_t checksum_at(uint8_t proto)
{
    switch (proto) {
    case 6:
        return 16;
    case 17:
        return 6;
    case 1:
    case 58:
        return 2;
    default:
        return 0;
    }
}

static void fix_l4(uint8_t *l4, uint32_t n, uint8_t proto, const uint8_t *addrs, uint32_t addr_len)
{
    uint32_t at = checksum_at(proto);
    uint32_t pseudo = proto == 1 ? 0 : sum_of(addrs, 2 * addr_len, proto + n);

    if (at == 0)
        return;
    put16(l4 + at, 0);
    put16(l4 + at, 0xffffu - sum_of(l4, n, pseudo));
}

void fix_ip4(uint8_t *ip)
{
    uint32_t header = (ip[0] & 15u) * 4, total = (uint32_t)ip[2] << 8 | ip[3];

    put16(ip + 10, 0);
    put16(ip + 10, 0xffffu - sum_of(ip, header, 0));
    fix_l4(ip + header, total - header, ip[9], ip + 12, 4);
}

static void push_ip4(struct builder *b)
{
    uint8_t n = (uint8_t)b->n_ip++;
    uint8_t ip[20] = {0x45, 0, 0,  0, 0x12, 0x34, 0x40, 0, 64, b->proto,
                      0,    0, 10, 0, n,    1,    10,   0, n,  2};

    put16(ip + 2, length(b) + 20);
    put16(ip + 10, 0xffffu - sum_of(ip, 20, 0));
    if (b->checksum)
        fix_l4(b->bytes + b->start, length(b), b->proto, ip + 12, 4);
    push(b, ip, 20);
    b->type = 0x0800;
    b->proto = 4;
    b->checksum = false;
}

static void push_ip6(struct builder *b)
{
    uint8_t n = (uint8_t)b->n_ip++;
    uint8_t ip[40] = {0x60, 0x01, 0x23, 0x45, 0, 0, b->proto, 64, 0x20, 0x01, 0x0d, 0xb8};

    put16(ip + 4, length(b));
    memcpy(ip + 24, ip + 8, 16);
    ip[21] = ip[37] = n;
    ip[23] = 1;
    ip[39] = 2;
    if (b->checksum)
        fix_l4(b->bytes + b->start, length(b), b->proto, ip + 8, 16);
    push(b, ip, 40);
    b->type = 0x86dd;
    b->proto = 41;
    b->checksum = false;
}

static void push_l4(struct builder *b, const uint8_t *header, uint32_t n, uint8_t proto)
{
    push(b, header, n);
    b->proto = proto;
    b->checksum = true;
}

static void push_data(struct builder *b, uint32_t n)
{
    uint8_t data[FRAME_MAX];

    for (uint32_t i = 0; i < n; i++)
        data[i] = (uint8_t)(i * 7 + i / 13 + 1);
    push(b, data, n);
}

static uint32_t from_hex(const struct builder *b, const char *hex, uint8_t *bytes)
{
    uint32_t n = 0;

    for (; hex[0] != '\0'; hex += 2) {
        g_assert(hex[1] != '\0');
        if (hex[0] == 'T') {
            put16(bytes + n, b->type);
            n += 2;
        } else if (hex[0] == 'P') {
            bytes[n++] = b->proto;
        } else if (hex[0] == 'L' || hex[0] == 'K') {
            uint32_t value = length(b) + (uint32_t)g_ascii_xdigit_value(hex[1]);

            put16(bytes + n, hex[0] == 'L' ? value : GUINT16_SWAP_LE_BE((uint16_t)value));
            n += 2;
        } else {
            g_assert(g_ascii_isxdigit(hex[0]) && g_ascii_isxdigit(hex[1]));
            bytes[n++] =
                (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        }
    }
    return n;
}

static void push_layer(struct builder *b, const char *layer)
{
    const char *colon = strchr(layer, ':');
    uint32_t number = colon != NULL ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;

    if (g_str_has_prefix(layer, "data")) {
        push_data(b, colon != NULL ? number : 200);
    } else if (g_str_has_prefix(layer, "text:")) {
        push(b, colon + 1, (uint32_t)strlen(colon + 1));
    } else if (g_str_has_prefix(layer, "udp")) {
        uint8_t header[8] = {0x03, 0xe8};

        put16(header + 2, number);
        put16(header + 4, length(b) + 8);
        push_l4(b, header, 8, 17);
        b->checksum = layer[3] != '6';
    } else if (strcmp(layer, "tcp") == 0) {
        static const uint8_t header[] = {0x9c, 0x40, 0x00, 0x50, 0x11, 0x22, 0x33, 0x44,
                                         0x55, 0x66, 0x77, 0x88, 0x80, 0x18, 0x01, 0xf5,
                                         0,    0,    0,    0,    1,    1,    8,    10,
                                         0,    1,    2,    3,    4,    5,    6,    7};
        push_l4(b, header, sizeof header, 6);
    } else if (strcmp(layer, "echo") == 0) {
        static const uint8_t header[] = {8, 0, 0, 0, 0x04, 0xd2, 0, 7};
        push_l4(b, header, sizeof header, 1);
    } else if (strcmp(layer, "reply") == 0) {
        static const uint8_t header[] = {129, 0, 0, 0, 0x04, 0xd2, 0, 7};
        push_l4(b, header, sizeof header, 58);
    } else if (strcmp(layer, "ip4") == 0) {
        push_ip4(b);
    } else if (strcmp(layer, "ip6") == 0) {
        push_ip6(b);
    } else if (strcmp(layer, "eth") == 0) {
        uint8_t header[14] = {2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa};

        header[4] = header[10] = (uint8_t)b->n_ip;
        put16(header + 12, b->type);
        push(b, header, 14);
        b->type = 0x6558;
        b->proto = 143;
    } else if (layer[0] == 't') {
        b->type = (uint16_t)strtoul(layer + 1, NULL, 16);
    } else if (layer[0] == 'p') {
        b->proto = (uint8_t)strtoul(layer + 1, NULL, 16);
    } else if (layer[0] == '+') {
        b->end += from_hex(b, layer + 1, b->bytes + b->end);
    } else {
        uint8_t bytes[FRAME_MAX];

        g_assert(layer[0] == 'x');
        push(b, bytes, from_hex(b, layer + 1, bytes));
        b->checksum = false;
    }
}

void build(struct frame *frame, const char *layers)
{
    char **words = g_strsplit(layers, " ", -1);
    struct builder b = {.start = FRAME_MAX, .end = FRAME_MAX};

    for (guint i = g_strv_length(words); i-- > 0;) {
        if (words[i][0] != '\0')
            push_layer(&b, words[i]);
    }
    frame->link = 1;
    frame->len = length(&b);
    memcpy(frame->bytes, b.bytes + b.start, frame->len);
    g_strfreev(words);
}
