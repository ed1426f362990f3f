/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_match.h - the files of this program. */
#ifndef TEST_MATCH_H
#define TEST_MATCH_H

void add_link_tests(void);
void add_cell_tests(void);
void add_rewrite_tests(void);
void add_tenant_tests(void);
void add_assign_tests(void);

#endif /* TEST_MATCH_H */
