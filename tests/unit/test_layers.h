/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_layers.h - the parts of test_layers; each adds its tests. */
#ifndef TEST_LAYERS_H
#define TEST_LAYERS_H

void test_layers_rtt(void);
void test_layers_phases(void);

#endif /* TEST_LAYERS_H */
