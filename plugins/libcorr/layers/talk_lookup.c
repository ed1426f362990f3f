/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk_lookup.c - lookups as phases.  A connection waited for a lookup if it
 * went to one of its addresses, soon after it: then the phase ends with the
 * last answer that came before the connection's first SYN.  Its time is that of
 * the question with this answer: what was asked and answered beside it took none.
 */
#include "layers/talk_dns.h"

#include <stdlib.h>
#include <string.h>

#define SOON_NS INT64_C(1000000000) /* from the answer to the SYN, at most */
#define STAGES_MAX 3u               /* types asked for one after the other: A, AAAA, HTTPS */

/* First passing of some packets at each station's point, whichever flow they are of. */
static void packets_at(const struct corr_talk *talk, const GArray *packets, struct corr_moment *out)
{
    const struct corr_result *r = talk->b->r;

    for (unsigned i = 0; i < packets->len; i++) {
        const struct corr_packet *packet =
            corr_result_packet(r, g_array_index(packets, uint32_t, i));

        for (uint32_t k = packet->first; k < packet->first + packet->n; k++) {
            const struct corr_sighting *s = corr_result_sighting(r, k);
            const struct corr_obs *obs = corr_result_obs(r, s);

            for (unsigned at = 0; at < talk->p->n && !s->duplicate; at++)
                if (talk->p->stations[at].point == obs->point &&
                    (out[at].frame == 0 || obs->time_ns < out[at].time_ns))
                    out[at] = (struct corr_moment){obs->time_ns, obs->frame};
        }
    }
}

bool corr_packets_time(const struct corr_result *r, const GArray *packets, uint32_t point,
                       int64_t *time_ns)
{
    bool found = false;

    for (unsigned i = 0; i < packets->len; i++) {
        const struct corr_packet *packet =
            corr_result_packet(r, g_array_index(packets, uint32_t, i));

        for (uint32_t k = packet->first; k < packet->first + packet->n; k++) {
            const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, k));

            if (obs->point == point && (!found || obs->time_ns < *time_ns)) {
                *time_ns = obs->time_ns;
                found = true;
            }
        }
    }
    return found;
}

static const struct corr_question *question_at(const struct corr_dns *d,
                                               const struct corr_lookup *lookup, unsigned i)
{
    return g_ptr_array_index(d->questions, g_array_index(lookup->questions, uint32_t, i));
}

/* The last question of the lookup that was answered by the time (at the point), or by any. */
static const struct corr_question *final_question(const struct corr_dns *d,
                                                  const struct corr_lookup *lookup, bool limited,
                                                  uint32_t point, int64_t by_ns)
{
    const struct corr_question *final = NULL;
    int64_t final_ns = 0;

    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *q = question_at(d, lookup, i);
        int64_t at = q->answer_ns;

        if (!q->answered)
            continue;
        if (limited &&
            ((q->tcp && q->point != point) ||
             (!q->tcp && !corr_packets_time(d->b->r, q->answers, point, &at)) || at > by_ns))
            continue;
        if (final == NULL || q->tcp > final->tcp || (q->tcp == final->tcp && at > final_ns)) {
            final = q;
            final_ns = at;
        }
    }
    return final;
}

static void tcp_links(struct corr_talk *talk, const struct corr_question *q,
                      struct corr_chain *chain)
{
    struct corr_moment *syn = g_new0(struct corr_moment, talk->p->n + 1);
    struct corr_moment *answer = g_new0(struct corr_moment, talk->p->n + 1);
    bool seen = false;

    for (unsigned i = 0; i < talk->p->n; i++) {
        syn[i] = talk->p->stations[i].syn[0];
        answer[i] = talk->p->stations[i].syn[1];
        seen |= syn[i].frame != 0;
    }
    if (seen) {
        corr_chain_moments(chain, CORR_CLIENT, syn, talk->p->n);
        corr_chain_moments(chain, CORR_SERVER, answer, talk->p->n);
    }
    corr_chain_range(chain, talk, CORR_CLIENT, q->from, q->to);
    corr_chain_range(chain, talk, CORR_SERVER, q->answer_from, q->answer_to);
    g_free(syn);
    g_free(answer);
}

/* Frames of the lookup's other conversations belong to the phase, too. */
static void other_flows_add(struct corr_dns *d, const struct corr_lookup *lookup, uint32_t but)
{
    struct corr_phases *out = d->b->out;
    struct corr_phase *phase = &g_array_index(out->phases, struct corr_phase, out->phases->len - 1);
    uint32_t last = but;

    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *q = question_at(d, lookup, i);
        const GArray *convs = corr_result_flow(d->b->r, q->flow)->convs;

        if (q->flow == but || q->flow == last)
            continue;
        last = q->flow;
        for (unsigned k = 0; k < convs->len; k++) {
            struct corr_phase_span span = {.conv =
                                               g_array_index(convs, struct corr_member, k).conv};
            uint32_t point = corr_result_conv(d->b->r, span.conv)->point;

            for (uint32_t s = phase->first_span; s < phase->first_span + phase->n_spans; s++) {
                const struct corr_phase_span *mine =
                    &g_array_index(out->spans, struct corr_phase_span, s);

                if (corr_result_conv(d->b->r, mine->conv)->point == point) {
                    span.begin = mine->begin;
                    span.end = mine->end;
                    break;
                }
            }
            g_array_append_val(out->spans, span);
            phase->n_spans++;
        }
    }
}

/* An error to one of A and AAAA is none of the lookup while the other has given addresses. */
static uint8_t code_of(const struct corr_dns *d, const struct corr_lookup *lookup,
                       const struct corr_question *final)
{
    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *q = question_at(d, lookup, i);

        if (q->answered && q->code == 0 && q->addresses->len > 0)
            return 0;
    }
    return final->code;
}

/* Whether a point shows the answer by which a lookup is judged. */
static bool answer_shown(const struct corr_dns *d, const struct corr_question *final,
                         uint32_t point)
{
    int64_t at;

    return final->tcp ? final->point == point
                      : corr_packets_time(d->b->r, final->answers, point, &at);
}

bool corr_question_again(const struct corr_dns *d, const struct corr_question *q,
                         const struct corr_question *earlier, const struct corr_question *final)
{
    const struct corr_result *r = d->b->r;
    bool again = false;

    if (q == earlier || q->type != earlier->type)
        return false;
    for (unsigned i = 0; i < earlier->tries->len && !again; i++) {
        const struct corr_packet *packet =
            corr_result_packet(r, g_array_index(earlier->tries, uint32_t, i));

        for (uint32_t k = packet->first; k < packet->first + packet->n && !again; k++) {
            uint32_t point = corr_result_obs(r, corr_result_sighting(r, k))->point;
            int64_t before, after, answered;

            again = answer_shown(d, final, point) &&
                    corr_packets_time(r, earlier->tries, point, &before) &&
                    corr_packets_time(r, q->tries, point, &after) &&
                    after - before > CORR_DNS_SIDE_BY_SIDE_NS &&
                    !corr_packets_time(r, earlier->answers, point, &answered);
        }
    }
    return again;
}

/* Queries that were sent because an earlier one got no answer. */
static unsigned queries_again(const struct corr_dns *d, const struct corr_lookup *lookup,
                              const struct corr_question *final)
{
    unsigned n = 0;

    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *q = question_at(d, lookup, i);
        bool again = false;

        for (unsigned k = 0; k < lookup->questions->len && !again; k++)
            again = corr_question_again(d, q, question_at(d, lookup, k), final);
        n += q->tries->len - (q->tries->len > 0 && !again);
    }
    return n;
}

/* Whether some packets came before others wherever both are seen. */
static bool packets_before(const struct corr_result *r, const GArray *packets, const GArray *later)
{
    for (unsigned i = 0; i < later->len; i++) {
        const struct corr_packet *packet = corr_result_packet(r, g_array_index(later, uint32_t, i));

        for (uint32_t k = packet->first; k < packet->first + packet->n; k++) {
            const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, k));
            int64_t at;

            if (corr_packets_time(r, packets, obs->point, &at) && at > obs->time_ns)
                return false;
        }
    }
    return true;
}

/* The question that had to be answered before this one was asked, for another type; or NULL. */
static const struct corr_question *question_before(const struct corr_dns *d,
                                                   const struct corr_lookup *lookup,
                                                   const struct corr_question *q,
                                                   const GArray *tries)
{
    const struct corr_question *before = NULL;
    int64_t before_ns = 0;

    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *other = question_at(d, lookup, i);
        int64_t at;

        if (other->type != q->type && !other->tcp &&
            corr_packets_time(d->b->r, other->answers, q->point, &at) &&
            packets_before(d->b->r, other->answers, tries) && (before == NULL || at > before_ns)) {
            before = other;
            before_ns = at;
        }
    }
    return before;
}

static void packets_link(const struct corr_talk *talk, enum corr_side side, const GArray *packets,
                         struct corr_chain *chain)
{
    packets_at(talk, packets, corr_chain_add(chain, side, talk->p->n));
}

/*
 * A question that was asked, with all its tries, and its answer; before it the one that was
 * waited for first, or the moment at which the lookup began.
 */
static void question_links(const struct corr_dns *d, const struct corr_lookup *lookup,
                           const struct corr_talk *talk, const struct corr_question *q,
                           unsigned stages, struct corr_chain *chain)
{
    g_autoptr(GArray) tries = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    const struct corr_question *before;

    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *other = question_at(d, lookup, i);

        if (other == q || corr_question_again(d, q, other, q))
            g_array_append_vals(tries, other->tries->data, other->tries->len);
        g_array_append_vals(all, other->tries->data, other->tries->len);
    }
    before = question_before(d, lookup, q, tries);
    if (before != NULL && stages > 1)
        question_links(d, lookup, talk, before, stages - 1, chain);
    else if (all->len > tries->len)
        packets_link(talk, CORR_CLIENT, all, chain);
    packets_link(talk, CORR_CLIENT, tries, chain);
    if (q->answers->len > 0)
        packets_link(talk, CORR_SERVER, q->answers, chain);
}

/* The question that led to TCP: its answer was too long, or it had none; or NULL. */
static const struct corr_question *question_by_datagram(const struct corr_dns *d,
                                                        const struct corr_lookup *lookup)
{
    const struct corr_question *tried = NULL;

    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *q = question_at(d, lookup, i);

        if (q->truncated && q->tries->len > 0 && q->answers->len > 0)
            return q;
        if (tried == NULL && q->tries->len > 0)
            tried = q;
    }
    return tried;
}

static void lookup_put_down(struct corr_dns *d, struct corr_lookup *lookup, uint32_t transaction,
                            const struct corr_question *final)
{
    struct corr_talk talk = {.b = d->b, .open = CORR_NONE};
    struct corr_transaction *t = corr_build_transaction(d->b, transaction);
    const struct corr_question *datagram = final->tcp ? question_by_datagram(d, lookup) : final;
    struct corr_chain chain = {0};

    lookup->used = true;
    t->dns_tcp = final->tcp;
    if (!final->tcp)
        t->dns_code = code_of(d, lookup, final);
    t->dns_tries = (uint16_t)MIN(queries_again(d, lookup, final), UINT16_MAX);
    if (t->host == NULL)
        t->host = g_strdup(final->name);
    talk.p = corr_passing_new(d->b->r, d->b->by, final->flow);
    talk.c = final->client_dir;
    talk.ref = talk.p->n;
    if (datagram != NULL && datagram->tries->len > 0)
        question_links(d, lookup, &talk, datagram, STAGES_MAX, &chain);
    else if (!final->tcp)
        packets_link(&talk, CORR_SERVER, final->answers, &chain);
    if (final->tcp)
        tcp_links(&talk, final, &chain);
    if (corr_talk_phase(&talk, transaction, CORR_PHASE_DNS, &chain)) {
        GArray *phases = d->b->out->phases;

        g_array_index(phases, struct corr_phase, phases->len - 1).retransmissions =
            corr_build_transaction(d->b, transaction)->dns_tries;
        other_flows_add(d, lookup, final->flow);
    }
    corr_passing_free(talk.p);
}

/* A connection's first phase, where its client is seen best. */
struct connection {
    uint32_t transaction, phase;
    bool asked; /* a request followed */
};

static int connection_compare(const void *x, const void *y)
{
    const struct connection *a = x, *b = y;

    if (a->asked != b->asked)
        return a->asked ? -1 : 1;
    return a->phase < b->phase ? -1 : a->phase > b->phase;
}

static GArray *connections_list(const struct corr_dns *d)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(struct connection));
    const struct corr_phases *out = d->b->out;

    for (uint32_t i = 0; i < out->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(out, i);
        const struct corr_transaction *t = corr_phases_transaction(out, phase->transaction);
        struct connection one = {phase->transaction, i,
                                 t->kind != CORR_TRANSACTION_CONNECT &&
                                     t->kind != CORR_TRANSACTION_TLS};

        if (phase->name == CORR_PHASE_CONNECT ||
            (phase->name == CORR_PHASE_TLS && t->kind == CORR_TRANSACTION_QUIC))
            g_array_append_val(list, one);
    }
    g_array_sort(list, connection_compare);
    return list;
}

/* Of the lookups for one address by one client, the last that was answered soon before. */
static struct corr_lookup *lookup_before(const struct corr_dns *d, GHashTable *by_address,
                                         const struct corr_addr *client,
                                         const struct corr_addr *server, uint32_t point,
                                         int64_t syn_ns)
{
    char from[CORR_ADDR_TEXT], to[CORR_ADDR_TEXT];
    g_autofree char *key =
        g_strdup_printf("%s %s", corr_addr_text(client, from), corr_addr_text(server, to));
    const GArray *lookups = g_hash_table_lookup(by_address, key);
    struct corr_lookup *best = NULL;
    int64_t best_ns = 0;

    for (unsigned i = 0; lookups != NULL && i < lookups->len; i++) {
        struct corr_lookup *lookup =
            g_ptr_array_index(d->lookups, g_array_index(lookups, uint32_t, i));
        const struct corr_question *q = final_question(d, lookup, true, point, syn_ns);
        int64_t at;

        if (lookup->used || q == NULL)
            continue;
        at = q->answer_ns;
        if (!q->tcp && !corr_packets_time(d->b->r, q->answers, point, &at))
            continue;
        if (syn_ns - at <= SOON_NS && (best == NULL || at > best_ns)) {
            best = lookup;
            best_ns = at;
        }
    }
    return best;
}

static void join(struct corr_dns *d, GHashTable *by_address, const struct connection *one)
{
    const struct corr_phases *out = d->b->out;
    const struct corr_phase *phase = corr_phases_phase(out, one->phase);
    const struct corr_transaction *t = corr_phases_transaction(out, one->transaction);
    const struct corr_conv *conv = corr_result_conv(d->b->r, phase->conv);
    unsigned client = t->client ^ d->b->r->conv_flip[phase->conv];
    const struct corr_addr *server = &conv->end[!client].addr, *other;
    uint32_t point = phase->point;
    int64_t syn_ns = phase->begin_ns;
    struct corr_lookup *best =
        lookup_before(d, by_address, &conv->end[client].addr, server, point, syn_ns);

    if (best == NULL) {
        /* A host may ask over one family of addresses, and connect over the other. */
        if (d->neighbours == NULL)
            d->neighbours = corr_neighbours_new(d->b->r);
        other = corr_neighbours_other(d->neighbours, point, &conv->end[client].addr);
        if (other != NULL)
            best = lookup_before(d, by_address, other, server, point, syn_ns);
    }
    if (best != NULL) {
        corr_build_transaction(d->b, one->transaction)->has_address = true;
        lookup_put_down(d, best, one->transaction, final_question(d, best, true, point, syn_ns));
    }
}

static void array_unref(void *data)
{
    g_array_unref(data);
}

/*
 * The answers of a question by the client and the address.  A translator on the way gives the
 * client another address: every point's view counts, for any of them may show the connection.
 */
static void addresses_index(const struct corr_dns *d, GHashTable *by_address,
                            const struct corr_question *q)
{
    const GArray *convs = corr_result_flow(d->b->r, q->flow)->convs;
    uint32_t lookup = q->lookup - 1;

    for (unsigned k = 0; k < q->addresses->len; k++)
        for (unsigned m = 0; m < convs->len; m++) {
            uint32_t conv = g_array_index(convs, struct corr_member, m).conv;
            unsigned client = q->client_dir ^ d->b->r->conv_flip[conv];
            char from[CORR_ADDR_TEXT], to[CORR_ADDR_TEXT];
            g_autofree char *key = g_strdup_printf(
                "%s %s", corr_addr_text(&corr_result_conv(d->b->r, conv)->end[client].addr, from),
                corr_addr_text(&g_array_index(q->addresses, struct corr_addr, k), to));
            GArray *list = g_hash_table_lookup(by_address, key);

            if (list == NULL) {
                list = g_array_new(FALSE, FALSE, sizeof(uint32_t));
                g_hash_table_insert(by_address, g_steal_pointer(&key), list);
            }
            if (list->len == 0 || g_array_index(list, uint32_t, list->len - 1) != lookup)
                g_array_append_val(list, lookup);
        }
}

static void connections_join(struct corr_dns *d)
{
    g_autoptr(GHashTable) by_address =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, array_unref);
    g_autoptr(GArray) connections = NULL;

    for (unsigned i = 0; i < d->questions->len; i++)
        addresses_index(d, by_address, g_ptr_array_index(d->questions, i));
    connections = connections_list(d);
    for (unsigned i = 0; i < connections->len && d->questions->len > 0; i++)
        join(d, by_address, &g_array_index(connections, struct connection, i));
}

/* What nobody was seen to wait for is a row of its own. */
static void lookup_alone(struct corr_dns *d, struct corr_lookup *lookup)
{
    const struct corr_question *final = final_question(d, lookup, false, 0, 0);
    const struct corr_question *first = question_at(d, lookup, 0);
    struct corr_transaction t = {.flow = final != NULL ? final->flow : first->flow,
                                 .client = final != NULL ? final->client_dir : first->client_dir,
                                 .kind = CORR_TRANSACTION_DNS,
                                 .frame = first->frame,
                                 .conv = CORR_NONE,
                                 .blocked_by = CORR_NONE,
                                 .proxied = {.upstream = CORR_NONE, .downstream = CORR_NONE}};
    uint32_t transaction = d->b->out->transactions->len;

    if (final == NULL) {
        t.note = "no answer was seen";
        t.host = g_strdup(first->name);
        t.dns_tries = (uint16_t)MIN(first->tries->len > 0 ? first->tries->len - 1 : 0, UINT16_MAX);
    }
    g_array_append_val(d->b->out->transactions, t);
    if (final != NULL)
        lookup_put_down(d, lookup, transaction, final);
}

void corr_lookups_put_down(struct corr_dns *d)
{
    connections_join(d);
    for (unsigned i = 0; i < d->lookups->len; i++) {
        struct corr_lookup *lookup = g_ptr_array_index(d->lookups, i);

        if (!lookup->used)
            lookup_alone(d, lookup);
    }
}
