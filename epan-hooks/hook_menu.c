/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_menu.c - entries of Wireshark's menus: conversation filters, and Tools > Correlation. */
#include "compat.h"
#include "hook_menu.h"

#include <cfile.h>
#include <epan/conversation_filter.h>
#include <epan/plugin_if.h>

#include "corr.h"
#include "hook_session.h"
#include "hooks.h"
#include "view.h"

/* -- conversation filters ---------------------------------------------------------------------- */

/* The numbers of a field of a frame as a filter, "corr.match_id in {3, 4}"; NULL if it has none. */
static char *filter_of(const packet_info *pinfo, enum corr_field field)
{
    struct corr_engine *engine = hook_session_engine();
    struct corr_view *view;
    GString *filter = NULL;

    if (!engine)
        return NULL;
    hook_session_settle();
    view = corr_view_new();
    corr_engine_lookup(engine, pinfo->num, CORR_WANT_FIELD(field), view);
    for (unsigned i = 0; i < view->values->len; i++) {
        const struct corr_value *value = &g_array_index(view->values, struct corr_value, i);

        if (value->field != field)
            continue;
        if (!filter) {
            filter = g_string_new(NULL);
            g_string_printf(filter, "%s in {%u", corr_field_infos[field].name, value->u32);
        } else {
            g_string_append_printf(filter, ", %u", value->u32);
        }
    }
    corr_view_free(view);
    if (!filter)
        return NULL;
    g_string_append_c(filter, '}');
    return g_string_free(filter, FALSE);
}

static bool has(const packet_info *pinfo, enum corr_field field)
{
    g_autofree char *filter = filter_of(pinfo, field);

    return filter != NULL;
}

static compat_bool packet_has(packet_info *pinfo COMPAT_USER_DATA)
{
    return has(pinfo, CORR_FIELD_match_id);
}

static char *packet_filter(packet_info *pinfo COMPAT_USER_DATA)
{
    return filter_of(pinfo, CORR_FIELD_match_id);
}

static compat_bool flow_has(packet_info *pinfo COMPAT_USER_DATA)
{
    return has(pinfo, CORR_FIELD_flow);
}

static char *flow_filter(packet_info *pinfo COMPAT_USER_DATA)
{
    return filter_of(pinfo, CORR_FIELD_flow);
}

/* -- Tools > Correlation ----------------------------------------------------------------------- */

static void *copy_filter(capture_file *file, void *data G_GNUC_UNUSED)
{
    return g_strdup(file->dfilter);
}

/*
 * A display filter that was active while the file was read judged frames before
 * answers were known.  Wireshark ignores a filter that is the one in force, so
 * the entry forces it.
 */
static void filter_again(ext_menubar_gui_type type G_GNUC_UNUSED, void *gui G_GNUC_UNUSED,
                         void *data G_GNUC_UNUSED)
{
    g_autofree char *filter = plugin_if_get_capture_file(copy_filter, NULL);

    if (filter && *filter)
        plugin_if_apply_filter(filter, TRUE);
}

static void filter_apply(ext_menubar_gui_type type G_GNUC_UNUSED, void *gui G_GNUC_UNUSED,
                         void *data)
{
    plugin_if_apply_filter(data, TRUE);
}

/* Entries that apply a filter: label, tooltip, filter. */
static const struct {
    const char *label, *tip, *filter;
} entries[] = {
    {"Lost packets", "The last sighting of each lost packet", "corr.dropped"},
    {"Capture loss", "Packets that a point did not record, though they passed it", "corr.missed"},
    {"Translated packets", "Frames whose addresses or ports differ from the first sighting",
     "corr.nat"},
    {"Ambiguous packets", "Nobody could tell which packet these frames show", "corr.ambiguous"},
    {"First sightings only", "One frame for each packet that several show",
     "corr.hop == 1 && !corr.duplicate"},
};

void hook_menu_register(int proto)
{
    ext_menu_t *menu = ext_menubar_register_menu(proto, "Correlation", TRUE);

    register_conversation_filter(HOOK_NAME, "Correlated packet", packet_has,
                                 packet_filter COMPAT_NO_USER_DATA);
    register_conversation_filter(HOOK_NAME, "Correlated flow (all points, both sides of NAT)",
                                 flow_has, flow_filter COMPAT_NO_USER_DATA);

    ext_menubar_set_parentmenu(menu, "Tools");
    ext_menubar_add_entry(menu, "Apply the display filter again",
                          "A filter that was active while the file was loading has judged frames "
                          "before the answers were known",
                          filter_again, NULL);
    ext_menubar_add_separator(menu);
    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
        ext_menubar_add_entry(menu, entries[i].label, entries[i].tip, filter_apply,
                              (void *)(uintptr_t)entries[i].filter);
}
