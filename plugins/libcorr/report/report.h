/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - tables: typed columns, rows of cells, and who renders them.
 *
 * A table is { key, title, about, columns[], build() }.  build() reads the
 * settled engine and appends rows; renderers see rows and columns only, so
 * every table exists in every format, and in Wireshark's windows, by itself.
 * A cell may be absent ("unknown"), may be a list, or may be an object of its
 * own (`clock`, `latency_s`): then it holds a row of sub-columns.
 *
 * To add a table: one file in report/, one row in CORR_TABLES.
 */
#ifndef CORR_REPORT_H
#define CORR_REPORT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "corr.h"
#include "path/frames.h"

/* Columns: id = key in -z and JSON; order = order in `report`. */
/* clang-format off */
#define CORR_TABLES(X) \
    X(points)          \
    X(paths)           \
    X(segments)        \
    X(drops)           \
    X(changes)         \
    X(nat)             \
    X(flows)           \
    X(phases)          \
    X(layers)          \
    X(findings)
/* clang-format on */

struct corr_report_table;

enum corr_cell_type {
    CORR_CELL_COUNT,   /* uint64: a number of things */
    CORR_CELL_FRAME,   /* uint64: a frame number */
    CORR_CELL_RATIO,   /* double 0..1; text shows a percentage */
    CORR_CELL_TIME,    /* int64 nanoseconds; JSON: seconds (key ends in _s), text: a fitting unit */
    CORR_CELL_PPM,     /* double, parts per million */
    CORR_CELL_TRUE,    /* true wherever it is present; text: yes */
    CORR_CELL_TEXT,    /* UTF-8 */
    CORR_CELL_OBJECT,  /* sub-row by the column's `sub` columns */
    CORR_CELL_FRAMES,  /* list of frame numbers */
    CORR_CELL_TEXTS,   /* list of texts */
    CORR_CELL_OBJECTS, /* list of sub-rows */
};

/* Where text output shows a column.  Other formats do not care. */
enum corr_column_place {
    CORR_PLACE_COLUMN, /* a column of the table */
    CORR_PLACE_BELOW,  /* lines of its own below the row; `title` serves windows only */
    CORR_PLACE_TITLED, /* likewise, led by the title and a colon */
};

struct corr_column {
    const char *key;   /* JSON key and CSV heading; units in the key; "latency_s" etc. */
    const char *title; /* text and window heading, short; NULL: not in text (80 columns are few) */
    enum corr_cell_type type;
    const char *about;             /* one line for help and README */
    const struct corr_column *sub; /* OBJECT, OBJECTS: ends with a row whose key is NULL */
    enum corr_column_place place;
};

struct corr_cell {
    bool present;
    union {
        uint64_t count;
        double number;   /* RATIO, PPM */
        int64_t time_ns;
        char *text;      /* owned */
        GArray *frames;  /* uint32_t, owned */
        GPtrArray *list; /* TEXTS: char *; OBJECT (one), OBJECTS: struct corr_row *; owned */
    };
};

/* As many cells as the table (or sub table) has columns, in column order. */
struct corr_row {
    unsigned n;
    struct corr_cell *cells;
};

struct corr_table {
    const char *key, *title, *about;
    const struct corr_column *columns; /* ends with a row whose key is NULL */
    void (*build)(const struct corr_engine *engine, const struct corr_frame_set *frames,
                  struct corr_report_table *out);
    /* Optional: writes the rows as text in a form of its own; NULL: as columns. */
    void (*rows_text)(const struct corr_report_table *built, GString *out);
};

/* One built table. */
struct corr_report_table {
    const struct corr_table *table;
    GPtrArray *rows;  /* struct corr_row * */
    GPtrArray *notes; /* char *: what was set aside and why; printed below the table */
};

/* All tables in CORR_TABLES order; find by key returns NULL for an unknown one. */
extern const struct corr_table *const corr_tables[];
extern const unsigned corr_table_count;
const struct corr_table *corr_table_find(const char *key);

/* Builds a table from a settled engine.  Free with corr_report_table_free(). */
struct corr_report_table *corr_report_build(const struct corr_engine *engine,
                                            const struct corr_table *table,
                                            const struct corr_frame_set *frames);
void corr_report_table_free(struct corr_report_table *built);

/*
 * Renderers of one built table; each returns text that ends in a newline, free
 * with g_free().  JSON is rendered in epan-hooks/hook_json.c, with libwsutil's
 * writer, from the same rows.
 *
 *   text  title, aligned columns, at most 80 wide, `-` for absent, notes below
 *   csv   RFC 4180, heading = keys, nested keys joined by ".", lists by ";"
 */
char *corr_render_text(const struct corr_report_table *built);
char *corr_render_csv(const struct corr_report_table *built);

/* For the builders.  Rows start with every cell absent; setting a cell makes it present. */
struct corr_row *corr_report_row(struct corr_report_table *out); /* appended; owned by `out` */
struct corr_row *corr_row_new(const struct corr_column *columns);
void corr_cell_set_count(struct corr_row *row, unsigned column, uint64_t count);
void corr_cell_set_true(struct corr_row *row, unsigned column);
void corr_cell_set_number(struct corr_row *row, unsigned column, double number);
void corr_cell_set_time(struct corr_row *row, unsigned column, int64_t time_ns);
void corr_cell_set_text(struct corr_row *row, unsigned column, const char *text); /* copies */
void corr_cell_add_frame(struct corr_row *row, unsigned column, uint32_t frame);
void corr_cell_add_text(struct corr_row *row, unsigned column, const char *text);
/* Adds or sets a sub-row of the column's `sub` columns and returns it. */
struct corr_row *corr_cell_add_row(struct corr_row *row, unsigned column,
                                   const struct corr_column *columns);
void corr_report_note(struct corr_report_table *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif /* CORR_REPORT_H */
