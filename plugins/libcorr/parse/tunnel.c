/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tunnel.c - encapsulations between a link layer or an IP header and the identity.
 *
 * A port number proves nothing: each header is checked as far as its format
 * allows, then a packet must be readable inside.  Otherwise the carrier is the
 * identity.  To add a tunnel: a row in CORR_ENCAPS and a function here.
 */
#include "parse/parse-int.h"

#define NO_ENCAP CORR_ENCAP_COUNT /* peel without a row of its own: it has one already */

const char *corr_encap_word(enum corr_encap_kind kind)
{
    static const char *const words[] = {
#define CORR_ROW(id, word, is_tunnel) [CORR_ENCAP_##id] = word,
        CORR_ENCAPS(CORR_ROW)
#undef CORR_ROW
    };

    return words[kind];
}

bool corr_encap_is_tunnel(enum corr_encap_kind kind)
{
    static const bool tunnels[] = {
#define CORR_ROW(id, word, is_tunnel) [CORR_ENCAP_##id] = is_tunnel,
        CORR_ENCAPS(CORR_ROW)
#undef CORR_ROW
    };

    return tunnels[kind];
}

/* The user wants to see the carrier. */
static bool is_closed(const struct corr_walk *w, enum corr_encap_kind kind)
{
    return kind < CORR_ENCAP_COUNT && corr_encap_is_tunnel(kind) && w->closed >> kind & 1;
}

bool corr_parse_inner(struct corr_walk *w, struct corr_parsed *p, uint16_t type, struct corr_span s)
{
    switch (type) {
    case CORR_ETHERTYPE_ETHERNET:
        return corr_parse_ethernet(w, p, s);
    case CORR_ETHERTYPE_PPP:
        /* Control protocols belong to the tunnel: nothing of its users is in them. */
        return corr_parse_ppp(w, p, s) && p->kind != CORR_KIND_L2;
    default:
        return corr_parse_ethertype(w, p, type, s);
    }
}

bool corr_peel(struct corr_walk *w, struct corr_parsed *p, enum corr_encap_kind kind, uint32_t id,
               uint16_t type, struct corr_span s)
{
    struct corr_parsed outer = *p;
    unsigned ip_layers = w->ip_layers;
    uint32_t frag_start = w->frag_start;

    if (is_closed(w, kind))
        return false;
    if ((kind == NO_ENCAP || corr_encap_push(p, kind, id)) && corr_parse_inner(w, p, type, s))
        return true;
    *p = outer;
    w->ip_layers = ip_layers;
    w->frag_start = frag_start;
    return false;
}

/* The ethertype of what begins with an IP version; 0 if it is neither. */
static uint16_t type_by_version(const struct corr_walk *w, struct corr_span s)
{
    if (corr_span_have(s) == 0)
        return 0;
    switch (w->data[s.off] >> 4) {
    case 4:
        return CORR_ETHERTYPE_IP4;
    case 6:
        return CORR_ETHERTYPE_IP6;
    default:
        return 0;
    }
}

/* Peels to an IP packet whose header must make sense in the room there is. */
static bool peel_ip(struct corr_walk *w, struct corr_parsed *p, enum corr_encap_kind kind,
                    uint32_t id, struct corr_span s, bool exact)
{
    return corr_ip_plausible(w, s, exact) && corr_peel(w, p, kind, id, type_by_version(w, s), s);
}

/* Does this look like an Ethernet frame?  For formats that do not say what they carry. */
static bool is_ethernet(const struct corr_walk *w, struct corr_span s)
{
    if (corr_span_have(s) < 16)
        return false;

    const uint8_t *d = w->data + s.off;
    uint16_t type = corr_be16(d + 12);

    switch (type) {
    case CORR_ETHERTYPE_IP4:
        return d[14] >> 4 == 4 && (d[14] & 15) >= 5;
    case CORR_ETHERTYPE_IP6:
        return d[14] >> 4 == 6;
    case CORR_ETHERTYPE_ARP:
        return corr_be16(d + 14) == 1;
    case CORR_ETHERTYPE_CVLAN:
    case CORR_ETHERTYPE_SVLAN:
    case CORR_ETHERTYPE_MPLS:
    case CORR_ETHERTYPE_PPPOE:
        return true;
    default:
        /* 802.2 with an unnumbered frame between equal, usual service access points. */
        return type <= CORR_ETHERTYPE_LENGTH_MAX && type >= 3 && corr_span_have(s) >= 17 &&
               (d[14] == 0x42 || d[14] == 0xaa || d[14] == 0xfe) && d[15] == d[14] && d[16] == 3;
    }
}

/*
 * MPLS label stack, RFC 3032.  It does not name its payload: IP by its
 * version (RFC 4928, section 3), a pseudowire's control word begins with 0
 * (RFC 4385), and some pseudowires have none.
 */
bool corr_parse_mpls(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    uint32_t entry;

    do {
        if (corr_span_have(s) < 4)
            return corr_parse_fail(p, "MPLS label stack not captured");
        entry = corr_be32(w->data + s.off);
        if (!corr_encap_push(p, CORR_ENCAP_MPLS, entry >> 12))
            return false;
        s.off += 4;
    } while (!(entry & 0x100));

    uint16_t type = type_by_version(w, s);
    struct corr_span after_word = corr_span_skip(s, 4);

    if (peel_ip(w, p, NO_ENCAP, 0, s, false))
        return true;
    if (corr_span_have(s) > 0 && w->data[s.off] >> 4 == 0 && is_ethernet(w, after_word) &&
        corr_peel(w, p, NO_ENCAP, 0, CORR_ETHERTYPE_ETHERNET, after_word))
        return true;
    if (is_ethernet(w, s) && corr_peel(w, p, NO_ENCAP, 0, CORR_ETHERTYPE_ETHERNET, s))
        return true;
    /* IP with a length of 0 (TSO), or beyond the frame: only if it cannot be anything else. */
    if (type != 0 && corr_peel(w, p, NO_ENCAP, 0, type, s))
        return true;
    return corr_parse_fail(p, "MPLS payload");
}

/* ERSPAN types I and II (GRE protocol 0x88be; I has no header and no sequence number). */
static bool peel_erspan(struct corr_walk *w, struct corr_parsed *p, struct corr_span s,
                        bool has_seq)
{
    const uint8_t *d = w->data + s.off;

    if (!has_seq)
        return corr_peel(w, p, CORR_ENCAP_ERSPAN, 0, CORR_ETHERTYPE_ETHERNET, s);
    if (corr_span_have(s) < 8 || d[0] >> 4 != 1)
        return false;
    return corr_peel(w, p, CORR_ENCAP_ERSPAN, corr_be16(d + 2) & 0x3ff, CORR_ETHERTYPE_ETHERNET,
                     corr_span_skip(s, 8));
}

static bool peel_erspan3(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 12 || d[0] >> 4 != 2)
        return false;

    uint32_t id = corr_be16(d + 2) & 0x3ff;
    unsigned frame_type = d[10] >> 2 & 31;

    s.off += d[11] & 1 ? 20 : 12; /* O: a platform specific subheader follows */
    if (frame_type == 2)
        return peel_ip(w, p, CORR_ENCAP_ERSPAN, id, s, false);
    return frame_type == 0 && corr_peel(w, p, CORR_ENCAP_ERSPAN, id, CORR_ETHERTYPE_ETHERNET, s);
}

/* GRE with a call ID as PPTP uses it: RFC 2637, section 4.1. */
static bool peel_pptp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint16_t flags = corr_be16(d);

    if ((flags & 0xef78) != 0x2000 || corr_span_have(s) < 8)
        return false;
    if (corr_be16(d + 2) != CORR_ETHERTYPE_PPP || !(flags & 0x1000)) /* S: has a payload */
        return false;
    return corr_peel(w, p, CORR_ENCAP_GRE, corr_be16(d + 6), CORR_ETHERTYPE_PPP,
                     corr_span_skip(s, flags & 0x0080 ? 16 : 12));
}

/* RFC 2784 and RFC 2890; NVGRE is RFC 7637. */
static bool peel_gre(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t key = 0, header = 4;

    if (corr_span_have(s) < 4)
        return false;

    uint16_t flags = corr_be16(d), type = corr_be16(d + 2);

    if ((flags & 7) == 1)
        return peel_pptp(w, p, s);
    if ((flags & 0x4007) != 0) /* source routing (RFC 1701) is not peeled */
        return false;
    if (flags & 0x8000)
        header += 4;
    if (flags & 0x2000) {
        if (corr_span_have(s) < header + 4)
            return false;
        key = corr_be32(d + header);
        header += 4;
    }
    if (flags & 0x1000)
        header += 4;
    s.off += header;

    switch (type) {
    case CORR_ETHERTYPE_IP4:
    case CORR_ETHERTYPE_IP6:
    case CORR_ETHERTYPE_MPLS:
    case CORR_ETHERTYPE_MPLS_MULTICAST:
    case CORR_ETHERTYPE_PPP:
        return corr_peel(w, p, CORR_ENCAP_GRE, key, type, s);
    case CORR_ETHERTYPE_ETHERNET:
        if (flags == 0x2000)
            return corr_peel(w, p, CORR_ENCAP_NVGRE, key >> 8, type, s);
        return corr_peel(w, p, CORR_ENCAP_GRE, key, type, s);
    case 0x88be:
        return peel_erspan(w, p, s, flags & 0x1000);
    case 0x22eb:
        return peel_erspan3(w, p, s);
    case 0x883e: /* WCCP; version 2 has a redirect header of 4 bytes */
        return peel_ip(w, p, CORR_ENCAP_GRE, key, s, false) ||
               peel_ip(w, p, CORR_ENCAP_GRE, key, corr_span_skip(s, 4), false);
    default:
        return false;
    }
}

/*
 * L2TPv3 data, RFC 3931, section 4.1: cookie (0, 4 or 8 bytes) and sublayer (0
 * or 4) were agreed on elsewhere, so the frame inside is looked for.
 */
static bool peel_l2tp3(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    uint32_t session;

    if (corr_span_have(s) < 4)
        return false;
    session = corr_be32(w->data + s.off);
    if (session == 0) /* control */
        return false;
    for (unsigned skip = 4; skip <= 16; skip += 4) {
        struct corr_span inner = corr_span_skip(s, skip);

        if (is_ethernet(w, inner))
            return corr_peel(w, p, CORR_ENCAP_L2TP, session, CORR_ETHERTYPE_ETHERNET, inner);
    }
    return false;
}

static uint16_t ip4_header_sum(const uint8_t *d)
{
    uint32_t sum = 0;

    for (int i = 0; i < 20; i += 2)
        sum += corr_be16(d + i);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/*
 * ESP without encryption (RFC 2410) does not say so.  An IPv4 header with the
 * right checksum and a length that leaves room for the trailer (padding, pad
 * length, next header, up to 32 bytes of check value) is proof enough; weaker
 * signs are not looked for, since a false one would break a match.
 */
static bool peel_esp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    struct corr_span inner = corr_span_skip(s, 8);

    if (s.open || corr_span_have(s) < 28 || d[8] != 0x45)
        return false;

    uint32_t length = corr_be16(d + 10), room = corr_span_len(inner);

    if (length < 20 || room < length + 2 || room > length + 2 + 15 + 32)
        return false;
    if (ip4_header_sum(d + 8) != 0xffff)
        return false;
    return corr_peel(w, p, CORR_ENCAP_IPSEC, corr_be32(d), CORR_ETHERTYPE_IP4, inner);
}

bool corr_peel_proto(struct corr_walk *w, struct corr_parsed *p, uint8_t proto, struct corr_span s)
{
    bool srv6 = p->n_encap > 0 && p->encap[p->n_encap - 1].kind == CORR_ENCAP_SRV6;

    if (srv6 && is_closed(w, CORR_ENCAP_SRV6))
        return false;
    switch (proto) {
    case CORR_PROTO_IP4:
        return corr_peel(w, p, srv6 ? NO_ENCAP : CORR_ENCAP_IPIP, 0, CORR_ETHERTYPE_IP4, s);
    case CORR_PROTO_IP6:
        return corr_peel(w, p, srv6 ? NO_ENCAP : CORR_ENCAP_IPIP, 0, CORR_ETHERTYPE_IP6, s);
    case CORR_PROTO_ETHERNET: /* SRv6 with one segment has no routing header */
        return corr_peel(w, p, srv6 ? NO_ENCAP : CORR_ENCAP_SRV6, 0, CORR_ETHERTYPE_ETHERNET, s);
    case CORR_PROTO_GRE:
        return peel_gre(w, p, s);
    case CORR_PROTO_MPLS:
        return corr_peel(w, p, NO_ENCAP, 0, CORR_ETHERTYPE_MPLS, s);
    case CORR_PROTO_L2TP:
        return peel_l2tp3(w, p, s);
    case CORR_PROTO_ESP:
        return peel_esp(w, p, s);
    default:
        return false;
    }
}

/* RFC 7348; the group policy extension uses more of the reserved bits. */
static bool peel_vxlan(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t word;

    if (corr_span_have(s) < 8)
        return false;
    word = corr_be32(d);
    if (word != 0x08000000 && (word & 0xffb70000) != 0x88000000)
        return false;
    if (d[7] != 0)
        return false;
    return corr_peel(w, p, CORR_ENCAP_VXLAN, corr_be32(d + 4) >> 8, CORR_ETHERTYPE_ETHERNET,
                     corr_span_skip(s, 8));
}

/* VXLAN-GPE: version 0, I, and P if `next protocol` names the payload. */
static bool peel_vxlan_gpe(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    static const uint16_t types[] = {0, CORR_ETHERTYPE_IP4, CORR_ETHERTYPE_IP6,
                                     CORR_ETHERTYPE_ETHERNET};
    const uint8_t *d = w->data + s.off;
    unsigned next;

    if (corr_span_have(s) < 8 || (d[0] & 0xfb) != 0x08 || corr_be16(d + 1) != 0 || d[7] != 0)
        return false;
    next = d[0] & 4 ? d[3] : 3;
    if (next == 0 || next > 3)
        return false;
    return corr_peel(w, p, CORR_ENCAP_VXLAN, corr_be32(d + 4) >> 8, types[next],
                     corr_span_skip(s, 8));
}

/* RFC 8926, section 3.4.  O marks control packets. */
static bool peel_geneve(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 8 || d[0] >> 6 != 0 || (d[1] & 0xbf) != 0 || d[7] != 0)
        return false;

    uint16_t type = corr_be16(d + 2);

    if (type != CORR_ETHERTYPE_ETHERNET && type != CORR_ETHERTYPE_IP4 && type != CORR_ETHERTYPE_IP6)
        return false;
    return corr_peel(w, p, CORR_ENCAP_GENEVE, corr_be32(d + 4) >> 8, type,
                     corr_span_skip(s, 8 + (d[0] & 63u) * 4));
}

/* 3GPP TS 29.281, section 5.1; only T-PDUs (255) carry user packets. */
static bool peel_gtpu(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s), header = 8;

    if (have < 8 || (d[0] & 0xf8) != 0x30 || d[1] != 0xff)
        return false;
    if (!s.open && 8u + corr_be16(d + 2) != corr_span_len(s))
        return false;
    if (d[0] & 7) { /* sequence number, N-PDU number, type of the first extension */
        if (have < 12)
            return false;
        header = 12;
        if (d[0] & 4) {
            uint8_t next = d[11];

            while (next != 0) {
                if (have <= header || d[header] == 0 || have < header + d[header] * 4u)
                    return false;
                header += d[header] * 4u;
                next = d[header - 1];
            }
        }
    }
    return peel_ip(w, p, CORR_ENCAP_GTPU, corr_be32(d + 4), corr_span_skip(s, header), false);
}

/* RFC 2661, section 3.1, and RFC 3931, section 4.1.2. */
static bool peel_l2tp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s), header = 2;

    if (have < 8)
        return false;

    uint16_t flags = corr_be16(d);

    if (flags == 0x0003) /* version 3, data */
        return peel_l2tp3(w, p, corr_span_skip(s, 4));
    if ((flags & 0xb4ff) != 0x0002) /* version 2, not control, reserved bits zero */
        return false;
    if (flags & 0x4000) {
        uint32_t length = corr_be16(d + 2);

        if (length < 8 || (!s.open && length > corr_span_len(s)))
            return false;
        s = corr_span_cut(s, length);
        header += 2;
    }
    if (corr_span_have(s) < header + 4)
        return false;

    uint32_t session = corr_be16(d + header + 2);

    header += 4;
    if (flags & 0x0800)
        header += 4;
    if (flags & 0x0200) { /* O: so many bytes to skip */
        if (corr_span_have(s) < header + 2)
            return false;
        header += 2u + corr_be16(d + header);
    }
    return corr_peel(w, p, CORR_ENCAP_L2TP, session, CORR_ETHERTYPE_PPP, corr_span_skip(s, header));
}

/* RFC 4380, section 5.1.1: authentication and origin may precede the IPv6 packet. */
static bool peel_teredo(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) >= 4 && corr_be16(d) == 0x0001) {
        s.off += 13u + d[2] + d[3];
        d = w->data + s.off;
    }
    if (corr_span_have(s) >= 8 && corr_be16(d) == 0x0000)
        s.off += 8;
    if (type_by_version(w, s) != CORR_ETHERTYPE_IP6)
        return false;
    return peel_ip(w, p, CORR_ENCAP_TEREDO, 0, s, true);
}

/* Generic UDP encapsulation; version 1 is a bare IP packet, as with Linux' FOU. */
static bool peel_gue(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 4)
        return false;
    if (d[0] >> 6 == 1)
        return peel_ip(w, p, CORR_ENCAP_GUE, 0, s, true);
    if (d[0] >> 5 != 0) /* other versions, and control messages */
        return false;
    s.off += 4 + (d[0] & 31u) * 4;
    if (d[1] == CORR_PROTO_IP4 || d[1] == CORR_PROTO_IP6)
        return peel_ip(w, p, CORR_ENCAP_GUE, 0, s, true);
    return false;
}

/* RFC 7510.  Labels are not checked by anything, so what is under them must fit exactly. */
static bool peel_mpls_udp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    struct corr_span payload = s;

    do {
        if (corr_span_have(payload) < 4)
            return false;
        payload.off += 4;
    } while (!(w->data[payload.off - 2] & 1));
    if (!corr_ip_plausible(w, payload, false) && !is_ethernet(w, payload) &&
        !is_ethernet(w, corr_span_skip(payload, 4)))
        return false;
    return corr_peel(w, p, NO_ENCAP, 0, CORR_ETHERTYPE_MPLS, s);
}

bool corr_peel_udp(struct corr_walk *w, struct corr_parsed *p, uint16_t src_port, uint16_t dst_port,
                   struct corr_span s)
{
    switch (dst_port) {
    case 4789:
    case 8472: /* Linux' default from before the assignment */
        return peel_vxlan(w, p, s);
    case 4790:
        return peel_vxlan_gpe(w, p, s);
    case 6081:
        return peel_geneve(w, p, s);
    case 2152:
        return peel_gtpu(w, p, s);
    case 5555: /* FOU, as commonly configured */
        return peel_ip(w, p, CORR_ENCAP_GUE, 0, s, true);
    case 6080:
        return peel_gue(w, p, s);
    case 6635:
        return peel_mpls_udp(w, p, s);
    default:
        break;
    }
    if (dst_port == 1701 || src_port == 1701)
        return peel_l2tp(w, p, s);
    if (dst_port == 3544 || src_port == 3544)
        return peel_teredo(w, p, s);
    return false;
}
