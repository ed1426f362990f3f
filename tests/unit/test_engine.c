/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_engine.c - what callers of corr.h can rely on. */
#include "test_engine.h"

#include <stdlib.h>

#include "world.h"

/* A bit of everything: TCP with a loss, UDP, echo, an unknown link, three points, wrong clocks. */
static void scene(struct world *w, const uint32_t points[3])
{
    struct way way = way_of(points, 3, MS(1));
    struct random r = {11};

    w->clocks[points[1]].offset_ns = SEC(3);
    w->clocks[points[2]].drift_ppm = 30;
    for (unsigned i = 0; i < 40; i++) {
        struct shape p = udp(1 + i % 3, 5000, 2, 53, random_below(&r, 12)), q = turned(&p);
        struct shape t = tcp(1, 6000, 9, 80, ACK, 1000 + 100 * i, 1 + 50 * i), u = turned(&t);

        p.ip_id = (uint16_t)(i % 5 == 0 ? 0 : 100 + i);
        q.content += 100;
        t.len = 100;
        t.content = 5;
        t.content_at = 100 * i;
        t.ip_id = (uint16_t)(500 + i);
        u.seq = 1 + 50 * i;
        u.ack = 1100 + 100 * i;
        u.len = 50;
        u.content = 6;
        u.content_at = 50 * i;
        walk(w, &way, MS(20 * i), p, i == 17 ? 1 : 3);
        walk_back(w, &way, MS(20 * i + 6), q, 3);
        walk(w, &way, MS(20 * i + 1), t, i == 20 ? 2 : 3);
        if (i == 20)
            walk(w, &way, MS(20 * i + 3), t, 3);
        walk_back(w, &way, MS(20 * i + 5), u, 3);
        walk(w, &way, MS(20 * i + 2), echo(1, 2, false, 77, (uint16_t)i), 3);
    }
    world_see_bytes(w, points[0], MS(5), 65000, (const uint8_t *)"what", 4);
    world_see_bytes(w, points[2], MS(6), 1, (const uint8_t *)"", 0);
}

static char *scene_dump(const char *const names[3], const unsigned order[3])
{
    struct world *w = world_new();
    uint32_t points[3];
    char *dump;

    for (unsigned i = 0; i < 3; i++)
        points[order[i]] = world_point(w, names[order[i]]);
    scene(w, points);
    world_run(w);
    dump = world_dump(w->engine);
    world_free(w);
    return dump;
}

static const char *const names[3] = {"alpha", "beta", "gamma"};
static const unsigned plain[3] = {0, 1, 2};

static void same_twice(void)
{
    char *a = scene_dump(names, plain), *b = scene_dump(names, plain);

    g_assert_cmpuint(strlen(a), >, 1000);
    g_assert_cmpstr(a, ==, b);
    free(a);
    free(b);
}

/* Exchanges words in a text. */
static char *renamed(const char *text, const char *const from[3], const char *const to[3])
{
    char *now = g_strdup(text);

    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 3; i++) {
            char mark[2] = {(char)(1 + i), 0}, **parts;

            parts = g_strsplit(now, round == 0 ? from[i] : mark, -1);
            g_free(now);
            now = g_strjoinv(round == 0 ? mark : to[i], parts);
            g_strfreev(parts);
        }
    return now;
}

static void names_change_nothing_else(void)
{
    static const char *const other[3] = {"gamma", "alpha", "beta"};
    char *a = scene_dump(names, plain), *b = scene_dump(other, plain);
    char *c = renamed(a, names, other);

    g_assert_cmpstr(b, ==, c);
    free(a);
    free(b);
    g_free(c);
}

/* Which sightings are one packet, as text; independent of numbers. */
static char *partition(const struct world *w)
{
    GString *text = g_string_new(NULL);

    for (uint32_t i = 0; i < w->seen->len; i++) {
        uint32_t first = 0;
        const struct corr_result *r = corr_engine_result(w->engine);

        if (g_array_index(r->store->frame_obs, uint32_t, world_number(w, i)) == CORR_NONE)
            continue;
        for (; first < i; first++)
            if (g_array_index(r->store->frame_obs, uint32_t, world_number(w, first)) !=
                    CORR_NONE &&
                world_packet(w, first) == world_packet(w, i))
                break;
        g_string_append_printf(text, "%u:%u hop %u\n", i, first, world_sighting(w, i)->hop);
    }
    return g_string_free(text, FALSE);
}

static void order_of_points(void)
{
    static const unsigned orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
    char *first = NULL;

    for (unsigned k = 0; k < G_N_ELEMENTS(orders); k++) {
        struct world *w = world_new();
        uint32_t points[3];
        char *text;

        for (unsigned i = 0; i < 3; i++)
            points[orders[k][i]] = world_point(w, names[orders[k][i]]);
        scene(w, points);
        world_run(w);
        text = partition(w);
        if (first == NULL)
            first = text;
        else
            g_assert_cmpstr(first, ==, text);
        if (first != text)
            g_free(text);
        world_free(w);
    }
    g_free(first);
}

/* Delays of nothing, so that a packet's sightings have equal time stamps; in another order. */
static void order_of_equal_times(void)
{
    char *first = NULL;

    for (unsigned k = 0; k < 3; k++) {
        struct world *w = world_new();
        uint32_t points[3];
        uint32_t seen[3 * 50];
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < 3; i++)
            points[i] = world_point(w, names[i]);
        for (unsigned i = 0; i < 50; i++) {
            struct shape p = udp(1 + i % 2, 5000, 2 + 7 * (i % 3), 53, i / 2);

            for (unsigned j = 0; j < 3; j++) {
                unsigned at = (j + k + (k == 2 ? i : 0)) % 3;

                p.ttl = (uint8_t)(64 - at);
                seen[3 * i + at] = world_see(w, points[at], MS(10) * (i / 2), &p);
            }
        }
        world_run(w);
        for (unsigned i = 0; i < 150; i++) {
            unsigned same = 0;

            while (world_packet(w, seen[same]) != world_packet(w, seen[i]))
                same++;
            g_string_append_printf(text, "%u ", same);
        }
        if (first == NULL)
            first = g_strdup(text->str);
        g_assert_cmpstr(first, ==, text->str);
        g_string_free(text, TRUE);
        world_free(w);
    }
    g_free(first);
}

static void never_early(void)
{
    struct corr_engine *engine = corr_engine_new(NULL);
    struct shape p = udp(1, 1000, 2, 53, 1);
    GByteArray *bytes = g_byte_array_new();
    struct corr_view *view = corr_view_new();
    struct corr_frame frame = {.link = 1, .has_time = true};

    shape_bytes(&p, bytes);
    frame.data = bytes->data;
    frame.cap_len = frame.wire_len = bytes->len;
    for (uint32_t i = 0; i < 2; i++) {
        frame.number = i + 1;
        frame.point = corr_engine_add_point(engine, 0, i, names[i]);
        frame.time_ns = MS(i);
        corr_engine_observe(engine, &frame);
        g_assert_false(corr_engine_is_settled(engine));
        corr_engine_lookup(engine, i + 1, CORR_WANT_ALL, view);
        g_assert_cmpuint(view->values->len, ==, 1);
        g_assert_cmpint(g_array_index(view->values, struct corr_value, 0).field, ==,
                        CORR_FIELD_point);
    }
    for (unsigned twice = 0; twice < 2; twice++) {
        corr_engine_settle(engine);
        g_assert_true(corr_engine_is_settled(engine));
        corr_engine_lookup(engine, 2, CORR_WANT_ALL, view);
        g_assert_cmpuint(view->values->len, >, 1);
    }
    corr_engine_lookup(engine, 0, CORR_WANT_ALL, view);
    g_assert_cmpuint(view->values->len, ==, 0);
    corr_engine_lookup(engine, 3, CORR_WANT_ALL, view);
    g_assert_cmpuint(view->values->len, ==, 0);
    corr_engine_lookup(engine, UINT32_MAX, CORR_WANT_ALL, view);
    g_assert_cmpuint(view->values->len, ==, 0);
    /* Observing again unsettles; a lower number takes back. */
    frame.number = 2;
    corr_engine_observe(engine, &frame);
    g_assert_false(corr_engine_is_settled(engine));
    g_assert_cmpuint(corr_engine_frame_count(engine), ==, 2);
    g_assert_cmpuint(corr_engine_last_frame(engine), ==, 2);
    corr_engine_lookup(engine, 2, CORR_WANT_ALL, view);
    g_assert_cmpuint(view->values->len, ==, 1);
    corr_view_free(view);
    corr_engine_free(engine);
    corr_engine_free(NULL);
    g_byte_array_unref(bytes);
}

/* Frames that were taken back and given again leave no trace in the answers. */
static void taken_back_and_given_again(void)
{
    struct world *w = world_new(), *again = world_new();
    uint32_t points[3], points2[3];
    char *a, *b;

    for (unsigned i = 0; i < 3; i++) {
        points[i] = world_point(w, names[i]);
        points2[i] = world_point(again, names[i]);
    }
    scene(w, points);
    scene(again, points2);
    world_run(w);
    world_run(again);
    world_run(again); /* begins with frame 1: takes all back */
    a = world_dump(w->engine);
    b = world_dump(again->engine);
    g_assert_cmpstr(a, ==, b);
    free(a);
    free(b);
    world_free(w);
    world_free(again);
}

static void empty_captures(void)
{
    struct world *w = world_new();

    world_run(w);
    world_free(w);
    w = world_new();
    world_point(w, "alone");
    world_run(w);
    world_free(w);
    w = world_new();
    world_point(w, "alone");
    world_see_bytes(w, 0, 0, 1, (const uint8_t *)"", 0);
    world_run(w);
    assert_world_field(w, 0, point, "alone");
    assert_world_field(w, 0, match_id, NULL);
    world_free(w);
}

/* Times at the ends of what 64 bits hold, and backwards. */
static void extreme_times(void)
{
    static const int64_t times[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MAX, INT64_MIN, 1};
    struct corr_engine *engine = corr_engine_new(NULL);
    struct shape p = udp(1, 1000, 2, 53, 1);
    char *broken;

    for (uint32_t i = 0; i < 40; i++) {
        GByteArray *bytes = g_byte_array_new();
        struct corr_frame frame = {.number = i + 1, .link = 1, .has_time = true,
                                   .time_ns = times[i % G_N_ELEMENTS(times)]};

        p.content = i / 4;
        p.ttl = (uint8_t)(60 + i % 2);
        shape_bytes(&p, bytes);
        frame.point = corr_engine_add_point(engine, 0, i % 2, names[i % 2]);
        frame.data = bytes->data;
        frame.cap_len = frame.wire_len = bytes->len;
        corr_engine_observe(engine, &frame);
        g_byte_array_unref(bytes);
    }
    corr_engine_settle(engine);
    broken = corr_engine_check(engine);
    g_assert_cmpstr(broken, ==, NULL);
    corr_engine_free(engine);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/same frames in the same order: same answers, byte for byte",
                    same_twice);
    g_test_add_func("/engine/names of points change nothing else", names_change_nothing_else);
    g_test_add_func("/engine/the order of points changes neither packets nor hops",
                    order_of_points);
    g_test_add_func("/engine/frames with equal time stamps in another order: same packets",
                    order_of_equal_times);
    g_test_add_func("/engine/never wrong early; idempotent; a frame never observed gives an empty "
                    "view; observing unsettles", never_early);
    g_test_add_func("/engine/frames taken back and given again", taken_back_and_given_again);
    g_test_add_func("/engine/captures with nothing in them", empty_captures);
    g_test_add_func("/engine/any time is acceptable", extreme_times);
    add_reference_tests();
    add_live_tests();
    return g_test_run();
}
