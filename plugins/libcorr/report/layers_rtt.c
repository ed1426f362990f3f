/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layers_rtt.c - the round trips of a probed path, hop by hop, beside TCP's handshake. */
#include "report/layers_rtt.h"

#include "path/text.h"

#define VARIES_NS INT64_C(1000000) /* less is what any router's processor does */

/* clang-format off */
#define RTT_COLUMNS(X)                                                                             \
    X(RTT_MIN, "min", NULL, TIME,  COLUMN, NULL, "Smallest")                                       \
    X(RTT_P50, "p50", NULL, TIME,  COLUMN, NULL, "Median")                                         \
    X(RTT_MAX, "max", NULL, TIME,  COLUMN, NULL, "Largest")                                        \
    X(RTT_N,   "n",   NULL, COUNT, COLUMN, NULL, "Samples")

#define HOP_COLUMNS(X)                                                                             \
    X(HOP_TTL,    "ttl",         NULL, COUNT,  COLUMN, NULL, "Of the probes, at the point")        \
    X(HOP_BY,     "by",          NULL, TEXT,   COLUMN, NULL, "Who answered; absent: nobody")       \
    X(HOP_SENT,   "sent",        NULL, COUNT,  COLUMN, NULL, "Probes with this TTL")               \
    X(HOP_GOT,    "answered",    NULL, COUNT,  COLUMN, NULL, "Of them, answered by this one")      \
    X(HOP_LOSS,   "loss",        NULL, TEXT,   COLUMN, NULL,                                       \
      "path: probes beyond are lost, too; here only: it answers when it likes; absent: none")      \
    X(HOP_RTT,    "rtt_s",       NULL, OBJECT, COLUMN, rtt_columns,                                \
      "There and back; a router's time to answer is in it")                                        \
    X(HOP_JITTER, "variation_s", NULL, TIME,   COLUMN, NULL,                                       \
      "Mean difference of one round trip to the next")                                             \
    X(HOP_VARIES, "variation",   NULL, TEXT,   COLUMN, NULL,                                       \
      "Over a millisecond: path: hops beyond vary, too; here only: how it answers; absent: less")

#define COLUMNS(X)                                                                                 \
    X(POINT,     "point",           NULL, TEXT,    COLUMN, NULL,                                   \
      "The capture point nearest to who probed, where all is measured")                            \
    X(END,       "path_rtt_s",      NULL, OBJECT,  COLUMN, rtt_columns,                            \
      "Probes that the destination itself answered")                                               \
    X(HANDSHAKE, "handshake_rtt_s", NULL, OBJECT,  COLUMN, rtt_columns,                            \
      "The TCP handshake at the same point")                                                     \
    X(VARIANCE,  "variance",        NULL, RATIO,   COLUMN, NULL,                                   \
      "How much the least handshake exceeds the least path round trip, as a share of it")          \
    X(VERDICT,   "verdict",         NULL, TEXT,    COLUMN, NULL, "What the difference means")      \
    X(CHANGES,   "route_changes",   NULL, COUNT,   COLUMN, NULL,                                   \
      "Times that another router answered at a distance")                                          \
    X(HOPS,      "hops",            NULL, OBJECTS, COLUMN, hop_columns, "By TTL")
/* clang-format on */

enum { RTT_COLUMNS(CORR_COLUMN_ENUM) };
enum { HOP_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column rtt_columns[] = {RTT_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column hop_columns[] = {HOP_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
const struct corr_column corr_layers_rtt_columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

static void add_rtt(struct corr_row *row, unsigned column, const struct corr_rtt_stat *stat)
{
    struct corr_row *sub;

    if (stat->n == 0)
        return;
    sub = corr_cell_add_row(row, column, rtt_columns);
    corr_cell_set_time(sub, C_RTT_MIN, stat->min_ns);
    corr_cell_set_time(sub, C_RTT_P50, stat->p50_ns);
    corr_cell_set_time(sub, C_RTT_MAX, stat->max_ns);
    corr_cell_set_count(sub, C_RTT_N, stat->n);
}

static void add_hop(const struct corr_rtt_hop *hop, struct corr_row *row)
{
    struct corr_row *sub = corr_cell_add_row(row, C_HOPS, hop_columns);
    char addr[CORR_ADDR_TEXT];

    corr_cell_set_count(sub, C_HOP_TTL, hop->ttl);
    if (hop->by.len > 0)
        corr_cell_set_text(sub, C_HOP_BY, corr_addr_text(&hop->by, addr));
    corr_cell_set_count(sub, C_HOP_SENT, hop->sent);
    corr_cell_set_count(sub, C_HOP_GOT, hop->answered);
    if (hop->answered < hop->sent)
        corr_cell_set_text(sub, C_HOP_LOSS, hop->loss_goes_on ? "path" : "here only");
    add_rtt(sub, C_HOP_RTT, &hop->rtt);
    if (hop->answered > 1)
        corr_cell_set_time(sub, C_HOP_JITTER, hop->variation_ns);
    if (hop->variation_ns > VARIES_NS && (hop->variation_goes_on || !hop->end))
        corr_cell_set_text(sub, C_HOP_VARIES, hop->variation_goes_on ? "path" : "here only");
}

/* "path round trip 24.3 ms at nic (99 probes), TCP handshake 24.3 ms: ..." */
static void add_text(const struct corr_rtt_path *path, const char *point, struct corr_row *row,
                     unsigned texts)
{
    g_autoptr(GString) text = g_string_new("path round trip ");

    if (path->end.n == 0)
        return;
    corr_text_time(path->end.min_ns, text);
    g_string_append_printf(text, " at %s (%u probe%s)", point, path->end.n,
                           path->end.n == 1 ? "" : "s");
    if (path->handshake.n > 0) {
        g_string_append(text, ", TCP handshake ");
        corr_text_time(path->handshake.min_ns, text);
    }
    if (path->verdict != CORR_RTT_VERDICT_UNKNOWN)
        g_string_append_printf(text, ": %s", corr_rtt_verdict_text(path->verdict));
    corr_cell_add_text(row, texts, text->str);
}

/* "hop 2, 10.9.0.1: 9 of 10 answered, 4.10 ms (4.90 ms at most)" */
static void add_hop_text(const struct corr_rtt_hop *hop, struct corr_row *row, unsigned texts)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char addr[CORR_ADDR_TEXT];

    g_string_printf(text, "hop %u, %s: %u of %u answered", hop->ttl,
                    hop->by.len > 0 ? corr_addr_text(&hop->by, addr) : "nobody", hop->answered,
                    hop->sent);
    if (hop->rtt.n > 0) {
        g_string_append(text, ", least ");
        corr_text_time(hop->rtt.min_ns, text);
        g_string_append(text, ", median ");
        corr_text_time(hop->rtt.p50_ns, text);
        g_string_append(text, ", most ");
        corr_text_time(hop->rtt.max_ns, text);
    }
    if (hop->answered < hop->sent)
        g_string_append(text, hop->loss_goes_on
                                  ? "; the path loses them"
                                  : "; hops beyond lose none: it answers when it likes");
    corr_cell_add_text(row, texts, text->str);
}

void corr_layers_rtt_fill(const struct corr_result *r, const struct corr_rtt_path *path,
                          struct corr_row *row, unsigned object, unsigned texts)
{
    struct corr_row *sub = corr_cell_add_row(row, object, corr_layers_rtt_columns);
    const char *point = corr_store_point(r->store, path->point)->name;

    corr_cell_set_text(sub, C_POINT, point);
    add_rtt(sub, C_END, &path->end);
    add_rtt(sub, C_HANDSHAKE, &path->handshake);
    if (path->verdict != CORR_RTT_VERDICT_UNKNOWN) {
        corr_cell_set_number(sub, C_VARIANCE,
                             (double)(path->handshake.min_ns - path->end.min_ns) /
                                 (double)MAX(path->end.min_ns, 1));
        corr_cell_set_text(sub, C_VERDICT, corr_rtt_verdict_text(path->verdict));
    }
    corr_cell_set_count(sub, C_CHANGES, path->route_changes);
    for (guint i = 0; i < path->hops->len; i++)
        add_hop(&g_array_index(path->hops, struct corr_rtt_hop, i), sub);
    add_text(path, point, row, texts);
    for (guint i = 0; i < path->hops->len && path->hops->len > 1; i++)
        add_hop_text(&g_array_index(path->hops, struct corr_rtt_hop, i), row, texts);
}
