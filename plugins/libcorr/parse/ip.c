/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip.c - IPv4 and IPv6 headers, extension headers, fragments.
 */
#include "parse/parse-int.h"

#define IP4_HEADER 20
#define IP6_HEADER 40
#define IP6_EXTENSIONS_MAX 16             /* headers in one chain: no sane packet has more */
#define IP6_JUMBO_MAX (16u * 1024 * 1024) /* a longer packet cannot be in a capture file */

static void set_ip4(struct corr_addr *addr, const uint8_t *bytes)
{
    memset(addr, 0, sizeof *addr);
    addr->len = 4;
    memcpy(addr->bytes, bytes, 4);
}

static void set_ip6(struct corr_addr *addr, const uint8_t *bytes)
{
    addr->len = 16;
    memcpy(addr->bytes, bytes, 16);
}

/* A new IP header becomes the identity: forgets what belonged to the one around it. */
static bool begin_layer(struct corr_walk *w, struct corr_parsed *p, uint16_t ethertype)
{
    if (w->ip_layers == CORR_IP_LAYERS_MAX)
        return corr_parse_fail(p, "too many IP headers");
    w->ip_layers++;
    p->have = (p->have & CORR_HAVE_OF_FRAME) | CORR_HAVE_IP;
    p->ethertype = ethertype;
    p->ip_id = 0;
    p->flow_label = 0;
    return true;
}

/*
 * Applies the length that the IP header tells.  A tunnel's packet cannot be
 * longer than the room for it; the outermost one can when the capturing tool
 * lost the original length.
 */
static bool set_length(struct corr_walk *w, struct corr_parsed *p, struct corr_span *s,
                       uint32_t length)
{
    if (w->ip_layers > 1 && !s->open && length > corr_span_len(*s))
        return corr_parse_fail(p, "IP length beyond its tunnel");
    *s = corr_span_cut(*s, length);
    p->ip_len = length;
    if (w->ip_layers == 1)
        p->outer_end = s->end;
    /* Only receivers see the padding of a short frame: 60 bytes, 64 with FCS. */
    if (w->ip_layers == 1 && w->ethernet && w->wire <= 64 && s->end < w->wire)
        p->have |= CORR_HAVE_PADDED;
    return true;
}

/* Notes a fragment; the outermost one of a frame counts.  `s` is the fragment's payload. */
static void set_fragment(struct corr_walk *w, struct corr_parsed *p, struct corr_span s,
                         uint8_t proto, uint32_t id, uint32_t offset, bool more)
{
    if (p->have & CORR_HAVE_FRAG)
        return;
    p->have |= CORR_HAVE_FRAG;
    p->frag.src = p->src;
    p->frag.dst = p->dst;
    p->frag.proto = proto;
    p->frag.more = more;
    p->frag.id = id;
    p->frag.offset = offset;
    p->frag.len = corr_span_len(s);
    p->frag.base = 0;
    w->frag_start = s.off;
}

/* A fragment without the start of what it carries. */
static bool later_fragment(struct corr_walk *w, struct corr_parsed *p, uint8_t proto,
                           struct corr_span s)
{
    p->kind = CORR_KIND_FRAGMENT;
    p->proto = proto;
    if (p->frag.offset == 0) /* a fragment inside the first fragment of a tunnel's packet */
        p->frag.base = s.off - w->frag_start;
    corr_parse_payload(w, p, s);
    return true;
}

/* A header whose words do not add up; a checksum that was left to the network card is 0. */
static bool is_header_damaged(const uint8_t *d, uint32_t header)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < header; i += 2)
        sum += corr_be16(d + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum != 0xffff && corr_be16(d + 10) != 0;
}

bool corr_parse_ip4(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < IP4_HEADER) {
        bool cut = s.open || corr_span_len(s) >= IP4_HEADER;
        return corr_parse_fail(p, cut ? "IPv4 header not captured" : "IPv4 header too short");
    }

    uint32_t header = (d[0] & 15u) * 4;
    uint32_t length = corr_be16(d + 2);

    if (d[0] >> 4 != 4 || header < IP4_HEADER)
        return corr_parse_fail(p, "not an IPv4 header");
    if (length == 0 && !s.open) /* TSO beyond 64 KiB: the frame knows */
        length = corr_span_len(s);
    if (length < header)
        return corr_parse_fail(p, "IPv4 length below its header");
    if (!begin_layer(w, p, CORR_ETHERTYPE_IP4) || !set_length(w, p, &s, length))
        return false;

    uint16_t field = corr_be16(d + 6);
    uint32_t offset = (field & 0x1fffu) * 8;
    bool more = field & 0x2000;

    p->have |= CORR_HAVE_IP_ID | (field & 0x4000 ? CORR_HAVE_DF : 0);
    p->tos = d[1];
    p->ip_id = corr_be16(d + 4);
    p->ttl = d[8];
    p->proto = d[9];
    set_ip4(&p->src, d + 12);
    set_ip4(&p->dst, d + 16);
    /* Beyond 64 KiB the length is 0 here, and not in the sum. */
    if (corr_be16(d + 2) != 0 && corr_span_have(s) >= header && is_header_damaged(d, header))
        p->have |= CORR_HAVE_BAD_IP;
    s.off += header;

    if (offset > 0 || more) {
        set_fragment(w, p, s, d[9], p->ip_id, offset, more);
        if (offset > 0)
            return later_fragment(w, p, d[9], s);
        s.open = true;
    }
    return corr_parse_l4(w, p, d[9], s);
}

/* Payload length from the jumbo payload option, RFC 2675; 0 if there is none. */
static uint32_t jumbo_length(const uint8_t *d, uint32_t have)
{
    uint32_t end = have >= 2 ? (d[1] + 1u) * 8 : 0;

    end = end < have ? end : have;
    for (uint32_t i = 2; i + 2 <= end;) {
        if (d[i] == 0) { /* Pad1 */
            i++;
            continue;
        }
        if (d[i] == 0xc2 && d[i + 1] == 4 && i + 6 <= end)
            return corr_be32(d + i + 2);
        i += 2u + d[i + 1];
    }
    return 0;
}

/*
 * The final destination, which is in the pseudo header of checksums (RFC 8200,
 * section 8.1), is in the routing header while segments are left.
 */
static void apply_routing(struct corr_parsed *p, const uint8_t *d, uint32_t length)
{
    uint8_t type = d[2], left = d[3];

    if (left == 0 || length < 24)
        return;
    if (type == 4) /* RFC 8754: last segment first */
        set_ip6(&p->dst, d + 8);
    else if ((type == 0 || type == 2) && length % 16 == 8)
        set_ip6(&p->dst, d + length - 16);
}

/* Reads one extension header that is only skipped.  0: it ends the chain. */
static uint32_t extension_length(struct corr_walk *w, struct corr_parsed *p, uint8_t next,
                                 struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t length;

    if (next == CORR_PROTO_AH)
        return corr_parse_ah(w, p, s);
    switch (next) {
    case CORR_PROTO_HOP_BY_HOP:
    case CORR_PROTO_ROUTING:
    case CORR_PROTO_DESTINATION:
        break;
    default:
        return 0;
    }
    if (corr_span_have(s) < 8)
        return 0;
    length = (d[1] + 1u) * 8;
    if (length > corr_span_have(s)) {
        if (!s.open && length > corr_span_len(s))
            p->unknown = "IPv6 extension header too long";
        return 0;
    }
    if (next == CORR_PROTO_ROUTING) {
        apply_routing(p, d, length);
        if (d[2] == 4 && !corr_encap_push(p, CORR_ENCAP_SRV6, 0))
            return 0;
    }
    return length;
}

bool corr_parse_ip6(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;

    if (corr_span_have(s) < IP6_HEADER) {
        bool cut = s.open || corr_span_len(s) >= IP6_HEADER;
        return corr_parse_fail(p, cut ? "IPv6 header not captured" : "IPv6 header too short");
    }
    if (d[0] >> 4 != 6)
        return corr_parse_fail(p, "not an IPv6 header");

    uint8_t next = d[6];
    uint32_t length = corr_be16(d + 4);

    if (length == 0 && next == CORR_PROTO_HOP_BY_HOP)
        length = jumbo_length(d + IP6_HEADER, corr_span_have(s) - IP6_HEADER);
    if (length == 0 && next != CORR_PROTO_NONE && !s.open) /* TSO beyond 64 KiB */
        length = corr_span_len(s) - IP6_HEADER;
    if (length > IP6_JUMBO_MAX)
        return corr_parse_fail(p, "IPv6 jumbo length");
    if (!begin_layer(w, p, CORR_ETHERTYPE_IP6) || !set_length(w, p, &s, IP6_HEADER + length))
        return false;

    uint32_t word = corr_be32(d);

    p->tos = (uint8_t)(word >> 20);
    p->flow_label = word & 0xfffff;
    p->ttl = d[7];
    set_ip6(&p->src, d + 8);
    set_ip6(&p->dst, d + 24);
    s.off += IP6_HEADER;

    for (unsigned i = 0; i < IP6_EXTENSIONS_MAX; i++) {
        uint32_t skip = extension_length(w, p, next, s);

        d = w->data + s.off;
        if (skip == 0 && next == CORR_PROTO_FRAGMENT && corr_span_have(s) >= 8) {
            uint32_t offset = corr_be16(d + 2) & 0xfff8u;
            bool more = d[3] & 1;

            skip = 8;
            if (offset > 0 || more) { /* else an atomic fragment: RFC 6946 */
                set_fragment(w, p, corr_span_skip(s, 8), d[0], corr_be32(d + 4), offset, more);
                if (offset > 0)
                    return later_fragment(w, p, d[0], corr_span_skip(s, 8));
                s.open = true;
            }
        }
        if (skip == 0)
            break;
        next = d[0];
        s.off += skip;
    }
    return corr_parse_l4(w, p, next, s);
}

bool corr_parse_ip(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    if (corr_span_have(s) == 0)
        return corr_parse_fail(p, "IP header not captured");
    switch (w->data[s.off] >> 4) {
    case 4:
        return corr_parse_ip4(w, p, s);
    case 6:
        return corr_parse_ip6(w, p, s);
    default:
        return corr_parse_fail(p, "neither IPv4 nor IPv6");
    }
}

bool corr_ip_plausible(const struct corr_walk *w, struct corr_span s, bool exact)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s), length;

    if (have >= IP4_HEADER && d[0] >> 4 == 4) {
        length = corr_be16(d + 2);
        if ((d[0] & 15) < 5 || length < (d[0] & 15u) * 4)
            return false;
    } else if (have >= IP6_HEADER && d[0] >> 4 == 6) {
        length = IP6_HEADER + corr_be16(d + 4);
    } else {
        return false;
    }
    if (s.open)
        return !exact;
    return exact ? length == corr_span_len(s) : length <= corr_span_len(s);
}
