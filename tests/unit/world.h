/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - a small network with capture points, its packets, and what the
 * engine makes of the frames: for tests that know the truth because they made it.
 *
 *     struct world *w = world_new();
 *     uint32_t lan = world_point(w, "lan"), wan = world_point(w, "wan");
 *     struct shape p = udp(10, 5000, 20, 53, 1);     from 10.0.0.10 to 10.0.0.20, content 1
 *     uint32_t a = world_see(w, lan, MS(1), &p), b = world_see(w, wan, MS(2), &p);
 *     world_run(w);
 *     g_assert_cmpuint(world_packet(w, a), ==, world_packet(w, b));
 *     world_free(w);
 *
 * Frames are handed to the engine as mergecap puts them: each point's in the
 * order of capture, the earliest recorded time first.  Each point's clock may be
 * wrong: recorded = true + offset + drift, from `step_at` on + step, and slewed.
 */
#ifndef WORLD_H
#define WORLD_H

#include <glib.h>
#include <string.h>

#include "corr.h"
#include "path/result.h"
#include "view.h"

#define US(n) ((int64_t)(n) * 1000)
#define MS(n) ((int64_t)(n) * 1000000)
#define SEC(n) ((int64_t)(n) * 1000000000)
#define WORLD_BASE_NS INT64_C(1700000000000000000)

enum { ICMP = 1, TCP = 6, UDP = 17 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* An IPv4 packet.  Zero is a good value for all but addresses and protocol. */
struct shape {
    uint32_t src, dst;       /* host byte order; ip(n) */
    uint16_t src_port, dst_port;
    uint8_t proto, ttl, tos; /* ttl 0 means 64 */
    uint8_t tcp_flags;
    uint8_t icmp_type, icmp_code;
    uint8_t mac;             /* which link: part of both MAC addresses */
    uint16_t ip_id, window, vlan;
    bool df, ts;
    uint32_t seq, ack, tsval, tsecr;
    uint64_t content;        /* payload: all bytes differ from those of another content ... */
    uint32_t content_at;     /* ... and begin so far into it */
    const void *bytes;       /* payload instead of content; NULL: content */
    uint32_t len;            /* payload bytes */
    uint32_t frag_at, frag_len; /* frag_len > 0: only these bytes of the IP payload */
    bool frag_more;
    uint32_t snap;           /* captured bytes; 0: all */
    uint32_t damage;         /* flips bits of payload byte damage - 1 after the checksum */
    const struct shape *quote; /* ICMP errors */
};

static inline uint32_t ip(uint32_t n)
{
    return 0x0a000000u + n; /* 10.0.0.n */
}

struct shape udp(uint32_t src, uint16_t src_port, uint32_t dst, uint16_t dst_port,
                 uint64_t content);
/* Segment with ACK, window 500; content is the stream's number, content_at = at. */
struct shape tcp(uint32_t src, uint16_t src_port, uint32_t dst, uint16_t dst_port, uint8_t flags,
                 uint32_t seq, uint32_t ack);
struct shape echo(uint32_t src, uint32_t dst, bool reply, uint16_t id, uint16_t seq);
/* The same packet in the other direction: addresses and ports exchanged. */
struct shape turned(const struct shape *shape);

/* Appends the bytes of an Ethernet frame. */
void shape_bytes(const struct shape *shape, GByteArray *out);

struct world_clock {
    int64_t offset_ns, step_at_ns, step_ns;
    int64_t slew_from_ns, slew_to_ns;
    double drift_ppm, slew_ppm; /* always; between the two moments */
};

struct world_frame {
    uint32_t point, number, link, wire_len, cap_len, truth;
    int64_t time_ns, true_ns, merged_ns; /* recorded; true; key of its place in the file */
    guint at; /* in bytes */
    uint64_t packet_id;
    bool has_packet_id, no_time;
};

#define WORLD_POINTS 80

struct world {
    struct corr_engine *engine;
    uint32_t n_points;
    struct world_clock clocks[WORLD_POINTS];
    GArray *seen;      /* struct world_frame, in the order of world_see() */
    GByteArray *bytes;
    bool is_live;      /* frames come in the order of true time, as in a live capture */
    uint32_t truth;    /* given to frames that are seen from now on */
    struct corr_view *view;
};

struct world *world_new(void);
struct world *world_new_with(const struct corr_config *config);
void world_free(struct world *w);
uint32_t world_point(struct world *w, const char *name);

/* Recorded minus true time. */
int64_t world_clock_at(const struct world_clock *clock, int64_t at_ns);

/* A packet passes a point at a true time; returns the sighting's index. */
uint32_t world_see(struct world *w, uint32_t point, int64_t at_ns, const struct shape *shape);
/* The same with any bytes. */
uint32_t world_see_bytes(struct world *w, uint32_t point, int64_t at_ns, uint32_t link,
                         const uint8_t *bytes, uint32_t len);

/* A way through the network.  `rewrite` changes the packet before it is seen at points[i]
 * (`back`: on its way back, so before points[i - 1] is reached from points[i]). */
struct way {
    unsigned n;
    uint32_t points[WORLD_POINTS];
    int64_t delay_ns[WORLD_POINTS]; /* to points[i] from points[i - 1], both ways */
    bool routed;                    /* TTL falls by one per step */
    void (*rewrite)(struct shape *shape, unsigned i, bool back);
};
struct way way_of(const uint32_t *points, unsigned n, int64_t delay_ns);

/* Sends a packet along; it is seen at `until` points at most.  Returns the first sighting's
 * index; the others follow.  `walk_back` begins at the way's end. */
uint32_t walk(struct world *w, const struct way *way, int64_t at_ns, struct shape shape,
              unsigned until);
uint32_t walk_back(struct world *w, const struct way *way, int64_t at_ns, struct shape shape,
                   unsigned until);

/* Sorts and numbers all frames, and observes those with numbers from first to last. */
void world_feed(struct world *w, uint32_t first, uint32_t last);

/* Sorts, numbers and observes all frames, settles, and asks corr_engine_check(). */
void world_run(struct world *w);

/* Of a sighting, by its index: its frame, its (first) packet's index, how many packets. */
uint32_t world_number(const struct world *w, uint32_t seen);
uint32_t world_packet(const struct world *w, uint32_t seen);
uint32_t world_packets(const struct world *w, uint32_t seen);
const struct corr_packet *world_packet_of(const struct world *w, uint32_t seen);
const struct corr_sighting *world_sighting(const struct world *w, uint32_t seen);
const struct corr_obs *world_obs(const struct world *w, uint32_t seen);
uint32_t world_flow(const struct world *w, uint32_t seen);
/* All values of a field, joined by "|"; NULL if absent.  Free with g_free(). */
char *world_field(struct world *w, uint32_t seen, enum corr_field field);
/* What corr_engine_dump() writes; free(). */
char *world_dump(const struct corr_engine *engine);

#define assert_world_field(w, seen, id, expected)                                                  \
    do {                                                                                           \
        g_autofree char *text_ = world_field(w, seen, CORR_FIELD_##id);                            \
        g_assert_cmpstr(text_, ==, expected);                                                      \
    } while (0)
#define assert_same(w, a, b) g_assert_cmpuint(world_packet(w, a), ==, world_packet(w, b))
#define assert_other(w, a, b) g_assert_cmpuint(world_packet(w, a), !=, world_packet(w, b))

/* Numbers that look random and are the same every time (splitmix64). */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *r);
uint32_t random_below(struct random *r, uint32_t n);

#endif /* WORLD_H */
