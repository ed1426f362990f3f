/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp-int.h - between the steps of the TCP analysis; tcp.c runs them, flow by flow:
 *
 *     tcp_state.c   follows one local flow: what each frame is, seen from there alone
 *                   (with tcp_again.c and tcp_open.c, through tcp_step.h)
 *     tcp_stalls.c  why the sender-most point saw no new data for a while
 *     tcp_facts.c   compares the points: what each frame really is
 *     tcp_incidents.c  lists it, each event once
 */
#ifndef CORR_TCP_INT_H
#define CORR_TCP_INT_H

#include "layers/ranges.h"
#include "layers/tcp.h"

/* What a frame's bytes are to one point that knows only itself. */
enum corr_tcp_class {
    CORR_TCP_CLASS_NONE, /* no bytes of the stream, or not to be judged */
    CORR_TCP_CLASS_NEXT, /* follows what was seen, perhaps with a gap */
    CORR_TCP_CLASS_SEEN, /* some of it was seen here before */
    CORR_TCP_CLASS_FILL, /* fills a gap: repeated, or overtaken */
};

/* What is known of a packet, wherever it was seen. */
enum corr_tcp_packet_bit {
    CORR_TCP_PACKET_REPEATED = 1 << 0, /* a point saw its bytes in an earlier packet */
    CORR_TCP_PACKET_SPURIOUS = 1 << 1, /* a point saw them acknowledged before it came */
};

/* A frame that repeats or fills, as one point sees it.  In the order of observations per side. */
struct corr_tcp_again {
    uint32_t obs;
    uint32_t original; /* observation at this point with the same bytes before it; CORR_NONE */
    uint16_t kind; /* CORR_TCP_BIT() of FAST, TIMEOUT, PROBE or 0: what this point takes it for */
    bool repeated; /* SEEN: true; FILL: so it seems, if only this point is asked */
    bool needless; /* its bytes had arrived: acknowledged before, or the receiver says so */
    int64_t from, to;
    int64_t old_to; /* bytes from here on are new */
};

/* A segment with new bytes. */
struct corr_tcp_sent {
    int64_t from, to, time_ns;
    uint32_t obs;
};

/* Why a sender waited: what a gap between two frames with data looked like. */
struct corr_tcp_gap {
    int64_t from_ns, to_ns;
    int64_t idle_ns;      /* of it, with nothing outstanding; they are its last */
    int64_t closed_ns;    /* of it, with less room than a segment */
    int64_t since_ack_ns; /* from the last ACK of new bytes to its end; -1: there was none in it */
    uint32_t frame;       /* that ended it */
    uint32_t again;       /* repairs: index into the side's `again`, of the last one; CORR_NONE */
    uint16_t recovery;    /* CORR_TCP_BIT() of FAST or TIMEOUT while a loss is repaired, else 0 */
    bool answered;        /* nothing was outstanding at its end, and the other end had sent data */
    bool pushed;          /* it began with the end of a write: PSH */
    bool small;           /* that was smaller than a segment */
};

/* One direction of the local flow that is being followed. */
struct corr_tcp_end {
    bool has_ref, has_top, has_una, has_window, scale_known, window_known;
    bool syn_seen;
    uint8_t scale;
    int64_t ref;       /* where 32-bit numbers are unwrapped */
    int64_t top;       /* end of the highest byte seen */
    int64_t una;       /* highest acknowledgement by the other end */
    int64_t unseen_to; /* acknowledgements up to here were reported as of unseen bytes */
    int64_t probe_to;  /* end of the last window probe's byte; 0 */
    int64_t top_time_ns;
    uint32_t top_tsval;
    uint16_t top_ip_id;
    bool top_has_ts, top_has_id;
    uint32_t id_forward, id_other; /* new segments whose IP id follows the last one's, or not */
    int64_t disturbed_ns;          /* when something was last repeated or filled */
    int64_t sacked_to;             /* highest byte selectively acknowledged */
    /* of the frames that this end sends */
    uint16_t window; /* as in the header */
    uint32_t room;   /* the same in bytes, valid with window_known */
    uint32_t ack;
    uint32_t dup_acks;
    int64_t ack_time_ns; /* its last frame with an ACK; its last one of new bytes */
    int64_t new_ack_ns;
    uint16_t last_events;
    bool has_ack;
    /* loss repair of this end's data */
    int64_t recover;   /* in repair until this byte is acknowledged */
    uint16_t recovery; /* CORR_TCP_BIT() of FAST or TIMEOUT; 0 */
    /* gaps */
    int64_t sent_ns;         /* last frame with data; 0 none */
    int64_t idle_from_ns;    /* nothing outstanding since; 0: something is */
    int64_t closed_from_ns;  /* less room than a segment since; 0 */
    int64_t closed_ns;       /* ... and before, since sent_ns */
    int64_t limited_from_ns; /* nearly all of the window outstanding since; 0 */
    int64_t limited_to_ns;   /* ... until then, if it is no longer; 0 */
    bool pushed, small;      /* what was sent then ended a write; was less than a segment */
    uint32_t together;       /* segments sent along with the one before */
    uint32_t max_frame;      /* most payload in a frame, */
    uint8_t n_max_frames;    /* in how many frames (2: or more) */
    uint16_t mss;            /* that this end announced; 0: unknown */
    int64_t min_rtt_ns, smooth_rtt_ns; /* of data to its ACK; 0: unknown */
    uint64_t flight_max;
    guint oldest; /* first in `sent` that is not acknowledged */
    guint ts_oldest;
    GArray *holes;          /* ranges below top that were not seen */
    GArray *sacked;         /* ranges that were selectively acknowledged */
    GArray *sent;           /* struct corr_tcp_sent */
    GArray *again;          /* struct corr_tcp_again */
    GArray *stamps;         /* struct corr_tcp_stamp */
    GArray *gaps;           /* struct corr_tcp_gap */
    GArray *rtts, *ts_rtts; /* struct corr_rtt_sample */
    GArray *windows;        /* struct corr_tcp_window */
    GArray *limits;         /* struct corr_tcp_limit */
};

/* When a time stamp value was seen first. */
struct corr_tcp_stamp {
    uint32_t tsval;
    int64_t time_ns;
};

/* The handshake that is being followed. */
struct corr_tcp_shake {
    uint32_t n_syn, n_syn_ack;
    uint8_t client;             /* direction of the SYN */
    int64_t syn_ns, syn_ack_ns; /* of the last ones */
    uint32_t syn_tsval, syn_ack_seq;
    bool syn_has_ts;
};

/* A packet that repeats an earlier one. */
struct corr_tcp_fact {
    uint32_t packet, original; /* original: CORR_NONE if it was not captured */
    uint16_t kind;             /* CORR_TCP_BIT() of FAST, TIMEOUT, PROBE or 0 */
};

struct corr_tcp_work {
    const struct corr_result *r;
    struct corr_tcp *tcp;
    uint32_t *by_conv; /* observations that count, by local flow ... */
    uint32_t *start;   /* ... by_conv[start[c] .. start[c + 1]) */
    uint8_t *seen_as;  /* observation -> enum corr_tcp_class */
    uint8_t *packets;  /* packet -> enum corr_tcp_packet_bit */
    struct corr_tcp_end ends[2];
    struct corr_tcp_shake shake;
    GArray *again;       /* struct corr_tcp_again of the flow: by local flow and side */
    GArray *again_start; /* guint: where those of (member, direction of the flow) begin in it */
    GArray *facts;       /* struct corr_tcp_fact of the flow */
    uint32_t *fact_of;   /* packet -> its fact; valid with CORR_TCP_PACKET_REPEATED */
};

/* Follows one local flow: fills its sides, its events and work->ends. */
void corr_tcp_follow(struct corr_tcp_work *work, uint32_t conv);

/* The gaps of a way's sender, kept until the facts are known. */
struct corr_tcp_gaps {
    GArray *gaps;       /* struct corr_tcp_gap; `again` counts in work->again; NULL: none */
    uint32_t together;  /* segments without a gap before them */
    int64_t min_rtt_ns; /* of data, and of the handshake; 0: unknown */
};
/* handshake_ns: from SYN to SYN-ACK, or from there to the ACK; 0: unknown. */
struct corr_tcp_gaps corr_tcp_gaps_take(const struct corr_tcp_end *end, int64_t handshake_ns,
                                        guint again_start);

/* Appends the stalls of one flow direction; frees the gaps. */
void corr_tcp_stalls_find(struct corr_tcp_work *work, uint32_t flow, unsigned dir,
                          struct corr_tcp_gaps *gaps);

/* The packets that an observation shows. */
static inline uint32_t corr_tcp_packets_in(const struct corr_result *r, uint32_t obs)
{
    return r->obs_first[obs + 1] - r->obs_first[obs];
}

static inline uint32_t corr_tcp_packet_at(const struct corr_result *r, uint32_t obs, uint32_t k)
{
    return corr_result_sighting(r, r->obs_sightings[r->obs_first[obs] + k])->packet;
}

/* The packet's observation at a local flow; CORR_NONE. */
uint32_t corr_tcp_obs_at(const struct corr_result *r, uint32_t packet, uint32_t conv);

/* The packet's last observation among the places before a local flow; CORR_NONE. */
uint32_t corr_tcp_look_before(const struct corr_tcp_work *work, uint32_t f, unsigned dir,
                              uint32_t conv, uint32_t packet);

/* Sets the points between which the original was lost; leaves them alone if it was not. */
void corr_tcp_fact_losses(const struct corr_tcp_work *work, const struct corr_tcp_fact *fact,
                          uint32_t *after, uint32_t *before);

/* Lists the incidents of one flow, its reset and its handshake. */
void corr_tcp_incidents_list(struct corr_tcp_work *work, uint32_t flow);

/* Says what the frames of one flow really are, and lists the incidents. */
void corr_tcp_facts_find(struct corr_tcp_work *work, uint32_t flow);

/* What a repeating observation of the flow repeats, by the facts found. */
struct corr_tcp_repeat corr_tcp_repeat_make(const struct corr_tcp_work *work, uint32_t obs);

/* Puts tcp->repeats in the order of observations. */
void corr_tcp_repeats_sort(struct corr_tcp *tcp);

/* Fills from samples (struct corr_rtt_sample), which are sorted by rtt_ns afterwards. */
struct corr_rtt_stat corr_rtt_stat_of(GArray *samples);

#endif /* CORR_TCP_INT_H */
