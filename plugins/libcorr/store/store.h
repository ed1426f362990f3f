/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - what was observed: points, contexts, local flows, observations.
 *
 * The store is append-only and knows no answers: everything in it comes from
 * the frames alone.  Answers are in path/result.h and are made from the store
 * by corr_engine_settle(), again from the beginning each time.
 *
 *     observation  one packet in one frame; obs[] is in frame order
 *     local flow   one conversation as one point shows it: (point, context,
 *                  addresses, ports, protocol), both directions
 *     context      the encapsulations around the packet, interned
 *     level 2      MAC pair and context, interned: tells link segments apart
 */
#ifndef CORR_STORE_H
#define CORR_STORE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "l7/l7.h"
#include "parse/parse.h"

#define CORR_NONE UINT32_MAX /* no such index */

/*
 * One packet as one frame shows it.  `have` is enum corr_have of parse.h and
 * says which members are valid.
 */
struct corr_obs {
    int64_t time_ns; /* as recorded by the point's clock, since the epoch */
    uint64_t dfull;
    uint32_t frame;
    uint32_t conv;     /* index of the local flow */
    uint32_t have;
    uint32_t context;  /* index into contexts */
    uint32_t l2;       /* index into l2s */
    uint32_t len;      /* payload bytes, true length */
    uint32_t seq, ack, tsval, tsecr;
    uint32_t d8, d32, d128;
    uint32_t opt_hash;
    uint32_t extra;    /* index into fragments, quotes ... by kind; CORR_NONE if none */
    uint32_t ip_len;   /* bytes of the identity IP packet, 0 if unknown */
    uint32_t flow_label; /* IPv6 */
    uint16_t point;
    uint16_t window, ip_id, resid;
    uint16_t mss;
    uint8_t kind;      /* enum corr_kind */
    uint8_t dir;       /* 0: from endpoint a to b of the local flow; 1: back */
    uint8_t ttl, tos, tcp_flags, opt_kinds;
    uint8_t icmp_type, icmp_code;
    uint8_t weak;      /* all payload bytes are equal: digests are no evidence */
    uint8_t cap_level; /* enum corr_level: longest prefix that the capture has */
};

/* Longest payload prefix with a digest: the digests nest. */
enum corr_level { CORR_LEVEL_NONE, CORR_LEVEL_8, CORR_LEVEL_32, CORR_LEVEL_128, CORR_LEVEL_FULL };

/* Rarely needed parts of an observation. */
struct corr_extra {
    struct corr_frag frag;   /* valid with CORR_HAVE_FRAG */
    struct corr_quote quote; /* valid with CORR_HAVE_QUOTE */
    uint64_t packet_id;      /* valid with has_packet_id */
    bool has_packet_id;
};

/* TCP options that few frames have: only for those, in the order of observations. */
struct corr_options {
    uint32_t obs;
    uint8_t wscale; /* valid with CORR_OPT_WSCALE in the observation's opt_kinds */
    uint8_t n_sack;
    struct corr_sack sack[CORR_SACK_MAX];
};

struct corr_endpoint {
    struct corr_addr addr;
    uint16_t port;
};

/* A local flow.  Endpoint 0 is the sender of its first packet. */
struct corr_conv {
    uint32_t point, context_key;
    struct corr_endpoint end[2];
    uint8_t proto;    /* IP protocol number; 0 for level-2 flows */
    bool has_ports;   /* false: ports are not part of this flow */
    bool mixed;       /* holds packets of several tenants: set by match/tenants.c */
    uint16_t ethertype;
};

struct corr_context {
    uint32_t key; /* equal for both directions: ids of one-way encapsulations left out */
    uint8_t n;
    struct corr_encap encap[CORR_ENCAP_MAX];
};

struct corr_l2 {
    uint32_t context;
    uint8_t src[6], dst[6];
};

/* What the trailers say that a packet broker wrote behind the frames of a point. */
struct corr_point_broker {
    bool is; /* nearly all frames of the interface have one, and of one kind */
    enum corr_broker_kind kind;
    bool has_source; /* device, port: this point is one of those that the trailers name */
    uint16_t device;
    uint32_t port;
    /* Trailers; those with a time; those whose clock follows another. */
    uint32_t n, n_time, n_synchronised;
    int64_t least_ns, greatest_ns; /* the trailer's time minus the recorded; valid with n_time */
};

struct corr_point {
    uint32_t section, interface;
    uint32_t ifindex; /* SLL2: one point per interface index; 0 otherwise */
    uint64_t segment; /* of a collapsed interface: which link segment this point is; of a packet
                         broker's: which source; else 0 */
    struct corr_point_broker broker;
    bool collapsed;   /* shows several link segments: its frames go to points of their own */
    char *name;       /* unique; owned */
    struct corr_point_settings settings; /* host is owned */
    uint32_t link;    /* LINKTYPE_ of its first frame */
    uint64_t frames;  /* all frames, also those that hold no packet */
    GHashTable *unknown; /* const char * reason -> GUINT count */
};

/* What a frame added to a count instead of to obs[]: taking the frame back takes this back. */
struct corr_unusable {
    uint32_t frame;
    uint32_t point;
    const char *why; /* key of the point's `unknown` */
};

/* A token of an observation. */
struct corr_said_token {
    struct corr_token token;
    uint32_t obs;
};

/*
 * A UDP datagram too large for one Ethernet frame, though no fragment: the
 * sender's card cut it into slices, or the receiver joined them.  Nobody knows yet
 * how long a slice is, so its bytes are kept, as long as there is room.  A last pair
 * of slices may fit one frame: then the checksum that was left to the card tells.
 */
struct corr_large {
    uint32_t obs;
    uint32_t at; /* in large_bytes: as many as the observation's len */
};
#define CORR_LARGE_ABOVE 1472u              /* payload of a UDP datagram on Ethernet */
#define CORR_LARGE_KEPT (64u * 1024 * 1024) /* bytes of all of them */
#define CORR_LARGE_MAYBE_ABOVE 600u         /* half a datagram of the usual length */
#define CORR_LARGE_MAYBE_KEPT (16u * 1024 * 1024)

/* A later fragment and the first one of its datagram, which may be at another point only. */
struct corr_fragment {
    uint32_t obs, first; /* observations */
    bool elsewhere;
};

struct corr_index;   /* store/index.h */
struct corr_brokers; /* store/brokers.c: trailers as single frames show them */

struct corr_store {
    struct corr_config config;
    GArray *obs;      /* struct corr_obs, in frame order */
    GArray *frame_obs; /* uint32_t: frame number -> first observation; CORR_NONE */
    GArray *frame_point; /* uint16_t: frame number -> point + 1; 0 = never seen */
    GArray *convs;    /* struct corr_conv */
    GArray *contexts; /* struct corr_context; 0 is "none" */
    GArray *l2s;      /* struct corr_l2 */
    GArray *unusable; /* struct corr_unusable, in frame order */
    GArray *extras;   /* struct corr_extra */
    GArray *tokens;   /* struct corr_said_token, in frame order */
    GArray *larges;   /* struct corr_large, in frame order */
    GByteArray *large_bytes;
    GArray *options;  /* struct corr_options */
    GArray *fragments; /* struct corr_fragment, by obs; see corr_store_join_fragments() */
    GPtrArray *points; /* struct corr_point *, in file order */
    struct corr_brokers *brokers;
    struct corr_l7 *l7; /* what the payloads say; its marks name observations */
    struct corr_index *conv_index, *context_index, *l2_index;
    GHashTable *names; /* const char * name of a point: taken */
    uint32_t last_frame;
    uint32_t n_frames;
    uint32_t answer_bytes; /* that answers will take for each observation; set by the engine */
    uint32_t full_at;      /* first frame above the limits of config: it and all later ones are
                              counted and leave nothing else; 0: none yet */
    uint64_t n_refused;    /* so many */
    uint32_t refused_last; /* point of the last of them */
};

struct corr_store *corr_store_new(const struct corr_config *config);
void corr_store_free(struct corr_store *store);

uint32_t corr_store_add_point(struct corr_store *store, uint32_t section, uint32_t interface,
                              const char *name);

/* See corr_engine_set_point(). */
void corr_store_set_point(struct corr_store *store, uint32_t point,
                          const struct corr_point_settings *settings);

/* Parses and appends one frame; frames that are taken back go first. */
void corr_store_add_frame(struct corr_store *store, const struct corr_frame *frame);

/* Memory that the store holds, and answers to it will: what config.max_bytes limits. */
uint64_t corr_store_bytes(const struct corr_store *store);

/* The capture point of a frame that need not be stored: its interface's, or a known part of it. */
uint32_t corr_store_point_of(const struct corr_store *store, const struct corr_frame *frame);

static inline const struct corr_obs *corr_store_obs(const struct corr_store *store, uint32_t i)
{
    return &g_array_index(store->obs, struct corr_obs, i);
}

static inline const struct corr_conv *corr_store_conv(const struct corr_store *store, uint32_t i)
{
    return &g_array_index(store->convs, struct corr_conv, i);
}

static inline const struct corr_extra *corr_store_extra(const struct corr_store *store,
                                                        const struct corr_obs *obs)
{
    return obs->extra == CORR_NONE ? NULL
                                   : &g_array_index(store->extras, struct corr_extra, obs->extra);
}

/* A super-datagram for sure: larger than Ethernet carries, and no fragment. */
static inline bool corr_obs_is_large(const struct corr_obs *obs)
{
    return obs->kind == CORR_KIND_UDP && obs->have & CORR_HAVE_LEN && obs->len > CORR_LARGE_ABOVE &&
           !(obs->have & CORR_HAVE_FRAG);
}

/* The options of an observation whose opt_kinds has a window scale or SACK blocks, else NULL. */
const struct corr_options *corr_store_options(const struct corr_store *store, uint32_t obs);

static inline const struct corr_point *corr_store_point(const struct corr_store *store, uint32_t i)
{
    return g_ptr_array_index(store->points, i);
}

/* Source and destination endpoint of an observation. */
static inline const struct corr_endpoint *corr_store_src(const struct corr_store *store,
                                                         const struct corr_obs *obs)
{
    return &corr_store_conv(store, obs->conv)->end[obs->dir];
}

static inline const struct corr_endpoint *corr_store_dst(const struct corr_store *store,
                                                         const struct corr_obs *obs)
{
    return &corr_store_conv(store, obs->conv)->end[!obs->dir];
}

/* Multicast, broadcast, link-local and level-2 flows stay on their link, or fan out. */
bool corr_conv_scoped(const struct corr_conv *conv);

/*
 * Files that were merged without keeping their interfaces apart show packets
 * twice at one interface, with other MAC addresses behind a router.  Gives each
 * link segment (MAC pair and VLANs) of such an interface a point of its own, for
 * the frames seen so far and those to come.
 */
void corr_store_split_collapsed(struct corr_store *store);

/*
 * A packet broker joins what several of its ports see into one interface, and writes
 * behind each frame where it came from.  Gives each of these sources a point of its own,
 * and takes the trailers from packets that do not tell their length; or takes that back,
 * when later frames had no trailer.
 */
void corr_store_split_brokers(struct corr_store *store);

/* Later fragments go to the local flow of their first one, seen here or if not so, elsewhere. */
void corr_store_join_fragments(struct corr_store *store);
/* The first fragment of a later one's datagram, if another point alone shows it; CORR_NONE. */
uint32_t corr_store_first_fragment(const struct corr_store *store, uint32_t obs);

/* "vlan 100, vxlan 77", or "" for none. */
void corr_context_text(const struct corr_store *store, uint32_t context, GString *text);

/* "192.168.1.10:54321", "[2001:db8::1]:443", without port if the flow has none. */
void corr_endpoint_text(const struct corr_endpoint *end, bool has_ports, GString *text);

/* NULL if the store keeps its promises, else the first broken one (g_free()). */
char *corr_store_check(const struct corr_store *store);

#endif /* CORR_STORE_H */
