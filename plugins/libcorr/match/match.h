/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * match.h - which observations show the same packet?
 *
 * The stages, in order; each is one file and reads what the ones before wrote:
 *
 *     convs.c      local flows are split where ports were used again
 *     fragments.c  fragments find the first fragment of their datagram
 *     link.c       anchors vote for pairs of local flows; accepted pairs make
 *                  flows, and teach the transform between their members
 *     tenants.c    ... unless two tenants use the same addresses
 *     shift.c      streams that a helper lengthened or shortened
 *     slices.c     super-datagrams are cut as other points show them
 *     cells.c      inside a flow direction, observations of equal content (for
 *                  TCP: of the same bytes) meet in one cell
 *     learn.c      what cells without a choice say about fields and delays (delays.c)
 *     assign.c     a cell with several sightings at one local flow is divided
 *                  into packets: IDs, time stamps, and order-preserving
 *                  alignment under the learned delays
 *     packets.c    instances of cells become packets and sightings
 *     groups.c     sightings that nobody can tell apart are counted
 *     applink.c    connections that a proxy joins: no packets, but what they carry
 *
 * No stage looks at a clock to decide identity unless the cell leaves a choice.
 */
#ifndef CORR_MATCH_H
#define CORR_MATCH_H

#include "path/result.h"

/* A position in a flow: one local flow is one station on the packets' way. */
struct corr_cell {
    uint32_t flow;
    uint8_t dir;       /* in the flow */
    bool range;        /* TCP data: from/to are bytes of the flow direction, and cells adjoin */
    bool choice;       /* some station has more than one sighting that is no duplicate */
    uint32_t first, n; /* members[first .. first + n), by (local flow, frame) */
    int64_t from, to;  /* bytes of a range, or of a super-datagram in one of its frames; else 0 */
};

/* The sightings of one packet, or of one cell's share of it. */
struct corr_instance {
    uint32_t cell;
    uint32_t first, n; /* chosen[first .. first + n): observations, one per station */
    bool ambiguous;
    uint8_t method;
    uint8_t candidates;
};

/* How two points treat a header field, learned from cells without a choice. */
struct corr_pair_facts {
    uint32_t id_same, id_differs;
    uint32_t ts_same, ts_differs;
};

/*
 * Packets of several tenants with equal addresses and ports are mixed in one local
 * flow, because its point does not show what tells them apart.
 */
struct corr_doubt {
    uint32_t mixed; /* local flow that may hold packets of this one; CORR_NONE */
    bool flip;      /* direction 0 here is direction `flip` there */
};

/* How a local flow began, by its directions. */
struct corr_conv_seq {
    uint32_t first[2], isn[2];
    uint32_t end[2]; /* behind the last payload byte; valid with has_first */
    bool has_first[2], has_isn[2];
    uint8_t ttl[2]; /* of the first packet; any protocol */
};

struct corr_shifts; /* match/shift.h */

/* Everything that settling works with. */
struct corr_work {
    const struct corr_store *store;
    struct corr_result *result;

    uint32_t *head;      /* fragments: observation of the datagram's first fragment; CORR_NONE */
    uint32_t *duplicate; /* observation that this one is a same-point copy of; CORR_NONE */

    struct corr_conv_seq *conv_seq;
    struct corr_doubt *doubts; /* per local flow */

    /* per local flow: what has to be subtracted to compare with the flow's first member */
    uint32_t (*dseq)[2]; /* TCP sequence numbers, by direction of the local flow */
    uint32_t (*dts)[2];  /* TCP time stamps */
    struct corr_shifts *shifts; /* streams of which dseq holds for the beginning only; NULL: none */

    GArray *cells;     /* struct corr_cell */
    GArray *members;   /* uint32_t observations */
    GArray *instances; /* struct corr_instance */
    GArray *chosen;    /* uint32_t observations */

    struct corr_pair_facts *pairs; /* points x points, p < q */
    struct corr_delays *delays;    /* match/learn.h */
};

void corr_convs_split(struct corr_work *work);
void corr_fragments_join(struct corr_work *work);
void corr_flows_link(struct corr_work *work);
void corr_cells_build(struct corr_work *work);
void corr_cells_learn(struct corr_work *work);
/* `informed`: order, clock and learned facts may be used; otherwise cells with a choice stay open.
 */
void corr_cells_assign(struct corr_work *work, bool informed);
void corr_packets_build(struct corr_work *work);
void corr_groups_count(struct corr_work *work); /* of ambiguous sightings, by the final order */
void corr_quotes_find(struct corr_work *work);
void corr_applinks_find(struct corr_work *work); /* connections that a proxy joins */

/* Flow and direction of an observation. */
static inline uint32_t corr_work_flow_dir(const struct corr_work *work, uint32_t obs)
{
    uint32_t conv = work->result->obs_conv[obs];
    uint32_t flow = work->result->conv_flow[conv];

    return flow * 2 + (corr_store_obs(work->store, obs)->dir ^ work->result->conv_flip[conv]);
}

uint32_t corr_shift_place(const struct corr_work *work, uint32_t conv, unsigned dir, uint32_t seq);

/* Number `seq` of one direction of a local flow, as the flow's first member would show it. */
static inline uint32_t corr_work_place(const struct corr_work *work, uint32_t conv, unsigned dir,
                                       uint32_t seq)
{
    return work->shifts == NULL ? seq - work->dseq[conv][dir]
                                : corr_shift_place(work, conv, dir, seq);
}

/* Sequence, acknowledgement and time stamps likewise. */
static inline uint32_t corr_work_seq(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);

    return corr_work_place(work, work->result->obs_conv[i], obs->dir, obs->seq);
}

/* TCP payload bytes as the flow's first member would show them: a helper may have added some. */
static inline uint32_t corr_work_len(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);
    uint32_t conv = work->result->obs_conv[i];

    if (work->shifts == NULL)
        return obs->len;
    return corr_work_place(work, conv, obs->dir, obs->seq + obs->len) -
           corr_work_place(work, conv, obs->dir, obs->seq);
}

static inline uint32_t corr_work_ack(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);

    return corr_work_place(work, work->result->obs_conv[i], !obs->dir, obs->ack);
}

static inline uint32_t corr_work_tsval(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);

    return obs->tsval - work->dts[work->result->obs_conv[i]][obs->dir];
}

/*
 * Was only one direction's numbering changed between two local flows of a flow?  A SYN
 * proxy does that: it made the handshake on one side before that on the other.
 */
static inline bool corr_work_split_handshake(const struct corr_work *work, uint32_t a, uint32_t b)
{
    unsigned flip = work->result->conv_flip[a] ^ work->result->conv_flip[b];

    return (work->dseq[a][0] != work->dseq[b][flip]) != (work->dseq[a][1] != work->dseq[b][!flip]);
}

/* Sorts by key, stably: 16-byte records, radix. */
struct corr_keyed {
    uint64_t key;
    uint32_t obs, conv;
};
void corr_keyed_sort(struct corr_keyed *items, size_t n);

/* Digest of the first bytes at a level that both observations have. */
bool corr_obs_same_content(const struct corr_obs *a, const struct corr_obs *b, bool *known);

#endif /* CORR_MATCH_H */
