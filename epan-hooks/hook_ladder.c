/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_ladder.c - a kind of flow graph whose columns are the capture points in path order, and
 * whose arrows are packets from one point to the next.
 */
#include "compat.h"
#include "hook_charts.h"

#include <epan/tap.h>

#include "hook_look.h"
#include "path/result.h"
#include "report/line.h"
#include "path/text.h"

#define WANTED                                                                                     \
    (CORR_WANT_SUMMARY | CORR_WANT(match_id) | CORR_WANT(point) | CORR_WANT(prev_frame) |          \
     CORR_WANT(hop_latency) | CORR_WANT(nat) | CORR_WANT(dropped) | CORR_WANT(drop_before) |       \
     CORR_WANT(drop_cause))

static void set_column(address *to, const char *name)
{
    free_address(to);
    set_address(to, AT_NONE, 0, NULL);
    /* The length includes the end of the string. */
    alloc_address_wmem(NULL, to, AT_STRINGZ, (int)strlen(name) + 1, name);
}

/*
 * Wireshark makes columns in the order of appearance, which is the packets'
 * order in time; those that are there already keep their place.
 */
static void set_columns(compat_seq_info *info, const struct hook_tap_record *record)
{
    const struct corr_result *r = corr_engine_result(record->engine);
    g_autofree uint32_t *line = NULL;

    if (info->num_nodes > 0 || !g_queue_is_empty(info->items))
        return;
    line = corr_points_line(r);
    for (uint32_t i = 0; i < r->store->points->len && i < COMPAT_SEQ_NODES; i++) {
        const struct corr_point *point = corr_store_point(r->store, line[i]);

        if (point->frames == 0 || point->collapsed)
            continue;
        set_column(&info->nodes[info->num_nodes], point->name);
        info->num_nodes++;
    }
}

static void add_arrow(compat_seq_info *info, packet_info *pinfo, const struct corr_view *view,
                      const char *from, const char *to, GString *label)
{
    compat_seq_item *item = sequence_analysis_create_sai_with_addresses(pinfo, info);

    if (!item)
        return;
    set_column(&item->src_addr, from);
    set_column(&item->dst_addr, to);
    item->frame_number = pinfo->num;
    item->port_src = (uint16_t)pinfo->srcport;
    item->port_dst = (uint16_t)pinfo->destport;
    item->frame_label = g_string_free(label, FALSE);
    item->comment = g_strdup(view->summary ? view->summary : "");
    item->line_style = 1;
    item->conv_num = 0;
    item->display = TRUE;
    sequence_analysis_use_color_filter(pinfo, item);
    g_queue_push_tail(info->items, item);
}

/* "#812 1.20 ms SNAT" */
static GString *label_of(const struct corr_view *view, const char *what)
{
    const struct corr_value *id = hook_value(view, CORR_FIELD_match_id);
    const struct corr_value *nat = hook_value(view, CORR_FIELD_nat);
    GString *label = g_string_new(NULL);

    g_string_printf(label, "#%u %s", id ? id->u32 : 0, what);
    if (nat)
        g_string_append_printf(label, " %.*s", (int)strcspn(nat->str, " "), nat->str);
    return label;
}

static tap_packet_status ladder_packet(void *data, packet_info *pinfo,
                                       epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                       tap_flags_t flags G_GNUC_UNUSED)
{
    const struct corr_view *view = hook_look(tapped, pinfo, WANTED);
    const struct corr_value *here, *prev, *value;
    compat_seq_info *info = data;
    bool drawn = false;

    if (!view || !(here = hook_value(view, CORR_FIELD_point)))
        return TAP_PACKET_DONT_REDRAW;
    set_columns(info, tapped);
    if ((prev = hook_value(view, CORR_FIELD_prev_frame)) != NULL) {
        g_autoptr(GString) time = g_string_new(NULL);
        const struct corr_value *from =
            hook_value(hook_look_at(tapped, prev->u32, CORR_WANT(point)), CORR_FIELD_point);

        if ((value = hook_value(view, CORR_FIELD_hop_latency)) != NULL)
            corr_text_time(value->ns, time);
        if (from)
            add_arrow(info, pinfo, view, from->str, here->str, label_of(view, time->str));
        drawn = from != NULL;
    }
    if (hook_value(view, CORR_FIELD_dropped)) {
        const struct corr_value *before = hook_value(view, CORR_FIELD_drop_before);
        const struct corr_value *cause = hook_value(view, CORR_FIELD_drop_cause);
        GString *label = label_of(view, "LOST");

        if (cause)
            g_string_append_printf(label, " %s", cause->str);
        add_arrow(info, pinfo, view, here->str, before ? before->str : here->str, label);
        drawn = true;
    }
    return drawn ? TAP_PACKET_REDRAW : TAP_PACKET_DONT_REDRAW;
}

void hook_ladder_register(void)
{
    register_seq_analysis(HOOK_NAME, "Capture points (correlation)",
                          proto_get_id_by_filter_name(HOOK_NAME), HOOK_NAME, TL_REQUIRES_COLUMNS,
                          ladder_packet);
}
