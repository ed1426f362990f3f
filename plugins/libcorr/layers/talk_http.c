/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk_http.c - HTTP/1 requests and the responses that belong to them: first
 * asked, first answered (RFC 9112, section 9.3.2).  A response is only given
 * to a request that came before it and that its first segment acknowledges:
 * where one of the two was not captured, the rest is still paired rightly.
 */
#include "layers/talk.h"

/* A request that waits. */
struct waiting {
    const struct corr_said *said;
    int64_t to;         /* end of the request; INT64_MIN: unknown */
    int64_t interim_at; /* begin of an interim response; INT64_MIN */
};

struct reading {
    struct corr_talk *talk;
    struct waiting *requests;
    unsigned n, next; /* next: the first that is not answered */
    uint32_t last;    /* transaction of the response before; CORR_NONE */
    int64_t last_to;  /* where that response ended; INT64_MIN: unknown */
};

/* The next thing that the side says behind this one, of the same kind; else `otherwise`. */
static int64_t next_begin(const struct corr_talk *talk, enum corr_side side,
                          const struct corr_said *said, int64_t otherwise)
{
    const struct corr_said *list = talk->said[side == CORR_CLIENT ? 0 : 1];
    unsigned n = talk->n_said[side == CORR_CLIENT ? 0 : 1];

    for (unsigned i = (unsigned)(said - list) + 1; i < n; i++)
        if (list[i].begin > said->begin)
            return list[i].begin;
    return otherwise;
}

static bool stream_end(const struct corr_talk *talk, enum corr_side side, int64_t *at)
{
    unsigned dir = corr_talk_dir(talk, side);

    for (unsigned i = 0; i < talk->p->n; i++)
        if (talk->p->stations[i].fin[dir].frame != 0) {
            *at = talk->p->stations[i].fin_at[dir];
            return true;
        }
    return false;
}

/* A request whose end could not be read ends where its response acknowledges. */
static int64_t request_end(const struct corr_talk *talk, const struct corr_said *request,
                           const struct corr_said *response)
{
    int64_t at, next = next_begin(talk, CORR_CLIENT, request, INT64_MAX);

    if (!(request->flags & CORR_MARK_OPEN))
        return request->end;
    if (!corr_talk_acknowledged(talk, CORR_SERVER, response->begin, request->begin, &at) ||
        at <= request->begin)
        return INT64_MIN;
    return MIN(at, next);
}

/*
 * A response whose end could not be read ends where the connection does, or
 * where the next request acknowledges: nobody asks again before he has it all,
 * unless he pipelines, and then the next response begins there.
 */
static int64_t response_end(const struct reading *reading, const struct corr_said *response)
{
    const struct corr_talk *talk = reading->talk;
    int64_t next = next_begin(talk, CORR_SERVER, response, INT64_MAX), at;

    if (!(response->flags & CORR_MARK_OPEN))
        return response->end;
    if (!(response->flags & CORR_MARK_CLOSE) && reading->next < reading->n &&
        corr_talk_acknowledged(talk, CORR_CLIENT, reading->requests[reading->next].said->begin,
                               response->begin, &at) &&
        at > response->begin)
        return MIN(at, next);
    if (next == INT64_MAX && reading->next == reading->n && stream_end(talk, CORR_SERVER, &at) &&
        at > response->begin)
        return at;
    return INT64_MIN;
}

static bool came_before(const struct corr_talk *talk, const struct corr_said *request,
                        const struct corr_said *response)
{
    struct corr_moment a = corr_talk_when(talk, CORR_CLIENT, request->begin);
    struct corr_moment b = corr_talk_when(talk, CORR_SERVER, response->begin);
    int64_t at;

    if (a.frame != 0 && b.frame != 0 && a.time_ns > b.time_ns)
        return false;
    return !corr_talk_acknowledged(talk, CORR_SERVER, response->begin, request->begin, &at) ||
           at > request->begin;
}

static void name_it(struct corr_talk *talk, uint32_t transaction, const struct corr_said *request)
{
    struct corr_transaction *t = corr_build_transaction(talk->b, transaction);
    const struct corr_l7 *l7 = talk->b->r->store->l7;

    g_clear_pointer(&t->method, g_free);
    g_clear_pointer(&t->path, g_free);
    g_clear_pointer(&t->host, g_free);
    t->method = corr_l7_text(l7, request->mark, 0);
    t->path = corr_l7_text(l7, request->mark, 1);
    t->host = corr_l7_text(l7, request->mark, 2);
}

static void request_alone(struct corr_talk *talk, const struct corr_said *request)
{
    struct corr_exchange e = {.request_from = request->begin,
                              .request_to =
                                  request->flags & CORR_MARK_OPEN ? INT64_MIN : request->end,
                              .response_after = INT64_MIN};
    uint32_t transaction = corr_talk_begin(talk, CORR_TRANSACTION_HTTP);

    name_it(talk, transaction, request);
    corr_build_transaction(talk->b, transaction)->note = "no response was seen";
    corr_talk_exchange(talk, transaction, &e);
}

/* CONNECT and its consent are a phase of what follows in the tunnel: RFC 9110, section 9.3.6. */
static void tunnel_begins(struct corr_talk *talk, const struct waiting *request,
                          const struct corr_said *response)
{
    struct corr_chain chain = {0};
    uint32_t transaction = corr_talk_begin(talk, CORR_TRANSACTION_CONNECT);

    if (request->to != INT64_MIN) {
        corr_chain_byte(&chain, talk, CORR_CLIENT, request->said->begin);
        corr_chain_range(&chain, talk, CORR_CLIENT, request->said->begin, request->to);
        corr_chain_byte(&chain, talk, CORR_SERVER, response->begin);
        corr_chain_range(&chain, talk, CORR_SERVER, response->begin, response->end);
        if (corr_talk_phase(talk, transaction, CORR_PHASE_PROXY, &chain)) {
            corr_talk_phase_bytes(talk, CORR_CLIENT, request->said->begin, request->to);
            corr_talk_phase_bytes(talk, CORR_SERVER, response->begin, response->end);
        }
    }
    name_it(talk, transaction, request->said);
    talk->open = transaction;
}

/* The request waits in between for 100 (Continue): a turn of its own (RFC 9110, section 10.1.1). */
static void request_with_interim(struct corr_talk *talk, uint32_t transaction,
                                 const struct waiting *request)
{
    int64_t from = request->said->begin, head = from + request->said->mark->value;
    struct corr_chain chain = {0};

    corr_build_transaction(talk->b, transaction)->interim = true;
    corr_chain_byte(&chain, talk, CORR_CLIENT, from);
    corr_chain_range(&chain, talk, CORR_CLIENT, from, MIN(head, request->to));
    corr_chain_byte(&chain, talk, CORR_SERVER, request->interim_at);
    corr_chain_range(&chain, talk, CORR_CLIENT, from, request->to);
    if (corr_talk_phase(talk, transaction, CORR_PHASE_REQUEST, &chain))
        corr_talk_phase_bytes(talk, CORR_CLIENT, from, request->to);
}

/* In a pipeline: the response before, that ended at `last_to`, had to go first. */
static void blocked_set(struct reading *reading, uint32_t transaction, int64_t last_to,
                        struct corr_exchange *e)
{
    struct corr_talk *talk = reading->talk;
    struct corr_moment asked, went;

    if (reading->last == CORR_NONE || last_to == INT64_MIN || e->request_to == INT64_MIN)
        return;
    asked = corr_talk_when(talk, CORR_CLIENT, e->request_to - 1);
    went = corr_talk_when(talk, CORR_SERVER, last_to - 1);
    if (asked.frame == 0 || went.frame == 0 || went.time_ns <= asked.time_ns)
        return;
    e->response_after = last_to;
    corr_build_transaction(talk->b, transaction)->blocked_by = reading->last;
    corr_build_transaction(talk->b, transaction)->blocked_ns = went.time_ns - asked.time_ns;
}

static void answer(struct reading *reading, struct waiting *request,
                   const struct corr_said *response)
{
    struct corr_talk *talk = reading->talk;
    bool websocket = response->mark->value == 101 && request->said->flags & CORR_MARK_WEBSOCKET;
    struct corr_exchange e = {.request_from = request->said->begin,
                              .response_from = response->begin,
                              .has_response = true,
                              .response_after = INT64_MIN};
    int64_t last_to = reading->last_to;
    uint32_t transaction;

    request->to = e.request_to = request_end(talk, request->said, response);
    reading->last_to = e.response_to = response_end(reading, response);
    if (response->flags & CORR_MARK_TUNNEL) {
        tunnel_begins(talk, request, response);
        return;
    }
    transaction =
        corr_talk_begin(talk, websocket ? CORR_TRANSACTION_WEBSOCKET : CORR_TRANSACTION_HTTP);
    name_it(talk, transaction, request->said);
    corr_build_transaction(talk->b, transaction)->status = response->mark->value;
    blocked_set(reading, transaction, last_to, &e);
    if (request->interim_at != INT64_MIN && e.request_to != INT64_MIN) {
        struct corr_chain chain = {0};

        request_with_interim(talk, transaction, request);
        corr_chain_range(&chain, talk, CORR_CLIENT, e.request_from, e.request_to);
        corr_chain_byte(&chain, talk, CORR_SERVER, e.response_from);
        corr_talk_phase(talk, transaction, CORR_PHASE_SERVER, &chain);
        e.request_to = INT64_MIN;
    }
    corr_talk_exchange(talk, transaction, &e);
    reading->last = transaction;
}

/*
 * Of the requests that wait, the first; but where bytes before the response
 * belong to no response that could be read, one or more went by unseen: then
 * the last that was asked.
 */
static struct waiting *asked_by(struct reading *reading, const struct corr_said *response)
{
    bool gap = reading->last_to != INT64_MIN && response->begin > reading->last_to;
    unsigned n = 0;

    while (reading->next + n < reading->n &&
           came_before(reading->talk, reading->requests[reading->next + n].said, response))
        n++;
    if (n == 0)
        return NULL;
    while (gap && n-- > 1)
        request_alone(reading->talk, reading->requests[reading->next++].said);
    return &reading->requests[reading->next++];
}

static void response_read(struct reading *reading, const struct corr_said *response)
{
    struct waiting *request;

    if (response->mark->value < 200 && response->mark->value != 101) {
        if (reading->next < reading->n &&
            reading->requests[reading->next].interim_at == INT64_MIN &&
            came_before(reading->talk, reading->requests[reading->next].said, response))
            reading->requests[reading->next].interim_at = response->begin;
        if (!(response->flags & CORR_MARK_OPEN))
            reading->last_to = response->end;
        return;
    }
    request = asked_by(reading, response);
    if (request != NULL)
        answer(reading, request, response);
    else
        reading->last_to = response->flags & CORR_MARK_OPEN ? INT64_MIN : response->end;
    /* What follows is something else. */
    if (response->flags & (CORR_MARK_TUNNEL | CORR_MARK_UPGRADE)) {
        reading->talk->base[1] = MAX(reading->talk->base[1], response->end);
        if (request != NULL && request->to != INT64_MIN)
            reading->talk->base[0] = MAX(reading->talk->base[0], request->to);
    }
}

bool corr_talk_http(struct corr_talk *talk)
{
    struct reading reading = {.talk = talk, .last = CORR_NONE, .last_to = INT64_MIN};
    bool any = false;

    reading.requests = g_new(struct waiting, (size_t)talk->n_said[0] + 1);
    for (unsigned i = 0; i < talk->n_said[0]; i++)
        if (talk->said[0][i].kind == CORR_MARK_HTTP_REQUEST)
            reading.requests[reading.n++] =
                (struct waiting){&talk->said[0][i], INT64_MIN, INT64_MIN};
    for (unsigned i = 0; i < talk->n_said[1]; i++)
        if (talk->said[1][i].kind == CORR_MARK_HTTP_RESPONSE) {
            any = true;
            response_read(&reading, &talk->said[1][i]);
        }
    any |= reading.n > 0;
    while (reading.next < reading.n)
        request_alone(talk, reading.requests[reading.next++].said);
    g_free(reading.requests);
    return any;
}
