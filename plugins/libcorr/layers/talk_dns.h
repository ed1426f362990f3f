/* SPDX-License-Identifier: GPL-2.0-or-later */
/* talk_dns.h - questions and lookups: talk_dns.c finds them, talk_lookup.c puts them down. */
#ifndef CORR_TALK_DNS_H
#define CORR_TALK_DNS_H

#include "layers/neighbours.h"
#include "layers/talk.h"

/* Between questions of one lookup that were asked together, at most. */
#define CORR_DNS_SIDE_BY_SIDE_NS INT64_C(50000000)

struct corr_question {
    uint32_t flow, id, type;
    uint32_t frame;          /* of the first try */
    char *name;              /* owned */
    GArray *tries, *answers; /* uint32_t: packets (UDP) */
    bool tcp;
    int64_t from, to;               /* TCP: the question's bytes */
    int64_t answer_from, answer_to; /* TCP: valid if answered */
    bool answered, truncated;
    uint8_t code;
    uint8_t client_dir;          /* flow direction of the question */
    struct corr_endpoint client; /* as the first frame shows it */
    int64_t time_ns, answer_ns;  /* at `point`; answer_ns valid if answered */
    uint32_t point;
    GArray *addresses; /* struct corr_addr */
    uint32_t lookup;
};

struct corr_lookup {
    struct corr_lookup *previous; /* of the same host for the same name; or NULL */
    uint32_t number;              /* from 1, in the order of the first questions */
    GArray *questions;            /* uint32_t */
    bool used;
};

struct corr_dns {
    struct corr_build *b;
    GPtrArray *questions;               /* struct corr_question * */
    GPtrArray *lookups;                 /* struct corr_lookup * */
    struct corr_neighbours *neighbours; /* made when asked for */
};

/* Time at a point of the first of some packets (uint32_t); false: it shows none of them. */
bool corr_packets_time(const struct corr_result *r, const GArray *packets, uint32_t point,
                       int64_t *time_ns);

/*
 * Whether a question is an earlier one, asked again from another port or with another number:
 * a point that shows the answer to `final`, which is the same question or a later one, shows none
 * to the earlier one.  Two programs that ask the same do so side by side, or each gets its answer.
 */
bool corr_question_again(const struct corr_dns *d, const struct corr_question *q,
                         const struct corr_question *earlier, const struct corr_question *final);

/* Joins lookups with the connections that waited for them; the others become rows of their own. */
void corr_lookups_put_down(struct corr_dns *d);

#endif /* CORR_TALK_DNS_H */
