/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quic.c - QUIC packets with long headers: RFC 9000, section 17.2; RFC 9369, section 3.2. */
#include "l7/l7-int.h"

#define CID_MAX 20u
#define VERSION_1 0x00000001u
#define VERSION_2 0x6b3343cfu

/* Kinds of packets in the numbering of version 1. */
enum { INITIAL = 0, ZERO_RTT = 1, HANDSHAKE = 2, RETRY = 3 };

static bool version_known(uint32_t version)
{
    return version == VERSION_1 || version == VERSION_2 || (version >> 8) == 0xff0000;
}

/* RFC 9000, section 16.  0: not there. */
static uint32_t varint(const uint8_t *d, uint32_t n, uint64_t *value)
{
    uint32_t size;

    if (n == 0)
        return 0;
    size = 1u << (d[0] >> 6);
    if (n < size)
        return 0;
    *value = d[0] & 0x3f;
    for (uint32_t i = 1; i < size; i++)
        *value = *value << 8 | d[i];
    return size;
}

/* Bytes of the packet with its long header at `d`; 0: not one, or not known how many. */
static uint32_t packet_len(const uint8_t *d, uint32_t n, uint32_t *version, uint32_t *kind)
{
    uint32_t at = 6, size;
    uint64_t token, len;

    if (n < 7 || (d[0] & 0xc0) != 0xc0)
        return 0;
    *version = corr_l7_be32(d + 1);
    if (!version_known(*version) || d[5] > CID_MAX)
        return 0;
    *kind = d[0] >> 4 & 3;
    if (*version == VERSION_2)
        *kind = (*kind + 3) & 3;
    at += d[5];
    if (at >= n || d[at] > CID_MAX)
        return 0;
    at += 1u + d[at];
    if (*kind == RETRY)
        return n;
    if (*kind == INITIAL) {
        size = at < n ? varint(d + at, n - at, &token) : 0;
        if (size == 0 || token > n)
            return 0;
        at += size + (uint32_t)token;
    }
    size = at < n ? varint(d + at, n - at, &len) : 0;
    if (size == 0 || len > 65535)
        return 0;
    return at + size + (uint32_t)len;
}

bool corr_l7_quic_datagram(struct corr_l7_reader *r, const uint8_t *d, uint32_t n, uint32_t len)
{
    uint32_t at = 0, kinds = 0, version = 0, first_version = 0;
    struct corr_mark *mark;

    /* Packets are joined in one datagram: RFC 9000, section 12.2. */
    while (at < n) {
        uint32_t kind = 0, size = packet_len(d + at, n - at, &version, &kind);

        if (size == 0)
            break;
        if (kinds == 0)
            first_version = version;
        kinds |= 1u << kind;
        at += size;
    }
    if (kinds == 0)
        return false;
    mark = corr_l7_mark(r, CORR_MARK_QUIC, 0, len);
    mark->value = kinds;
    mark->id = first_version;
    return true;
}
