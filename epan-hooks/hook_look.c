/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_look.c - what listeners of corr-tap.so ask the engine about a frame. */
#include "hook_look.h"

#include "hook_live.h"

static struct corr_view *views[2]; /* used again until the program ends */

static const struct corr_view *look(unsigned which, struct corr_engine *engine, uint32_t frame,
                                    uint64_t wanted)
{
    if (!views[which])
        views[which] = corr_view_new();
    corr_engine_lookup(engine, frame, wanted, views[which]);
    return views[which];
}

const struct corr_view *hook_look(const void *tapped, const packet_info *pinfo, uint64_t wanted)
{
    const struct hook_tap_record *record = tapped;

    if (record->abi != hook_tap_abi())
        return NULL;
    if (!corr_engine_is_settled(record->engine) &&
        (!PINFO_FD_VISITED(pinfo) || !hook_live_settle(record->live, record->engine)))
        return NULL;
    return look(0, record->engine, record->frame, wanted);
}

const struct corr_view *hook_look_at(const void *tapped, uint32_t frame, uint64_t wanted)
{
    const struct hook_tap_record *record = tapped;

    return look(1, record->engine, frame, wanted);
}

const struct corr_value *hook_value(const struct corr_view *view, enum corr_field field)
{
    for (unsigned i = 0; i < view->values->len; i++) {
        const struct corr_value *value = &g_array_index(view->values, struct corr_value, i);

        if (value->field == field)
            return value;
    }
    return NULL;
}
