/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_store.h - the files of this program. */
#ifndef TEST_STORE_H
#define TEST_STORE_H

void add_index_tests(void);
void add_broker_tests(void);
void add_check_tests(void);

#endif /* TEST_STORE_H */
