/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_engine_live.c - answers while frames go on coming. */
#include "report/report.h"
#include "test_engine.h"
#include "world.h"

/* Datagrams of one flow, one each 50 ms, seen at both points 2 ms apart. */
enum { N = 200, LOST = 20, STEP_MS = 50 };

struct scene {
    struct world *w;
    uint32_t lan, wan;
    uint32_t seen[N];
};

static struct scene scene_new(int64_t wan_clock_ns)
{
    struct scene s = {.w = world_new()};

    s.w->is_live = true;
    s.lan = world_point(s.w, "lan");
    s.wan = world_point(s.w, "wan");
    s.w->clocks[s.wan].offset_ns = wan_clock_ns;
    for (uint32_t i = 0; i < N; i++) {
        struct shape request = udp(10, 5000, 20, 7000, i + 1), answer = turned(&request);

        request.len = answer.len = 100;
        answer.content = 1000 + i;
        request.ip_id = answer.ip_id = (uint16_t)(i + 1);
        s.seen[i] = world_see(s.w, s.lan, MS(STEP_MS * i), &request);
        if (i == LOST)
            continue;
        request.ttl = 63;
        world_see(s.w, s.wan, MS(STEP_MS * i) + MS(2), &request);
        world_see(s.w, s.wan, MS(STEP_MS * i + 10), &answer);
        answer.ttl = 63;
        world_see(s.w, s.lan, MS(STEP_MS * i + 10) + MS(2), &answer);
    }
    return s;
}

static uint32_t frame_of(const struct scene *s, uint32_t i)
{
    return world_number(s->w, s->seen[i]);
}

/* A loss is told when it is due, and not before; how far clocks are apart does not matter. */
static void due(gconstpointer data)
{
    struct scene s = scene_new(*(const int64_t *)data);
    struct corr_live live = {.grace_ns = SEC(2)};
    uint32_t lost;

    world_feed(s.w, 1, 1);
    lost = frame_of(&s, LOST);
    /* A second later: the rest of the packets has come, this one may still. */
    world_feed(s.w, 2, frame_of(&s, LOST + 20));
    g_assert_cmpuint(corr_engine_settle_live(s.w->engine, &live), >, 0);
    g_assert_true(corr_engine_is_settled(s.w->engine));
    assert_world_field(s.w, s.seen[LOST], dropped, NULL);
    assert_world_field(s.w, s.seen[LOST], undetermined, "pending");
    assert_world_field(s.w, s.seen[LOST], fate, "pending");
    assert_world_field(s.w, s.seen[LOST - 1], undetermined, NULL);
    /* Nobody sends any more: time passes all the same. */
    live.silence_ns = SEC(3);
    g_assert_cmpuint(corr_engine_settle_live(s.w->engine, &live), ==, 0);
    assert_world_field(s.w, s.seen[LOST], dropped, "1");
    /* Or others do, until it is due. */
    live.silence_ns = 0;
    world_feed(s.w, frame_of(&s, LOST + 20) + 1, frame_of(&s, LOST + 60));
    corr_engine_settle_live(s.w->engine, &live);
    assert_world_field(s.w, s.seen[LOST], dropped, "1");
    assert_world_field(s.w, s.seen[LOST], undetermined, NULL);
    g_assert_cmpuint(lost, ==, frame_of(&s, LOST));
    world_free(s.w);
}

/* What was known stays known while frames come; they know their point; the end tells all. */
static void stays(void)
{
    struct scene s = scene_new(0);
    struct corr_live live = {.grace_ns = SEC(2)};
    struct world *whole;
    char *a, *b;

    world_feed(s.w, 1, 1);
    world_feed(s.w, 2, frame_of(&s, 100));
    corr_engine_settle_live(s.w->engine, &live);
    assert_world_field(s.w, s.seen[LOST], tcp_retransmission, NULL);
    world_feed(s.w, frame_of(&s, 100) + 1, frame_of(&s, 120));
    g_assert_false(corr_engine_is_settled(s.w->engine));
    g_assert_null(corr_engine_result(s.w->engine));
    assert_world_field(s.w, s.seen[LOST], dropped, "1");
    assert_world_field(s.w, s.seen[60], path, "lan > wan");
    assert_world_field(s.w, s.seen[110], point, "lan");
    assert_world_field(s.w, s.seen[110], flow, NULL);
    /* A frame that is given again takes back those behind it, and all answers. */
    world_feed(s.w, frame_of(&s, 120), frame_of(&s, 120));
    assert_world_field(s.w, s.seen[60], path, NULL);
    world_feed(s.w, frame_of(&s, 120) + 1, UINT32_MAX);
    corr_engine_settle(s.w->engine);
    g_assert_cmpuint(corr_engine_pending(s.w->engine), ==, 0);
    whole = scene_new(0).w;
    world_run(whole);
    a = world_dump(s.w->engine);
    b = world_dump(whole->engine);
    g_assert_cmpstr(a, ==, b);
    free(a);
    free(b);
    world_free(whole);
    world_free(s.w);
}

static unsigned count_notes(const struct world *w, const char *table, const char *start)
{
    struct corr_report_table *built = corr_report_build(w->engine, corr_table_find(table), NULL);
    unsigned n = 0;

    for (unsigned i = 0; i < built->notes->len; i++)
        n += g_str_has_prefix(g_ptr_array_index(built->notes, i), start);
    corr_report_table_free(built);
    return n;
}

static void tables_say_so(void)
{
    struct scene s = scene_new(0);
    struct corr_live live = {.grace_ns = SEC(2)};

    world_feed(s.w, 1, UINT32_MAX);
    corr_engine_settle_live(s.w->engine, &live);
    for (unsigned i = 0; i < corr_table_count; i++)
        g_assert_cmpuint(count_notes(s.w, corr_tables[i]->key, "as of frame "), ==, 1);
    corr_engine_settle(s.w->engine);
    for (unsigned i = 0; i < corr_table_count; i++)
        g_assert_cmpuint(count_notes(s.w, corr_tables[i]->key, "as of frame "), ==, 0);
    world_free(s.w);
}

/*
 * Translated connections, equal datagrams with and without an identification, and repeated
 * segments: what a frame says when it comes is never wrong, and it does say something.
 */
static void early_is_right(gconstpointer data)
{
    struct random random = {*(const uint64_t *)data};
    struct world *w = world_new();
    struct corr_live live = {.grace_ns = SEC(2)};
    struct corr_view *view = corr_view_new();
    uint32_t points[3], named = 0, n = 0, truths[2000] = {0};
    const char *names[] = {"client", "lan", "wan"};

    w->is_live = true;
    for (unsigned i = 0; i < 3; i++)
        points[i] = world_point(w, names[i]);
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t host = 10 + random_below(&random, 3), port = 40000 + random_below(&random, 4);
        struct shape p = udp(host, (uint16_t)port, 20, 53, 1 + random_below(&random, 3));
        int64_t at = MS(20 * i);

        p.len = 40;
        if (random_below(&random, 2)) { /* a segment, now and then sent twice */
            p = tcp(host, (uint16_t)port, 20, 80, ACK | PSH,
                    1000 * (host * 10 + port % 10) + 100 * (i / 3), 77);
            p.len = 100;
        }
        if (random_below(&random, 2))
            p.ip_id = (uint16_t)(i + 1);
        w->truth = i + 1;
        for (unsigned k = 0; k < 3; k++) {
            if (k == 2) {
                p.src = 99;
                p.src_port = (uint16_t)(p.src_port + 1000 * (host - 10));
            }
            p.ttl = (uint8_t)(64 - k);
            world_see(w, points[k], at + MS(k), &p);
        }
    }
    world_feed(w, 1, 0);
    for (uint32_t i = 0; i < w->seen->len; i++) {
        uint32_t seen = 0, number;
        g_autofree char *count = NULL, *id = NULL;

        if (i == n) {
            corr_engine_settle_live(w->engine, &live);
            n = n * 3 / 2 + 1;
        }
        world_feed(w, i + 1, i + 1);
        while (world_number(w, seen) != i + 1)
            seen++;
        count = world_field(w, seen, CORR_FIELD_match_count);
        id = world_field(w, seen, CORR_FIELD_match_id);
        if (!id)
            continue;
        number = (uint32_t)g_ascii_strtoull(id, NULL, 10);
        g_assert_cmpuint(number, <, G_N_ELEMENTS(truths));
        if (truths[number] == 0)
            truths[number] = g_array_index(w->seen, struct world_frame, seen).truth;
        g_assert_cmpuint(truths[number], ==,
                         g_array_index(w->seen, struct world_frame, seen).truth);
        named += strcmp(count, "1") != 0;
    }
    g_assert_cmpuint(named, >, 200); /* of 800 second and third sightings, most are equal ones */
    corr_view_free(view);
    world_free(w);
}

/* Hop, latency and translation are told at once where the order and the clocks are known. */
static void early_way(void)
{
    g_autofree char *latency = NULL;
    struct scene s = scene_new(0);
    struct corr_live live = {.grace_ns = SEC(2)};

    world_feed(s.w, 1, 0);
    world_feed(s.w, 1, frame_of(&s, 100));
    corr_engine_settle_live(s.w->engine, &live);
    world_feed(s.w, frame_of(&s, 100) + 1, frame_of(&s, 110) + 1);
    assert_world_field(s.w, s.seen[110], match_count, "1");
    assert_world_field(s.w, s.seen[110], hop, NULL);
    assert_world_field(s.w, s.seen[110], fate, "pending");
    assert_world_field(s.w, s.seen[110] + 1, match_count, "2");
    assert_world_field(s.w, s.seen[110] + 1, hop, "2");
    assert_world_field(s.w, s.seen[110] + 1, path, "lan > wan");
    assert_world_field(s.w, s.seen[110] + 1, method, "exact");
    assert_world_field(s.w, s.seen[110] + 1, fate, NULL);
    latency = world_field(s.w, s.seen[110] + 1, CORR_FIELD_hop_latency);
    g_assert_nonnull(strstr(latency, "2"));
    world_free(s.w);
}

void add_live_tests(void)
{
    static const int64_t clocks[] = {0, SEC(100), -SEC(100)};
    static const uint64_t seeds[] = {1, 2, 3, 4};

    g_test_add_data_func("/engine/live/a loss is told when it is due", &clocks[0], due);
    g_test_add_data_func("/engine/live/... whose clock is ahead", &clocks[1], due);
    g_test_add_data_func("/engine/live/... whose clock is behind", &clocks[2], due);
    g_test_add_func("/engine/live/what was known stays known", stays);
    for (unsigned i = 0; i < G_N_ELEMENTS(seeds); i++) {
        g_autofree char *name = g_strdup_printf("/engine/live/early is right %u", i);

        g_test_add_data_func(name, &seeds[i], early_is_right);
    }
    g_test_add_func("/engine/live/early way", early_way);
    g_test_add_func("/engine/live/every table says of when it is", tables_say_so);
}
