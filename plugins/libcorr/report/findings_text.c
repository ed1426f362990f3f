/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings_text.c - findings as people read them: an effect, and below it what it follows from. */
#include <string.h>

#include "report/findings_columns.h"

#define FRAMES_SHOWN 5

static bool is_number(const struct corr_cell *cell, uint64_t number)
{
    return cell->present && cell->count == number;
}

static const char *text_of(const struct corr_row *row, unsigned column)
{
    return row->cells[column].present ? row->cells[column].text : "";
}

/* "L3->L4  warning, confirmed, fw > nic" */
static void append_title(const struct corr_row *row, GString *out)
{
    g_string_append_printf(out, "%s  %s, %s", text_of(row, C_LAYER), text_of(row, C_SEVERITY),
                           text_of(row, C_CONFIDENCE));
    if (row->cells[C_WHERE].present) {
        g_string_append(out, ", ");
        corr_text_printable(text_of(row, C_WHERE), out);
    }
}

static void append_frames(const GArray *frames, GString *out)
{
    g_string_append(out, frames->len == 1 ? "frame: " : "frames: ");
    for (unsigned i = 0; i < frames->len && i < FRAMES_SHOWN; i++)
        g_string_append_printf(out, "%s%u", i ? ", " : "", g_array_index(frames, uint32_t, i));
    if (frames->len > FRAMES_SHOWN)
        g_string_append_printf(out, " (+%u)", frames->len - FRAMES_SHOWN);
}

/* A line, or several, of the finding's own, each behind `lead`. */
static void append_line(const char *text, const char *lead, GString *out)
{
    g_autoptr(GString) shown = g_string_new(NULL);

    corr_text_printable(text, shown);
    corr_text_hang(shown->str, lead, lead, out);
}

static void append_body(const struct corr_row *row, const char *lead, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    append_line(text_of(row, C_WHAT), lead, out);
    if (row->cells[C_EVIDENCE].present) {
        append_frames(row->cells[C_EVIDENCE].frames, text);
        append_line(text->str, lead, out);
    }
    if (row->cells[C_FILTER].present) {
        g_string_printf(text, "filter: %s", text_of(row, C_FILTER));
        append_line(text->str, lead, out);
    }
}

static void append_node(const GPtrArray *rows, const struct corr_row *row, const char *first,
                        const char *rest, GString *out);

/* What explains a finding: facts, findings of their own, and those told elsewhere. */
static void append_causes(const GPtrArray *rows, const struct corr_row *row, const char *lead,
                          GString *out)
{
    const struct corr_cell *because = &row->cells[C_BECAUSE], *causes = &row->cells[C_CAUSES];
    unsigned n = because->present ? because->list->len : 0;
    unsigned n_causes = causes->present ? causes->frames->len : 0;

    for (unsigned i = 0; i < n; i++) {
        bool last = i + 1 == n;
        g_autofree char *first = g_strconcat(lead, last ? "└─ " : "├─ ", NULL);
        g_autofree char *rest = g_strconcat(lead, last ? "   " : "│  ", NULL);
        if (i < n - n_causes) {
            g_autoptr(GString) shown = g_string_new(NULL);
            corr_text_printable(g_ptr_array_index(because->list, i), shown);
            corr_text_hang(shown->str, first, rest, out);
            continue;
        }
        uint32_t number = g_array_index(causes->frames, uint32_t, i - (n - n_causes));
        const struct corr_row *cause = g_ptr_array_index(rows, number - 1);
        if (is_number(&cause->cells[C_PARENT], row->cells[C_NUMBER].count)) {
            append_node(rows, cause, first, rest, out);
        } else {
            g_autoptr(GString) text = g_string_new(NULL);
            g_string_printf(text, "%s: see %u", text_of(cause, C_LAYER), number);
            corr_text_hang(text->str, first, rest, out);
        }
    }
}

static void append_node(const GPtrArray *rows, const struct corr_row *row, const char *first,
                        const char *rest, GString *out)
{
    g_autoptr(GString) title = g_string_new(NULL);

    g_string_printf(title, "%" G_GUINT64_FORMAT "  ", row->cells[C_NUMBER].count);
    append_title(row, title);
    corr_text_hang(title->str, first, rest, out);
    append_body(row, rest, out);
    append_causes(rows, row, rest, out);
}

void corr_findings_text(const struct corr_report_table *built, GString *out)
{
    bool noted = false;

    for (unsigned i = 0; i < built->rows->len; i++) {
        const struct corr_row *row = g_ptr_array_index(built->rows, i);
        if (row->cells[C_PARENT].present)
            continue; /* told below its parent */
        if (i > 0)
            g_string_append_c(out, '\n');
        if (!noted && strcmp(text_of(row, C_SEVERITY), "note") == 0) {
            noted = true;
            g_string_append(out, i > 0 ? "Worth knowing\n\n" : "");
        }
        append_node(built->rows, row, "", "    ", out);
    }
}
