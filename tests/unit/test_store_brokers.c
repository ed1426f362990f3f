/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_store_brokers.c - sources of a packet broker become points; what is no trailer does not. */
#include "test_store.h"

#include <string.h>

#include "frames.h"
#include "store/store.h"
#include "world.h"

/* A datagram of its own with a VSS trailer: a port of one byte; port < 0: without it. */
static void add_frame(struct corr_store *store, uint32_t number, int port)
{
    uint32_t s = (uint32_t)(WORLD_BASE_NS / 1000000000);
    char *layers = port < 0 ? g_strdup_printf("eth ip4 udp:%u data", 2000 + number)
                            : g_strdup_printf("+%08x000003e8%02x eth ip4 udp:%u data", s,
                                              (unsigned)port, 2000 + number);
    struct frame frame;
    struct corr_frame given = {
        .number = number, .link = 1, .time_ns = WORLD_BASE_NS + number, .has_time = true};

    build(&frame, layers);
    given.data = frame.bytes;
    given.cap_len = given.wire_len = frame.len;
    corr_store_add_frame(store, &given);
    g_free(layers);
}

static const char *point_of(const struct corr_store *store, uint32_t frame)
{
    return corr_store_point(store, g_array_index(store->frame_point, uint16_t, frame) - 1u)->name;
}

static void settle(struct corr_store *store)
{
    char *broken;

    corr_store_split_brokers(store);
    broken = corr_store_check(store);
    g_assert_cmpstr(broken, ==, NULL);
}

static void sources_are_points(void)
{
    struct corr_store *store = corr_store_new(NULL);

    corr_store_add_point(store, 0, 0, "tap");
    for (uint32_t i = 1; i <= 40; i++)
        add_frame(store, i, i == 17 ? -1 : (int)(i % 2) + 7);
    settle(store);
    g_assert_cmpuint(store->points->len, ==, 3);
    g_assert_cmpstr(point_of(store, 1), ==, "tap/port8");
    g_assert_cmpstr(point_of(store, 2), ==, "tap/port7");
    g_assert_cmpstr(point_of(store, 17), ==, "tap");
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 1);
    g_assert_cmpuint(corr_store_point(store, 1)->broker.n, ==, 19);
    g_assert_cmpuint(corr_store_point(store, 2)->broker.n, ==, 20);
    settle(store); /* again: the same */
    g_assert_cmpuint(store->points->len, ==, 3);
    g_assert_cmpuint(corr_store_point(store, 1)->broker.n, ==, 19);
    corr_store_free(store);
}

/* Later frames refute what the first ones seemed to show. */
static void a_guess_is_taken_back(void)
{
    struct corr_store *store = corr_store_new(NULL);

    corr_store_add_point(store, 0, 0, "tap");
    for (uint32_t i = 1; i <= 20; i++)
        add_frame(store, i, (int)(i % 2));
    settle(store);
    g_assert_cmpstr(point_of(store, 2), ==, "tap/port0");
    for (uint32_t i = 21; i <= 30; i++)
        add_frame(store, i, -1);
    settle(store);
    g_assert_cmpstr(point_of(store, 2), ==, "tap");
    g_assert_false(corr_store_point(store, 1)->broker.is);
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 30);
    add_frame(store, 21, 1); /* takes back the ten frames without trailer */
    settle(store);
    g_assert_cmpstr(point_of(store, 2), ==, "tap/port0");
    corr_store_free(store);
}

static void few_frames_prove_nothing(void)
{
    struct corr_store *store = corr_store_new(NULL);

    corr_store_add_point(store, 0, 0, "tap");
    for (uint32_t i = 1; i <= 7; i++)
        add_frame(store, i, (int)(i % 2));
    settle(store);
    g_assert_cmpuint(store->points->len, ==, 1);
    corr_store_free(store);
}

static void one_source_stays_the_point(void)
{
    struct corr_store *store = corr_store_new(NULL);

    corr_store_add_point(store, 0, 0, "tap");
    for (uint32_t i = 1; i <= 20; i++)
        add_frame(store, i, 3);
    settle(store);
    g_assert_cmpuint(store->points->len, ==, 1);
    g_assert_true(corr_store_point(store, 0)->broker.is);
    g_assert_cmpuint(corr_store_point(store, 0)->broker.port, ==, 3);
    g_assert_cmpuint(corr_store_point(store, 0)->broker.n_synchronised, ==, 0);
    corr_store_free(store);
}

void add_broker_tests(void)
{
    g_test_add_func("/store/brokers/sources", sources_are_points);
    g_test_add_func("/store/brokers/taken-back", a_guess_is_taken_back);
    g_test_add_func("/store/brokers/few", few_frames_prove_nothing);
    g_test_add_func("/store/brokers/one", one_source_stays_the_point);
}
