/* SPDX-License-Identifier: GPL-2.0-or-later */
/* render_csv.c - a built table as comma-separated values: RFC 4180. */
#include "report/report.h"

#include <string.h>

static void append_quoted(const char *text, GString *out)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        g_string_append(out, text);
        return;
    }
    g_string_append_c(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            g_string_append_c(out, '"');
        g_string_append_c(out, *text);
    }
    g_string_append_c(out, '"');
}

/* Seconds, to the nanosecond, without trailing zeros. */
static void append_seconds(int64_t ns, GString *out)
{
    uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    g_string_append_printf(out, "%s%" G_GUINT64_FORMAT, ns < 0 ? "-" : "", size / 1000000000);
    if (size % 1000000000 == 0)
        return;
    g_string_append_printf(out, ".%09u", (unsigned)(size % 1000000000));
    while (out->str[out->len - 1] == '0')
        g_string_truncate(out, out->len - 1);
}

static void append_cell(const struct corr_column *column, const struct corr_cell *cell,
                        GString *out)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (!cell->present)
        return;
    switch (column->type) {
    case CORR_CELL_COUNT:
    case CORR_CELL_FRAME:
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, cell->count);
        break;
    case CORR_CELL_TRUE:
        g_string_append(out, "true");
        break;
    case CORR_CELL_RATIO:
    case CORR_CELL_PPM:
        g_string_append(out, g_ascii_formatd(number, sizeof number, "%.9g", cell->number));
        break;
    case CORR_CELL_TIME:
        append_seconds(cell->time_ns, out);
        break;
    case CORR_CELL_TEXT:
        g_string_append(out, cell->text);
        break;
    case CORR_CELL_FRAMES:
        for (unsigned i = 0; i < cell->frames->len; i++)
            g_string_append_printf(out, "%s%u", i ? ";" : "",
                                   g_array_index(cell->frames, uint32_t, i));
        break;
    case CORR_CELL_TEXTS:
        for (unsigned i = 0; i < cell->list->len; i++)
            g_string_append_printf(out, "%s%s", i ? ";" : "",
                                   (const char *)g_ptr_array_index(cell->list, i));
        break;
    case CORR_CELL_OBJECT:
    case CORR_CELL_OBJECTS:
        break;
    }
}

static void append_heading(const struct corr_column *columns, const char *prefix, bool *first,
                           GString *out)
{
    for (; columns->key; columns++) {
        g_autofree char *key = g_strconcat(prefix, columns->key, NULL);
        if (columns->sub) {
            g_autofree char *inner = g_strconcat(key, ".", NULL);
            append_heading(columns->sub, inner, first, out);
            continue;
        }
        g_string_append(out, *first ? "" : ",");
        *first = false;
        append_quoted(key, out);
    }
}

/*
 * One field per leaf column.  A leaf below a list has a value per list member,
 * so it is collected over `rows`: the rows that stand at this level.
 */
static void append_fields(const struct corr_column *columns, struct corr_row *const *rows,
                          unsigned n_rows, bool *first, GString *out)
{
    g_autoptr(GString) field = g_string_new(NULL);
    for (unsigned c = 0; columns[c].key; c++) {
        if (columns[c].sub) {
            g_autoptr(GPtrArray) inner = g_ptr_array_new();
            for (unsigned i = 0; i < n_rows; i++) {
                const struct corr_cell *cell = &rows[i]->cells[c];
                for (unsigned k = 0; cell->present && k < cell->list->len; k++)
                    g_ptr_array_add(inner, g_ptr_array_index(cell->list, k));
            }
            append_fields(columns[c].sub, (struct corr_row *const *)inner->pdata, inner->len, first,
                          out);
            continue;
        }
        g_string_truncate(field, 0);
        for (unsigned i = 0; i < n_rows; i++) {
            g_string_append(field, i ? ";" : "");
            append_cell(&columns[c], &rows[i]->cells[c], field);
        }
        g_string_append(out, *first ? "" : ",");
        *first = false;
        append_quoted(field->str, out);
    }
}

char *corr_render_csv(const struct corr_report_table *built)
{
    GString *out = g_string_new(NULL);
    bool first = true;
    append_heading(built->table->columns, "", &first, out);
    g_string_append(out, "\r\n");
    for (unsigned i = 0; i < built->rows->len; i++) {
        struct corr_row *row = g_ptr_array_index(built->rows, i);
        first = true;
        append_fields(built->table->columns, &row, 1, &first, out);
        g_string_append(out, "\r\n");
    }
    return g_string_free(out, FALSE);
}
