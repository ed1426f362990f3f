/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_report.h - what the report's tests share: tables built without an
 * engine, and their cells by key; and the files that make up the tests.
 */
#ifndef TEST_REPORT_H
#define TEST_REPORT_H

#include "builder.h"

void add_drops_tests(void);
void add_layers_tests(void);
void add_paths_tests(void);
void add_points_tests(void);
void add_text_tests(void);

typedef void builder_func(const struct corr_result *r, const struct corr_frame_set *frames,
                          struct corr_report_table *out);

/* Builds a table without an engine. */
static inline struct corr_report_table *build(const struct corr_table *table, builder_func *func,
                                              const struct builder *b,
                                              const struct corr_frame_set *frames)
{
    struct corr_report_table *t = corr_report_table_new(table);
    func(&b->result, frames, t);
    return t;
}
#define BUILD(id, b, frames) build(&corr_table_##id, corr_build_##id, b, frames)

static inline unsigned column(const struct corr_column *columns, const char *key)
{
    for (unsigned i = 0; columns[i].key; i++)
        if (strcmp(columns[i].key, key) == 0)
            return i;
    g_error("no column %s", key);
}

static inline const struct corr_row *row(const struct corr_report_table *t, unsigned i)
{
    g_assert_cmpuint(i, <, t->rows->len);
    return g_ptr_array_index(t->rows, i);
}

static inline const struct corr_cell *cell(const struct corr_report_table *t, unsigned i,
                                           const char *key)
{
    return &row(t, i)->cells[column(t->table->columns, key)];
}

/* A cell of a cell's object, or of member `k` of its list. */
static inline const struct corr_cell *inner(const struct corr_report_table *t, unsigned i,
                                            const char *key, unsigned k, const char *inner_key)
{
    unsigned c = column(t->table->columns, key);
    const struct corr_cell *outer = &row(t, i)->cells[c];
    g_assert_true(outer->present);
    g_assert_cmpuint(k, <, outer->list->len);
    const struct corr_row *sub = g_ptr_array_index(outer->list, k);
    return &sub->cells[column(t->table->columns[c].sub, inner_key)];
}

static inline void check_width(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_assert_cmpint(g_utf8_strlen(*line, -1), <=, 80);
        g_assert_false(g_str_has_suffix(*line, " "));
    }
    g_assert_true(g_str_has_suffix(text, "\n"));
}

/* Ten requests with answers; the 4th request is lost before the server and sent again. */
static inline struct snat_net build_lossy(struct builder *b)
{
    builder_init(b);
    struct snat_net net = builder_snat_net(b);
    for (int i = 0; i < 10; i++) {
        builder_send(b, &net, 0, i * 10000000, 0, i == 3 ? 2 : 3);
        if (i == 3) {
            builder_send(b, &net, 0, i * 10000000 + 4000000, 0, 3);
            struct corr_packet *p = builder_get_packet(b, b->result.packets->len - 2);
            p->fate = CORR_FATE_CONFIRMED;
            p->cause = CORR_CAUSE_QUEUE;
            p->drop_after = p->first + 2;
            p->drop_before = net.server;
            p->evidence = b->store->last_frame - 3;
            builder_get_packet(b, b->result.packets->len - 1)->original =
                b->result.packets->len - 2;
        }
        builder_send(b, &net, 1, i * 10000000 + 5000000, 3, 0);
    }
    return net;
}

#endif /* TEST_REPORT_H */
