/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths.c - a row per set of flows that take the same way, there and back. */
#include <string.h>

#include "report/by_flow.h"
#include "report/report-int.h"
#include "layers/segment.h"
#include "report/flow_way.h"

/* clang-format off */
#define LATENCY_COLUMNS(X)                                                                         \
    X(MIN,   "min",   NULL,  TIME, COLUMN, NULL, "Smallest")                                       \
    X(P50,   "p50",   "p50", TIME, COLUMN, NULL, "Median (nearest rank)")                          \
    X(P95,   "p95",   NULL,  TIME, COLUMN, NULL, "95th percentile")                                \
    X(P99,   "p99",   NULL,  TIME, COLUMN, NULL, "99th percentile")                                \
    X(MAX,   "max",   NULL,  TIME, COLUMN, NULL, "Largest")                                        \
    X(ERROR, "error", "±",   TIME, COLUMN, NULL, "Half-width of the clock's bound, the worst")

#define COLUMNS(X)                                                                                 \
    X(FLOWS,        "flows",          "flows",   COUNT,  COLUMN, NULL, "Flows that take this way") \
    X(FLOW,         "flow",           NULL,      COUNT,  COLUMN, NULL,                             \
      "One of them, the first: corr.flow")                                                         \
    X(PATH,         "path",           "there",   TEXT,   TITLED, NULL,                             \
      "The way of the initiator's packets; in braces: branches, of which a packet takes one")      \
    X(PATH_BACK,    "path_back",      "back",    TEXT,   TITLED, NULL, "The way of the answers")   \
    X(POINTS,       "points",         NULL,      TEXTS,  COLUMN, NULL,                             \
      "The points of path, in order; branches are one element")                                    \
    X(POINTS_BACK,  "points_back",    NULL,      TEXTS,  COLUMN, NULL, "The points of path_back")  \
    X(PACKETS,      "packets",        "packets", COUNT,  COLUMN, NULL,                             \
      "Packets from the initiators, each counted once")                                            \
    X(LOST,         "lost",           "lost",    COUNT,  COLUMN, NULL, "Lost ones of them")        \
    X(LATENCY,      "latency_s",      "there",   OBJECT, COLUMN, latency_columns,                  \
      "From the first point to the last, clocks corrected")                                        \
    X(PACKETS_BACK, "packets_back",   "back",    COUNT,  COLUMN, NULL, "Packets back to them")     \
    X(LOST_BACK,    "lost_back",      "lost",    COUNT,  COLUMN, NULL, "Lost ones of them")        \
    X(LATENCY_BACK, "latency_back_s", "back",    OBJECT, COLUMN, latency_columns,                  \
      "From the first point to the last, on the way back")
/* clang-format on */

enum { LATENCY_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column latency_columns[] = {LATENCY_COLUMNS(CORR_COLUMN_INIT)
                                                         CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

/* One direction of the flows that share a row. */
struct lane {
    char *path;
    GPtrArray *points; /* char * */
    uint64_t packets, lost;
    GArray *latencies; /* int64_t, nanoseconds */
    int64_t error_ns;
};

struct path {
    uint32_t flow; /* the first */
    uint64_t flows;
    struct lane lanes[2];
};

static void path_free(void *data)
{
    struct path *path = data;

    for (unsigned dir = 0; dir < 2; dir++) {
        g_free(path->lanes[dir].path);
        g_ptr_array_unref(path->lanes[dir].points);
        g_array_unref(path->lanes[dir].latencies);
    }
    g_free(path);
}

static void add_text(void *text, void *points)
{
    g_ptr_array_add(points, g_strdup(text));
}

/* Counts what the flow's packets of a direction did into a lane that may be shared later. */
static struct lane lane_of(const struct corr_result *r, struct corr_flow_ways *ways,
                           const struct corr_by_flow *by, uint32_t flow, unsigned dir)
{
    const struct corr_flow_way *way = corr_flow_way_find(ways, by, flow, dir);
    struct lane lane = {g_strdup(way->text->str),
                        g_ptr_array_new_with_free_func(g_free),
                        0,
                        0,
                        g_array_new(FALSE, FALSE, sizeof(int64_t)),
                        0};

    g_ptr_array_foreach(way->points, add_text, lane.points);
    for (uint32_t k = by->start[flow]; k < by->start[flow + 1]; k++) {
        const struct corr_packet *p = corr_result_packet(r, by->packets[k]);
        if ((p->dir & 1) != dir)
            continue;
        lane.packets++;
        lane.lost += corr_fate_is_drop(p->fate);
        if (p->ambiguous || !corr_flow_way_is_whole(ways, p))
            continue;
        const struct corr_sighting *last = corr_result_sighting(r, p->first + p->n - 1);
        struct corr_latency latency = corr_result_path_latency(r, last);
        if (!latency.known)
            continue;
        const struct corr_obs *from = corr_result_obs(r, corr_result_sighting(r, p->first));
        struct corr_clock_answer clock =
            corr_result_clock(r, from->point, corr_sighting_point(r, last), from->time_ns);
        g_array_append_val(lane.latencies, latency.ns);
        lane.error_ns = MAX(lane.error_ns, clock.error_ns);
    }
    for (uint32_t k = by->group_start[flow]; k < by->group_start[flow + 1]; k++)
        if ((by->groups[k]->dir & 1) == dir)
            lane.lost += corr_group_lost(by->groups[k]);
    return lane;
}

static void lane_join(struct lane *into, struct lane *from)
{
    into->packets += from->packets;
    into->lost += from->lost;
    into->error_ns = MAX(into->error_ns, from->error_ns);
    g_array_append_vals(into->latencies, from->latencies->data, from->latencies->len);
    g_free(from->path);
    g_ptr_array_unref(from->points);
    g_array_unref(from->latencies);
}

/* Where a lane's cells stand in a row. */
static const struct {
    unsigned path, points, packets, lost, latency;
} places[2] = {{C_PATH, C_POINTS, C_PACKETS, C_LOST, C_LATENCY},
               {C_PATH_BACK, C_POINTS_BACK, C_PACKETS_BACK, C_LOST_BACK, C_LATENCY_BACK}};

static void add_lane(struct corr_row *row, struct lane *lane, unsigned dir)
{
    struct corr_percentiles l;

    if (*lane->path == '\0')
        return; /* nothing went this way */
    corr_cell_set_text(row, places[dir].path, lane->path);
    for (unsigned i = 0; i < lane->points->len; i++)
        corr_cell_add_text(row, places[dir].points, g_ptr_array_index(lane->points, i));
    corr_cell_set_count(row, places[dir].packets, lane->packets);
    corr_cell_set_count(row, places[dir].lost, lane->lost);
    if (!corr_percentiles(lane->latencies, &l))
        return;
    struct corr_row *sub = corr_cell_add_row(row, places[dir].latency, latency_columns);
    corr_cell_set_time(sub, C_MIN, l.min);
    corr_cell_set_time(sub, C_P50, l.p50);
    corr_cell_set_time(sub, C_P95, l.p95);
    corr_cell_set_time(sub, C_P99, l.p99);
    corr_cell_set_time(sub, C_MAX, l.max);
    corr_cell_set_time(sub, C_ERROR, lane->error_ns);
}

void corr_build_paths(const struct corr_result *r, const struct corr_frame_set *frames,
                      struct corr_report_table *out)
{
    struct corr_by_flow by = corr_by_flow_sort(r, frames);
    struct corr_flow_ways *ways = corr_flow_ways_new(r);
    g_autoptr(GHashTable) index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(path_free);
    uint32_t without_ip = 0;

    for (uint32_t f = 0; f < r->flows->len; f++) {
        if (by.start[f] == by.start[f + 1])
            continue;
        if (!corr_flow_is_ip(r, corr_result_flow(r, f))) {
            without_ip++;
            continue;
        }
        struct lane there = lane_of(r, ways, &by, f, 0), back = lane_of(r, ways, &by, f, 1);
        g_autofree char *key = g_strdup_printf("%s\n%s", there.path, back.path);
        struct path *path = g_hash_table_lookup(index, key);
        if (path) {
            lane_join(&path->lanes[0], &there);
            lane_join(&path->lanes[1], &back);
        } else {
            path = g_new0(struct path, 1);
            path->flow = f;
            path->lanes[0] = there;
            path->lanes[1] = back;
            g_ptr_array_add(paths, path);
            g_hash_table_insert(index, g_steal_pointer(&key), path);
        }
        path->flows++;
    }
    for (unsigned i = 0; i < paths->len; i++) {
        struct path *path = g_ptr_array_index(paths, i);
        struct corr_row *row = corr_report_row(out);
        corr_cell_set_count(row, C_FLOWS, path->flows);
        corr_cell_set_count(row, C_FLOW, path->flow + 1);
        for (unsigned dir = 0; dir < 2; dir++)
            add_lane(row, &path->lanes[dir], dir);
    }
    if (without_ip)
        corr_report_note(out, "+ %u flow%s without IP", without_ip, without_ip == 1 ? "" : "s");
    corr_flow_ways_free(ways);
    corr_by_flow_clear(&by);
}

CORR_TABLE_DEFINE(paths, "Ways through the network, and the flows that take them",
                  "ways through the network: points in order, flows, packets, loss, latency",
                  columns);
