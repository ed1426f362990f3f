/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * one_copy.h - of every packet one frame: the capture that other tools need.
 *
 * Each conversation is taken as one capture point saw it, both directions, so
 * that addresses, clock and super-segments agree within it.  Mirror copies are
 * left out, and second passes of a packet through the same point.
 *
 * The point is the named one where it saw the conversation.  Else it is the
 * point that saw the conversation whole and is nearest to who began it; where
 * no point saw all of it, the one that lacks least.  An ICMP error goes with
 * the conversation of the packet that it quotes.  Frames that hold nothing
 * comparable all stay.
 */
#ifndef CORR_ONE_COPY_H
#define CORR_ONE_COPY_H

#include "path/result.h"
#include "report/report.h"

/* `point` NULL or unknown: every conversation's best one.  Free with corr_frame_set_free(). */
struct corr_frame_set *corr_one_copy_new(const struct corr_result *result, const char *point);

#endif /* CORR_ONE_COPY_H */
