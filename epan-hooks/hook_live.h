/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_live.h - when to settle while frames go on coming.
 *
 * A file is read to its end, and then looked at: it is settled once.  In a live capture
 * Wireshark looks at frames (rows being drawn, tables) while others come, and each new one
 * makes the answers old.  Settling anew for each would cost more the longer it goes on, so
 * old answers are shown for a while, and what is not due yet is pending.
 *
 * corr.so owns the state; corr-tap.so gets at it by the tap record.
 */
#ifndef HOOK_LIVE_H
#define HOOK_LIVE_H

#include <stdbool.h>
#include <stdint.h>

struct corr_engine;

struct hook_live {
    int64_t grace_ns;     /* a preference */
    int64_t last_came_us; /* when the last frame came, if it was captured just then; else 0 */
    bool is_live;         /* frames come as they are captured, or came after some were looked at */
    bool looked;          /* frames are looked at again */
    bool has_ended;       /* Wireshark says that no frame will follow */

    /* of the last settling: */
    int64_t settled_at_us; /* 0: never */
    int64_t took_us;
    uint32_t n_frames;
};

/* A frame that was captured at `time_ns` comes.  `looked`: others were looked at before. */
void hook_live_came(struct hook_live *live, int64_t time_ns, bool looked);

/* No frame will follow. */
void hook_live_end(struct hook_live *live);

/* tshark draws tables after the last frame only, and never looks at a frame of a live capture
 * again; Wireshark does both. */
bool hook_live_is_tshark(void);

/*
 * Settles if that is due.  False: the answers lack the newest frames; those of others can
 * be looked up, if there are any.
 */
bool hook_live_settle(struct hook_live *live, struct corr_engine *engine);

/*
 * Settles if much has come since the last time, so that frames which nobody will look at again
 * (tshark's) show what the past tells.  Does nothing unless the capture is live.
 */
void hook_live_learn(struct hook_live *live, struct corr_engine *engine);

#endif /* HOOK_LIVE_H */
