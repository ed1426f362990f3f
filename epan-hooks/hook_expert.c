/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_expert.c - findings of a frame as expert information, one field per kind. */
#include "compat.h"
#include "hook_expert.h"

#include <epan/expert.h>
#include <epan/tap.h>

#include "hook_fields.h"
#include "view.h"

/* Indexed by enum corr_finding_kind. */
static expert_field fields[] = {
#define CORR_ROW(id, severity, group, name, text) [CORR_FINDING_##id] = EI_INIT,
    CORR_FINDINGS(CORR_ROW)
#undef CORR_ROW
};

static const char *const texts[] = {
#define CORR_ROW(id, severity, group, name, text) [CORR_FINDING_##id] = text,
    CORR_FINDINGS(CORR_ROW)
#undef CORR_ROW
};

void hook_expert_register(int proto)
{
    static ei_register_info items[] = {
#define CORR_ROW(id, severity, group, name, text)                                                  \
    {&fields[CORR_FINDING_##id], {name, PI_##group, PI_##severity, text, EXPFILL}},
        CORR_FINDINGS(CORR_ROW)
#undef CORR_ROW
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
    if (proto != -1 && hook_field_is_wanted(proto, tree))
        return true;
    for (unsigned i = 0; i < CORR_FINDING_COUNT; i++)
        if (hook_field_is_wanted(fields[i].hf, tree))
            return true;
    return false;
}

/*
 * The text that listeners get is the same for all findings of a kind: they count
 * by it.  What is known of this frame follows in the tree.
 */
void hook_expert_add(const struct corr_view *view, packet_info *pinfo, proto_item *item)
{
    for (unsigned i = 0; i < view->findings->len; i++) {
        const struct corr_finding *finding = &g_array_index(view->findings, struct corr_finding, i);

        expert_add_info_format(pinfo, item, &fields[finding->kind], "%s", texts[finding->kind]);
        /* The function tells nothing of the item that it made; without a shown tree it is none. */
        if (finding->sentence && item && item->tree_data->visible)
            proto_item_append_text(item->last_child, ": %s", finding->sentence);
    }
}
