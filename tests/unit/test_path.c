/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path.c - the corridor: a bound is a promise about every line that fits. */
#include "path/corridor.h"

#include <math.h>

#include "test_path.h"
#include "world.h"

static void assert_holds(const struct corr_corridor *c, int64_t t, double truth)
{
    int64_t least, greatest;

    corr_corridor_at(c, t, &least, &greatest);
    g_assert_cmpint(least, <=, greatest);
    if (truth < (double)least - 1 || truth > (double)greatest + 1)
        g_error("offset %f is not in [%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT "]", truth, least,
                greatest);
}

/* Random lines and delays: the truth always lies inside, at, between and beyond the samples. */
static void truth_is_inside(void)
{
    struct random r = {7};

    for (unsigned round = 0; round < 500; round++) {
        double a = (double)random_below(&r, 2000000000) * (round % 2 ? 1000 : 1) - 1e9;
        double b = (double)random_below(&r, 900000) - 450000; /* ns per s */
        int64_t t0 = WORLD_BASE_NS + SEC(random_below(&r, 100000)), t = t0;
        uint32_t spread = 1 + random_below(&r, round % 3 ? 100000 : 50000000);
        struct corr_corridor c;
        int64_t width = INT64_MAX;

        corr_corridor_init(&c, t0, (int64_t)a);
        for (unsigned i = 0; i < 300; i++) {
            bool upper = random_below(&r, 2);
            int64_t delay = random_below(&r, spread), least, greatest, limit;
            double truth;

            t = t0 + random_below(&r, 1000) * MS(100); /* in any order */
            truth = a + b * (double)(t - t0) * 1e-9;
            limit = upper ? (int64_t)ceil(truth) + delay : (int64_t)floor(truth) - delay;
            g_assert_true(corr_corridor_limit(&c, t, limit, upper));
            g_assert_cmpuint(c.n, >=, 1);
            g_assert_cmpuint(c.n, <=, CORR_CORRIDOR_CORNERS);
            assert_holds(&c, t, truth);
            corr_corridor_at(&c, t0 + SEC(50), &least, &greatest);
            g_assert_cmpint(greatest - least, <=, width);
            width = MAX(greatest - least, 0) + 2; /* never wider than before */
        }
        for (int64_t at = -SEC(100); at < SEC(300); at += SEC(7))
            assert_holds(&c, t0 + at, a + b * (double)at * 1e-9);
        {
            double slow, fast;

            corr_corridor_drift(&c, &slow, &fast);
            g_assert_true(slow <= b * 1e-3 + 1e-3 && fast >= b * 1e-3 - 1e-3);
        }
    }
}

static void infeasible_is_refused(void)
{
    struct corr_corridor c, before;
    int64_t least, greatest;

    corr_corridor_init(&c, 0, 0);
    for (unsigned i = 0; i < 10; i++) {
        g_assert_true(corr_corridor_limit(&c, SEC(i), 1000, true));
        g_assert_true(corr_corridor_limit(&c, SEC(i), -1000, false));
    }
    before = c;
    g_assert_false(corr_corridor_limit(&c, SEC(5), -2000, true));
    g_assert_cmpmem(&c, sizeof c, &before, sizeof before);
    g_assert_false(corr_corridor_limit(&c, SEC(5), 2000, false));
    g_assert_cmpmem(&c, sizeof c, &before, sizeof before);
    g_assert_true(corr_corridor_limit(&c, SEC(5), 3000, true)); /* says nothing new */
    g_assert_cmpmem(&c, sizeof c, &before, sizeof before);
    corr_corridor_at(&c, SEC(5), &least, &greatest);
    g_assert_cmpint(least, >=, -1001);
    g_assert_cmpint(greatest, <=, 1001);
}

/* Exactly touching limits leave a line, which stays usable. */
static void a_single_line(void)
{
    struct corr_corridor c;
    int64_t least, greatest;

    corr_corridor_init(&c, 0, 0);
    for (unsigned i = 0; i < 20; i++) {
        int64_t at = SEC(i), truth = 5000 + 200 * i;

        g_assert_true(corr_corridor_limit(&c, at, truth + 1, true));
        g_assert_true(corr_corridor_limit(&c, at, truth - 1, false));
    }
    corr_corridor_at(&c, SEC(10), &least, &greatest);
    g_assert_cmpint(least, >=, 7000 - 3);
    g_assert_cmpint(greatest, <=, 7000 + 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/path/corridor/the truth lies inside, drift included", truth_is_inside);
    g_test_add_func("/path/corridor/returns false, and leaves the corridor as it was, if no line "
                    "would be left", infeasible_is_refused);
    g_test_add_func("/path/corridor/limits that nearly touch", a_single_line);
    add_clock_tests();
    add_clock_random_tests();
    add_order_tests();
    add_verdict_tests();
    add_loss_tests();
    return g_test_run();
}
