/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * l4.c - TCP, UDP and ICMP headers, checksum residuals, payload digests.
 */
#include "parse/parse-int.h"

#include <glib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TCP_HEADER 20
#define UDP_HEADER 8
#define SCTP_HEADER 12
#define TOKEN_MIN 16 /* payload that may hold what token.c looks for */
#define ICMP_HEADER 8       /* of echo and errors */
#define ICMP_OTHER_HEADER 4 /* RFC 4443, section 2.1: what follows is the message body */

/*
 * One's complement sums are the same in either byte order, so words are added
 * as the machine reads them and the result is swapped once (RFC 1071).  They are
 * the same for any width of words, too: 64 bits at a time, the carries counted,
 * in two sums that do not wait for each other.  `bytes` is a multiple of 4.
 */
static uint64_t add_words(uint64_t sum, const uint8_t *d, uint32_t bytes)
{
    uint64_t even = 0, odd = 0, carries = 0, words[2];
    uint32_t rest;

    for (; bytes >= 16; d += 16, bytes -= 16) {
        memcpy(words, d, 16);
        even += words[0];
        carries += even < words[0];
        odd += words[1];
        carries += odd < words[1];
    }
    for (; bytes >= 4; d += 4, bytes -= 4) {
        memcpy(&rest, d, 4);
        sum += rest;
    }
    return sum + (even & 0xffffffff) + (even >> 32) + (odd & 0xffffffff) + (odd >> 32) + carries;
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint64_t pseudo_sum(const struct corr_parsed *p, uint32_t l4_len)
{
    uint64_t sum = add_words(0, p->src.bytes, p->src.len);

    sum = add_words(sum, p->dst.bytes, p->dst.len);
    return sum + g_htonl(l4_len) + g_htons(p->proto);
}

/* All words of a packet with a right checksum add up to 0xffff, the one's complement zero. */
static void set_residual(struct corr_parsed *p, uint64_t sum_of_headers)
{
    uint16_t rest = (uint16_t)~fold(sum_of_headers);

    p->resid = rest == 0xffff ? 0 : g_ntohs(rest);
    p->have |= CORR_HAVE_RESID;
}

/* Does the payload add up to the residual?  Asked only where all of it was captured. */
static void check_residual(struct corr_parsed *p)
{
    const uint32_t empty = CORR_HAVE_RESID | CORR_HAVE_LEN;
    const uint32_t both = CORR_HAVE_RESID | CORR_HAVE_DFULL;
    uint64_t sum;
    uint16_t folded;
    uint8_t last[4] = {0};

    if ((p->have & both) != both && ((p->have & empty) != empty || p->payload_len > 0))
        return;
    sum = add_words(0, p->payload, p->payload_cap & ~3u);
    if (p->payload_cap & 3) {
        memcpy(last, p->payload + (p->payload_cap & ~3u), p->payload_cap & 3);
        sum = add_words(sum, last, 4);
    }
    folded = fold(sum);
    if ((folded == 0xffff ? 0 : g_ntohs(folded)) != p->resid)
        p->have |= CORR_HAVE_BAD_SUM;
}

/* With transmit offload the field holds the sum of the pseudo header, not its complement. */
static bool is_partial(const uint8_t *field, uint64_t pseudo)
{
    uint16_t value;

    memcpy(&value, field, 2);
    return value == fold(pseudo);
}

void corr_parse_digests(struct corr_parsed *p, const uint8_t *bytes, uint32_t len)
{
    p->dfull = XXH3_64bits(bytes, len);
    p->d128 = len <= 128 ? (uint32_t)p->dfull : (uint32_t)XXH3_64bits(bytes, 128);
    p->d32 = len <= 32 ? (uint32_t)p->dfull : (uint32_t)XXH3_64bits(bytes, 32);
    p->d8 = len <= 8 ? (uint32_t)p->dfull : (uint32_t)XXH3_64bits(bytes, 8);
    p->have |= CORR_HAVE_DFULL | CORR_HAVE_D128 | CORR_HAVE_D32 | CORR_HAVE_D8;
}

void corr_parse_payload(const struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    uint32_t have = corr_span_have(s);
    uint32_t len = s.open ? UINT32_MAX : corr_span_len(s);
    const uint8_t *d = w->data + (have > 0 ? s.off : 0);

    p->payload_cap = have;
    p->payload_len = 0;
    p->payload = have > 0 ? d : NULL;
    p->l7_bytes_constant = have > 0 && d[0] == d[have - 1] && memcmp(d, d + 1, have - 1) == 0;
    if (!s.open) {
        p->payload_len = len;
        p->have |= CORR_HAVE_LEN;
        if (have == len) {
            corr_parse_digests(p, d, len);
            return;
        }
    }
    if (have >= 8) {
        p->d8 = (uint32_t)XXH3_64bits(d, 8);
        p->have |= CORR_HAVE_D8;
    }
    if (have >= 32) {
        p->d32 = (uint32_t)XXH3_64bits(d, 32);
        p->have |= CORR_HAVE_D32;
    }
    if (have >= 128) {
        p->d128 = (uint32_t)XXH3_64bits(d, 128);
        p->have |= CORR_HAVE_D128;
    }
}

static bool parse_other(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    p->kind = CORR_KIND_IP;
    corr_parse_payload(w, p, s);
    return true;
}

static void set_ports(struct corr_parsed *p, const uint8_t *d)
{
    p->src_port = corr_be16(d);
    p->dst_port = corr_be16(d + 2);
    p->have |= CORR_HAVE_PORTS;
}

static uint8_t option_bit(uint8_t kind)
{
    switch (kind) {
    case 2:
        return CORR_OPT_MSS;
    case 3:
        return CORR_OPT_WSCALE;
    case 4:
        return CORR_OPT_SACKPERM;
    case 5:
        return CORR_OPT_SACK;
    case 8:
        return CORR_OPT_TS;
    case 30:
        return CORR_OPT_MPTCP;
    case 34:
        return CORR_OPT_FASTOPEN;
    default:
        return CORR_OPT_OTHER;
    }
}

/* The usual layout of data segments: NOP NOP timestamps (RFC 7323, appendix A). */
static bool only_timestamps(struct corr_parsed *p, const uint8_t *d, uint32_t bytes)
{
    if (bytes != 12 || corr_be32(d) != 0x0101080a)
        return false;
    p->tsval = corr_be32(d + 4);
    p->tsecr = corr_be32(d + 8);
    p->have |= CORR_HAVE_TS;
    p->opt_kinds = CORR_OPT_TS;
    return true;
}

/* Not inlined: gcc at -O3 otherwise warns of hash branches that cannot be taken. */
static G_GNUC_NO_INLINE uint32_t hash_options(const uint8_t *d, uint32_t bytes)
{
    return (uint32_t)XXH3_64bits(d, bytes);
}

static void parse_sack(struct corr_parsed *p, const uint8_t *d, uint32_t bytes)
{
    p->n_sack = 0; /* of several such options the last */
    for (; bytes >= 8 && p->n_sack < CORR_SACK_MAX; d += 8, bytes -= 8)
        p->sack[p->n_sack++] = (struct corr_sack){corr_be32(d), corr_be32(d + 4)};
}

static void parse_options(struct corr_parsed *p, const uint8_t *d, uint32_t bytes, bool complete)
{
    uint8_t kept[40]; /* what the hash is of; a TCP header has room for no more */
    uint32_t n_kept = 0;

    p->opt_kinds = 0;
    if (!only_timestamps(p, d, bytes)) {
        for (uint32_t i = 0; i < bytes && d[i] != 0;) {
            uint8_t kind = d[i];
            uint32_t size = bytes - i;

            if (kind == 1) {
                i++;
                continue;
            }
            if (size >= 2 && d[i + 1] >= 2 && d[i + 1] <= size)
                size = d[i + 1];
            else
                kind = 255; /* a length that cannot be: the rest is one unknown option */
            p->opt_kinds |= option_bit(kind);
            if (kind == 8 && size == 10) {
                p->tsval = corr_be32(d + i + 2);
                p->tsecr = corr_be32(d + i + 6);
                p->have |= CORR_HAVE_TS;
            } else {
                memcpy(kept + n_kept, d + i, size);
                n_kept += size;
            }
            if (kind == 2 && size == 4) {
                p->mss = corr_be16(d + i + 2);
                p->have |= CORR_HAVE_MSS;
            } else if (kind == 3 && size == 3) {
                p->wscale = d[i + 2] < 14 ? d[i + 2] : 14;
            } else if (kind == 5) {
                parse_sack(p, d + i + 2, size - 2);
            }
            i += size;
        }
    }
    if (complete) {
        p->opt_hash = n_kept > 0 ? hash_options(kept, n_kept) : 0;
        p->have |= CORR_HAVE_OPTIONS;
    }
}

static bool parse_tcp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s);
    uint32_t header = have >= 13 ? (d[12] >> 4) * 4u : TCP_HEADER;

    if (header < TCP_HEADER || (!s.open && header > corr_span_len(s))) {
        p->unknown = "TCP header length";
        return parse_other(w, p, s);
    }
    p->kind = CORR_KIND_TCP;
    if (have >= 4)
        set_ports(p, d);
    if (have >= 8) {
        p->seq = corr_be32(d + 4);
        p->have |= CORR_HAVE_SEQ;
    }
    if (have >= 16) {
        p->ack = corr_be32(d + 8);
        p->tcp_flags = corr_be16(d + 12) & 0x0fff;
        p->window = corr_be16(d + 14);
        p->have |= CORR_HAVE_TCP;
    }
    if (have < 13) /* where the payload begins is not known */
        return true;
    if (have >= TCP_HEADER) {
        uint32_t options = header - TCP_HEADER, held = have - TCP_HEADER;

        parse_options(p, d + TCP_HEADER, options < held ? options : held, options <= held);
    }
    if (have >= 18 && !s.open) {
        uint64_t pseudo = pseudo_sum(p, corr_span_len(s));

        if (is_partial(d + 16, pseudo))
            p->have |= CORR_HAVE_PARTIAL;
        else if (have >= header)
            set_residual(p, add_words(pseudo, d, header));
    }
    corr_parse_payload(w, p, corr_span_skip(s, header));
    check_residual(p);
    if (p->payload_cap >= TOKEN_MIN)
        corr_parse_tokens(p);
    return true;
}

static bool parse_udp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s);
    struct corr_span payload = s;

    if (!s.open && corr_span_len(s) < UDP_HEADER) {
        p->unknown = "UDP header length";
        return parse_other(w, p, s);
    }
    if (have >= 6) {
        uint32_t length = corr_be16(d + 4);

        if (length > 0 && length < UDP_HEADER) {
            p->unknown = "UDP header length";
            return parse_other(w, p, s);
        }
        /* 0: RFC 2675.  More than IP has: the sender's offload left it to the NIC. */
        if (length != 0 && (s.open || length <= corr_span_len(s)))
            payload = corr_span_cut(s, length);
    }
    payload = corr_span_skip(payload, UDP_HEADER);
    if (have > UDP_HEADER && corr_peel_udp(w, p, corr_be16(d), corr_be16(d + 2), payload))
        return true;

    p->kind = CORR_KIND_UDP;
    if (have >= 4)
        set_ports(p, d);
    if (have >= UDP_HEADER && corr_be16(d + 6) != 0 && !payload.open) {
        uint64_t pseudo = pseudo_sum(p, payload.end - s.off);

        if (is_partial(d + 6, pseudo))
            p->have |= CORR_HAVE_PARTIAL;
        else
            set_residual(p, add_words(pseudo, d, UDP_HEADER));
    }
    corr_parse_payload(w, p, payload);
    check_residual(p);
    return true;
}

enum icmp_role { ICMP_OTHER, ICMP_REQUEST, ICMP_REPLY, ICMP_ERROR };

static enum icmp_role icmp_role(uint8_t proto, uint8_t type)
{
    if (proto == CORR_PROTO_ICMP6) {
        if (type >= 1 && type <= 4)
            return ICMP_ERROR;
        return type == 128 ? ICMP_REQUEST : type == 129 ? ICMP_REPLY : ICMP_OTHER;
    }
    switch (type) {
    case 3:
    case 4:
    case 5:
    case 11:
    case 12:
        return ICMP_ERROR;
    case 8:
        return ICMP_REQUEST;
    case 0:
        return ICMP_REPLY;
    default:
        return ICMP_OTHER;
    }
}

/* Next-hop MTU: RFC 1191, section 4; RFC 4443, section 3.2. */
static uint32_t quoted_mtu(uint8_t proto, const uint8_t *d)
{
    if (proto == CORR_PROTO_ICMP6)
        return d[0] == 2 ? corr_be32(d + 4) : 0;
    return d[0] == 3 && d[1] == 4 ? corr_be16(d + 6) : 0;
}

static bool parse_icmp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t have = corr_span_have(s);
    uint32_t header = ICMP_HEADER;

    if (have < 2)
        return parse_other(w, p, s);

    enum icmp_role role = icmp_role(p->proto, d[0]);

    p->icmp_type = d[0];
    p->icmp_code = d[1];
    if (!s.open && corr_span_len(s) < header)
        role = ICMP_OTHER;
    switch (role) {
    case ICMP_REQUEST:
    case ICMP_REPLY:
        p->kind = CORR_KIND_ECHO;
        if (have >= 6) {
            p->src_port = role == ICMP_REQUEST ? corr_be16(d + 4) : 0;
            p->dst_port = role == ICMP_REPLY ? corr_be16(d + 4) : 0;
            p->have |= CORR_HAVE_PORTS;
        }
        if (have >= 8) {
            p->seq = corr_be16(d + 6);
            p->have |= CORR_HAVE_SEQ;
        }
        break;
    case ICMP_ERROR:
        p->kind = CORR_KIND_ICMP_ERROR;
        if (corr_parse_quote(w, &p->quote, corr_span_skip(s, ICMP_HEADER))) {
            p->quote.mtu = quoted_mtu(p->proto, d);
            p->have |= CORR_HAVE_QUOTE;
        }
        break;
    case ICMP_OTHER:
        p->kind = CORR_KIND_IP;
        header = ICMP_OTHER_HEADER;
        if (!s.open && corr_span_len(s) < header) {
            p->unknown = "ICMP header length";
            return parse_other(w, p, s);
        }
        break;
    }
    if (have >= header && p->proto == CORR_PROTO_ICMP)
        set_residual(p, add_words(0, d, header));
    else if (have >= header && !s.open)
        set_residual(p, add_words(pseudo_sum(p, corr_span_len(s)), d, header));
    corr_parse_payload(w, p, corr_span_skip(s, header));
    check_residual(p);
    return true;
}

/*
 * RFC 9260: the chunks are what a translator leaves alone.  They hold the TSN; ports,
 * and with them the CRC32c, change.
 */
static bool parse_sctp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    if (!s.open && corr_span_len(s) < SCTP_HEADER) {
        p->unknown = "SCTP header length";
        return parse_other(w, p, s);
    }
    if (corr_span_have(s) >= 4)
        set_ports(p, w->data + s.off);
    return parse_other(w, p, corr_span_skip(s, SCTP_HEADER));
}

uint32_t corr_parse_ah(struct corr_walk *w, struct corr_parsed *p, struct corr_span s)
{
    const uint8_t *d = w->data + s.off;
    uint32_t length;

    if (corr_span_have(s) < 12)
        return 0;
    length = (d[1] + 2u) * 4;
    if (length < 12 || length > corr_span_have(s))
        return 0;
    return corr_encap_push(p, CORR_ENCAP_AH, corr_be32(d + 4)) ? length : 0;
}

bool corr_parse_l4(struct corr_walk *w, struct corr_parsed *p, uint8_t proto, struct corr_span s)
{
    while (proto == CORR_PROTO_AH) {
        uint32_t length = corr_parse_ah(w, p, s);

        if (length == 0)
            break;
        proto = w->data[s.off];
        s.off += length;
    }
    p->proto = proto;
    if ((p->have & CORR_HAVE_FRAG) && p->frag.offset == 0)
        p->frag.base = s.off - w->frag_start;

    switch (proto) {
    case CORR_PROTO_TCP:
        return parse_tcp(w, p, s);
    case CORR_PROTO_UDP:
        return parse_udp(w, p, s);
    case CORR_PROTO_ICMP:
        return p->src.len == 4 ? parse_icmp(w, p, s) : parse_other(w, p, s);
    case CORR_PROTO_ICMP6:
        return p->src.len == 16 ? parse_icmp(w, p, s) : parse_other(w, p, s);
    case CORR_PROTO_SCTP:
        return parse_sctp(w, p, s);
    case CORR_PROTO_DCCP:
    case CORR_PROTO_UDPLITE:
        if (corr_span_have(s) >= 4)
            set_ports(p, w->data + s.off);
        return parse_other(w, p, s);
    default:
        return corr_peel_proto(w, p, proto, s) || parse_other(w, p, s);
    }
}
