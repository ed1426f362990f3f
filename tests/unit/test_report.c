/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_report.c - tables, built from answers that were put together by hand, and how they are
 * rendered; main program of all report tests.
 */
#include "test_report.h"

#define CORR_ROW(id) corr_build_##id,
static builder_func *const builders[] = {CORR_TABLES(CORR_ROW)}; /* as in corr_tables */
#undef CORR_ROW

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
    builder_latency(&b, builder_get_packet(&b, 0)->first + 1, 0, 7);
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

/* An ICMP error is translated with the conversation that it quotes. */
static void test_nat_leaves_errors_to_what_they_quote(void)
{
    struct builder b;
    builder_init(&b);
    uint32_t lan = builder_point(&b, "lan"), wan = builder_point(&b, "wan");
    uint32_t c = builder_conv(&b, wan, 1, "8.8.8.8", 0, "203.0.113.7", 0);
    uint32_t d = builder_conv(&b, lan, 1, "8.8.8.8", 0, "192.168.1.10", 0);
    uint32_t flow = builder_flow(&b, 1, c, d, CORR_NONE);
    builder_obs(&b, c, 0, 0);
    builder_obs(&b, d, 0, 1);
    builder_packet(&b, flow, 0, 0, 1, CORR_NONE)->kind = CORR_KIND_ICMP_ERROR;
    builder_finish(&b);
    struct corr_report_table *t = BUILD(nat, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 0);
    corr_report_table_free(t);
    builder_clear(&b);
}

static void test_flows_without_ip_are_a_note(void)
{
    struct builder b;
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    builder_send(&b, &net, 0, 0, 0, 1);
    uint32_t c = builder_conv(&b, net.lan, 0, "1.1", 0, "2.2", 0);
    uint32_t flow = builder_flow(&b, 0, c, CORR_NONE);
    uint32_t o = b.store->obs->len;
    builder_obs(&b, c, 0, 5);
    builder_packet(&b, flow, 0, o, CORR_NONE);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(flows, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 1);
    g_assert_cmpuint(t->notes->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(t->notes, 0), ==, "+ 1 flow without IP");
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
        "from,to,packets,lost,loss,missed,reordered,duplicated,latency_s.min,latency_s.p50,"
        "latency_s.p95,latency_s.p99,latency_s.max,latency_s.error,latency_s.clock_limited,"
                    "latency_s.p50_at_most,pdv_s,rtt_min_s\r\n"
        "\"a,\"\"b\"\"\",client,1,0,0,0,0,0,0.001,0.001,0.001,0.001,0.001,0.00002,,,0,\r\n");
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
    add_drops_tests();
    add_layers_tests();
    add_paths_tests();
    add_points_tests();
    g_test_add_func("/report/keys-are-a-contract", test_keys_are_a_contract);
    g_test_add_func("/report/filters-choose-packets", test_filters_choose_packets);
    g_test_add_func("/report/nothing-gives-empty-tables", test_nothing_gives_empty_tables);
    g_test_add_func("/segments/count-and-measure", test_segments_count_and_measure);
    g_test_add_func("/segments/nearest-rank", test_percentiles_are_of_nearest_rank);
    g_test_add_func("/segments/reordering-as-rfc-4737", test_reordering_as_rfc_4737_counts);
    g_test_add_func("/segments/capture-loss-in-its-gap", test_capture_loss_is_placed_in_its_gap);
    g_test_add_func("/nat/one-row-per-stage", test_nat_has_one_row_per_stage);
    g_test_add_func("/nat/stages-are-not-composed", test_nat_stages_are_not_composed);
    g_test_add_func("/nat/errors-are-related", test_nat_leaves_errors_to_what_they_quote);
    g_test_add_func("/flows/without-ip", test_flows_without_ip_are_a_note);
    g_test_add_func("/flows/see-both-sides", test_flows_see_both_sides);
    g_test_add_func("/render/csv-is-rfc-4180", test_csv_is_rfc_4180);
    g_test_add_func("/render/text-survives-names", test_text_survives_names);
    return g_test_run();
}
