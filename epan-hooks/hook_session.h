/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_session.h - what belongs to the open file, for the parts of corr.so. */
#ifndef HOOK_SESSION_H
#define HOOK_SESSION_H

struct corr_engine;

/* The engine of the open file; NULL between files. */
struct corr_engine *hook_session_engine(void);

/* Settles it, if that is due (hook_live.h). */
void hook_session_settle(void);

#endif /* HOOK_SESSION_H */
