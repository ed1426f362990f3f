/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - the list of tables, their rows and cells. */
#include "report/report.h"

#include <string.h>

#include "path/text.h"
#include "report/report-int.h"

#define CORR_ROW(id) &corr_table_##id,
const struct corr_table *const corr_tables[] = {CORR_TABLES(CORR_ROW)};
#undef CORR_ROW
const unsigned corr_table_count = G_N_ELEMENTS(corr_tables);

const struct corr_table *corr_table_find(const char *key)
{
    for (unsigned i = 0; i < corr_table_count; i++)
        if (strcmp(corr_tables[i]->key, key) == 0)
            return corr_tables[i];
    return NULL;
}

struct corr_report_table *corr_report_table_new(const struct corr_table *table)
{
    struct corr_report_table *built = g_new0(struct corr_report_table, 1);
    built->table = table;
    built->rows = g_ptr_array_new();
    built->notes = g_ptr_array_new_with_free_func(g_free);
    return built;
}

static void note_limit(const struct corr_result *r, struct corr_report_table *out)
{
    if (r && r->store->full_at)
        corr_report_note(out,
                         "The limit of memory was reached at frame %u: from there on, "
                         "%" G_GUINT64_FORMAT " frame%s not compared and in no answer.",
                         r->store->full_at, r->store->n_refused,
                         r->store->n_refused == 1 ? " is" : "s are");
}

/* While a capture runs: of when the table is, and what it does not know yet. */
static void note_live(const struct corr_result *r, struct corr_report_table *out)
{
    g_autoptr(GString) text = NULL;

    if (!r || !r->live)
        return;
    text = g_string_new(NULL);
    g_string_printf(text, "as of frame %u; the capture goes on", r->store->last_frame);
    if (r->n_pending) {
        g_string_append_printf(text, ": %u verdict%s on packets of the last ", r->n_pending,
                               r->n_pending == 1 ? "" : "s");
        corr_text_time(r->due_ns, text);
        g_string_append(text, r->n_pending == 1 ? " is pending" : " are pending");
    }
    corr_report_note(out, "%s", text->str);
}

struct corr_report_table *corr_report_build(const struct corr_engine *engine,
                                            const struct corr_table *table,
                                            const struct corr_frame_set *frames)
{
    struct corr_report_table *built = corr_report_table_new(table);
    table->build(engine, frames, built);
    note_limit(corr_engine_result(engine), built);
    note_live(corr_engine_result(engine), built);
    return built;
}

static void row_free(struct corr_row *row, const struct corr_column *columns)
{
    for (unsigned i = 0; i < row->n; i++) {
        struct corr_cell *cell = &row->cells[i];
        if (!cell->present)
            continue;
        switch (columns[i].type) {
        case CORR_CELL_TEXT:
            g_free(cell->text);
            break;
        case CORR_CELL_FRAMES:
            g_array_free(cell->frames, TRUE);
            break;
        case CORR_CELL_TEXTS:
            g_ptr_array_foreach(cell->list, (GFunc)(void (*)(void))g_free, NULL);
            g_ptr_array_free(cell->list, TRUE);
            break;
        case CORR_CELL_OBJECT:
        case CORR_CELL_OBJECTS:
            for (unsigned k = 0; k < cell->list->len; k++)
                row_free(g_ptr_array_index(cell->list, k), columns[i].sub);
            g_ptr_array_free(cell->list, TRUE);
            break;
        default:
            break;
        }
    }
    g_free(row->cells);
    g_free(row);
}

void corr_report_table_free(struct corr_report_table *built)
{
    if (!built)
        return;
    for (unsigned i = 0; i < built->rows->len; i++)
        row_free(g_ptr_array_index(built->rows, i), built->table->columns);
    g_ptr_array_free(built->rows, TRUE);
    g_ptr_array_free(built->notes, TRUE);
    g_free(built);
}

struct corr_row *corr_row_new(const struct corr_column *columns)
{
    struct corr_row *row = g_new0(struct corr_row, 1);
    while (columns[row->n].key)
        row->n++;
    row->cells = g_new0(struct corr_cell, row->n);
    return row;
}

struct corr_row *corr_report_row(struct corr_report_table *out)
{
    struct corr_row *row = corr_row_new(out->table->columns);
    g_ptr_array_add(out->rows, row);
    return row;
}

/* The cell, marked present; `first` tells whether it was absent until now. */
static struct corr_cell *cell_take(struct corr_row *row, unsigned column, bool *first)
{
    g_assert(column < row->n);
    struct corr_cell *cell = &row->cells[column];
    *first = !cell->present;
    cell->present = true;
    return cell;
}

void corr_cell_set_count(struct corr_row *row, unsigned column, uint64_t count)
{
    bool first;
    cell_take(row, column, &first)->count = count;
}

void corr_cell_set_true(struct corr_row *row, unsigned column)
{
    corr_cell_set_count(row, column, 1);
}

void corr_cell_set_number(struct corr_row *row, unsigned column, double number)
{
    bool first;
    cell_take(row, column, &first)->number = number;
}

void corr_cell_set_time(struct corr_row *row, unsigned column, int64_t time_ns)
{
    bool first;
    cell_take(row, column, &first)->time_ns = time_ns;
}

/* Names come from the capture file: whatever they are, cells hold UTF-8. */
void corr_cell_set_text(struct corr_row *row, unsigned column, const char *text)
{
    bool first;
    struct corr_cell *cell = cell_take(row, column, &first);
    if (!first)
        g_free(cell->text);
    cell->text = g_utf8_make_valid(text, -1);
}

void corr_cell_add_frame(struct corr_row *row, unsigned column, uint32_t frame)
{
    bool first;
    struct corr_cell *cell = cell_take(row, column, &first);
    if (first)
        cell->frames = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_array_append_val(cell->frames, frame);
}

void corr_cell_add_text(struct corr_row *row, unsigned column, const char *text)
{
    bool first;
    struct corr_cell *cell = cell_take(row, column, &first);
    if (first)
        cell->list = g_ptr_array_new();
    g_ptr_array_add(cell->list, g_utf8_make_valid(text, -1));
}

struct corr_row *corr_cell_add_row(struct corr_row *row, unsigned column,
                                   const struct corr_column *columns)
{
    bool first;
    struct corr_cell *cell = cell_take(row, column, &first);
    if (first)
        cell->list = g_ptr_array_new();
    struct corr_row *sub = corr_row_new(columns);
    g_ptr_array_add(cell->list, sub);
    return sub;
}

void corr_report_note(struct corr_report_table *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_ptr_array_add(out->notes, g_utf8_make_valid(text, -1));
    g_free(text);
}
