/* SPDX-License-Identifier: GPL-2.0-or-later */
/* talk.c - marks in stream space, and the order in which a flow is read. */
#include "layers/talk.h"

#include <stdlib.h>
#include <string.h>

/* Marks of one flow direction by place; of equal ones the one that says most comes first. */
static int said_compare(const void *x, const void *y)
{
    const struct corr_said *a = x, *b = y;
    bool open_a = a->flags & CORR_MARK_OPEN, open_b = b->flags & CORR_MARK_OPEN;

    if (a->flow != b->flow)
        return a->flow < b->flow ? -1 : 1;
    if (a->dir != b->dir)
        return a->dir < b->dir ? -1 : 1;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (open_a != open_b)
        return open_a ? 1 : -1;
    if (a->end != b->end)
        return a->end > b->end ? -1 : 1;
    if ((a->mark->text == 0) != (b->mark->text == 0))
        return a->mark->text == 0 ? 1 : -1;
    if (a->flags != b->flags)
        return a->flags > b->flags ? -1 : 1;
    return a->mark < b->mark ? -1 : a->mark > b->mark;
}

static bool is_datagram(enum corr_mark_kind kind, const struct corr_obs *obs)
{
    return kind == CORR_MARK_QUIC || (kind == CORR_MARK_DNS && obs->kind == CORR_KIND_UDP);
}

static bool said_place(const struct corr_result *r, const struct corr_mark *mark,
                       struct corr_said *said)
{
    const struct corr_obs *obs = corr_store_obs(r->store, mark->obs);
    uint32_t conv = r->obs_conv[mark->obs];
    int64_t begin = INT64_MAX;

    *said = (struct corr_said){.flow = r->conv_flow[conv],
                               .dir = obs->dir ^ r->conv_flip[conv],
                               .kind = mark->kind,
                               .flags = mark->flags,
                               .mark = mark};
    if (said->flow == CORR_NONE)
        return false;
    if (is_datagram((enum corr_mark_kind)mark->kind, obs)) {
        said->begin = mark->obs; /* in the order of the frames */
        said->end = mark->obs;
        return true;
    }
    for (uint32_t i = r->obs_first[mark->obs]; i < r->obs_first[mark->obs + 1]; i++) {
        const struct corr_packet *packet =
            corr_result_packet(r, corr_result_sighting(r, r->obs_sightings[i])->packet);

        if (packet->to > packet->from)
            begin = MIN(begin, packet->from);
    }
    if (begin == INT64_MAX)
        return false;
    said->begin = begin + mark->begin;
    said->end = begin + mark->end;
    return true;
}

static void said_list(struct corr_build *b)
{
    const GArray *marks = corr_l7_marks(b->r->store->l7);
    uint32_t n_flows = b->r->flows->len, kept = 0;
    GArray *said = g_array_new(FALSE, FALSE, sizeof(struct corr_said));
    struct corr_said *list;

    for (unsigned i = 0; i < marks->len; i++) {
        struct corr_said one;

        if (said_place(b->r, &g_array_index(marks, struct corr_mark, i), &one))
            g_array_append_val(said, one);
    }
    list = (struct corr_said *)said->data;
    if (said->len > 1)
        qsort(list, said->len, sizeof *list, said_compare);
    b->said.start = g_new0(uint32_t, (size_t)n_flows + 2);
    for (unsigned i = 0; i < said->len; i++) {
        const struct corr_said *last = kept > 0 ? &list[kept - 1] : NULL;

        /* The same bytes, read at another point. */
        if (last != NULL && last->flow == list[i].flow && last->dir == list[i].dir &&
            last->begin == list[i].begin && last->kind == list[i].kind)
            continue;
        list[kept++] = list[i];
        b->said.start[list[i].flow + 1]++;
    }
    g_array_set_size(said, kept);
    for (uint32_t f = 0; f < n_flows; f++)
        b->said.start[f + 1] += b->said.start[f];
    b->said.said = said;
}

static bool client_of(const struct corr_said *said, unsigned *client)
{
    switch ((enum corr_mark_kind)said->kind) {
    case CORR_MARK_HTTP_REQUEST:
    case CORR_MARK_TLS_CLIENT:
        *client = said->dir;
        return true;
    case CORR_MARK_HTTP_RESPONSE:
    case CORR_MARK_TLS_SERVER:
        *client = !said->dir;
        return true;
    case CORR_MARK_DNS:
        *client = said->flags & CORR_MARK_ANSWER ? !said->dir : said->dir;
        return true;
    default:
        return false;
    }
}

/* The station nearest the client that shows data of both directions, or at least one. */
static unsigned ref_find(const struct corr_talk *talk)
{
    const struct corr_passing *p = talk->p;

    for (unsigned k = 0; k < p->n_way; k++) {
        const struct corr_station *s = &p->stations[corr_talk_way(talk, k)];

        if (s->first[0]->len > 0 && s->first[1]->len > 0)
            return corr_talk_way(talk, k);
    }
    for (unsigned i = 0; i < p->n; i++)
        if (p->stations[i].first[0]->len > 0 || p->stations[i].first[1]->len > 0)
            return i;
    return p->n;
}

static bool syn_seen(const struct corr_passing *p, unsigned dir)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->stations[i].syn[dir].frame != 0)
            return true;
    return false;
}

static void connect_read(struct corr_talk *talk)
{
    const struct corr_passing *p = talk->p;
    struct corr_chain chain = {0};
    struct corr_moment *syn, *answer, *ack;
    bool reset = false;

    if (talk->c != 0 || !syn_seen(p, 0))
        return;
    syn = corr_chain_add(&chain, CORR_CLIENT, p->n);
    answer = corr_chain_add(&chain, CORR_SERVER, p->n);
    ack = corr_chain_add(&chain, CORR_CLIENT, p->n);
    for (unsigned i = 0; i < p->n; i++) {
        syn[i] = p->stations[i].syn[0];
        answer[i] = p->stations[i].syn[1];
        ack[i] = p->stations[i].ack;
        reset |= p->stations[i].rst[1].frame != 0;
    }
    talk->open = corr_talk_begin(talk, CORR_TRANSACTION_CONNECT);
    if (p->syn_data) {
        /* RFC 7413.  What the SYN asks has no place in the stream of bytes that is read here. */
        corr_build_transaction(talk->b, talk->open)->fast_open = true;
        corr_build_transaction(talk->b, talk->open)->note =
            "the SYN held data: what it asked for, and how long that took, is not told";
    }
    if (!syn_seen(p, 1)) {
        corr_build_transaction(talk->b, talk->open)->note =
            reset ? "refused: the SYN was answered by a reset" : "no answer to the SYN was seen";
        corr_chain_clear(&chain);
        return;
    }
    if (!corr_talk_phase(talk, talk->open, CORR_PHASE_CONNECT, &chain))
        corr_build_transaction(talk->b, talk->open)->note = "the handshake was seen in parts only";
    if (p->syn_data)
        talk->open = CORR_NONE; /* nor is it the connect of what comes later */
}

static void tcp_read(struct corr_build *b, uint32_t flow)
{
    const struct corr_said *said = (const struct corr_said *)b->said.said->data;
    uint32_t first = b->said.start[flow], end = b->said.start[flow + 1], turn = first;
    const struct corr_flow *f = corr_result_flow(b->r, flow);
    struct corr_talk talk = {.b = b, .open = CORR_NONE};
    unsigned client = 0;

    while (turn < end && said[turn].dir == 0)
        turn++;
    for (uint32_t i = first; i < end; i++) {
        if (said[i].kind == CORR_MARK_DNS)
            return; /* talk_dns.c reads it */
        if (client_of(&said[i], &client))
            break;
    }
    talk.p = corr_passing_new(b->r, b->by, flow);
    talk.c = f->initiator_known && syn_seen(talk.p, 0) && end == first ? 0 : client;
    talk.said[0] = &said[talk.c ? turn : first];
    talk.n_said[0] = talk.c ? end - turn : turn - first;
    talk.said[1] = &said[talk.c ? first : turn];
    talk.n_said[1] = talk.c ? turn - first : end - turn;
    talk.ref = ref_find(&talk);
    for (unsigned side = 0; side < 2; side++) {
        int64_t to;

        talk.has_base[side] =
            corr_passing_span(talk.p, side == 0 ? talk.c : !talk.c, &talk.base[side], &to);
    }
    connect_read(&talk);
    if (talk.has_base[0] || talk.has_base[1]) {
        bool http = corr_talk_http(&talk);

        /* Who begins in the middle must know by more than turns what belongs to what. */
        if (!talk.p->syn_data && !corr_talk_http2(&talk) && !corr_talk_tls(&talk) && !http)
            corr_talk_turns(&talk, CORR_TRANSACTION_TCP);
    }
    corr_passing_free(talk.p);
}

/* Several tenants' packets in one: who answers whom cannot be told. */
static bool is_mixed(const struct corr_result *r, uint32_t flow)
{
    const GArray *convs = corr_result_flow(r, flow)->convs;

    for (unsigned i = 0; i < convs->len; i++)
        if (corr_result_conv(r, g_array_index(convs, struct corr_member, i).conv)->mixed)
            return true;
    return false;
}

static void flows_read(struct corr_build *b)
{
    for (uint32_t flow = 0; flow < b->r->flows->len; flow++) {
        uint8_t proto = corr_result_flow(b->r, flow)->proto;

        if (is_mixed(b->r, flow))
            continue;
        if (proto == 6)
            tcp_read(b, flow);
        else if (proto == 17 && b->said.start[flow] < b->said.start[flow + 1])
            corr_talk_quic(b, flow);
    }
    corr_talk_dns(b);
}

/* In the order of the list of phases: each is known once per transaction. */
static int phase_compare(const void *x, const void *y)
{
    const struct corr_phase *a = x, *b = y;

    if (a->transaction != b->transaction)
        return a->transaction < b->transaction ? -1 : 1;
    if (a->name != b->name)
        return a->name < b->name ? -1 : 1;
    return a->frame < b->frame ? -1 : a->frame > b->frame;
}

/* A transaction with its old number, for sorting. */
struct numbered {
    struct corr_transaction t;
    uint32_t old;
};

static int transaction_compare(const void *x, const void *y)
{
    const struct numbered *a = x, *b = y;

    if (a->t.frame != b->t.frame)
        return a->t.frame < b->t.frame ? -1 : 1;
    return a->old < b->old ? -1 : a->old > b->old;
}

/* Each transaction gets its phases, its first frame, its total. */
static void transactions_complete(struct corr_phases *out)
{
    GArray *phases = out->phases;

    if (phases->len > 1)
        g_array_sort(phases, phase_compare);
    for (uint32_t i = 0, end; i < phases->len; i = end) {
        const struct corr_phase *first = corr_phases_phase(out, i), *last = first;
        struct corr_transaction *t =
            &g_array_index(out->transactions, struct corr_transaction, first->transaction);
        bool one_clock = true;

        t->first_phase = i;
        for (end = i; end < phases->len; end++) {
            const struct corr_phase *phase = corr_phases_phase(out, end);

            if (phase->transaction != first->transaction)
                break;
            one_clock &= phase->point == first->point;
            t->frame = t->frame == 0 ? phase->frame : MIN(t->frame, phase->frame);
            if (phase->begin_ns + phase->duration_ns > last->begin_ns + last->duration_ns)
                last = phase;
        }
        t->n_phases = end - i;
        t->has_total = one_clock;
        t->total_ns = last->begin_ns + last->duration_ns - first->begin_ns;
        if (t->conv == CORR_NONE)
            t->conv = corr_phases_phase(out, end - 1)->conv;
    }
}

/* Transactions without phases show their flow's first frame, at the point that comes first. */
static void without_phases(const struct corr_build *b, struct corr_transaction *t)
{
    const struct corr_flow *flow = corr_result_flow(b->r, t->flow);

    if (t->frame == 0)
        t->frame = flow->first_frame;
    if (t->conv == CORR_NONE && flow->convs->len > 0)
        t->conv = g_array_index(flow->convs, struct corr_member, 0).conv;
}

static void transactions_number(struct corr_build *b)
{
    struct corr_phases *out = b->out;
    uint32_t n = out->transactions->len;
    struct numbered *list = g_new(struct numbered, (size_t)n + 1);
    uint32_t *now = g_new(uint32_t, (size_t)n + 1);

    for (uint32_t i = 0; i < n; i++) {
        list[i] = (struct numbered){*corr_phases_transaction(out, i), i};
        without_phases(b, &list[i].t);
    }
    if (n > 1)
        qsort(list, n, sizeof *list, transaction_compare);
    for (uint32_t i = 0; i < n; i++)
        now[list[i].old] = i;
    for (uint32_t i = 0; i < n; i++) {
        struct corr_transaction *t = &g_array_index(out->transactions, struct corr_transaction, i);

        *t = list[i].t;
        if (t->blocked_by != CORR_NONE)
            t->blocked_by = now[t->blocked_by];
        for (uint32_t k = t->first_phase; k < t->first_phase + t->n_phases; k++)
            g_array_index(out->phases, struct corr_phase, k).transaction = i;
    }
    g_free(list);
    g_free(now);
}

struct corr_phases *corr_phases_new(const struct corr_result *r)
{
    struct corr_phases *out = g_new0(struct corr_phases, 1);
    struct corr_build b = {.r = r, .out = out};

    out->result = r;
    out->transactions = g_array_new(FALSE, FALSE, sizeof(struct corr_transaction));
    out->phases = g_array_new(FALSE, FALSE, sizeof(struct corr_phase));
    out->shares = g_array_new(FALSE, FALSE, sizeof(struct corr_phase_share));
    out->spans = g_array_new(FALSE, FALSE, sizeof(struct corr_phase_span));
    out->stalls = g_array_new(FALSE, FALSE, sizeof(struct corr_phase_stall));
    b.by = corr_flow_packets_new(r);
    said_list(&b);
    flows_read(&b);
    transactions_complete(out);
    transactions_number(&b);
    /* Sorting by transaction again keeps the order within each. */
    transactions_complete(out);
    corr_phases_index(out);
    corr_phases_count_events(out);
    corr_phases_join_proxied(out);
    g_array_unref(b.said.said);
    g_free(b.said.start);
    corr_flow_packets_free(b.by);
    return out;
}
