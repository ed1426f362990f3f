/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse-int.h - what the files of the parser share; for nobody else.
 *
 * Every parsing function takes the rest of the frame as a span and returns
 * whether it found an identity packet there.  If not, `unknown` of the packet
 * says why, and the caller that peeled a tunnel goes back to the packet it had
 * before (corr_peel()): so each frame yields its innermost readable packet.
 */
#ifndef CORR_PARSE_INT_H
#define CORR_PARSE_INT_H

#include <string.h>

#include "parse/parse.h"

#define CORR_IP_LAYERS_MAX 8 /* IP headers in one frame, the identity's included */

/*
 * A stretch of the frame that one layer fills, as offsets from the first byte.
 * `end` is where the layer says it ends; `held` where the bytes we have end
 * (never above cap_len).  `off` may be above `held`: the layer starts in bytes
 * that were not captured.
 */
struct corr_span {
    uint32_t off, end, held;
    bool open; /* in a first fragment: the layer goes on in other frames, who knows how far */
};

struct corr_walk {
    const uint8_t *data;
    uint32_t wire;           /* bytes of the frame, FCS excluded where it is known */
    struct corr_parsed *out; /* CORR_PARSE_MAX packets ... */
    unsigned count;          /* ... of which so many are done */
    unsigned ip_layers;      /* IP headers seen */
    uint32_t frag_start;     /* where the payload of the fragmented layer begins */
    uint32_t closed;         /* tunnels not to look into: 1 << enum corr_encap_kind */
    bool ethernet;           /* the frame is Ethernet, so it may have been padded */
};

/* Members that belong to the frame and not to the identity: an inner layer keeps them. */
#define CORR_HAVE_OF_FRAME                                                                         \
    (CORR_HAVE_MAC | CORR_HAVE_IFINDEX | CORR_HAVE_FRAG | CORR_HAVE_PADDED | CORR_HAVE_RX |        \
     CORR_HAVE_TX | CORR_HAVE_SNAPPED)

/* Ethertypes; the last two name payloads of tunnels only. */
enum {
    CORR_ETHERTYPE_LENGTH_MAX = 1500, /* up to here: IEEE 802.3 length */
    CORR_ETHERTYPE_FIRST = 0x0600,
    CORR_ETHERTYPE_IP4 = 0x0800,
    CORR_ETHERTYPE_ARP = 0x0806,
    CORR_ETHERTYPE_RARP = 0x8035,
    CORR_ETHERTYPE_CVLAN = 0x8100,
    CORR_ETHERTYPE_IP6 = 0x86dd,
    CORR_ETHERTYPE_MPLS = 0x8847,
    CORR_ETHERTYPE_MPLS_MULTICAST = 0x8848,
    CORR_ETHERTYPE_PPPOE_DISCOVERY = 0x8863,
    CORR_ETHERTYPE_PPPOE = 0x8864,
    CORR_ETHERTYPE_EAPOL = 0x888e,
    CORR_ETHERTYPE_SVLAN = 0x88a8,
    CORR_ETHERTYPE_PBB = 0x88e7,
    CORR_ETHERTYPE_QINQ = 0x9100,
    CORR_ETHERTYPE_QINQ2 = 0x9200,
    CORR_ETHERTYPE_ETHERNET = 0x6558, /* transparent Ethernet bridging: RFC 1701 */
    CORR_ETHERTYPE_PPP = 0x880b,
};

/* IP protocol numbers. */
enum {
    CORR_PROTO_HOP_BY_HOP = 0,
    CORR_PROTO_ICMP = 1,
    CORR_PROTO_IP4 = 4,
    CORR_PROTO_TCP = 6,
    CORR_PROTO_UDP = 17,
    CORR_PROTO_DCCP = 33,
    CORR_PROTO_IP6 = 41,
    CORR_PROTO_ROUTING = 43,
    CORR_PROTO_FRAGMENT = 44,
    CORR_PROTO_GRE = 47,
    CORR_PROTO_ESP = 50,
    CORR_PROTO_AH = 51,
    CORR_PROTO_ICMP6 = 58,
    CORR_PROTO_NONE = 59,
    CORR_PROTO_DESTINATION = 60,
    CORR_PROTO_L2TP = 115,
    CORR_PROTO_SCTP = 132,
    CORR_PROTO_UDPLITE = 136,
    CORR_PROTO_MPLS = 137,
    CORR_PROTO_ETHERNET = 143, /* RFC 8986 */
};

static inline uint16_t corr_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t corr_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t corr_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t corr_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Bytes that can be read. */
static inline uint32_t corr_span_have(struct corr_span s)
{
    return s.held > s.off ? s.held - s.off : 0;
}

/* Bytes that the layer has according to itself; without meaning if it is open. */
static inline uint32_t corr_span_len(struct corr_span s)
{
    return s.end > s.off ? s.end - s.off : 0;
}

static inline struct corr_span corr_span_skip(struct corr_span s, uint32_t bytes)
{
    s.off += bytes;
    return s;
}

/* The first `bytes` of a span: the layer has told its length, so it is not open any more. */
static inline struct corr_span corr_span_cut(struct corr_span s, uint32_t bytes)
{
    s.end = s.off + bytes;
    s.held = s.held < s.end ? s.held : s.end;
    s.open = false;
    return s;
}

/* Says why there is no packet here. */
static inline bool corr_parse_fail(struct corr_parsed *p, const char *why)
{
    p->unknown = why;
    return false;
}

/* Appends one encapsulation; false if there is no room for more. */
static inline bool corr_encap_push(struct corr_parsed *p, enum corr_encap_kind kind, uint32_t id)
{
    if (p->n_encap == CORR_ENCAP_MAX)
        return corr_parse_fail(p, "too many encapsulations");
    p->encap[p->n_encap].kind = (uint8_t)kind;
    p->encap[p->n_encap].id = id;
    p->n_encap++;
    return true;
}

/* link.c: link layers. */
bool corr_parse_ethernet(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
bool corr_parse_ethertype(struct corr_walk *w, struct corr_parsed *p, uint16_t type,
                          struct corr_span s);
bool corr_parse_llc(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
bool corr_parse_ppp(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);

/* wifi.c: IEEE 802.11 and the headers that capture tools put before it. */
bool corr_parse_wifi(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
bool corr_parse_radiotap(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
bool corr_parse_ppi(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);

/* tunnel.c: what can be between a link layer or an IP header and the identity. */
bool corr_parse_mpls(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
/* `type` is an ethertype or one of the two that name payloads of tunnels. */
bool corr_parse_inner(struct corr_walk *w, struct corr_parsed *p, uint16_t type,
                      struct corr_span s);
/* Peels one encapsulation if a packet can be read inside it; else leaves `p` as it is. */
bool corr_peel(struct corr_walk *w, struct corr_parsed *p, enum corr_encap_kind kind, uint32_t id,
               uint16_t type, struct corr_span s);
/* Peels an IP protocol that carries packets; `s` is the IP payload. */
bool corr_peel_proto(struct corr_walk *w, struct corr_parsed *p, uint8_t proto, struct corr_span s);
/* Peels a tunnel over UDP; `s` is the UDP payload. */
bool corr_peel_udp(struct corr_walk *w, struct corr_parsed *p, uint16_t src_port, uint16_t dst_port,
                   struct corr_span s);

/* ip.c */
bool corr_parse_ip4(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
bool corr_parse_ip6(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
bool corr_parse_ip(struct corr_walk *w, struct corr_parsed *p, struct corr_span s); /* by version */
/* Could an IP header stand here, as far as lengths tell?  `exact`: must it fill the span? */
bool corr_ip_plausible(const struct corr_walk *w, struct corr_span s, bool exact);

/* l4.c */
bool corr_parse_l4(struct corr_walk *w, struct corr_parsed *p, uint8_t proto, struct corr_span s);
/* Notes an authentication header (RFC 4302) and returns its length; 0: cannot be skipped. */
uint32_t corr_parse_ah(struct corr_walk *w, struct corr_parsed *p, struct corr_span s);
/* Makes the rest of the span the payload: lengths and digests. */
void corr_parse_payload(const struct corr_walk *w, struct corr_parsed *p, struct corr_span s);

/* token.c: looks at the captured payload, of which there is some. */
void corr_parse_tokens(struct corr_parsed *p);

/* quote.c: `s` begins with the IP header that an ICMP error quotes. */
bool corr_parse_quote(const struct corr_walk *w, struct corr_quote *quote, struct corr_span s);

#endif /* CORR_PARSE_INT_H */
