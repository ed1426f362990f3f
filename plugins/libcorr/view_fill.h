/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_fill.h - what corr_engine_lookup() says about a frame. */
#ifndef CORR_VIEW_FILL_H
#define CORR_VIEW_FILL_H

#include "early.h"
#include "path/result.h"
#include "view.h"

/* Fields of analyses that are made when somebody asks: TCP's stand side by side in the list. */
#define CORR_WANT_TCP ((CORR_WANT(tcp_lost_between) << 1) - CORR_WANT(tcp_retransmission))
#define CORR_WANT_PHASES (CORR_WANT(phase) | CORR_WANT(transaction))

/*
 * Empties `view` and fills it with what is known about a frame: its capture
 * point, and, if `result` is not NULL, everything else.  A frame that was never
 * observed leaves it empty.  `wanted`: of CORR_WANT().
 */
void corr_view_fill(const struct corr_store *store, const struct corr_result *result,
                    uint32_t frame, uint64_t wanted, struct corr_view *view);

/*
 * Makes now what lookups of `wanted` would have made; tells which fields of a result's frames
 * can be looked up without anything being made.
 */
void corr_view_prepare(const struct corr_result *result, uint64_t wanted);
uint64_t corr_view_prepared(const struct corr_result *result);

/* view_early.c: adds what the past tells about a frame that came after the last settling. */
void corr_view_fill_early(const struct corr_store *store, const struct corr_early *early,
                          const struct corr_result *result, uint32_t frame,
                          struct corr_view *view);

/* Adds what TCP says of an observation: the fields corr.tcp.*. */
void corr_view_fill_tcp(const struct corr_result *result, uint32_t obs, struct corr_view *view);
/* view_phases.c: corr.phase and corr.transaction of an observation. */
void corr_view_fill_phases(const struct corr_result *result, uint32_t obs, struct corr_view *view);

#endif /* CORR_VIEW_FILL_H */
