/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_points.c - from a frame's interface to the engine's capture point.
 *
 * A point is one (section, interface) of the file.  Its name is the user's for
 * it, else the interface's name, else its description, else the file that
 * mergecap says it came from, else "if<N>".  Names are made once per point;
 * after that a frame costs one look into an array.
 */
#include "compat.h"
#include "hook_points.h"

#include <string.h>

#include <cfile.h>
#include <wiretap/pcap-encap.h>
#include <wiretap/wtap.h>

#include "corr.h"
#include "hook_prefs.h"

/* Points of section 0 below this interface number are found by index, others by hashing. */
#define DIRECT_MAX 4096
#define NO_POINT UINT32_MAX
#define N_NAMES 4 /* interface name, description, file, number */

struct hook_points {
    struct corr_engine *engine;
    GArray *direct;     /* uint32_t point, indexed by interface; NO_POINT: not seen yet */
    GHashTable *others; /* k = section << 32 | interface (int64, owned), v = point */
};

struct hook_points *hook_points_new(struct corr_engine *engine)
{
    struct hook_points *points = g_new0(struct hook_points, 1);

    points->engine = engine;
    points->direct = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    points->others = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return points;
}

void hook_points_free(struct hook_points *points)
{
    if (!points)
        return;
    g_array_free(points->direct, TRUE);
    g_hash_table_destroy(points->others);
    g_free(points);
}

/* A name that says something, or NULL.  Wireshark's word for none is "unknown". */
static const char *known(const char *name)
{
    return name && *name && strcmp(name, "unknown") != 0 ? name : NULL;
}

/* Interfaces of all sections read so far. */
static unsigned count_interfaces(struct packet_provider_data *file)
{
    wtapng_iface_descriptions_t *all = wtap_file_get_idb_info(file->wth);
    unsigned count = all && all->interface_data ? all->interface_data->len : 0;

    g_free(all);
    return count;
}

/*
 * The number by which Wireshark names an interface.  False if it cannot be told.
 *
 * Where Wireshark takes no section, interfaces are numbered through the file.
 * In section 0 that is the same number; in later ones it can be told only if
 * every section has one interface, as in files that were concatenated.
 */
static bool file_interface(const packet_info *pinfo, unsigned section, unsigned *interface)
{
    struct packet_provider_data *file = compat_provider(pinfo->epan);

    if (COMPAT_SECTION_INTERFACES || section == 0)
        return true;
    if (!file || !file->wth || *interface > 0 ||
        count_interfaces(file) != wtap_file_get_num_shbs(file->wth))
        return false;
    *interface = section;
    return true;
}

/*
 * The name of the file that became this interface (free it), or NULL.
 *
 * mergecap writes "File created by merging: \nFile1: a.pcap \nFile2: b.pcap \n"
 * into the section comment (since 4.2).  File N is interface N-1 only if every
 * file brought one interface and none were united.
 */
static char *merged_file_name(const packet_info *pinfo, unsigned section, unsigned interface)
{
    struct packet_provider_data *file = compat_provider(pinfo->epan);
    char *comment = NULL, *name = NULL;
    unsigned n_files = 0;
    wtap_block_t header;
    char **lines;

    if (!file || !file->wth || section > 0)
        return NULL;
    header = wtap_file_get_shb(file->wth, section);
    if (!header ||
        wtap_block_get_nth_string_option_value(header, OPT_COMMENT, 0, &comment) !=
            WTAP_OPTTYPE_SUCCESS ||
        !comment || !g_str_has_prefix(comment, "File created by merging:"))
        return NULL;

    lines = g_strsplit(comment, "\n", 0);
    for (unsigned i = 1; lines[i]; i++) {
        char *prefix = g_strdup_printf("File%u: ", n_files + 1);

        if (g_str_has_prefix(lines[i], prefix)) {
            if (n_files == interface)
                name = g_path_get_basename(g_strstrip(lines[i] + strlen(prefix)));
            n_files++;
        }
        g_free(prefix);
    }
    g_strfreev(lines);
    if (n_files != count_interfaces(file))
        g_clear_pointer(&name, g_free);
    return name;
}

/* All that an interface may be called by, best first; free them.  At least one. */
static unsigned collect_names(const packet_info *pinfo, unsigned section, unsigned interface,
                              bool has_interface, char **names)
{
    unsigned n = 0, number = interface;
    const char *text;

    if (has_interface && file_interface(pinfo, section, &number)) {
        text = known(compat_interface_name(pinfo->epan, section, number));
        if (text)
            names[n++] = g_utf8_make_valid(text, -1);
        text = known(compat_interface_description(pinfo->epan, section, number));
        if (text)
            names[n++] = g_utf8_make_valid(text, -1);
    }
    if (has_interface) {
        names[n] = merged_file_name(pinfo, section, interface);
        n += names[n] != NULL;
    }
    names[n++] = g_strdup_printf("if%u", interface);
    return n;
}

static uint32_t point_new(struct hook_points *points, const packet_info *pinfo, unsigned section,
                          unsigned interface, bool has_interface)
{
    const char *names[N_NAMES + 1];
    char *owned[N_NAMES];
    unsigned n = collect_names(pinfo, section, interface, has_interface, owned);
    struct corr_point_settings settings;
    const char *name = "";
    bool is_known;
    uint32_t point;

    for (unsigned i = 0; i < n; i++)
        names[i] = owned[i];
    names[n] = NULL;
    is_known = hook_prefs_point(section, interface, names, &name, &settings);
    point = corr_engine_add_point(points->engine, section, interface, *name ? name : names[0]);
    if (is_known)
        corr_engine_set_point(points->engine, point, &settings);
    for (unsigned i = 0; i < n; i++)
        g_free(owned[i]);
    return point;
}

/* The highest interface that is known by now: those above the first that has a frame are points,
 * too, and may stay empty.  Only while there is one section. */
static unsigned last_interface(struct hook_points *points, const packet_info *pinfo,
                               unsigned interface, bool has_interface)
{
    struct packet_provider_data *file = compat_provider(pinfo->epan);
    unsigned count;

    if (!has_interface || !file || !file->wth || wtap_file_get_num_shbs(file->wth) != 1)
        return interface;
    count = MIN(count_interfaces(file), DIRECT_MAX);
    while (points->direct->len < count) {
        uint32_t none = NO_POINT;

        g_array_append_val(points->direct, none);
    }
    return MAX(interface, count > 0 ? count - 1 : 0);
}

uint32_t hook_points_get(struct hook_points *points, const packet_info *pinfo)
{
    const wtap_rec *rec = pinfo->rec;
    bool has_interface = rec->presence_flags & WTAP_HAS_INTERFACE_ID;
    unsigned interface = has_interface ? rec->rec_header.packet_header.interface_id : 0;
    unsigned section = rec->presence_flags & WTAP_HAS_SECTION_NUMBER ? rec->section_number : 0;
    unsigned last = interface;
    uint32_t point;

    if (section == 0 && interface < DIRECT_MAX) {
        while (points->direct->len <= interface) {
            uint32_t none = NO_POINT;

            g_array_append_val(points->direct, none);
        }
        /* In file order: of two eth0 the first keeps its name, and empty ones are listed. */
        point = g_array_index(points->direct, uint32_t, interface);
        if (point == NO_POINT)
            last = last_interface(points, pinfo, interface, has_interface);
        for (unsigned i = 0; point == NO_POINT && i <= last; i++)
            if (g_array_index(points->direct, uint32_t, i) == NO_POINT)
                g_array_index(points->direct, uint32_t, i) =
                    point_new(points, pinfo, section, i, has_interface);
        point = g_array_index(points->direct, uint32_t, interface);
    } else {
        gint64 key = (gint64)((uint64_t)section << 32 | interface);
        void *found;

        if (g_hash_table_lookup_extended(points->others, &key, NULL, &found))
            return GPOINTER_TO_UINT(found);
        point = point_new(points, pinfo, section, interface, has_interface);
        g_hash_table_insert(points->others, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(point));
    }
    return point;
}

/* Highest LINKTYPE_ value that is asked for; the registry ended at 301 in 2025. */
#define LINK_MAX 320

uint32_t hook_points_link(int encap)
{
    static int last_encap = -1; /* files mix few link types, mostly one */
    static uint32_t last_link;

    if (encap == last_encap)
        return last_link;
    last_encap = encap;
    last_link = HOOK_LINK_UNKNOWN;

    /* Several numbers stand for raw IP; of this PPP, Wiretap cuts the pseudo-header off. */
    if (encap == WTAP_ENCAP_RAW_IP)
        last_link = 101;
    else if (encap == WTAP_ENCAP_PPP_WITH_PHDR)
        last_link = 9;
    else
        for (int link = 0; link <= LINK_MAX && last_link == HOOK_LINK_UNKNOWN; link++)
            if (wtap_pcap_encap_to_wtap_encap(link) == encap)
                last_link = (uint32_t)link;
    return last_link;
}
