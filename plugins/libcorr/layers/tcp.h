/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.h - TCP at every capture point, and what the points together prove.
 *
 * Each local flow is followed by itself, in its point's own order, further
 * copies of a packet left out.  So a frame is judged as if its point had been
 * the only one.  Then the points are compared: a segment that one point saw
 * sent twice is a retransmission everywhere, also where the first one never
 * came; a segment that was in order at the point before was put out of order
 * in between.  What only one point shows, and time alone would have to decide,
 * is decided as Wireshark does.
 *
 * Words
 *
 *     side        one direction of one local flow: what one point saw of one sender
 *     sender-most the first point of a flow direction's way: times of sending are
 *                 taken there, by its own clock
 *     stream      bytes are counted from the first that was seen, in 64 bits;
 *                 SYN and FIN count as one byte (RFC 9293, section 3.4)
 *     data_dir    direction of the flow in which the data runs that an event
 *                 concerns: the frame's own, but for acknowledgements and
 *                 windows the other one.  0: sent by the flow's initiator
 *
 * An absent value is unknown: each optional one has its has_ member.
 */
#ifndef CORR_TCP_H
#define CORR_TCP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "path/result.h"

/*
 * What can be said of one TCP frame.  Columns: id, word (in JSON, and behind
 * corr.tcp. where it is a field), meaning.  A retransmission has the bit
 * RETRANSMISSION, and at most one of FAST, TIMEOUT and PROBE says what made the
 * sender repeat it; SPURIOUS says that it was not needed.
 */
/* clang-format off */
#define CORR_TCP_EVENTS(X)                                                                        \
    X(RETRANSMISSION,   "retransmission",          "Sent before")                                 \
    X(FAST,             "fast_retransmission",     "Sent again upon duplicate or selective ACKs") \
    X(TIMEOUT,          "timeout_retransmission",  "Sent again when the timer ran out")           \
    X(PROBE,            "tail_loss_probe",         "The last segment sent again, early")          \
    X(SPURIOUS,         "spurious_retransmission", "Sent again although it had arrived")          \
    X(OUT_OF_ORDER,     "out_of_order",            "Overtaken by later segments")                 \
    X(DUPLICATE_ACK,    "duplicate_ack",           "Repeats the last acknowledgement")            \
    X(ZERO_WINDOW,      "zero_window",             "The receiver has no room")                    \
    X(WINDOW_PROBE,     "zero_window_probe",       "One byte, to ask whether there is room again") \
    X(WINDOW_FULL,      "window_full",             "Fills all the room that the receiver has")    \
    X(KEEP_ALIVE,       "keep_alive",              "Asks whether the peer is still there")        \
    X(KEEP_ALIVE_ACK,   "keep_alive_ack",          "The answer")                                  \
    X(LOST_SEGMENT,     "lost_segment",            "Segments before it were not seen here")       \
    X(ACK_LOST_SEGMENT, "ack_lost_segment",        "Acknowledges what was not seen here")
/* clang-format on */
enum corr_tcp_event {
#define CORR_ROW(id, word, meaning) CORR_TCP_EVENT_##id,
    CORR_TCP_EVENTS(CORR_ROW)
#undef CORR_ROW
        CORR_TCP_EVENT_COUNT
};
#define CORR_TCP_BIT(id) (1u << CORR_TCP_EVENT_##id)
const char *corr_tcp_event_word(enum corr_tcp_event event);

/* Why a sender sent nothing new for a while.  Columns: id, word, meaning. */
/* clang-format off */
#define CORR_TCP_STALLS(X)                                                                        \
    X(APPLICATION, "application",      "Nothing was outstanding: the sender had nothing to send") \
    X(RECEIVER,    "receiver",         "The receiver's window had no room for a segment")         \
    X(FAST,        "fast recovery",    "A segment was lost and repeated upon duplicate ACKs")     \
    X(TIMEOUT,     "timeout",          "A segment was lost and repeated when the timer ran out")  \
    X(CONGESTION,  "congestion window", "Waited for an acknowledgement to be allowed more")       \
    X(DELAYED_ACK, "delayed ack",      "A small write waited for a delayed acknowledgement")      \
    X(HOST,        "host",             "Nothing hindered the sender, and it did not send")
/* clang-format on */
enum corr_tcp_stall_cause {
#define CORR_ROW(id, word, meaning) CORR_TCP_STALL_##id,
    CORR_TCP_STALLS(CORR_ROW)
#undef CORR_ROW
        CORR_TCP_STALL_COUNT
};
const char *corr_tcp_stall_word(enum corr_tcp_stall_cause cause);

/* How a connection began, as far as seen.  Columns: id, word, meaning. */
/* clang-format off */
#define CORR_TCP_HANDSHAKES(X)                                                                    \
    X(UNSEEN,       "unseen",       "No SYN was captured")                                        \
    X(NORMAL,       "normal",       "SYN, SYN-ACK, ACK")                                          \
    X(FAST_OPEN,    "fast open",    "Data in the SYN: RFC 7413")                                  \
    X(SIMULTANEOUS, "simultaneous", "A SYN from either side: RFC 9293, figure 8")                 \
    X(REFUSED,      "refused",      "Answered by a reset")                                        \
    X(UNANSWERED,   "unanswered",   "Nothing came back")                                          \
    X(PARTIAL,      "partial",      "Some of it is missing in the capture")
/* clang-format on */
enum corr_tcp_handshake {
#define CORR_ROW(id, word, meaning) CORR_TCP_HANDSHAKE_##id,
    CORR_TCP_HANDSHAKES(CORR_ROW)
#undef CORR_ROW
        CORR_TCP_HANDSHAKE_COUNT
};
const char *corr_tcp_handshake_word(enum corr_tcp_handshake handshake);

/* Round trips of one kind, at one point. */
struct corr_rtt_stat {
    uint32_t n; /* samples; 0: the rest is unknown */
    int64_t min_ns, p50_ns, max_ns;
};

/* One direction of one local flow.  Index: corr_tcp_side_of(). */
struct corr_tcp_side {
    uint64_t bytes;          /* payload, repeated bytes included */
    uint64_t repeated_bytes; /* of them, in retransmissions */
    uint32_t frames, data_frames;
    uint32_t counts[CORR_TCP_EVENT_COUNT]; /* frames with this event */
    bool has_scale, has_mss, sack_permitted, timestamps;
    uint8_t scale;                 /* of the windows that this side's sender advertises; RFC 7323 */
    uint16_t mss;                  /* that it announced; else see max_segment */
    uint32_t max_segment;          /* most payload in one packet (not frame); 0: no data */
    uint64_t flight_max;           /* most bytes outstanding */
    struct corr_rtt_stat data_rtt; /* data to the first ACK that covers it, first transmissions
                                      only (Karn): point to receiver and back */
    struct corr_rtt_stat ts_rtt;   /* TSval to the first TSecr that repeats it: likewise, but it
                                      survives retransmissions (RFC 7323, section 4) */
    uint32_t first_sample, n_samples; /* of data_rtt: in rtt_samples */
    uint32_t first_window, n_windows; /* windows that its sender advertised: in windows */
    uint32_t first_limit, n_limits;   /* when the peer's window limited its sender: in limits */
};

struct corr_rtt_sample {
    int64_t time_ns; /* when the ACK came, at the side's point */
    int64_t rtt_ns;
};

/* The window that a sender advertises, from `time_ns` on, at the side's point. */
struct corr_tcp_window {
    int64_t time_ns;
    uint32_t bytes;
    bool known; /* false: its scale was not seen, and it is not 0 */
};

/*
 * A while in which at least nine tenths of the receiver's window were outstanding,
 * for longer than a round trip: the sender was limited by the window.
 */
struct corr_tcp_limit {
    int64_t from_ns, to_ns; /* at the side's point */
};

/* One local flow. */
struct corr_tcp_conv {
    bool has_syn, has_syn_ack, has_ack; /* the handshake's frames */
    bool has_rtt_server, has_rtt_client;
    int64_t rtt_server_ns; /* SYN (the last one) to SYN-ACK: this point to the server and back */
    int64_t rtt_client_ns; /* SYN-ACK to ACK: this point to the client and back */
    uint32_t syn_frame, syn_ack_frame, ack_frame;
};

/* An event, once per flow, at the point that tells it best: the sender-most one. */
struct corr_tcp_incident {
    int64_t time_ns; /* by the clock of `point` */
    uint32_t flow;
    uint32_t frame, packet, point;
    uint16_t events;                  /* CORR_TCP_BIT()s */
    uint8_t dir, data_dir;            /* direction of the frame; of the data that it concerns */
    uint32_t original_frame;          /* retransmissions: the earlier transmission at `point`; 0 */
    uint32_t original;                /* and its packet; CORR_NONE */
    uint32_t lost_after, lost_before; /* points between which that one was lost, or CORR_NONE;
                                         out of order: between which it was overtaken */
};

/* A while without new data at the sender-most point. */
struct corr_tcp_stall {
    int64_t from_ns, to_ns; /* by the clock of `point` */
    uint32_t flow, point;
    uint8_t data_dir;
    uint8_t cause;                    /* enum corr_tcp_stall_cause */
    uint32_t frame;                   /* that ended it */
    uint32_t original;                /* FAST, TIMEOUT: the packet that was lost; CORR_NONE */
    uint32_t lost_after, lost_before; /* points; CORR_NONE */
};

/* One direction of a flow; index flow * 2 + dir. */
struct corr_tcp_way {
    uint32_t sender, receiver; /* local flows at the sender-most and receiver-most points;
                                  CORR_NONE without frames */
    bool order_known;          /* false: sender and receiver are any two, or one */
    uint64_t bytes;            /* payload at the sender-most point */
    uint32_t data_frames;
    uint32_t counts[CORR_TCP_EVENT_COUNT];    /* incidents by event */
    int64_t active_ns;                        /* first to last data frame */
    int64_t limited_ns[CORR_TCP_STALL_COUNT]; /* of active_ns: waits of any length, by cause */
    uint32_t first_incident, n_incidents;     /* by data_dir, by time */
    uint32_t first_stall, n_stalls;           /* by time */
};

/* A reset, and who sent it. */
struct corr_tcp_reset {
    bool seen;
    uint8_t dir; /* that it pretends to come from */
    uint32_t frame, packet;
    uint32_t after, before; /* it appeared between these points; `after` CORR_NONE: it came from
                               the sender's side of the first point, as a host's own does */
};

struct corr_tcp_flow {
    enum corr_tcp_handshake handshake;
    uint32_t syn_retransmissions;
    struct corr_tcp_reset reset;
};

struct corr_tcp {
    const struct corr_result *result;
    uint16_t *events;    /* observation -> CORR_TCP_BIT()s */
    GArray *sides;       /* struct corr_tcp_side; local flow * 2 + direction of the local flow */
    GArray *convs;       /* struct corr_tcp_conv; by local flow */
    GArray *ways;        /* struct corr_tcp_way; flow * 2 + direction of the flow */
    GArray *flows;       /* struct corr_tcp_flow; by flow */
    GArray *incidents;   /* struct corr_tcp_incident; by flow, data_dir, time, frame */
    GArray *stalls;      /* struct corr_tcp_stall; by flow, data_dir, time */
    GArray *rtt_samples; /* struct corr_rtt_sample; by side, time */
    GArray *windows;     /* struct corr_tcp_window; by side, time */
    GArray *limits;      /* struct corr_tcp_limit; by side, time */
    GArray *repeats;     /* struct corr_tcp_repeat; by observation */
};

/* A retransmission at one point; see corr_tcp_repeat_of(). */
struct corr_tcp_repeat {
    uint32_t obs;
    uint32_t original_frame; /* the earlier transmission at this point; 0: it never came here */
    uint32_t original;       /* the packet that it repeats; CORR_NONE: not captured */
    uint32_t lost_after, lost_before; /* points; CORR_NONE */
};

/* Reads every TCP observation of a settled result, once. */
struct corr_tcp *corr_tcp_new(const struct corr_result *r);
void corr_tcp_free(struct corr_tcp *tcp);

static inline const struct corr_tcp_side *corr_tcp_side_of(const struct corr_tcp *tcp,
                                                           uint32_t conv, unsigned dir)
{
    return &g_array_index(tcp->sides, struct corr_tcp_side, conv * 2 + dir);
}

static inline const struct corr_tcp_conv *corr_tcp_conv_of(const struct corr_tcp *tcp,
                                                           uint32_t conv)
{
    return &g_array_index(tcp->convs, struct corr_tcp_conv, conv);
}

static inline const struct corr_tcp_way *corr_tcp_way_of(const struct corr_tcp *tcp, uint32_t flow,
                                                         unsigned dir)
{
    return &g_array_index(tcp->ways, struct corr_tcp_way, flow * 2 + dir);
}

static inline const struct corr_tcp_flow *corr_tcp_flow_of(const struct corr_tcp *tcp,
                                                           uint32_t flow)
{
    return &g_array_index(tcp->flows, struct corr_tcp_flow, flow);
}

/* The side that shows direction `dir` of a flow at one of its local flows. */
static inline const struct corr_tcp_side *corr_tcp_side_at(const struct corr_tcp *tcp,
                                                           uint32_t conv, unsigned dir)
{
    return corr_tcp_side_of(tcp, conv, dir ^ tcp->result->conv_flip[conv]);
}

/*
 * What happened to the data of one flow direction in [from, to] at the
 * sender-most point, by its clock: the first incident at or after `from`, and
 * how many there are up to `to`.
 */
const struct corr_tcp_incident *corr_tcp_incidents(const struct corr_tcp *tcp, uint32_t flow,
                                                   unsigned data_dir, int64_t from_ns,
                                                   int64_t to_ns, uint32_t *n);

/* Stalls that overlap [from, to], likewise. */
const struct corr_tcp_stall *corr_tcp_stalls(const struct corr_tcp *tcp, uint32_t flow,
                                             unsigned data_dir, int64_t from_ns, int64_t to_ns,
                                             uint32_t *n);

/* The room that a receiver gave to the data of a flow direction in [from, to]. */
struct corr_tcp_room {
    bool known; /* a window was seen, and its scale is known */
    uint32_t min_bytes, max_bytes;
    int64_t zero_ns;    /* time at zero */
    int64_t limited_ns; /* time in which it limited the sender: struct corr_tcp_limit */
};
struct corr_tcp_room corr_tcp_room(const struct corr_tcp *tcp, uint32_t flow, unsigned data_dir,
                                   int64_t from_ns, int64_t to_ns);

/* How long of [from, to], by its point's clock, a local flow showed that direction `dir`'s sender
 * had no room at all. */
int64_t corr_tcp_closed(const struct corr_tcp *tcp, uint32_t conv, unsigned dir, int64_t from_ns,
                        int64_t to_ns);

/* The retransmission in an observation, or NULL. */
const struct corr_tcp_repeat *corr_tcp_repeat_of(const struct corr_tcp *tcp, uint32_t obs);

#endif /* CORR_TCP_H */
