/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cable modems and radio links thin out acknowledgements: of several in a queue only the
 * last one is sent on, as it says all that the others said (RFC 3449, section 5.2).  Nothing
 * is lost by that.  A link that loses packets takes others, too, or takes them as chance
 * will have it.
 */
#include "path/verdict.h"

/* So many missing acknowledgements of a flow, and one in so many. */
#define THINNED_MIN 16u
#define THINNED_SHARE 5u
/* The later acknowledgement is there so soon, for nearly all. */
#define SUPERSEDED_NS INT64_C(100000000)
#define SUPERSEDED 0.98
/* So many other packets passed the place, and hardly any was lost: that is no chance, either. */
#define OTHERS_MIN 50u
#define OTHERS_LOST 20u

/* Turns between missing and passing ones, more than chance makes by so many standard deviations. */
#define REGULAR 2.5

/* The acknowledgements of one flow and direction. */
struct acks {
    uint32_t n, missing, superseded, turns;
    uint32_t others, others_lost; /* what else the flow sent this way */
};

/* Nothing but an acknowledgement; one with blocks tells more than later ones do. */
static bool is_bare(const struct corr_judge *j, const struct corr_obs *obs, uint32_t index)
{
    const struct corr_options *options = corr_store_options(j->work->store, index);

    return obs->kind == CORR_KIND_TCP && obs->len == 0 && obs->have & CORR_HAVE_TCP &&
           (obs->tcp_flags & ~CORR_TCP_PSH) == CORR_TCP_ACK &&
           (options == NULL || options->n_sack == 0);
}

static const struct corr_stand *stand_at(const struct corr_judge *j, uint32_t i)
{
    return &g_array_index(j->expect->stands, struct corr_stand, i);
}

static bool is_lost_here(const struct corr_judge *j, const struct corr_stand *s)
{
    const struct corr_packet *packet = corr_result_packet(j->result, s->packet);

    return packet->drop_after == s->sighting && corr_fate_is_drop(packet->fate) &&
           packet->drop_before != CORR_NONE;
}

static bool is_thinned(const struct corr_judge *j, const struct corr_stand *s)
{
    return is_lost_here(j, s) &&
           corr_result_packet(j->result, s->packet)->fate == CORR_FATE_PROBABLE &&
           is_bare(j, corr_store_obs(j->work->store, s->obs), s->obs);
}

/* Did a later one pass soon that acknowledges more? */
static bool is_superseded(const struct corr_judge *j, const struct corr_stand *s)
{
    const struct corr_obs *obs = corr_store_obs(j->work->store, s->obs), *later;

    if (s->after == CORR_NONE)
        return false;
    later = corr_store_obs(j->work->store, stand_at(j, s->after)->obs);
    return later->have & CORR_HAVE_TCP && later->tcp_flags & CORR_TCP_ACK &&
           (int32_t)(later->ack - obs->ack) > 0 && later->time_ns - obs->time_ns <= SUPERSEDED_NS;
}

static struct acks acks_count(const struct corr_judge *j, uint32_t first, uint32_t end)
{
    struct acks acks = {0};
    bool was_missing = false;

    for (uint32_t i = first; i < end; i++) {
        const struct corr_stand *s = stand_at(j, i);
        bool missing;

        if (!is_bare(j, corr_store_obs(j->work->store, s->obs), s->obs)) {
            acks.others++;
            acks.others_lost += is_lost_here(j, s);
            continue;
        }
        missing = is_thinned(j, s);
        acks.turns += acks.n > 0 && missing != was_missing;
        acks.n++;
        acks.missing += missing;
        acks.superseded += missing && is_superseded(j, s);
        was_missing = missing;
    }
    return acks;
}

static bool is_thinning(const struct acks *acks)
{
    if (acks->missing < THINNED_MIN || acks->missing * THINNED_SHARE < acks->n ||
        acks->superseded < SUPERSEDED * acks->missing ||
        acks->others_lost * OTHERS_LOST > acks->others)
        return false;
    return acks->others >= OTHERS_MIN ||
           corr_skips_regular(acks->turns, acks->n - 1, (double)acks->missing / acks->n, REGULAR);
}

void corr_thinned_find(struct corr_judge *j)
{
    for (uint32_t i = 0, end; i < j->expect->stands->len; i = end) {
        const struct corr_stand *first = stand_at(j, i);
        struct acks acks;

        for (end = i + 1; end < j->expect->stands->len; end++)
            if (stand_at(j, end)->conv != first->conv || stand_at(j, end)->dir != first->dir)
                break;
        if (corr_store_obs(j->work->store, first->obs)->kind != CORR_KIND_TCP)
            continue;
        acks = acks_count(j, i, end);
        for (uint32_t k = i; k < end && is_thinning(&acks); k++) {
            const struct corr_stand *s = stand_at(j, k);
            struct corr_packet *packet =
                &g_array_index(j->result->packets, struct corr_packet, s->packet);

            if (is_thinned(j, s) && is_superseded(j, s))
                corr_verdict_undetermine(packet, packet->drop_after, packet->drop_before,
                                         CORR_THINNED);
        }
    }
}
