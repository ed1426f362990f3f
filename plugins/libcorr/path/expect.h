/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * expect.h - where should a packet have been seen next?
 *
 * A pass is a packet that went from one station to the next.  Where others of
 * its flow and direction passed, a packet is expected too; where nothing of a
 * flow passed, other flows between the same hosts tell (algorithms: 1.14, G4).
 */
#ifndef CORR_EXPECT_H
#define CORR_EXPECT_H

#include "match/match.h"

/* One sighting among those of its station and direction, in the order of capture. */
struct corr_stand {
    uint32_t conv, obs, sighting, packet;
    uint32_t to;            /* local flow that it passed on to; CORR_NONE */
    uint32_t before, after; /* nearest stands that passed, before and after; CORR_NONE */
    uint8_t dir;            /* of the local flow */
};

/* A packet that went from point p to q: when it was at p, and how much later at q. */
struct corr_pass {
    uint32_t p, q;
    int64_t t_ns, d_ns;
};

/* Where packets of one station and direction go on to. */
struct corr_way_on {
    uint32_t to;     /* local flow that most went on to; CORR_NONE: nothing passed */
    uint32_t out;    /* the same, of those that did not come back here */
    uint32_t passed; /* packets that went on, to whichever */
};

struct corr_expect {
    GArray *stands;                       /* struct corr_stand by (conv, dir, obs) */
    uint32_t *stand_of;                   /* sighting -> its stand; CORR_NONE */
    uint32_t (*run)[2];                   /* local flow, direction -> first stand; CORR_NONE */
    struct corr_way_on (*way)[2];         /* by local flow and direction */
    GArray *passes;                       /* struct corr_pass by (p, q, t) */
    GArray *dues;                         /* the same, with all that should have gone from p to q */
    GHashTable *classes;                  /* see expect.c */
    GHashTable *sources;                  /* (point, address) hashes that sent something */
    GHashTable *onward;                   /* the same of destinations beyond another point */
    int64_t *first_ns, *last_ns, *gap_ns; /* per point: coverage, mean distance of frames */
    bool *snapped;                        /* per point: some frames were cut by the capture */
    uint64_t (*protos)[256];              /* per point: observations by IP protocol */
    int64_t *times;                       /* all observation times, by point, ascending */
    uint32_t *times_first;                /* point -> its first in `times`; one more at the end */
};

struct corr_expect *corr_expect_new(const struct corr_work *work);
void corr_expect_free(struct corr_expect *expect);

/* Where other flows of a packet's hosts go on to, from the point that showed it. */
struct corr_class_way {
    uint32_t q, obs;             /* point, and an observation of a packet that went there */
    uint32_t beside, beside_obs; /* another point that a good part goes on to; CORR_NONE */
    bool several;                /* some go to a third point, or where nobody looks */
};

/* Asks for the way of the observed packet's class; false: no flows show any.  `unanswered`: nothing
 * that was sent there was answered. */
bool corr_expect_class(const struct corr_work *work, const struct corr_expect *expect, uint32_t obs,
                       bool unanswered, struct corr_class_way *way);

/* The nearest passes from p to q before and at or after t; NULL where there is none. */
void corr_expect_around(const struct corr_expect *expect, uint32_t p, uint32_t q, int64_t t_ns,
                        const struct corr_pass **before, const struct corr_pass **after);

/* By (p, q, t); and how many of a sorted array went from p to q and were at p within [from, to]. */
void corr_passes_sort(GArray *passes);
uint32_t corr_passes_count(const GArray *passes, uint32_t p, uint32_t q, int64_t from, int64_t to);

/* Did the address send anything that point p shows? */
bool corr_expect_lives(const struct corr_expect *expect, uint32_t p, const struct corr_addr *addr);

/* Did anything that was sent to the address go on from point p to another point? */
bool corr_expect_goes_on(const struct corr_expect *expect, uint32_t p,
                         const struct corr_addr *addr);

/* When point q showed nothing around its time t: the frames before and after. */
bool corr_expect_silence(const struct corr_expect *expect, uint32_t q, int64_t t_ns, int64_t *from,
                         int64_t *to);

/*
 * Was point q blind around its time t?  It saw nothing for longer than `long_ns`,
 * although p saw so much (d earlier) that some of it should have passed.
 */
bool corr_expect_outage(const struct corr_expect *expect, uint32_t p, uint32_t q, int64_t t_ns,
                        int64_t d_ns, int64_t long_ns);

#endif /* CORR_EXPECT_H */
