/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers_text.c - grades as people read them: a line for each figure, its limits beside it. */
#include <string.h>

#include "path/text.h"
#include "report/layers_columns.h"

#define NAME 21
#define VALUE 8
#define GRADE 9
#define N 9

static void append_right(const char *text, unsigned width, GString *out)
{
    for (unsigned used = corr_text_width(text); used < width; used++)
        g_string_append_c(out, ' ');
    g_string_append(out, text);
}

static void append_left(const char *text, unsigned width, GString *out)
{
    g_string_append(out, text);
    for (unsigned used = corr_text_width(text); used < width; used++)
        g_string_append_c(out, ' ');
}

/* A time, a share, or a factor. */
static void append_value(const struct corr_row *figure, unsigned time_column, unsigned column,
                         unsigned width, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (figure->cells[time_column].present)
        corr_text_time(figure->cells[time_column].time_ns, text);
    else if (figure->cells[C_FACTOR].present)
        g_string_append(
            text, g_ascii_formatd(number, sizeof number, "%.3g", figure->cells[column].number));
    else
        corr_text_ratio(figure->cells[column].number, text);
    append_right(text->str, width, out);
}

/* The number of a source in the list below the table. */
static unsigned source_number(GPtrArray *sources, const char *source)
{
    for (unsigned i = 0; i < sources->len; i++)
        if (strcmp(g_ptr_array_index(sources, i), source) == 0)
            return i + 1;
    g_ptr_array_add(sources, g_strdup(source));
    return sources->len;
}

static void append_figure(const struct corr_row *figure, GPtrArray *sources, GString *out)
{
    g_autofree char *n = g_strdup_printf("%" G_GUINT64_FORMAT, figure->cells[C_N].count);

    g_string_append(out, "    ");
    append_left(figure->cells[C_ABOUT].text, NAME, out);
    append_value(figure, C_VALUE_S, C_VALUE, VALUE, out);
    g_string_append(out, "  ");
    append_left(figure->cells[C_FIGURE_GRADE].text, GRADE, out);
    append_value(figure, C_GOOD_S, C_GOOD, VALUE + 1, out);
    append_value(figure, C_DEGRADED_S, C_DEGRADED, VALUE + 2, out);
    append_right(n, N, out);
    g_string_append_printf(out, " [%u]\n", source_number(sources, figure->cells[C_SOURCE].text));
    if (figure->cells[C_WHERE].present &&
        strcmp(figure->cells[C_FIGURE_GRADE].text, "excellent") != 0) {
        g_autoptr(GString) where = g_string_new("the worst is ");
        corr_text_printable(figure->cells[C_WHERE].text, where);
        corr_text_hang(where->str, "      ", "        ", out);
    }
    /* An error that matters: a good clock's is not worth a line. */
    const struct corr_cell *error = &figure->cells[C_ERROR_S];
    if (error->present && error->time_ns >= figure->cells[C_VALUE_S].time_ns / 2) {
        g_autoptr(GString) text = g_string_new("      ± ");
        corr_text_time(error->time_ns, text);
        g_string_append_printf(out, "%s, by the clocks\n", text->str);
    }
}

static void append_heading(GString *out)
{
    append_left("", 4 + NAME, out);
    append_right("value", VALUE, out);
    g_string_append(out, "  ");
    append_left("quality", GRADE, out);
    append_right("good to", VALUE + 1, out);
    append_right("poor over", VALUE + 2, out);
    append_right("made of", N, out);
    g_string_append_c(out, '\n');
}

static void append_scope(const struct corr_row *row, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (row->cells[C_CLIENT].present) {
        g_string_printf(text, "%s > %s", row->cells[C_CLIENT].text, row->cells[C_SERVER].text);
    } else if (row->cells[C_FROM].present) {
        g_string_printf(text, "Segment %s > ", row->cells[C_FROM].text);
        g_string_append(text, row->cells[C_TO].present ? row->cells[C_TO].text : "beyond");
    } else {
        g_string_append(text, "Whole capture");
    }
    g_string_append(text, ": ");
    if (row->cells[C_FLOWS].present)
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " flow%s, ", row->cells[C_FLOWS].count,
                               row->cells[C_FLOWS].count == 1 ? "" : "s");
    g_string_append_printf(text, "%" G_GUINT64_FORMAT " packet%s", row->cells[C_PACKETS].count,
                           row->cells[C_PACKETS].count == 1 ? "" : "s");
    g_autoptr(GString) shown = g_string_new(NULL);
    corr_text_printable(text->str, shown);
    corr_text_hang(shown->str, "", "  ", out);
}

static const char *text_of(const struct corr_row *row, unsigned column)
{
    return row->cells[column].present ? row->cells[column].text : "";
}

static bool same_scope(const struct corr_row *a, const struct corr_row *b)
{
    static const unsigned keys[] = {C_SCOPE, C_FROM, C_TO, C_CLIENT, C_SERVER};

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
        if (strcmp(text_of(a, keys[i]), text_of(b, keys[i])) != 0)
            return false;
    return true;
}

static void append_layer(const struct corr_row *row, GPtrArray *sources, GString *out)
{
    const struct corr_cell *figures = &row->cells[C_FIGURES], *what = &row->cells[C_WHAT];
    unsigned n = figures->present ? figures->list->len : 0;

    /* Nothing to say of a layer that does not occur. */
    if (n == 0 && !what->present)
        return;
    g_string_append_printf(out, "  %s: %s\n", text_of(row, C_LAYER), text_of(row, C_GRADE));
    for (unsigned i = 0; i < n; i++)
        append_figure(g_ptr_array_index(figures->list, i), sources, out);
    /* Behind the figures' own texts come those of the probed path. */
    for (unsigned i = n; what->present && i < what->list->len; i++) {
        g_autoptr(GString) shown = g_string_new(NULL);
        corr_text_printable(g_ptr_array_index(what->list, i), shown);
        corr_text_hang(shown->str, "    ", "      ", out);
    }
}

void corr_layers_text(const struct corr_report_table *built, GString *out)
{
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(g_free);
    const struct corr_row *last = NULL;

    append_heading(out);
    for (unsigned i = 0; i < built->rows->len; i++) {
        const struct corr_row *row = g_ptr_array_index(built->rows, i);
        if (last == NULL || !same_scope(row, last)) {
            if (last != NULL)
                g_string_append_c(out, '\n');
            append_scope(row, out);
        }
        append_layer(row, sources, out);
        last = row;
    }
    g_string_append(out, "\nexcellent: up to half of what is still good. Limits:\n");
    for (unsigned i = 0; i < sources->len; i++) {
        g_autofree char *number = g_strdup_printf("[%u] ", i + 1);
        g_autofree char *rest = g_strnfill(strlen(number), ' ');
        corr_text_hang(g_ptr_array_index(sources, i), number, rest, out);
    }
}
