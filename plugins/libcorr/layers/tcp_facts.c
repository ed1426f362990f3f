/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_facts.c - what several points know together.
 *
 * The members of a flow are asked in the order of the way.  That one point saw
 * the bytes of a packet in an earlier one makes the packet a retransmission
 * wherever it is seen, whatever it looks like there.  A segment that fills a gap
 * at one point and was in order before it was overtaken in between.  Only what
 * the first point cannot have seen otherwise is left to what it guesses.
 */
#include <stdlib.h>

#include "layers/tcp-int.h"
#include "path/order.h"

/* A member of a flow, as a place on the way. */
struct place {
    unsigned member;
    unsigned before; /* members that precede it */
    uint32_t conv;
};

static int place_compare(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->before != y->before)
        return x->before < y->before ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

static struct place *places_sorted(const struct corr_tcp_work *work, uint32_t f, unsigned dir)
{
    const GArray *convs = corr_result_flow(work->r, f)->convs;
    struct place *places = g_new0(struct place, convs->len + 1);

    for (unsigned i = 0; i < convs->len; i++) {
        places[i].member = i;
        places[i].conv = g_array_index(convs, struct corr_member, i).conv;
        for (unsigned k = 0; k < convs->len; k++)
            places[i].before +=
                k != i && corr_order_compare(work->r, f, dir,
                                             g_array_index(convs, struct corr_member, k).conv,
                                             places[i].conv) < 0;
    }
    qsort(places, convs->len, sizeof *places, place_compare);
    return places;
}

/* The packet of an earlier observation with some of a packet's bytes; CORR_NONE. */
static uint32_t packet_with(const struct corr_result *r, uint32_t obs,
                            const struct corr_packet *packet)
{
    uint32_t n = obs == CORR_NONE ? 0 : corr_tcp_packets_in(r, obs);

    for (uint32_t k = 0; k < n; k++) {
        const struct corr_packet *other = corr_result_packet(r, corr_tcp_packet_at(r, obs, k));

        if (n == 1 || (other->from < packet->to && packet->from < other->to))
            return corr_tcp_packet_at(r, obs, k);
    }
    return CORR_NONE;
}

static bool is_repeated(const struct corr_tcp_work *work, uint32_t packet)
{
    return (work->packets[packet] & CORR_TCP_PACKET_REPEATED) != 0;
}

static void fact_add(struct corr_tcp_work *work, uint32_t packet, uint32_t original,
                     const struct corr_tcp_again *again)
{
    struct corr_tcp_fact fact = {packet, original == packet ? CORR_NONE : original, again->kind};

    if (again->needless)
        work->packets[packet] |= CORR_TCP_PACKET_SPURIOUS;
    if (is_repeated(work, packet))
        return;
    work->packets[packet] |= CORR_TCP_PACKET_REPEATED;
    work->fact_of[packet] = work->facts->len;
    g_array_append_val(work->facts, fact);
}

/* The packets of one frame that repeat: those that begin before its first new byte. */
static void facts_add(struct corr_tcp_work *work, const struct corr_tcp_again *again)
{
    const struct corr_result *r = work->r;
    uint32_t n = corr_tcp_packets_in(r, again->obs);
    int64_t first = 0;

    for (uint32_t k = 0; k < n; k++) {
        const struct corr_packet *packet =
            corr_result_packet(r, corr_tcp_packet_at(r, again->obs, k));
        if (k == 0 || packet->from < first)
            first = packet->from;
    }
    for (uint32_t k = 0; k < n; k++) {
        uint32_t p = corr_tcp_packet_at(r, again->obs, k);
        const struct corr_packet *packet = corr_result_packet(r, p);

        if (n == 1 || again->from + (packet->from - first) < again->old_to)
            fact_add(work, p, packet_with(r, again->original, packet), again);
    }
}

struct agains {
    const struct corr_tcp_again *first;
    guint n;
};

static struct agains agains_of(const struct corr_tcp_work *work, unsigned member, unsigned dir)
{
    guint at = g_array_index(work->again_start, guint, member * 2 + dir);
    guint end = g_array_index(work->again_start, guint, member * 2 + dir + 1);

    return (struct agains){&g_array_index(work->again, struct corr_tcp_again, at), end - at};
}

uint32_t corr_tcp_look_before(const struct corr_tcp_work *work, uint32_t f, unsigned dir,
                              uint32_t conv, uint32_t packet)
{
    const struct corr_result *r = work->r;
    const struct corr_packet *p = corr_result_packet(r, packet);
    uint32_t best = CORR_NONE, obs = CORR_NONE;

    for (uint32_t i = p->first; i < p->first + p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        uint32_t at = r->obs_conv[s->obs];

        if (work->seen_as[s->obs] == CORR_TCP_CLASS_NONE ||
            corr_order_compare(r, f, dir, at, conv) >= 0)
            continue;
        if (best == CORR_NONE || corr_order_compare(r, f, dir, best, at) < 0) {
            best = at;
            obs = s->obs;
        }
    }
    return obs;
}

/* Segments that fill gaps: which of them repeat? */
static void fills_judge(struct corr_tcp_work *work, uint32_t f, unsigned dir,
                        const struct place *place)
{
    struct agains agains = agains_of(work, place->member, dir);

    for (guint i = 0; i < agains.n; i++) {
        const struct corr_tcp_again *again = &agains.first[i];
        uint32_t packet, before;
        bool repeated = again->repeated;

        if (work->seen_as[again->obs] != CORR_TCP_CLASS_FILL ||
            corr_tcp_packets_in(work->r, again->obs) == 0)
            continue;
        packet = corr_tcp_packet_at(work->r, again->obs, 0);
        if (is_repeated(work, packet))
            continue;
        before = corr_tcp_look_before(work, f, dir, place->conv, packet);
        if (before != CORR_NONE) /* in order there: overtaken since; else what was said there */
            repeated = false;
        if (repeated)
            facts_add(work, again);
        else
            work->tcp->events[again->obs] |= CORR_TCP_BIT(OUT_OF_ORDER);
    }
}

void corr_tcp_fact_losses(const struct corr_tcp_work *work, const struct corr_tcp_fact *fact,
                          uint32_t *after, uint32_t *before)
{
    const struct corr_result *r = work->r;
    const struct corr_packet *lost;

    if (fact->original == CORR_NONE)
        return;
    lost = corr_result_packet(r, fact->original);
    if (!corr_fate_is_drop(lost->fate) || lost->drop_after == CORR_NONE)
        return;
    *after = corr_result_obs(r, corr_result_sighting(r, lost->drop_after))->point;
    *before = lost->drop_before;
}

/* Of several repeated packets, the first one whose original was lost in sight speaks. */
struct corr_tcp_repeat corr_tcp_repeat_make(const struct corr_tcp_work *work, uint32_t obs)
{
    const struct corr_result *r = work->r;
    struct corr_tcp_repeat repeat = {
        .obs = obs, .original = CORR_NONE, .lost_after = CORR_NONE, .lost_before = CORR_NONE};

    for (uint32_t k = 0; k < corr_tcp_packets_in(r, obs) && repeat.lost_after == CORR_NONE; k++) {
        uint32_t p = corr_tcp_packet_at(r, obs, k);
        const struct corr_tcp_fact *fact;

        if (!is_repeated(work, p))
            continue;
        fact = &g_array_index(work->facts, struct corr_tcp_fact, work->fact_of[p]);
        repeat.original = fact->original;
        corr_tcp_fact_losses(work, fact, &repeat.lost_after, &repeat.lost_before);
    }
    return repeat;
}

/* Marks the frames that show a repeated packet, at every point. */
static void frames_mark(struct corr_tcp_work *work, const struct corr_tcp_fact *fact)
{
    const struct corr_result *r = work->r;
    const struct corr_packet *packet = corr_result_packet(r, fact->packet);

    for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
        uint32_t obs = corr_result_sighting(r, i)->obs;
        uint16_t *events = &work->tcp->events[obs];

        if (work->seen_as[obs] == CORR_TCP_CLASS_NONE)
            continue; /* a further copy */
        if ((*events & CORR_TCP_BIT(RETRANSMISSION)) == 0) {
            struct corr_tcp_repeat repeat = corr_tcp_repeat_make(work, obs);
            g_array_append_val(work->tcp->repeats, repeat);
        }
        *events |= CORR_TCP_BIT(RETRANSMISSION) | fact->kind;
        if (work->packets[fact->packet] & CORR_TCP_PACKET_SPURIOUS)
            *events |= CORR_TCP_BIT(SPURIOUS);
    }
}

static int repeat_compare(const void *a, const void *b)
{
    const struct corr_tcp_repeat *x = a, *y = b;

    return x->obs < y->obs ? -1 : x->obs > y->obs;
}

void corr_tcp_repeats_sort(struct corr_tcp *tcp)
{
    g_array_sort(tcp->repeats, repeat_compare);
}

/* The frames in which each point saw the originals. */
static void originals_set(struct corr_tcp_work *work, guint first_repeat)
{
    struct corr_tcp *tcp = work->tcp;

    if (first_repeat < tcp->repeats->len)
        qsort(&g_array_index(tcp->repeats, struct corr_tcp_repeat, first_repeat),
              tcp->repeats->len - first_repeat, sizeof(struct corr_tcp_repeat), repeat_compare);
    for (guint i = 0; i < work->again->len; i++) {
        const struct corr_tcp_again *again = &g_array_index(work->again, struct corr_tcp_again, i);
        struct corr_tcp_repeat key = {.obs = again->obs}, *repeat;

        if (again->original == CORR_NONE)
            continue;
        repeat = bsearch(&key, &g_array_index(tcp->repeats, struct corr_tcp_repeat, first_repeat),
                         tcp->repeats->len - first_repeat, sizeof key, repeat_compare);
        if (repeat != NULL)
            repeat->original_frame = corr_store_obs(work->r->store, again->original)->frame;
    }
}

static void sides_count(struct corr_tcp_work *work, uint32_t conv)
{
    for (uint32_t k = work->start[conv]; k < work->start[conv + 1]; k++) {
        uint32_t i = work->by_conv[k];
        const struct corr_obs *obs = corr_store_obs(work->r->store, i);
        struct corr_tcp_side *side =
            &g_array_index(work->tcp->sides, struct corr_tcp_side, conv * 2 + obs->dir);

        for (unsigned events = work->tcp->events[i]; events != 0; events &= events - 1)
            side->counts[__builtin_ctz(events)]++;
        if (work->tcp->events[i] & CORR_TCP_BIT(RETRANSMISSION))
            side->repeated_bytes += obs->len;
    }
}

void corr_tcp_facts_find(struct corr_tcp_work *work, uint32_t f)
{
    const GArray *convs = corr_result_flow(work->r, f)->convs;
    guint first_repeat = work->tcp->repeats->len;

    for (unsigned dir = 0; dir < 2 && work->again->len > 0; dir++) {
        g_autofree struct place *places = places_sorted(work, f, dir);

        for (unsigned i = 0; i < convs->len; i++) {
            struct agains agains = agains_of(work, places[i].member, dir);
            for (guint k = 0; k < agains.n; k++)
                if (work->seen_as[agains.first[k].obs] == CORR_TCP_CLASS_SEEN)
                    facts_add(work, &agains.first[k]);
        }
        for (unsigned i = 0; i < convs->len; i++)
            fills_judge(work, f, dir, &places[i]);
    }
    for (guint i = 0; i < work->facts->len; i++)
        frames_mark(work, &g_array_index(work->facts, struct corr_tcp_fact, i));
    originals_set(work, first_repeat);
    for (unsigned i = 0; i < convs->len; i++)
        sides_count(work, g_array_index(convs, struct corr_member, i).conv);
    corr_tcp_incidents_list(work, f);
}
