/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_columns.h - a table of the report laid flat for a window: one column for
 * each cell that is not a list, also of nested rows, and one text for each list.
 *
 * First come the columns of the text form, then the sentences that it writes below a row, then all
 * that it leaves out: what matters most is seen without scrolling.  Times are milliseconds to the
 * nanosecond, shares are per cent; both and a column's title stand in its heading.
 */
#ifndef HOOK_COLUMNS_H
#define HOOK_COLUMNS_H

#include <glib.h>
#include <stdbool.h>

struct corr_cell;
struct corr_column;
struct corr_row;

struct hook_column {
    const struct corr_column *column;
    unsigned outer; /* index of the table's column; of nested ones: of the one around */
    int inner;      /* index in the nested row; -1: the table's own column */
    char *heading;  /* owned */
    bool is_number; /* count, frame, time, share, ppm: hook_column_number() */
    bool is_whole;  /* of these: count or frame */
};

/* An array of struct hook_column; lives until the program ends. */
GArray *hook_columns_new(const struct corr_column *columns);

/* NULL if the cell is absent. */
const struct corr_cell *hook_column_cell(const struct hook_column *at, const struct corr_row *row);

/* In the units of the heading. */
double hook_column_number(const struct hook_column *at, const struct corr_cell *cell);

/* As text: lists are joined by "; ".  Free it. */
char *hook_column_text(const struct hook_column *at, const struct corr_cell *cell);

#endif /* HOOK_COLUMNS_H */
