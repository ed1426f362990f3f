/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk_turns.c - requests and responses of which only the bytes are known, by
 * who speaks when: what the client says is a request, what the server says
 * having got all of it is its response, until the client speaks again.
 *
 * That the server had got it all is proved by its acknowledgement, not by
 * time.  What it said before is no answer to this request.
 */
#include "layers/talk.h"

#include <stdlib.h>
#include <string.h>

/* Bytes in the order in which they pass the station that tells. */
struct unit {
    enum corr_side side;
    int64_t from, to;
    int64_t time_ns;
    uint32_t obs;
};

static int unit_compare(const void *x, const void *y)
{
    const struct unit *a = x, *b = y;

    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    if (a->obs != b->obs)
        return a->obs < b->obs ? -1 : 1;
    return a->from < b->from ? -1 : a->from > b->from;
}

static int left_out_compare(const void *x, const void *y)
{
    const struct corr_left_out *a = x, *b = y;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

/* The side's bytes from its base on, without what is left out (sorted). */
static void units_add(const struct corr_talk *talk, enum corr_side side,
                      const struct corr_left_out *left_out, unsigned n_left_out, GArray *units)
{
    const struct corr_station *station = &talk->p->stations[talk->ref];
    const GArray *first = station->first[corr_talk_dir(talk, side)];
    int64_t base = talk->base[side == CORR_CLIENT ? 0 : 1];
    unsigned k = 0;

    for (unsigned i = 0; i < first->len; i++) {
        const struct corr_stretch *s = &g_array_index(first, struct corr_stretch, i);
        int64_t at = MAX(s->from, base);

        while (at < s->to) {
            struct unit unit = {side, at, s->to, s->time_ns, s->obs};

            while (k < n_left_out && left_out[k].to <= at)
                k++;
            if (k < n_left_out && left_out[k].from <= at) {
                at = left_out[k].to;
                continue;
            }
            if (k < n_left_out)
                unit.to = MIN(unit.to, left_out[k].from);
            g_array_append_val(units, unit);
            at = unit.to;
        }
    }
}

struct turn {
    int64_t request_from, request_to, response_from, response_to;
    bool has_request, has_response;
};

static void turn_put_down(struct corr_talk *talk, enum corr_transaction_kind kind,
                          const struct turn *turn)
{
    struct corr_exchange e = {.request_from = turn->request_from,
                              .request_to = turn->request_to,
                              .response_from = turn->response_from,
                              .response_to = turn->response_to,
                              .has_response = true,
                              .response_after = INT64_MIN};

    /* Without an answer nobody knows whether one was asked for. */
    if (turn->has_request && turn->has_response)
        corr_talk_exchange(talk, corr_talk_begin(talk, kind), &e);
}

void corr_talk_turns_without(struct corr_talk *talk, enum corr_transaction_kind kind,
                             const struct corr_left_out *left_out, unsigned n)
{
    g_autoptr(GArray) units = g_array_new(FALSE, FALSE, sizeof(struct unit));
    const struct corr_station *station;
    struct turn turn = {0}, before = {0};

    if (talk->ref >= talk->p->n || !talk->has_base[0] || !talk->has_base[1])
        return;
    station = &talk->p->stations[talk->ref];
    for (enum corr_side side = CORR_SERVER; side <= CORR_CLIENT; side++) {
        g_autoptr(GArray) mine = g_array_new(FALSE, FALSE, sizeof(struct corr_left_out));

        for (unsigned i = 0; i < n; i++)
            if (left_out[i].side == side && left_out[i].from < left_out[i].to)
                g_array_append_val(mine, left_out[i]);
        g_array_sort(mine, left_out_compare);
        units_add(talk, side, (const struct corr_left_out *)mine->data, mine->len, units);
    }
    g_array_sort(units, unit_compare);
    for (unsigned i = 0; i < units->len; i++) {
        const struct unit *unit = &g_array_index(units, struct unit, i);
        int64_t had;

        if (unit->side == CORR_CLIENT) {
            if (turn.has_response) {
                turn_put_down(talk, kind, &before);
                before = turn;
                turn = (struct turn){0};
            }
            turn.request_from = turn.has_request ? MIN(turn.request_from, unit->from) : unit->from;
            turn.request_to = turn.has_request ? MAX(turn.request_to, unit->to) : unit->to;
            turn.has_request = true;
        } else if (turn.has_request &&
                   corr_station_acknowledged(talk->p, station, unit->obs,
                                             corr_talk_dir(talk, CORR_SERVER), turn.request_to,
                                             &had) &&
                   had >= turn.request_to) {
            turn.response_from =
                turn.has_response ? MIN(turn.response_from, unit->from) : unit->from;
            turn.response_to = turn.has_response ? MAX(turn.response_to, unit->to) : unit->to;
            turn.has_response = true;
        } else if (before.has_response) {
            /* Sent before the new request had come: still the answer to the one before. */
            before.response_to = MAX(before.response_to, unit->to);
        }
    }
    turn_put_down(talk, kind, &before);
    turn_put_down(talk, kind, &turn);
}

void corr_talk_turns(struct corr_talk *talk, enum corr_transaction_kind kind)
{
    corr_talk_turns_without(talk, kind, NULL, 0);
}
