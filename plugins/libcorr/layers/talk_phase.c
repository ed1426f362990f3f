/* SPDX-License-Identifier: GPL-2.0-or-later */
/* talk_phase.c - chains of moments, and how they become phases with their splits. */
#include "layers/talk.h"

#include <string.h>

void corr_chain_clear(struct corr_chain *chain)
{
    for (unsigned i = 0; i < chain->n; i++)
        g_free(chain->link[i].at);
    chain->n = 0;
}

struct corr_moment *corr_chain_add(struct corr_chain *chain, enum corr_side side, unsigned n)
{
    g_assert(chain->n < CORR_CHAIN_MAX);
    chain->link[chain->n].side = side;
    chain->link[chain->n].at = g_new0(struct corr_moment, n + 1);
    return chain->link[chain->n++].at;
}

void corr_chain_byte(struct corr_chain *chain, const struct corr_talk *talk, enum corr_side side,
                     int64_t at)
{
    corr_passing_byte(talk->p, corr_talk_dir(talk, side), at,
                      corr_chain_add(chain, side, talk->p->n));
}

void corr_chain_range(struct corr_chain *chain, const struct corr_talk *talk, enum corr_side side,
                      int64_t from, int64_t to)
{
    corr_passing_range(talk->p, corr_talk_dir(talk, side), from, to,
                       corr_chain_add(chain, side, talk->p->n));
}

void corr_chain_pieces(struct corr_chain *chain, const struct corr_talk *talk, enum corr_side side,
                       const struct corr_phase_bytes *pieces, unsigned n)
{
    g_autofree struct corr_moment *one = g_new(struct corr_moment, talk->p->n + 1);
    struct corr_moment *last = corr_chain_add(chain, side, talk->p->n);

    for (unsigned i = 0; i < n; i++) {
        corr_passing_range(talk->p, corr_talk_dir(talk, side), pieces[i].from, pieces[i].to, one);
        for (unsigned k = 0; k < talk->p->n; k++) {
            bool unknown = one[k].frame == 0 || (i > 0 && last[k].frame == 0);

            if (unknown || i == 0 || one[k].time_ns >= last[k].time_ns)
                last[k] = unknown ? (struct corr_moment){0, 0} : one[k];
        }
    }
}

void corr_chain_moments(struct corr_chain *chain, enum corr_side side, const struct corr_moment *at,
                        unsigned n)
{
    memcpy(corr_chain_add(chain, side, n), at, n * sizeof *at);
}

struct corr_moment corr_talk_when(const struct corr_talk *talk, enum corr_side side, int64_t at)
{
    const struct corr_stretch *s;

    if (talk->ref >= talk->p->n)
        return (struct corr_moment){0, 0};
    s = corr_station_find(&talk->p->stations[talk->ref], corr_talk_dir(talk, side), at);
    if (s == NULL)
        return (struct corr_moment){0, 0};
    return (struct corr_moment){s->time_ns, corr_store_obs(talk->b->r->store, s->obs)->frame};
}

bool corr_talk_acknowledged(const struct corr_talk *talk, enum corr_side side, int64_t at,
                            int64_t near, int64_t *acknowledged)
{
    unsigned dir = corr_talk_dir(talk, side);

    for (unsigned i = 0; i < talk->p->n; i++) {
        unsigned k = talk->ref < talk->p->n ? (talk->ref + i) % talk->p->n : i;
        const struct corr_station *station = &talk->p->stations[k];
        const struct corr_stretch *s = corr_station_find(station, dir, at);

        if (s != NULL &&
            corr_station_acknowledged(talk->p, station, s->obs, dir, near, acknowledged))
            return true;
    }
    return false;
}

struct corr_transaction *corr_build_transaction(struct corr_build *b, uint32_t i)
{
    return &g_array_index(b->out->transactions, struct corr_transaction, i);
}

uint32_t corr_talk_begin(struct corr_talk *talk, enum corr_transaction_kind kind)
{
    struct corr_transaction transaction = {
        .flow = talk->p->flow,
        .client = (uint8_t)talk->c,
        .kind = (uint8_t)kind,
        .conv = CORR_NONE,
        .blocked_by = CORR_NONE,
        .proxied = {.upstream = CORR_NONE, .downstream = CORR_NONE}};
    uint32_t open = talk->open;

    talk->open = CORR_NONE;
    if (open != CORR_NONE) {
        corr_build_transaction(talk->b, open)->kind = (uint8_t)kind;
        return open;
    }
    g_array_append_val(talk->b->out->transactions, transaction);
    return talk->b->out->transactions->len - 1;
}

static void share_add(struct corr_phases *out, struct corr_phase *phase, uint32_t from, uint32_t to,
                      int64_t time_ns)
{
    struct corr_phase_share share = {from, to, time_ns};

    for (uint32_t i = 0; i < phase->n_shares; i++) {
        struct corr_phase_share *old =
            &g_array_index(out->shares, struct corr_phase_share, phase->first_share + i);

        if (old->from == from && old->to == to) {
            old->time_ns += time_ns;
            return;
        }
    }
    g_array_append_val(out->shares, share);
    phase->n_shares++;
}

unsigned corr_talk_way(const struct corr_talk *talk, unsigned k)
{
    return talk->p->way[talk->c ? talk->p->n_way - 1 - k : k];
}

/*
 * One turn, from link `i` to the next one.  Seen from the client, each point
 * measures no more than the one before it: where it does, by the grain of time
 * stamps or because a transfer was smoothed, nothing is left for the segment
 * between, and the sum stays exact.
 */
static void turn_split(const struct corr_talk *talk, const struct corr_chain *chain, unsigned i,
                       unsigned first, struct corr_phase *phase)
{
    const struct corr_moment *a = chain->link[i].at, *b = chain->link[i + 1].at;
    unsigned before = corr_talk_way(talk, first);
    int64_t rest = b[before].time_ns - a[before].time_ns;

    if (chain->link[i + 1].side == CORR_CLIENT) {
        phase->client_ns += rest;
        return;
    }
    for (unsigned k = first + 1; k < talk->p->n_way; k++) {
        unsigned at = corr_talk_way(talk, k);
        int64_t here;

        if (a[at].frame == 0 || b[at].frame == 0) {
            phase->merged = true;
            continue;
        }
        here = MIN(rest, MAX(0, b[at].time_ns - a[at].time_ns));
        share_add(talk->b->out, phase, talk->p->stations[before].point, talk->p->stations[at].point,
                  rest - here);
        rest = here;
        before = at;
    }
    phase->server_ns += rest;
    if (i == 0)
        phase->far = talk->p->stations[before].conv;
    else if (phase->far != talk->p->stations[before].conv)
        phase->far = CORR_NONE;
}

static bool all_known(const struct corr_chain *chain, unsigned station)
{
    for (unsigned i = 0; i < chain->n; i++)
        if (chain->link[i].at[station].frame == 0)
            return false;
    return true;
}

bool corr_talk_phase(struct corr_talk *talk, uint32_t transaction, enum corr_phase_name name,
                     struct corr_chain *chain)
{
    struct corr_phases *out = talk->b->out;
    const struct corr_passing *p = talk->p;
    struct corr_phase phase = {.transaction = transaction,
                               .flow = p->flow,
                               .name = (uint8_t)name,
                               .data_dir = (uint8_t)corr_talk_dir(
                                   talk, name == CORR_PHASE_REQUEST ? CORR_CLIENT : CORR_SERVER),
                               .far = CORR_NONE,
                               .first_share = out->shares->len,
                               .first_span = out->spans->len};
    const struct corr_moment *begin, *end;
    unsigned first = 0;

    while (first < p->n_way && !all_known(chain, corr_talk_way(talk, first)))
        first++;
    if (first == p->n_way || chain->n < 2) {
        corr_chain_clear(chain);
        return false;
    }
    phase.merged = first > 0;
    for (unsigned i = 0; i + 1 < chain->n; i++)
        turn_split(talk, chain, i, first, &phase);
    begin = chain->link[0].at;
    end = chain->link[chain->n - 1].at;
    /* Nothing of it was: the server began to answer before it had been asked to the end. */
    if (end[corr_talk_way(talk, first)].time_ns < begin[corr_talk_way(talk, first)].time_ns) {
        g_array_set_size(out->shares, phase.first_share);
        corr_chain_clear(chain);
        return false;
    }
    phase.conv = p->stations[corr_talk_way(talk, first)].conv;
    phase.point = p->stations[corr_talk_way(talk, first)].point;
    phase.frame = begin[corr_talk_way(talk, first)].frame;
    phase.begin_ns = begin[corr_talk_way(talk, first)].time_ns;
    phase.duration_ns = end[corr_talk_way(talk, first)].time_ns - phase.begin_ns;
    for (unsigned i = 0; i < p->n; i++) {
        struct corr_phase_span span = {p->stations[i].conv, begin[i], end[i]};

        g_array_append_val(out->spans, span);
    }
    phase.n_spans = p->n;
    g_array_append_val(out->phases, phase);
    corr_chain_clear(chain);
    return true;
}

void corr_talk_phase_bytes(struct corr_talk *talk, enum corr_side side, int64_t from, int64_t to)
{
    GArray *phases = talk->b->out->phases;

    g_array_index(phases, struct corr_phase, phases->len - 1).bytes[corr_talk_dir(talk, side)] =
        (struct corr_phase_bytes){from, to};
}

void corr_talk_exchange(struct corr_talk *talk, uint32_t transaction, const struct corr_exchange *e)
{
    struct corr_chain chain = {0};

    if (e->request_to > e->request_from) {
        corr_chain_byte(&chain, talk, CORR_CLIENT, e->request_from);
        corr_chain_range(&chain, talk, CORR_CLIENT, e->request_from, e->request_to);
        if (corr_talk_phase(talk, transaction, CORR_PHASE_REQUEST, &chain))
            corr_talk_phase_bytes(talk, CORR_CLIENT, e->request_from, e->request_to);
    }
    if (!e->has_response)
        return;
    if (e->request_to > e->request_from) {
        /* In a pipeline the response before this one has to go first. */
        if (e->response_after != INT64_MIN)
            corr_chain_byte(&chain, talk, CORR_SERVER, e->response_after - 1);
        else
            corr_chain_range(&chain, talk, CORR_CLIENT, e->request_from, e->request_to);
        corr_chain_byte(&chain, talk, CORR_SERVER, e->response_from);
        corr_talk_phase(talk, transaction, CORR_PHASE_SERVER, &chain);
    }
    if (e->response_to > e->response_from) {
        corr_chain_byte(&chain, talk, CORR_SERVER, e->response_from);
        if (e->response != NULL)
            corr_chain_pieces(&chain, talk, CORR_SERVER, e->response, e->n_response);
        else
            corr_chain_range(&chain, talk, CORR_SERVER, e->response_from, e->response_to);
        if (corr_talk_phase(talk, transaction, CORR_PHASE_DOWNLOAD, &chain))
            corr_talk_phase_bytes(talk, CORR_SERVER, e->response_from, e->response_to);
    }
}
