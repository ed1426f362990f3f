/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grade.c - how good is a figure? */
#include "layers/grade.h"

#include <stddef.h>

static const char *const words[] = {"unknown", "excellent", "good", "degraded", "poor"};

const struct corr_limits corr_limits_default = {{
#define CORR_ROW(name, what, unit, good, degraded, enough, source)                                 \
    {#name, what, source, CORR_UNIT_##unit, good, degraded, enough},
    CORR_METRICS(CORR_ROW)
#undef CORR_ROW
}};

const char *corr_grade_word(enum corr_grade grade)
{
    return words[grade];
}

const struct corr_metric_row *corr_metric_row(const struct corr_limits *limits,
                                              enum corr_metric metric)
{
    return &(limits != NULL ? limits : &corr_limits_default)->rows[metric];
}

enum corr_grade corr_grade_value(const struct corr_limits *limits, enum corr_metric metric,
                                 double value)
{
    const struct corr_metric_row *row = corr_metric_row(limits, metric);

    return value <= row->good / 2   ? CORR_GRADE_EXCELLENT
           : value <= row->good     ? CORR_GRADE_GOOD
           : value <= row->degraded ? CORR_GRADE_DEGRADED
                                    : CORR_GRADE_POOR;
}
