/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path_clock.c - wrong clocks, and the bounds that packets put on them. */
#include <stdlib.h>

#include "test_path.h"
#include "world.h"

#define HOUR SEC(3600)

/* Recorded minus true time at a point. */
static int64_t clock_of(const struct world *w, uint32_t point, int64_t at)
{
    return world_clock_at(&w->clocks[point], at);
}

/* Requests and answers every `step`, delay 1 ms plus up to `jitter`. */
static void traffic(struct world *w, const struct way *way, int64_t from, int64_t step, unsigned n,
                    uint32_t jitter_ns, bool answers)
{
    struct way now = *way;
    struct random r = {3};

    for (unsigned i = 0; i < n; i++) {
        struct shape p = udp(1, 5000, 2, 53, (uint64_t)from + i), q = turned(&p);

        q.content += 1000000000;
        p.ip_id = (uint16_t)(i + 1);
        q.ip_id = (uint16_t)(i + 30000);
        for (unsigned k = 1; k < way->n; k++)
            now.delay_ns[k] = way->delay_ns[k] + random_below(&r, jitter_ns + 1);
        walk(w, &now, from + i * step, p, way->n);
        if (answers)
            walk_back(w, &now, from + i * step + step / 2, q, way->n);
    }
}

static struct corr_clock_answer ask(const struct world *w, uint32_t p, uint32_t q, int64_t at)
{
    return corr_result_clock(corr_engine_result(w->engine), p, q,
                             WORLD_BASE_NS + at + clock_of(w, p, at));
}

/* The truth lies within mid +- error, and the error is no more than `most`. */
static void assert_bounded(const struct world *w, uint32_t p, uint32_t q, int64_t at, int64_t most)
{
    struct corr_clock_answer answer = ask(w, p, q, at);
    int64_t truth = clock_of(w, q, at) - clock_of(w, p, at);

    g_assert_cmpint(answer.status, ==, CORR_CLOCK_BOUNDED);
    g_assert_cmpint(answer.error_ns, >=, 0);
    g_assert_cmpint(ABS(answer.offset_ns - truth), <=, answer.error_ns + 1000);
    g_assert_cmpint(answer.error_ns, <=, most);
}

static struct world *net(unsigned n, struct way *way)
{
    struct world *w = world_new();
    uint32_t points[WORLD_POINTS];

    for (unsigned i = 0; i < n; i++) {
        char *name = g_strdup_printf("p%u", i);

        points[i] = world_point(w, name);
        g_free(name);
    }
    *way = way_of(points, n, MS(1));
    return w;
}

static void two_points(int64_t offset, double drift)
{
    struct way way;
    struct world *w = net(2, &way);

    w->clocks[1].offset_ns = offset;
    w->clocks[1].drift_ppm = drift;
    traffic(w, &way, 0, MS(100), 300, 200000, true);
    world_run(w);
    for (int64_t at = 0; at < SEC(30); at += SEC(1)) {
        assert_bounded(w, 0, 1, at, MS(2));
        assert_bounded(w, 1, 0, at, MS(2));
    }
    g_assert_cmpint(ask(w, 0, 0, 0).status, ==, CORR_CLOCK_REFERENCE);
    g_assert_cmpint(ask(w, 0, 0, 0).error_ns, ==, 0);
    /* Latencies are never negative, and the true value lies within the bound. */
    for (uint32_t i = 0; i < w->seen->len; i++) {
        const struct corr_sighting *s = world_sighting(w, i);
        struct corr_latency took = corr_result_latency(corr_engine_result(w->engine), s);

        if (s->hop != 2)
            continue;
        g_assert_true(took.known);
        g_assert_cmpint(took.ns, >=, 0);
        g_assert_cmpint(took.ns - took.error_ns, <=, MS(1) + US(200) + 1000);
        g_assert_cmpint(took.ns + took.error_ns, >=, MS(1) - 1000);
    }
    world_free(w);
}

static void offset(void)
{
    two_points(MS(250), 0);
    two_points(-SEC(7), 0);
}

static void hours(void)
{
    two_points(5 * HOUR, 0);
    two_points(-5 * HOUR, 0);
}

static void drift(void)
{
    two_points(MS(3), 80);
    two_points(-HOUR, -120);
}

static void step(void)
{
    struct way way;
    struct world *w = net(2, &way);
    GArray *pieces;
    enum corr_clock_status status;

    w->clocks[1].offset_ns = MS(20);
    w->clocks[1].step_at_ns = SEC(15);
    w->clocks[1].step_ns = SEC(2);
    traffic(w, &way, 0, MS(100), 300, 200000, true);
    world_run(w);
    for (int64_t at = 0; at < SEC(30); at += MS(500))
        assert_bounded(w, 0, 1, at, ABS(at - SEC(15)) > MS(2500) ? MS(5) : SEC(2));
    pieces = corr_result_clock_pieces(corr_engine_result(w->engine), 1, &status);
    if (corr_engine_result(w->engine)->clock_reference == 0)
        g_assert_cmpuint(pieces->len, ==, 2);
    g_array_unref(pieces);
    world_free(w);
}

static void one_direction(void)
{
    struct way way;
    struct world *w = net(2, &way);
    enum corr_clock_status status;
    GArray *pieces;

    w->clocks[1].offset_ns = MS(20);
    w->clocks[1].drift_ppm = 50;
    traffic(w, &way, 0, MS(100), 200, 1000, false);
    world_run(w);
    g_assert_cmpint(ask(w, 0, 1, SEC(3)).status, ==, CORR_CLOCK_DRIFT_ONLY);
    g_assert_cmpint(ask(w, 1, 0, SEC(3)).status, ==, CORR_CLOCK_DRIFT_ONLY);
    pieces = corr_result_clock_pieces(corr_engine_result(w->engine),
                                      !corr_engine_result(w->engine)->clock_reference, &status);
    g_assert_cmpint(status, ==, CORR_CLOCK_DRIFT_ONLY);
    g_array_unref(pieces);
    for (uint32_t i = 0; i < w->seen->len; i++)
        assert_world_field(w, i, hop_latency, NULL);
    world_free(w);
}

static void over_a_third_point(void)
{
    struct way way, left, right;
    struct world *w = net(3, &way);

    left = way_of(way.points, 2, MS(1));
    right = way_of(way.points + 1, 2, MS(1));
    w->clocks[1].offset_ns = HOUR;
    w->clocks[2].offset_ns = -MS(300);
    w->clocks[2].drift_ppm = 20;
    traffic(w, &left, 0, MS(100), 100, 1000, true);
    traffic(w, &right, MS(50), MS(100), 100, 1000, true);
    for (uint32_t i = 0; i < w->seen->len; i++)
        g_assert_cmpuint(g_array_index(w->seen, struct world_frame, i).point, <, 3);
    world_run(w);
    assert_bounded(w, 0, 2, SEC(5), MS(4));
    assert_bounded(w, 2, 0, SEC(5), MS(4));
    world_free(w);
}

/* More points than are compared pair by pair, and clocks that show them in another order. */
static void long_way(void)
{
    enum { POINTS = 12 };
    struct way way;
    struct world *w = net(POINTS, &way);

    for (uint32_t i = 0; i < POINTS; i++) {
        w->clocks[i].offset_ns = (int64_t)(i * 5 % POINTS) * -SEC(2);
        w->clocks[i].drift_ppm = (double)(i * 7 % POINTS) * 6 - 30;
    }
    traffic(w, &way, 0, MS(100), 100, 50000, true);
    world_run(w);
    for (uint32_t i = 0; i + 1 < POINTS; i++)
        assert_bounded(w, i, i + 1, SEC(5), MS(1) + US(60));
    assert_bounded(w, 0, POINTS - 1, SEC(5), (POINTS - 1) * (MS(1) + US(60)));
    world_free(w);
}

static void nothing_in_common(void)
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b");
    struct shape p = udp(1, 5000, 2, 53, 1), q = udp(3, 5000, 4, 53, 2);

    world_see(w, a, 0, &p);
    world_see(w, b, 0, &q);
    world_run(w);
    g_assert_cmpint(ask(w, a, b, 0).status, ==, CORR_CLOCK_UNKNOWN);
    world_free(w);
}

/* Latencies by a user's correction: the offset is off by `wrong`. */
static void corrected(enum corr_correction how, int64_t manual_ns, const char *latency)
{
    struct corr_config config = {.correction = how};
    struct corr_point_settings settings = {.offset_ns = manual_ns};
    enum corr_clock_status status;
    struct world *w = world_new_with(&config);
    uint32_t points[2] = {world_point(w, "a"), world_point(w, "b")};
    struct way way = way_of(points, 2, MS(1));
    GArray *pieces;

    w->clocks[1].offset_ns = MS(20);
    corr_engine_set_point(w->engine, 1, &settings);
    traffic(w, &way, 0, MS(100), 20, 0, true);
    world_run(w);
    assert_world_field(w, 1, hop_latency, latency);
    /* Packets are matched and ordered by what they prove all the same. */
    g_assert_cmpint(ask(w, 0, 1, SEC(1)).status, ==, CORR_CLOCK_BOUNDED);
    pieces = corr_result_clock_pieces(corr_engine_result(w->engine),
                                      !corr_engine_result(w->engine)->clock_reference, &status);
    g_assert_cmpint(status, ==,
                    how == CORR_CORRECTION_OFF ? CORR_CLOCK_UNCORRECTED : CORR_CLOCK_MANUAL);
    g_assert_cmpuint(pieces->len, ==, 1);
    g_assert_cmpint(llabs(g_array_index(pieces, struct corr_clock_piece, 0).offset_ns), ==,
                    how == CORR_CORRECTION_OFF ? 0 : llabs(manual_ns));
    g_array_unref(pieces);
    world_free(w);
}

static void correction(void)
{
    corrected(CORR_CORRECTION_OFF, MS(7), "21000000");
    corrected(CORR_CORRECTION_MANUAL, MS(20), "1000000");
    corrected(CORR_CORRECTION_MANUAL, MS(22), NULL); /* would be negative */
}

/* Between two sightings. */
static struct corr_clock_answer correct(const struct world *w, uint32_t from, uint32_t to)
{
    return corr_result_correction(corr_engine_result(w->engine), world_sighting(w, from)->obs,
                                  world_sighting(w, to)->obs);
}

static void one_host(void)
{
    struct way way;
    struct world *w = net(3, &way);
    struct corr_point_settings probe = {.host = "probe-1"};

    corr_engine_set_point(w->engine, 0, &probe);
    corr_engine_set_point(w->engine, 1, &probe);
    traffic(w, &way, 0, MS(100), 20, 0, false);
    world_run(w);
    g_assert_cmpint(correct(w, 0, 1).status, ==, CORR_CLOCK_SAME);
    g_assert_cmpint(correct(w, 0, 2).status, ==, CORR_CLOCK_DRIFT_ONLY);
    assert_world_field(w, 1, hop_latency, "1000000"); /* although traffic goes one way */
    assert_world_field(w, 2, hop_latency, NULL);
    world_free(w);
}

/* Two taps 2 us apart, their clocks off by `offset`. */
static enum corr_clock_status near_taps(int64_t offset)
{
    enum corr_clock_status status;
    struct world *w = world_new();
    uint32_t points[2] = {world_point(w, "a"), world_point(w, "b")};
    struct way way = way_of(points, 2, US(2));
    GArray *pieces;

    w->clocks[1].offset_ns = offset;
    traffic(w, &way, 0, MS(100), 100, 0, true);
    world_run(w);
    pieces = corr_result_clock_pieces(corr_engine_result(w->engine),
                                      !corr_engine_result(w->engine)->clock_reference, &status);
    g_array_unref(pieces);
    world_free(w);
    return status;
}

static void shared(void)
{
    g_assert_cmpint(near_taps(0), ==, CORR_CLOCK_SAME);
    g_assert_cmpint(near_taps(US(50)), ==, CORR_CLOCK_BOUNDED);
}

void add_clock_tests(void)
{
    g_test_add_func("/path/clock/two taps of one host are recognised, two hosts are not", shared);

    g_test_add_func("/path/clock/the user's correction: off, manual", correction);
    g_test_add_func("/path/clock/points of one host share a clock", one_host);

    g_test_add_func("/path/clock/the truth lies within mid +- error: offset", offset);
    g_test_add_func("/path/clock/the truth lies within mid +- error: hours", hours);
    g_test_add_func("/path/clock/the truth lies within mid +- error: drift", drift);
    g_test_add_func("/path/clock/when no line fits, the clock was set", step);
    g_test_add_func("/path/clock/traffic in one direction only: drift-only", one_direction);
    g_test_add_func("/path/clock/composed over a third point", over_a_third_point);
    g_test_add_func("/path/clock/a long way, whose points come in another order by time", long_way);
    g_test_add_func("/path/clock/nothing that both points saw: unknown", nothing_in_common);
}
