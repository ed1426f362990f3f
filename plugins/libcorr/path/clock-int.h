/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock-int.h - what the files of the clock share.
 *
 *     clock.c         gathers samples, calls the others, chooses the reference
 *     clock_fit.c     one pair of points: pieces of a corridor, and where they end
 *     clock_step.c    which point's clock was set or slewed, and when
 *     clock_host.c    which points share one clock
 *     clock_joint.c   what all pairs together say about each
 *     clock_answer.c  offsets at a moment; the pieces that the points table shows
 *     correction.c    the user's offsets in place of these
 */
#ifndef CORR_CLOCK_INT_H
#define CORR_CLOCK_INT_H

#include "path/clock.h"
#include "path/corridor.h"

/* Software time stamps were seen up to 19 us out of order within one file. */
#define CORR_CLOCK_SOFTWARE_NS INT64_C(20000)
/* A corridor's edge that is further away than this is no limit: it has no packets on that side. */
#define CORR_CLOCK_FAR_NS INT64_C(500000000000000)
#define CORR_CLOCK_NO_LIMIT (INT64_MAX / 4)

/* One packet at both points of a pair. */
struct corr_clock_sample {
    int64_t t_ns, d_ns; /* at p; q minus p */
    uint32_t at[2];     /* observations at p and at q: their order is the order of capture */
    bool upper;         /* the packet went from p to q: d is an upper limit; else a lower one */
};

/*
 * A moment at which a point's clock was set, or began or ceased to run faster.  It lies
 * after observation `last` and before `first`, both of this point.
 */
struct corr_clock_step {
    uint32_t last, first;
};

/* Between two steps of either point clocks run straight: one corridor. */
struct corr_clock_part {
    uint32_t epoch[2];      /* steps before it, at p and at q */
    int64_t from_ns, to_ns; /* p's clock: for which time there is evidence */
    uint32_t n_upper, n_lower;
    struct corr_corridor corridor;
    int64_t bend_ns; /* by how much the clock may leave the corridor, should it not run straight */
    bool has_drift;  /* one-way traffic shows the drift, if no more */
    double drift_ppm;
};

struct corr_clock_pair {
    GArray *samples; /* struct corr_clock_sample, by at[0]; freed after fitting */
    GArray *parts;   /* struct corr_clock_part, by first sample; NULL: nothing is known */
    uint32_t n;      /* samples */
    int64_t slack_ns;
    bool dirty; /* steps were added since it was fitted */
};

/*
 * Within these files, p, q and all arrays by point are ranks: points in an order that comes
 * from what they saw.  So no answer depends on which file was named first.
 */
/* When a point looked, by its own clock: in the order of capture, and of time. */
struct corr_clock_span {
    int64_t first_ns, last_ns;
    int64_t least_ns, greatest_ns;
    bool seen; /* else it has no observation */
};

struct corr_clock {
    uint32_t n;
    uint32_t *rank, *point;        /* of a point of the store; back again */
    struct corr_clock_pair *pairs; /* p < q: pairs[p * n + q] */
    GArray **steps;                /* by rank: struct corr_clock_step, by time */
    struct corr_clock_span *spans; /* by point of the store */
    int64_t *resolution_ns;        /* by rank: step of the time stamps */
    uint32_t *host;                /* by rank: the first that seems to share its clock */
};

/* A change that one pair shows: it lies between samples `last` and `first` of the pair. */
struct corr_clock_event {
    uint32_t p, q;
    uint32_t last[2], first[2]; /* observations at p and at q */
    int64_t shift_ns;           /* of q against p */
};

static inline struct corr_clock_pair *corr_clock_pair(const struct corr_clock *clock, uint32_t p,
                                                      uint32_t q)
{
    return &clock->pairs[(size_t)MIN(p, q) * clock->n + MAX(p, q)];
}

static inline struct corr_clock_part *corr_clock_part(const struct corr_clock_pair *pair,
                                                      uint32_t i)
{
    return &g_array_index(pair->parts, struct corr_clock_part, i);
}

/* What a part leaves at p's t. */
struct corr_clock_bounds {
    int64_t least_ns, greatest_ns; /* -+ CORR_CLOCK_NO_LIMIT: none */
};

struct corr_clock_bounds corr_clock_bounds_at(const struct corr_clock_part *part, int64_t t_ns);

static inline bool corr_clock_is_bounded(const struct corr_clock_bounds *bounds)
{
    return bounds->least_ns > -CORR_CLOCK_NO_LIMIT && bounds->greatest_ns < CORR_CLOCK_NO_LIMIT;
}

/* The best guess: the middle, or the one limit there is. */
int64_t corr_clock_middle(const struct corr_clock_bounds *bounds);

/* Finds a part by its epochs; NULL if there is none. */
struct corr_clock_part *corr_clock_part_find(const struct corr_clock_pair *pair, uint32_t epoch_p,
                                             uint32_t epoch_q);

/* Steps of p before an observation; sets `inside` if it lies within the last of them. */
uint32_t corr_clock_epoch(const struct corr_clock *clock, uint32_t p, uint32_t obs, bool *inside);

/* Fits the parts of a pair between known steps; appends the changes that they cannot explain. */
void corr_clock_pair_fit(struct corr_clock *clock, uint32_t p, uint32_t q, GArray *events);

/* The least of the slacks that makes all samples fit one corridor; else the second. */
int64_t corr_clock_slack(struct corr_clock_pair *pair, const int64_t *slacks, unsigned n_slacks);

/* By how much n samples, in order, miss a straight clock; 0: it can run straight. */
int64_t corr_clock_misfit(struct corr_clock_sample **all, uint32_t n, int64_t slack_ns);

/* Gives each change to the point whose clock explains most of them.  True if steps were added. */
bool corr_clock_steps_add(struct corr_clock *clock, const struct corr_store *store, GArray *events);

/* Tightens each part by what other pairs say; makes parts for pairs without samples. */
void corr_clock_join(struct corr_clock *clock, const struct corr_store *store, uint32_t reference);

/* Finds points that all packets show to run alike, to within what hosts apart could not. */
void corr_clock_hosts_find(struct corr_clock *clock);

#endif /* CORR_CLOCK_INT_H */
