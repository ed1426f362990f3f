/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.c - link layers, and the parser's front door.
 *
 * To add a link type: a row in LINKS and a function.
 */
#include "parse/parse-int.h"

#define ARP_LENGTH 28 /* IPv4 over Ethernet, RFC 826; padding follows */

/* A frame without IP, as the identity. */
static bool finish_l2(struct corr_walk *w, struct corr_parsed *p, uint16_t type, struct corr_span s)
{
    p->kind = CORR_KIND_L2;
    p->have &= CORR_HAVE_OF_FRAME;
    p->ethertype = type;
    memset(&p->src, 0, sizeof p->src); /* of a tunnel's IP header, if there was one */
    memset(&p->dst, 0, sizeof p->dst);
    p->proto = p->ttl = p->tos = 0;
    if (w->ip_layers == 0)
        p->outer_end = s.end;
    p->ip_id = 0;
    p->flow_label = p->ip_len = 0;
    if ((p->have & CORR_HAVE_FRAG) && p->frag.offset == 0)
        p->frag.base = s.off - w->frag_start;
    if (w->ip_layers == 0 && w->ethernet && w->wire <= 64 && s.end < w->wire)
        p->have |= CORR_HAVE_PADDED;
    corr_parse_payload(w, p, s);
    return true;
}

/* Cuts the span to `length` bytes if it has so many. */
static struct corr_span cut_to(struct corr_span s, uint32_t length)
{
    return s.open || length <= corr_span_len(s) ? corr_span_cut(s, length) : s;
}

/* IEEE 802.2; with SNAP an ethertype follows (RFC 1042). */
bool corr_parse_llc(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) >= 8 && corr_be32(d) == 0xaaaa0300 && corr_be16(d + 4) == 0 &&
        corr_be16(d + 6) >= CORR_ETHERTYPE_FIRST)
        return corr_parse_ethertype(w, p, corr_be16(d + 6), corr_span_skip(s, 8));
    return finish_l2(w, p, 0, s);
}

/* RFC 1661; address and control (ff 03) and the protocol's first byte may be left out. */
bool corr_parse_ppp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint16_t proto;

    if (corr_span_have(s) >= 2 && corr_be16(d) == 0xff03) {
        s.off += 2;
        d += 2;
    }
    if (corr_span_have(s) < 2)
        return corr_parse_fail(p, "PPP header not captured");

    struct corr_span inner = corr_span_skip(s, d[0] & 1 ? 1 : 2);

    proto = d[0] & 1 ? d[0] : corr_be16(d);
    switch (proto) {
    case 0x0021:
        return corr_parse_ip4(w, p, inner);
    case 0x0057:
        return corr_parse_ip6(w, p, inner);
    case 0x0281:
    case 0x0283:
        return corr_parse_mpls(w, p, inner);
    default:
        return finish_l2(w, p, CORR_ETHERTYPE_PPP, s);
    }
}

static bool parse_pppoe(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 6)
        return corr_parse_fail(p, "PPPoE header not captured");
    if (corr_be16(d) != 0x1100) /* version 1, type 1, session data: RFC 2516, section 4 */
        return finish_l2(w, p, CORR_ETHERTYPE_PPPOE, s);
    if (!corr_encap_push(p, CORR_ENCAP_PPPOE, corr_be16(d + 2)))
        return false;

    uint32_t length = corr_be16(d + 4);

    s.off += 6;
    return corr_parse_ppp(w, p, length > 0 ? cut_to(s, length) : s);
}

/* IEEE 802.1ah: the service tag, then the customer's frame. */
static bool parse_pbb(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    if (corr_span_have(s) < 4)
        return corr_parse_fail(p, "PBB tag not captured");
    if (!corr_encap_push(p, CORR_ENCAP_PBB, corr_be32(w->data + s.off) & 0xffffff))
        return false;
    return corr_parse_ethernet(w, p, corr_span_skip(s, 4));
}

uint32_t corr_parse_unpadded(const uint8_t *frame, uint32_t begin, uint32_t end)
{
    while (end <= CORR_PADDED_TO && end > begin + 1 && frame[end - 1] == 0)
        end--;
    return end;
}

/* What tells its own length is cut to it: padding and trailers differ from point to point. */
static struct corr_span trim_l2(const struct corr_walk *w, uint16_t type, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s);

    if (type == CORR_ETHERTYPE_ARP || type == CORR_ETHERTYPE_RARP)
        return cut_to(s, ARP_LENGTH);
    if (type == CORR_ETHERTYPE_PPPOE_DISCOVERY && have >= 6)
        return cut_to(s, 6u + corr_be16(d + 4));
    if (type == CORR_ETHERTYPE_EAPOL && have >= 4)
        return cut_to(s, 4u + corr_be16(d + 2));
    if (w->ip_layers == 0 && w->ethernet && s.end == w->wire && s.held == s.end)
        return cut_to(s, corr_parse_unpadded(w->data, s.off, s.end) - s.off);
    return s;
}

bool corr_parse_ethertype(struct corr_walk *w, struct corr_parsed *p, uint16_t type,
                          struct corr_span s)
{
    for (;;) {
        switch (type) {
        case CORR_ETHERTYPE_IP4:
            return corr_parse_ip4(w, p, s);
        case CORR_ETHERTYPE_IP6:
            return corr_parse_ip6(w, p, s);
        case CORR_ETHERTYPE_MPLS:
        case CORR_ETHERTYPE_MPLS_MULTICAST:
            /* An unreadable payload still is a packet: of the last resort. */
            if (corr_parse_mpls(w, p, s))
                return true;
            while (corr_span_have(s) >= 4 && !(w->data[s.off + 2] & 1))
                s.off += 4;
            if (corr_span_have(s) < 4)
                return false;
            p->unknown = NULL;
            return finish_l2(w, p, type, corr_span_skip(s, 4));
        case CORR_ETHERTYPE_PPPOE:
            return parse_pppoe(w, p, s);
        case CORR_ETHERTYPE_PBB:
            return parse_pbb(w, p, s);
        case CORR_ETHERTYPE_CVLAN:
        case CORR_ETHERTYPE_SVLAN:
        case CORR_ETHERTYPE_QINQ:
        case CORR_ETHERTYPE_QINQ2: {
            const uint8_t *d = w->data + s.off;

            if (corr_span_have(s) < 4)
                return corr_parse_fail(p, "VLAN tag not captured");
            if (!corr_encap_push(p, CORR_ENCAP_VLAN, corr_be16(d) & 0xfff))
                return false;
            type = corr_be16(d + 2);
            s.off += 4;
            break;
        }
        default:
            if (type > CORR_ETHERTYPE_LENGTH_MAX)
                return finish_l2(w, p, type, trim_l2(w, type, s));
            return corr_parse_llc(w, p, cut_to(s, type));
        }
    }
}

bool corr_parse_ethernet(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 14)
        return corr_parse_fail(p, "Ethernet header not captured");
    memcpy(p->mac_dst, d, 6);
    memcpy(p->mac_src, d + 6, 6);
    p->have |= CORR_HAVE_MAC;
    return corr_parse_ethertype(w, p, corr_be16(d + 12), corr_span_skip(s, 14));
}

/* The address family's numbers differ between systems; the IP version does not. */
static bool parse_null(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 4)
        return corr_parse_fail(p, "loopback header not captured");

    uint32_t family = corr_be32(d);

    if (family > 0xffff) /* written by a little-endian machine */
        family = corr_le32(d);
    s.off += 4;
    switch (family) {
    case 2:
        return corr_parse_ip4(w, p, s);
    case 10: /* Linux */
    case 23: /* Windows */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        return corr_parse_ip6(w, p, s);
    default:
        return corr_parse_fail(p, "loopback address family");
    }
}

/* Cisco's HDLC; also what LINKTYPE_PPP_HDLC shows when the link does not speak PPP. */
static bool parse_chdlc(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    if (corr_span_have(s) < 4)
        return corr_parse_fail(p, "HDLC header not captured");

    uint16_t type = corr_be16(w->data + s.off + 2);

    s.off += 4;
    if (type < CORR_ETHERTYPE_FIRST)
        return finish_l2(w, p, type, s);
    return corr_parse_ethertype(w, p, type, s);
}

static bool parse_hdlc(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    if (corr_span_have(s) > 0 && (w->data[s.off] & 0x7f) == 0x0f)
        return parse_chdlc(w, p, s);
    return corr_parse_ppp(w, p, s);
}

/* What both cooked headers have: direction, the sender's address, protocol. */
static bool parse_cooked(struct corr_walk *w, struct corr_parsed *p, uint16_t packet_type,
                         uint16_t protocol, uint16_t addr_len, const uint8_t *addr,
                         struct corr_span s)
{
    if (packet_type <= 4)
        p->have |= packet_type == 4 ? CORR_HAVE_TX : CORR_HAVE_RX;
    if (addr_len == 6)
        memcpy(p->mac_src, addr, 6);
    if (protocol <= 4) /* 1: IPX without a header; 4: 802.2 */
        return protocol == 4 ? corr_parse_llc(w, p, s) : finish_l2(w, p, 0, s);
    if (protocol < CORR_ETHERTYPE_FIRST)
        return finish_l2(w, p, protocol, s);
    return corr_parse_ethertype(w, p, protocol, s);
}

static bool parse_sll(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 16)
        return corr_parse_fail(p, "cooked header not captured");
    return parse_cooked(w, p, corr_be16(d), corr_be16(d + 14), corr_be16(d + 4), d + 6,
                        corr_span_skip(s, 16));
}

static bool parse_sll2(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < 20)
        return corr_parse_fail(p, "cooked header not captured");
    p->ifindex = corr_be32(d + 4);
    p->have |= CORR_HAVE_IFINDEX;
    return parse_cooked(w, p, d[10], corr_be16(d), d[11], d + 12, corr_span_skip(s, 20));
}

/*
 * Linux' NFLOG: attributes whose length and type are in the byte order of the
 * capturing machine; no attribute before the payload is longer than 255 bytes.
 */
static bool parse_nflog(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    enum { NFLOG_PACKET_HEADER = 1, NFLOG_PAYLOAD = 9 };
    const uint8_t *d = w->data + s.off;
    uint16_t type = 0;

    if (corr_span_have(s) < 8)
        return corr_parse_fail(p, "NFLOG header not captured");

    bool little = d[5] == 0 || (d[7] & 0x3f) == 0;

    if (d[0] == 2)
        type = CORR_ETHERTYPE_IP4;
    else if (d[0] == 10)
        type = CORR_ETHERTYPE_IP6;
    s.off += 4;
    while (corr_span_have(s) >= 4) {
        d = w->data + s.off;

        uint32_t length = little ? corr_le16(d) : corr_be16(d);
        uint32_t attribute = (little ? corr_le16(d + 2) : corr_be16(d + 2)) & 0x3fff;

        if (length < 4)
            return corr_parse_fail(p, "NFLOG attribute length");
        if (attribute == NFLOG_PACKET_HEADER && type == 0 && corr_span_have(s) >= 6)
            type = corr_be16(d + 4); /* hardware protocol: bridges log every family */
        if (attribute == NFLOG_PAYLOAD) {
            s = cut_to(s, length);
            s.off += 4;
            return type != 0 ? corr_parse_ethertype(w, p, type, s) : corr_parse_ip(w, p, s);
        }
        s.off += (length + 3) & ~3u;
    }
    return corr_parse_fail(p, "NFLOG without a packet");
}

struct link {
    uint32_t number; /* LINKTYPE_ */
    bool (*parse)(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
    const char *unknown; /* why there is no function */
};

/* clang-format off */
static const struct link links[] = {
    {1,   corr_parse_ethernet, NULL},
    {276, parse_sll2,          NULL},
    {113, parse_sll,           NULL},
    {101, corr_parse_ip,       NULL}, /* raw IP */
    {12,  corr_parse_ip,       NULL}, /* raw IP as BSD numbers it */
    {14,  corr_parse_ip,       NULL}, /* likewise, OpenBSD */
    {228, corr_parse_ip4,      NULL},
    {229, corr_parse_ip6,      NULL},
    {0,   parse_null,          NULL},
    {108, parse_null,          NULL}, /* OpenBSD loopback */
    {9,   corr_parse_ppp,      NULL},
    {50,  parse_hdlc,          NULL},
    {104, parse_chdlc,         NULL},
    {239, parse_nflog,         NULL},
    {105, corr_parse_wifi,     NULL},
    {127, corr_parse_radiotap, NULL},
    {192, corr_parse_ppi,      NULL},
    {119, NULL, "link type 119 (802.11 with Prism header)"},
    {163, NULL, "link type 163 (802.11 with AVS header)"},
    {187, NULL, "link type 187 (Bluetooth HCI)"},
    {195, NULL, "link type 195 (802.15.4)"},
    {201, NULL, "link type 201 (Bluetooth HCI)"},
    {220, NULL, "link type 220 (USB)"},
    {227, NULL, "link type 227 (CAN)"},
    {249, NULL, "link type 249 (USBPcap)"},
    {253, NULL, "link type 253 (netlink)"},
};
/* clang-format on */

static const struct link *find_link(uint32_t number)
{
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        if (links[i].number == number)
            return &links[i];
    }
    return NULL;
}

unsigned corr_parse(const struct corr_frame *frame, uint32_t closed, struct corr_parsed *out)
{
    static const uint8_t nothing[1];
    uint32_t cap = frame->data != NULL ? frame->cap_len : 0;
    uint32_t wire = frame->wire_len > cap ? frame->wire_len : cap;
    struct corr_walk w = {
        .data = frame->data != NULL ? frame->data : nothing,
        .wire = wire,
        .out = out,
        .count = 1,
        .ethernet = frame->link == 1,
        .closed = closed,
    };
    const struct link *link = find_link(frame->link);

    memset(out, 0, sizeof *out);
    if (cap < wire)
        out->have = CORR_HAVE_SNAPPED;
    if (link == NULL || link->parse == NULL) {
        out->unknown = link != NULL ? link->unknown : "link type not known";
        return 1;
    }
    if (!link->parse(&w, out, (struct corr_span){.end = wire, .held = cap})) {
        out->kind = CORR_KIND_UNKNOWN;
        out->have &= CORR_HAVE_OF_FRAME;
    }
    return w.count;
}
