/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_trees.c - the trees of report/tree.h as Wireshark's statistics trees.
 *
 * As with tables, the tap selects and the engine computes: frames are only noted, and counts are
 * set when somebody draws.
 */
#include "compat.h"
#include "hook_charts.h"

#include <epan/stats_tree.h>

#include "corr.h"
#include "hook_drawer.h"
#include "hooks.h"
#include "path/result.h"
#include "report/tree.h"

typedef struct corr_tree *(*tree_maker)(const struct corr_result *, const struct corr_frame_set *);

struct window {
    stats_tree *view;
    tree_maker make;
    struct hook_drawer drawer;
    struct corr_tree *shown; /* NULL: nothing yet */
};

static GHashTable *windows; /* stats_tree * -> struct window * */

static void draw(void *data);

static void window_begin(stats_tree *view, tree_maker make)
{
    struct window *window = g_hash_table_lookup(windows, view);

    if (!window) {
        window = g_new0(struct window, 1);
        window->view = view;
        window->make = make;
        window->drawer.draw = draw;
        window->drawer.window = window;
        g_hash_table_insert(windows, view, window);
    }
    /* Wireshark has just emptied the view. */
    hook_drawer_forget(&window->drawer);
    g_clear_pointer(&window->shown, corr_tree_free);
}

static void window_end(stats_tree *view)
{
    struct window *window = g_hash_table_lookup(windows, view);

    if (!window)
        return;
    hook_drawer_stop(&window->drawer);
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

static void draw(void *data)
{
    struct window *window = data;
    const struct corr_frame_set *frames;
    struct corr_tree *tree;

    if (!hook_drawer_settle(&window->drawer, &frames))
        return;
    tree = window->make(corr_engine_result(window->drawer.engine), frames);
    show(window->view, tree, window->shown, 0);
    corr_tree_free(window->shown);
    window->shown = tree;
}

static tap_packet_status window_packet(stats_tree *view, packet_info *pinfo G_GNUC_UNUSED,
                                       epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                       tap_flags_t flags G_GNUC_UNUSED)
{
    struct window *window = g_hash_table_lookup(windows, view);

    return window ? hook_drawer_note(&window->drawer, tapped) : TAP_PACKET_FAILED;
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
