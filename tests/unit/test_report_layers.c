/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Grades at their limits; every metric has limits in order, and a source. */
#include "layers/findings.h"
#include "layers/grade.h"

#include <string.h>

#include "test_report.h"

static void test_grades_at_their_limits(void)
{
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_server, CORR_MS(100)), ==,
                    CORR_GRADE_EXCELLENT);
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_server, CORR_MS(101)), ==,
                    CORR_GRADE_GOOD);
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_server, CORR_MS(200)), ==,
                    CORR_GRADE_GOOD);
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_server, CORR_MS(201)), ==,
                    CORR_GRADE_DEGRADED);
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_server, CORR_MS(600)), ==,
                    CORR_GRADE_DEGRADED);
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_server, CORR_MS(601)), ==,
                    CORR_GRADE_POOR);
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_zero_window, 0), ==, CORR_GRADE_EXCELLENT);
    g_assert_cmpint(corr_grade_value(NULL, CORR_METRIC_zero_window, 1), ==, CORR_GRADE_DEGRADED);
}

static void test_metrics_are_whole(void)
{
    for (unsigned i = 0; i < CORR_METRIC_COUNT; i++) {
        const struct corr_metric_row *row = corr_metric_row(NULL, i);
        g_assert_cmpfloat(row->good, <, row->degraded);
        g_assert_cmpuint(strlen(row->source), >, 0);
    }
}

static void test_rules_have_words(void)
{
    for (unsigned i = 0; i < CORR_RULE_COUNT; i++) {
        g_assert_cmpuint(strlen(corr_rule_about(i)), >, 0);
        for (unsigned k = 0; k < i; k++)
            g_assert_cmpstr(corr_rule_word(i), !=, corr_rule_word(k));
    }
}

void add_layers_tests(void)
{
    g_test_add_func("/layers/grades-at-their-limits", test_grades_at_their_limits);
    g_test_add_func("/layers/metrics-are-whole", test_metrics_are_whole);
    g_test_add_func("/layers/rules-have-words", test_rules_have_words);
}
