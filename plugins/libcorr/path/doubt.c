/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second thoughts: a point whose capture misses packets cannot prove that one did not pass.
 *
 * How many of the losses before it are none, or lie behind it?  Where the capture is known to
 * miss a share r of what passes, it also missed a share r of the packets that were lost
 * behind it, and these look as if they had been lost before it.  Where no point follows, it
 * is a share r of all packets, unless their receivers or senders tell more.  If such errors
 * are too many for what is said, less is said.
 */
#include <math.h>

#include "path/verdict.h"
#include "store/hash.h"

/* So many packets missed by a point around a moment, and one in so many, make it deaf then. */
#define BURST_MIN 3u
#define BURST_SHARE 2u
#define BURST_NS INT64_C(100000000)
/* A share that was missed around a moment, if it was more than one packet. */
#define MOMENT_NS INT64_C(500000000)
/* A point that showed nothing for so long, while so many packets should have come: an outage,
 * unless one of these is proved to be lost. */
#define SILENCE_NS INT64_C(100000000)
#define SILENCE_GAPS 5
#define SILENCE_LOST 3u
/* Packets of a blocked flow that are asked whether they were sent in silence. */
#define TRIES_MAX 64u
/* Errors that may be among what is called confirmed, or probable: for each such loss, and in all.
 */
#define CONFIRMED_ERRORS 0.001
#define CONFIRMED_IN_ALL 0.03
#define PROBABLE_ERRORS 0.01
#define PROBABLE_IN_ALL 0.1

/* So many packets of a flow come from one point before one that does not was missed there. */
#define HEADS 3u
/* In the place of the first point of a pair. */
#define ANY UINT32_MAX

/* What is known of packets from one point to the next. */
struct pair {
    double passes, provable; /* of which one would know, had the point missed them */
    double missed;
    double lost, lost_behind;  /* before the second point; behind it */
    double behind;             /* seen further on, too */
    double segments, needless; /* that arrived, and those of them that were sent again */
};

static GHashTable *pairs_new(void)
{
    return g_hash_table_new_full(NULL, NULL, NULL, g_free);
}

static struct pair *pair_of(GHashTable *pairs, uint32_t p, uint32_t q)
{
    gpointer key = GSIZE_TO_POINTER(corr_hash_mix(p + 1, q));
    struct pair *pair = g_hash_table_lookup(pairs, key);

    if (pair == NULL) {
        pair = g_new0(struct pair, 1);
        g_hash_table_insert(pairs, key, pair);
    }
    return pair;
}

/* What q missed of all that should have gone from p to q, or come from q to p. */
static uint32_t missed_around(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns,
                              int64_t around_ns, uint32_t *due)
{
    int64_t from = t_ns - around_ns, to = t_ns + around_ns;
    uint32_t heads = corr_passes_count(j->heads, p, q, from, to);

    *due = corr_passes_count(j->expect->dues, p, q, from, to) + heads;
    return corr_passes_count(j->misses, p, q, from, to) + heads;
}

bool corr_doubt_deaf(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns)
{
    uint32_t due, missed = missed_around(j, p, q, t_ns, BURST_NS, &due);

    return missed >= BURST_MIN && missed * BURST_SHARE >= due;
}

/* Packets whose bytes were sent again. */
static bool *repeated_find(const struct corr_judge *j)
{
    bool *repeated = g_new0(bool, j->result->packets->len + 1);

    for (uint32_t i = 0; i < j->result->packets->len; i++)
        if (corr_result_packet(j->result, i)->original != CORR_NONE)
            repeated[corr_result_packet(j->result, i)->original] = true;
    return repeated;
}

/* Does another sighting follow this one on the packet's way? */
static bool goes_on(const struct corr_judge *j, const struct corr_packet *packet, uint32_t s)
{
    for (uint32_t i = packet->first; i < packet->first + packet->n; i++)
        if (corr_result_sighting(j->result, i)->prev == s)
            return true;
    return false;
}

/* Where the packets of a local flow and direction come from. */
struct origin {
    uint32_t from; /* station; CORR_NONE: several */
    uint32_t n;
};

/*
 * A packet that its flow's first point does not show, though it shows all others, was missed
 * there.  That is not told of the packet, since somebody may have made it on the way; but
 * many such packets tell something of the point.
 */
void corr_doubt_heads(struct corr_judge *j)
{
    g_autofree struct origin *origins = g_new0(struct origin, 2 * (size_t)j->result->n_convs + 2);

    for (uint32_t i = 0; i < j->result->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(j->result, i);
        struct origin *o =
            &origins[j->result->obs_conv[s->obs] * 2 + corr_result_obs(j->result, s)->dir];
        uint32_t from;

        if (s->prev == CORR_NONE || s->duplicate)
            continue;
        from = j->result->obs_conv[corr_result_sighting(j->result, s->prev)->obs];
        o->from = o->n == 0 || o->from == from ? from : CORR_NONE;
        o->n++;
    }
    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, i);
        uint32_t first = corr_result_sighting(j->result, packet->first)->obs, q;
        const struct corr_obs *obs = corr_store_obs(j->work->store, first);
        const struct origin *o = &origins[j->result->obs_conv[first] * 2 + obs->dir];

        if (packet->flow == CORR_NONE || packet->ambiguous || !packet->ordered || o->n < HEADS ||
            o->from == CORR_NONE)
            continue;
        q = corr_result_conv(j->result, o->from)->point;
        if (q != obs->point) {
            struct corr_pass head = {obs->point, q, obs->time_ns, 0};

            g_array_append_val(j->heads, head);
        }
    }
    corr_passes_sort(j->heads);
}

static void sightings_count(const struct corr_judge *j, GHashTable *pairs)
{
    g_autofree bool *repeated = repeated_find(j);

    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, i);
        bool segment = packet->kind == CORR_KIND_TCP && j->carried_of[i] != CORR_NONE;
        bool lost = packet->fate == CORR_FATE_CONFIRMED || packet->fate == CORR_FATE_PROBABLE;

        for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
            const struct corr_sighting *here = corr_result_sighting(j->result, s);
            uint32_t q = corr_sighting_point(j->result, here);
            bool behind = goes_on(j, packet, s);
            bool provable = behind || segment || packet->kind == CORR_KIND_ECHO;
            struct pair *pair;

            if (lost && s == packet->drop_after && packet->drop_before != CORR_NONE)
                pair_of(pairs, q, packet->drop_before)->lost++;
            if (here->prev == CORR_NONE && behind)
                pair_of(pairs, ANY, q)->provable++;
            if (here->prev == CORR_NONE || here->duplicate)
                continue;
            pair = pair_of(
                pairs, corr_sighting_point(j->result, corr_result_sighting(j->result, here->prev)),
                q);
            pair->passes++;
            pair->behind += behind;
            pair->provable += provable;
            pair_of(pairs, ANY, q)->provable += provable;
            pair->lost_behind += lost && s == packet->drop_after;
            pair->segments += segment;
            pair->needless += segment && repeated[i] && !lost;
        }
    }
    for (uint32_t i = 0; i < j->heads->len; i++) {
        const struct corr_pass *head = &g_array_index(j->heads, struct corr_pass, i);

        if (corr_ends_was_looking(j, head->q, head->p, head->t_ns))
            pair_of(pairs, ANY, head->q)->missed++;
    }
    for (uint32_t i = 0; i < j->misses->len; i++) {
        const struct corr_pass *miss = &g_array_index(j->misses, struct corr_pass, i);

        pair_of(pairs, miss->p, miss->q)->missed++;
        pair_of(pairs, ANY, miss->q)->missed++;
    }
}

/* The share that the point misses, also around the moment. */
static double share_missed(const struct corr_judge *j, GHashTable *pairs, uint32_t p, uint32_t q,
                           int64_t t_ns)
{
    const struct pair *pair = pair_of(pairs, p, q), *any = pair_of(pairs, ANY, q);
    double share = MAX(pair->missed / MAX(pair->missed + pair->provable, 1),
                       any->missed / MAX(any->missed + any->provable, 1));
    uint32_t due, near = missed_around(j, p, q, t_ns, MOMENT_NS, &due);

    if (near > 1)
        share = MAX(share, (double)near / MAX(due, near));
    return MIN(share, 1);
}

/* How many of the losses between two points, of those with this proof, are errors? */
static double errors_expected(const struct pair *pair, double share, uint8_t proof)
{
    double passed = MAX(pair->passes, 1);
    /* Arrived and not lost, but not seen any further: at the last point, all. */
    double unseen = MAX(0, passed - pair->behind - pair->lost_behind);
    double errors = share * (pair->lost_behind + 0.5);

    if (proof == CORR_PROOF_NONE)
        errors += share * unseen;
    else if (proof == CORR_PROOF_AGAIN)
        errors += share * unseen * (pair->needless + 0.1) / MAX(pair->segments, 1);
    return errors;
}

/* When a packet that left p at t would have been at q, as others were. */
static int64_t due_at(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns)
{
    const struct corr_pass *before, *after;

    corr_expect_around(j->expect, p, q, t_ns, &before, &after);
    return t_ns + (before != NULL ? before->d_ns : after != NULL ? after->d_ns : 0);
}

/* Several were lost while the point showed nothing at all, and none of these losses is proved. */
static bool in_silence(const struct corr_judge *j, uint32_t p, uint32_t q, int64_t t_ns)
{
    int64_t d_ns = due_at(j, p, q, t_ns) - t_ns, from, to;

    return corr_expect_silence(j->expect, q, t_ns + d_ns, &from, &to) &&
           to - from >= MAX(SILENCE_NS, SILENCE_GAPS * j->expect->gap_ns[q]) &&
           corr_passes_count(j->unproved, p, q, from - d_ns, to - d_ns) >= SILENCE_LOST &&
           corr_passes_count(j->proved, p, q, from - d_ns, to - d_ns) == 0;
}

/* Were all packets of a blocked flow sent in silence? */
static bool all_in_silence(const struct corr_judge *j, const struct corr_packet *packet, uint32_t p)
{
    uint32_t first = corr_result_sighting(j->result, packet->drop_after)->obs;
    uint32_t conv = j->result->obs_conv[first];
    unsigned dir = corr_store_obs(j->work->store, first)->dir;

    for (uint32_t i = j->expect->run[conv][dir], n = 0; i < j->expect->stands->len; i++) {
        const struct corr_stand *s = &g_array_index(j->expect->stands, struct corr_stand, i);

        if (s->conv != conv || s->dir != dir || n++ == TRIES_MAX)
            break;
        if (!in_silence(j, p, packet->drop_before, corr_store_obs(j->work->store, s->obs)->time_ns))
            return false;
    }
    return true;
}

static void losses_collect(struct corr_judge *j)
{
    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, i);
        struct corr_pass loss;

        if (!corr_fate_is_drop(packet->fate) || packet->drop_before == CORR_NONE)
            continue;
        loss = (struct corr_pass){
            .p =
                corr_sighting_point(j->result, corr_result_sighting(j->result, packet->drop_after)),
            .q = packet->drop_before,
            .t_ns = corr_result_obs(j->result, corr_result_sighting(j->result, packet->drop_after))
                        ->time_ns};
        g_array_append_val(packet->fate == CORR_FATE_CONFIRMED ? j->proved : j->unproved, loss);
    }
    corr_passes_sort(j->proved);
    corr_passes_sort(j->unproved);
}

static void packet_doubt(struct corr_judge *j, GHashTable *pairs, uint32_t index)
{
    struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, index);
    const struct corr_obs *at;
    const struct pair *pair;
    double share, errors, all;
    uint32_t q = packet->drop_before;

    if (!corr_fate_is_drop(packet->fate) || q == CORR_NONE ||
        packet->cause == CORR_CAUSE_CORRUPTION)
        return;
    at = corr_result_obs(j->result, corr_result_sighting(j->result, packet->drop_after));
    if (packet->fate == CORR_FATE_PROBABLE && corr_doubt_deaf(j, at->point, q, at->time_ns)) {
        corr_verdict_undetermine(packet, packet->drop_after, q, "capture loss burst at");
        return;
    }
    if (packet->fate == CORR_FATE_BLOCKED && all_in_silence(j, packet, at->point)) {
        corr_verdict_undetermine(packet, packet->drop_after, q, "outage at");
        return;
    }
    pair = pair_of(pairs, at->point, q);
    share = share_missed(j, pairs, at->point, q, at->time_ns);
    if (share <= 0)
        return;
    if (packet->fate == CORR_FATE_BLOCKED) {
        errors = all = pow(share, corr_verdict_tries(j, packet));
    } else {
        all = errors_expected(pair, share, j->proof[index]);
        errors = all / MAX(pair->lost, 1);
    }
    if (errors > PROBABLE_ERRORS || all > PROBABLE_IN_ALL)
        corr_verdict_undetermine(packet, packet->drop_after, q, "capture loss at");
    else if (packet->fate == CORR_FATE_CONFIRMED &&
             (errors > CONFIRMED_ERRORS || all > CONFIRMED_IN_ALL))
        packet->fate = CORR_FATE_PROBABLE;
}

void corr_doubts_raise(struct corr_judge *j)
{
    GHashTable *pairs;

    j->proved = g_array_new(FALSE, FALSE, sizeof(struct corr_pass));
    j->unproved = g_array_new(FALSE, FALSE, sizeof(struct corr_pass));
    losses_collect(j);
    pairs = pairs_new();
    sightings_count(j, pairs);
    for (uint32_t i = 0; i < j->result->packets->len; i++)
        packet_doubt(j, pairs, i);
    g_hash_table_destroy(pairs);
    g_array_unref(j->proved);
    g_array_unref(j->unproved);
}
