/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_drawer.h - frames that a window's tap selected, and when to draw them.
 *
 * Wireshark's table and tree windows know no callback for "now draw".  Ours is that of a listener
 * of its own: Wireshark draws the youngest listener first, so this one is registered when the
 * window's listener gets its first packet.
 */
#ifndef HOOK_DRAWER_H
#define HOOK_DRAWER_H

#include <stdbool.h>
#include <stdint.h>

#include <epan/tap.h>

struct corr_engine;
struct corr_frame_set;
struct hook_live;

struct hook_drawer {
    void (*draw)(void *window); /* shows what hook_drawer_settle() gives */
    void *window;
    struct corr_engine *engine;    /* NULL: no frame since the last reset */
    struct hook_live *live;        /* of the engine */
    struct corr_frame_set *frames; /* that passed the window's filter */
    uint32_t n_frames;             /* how many */
    bool pending;                  /* frames were noted that the window does not show yet */
    bool listens;
};

/* For a window's own tap callback: notes the frame of a tap record (struct hook_tap_record). */
tap_packet_status hook_drawer_note(struct hook_drawer *drawer, const void *tapped);

/* The window is empty again. */
void hook_drawer_forget(struct hook_drawer *drawer);

/* As before the first frame, without a listener. */
void hook_drawer_stop(struct hook_drawer *drawer);

/* Answers the noted frames; false: there is nothing new to show.  *frames NULL: all frames. */
bool hook_drawer_settle(struct hook_drawer *drawer, const struct corr_frame_set **frames);

#endif /* HOOK_DRAWER_H */
