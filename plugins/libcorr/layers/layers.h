/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layers.h - what the packets mean above IP, made when somebody asks.
 *
 * Each analysis is made from a settled result at the first call, kept with the
 * result and freed with it: nobody who does not ask pays.  The answers are as
 * repeatable as the result.
 *
 *     const struct corr_tcp *tcp = corr_layers_tcp(r);      layers/tcp.h
 *     const struct corr_phases *phases = corr_layers_phases(r);   layers/phases.h
 */
#ifndef CORR_LAYERS_H
#define CORR_LAYERS_H

#include "layers/capture.h"
#include "path/result.h"

struct corr_layers; /* the analyses that were asked for */
struct corr_coverage;
struct corr_tcp;
struct corr_phases;
struct corr_findings;

/* TCP at every capture point, and the facts that the points together prove; never NULL. */
const struct corr_tcp *corr_layers_tcp(const struct corr_result *r);

/* Transactions and their phases; never NULL. */
const struct corr_phases *corr_layers_phases(const struct corr_result *r);

/* What is wrong, of all frames; never NULL. */
const struct corr_findings *corr_layers_findings(const struct corr_result *r);

/* How far each capture point can be trusted; as many as the store has points. */
const struct corr_capture_verdict *corr_layers_verdicts(const struct corr_result *r);

/* Whether the above were made already. */
bool corr_layers_has_tcp(const struct corr_result *r);
bool corr_layers_has_phases(const struct corr_result *r);
bool corr_layers_has_verdicts(const struct corr_result *r);
bool corr_layers_has_findings(const struct corr_result *r);

/* What each capture point holds, of all frames; as many as the store has points. */
const struct corr_capture *corr_layers_captures(const struct corr_result *r);

/* When each capture point looked: for coverage.c. */
const struct corr_coverage *corr_layers_coverage(const struct corr_result *r);

/* Of a result that goes; NULL is fine. */
void corr_layers_free(struct corr_layers *layers);

#endif /* CORR_LAYERS_H */
