/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drops.c - a row per lost packet, and what could not be decided. */
#include <stdlib.h>
#include <string.h>

#include "report/report-int.h"
#include "path/text.h"

/* clang-format off */
#define COLUMNS(X)                                                                                 \
    X(FRAME,    "frame",    "frame",    FRAME,  COLUMN, NULL,                                      \
      "The last frame that shows the packet; absent in a row that counts a group")                 \
    X(MATCH_ID, "match_id", "packet",   COUNT,  COLUMN, NULL, "The packet: corr.match_id")         \
    X(PACKETS,  "packets",  NULL,       COUNT,  COLUMN, NULL,                                      \
      "Packets lost of a group of equal ones; nobody can tell which")                              \
    X(FLOW,     "flow",     "flow",     COUNT,  COLUMN, NULL, "Conversation: corr.flow")           \
    X(AFTER,    "after",    "after",    TEXT,   COLUMN, NULL, "Last point; absent: none saw it")   \
    X(BEFORE,   "before",   "before",   TEXT,   COLUMN, NULL,                                      \
      "Point that should have seen it next; absent: lost after the last point")                    \
    X(VERDICT,  "verdict",  "verdict",  TEXT,   COLUMN, NULL, "confirmed, probable, blocked")      \
    X(CAUSE,    "cause",    "cause",    TEXT,   COLUMN, NULL,                                      \
      "policy, mtu, ttl, queue, policer, corruption")                                              \
    X(EVIDENCE, "evidence", "evidence", FRAMES, COLUMN, NULL, "Frames that prove it")              \
    X(PROTOCOL, "protocol", NULL,       TEXT,   COLUMN, NULL, "Protocol")                          \
    X(SRC,      "src",      NULL,       TEXT,   COLUMN, NULL,                                      \
      "Source address as the last point shows it")                                                 \
    X(SRC_PORT, "src_port", NULL,       COUNT,  COLUMN, NULL, "Source port; echo: the identifier") \
    X(DST,      "dst",      NULL,       TEXT,   COLUMN, NULL, "Destination address, likewise")     \
    X(DST_PORT, "dst_port", NULL,       COUNT,  COLUMN, NULL, "Destination port")                  \
    X(WHAT,     "what",     "what",     TEXT,   BELOW,  NULL, "The loss in one sentence")
/* clang-format on */

enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

/*
 * Packets of a flow direction that reached a point, so that each loss before
 * that point can tell how many came through after it.
 */
struct arrivals {
    uint64_t key[2]; /* flow << 1 | direction, point */
    GArray *packets; /* uint32_t, ascending */
};

/* Bytes before the packet in a frame that holds several: they come in the order of their bytes. */
static uint32_t bytes_before(const struct corr_result *r, const struct corr_packet *p)
{
    uint32_t obs = corr_result_sighting(r, p->drop_after)->obs;
    uint32_t first = r->obs_sightings[r->obs_first[obs]];

    return (uint32_t)(p->from -
                      corr_result_packet(r, corr_result_sighting(r, first)->packet)->from);
}

/* "TCP 10.0.1.2:40212 > 198.51.100.5:80 seq 4121 len 1448" */
static void append_packet(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    /* As the last point shows it: there one looks for it, on the way to the next. */
    const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->drop_after));
    const struct corr_conv *conv = corr_store_conv(r->store, obs->conv);
    gsize start = text->len;

    corr_text_proto(conv->proto, text);
    for (gsize i = start; i < text->len; i++)
        text->str[i] = g_ascii_toupper(text->str[i]);
    g_string_append_c(text, ' ');
    corr_text_ends(r, obs, text);
    if (obs->kind == CORR_KIND_TCP && obs->have & CORR_HAVE_TCP) {
        if (obs->tcp_flags & CORR_TCP_SYN)
            g_string_append(text, obs->tcp_flags & CORR_TCP_ACK ? " SYN-ACK" : " SYN");
        if (obs->tcp_flags & CORR_TCP_FIN)
            g_string_append(text, " FIN");
        if (obs->tcp_flags & CORR_TCP_RST)
            g_string_append(text, " RST");
    }
    if (obs->have & CORR_HAVE_SEQ)
        g_string_append_printf(
            text, " seq %u", obs->kind == CORR_KIND_TCP ? obs->seq + bytes_before(r, p) : obs->seq);
    if (obs->have & CORR_HAVE_LEN)
        g_string_append_printf(text, " len %u", p->len);
    if (obs->kind == CORR_KIND_FRAGMENT)
        g_string_append(text, " (fragment)");
}

static void append_points(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    unsigned named = 0;
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (uint32_t i = 0; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
        /* A packet that was damaged on its way is seen beyond the damage, too. */
        if (p->cause == CORR_CAUSE_CORRUPTION && p->first + i > p->drop_after)
            break;
        if (!s->duplicate)
            g_ptr_array_add(names, corr_store_point(r->store, corr_sighting_point(r, s))->name);
    }
    /* A loop may pass one point a hundred times: name the first few and the last. */
    for (unsigned i = 0; i < names->len; i++) {
        if (i >= 6 && i + 1 < names->len)
            continue;
        g_string_append(text, named++ == 0 ? "" : i + 1 == names->len ? " and " : ", ");
        g_string_append(text, g_ptr_array_index(names, i));
    }
}

static void append_what(const struct corr_result *r, uint32_t packet, uint32_t later, GString *text)
{
    const struct corr_packet *p = corr_result_packet(r, packet);

    append_packet(r, p, text);
    g_string_append(text, ": seen at ");
    append_points(r, p, text);
    if (p->cause == CORR_CAUSE_CORRUPTION)
        g_string_append_printf(text, ", damaged before %s",
                               corr_store_point(r->store, p->drop_before)->name);
    else if (p->drop_before == CORR_NONE)
        g_string_append(text, ", lost after the last point");
    else
        g_string_append_printf(text, ", never at %s",
                               corr_store_point(r->store, p->drop_before)->name);
    if (p->fate == CORR_FATE_BLOCKED)
        g_string_append(text, "; nothing of this flow passes");
    if (p->evidence) {
        g_string_append(text, "; ");
        corr_text_evidence(r, packet, text);
    }
    if (later)
        g_string_append_printf(text, "; %u later packet%s of the flow arrived", later,
                               later == 1 ? "" : "s");
}

static void set_common(const struct corr_result *r, struct corr_row *row, uint32_t flow,
                       uint32_t after, uint32_t before, unsigned fate, unsigned cause)
{
    if (flow != CORR_NONE)
        corr_cell_set_count(row, C_FLOW, flow + 1);
    corr_cell_set_text(row, C_AFTER, corr_store_point(r->store, after)->name);
    if (before != CORR_NONE)
        corr_cell_set_text(row, C_BEFORE, corr_store_point(r->store, before)->name);
    corr_cell_set_text(row, C_VERDICT, corr_fate_word(fate));
    if (corr_cause_word(cause))
        corr_cell_set_text(row, C_CAUSE, corr_cause_word(cause));
}

static void add_groups(const struct corr_result *r, const struct corr_frame_set *frames,
                       struct corr_report_table *out)
{
    for (unsigned i = 0; i < corr_group_count(r); i++) {
        const struct corr_group *group = corr_result_group(r, i);
        uint32_t lost = corr_group_lost(group);
        if (lost == 0 || !corr_frame_set_has(frames, group->frame))
            continue;
        struct corr_row *row = corr_report_row(out);
        g_autofree char *what = g_strdup_printf(
            "%u of %u equal packets (the first in frame %u) seen at %s never reached %s; nobody "
            "can tell which",
            lost, group->n_from, group->frame, corr_store_point(r->store, group->from)->name,
            corr_store_point(r->store, group->to)->name);
        set_common(r, row, group->flow, group->from, group->to, CORR_FATE_PROBABLE,
                   CORR_CAUSE_UNKNOWN);
        corr_cell_set_count(row, C_PACKETS, lost);
        corr_cell_set_text(row, C_WHAT, what);
    }
}

static void set_ends(const struct corr_result *r, struct corr_row *row, const struct corr_obs *obs)
{
    const struct corr_conv *conv = corr_store_conv(r->store, obs->conv);
    const struct corr_endpoint *src = &conv->end[obs->dir], *dst = &conv->end[!obs->dir];
    bool echo = conv->proto == 1 || conv->proto == 58;
    g_autoptr(GString) text = g_string_new(NULL);
    char addr[CORR_ADDR_TEXT];

    corr_text_proto(conv->proto, text);
    corr_cell_set_text(row, C_PROTOCOL, text->str);
    if (!(obs->have & CORR_HAVE_IP))
        return;
    corr_cell_set_text(row, C_SRC, corr_addr_text(&src->addr, addr));
    corr_cell_set_text(row, C_DST, corr_addr_text(&dst->addr, addr));
    if (conv->has_ports && !(echo && src->port == 0))
        corr_cell_set_count(row, C_SRC_PORT, src->port);
    if (conv->has_ports && !(echo && dst->port == 0))
        corr_cell_set_count(row, C_DST_PORT, dst->port);
}

/* First transmissions that no point shows: a row per flow, direction and first point. */
static void add_upstream(const struct corr_result *r, const uint8_t *mask,
                         struct corr_report_table *out)
{
    g_autoptr(GHashTable) index = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (unsigned i = 0; i < r->upstream->len; i++) {
        const struct corr_upstream *lost = &g_array_index(r->upstream, struct corr_upstream, i);
        const struct corr_packet *p = corr_result_packet(r, lost->packet);
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->first));
        uint64_t key = ((uint64_t)p->flow << 1 | (p->dir & 1)) << 16 | lost->before;
        if (!corr_packet_counts(mask, lost->packet))
            continue;
        struct corr_row *row = g_hash_table_lookup(index, &key);
        if (!row) {
            row = corr_report_row(out);
            g_hash_table_insert(index, g_memdup2(&key, sizeof key), row);
            corr_cell_set_count(row, C_PACKETS, 0);
            corr_cell_set_count(row, C_FLOW, p->flow + 1);
            corr_cell_set_text(row, C_BEFORE, corr_store_point(r->store, lost->before)->name);
            corr_cell_set_text(row, C_VERDICT, corr_fate_word(CORR_FATE_CONFIRMED));
            set_ends(r, row, obs);
        }
        row->cells[C_PACKETS].count++;
        corr_cell_add_frame(row, C_EVIDENCE, obs->frame);
        g_autoptr(GString) text = g_string_new("TCP ");
        corr_text_ends(r, obs, text);
        g_string_append_printf(
            text,
            ": %u segment%s lost before %s, the first point of the way: the hole in the stream was "
            "filled by what was sent later",
            (unsigned)row->cells[C_PACKETS].count, row->cells[C_PACKETS].count == 1 ? "" : "s",
            corr_store_point(r->store, lost->before)->name);
        corr_cell_set_text(row, C_WHAT, text->str);
    }
}

static guint arrivals_hash(const void *data)
{
    const struct arrivals *a = data;
    uint64_t key = (a->key[0] * 31 + a->key[1]) * UINT64_C(0x9e3779b97f4a7c15);
    return (guint)(key >> 32);
}

static gboolean arrivals_equal(const void *a, const void *b)
{
    return memcmp(((const struct arrivals *)a)->key, ((const struct arrivals *)b)->key,
                  sizeof((const struct arrivals *)a)->key) == 0;
}

static void arrivals_free(void *data)
{
    struct arrivals *a = data;
    g_array_free(a->packets, TRUE);
    g_free(a);
}

static struct arrivals arrivals_key(const struct corr_packet *p, uint32_t point)
{
    return (struct arrivals){{(uint64_t)p->flow << 1 | (p->dir & 1), point}, NULL};
}

/* `lost`: (frame << 32 | packet) of each loss. */
static GHashTable *arrivals_collect(const struct corr_result *r, const GArray *lost)
{
    GHashTable *index = g_hash_table_new_full(arrivals_hash, arrivals_equal, arrivals_free, NULL);
    g_autofree uint8_t *wanted = g_malloc0(r->flows->len + 1); /* flows with a loss */

    for (unsigned i = 0; i < lost->len; i++) {
        const struct corr_packet *p =
            corr_result_packet(r, (uint32_t)g_array_index(lost, uint64_t, i));
        if (p->flow >= r->flows->len || p->drop_before == CORR_NONE)
            continue;
        struct arrivals key = arrivals_key(p, p->drop_before);
        wanted[p->flow] = 1;
        if (g_hash_table_contains(index, &key))
            continue;
        key.packets = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_hash_table_add(index, g_memdup2(&key, sizeof key));
    }
    for (uint32_t i = 0; i < r->packets->len && lost->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (p->flow >= r->flows->len || !wanted[p->flow])
            continue;
        for (uint32_t k = p->first; k < p->first + p->n; k++) {
            const struct corr_sighting *s = corr_result_sighting(r, k);
            struct arrivals key = arrivals_key(p, corr_sighting_point(r, s));
            struct arrivals *a = g_hash_table_lookup(index, &key);
            /* A packet that passes the point twice arrives once. */
            if (a && (a->packets->len == 0 ||
                      g_array_index(a->packets, uint32_t, a->packets->len - 1) != i))
                g_array_append_val(a->packets, i);
        }
    }
    return index;
}

/* Packets are numbered as they were first seen: later ones have higher numbers. */
static uint32_t arrivals_after(GHashTable *index, const struct corr_packet *p, uint32_t packet)
{
    struct arrivals key = arrivals_key(p, p->drop_before);
    const struct arrivals *a = g_hash_table_lookup(index, &key);
    unsigned lo = 0, hi = a ? a->packets->len : 0;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (g_array_index(a->packets, uint32_t, mid) <= packet)
            lo = mid + 1;
        else
            hi = mid;
    }
    return a ? a->packets->len - lo : 0;
}

/* By frame, then packet: how users read a capture. */
static int compare_lost(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void note_undetermined(GHashTable *reasons, uint64_t total, struct corr_report_table *out)
{
    if (total == 0)
        return;
    guint n;
    g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(reasons, &n);
    g_autoptr(GString) text = g_string_new(NULL);

    qsort(keys, n, sizeof *keys, compare_keys);
    for (guint i = 0; i < n; i++)
        g_string_append_printf(text, "%s%s: %u", i ? ", " : "", keys[i],
                               GPOINTER_TO_UINT(g_hash_table_lookup(reasons, keys[i])));
    corr_report_note(
        out, "Not counted as lost: %" G_GUINT64_FORMAT " packet%s whose fate nobody can know (%s).",
        total, total == 1 ? "" : "s", text->str);
}

void corr_build_drops(const struct corr_result *r, const struct corr_frame_set *frames,
                      struct corr_report_table *out)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    g_autoptr(GArray) lost = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    g_autoptr(GHashTable) reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    uint64_t undetermined = 0, thinned = 0;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (!corr_packet_counts(mask, i))
            continue;
        thinned += corr_packet_is_thinned(p);
        if (p->fate == CORR_FATE_UNDETERMINED && !corr_packet_is_thinned(p)) {
            g_string_truncate(text, 0);
            corr_text_reason(r, p, text);
            unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(reasons, text->str));
            g_hash_table_replace(reasons, g_strdup(text->str), GUINT_TO_POINTER(count + 1));
            undetermined++;
        }
        if (!corr_fate_is_drop(p->fate) || p->drop_after == CORR_NONE || p->ambiguous)
            continue;
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->drop_after));
        uint64_t key = (uint64_t)obs->frame << 32 | i;
        g_array_append_val(lost, key);
    }
    g_array_sort(lost, compare_lost);
    g_autoptr(GHashTable) arrivals = arrivals_collect(r, lost);
    for (unsigned i = 0; i < lost->len; i++) {
        uint32_t packet = (uint32_t)g_array_index(lost, uint64_t, i);
        const struct corr_packet *p = corr_result_packet(r, packet);
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->drop_after));
        struct corr_row *row = corr_report_row(out);
        corr_cell_set_count(row, C_FRAME, obs->frame);
        corr_cell_set_count(row, C_MATCH_ID, packet + 1);
        set_common(r, row, p->flow, obs->point, p->drop_before, p->fate, p->cause);
        set_ends(r, row, obs);
        if (p->evidence)
            corr_cell_add_frame(row, C_EVIDENCE, p->evidence);
        g_string_truncate(text, 0);
        append_what(r, packet, arrivals_after(arrivals, p, packet), text);
        corr_cell_set_text(row, C_WHAT, text->str);
    }
    add_groups(r, frames, out);
    add_upstream(r, mask, out);
    note_undetermined(reasons, undetermined, out);
    if (thinned)
        corr_report_note(out,
                         "Not counted as lost: %" G_GUINT64_FORMAT
                         " acknowledgements that something on the way took out, as later ones said "
                         "the same.",
                         thinned);
}

CORR_TABLE_DEFINE(drops, "Lost packets", "lost packets: where, how sure, why, and what proves it",
                  columns);
