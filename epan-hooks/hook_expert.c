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
    return proto != -1 && hook_fields_are_wanted(proto, tree);
}

void hook_expert_add(const struct corr_view *view, packet_info *pinfo, proto_item *item)
{
    expert_field *kind = view->severity == CORR_SEVERITY_WARN ? &warning : &note;
    char **sentences;

    if (!view->expert || view->severity == CORR_SEVERITY_NONE)
        return;
    sentences = g_strsplit(view->expert, "\n", 0);
    for (unsigned i = 0; sentences[i]; i++)
        if (*sentences[i])
            expert_add_info_format(pinfo, item, kind, "%s", sentences[i]);
    g_strfreev(sentences);
}
