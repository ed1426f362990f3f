/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_prefs.c - preferences: the table of capture points, clocks, memory, tunnels, export. */
#include "compat.h"
#include "hook_limits.h"
#include "hook_prefs.h"

#include <errno.h>
#include <string.h>

#include <epan/prefs.h>
#include <epan/uat.h>

#include "corr.h"
#include "hooks.h"
#include "parse/parse.h"

#define BYTES_PER_MB 1000000

/* A row of the table, as the user wrote it: an empty text says nothing. */
struct point_row {
    char *interface, *name, *order, *host, *offset;
};

static struct point_row *rows;
static unsigned n_rows;

static int correction = CORR_CORRECTION_AUTO;
static unsigned memory_mb;
static unsigned grace_s = 3;
static const char *export_point = "";
static compat_bool tunnels[CORR_ENCAP_COUNT];

/* -- the table of capture points --------------------------------------------------------------- */

UAT_CSTRING_CB_DEF(point, interface, struct point_row)
UAT_CSTRING_CB_DEF(point, name, struct point_row)
UAT_CSTRING_CB_DEF(point, order, struct point_row)
UAT_CSTRING_CB_DEF(point, host, struct point_row)
UAT_CSTRING_CB_DEF(point, offset, struct point_row)

static void *row_copy(void *to, const void *from, size_t length G_GNUC_UNUSED)
{
    const struct point_row *source = from;
    struct point_row *row = to;

    row->interface = g_strdup(source->interface);
    row->name = g_strdup(source->name);
    row->order = g_strdup(source->order);
    row->host = g_strdup(source->host);
    row->offset = g_strdup(source->offset);
    return to;
}

static void row_free(void *data)
{
    struct point_row *row = data;

    g_free(row->interface);
    g_free(row->name);
    g_free(row->order);
    g_free(row->host);
    g_free(row->offset);
}

static bool is_empty(const char *text)
{
    return !text || !*text;
}

/* From 1; 0 for an empty text.  False if the text is neither. */
static bool read_order(const char *text, uint32_t *order)
{
    char *end;
    uint64_t value;

    *order = 0;
    if (is_empty(text))
        return true;
    value = g_ascii_strtoull(text, &end, 10);
    *order = (uint32_t)value;
    return g_ascii_isdigit(text[0]) && !*end && value >= 1 && value <= UINT16_MAX;
}

/* Seconds, with a sign and up to nine decimals; exact, as double is not for long offsets. */
static bool read_offset(const char *text, int64_t *offset_ns)
{
    const int64_t max_s = INT64_C(100) * 365 * 86400;
    int64_t whole, part = 0, scale = 1000000000;
    bool negative;
    char *end;

    *offset_ns = 0;
    if (is_empty(text))
        return true;
    negative = *text == '-';
    text += *text == '-' || *text == '+';
    if (!g_ascii_isdigit(*text))
        return false;
    whole = g_ascii_strtoll(text, &end, 10);
    if (whole > max_s)
        return false;
    if (*end == '.')
        while (g_ascii_isdigit(*++end)) {
            scale /= 10;
            part += (*end - '0') * scale;
        }
    *offset_ns = (whole * 1000000000 + part) * (negative ? -1 : 1);
    return !*end;
}

static compat_bool row_check(void *data, char **error)
{
    struct point_row *row = data;
    uint32_t order;
    int64_t offset_ns;

    *error = NULL;
    if (is_empty(row->interface))
        *error = g_strdup("Interface: which one? A number (0), section/number (1/0), or a pattern "
                          "for its name (eth*)");
    else if (!read_order(row->order, &order))
        *error = g_strdup_printf("Order: \"%s\" is no number from 1; leave it empty if unknown",
                                 row->order);
    else if (!read_offset(row->offset, &offset_ns))
        *error = g_strdup_printf("Clock offset: \"%s\" is no number of seconds, such as -0.0125",
                                 row->offset);
    return *error == NULL;
}

/* "0" and "1/0": interface 0; section 1 is the first one, as in frame.section_number. */
static bool is_number_of(const char *text, unsigned section, unsigned interface)
{
    char number[32];

    if (section == 0) {
        snprintf(number, sizeof number, "%u", interface);
        if (strcmp(text, number) == 0)
            return true;
    }
    snprintf(number, sizeof number, "%u/%u", section + 1, interface);
    return strcmp(text, number) == 0;
}

static bool row_matches(const struct point_row *row, unsigned section, unsigned interface,
                        const char *const *names)
{
    if (is_empty(row->interface))
        return false;
    if (is_number_of(row->interface, section, interface))
        return true;
    for (; *names; names++)
        if (g_pattern_match_simple(row->interface, *names))
            return true;
    return false;
}

bool hook_prefs_point(unsigned section, unsigned interface, const char *const *names,
                      const char **name, struct corr_point_settings *settings)
{
    for (unsigned i = 0; i < n_rows; i++) {
        if (!row_matches(&rows[i], section, interface, names))
            continue;
        *name = is_empty(rows[i].name) ? "" : rows[i].name;
        *settings = (struct corr_point_settings){.host = rows[i].host};
        read_order(rows[i].order, &settings->rank);
        read_offset(rows[i].offset, &settings->offset_ns);
        return true;
    }
    return false;
}

static uat_t *points_table(void)
{
    static uat_field_t fields[] = {
        UAT_FLD_CSTRING(point, interface, "Interface",
                        "Its number in the file (0), section and number (1/0, as "
                        "frame.section_number and frame.interface_id show them), or a pattern for "
                        "its name, its description or the file that it was merged from (eth*, "
                        "*-lan.pcap)"),
        UAT_FLD_CSTRING(point, name, "Name", "How to call the capture point; empty: as it is"),
        UAT_FLD_CSTRING(point, order, "Order",
                        "Place on the way from clients to servers: 1, 2, 3 ...; empty: unknown"),
        UAT_FLD_CSTRING(point, host, "Host",
                        "Points with the same text share one clock, because one machine captured "
                        "them; empty: unknown"),
        UAT_FLD_CSTRING(point, offset, "Clock offset (s)",
                        "By how much this point's clock is ahead (-: behind), in seconds; used "
                        "when clocks are corrected manually"),
        UAT_END_FIELDS,
    };

    return uat_new("Correlation: capture points", sizeof(struct point_row), HOOK_NAME "_points",
                   TRUE, (void *)&rows, &n_rows, UAT_AFFECTS_DISSECTION | UAT_AFFECTS_FIELDS, NULL,
                   row_copy, row_check, row_free, NULL, NULL, fields);
}

/* -- single values ----------------------------------------------------------------------------- */

static void register_tunnels(module_t *module)
{
    for (int kind = 0; kind < CORR_ENCAP_COUNT; kind++) {
        const char *word = corr_encap_word((enum corr_encap_kind)kind);
        char *name;

        if (!corr_encap_is_tunnel((enum corr_encap_kind)kind))
            continue;
        tunnels[kind] = TRUE;
        name = g_strdup_printf("tunnel_%s", word);
        g_strdelimit(name, "-", '_');
        prefs_register_bool_preference(
            module, name, g_strdup_printf("Look into tunnels: %s", word),
            g_strdup_printf("Compare the packets inside of %s. If not, the outer packets are "
                            "compared: an address translation or a loss inside stays unseen.",
                            word),
            &tunnels[kind]);
    }
}

void hook_prefs_register(int proto)
{
    static const enum_val_t corrections[] = {
        {"auto", "By what the packets prove", CORR_CORRECTION_AUTO},
        {"off", "Not at all: the clocks are right", CORR_CORRECTION_OFF},
        {"manual", "By the offsets in the table of capture points", CORR_CORRECTION_MANUAL},
        {NULL, NULL, 0},
    };
    module_t *module = prefs_register_protocol(proto, NULL);

    prefs_register_uat_preference(
        module, "points", "Capture points",
        "A row for each interface of which you know more than the file tells: its name, its place "
        "on the way, the machine that captured it, its clock. The first row that fits counts.",
        points_table());
    prefs_register_enum_preference(
        module, "correction", "Correct the clocks",
        "How recorded times are corrected before latencies are taken from them.", &correction,
        corrections, TRUE);
    prefs_register_uint_preference(
        module, "memory", "Memory limit (MB)",
        "So much for packets and answers, beside what Wireshark itself needs; a packet takes about "
        "0.4 kB. Later packets are counted, but not compared; tables and expert information say "
        "from which frame on. 0: the limit is 20 million packets.",
        10, &memory_mb);
    prefs_register_uint_preference(
        module, "grace", "Live: wait for late packets (s)",
        "While a capture runs, a packet that is missing at a point may still be under way. Its "
        "verdict is pending until so many seconds more than the longest latency have passed.",
        10, &grace_s);
    prefs_register_uat_preference(
        module, "limits", "Limits of grades",
        "By which limits the table of layers, and findings, call a figure good, degraded or poor, "
        "where you want others than those that the table shows with their source.",
        hook_limits_table());
    prefs_register_string_preference(
        module, "export_point", "Point to export",
        "Export PDUs, \"CORR one copy per packet\": the name of the capture point whose frames are "
        "written, for every conversation that it saw. Empty: the point nearest to who began the "
        "conversation that missed nothing of it.",
        &export_point);
    register_tunnels(module);
}

void hook_prefs_config(struct corr_config *config)
{
    config->max_bytes = (uint64_t)memory_mb * BYTES_PER_MB;
    config->limits = hook_limits_get();
    config->correction = (enum corr_correction)correction;
    for (unsigned kind = 0; kind < CORR_ENCAP_COUNT; kind++)
        if (corr_encap_is_tunnel((enum corr_encap_kind)kind) && !tunnels[kind])
            config->closed_tunnels |= 1u << kind;
}

const char *hook_prefs_export_point(void)
{
    return export_point ? export_point : "";
}

int64_t hook_prefs_grace_ns(void)
{
    return (int64_t)grace_s * 1000000000;
}
