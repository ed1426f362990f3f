/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * result.h - the answers: packets, their sightings, flows, clocks, fates.
 *
 * Everything here is made by corr_engine_settle() from the store, by stages
 * that each read what earlier ones wrote (engine.c lists them):
 *
 *     match/   packets and sightings, flows and their translations
 *     path/    order, hops, clocks, latencies, drops
 *
 * Indices are 32-bit; CORR_NONE means none.  Numbers that users see (match_id,
 * flow) are index + 1.  Packets are numbered by their first frame.
 */
#ifndef CORR_RESULT_H
#define CORR_RESULT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* What tied sightings together.  Columns: id, word in corr.method. */
/* clang-format off */
#define CORR_METHODS(X)                                                                     \
    X(NONE,       "none")       /* seen once                                             */ \
    X(PACKET_ID,  "packet-id")  /* the capture itself numbers packets (epb_packetid)     */ \
    X(EXACT,      "exact")      /* same addresses and ports, content unique              */ \
    X(TRANSLATED, "translated") /* content unique under a learned translation            */ \
    X(RANGE,      "range")      /* byte ranges of segments, fragments or slices          */ \
    X(ALIGNED,    "aligned")    /* one of several equal packets: by ID, time stamp, order */
/* clang-format on */
enum corr_method {
#define CORR_ROW(id, word) CORR_METHOD_##id,
    CORR_METHODS(CORR_ROW)
#undef CORR_ROW
    CORR_METHOD_COUNT
};
const char *corr_method_word(enum corr_method method);

/*
 * What became of a packet after its last sighting on the way.  Columns: id,
 * word in corr.drop.verdict, NULL where it is no drop.
 */
enum corr_fate {
    CORR_FATE_ARRIVED,      /* seen at the last point of its path, or nothing more was expected */
    CORR_FATE_CONFIRMED,    /* lost, and a frame proves it */
    CORR_FATE_PROBABLE,     /* lost: all guards hold */
    CORR_FATE_BLOCKED,      /* nothing of its flow passes */
    CORR_FATE_UNDETERMINED, /* nobody can know; `reason` says why */
};
const char *corr_fate_word(enum corr_fate fate); /* "confirmed" ...; NULL for the others */

enum corr_cause {
    CORR_CAUSE_UNKNOWN, CORR_CAUSE_POLICY, CORR_CAUSE_MTU, CORR_CAUSE_TTL,
    CORR_CAUSE_QUEUE, CORR_CAUSE_POLICER, CORR_CAUSE_CORRUPTION,
};
const char *corr_cause_word(enum corr_cause cause); /* NULL for unknown */

/* A sighting: one packet in one frame. */
struct corr_sighting {
    uint32_t obs;
    uint32_t packet;
    uint32_t prev;       /* sighting before this one on the way; CORR_NONE at the first */
    uint16_t hop;        /* from 1; 0 where the order is unknown */
    bool duplicate;      /* second or later copy at its point */
    bool corrupt;        /* its checksum is wrong, and its payload is not what others show: the
                            packet was damaged on its way here */
};

/*
 * One packet: one transmission.  Its sightings are sightings[first .. first+n),
 * in path order where known, else in frame order; duplicates behind their
 * original.
 */
struct corr_packet {
    uint32_t first, n;
    uint32_t flow;         /* index of its flow; CORR_NONE without one */
    uint8_t dir;           /* direction in the flow: 0 from its initiator */
    uint8_t kind;          /* enum corr_kind */
    uint8_t method;        /* enum corr_method */
    bool ambiguous;
    bool ordered;          /* every pair of its points has a known order */
    uint8_t fate;          /* enum corr_fate */
    uint8_t cause;         /* enum corr_cause */
    uint8_t candidates;    /* most equal sightings at one point that were considered (255: more) */
    uint32_t drop_after;   /* sighting after which it was lost, or whose fate is undetermined */
    uint32_t drop_before;  /* point before which it was lost; CORR_NONE */
    uint32_t evidence;     /* frame that proves the loss; 0 if none */
    uint32_t original;     /* packet of which this is a retransmission; CORR_NONE */
    uint32_t quotes;       /* ICMP errors: the packet that is quoted; CORR_NONE */
    uint32_t len;          /* payload bytes of this packet */
    int64_t from, to;      /* TCP data, fragments: its bytes of the stream or datagram; else 0, 0 */
    uint32_t missed;       /* index + 1 into missed lists; 0 = passed no point unseen */
    const char *reason;    /* fate UNDETERMINED: static text; drop_before may follow */
};

/* A conversation: the local flows that show it at all points. */
struct corr_flow {
    GArray *convs;         /* struct corr_member, by point */
    uint32_t first_frame;
    uint8_t proto;
    bool has_ports;
    bool initiator_known;  /* handshake, request or port told who began; else the first frame */
};

/*
 * Equal sightings that nobody can tell apart: counts at two stations that follow
 * each other.  n_from - n_to of them were lost (or missed), whichever they are.
 */
struct corr_group {
    uint32_t flow;
    uint8_t dir;
    uint32_t from, to;     /* points */
    uint32_t n_from, n_to; /* sightings without a partner that is sure */
    uint32_t frame;        /* first frame of the group */
};

/* A packet of which others have the same content: `next` is one of them; following it leads to all
 * of them and back. */
struct corr_rival {
    uint32_t packet, next;
};

/* A packet that was made on the way of its flow, after this point and before its first sighting. */
struct corr_injected {
    uint32_t packet, after;
};

/* A TCP segment whose first transmission no point shows: lost before its first point. */
struct corr_upstream {
    uint32_t packet; /* the retransmission that filled the hole */
    uint32_t before; /* point */
};

/* A local flow as member of a flow. */
struct corr_member {
    uint32_t conv;
    uint8_t flip;          /* direction 0 of the flow is direction `flip` of the local flow */
};

/*
 * A directed relation between two points that follow each other on the path of
 * one flow direction is made from packets when a table is built; the clock
 * between two points is asked from here.
 *
 * Clock of point q minus clock of point p at time t (of p's clock): the truth
 * lies within mid +- error.
 */
enum corr_clock_status {
    CORR_CLOCK_UNKNOWN,     /* nothing that both points saw */
    CORR_CLOCK_DRIFT_ONLY,  /* traffic in one direction only */
    CORR_CLOCK_BOUNDED,     /* traffic in both directions; from here on the offset is known */
    CORR_CLOCK_SAME,        /* one clock, as the user says or as all packets suggest */
    CORR_CLOCK_MANUAL,      /* the user gave the offsets */
    CORR_CLOCK_UNCORRECTED, /* the user wants times as they were recorded */
    CORR_CLOCK_REFERENCE,   /* the point itself */
};
const char *corr_clock_status_word(enum corr_clock_status status);

struct corr_clock_answer {
    enum corr_clock_status status;
    int64_t offset_ns, error_ns; /* valid from BOUNDED on */
};

static inline bool corr_clock_has_offset(enum corr_clock_status status)
{
    return status >= CORR_CLOCK_BOUNDED;
}

/* A piece of a point's clock against the reference; contract: points[].clock.pieces. */
struct corr_clock_piece {
    int64_t from_ns, to_ns; /* absolute, reference clock */
    int64_t offset_ns, error_ns; /* in the middle of the piece */
    double drift_ppm;
    bool has_drift;
};

/* By what a proxy's two connections were found to belong together.  Columns: id, word. */
/* clang-format off */
#define CORR_LINKS(X)                                                                            \
    X(PROXY,   "proxy-header") /* the second one names the first                              */ \
    X(HELLO,   "tls-hello")    /* one TLS session passes through                              */ \
    X(REQUEST, "request-id")   /* requests carry the same id                                  */ \
    X(STREAM,  "byte-stream")  /* the same bytes in both directions                           */
/* clang-format on */
enum corr_link_how {
#define CORR_ROW(id, word) CORR_LINK_##id,
    CORR_LINKS(CORR_ROW)
#undef CORR_ROW
    CORR_LINK_COUNT
};
const char *corr_link_word(enum corr_link_how how);

/*
 * An application link: a proxy ended flow `front`, and carried on in flow `back`.
 * Not one packet is the same.  Residence: from a request's last sighting before the
 * proxy to its first behind it; of the fastest and of the slowest.
 */
struct corr_app_link {
    uint32_t front, back; /* flows */
    uint8_t how;          /* enum corr_link_how */
    bool sure;            /* false: possible, by bytes and times alone */
    bool has_residence;   /* the clocks of both points are comparable */
    uint32_t requests;    /* requests that were linked; 1 where connections are */
    uint32_t enter_frame, leave_frame; /* the first request, before and behind */
    int64_t residence_min_ns, residence_max_ns, residence_error_ns;
};

/*
 * What a proxy handed on: one request, or where connections are linked as a whole
 * what their initiators said first.  Those of one pair of flows make a link.
 */
struct corr_handed {
    uint32_t front, back;  /* flows */
    uint32_t enter, leave; /* observations that show it: of `front`, of `back` */
    uint8_t how;           /* enum corr_link_how */
    bool sure;
};

struct corr_clock;  /* path/clock.h */
struct corr_orders; /* path/order.h */
struct corr_layers; /* layers/layers.h */

struct corr_result {
    const struct corr_store *store;

    GArray *packets;        /* struct corr_packet */
    GArray *sightings;      /* struct corr_sighting, grouped by packet */
    uint32_t *obs_first;    /* n_obs + 1: sightings of observation i are
                               obs_sightings[obs_first[i] .. obs_first[i + 1]) */
    uint32_t *obs_sightings;
    uint32_t *conv_flow;    /* local flow (incarnation) -> flow; CORR_NONE */
    uint8_t *conv_flip;     /* local flow -> corr_member.flip */
    uint32_t n_convs;       /* local flows after splitting re-used ports */
    GArray *convs;          /* struct corr_conv, after splitting */
    uint32_t *obs_conv;     /* observation -> local flow after splitting */
    GArray *flows;          /* struct corr_flow */
    GArray *groups;         /* struct corr_group, by frame */
    GArray *links;          /* struct corr_app_link, by (front, back, how) */
    GArray *handed;         /* struct corr_handed, by (leave, enter) */
    GArray *latencies;      /* struct corr_latency by sighting, where no clock tells; else NULL */
    GArray *rivals;         /* struct corr_rival, by packet: where there was a choice */
    GArray *injected;       /* struct corr_injected, by packet */
    GArray *upstream;       /* struct corr_upstream, by packet */
    GPtrArray *missed;      /* GArray of uint32_t points */
    struct corr_clock *clock;
    struct corr_orders *orders;
    uint32_t clock_reference; /* point whose clock the others are compared with */
    GArray *collapsed;      /* uint32_t: points that show several link segments (mergecap) */
    bool live;              /* made while frames went on coming: */
    uint32_t n_pending;     /* packets whose verdict was not due, */
    int64_t due_ns;         /* because less than this had passed since they were seen */
    uint32_t n_obs;         /* observations that the result knows; the store may have more */
    struct corr_layers *layers; /* analyses that were asked for; NULL until then */
};

static inline const struct corr_packet *corr_result_packet(const struct corr_result *r, uint32_t i)
{
    return &g_array_index(r->packets, struct corr_packet, i);
}

static inline const struct corr_sighting *corr_result_sighting(const struct corr_result *r,
                                                               uint32_t i)
{
    return &g_array_index(r->sightings, struct corr_sighting, i);
}

static inline const struct corr_obs *corr_result_obs(const struct corr_result *r,
                                                     const struct corr_sighting *s)
{
    return corr_store_obs(r->store, s->obs);
}

/* A packet of the same content as this one; CORR_NONE if there was no choice. */
uint32_t corr_result_rival(const struct corr_result *r, uint32_t packet);

/* How long a step took: the true value lies within ns +- error_ns; valid if `known`. */
struct corr_latency {
    bool known;
    int64_t ns, error_ns;
};

/* From one observation of a packet to another one, by corrected clocks. */
struct corr_latency corr_result_delay(const struct corr_result *r, uint32_t from, uint32_t to);

/* Since the sighting before it, by corrected clocks; last byte to last byte. */
struct corr_latency corr_result_latency(const struct corr_result *r, const struct corr_sighting *s);

/* Since the packet's first sighting. */
struct corr_latency corr_result_path_latency(const struct corr_result *r,
                                             const struct corr_sighting *s);

static inline const struct corr_flow *corr_result_flow(const struct corr_result *r, uint32_t i)
{
    return &g_array_index(r->flows, struct corr_flow, i);
}

static inline const struct corr_conv *corr_result_conv(const struct corr_result *r, uint32_t i)
{
    return &g_array_index(r->convs, struct corr_conv, i);
}

/* At least two frames show the packet. */
static inline bool corr_packet_is_matched(const struct corr_result *r, const struct corr_packet *p)
{
    if (p->n < 2)
        return false;
    uint32_t frame = corr_result_obs(r, corr_result_sighting(r, p->first))->frame;
    for (uint32_t i = 1; i < p->n; i++)
        if (corr_result_obs(r, corr_result_sighting(r, p->first + i))->frame != frame)
            return true;
    return false;
}

/* The reason of an undetermined fate that is known in all but name: a later acknowledgement took
 * this one's place. */
#define CORR_THINNED "ack filtered at"

static inline bool corr_packet_is_thinned(const struct corr_packet *p)
{
    return p->fate == CORR_FATE_UNDETERMINED && g_strcmp0(p->reason, CORR_THINNED) == 0;
}

static inline bool corr_fate_is_drop(unsigned fate)
{
    return fate == CORR_FATE_CONFIRMED || fate == CORR_FATE_PROBABLE || fate == CORR_FATE_BLOCKED;
}

/* Of a group of equal packets, whichever they are. */
static inline uint32_t corr_group_lost(const struct corr_group *group)
{
    return group->n_from > group->n_to ? group->n_from - group->n_to : 0;
}

static inline unsigned corr_group_count(const struct corr_result *r)
{
    return r->groups ? r->groups->len : 0;
}

static inline const struct corr_group *corr_result_group(const struct corr_result *r, unsigned i)
{
    return &g_array_index(r->groups, struct corr_group, i);
}

static inline uint32_t corr_sighting_point(const struct corr_result *r,
                                           const struct corr_sighting *s)
{
    return corr_result_obs(r, s)->point;
}

/* Points that the packet passed unseen (uint32_t), or NULL. */
static inline const GArray *corr_packet_missed(const struct corr_result *r,
                                               const struct corr_packet *p)
{
    return p->missed && r->missed ? g_ptr_array_index(r->missed, p->missed - 1) : NULL;
}

/* q's clock minus p's at p's time t, as far as the packets prove it. */
struct corr_clock_answer corr_result_clock(const struct corr_result *r, uint32_t p, uint32_t q,
                                           int64_t t_ns);

/* The same between two observations of a packet (to's minus from's): where a clock was set back,
 * one time comes twice, and only the frames tell which of both it is. */
struct corr_clock_answer corr_result_clock_between(const struct corr_result *r, uint32_t from,
                                                   uint32_t to);

/* Likewise, but what the user set takes its place: by this latencies are corrected. */
struct corr_clock_answer corr_result_correction(const struct corr_result *r, uint32_t from,
                                                uint32_t to);

/* Pieces of q's clock against the reference's (struct corr_clock_piece), by time; free it. */
GArray *corr_result_clock_pieces(const struct corr_result *r, uint32_t q,
                                 enum corr_clock_status *status);

/* The settled engine's answers; NULL while unsettled. */
const struct corr_result *corr_engine_result(const struct corr_engine *engine);

#endif /* CORR_RESULT_H */
