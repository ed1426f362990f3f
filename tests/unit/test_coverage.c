/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_coverage.c - what the pre-flight check says of time: overlap, outages, clocks, pings. */
#include "layers/capture.h"
#include "layers/coverage.h"
#include "layers/segment.h"
#include "world.h"

/* Requests and answers between two points, every 100 ms; `hears` says when the second listens. */
static void talk(struct world *w, unsigned n, bool (*hears)(unsigned i))
{
    for (unsigned i = 0; i < n; i++) {
        struct shape p = udp(1, 5000, 2, 53, 1 + i), q = turned(&p);

        q.content += 1000000;
        p.ip_id = (uint16_t)(i + 1);
        q.ip_id = (uint16_t)(i + 30000);
        world_see(w, 0, MS(100 * i), &p);
        if (hears == NULL || hears(i)) {
            p.ttl = 63;
            q.ttl = 64;
            world_see(w, 1, MS(100 * i + 5), &p);
            world_see(w, 1, MS(100 * i + 10), &q);
        }
        q.ttl = 63;
        world_see(w, 0, MS(100 * i + 15), &q);
    }
}

static struct world *net(void)
{
    struct world *w = world_new();

    world_point(w, "a");
    world_point(w, "b");
    return w;
}

static const struct corr_result *result_of(const struct world *w)
{
    return corr_engine_result(w->engine);
}

/* The sentences about the point that is not the reference, joined. */
static char *clock_text(const struct world *w)
{
    g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);

    corr_coverage_clock(result_of(w), !result_of(w)->clock_reference, reasons);
    g_ptr_array_add(reasons, NULL);
    return g_strjoinv("; ", (char **)reasons->pdata);
}

static bool deaf(unsigned i)
{
    return i < 40 || i >= 90;
}

static void outage(void)
{
    struct world *w = net();
    GArray *outages;

    w->clocks[1].offset_ns = SEC(7200) + MS(3);
    talk(w, 150, deaf);
    world_run(w);
    outages = corr_coverage_outages(result_of(w), 1);
    g_assert_cmpuint(outages->len, ==, 1);
    g_assert_cmpuint(g_array_index(outages, struct corr_outage, 0).packets, ==, 100);
    g_assert_cmpint(g_array_index(outages, struct corr_outage, 0).from_ns, ==,
                    WORLD_BASE_NS + SEC(7200) + MS(3 + 3910));
    g_array_unref(outages);
    outages = corr_coverage_outages(result_of(w), 0);
    g_assert_cmpuint(outages->len, ==, 0);
    g_array_unref(outages);
    world_free(w);
}

/* Nobody sends for five seconds: silence at both, and no outage. */
static void silence(void)
{
    struct world *w = net();
    GArray *outages;

    talk(w, 40, NULL);
    for (unsigned i = 0; i < 40; i++) {
        struct shape p = udp(1, 5000, 2, 53, 500 + i);

        p.ip_id = (uint16_t)(i + 500);
        world_see(w, 0, SEC(9) + MS(100 * i), &p);
        p.ttl = 63;
        world_see(w, 1, SEC(9) + MS(100 * i + 5), &p);
    }
    world_run(w);
    outages = corr_coverage_outages(result_of(w), 1);
    g_assert_cmpuint(outages->len, ==, 0);
    g_array_unref(outages);
    world_free(w);
}

static bool late(unsigned i)
{
    return i >= 50;
}

static void overlap(void)
{
    struct world *w = net();
    double share;

    w->clocks[1].offset_ns = -SEC(100);
    talk(w, 100, late);
    world_run(w);
    g_assert_true(corr_coverage_overlap(result_of(w), 0, &share));
    g_assert_cmpfloat_with_epsilon(share, 0.5, 0.01);
    g_assert_true(corr_coverage_overlap(result_of(w), 1, &share));
    g_assert_cmpfloat_with_epsilon(share, 1, 0.01);
    world_free(w);
}

static void zones(void)
{
    static const struct {
        int64_t offset_ns;
        bool zone;
    } cases[] = {{SEC(7200) + MS(20), true}, {-SEC(20700), true}, {SEC(7210), false},
                 {MS(300), false},           {SEC(900), true},    {-SEC(450), false}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct world *w = net();
        g_autofree char *text = NULL;

        w->clocks[1].offset_ns = cases[i].offset_ns;
        talk(w, 20, NULL);
        world_run(w);
        text = clock_text(w);
        g_assert_cmpint(strstr(text, "time zone") != NULL, ==, cases[i].zone);
        world_free(w);
    }
}

/* Of three clocks the one is named that differs from the others, whichever is the reference. */
static void zone_of_one(void)
{
    for (uint32_t odd = 0; odd < 3; odd++) {
        struct world *w = world_new();

        for (unsigned k = 0; k < 3; k++)
            world_point(w, k == 0 ? "a" : k == 1 ? "b" : "c");
        w->clocks[odd].offset_ns = SEC(3600);
        for (unsigned i = 0; i < 30; i++) {
            struct shape p = udp(1, 5000, 2, 53, 1 + i), q = turned(&p);

            q.content += 1000;
            for (unsigned k = 0; k < 3; k++) {
                p.ttl = (uint8_t)(64 - k);
                q.ttl = (uint8_t)(62 + k);
                world_see(w, k, MS(100 * i + k), &p);
            }
            for (unsigned k = 3; k-- > 0;)
                world_see(w, k, MS(100 * i + 10 - k), &q);
        }
        world_run(w);
        for (uint32_t point = 0; point < 3; point++) {
            g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);

            corr_coverage_clock(result_of(w), point, reasons);
            g_assert_cmpuint(reasons->len, ==, point == odd);
            if (point == odd)
                g_assert_nonnull(strstr(g_ptr_array_index(reasons, 0), "1:00 hours ahead of"));
        }
        world_free(w);
    }
}

/* Offsets that the user gives, and none at all, are held against what packets show. */
static void given(void)
{
    static const struct {
        enum corr_correction how;
        int64_t offset_ns;
        bool told;
    } cases[] = {{CORR_CORRECTION_OFF, 0, true},
                 {CORR_CORRECTION_MANUAL, MS(600), true},
                 {CORR_CORRECTION_MANUAL, MS(501), false},
                 {CORR_CORRECTION_AUTO, MS(600), false}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct corr_config config = {.correction = cases[i].how};
        struct corr_point_settings settings = {.offset_ns = cases[i].offset_ns};
        struct world *w;
        g_autofree char *text = NULL;

        w = world_new_with(&config);
        world_point(w, "a");
        world_point(w, "b");
        corr_engine_set_point(w->engine, 1, &settings);
        w->clocks[1].offset_ns = MS(500);
        talk(w, 40, NULL);
        world_run(w);
        text = clock_text(w);
        g_assert_cmpint(strstr(text, "as the preferences say") != NULL, ==, cases[i].told);
        world_free(w);
    }
}

static void was_set(void)
{
    struct world *w = net();
    g_autofree char *text = NULL;

    w->clocks[1].step_ns = MS(250);
    w->clocks[1].step_at_ns = SEC(6);
    talk(w, 120, NULL);
    world_run(w);
    text = clock_text(w);
    g_assert_nonnull(strstr(text, "was set by"));
    g_assert_nonnull(strstr(text, "250 ms"));
    world_free(w);
}

static void disorder(void)
{
    struct world *w = net();
    g_autofree struct corr_capture *captures = NULL;

    talk(w, 20, NULL);
    g_array_index(w->seen, struct world_frame, 8).time_ns -= MS(700);
    world_run(w);
    captures = corr_captures_count(result_of(w), NULL);
    g_assert_cmpuint(captures[0].disorder, ==, 1);
    g_assert_cmpint(captures[0].back_ns, >, MS(500));
    g_assert_cmpuint(captures[1].disorder, ==, 0);
    world_free(w);
}

static void ping(struct world *w, int64_t step_ns, bool steady)
{
    struct random r = {5};

    for (unsigned i = 0; i < 20; i++) {
        int64_t at = step_ns * i + (steady ? 0 : random_below(&r, (uint32_t)step_ns));
        struct shape p = echo(1, 2, false, 77, (uint16_t)i), q = echo(2, 1, true, 77, (uint16_t)i);

        p.ip_id = (uint16_t)(i + 1);
        q.ip_id = (uint16_t)(i + 100);
        world_see(w, 0, at, &p);
        world_see(w, 1, at + MS(5), &p);
        world_see(w, 1, at + MS(6), &q);
        world_see(w, 0, at + MS(11), &q);
    }
}

static void pings(void)
{
    for (unsigned steady = 0; steady < 2; steady++) {
        struct world *w = net();
        g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);

        ping(w, SEC(1), steady);
        world_run(w);
        corr_coverage_pings(result_of(w), notes);
        g_assert_cmpuint(notes->len, ==, steady);
        if (steady)
            g_assert_cmpstr(g_ptr_array_index(notes, 0), ==,
                            "A steady ping (flow 1, every 1.00 s) passes a, b: it calibrates "
                            "their clocks.");
        world_free(w);
    }
}

/* One way only, clocks an hour apart that drift: 0 to 99 us above the least, evenly. */
static void variation(void)
{
    struct world *w = net();
    struct corr_segments *segments = corr_segments_new();
    const struct corr_segment *segment;
    int64_t p95 = 0;

    w->clocks[1].offset_ns = SEC(3600);
    w->clocks[1].drift_ppm = 80;
    for (unsigned i = 0; i < 1000; i++) {
        struct shape p = udp(1, 5000, 2, 53, 1 + i);

        p.ip_id = (uint16_t)(i + 1);
        world_see(w, 0, MS(10 * i), &p);
        p.ttl = 63;
        world_see(w, 1, MS(10 * i + 5) + US(i * 37 % 100), &p);
    }
    world_run(w);
    for (uint32_t i = 0; i < result_of(w)->packets->len; i++)
        corr_segments_add(segments, result_of(w), i);
    segment = corr_segment_find(segments, 0, 1);
    g_assert_nonnull(segment);
    g_assert_cmpuint(segment->latencies->len, ==, 0);
    g_assert_true(corr_segment_variation(segment, &p95));
    g_assert_cmpint(p95, >=, US(92));
    g_assert_cmpint(p95, <=, US(97));
    corr_segments_free(segments);
    world_free(w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/coverage/a silence while packets should pass is an outage", outage);
    g_test_add_func("/coverage/a silence of all is none", silence);
    g_test_add_func("/coverage/share of the time in which another point captured", overlap);
    g_test_add_func("/coverage/whole quarter hours are a wrong time zone", zones);
    g_test_add_func("/coverage/offsets given that packets contradict", given);
    g_test_add_func("/coverage/a wrong time zone is the odd one's", zone_of_one);
    g_test_add_func("/coverage/a clock that was set is named", was_set);
    g_test_add_func("/coverage/frames stamped earlier than the one before", disorder);
    g_test_add_func("/coverage/a steady ping is named, others are not", pings);
    g_test_add_func("/coverage/one way, drifting clocks: delay variation all the same", variation);
    return g_test_run();
}
