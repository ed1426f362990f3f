/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_tap.c - the listener behind `-z corr,TABLE[,FORMAT][,FILTER]`.
 *
 * The tap selects and the report computes: packets are only noted by number,
 * and all work is done when the listener draws.  So any display filter works
 * on any table, and one pass over the file answers as two do.
 *
 * Results go to standard output, all else to standard error.
 */
#include "compat.h"
#include "hooks.h"

#include <stdio.h>
#include <string.h>

#include <epan/tap.h>

#include "corr.h"
#include "hook_charts.h"
#include "hook_live.h"
#include "hook_tables.h"
#include "hook_windows.h"
#include "report/report.h"

struct listener {
    struct hook_request request;
    struct corr_engine *engine;    /* of the other plug-in; NULL: no frame since the last reset */
    struct corr_frame_set *frames; /* that passed the filter; NULL: there is no filter */
    bool mismatch;                 /* corr.so is of another build: do not touch its engine */
    bool early;                    /* frames went through the filter before the file's end */
    struct hook_live *live;        /* see struct hook_tap_record */
    bool *told;                    /* likewise */
};

static void listener_free(struct listener *listener)
{
    hook_request_clear(&listener->request);
    corr_frame_set_free(listener->frames);
    g_free(listener);
}

/* In Wireshark the engine is freed after this, and draw may still follow. */
static void tap_reset(void *data)
{
    struct listener *listener = data;

    listener->engine = NULL;
    listener->early = false;
    if (listener->frames) {
        corr_frame_set_free(listener->frames);
        listener->frames = corr_frame_set_new();
    }
}

/* Learns from any frame where the engine is. */
static tap_packet_status tap_packet(void *data, packet_info *pinfo G_GNUC_UNUSED,
                                    epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                    tap_flags_t flags G_GNUC_UNUSED)
{
    const struct hook_tap_record *record = tapped;
    struct listener *listener = data;

    listener->mismatch = record->abi != hook_tap_abi();
    if (listener->mismatch)
        return TAP_PACKET_FAILED;
    listener->engine = record->engine;
    listener->live = record->live;
    listener->told = record->told;
    if (!corr_engine_is_settled(record->engine))
        listener->early = true;
    return TAP_PACKET_REDRAW;
}

/* Notes a frame that passed the filter.  `data` is struct listener's member `frames`. */
static tap_packet_status tap_filtered(void *data, packet_info *pinfo G_GNUC_UNUSED,
                                      epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                      tap_flags_t flags G_GNUC_UNUSED)
{
    const struct hook_tap_record *record = tapped;
    struct corr_frame_set **frames = data;

    if (record->abi != hook_tap_abi())
        return TAP_PACKET_FAILED;
    corr_frame_set_add(*frames, record->frame);
    return TAP_PACKET_DONT_REDRAW;
}

/*
 * Whether a filter names a field that is known after the last frame only: one
 * of ours that is not the capture point.
 */
static bool asks_the_future(const char *filter)
{
    const char *own = HOOK_NAME ".", *point = "point";
    const char *at = filter;

    while ((at = strstr(at, own))) {
        const char *field = at + strlen(own);
        bool is_start = at == filter || !(g_ascii_isalnum(at[-1]) || strchr("._-", at[-1]));
        char after;

        at = field;
        if (!is_start)
            continue;
        if (!g_str_has_prefix(field, point))
            return true;
        after = field[strlen(point)];
        if (g_ascii_isalnum(after) || after == '.' || after == '_')
            return true;
    }
    return false;
}

static void tap_draw(void *data)
{
    static bool drawn; /* an empty line parts the tables of several -z */
    struct listener *listener = data;
    char *text;

    if (listener->mismatch) {
        fprintf(stderr, "corr: corr.so and corr-tap.so are of different builds; "
                        "install both from the same one.\n");
        return;
    }
    if (listener->early && listener->request.filter && asks_the_future(listener->request.filter)) {
        *listener->told = true;
        fprintf(stderr,
                "corr: the filter \"%s\" asks for fields that are known after the last frame only; "
                "in one pass it selects too little. Use tshark -2%s.\n",
                listener->request.filter,
                listener->live->is_live ? " -r with a file written by -w" : "");
    }
    if (listener->engine) {
        if (hook_live_is_tshark())
            hook_live_end(listener->live);
        if (!hook_live_settle(listener->live, listener->engine))
            return;
    }
    text = hook_request_render(&listener->request, listener->engine, listener->frames);
    if (drawn)
        putchar('\n');
    drawn = true;
    fputs(text, stdout);
    fflush(stdout);
    g_free(text);
}

static void tap_finish(void *data)
{
    listener_free(data);
}

/* NULL, or what is wrong (free it). */
static char *refusal(GString *error)
{
    return error ? g_string_free(error, FALSE) : NULL;
}

/*
 * With a filter there are two listeners: a filter may refuse every frame, and
 * the tables are still to be made from the file's engine.
 */
static char *listen(struct listener *listener)
{
    const char *filter = listener->request.filter;
    char *error;

    if (!find_tap_id(HOOK_NAME))
        return g_strdup("the plug-in corr.so, which does the work, is not loaded; "
                        "`tshark -G plugins` lists those that are.");
    if (filter) {
        listener->frames = corr_frame_set_new();
        error = refusal(register_tap_listener(HOOK_NAME, &listener->frames, filter,
                                              TL_REQUIRES_NOTHING, NULL, tap_filtered, NULL, NULL));
        if (error) {
            char *hint = g_strdup_printf(
                "%s\nThe formats are text, json and csv; all else is a display filter.", error);

            g_free(error);
            return hint;
        }
    }
    error = refusal(register_tap_listener(HOOK_NAME, listener, NULL, TL_REQUIRES_NOTHING, tap_reset,
                                          tap_packet, tap_draw, tap_finish));
    if (error && filter)
        remove_tap_listener(&listener->frames);
    return error;
}

static bool start(const char *argument)
{
    struct listener *listener = g_new0(struct listener, 1);
    char *error = hook_request_parse(&listener->request, argument);

    if (!error)
        error = listen(listener);
    if (!error)
        return true;
    fprintf(stderr, "corr: -z %s: %s\n", argument, error);
    g_free(error);
    listener_free(listener);
    return false;
}

COMPAT_STAT_INIT(start_statistic, start)

void hook_tap_register(void)
{
    /* Wireshark matches the longest prefix: this row serves every table. */
    static stat_tap_ui ui = {
        .group = REGISTER_STAT_GROUP_GENERIC,
        .title = "Packet correlation",
        .cli_string = HOOK_NAME,
        .tap_init_cb = start_statistic,
    };

    register_stat_tap_ui(&ui, NULL);
    hook_windows_register();
    hook_ladder_register();
    hook_trees_register();
    hook_srt_register();
}
