/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings.c - a row per finding: what is wrong or that nothing is, the worst first. */
#include "layers/findings.h"
#include "report/report-int.h"

/* clang-format off */
#define COLUMNS(X)                                                                                 \
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
      "The proven links of the chain that leads to it")                                            \
    X(EVIDENCE,   "evidence",   "frames",     FRAMES, TITLED, NULL, "Frames that prove it")        \
    X(FILTER,     "filter",     "filter",     TEXT,   TITLED, NULL,                                \
      "Display filter that shows it")
/* clang-format on */

enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

static void add_row(const struct corr_insight *insight, struct corr_report_table *out)
{
    struct corr_row *row = corr_report_row(out);

    corr_cell_set_text(row, C_LAYER, corr_branch_word(corr_rule_branch(insight->rule)));
    corr_cell_set_text(row, C_SEVERITY, corr_weight_word(insight->weight));
    if (insight->where)
        corr_cell_set_text(row, C_WHERE, insight->where);
    corr_cell_set_text(row, C_CONFIDENCE, corr_confidence_word(insight->confidence));
    corr_cell_set_text(row, C_RULE, corr_rule_word(insight->rule));
    corr_cell_set_text(row, C_WHAT, insight->what);
    for (unsigned i = 0; i < insight->because->len; i++)
        corr_cell_add_text(row, C_BECAUSE, g_ptr_array_index(insight->because, i));
    for (unsigned i = 0; i < insight->evidence->len; i++)
        corr_cell_add_frame(row, C_EVIDENCE, g_array_index(insight->evidence, uint32_t, i));
    if (insight->filter)
        corr_cell_set_text(row, C_FILTER, insight->filter);
}

void corr_build_findings(const struct corr_result *r, const struct corr_frame_set *frames,
                         struct corr_report_table *out)
{
    struct corr_findings *findings = corr_findings_new(r, frames);

    for (unsigned i = 0; i < findings->list->len; i++)
        add_row(g_ptr_array_index(findings->list, i), out);
    if (findings->trust != CORR_TRUST_FULL)
        corr_report_note(out, "The captures are of use with care: see the table points. What rests "
                              "on them is as sure as they are.");
    corr_findings_free(findings);
}

CORR_TABLE_DEFINE(findings, "Findings: what is wrong, where, and how sure that is",
                  "what is wrong or that nothing is, where, how sure, and what proves it", columns);
