/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers.c - a row per layer of the whole capture, and of each pair of hosts: how good it is. */
#include "layers/quality.h"
#include "path/text.h"
#include "report/layers_rtt.h"
#include "report/report-int.h"

/* clang-format off */
#define FIGURE_COLUMNS(X)                                                                          \
    X(METRIC,     "metric",     NULL, TEXT,  COLUMN, NULL, "Name of the figure")                   \
    X(ABOUT,      "about",      NULL, TEXT,  COLUMN, NULL, "What it is")                           \
    X(FIGURE_GRADE, "quality",  NULL, TEXT,  COLUMN, NULL, "Its grade")                            \
    X(VALUE_S,    "value_s",    NULL, TIME,  COLUMN, NULL, "Its value, if a time")                 \
    X(VALUE,      "value",      NULL, RATIO, COLUMN, NULL, "Its value, if a share or a factor")    \
    X(GOOD_S,     "good_s",     NULL, TIME,  COLUMN, NULL,                                         \
      "Good up to this time, excellent up to half of it")                                          \
    X(GOOD,       "good",       NULL, RATIO, COLUMN, NULL, "The same for shares and factors")      \
    X(DEGRADED_S, "degraded_s", NULL, TIME,  COLUMN, NULL,                                         \
      "Degraded up to this time, poor above it")                                                   \
    X(DEGRADED,   "degraded",   NULL, RATIO, COLUMN, NULL, "The same for shares and factors")      \
    X(SOURCE,     "source",     NULL, TEXT,  COLUMN, NULL, "Where these limits come from")         \
    X(N,          "n",          NULL, COUNT, COLUMN, NULL,                                         \
      "Of how many packets, bytes or transactions it is made")                                     \
    X(WHERE,      "where",      NULL, TEXT,  COLUMN, NULL, "Points, where it is of a segment")

#define COLUMNS(X)                                                                                 \
    X(SCOPE,   "scope",   NULL,      TEXT,    COLUMN, NULL, "capture: all of it; pair: two hosts") \
    X(CLIENT,  "client",  "client",  TEXT,    COLUMN, NULL,                                        \
      "Who began; absent: the whole capture")                                                      \
    X(SERVER,  "server",  "server",  TEXT,    COLUMN, NULL, "Who was asked")                       \
    X(LAYER,   "layer",   "layer",   TEXT,    COLUMN, NULL, "capture, L3, L4, L7")                 \
    X(GRADE,   "quality", "quality", TEXT,    COLUMN, NULL,                                        \
      "excellent, good, degraded, poor: the worst of its figures; unknown without any")            \
    X(FLOWS,   "flows",   "flows",   COUNT,   COLUMN, NULL, "Conversations")                       \
    X(PACKETS, "packets", "packets", COUNT,   COLUMN, NULL, "Packets")                             \
    X(FIGURES, "figures", NULL,      OBJECTS, COLUMN, figure_columns, "Key figures")               \
    X(PATH,    "path_rtt", NULL,     OBJECT,  COLUMN, corr_layers_rtt_columns,                     \
      "L3 of a pair, if one probed the other (ping, traceroute, mtr): the path, hop by hop")       \
    X(WHAT,    "what",    "what",    TEXTS,   BELOW,  NULL, "The same, as text")
/* clang-format on */

enum { FIGURE_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column figure_columns[] = {FIGURE_COLUMNS(CORR_COLUMN_INIT)
                                                        CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

static void append_value(enum corr_unit unit, double value, GString *text)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (unit == CORR_UNIT_TIME)
        corr_text_time((int64_t)value, text);
    else if (unit == CORR_UNIT_RATIO)
        corr_text_ratio(value, text);
    else
        g_string_append(text, g_ascii_formatd(number, sizeof number, "%.3g", value));
}

static void set_value(struct corr_row *row, unsigned time_column, unsigned number_column,
                      enum corr_unit unit, double value)
{
    if (unit == CORR_UNIT_TIME)
        corr_cell_set_time(row, time_column, (int64_t)value);
    else
        corr_cell_set_number(row, number_column, value);
}

/* "packet loss 0.43 %, degraded (good: up to 0.1 %, ITU-T Y.1541 ...; 696 seen)" */
static char *figure_text(const struct corr_figure *figure, const char *where)
{
    const struct corr_metric_row *metric = corr_metric_row(figure->metric);
    GString *text = g_string_new(metric->what);

    g_string_append_c(text, ' ');
    append_value(metric->unit, figure->value, text);
    if (where)
        g_string_append_printf(text, " (%s)", where);
    g_string_append_printf(text, ": %s", corr_grade_word(figure->grade));
    g_string_append(text, "; good up to ");
    append_value(metric->unit, metric->good, text);
    g_string_append(text, ", poor above ");
    append_value(metric->unit, metric->degraded, text);
    g_string_append_printf(text, " (%s)", metric->source);
    return g_string_free(text, FALSE);
}

static void add_figure(const struct corr_result *r, const struct corr_figure *figure,
                       struct corr_row *row)
{
    const struct corr_metric_row *metric = corr_metric_row(figure->metric);
    struct corr_row *sub = corr_cell_add_row(row, C_FIGURES, figure_columns);
    g_autofree char *where = NULL;

    if (figure->from != CORR_NONE && figure->to != CORR_NONE)
        where = g_strdup_printf("%s > %s", corr_store_point(r->store, figure->from)->name,
                                corr_store_point(r->store, figure->to)->name);
    else if (figure->from != CORR_NONE)
        where = g_strdup(corr_store_point(r->store, figure->from)->name);
    corr_cell_set_text(sub, C_METRIC, metric->name);
    corr_cell_set_text(sub, C_ABOUT, metric->what);
    corr_cell_set_text(sub, C_FIGURE_GRADE, corr_grade_word(figure->grade));
    set_value(sub, C_VALUE_S, C_VALUE, metric->unit, figure->value);
    set_value(sub, C_GOOD_S, C_GOOD, metric->unit, metric->good);
    set_value(sub, C_DEGRADED_S, C_DEGRADED, metric->unit, metric->degraded);
    corr_cell_set_text(sub, C_SOURCE, metric->source);
    corr_cell_set_count(sub, C_N, figure->n);
    if (where)
        corr_cell_set_text(sub, C_WHERE, where);
    g_autofree char *text = figure_text(figure, where);
    corr_cell_add_text(row, C_WHAT, text);
}

static void add_row(const struct corr_result *r, const struct corr_quality *quality,
                    enum corr_quality_layer layer, const GPtrArray *paths,
                    struct corr_report_table *out)
{
    const GArray *figures = quality->figures[layer];
    struct corr_row *row = corr_report_row(out);
    char addr[CORR_ADDR_TEXT];

    corr_cell_set_text(row, C_SCOPE, quality->whole ? "capture" : "pair");
    if (!quality->whole) {
        corr_cell_set_text(row, C_CLIENT, corr_addr_text(&quality->client, addr));
        corr_cell_set_text(row, C_SERVER, corr_addr_text(&quality->server, addr));
    }
    corr_cell_set_text(row, C_LAYER, corr_quality_word(layer));
    corr_cell_set_text(row, C_GRADE, corr_grade_word(quality->grade[layer]));
    corr_cell_set_count(row, C_FLOWS, quality->flows);
    corr_cell_set_count(row, C_PACKETS, quality->packets);
    for (unsigned i = 0; i < figures->len; i++)
        add_figure(r, &g_array_index(figures, struct corr_figure, i), row);
    if (quality->whole || layer != CORR_QUALITY_L3)
        return;
    const struct corr_rtt_path *path =
        corr_rtt_path_find(paths, &quality->client, &quality->server);
    if (path != NULL)
        corr_layers_rtt_fill(r, path, row, C_PATH, C_WHAT);
}

void corr_build_layers(const struct corr_result *r, const struct corr_frame_set *frames,
                       struct corr_report_table *out)
{
    g_autoptr(GPtrArray) qualities = corr_qualities_new(r, frames);
    g_autoptr(GPtrArray) paths = corr_rtt_paths_new(r);

    for (unsigned i = 0; i < qualities->len; i++) {
        const struct corr_quality *quality = g_ptr_array_index(qualities, i);
        for (unsigned layer = 0; layer < CORR_QUALITY_LAYER_COUNT; layer++)
            if (quality->whole || layer != CORR_QUALITY_CAPTURE)
                add_row(r, quality, layer, paths, out);
    }
}

CORR_TABLE_DEFINE(layers, "Layers: how good is each, for the whole capture and for pairs of hosts",
                  "quality of L3, L4 and L7 with key figures, limits and their source", columns);
