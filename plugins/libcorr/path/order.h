/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order.h - in which order did the packets of a flow pass its stations?
 *
 * A station is a local flow: one capture point, or one of several looks that a
 * point has at the flow.  The order is kept per flow and direction as a partial
 * order: what the evidence does not settle stays unknown.  Evidence, strongest
 * first (no clock is needed for any but the last):
 *
 *     user       ranks of points: corr_point_settings
 *     nesting    a round trip seen at p contains the round trip seen at q
 *                (RFC 6374's two-way delay; unknown clock offsets cancel)
 *     TTL        each router takes one off (RFC 791, RFC 8200 section 3)
 *     origin     a checksum left to the network card: the sender's own host
 *     inclusion  what q saw p saw too, but not the reverse
 *     host       how other flows of the same hosts were ordered
 *     clock      corrected delay, where its bound excludes zero
 */
#ifndef CORR_ORDER_H
#define CORR_ORDER_H

#include "path/result.h"

struct corr_work; /* match/match.h */

struct corr_orders {
    uint32_t *station; /* local flow -> its index among its flow's members */
    size_t *matrix;    /* flow -> where its two k x k matrices begin in `before` */
    uint8_t *sound;    /* flow -> a bit per direction, see corr_order_is_sound() */
    uint64_t *before;  /* a bit each.  1: row passes before column; 0: unknown or after */
};

/* Replaces result->orders by what the packets built so far show. */
void corr_orders_find(struct corr_work *work);
void corr_orders_free(struct corr_orders *orders);

/* -1: a before b, 1: b before a, 0: unknown, or the same station. */
int corr_order_compare(const struct corr_result *result, uint32_t flow, unsigned dir,
                       uint32_t conv_a, uint32_t conv_b);

/* No evidence contradicts other evidence: what precedes b, and b precedes c, precedes c. */
bool corr_order_is_sound(const struct corr_result *result, uint32_t flow, unsigned dir);

#endif /* CORR_ORDER_H */
