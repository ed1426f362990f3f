/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers.c - a row per layer of the whole capture, of segments, of pairs of hosts: how good it is.
 */
#include "layers/quality.h"
#include "path/text.h"
#include "report/layers_columns.h"

const struct corr_column corr_figure_columns[] = {CORR_FIGURE_COLUMNS(CORR_COLUMN_INIT)
                                                      CORR_COLUMN_END};
static const struct corr_column columns[] = {CORR_LAYERS_TABLE_COLUMNS(CORR_COLUMN_INIT)
                                                 CORR_COLUMN_END};

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
static char *figure_text(const struct corr_metric_row *metric, const struct corr_figure *figure,
                         const char *where)
{
    GString *text = g_string_new(metric->what);

    g_string_append_c(text, ' ');
    append_value(metric->unit, figure->value, text);
    if (figure->error > 0) {
        g_string_append(text, " ± ");
        append_value(metric->unit, figure->error, text);
    }
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
    const struct corr_metric_row *metric = corr_metric_row(r->store->config.limits, figure->metric);
    struct corr_row *sub = corr_cell_add_row(row, C_FIGURES, corr_figure_columns);
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
    if (figure->error > 0)
        corr_cell_set_time(sub, C_ERROR_S, (int64_t)figure->error);
    set_value(sub, C_GOOD_S, C_GOOD, metric->unit, metric->good);
    set_value(sub, C_DEGRADED_S, C_DEGRADED, metric->unit, metric->degraded);
    corr_cell_set_text(sub, C_SOURCE, metric->source);
    corr_cell_set_count(sub, C_N, figure->n);
    if (metric->unit == CORR_UNIT_FACTOR)
        corr_cell_set_true(sub, C_FACTOR);
    if (where)
        corr_cell_set_text(sub, C_WHERE, where);
    g_autofree char *text = figure_text(metric, figure, where);
    corr_cell_add_text(row, C_WHAT, text);
}

static void add_row(const struct corr_result *r, const struct corr_quality *quality,
                    enum corr_quality_layer layer, const GPtrArray *paths,
                    struct corr_report_table *out)
{
    static const char *const scopes[] = {"capture", "segment", "pair"};
    const GArray *figures = quality->figures[layer];
    struct corr_row *row = corr_report_row(out);
    char addr[CORR_ADDR_TEXT];

    corr_cell_set_text(row, C_SCOPE, scopes[quality->scope]);
    if (quality->from != CORR_NONE)
        corr_cell_set_text(row, C_FROM, corr_store_point(r->store, quality->from)->name);
    if (quality->to != CORR_NONE)
        corr_cell_set_text(row, C_TO, corr_store_point(r->store, quality->to)->name);
    if (quality->scope == CORR_SCOPE_PAIR) {
        corr_cell_set_text(row, C_CLIENT, corr_addr_text(&quality->client, addr));
        corr_cell_set_text(row, C_SERVER, corr_addr_text(&quality->server, addr));
    }
    corr_cell_set_text(row, C_LAYER, corr_quality_word(layer));
    corr_cell_set_text(row, C_GRADE, corr_grade_word(quality->grade[layer]));
    if (quality->scope != CORR_SCOPE_SEGMENT)
        corr_cell_set_count(row, C_FLOWS, quality->flows);
    corr_cell_set_count(row, C_PACKETS, quality->packets);
    for (unsigned i = 0; i < figures->len; i++)
        add_figure(r, &g_array_index(figures, struct corr_figure, i), row);
    if (quality->scope != CORR_SCOPE_PAIR || layer != CORR_QUALITY_L3)
        return;
    const struct corr_rtt_path *path =
        corr_rtt_path_find(paths, &quality->client, &quality->server);
    if (path != NULL)
        corr_layers_rtt_fill(r, path, row, C_PATH, C_WHAT);
}

/* Which layers a scope has: points belong to the whole, hosts to neither. */
static bool has_layer(enum corr_scope scope, enum corr_quality_layer layer)
{
    return scope == CORR_SCOPE_CAPTURE ||
           (scope == CORR_SCOPE_SEGMENT ? layer == CORR_QUALITY_L3 : layer != CORR_QUALITY_CAPTURE);
}

void corr_build_layers(const struct corr_result *r, const struct corr_frame_set *frames,
                       struct corr_report_table *out)
{
    g_autoptr(GPtrArray) paths = corr_rtt_paths_new(r, frames);
    g_autoptr(GPtrArray) qualities = corr_qualities_new(r, frames, paths);

    for (unsigned i = 0; i < qualities->len; i++) {
        const struct corr_quality *quality = g_ptr_array_index(qualities, i);
        for (unsigned layer = 0; layer < CORR_QUALITY_LAYER_COUNT; layer++)
            if (has_layer(quality->scope, layer))
                add_row(r, quality, layer, paths, out);
    }
}

CORR_TABLE_DEFINE_TEXT(layers,
                       "Layers: how good is each, for the whole capture, segments and pairs of "
                       "hosts",
                       "quality of L3, L4 and L7 with key figures, limits and their source",
                       columns, corr_layers_text);
