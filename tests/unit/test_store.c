/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_store.c - frames become points, contexts, local flows and observations. */
#include "test_store.h"

#include "frames.h"
#include "store/store.h"
#include "world.h"

static void add_bytes(struct corr_store *store, uint32_t number, uint32_t point, uint32_t link,
                      const uint8_t *bytes, uint32_t len)
{
    struct corr_frame frame = {.number = number, .point = point, .link = link, .data = bytes,
                               .time_ns = WORLD_BASE_NS + number, .has_time = true,
                               .cap_len = len, .wire_len = len};

    corr_store_add_frame(store, &frame);
}

static void add_text(struct corr_store *store, uint32_t number, uint32_t point, const char *layers)
{
    struct frame frame;

    build(&frame, layers);
    add_bytes(store, number, point, frame.link, frame.bytes, frame.len);
}

static void add_shape(struct corr_store *store, uint32_t number, uint32_t point,
                      const struct shape *shape)
{
    GByteArray *bytes = g_byte_array_new();

    shape_bytes(shape, bytes);
    add_bytes(store, number, point, 1, bytes->data, bytes->len);
    g_byte_array_unref(bytes);
}

static const struct corr_obs *of_frame(const struct corr_store *store, uint32_t number)
{
    uint32_t first = g_array_index(store->frame_obs, uint32_t, number);

    return first == CORR_NONE ? NULL : corr_store_obs(store, first);
}

static void assert_kept(const struct corr_store *store)
{
    char *broken = corr_store_check(store);

    g_assert_cmpstr(broken, ==, NULL);
}

static void names_are_unique(void)
{
    struct corr_store *store = corr_store_new(NULL);
    static const char *const given[] = {"eth0", "eth0", "eth0", "eth0#2", "lan", ""};
    static const char *const named[] = {"eth0", "eth0#2", "eth0#3", "eth0#2#2", "lan", ""};

    for (uint32_t i = 0; i < G_N_ELEMENTS(given); i++) {
        g_assert_cmpuint(corr_store_add_point(store, i / 2, i % 2, given[i]), ==, i);
        g_assert_cmpstr(corr_store_point(store, i)->name, ==, named[i]);
    }
    /* The name is used at creation only. */
    g_assert_cmpuint(corr_store_add_point(store, 1, 0, "other"), ==, 2);
    g_assert_cmpstr(corr_store_point(store, 2)->name, ==, "eth0#3");
    corr_store_free(store);
}

/* SLL2: protocol, reserved, ifindex, ARPHRD, packet type, address length, address. */
static void add_sll2(struct corr_store *store, uint32_t number, uint32_t point, uint8_t ifindex)
{
    struct frame frame;
    uint8_t header[20] = {8, 0, 0, 0, 0, 0, 0, ifindex, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1};
    uint8_t bytes[FRAME_MAX + 20];

    build(&frame, "ip4 udp:53 data");
    memcpy(bytes, header, 20);
    memcpy(bytes + 20, frame.bytes, frame.len);
    add_bytes(store, number, point, 276, bytes, frame.len + 20);
}

static void sll2_one_point_per_ifindex(void)
{
    struct corr_store *store = corr_store_new(NULL);
    static const uint8_t ifindex[] = {2, 3, 2, 3, 7};
    static const uint32_t expected[] = {2, 3, 2, 3, 4};

    corr_store_add_point(store, 0, 0, "any");
    corr_store_add_point(store, 0, 1, "any/if3"); /* taken */
    for (uint32_t i = 0; i < G_N_ELEMENTS(ifindex); i++)
        add_sll2(store, i + 1, 0, ifindex[i]);
    g_assert_cmpuint(store->points->len, ==, 5);
    for (uint32_t i = 0; i < G_N_ELEMENTS(ifindex); i++)
        g_assert_cmpuint(of_frame(store, i + 1)->point, ==, expected[i]);
    g_assert_cmpstr(corr_store_point(store, 2)->name, ==, "any/if2");
    g_assert_cmpstr(corr_store_point(store, 3)->name, ==, "any/if3#2");
    g_assert_cmpuint(corr_store_point(store, 2)->frames, ==, 2);
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 0);
    g_assert_cmpuint(corr_store_point(store, 2)->link, ==, 276);
    assert_kept(store);
    corr_store_free(store);
}

static void lower_number_takes_back(void)
{
    struct corr_store *store = corr_store_new(NULL);
    struct shape a = udp(1, 1000, 2, 53, 1), b = udp(1, 1001, 2, 53, 2);

    corr_store_add_point(store, 0, 0, "a");
    corr_store_add_point(store, 0, 1, "b");
    for (uint32_t i = 1; i <= 5; i++)
        add_shape(store, i, i % 2, &a);
    g_assert_cmpuint(store->n_frames, ==, 5);
    add_shape(store, 3, 0, &b);
    g_assert_cmpuint(store->n_frames, ==, 3);
    g_assert_cmpuint(store->last_frame, ==, 3);
    g_assert_cmpuint(store->obs->len, ==, 3);
    g_assert_cmpuint(of_frame(store, 3)->point, ==, 0);
    g_assert_cmpuint(corr_store_src(store, of_frame(store, 3))->port, ==, 1001);
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 2);
    g_assert_cmpuint(corr_store_point(store, 1)->frames, ==, 1);
    assert_kept(store);
    /* The number of the last frame, too, is not above it. */
    add_shape(store, 3, 1, &a);
    g_assert_cmpuint(store->n_frames, ==, 3);
    g_assert_cmpuint(corr_store_point(store, 1)->frames, ==, 2);
    add_shape(store, 1, 1, &b);
    g_assert_cmpuint(store->n_frames, ==, 1);
    g_assert_cmpuint(store->obs->len, ==, 1);
    assert_kept(store);
    corr_store_free(store);
}

static void gaps_in_numbers(void)
{
    struct corr_store *store = corr_store_new(NULL);
    struct shape a = udp(1, 1000, 2, 53, 1);

    corr_store_add_point(store, 0, 0, "a");
    add_shape(store, 5, 0, &a);
    add_shape(store, 9, 0, &a);
    g_assert_cmpuint(store->n_frames, ==, 2);
    g_assert_null(of_frame(store, 1));
    g_assert_null(of_frame(store, 7));
    /* Taking back from a number that no frame has: the frames above it go. */
    add_shape(store, 7, 0, &a);
    g_assert_cmpuint(store->n_frames, ==, 2);
    g_assert_cmpuint(store->last_frame, ==, 7);
    g_assert_cmpuint(store->obs->len, ==, 2);
    assert_kept(store);
    corr_store_free(store);
}

static void bad_point_or_number_is_refused(void)
{
    struct corr_store *store = corr_store_new(NULL);
    struct shape a = udp(1, 1000, 2, 53, 1);

    corr_store_add_point(store, 0, 0, "a");
    add_shape(store, 1, 1, &a);
    add_shape(store, 0, 0, &a);
    add_shape(store, 1, CORR_NONE, &a);
    g_assert_cmpuint(store->n_frames, ==, 0);
    g_assert_cmpuint(store->obs->len, ==, 0);
    assert_kept(store);
    corr_store_free(store);
}

static void unusable_frames_are_counted_with_a_reason(void)
{
    struct corr_store *store = corr_store_new(NULL);
    struct corr_frame frame = {.number = 2, .link = 1};
    struct shape a = udp(1, 1000, 2, 53, 1);
    GHashTable *unknown;

    corr_store_add_point(store, 0, 0, "a");
    add_bytes(store, 1, 0, 65000, (const uint8_t *)"x", 1);
    corr_store_add_frame(store, &frame); /* no bytes, no time */
    unknown = corr_store_point(store, 0)->unknown;
    g_assert_cmpuint(store->n_frames, ==, 2);
    g_assert_cmpuint(store->obs->len, ==, 0);
    g_assert_cmpuint(g_hash_table_size(unknown), >=, 1);
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 2);
    {
        GByteArray *bytes = g_byte_array_new();

        shape_bytes(&a, bytes);
        frame = (struct corr_frame){.number = 3, .link = 1, .data = bytes->data,
                                    .cap_len = bytes->len, .wire_len = bytes->len};
        corr_store_add_frame(store, &frame);
        g_byte_array_unref(bytes);
    }
    g_assert_cmpuint(store->obs->len, ==, 0);
    {
        static const char why[] = "frame without a usable time stamp";

        g_assert_cmpuint(GPOINTER_TO_UINT(g_hash_table_lookup(unknown, why)), ==, 1);
    }
    assert_kept(store);
    corr_store_free(store);
}

static void taken_back_counts_reasons_no_longer(void)
{
    struct corr_store *store = corr_store_new(NULL);
    GHashTableIter iter;
    gpointer count;
    unsigned sum = 0;

    corr_store_add_point(store, 0, 0, "a");
    for (unsigned i = 0; i < 3; i++)
        add_bytes(store, 1, 0, 65000, (const uint8_t *)"x", 1);
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 1);
    g_hash_table_iter_init(&iter, corr_store_point(store, 0)->unknown);
    while (g_hash_table_iter_next(&iter, NULL, &count))
        sum += GPOINTER_TO_UINT(count);
    g_assert_cmpuint(sum, ==, 1);
    /* Frame 1 again, now readable: the reason is gone, not there with 0 frames. */
    add_text(store, 1, 0, "eth ip4 udp:9 data");
    g_assert_cmpuint(g_hash_table_size(corr_store_point(store, 0)->unknown), ==, 0);
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 1);
    assert_kept(store);
    corr_store_free(store);
}

static void contexts_are_interned(void)
{
    struct corr_store *store = corr_store_new(NULL);
    GString *text = g_string_new(NULL);

    corr_store_add_point(store, 0, 0, "a");
    add_text(store, 1, 0, "eth ip4 udp:9 data");
    add_text(store, 2, 0, "eth t8100 x0064TT ip4 udp:9 data");
    add_text(store, 3, 0, "eth t8100 x00c8TT ip4 udp:9 data");
    add_text(store, 4, 0, "eth t8100 x0064TT ip4 udp:9 data");
    g_assert_cmpuint(of_frame(store, 1)->context, ==, 0);
    g_assert_cmpuint(of_frame(store, 2)->context, !=, of_frame(store, 3)->context);
    g_assert_cmpuint(of_frame(store, 2)->context, ==, of_frame(store, 4)->context);
    g_assert_cmpuint(store->contexts->len, ==, 3);
    corr_context_text(store, of_frame(store, 3)->context, text);
    g_assert_cmpstr(text->str, ==, "vlan 200");
    g_string_truncate(text, 0);
    corr_context_text(store, 0, text);
    g_assert_cmpstr(text->str, ==, "");
    g_string_free(text, TRUE);
    /* Two VLANs: two local flows. */
    g_assert_cmpuint(of_frame(store, 2)->conv, !=, of_frame(store, 3)->conv);
    g_assert_cmpuint(of_frame(store, 2)->conv, ==, of_frame(store, 4)->conv);
    assert_kept(store);
    corr_store_free(store);
}

static void one_way_ids_are_no_part_of_the_key(void)
{
    struct corr_store *store = corr_store_new(NULL);
    static const char *const pairs[][2] = {
        /* labels 16 and 17, bottom of stack; TEIDs 1 and 2 */
        {"eth t8847 x000101ff ip4 udp:9 data", "eth t8847 x000111ff ip4 udp:9 data"},
        {"eth ip4 udp:2152 x30ffL000000001 ip4 udp:9 data",
         "eth ip4 udp:2152 x30ffL000000002 ip4 udp:9 data"},
    };

    corr_store_add_point(store, 0, 0, "a");
    for (uint32_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        const struct corr_obs *a, *b;

        add_text(store, 2 * i + 1, 0, pairs[i][0]);
        add_text(store, 2 * i + 2, 0, pairs[i][1]);
        a = of_frame(store, 2 * i + 1);
        b = of_frame(store, 2 * i + 2);
        g_assert_cmpuint(a->context, !=, 0);
        g_assert_cmpuint(a->context, !=, b->context);
        g_assert_cmpuint(a->conv, ==, b->conv);
    }
    g_assert_cmpuint(store->convs->len, ==, 2);
    assert_kept(store);
    corr_store_free(store);
}

static void above_max_observations_counted_not_stored(void)
{
    struct corr_config config = {.max_observations = 3};
    struct corr_store *store = corr_store_new(&config);
    struct shape a = udp(1, 1000, 2, 53, 1);

    corr_store_add_point(store, 0, 0, "a");
    for (uint32_t i = 1; i <= 5; i++)
        add_shape(store, i, 0, &a);
    g_assert_cmpuint(store->obs->len, ==, 3);
    g_assert_cmpuint(store->n_refused, ==, 2);
    g_assert_cmpuint(store->n_frames, ==, 5);
    g_assert_cmpuint(store->frame_obs->len, ==, 4); /* of frames 0 to 3 */
    g_assert_cmpuint(corr_store_point(store, 0)->frames, ==, 5);
    add_shape(store, 5, 0, &a);
    g_assert_cmpuint(store->n_refused, ==, 2);
    add_shape(store, 2, 0, &a);
    g_assert_cmpuint(store->n_refused, ==, 0);
    g_assert_cmpuint(store->obs->len, ==, 2);
    assert_kept(store);
    corr_store_free(store);
}

static void direction_is_from_endpoint_a(void)
{
    struct corr_store *store = corr_store_new(NULL);
    struct shape there = udp(9, 1000, 2, 53, 1), back = turned(&there);
    struct shape same = udp(3, 700, 3, 700, 1), ask = echo(5, 6, false, 4711, 1);
    struct shape reply = {.src = ip(6), .dst = ip(5), .dst_port = 4711, .proto = ICMP};

    corr_store_add_point(store, 0, 0, "a");
    add_shape(store, 1, 0, &there);
    add_shape(store, 2, 0, &back);
    add_shape(store, 3, 0, &there);
    add_shape(store, 4, 0, &same);
    g_assert_cmpuint(of_frame(store, 1)->dir, ==, 0);
    g_assert_cmpuint(of_frame(store, 2)->dir, ==, 1);
    g_assert_cmpuint(of_frame(store, 3)->dir, ==, 0);
    g_assert_cmpuint(of_frame(store, 1)->conv, ==, of_frame(store, 2)->conv);
    g_assert_cmpuint(corr_store_src(store, of_frame(store, 2))->port, ==, 53);
    g_assert_cmpuint(corr_store_dst(store, of_frame(store, 2))->port, ==, 1000);
    g_assert_cmpuint(of_frame(store, 4)->dir, ==, 0);
    /* Echo: the identifier stands on the side that asks. */
    reply.src_port = 4711; /* where the builder writes the identifier */
    reply.seq = 1;
    add_shape(store, 5, 0, &ask);
    add_shape(store, 6, 0, &reply);
    g_assert_cmpuint(of_frame(store, 5)->conv, ==, of_frame(store, 6)->conv);
    g_assert_cmpuint(of_frame(store, 6)->dir, ==, 1);
    g_assert_cmpuint(corr_store_dst(store, of_frame(store, 6))->port, ==, 4711);
    assert_kept(store);
    corr_store_free(store);
}

static void points_have_local_flows_of_their_own(void)
{
    struct corr_store *store = corr_store_new(NULL);
    struct shape a = udp(1, 1000, 2, 53, 1);

    for (uint32_t p = 0; p < 100; p++) {
        corr_store_add_point(store, 0, p, "a");
        add_shape(store, p + 1, p, &a);
    }
    g_assert_cmpuint(store->convs->len, ==, 100);
    assert_kept(store);
    corr_store_free(store);
}

/* Memory does not grow above the limit, whatever it is that takes it. */
static void above_max_bytes(void)
{
    struct corr_config config = {.max_bytes = 200000};
    struct corr_store *store = corr_store_new(&config);
    uint64_t then = 0;
    uint32_t i;

    store->answer_bytes = 200;
    corr_store_add_point(store, 0, 0, "a");
    for (i = 1; i <= 5000; i++) {
        struct shape a = udp(1 + i % 100, (uint16_t)i, 2, 53, i);

        add_shape(store, i, 0, &a);
        if (store->full_at != 0 && then == 0)
            then = corr_store_bytes(store);
    }
    g_assert_cmpuint(store->full_at, >, 100);
    g_assert_cmpuint(store->n_refused, ==, i - store->full_at);
    g_assert_cmpuint(then, ==, corr_store_bytes(store));
    g_assert_cmpuint(then, >=, config.max_bytes);
    g_assert_cmpuint(then, <, config.max_bytes + config.max_bytes / 10);
    corr_store_free(store);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/names of points are unique", names_are_unique);
    g_test_add_func("/store/SLL2: one point per interface index", sll2_one_point_per_ifindex);
    g_test_add_func("/store/a number that is not above the last one takes back every frame from "
                    "that number on", lower_number_takes_back);
    g_test_add_func("/store/numbers ascend with gaps", gaps_in_numbers);
    g_test_add_func("/store/a frame without number or point is refused",
                    bad_point_or_number_is_refused);
    g_test_add_func("/store/any bytes are acceptable; what could not be used is counted",
                    unusable_frames_are_counted_with_a_reason);
    g_test_add_func("/store/taken back frames and counts",
                    taken_back_counts_reasons_no_longer);
    g_test_add_func("/store/contexts are interned", contexts_are_interned);
    g_test_add_func("/store/ids of one-way encapsulations are left out of the key",
                    one_way_ids_are_no_part_of_the_key);
    g_test_add_func("/store/frames above max_observations are counted, not stored",
                    above_max_observations_counted_not_stored);
    g_test_add_func("/store/memory does not grow above max_bytes", above_max_bytes);
    g_test_add_func("/store/dir 0 is from endpoint a to b, 1 is back",
                    direction_is_from_endpoint_a);
    g_test_add_func("/store/a local flow is one conversation as one point shows it",
                    points_have_local_flows_of_their_own);
    add_index_tests();
    add_broker_tests();
    add_check_tests();
    return g_test_run();
}
