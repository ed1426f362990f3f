/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk_quic.c - QUIC as far as it shows: from the client's first Initial to its
 * last Handshake packet, transport and TLS together (RFC 9001, section 4).
 * What follows has short headers; nothing in them tells requests apart.
 */
#include "layers/talk.h"

enum { INITIAL = 1u << 0, ZERO_RTT = 1u << 1, HANDSHAKE = 1u << 2, RETRY = 1u << 3 };

static void packet_add(GArray *packets, const struct corr_result *r, const struct corr_said *said)
{
    uint32_t first = r->obs_first[said->mark->obs], packet;

    if (first == r->obs_first[said->mark->obs + 1])
        return;
    packet = corr_result_sighting(r, r->obs_sightings[first])->packet;
    for (unsigned i = 0; i < packets->len; i++)
        if (g_array_index(packets, uint32_t, i) == packet)
            return;
    g_array_append_val(packets, packet);
}

static void link_add(struct corr_talk *talk, struct corr_chain *chain, enum corr_side side,
                     const uint32_t *packets, unsigned n)
{
    g_autofree struct corr_moment *at = g_new0(struct corr_moment, talk->p->n + 1);

    corr_passing_packets(talk->p, packets, n, at);
    corr_chain_moments(chain, side, at, talk->p->n);
}

void corr_talk_quic(struct corr_build *b, uint32_t flow)
{
    const struct corr_said *said = (const struct corr_said *)b->said.said->data;
    g_autoptr(GArray) asked = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GArray) answered = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GArray) done = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    struct corr_talk talk = {.b = b, .open = CORR_NONE};
    struct corr_chain chain = {0};
    struct corr_transaction *t;
    uint32_t first = b->said.start[flow], end = b->said.start[flow + 1], transaction;
    bool early = false, retry = false, any = false;
    int64_t begun = INT64_MAX;

    for (uint32_t i = first; i < end; i++) {
        uint32_t kinds = said[i].mark->value;

        if (said[i].kind != CORR_MARK_QUIC)
            continue;
        /* Who sends an Initial first is the client; frames are in the order of time. */
        if (kinds & INITIAL && said[i].begin < begun) {
            begun = said[i].begin;
            talk.c = said[i].dir;
        }
        any = true;
    }
    if (!any)
        return;
    for (uint32_t i = first; i < end; i++) {
        uint32_t kinds = said[i].mark->value;

        if (said[i].kind != CORR_MARK_QUIC)
            continue;
        early |= (kinds & ZERO_RTT) != 0;
        retry |= (kinds & RETRY) != 0;
        if (said[i].dir == talk.c && kinds & INITIAL && !(kinds & HANDSHAKE))
            packet_add(asked, b->r, &said[i]);
        if (said[i].dir != talk.c && kinds & HANDSHAKE)
            packet_add(answered, b->r, &said[i]);
        if (said[i].dir == talk.c && kinds & HANDSHAKE)
            packet_add(done, b->r, &said[i]);
    }
    talk.p = corr_passing_new(b->r, b->by, flow);
    talk.ref = talk.p->n;
    transaction = corr_talk_begin(&talk, CORR_TRANSACTION_QUIC);
    t = corr_build_transaction(b, transaction);
    t->tls = 0x0304;
    t->tls_early_data = early;
    t->tls_retry = retry;
    if (asked->len > 0 && answered->len > 0 && done->len > 0) {
        link_add(&talk, &chain, CORR_CLIENT, (const uint32_t *)asked->data, asked->len);
        link_add(&talk, &chain, CORR_SERVER, &g_array_index(answered, uint32_t, answered->len - 1),
                 1);
        link_add(&talk, &chain, CORR_CLIENT, &g_array_index(done, uint32_t, done->len - 1), 1);
        if (!corr_talk_phase(&talk, transaction, CORR_PHASE_TLS, &chain))
            t->note = "the handshake was seen in parts only";
    } else {
        t->note = "the handshake was seen in parts only";
    }
    corr_passing_free(talk.p);
}
