/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path.h - the files of this program. */
#ifndef TEST_PATH_H
#define TEST_PATH_H

void add_clock_tests(void);
void add_clock_random_tests(void);
void add_loss_tests(void);
void add_order_tests(void);
void add_verdict_tests(void);

#endif /* TEST_PATH_H */
