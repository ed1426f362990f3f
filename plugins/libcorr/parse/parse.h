/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse.h - from frame bytes to the identity packet and its invariants.
 *
 * Link layers and tunnels are peeled until the innermost cleartext packet is
 * reached: that one is the identity (algorithms: 1.3).  What was peeled is the
 * context (`encap`).  Bytes of a packet that an ICMP error quotes are never the
 * identity: they are in `quote`.
 *
 * The parser never reads past cap_len, trusts the IP total length and not the
 * frame length (padding, FCS and trailers follow it), and keeps going as long
 * as the bytes last: a member whose bytes were not captured has no `have` bit.
 */
#ifndef CORR_PARSE_H
#define CORR_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "corr.h"

/* An IPv4 address, an IPv6 address, or none: len is 4, 16 or 0.  Unused bytes are zero. */
struct corr_addr {
    uint8_t len;
    uint8_t bytes[16];
};

/* What the identity packet is. */
enum corr_kind {
    CORR_KIND_UNKNOWN,    /* nothing to correlate; `unknown` says what stopped the parser */
    CORR_KIND_L2,         /* no IP: ARP, STP, LLDP ...; payload = all after the ethertype */
    CORR_KIND_TCP,        /* first fragment or whole */
    CORR_KIND_UDP,        /* likewise */
    CORR_KIND_ECHO,       /* ICMP or ICMPv6 echo request or reply */
    CORR_KIND_ICMP_ERROR, /* ICMP(v6) error: `quote` is filled */
    CORR_KIND_FRAGMENT,   /* an IP fragment with offset > 0: no L4 header */
    CORR_KIND_IP,         /* any other IP protocol: ESP, SCTP, OSPF, other ICMP ... */
};

/*
 * The encapsulations that can be peeled.  Columns: id, word as users read it,
 * whether it is a tunnel (which may be left closed), what `id` holds.
 */
/* clang-format off */
#define CORR_ENCAPS(X)                                          \
    X(VLAN,   "vlan",      false)  /* VLAN ID                 */ \
    X(MPLS,   "mpls",      false)  /* label                   */ \
    X(PPPOE,  "pppoe",     false)  /* session ID              */ \
    X(PBB,    "pbb",       false)  /* I-SID                   */ \
    X(VXLAN,  "vxlan",     true)   /* VNI                     */ \
    X(GENEVE, "geneve",    true)   /* VNI                     */ \
    X(GRE,    "gre",       true)   /* key, 0 if none          */ \
    X(NVGRE,  "nvgre",     true)   /* VSID                    */ \
    X(ERSPAN, "erspan",    true)   /* session ID              */ \
    X(GTPU,   "gtp-u",     true)   /* TEID (one way)          */ \
    X(IPIP,   "ip-in-ip",  true)   /* 0                       */ \
    X(SRV6,   "srv6",      true)   /* 0                       */ \
    X(L2TP,   "l2tp",      true)   /* session ID              */ \
    X(TEREDO, "teredo",    true)   /* 0                       */ \
    X(GUE,    "gue",       true)   /* 0                       */ \
    X(AH,     "ah",        false)  /* SPI                     */ \
    X(IPSEC,  "esp-null",  false)  /* SPI                     */
/* clang-format on */
enum corr_encap_kind {
#define CORR_ROW(id, word, is_tunnel) CORR_ENCAP_##id,
    CORR_ENCAPS(CORR_ROW)
#undef CORR_ROW
    CORR_ENCAP_COUNT
};
const char *corr_encap_word(enum corr_encap_kind kind);
bool corr_encap_is_tunnel(enum corr_encap_kind kind);

struct corr_encap {
    uint8_t kind; /* enum corr_encap_kind */
    uint32_t id;
};
#define CORR_ENCAP_MAX 12 /* layers peeled at most, VLAN tags and labels counted one by one */

/* Which optional members are valid. */
enum corr_have {
    CORR_HAVE_MAC = 1 << 0,     /* mac_src, mac_dst of the innermost MAC header */
    CORR_HAVE_IFINDEX = 1 << 1, /* ifindex (SLL2) */
    CORR_HAVE_IP = 1 << 2,      /* src, dst, proto, ttl, tos */
    CORR_HAVE_IP_ID = 1 << 3,   /* ip_id: IPv4 only (present even when 0) */
    CORR_HAVE_PORTS = 1 << 4,   /* src_port, dst_port; for echo see src_port */
    CORR_HAVE_SEQ = 1 << 5,     /* seq: TCP, or echo sequence number */
    CORR_HAVE_TCP = 1 << 6,     /* ack, window, tcp_flags */
    CORR_HAVE_TS = 1 << 7,      /* tsval, tsecr */
    CORR_HAVE_OPTIONS = 1 << 8, /* every TCP option byte was captured: opt_hash, opt_kinds, mss */
    CORR_HAVE_RESID = 1 << 9,   /* resid; not set when the checksum is absent (0) or partial */
    CORR_HAVE_D8 = 1 << 10,     /* digests: see below */
    CORR_HAVE_D32 = 1 << 11,
    CORR_HAVE_D128 = 1 << 12,
    CORR_HAVE_DFULL = 1 << 13,
    CORR_HAVE_LEN = 1 << 14,    /* payload_len is known (a fragment's is not until the last one) */
    CORR_HAVE_FRAG = 1 << 15,   /* frag: this layer, or one around it, is a fragment */
    CORR_HAVE_QUOTE = 1 << 16,
    CORR_HAVE_MSS = 1 << 17,
    CORR_HAVE_DF = 1 << 18,      /* flag, IPv4: don't fragment */
    CORR_HAVE_PARTIAL = 1 << 19, /* flag: checksum left to the sender's NIC, not wrong */
    CORR_HAVE_PADDED = 1 << 20,  /* flag: frame longer than its packet: received, not sent */
    CORR_HAVE_RX = 1 << 21,      /* flag, SLL/SLL2: received ...      */
    CORR_HAVE_TX = 1 << 22,      /* flag, SLL/SLL2: ... or sent (pkttype 4) by the capturing host */
    CORR_HAVE_SNAPPED = 1 << 23, /* flag: the capture cut the frame (cap_len < wire_len) */
    CORR_HAVE_BAD_SUM = 1 << 24, /* flag: the whole payload is here and its checksum is wrong */
    CORR_HAVE_BAD_IP = 1 << 25,  /* flag: the checksum of the IPv4 header is wrong */
};

/* TCP flags as in the header: RFC 9293, section 3.1. */
enum {
    CORR_TCP_FIN = 0x01, CORR_TCP_SYN = 0x02, CORR_TCP_RST = 0x04, CORR_TCP_PSH = 0x08,
    CORR_TCP_ACK = 0x10, CORR_TCP_URG = 0x20, CORR_TCP_ECE = 0x40, CORR_TCP_CWR = 0x80,
};

/* Bits of opt_kinds: which TCP options stand in the header. */
enum {
    CORR_OPT_MSS = 1 << 0, CORR_OPT_WSCALE = 1 << 1, CORR_OPT_SACKPERM = 1 << 2,
    CORR_OPT_SACK = 1 << 3, CORR_OPT_TS = 1 << 4, CORR_OPT_FASTOPEN = 1 << 5,
    CORR_OPT_MPTCP = 1 << 6, CORR_OPT_OTHER = 1 << 7,
};

/* A selective acknowledgement block: bytes [left, right) have arrived. */
struct corr_sack {
    uint32_t left, right;
};
#define CORR_SACK_MAX 4 /* a TCP header has room for no more */

/*
 * The fragmented IP layer of a frame (the outermost one that is a fragment).
 * Offsets and lengths are bytes of that layer's payload.  `base` is where the
 * identity packet's IP payload begins in it: 0 if that layer is the identity
 * itself, more when a tunnel's outer packet was fragmented; known only in the
 * first fragment (offset == 0).
 */
struct corr_frag {
    struct corr_addr src, dst;
    uint8_t proto;
    bool more;
    uint32_t id;
    uint32_t offset, len;
    uint32_t base;
};

/* The packet that an ICMP error quotes, as far as quoted and captured: RFC 792, RFC 4443. */
struct corr_quote {
    struct corr_addr src, dst;
    uint8_t proto, ttl, tos;
    uint16_t ip_id, ip_len;
    bool has_ports, has_seq;
    uint16_t src_port, dst_port; /* echo: as in corr_parsed */
    uint32_t seq;                /* TCP, or echo sequence number */
    uint32_t mtu;                /* next-hop MTU of "too big" / "fragmentation needed", else 0 */
};

/* What a proxy carries over from one connection to another.  Columns: id. */
/* clang-format off */
#define CORR_TOKENS(X)                                                                \
    X(PROXY)   /* connection that a PROXY header names: corr_token_of_tuple()     */ \
    X(HELLO)   /* random of a TLS ClientHello                                     */ \
    X(REQUEST) /* id that an HTTP request has in its head                         */
/* clang-format on */
enum corr_token_kind {
#define CORR_ROW(id) CORR_TOKEN_##id,
    CORR_TOKENS(CORR_ROW)
#undef CORR_ROW
};

struct corr_token {
    uint64_t value; /* digest */
    uint8_t kind;   /* enum corr_token_kind */
};
#define CORR_TOKENS_MAX 2 /* in one segment: a PROXY header, and what follows it */

/*
 * Payload means: bytes above the L4 header (TCP, UDP, SCTP, echo), above the IP
 * header (CORR_KIND_IP, FRAGMENT), above the ICMP header (other ICMP), or above
 * the ethertype (L2).
 *
 * Digests compare at the largest prefix that two sightings share, whatever
 * their snap lengths: d8 is of the first min(8, payload_len) bytes, d32 of the
 * first min(32, ...), d128 likewise, dfull of all of it.  A digest is valid if
 * those bytes were captured and lie in this frame.
 *
 * resid = folded one's complement sum of the payload, computed from the
 * checksum field and the headers alone: survives address, port, seq and option
 * rewriting, and truncation.
 *
 * BAD_SUM means that the payload does not add up to resid.  Alone it proves no
 * corruption: receive offload (LRO) joins segments and leaves the first one's
 * checksum.
 */
struct corr_parsed {
    enum corr_kind kind;
    uint32_t have;
    uint8_t mac_src[6], mac_dst[6];
    uint16_t ethertype; /* of the identity packet (0x0800, 0x86dd, 0x0806 ...), 0 if unknown */
    uint32_t ifindex;
    uint8_t n_encap;
    struct corr_encap encap[CORR_ENCAP_MAX]; /* outermost first */

    struct corr_addr src, dst; /* with an SRv6 routing header dst is the final segment (RFC 8754) */
    uint8_t proto, ttl, tos;   /* IANA number after extension headers; hop limit; traffic class */
    uint16_t ip_id;
    uint32_t flow_label;
    uint32_t ip_len; /* bytes of the identity IP packet (a fragment's own), header included */
    struct corr_frag frag;

    /* Echo: the identifier is the port of the side that asks: a request has
     * src_port = identifier, dst_port = 0; a reply the reverse. */
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t window, tcp_flags;
    uint32_t tsval, tsecr;
    uint32_t opt_hash; /* of the option bytes without timestamps, NOPs and end-of-list */
    uint8_t opt_kinds;
    uint16_t mss;
    uint8_t wscale; /* valid with CORR_OPT_WSCALE: shift of RFC 7323, section 2, at most 14 */
    uint8_t n_sack; /* blocks in sack[]: RFC 2018, section 3 */
    struct corr_sack sack[CORR_SACK_MAX];
    uint8_t icmp_type, icmp_code;

    uint32_t payload_len; /* true length, not captured length */
    uint32_t payload_cap; /* bytes of it that this frame holds */
    uint16_t resid;
    uint32_t d8, d32, d128;
    uint64_t dfull;
    bool l7_bytes_constant; /* all captured payload bytes are equal: no evidence in the digest */

    struct corr_quote quote;

    uint8_t n_tokens; /* TCP only */
    struct corr_token tokens[CORR_TOKENS_MAX];

    /* Where the outermost packet ends in the frame; the frame's end if it does not tell. */
    uint32_t outer_end;

    const char *unknown; /* static text: "wtap link type 220", "IPv6 extension 253" ..., or NULL */
    const uint8_t *payload; /* into frame->data: first payload byte, NULL if none captured */
};

/* The value of a PROXY header that names this connection. */
uint64_t corr_token_of_tuple(const struct corr_addr *src, uint16_t src_port,
                             const struct corr_addr *dst, uint16_t dst_port);

/* Digests of `len` payload bytes, all of them there, as in corr_parsed. */
void corr_parse_digests(struct corr_parsed *p, const uint8_t *bytes, uint32_t len);

/* Packets taken from one frame at most (802.11 A-MSDU holds several). */
#define CORR_PARSE_MAX 8

/*
 * Parses one frame into `out[CORR_PARSE_MAX]` and returns how many packets it
 * holds, at least one (possibly of CORR_KIND_UNKNOWN).  `closed`: tunnels whose
 * outer packet is the packet, a bit per enum corr_encap_kind; 0: none.
 */
unsigned corr_parse(const struct corr_frame *frame, uint32_t closed, struct corr_parsed *out);

/*
 * What packet brokers and layer-1 switches write behind a frame: where and when they saw
 * it.  Columns: id, name, has a device number beside the port.
 */
/* clang-format off */
#define CORR_BROKERS(X)                                                     \
    X(METAMAKO, "Metamako (Arista 7130)",      true)                        \
    X(EXABLAZE, "Exablaze (Cisco Nexus 3550)", true)                        \
    X(GIGAMON,  "Gigamon",                     false)                       \
    X(IXIA,     "Ixia",                        false) /* no port           */ \
    X(VSS1,     "VSS Monitoring",              false) /* port of one byte  */ \
    X(VSS2,     "VSS Monitoring",              false) /* port of two bytes */
/* clang-format on */
enum corr_broker_kind {
#define CORR_ROW(id, name, has_device) CORR_BROKER_##id,
    CORR_BROKERS(CORR_ROW)
#undef CORR_ROW
    CORR_BROKER_COUNT
};
const char *corr_broker_name(enum corr_broker_kind kind);
bool corr_broker_has_device(enum corr_broker_kind kind);

/* A trailer as one frame shows it: a guess, until the other frames of its interface agree. */
struct corr_trailer {
    enum corr_broker_kind kind;
    uint32_t start;  /* where in the frame it begins */
    bool fcs;        /* a frame check sequence follows it */
    bool has_source; /* device, port */
    uint16_t device;
    uint32_t port;
    bool has_time;
    bool synchronised; /* the broker says that its clock follows another: PTP, GPS, NTP */
    int64_t time_ns;   /* since the epoch; valid with has_time */
};

/*
 * Only receivers see the zeros that pad a short frame.  Where a frame that ends at `end` would
 * end without any: a frame that does not tell its length is compared without them.
 */
#define CORR_PADDED_TO 64u /* bytes of a padded frame, with FCS or a tag that it got later */
uint32_t corr_parse_unpadded(const uint8_t *frame, uint32_t begin, uint32_t end);

/*
 * Reads the trailer of a frame, of which `packet` is the first packet.  False if there is
 * none: the frame was cut, or nothing of the known shape stands behind the packet.
 */
bool corr_parse_trailer(const struct corr_frame *frame, const struct corr_parsed *packet,
                        struct corr_trailer *trailer);

/* Writes an address as text: dotted quad or RFC 5952.  `text` has CORR_ADDR_TEXT bytes. */
#define CORR_ADDR_TEXT 48
const char *corr_addr_text(const struct corr_addr *addr, char *text);
bool corr_addr_equal(const struct corr_addr *a, const struct corr_addr *b);
/* Total order: length first, then bytes. */
int corr_addr_compare(const struct corr_addr *a, const struct corr_addr *b);
bool corr_addr_is_multicast(const struct corr_addr *addr);  /* and limited broadcast */
bool corr_addr_is_link_local(const struct corr_addr *addr); /* RFC 3927, fe80::/10; unspecified */

#endif /* CORR_PARSE_H */
