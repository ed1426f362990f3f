/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_report_points.c - the pre-flight check: points, their clocks and their verdicts. */
#include "test_report.h"

/* `tcpdump -i any`: the interface itself is no point once it is divided. */
static void test_divided_interfaces(void)
{
    struct builder b;
    builder_init(&b);
    uint32_t any = builder_point(&b, "any");
    builder_point(&b, "other");
    uint32_t part = builder_point(&b, "any/if2");
    struct corr_point *point = g_ptr_array_index(b.store->points, part);
    point->interface = corr_store_point(b.store, any)->interface;
    point->ifindex = 2;
    uint32_t c = builder_conv(&b, part, 17, "10.0.0.1", 1, "10.0.0.2", 2);
    builder_obs(&b, c, 0, 0);
    builder_packet(&b, CORR_NONE, 0, 0, CORR_NONE);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(points, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 2);
    g_assert_cmpstr(cell(t, 0, "name")->text, ==, "other");
    g_assert_cmpstr(cell(t, 1, "name")->text, ==, "any/if2");
    corr_report_table_free(t);
    builder_clear(&b);
}

/* What mergecap collapsed into one interface: the warning stands at each of its points. */
static void test_collapsed_interfaces(void)
{
    struct builder b;
    builder_init(&b);
    uint32_t whole = builder_point(&b, "if0");
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t part = builder_point(&b, i ? "if0/b" : "if0/a");
        struct corr_point *point = g_ptr_array_index(b.store->points, part);
        point->interface = corr_store_point(b.store, whole)->interface;
        point->segment = i + 1;
        builder_obs(&b, builder_conv(&b, part, 17, "10.0.0.1", 1, "10.0.0.2", 2), 0, i);
    }
    builder_packet(&b, CORR_NONE, 0, 0, 1, CORR_NONE);
    g_array_append_val(b.result.collapsed, whole);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(points, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 2);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpstr(cell(t, i, "verdict")->text, ==, "use with care");
        g_assert_nonnull(strstr(g_ptr_array_index(cell(t, i, "reasons")->list, 0),
                                "merge again with 'mergecap -I none'"));
    }
    corr_report_table_free(t);
    builder_clear(&b);
}

/* Captures of both sides of a translator, collapsed: one point shows packets in two forms. */
static void test_readdressed_packets_hint_at_mergecap(void)
{
    struct builder b;
    builder_init(&b);
    uint32_t point = builder_point(&b, "if0");
    uint32_t c = builder_conv(&b, point, 17, "192.168.1.10", 1000, "8.8.8.8", 53);
    uint32_t d = builder_conv(&b, point, 17, "203.0.113.7", 3000, "8.8.8.8", 53);
    uint32_t flow = builder_flow(&b, 17, c, d, CORR_NONE);
    builder_obs(&b, c, 0, 0);
    builder_obs(&b, d, 0, 1000);
    builder_packet(&b, flow, 0, 0, 1, CORR_NONE);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(points, &b, NULL);
    g_assert_nonnull(strstr(g_ptr_array_index(cell(t, 0, "reasons")->list, 0),
                            "were several captures merged into this one interface?"));
    corr_report_table_free(t);
    builder_clear(&b);
}

/* One packet at each of two points, which have nothing in common. */
static char *note_of_strangers(int64_t apart_ns, unsigned n)
{
    struct builder b;
    builder_init(&b);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t c = builder_conv(&b, builder_point(&b, i ? "b" : "a"), 17,
                                  i ? "10.0.0.1" : "10.0.0.7", 1, "10.0.0.2", 2);
        builder_obs(&b, c, 0, i * apart_ns);
        builder_packet(&b, CORR_NONE, 0, i, CORR_NONE);
    }
    builder_finish(&b);
    struct corr_report_table *t = BUILD(points, &b, NULL);
    g_assert_cmpuint(t->notes->len, ==, 1);
    char *note = g_strdup(g_ptr_array_index(t->notes, 0));
    corr_report_table_free(t);
    builder_clear(&b);
    return note;
}

static void test_points_say_that_nothing_matches(void)
{
    g_autofree char *one = note_of_strangers(0, 1);
    g_assert_true(g_str_has_prefix(one, "Nothing can match: there is one capture point."));
    g_autofree char *apart = note_of_strangers(1000, 2);
    g_assert_nonnull(strstr(apart, "do not overlap in time"));
    g_autofree char *together = note_of_strangers(0, 2);
    g_assert_nonnull(strstr(together, "is it of the same path?"));
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

void add_points_tests(void)
{
    g_test_add_func("/points/divided", test_divided_interfaces);
    g_test_add_func("/points/collapsed", test_collapsed_interfaces);
    g_test_add_func("/points/readdressed", test_readdressed_packets_hint_at_mergecap);
    g_test_add_func("/points/nothing-matches", test_points_say_that_nothing_matches);
    g_test_add_func("/points/give-reasons", test_points_give_reasons);
    g_test_add_func("/points/clock", test_clock_cells_follow_the_contract);
}
