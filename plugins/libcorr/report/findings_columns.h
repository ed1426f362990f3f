/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings_columns.h - the columns of the table `findings`, for its builder and for its text. */
#ifndef CORR_FINDINGS_COLUMNS_H
#define CORR_FINDINGS_COLUMNS_H

#include "report/report-int.h"

/* clang-format off */
#define CORR_FINDINGS_TABLE_COLUMNS(X)                                                             \
    X(NUMBER,     "finding",    "finding",    COUNT,  COLUMN, NULL, "Its number, from 1")          \
    X(PARENT,     "parent",     "parent",     COUNT,  COLUMN, NULL,                                \
      "Number of the finding that follows from this one; absent: none does")                       \
    X(LAYER,      "layer",      "layer",      TEXT,   COLUMN, NULL,                                \
      "Branch of the tree: capture, L3, L4, L7, L3->L4, L4->L7, end to end")                       \
    X(SEVERITY,   "severity",   "severity",   TEXT,   COLUMN, NULL,                                \
      "error: breaks the service; warning: degrades it; note: worth knowing")                      \
    X(WHERE,      "where",      "where",      TEXT,   COLUMN, NULL,                                \
      "The point, or the points between which it happens")                                         \
    X(CONFIDENCE, "confidence", "confidence", TEXT,   COLUMN, NULL,                                \
      "confirmed, probable, possible; no surer than the captures that it rests on")                \
    X(RULE,       "rule",       "rule",       TEXT,   COLUMN, NULL, "Which rule speaks")           \
    X(WHAT,       "what",       "what",       TEXT,   BELOW,  NULL, "The finding in plain words")  \
    X(BECAUSE,    "because",    "because",    TEXTS,  TITLED, NULL,                                \
      "What explains it: facts, then the findings that it follows from")                           \
    X(CAUSES,     "causes",     NULL,         FRAMES, COLUMN, NULL,                                \
      "Numbers of these findings")                                                                 \
    X(EVIDENCE,   "evidence",   "frames",     FRAMES, TITLED, NULL, "Frames that prove it")        \
    X(FILTER,     "filter",     "filter",     TEXT,   TITLED, NULL,                                \
      "Display filter that shows it")
/* clang-format on */

enum { CORR_FINDINGS_TABLE_COLUMNS(CORR_COLUMN_ENUM) };

/* Rows as a tree: an effect, and below it what it follows from. */
void corr_findings_text(const struct corr_report_table *built, GString *out);

#endif /* CORR_FINDINGS_COLUMNS_H */
