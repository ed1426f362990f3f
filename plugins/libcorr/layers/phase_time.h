/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phase_time.h - what the time of a phase was spent on: waiting for TCP, the way, the server. */
#ifndef CORR_PHASE_TIME_H
#define CORR_PHASE_TIME_H

#include "layers/phases.h"
#include "layers/rtt.h"

/* The phase's begin and end by the clock of a station; false: it did not see both. */
bool corr_phase_span_at(const struct corr_phases *phases, const struct corr_phase *phase,
                        uint32_t conv, int64_t *from_ns, int64_t *to_ns);

/*
 * What senders waited for in a phase, nanoseconds, never more than it took: until
 * lost segments were repaired, or (`reader`) until the receiver had room.
 */
int64_t corr_phase_waited(const struct corr_result *r, const struct corr_phase *phase, bool reader);

/*
 * The server's own part: what the last point measured, without the least round
 * trip from there on, as the connection's handshake shows it.
 */
int64_t corr_phase_server_own(const struct corr_result *r, const struct corr_phase *phase);

/* The least time that a message and its answer need, at the point where the phase was measured. */
struct corr_round_trip {
    bool known, pinged; /* pinged: from echo requests; else from the handshake */
    int64_t ns;
};
struct corr_round_trip corr_phase_round_trip(const struct corr_result *r, const GPtrArray *paths,
                                             const struct corr_phase *phase);

#endif /* CORR_PHASE_TIME_H */
