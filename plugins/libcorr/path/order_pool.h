/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order_pool.h - what flows of the same hosts tell each other about the order of points.
 *
 * First flows want (what they leave open), then flows tell (what their own evidence
 * says), then flows ask.  What nobody wants is not kept.
 */
#ifndef CORR_ORDER_POOL_H
#define CORR_ORDER_POOL_H

#include "path/result.h"

struct corr_order_pool;

/* `stations`: of the flow that has most of them. */
struct corr_order_pool *corr_order_pool_new(const struct corr_result *result, uint32_t stations);
void corr_order_pool_free(struct corr_order_pool *pool);

/* The flow whose stations a and b are meant from now on. */
void corr_order_pool_begin(struct corr_order_pool *pool, uint32_t flow);

void corr_order_pool_want(struct corr_order_pool *pool, uint32_t a, uint32_t b, unsigned dir);

/* Does anybody want to know of a host of this flow? */
bool corr_order_pool_is_wanted(const struct corr_order_pool *pool);

/* -1: a before b in this direction of the flow; 1: b before a; 0: nobody knows. */
void corr_order_pool_tell(struct corr_order_pool *pool, uint32_t a, uint32_t b, unsigned dir,
                          int verdict);
int corr_order_pool_ask(const struct corr_order_pool *pool, uint32_t a, uint32_t b, unsigned dir);

#endif /* CORR_ORDER_POOL_H */
