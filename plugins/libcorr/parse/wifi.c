/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wifi.c - IEEE 802.11 frames, and the radiotap and PPI headers around them.
 */
#include "parse/parse-int.h"

#define FCS_LENGTH 4

struct radio {
    bool fcs;    /* the frame ends with its checksum */
    bool padded; /* the MAC header was padded to a multiple of 4 */
};

/* IEEE 802.11, section 9.2.4.8.3: 6 bytes and up to two more addresses. */
static uint32_t mesh_length(const uint8_t *d)
{
    static const uint8_t extension[] = {6, 12, 18, 0};

    return d[0] > 3 ? 0 : extension[d[0]];
}

/*
 * LLC, maybe after a mesh control field: only the mesh's own configuration
 * tells whether the QoS bit means that, so the LLC header decides.
 */
static bool parse_body(struct corr_walk *w, struct corr_parsed *p, bool mesh, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 8)
        return corr_parse_fail(p, "802.11 payload not captured");
    if (mesh && corr_be16(d) != 0xaaaa) {
        uint32_t skip = mesh_length(d);

        if (skip > 0 && corr_span_have(s) >= skip + 8 && corr_be16(d + skip) == 0xaaaa)
            s.off += skip;
    }
    return corr_parse_llc(w, p, s);
}

/* Aggregated MSDUs: each has addresses, a length and padding to 4 bytes. */
static bool parse_amsdu(struct corr_walk *w, bool mesh, struct corr_span s)
{
    struct corr_parsed first = w->out[0];
    bool any = false;

    w->count = 0;
    while (w->count < CORR_PARSE_MAX && corr_span_have(s) >= 14) {
        const uint8_t *d = w->data + s.off;
        struct corr_parsed *p = &w->out[w->count];
        uint32_t length = corr_be16(d + 12);

        if (length == 0 || length > corr_span_len(s) - 14)
            break;
        *p = first;
        memcpy(p->mac_dst, d, 6);
        memcpy(p->mac_src, d + 6, 6);
        p->have |= CORR_HAVE_MAC;
        w->ip_layers = 0;
        w->frag_start = 0;
        if (parse_body(w, p, mesh, corr_span_cut(corr_span_skip(s, 14), length))) {
            any = true;
        } else {
            p->kind = CORR_KIND_UNKNOWN;
            p->have &= CORR_HAVE_OF_FRAME;
        }
        w->count++;
        s.off += (14 + length + 3) & ~3u;
    }
    if (w->count == 0) {
        w->count = 1;
        return corr_parse_fail(w->out, "802.11 aggregate not captured");
    }
    return any || w->count > 1;
}

static bool parse_frame(struct corr_walk *w, struct corr_parsed *p, struct corr_span s,
                        struct radio radio)
{
    const uint8_t *d = w->data + s.off;

    if (radio.fcs && corr_span_len(s) >= FCS_LENGTH)
        s = corr_span_cut(s, corr_span_len(s) - FCS_LENGTH);
    if (corr_span_have(s) < 24)
        return corr_parse_fail(p, "802.11 header not captured");

    /* Frame control, IEEE 802.11, section 9.2.4.1; section 9.3.2.1 for the addresses. */
    bool to_ds = d[1] & 0x01, from_ds = d[1] & 0x02;
    bool qos = d[0] & 0x80, protect = d[1] & 0x40, order = d[1] & 0x80;
    bool mesh = false, aggregate = false;
    uint32_t header = 24;

    if ((d[0] & 0x0c) != 0x08)
        return corr_parse_fail(p, "802.11 management or control frame");
    if (d[0] & 0x40)
        return corr_parse_fail(p, "802.11 frame without data");
    if (to_ds && from_ds)
        header += 6;
    if (corr_span_have(s) < header + (qos ? 2 : 0))
        return corr_parse_fail(p, "802.11 header not captured");
    memcpy(p->mac_dst, to_ds ? d + 16 : d + 4, 6);
    memcpy(p->mac_src, from_ds ? (to_ds ? d + 24 : d + 16) : d + 10, 6);
    p->have |= CORR_HAVE_MAC;
    if (qos) {
        aggregate = d[header] & 0x80;
        mesh = d[header + 1] & 0x01;
        header += 2;
        if (order)
            header += 4; /* HT control */
    }
    if (protect)
        return corr_parse_fail(p, "802.11 encrypted");
    if ((corr_le16(d + 22) & 15) != 0 || (d[1] & 0x04))
        return corr_parse_fail(p, "802.11 fragment");
    if (radio.padded)
        header = (header + 3) & ~3u;
    s.off += header;
    return aggregate ? parse_amsdu(w, mesh, s) : parse_body(w, p, mesh, s);
}

bool corr_parse_wifi(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    return parse_frame(w, p, s, (struct radio){0});
}

/* radiotap.org: bitmaps of what is present, then fields, each aligned to its size. */
bool corr_parse_radiotap(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s), field = 8;
    struct radio radio = {0};

    if (have < 8)
        return corr_parse_fail(p, "radiotap header not captured");

    uint32_t present = corr_le32(d + 4), length = corr_le16(d + 2);

    if (d[0] != 0 || length < 8 || length > corr_span_len(s))
        return corr_parse_fail(p, "radiotap header");
    for (uint32_t word = present; word & 0x80000000 && field + 4 <= have && field + 4 <= length;
         field += 4)
        word = corr_le32(d + field);
    if (present & 0x01) /* TSFT */
        field = ((field + 7) & ~7u) + 8;
    if ((present & 0x02) && field < have && field < length) {
        radio.fcs = d[field] & 0x10;
        radio.padded = d[field] & 0x20;
    }
    return parse_frame(w, p, corr_span_skip(s, length), radio);
}

/* PPI: little-endian fields of (type, length), then a frame of link type `dlt`. */
bool corr_parse_ppi(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s);
    struct radio radio = {0};

    if (have < 8)
        return corr_parse_fail(p, "PPI header not captured");

    uint32_t length = corr_le16(d + 2), dlt = corr_le32(d + 4);

    if (d[0] != 0 || length < 8 || length > corr_span_len(s))
        return corr_parse_fail(p, "PPI header");
    for (uint32_t i = 8; i + 4 <= length && i + 4 <= have; i += 4u + corr_le16(d + i + 2)) {
        if (corr_le16(d + i) == 2 && i + 14 <= have) /* 802.11-Common: TSF timer, flags */
            radio.fcs = d[i + 12] & 0x01;
    }
    s.off += length;
    switch (dlt) {
    case 1:
        return corr_parse_ethernet(w, p, s);
    case 12:
    case 14:
    case 101:
        return corr_parse_ip(w, p, s);
    case 105:
        return parse_frame(w, p, s, radio);
    default:
        return corr_parse_fail(p, "PPI with another link type");
    }
}
