/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings.c - a row per finding: what is wrong or that nothing is, the worst first. */
#include "layers/findings.h"
#include "report/findings_columns.h"

static const struct corr_column columns[] = {CORR_FINDINGS_TABLE_COLUMNS(CORR_COLUMN_INIT)
                                                 CORR_COLUMN_END};

static void add_row(const struct corr_insight *insight, struct corr_report_table *out)
{
    struct corr_row *row = corr_report_row(out);

    corr_cell_set_count(row, C_NUMBER, insight->number);
    if (insight->parent)
        corr_cell_set_count(row, C_PARENT, insight->parent);
    corr_cell_set_text(row, C_LAYER, corr_branch_word(corr_rule_branch(insight->rule)));
    corr_cell_set_text(row, C_SEVERITY, corr_weight_word(insight->weight));
    if (insight->where)
        corr_cell_set_text(row, C_WHERE, insight->where);
    corr_cell_set_text(row, C_CONFIDENCE, corr_confidence_word(insight->confidence));
    corr_cell_set_text(row, C_RULE, corr_rule_word(insight->rule));
    corr_cell_set_text(row, C_WHAT, insight->what);
    for (unsigned i = 0; i < insight->because->len; i++)
        corr_cell_add_text(row, C_BECAUSE, g_ptr_array_index(insight->because, i));
    for (unsigned i = 0; i < insight->causes->len; i++) {
        const struct corr_insight *cause = g_ptr_array_index(insight->causes, i);
        g_autofree char *text =
            g_strdup_printf("%s: %s", corr_branch_word(corr_rule_branch(cause->rule)), cause->what);
        corr_cell_add_text(row, C_BECAUSE, text);
        corr_cell_add_frame(row, C_CAUSES, cause->number);
    }
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

CORR_TABLE_DEFINE_TEXT(findings, "Findings: what is wrong, where, and how sure that is",
                       "what is wrong or that nothing is, where, how sure, and what proves it",
                       columns, corr_findings_text);
