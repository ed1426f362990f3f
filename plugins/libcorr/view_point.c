/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_point.c - what there is to say of a capture point, on its first frame; and findings. */
#include "layers/findings.h"
#include "layers/layers.h"
#include "view_fill-int.h"

/* Findings are told at the frame that proves them best. */
static void fill_findings(const struct corr_fill *f)
{
    const struct corr_findings *findings = corr_layers_findings(f->r);
    unsigned n;
    const struct corr_finding_frame *at = corr_findings_at(findings, f->frame, &n);

    for (unsigned i = 0; i < n; i++) {
        const struct corr_insight *insight = g_ptr_array_index(findings->list, at[i].number - 1);
        g_string_printf(
            f->sentence, "%s, %s%s%s", corr_branch_word(corr_rule_branch(insight->rule)),
            insight->where ? insight->where : "", insight->where ? ": " : "", insight->what);
        corr_view_add_finding(f->view,
                              insight->weight == CORR_WEIGHT_NOTE ? CORR_FINDING_insight
                                                                  : CORR_FINDING_finding,
                              f->sentence->str);
    }
}

void corr_fill_point(const struct corr_fill *f)
{
    const struct corr_capture_verdict *verdict;

    if (!corr_view_wants(f->view, CORR_WANT_FINDINGS))
        return;
    fill_findings(f);
    verdict = &corr_layers_verdicts(f->r)[f->obs->point];
    if (verdict->first_frame != f->frame)
        return;
    g_string_printf(f->sentence, "%s: %s", corr_fill_point_name(f, f->obs->point),
                    verdict->reasons);
    if (verdict->trust != CORR_TRUST_FULL)
        corr_view_add_finding(
            f->view, verdict->trust == CORR_TRUST_NONE ? CORR_FINDING_distrust : CORR_FINDING_care,
            f->sentence->str);
    if (verdict->collapsed)
        corr_view_add_finding(f->view, CORR_FINDING_collapsed,
                              "merge again with corr-merge, or mergecap -I none");
}
