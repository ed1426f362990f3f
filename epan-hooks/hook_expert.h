/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_expert.h - findings of a frame as expert information. */
#ifndef HOOK_EXPERT_H
#define HOOK_EXPERT_H

#include "compat.h"

struct corr_view;

void hook_expert_register(int proto);

/* Whether somebody collects expert items: `-z expert`, the Expert Information window. */
bool hook_expert_has_listener(void);

/* Whether a filter or a column asks for ours, or for expert items of any protocol. */
bool hook_expert_is_referenced(proto_tree *tree);

/* One expert item per finding.  `item` may be NULL. */
void hook_expert_add(const struct corr_view *view, packet_info *pinfo, proto_item *item);

#endif /* HOOK_EXPERT_H */
