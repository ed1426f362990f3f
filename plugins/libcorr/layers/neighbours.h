/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * neighbours.h - hosts on a capture point's own link, and that two of their
 * addresses are one host's.
 *
 * A MAC address that sends from one IPv4 and one IPv6 address, with a TTL that no
 * router has touched, is a host with both.  One that sends from more is a router,
 * or a host of which one cannot tell which address it takes: it has no answer.
 */
#ifndef CORR_NEIGHBOURS_H
#define CORR_NEIGHBOURS_H

#include "path/result.h"

struct corr_neighbours;

/* Reads all observations once. */
struct corr_neighbours *corr_neighbours_new(const struct corr_result *r);
void corr_neighbours_free(struct corr_neighbours *neighbours);

/* The address of the other family that a host has on a point's link; NULL: nobody knows. */
const struct corr_addr *corr_neighbours_other(const struct corr_neighbours *neighbours,
                                              uint32_t point, const struct corr_addr *addr);

#endif /* CORR_NEIGHBOURS_H */
