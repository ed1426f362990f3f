/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report-int.h - what the table files share: how a table is declared, and
 * which packets a set of frames selects.
 *
 * A table file writes its columns as a list,
 *
 *     X(id, key, title, type, place, sub, about)
 *
 * which makes the enum of cell numbers and the array of columns, and ends with
 * CORR_TABLE_DEFINE().
 */
#ifndef CORR_REPORT_INT_H
#define CORR_REPORT_INT_H

#include "path/result.h"
#include "report/report.h"

#define CORR_COLUMN_ENUM(id, key, title, type, place, sub, about) C_##id,
#define CORR_COLUMN_INIT(id, key, title, type, place, sub, about)                                  \
    {key, title, CORR_CELL_##type, about, sub, CORR_PLACE_##place},
#define CORR_COLUMN_END                                                                            \
    {                                                                                              \
        NULL, NULL, CORR_CELL_TEXT, NULL, NULL, CORR_PLACE_COLUMN                                  \
    }

/* Per table: the table itself, and its builder, which needs no engine and so serves tests. */
#define CORR_ROW(id)                                                                               \
    extern const struct corr_table corr_table_##id;                                                \
    void corr_build_##id(const struct corr_result *r, const struct corr_frame_set *frames,         \
                         struct corr_report_table *out);
CORR_TABLES(CORR_ROW)
#undef CORR_ROW

#define CORR_TABLE_DEFINE(id, title, about, columns)                                               \
    CORR_TABLE_DEFINE_TEXT(id, title, about, columns, NULL)

/* With text of its own, see struct corr_table. */
#define CORR_TABLE_DEFINE_TEXT(id, title, about, columns, rows_text)                               \
    static void build(const struct corr_engine *engine, const struct corr_frame_set *frames,       \
                      struct corr_report_table *out)                                               \
    {                                                                                              \
        const struct corr_result *r = corr_engine_result(engine);                                  \
        if (r)                                                                                     \
            corr_build_##id(r, frames, out);                                                       \
        else                                                                                       \
            corr_report_note(out, "No answers yet: the capture is still being read.");             \
    }                                                                                              \
    const struct corr_table corr_table_##id = {#id, title, about, columns, build, rows_text}

/* For text of tables' own: words wrapped at 80 columns, further lines indented by two more. */
void corr_text_paragraph(const char *text, unsigned indent, GString *out);
/* The same behind whatever leads the first line, and the further ones. */
void corr_text_hang(const char *text, const char *first, const char *rest, GString *out);
/* Columns that a text takes. */
unsigned corr_text_width(const char *text);
/* Names come from the capture file and must not steer the terminal. */
void corr_text_printable(const char *text, GString *out);

/* An empty built table; free with corr_report_table_free(). */
struct corr_report_table *corr_report_table_new(const struct corr_table *table);

/* Fills a points[].clock cell's sub-row; `base_ns` is the time of the file's first frame. */
void corr_points_fill_clock(struct corr_row *row, const struct corr_result *r, uint32_t point,
                            enum corr_clock_status status, const GArray *pieces, int64_t base_ns);

/* One byte per transaction: whether a frame of it is in the set.  NULL: all are.  g_free(). */
struct corr_phases;
uint8_t *corr_phases_selected(const struct corr_phases *phases,
                              const struct corr_frame_set *frames);

#endif /* CORR_REPORT_INT_H */
