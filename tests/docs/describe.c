/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * describe.c - prints the engine's lists for the README: a line per table and per column.
 *
 *     points                              -        Capture points: ...   what the table is for
 *     points      clock.offset_s          seconds  offset                what the column means
 *
 * Tab-separated: table, key as in JSON (empty: the table itself), type, title in text output
 * (empty: not shown there), meaning.
 */
#include <stdio.h>

#include "report/report.h"

/* How a value looks in JSON. */
static const char *const type_words[] = {
    [CORR_CELL_COUNT] = "number",   [CORR_CELL_FRAME] = "frame",    [CORR_CELL_RATIO] = "0 to 1",
    [CORR_CELL_TRUE] = "true",
    [CORR_CELL_TIME] = "seconds",   [CORR_CELL_PPM] = "ppm",        [CORR_CELL_TEXT] = "text",
    [CORR_CELL_OBJECT] = "object",  [CORR_CELL_FRAMES] = "frames",  [CORR_CELL_TEXTS] = "texts",
    [CORR_CELL_OBJECTS] = "objects",
};

static void describe_columns(const char *table, const char *before,
                             const struct corr_column *columns)
{
    for (const struct corr_column *c = columns; c->key; c++) {
        char *key = g_strconcat(before, *before ? "." : "", c->key, NULL);

        printf("%s\t%s\t%s\t%s\t%s\n", table, key, type_words[c->type], c->title ? c->title : "",
               c->about);
        if (c->sub)
            describe_columns(table, key, c->sub);
        g_free(key);
    }
}

int main(void)
{
    for (unsigned i = 0; i < corr_table_count; i++) {
        const struct corr_table *table = corr_tables[i];

        printf("%s\t\t-\t%s\t%s\n", table->key, table->title, table->about);
        describe_columns(table->key, "", table->columns);
    }
    return 0;
}
