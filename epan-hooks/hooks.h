/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hooks.h - what the two plug-ins call, and the record that passes between them.
 *
 * corr.so owns the engine: hook_frame.c feeds it and shows its answers.
 * corr-tap.so never owns one: it learns where the engine is from the tap
 * record.  The two files are opened separately and share no variable.
 */
#ifndef HOOKS_H
#define HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct corr_engine;
struct hook_live;

/* Registration of corr.so: protocol, fields, expert items, post-dissector; then its handle. */
void hook_frame_register(void);
void hook_frame_handoff(void);

/* Registration of corr-tap.so: `-z corr,TABLE[,FORMAT][,FILTER]`. */
void hook_tap_register(void);

/* The name of the protocol, of the tap, and the first word after -z. */
#define HOOK_NAME "corr"

/*
 * What the tap "corr" hands to its listeners, once for every frame.  `abi`
 * must be compared with hook_tap_abi() before `engine` is touched: two files
 * of different builds may lie in one plug-in folder.  `engine` is valid until
 * the listener's reset callback: the file is closed soon after that.
 */
struct hook_tap_record {
    uint32_t abi;
    uint32_t frame;
    struct corr_engine *engine;
    struct hook_live *live; /* valid as long as `engine` */
    bool *told; /* a listener sets it that has told the user that one pass is not enough */
};

/* A digest of the headers that declare the engine; CMake computes it. */
uint32_t hook_tap_abi(void);

#endif /* HOOKS_H */
