/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_trees.c - the ways that packets took, and where on them packets were lost, as a tree
 * that grows while Wireshark reads or captures.
 */
#include "compat.h"
#include "hook_charts.h"

#include <epan/stats_tree.h>

#include "hook_look.h"
#include "path/result.h"

#define WANTED                                                                                     \
    (CORR_WANT(match_id) | CORR_WANT(match_count) | CORR_WANT(path) | CORR_WANT(point) |           \
     CORR_WANT(dropped) | CORR_WANT(drop_before) | CORR_WANT(drop_match_id) |                      \
     CORR_WANT(drop_verdict) | CORR_WANT(undetermined) | CORR_WANT(missed))

static const char *const root = "Packets";

static void paths_init(stats_tree *tree)
{
    stats_tree_create_node(tree, root, 0, STAT_DT_INT, TRUE);
}

static void tick(stats_tree *tree, const char *path)
{
    tick_stat_node(tree, path, tick_stat_node(tree, root, 0, TRUE), TRUE);
}

/* A loss or a gap is a mark under its path; the packet itself is counted by tick(). */
static void mark(stats_tree *tree, const char *path, const char *what)
{
    int node = stats_tree_parent_id_by_name(tree, path);

    if (node <= 0) /* its first frame did not pass the filter */
        node = increase_stat_node(tree, path, stats_tree_parent_id_by_name(tree, root), TRUE, 0);
    tick_stat_node(tree, what, node, FALSE);
}

/* Whether no earlier frame shows the packet: it is counted there. */
static bool is_first_frame(const struct corr_result *r, uint32_t packet, uint32_t frame)
{
    const struct corr_packet *p = corr_result_packet(r, packet);

    for (uint32_t i = 0; i < p->n; i++)
        if (corr_result_obs(r, corr_result_sighting(r, p->first + i))->frame < frame)
            return false;
    return true;
}

static const char *path_of(const struct corr_view *view)
{
    const struct corr_value *value = hook_value(view, CORR_FIELD_path);

    if (value)
        return value->str;
    value = hook_value(view, CORR_FIELD_match_count);
    if (value && value->u32 > 1)
        return "order unknown";
    return hook_value(view, CORR_FIELD_point)->str;
}

/* How many of the frame's packets were lost: the first one's number is not repeated. */
static unsigned count_lost(const struct corr_view *view)
{
    unsigned n = 0;

    for (unsigned i = 0; i < view->values->len; i++)
        n += g_array_index(view->values, struct corr_value, i).field == CORR_FIELD_drop_match_id;
    return MAX(n, 1);
}

static void mark_lost(stats_tree *tree, const struct corr_view *view, const char *path)
{
    const struct corr_value *before = hook_value(view, CORR_FIELD_drop_before);
    const struct corr_value *verdict = hook_value(view, CORR_FIELD_drop_verdict);
    g_autofree char *what =
        g_strdup_printf("lost before %s (%s)", before ? before->str : "the next point",
                        verdict ? verdict->str : "probable");

    for (unsigned n = count_lost(view); n > 0; n--)
        mark(tree, path, what);
}

static tap_packet_status paths_packet(stats_tree *tree, packet_info *pinfo,
                                      epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                      tap_flags_t flags G_GNUC_UNUSED)
{
    const struct corr_view *view = hook_look(tapped, pinfo, WANTED);
    const struct hook_tap_record *record = tapped;
    const char *path;

    if (!view || !hook_value(view, CORR_FIELD_match_id))
        return TAP_PACKET_DONT_REDRAW;
    path = path_of(view);
    for (unsigned i = 0; i < view->values->len; i++) {
        const struct corr_value *value = &g_array_index(view->values, struct corr_value, i);
        g_autofree char *what = NULL;

        if (value->field == CORR_FIELD_match_id &&
            is_first_frame(corr_engine_result(record->engine), value->u32 - 1, record->frame))
            tick(tree, path);
        else if (value->field == CORR_FIELD_undetermined)
            what = g_strdup_printf("fate unknown: %s", value->str);
        else if (value->field == CORR_FIELD_missed)
            what = g_strdup_printf("missed by the capture at %s", value->str);
        if (what)
            mark(tree, path, what);
    }
    if (hook_value(view, CORR_FIELD_dropped))
        mark_lost(tree, view, path);
    return TAP_PACKET_REDRAW;
}

void hook_trees_register(void)
{
    stats_tree_register_plugin(HOOK_NAME, HOOK_NAME "_paths",
                               "Correlation" COMPAT_TREE_SEPARATOR "Paths and losses", 0,
                               paths_packet, paths_init, NULL);
}
