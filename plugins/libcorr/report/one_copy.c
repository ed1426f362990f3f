/* SPDX-License-Identifier: GPL-2.0-or-later */
/* one_copy.c - which look at each conversation is exported, and which frames show it. */
#include "report/one_copy.h"

#include <stdlib.h>
#include <string.h>

#include "path/order.h"
#include "report/report-int.h"

/* Of a flow's local flows, the nearest to the initiator that are compared: bits of a word. */
#define SEATS_MAX 64u
#define NO_SEAT UINT32_MAX

/*
 * A local flow of the conversation that is being judged.  Those of one point
 * that share no packet are one look at it (labels that differ by direction, a
 * client's new port); those that share packets are two passes.
 */
struct seat {
    uint32_t conv, point;
    uint32_t nearer;       /* local flows that are known to be nearer to the initiator */
    bool named;            /* at the point that the user named */
    uint64_t follow[2];    /* seats that packets of a direction pass after this one */
    uint64_t shares;       /* seats of the same point that show some packet of this one */
    unsigned look;         /* index of the look's first seat, which holds the rest: */
    uint64_t members;      /* seats of the look */
    bool seen[2];          /* packets of this direction */
    uint64_t lacking, cut; /* packets that passed it unseen; frames that the capture cut short */
};

struct chooser {
    const struct corr_result *r;
    uint32_t named;                   /* point, or CORR_NONE */
    uint32_t *packets, *packet_first; /* flow -> its packets */
    uint32_t *seat_of;                /* local flow -> seat in the flow being judged; NO_SEAT */
    uint32_t *point_of;               /* flow -> chosen point */
    uint8_t *chosen;                  /* local flow -> it belongs to the chosen look */
    struct corr_frame_set *out;
};

static uint32_t point_named(const struct corr_store *store, const char *name)
{
    for (uint32_t p = 0; name && *name && p < store->points->len; p++)
        if (strcmp(corr_store_point(store, p)->name, name) == 0)
            return p;
    return CORR_NONE;
}

static void packets_index(struct chooser *c)
{
    const struct corr_result *r = c->r;
    uint32_t n_flows = r->flows->len, *next;

    c->packet_first = g_new0(uint32_t, n_flows + 1);
    c->packets = g_new(uint32_t, r->packets->len + 1);
    for (uint32_t p = 0; p < r->packets->len; p++)
        if (corr_result_packet(r, p)->flow != CORR_NONE)
            c->packet_first[corr_result_packet(r, p)->flow + 1]++;
    for (uint32_t f = 0; f < n_flows; f++)
        c->packet_first[f + 1] += c->packet_first[f];
    next = g_memdup2(c->packet_first, sizeof *next * (n_flows + 1));
    for (uint32_t p = 0; p < r->packets->len; p++)
        if (corr_result_packet(r, p)->flow != CORR_NONE)
            c->packets[next[corr_result_packet(r, p)->flow]++] = p;
    g_free(next);
}

static int seat_compare(const void *x, const void *y)
{
    const struct seat *a = x, *b = y;

    if (a->named != b->named)
        return a->named ? -1 : 1;
    if (a->nearer != b->nearer)
        return a->nearer < b->nearer ? -1 : 1;
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    return a->conv < b->conv ? -1 : a->conv > b->conv;
}

/* The flow's seats: those at the named point first, then from the initiator on.  Free it. */
static struct seat *seats_new(const struct chooser *c, uint32_t flow, unsigned *n)
{
    const GArray *members = corr_result_flow(c->r, flow)->convs;
    struct seat *seats = g_new0(struct seat, members->len);

    for (unsigned i = 0; i < members->len; i++) {
        uint32_t conv = g_array_index(members, struct corr_member, i).conv;

        seats[i].conv = conv;
        seats[i].point = corr_result_conv(c->r, conv)->point;
        seats[i].named = seats[i].point == c->named;
        for (unsigned k = 0; k < members->len; k++)
            seats[i].nearer +=
                corr_order_compare(c->r, flow, 0, conv,
                                   g_array_index(members, struct corr_member, k).conv) > 0;
    }
    qsort(seats, members->len, sizeof *seats, seat_compare);
    *n = MIN(members->len, SEATS_MAX);
    for (unsigned i = 0; i < *n; i++)
        for (unsigned k = 0; k < *n; k++)
            for (unsigned dir = 0; dir < 2; dir++)
                if (corr_order_compare(c->r, flow, dir, seats[i].conv, seats[k].conv) < 0)
                    seats[i].follow[dir] |= UINT64_C(1) << k;
    return seats;
}

/* The seats that show the packet. */
static uint64_t packet_seats(const struct chooser *c, const struct corr_packet *p)
{
    uint64_t seen = 0;

    for (uint32_t i = 0; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(c->r, p->first + i);
        uint32_t seat = c->seat_of[c->r->obs_conv[s->obs]];

        if (seat != NO_SEAT && !s->duplicate)
            seen |= UINT64_C(1) << seat;
    }
    return seen;
}

static void shares_note(struct seat *seats, unsigned n, uint64_t seen)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = i + 1; seen >> i & 1 && k < n; k++)
            if (seen >> k & 1 && seats[k].point == seats[i].point) {
                seats[i].shares |= UINT64_C(1) << k;
                seats[k].shares |= UINT64_C(1) << i;
            }
}

/* Each seat joins the first look of its point with which it shares no packet. */
static void looks_join(struct seat *seats, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        seats[i].look = i;
        seats[i].members = UINT64_C(1) << i;
        for (unsigned k = 0; k < i; k++) {
            struct seat *first = &seats[k];

            if (first->look != k || first->point != seats[i].point ||
                seats[i].shares & first->members)
                continue;
            seats[i].look = k;
            first->members |= seats[i].members;
            first->follow[0] |= seats[i].follow[0];
            first->follow[1] |= seats[i].follow[1];
            break;
        }
    }
}

/* Which looks show the packet, and which let it pass unseen? */
static void packet_judge(const struct chooser *c, const struct corr_packet *p, struct seat *seats,
                         unsigned n, uint64_t seen)
{
    unsigned dir = p->dir & 1;

    for (unsigned i = 0; i < n; i++) {
        if (seats[i].look != i)
            continue;
        seats[i].seen[dir] |= (seats[i].members & seen) != 0;
        seats[i].lacking += !(seats[i].members & seen) && seats[i].follow[dir] & seen;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(c->r, p->first + i);
        uint32_t seat = c->seat_of[c->r->obs_conv[s->obs]];

        if (seat != NO_SEAT && corr_result_obs(c->r, s)->have & CORR_HAVE_SNAPPED)
            seats[seats[seat].look].cut++;
    }
}

/* Whether look `a` is the better one; the nearer one comes first and wins a tie. */
static bool look_is_better(const struct seat *a, const struct seat *b)
{
    unsigned dirs_a = a->seen[0] + a->seen[1], dirs_b = b->seen[0] + b->seen[1];

    if (a->named != b->named)
        return a->named;
    if (dirs_a != dirs_b)
        return dirs_a > dirs_b;
    if (a->lacking != b->lacking)
        return a->lacking < b->lacking;
    return a->cut < b->cut;
}

static void flow_choose(struct chooser *c, uint32_t flow)
{
    uint32_t begin = c->packet_first[flow], end = c->packet_first[flow + 1];
    unsigned n, best = 0;
    struct seat *seats = seats_new(c, flow, &n);

    if (n == 0) {
        g_free(seats);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        c->seat_of[seats[i].conv] = i;
    for (uint32_t i = begin; i < end; i++)
        shares_note(seats, n, packet_seats(c, corr_result_packet(c->r, c->packets[i])));
    looks_join(seats, n);
    for (uint32_t i = begin; i < end; i++) {
        const struct corr_packet *p = corr_result_packet(c->r, c->packets[i]);

        packet_judge(c, p, seats, n, packet_seats(c, p));
    }
    for (unsigned i = 1; i < n; i++)
        if (seats[i].look == i && look_is_better(&seats[i], &seats[best]))
            best = i;
    c->point_of[flow] = seats[best].point;
    for (unsigned i = 0; i < n; i++) {
        c->chosen[seats[i].conv] = seats[i].look == best;
        c->seat_of[seats[i].conv] = NO_SEAT;
    }
    g_free(seats);
}

/* The sighting at `point` nearest to who began the conversation; CORR_NONE. */
static uint32_t sighting_at(const struct chooser *c, const struct corr_packet *p, uint32_t point)
{
    uint32_t found = CORR_NONE;

    for (uint32_t i = p->first; i < p->first + p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(c->r, i);

        if (s->duplicate || (point != CORR_NONE && corr_sighting_point(c->r, s) != point))
            continue;
        found = i;
        if (p->dir == 0)
            break;
    }
    return found;
}

static void sighting_take(const struct chooser *c, uint32_t sighting)
{
    const struct corr_sighting *s = corr_result_sighting(c->r, sighting);

    corr_frame_set_add(c->out, corr_result_obs(c->r, s)->frame);
}

/* The sighting at a point, else the first one. */
static void packet_take_at(const struct chooser *c, const struct corr_packet *p, uint32_t point)
{
    uint32_t sighting = sighting_at(c, p, point);

    if (sighting == CORR_NONE)
        sighting = sighting_at(c, p, CORR_NONE);
    if (sighting != CORR_NONE)
        sighting_take(c, sighting);
}

static void packet_take(const struct chooser *c, const struct corr_packet *p)
{
    bool is_member = false;

    if (p->quotes != CORR_NONE) {
        uint32_t about = corr_result_packet(c->r, p->quotes)->flow;

        if (about != CORR_NONE && sighting_at(c, p, c->point_of[about]) != CORR_NONE) {
            packet_take_at(c, p, c->point_of[about]);
            return;
        }
    }
    if (p->flow == CORR_NONE) {
        packet_take_at(c, p, c->named);
        return;
    }
    for (uint32_t i = p->first; i < p->first + p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(c->r, i);
        uint32_t conv = c->r->obs_conv[s->obs];

        is_member |= c->r->conv_flow[conv] == p->flow;
        if (c->chosen[conv] && !s->duplicate)
            sighting_take(c, i);
    }
    /* Later fragments have no ports, and so a local flow that is no member of the conversation. */
    if (!is_member && sighting_at(c, p, c->point_of[p->flow]) != CORR_NONE)
        packet_take_at(c, p, c->point_of[p->flow]);
}

/* Frames in which nothing was found to compare. */
static void rest_take(const struct chooser *c)
{
    const struct corr_store *store = c->r->store;

    for (uint32_t frame = 1; frame < store->frame_point->len; frame++) {
        uint32_t obs = g_array_index(store->frame_obs, uint32_t, frame);

        if (g_array_index(store->frame_point, uint16_t, frame) != 0 &&
            (obs == CORR_NONE || c->r->obs_first[obs] == c->r->obs_first[obs + 1]))
            corr_frame_set_add(c->out, frame);
    }
}

struct corr_frame_set *corr_one_copy_new(const struct corr_result *result, const char *point)
{
    struct chooser c = {
        .r = result,
        .named = point_named(result->store, point),
        .seat_of = g_new(uint32_t, result->n_convs + 1),
        .point_of = g_new(uint32_t, result->flows->len + 1),
        .chosen = g_new0(uint8_t, result->n_convs + 1),
        .out = corr_frame_set_new(),
    };

    memset(c.seat_of, 0xff, sizeof *c.seat_of * (result->n_convs + 1)); /* NO_SEAT */
    packets_index(&c);
    for (uint32_t f = 0; f < result->flows->len; f++) {
        c.point_of[f] = CORR_NONE;
        flow_choose(&c, f);
    }
    for (uint32_t p = 0; p < result->packets->len; p++)
        packet_take(&c, corr_result_packet(result, p));
    rest_take(&c);
    g_free(c.packets);
    g_free(c.packet_first);
    g_free(c.seat_of);
    g_free(c.point_of);
    g_free(c.chosen);
    return c.out;
}
