/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_engine.h - the files of this program. */
#ifndef TEST_ENGINE_H
#define TEST_ENGINE_H

void add_reference_tests(void);
void add_live_tests(void);

#endif /* TEST_ENGINE_H */
