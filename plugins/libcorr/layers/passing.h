/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * passing.h - when did bytes and packets of a flow pass its capture points?
 *
 * A station is a local flow: one capture point's look at the flow.  Each has a
 * clock of its own; nothing here compares two of them.  A byte of the stream
 * passes a station when it is seen there for the first time, in whatever
 * segment: so waiting for a lost segment lies on the segment that lost it.
 *
 *     struct corr_flow_packets *by = corr_flow_packets_new(r);
 *     struct corr_passing *p = corr_passing_new(r, by, flow);
 *     struct corr_moment *at = g_new(struct corr_moment, p->n);
 *     corr_passing_range(p, dir, from, to, at);    when all of [from, to) had passed
 */
#ifndef CORR_PASSING_H
#define CORR_PASSING_H

#include "path/result.h"

/* Packets by flow: packets[start[f] .. start[f + 1]) are those of flow f, ascending. */
struct corr_flow_packets {
    uint32_t *start, *packets;
};
struct corr_flow_packets *corr_flow_packets_new(const struct corr_result *r);
void corr_flow_packets_free(struct corr_flow_packets *by);

/* A time by one station's clock, and the frame that shows it; frame 0: unknown. */
struct corr_moment {
    int64_t time_ns;
    uint32_t frame;
};

/* Bytes [from, to) of a stream that a station saw first in this observation. */
struct corr_stretch {
    int64_t from, to;
    int64_t time_ns;
    uint32_t obs;
};

struct corr_station {
    uint32_t conv, point;
    bool seen[2];      /* packets of this flow direction were */
    GArray *first[2];  /* struct corr_stretch, by flow direction; ascending, not overlapping */
    uint32_t shift[2]; /* sequence number at this station minus position in the stream, mod 2^32; */
    bool has_shift[2]; /* valid if data was seen */
    struct corr_moment syn[2], fin[2], rst[2]; /* first ones; syn[1]: the answer */
    struct corr_moment ack;                    /* first packet of the initiator after the SYN-ACK */
    int64_t fin_at[2]; /* position behind the last byte; valid if fin[] is */
};

struct corr_passing {
    const struct corr_result *r;
    uint32_t flow;
    unsigned n;                    /* stations */
    struct corr_station *stations; /* by point, then local flow */
    unsigned n_way;                /* stations whose order is known, and that saw both directions */
    unsigned *way;                 /* from the initiator to the other end */
    bool syn_data;                 /* a SYN of the initiator holds data: in no stretch */
};

/* Of any flow; only TCP has stretches and handshakes.  Free it. */
struct corr_passing *corr_passing_new(const struct corr_result *r,
                                      const struct corr_flow_packets *by, uint32_t flow);
void corr_passing_free(struct corr_passing *p);

/* Each fills p->n moments. */
void corr_passing_byte(const struct corr_passing *p, unsigned dir, int64_t at,
                       struct corr_moment *out);
/* The last of [from, to) to pass.  A station that missed some of them knows it all the same if
 * another one tells that these were not the last. */
void corr_passing_range(const struct corr_passing *p, unsigned dir, int64_t from, int64_t to,
                        struct corr_moment *out);

/* The first of `n` packets (indices) to pass: several tries of one datagram. */
void corr_passing_packets(const struct corr_passing *p, const uint32_t *packets, unsigned n,
                          struct corr_moment *out);

/* The stretch that holds a byte at a station, or NULL. */
const struct corr_stretch *corr_station_find(const struct corr_station *s, unsigned dir,
                                             int64_t at);
/* The first stretch that ends behind a byte: its index, or the number of stretches. */
unsigned corr_station_from(const struct corr_station *s, unsigned dir, int64_t at);

/*
 * Position in the other direction's stream up to which the observation, sent in
 * direction `dir`, acknowledges; the one near `near`.  False: it cannot be told.
 */
bool corr_station_acknowledged(const struct corr_passing *p, const struct corr_station *s,
                               uint32_t obs, unsigned dir, int64_t near, int64_t *at);

/* Positions of the first byte and behind the last one that any station saw; false: none. */
bool corr_passing_span(const struct corr_passing *p, unsigned dir, int64_t *from, int64_t *to);

#endif /* CORR_PASSING_H */
