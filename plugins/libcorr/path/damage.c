/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames with wrong checksums: was the packet damaged on its way, or only in the capture?
 *
 * A packet that arrives damaged counts as lost where the damage was done (RFC 7680, section
 * 2.6).  What is whole again further on, or is acknowledged although no other copy arrived,
 * was not damaged: the capture shows it so.  A capture that does that once does it again,
 * and then a wrong checksum proves nothing more.
 */
#include "path/order.h"
#include "path/verdict.h"

#define WRONG (CORR_HAVE_BAD_SUM | CORR_HAVE_BAD_IP)
/* With so many wrong checksums, one in so many, they are the way of the capture: somebody made the
 * addresses unknown, or left checksums to a network card. */
#define USUAL_SHARE 2u

/* The sighting from which on all later ones are damaged; CORR_NONE. */
static uint32_t first_damaged(const struct corr_judge *j, const struct corr_packet *packet)
{
    uint32_t damaged = CORR_NONE;

    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        const struct corr_sighting *sighting = corr_result_sighting(j->result, s);

        if (sighting->duplicate)
            continue;
        if (!sighting->corrupt)
            damaged = CORR_NONE;
        else if (damaged == CORR_NONE)
            damaged = s;
    }
    return damaged;
}

/* Does a point further on show the same damage? */
static bool shown_again(const struct corr_judge *j, const struct corr_packet *packet, uint32_t s)
{
    const struct corr_obs *at = corr_result_obs(j->result, corr_result_sighting(j->result, s));

    for (uint32_t i = s + 1; i < packet->first + packet->n; i++) {
        const struct corr_sighting *later = corr_result_sighting(j->result, i);
        const struct corr_obs *obs = corr_result_obs(j->result, later);

        if (!later->duplicate && later->corrupt && obs->have & at->have & CORR_HAVE_DFULL &&
            obs->dfull == at->dfull)
            return true;
    }
    return false;
}

/* Did the packet arrive whole, whatever this sighting shows? */
static bool is_harmless(const struct corr_judge *j, uint32_t index, uint32_t s)
{
    const struct corr_packet *packet = corr_result_packet(j->result, index);
    const struct corr_sighting *sighting = corr_result_sighting(j->result, s);
    uint32_t conv = j->result->obs_conv[sighting->obs];

    for (uint32_t i = s + 1; i < packet->first + packet->n; i++)
        if (!corr_result_sighting(j->result, i)->duplicate &&
            !corr_result_sighting(j->result, i)->corrupt)
            return true;
    return corr_judge_acked_from(j, index, conv) &&
           !corr_judge_others(j, index, sighting->obs, conv).delivered;
}

void corr_damage_learn(struct corr_judge *j)
{
    uint32_t points = j->work->store->points->len;
    g_autofree uint32_t *wrong = g_new0(uint32_t, points + 1), *all = g_new0(uint32_t, points + 1);

    j->damages = g_new0(bool, points + 1);
    j->wrong_tells = g_new0(bool, points + 1);
    for (uint32_t i = 0; i < j->work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(j->work->store, i);

        all[obs->point]++;
        wrong[obs->point] += (obs->have & WRONG) != 0;
    }
    for (uint32_t p = 0; p < points; p++)
        j->wrong_tells[p] = wrong[p] * USUAL_SHARE < all[p];
    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, i);

        for (uint32_t s = packet->first; packet->ordered && s < packet->first + packet->n; s++) {
            const struct corr_sighting *sighting = corr_result_sighting(j->result, s);

            if (sighting->corrupt && !sighting->duplicate && is_harmless(j, i, s))
                j->damages[corr_sighting_point(j->result, sighting)] = true;
        }
    }
}

/* A frame that fits nothing, and whose checksum is wrong or whose TCP header is cut: which packet
 * it shows nobody knows. */
static bool unrecognised(const struct corr_judge *j, const struct corr_packet *packet,
                         const struct corr_obs *at)
{
    bool cut = at->kind == CORR_KIND_TCP &&
               (at->have & (CORR_HAVE_SEQ | CORR_HAVE_LEN)) != (CORR_HAVE_SEQ | CORR_HAVE_LEN);

    return packet->n == 1 && (cut || (at->have & WRONG && j->wrong_tells[at->point]));
}

bool corr_damage_judge(struct corr_judge *j, struct corr_packet *packet, uint32_t index)
{
    uint32_t damaged = first_damaged(j, packet), prev, from, frame;
    const struct corr_obs *at =
        corr_result_obs(j->result, corr_result_sighting(j->result, packet->first));

    if (unrecognised(j, packet, at)) {
        corr_verdict_undetermine(packet, packet->first, at->point,
                                 "damaged or cut, not recognised at");
        return true;
    }
    if (damaged == CORR_NONE || !packet->ordered)
        return false;
    prev = corr_result_sighting(j->result, damaged)->prev;
    if (prev == CORR_NONE)
        return false;
    at = corr_result_obs(j->result, corr_result_sighting(j->result, damaged));
    from = corr_result_sighting(j->result, prev)->obs;
    if (is_harmless(j, index, damaged))
        return true;
    if (j->damages[at->point] && !shown_again(j, packet, damaged) &&
        corr_receipt_find(j, index, from,
                          j->result->obs_conv[corr_result_sighting(j->result, damaged)->obs],
                          &frame) != CORR_RECEIPT_LACKED) {
        corr_verdict_undetermine(packet, damaged, at->point, "damaged in the capture, perhaps, at");
        return true;
    }
    corr_verdict_lose(packet, CORR_FATE_CONFIRMED, prev, at->point, at->frame);
    packet->cause = CORR_CAUSE_CORRUPTION;
    return true;
}
