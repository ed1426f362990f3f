/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * corr.h - the correlation engine: which frames show the same packet, which
 * way did it take, what was rewritten, delayed or lost?
 *
 * The engine is given every captured frame once, as bytes, in file order.  It
 * depends on GLib and xxHash and on nothing else: it opens no file, reads no
 * clock, prints nothing by itself and has never heard of Wireshark.  All of
 * its state hangs off one struct corr_engine; there are no globals.
 *
 *     struct corr_engine *engine = corr_engine_new(&config);
 *     uint32_t lan = corr_engine_add_point(engine, 0, 0, "lan");
 *
 *     corr_engine_observe(engine, &frame);        once per frame, in file order
 *     ...
 *     corr_engine_settle(engine);                 no frame will follow
 *     corr_engine_settle_live(engine, &live);     or: more will, but what is known by now?
 *     corr_engine_lookup(engine, 17, CORR_WANT_ALL, view);   fields of frame 17, see view.h
 *     corr_report_build(engine, table, frames);   report/report.h
 *     corr_engine_free(engine);
 *
 * Words
 *
 *     capture point  a place where frames are captured: "observation point",
 *                    RFC 7011, section 2
 *     observation    one packet as one frame shows it: "packet report", RFC 5474
 *     packet         one transmission of a packet, and all its sightings
 *     segment        two capture points that follow each other on a path; TCP's
 *                    is always called "TCP segment"
 *
 * What callers can rely on
 *
 *     Repeatable.  Same frames in the same order: same answers, byte for byte.
 *     Never wrong early.  What a later frame could contradict is absent until
 *     corr_engine_settle().
 *     Total.  Any bytes are acceptable.  What could not be used is counted.
 */
#ifndef CORR_H
#define CORR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct corr_engine;
struct corr_limits;
struct corr_view;

/* How recorded times are corrected before latencies are taken from them. */
enum corr_correction {
    CORR_CORRECTION_AUTO,   /* by the offsets that the packets themselves prove */
    CORR_CORRECTION_OFF,    /* not at all: the clocks are taken for right */
    CORR_CORRECTION_MANUAL, /* by corr_point_settings.offset_ns of each point, or 0 */
};

/* Settings.  Zero in any member means the default named beside it. */
struct corr_config {
    /* Frames above either limit are counted, not stored. */
    uint32_t max_observations;       /* 20 million */
    uint64_t max_bytes;              /* of all that the engine holds, answers included; none */
    enum corr_correction correction; /* AUTO */
    /* Of grades: layers/grade.h.  The caller's, living as long as the engine; NULL: the list's. */
    const struct corr_limits *limits;
    uint32_t closed_tunnels;         /* not to look into: 1 << enum corr_encap_kind; none */
};

/* What the user knows of a capture point and frames need not show.  Zero: nothing. */
struct corr_point_settings {
    /*
     * Place on the way from clients to servers, from 1; 0: not known.  Of two points
     * with ranks, a flow's packets pass them in this order or, all of them, in the
     * reverse one.  Which of both is what the packets show; if they show nothing, the
     * initiator is where the low ranks are.
     */
    uint32_t rank;
    /* Points with the same text share one clock ("probe-1"); NULL or "": not known. */
    const char *host;
    /* The point's clock minus the true time; for CORR_CORRECTION_MANUAL. */
    int64_t offset_ns;
};

/* How things stand while frames go on coming. */
struct corr_live {
    /*
     * A packet that is missing at a point may still be under way, or in a buffer: its verdict
     * is due when so much more than the longest latency seen has passed.
     */
    int64_t grace_ns;
    int64_t silence_ns; /* since the last frame came */
    /*
     * Frames are looked at again: later frames continue the numbers of packets that settling
     * gave.  If not, numbers stay as they were when they were first told.
     */
    bool renumber;
};

/*
 * One frame as it was captured.  `link` is the link-layer header type in the
 * numbering of pcap-linktype(7): 1 Ethernet, 101 raw IP, 113 SLL, 276 SLL2 ...
 * `data` is read during the call only.
 */
struct corr_frame {
    uint32_t number;    /* in the file, from 1 */
    uint32_t point;     /* from corr_engine_add_point() */
    int64_t time_ns;    /* capture time as recorded, nanoseconds since the epoch */
    uint32_t link;      /* LINKTYPE_ value */
    uint32_t wire_len;  /* bytes on the wire */
    uint32_t cap_len;   /* bytes at `data` */
    const uint8_t *data;
    uint64_t packet_id; /* epb_packetid of pcapng; valid if has_packet_id */
    bool has_packet_id;
    bool has_time;      /* false: no time was recorded (time_ns is ignored) */
};

/* Creates an engine.  `config` is copied; NULL asks for every default. */
struct corr_engine *corr_engine_new(const struct corr_config *config);

/* Frees the engine and every string it handed out.  NULL is fine. */
void corr_engine_free(struct corr_engine *engine);

/*
 * Returns the number, from 0, of the capture point that is interface
 * `interface` of section `section` (both from 0), creating it at first sight.
 * `name` is used at creation only; a name that is taken becomes "name#2".
 */
uint32_t corr_engine_add_point(struct corr_engine *engine, uint32_t section,
                               uint32_t interface, const char *name);

/*
 * Replaces the settings of a point (copied).  Points that are made of its frames
 * (one per interface index of `tcpdump -i any`, one per link segment of a collapsed
 * interface) take over host and offset.  Allowed at any time; unsettles.
 */
void corr_engine_set_point(struct corr_engine *engine, uint32_t point,
                           const struct corr_point_settings *settings);

/*
 * Takes in one frame.  Numbers ascend; a number that is not above the last
 * one takes back every frame from that number on (Wireshark numbers frames
 * again after a read filter refused one).  Observing after settle() is
 * allowed and unsettles.
 */
void corr_engine_observe(struct corr_engine *engine, const struct corr_frame *frame);

/* No frame will follow, for now: computes every answer.  Idempotent. */
void corr_engine_settle(struct corr_engine *engine);

/*
 * More frames will follow: computes every answer as far as it is due; verdicts that are not
 * are "pending".  Its answers stay known for their frames when later ones are observed, until
 * the next settling.  Returns how many verdicts are pending.
 */
uint32_t corr_engine_settle_live(struct corr_engine *engine, const struct corr_live *live);

/* Whether every frame that was observed is in the answers, pending or not. */
bool corr_engine_is_settled(const struct corr_engine *engine);

/* Verdicts that were not due when the engine settled; 0 after corr_engine_settle(). */
uint32_t corr_engine_pending(const struct corr_engine *engine);

/*
 * The first frame that was not stored, because a limit of the configuration was reached; 0: none.
 * It and all later ones are counted.  Lookups of them find nothing (the first one: a finding);
 * corr_engine_point_name() tells the capture point of any frame.
 */
uint32_t corr_engine_full_at(const struct corr_engine *engine);
const char *corr_engine_point_name(const struct corr_engine *engine,
                                   const struct corr_frame *frame);

/* Memory that the engine holds, and that its answers will take, in bytes: an estimate. */
uint64_t corr_engine_bytes(const struct corr_engine *engine);

/* Frames given and not taken back; the highest frame number. */
uint32_t corr_engine_frame_count(const struct corr_engine *engine);
uint32_t corr_engine_last_frame(const struct corr_engine *engine);

/*
 * Fills `view` (emptied first) with what is known about a frame.  Unsettled, that is its
 * capture point only.  Once the engine has settled live, it is for frames of then what was
 * known then, and for later ones what the frames before them tell: see early.h.
 * A frame never observed gives an empty view.
 * `wanted`: of CORR_WANT(), see view.h; what nobody wants costs nothing.
 */
void corr_engine_lookup(struct corr_engine *engine, uint32_t frame, uint64_t wanted,
                        struct corr_view *view);

/* Writes the whole state as text, one object per line, in fixed order. */
void corr_engine_dump(const struct corr_engine *engine, FILE *out);

/*
 * Checks what the stores promise each other.  NULL if all holds, else a
 * sentence naming the first broken promise (free with g_free()).  Slow.
 */
char *corr_engine_check(const struct corr_engine *engine);

#endif /* CORR_H */
