/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_fields.h - the rows of view.h as Wireshark's header fields and items. */
#ifndef HOOK_FIELDS_H
#define HOOK_FIELDS_H

#include "compat.h"

struct corr_view;

/* Registers one field per row under protocol `proto`, and the subtree. */
void hook_fields_register(int proto);

/* Whether the tree is shown, or a filter or a column asks for field or protocol `hf`. */
bool hook_field_is_wanted(int hf, proto_tree *tree);

/* The fields that a filter or a column asks for, as CORR_WANT_FIELD(). */
uint64_t hook_fields_referenced(void);

/* What corr_engine_lookup() shall make: the same for every field of `proto`; 0: nothing. */
uint64_t hook_fields_wanted(int proto, proto_tree *tree);

/*
 * Adds the protocol item and an item for each value.  Returns the protocol
 * item, for expert items to hang on.
 */
proto_item *hook_fields_add(const struct corr_view *view, int proto, tvbuff_t *tvb,
                            proto_tree *tree);

#endif /* HOOK_FIELDS_H */
