/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_step.h - one frame, on its way through the steps of tcp_state.c.
 *
 * Its bytes are judged first (tcp_again.c: of those that do not follow what was
 * seen), then time stamps, window and handshake are kept (tcp_open.c).
 */
#ifndef CORR_TCP_STEP_H
#define CORR_TCP_STEP_H

#include "layers/tcp-int.h"

struct corr_tcp_step {
    const struct corr_obs *obs;
    uint32_t i, len;
    struct corr_tcp_end *fwd, *rev; /* who sent it, who will get it */
    int64_t seq, end, time_ns;
    bool syn, fin, rst, ack;
    uint16_t events;
    enum corr_tcp_class seen_as;
};

/* The 64-bit place of a sequence number of this end's stream. */
static inline int64_t corr_tcp_unwrap(struct corr_tcp_end *end, uint32_t number)
{
    if (!end->has_ref) {
        end->has_ref = true;
        end->ref = number;
    }
    return end->ref + (int32_t)(number - (uint32_t)end->ref);
}

/* The frame does not advance the stream: what it repeats, why, or whether it was overtaken.
 * Appends to fwd->again. */
void corr_tcp_again_note(struct corr_tcp_work *work, struct corr_tcp_step *s, uint32_t conv);

void corr_tcp_take_stamps(struct corr_tcp_step *s);
void corr_tcp_take_syn(struct corr_tcp_work *work, struct corr_tcp_step *s);
void corr_tcp_take_handshake(struct corr_tcp_work *work, struct corr_tcp_step *s, uint32_t conv);
void corr_tcp_take_window(struct corr_tcp_step *s);

#endif /* CORR_TCP_STEP_H */
