/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat.h - what differs between Wireshark 4.0, 4.4 and 4.6, each as a named
 * function, type or macro.  No other file contains a version number.
 *
 * Every source file that includes a Wireshark header includes this one first.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include <ws_version.h>
#include <wireshark.h>

#include <stdlib.h>

#include <epan/epan.h>
#include <epan/packet.h>
#include <epan/stat_tap_ui.h>
#include <epan/tap.h>

#define COMPAT_WIRESHARK(major, minor) ((major)*1000 + (minor))
#define COMPAT_VERSION COMPAT_WIRESHARK(WIRESHARK_VERSION_MAJOR, WIRESHARK_VERSION_MINOR)

#if COMPAT_VERSION < COMPAT_WIRESHARK(4, 0)
#error "Wireshark 4.0 or later is needed"
#endif

/*
 * The symbols that every plug-in file exports, beside plugin_register().
 * COMPAT_PLUGIN_DISSECTOR, COMPAT_PLUGIN_TAP: what "About" says about it; 4.0
 * does not ask.
 */
#if COMPAT_VERSION >= COMPAT_WIRESHARK(4, 2)
#include <wsutil/plugins.h>
#define COMPAT_PLUGIN_DISSECTOR WS_PLUGIN_DESC_DISSECTOR
#define COMPAT_PLUGIN_TAP WS_PLUGIN_DESC_TAP_LISTENER
#define COMPAT_PLUGIN_DESCRIBE(kind)                                                               \
    WS_DLL_PUBLIC uint32_t plugin_describe(void);                                                  \
    uint32_t plugin_describe(void)                                                                 \
    {                                                                                              \
        return kind;                                                                               \
    }
#else
#define COMPAT_PLUGIN_DESCRIBE(kind)
#endif

#define COMPAT_PLUGIN_EXPORTS(kind)                                                                \
    WS_DLL_PUBLIC_DEF const char plugin_version[] = CORR_VERSION;                                  \
    WS_DLL_PUBLIC_DEF const int plugin_want_major = WIRESHARK_VERSION_MAJOR;                       \
    WS_DLL_PUBLIC_DEF const int plugin_want_minor = WIRESHARK_VERSION_MINOR;                       \
    COMPAT_PLUGIN_DESCRIBE(kind)

/*
 * Makes `name` the init callback of a stat_tap_ui from `bool body(const char *)`.
 * False stops the program with exit code 1, after body() said why: before 4.6
 * the callback could not refuse.
 */
#if COMPAT_VERSION >= COMPAT_WIRESHARK(4, 6)
#define COMPAT_STAT_INIT(name, body)                                                               \
    static bool name(const char *argument, void *data G_GNUC_UNUSED)                               \
    {                                                                                              \
        return body(argument);                                                                     \
    }
#else
#define COMPAT_STAT_INIT(name, body)                                                               \
    static void name(const char *argument, void *data G_GNUC_UNUSED)                               \
    {                                                                                              \
        if (!body(argument))                                                                       \
            exit(EXIT_FAILURE);                                                                    \
    }
#endif

/* What preferences of the kind "bool" are kept in, and what a table's callbacks return. */
#if COMPAT_VERSION >= COMPAT_WIRESHARK(4, 2)
typedef bool compat_bool;
#else
typedef gboolean compat_bool;
#endif

/* Conversation filters: the last parameter of callbacks, the last argument of registration. */
#if COMPAT_VERSION >= COMPAT_WIRESHARK(4, 4)
#define COMPAT_USER_DATA , void *user_data G_GNUC_UNUSED
#define COMPAT_NO_USER_DATA , NULL
#else
#define COMPAT_USER_DATA
#define COMPAT_NO_USER_DATA
#endif

/* What makes a sub-menu in the title of a statistics tree. */
#if COMPAT_VERSION >= COMPAT_WIRESHARK(4, 4)
#define COMPAT_TREE_SEPARATOR "//"
#else
#define COMPAT_TREE_SEPARATOR "/"
#endif

/*
 * Flow graphs: the functions are exported, their header is not installed.  Only
 * members that 4.0 to 4.6 have in common are named; items are allocated by the
 * library, so what follows them does not matter.
 */
#define COMPAT_SEQ_NODES 40

typedef struct compat_seq_item {
    uint32_t frame_number;
    address src_addr;
    uint16_t port_src;
    address dst_addr;
    uint16_t port_dst;
    char *frame_label, *time_str, *comment; /* owned */
    uint16_t conv_num;
    unsigned fg_color, bg_color;
    compat_bool has_color_filter, display;
    unsigned src_node, dst_node;
    uint16_t line_style;
} compat_seq_item;

typedef struct compat_seq_info {
    const char *name;
    compat_bool any_addr;
    int n_conversations;
    GQueue *items;
    GHashTable *by_key;
    address nodes[COMPAT_SEQ_NODES];
    uint32_t num_nodes;
} compat_seq_info;

WS_DLL_PUBLIC void register_seq_analysis(const char *name, const char *ui_name, const int proto_id,
                                         const char *tap_listener, unsigned tap_flags,
                                         tap_packet_cb tap_func);
WS_DLL_PUBLIC compat_seq_item *sequence_analysis_create_sai_with_addresses(packet_info *pinfo,
                                                                           compat_seq_info *info);
WS_DLL_PUBLIC void sequence_analysis_use_color_filter(packet_info *pinfo, compat_seq_item *item);

/*
 * Name and description of an interface, "unknown" where the file has none.
 * 4.0 knows one section only: COMPAT_SECTION_INTERFACES is 0 and the answer is
 * right for section 0 alone.
 */
#if COMPAT_VERSION >= COMPAT_WIRESHARK(4, 2)
#define COMPAT_SECTION_INTERFACES 1
#define COMPAT_SECTION_ARGUMENT(section) , (section)
#else
#define COMPAT_SECTION_INTERFACES 0
#define COMPAT_SECTION_ARGUMENT(section)
#endif

static inline const char *compat_interface_name(const epan_t *epan, unsigned section G_GNUC_UNUSED,
                                                unsigned interface)
{
    return epan_get_interface_name(epan, interface COMPAT_SECTION_ARGUMENT(section));
}

static inline const char *
compat_interface_description(const epan_t *epan, unsigned section G_GNUC_UNUSED, unsigned interface)
{
    return epan_get_interface_description(epan, interface COMPAT_SECTION_ARGUMENT(section));
}

/*
 * The open file behind a session, or NULL.  No public function leads there,
 * but in 4.0 to 4.6 the session's first member is the pointer to the provider;
 * for later versions the answer is NULL until somebody has looked.
 */
struct packet_provider_data;

static inline struct packet_provider_data *compat_provider(const epan_t *epan)
{
#if COMPAT_VERSION <= COMPAT_WIRESHARK(4, 6)
    return *(struct packet_provider_data *const *)(const void *)epan;
#else
    (void)epan;
    return NULL;
#endif
}

#endif /* COMPAT_H */
