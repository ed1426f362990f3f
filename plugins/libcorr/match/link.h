/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - which local flows are one flow?
 *
 * An anchor is content that is practically unique.  Equal anchors at two local
 * flows are a vote for the pair; votes carry bits of evidence.  An accepted pair
 * is an edge; edges join local flows to flows, and carry the transform (what a
 * sequence randomiser added, which direction is which).
 */
#ifndef CORR_LINK_H
#define CORR_LINK_H

#include "match/match.h"

/* A vote: observations a and b have equal content.  conv(a) < conv(b). */
struct corr_vote {
    uint32_t conv_a, conv_b;
    uint32_t obs_a, obs_b;
    uint8_t flip;     /* direction 0 of a is direction `flip` of b */
    uint8_t bits;     /* of evidence */
    bool same_tuple;  /* the vote is the equal 5-tuple; no observations */
};

/* An accepted pair. */
struct corr_edge {
    uint32_t conv_a, conv_b;
    uint32_t bits, votes;
    uint8_t flip;
    bool same_tuple;
    bool made_anew; /* equal bytes in packets that one host took in and another made */
    uint32_t dseq[2], dts[2]; /* b minus a, by direction of a */
    uint32_t first[2], last[2]; /* observations of a, and of b, that voted: least and greatest */
};

/* How many of two addresses are equal; `flip`: direction 0 of a is direction 1 of b. */
unsigned corr_shared_addresses(const struct corr_conv *a, const struct corr_conv *b, bool flip);

/* Appends votes of equal 5-tuples, and of TCP sequence and acknowledgement numbers. */
void corr_anchors_plain(struct corr_work *work, GArray *votes);

/* Appends votes of IP identifications and of payloads, for flows that `wanted` names. */
void corr_anchors_payload(struct corr_work *work, const bool *wanted, GArray *votes);

/* Counts the votes per pair, judges, and appends accepted edges. */
void corr_votes_judge(struct corr_work *work, GArray *votes, GArray *edges);

/* Removes edges between tenants, and notes where one point mixes them: corr_conv.mixed, and
 * work->doubts. */
void corr_tenants_refuse(struct corr_work *work, GArray *edges);

#endif /* CORR_LINK_H */
