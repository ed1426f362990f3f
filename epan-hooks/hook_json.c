/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_json.c - built tables as one JSON document, written by libwsutil.
 *
 * Member names are the columns' keys, absent cells are left out, and numbers
 * are decimal whatever the locale: never an exponent, never a sign for "none".
 */
#include "compat.h"
#include "hook_json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <wsutil/json_dumper.h>

#include "report/report.h"

#define SCHEMA "corr-report/1"
#define NS_PER_S 1000000000

#define RATIO_DECIMALS 6 /* one in a million */
#define PPM_DECIMALS 3   /* clocks drift by some ppm, and are known to some parts of it */

static void write_row(json_dumper *json, const struct corr_column *columns,
                      const struct corr_row *row);

static void write_text(json_dumper *json, const char *text)
{
    char *valid = g_utf8_make_valid(text, -1); /* names come from the file */

    json_dumper_value_string(json, valid);
    g_free(valid);
}

/* Cuts zeros off the end of a decimal number, and a point that then stands last. */
static void cut_zeros(char *number)
{
    char *end = number + strlen(number);

    if (!strchr(number, '.'))
        return;
    while (end[-1] == '0')
        *--end = '\0';
    if (end[-1] == '.')
        *--end = '\0';
    if (strcmp(number, "-0") == 0)
        strcpy(number, "0");
}

/* Nanoseconds as seconds, exactly. */
static void write_time(json_dumper *json, int64_t ns)
{
    uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    char text[32];

    snprintf(text, sizeof(text), "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "", size / NS_PER_S,
             size % NS_PER_S);
    cut_zeros(text);
    json_dumper_value_anyf(json, "%s", text);
}

static void write_number(json_dumper *json, double number, int decimals)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE + DBL_MAX_10_EXP], format[8];

    snprintf(format, sizeof(format), "%%.%df", decimals);
    g_ascii_formatd(text, sizeof(text), format, number);
    cut_zeros(text);
    json_dumper_value_anyf(json, "%s", text);
}

static void write_cell(json_dumper *json, const struct corr_column *column,
                       const struct corr_cell *cell)
{
    switch (column->type) {
    case CORR_CELL_COUNT:
    case CORR_CELL_FRAME:
        json_dumper_value_anyf(json, "%" PRIu64, cell->count);
        break;
    case CORR_CELL_TRUE:
        json_dumper_value_anyf(json, "true");
        break;
    case CORR_CELL_RATIO:
        write_number(json, cell->number, RATIO_DECIMALS);
        break;
    case CORR_CELL_PPM:
        write_number(json, cell->number, PPM_DECIMALS);
        break;
    case CORR_CELL_TIME:
        write_time(json, cell->time_ns);
        break;
    case CORR_CELL_TEXT:
        write_text(json, cell->text);
        break;
    case CORR_CELL_OBJECT:
        write_row(json, column->sub, g_ptr_array_index(cell->list, 0));
        break;
    case CORR_CELL_FRAMES:
        json_dumper_begin_array(json);
        for (unsigned i = 0; i < cell->frames->len; i++)
            json_dumper_value_anyf(json, "%" PRIu32, g_array_index(cell->frames, uint32_t, i));
        json_dumper_end_array(json);
        break;
    case CORR_CELL_TEXTS:
        json_dumper_begin_array(json);
        for (unsigned i = 0; i < cell->list->len; i++)
            write_text(json, g_ptr_array_index(cell->list, i));
        json_dumper_end_array(json);
        break;
    case CORR_CELL_OBJECTS:
        json_dumper_begin_array(json);
        for (unsigned i = 0; i < cell->list->len; i++)
            write_row(json, column->sub, g_ptr_array_index(cell->list, i));
        json_dumper_end_array(json);
        break;
    }
}

/* JSON has no word for what is not a number: such a cell is unknown, too. */
static bool is_writable(const struct corr_column *column, const struct corr_cell *cell)
{
    if (!cell->present)
        return false;
    if (column->type == CORR_CELL_RATIO || column->type == CORR_CELL_PPM)
        return isfinite(cell->number);
    return true;
}

static void write_row(json_dumper *json, const struct corr_column *columns,
                      const struct corr_row *row)
{
    json_dumper_begin_object(json);
    for (unsigned i = 0; i < row->n; i++) {
        if (!is_writable(&columns[i], &row->cells[i]))
            continue;
        json_dumper_set_member_name(json, columns[i].key);
        write_cell(json, &columns[i], &row->cells[i]);
    }
    json_dumper_end_object(json);
}

/* The notes of all tables; one that several tables make stands once. */
static void write_notes(json_dumper *json, struct corr_report_table *const *tables, unsigned n)
{
    GHashTable *written = g_hash_table_new(g_str_hash, g_str_equal);

    json_dumper_set_member_name(json, "notes");
    json_dumper_begin_array(json);
    for (unsigned i = 0; i < n; i++) {
        const GPtrArray *notes = tables[i]->notes;

        for (unsigned j = 0; notes && j < notes->len; j++)
            if (g_hash_table_add(written, g_ptr_array_index(notes, j)))
                write_text(json, g_ptr_array_index(notes, j));
    }
    json_dumper_end_array(json);
    g_hash_table_destroy(written);
}

char *hook_json_render(struct corr_report_table *const *tables, unsigned n)
{
    GString *out = g_string_new(NULL);
    json_dumper json = {.output_string = out, .flags = JSON_DUMPER_FLAGS_PRETTY_PRINT};

    json_dumper_begin_object(&json);
    json_dumper_set_member_name(&json, "schema");
    json_dumper_value_string(&json, SCHEMA);
    for (unsigned i = 0; i < n; i++) {
        json_dumper_set_member_name(&json, tables[i]->table->key);
        json_dumper_begin_array(&json);
        for (unsigned j = 0; j < tables[i]->rows->len; j++)
            write_row(&json, tables[i]->table->columns, g_ptr_array_index(tables[i]->rows, j));
        json_dumper_end_array(&json);
    }
    write_notes(&json, tables, n);
    json_dumper_end_object(&json);
    json_dumper_finish(&json);
    if (out->len == 0 || out->str[out->len - 1] != '\n')
        g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}
