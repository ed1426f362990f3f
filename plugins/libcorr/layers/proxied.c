/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proxied.c - which transaction did a proxy make for which, and how long did it
 * keep the request?  That requests belong together is known from what they say
 * (match/applink.h); here they are looked up by the bytes that showed it.
 * Connections that are carried on as a whole are compared request by request.
 * Where a request may belong to several, nothing is said of it.
 */
#include <stdlib.h>

#include "layers/phases.h"

/* A transaction and the one behind it. */
struct pair {
    uint32_t front, back;
    uint8_t how;
    bool sure;
};

static int pair_compare(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;

    if (a->front != b->front)
        return a->front < b->front ? -1 : 1;
    return a->back < b->back ? -1 : a->back > b->back;
}

/* Requests of flows in the order of their bytes: list[start[f] .. start[f + 1]) are of flow f. */
struct requests {
    GArray *list; /* struct request */
    uint32_t *start;
};

struct request {
    uint32_t flow, transaction;
    int64_t at;
};

static int request_compare(const void *x, const void *y)
{
    const struct request *a = x, *b = y;

    if (a->flow != b->flow)
        return a->flow < b->flow ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static void requests_list(const struct corr_phases *phases, struct requests *requests)
{
    uint32_t n_flows = phases->result->flows->len;

    requests->list = g_array_new(FALSE, FALSE, sizeof(struct request));
    requests->start = g_new0(uint32_t, (size_t)n_flows + 2);
    for (uint32_t i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        const struct corr_transaction *t = corr_phases_transaction(phases, phase->transaction);
        struct request one = {phase->flow, phase->transaction, phase->bytes[t->client].from};

        if (phase->name != CORR_PHASE_REQUEST)
            continue;
        g_array_append_val(requests->list, one);
        requests->start[one.flow + 1]++;
    }
    for (uint32_t f = 0; f < n_flows; f++)
        requests->start[f + 1] += requests->start[f];
    if (requests->list->len > 1)
        g_array_sort(requests->list, request_compare);
}

/* Bytes of a phase in the transaction, by side; 0: there is none. */
static int64_t length_of(const struct corr_phases *phases, uint32_t transaction,
                         enum corr_phase_name name)
{
    const struct corr_transaction *t = corr_phases_transaction(phases, transaction);
    const struct corr_phase *phase = corr_phases_named(phases, t, name);
    unsigned dir = name == CORR_PHASE_REQUEST ? t->client : !t->client;

    return phase == NULL ? 0 : phase->bytes[dir].to - phase->bytes[dir].from;
}

/* The n-th requests of both connections, as long as their lengths agree. */
static void connections_pair(const struct corr_phases *phases, const struct requests *requests,
                             const struct corr_handed *handed, GArray *pairs)
{
    const struct request *list = (const struct request *)requests->list->data;
    uint32_t a = requests->start[handed->front], end_a = requests->start[handed->front + 1];
    uint32_t b = requests->start[handed->back], end_b = requests->start[handed->back + 1];

    if (end_a - a != end_b - b)
        return;
    for (; a < end_a; a++, b++) {
        struct pair pair = {list[a].transaction, list[b].transaction, handed->how, handed->sure};

        if (length_of(phases, pair.front, CORR_PHASE_REQUEST) !=
                length_of(phases, pair.back, CORR_PHASE_REQUEST) ||
            length_of(phases, pair.front, CORR_PHASE_DOWNLOAD) !=
                length_of(phases, pair.back, CORR_PHASE_DOWNLOAD))
            return;
        g_array_append_val(pairs, pair);
    }
}

static void request_pair(const struct corr_phases *phases, const struct corr_handed *handed,
                         GArray *pairs)
{
    const struct corr_phase *front = corr_phases_request_at(phases, handed->enter);
    const struct corr_phase *back = corr_phases_request_at(phases, handed->leave);

    if (front != NULL && back != NULL) {
        struct pair pair = {front->transaction, back->transaction, handed->how, handed->sure};

        g_array_append_val(pairs, pair);
    }
}

/* The observation that a moment of a station is of. */
static uint32_t obs_of(const struct corr_result *r, uint32_t conv, const struct corr_moment *moment)
{
    uint32_t i = g_array_index(r->store->frame_obs, uint32_t, moment->frame);

    for (; i < r->store->obs->len && corr_store_obs(r->store, i)->frame == moment->frame; i++)
        if (r->obs_conv[i] == conv)
            return i;
    return CORR_NONE;
}

/* From a moment at one station to one at another, by corrected clocks. */
static bool elapsed(const struct corr_result *r, const struct corr_phase_span *a,
                    const struct corr_phase_span *b, const struct corr_moment *from,
                    const struct corr_moment *to, int64_t *time_ns, int64_t *error_ns)
{
    uint32_t x = obs_of(r, a->conv, from), y = obs_of(r, b->conv, to);
    struct corr_clock_answer clock;

    if (x == CORR_NONE || y == CORR_NONE)
        return false;
    clock = corr_result_correction(r, x, y);
    if (clock.status < CORR_CLOCK_BOUNDED)
        return false;
    *time_ns = to->time_ns - from->time_ns - clock.offset_ns;
    *error_ns = clock.error_ns;
    return true;
}

/* What the other request is measured by, at the nearest point behind the proxy. */
struct behind {
    const struct corr_phase *first, *request, *server;
    struct corr_phase_span first_span, request_span, server_span;
};

static bool behind_find(const struct corr_phases *phases, const struct corr_transaction *t,
                        struct behind *b)
{
    b->first = corr_phases_phase(phases, t->first_phase);
    b->request = corr_phases_named(phases, t, CORR_PHASE_REQUEST);
    b->server = corr_phases_named(phases, t, CORR_PHASE_SERVER);
    if (b->request == NULL || b->server == NULL || t->blocked_by != CORR_NONE ||
        !corr_phases_span(phases, b->request, b->request->conv, &b->request_span) ||
        !corr_phases_span(phases, b->server, b->request->conv, &b->server_span))
        return false;
    if (!corr_phases_span(phases, b->first, b->request->conv, &b->first_span))
        b->first = b->request;
    return true;
}

/*
 * When the proxy began with the other request: with its first byte; or with what
 * had to come before it; or, if it does not wait for the end, with its last byte.
 * NULL: nobody knows.
 */
static const struct corr_moment *begin_of(const struct corr_result *r,
                                          const struct corr_phase *server,
                                          const struct corr_phase_span *front,
                                          const struct behind *b)
{
    const struct corr_moment *answer = &b->server_span.end, *before = &b->first_span.begin;
    const struct corr_moment *begin = &b->request_span.begin;
    int64_t time_ns, error_ns;

    if (!elapsed(r, front, &b->request_span, &front->end, begin, &time_ns, &error_ns)) {
        if (answer->time_ns - begin->time_ns > server->server_ns)
            return &b->request_span.end;
        /* Was it connected before? */
        return b->first == b->request || answer->time_ns - before->time_ns > server->server_ns
                   ? begin
                   : NULL;
    }
    if (time_ns + error_ns < 0)
        return &b->request_span.end;
    if (b->first != b->request &&
        elapsed(r, front, &b->first_span, &front->end, before, &time_ns, &error_ns) &&
        time_ns + error_ns >= 0)
        return before;
    return begin;
}

static void measure(const struct corr_phases *phases, const struct corr_phase *request,
                    const struct corr_phase *server, const struct behind *b,
                    struct corr_proxied *out)
{
    const struct corr_moment *begin;
    struct corr_phase_span front;

    if (!corr_phases_span(phases, request, server->far, &front))
        return;
    begin = begin_of(phases->result, server, &front, b);
    if (begin == NULL)
        return;
    out->upstream_ns = b->server_span.end.time_ns - begin->time_ns;
    out->total_ns = server->server_ns - out->upstream_ns;
    /* Else it answered by itself, before it had got an answer. */
    out->has_total = out->total_ns >= 0;
    out->has_request =
        out->has_total && elapsed(phases->result, &front, &b->request_span, &front.end, begin,
                                  &out->request_ns, &out->error_ns);
}

static void join(struct corr_phases *phases, const struct pair *pair)
{
    struct corr_transaction *front =
        &g_array_index(phases->transactions, struct corr_transaction, pair->front);
    struct corr_transaction *back =
        &g_array_index(phases->transactions, struct corr_transaction, pair->back);
    const struct corr_phase *request = corr_phases_named(phases, front, CORR_PHASE_REQUEST);
    const struct corr_phase *server = corr_phases_named(phases, front, CORR_PHASE_SERVER);
    struct behind b;

    front->proxied.upstream = pair->back;
    front->proxied.how = pair->how;
    front->proxied.sure = pair->sure;
    back->proxied.downstream = pair->front;
    if (request != NULL && server != NULL && server->far != CORR_NONE &&
        front->blocked_by == CORR_NONE && behind_find(phases, back, &b))
        measure(phases, request, server, &b, &front->proxied);
}

/* A proxy that tries several servers: for whom is known, but not which of them is answered. */
static void join_one_of_several(struct corr_phases *phases, const struct pair *pair)
{
    struct corr_transaction *front =
        &g_array_index(phases->transactions, struct corr_transaction, pair->front);

    g_array_index(phases->transactions, struct corr_transaction, pair->back).proxied.downstream =
        pair->front;
    if (front->note == NULL)
        front->note = "a proxy made several requests for it";
}

/* How many pairs a transaction is part of. */
static void pairs_count(const GArray *pairs, uint32_t *fronts, uint32_t *backs)
{
    for (unsigned i = 0; i < pairs->len; i++) {
        const struct pair *pair = &g_array_index(pairs, struct pair, i);

        if (i > 0 && pair_compare(pair, pair - 1) == 0)
            continue;
        fronts[pair->front]++;
        backs[pair->back]++;
    }
}

void corr_phases_join_proxied(struct corr_phases *phases)
{
    const GArray *handed = phases->result->handed;
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));
    g_autofree uint32_t *fronts = NULL, *backs = NULL;
    struct requests requests;

    if (handed->len == 0)
        return;
    requests_list(phases, &requests);
    for (unsigned i = 0; i < handed->len; i++) {
        const struct corr_handed *one = &g_array_index(handed, struct corr_handed, i);

        if (one->how == CORR_LINK_REQUEST)
            request_pair(phases, one, pairs);
        else
            connections_pair(phases, &requests, one, pairs);
    }
    g_array_sort(pairs, pair_compare);
    fronts = g_new0(uint32_t, (size_t)phases->transactions->len + 1);
    backs = g_new0(uint32_t, (size_t)phases->transactions->len + 1);
    pairs_count(pairs, fronts, backs);
    for (unsigned i = 0; i < pairs->len; i++) {
        const struct pair *pair = &g_array_index(pairs, struct pair, i);

        if (backs[pair->back] != 1)
            continue;
        if (fronts[pair->front] == 1)
            join(phases, pair);
        else
            join_one_of_several(phases, pair);
    }
    g_array_unref(requests.list);
    g_free(requests.start);
}
