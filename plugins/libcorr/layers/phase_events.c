/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phase_events.c - what happened to TCP while a phase lasted, by the clock of the point that tells.
 */
#include "layers/phases.h"

/*
 * A retransmission counts once in each transaction that was under way when it
 * passed some point: at the first of them on its way.
 */
struct counting {
    struct corr_phases *phases;
    GArray *transactions; /* uint32_t: in which it was counted */
};

static void count_one(const struct corr_phase *phase, void *user)
{
    struct counting *counting = user;
    uint32_t i = (uint32_t)(phase - (const struct corr_phase *)counting->phases->phases->data);

    for (unsigned k = 0; k < counting->transactions->len; k++)
        if (g_array_index(counting->transactions, uint32_t, k) == phase->transaction)
            return;
    g_array_append_val(counting->transactions, phase->transaction);
    g_array_index(counting->phases->phases, struct corr_phase, i).retransmissions++;
}

void corr_phases_count_events(struct corr_phases *phases)
{
    const struct corr_result *r = phases->result;
    struct counting counting = {phases, g_array_new(FALSE, FALSE, sizeof(uint32_t))};

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(r, i);

        if (packet->original == CORR_NONE || packet->kind != CORR_KIND_TCP)
            continue;
        g_array_set_size(counting.transactions, 0);
        for (uint32_t k = packet->first; k < packet->first + packet->n; k++) {
            const struct corr_sighting *s = corr_result_sighting(r, k);

            if (!s->duplicate)
                corr_phases_during(phases, r->obs_conv[s->obs], corr_result_obs(r, s)->time_ns,
                                   count_one, &counting);
        }
    }
    g_array_unref(counting.transactions);
}
