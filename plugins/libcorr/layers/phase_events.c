/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phase_events.c - what happened to TCP while a phase lasted, by the clock of the point that tells.
 */
#include "layers/layers.h"
#include "layers/phases.h"
#include "layers/tcp.h"

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

static void retransmissions_count(struct corr_phases *phases)
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
        /* Lost where its message had passed already: it belongs to the message. */
        if (counting.transactions->len == 0 && corr_fate_is_drop(packet->fate))
            corr_phases_at(phases, corr_result_sighting(r, packet->first)->obs, count_one,
                           &counting);
    }
    g_array_unref(counting.transactions);
}

/*
 * At its sender a message has passed when its last byte has, but repeating what
 * was lost on the way is part of it: up to what was sent again, and came to the
 * point that measures the phase before its end there.
 */
static int64_t repeated_until(const struct corr_phases *phases, const struct corr_phase *phase,
                              const struct corr_tcp_incident *incident, uint32_t sender,
                              int64_t to_ns)
{
    const struct corr_result *r = phases->result;
    const struct corr_packet *packet = corr_result_packet(r, incident->packet);
    const struct corr_phase_bytes *bytes = &phase->bytes[packet->dir & 1];
    int64_t sent_ns = INT64_MIN;
    bool came = false;

    if (packet->from >= bytes->to || packet->to <= bytes->from)
        return to_ns;
    for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        int64_t time_ns = corr_result_obs(r, s)->time_ns;

        if (r->obs_conv[s->obs] == phase->conv)
            came = time_ns <= phase->begin_ns + phase->duration_ns;
        if (r->obs_conv[s->obs] == sender)
            sent_ns = time_ns;
    }
    return came ? MAX(to_ns, sent_ns) : to_ns;
}

static void note_other(const struct corr_phase *phase, void *user)
{
    uint32_t *transactions = user; /* the phase's own, and whether there are others */

    if (phase->transaction != transactions[0])
        transactions[1] = 1;
}

static void stall_add(struct corr_phases *phases, struct corr_phase *phase,
                      const struct corr_tcp_stall *stall, int64_t from_ns, int64_t to_ns)
{
    int64_t time_ns = MIN(to_ns, stall->to_ns) - MAX(from_ns, stall->from_ns);
    struct corr_phase_stall one = {stall->cause,      1, time_ns, stall->frame, stall->lost_after,
                                   stall->lost_before};

    /* Between two messages nobody waits. */
    if (time_ns <= 0)
        return;
    for (uint32_t i = phase->first_stall; i < phase->first_stall + phase->n_stalls; i++) {
        struct corr_phase_stall *old = &g_array_index(phases->stalls, struct corr_phase_stall, i);

        if (corr_phase_stall_word(old->cause) != corr_phase_stall_word(one.cause) ||
            old->lost_after != one.lost_after || old->lost_before != one.lost_before)
            continue;
        old->n++;
        old->time_ns += time_ns;
        return;
    }
    g_array_append_val(phases->stalls, one);
    phase->n_stalls++;
}

static bool is_recovery(const struct corr_tcp_stall *stall)
{
    return stall->cause == CORR_TCP_STALL_FAST || stall->cause == CORR_TCP_STALL_TIMEOUT;
}

static void way_events(struct corr_phases *phases, const struct corr_tcp *tcp,
                       struct corr_phase *phase, unsigned data_dir)
{
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, phase->flow, data_dir);
    const struct corr_tcp_incident *incident;
    const struct corr_tcp_stall *stall;
    /* What the phase's own data waited for; in the others only the repair of losses is waiting. */
    bool own = phase->data_dir == data_dir && phase->name != CORR_PHASE_SERVER;
    struct corr_phase_span span;
    int64_t from_ns, to_ns, until_ns;
    uint32_t n;

    if (way->sender == CORR_NONE || !corr_phases_span(phases, phase, way->sender, &span))
        return;
    from_ns = span.begin.time_ns;
    until_ns = to_ns = span.end.time_ns;
    if (phase->bytes[data_dir].from < phase->bytes[data_dir].to) {
        incident = corr_tcp_incidents(tcp, phase->flow, data_dir, to_ns, INT64_MAX, &n);
        for (uint32_t i = 0; i < n && i < 1000; i++)
            if (incident[i].events & CORR_TCP_BIT(RETRANSMISSION) &&
                incident[i].packet < phases->result->packets->len)
                until_ns = repeated_until(phases, phase, &incident[i], way->sender, until_ns);
    }
    incident = corr_tcp_incidents(tcp, phase->flow, data_dir, from_ns, until_ns, &n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t others[2] = {phase->transaction, 0};

        for (unsigned e = 0; e < CORR_TCP_EVENT_COUNT; e++)
            phase->events[e] += incident[i].events >> e & 1;
        corr_phases_during(phases, way->sender, incident[i].time_ns, note_other, others);
        phase->shared |= others[1] != 0;
    }
    if (own)
        phase->room = corr_tcp_room(tcp, phase->flow, data_dir, from_ns, until_ns);
    stall = corr_tcp_stalls(tcp, phase->flow, data_dir, from_ns, until_ns, &n);
    for (uint32_t i = 0; i < n; i++)
        if (own || is_recovery(&stall[i]))
            stall_add(phases, phase, &stall[i], from_ns, until_ns);
}

/*
 * A sender that waits for room at the receiver does not take its time: what the
 * receiver's own point shows as closed, up to what the sender waited, changes sides.
 */
static void closed_moves(const struct corr_phases *phases, const struct corr_tcp *tcp,
                         struct corr_phase *phase)
{
    bool download = phase->name == CORR_PHASE_DOWNLOAD;
    uint32_t conv =
        download ? phase->conv : corr_tcp_way_of(tcp, phase->flow, phase->data_dir)->receiver;
    int64_t *from = download ? &phase->server_ns : &phase->client_ns;
    int64_t *to = download ? &phase->client_ns : &phase->server_ns;
    int64_t waited_ns = 0, closed_ns;
    struct corr_phase_span span;

    for (uint32_t i = phase->first_stall; i < phase->first_stall + phase->n_stalls; i++) {
        const struct corr_phase_stall *stall =
            &g_array_index(phases->stalls, struct corr_phase_stall, i);

        waited_ns += stall->cause == CORR_TCP_STALL_RECEIVER ? stall->time_ns : 0;
    }
    if (waited_ns == 0 || conv == CORR_NONE || !corr_phases_span(phases, phase, conv, &span))
        return;
    closed_ns = corr_tcp_closed(tcp, conv, !phase->data_dir, span.begin.time_ns, span.end.time_ns);
    closed_ns = MIN(closed_ns, MIN(waited_ns, *from));
    *from -= closed_ns;
    *to += closed_ns;
}

void corr_phases_count_events(struct corr_phases *phases)
{
    const struct corr_tcp *tcp = corr_layers_tcp(phases->result);

    retransmissions_count(phases);
    for (uint32_t i = 0; i < phases->phases->len; i++) {
        struct corr_phase *phase = &g_array_index(phases->phases, struct corr_phase, i);

        phase->first_stall = phases->stalls->len;
        if (corr_result_flow(phases->result, phase->flow)->proto != 6)
            continue;
        way_events(phases, tcp, phase, phase->data_dir);
        way_events(phases, tcp, phase, !phase->data_dir);
        if (phase->name == CORR_PHASE_DOWNLOAD || phase->name == CORR_PHASE_REQUEST)
            closed_moves(phases, tcp, phase);
    }
}
