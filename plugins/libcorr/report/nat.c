/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat.c - a row per conversation and stage of translation, in the initiator's direction. */
#include <stdlib.h>

#include "path/nat_text.h"
#include "report/report-int.h"
#include "path/text.h"

/* clang-format off */
#define END_COLUMNS(X)                                                                             \
    X(SRC,      "src",      NULL, TEXT,  COLUMN, NULL, "Source address")                           \
    X(SRC_PORT, "src_port", NULL, COUNT, COLUMN, NULL, "Source port; echo: the identifier")        \
    X(DST,      "dst",      NULL, TEXT,  COLUMN, NULL, "Destination address")                      \
    X(DST_PORT, "dst_port", NULL, COUNT, COLUMN, NULL, "Destination port")

#define COLUMNS(X)                                                                                 \
    X(KIND,       "kind",        "kind",     TEXT,   COLUMN, NULL,                                 \
      "snat, dnat, snat+dnat, nat64, nat46, nptv6, seen from the initiator")                       \
    X(PROTOCOL,   "protocol",    "protocol", TEXT,   COLUMN, NULL, "Protocol")                     \
    X(FROM,       "from",        "from",     TEXT,   COLUMN, NULL,                                 \
      "Point before the translation, on the initiator's way")                                      \
    X(TO,         "to",          "to",       TEXT,   COLUMN, NULL, "Point after it")               \
    X(PACKETS,    "packets",     "packets",  COUNT,  COLUMN, NULL,                                 \
      "Packets seen before and after, both directions")                                            \
    X(BEFORE,     "before",      NULL,       OBJECT, COLUMN, end_columns, "Endpoints before")      \
    X(AFTER,      "after",       NULL,       OBJECT, COLUMN, end_columns, "Endpoints after")       \
    X(FLOW,       "flow",        "flow",     COUNT,  COLUMN, NULL, "Conversation: corr.flow")      \
    X(FIRST,      "first_frame", "first",    FRAME,  COLUMN, NULL, "First frame that shows it")    \
    X(LAST,       "last_frame",  "last",     FRAME,  COLUMN, NULL, "Last frame that shows it")     \
    X(CONFIDENCE, "confidence",  NULL,       TEXT,   COLUMN, NULL,                                 \
      "confirmed: two packets or more agree; probable: one packet shows it")                       \
    X(WHAT,       "what",        "rewrites", TEXT,   BELOW,  NULL, "The translation, as text")
/* clang-format on */

enum { END_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column end_columns[] = {END_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

/* A stage: what becomes of `before` at the points `from` to `to`. */
struct stage {
    uint64_t key; /* local flow before << 32 | local flow after; first, so that hashing finds it */
    uint32_t flow;
    uint32_t from, to;
    uint32_t first_frame, last_frame;
    int64_t from_ns, to_ns; /* its first packet, by the clocks of both points */
    uint64_t packets;
    uint64_t votes; /* packets that were seen just at these two points */
    struct corr_tuple before, after;
    bool composed; /* two other stages in a row explain it */
};

static struct stage *stage_get(GHashTable *index, GPtrArray *stages, uint64_t key)
{
    struct stage *stage = g_hash_table_lookup(index, &key);
    if (!stage) {
        stage = g_new0(struct stage, 1);
        stage->key = key;
        g_ptr_array_add(stages, stage);
        g_hash_table_add(index, stage);
    }
    return stage;
}

/* Stages by pair of local flows, in the order of their first packet. */
static GPtrArray *collect(const struct corr_result *r, const uint8_t *mask)
{
    GPtrArray *stages = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) index = g_hash_table_new(g_int64_hash, g_int64_equal);

    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        if (s->prev == CORR_NONE || s->duplicate || !corr_packet_counts(mask, s->packet))
            continue;
        const struct corr_packet *p = corr_result_packet(r, s->packet);
        if (p->kind == CORR_KIND_ICMP_ERROR)
            continue; /* translated along with the conversation that it quotes */
        const struct corr_sighting *before = corr_result_sighting(r, s->prev);
        const struct corr_obs *a = corr_result_obs(r, before), *b = corr_result_obs(r, s);
        if (p->flow == CORR_NONE || !(a->have & b->have & CORR_HAVE_IP))
            continue;
        /* Later fragments have no ports, and may be those of a tunnel: the first one speaks. */
        if (a->kind == CORR_KIND_FRAGMENT || b->kind == CORR_KIND_FRAGMENT)
            continue;
        struct corr_tuple ta = corr_tuple_of(r->store, a), tb = corr_tuple_of(r->store, b);
        if (corr_tuple_equal(&ta, &tb))
            continue;
        uint32_t conv_a = r->obs_conv[before->obs], conv_b = r->obs_conv[s->obs];
        uint64_t key = p->dir ? (uint64_t)conv_b << 32 | conv_a : (uint64_t)conv_a << 32 | conv_b;
        struct stage *stage = stage_get(index, stages, key);
        if (stage->packets++ == 0) {
            stage->flow = p->flow;
            stage->from = p->dir ? b->point : a->point;
            stage->to = p->dir ? a->point : b->point;
            stage->before = p->dir ? corr_tuple_reversed(&tb) : ta;
            stage->after = p->dir ? corr_tuple_reversed(&ta) : tb;
            stage->first_frame = MIN(a->frame, b->frame);
            stage->from_ns = stage->to_ns = INT64_MAX;
        }
        stage->from_ns = MIN(stage->from_ns, p->dir ? b->time_ns : a->time_ns);
        stage->to_ns = MIN(stage->to_ns, p->dir ? a->time_ns : b->time_ns);
        stage->first_frame = MIN(stage->first_frame, MIN(a->frame, b->frame));
        stage->last_frame = MAX(stage->last_frame, MAX(a->frame, b->frame));
        stage->votes = stage->packets;
    }
    return stages;
}

static int compare_ends(const struct corr_endpoint *a, const struct corr_endpoint *b)
{
    int order = corr_addr_compare(&a->addr, &b->addr);
    return order ? order : (int)a->port - (int)b->port;
}

static int compare_tuples(const struct corr_tuple *a, const struct corr_tuple *b)
{
    int order = compare_ends(a->src, b->src);
    return order ? order : compare_ends(a->dst, b->dst);
}

/*
 * By flow, endpoints, then the pair of points that most packets saw; of branches that share
 * the packets evenly the one that saw the first, by the clock of the point that they share.
 */
static int compare_stages(const void *a, const void *b)
{
    const struct stage *x = *(struct stage *const *)a, *y = *(struct stage *const *)b;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    int order = compare_tuples(&x->before, &y->before);
    if (order == 0)
        order = compare_tuples(&x->after, &y->after);
    if (order)
        return order;
    if (x->votes != y->votes)
        return x->votes > y->votes ? -1 : 1;
    if (x->to == y->to && x->to_ns != y->to_ns)
        return x->to_ns < y->to_ns ? -1 : 1;
    if (x->from == y->from && x->from_ns != y->from_ns)
        return x->from_ns < y->from_ns ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static int compare_rows(const void *a, const void *b)
{
    const struct stage *x = *(struct stage *const *)a, *y = *(struct stage *const *)b;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    if (x->first_frame != y->first_frame)
        return x->first_frame < y->first_frame ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static bool same_stage(const struct stage *a, const struct stage *b)
{
    return a->flow == b->flow && compare_tuples(&a->before, &b->before) == 0 &&
           compare_tuples(&a->after, &b->after) == 0;
}

static void absorb(struct stage *into, const struct stage *stage)
{
    into->packets += stage->packets;
    into->first_frame = MIN(into->first_frame, stage->first_frame);
    into->last_frame = MAX(into->last_frame, stage->last_frame);
}

/*
 * A packet that a capture missed between two translators shows both stages as
 * one: it counts for each of them, and is no stage of its own.
 */
static void resolve_composed(GPtrArray *stages, unsigned from, unsigned end)
{
    for (unsigned i = from; i < end; i++) {
        struct stage *whole = g_ptr_array_index(stages, i);
        for (unsigned k = from; k < end && !whole->composed; k++) {
            struct stage *one = g_ptr_array_index(stages, k);
            if (one == whole || one->composed || compare_tuples(&one->before, &whole->before) != 0)
                continue;
            for (unsigned m = from; m < end; m++) {
                struct stage *two = g_ptr_array_index(stages, m);
                if (two == whole || two == one || two->composed ||
                    compare_tuples(&two->before, &one->after) != 0 ||
                    compare_tuples(&two->after, &whole->after) != 0)
                    continue;
                whole->composed = true;
                absorb(one, whole);
                absorb(two, whole);
                break;
            }
        }
    }
}

static void set_ends(struct corr_row *row, unsigned column, const struct corr_tuple *tuple)
{
    struct corr_row *sub = corr_cell_add_row(row, column, end_columns);
    bool echo = tuple->proto == 1 || tuple->proto == 58;
    char text[CORR_ADDR_TEXT];

    corr_cell_set_text(sub, C_SRC, corr_addr_text(&tuple->src->addr, text));
    corr_cell_set_text(sub, C_DST, corr_addr_text(&tuple->dst->addr, text));
    if (tuple->has_ports)
        corr_cell_set_count(sub, C_SRC_PORT, tuple->src->port);
    if (tuple->has_ports && !echo)
        corr_cell_set_count(sub, C_DST_PORT, tuple->dst->port);
}

static void add_row(const struct corr_result *r, const struct stage *stage,
                    struct corr_report_table *out)
{
    struct corr_row *row = corr_report_row(out);
    g_autoptr(GString) text = g_string_new(NULL);

    corr_cell_set_text(row, C_KIND,
                       corr_nat_word(corr_nat_classify(&stage->before, &stage->after)));
    corr_text_proto(stage->before.proto, text);
    corr_cell_set_text(row, C_PROTOCOL, text->str);
    corr_cell_set_text(row, C_FROM, corr_store_point(r->store, stage->from)->name);
    corr_cell_set_text(row, C_TO, corr_store_point(r->store, stage->to)->name);
    corr_cell_set_count(row, C_PACKETS, stage->packets);
    set_ends(row, C_BEFORE, &stage->before);
    set_ends(row, C_AFTER, &stage->after);
    corr_cell_set_count(row, C_FLOW, stage->flow + 1);
    corr_cell_set_count(row, C_FIRST, stage->first_frame);
    corr_cell_set_count(row, C_LAST, stage->last_frame);
    corr_cell_set_text(row, C_CONFIDENCE, stage->packets > 1 ? "confirmed" : "probable");
    g_string_truncate(text, 0);
    corr_nat_text(&stage->before, &stage->after, false, text);
    corr_cell_set_text(row, C_WHAT, text->str);
}

void corr_build_nat(const struct corr_result *r, const struct corr_frame_set *frames,
                    struct corr_report_table *out)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    g_autoptr(GPtrArray) stages = collect(r, mask);
    g_autoptr(GPtrArray) rows = g_ptr_array_new();

    g_ptr_array_sort(stages, compare_stages);
    for (unsigned i = 0; i < stages->len; i++) {
        struct stage *stage = g_ptr_array_index(stages, i);
        struct stage *last = rows->len ? g_ptr_array_index(rows, rows->len - 1) : NULL;
        if (last && same_stage(last, stage))
            absorb(last, stage);
        else
            g_ptr_array_add(rows, stage);
    }
    for (unsigned i = 0, end; i < rows->len; i = end) {
        uint32_t flow = ((struct stage *)g_ptr_array_index(rows, i))->flow;
        for (end = i; end < rows->len; end++)
            if (((struct stage *)g_ptr_array_index(rows, end))->flow != flow)
                break;
        if (end - i <= 64) /* far more than any path has translators; keeps a flood cheap */
            resolve_composed(rows, i, end);
    }
    g_ptr_array_sort(rows, compare_rows);
    for (unsigned i = 0; i < rows->len; i++) {
        const struct stage *stage = g_ptr_array_index(rows, i);
        if (!stage->composed)
            add_row(r, stage, out);
    }
}

CORR_TABLE_DEFINE(nat, "Translations, as the initiator's packets meet them",
                  "address and port translations: a row per conversation and stage", columns);
