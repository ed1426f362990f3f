/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_columns.c - a table of the report laid flat for a window. */
#include "hook_columns.h"

#include <string.h>

#include "report/report.h"

#define NS_PER_MS 1e6
#define PER_CENT 100.0

/* "first_s" is "first": the unit follows in brackets.  Free it. */
static char *spoken_key(const struct corr_column *column)
{
    static const char *const units[] = {"_s", "_ppm"};
    char *name = g_strdup(column->key);

    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++)
        if (g_str_has_suffix(name, units[i]))
            name[strlen(name) - strlen(units[i])] = '\0';
    return g_strdelimit(name, "_", ' ');
}

/* The title if there is one, else the key. */
static char *spoken(const struct corr_column *column)
{
    return column->title ? g_strdup(column->title) : spoken_key(column);
}

static const char *unit_of(const struct corr_column *column, const char *name)
{
    if (column->type == CORR_CELL_TIME)
        return " (ms)";
    if (column->type == CORR_CELL_RATIO)
        return " (%)";
    if (column->type == CORR_CELL_PPM && !strstr(name, "ppm"))
        return " (ppm)";
    return "";
}

static char *heading(const struct corr_column *outer, const struct corr_column *column)
{
    g_autofree char *name = spoken(column), *around = outer ? spoken(outer) : NULL;

    return g_strdup_printf("%s%s%s%s", around ? around : "", around ? " " : "", name,
                           unit_of(column, name));
}

static void column_add(GArray *out, const struct corr_column *outer, unsigned outer_index,
                       const struct corr_column *column, int inner)
{
    struct hook_column at = {
        .column = column,
        .outer = outer_index,
        .inner = inner,
        .heading = heading(outer, column),
        .is_whole = column->type == CORR_CELL_COUNT || column->type == CORR_CELL_FRAME,
    };

    at.is_number = at.is_whole || column->type == CORR_CELL_TIME ||
                   column->type == CORR_CELL_RATIO || column->type == CORR_CELL_PPM;
    g_array_append_val(out, at);
}

/* Parts of a window: what the text form has as columns, what it has below a row, all the rest. */
enum part { COLUMNS, BELOW, REST, PARTS };

static enum part part_of(const struct corr_column *column)
{
    if (!column->title)
        return REST;
    return column->place == CORR_PLACE_COLUMN ? COLUMNS : BELOW;
}

static void columns_add(GArray *out, const struct corr_column *columns, enum part part)
{
    for (unsigned i = 0; columns[i].key; i++) {
        const struct corr_column *sub = columns[i].sub;

        if (columns[i].type != CORR_CELL_OBJECT) {
            if (part_of(&columns[i]) == part)
                column_add(out, NULL, i, &columns[i], -1);
            continue;
        }
        for (unsigned k = 0; sub[k].key; k++)
            if ((sub[k].title ? part_of(&columns[i]) : REST) == part)
                column_add(out, &columns[i], i, &sub[k], (int)k);
    }
}

/* The text form sets columns of one title apart by their place; here their keys must do it. */
static void make_unique(GArray *out)
{
    for (unsigned i = 0; i < out->len; i++) {
        const struct hook_column *one = &g_array_index(out, struct hook_column, i);

        for (unsigned k = i + 1; k < out->len; k++) {
            struct hook_column *other = &g_array_index(out, struct hook_column, k);
            g_autofree char *name = spoken_key(other->column);

            if (strcmp(one->heading, other->heading) != 0)
                continue;
            g_free(other->heading);
            other->heading = g_strconcat(name, unit_of(other->column, name), NULL);
        }
    }
}

GArray *hook_columns_new(const struct corr_column *columns)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(struct hook_column));

    for (enum part part = COLUMNS; part < PARTS; part++)
        columns_add(out, columns, part);
    make_unique(out);
    return out;
}

const struct corr_cell *hook_column_cell(const struct hook_column *at, const struct corr_row *row)
{
    const struct corr_cell *cell = &row->cells[at->outer];

    if (cell->present && at->inner >= 0) {
        const struct corr_row *inner = g_ptr_array_index(cell->list, 0);

        cell = &inner->cells[at->inner];
    }
    return cell->present ? cell : NULL;
}

static double number_of(enum corr_cell_type type, const struct corr_cell *cell)
{
    switch (type) {
    case CORR_CELL_TIME:
        return (double)cell->time_ns / NS_PER_MS;
    case CORR_CELL_RATIO:
        return cell->number * PER_CENT;
    case CORR_CELL_PPM:
        return cell->number;
    default:
        return (double)cell->count;
    }
}

double hook_column_number(const struct hook_column *at, const struct corr_cell *cell)
{
    return number_of(at->column->type, cell);
}

static void append_row(GString *text, const struct corr_column *columns,
                       const struct corr_row *row);

static void append_cell(GString *text, const struct corr_column *column,
                        const struct corr_cell *cell)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    switch (column->type) {
    case CORR_CELL_COUNT:
    case CORR_CELL_FRAME:
        g_string_append_printf(text, "%" G_GUINT64_FORMAT, cell->count);
        break;
    case CORR_CELL_TRUE:
        g_string_append(text, "yes");
        break;
    case CORR_CELL_TIME:
    case CORR_CELL_RATIO:
    case CORR_CELL_PPM:
        g_string_append(
            text, g_ascii_formatd(number, sizeof number, "%.6f", number_of(column->type, cell)));
        break;
    case CORR_CELL_TEXT:
        g_string_append(text, cell->text);
        break;
    case CORR_CELL_FRAMES:
        for (unsigned i = 0; i < cell->frames->len; i++)
            g_string_append_printf(text, "%s%u", i ? " " : "",
                                   g_array_index(cell->frames, uint32_t, i));
        break;
    case CORR_CELL_TEXTS:
        for (unsigned i = 0; i < cell->list->len; i++)
            g_string_append_printf(text, "%s%s", i ? "; " : "",
                                   (const char *)g_ptr_array_index(cell->list, i));
        break;
    case CORR_CELL_OBJECT:
    case CORR_CELL_OBJECTS:
        for (unsigned i = 0; i < cell->list->len; i++) {
            g_string_append(text, i ? "; " : "");
            append_row(text, column->sub, g_ptr_array_index(cell->list, i));
        }
        break;
    }
}

/* "from lan, to wan, packets 20": each value behind its name. */
static void append_row(GString *text, const struct corr_column *columns, const struct corr_row *row)
{
    bool first = true;

    for (unsigned i = 0; columns[i].key; i++) {
        g_autofree char *name = NULL;

        if (!row->cells[i].present)
            continue;
        name = heading(NULL, &columns[i]);
        g_string_append_printf(text, "%s%s ", first ? "" : ", ", name);
        append_cell(text, &columns[i], &row->cells[i]);
        first = false;
    }
}

char *hook_column_text(const struct hook_column *at, const struct corr_cell *cell)
{
    GString *text = g_string_new(NULL);

    append_cell(text, at->column, cell);
    return g_string_free(text, FALSE);
}
