/* SPDX-License-Identifier: GPL-2.0-or-later */
/* passing.c - first passings of a flow's bytes at each of its stations. */
#include "layers/passing.h"

#include <stdlib.h>
#include <string.h>

#include "path/order.h"

struct corr_flow_packets *corr_flow_packets_new(const struct corr_result *r)
{
    struct corr_flow_packets *by = g_new(struct corr_flow_packets, 1);
    uint32_t n = r->packets->len, n_flows = r->flows->len;

    by->start = g_new0(uint32_t, (size_t)n_flows + 2);
    by->packets = g_new(uint32_t, (size_t)n + 1);
    for (uint32_t i = 0; i < n; i++)
        if (corr_result_packet(r, i)->flow < n_flows)
            by->start[corr_result_packet(r, i)->flow + 2]++;
    for (uint32_t f = 2; f <= n_flows + 1; f++)
        by->start[f] += by->start[f - 1];
    for (uint32_t i = 0; i < n; i++)
        if (corr_result_packet(r, i)->flow < n_flows)
            by->packets[by->start[corr_result_packet(r, i)->flow + 1]++] = i;
    return by;
}

void corr_flow_packets_free(struct corr_flow_packets *by)
{
    if (by == NULL)
        return;
    g_free(by->start);
    g_free(by->packets);
    g_free(by);
}

/* A piece of a segment at a station, before first passings are sorted out. */
struct piece {
    struct corr_stretch s;
    uint32_t station;
    uint8_t dir;
};

static int piece_compare(const void *x, const void *y)
{
    const struct piece *a = x, *b = y;

    if (a->s.time_ns != b->s.time_ns)
        return a->s.time_ns < b->s.time_ns ? -1 : 1;
    if (a->s.obs != b->s.obs)
        return a->s.obs < b->s.obs ? -1 : 1;
    return a->s.from < b->s.from ? -1 : a->s.from > b->s.from;
}

unsigned corr_station_from(const struct corr_station *s, unsigned dir, int64_t at)
{
    const struct corr_stretch *first = (const struct corr_stretch *)s->first[dir]->data;
    unsigned lo = 0, hi = s->first[dir]->len;

    if (hi > 0 && first[hi - 1].to <= at)
        return hi;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;

        if (first[mid].to <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct corr_stretch *corr_station_find(const struct corr_station *s, unsigned dir, int64_t at)
{
    unsigned i = corr_station_from(s, dir, at);
    const struct corr_stretch *found;

    if (i == s->first[dir]->len)
        return NULL;
    found = &g_array_index(s->first[dir], struct corr_stretch, i);
    return found->from <= at ? found : NULL;
}

/* Adds what of the piece was not seen before.  Pieces come in the order of their times. */
static void piece_add(struct corr_station *s, const struct piece *piece)
{
    GArray *first = s->first[piece->dir];
    struct corr_stretch rest = piece->s;
    unsigned i = corr_station_from(s, piece->dir, rest.from);

    while (rest.from < rest.to) {
        struct corr_stretch *next =
            i < first->len ? &g_array_index(first, struct corr_stretch, i) : NULL;

        if (next != NULL && next->from <= rest.from) {
            rest.from = MAX(rest.from, next->to);
            i++;
        } else {
            struct corr_stretch some = rest;

            if (next != NULL)
                some.to = MIN(some.to, next->from);
            rest.from = some.to;
            g_array_insert_val(first, i, some);
            i++;
        }
    }
}

static void moment_least(struct corr_moment *m, int64_t time_ns, uint32_t frame)
{
    if (m->frame == 0 || time_ns < m->time_ns || (time_ns == m->time_ns && frame < m->frame))
        *m = (struct corr_moment){time_ns, frame};
}

static int64_t position(const struct corr_station *s, unsigned dir, uint32_t seq, int64_t near)
{
    return near + (int32_t)(seq - s->shift[dir] - (uint32_t)near);
}

static int station_compare(const void *x, const void *y)
{
    const struct corr_station *a = x, *b = y;

    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    return a->conv < b->conv ? -1 : a->conv > b->conv;
}

static unsigned station_of(const struct corr_passing *p, uint32_t conv)
{
    unsigned i = 0;

    while (i < p->n && p->stations[i].conv != conv)
        i++;
    return i;
}

static void stations_list(struct corr_passing *p)
{
    const GArray *convs = corr_result_flow(p->r, p->flow)->convs;

    p->stations = g_new0(struct corr_station, convs->len + 1);
    p->n = convs->len;
    for (unsigned i = 0; i < convs->len; i++) {
        uint32_t conv = g_array_index(convs, struct corr_member, i).conv;

        p->stations[i].conv = conv;
        p->stations[i].point = corr_result_conv(p->r, conv)->point;
    }
    qsort(p->stations, p->n, sizeof *p->stations, station_compare);
    for (unsigned i = 0; i < p->n; i++)
        for (unsigned dir = 0; dir < 2; dir++)
            p->stations[i].first[dir] = g_array_new(FALSE, FALSE, sizeof(struct corr_stretch));
}

/* Position of an observation's first payload byte: where the first of its packets begins. */
static int64_t obs_begin(const struct corr_result *r, uint32_t obs)
{
    int64_t begin = INT64_MAX;

    for (uint32_t i = r->obs_first[obs]; i < r->obs_first[obs + 1]; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, r->obs_sightings[i]);

        begin = MIN(begin, corr_result_packet(r, s->packet)->from);
    }
    return begin;
}

static void sighting_add(struct corr_passing *p, const struct corr_packet *packet,
                         const struct corr_sighting *sighting, GArray *pieces)
{
    const struct corr_obs *obs = corr_result_obs(p->r, sighting);
    unsigned at = station_of(p, p->r->obs_conv[sighting->obs]);
    struct piece piece = {.s = {packet->from, packet->to, obs->time_ns, sighting->obs},
                          .station = at,
                          .dir = packet->dir & 1};
    struct corr_station *s;

    if (at == p->n || sighting->duplicate)
        return;
    s = &p->stations[at];
    s->seen[piece.dir] = true;
    if (packet->kind != CORR_KIND_TCP || !(obs->have & CORR_HAVE_TCP))
        return;
    if (packet->to > packet->from) {
        if (!s->has_shift[piece.dir]) {
            s->has_shift[piece.dir] = true;
            s->shift[piece.dir] = obs->seq - (uint32_t)obs_begin(p->r, sighting->obs);
        }
        g_array_append_val(pieces, piece);
    }
    if (obs->tcp_flags & CORR_TCP_SYN) {
        moment_least(&s->syn[piece.dir], obs->time_ns, obs->frame);
        p->syn_data |= piece.dir == 0 && obs->len > 0;
    }
    if (obs->tcp_flags & CORR_TCP_RST)
        moment_least(&s->rst[piece.dir], obs->time_ns, obs->frame);
}

/* What needs the shifts, or the handshake: its end, and the ends of both streams. */
static void sighting_place(struct corr_passing *p, const struct corr_packet *packet,
                           const struct corr_sighting *sighting)
{
    const struct corr_obs *obs = corr_result_obs(p->r, sighting);
    unsigned at = station_of(p, p->r->obs_conv[sighting->obs]), dir = packet->dir & 1;
    struct corr_station *s;

    if (at == p->n || !(obs->have & CORR_HAVE_TCP))
        return;
    s = &p->stations[at];
    if (dir == 0 && !(obs->tcp_flags & (CORR_TCP_SYN | CORR_TCP_RST)) && s->syn[1].frame != 0 &&
        obs->time_ns >= s->syn[1].time_ns)
        moment_least(&s->ack, obs->time_ns, obs->frame);
    if (obs->tcp_flags & CORR_TCP_FIN && s->has_shift[dir]) {
        int64_t near =
            s->first[dir]->len > 0
                ? g_array_index(s->first[dir], struct corr_stretch, s->first[dir]->len - 1).to
                : 0;

        if (s->fin[dir].frame == 0)
            s->fin_at[dir] = position(s, dir, obs->seq + obs->len, near);
        moment_least(&s->fin[dir], obs->time_ns, obs->frame);
    }
}

/*
 * The way: stations of which every pair has a known order, those first that are
 * known best.  One that saw one direction only cannot measure turns.
 */
static void way_find(struct corr_passing *p)
{
    g_autofree unsigned *known = g_new0(unsigned, p->n + 1);
    g_autofree bool *taken = g_new0(bool, p->n + 1);

    p->way = g_new0(unsigned, p->n + 1);
    if (p->n > 256)
        return; /* hostile */
#define COMPARE(i, k) corr_order_compare(p->r, p->flow, 0, p->stations[i].conv, p->stations[k].conv)
    for (unsigned i = 0; i < p->n; i++)
        for (unsigned k = 0; k < p->n; k++)
            known[i] += i != k && COMPARE(i, k) != 0;
    for (;;) {
        unsigned best = p->n, place = 0;
        bool fits = true;

        for (unsigned i = 0; i < p->n; i++) {
            const struct corr_station *s = &p->stations[i];

            if (!taken[i] && s->seen[0] && s->seen[1] && (best == p->n || known[i] > known[best]))
                best = i;
        }
        if (best == p->n)
            break;
        taken[best] = true;
        for (unsigned k = 0; k < p->n_way; k++) {
            int order = COMPARE(best, p->way[k]);

            fits &= order != 0;
            place += order > 0;
        }
        if (!fits)
            continue;
        memmove(&p->way[place + 1], &p->way[place], sizeof *p->way * (p->n_way - place));
        p->way[place] = best;
        p->n_way++;
    }
#undef COMPARE
}

struct corr_passing *corr_passing_new(const struct corr_result *r,
                                      const struct corr_flow_packets *by, uint32_t flow)
{
    struct corr_passing *p = g_new0(struct corr_passing, 1);
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));

    p->r = r;
    p->flow = flow;
    stations_list(p);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = by->start[flow]; i < by->start[flow + 1]; i++) {
            const struct corr_packet *packet = corr_result_packet(r, by->packets[i]);

            for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
                if (pass == 0)
                    sighting_add(p, packet, corr_result_sighting(r, s), pieces);
                else if (packet->kind == CORR_KIND_TCP)
                    sighting_place(p, packet, corr_result_sighting(r, s));
            }
        }
        if (pass == 0) {
            g_array_sort(pieces, piece_compare);
            for (unsigned i = 0; i < pieces->len; i++) {
                const struct piece *piece = &g_array_index(pieces, struct piece, i);

                piece_add(&p->stations[piece->station], piece);
            }
        }
    }
    g_array_unref(pieces);
    way_find(p);
    return p;
}

void corr_passing_free(struct corr_passing *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n; i++)
        for (unsigned dir = 0; dir < 2; dir++)
            g_array_unref(p->stations[i].first[dir]);
    g_free(p->stations);
    g_free(p->way);
    g_free(p);
}

static uint32_t frame_of(const struct corr_passing *p, const struct corr_stretch *s)
{
    return corr_store_obs(p->r->store, s->obs)->frame;
}

void corr_passing_byte(const struct corr_passing *p, unsigned dir, int64_t at,
                       struct corr_moment *out)
{
    for (unsigned i = 0; i < p->n; i++) {
        const struct corr_stretch *s = corr_station_find(&p->stations[i], dir, at);

        out[i] = s != NULL ? (struct corr_moment){s->time_ns, frame_of(p, s)}
                           : (struct corr_moment){0, 0};
    }
}

/* The last of [from, to) that the station saw to pass; returns how many it did not see. */
static int64_t last_of(const struct corr_passing *p, const struct corr_station *s, unsigned dir,
                       int64_t from, int64_t to, struct corr_moment *out)
{
    int64_t missing = to - from;

    *out = (struct corr_moment){0, 0};
    for (unsigned i = corr_station_from(s, dir, from); i < s->first[dir]->len; i++) {
        const struct corr_stretch *x = &g_array_index(s->first[dir], struct corr_stretch, i);

        if (x->from >= to)
            break;
        missing -= MIN(x->to, to) - MAX(x->from, from);
        if (out->frame == 0 || x->time_ns >= out->time_ns)
            *out = (struct corr_moment){x->time_ns, frame_of(p, x)};
    }
    return missing;
}

/* Whether bytes that `s` did not see were not the last ones to pass at `z`, which saw all. */
static bool gap_is_early(const struct corr_passing *p, const struct corr_station *s,
                         const struct corr_station *z, unsigned dir, int64_t from, int64_t to)
{
    struct corr_moment all, hole;
    int64_t at = from;

    last_of(p, z, dir, from, to, &all);
    for (unsigned i = corr_station_from(s, dir, from); at < to; i++) {
        const struct corr_stretch *x =
            i < s->first[dir]->len ? &g_array_index(s->first[dir], struct corr_stretch, i) : NULL;
        int64_t next = x != NULL ? MIN(x->from, to) : to;

        if (next > at) {
            last_of(p, z, dir, at, next, &hole);
            if (hole.time_ns >= all.time_ns)
                return false;
        }
        at = x != NULL ? x->to : to;
    }
    return true;
}

void corr_passing_range(const struct corr_passing *p, unsigned dir, int64_t from, int64_t to,
                        struct corr_moment *out)
{
    const struct corr_station *whole = NULL;
    bool holes = false;

    for (unsigned i = 0; i < p->n; i++) {
        if (last_of(p, &p->stations[i], dir, from, to, &out[i]) > 0)
            holes = true;
        else if (whole == NULL)
            whole = &p->stations[i];
    }
    for (unsigned i = 0; i < p->n && holes; i++) {
        struct corr_moment seen;

        if (last_of(p, &p->stations[i], dir, from, to, &seen) > 0 &&
            (whole == NULL || !gap_is_early(p, &p->stations[i], whole, dir, from, to)))
            out[i] = (struct corr_moment){0, 0};
    }
}

void corr_passing_packets(const struct corr_passing *p, const uint32_t *packets, unsigned n,
                          struct corr_moment *out)
{
    memset(out, 0, p->n * sizeof *out);
    for (unsigned i = 0; i < n; i++) {
        const struct corr_packet *packet = corr_result_packet(p->r, packets[i]);

        for (uint32_t k = packet->first; k < packet->first + packet->n; k++) {
            const struct corr_sighting *s = corr_result_sighting(p->r, k);
            const struct corr_obs *obs = corr_result_obs(p->r, s);
            unsigned at = station_of(p, p->r->obs_conv[s->obs]);

            if (at < p->n && !s->duplicate)
                moment_least(&out[at], obs->time_ns, obs->frame);
        }
    }
}

bool corr_station_acknowledged(const struct corr_passing *p, const struct corr_station *s,
                               uint32_t obs, unsigned dir, int64_t near, int64_t *at)
{
    const struct corr_obs *o = corr_store_obs(p->r->store, obs);

    if (!(o->have & CORR_HAVE_TCP) || !(o->tcp_flags & CORR_TCP_ACK) || !s->has_shift[!dir])
        return false;
    *at = position(s, !dir, o->ack, near);
    return true;
}

bool corr_passing_span(const struct corr_passing *p, unsigned dir, int64_t *from, int64_t *to)
{
    bool any = false;

    for (unsigned i = 0; i < p->n; i++) {
        const GArray *first = p->stations[i].first[dir];

        if (first->len == 0)
            continue;
        *from = any ? MIN(*from, g_array_index(first, struct corr_stretch, 0).from)
                    : g_array_index(first, struct corr_stretch, 0).from;
        *to = any ? MAX(*to, g_array_index(first, struct corr_stretch, first->len - 1).to)
                  : g_array_index(first, struct corr_stretch, first->len - 1).to;
        any = true;
    }
    return any;
}
