/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_store_index.c - the hash index, and stores that were broken on purpose. */
#include "store/index.h"
#include "store/store.h"
#include "test_store.h"
#include "world.h"

static bool number_equal(const void *key, uint32_t position, const void *user)
{
    return *(const uint64_t *)key == ((const uint64_t *)user)[position];
}

/* Puts n keys in under the hashes of `hash_of` and finds each, and nothing else. */
static void index_try(uint32_t n, uint64_t (*hash_of)(uint64_t))
{
    struct corr_index *index = corr_index_new();
    uint64_t *keys = g_new(uint64_t, n + 1);

    for (uint32_t i = 0; i < n; i++) {
        keys[i] = 3 * (uint64_t)i + 1;
        g_assert_cmpuint(corr_index_find(index, hash_of(keys[i]), number_equal, &keys[i], keys),
                         ==, CORR_NONE);
        corr_index_add(index, hash_of(keys[i]), i);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t absent = keys[i] + 1;

        g_assert_cmpuint(corr_index_find(index, hash_of(keys[i]), number_equal, &keys[i], keys),
                         ==, i);
        g_assert_cmpuint(corr_index_find(index, hash_of(absent), number_equal, &absent, keys), ==,
                         CORR_NONE);
    }
    corr_index_free(index);
    g_free(keys);
}

static uint64_t hash_good(uint64_t key)
{
    struct random r = {key};

    return random_next(&r);
}

static uint64_t hash_same(uint64_t key)
{
    (void)key;
    return UINT64_MAX;
}

static uint64_t hash_high_bits(uint64_t key)
{
    return key << 48;
}

static void index_finds(void)
{
    index_try(0, hash_good);
    index_try(1, hash_good);
    index_try(170, hash_good); /* at two thirds of the first size */
    index_try(171, hash_good);
    index_try(100000, hash_good);
    corr_index_free(NULL);
}

static void index_collisions(void)
{
    index_try(500, hash_same);
    index_try(2000, hash_high_bits);
}

static struct world *small_world(void)
{
    struct world *w = world_new();
    uint32_t a = world_point(w, "a"), b = world_point(w, "b");
    struct shape p = udp(1, 1000, 2, 53, 1), q = udp(3, 1000, 2, 53, 2);

    world_see(w, a, MS(1), &p);
    world_see(w, b, MS(2), &p);
    world_see(w, a, MS(3), &q);
    world_see(w, b, MS(4), &q);
    world_run(w);
    return w;
}

/* The check must name the fault: `words` is part of its sentence. */
static void assert_finds(const struct corr_engine *engine, const char *words)
{
    char *broken = corr_engine_check(engine);

    g_assert_nonnull(broken);
    if (strstr(broken, words) == NULL)
        g_error("\"%s\" does not speak of \"%s\"", broken, words);
    g_free(broken);
}

static void check_finds_broken_stores(void)
{
    struct world *w = small_world();
    struct corr_store *store = (struct corr_store *)corr_engine_result(w->engine)->store;
    struct corr_obs *obs = &g_array_index(store->obs, struct corr_obs, 1), good = *obs;
    uint32_t *first = &g_array_index(store->frame_obs, uint32_t, 2), last = store->last_frame;

    g_assert_null(corr_engine_check(w->engine));
#define BREAK(member, value, words)                                                                \
    obs->member = value;                                                                           \
    assert_finds(w->engine, words);                                                                \
    *obs = good
    BREAK(frame, 3, "frame");
    BREAK(frame, 77, "above the last");
    BREAK(conv, 1000, "out of range");
    BREAK(point, 1000, "out of range");
    BREAK(context, 1000, "out of range");
    BREAK(l2, 1000, "out of range");
    BREAK(extra, 1000, "no extra");
    BREAK(conv, 0, "at another point");
#undef BREAK
    *first = 0;
    assert_finds(w->engine, "not of it");
    *first = 1000;
    assert_finds(w->engine, "not of it");
    *first = 1;
    store->last_frame = 2;
    assert_finds(w->engine, "above the last");
    store->last_frame = last;
    g_assert_null(corr_engine_check(w->engine));
    world_free(w);
}

static void check_finds_broken_results(void)
{
    struct world *w = small_world();
    struct corr_result *r = (struct corr_result *)corr_engine_result(w->engine);
    struct corr_packet *packet = &g_array_index(r->packets, struct corr_packet, 1), good = *packet;
    struct corr_sighting *s = &g_array_index(r->sightings, struct corr_sighting, 3), fine = *s;

#define BREAK(member, value, words)                                                                \
    packet->member = value;                                                                        \
    assert_finds(w->engine, words);                                                                \
    *packet = good
    BREAK(n, 0, "packet 1");
    BREAK(first, 1, "packet 1");
    BREAK(flow, 99, "no flow");
    BREAK(drop_after, 0, "another");
    BREAK(fate, CORR_FATE_PROBABLE, "disagree");
#undef BREAK
#define BREAK(member, value, words)                                                                \
    s->member = value;                                                                             \
    assert_finds(w->engine, words);                                                                \
    *s = fine
    BREAK(packet, 0, "not of packet");
    BREAK(obs, 99, "not of packet");
    BREAK(obs, 2, "observation");
    BREAK(prev, 0, "not before");
    BREAK(prev, 3, "not before");
#undef BREAK
    g_assert_null(corr_engine_check(w->engine));
    world_free(w);
}

void add_index_tests(void)
{
    g_test_add_func("/store/index/position of the key, or none", index_finds);
    g_test_add_func("/store/index/equal hashes of different keys", index_collisions);
}

void add_check_tests(void)
{
    g_test_add_func("/store/check/names the first broken promise of a store",
                    check_finds_broken_stores);
    g_test_add_func("/store/check/names the first broken promise of the answers",
                    check_finds_broken_results);
}
