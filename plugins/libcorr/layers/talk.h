/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk.h - what the readers of a flow's protocols share: the marks of all its
 * points in one stream space, and how phases and transactions are put down.
 *
 * The readers, each one file: talk_http.c, talk_tls.c, talk_turns.c,
 * talk_dns.c, talk_quic.c.  talk.c calls them.
 */
#ifndef CORR_TALK_H
#define CORR_TALK_H

#include "l7/l7.h"
#include "layers/phases.h"

/* A mark with its place in the flow's stream (datagrams: 0 and the length). */
struct corr_said {
    uint32_t flow;
    uint8_t dir; /* of the flow */
    uint8_t kind;
    uint16_t flags;
    int64_t begin, end;
    const struct corr_mark *mark;
};

/* All marks of a result, by flow, direction, place; the best of equal ones. */
struct corr_said_list {
    GArray *said;    /* struct corr_said */
    uint32_t *start; /* flow -> first; n_flows + 1 entries */
};

/* What is being built. */
struct corr_build {
    const struct corr_result *r;
    struct corr_phases *out;
    struct corr_flow_packets *by;
    struct corr_said_list said;
};

/* A flow that is being read. */
struct corr_talk {
    struct corr_build *b;
    struct corr_passing *p;
    unsigned c;                      /* flow direction of the client */
    unsigned ref;                    /* station by which things are put in order; p->n: none */
    const struct corr_said *said[2]; /* what the client, and the server, said */
    unsigned n_said[2];
    int64_t base[2]; /* from where on the bytes of client and server are still to be explained */
    bool has_base[2];
    uint32_t open; /* transaction that waits for its request; CORR_NONE */
};

enum corr_side { CORR_SERVER = 0, CORR_CLIENT = 1 };

/* Moments of a phase, in order.  Each belongs to who sent what passes then. */
#define CORR_CHAIN_MAX 12
struct corr_chain {
    unsigned n;
    struct {
        enum corr_side side;
        struct corr_moment *at; /* per station; owned */
    } link[CORR_CHAIN_MAX];
};
void corr_chain_clear(struct corr_chain *chain);
/* A moment per station, of `n`, to be filled in. */
struct corr_moment *corr_chain_add(struct corr_chain *chain, enum corr_side side, unsigned n);
/* The first passing of a byte; of the last of [from, to); a moment per station (copied). */
void corr_chain_byte(struct corr_chain *chain, const struct corr_talk *talk, enum corr_side side,
                     int64_t at);
void corr_chain_range(struct corr_chain *chain, const struct corr_talk *talk, enum corr_side side,
                      int64_t from, int64_t to);
/* The last of several stretches of the stream. */
void corr_chain_pieces(struct corr_chain *chain, const struct corr_talk *talk, enum corr_side side,
                       const struct corr_phase_bytes *pieces, unsigned n);
void corr_chain_moments(struct corr_chain *chain, enum corr_side side, const struct corr_moment *at,
                        unsigned n);

/* Direction of the flow in which a side sends. */
static inline unsigned corr_talk_dir(const struct corr_talk *talk, enum corr_side side)
{
    return side == CORR_CLIENT ? talk->c : !talk->c;
}

/* The k-th station on the way from the client. */
unsigned corr_talk_way(const struct corr_talk *talk, unsigned k);

/* Time and frame of the first passing of a byte at the talk's `ref`; frame 0: not seen. */
struct corr_moment corr_talk_when(const struct corr_talk *talk, enum corr_side side, int64_t at);

/* The other side's position up to which the segment with this byte acknowledges. */
bool corr_talk_acknowledged(const struct corr_talk *talk, enum corr_side side, int64_t at,
                            int64_t near, int64_t *acknowledged);

/* A new transaction of the talk's flow, or the one that waits for its request. */
uint32_t corr_talk_begin(struct corr_talk *talk, enum corr_transaction_kind kind);
struct corr_transaction *corr_build_transaction(struct corr_build *b, uint32_t i);

/*
 * Puts down a phase of a transaction from its chain, and clears the chain.
 * False: no point saw all of its moments, so it is unknown.
 */
bool corr_talk_phase(struct corr_talk *talk, uint32_t transaction, enum corr_phase_name name,
                     struct corr_chain *chain);
/* Bytes [from, to) of a side are of the phase that was put down last. */
void corr_talk_phase_bytes(struct corr_talk *talk, enum corr_side side, int64_t from, int64_t to);
/* The phases of one request and its response; to < from: that message's end is unknown. */
struct corr_exchange {
    int64_t request_from, request_to;
    int64_t response_from, response_to;
    bool has_response;
    const struct corr_phase_bytes *response; /* pieces of it, if other bytes lie between; or NULL */
    unsigned n_response;
    int64_t response_after; /* the server's stream must have got so far before; or INT64_MIN */
};
void corr_talk_exchange(struct corr_talk *talk, uint32_t transaction,
                        const struct corr_exchange *e);

/* The readers.  True: there was something of theirs. */
bool corr_talk_http(struct corr_talk *talk);
bool corr_talk_http2(struct corr_talk *talk);
bool corr_talk_tls(struct corr_talk *talk);
/* What remains, by turns. */
void corr_talk_turns(struct corr_talk *talk, enum corr_transaction_kind kind);

/* What turns leave out: bytes of the client's or server's stream that are no message. */
struct corr_left_out {
    enum corr_side side;
    int64_t from, to;
};
void corr_talk_turns_without(struct corr_talk *talk, enum corr_transaction_kind kind,
                             const struct corr_left_out *left_out, unsigned n);

/* Lookups, and who waited for them; after all flows were read. */
void corr_talk_dns(struct corr_build *b);
void corr_talk_quic(struct corr_build *b, uint32_t flow);

#endif /* CORR_TALK_H */
