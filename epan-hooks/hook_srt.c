/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_srt.c - latencies by segment in Wireshark's response-time window, clocks corrected. */
#include "compat.h"
#include "hook_charts.h"

#include <string.h>

#include <epan/srt_table.h>

#include "hook_look.h"

#define NS_PER_S 1000000000

static void srt_begin(struct register_srt *srt G_GNUC_UNUSED, GArray *tables)
{
    init_srt_table("Latency by segment", "Segments", tables, 0, "Segment", NULL, NULL);
}

/* The segment's row, made at its first packet. */
static int row_of(srt_stat_table *table, const char *segment)
{
    for (int i = 0; i < table->num_procs; i++)
        if (table->procedures[i].procedure && strcmp(table->procedures[i].procedure, segment) == 0)
            return i;
    init_srt_table_row(table, table->num_procs, segment);
    return table->num_procs - 1;
}

static tap_packet_status srt_packet(void *data, packet_info *pinfo,
                                    epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                    tap_flags_t flags G_GNUC_UNUSED)
{
    srt_data_t *srt = data;
    srt_stat_table *table = g_array_index(srt->srt_array, srt_stat_table *, 0);
    const struct corr_view *view =
        hook_look(tapped, pinfo, CORR_WANT(point) | CORR_WANT(prev_frame) | CORR_WANT(hop_latency));
    const struct corr_value *latency, *prev, *here, *before;
    g_autofree char *segment = NULL;
    nstime_t sent, took;

    if (!view || !(latency = hook_value(view, CORR_FIELD_hop_latency)) ||
        !(prev = hook_value(view, CORR_FIELD_prev_frame)) ||
        !(here = hook_value(view, CORR_FIELD_point)) ||
        !(before = hook_value(hook_look_at(tapped, prev->u32, CORR_WANT(point)), CORR_FIELD_point)))
        return TAP_PACKET_DONT_REDRAW;
    segment = g_strdup_printf("%s > %s", before->str, here->str);
    /* Wireshark subtracts: it is given the time that a right clock would have shown. */
    took = (nstime_t)NSTIME_INIT_SECS_NSECS(latency->ns / NS_PER_S, (int)(latency->ns % NS_PER_S));
    nstime_delta(&sent, &pinfo->abs_ts, &took);
    add_srt_table_data(table, row_of(table, segment), &sent, pinfo);
    return TAP_PACKET_REDRAW;
}

void hook_srt_register(void)
{
    register_srt_table(proto_get_id_by_filter_name(HOOK_NAME), HOOK_NAME, 1, srt_packet, srt_begin,
                       NULL);
}
