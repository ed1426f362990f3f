/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk_dns.c - questions and lookups.
 *
 * A question is one name and type in one conversation, with all its tries and
 * its answer (RFC 1035, section 4.1).  Questions of one host for one name that
 * overlap are one lookup: tries with another port or server, A and AAAA side by
 * side, TCP after a truncated answer.  Another program's question, which
 * has an answer of its own, is another lookup.
 */
#include "layers/talk_dns.h"

#include <stdlib.h>
#include <string.h>

#define TRY_AGAIN_NS INT64_C(1000000000) /* before this who waits does not ask again */
#define AT_ONCE_MAX 16u                  /* lookups for one name that one host has open */
#define GIVE_UP_NS INT64_C(15000000000)  /* a question is not tried again after this */

static void question_free(void *data)
{
    struct corr_question *q = data;

    g_array_unref(q->tries);
    g_array_unref(q->answers);
    g_array_unref(q->addresses);
    g_free(q->name);
    g_free(q);
}

static void lookup_free(void *data)
{
    g_array_unref(((struct corr_lookup *)data)->questions);
    g_free(data);
}

static uint32_t packet_of(const struct corr_result *r, uint32_t obs)
{
    uint32_t first = r->obs_first[obs];

    return first < r->obs_first[obs + 1] ? corr_result_sighting(r, r->obs_sightings[first])->packet
                                         : CORR_NONE;
}

/* The flow's question that this mark asks, tries again, or answers; the latest of equal ones. */
static struct corr_question *question_find(struct corr_dns *d, unsigned first,
                                           const struct corr_said *said, const char *name)
{
    for (unsigned i = d->questions->len; i > first; i--) {
        struct corr_question *q = g_ptr_array_index(d->questions, i - 1);

        if (q->id == said->mark->id && q->type == (said->mark->value & 0xffff) &&
            strcmp(q->name, name) == 0)
            return q;
    }
    return NULL;
}

static struct corr_question *question_new(struct corr_dns *d, const struct corr_said *said,
                                          char *name)
{
    const struct corr_result *r = d->b->r;
    const struct corr_obs *obs = corr_store_obs(r->store, said->mark->obs);
    struct corr_question *q = g_new0(struct corr_question, 1);

    q->flow = said->flow;
    q->client_dir = said->dir;
    q->id = said->mark->id;
    q->type = said->mark->value & 0xffff;
    q->frame = obs->frame;
    q->time_ns = obs->time_ns;
    q->point = obs->point;
    q->name = name;
    q->client = *corr_store_src(r->store, obs);
    q->tcp = obs->kind == CORR_KIND_TCP;
    q->from = said->begin;
    q->to = said->end;
    q->tries = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    q->answers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    q->addresses = g_array_new(FALSE, FALSE, sizeof(struct corr_addr));
    g_ptr_array_add(d->questions, q);
    return q;
}

static void addresses_add(const struct corr_dns *d, struct corr_question *q, uint32_t obs)
{
    const GArray *answers = corr_l7_answers(d->b->r->store->l7);
    unsigned lo = 0, hi = answers->len;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;

        if (g_array_index(answers, struct corr_l7_answer, mid).obs < obs)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < answers->len; lo++) {
        const struct corr_l7_answer *a = &g_array_index(answers, struct corr_l7_answer, lo);

        if (a->obs != obs)
            break;
        g_array_append_val(q->addresses, a->addr);
    }
}

static void packet_once(GArray *packets, uint32_t packet)
{
    for (unsigned i = 0; i < packets->len; i++)
        if (g_array_index(packets, uint32_t, i) == packet)
            return;
    if (packet != CORR_NONE)
        g_array_append_val(packets, packet);
}

static void question_said(struct corr_dns *d, unsigned first, const struct corr_said *said)
{
    g_autofree char *name = corr_l7_text(d->b->r->store->l7, said->mark, 0);
    const struct corr_obs *obs = corr_store_obs(d->b->r->store, said->mark->obs);
    struct corr_question *q;

    if (name == NULL)
        name = g_strdup(".");
    q = question_find(d, first, said, name);
    if (!(said->flags & CORR_MARK_ANSWER)) {
        uint32_t packet = packet_of(d->b->r, said->mark->obs);
        int64_t answered;
        bool again =
            q != NULL && q->client_dir == said->dir &&
            (!q->answered ||
             packet == (q->tries->len > 0 ? g_array_index(q->tries, uint32_t, 0) : CORR_NONE));

        /* Another point, whose clock is later, shows a try that was lost before the first one. */
        if (q != NULL && !again && q->client_dir == said->dir &&
            corr_packets_time(d->b->r, q->answers, obs->point, &answered))
            again = answered >= obs->time_ns && answered - obs->time_ns <= GIVE_UP_NS;
        /* Another point may show a try when this one has shown the answer already. */
        for (unsigned i = 0; q != NULL && !again && i < q->tries->len; i++)
            again = g_array_index(q->tries, uint32_t, i) == packet;
        if (!again)
            q = question_new(d, said, g_steal_pointer(&name));
        if (obs->kind == CORR_KIND_UDP)
            packet_once(q->tries, packet);
        return;
    }
    if (q == NULL || q->client_dir == said->dir)
        return;
    if (!q->answered || obs->point == q->point) {
        q->answer_ns = obs->time_ns;
        q->truncated = said->flags & CORR_MARK_TRUNCATED;
        q->code = (uint8_t)(said->mark->value >> 16 & 15);
    }
    if (!q->answered) {
        q->answer_from = said->begin;
        q->answer_to = said->end;
        addresses_add(d, q, said->mark->obs);
    }
    q->answered = true;
    if (obs->kind == CORR_KIND_UDP)
        packet_once(q->answers, packet_of(d->b->r, said->mark->obs));
}

static int said_by_frame(const void *x, const void *y)
{
    const struct corr_said *const *a = x, *const *b = y;

    return (*a)->mark->obs < (*b)->mark->obs ? -1 : (*a)->mark->obs > (*b)->mark->obs;
}

static int question_compare(const void *x, const void *y)
{
    const struct corr_question *a = *(struct corr_question *const *)x,
                               *b = *(struct corr_question *const *)y;

    if (a->frame != b->frame)
        return a->frame < b->frame ? -1 : 1;
    return a->flow != b->flow ? (a->flow < b->flow ? -1 : 1) : (a->id < b->id ? -1 : a->id > b->id);
}

static void questions_find(struct corr_dns *d)
{
    const struct corr_said *said = (const struct corr_said *)d->b->said.said->data;

    for (uint32_t flow = 0; flow < d->b->r->flows->len; flow++) {
        g_autoptr(GPtrArray) ordered = NULL;
        unsigned first = d->questions->len;

        for (uint32_t i = d->b->said.start[flow]; i < d->b->said.start[flow + 1]; i++) {
            if (said[i].kind != CORR_MARK_DNS)
                continue;
            if (ordered == NULL)
                ordered = g_ptr_array_new();
            g_ptr_array_add(ordered, (void *)&said[i]);
        }
        if (ordered == NULL)
            continue;
        g_ptr_array_sort(ordered, said_by_frame);
        for (unsigned i = 0; i < ordered->len; i++)
            question_said(d, first, g_ptr_array_index(ordered, i));
    }
    g_ptr_array_sort(d->questions, question_compare);
}

/*
 * How long after another question one was asked (which may have come first: then negative), and
 * whether the first one still waited for its answer, at the point that shows both closest: clocks
 * of two points do not compare, and behind a loss only later tries are seen.  False: none does.
 */
static bool question_after(const struct corr_dns *d, const struct corr_question *other,
                           const struct corr_question *q, int64_t *after_ns, bool *pending)
{
    const struct corr_result *r = d->b->r;
    bool found = false;

    if (other->tcp || q->tcp) {
        *after_ns = q->time_ns - other->time_ns;
        *pending = !other->answered || other->truncated || other->answer_ns > q->time_ns;
        return other->point == q->point;
    }
    for (unsigned i = 0; i < other->tries->len; i++) {
        const struct corr_packet *packet =
            corr_result_packet(r, g_array_index(other->tries, uint32_t, i));

        for (uint32_t k = packet->first; k < packet->first + packet->n; k++) {
            uint32_t point = corr_result_obs(r, corr_result_sighting(r, k))->point;
            int64_t before, asked, answered;
            const struct corr_question *first;

            if (!corr_packets_time(r, other->tries, point, &before) ||
                !corr_packets_time(r, q->tries, point, &asked) ||
                (found && ABS(asked - before) >= ABS(*after_ns)))
                continue;
            found = true;
            *after_ns = asked - before;
            first = *after_ns < 0 ? q : other;
            *pending = first->truncated ||
                       !corr_packets_time(r, first->answers, point, &answered) ||
                       answered > MAX(before, asked);
        }
    }
    return found;
}

/* Whether another program asked for this type already: each of the two has an answer. */
static bool is_anothers(const struct corr_dns *d, const struct corr_lookup *lookup,
                        const struct corr_question *q)
{
    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *other =
            g_ptr_array_index(d->questions, g_array_index(lookup->questions, uint32_t, i));
        int64_t after_ns;
        bool pending;

        if (other->type == q->type && !other->tcp && !q->tcp && !other->truncated &&
            other->answered && q->answered && question_after(d, other, q, &after_ns, &pending) &&
            ABS(after_ns) < TRY_AGAIN_NS && !corr_question_again(d, q, other, q))
            return true;
    }
    return false;
}

static bool has_flow(const struct corr_dns *d, const struct corr_lookup *lookup, uint32_t flow)
{
    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *q =
            g_ptr_array_index(d->questions, g_array_index(lookup->questions, uint32_t, i));

        if (q->flow == flow)
            return true;
    }
    return false;
}

/* Whether the question belongs to a lookup of this host for this name. */
static bool belongs(const struct corr_dns *d, const struct corr_lookup *lookup,
                    const struct corr_question *q)
{
    bool any_pending = false;
    int64_t first_ns = 0;

    for (unsigned i = 0; i < lookup->questions->len; i++) {
        const struct corr_question *other =
            g_ptr_array_index(d->questions, g_array_index(lookup->questions, uint32_t, i));
        int64_t after_ns;
        bool pending;

        if (question_after(d, other, q, &after_ns, &pending))
            any_pending |= pending;
        else if (i == 0)
            return false;
        if (i == 0)
            first_ns = after_ns;
    }
    return ABS(first_ns) <= GIVE_UP_NS &&
           (any_pending || ABS(first_ns) <= CORR_DNS_SIDE_BY_SIDE_NS);
}

/* Of the latest lookups the one with the same port, or the latest one, to which it belongs. */
static struct corr_lookup *lookup_of(const struct corr_dns *d, struct corr_lookup *last,
                                     const struct corr_question *q)
{
    struct corr_lookup *found = NULL;
    unsigned n = 0;

    for (struct corr_lookup *l = last; l != NULL && n < AT_ONCE_MAX; l = l->previous, n++) {
        if (!belongs(d, l, q) || is_anothers(d, l, q))
            continue;
        if (has_flow(d, l, q->flow))
            return l;
        if (found == NULL)
            found = l;
    }
    return found;
}

static void lookups_find(struct corr_dns *d)
{
    g_autoptr(GHashTable) last = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (uint32_t i = 0; i < d->questions->len; i++) {
        struct corr_question *q = g_ptr_array_index(d->questions, i);
        char text[CORR_ADDR_TEXT];
        char *key = g_strdup_printf("%s %s", corr_addr_text(&q->client.addr, text), q->name);
        struct corr_lookup *previous = g_hash_table_lookup(last, key);
        struct corr_lookup *lookup = lookup_of(d, previous, q);

        if (lookup == NULL) {
            lookup = g_new0(struct corr_lookup, 1);
            lookup->previous = previous;
            lookup->number = d->lookups->len + 1;
            lookup->questions = g_array_new(FALSE, FALSE, sizeof(uint32_t));
            g_ptr_array_add(d->lookups, lookup);
            g_hash_table_replace(last, key, lookup);
        } else {
            g_free(key);
        }
        q->lookup = lookup->number;
        g_array_append_val(lookup->questions, i);
    }
}

void corr_talk_dns(struct corr_build *b)
{
    struct corr_dns d = {.b = b,
                         .questions = g_ptr_array_new_with_free_func(question_free),
                         .lookups = g_ptr_array_new_with_free_func(lookup_free)};

    questions_find(&d);
    lookups_find(&d);
    corr_lookups_put_down(&d);
    g_ptr_array_unref(d.questions);
    g_ptr_array_unref(d.lookups);
    corr_neighbours_free(d.neighbours);
}
