/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_point.c - what there is to say of a capture point, on its first frame. */
#include "layers/layers.h"
#include "view_fill-int.h"

void corr_fill_point(const struct corr_fill *f)
{
    const struct corr_capture_verdict *verdict;

    if (!corr_view_wants(f->view, CORR_WANT_FINDINGS))
        return;
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
