/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compat.h"
#include "hook_drawer.h"

#include "corr.h"
#include "hook_live.h"
#include "hooks.h"
#include "report/report.h"

void hook_drawer_forget(struct hook_drawer *drawer)
{
    drawer->engine = NULL;
    drawer->pending = false;
    drawer->n_frames = 0;
    g_clear_pointer(&drawer->frames, corr_frame_set_free);
}

static void drawer_reset(void *data)
{
    hook_drawer_forget(data);
}

static tap_packet_status drawer_packet(void *data G_GNUC_UNUSED, packet_info *pinfo G_GNUC_UNUSED,
                                       epan_dissect_t *edt G_GNUC_UNUSED,
                                       const void *tapped G_GNUC_UNUSED,
                                       tap_flags_t flags G_GNUC_UNUSED)
{
    return TAP_PACKET_REDRAW;
}

static void drawer_draw(void *data)
{
    struct hook_drawer *drawer = data;

    drawer->draw(drawer->window);
}

/* At exit Wireshark frees listeners, the youngest first, and trees as it frees theirs: the list
 * must not be asked for the drawer any more. */
static void drawer_finish(void *data)
{
    struct hook_drawer *drawer = data;

    drawer->listens = false;
}

void hook_drawer_stop(struct hook_drawer *drawer)
{
    if (drawer->listens)
        remove_tap_listener(drawer);
    drawer->listens = false;
    hook_drawer_forget(drawer);
}

tap_packet_status hook_drawer_note(struct hook_drawer *drawer, const void *tapped)
{
    const struct hook_tap_record *record = tapped;

    if (record->abi != hook_tap_abi())
        return TAP_PACKET_FAILED;
    if (!drawer->listens) {
        GString *error =
            register_tap_listener(HOOK_NAME, drawer, NULL, TL_REQUIRES_NOTHING, drawer_reset,
                                  drawer_packet, drawer_draw, drawer_finish);

        if (error) {
            g_string_free(error, TRUE);
            return TAP_PACKET_FAILED;
        }
        drawer->listens = true;
    }
    drawer->engine = record->engine;
    drawer->live = record->live;
    if (!drawer->frames)
        drawer->frames = corr_frame_set_new();
    corr_frame_set_add(drawer->frames, record->frame);
    drawer->n_frames++;
    drawer->pending = true;
    return TAP_PACKET_REDRAW;
}

bool hook_drawer_settle(struct hook_drawer *drawer, const struct corr_frame_set **frames)
{
    if (!drawer->pending || !drawer->engine)
        return false;
    if (hook_live_is_tshark())
        hook_live_end(drawer->live);
    if (!hook_live_settle(drawer->live, drawer->engine))
        return false;
    drawer->pending = corr_engine_pending(drawer->engine) > 0;
    *frames = drawer->n_frames == corr_engine_frame_count(drawer->engine) ? NULL : drawer->frames;
    return true;
}
