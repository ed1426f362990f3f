/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers_columns.h - the columns of the table `layers`, for its builder and for its text. */
#ifndef CORR_LAYERS_COLUMNS_H
#define CORR_LAYERS_COLUMNS_H

#include "report/layers_rtt.h"

/* clang-format off */
#define CORR_FIGURE_COLUMNS(X)                                                                     \
    X(METRIC,     "metric",     NULL, TEXT,  COLUMN, NULL, "Name of the figure")                   \
    X(ABOUT,      "about",      NULL, TEXT,  COLUMN, NULL, "What it is")                           \
    X(FIGURE_GRADE, "quality",  NULL, TEXT,  COLUMN, NULL,                                         \
      "Its grade; unknown: it is made of too few, or the clocks leave it open")                    \
    X(VALUE_S,    "value_s",    NULL, TIME,  COLUMN, NULL, "Its value, if a time")                 \
    X(ERROR_S,    "error_s",    NULL, TIME,  COLUMN, NULL,                                         \
      "The true time lies within plus or minus this; absent: it is exact")                         \
    X(VALUE,      "value",      NULL, RATIO, COLUMN, NULL, "Its value, if a share or a factor")    \
    X(GOOD_S,     "good_s",     NULL, TIME,  COLUMN, NULL,                                         \
      "Good up to this time, excellent up to half of it")                                          \
    X(GOOD,       "good",       NULL, RATIO, COLUMN, NULL, "The same for shares and factors")      \
    X(DEGRADED_S, "degraded_s", NULL, TIME,  COLUMN, NULL,                                         \
      "Degraded up to this time, poor above it")                                                   \
    X(DEGRADED,   "degraded",   NULL, RATIO, COLUMN, NULL, "The same for shares and factors")      \
    X(SOURCE,     "source",     NULL, TEXT,  COLUMN, NULL, "Where these limits come from")         \
    X(N,          "n",          NULL, COUNT, COLUMN, NULL,                                         \
      "Of how many packets, segments or transactions it is made")                                  \
    X(WHERE,      "where",      NULL, TEXT,  COLUMN, NULL,                                         \
      "Whole capture: the point or segment that it is of, the worst")                              \
    X(FACTOR,     "factor",     NULL, TRUE,  COLUMN, NULL, "The value is a factor, no share")

#define CORR_LAYERS_TABLE_COLUMNS(X)                                                               \
    X(SCOPE,   "scope",   "of",      TEXT,    COLUMN, NULL,                                        \
      "capture: all of it; segment: two points; pair: two hosts")                                  \
    X(FROM,    "from",    "from",    TEXT,    COLUMN, NULL, "Segment: the point before it")        \
    X(TO,      "to",      "to",      TEXT,    COLUMN, NULL,                                        \
      "Segment: the point behind it; absent: there is none")                                       \
    X(CLIENT,  "client",  "client",  TEXT,    COLUMN, NULL, "Pair: who began")                     \
    X(SERVER,  "server",  "server",  TEXT,    COLUMN, NULL, "Pair: who was asked")                 \
    X(LAYER,   "layer",   "layer",   TEXT,    COLUMN, NULL, "capture, L3, L4, L7")                 \
    X(GRADE,   "quality", "quality", TEXT,    COLUMN, NULL,                                        \
      "excellent, good, degraded, poor: the worst of its figures; unknown without any")            \
    X(FLOWS,   "flows",   "flows",   COUNT,   COLUMN, NULL, "Conversations")                       \
    X(PACKETS, "packets", "packets", COUNT,   COLUMN, NULL, "Packets")                             \
    X(FIGURES, "figures", NULL,      OBJECTS, COLUMN, corr_figure_columns, "Key figures")          \
    X(PATH,    "path_rtt", NULL,     OBJECT,  COLUMN, corr_layers_rtt_columns,                     \
      "L3 of a pair, if one probed the other (ping, traceroute, mtr): the path, hop by hop")       \
    X(WHAT,    "what",    "what",    TEXTS,   BELOW,  NULL, "The same, as text")
/* clang-format on */

enum { CORR_FIGURE_COLUMNS(CORR_COLUMN_ENUM) };
enum { CORR_LAYERS_TABLE_COLUMNS(CORR_COLUMN_ENUM) };
extern const struct corr_column corr_figure_columns[];

/* A block for each scope, a line for each figure, and where its limits come from. */
void corr_layers_text(const struct corr_report_table *built, GString *out);

#endif /* CORR_LAYERS_COLUMNS_H */
