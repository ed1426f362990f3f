/* SPDX-License-Identifier: GPL-2.0-or-later */
/* render_text.c - a built table as text for people: aligned, at most 80 columns wide. */
#include "report/report.h"

#include <string.h>

#include "path/text.h"
#include "report/report-int.h"

#define WIDTH 80
#define GAP 2
#define INDENT 4
#define NARROWEST 5 /* a text column is never made narrower than this */

/* One printed column: `top` is the table's column, `sub` a column of its object, or -1. */
struct leaf {
    const struct corr_column *column;
    unsigned top;
    int sub;
    unsigned width;
};

static unsigned char_width(gunichar c)
{
    return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

unsigned corr_text_width(const char *text)
{
    unsigned width = 0;
    for (; *text; text = g_utf8_next_char(text))
        width += char_width(g_utf8_get_char(text));
    return width;
}

void corr_text_printable(const char *text, GString *out)
{
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        g_string_append_unichar(out, g_unichar_isprint(c) ? c : g_unichar_isspace(c) ? ' ' : '?');
    }
}

static void append_cell(const struct corr_column *column, const struct corr_cell *cell,
                        GString *out)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (!cell->present) {
        g_string_append_c(out, '-');
        return;
    }
    switch (column->type) {
    case CORR_CELL_COUNT:
    case CORR_CELL_FRAME:
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, cell->count);
        break;
    case CORR_CELL_TRUE:
        g_string_append(out, "yes");
        break;
    case CORR_CELL_RATIO:
        corr_text_ratio(cell->number, out);
        break;
    case CORR_CELL_PPM:
        g_string_append(out, g_ascii_formatd(number, sizeof number, "%.3g", cell->number));
        break;
    case CORR_CELL_TIME:
        corr_text_time(cell->time_ns, out);
        break;
    case CORR_CELL_TEXT:
        corr_text_printable(cell->text, out);
        break;
    case CORR_CELL_FRAMES:
        for (unsigned i = 0; i < cell->frames->len && i < 3; i++)
            g_string_append_printf(out, "%s%u", i ? ", " : "",
                                   g_array_index(cell->frames, uint32_t, i));
        if (cell->frames->len > 3)
            g_string_append_printf(out, " (+%u)", cell->frames->len - 3);
        break;
    case CORR_CELL_TEXTS:
        for (unsigned i = 0; i < cell->list->len; i++) {
            g_string_append(out, i ? "; " : "");
            corr_text_printable(g_ptr_array_index(cell->list, i), out);
        }
        break;
    case CORR_CELL_OBJECT:
    case CORR_CELL_OBJECTS:
        break;
    }
}

static void append_leaf(const struct leaf *leaf, const struct corr_row *row, GString *out)
{
    static const struct corr_cell absent;
    const struct corr_cell *cell = &row->cells[leaf->top];
    if (leaf->sub >= 0)
        cell = cell->present
                   ? &((struct corr_row *)g_ptr_array_index(cell->list, 0))->cells[leaf->sub]
                   : &absent;
    append_cell(leaf->column, cell, out);
}

static bool is_left(const struct corr_column *column)
{
    return column->type == CORR_CELL_TEXT || column->type == CORR_CELL_TEXTS ||
           column->type == CORR_CELL_FRAMES;
}

static GArray *find_leaves(const struct corr_report_table *built)
{
    GArray *leaves = g_array_new(FALSE, FALSE, sizeof(struct leaf));
    const struct corr_column *columns = built->table->columns;
    for (unsigned c = 0; columns[c].key; c++) {
        struct leaf leaf = {&columns[c], c, -1, 0};
        if (columns[c].type == CORR_CELL_OBJECT) {
            for (int k = 0; columns[c].title && columns[c].sub[k].key; k++) {
                leaf.column = &columns[c].sub[k];
                leaf.sub = k;
                if (leaf.column->title && !leaf.column->sub)
                    g_array_append_val(leaves, leaf);
            }
        } else if (columns[c].title && columns[c].type != CORR_CELL_OBJECTS &&
                   columns[c].place == CORR_PLACE_COLUMN) {
            g_array_append_val(leaves, leaf);
        }
    }
    return leaves;
}

static void fit_widths(const struct corr_report_table *built, GArray *leaves)
{
    g_autoptr(GString) text = g_string_new(NULL);
    unsigned total = 0;
    for (unsigned c = 0; c < leaves->len; c++) {
        struct leaf *leaf = &g_array_index(leaves, struct leaf, c);
        leaf->width = corr_text_width(leaf->column->title);
        for (unsigned i = 0; i < built->rows->len; i++) {
            g_string_truncate(text, 0);
            append_leaf(leaf, g_ptr_array_index(built->rows, i), text);
            leaf->width = MAX(leaf->width, corr_text_width(text->str));
        }
        total += leaf->width + (c ? GAP : 0);
    }
    /* Too wide: the widest text column gives way, one by one; its cells wrap. */
    while (total > WIDTH) {
        struct leaf *widest = NULL;
        for (unsigned c = 0; c < leaves->len; c++) {
            struct leaf *leaf = &g_array_index(leaves, struct leaf, c);
            if (is_left(leaf->column) && leaf->width > NARROWEST &&
                (!widest || leaf->width > widest->width))
                widest = leaf;
        }
        if (!widest)
            break;
        widest->width--;
        total--;
    }
}

/* Bytes of `text` that fit in `width`, at least one character; prefers to end at a blank. */
static unsigned fitting(const char *text, unsigned width)
{
    unsigned used = 0, blank = 0;
    const char *p = text;
    while (*p) {
        unsigned w = char_width(g_utf8_get_char(p));
        if (used + w > width && p > text)
            break;
        if (*p == ' ' && p > text)
            blank = (unsigned)(p - text);
        used += w;
        p = g_utf8_next_char(p);
    }
    if (!*p || *p == ' ' || blank == 0)
        return (unsigned)(p - text);
    return blank;
}

static void append_blanks(unsigned n, GString *out)
{
    for (unsigned i = 0; i < n; i++)
        g_string_append_c(out, ' ');
}

static void trim_line(GString *out)
{
    while (out->len && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    g_string_append_c(out, '\n');
}

/* Prints one cell text per leaf, on as many lines as the longest needs. */
static void append_line(GArray *leaves, char **texts, GString *out)
{
    for (bool more = true; more;) {
        more = false;
        for (unsigned c = 0; c < leaves->len; c++) {
            const struct leaf *leaf = &g_array_index(leaves, struct leaf, c);
            char *text = texts[c];
            unsigned bytes =
                is_left(leaf->column) ? fitting(text, leaf->width) : (unsigned)strlen(text);
            g_autofree char *piece = g_strndup(text, bytes);
            unsigned width = corr_text_width(piece);
            unsigned pad = leaf->width > width ? leaf->width - width : 0;
            append_blanks(c ? GAP : 0, out);
            if (!is_left(leaf->column))
                append_blanks(pad, out);
            g_string_append(out, piece);
            if (is_left(leaf->column))
                append_blanks(pad, out);
            while (text[bytes] == ' ')
                bytes++;
            texts[c] = text + bytes;
            more |= *texts[c] != '\0';
        }
        trim_line(out);
    }
}

void corr_text_hang(const char *text, const char *first, const char *rest, GString *out)
{
    const char *lead = first;

    do {
        unsigned used = corr_text_width(lead);
        unsigned bytes = fitting(text, WIDTH > used + NARROWEST ? WIDTH - used : NARROWEST);
        g_string_append(out, lead);
        g_string_append_len(out, text, bytes);
        trim_line(out);
        text += bytes;
        while (*text == ' ')
            text++;
        lead = rest;
    } while (*text);
}

void corr_text_paragraph(const char *text, unsigned indent, GString *out)
{
    g_autofree char *first = g_strnfill(indent, ' '), *rest = g_strnfill(indent + 2, ' ');

    corr_text_hang(text, first, rest, out);
}

static void append_below(const struct corr_column *columns, const struct corr_row *row,
                         GString *out)
{
    for (unsigned c = 0; c < row->n; c++) {
        const struct corr_cell *cell = &row->cells[c];
        if (columns[c].place == CORR_PLACE_COLUMN || !cell->present)
            continue;
        unsigned lines = columns[c].type == CORR_CELL_TEXTS ? cell->list->len : 1;
        for (unsigned i = 0; i < lines; i++) {
            g_autoptr(GString) text = g_string_new(NULL);
            if (columns[c].place == CORR_PLACE_TITLED)
                g_string_append_printf(text, "%s: ", columns[c].title);
            if (columns[c].type == CORR_CELL_TEXTS)
                corr_text_printable(g_ptr_array_index(cell->list, i), text);
            else
                append_cell(&columns[c], cell, text);
            corr_text_paragraph(text->str, INDENT, out);
        }
    }
}

char *corr_render_text(const struct corr_report_table *built)
{
    GString *out = g_string_new(NULL);
    g_autoptr(GArray) leaves = find_leaves(built);
    g_autofree char **texts = g_new0(char *, leaves->len);
    g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);

    corr_text_paragraph(built->table->title, 0, out);
    g_string_append_c(out, '\n');
    if (built->rows->len && built->table->rows_text) {
        built->table->rows_text(built, out);
    } else if (built->rows->len) {
        fit_widths(built, leaves);
        for (unsigned c = 0; c < leaves->len; c++) {
            g_ptr_array_add(owned, g_strdup(g_array_index(leaves, struct leaf, c).column->title));
            texts[c] = g_ptr_array_index(owned, c);
        }
        append_line(leaves, texts, out);
    } else {
        g_string_append(out, "(none)\n");
    }
    for (unsigned i = 0; i < built->rows->len && !built->table->rows_text; i++) {
        const struct corr_row *row = g_ptr_array_index(built->rows, i);
        g_ptr_array_set_size(owned, 0);
        for (unsigned c = 0; c < leaves->len; c++) {
            GString *text = g_string_new(NULL);
            append_leaf(&g_array_index(leaves, struct leaf, c), row, text);
            texts[c] = g_string_free(text, FALSE);
            g_ptr_array_add(owned, texts[c]);
        }
        append_line(leaves, texts, out);
        append_below(built->table->columns, row, out);
    }
    if (built->notes->len)
        g_string_append_c(out, '\n');
    for (unsigned i = 0; i < built->notes->len; i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        corr_text_printable(g_ptr_array_index(built->notes, i), text);
        corr_text_paragraph(text->str, 0, out);
    }
    return g_string_free(out, FALSE);
}
