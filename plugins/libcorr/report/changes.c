/* SPDX-License-Identifier: GPL-2.0-or-later */
/* changes.c - a row per header field that a segment rewrites, with how often and how. */
#include <stdlib.h>

#include "report/change.h"
#include "report/report-int.h"
#include "layers/segment.h"

/* clang-format off */
#define COLUMNS(X)                                                                                 \
    X(FROM,    "from",    "from",    TEXT,  COLUMN, NULL, "Point before the segment")              \
    X(TO,      "to",      "to",      TEXT,  COLUMN, NULL, "Point after it")                        \
    X(FIELD,   "field",   "field",   TEXT,  COLUMN, NULL, "What it rewrites: as in corr.change")   \
    X(CHANGE,  "change",  "change",  TEXT,  COLUMN, NULL,                                          \
      "How; of several ways the commonest; various: too many to name one")                         \
    X(WAYS,    "ways",    "ways",    COUNT, COLUMN, NULL, "In how many ways; absent: too many")    \
    X(PACKETS, "packets", "packets", COUNT, COLUMN, NULL, "Packets in which it did")               \
    X(SHARE,   "share",   "share",   RATIO, COLUMN, NULL,                                          \
      "Their share of those that were seen at both points")                                        \
    X(FRAME,   "frame",   "example", FRAME, COLUMN, NULL, "A frame after the commonest change")
/* clang-format on */

enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

/* A field that is rewritten in more ways has a new value each time: an identifier, a port. */
#define WAYS_MAX 16u

struct way {
    struct corr_change change;
    uint64_t packets;
    uint32_t frame; /* the first */
};

struct field {
    uint64_t key; /* segment's number << 16 | kind << 8 | option */
    const struct corr_segment *segment;
    uint64_t packets;
    unsigned n;
    bool many; /* more than WAYS_MAX */
    struct way ways[WAYS_MAX];
};

static struct field *field_get(GHashTable *fields, const struct corr_segment *segment,
                               const struct corr_change *change)
{
    uint64_t key = (uint64_t)segment->number << 16 | (uint64_t)change->kind << 8;
    struct field *field;

    /* Options are fields of their own; which tunnel was taken off is how, not what. */
    if (change->kind == CORR_CHANGE_TCP_OPTION)
        key |= change->option;
    field = g_hash_table_lookup(fields, &key);
    if (field == NULL) {
        field = g_new0(struct field, 1);
        field->key = key;
        field->segment = segment;
        g_hash_table_add(fields, field);
    }
    return field;
}

static void field_count(struct field *field, const struct corr_change *change, uint32_t frame)
{
    unsigned i = 0;

    field->packets++;
    while (i < field->n &&
           (field->ways[i].change.a != change->a || field->ways[i].change.b != change->b ||
            field->ways[i].change.option != change->option))
        i++;
    if (i == WAYS_MAX) {
        field->many = true;
        return;
    }
    if (i == field->n) {
        field->ways[i] = (struct way){*change, 0, frame};
        field->n++;
    }
    field->ways[i].packets++;
}

/* Segments in the order of their first packet, kinds in that of the list. */
static int compare_fields(const void *a, const void *b)
{
    const struct field *x = *(struct field *const *)a, *y = *(struct field *const *)b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void add_row(const struct corr_result *r, const struct field *field,
                    struct corr_report_table *out)
{
    struct corr_row *row = corr_report_row(out);
    const struct way *commonest = &field->ways[0];
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 1; i < field->n; i++)
        if (field->ways[i].packets > commonest->packets)
            commonest = &field->ways[i];
    corr_cell_set_text(row, C_FROM, corr_store_point(r->store, field->segment->from)->name);
    corr_cell_set_text(row, C_TO, corr_store_point(r->store, field->segment->to)->name);
    corr_change_field(&commonest->change, text);
    corr_cell_set_text(row, C_FIELD, text->str);
    g_string_truncate(text, 0);
    corr_change_value(r, &commonest->change, text);
    if (field->many)
        corr_cell_set_text(row, C_CHANGE, "various");
    else if (text->len)
        corr_cell_set_text(row, C_CHANGE, text->str);
    if (!field->many)
        corr_cell_set_count(row, C_WAYS, field->n);
    corr_cell_set_count(row, C_PACKETS, field->packets);
    corr_cell_set_number(row, C_SHARE, (double)field->packets / (double)field->segment->packets);
    corr_cell_set_count(row, C_FRAME, commonest->frame);
}

void corr_build_changes(const struct corr_result *r, const struct corr_frame_set *frames,
                        struct corr_report_table *out)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct corr_change));
    g_autoptr(GHashTable) fields = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    struct corr_segments *segments = corr_segments_new();
    guint n;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (p->ambiguous || !corr_packet_counts(mask, i))
            continue;
        for (uint32_t k = p->first; k < p->first + p->n; k++) {
            const struct corr_sighting *s = corr_result_sighting(r, k);
            if (s->prev == CORR_NONE || s->duplicate)
                continue;
            uint32_t from = corr_sighting_point(r, corr_result_sighting(r, s->prev));
            struct corr_segment *segment =
                corr_segment_get(segments, from, corr_sighting_point(r, s));
            segment->packets++;
            g_array_set_size(changes, 0);
            corr_change_collect(r, k, changes);
            for (unsigned c = 0; c < changes->len; c++) {
                const struct corr_change *change = &g_array_index(changes, struct corr_change, c);
                field_count(field_get(fields, segment, change), change,
                            corr_result_obs(r, s)->frame);
            }
        }
    }

    g_autofree struct field **rows = (struct field **)g_hash_table_get_keys_as_array(fields, &n);
    qsort(rows, n, sizeof(struct field *), compare_fields);
    for (guint i = 0; i < n; i++)
        add_row(r, rows[i], out);
    corr_segments_free(segments);
}

CORR_TABLE_DEFINE(changes, "Header fields that a segment rewrites",
                  "header fields that a segment rewrites, how, and how often", columns);
