/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * judge.h - what shows that a packet arrived, or that it did not.
 *
 * Evidence is asked for by verdict.c, which decides; nothing here decides.
 */
#ifndef CORR_JUDGE_H
#define CORR_JUDGE_H

#include "path/expect.h"

/* Bytes of a flow direction that a packet carries; SYN and FIN count as one. */
struct corr_carried {
    int64_t from, to;
    uint32_t packet, flow_dir;
};

/* How often a station saw a direction, and what came back. */
struct corr_tries {
    uint32_t n, answers;
    uint32_t reset; /* frame of a TCP reset that came back; 0 */
    bool known;
};

/* A station that a packet passed unseen, or by which it went another way. */
struct corr_skip {
    uint32_t packet, conv;
    uint32_t from, point; /* the point that saw it before; the one that did not */
    uint32_t triple;      /* index of `bypass` */
    int64_t t_ns;         /* at `from` */
    bool rival;           /* another station missed it likewise, and no packet passes both */
};

/* The ways on from a station and direction. */
struct corr_fork {
    uint32_t passed; /* packets that went on, not coming back */
    uint8_t ways;    /* 0, 1, or 2 for more */
    bool spread;     /* packet by packet over several: nobody knows whose turn it was */
};

/* How sure it is that a lost packet was lost somewhere, whatever the captures missed. */
enum corr_proof {
    CORR_PROOF_NONE,
    CORR_PROOF_AGAIN, /* its sender sent it again */
    CORR_PROOF_SURE,  /* its receiver lacked it, or a router said so */
};

struct corr_judge {
    struct corr_work *work;
    struct corr_result *result;
    struct corr_expect *expect;
    struct corr_carried *carried; /* by (flow_dir, from) */
    uint32_t n_carried;
    uint32_t *carried_of;    /* packet -> its place; CORR_NONE */
    int64_t *longest;        /* flow_dir -> longest range */
    uint32_t *carried_first; /* flow_dir -> first in `carried` */
    uint32_t (*acked)[2];    /* local flow, direction -> highest acknowledgement seen */
    bool (*has_acked)[2];
    uint32_t *quoted_by;           /* packet -> ICMP error packet; CORR_NONE */
    struct corr_tries (*tries)[2]; /* local flow, direction; filled when asked */
    uint8_t *proof;                /* packet -> enum corr_proof */
    bool *damages;                 /* point -> its capture damages frames */
    bool *wrong_tells;             /* point -> wrong checksums are not its rule */
    GArray *misses;                /* struct corr_pass: what points missed for certain; sorted */
    GArray *found;                 /* the same, not yet among them */
    GArray *heads;                 /* the same, by the first point that their flow shows: `p` is
                                      the one behind it; sorted */
    GArray *proved, *unproved;     /* the same of losses, while doubts are raised */
    GArray *skips;                 /* struct corr_skip, by packet */
    GHashTable *triples;           /* (point, point passed unseen, point): index of `bypass` */
    bool *bypass;                  /* was that another way? */
    struct corr_fork (*forks)[2];  /* local flow, direction */
    uint32_t *way_of;              /* stand -> first station of the way that it took; CORR_NONE */
    GHashTable *spread;            /* (point, point) that packets are spread over */
};

/* Fills carried*, longest, acked and quoted_by; the rest is the caller's. */
void corr_judge_collect(struct corr_judge *j);
void corr_judge_clear(struct corr_judge *j);

/* Was the packet seen at a station, or at any that follows it on the way? */
bool corr_judge_seen_from(const struct corr_judge *j, const struct corr_packet *packet,
                          uint32_t conv);

/* The packet's observation at a station; CORR_NONE. */
uint32_t corr_judge_obs_at(const struct corr_judge *j, const struct corr_packet *packet,
                           uint32_t conv);

/* Packets that carry some of the same bytes: begin, and the next one; false at the end. */
uint32_t corr_judge_overlaps(const struct corr_judge *j, const struct corr_carried *me);
bool corr_judge_overlap_next(const struct corr_judge *j, const struct corr_carried *me, uint32_t *i,
                             const struct corr_carried **other);

/* What other packets with the same bytes tell. */
struct corr_others {
    bool delivered; /* one of them was seen beyond the gap */
    uint32_t again; /* frame in which the same bytes were sent again past the last sighting */
};

struct corr_others corr_judge_others(const struct corr_judge *j, uint32_t packet, uint32_t at_obs,
                                     uint32_t next_conv);

/* What the receiver of a segment says of it, before another copy of its bytes was there. */
enum corr_receipt {
    CORR_RECEIPT_UNKNOWN,
    CORR_RECEIPT_ARRIVED, /* it had been acknowledged, or came twice */
    CORR_RECEIPT_LACKED,  /* what was sent later had arrived, and this had not; in *frame */
};
enum corr_receipt corr_receipt_find(const struct corr_judge *j, uint32_t packet, uint32_t at_obs,
                                    uint32_t next_conv, uint32_t *frame);

/* Did an acknowledgement of its bytes come from the far side of the gap? */
bool corr_judge_acked_from(const struct corr_judge *j, uint32_t packet, uint32_t next_conv);

/* Was it an echo request whose reply came from beyond? */
bool corr_judge_answered_from(const struct corr_judge *j, const struct corr_packet *packet,
                              uint32_t obs, uint32_t next_conv);

/* Frame in which an application that had no answer sent the same again; 0. */
uint32_t corr_judge_sent_again(const struct corr_judge *j, uint32_t stand);

/* Why an ICMP error says that a packet was not forwarded; false if it reports no loss. */
bool corr_judge_error(const struct corr_judge *j, uint32_t by, uint8_t *cause, uint32_t *frame);

/* Was any of its bytes carried before, by a packet that any point shows? */
bool corr_judge_carried_before(const struct corr_judge *j, uint32_t packet);

/* Finds the packet of which this one is a retransmission. */
void corr_judge_original(struct corr_judge *j, uint32_t index);

#endif /* CORR_JUDGE_H */
