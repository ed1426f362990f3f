/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drops.c - a row per lost packet, and what could not be decided. */
#include <stdlib.h>
#include <string.h>

#include "report/report-int.h"
#include "report/text.h"

/* clang-format off */
#define COLUMNS(X)                                                                                 \
    X(FRAME,    "frame",    "frame",    FRAME,  COLUMN, NULL,                                      \
      "The last frame that shows the packet; absent in a row that counts a group")                 \
    X(MATCH_ID, "match_id", "packet",   COUNT,  COLUMN, NULL, "The packet: corr.match_id")         \
    X(PACKETS,  "packets",  NULL,       COUNT,  COLUMN, NULL,                                      \
      "Packets lost of a group of equal ones; nobody can tell which")                              \
    X(FLOW,     "flow",     "flow",     COUNT,  COLUMN, NULL, "Conversation: corr.flow")           \
    X(AFTER,    "after",    "after",    TEXT,   COLUMN, NULL, "Last point that saw it")            \
    X(BEFORE,   "before",   "before",   TEXT,   COLUMN, NULL,                                      \
      "Point that should have seen it next; absent: lost after the last point")                    \
    X(VERDICT,  "verdict",  "verdict",  TEXT,   COLUMN, NULL, "confirmed, probable, blocked")      \
    X(CAUSE,    "cause",    "cause",    TEXT,   COLUMN, NULL,                                      \
      "policy, mtu, ttl, queue, policer, corruption")                                              \
    X(EVIDENCE, "evidence", "evidence", FRAMES, COLUMN, NULL, "Frames that prove it")              \
    X(WHAT,     "what",     "what",     TEXT,   BELOW,  NULL, "The loss in one sentence")
/* clang-format on */

enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

/* Lost packets of which nobody can tell the frame. */
struct group {
    uint32_t flow, after, before, count;
    uint8_t fate, cause;
};

/* "TCP 10.0.1.2:40212 > 198.51.100.5:80 seq 4121 len 1448" */
static void append_packet(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->first));
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
        g_string_append_printf(text, " seq %u", obs->seq);
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

static void append_what(const struct corr_result *r, uint32_t packet, GString *text)
{
    const struct corr_packet *p = corr_result_packet(r, packet);

    append_packet(r, p, text);
    g_string_append(text, ": seen at ");
    append_points(r, p, text);
    if (p->drop_before == CORR_NONE)
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

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    if (x->before != y->before)
        return x->before < y->before ? -1 : 1;
    if (x->fate != y->fate)
        return (int)x->fate - (int)y->fate;
    return (int)x->cause - (int)y->cause;
}

static void add_groups(const struct corr_result *r, GArray *groups, struct corr_report_table *out)
{
    g_array_sort(groups, compare_groups);
    for (unsigned i = 0, end; i < groups->len; i = end) {
        const struct group *g = &g_array_index(groups, struct group, i);
        for (end = i; end < groups->len; end++)
            if (compare_groups(g, &g_array_index(groups, struct group, end)) != 0)
                break;
        struct corr_row *row = corr_report_row(out);
        g_autofree char *what = g_strdup_printf(
            "%u of a group of equal packets were lost; nobody can tell which", end - i);
        set_common(r, row, g->flow, g->after, g->before, g->fate, g->cause);
        corr_cell_set_count(row, C_PACKETS, end - i);
        corr_cell_set_text(row, C_WHAT, what);
    }
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
    g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(struct group));
    g_autoptr(GHashTable) reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    uint64_t undetermined = 0;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (!corr_packet_counts(mask, i))
            continue;
        if (p->fate == CORR_FATE_UNDETERMINED) {
            g_string_truncate(text, 0);
            corr_text_reason(r, p, text);
            unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(reasons, text->str));
            g_hash_table_replace(reasons, g_strdup(text->str), GUINT_TO_POINTER(count + 1));
            undetermined++;
        }
        if (!corr_fate_is_drop(p->fate) || p->drop_after == CORR_NONE)
            continue;
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->drop_after));
        if (p->ambiguous) {
            struct group g = {p->flow, obs->point, p->drop_before, 1, p->fate, p->cause};
            g_array_append_val(groups, g);
        } else {
            uint64_t key = (uint64_t)obs->frame << 32 | i;
            g_array_append_val(lost, key);
        }
    }
    g_array_sort(lost, compare_lost);
    for (unsigned i = 0; i < lost->len; i++) {
        uint32_t packet = (uint32_t)g_array_index(lost, uint64_t, i);
        const struct corr_packet *p = corr_result_packet(r, packet);
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->drop_after));
        struct corr_row *row = corr_report_row(out);
        corr_cell_set_count(row, C_FRAME, obs->frame);
        corr_cell_set_count(row, C_MATCH_ID, packet + 1);
        set_common(r, row, p->flow, obs->point, p->drop_before, p->fate, p->cause);
        if (p->evidence)
            corr_cell_add_frame(row, C_EVIDENCE, p->evidence);
        g_string_truncate(text, 0);
        append_what(r, packet, text);
        corr_cell_set_text(row, C_WHAT, text->str);
    }
    add_groups(r, groups, out);
    note_undetermined(reasons, undetermined, out);
}

CORR_TABLE_DEFINE(drops, "Lost packets", "lost packets: where, how sure, why, and what proves it",
                  columns);
