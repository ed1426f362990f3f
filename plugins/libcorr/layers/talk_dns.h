/* SPDX-License-Identifier: GPL-2.0-or-later */
/* talk_dns.h - questions and lookups: talk_dns.c finds them, talk_lookup.c puts them down. */
#ifndef CORR_TALK_DNS_H
#define CORR_TALK_DNS_H

#include "layers/neighbours.h"
#include "layers/talk.h"

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
    GArray *questions; /* uint32_t */
    bool used;
};

struct corr_dns {
    struct corr_build *b;
    GPtrArray *questions;               /* struct corr_question * */
    GPtrArray *lookups;                 /* struct corr_lookup * */
    struct corr_neighbours *neighbours; /* made when asked for */
};

/* Joins lookups with the connections that waited for them; the others become rows of their own. */
void corr_lookups_put_down(struct corr_dns *d);

#endif /* CORR_TALK_DNS_H */
