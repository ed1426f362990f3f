/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_expert.c - findings of a frame as expert information: notes and warnings. */
#include "compat.h"
#include "hook_expert.h"

#include <epan/expert.h>
#include <epan/tap.h>

#include "hook_fields.h"
#include "view.h"

static expert_field note = EI_INIT;
static expert_field warning = EI_INIT;

void hook_expert_register(int proto)
{
    static ei_register_info items[] = {
        {&note, {"corr.expert.note", PI_SEQUENCE, PI_NOTE, "Correlation: note", EXPFILL}},
        {&warning, {"corr.expert.warning", PI_SEQUENCE, PI_WARN, "Correlation: warning", EXPFILL}},
    };

    expert_register_field_array(expert_register_protocol(proto), items, G_N_ELEMENTS(items));
}

/* Listeners get the items by a tap, also when no tree is built. */
bool hook_expert_has_listener(void)
{
    static int tap;

    if (!tap)
        tap = find_tap_id("expert");
    return tap && have_tap_listener(tap);
}

bool hook_expert_is_referenced(proto_tree *tree)
{
    static int proto = -1;

    if (proto == -1)
        proto = proto_get_id_by_filter_name("_ws.expert");
    return (proto != -1 && hook_field_is_wanted(proto, tree)) ||
           hook_field_is_wanted(note.hf, tree) || hook_field_is_wanted(warning.hf, tree);
}

/*
 * The text that listeners get is the same for all findings of a kind: they count
 * by it.  What is known of this frame follows in the tree.
 */
void hook_expert_add(const struct corr_view *view, packet_info *pinfo, proto_item *item)
{
    for (unsigned i = 0; i < view->findings->len; i++) {
        const struct corr_finding *finding = &g_array_index(view->findings, struct corr_finding, i);
        expert_field *field = finding->severity == CORR_SEVERITY_WARN ? &warning : &note;

        expert_add_info_format(pinfo, item, field, "%s", finding->kind);
        /* The function tells nothing of the item that it made; without a shown tree it is none. */
        if (finding->sentence && item && item->tree_data->visible)
            proto_item_append_text(item->last_child, ": %s", finding->sentence);
    }
}
