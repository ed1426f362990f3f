/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_report.c - tables, built from answers that were put together by hand, and how they are
 * rendered; main program of all report tests.
 */
#include "builder.h"
#include "test_report.h"

typedef void builder_func(const struct corr_result *r, const struct corr_frame_set *frames,
                          struct corr_report_table *out);

/* Builds a table without an engine. */
static struct corr_report_table *build(const struct corr_table *table, builder_func *func,
                                       const struct builder *b, const struct corr_frame_set *frames)
{
    struct corr_report_table *t = corr_report_table_new(table);
    func(&b->result, frames, t);
    return t;
}
#define BUILD(id, b, frames) build(&corr_table_##id, corr_build_##id, b, frames)

#define CORR_ROW(id) corr_build_##id,
static builder_func *const builders[] = {CORR_TABLES(CORR_ROW)}; /* as in corr_tables */
#undef CORR_ROW

static unsigned column(const struct corr_column *columns, const char *key)
{
    for (unsigned i = 0; columns[i].key; i++)
        if (strcmp(columns[i].key, key) == 0)
            return i;
    g_error("no column %s", key);
}

static const struct corr_row *row(const struct corr_report_table *t, unsigned i)
{
    g_assert_cmpuint(i, <, t->rows->len);
    return g_ptr_array_index(t->rows, i);
}

static const struct corr_cell *cell(const struct corr_report_table *t, unsigned i, const char *key)
{
    return &row(t, i)->cells[column(t->table->columns, key)];
}

/* A cell of a cell's object, or of member `k` of its list. */
static const struct corr_cell *inner(const struct corr_report_table *t, unsigned i, const char *key,
                                     unsigned k, const char *inner_key)
{
    unsigned c = column(t->table->columns, key);
    const struct corr_cell *outer = &row(t, i)->cells[c];
    g_assert_true(outer->present);
    g_assert_cmpuint(k, <, outer->list->len);
    const struct corr_row *sub = g_ptr_array_index(outer->list, k);
    return &sub->cells[column(t->table->columns[c].sub, inner_key)];
}

static void check_width(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_assert_cmpint(g_utf8_strlen(*line, -1), <=, 80);
        g_assert_false(g_str_has_suffix(*line, " "));
    }
    g_assert_true(g_str_has_suffix(text, "\n"));
}

static void test_keys_are_a_contract(void)
{
    static const char *const segments[] = {"from",   "to",        "packets",   "lost",
                                           "missed", "reordered", "latency_s", "rtt_min_s"};
    static const char *const nat[] = {"kind",    "protocol", "from", "to",
                                      "packets", "before",   "after"};
    static const char *const drops[] = {"frame",   "match_id", "flow",     "after",  "before",
                                        "verdict", "cause",    "evidence", "packets"};
    static const char *const points[] = {"name",    "frames", "first_s", "last_s", "resolution_s",
                                         "matched", "clock",  "verdict", "reasons"};
    for (unsigned i = 0; i < G_N_ELEMENTS(segments); i++)
        column(corr_table_segments.columns, segments[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(nat); i++)
        column(corr_table_nat.columns, nat[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(drops); i++)
        column(corr_table_drops.columns, drops[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(points); i++)
        column(corr_table_points.columns, points[i]);
    for (unsigned i = 0; i < corr_table_count; i++) {
        g_assert_true(corr_table_find(corr_tables[i]->key) == corr_tables[i]);
        for (unsigned k = 0; k < corr_table_count; k++)
            g_assert_true(i == k || !g_str_has_prefix(corr_tables[i]->key, corr_tables[k]->key));
    }
    g_assert_null(corr_table_find("point"));
}

/* Ten requests with answers; the 4th request is lost before the server and sent again. */
static struct snat_net build_lossy(struct builder *b)
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

static void test_segments_count_and_measure(void)
{
    struct builder b;
    build_lossy(&b);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(segments, &b, NULL);
    /* client>lan, lan>wan, wan>server and back */
    g_assert_cmpuint(t->rows->len, ==, 6);
    g_assert_cmpstr(cell(t, 2, "from")->text, ==, "wan");
    g_assert_cmpstr(cell(t, 2, "to")->text, ==, "server");
    g_assert_cmpuint(cell(t, 1, "packets")->count, ==, 11);
    g_assert_cmpuint(cell(t, 1, "lost")->count, ==, 0);
    g_assert_cmpuint(cell(t, 2, "packets")->count, ==, 10);
    g_assert_cmpuint(cell(t, 2, "lost")->count, ==, 1);
    g_assert_cmpuint(cell(t, 2, "reordered")->count, ==, 0);
    g_assert_cmpint(inner(t, 2, "latency_s", 0, "p50")->time_ns, ==, 1000000);
    g_assert_cmpint(inner(t, 2, "latency_s", 0, "error")->time_ns, ==, 20000);
    g_assert_cmpint(cell(t, 2, "rtt_min_s")->time_ns, ==, 2000000);
    g_autofree char *text = corr_render_text(t);
    check_width(text);
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_percentiles_are_of_nearest_rank(void)
{
    struct builder b;
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    for (int i = 1; i <= 100; i++) {
        struct corr_packet *p = builder_send(&b, &net, 0, i * 1000000, 0, 1);
        builder_latency(&b, p->first + 1, (i * 37 % 100 + 1) * 1000, i);
    }
    builder_latency(&b, builder_get_packet(&b, 0)->first + 1, -5, 7); /* the clock's error */
    builder_finish(&b);
    struct corr_report_table *t = BUILD(segments, &b, NULL);
    g_assert_cmpint(inner(t, 0, "latency_s", 0, "min")->time_ns, ==, 0);
    g_assert_cmpint(inner(t, 0, "latency_s", 0, "p50")->time_ns, ==, 50000);
    g_assert_cmpint(inner(t, 0, "latency_s", 0, "p95")->time_ns, ==, 95000);
    g_assert_cmpint(inner(t, 0, "latency_s", 0, "p99")->time_ns, ==, 99000);
    g_assert_cmpint(inner(t, 0, "latency_s", 0, "max")->time_ns, ==, 100000);
    g_assert_cmpint(inner(t, 0, "latency_s", 0, "error")->time_ns, ==, 100);
    g_assert_false(cell(t, 0, "rtt_min_s")->present); /* one way only */
    corr_report_table_free(t);
    builder_clear(&b);
}

/* Sent 1 2 3 4 5, arrived 2 3 1 5 4: two came after a later one. */
static void test_reordering_as_rfc_4737_counts(void)
{
    static const uint32_t arrival[] = {1, 2, 0, 4, 3};
    uint32_t seen[5];
    struct builder b;
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    for (int i = 0; i < 5; i++)
        builder_obs(&b, net.convs[0], 0, i);
    for (uint32_t i = 0; i < 5; i++) {
        seen[arrival[i]] = b.store->obs->len;
        builder_obs(&b, net.convs[1], 0, 100 + i);
    }
    for (uint32_t i = 0; i < 5; i++)
        builder_packet(&b, net.flow, 0, i, seen[i], CORR_NONE);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(segments, &b, NULL);
    g_assert_cmpuint(cell(t, 0, "reordered")->count, ==, 2);
    corr_report_table_free(t);
    builder_clear(&b);
}

/* wan saw nine of ten packets that went from lan to server. */
static void test_capture_loss_is_placed_in_its_gap(void)
{
    struct builder b;
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    for (int i = 0; i < 9; i++)
        builder_send(&b, &net, 0, i * 10000000, 0, 3);
    uint32_t o = b.store->obs->len;
    builder_obs(&b, net.convs[0], 0, 100000000);
    builder_obs(&b, net.convs[1], 0, 101000000);
    builder_obs(&b, net.convs[3], 0, 103000000);
    builder_packet(&b, net.flow, 0, o, o + 1, o + 2, CORR_NONE);
    builder_missed(&b, 9, net.wan);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(segments, &b, NULL);
    g_assert_cmpstr(cell(t, 1, "to")->text, ==, "wan");
    g_assert_cmpuint(cell(t, 1, "missed")->count, ==, 1);
    g_assert_cmpuint(cell(t, 1, "lost")->count, ==, 0);
    g_assert_cmpuint(cell(t, 0, "missed")->count, ==, 0);
    corr_report_table_free(t);

    t = BUILD(points, &b, NULL);
    g_assert_cmpuint(cell(t, 2, "missed")->count, ==, 1);
    g_assert_cmpstr(cell(t, 2, "verdict")->text, ==, "not trustworthy"); /* 10 % */
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_nat_has_one_row_per_stage(void)
{
    struct builder b;
    build_lossy(&b);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(nat, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 1);
    g_assert_cmpstr(cell(t, 0, "kind")->text, ==, "snat");
    g_assert_cmpstr(cell(t, 0, "protocol")->text, ==, "tcp");
    g_assert_cmpstr(cell(t, 0, "from")->text, ==, "lan");
    g_assert_cmpstr(cell(t, 0, "to")->text, ==, "wan");
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 21);
    g_assert_cmpstr(inner(t, 0, "before", 0, "src")->text, ==, "192.168.1.10");
    g_assert_cmpuint(inner(t, 0, "before", 0, "src_port")->count, ==, 54321);
    g_assert_cmpstr(inner(t, 0, "after", 0, "src")->text, ==, "203.0.113.7");
    g_assert_cmpuint(inner(t, 0, "after", 0, "src_port")->count, ==, 18311);
    g_assert_cmpstr(inner(t, 0, "after", 0, "dst")->text, ==, "198.51.100.5");
    g_assert_cmpuint(inner(t, 0, "after", 0, "dst_port")->count, ==, 80);
    g_autofree char *text = corr_render_text(t);
    check_width(text);
    corr_report_table_free(t);
    builder_clear(&b);
}

/* Two translators; one packet was missed between them, which makes no third row. */
static void test_nat_stages_are_not_composed(void)
{
    struct builder b;
    builder_init(&b);
    uint32_t p[3], c[3];
    for (int i = 0; i < 3; i++)
        p[i] = builder_point(&b, (const char *[]){"lan", "mid", "wan"}[i]);
    c[0] = builder_conv(&b, p[0], 17, "192.168.1.10", 1000, "8.8.8.8", 53);
    c[1] = builder_conv(&b, p[1], 17, "100.64.0.9", 2000, "8.8.8.8", 53);
    c[2] = builder_conv(&b, p[2], 17, "203.0.113.7", 3000, "8.8.8.8", 53);
    uint32_t flow = builder_flow(&b, 17, c[0], c[1], c[2], CORR_NONE);
    for (int i = 0; i < 3; i++)
        builder_obs(&b, c[i], 0, i);
    builder_packet(&b, flow, 0, 0, 1, 2, CORR_NONE);
    builder_obs(&b, c[2], 1, 10);
    builder_obs(&b, c[0], 1, 12);
    builder_packet(&b, flow, 1, 3, 4, CORR_NONE);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(nat, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 2);
    for (unsigned i = 0; i < 2; i++)
        g_assert_cmpuint(cell(t, i, "packets")->count, ==, 2);
    g_assert_cmpstr(cell(t, 0, "from")->text, ==, "lan");
    g_assert_cmpstr(cell(t, 0, "to")->text, ==, "mid");
    g_assert_cmpstr(cell(t, 1, "from")->text, ==, "mid");
    g_assert_cmpstr(cell(t, 1, "to")->text, ==, "wan");
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_drops_say_what_happened(void)
{
    struct builder b;
    build_lossy(&b);
    struct corr_packet *p = builder_get_packet(&b, 0);
    p->fate = CORR_FATE_UNDETERMINED;
    p->reason = "not covered at";
    p->drop_after = p->first + 3;
    p->drop_before = 3;
    builder_finish(&b);
    struct corr_report_table *t = BUILD(drops, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 1);
    const struct corr_packet *lost = corr_result_packet(&b.result, 6);
    g_assert_cmpuint(
        cell(t, 0, "frame")->count, ==,
        corr_result_obs(&b.result, corr_result_sighting(&b.result, lost->drop_after))->frame);
    g_assert_cmpuint(cell(t, 0, "match_id")->count, ==, 7);
    g_assert_cmpstr(cell(t, 0, "after")->text, ==, "wan");
    g_assert_cmpstr(cell(t, 0, "before")->text, ==, "server");
    g_assert_cmpstr(cell(t, 0, "verdict")->text, ==, "confirmed");
    g_assert_cmpstr(cell(t, 0, "cause")->text, ==, "queue");
    g_assert_cmpuint(g_array_index(cell(t, 0, "evidence")->frames, uint32_t, 0), ==,
                     lost->evidence);
    g_autofree char *end = g_strdup_printf("seen at client, lan and wan, never at server; frame %u "
                                           "retransmits it",
                                           lost->evidence);
    g_assert_true(g_str_has_prefix(cell(t, 0, "what")->text,
                                   "TCP 192.168.1.10:54321 > 198.51.100.5:80 seq 0 len 100: "));
    g_assert_true(g_str_has_suffix(cell(t, 0, "what")->text, end));
    g_assert_cmpuint(t->notes->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(t->notes, 0), "(not covered at server: 1)"));
    g_autofree char *text = corr_render_text(t);
    check_width(text);
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_ambiguous_losses_are_counted_without_a_frame(void)
{
    struct builder b;
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    for (int i = 0; i < 5; i++) {
        struct corr_packet *p = builder_send(&b, &net, 0, i * 1000, 0, 0);
        p->ambiguous = true;
        if (i < 2)
            continue;
        p->fate = CORR_FATE_PROBABLE;
        p->drop_after = p->first;
        p->drop_before = net.lan;
    }
    builder_finish(&b);
    struct corr_report_table *t = BUILD(drops, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 1);
    g_assert_false(cell(t, 0, "frame")->present);
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 3);
    corr_report_table_free(t);
    t = BUILD(segments, &b, NULL);
    g_assert_cmpuint(cell(t, 0, "lost")->count, ==, 3);
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_flows_see_both_sides(void)
{
    struct builder b;
    build_lossy(&b);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(flows, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 1);
    g_assert_cmpstr(cell(t, 0, "initiator")->text, ==, "192.168.1.10:54321");
    g_assert_cmpstr(cell(t, 0, "responder")->text, ==, "198.51.100.5:80");
    g_assert_cmpstr(cell(t, 0, "path")->text, ==, "client > lan > wan > server");
    g_assert_cmpstr(cell(t, 0, "path_back")->text, ==, "server > wan > lan > client");
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 11);
    g_assert_cmpuint(cell(t, 0, "packets_back")->count, ==, 10);
    g_assert_cmpuint(cell(t, 0, "payload_bytes")->count, ==, 1100);
    g_assert_cmpuint(cell(t, 0, "lost")->count, ==, 1);
    g_assert_cmpuint(cell(t, 0, "retransmissions")->count, ==, 1);
    g_assert_cmpstr(inner(t, 0, "points", 2, "initiator")->text, ==, "203.0.113.7:18311");
    g_assert_cmpuint(inner(t, 0, "segments", 2, "lost")->count, ==, 1);
    g_autofree char *text = corr_render_text(t);
    check_width(text);
    g_assert_nonnull(strstr(text, "path: client > lan > wan > server\n"));
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_points_give_reasons(void)
{
    struct builder b;
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    uint32_t far = builder_point(&b, "elsewhere");
    builder_point(&b, "silent");
    for (int i = 0; i < 5; i++)
        builder_send(&b, &net, 0, i * 10000000, 0, 3);
    uint32_t o = b.store->obs->len;
    builder_obs(&b, builder_conv(&b, far, 17, "1.1.1.1", 1, "2.2.2.2", 2), 0, 1);
    builder_packet(&b, CORR_NONE, 0, o, CORR_NONE);
    builder_finish(&b);
    uint32_t lan = net.lan;
    g_array_append_val(b.result.collapsed, lan);
    struct corr_report_table *t = BUILD(points, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 6);
    g_assert_cmpuint(cell(t, 0, "frames")->count, ==, 5);
    g_assert_cmpint(cell(t, 0, "first_s")->time_ns, ==, 0);
    g_assert_cmpint(cell(t, 0, "last_s")->time_ns, ==, 40000000);
    g_assert_cmpint(cell(t, 0, "resolution_s")->time_ns, ==, 10000000);
    g_assert_cmpfloat(cell(t, 0, "matched")->number, ==, 1);
    g_assert_cmpstr(inner(t, 0, "clock", 0, "reference")->text, ==, "client");
    g_autofree char *text = corr_render_text(t);
    g_assert_nonnull(strstr(text, "mergecap -I none"));
    check_width(text);
    g_assert_cmpstr(cell(t, 4, "verdict")->text, ==, "not trustworthy");
    g_assert_cmpstr(cell(t, 5, "verdict")->text, ==, "not trustworthy");
    g_assert_false(cell(t, 5, "first_s")->present);
    g_assert_false(cell(t, 4, "resolution_s")->present);
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_clock_cells_follow_the_contract(void)
{
    struct builder b;
    builder_init(&b);
    builder_snat_net(&b);
    builder_finish(&b);
    const struct corr_column *columns =
        corr_table_points.columns[column(corr_table_points.columns, "clock")].sub;
    struct corr_report_table *t = corr_report_table_new(&corr_table_points);
    struct corr_row *clock =
        corr_cell_add_row(corr_report_row(t), column(corr_table_points.columns, "clock"), columns);
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_piece));
    struct corr_clock_piece piece = {
        BUILDER_BASE_NS, BUILDER_BASE_NS + 1000000000, 12300000, 100000, 1.5, true};
    g_array_append_val(pieces, piece);
    corr_points_fill_clock(clock, &b.result, 1, CORR_CLOCK_BOUNDED, pieces, BUILDER_BASE_NS);
    g_assert_cmpint(clock->cells[column(columns, "offset_s")].time_ns, ==, 12300000);
    g_assert_cmpint(clock->cells[column(columns, "error_s")].time_ns, ==, 100000);
    g_assert_cmpint(clock->cells[column(columns, "at_s")].time_ns, ==, 500000000);
    g_assert_cmpfloat(clock->cells[column(columns, "drift_ppm")].number, ==, 1.5);
    g_assert_cmpuint(clock->cells[column(columns, "pieces")].list->len, ==, 1);
    corr_report_table_free(t);

    t = corr_report_table_new(&corr_table_points);
    clock =
        corr_cell_add_row(corr_report_row(t), column(corr_table_points.columns, "clock"), columns);
    corr_points_fill_clock(clock, &b.result, 1, CORR_CLOCK_DRIFT_ONLY, pieces, BUILDER_BASE_NS);
    g_assert_false(clock->cells[column(columns, "offset_s")].present);
    g_assert_true(clock->cells[column(columns, "drift_ppm")].present);
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_filters_choose_packets(void)
{
    struct builder b;
    build_lossy(&b);
    builder_finish(&b);
    struct corr_frame_set *set = corr_frame_set_new();
    corr_frame_set_add(set, 1); /* of four frames that show the first packet */
    struct corr_report_table *t = BUILD(segments, &b, set);
    g_assert_cmpuint(t->rows->len, ==, 3);
    g_assert_cmpuint(cell(t, 2, "packets")->count, ==, 1);
    corr_report_table_free(t);
    t = BUILD(points, &b, set);
    g_assert_cmpuint(cell(t, 0, "frames")->count, ==, 1);
    g_assert_cmpuint(cell(t, 1, "frames")->count, ==, 0);
    corr_report_table_free(t);
    t = BUILD(drops, &b, set);
    g_assert_cmpuint(t->rows->len, ==, 0);
    g_autofree char *text = corr_render_text(t);
    g_assert_nonnull(strstr(text, "(none)\n"));
    corr_report_table_free(t);
    t = BUILD(flows, &b, set);
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 1);
    corr_report_table_free(t);
    t = BUILD(nat, &b, set);
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 1);
    corr_report_table_free(t);
    corr_frame_set_free(set);
    builder_clear(&b);
}

static void test_csv_is_rfc_4180(void)
{
    struct builder b;
    builder_init(&b);
    builder_point(&b, "a,\"b\"");
    struct snat_net net = builder_snat_net(&b);
    for (uint32_t i = 0; i < 4; i++) /* the point in front moved the others */
        net.convs[i] = builder_conv(&b, i, 6, "10.0.0.1", 1, "10.0.0.2", 2);
    builder_send(&b, &net, 0, 0, 0, 1);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(segments, &b, NULL);
    g_autofree char *csv = corr_render_csv(t);
    g_assert_cmpstr(
        csv, ==,
        "from,to,packets,lost,missed,reordered,duplicated,latency_s.min,latency_s.p50,"
        "latency_s.p95,latency_s.p99,latency_s.max,latency_s.error,pdv_s,rtt_min_s\r\n"
        "\"a,\"\"b\"\"\",client,1,0,0,0,0,0.001,0.001,0.001,0.001,0.001,0.00002,0,\r\n");
    corr_report_table_free(t);
    t = BUILD(flows, &b, NULL);
    g_autofree char *flows = corr_render_csv(t);
    g_assert_nonnull(
        strstr(flows, ",points.point,points.initiator,points.responder,segments.from,"));
    corr_report_table_free(t);
    builder_clear(&b);
}

/* Whatever the names are, text output stays in its lines and steers no terminal. */
static void test_text_survives_names(void)
{
    struct builder b;
    builder_init(&b);
    builder_point(&b, "\x1b[31m an interface with a description that never comes to an end at all");
    builder_point(&b, "\xff\xfe");
    uint32_t c = builder_conv(&b, 0, 6, "10.0.0.1", 1, "10.0.0.2", 2);
    uint32_t d = builder_conv(&b, 1, 6, "2001:db8:1:2:3:4:5:6", 1, "10.0.0.2", 2);
    uint32_t flow = builder_flow(&b, 6, c, d, CORR_NONE);
    builder_obs(&b, c, 0, 0);
    builder_obs(&b, d, 0, 5);
    struct corr_packet *p = builder_packet(&b, flow, 0, 0, 1, CORR_NONE);
    p->fate = CORR_FATE_BLOCKED;
    p->drop_after = 1;
    builder_finish(&b);
    for (unsigned i = 0; i < corr_table_count; i++) {
        struct corr_report_table *t = build(corr_tables[i], builders[i], &b, NULL);
        g_autofree char *text = corr_render_text(t);
        g_autofree char *csv = corr_render_csv(t);
        g_assert_true(g_utf8_validate(text, -1, NULL));
        g_assert_true(g_utf8_validate(csv, -1, NULL));
        g_assert_null(strchr(text, '\x1b'));
        check_width(text);
        corr_report_table_free(t);
    }
    builder_clear(&b);
}

static void test_nothing_gives_empty_tables(void)
{
    struct builder b;
    builder_init(&b);
    builder_finish(&b);
    for (unsigned i = 0; i < corr_table_count; i++) {
        struct corr_report_table *t = build(corr_tables[i], builders[i], &b, NULL);
        g_assert_cmpuint(t->rows->len, ==, 0);
        g_autofree char *text = corr_render_text(t);
        g_assert_true(g_str_has_suffix(text, "\n"));
        corr_report_table_free(t);
    }
    builder_clear(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_text_tests();
    g_test_add_func("/report/keys-are-a-contract", test_keys_are_a_contract);
    g_test_add_func("/report/filters-choose-packets", test_filters_choose_packets);
    g_test_add_func("/report/nothing-gives-empty-tables", test_nothing_gives_empty_tables);
    g_test_add_func("/segments/count-and-measure", test_segments_count_and_measure);
    g_test_add_func("/segments/nearest-rank", test_percentiles_are_of_nearest_rank);
    g_test_add_func("/segments/reordering-as-rfc-4737", test_reordering_as_rfc_4737_counts);
    g_test_add_func("/segments/capture-loss-in-its-gap", test_capture_loss_is_placed_in_its_gap);
    g_test_add_func("/nat/one-row-per-stage", test_nat_has_one_row_per_stage);
    g_test_add_func("/nat/stages-are-not-composed", test_nat_stages_are_not_composed);
    g_test_add_func("/drops/say-what-happened", test_drops_say_what_happened);
    g_test_add_func("/drops/ambiguous", test_ambiguous_losses_are_counted_without_a_frame);
    g_test_add_func("/flows/see-both-sides", test_flows_see_both_sides);
    g_test_add_func("/points/give-reasons", test_points_give_reasons);
    g_test_add_func("/points/clock", test_clock_cells_follow_the_contract);
    g_test_add_func("/render/csv-is-rfc-4180", test_csv_is_rfc_4180);
    g_test_add_func("/render/text-survives-names", test_text_survives_names);
    return g_test_run();
}
