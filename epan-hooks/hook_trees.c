/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_trees.c - the trees of report/tree.h as Wireshark's statistics trees.
 *
 * As with tables, the tap selects and the engine computes: frames are only noted, and counts are
 * set when somebody draws.  For that there is no callback; a listener of ours, that is younger
 * than the tree's and so is drawn before it, stands in.
 */
#include "compat.h"
#include "hook_charts.h"

#include <epan/stats_tree.h>

#include "corr.h"
#include "hook_live.h"
#include "hooks.h"
#include "path/result.h"
#include "report/tree.h"

typedef struct corr_tree *(*tree_maker)(const struct corr_result *, const struct corr_frame_set *);

struct window {
    stats_tree *view;
    tree_maker make;
    struct corr_engine *engine;    /* NULL: no frame since the last reset */
    struct hook_live *live;        /* of the engine */
    struct corr_frame_set *frames; /* that passed the window's filter */
    uint32_t n_frames;             /* how many */
    bool pending;                  /* frames were noted that the counts do not show yet */
    bool has_drawer;
    struct corr_tree *shown; /* NULL: nothing yet */
};

static GHashTable *windows; /* stats_tree * -> struct window * */

static void forget(struct window *window)
{
    window->engine = NULL;
    window->pending = false;
    window->n_frames = 0;
    g_clear_pointer(&window->frames, corr_frame_set_free);
}

static void window_begin(stats_tree *view, tree_maker make)
{
    struct window *window = g_hash_table_lookup(windows, view);

    if (!window) {
        window = g_new0(struct window, 1);
        window->view = view;
        window->make = make;
        g_hash_table_insert(windows, view, window);
    }
    /* Wireshark has just emptied the view. */
    forget(window);
    g_clear_pointer(&window->shown, corr_tree_free);
}

static void window_end(stats_tree *view)
{
    struct window *window = g_hash_table_lookup(windows, view);

    if (!window)
        return;
    if (window->has_drawer)
        remove_tap_listener(window);
    forget(window);
    corr_tree_free(window->shown);
    g_hash_table_remove(windows, view);
    g_free(window);
}

/* `tree` NULL: what was shown, and is no more, counts nothing. */
static void show(stats_tree *view, const struct corr_tree *tree, const struct corr_tree *shown,
                 int parent)
{
    const char *label = tree ? tree->label : shown->label;
    int count = tree ? (int)MIN(tree->count, INT_MAX) : 0;
    int node = set_stat_node(view, label, parent, TRUE, count);

    for (unsigned i = 0; tree && i < tree->children->len; i++) {
        const struct corr_tree *child = g_ptr_array_index(tree->children, i);

        show(view, child, shown ? corr_tree_find(shown, child->label) : NULL, node);
    }
    for (unsigned i = 0; shown && i < shown->children->len; i++) {
        const struct corr_tree *child = g_ptr_array_index(shown->children, i);

        if (!tree || !corr_tree_find(tree, child->label))
            show(view, NULL, child, node);
    }
}

static void drawer_reset(void *data)
{
    forget(data);
}

static tap_packet_status drawer_packet(void *data G_GNUC_UNUSED, packet_info *pinfo G_GNUC_UNUSED,
                                       epan_dissect_t *edt G_GNUC_UNUSED,
                                       const void *tapped G_GNUC_UNUSED,
                                       tap_flags_t flags G_GNUC_UNUSED)
{
    return TAP_PACKET_REDRAW;
}

/* At exit Wireshark frees listeners, the youngest first, and trees as it frees theirs: the list
 * must not be asked for the drawer any more. */
static void drawer_finish(void *data)
{
    struct window *window = data;

    window->has_drawer = false;
}

static void drawer_draw(void *data)
{
    struct window *window = data;
    struct corr_tree *tree;

    if (!window->pending || !window->engine)
        return;
    if (hook_live_is_tshark())
        hook_live_end(window->live);
    if (!hook_live_settle(window->live, window->engine))
        return;
    window->pending = corr_engine_pending(window->engine) > 0;
    tree = window->make(
        corr_engine_result(window->engine),
        window->n_frames == corr_engine_frame_count(window->engine) ? NULL : window->frames);
    show(window->view, tree, window->shown, 0);
    corr_tree_free(window->shown);
    window->shown = tree;
}

static tap_packet_status window_packet(stats_tree *view, packet_info *pinfo G_GNUC_UNUSED,
                                       epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                       tap_flags_t flags G_GNUC_UNUSED)
{
    const struct hook_tap_record *record = tapped;
    struct window *window = g_hash_table_lookup(windows, view);

    if (!window || record->abi != hook_tap_abi())
        return TAP_PACKET_FAILED;
    if (!window->has_drawer) {
        GString *error =
            register_tap_listener(HOOK_NAME, window, NULL, TL_REQUIRES_NOTHING, drawer_reset,
                                  drawer_packet, drawer_draw, drawer_finish);

        if (error) {
            g_string_free(error, TRUE);
            return TAP_PACKET_FAILED;
        }
        window->has_drawer = true;
    }
    window->engine = record->engine;
    window->live = record->live;
    if (!window->frames)
        window->frames = corr_frame_set_new();
    corr_frame_set_add(window->frames, record->frame);
    window->n_frames++;
    window->pending = true;
    return TAP_PACKET_REDRAW;
}

#define CORR_ROW(key, title)                                                                       \
    static void begin_##key(stats_tree *view)                                                      \
    {                                                                                              \
        window_begin(view, corr_tree_##key);                                                       \
    }
CORR_TREES(CORR_ROW)
#undef CORR_ROW

void hook_trees_register(void)
{
    windows = g_hash_table_new(NULL, NULL);
#define CORR_ROW(key, title)                                                                       \
    stats_tree_register_plugin(HOOK_NAME, HOOK_NAME "_" #key,                                      \
                               "Correlation" COMPAT_TREE_SEPARATOR title, 0, window_packet,        \
                               begin_##key, window_end);
    CORR_TREES(CORR_ROW)
#undef CORR_ROW
}
