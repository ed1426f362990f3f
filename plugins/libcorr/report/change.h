/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - what one segment changed in a packet: corr.change, and the table `changes`. */
#ifndef CORR_CHANGE_H
#define CORR_CHANGE_H

#include "path/result.h"

/*
 * What a segment may change, in the order of corr.change.  Columns: id, name; a
 * change reads "<name> <value>".
 */
/* clang-format off */
#define CORR_CHANGES(X)                                                                     \
    X(TTL,         "ttl")         /* IPv4, or the IP version changed                     */ \
    X(HOP_LIMIT,   "hop limit")   /* IPv6                                                */ \
    X(DSCP,        "dscp")        /* RFC 2474                                            */ \
    X(ECN,         "ecn")         /* RFC 3168                                            */ \
    X(FLOW_LABEL,  "flow label")  /* RFC 6437                                            */ \
    X(DF,          "df")          /* don't fragment                                      */ \
    X(SRC,         "src")         /* address, port                                       */ \
    X(DST,         "dst")                                                                   \
    X(IP_ID,       "ip id")                                                                 \
    X(SEQ,         "seq")         /* TCP; echo                                           */ \
    X(ACK,         "ack")                                                                   \
    X(TCP_FLAGS,   "tcp flags")                                                             \
    X(TCP_WINDOW,  "tcp window")                                                            \
    X(TSVAL,       "tsval")       /* TCP time stamp                                      */ \
    X(MSS,         "mss")                                                                   \
    X(TCP_OPTION,  "tcp option")  /* one was removed or added                            */ \
    X(TCP_OPTIONS, "tcp options") /* the same ones, with other values                    */ \
    X(PAYLOAD,     "payload")     /* other bytes: a helper, or corruption                */ \
    X(VLAN,        "vlan")        /* a tag removed or added                              */ \
    X(ENCAP,       "encap")       /* a tunnel header removed or added                    */ \
    X(SEGMENTED,   "segmented")   /* cut into so many frames                             */ \
    X(FRAGMENTED,  "fragmented")  /* likewise, by IP                                     */ \
    X(COALESCED,   "coalesced")   /* so many frames joined into this one                 */ \
    X(REASSEMBLED, "reassembled") /* likewise, by IP                                     */
/* clang-format on */
enum corr_change_kind {
#define CORR_ROW(id, word) CORR_CHANGE_##id,
    CORR_CHANGES(CORR_ROW)
#undef CORR_ROW
        CORR_CHANGE_COUNT
};

/* One change.  Equal members mean the same change. */
struct corr_change {
    uint8_t kind;
    uint8_t option; /* TCP_OPTION: bit number of CORR_OPT_*; VLAN, ENCAP: kind of the layer; or 0 */
    uint32_t a, b;  /* before and after, by kind; see change.c */
};

/*
 * Appends the changes of a sighting, against the sighting before it.  Nothing if
 * there is none before it.
 */
void corr_change_collect(const struct corr_result *r, uint32_t sighting, GArray *changes);

/* "dscp 46 -> 0", "tcp option removed: sack-permitted", "payload". */
void corr_change_text(const struct corr_result *r, const struct corr_change *change, GString *text);

/* The same in two parts: "tcp option sack-permitted" and "removed".  The value may be empty. */
void corr_change_field(const struct corr_change *change, GString *text);
void corr_change_value(const struct corr_result *r, const struct corr_change *change,
                       GString *text);

#endif /* CORR_CHANGE_H */
