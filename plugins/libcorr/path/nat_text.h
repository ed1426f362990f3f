/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat_text.h - what a translation between two sightings of one packet is called. */
#ifndef CORR_NAT_TEXT_H
#define CORR_NAT_TEXT_H

#include "path/result.h"

/* Kinds of translation.  Columns: id, word in JSON, word in corr.nat for source, destination. */
/* clang-format off */
#define CORR_NATS(X)                                                                      \
    X(SNAT,  "snat",      "SNAT",  "DNAT")  /* the initiator's endpoint was rewritten  */ \
    X(DNAT,  "dnat",      "SNAT",  "DNAT")  /* the responder's endpoint was rewritten  */ \
    X(BOTH,  "snat+dnat", "SNAT",  "DNAT")  /* both                                    */ \
    X(NAT64, "nat64",     "NAT64", "NAT64") /* RFC 6146: IPv6 to IPv4                  */ \
    X(NAT46, "nat46",     "NAT46", "NAT46") /* IPv4 to IPv6: RFC 7915, 464XLAT         */ \
    X(NPTV6, "nptv6",     "NPTv6", "NPTv6") /* RFC 6296: only the prefix was rewritten */
/* clang-format on */
enum corr_nat_kind {
    CORR_NAT_NONE,
#define CORR_ROW(id, word, src, dst) CORR_NAT_##id,
    CORR_NATS(CORR_ROW)
#undef CORR_ROW
};

/* Addresses and ports of one packet, at one point. */
struct corr_tuple {
    const struct corr_endpoint *src, *dst;
    bool has_ports;
    uint8_t proto;
};

struct corr_tuple corr_tuple_of(const struct corr_store *store, const struct corr_obs *obs);
struct corr_tuple corr_tuple_reversed(const struct corr_tuple *tuple);

/* Ports count only where both sides have them: a later fragment has none. */
bool corr_tuple_src_equal(const struct corr_tuple *a, const struct corr_tuple *b);
bool corr_tuple_dst_equal(const struct corr_tuple *a, const struct corr_tuple *b);
bool corr_tuple_equal(const struct corr_tuple *a, const struct corr_tuple *b);

/* "snat" ...; NULL for NONE. */
const char *corr_nat_word(enum corr_nat_kind kind);

/* Both in the direction of the conversation's initiator. */
enum corr_nat_kind corr_nat_classify(const struct corr_tuple *before,
                                     const struct corr_tuple *after);

/*
 * The value of corr.nat for a packet that was `first` and is `now`, nothing if
 * they are equal: "SNAT 10.0.0.1:5 -> 203.0.113.7:6".  `reply`: the packet goes
 * towards the conversation's initiator.
 */
void corr_nat_text(const struct corr_tuple *first, const struct corr_tuple *now, bool reply,
                   GString *text);

#endif /* CORR_NAT_TEXT_H */
