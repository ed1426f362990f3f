/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a TCP receiver says of a packet that was sent again: acknowledgements that came from
 * it before the copy could have reached it, and blocks that name what it has (RFC 2018) or
 * had twice (RFC 2883).
 */
#include "path/judge.h"
#include "path/order.h"

/* Acknowledgements before and after the copy that are asked. */
#define ACKS_MAX 64u
/* So many equal acknowledgements behind the first one mean a hole (RFC 5681). */
#define DUPLICATES 3u
/* With fewer blocks than an ACK with time stamps has room for, all of them are there. */
#define BLOCKS_ALL 3u

/* The bytes in question, as the flow's first member numbers them. */
struct bytes {
    uint32_t from, to;
};

static bool at_or_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) >= 0;
}

/* What the blocks of one acknowledgement say: the bytes are covered, or what lies behind is. */
static void blocks_read(const struct corr_judge *j, uint32_t obs_index, struct bytes b,
                        bool *covered, bool *behind, unsigned *n)
{
    const struct corr_options *options = corr_store_options(j->work->store, obs_index);
    const struct corr_obs *obs = corr_store_obs(j->work->store, obs_index);
    uint32_t conv = j->result->obs_conv[obs_index];

    *covered = *behind = false;
    *n = options == NULL ? 0 : options->n_sack;
    for (unsigned i = 0; i < *n; i++) {
        uint32_t left = corr_work_place(j->work, conv, !obs->dir, options->sack[i].left);
        uint32_t right = corr_work_place(j->work, conv, !obs->dir, options->sack[i].right);

        *covered |= at_or_after(b.from, left) && at_or_after(right, b.to);
        *behind |= at_or_after(left, b.to);
    }
}

/* The first frame that shows later bytes of this packet at a station; how many do. */
static uint32_t copy_at(const struct corr_judge *j, uint32_t packet, uint32_t conv, uint32_t after,
                        unsigned *copies)
{
    uint32_t first = CORR_NONE, place = j->carried_of[packet], i;
    const struct corr_carried *me = &j->carried[place], *other;
    unsigned looked = 0;

    *copies = 0;
    i = corr_judge_overlaps(j, me);
    while (looked++ < 4096 && corr_judge_overlap_next(j, me, &i, &other)) {
        uint32_t obs = corr_judge_obs_at(j, corr_result_packet(j->result, other->packet), conv);

        if (obs == CORR_NONE || (after != CORR_NONE && obs <= after))
            continue;
        ++*copies;
        first = MIN(first, obs);
    }
    return first;
}

/* The last stand of a run before an observation; the run's first less one if there is none. */
static uint32_t stand_before(const struct corr_judge *j, uint32_t run, uint32_t obs)
{
    const struct corr_stand *first = &g_array_index(j->expect->stands, struct corr_stand, run);
    uint32_t lo = run, hi = j->expect->stands->len;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct corr_stand *s = &g_array_index(j->expect->stands, struct corr_stand, mid);

        if (s->conv == first->conv && s->dir == first->dir && s->obs < obs)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo - 1;
}

static bool in_run(const struct corr_judge *j, uint32_t i, uint32_t conv, unsigned dir)
{
    const struct corr_stand *s;

    if (i >= j->expect->stands->len)
        return false;
    s = &g_array_index(j->expect->stands, struct corr_stand, i);
    return s->conv == conv && s->dir == dir;
}

static const struct corr_obs *ack_at(const struct corr_judge *j, uint32_t i, uint32_t *index)
{
    const struct corr_obs *obs;

    *index = g_array_index(j->expect->stands, struct corr_stand, i).obs;
    obs = corr_store_obs(j->work->store, *index);
    return obs->have & CORR_HAVE_TCP && obs->tcp_flags & CORR_TCP_ACK ? obs : NULL;
}

/* What came back at one station before the copy was there. */
static enum corr_receipt before_copy(const struct corr_judge *j, uint32_t run, uint32_t conv,
                                     unsigned dir, uint32_t copy, struct bytes b, uint32_t *frame)
{
    unsigned duplicates = 0;
    uint32_t at = stand_before(j, run, copy);

    for (unsigned steps = 0; steps < ACKS_MAX && at != CORR_NONE && in_run(j, at, conv, dir);
         steps++, at--) {
        uint32_t index, ack;
        const struct corr_obs *obs = ack_at(j, at, &index);
        bool covered, behind;
        unsigned n;

        if (obs == NULL)
            continue;
        ack = corr_work_ack(j->work, index);
        blocks_read(j, index, b, &covered, &behind, &n);
        if (at_or_after(ack, b.to) || covered)
            return CORR_RECEIPT_ARRIVED;
        duplicates = ack == b.from && obs->len == 0 ? duplicates + 1 : 0;
        if (duplicates > DUPLICATES || (behind && (ack == b.from || n < BLOCKS_ALL))) {
            *frame = obs->frame;
            return CORR_RECEIPT_LACKED;
        }
    }
    return CORR_RECEIPT_UNKNOWN;
}

/* Does the receiver say, once the only copy was there, that it had these bytes before? */
static bool had_twice(const struct corr_judge *j, uint32_t run, uint32_t conv, unsigned dir,
                      uint32_t copy, struct bytes b)
{
    uint32_t at = stand_before(j, run, copy) + 1;

    for (unsigned steps = 0; steps < ACKS_MAX && in_run(j, at, conv, dir); steps++, at++) {
        uint32_t index;
        const struct corr_obs *obs = ack_at(j, at, &index);
        const struct corr_options *options =
            obs == NULL ? NULL : corr_store_options(j->work->store, index);
        uint32_t left, right;

        if (options == NULL || options->n_sack == 0)
            continue;
        left = corr_work_place(j->work, conv, dir ^ 1, options->sack[0].left);
        right = corr_work_place(j->work, conv, dir ^ 1, options->sack[0].right);
        if (at_or_after(b.from, left) && at_or_after(right, b.to) &&
            at_or_after(corr_work_ack(j->work, index), right))
            return true;
    }
    return false;
}

enum corr_receipt corr_receipt_find(const struct corr_judge *j, uint32_t packet, uint32_t at_obs,
                                    uint32_t next_conv, uint32_t *frame)
{
    const struct corr_packet *p = corr_result_packet(j->result, packet);
    const struct corr_flow *flow = corr_result_flow(j->result, p->flow);
    uint32_t place = j->carried_of[packet], here = j->result->obs_conv[at_obs];
    enum corr_receipt found = CORR_RECEIPT_UNKNOWN;
    struct bytes b;

    if (place == CORR_NONE)
        return found;
    b = (struct bytes){(uint32_t)j->carried[place].from, (uint32_t)j->carried[place].to};
    for (uint32_t m = 0; m < flow->convs->len; m++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);
        uint32_t conv = member->conv;
        unsigned back = !(p->dir ^ member->flip), copies;
        uint32_t run = j->expect->run[conv][back], copy, said_in = 0;
        bool beyond = conv == next_conv ||
                      corr_order_compare(j->result, p->flow, p->dir, next_conv, conv) < 0;
        enum corr_receipt said;

        if (run == CORR_NONE || (!beyond && conv != here))
            continue;
        copy = copy_at(j, packet, conv, conv == here ? at_obs : CORR_NONE, &copies);
        if (copy == CORR_NONE)
            continue;
        said = before_copy(j, run, conv, back, copy, b, &said_in);
        /* What is acknowledged here may be so by a gateway before the gap. */
        if (beyond && (said == CORR_RECEIPT_ARRIVED ||
                       (copies == 1 && had_twice(j, run, conv, back, copy, b))))
            return CORR_RECEIPT_ARRIVED;
        if (said == CORR_RECEIPT_LACKED) {
            found = said;
            *frame = said_in;
        }
    }
    return found;
}
