/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_report_paths.c - the tables `paths` and `changes`, of small networks with a known truth. */
#include "test_report.h"
#include "world.h"

static struct corr_report_table *table_of(struct world *w, const struct corr_table *table)
{
    return corr_report_build(w->engine, table, NULL);
}

/* Ten questions and answers along a way; each flow has a port of its own. */
static void talk(struct world *w, const struct way *way, uint16_t port, unsigned lost)
{
    for (unsigned i = 0; i < 10; i++) {
        struct shape p = udp(1, port, 2, 53, port * 100u + i), q = turned(&p);

        q.content += 1000000;
        p.ip_id = (uint16_t)(port + i);
        q.ip_id = (uint16_t)(port + i + 30000);
        walk(w, way, MS(port) + MS(40) * i, p, i == lost ? way->n - 1 : way->n);
        if (i != lost)
            walk_back(w, way, MS(port) + MS(40) * i + MS(20), q, way->n);
    }
}

static void test_flows_of_one_way_share_a_row(void)
{
    struct world *w = world_new();
    uint32_t client = world_point(w, "client"), left = world_point(w, "left"),
             right = world_point(w, "right"), server = world_point(w, "server");
    struct way one = way_of((uint32_t[]){client, left, server}, 3, MS(1));
    struct way two = way_of((uint32_t[]){client, right, server}, 3, MS(3));

    one.routed = two.routed = true;
    talk(w, &one, 100, 5);
    talk(w, &one, 130, 99);
    talk(w, &two, 160, 99);
    world_run(w);
    struct corr_report_table *t = table_of(w, &corr_table_paths);
    g_assert_cmpuint(t->rows->len, ==, 2);
    g_assert_cmpstr(cell(t, 0, "path")->text, ==, "client > left > server");
    g_assert_cmpstr(cell(t, 0, "path_back")->text, ==, "server > left > client");
    g_assert_cmpuint(cell(t, 0, "flows")->count, ==, 2);
    g_assert_cmpuint(cell(t, 0, "flow")->count, ==, 1);
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 20);
    g_assert_cmpuint(cell(t, 0, "lost")->count, ==, 1);
    g_assert_cmpuint(cell(t, 0, "packets_back")->count, ==, 19);
    g_assert_cmpuint(cell(t, 0, "lost_back")->count, ==, 0);
    int64_t p50 = inner(t, 0, "latency_s", 0, "p50")->time_ns;
    int64_t error = inner(t, 0, "latency_s", 0, "error")->time_ns;
    g_assert_cmpint(ABS(p50 - MS(2)), <=, error);
    g_assert_cmpint(error, <=, MS(2) + US(50)); /* half the round trip, and slack */
    g_assert_cmpstr(cell(t, 1, "path")->text, ==, "client > right > server");
    g_assert_cmpuint(cell(t, 1, "flows")->count, ==, 1);
    g_assert_cmpuint(cell(t, 1, "points")->list->len, ==, 3);
    g_assert_cmpstr(g_ptr_array_index(cell(t, 1, "points_back")->list, 0), ==, "server");
    g_autofree char *text = corr_render_text(t);
    check_width(text);
    corr_report_table_free(t);
    world_free(w);
}

/* One flow, two ways: packets take turns. */
static void test_branches_stand_in_braces(void)
{
    struct world *w = world_new();
    uint32_t client = world_point(w, "client"), left = world_point(w, "left"),
             deep = world_point(w, "deep"), right = world_point(w, "right"),
             server = world_point(w, "server");
    struct way one = way_of((uint32_t[]){client, left, deep, server}, 4, MS(1));
    struct way two = way_of((uint32_t[]){client, right, server}, 3, MS(1));

    one.routed = two.routed = true;
    for (unsigned i = 0; i < 20; i++) {
        struct shape p = udp(1, 5000, 2, 53, i);

        p.ip_id = (uint16_t)(i + 1);
        walk(w, i % 2 ? &one : &two, MS(20) * i, p, 4);
    }
    world_run(w);
    struct corr_report_table *t = table_of(w, &corr_table_paths);
    g_assert_cmpuint(t->rows->len, ==, 1);
    g_assert_cmpstr(cell(t, 0, "path")->text, ==, "client > {left > deep, right} > server");
    g_assert_cmpstr(g_ptr_array_index(cell(t, 0, "points")->list, 1), ==, "{left > deep, right}");
    g_assert_false(cell(t, 0, "path_back")->present);
    g_assert_false(cell(t, 0, "packets_back")->present);
    g_assert_false(cell(t, 0, "latency_s")->present); /* one way: no clock */
    corr_report_table_free(t);
    world_free(w);
}

/* One way, one TTL, no loss: nobody can know which of two points comes first. */
static void test_an_unknown_order_is_no_branch(void)
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b"), c = world_point(w, "c");

    for (unsigned i = 0; i < 20; i++) {
        struct shape p = udp(1, 5000, 2, 53, i);

        p.ip_id = (uint16_t)(i + 1);
        world_see(w, a, MS(20) * i, &p);
        world_see(w, b, MS(20) * i + MS(1), &p);
        p.ttl = 63;
        world_see(w, c, MS(20) * i + MS(2), &p);
    }
    world_run(w);
    struct corr_report_table *t = table_of(w, &corr_table_paths);
    g_assert_cmpuint(t->rows->len, ==, 1);
    g_assert_cmpstr(cell(t, 0, "path")->text, ==, "(a, b in unknown order) > c");
    corr_report_table_free(t);
    world_free(w);
}

static void remark(struct shape *p, unsigned i, bool back)
{
    if (!back && i == 2 && p->tos == 0xb8)
        p->tos = p->src_port % 2 ? 0 : 0x28;
    if (i == 1)
        p->ip_id = (uint16_t)(p->ip_id * 7 + 3);
}

static void test_changes_say_how_often(void)
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b"), c = world_point(w, "c");
    struct way way = way_of((uint32_t[]){a, b, c}, 3, MS(1));

    way.rewrite = remark;
    for (unsigned i = 0; i < 30; i++) {
        struct shape p = udp(1, (uint16_t)(5000 + i % 3), 2, 53, i);

        p.ip_id = (uint16_t)(i + 1);
        p.tos = i % 3 ? 0xb8 : 0;
        walk(w, &way, MS(20) * i, p, 3);
    }
    world_run(w);
    struct corr_report_table *t = table_of(w, &corr_table_changes);
    static const struct {
        const char *from, *field, *change;
        unsigned ways, packets;
    } wanted[] = {{"a", "ttl", "-1", 1, 30},
                  {"a", "ip id", "various", 0, 30},
                  {"b", "ttl", "-1", 1, 30},
                  {"b", "dscp", "46 -> 0", 2, 20}};
    g_assert_cmpuint(t->rows->len, ==, G_N_ELEMENTS(wanted));
    for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_assert_cmpstr(cell(t, i, "from")->text, ==, wanted[i].from);
        g_assert_cmpstr(cell(t, i, "field")->text, ==, wanted[i].field);
        g_assert_cmpstr(cell(t, i, "change")->text, ==, wanted[i].change);
        g_assert_cmpint(cell(t, i, "ways")->present, ==, wanted[i].ways > 0);
        g_assert_cmpuint(cell(t, i, "ways")->count, ==, wanted[i].ways);
        g_assert_cmpuint(cell(t, i, "packets")->count, ==, wanted[i].packets);
    }
    g_assert_cmpfloat_with_epsilon(cell(t, 3, "share")->number, 2.0 / 3, 1e-9);
    uint32_t frame = (uint32_t)cell(t, 3, "frame")->count;
    g_assert_cmpuint(corr_store_obs(corr_engine_result(w->engine)->store, frame - 1)->tos, ==, 0);
    g_autofree char *text = corr_render_text(t);
    check_width(text);
    corr_report_table_free(t);
    world_free(w);
}

void add_paths_tests(void)
{
    g_test_add_func("/paths/flows-of-one-way-share-a-row", test_flows_of_one_way_share_a_row);
    g_test_add_func("/paths/branches-stand-in-braces", test_branches_stand_in_braces);
    g_test_add_func("/paths/unknown-order-is-no-branch", test_an_unknown_order_is_no_branch);
    g_test_add_func("/changes/how-often", test_changes_say_how_often);
}
