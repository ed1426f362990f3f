/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_abi.c - the number by which the two plug-ins recognise that they fit together. */
#include "hooks.h"

uint32_t hook_tap_abi(void)
{
    /* The record's own layout is not among the engine's headers. */
    return CORR_ENGINE_ABI ^ (uint32_t)sizeof(struct hook_tap_record);
}
