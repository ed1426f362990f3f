/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_report.h - the files that make up the report's tests. */
#ifndef TEST_REPORT_H
#define TEST_REPORT_H

void add_text_tests(void);

#endif /* TEST_REPORT_H */
