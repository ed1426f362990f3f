/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quote.c - the beginning of a packet that an ICMP error carries.
 *
 * RFC 792 asks for the IP header and 8 bytes, RFC 1812 and RFC 4443 for more;
 * what was not quoted or not captured is left out.
 */
#include "parse/parse-int.h"

#define EXTENSIONS_MAX 16

static void set_addr(struct corr_addr *addr, const uint8_t *bytes, uint8_t len)
{
    addr->len = len;
    memcpy(addr->bytes, bytes, len);
}

/* Steps over IPv6 extension headers; false if ports cannot follow (a later fragment, a cut). */
static bool skip_extensions(const struct corr_walk *w, struct corr_quote *quote,
                            struct corr_span *s)
{
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        const uint8_t *d = w->data + s->off;
        uint32_t have = corr_span_have(*s), length = 8;

        switch (quote->proto) {
        case CORR_PROTO_HOP_BY_HOP:
        case CORR_PROTO_ROUTING:
        case CORR_PROTO_DESTINATION:
        case CORR_PROTO_FRAGMENT:
            break;
        default:
            return true;
        }
        if (have < 8)
            return false;
        if (quote->proto != CORR_PROTO_FRAGMENT)
            length = (d[1] + 1u) * 8;
        if (quote->proto == CORR_PROTO_ROUTING && d[2] == 4 && d[3] > 0 && have >= 24)
            set_addr(&quote->dst, d + 8, 16); /* as in corr_parsed */

        bool later = quote->proto == CORR_PROTO_FRAGMENT && (corr_be16(d + 2) & 0xfff8) != 0;

        quote->proto = d[0];
        s->off += length;
        if (later)
            return false;
    }
    return false;
}

static void set_l4(const struct corr_walk *w, struct corr_quote *quote, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s);
    bool request = false;

    switch (quote->proto) {
    case CORR_PROTO_TCP:
        if (have >= 8) {
            quote->seq = corr_be32(d + 4);
            quote->has_seq = true;
        }
        break;
    case CORR_PROTO_UDP:
    case CORR_PROTO_SCTP:
    case CORR_PROTO_DCCP:
    case CORR_PROTO_UDPLITE:
        break;
    case CORR_PROTO_ICMP:
    case CORR_PROTO_ICMP6:
        if (have < 8)
            return;
        request = quote->proto == CORR_PROTO_ICMP ? d[0] == 8 : d[0] == 128;
        if (!request && d[0] != (quote->proto == CORR_PROTO_ICMP ? 0 : 129))
            return;
        quote->src_port = request ? corr_be16(d + 4) : 0;
        quote->dst_port = request ? 0 : corr_be16(d + 4);
        quote->seq = corr_be16(d + 6);
        quote->has_ports = quote->has_seq = true;
        return;
    default:
        return;
    }
    if (have >= 4) {
        quote->src_port = corr_be16(d);
        quote->dst_port = corr_be16(d + 2);
        quote->has_ports = true;
    }
}

bool corr_parse_quote(const struct corr_walk *w, struct corr_quote *quote, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s);

    memset(quote, 0, sizeof *quote);
    if (have >= 20 && d[0] >> 4 == 4 && (d[0] & 15) >= 5) {
        quote->tos = d[1];
        quote->ip_len = corr_be16(d + 2);
        quote->ip_id = corr_be16(d + 4);
        quote->ttl = d[8];
        quote->proto = d[9];
        set_addr(&quote->src, d + 12, 4);
        set_addr(&quote->dst, d + 16, 4);
        if ((corr_be16(d + 6) & 0x1fff) == 0)
            set_l4(w, quote, corr_span_skip(s, (d[0] & 15u) * 4));
        return true;
    }
    if (have >= 40 && d[0] >> 4 == 6) {
        uint32_t length = corr_be16(d + 4) + 40u; /* with the header, as in IPv4 */

        quote->tos = (uint8_t)(corr_be16(d) >> 4);
        quote->ip_len = length < UINT16_MAX ? (uint16_t)length : UINT16_MAX;
        quote->ttl = d[7];
        quote->proto = d[6];
        set_addr(&quote->src, d + 8, 16);
        set_addr(&quote->dst, d + 24, 16);
        s.off += 40;
        if (skip_extensions(w, quote, &s))
            set_l4(w, quote, s);
        return true;
    }
    return false;
}
